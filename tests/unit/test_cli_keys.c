#include <sysexits.h>

#include "cli/verb.h"
#include "unit.h"

/* A verb, run with a configuration of its own; what it printed is in said_out and said_err. */
static char *said_out, *said_err;

static void forget(void) {
    free(said_out);
    free(said_err);
    said_out = said_err = NULL;
}

static int run(const char *folder, bool json, const char *line) {
    AUTOFREE char *config = unit_path(folder, "rundbrief.ini");
    AUTOBUF struct buf text = BUF_INIT(10000);
    buf_printf(
        &text,
        "[daemon]\nstate-dir = %s/state\nspool-dir = %s/spool\n[relay main]\nurl = smtp://mail.partner.example\n"
        "[sender office]\nname = Office\naddress = news@partner.example\npublic-url = https://news.partner.example\n"
        "[list news]\n",
        folder, folder);
    assert_int_equal(files_write_durable(AT_FDCWD, config, buf_view(&text), 0644), 0);
    size_t out_len, err_len;
    forget();
    FILE *out = open_memstream(&said_out, &out_len), *err = open_memstream(&said_err, &err_len);
    assert_true(out && err);
    struct cli cli = {.config_path = config, .json = json, .out = out, .err = err};
    AUTOFREE char *copy = strdup(line);
    char *argv[16], *rest = copy;
    int argc = 0;
    for (char *word; (word = strsep(&rest, " "));)
        argv[argc++] = word;
    bool key = strcmp(argv[0], "key") == 0;
    int code = key ? verb_key(&cli, argc - 1, argv + 1) : verb_token(&cli, argc - 1, argv + 1);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(fclose(err), 0);
    assert_true(code == EX_OK ? said_err[0] == '\0' : strncmp(said_err, "rundbrief: ", 11) == 0);
    return code;
}

static void keys_from_the_first_to_the_second(void **state) {
    const char *f = *state;
    assert_int_equal(run(f, false, "key list"), EX_OK);
    assert_non_null(strstr(said_out, "rundbrief key init"));
    assert_int_equal(run(f, false, "key new"), EX_NOINPUT);
    assert_int_equal(run(f, false, "key init"), EX_OK);
    assert_non_null(strstr(said_out, "/state/keys. Keep a copy"));
    assert_int_equal(run(f, false, "key init"), EX_CANTCREAT);
    assert_non_null(strstr(said_err, "there are keys already"));
    assert_int_equal(run(f, true, "key new"), EX_OK);
    assert_string_equal(said_out, "{\"id\":2}\n");
    assert_int_equal(run(f, false, "key list"), EX_OK);
    assert_string_equal(said_out, "  1  signs\n  2  can be activated\n");
    assert_int_equal(run(f, false, "key activate 2"), EX_OK);
    assert_non_null(strstr(said_out, "systemctl reload rundbriefd"));
    assert_int_equal(run(f, false, "key activate 3"), EX_NOINPUT);
    assert_int_equal(run(f, true, "key list"), EX_OK);
    assert_string_equal(said_out, "{\"keys\":[{\"id\":1,\"active\":false,\"secret\":true,\"public\":true},{\"id\":2,"
                                  "\"active\":true,\"secret\":true,\"public\":true}],\"master\":true}\n");
    forget();
}

static void drop(const char *folder, const char *name) {
    AUTOFREE char *path = unit_path(folder, name);
    assert_int_equal(unlink(path), 0);
}

static void what_is_lost_is_said(void **state) {
    const char *f = *state;
    assert_int_equal(run(f, false, "key init"), EX_OK);
    assert_int_equal(run(f, false, "key init --new-master"), EX_CANTCREAT);
    assert_int_equal(run(f, false, "key new"), EX_OK);
    assert_int_equal(run(f, false, "key activate 2"), EX_OK);
    drop(f, "spool/public/keys/1.pub");
    drop(f, "state/keys/signing-1.key");
    assert_int_equal(run(f, false, "key list"), EX_OK);
    assert_string_equal(said_out, "  1  is lost: links that it signed are refused\n  2  signs\n");
    drop(f, "spool/public/keys/2.pub");
    assert_int_equal(run(f, false, "key list"), EX_OK);
    assert_non_null(strstr(said_out, "run key activate with its number"));
    assert_int_equal(run(f, false, "token make --list news --subscriber 1"), EX_NOINPUT);
    assert_non_null(strstr(said_err, "Run `rundbrief key activate 2`"));
    assert_int_equal(run(f, false, "key activate 2"), EX_OK);
    assert_int_equal(run(f, false, "token make --list news --subscriber 1"), EX_OK);
    drop(f, "state/keys/signing-2.key");
    assert_int_equal(run(f, false, "key list"), EX_OK);
    assert_non_null(strstr(said_out, "its secret is lost"));
    assert_int_equal(run(f, false, "key new"), EX_OK);
    assert_int_equal(run(f, false, "key activate 3"), EX_OK);
    drop(f, "state/keys/master.key");
    assert_int_equal(run(f, true, "key list"), EX_OK);
    assert_non_null(strstr(said_out, "\"master\":false"));
    assert_int_equal(run(f, false, "token make --list news --subscriber 1"), EX_NOINPUT);
    assert_non_null(strstr(said_err, "key init --new-master"));
    assert_int_equal(run(f, false, "key init --new-master"), EX_OK);
    assert_int_equal(run(f, false, "token make --list news --subscriber 1"), EX_OK);
    forget();
}

static void keys_move_in_a_file(void **state) {
    const char *f = *state;
    AUTOFREE char *pass = unit_path(f, "pass"), *short_pass = unit_path(f, "short"), *other = unit_path(f, "other"),
                  *file = unit_path(f, "keys.export");
    AUTOBUF struct buf line = BUF_INIT(5000);
    assert_int_equal(files_write_durable(AT_FDCWD, pass, VIEW("correct horse battery\nmore\n"), 0600), 0);
    assert_int_equal(files_write_durable(AT_FDCWD, short_pass, VIEW("short\n"), 0600), 0);
    assert_int_equal(files_write_durable(AT_FDCWD, other, VIEW("correct horse battery\n"), 0644), 0);
    buf_printf(&line, "key export %s --passphrase-file %s", file, pass);
    assert_int_equal(run(f, false, buf_str(&line)), EX_NOINPUT); /* no keys yet */
    assert_int_equal(run(f, false, "key init"), EX_OK);
    assert_int_equal(run(f, false, buf_str(&line)), EX_OK);
    assert_non_null(strstr(said_out, "encrypted"));
    assert_int_equal(run(f, false, buf_str(&line)), EX_CANTCREAT); /* nothing is replaced */
    struct stat st;
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    buf_clear(&line);
    buf_printf(&line, "key export %s.2 --passphrase-file %s", file, short_pass);
    assert_int_equal(run(f, false, buf_str(&line)), EX_USAGE);
    buf_clear(&line);
    buf_printf(&line, "key export %s.2 --passphrase-file %s", file, other); /* anybody may read it */
    assert_int_equal(run(f, false, buf_str(&line)), EX_NOPERM);
    buf_clear(&line);
    buf_printf(&line, "key import %s --passphrase-file %s", file, pass);
    assert_int_equal(run(f, false, buf_str(&line)), EX_OK);
    assert_non_null(strstr(said_out, "were there already"));
    drop(f, "state/keys/master.key");
    assert_int_equal(run(f, true, buf_str(&line)), EX_OK);
    assert_string_equal(said_out, "{\"new\": true, \"active\": 1}\n");
    assert_int_equal(run(f, true, "token make --list news --subscriber 1"), EX_OK);
    buf_clear(&line);
    buf_printf(&line, "key import %s --passphrase-file %s", pass, pass);
    assert_int_equal(run(f, false, buf_str(&line)), EX_DATAERR);
    forget();
}

static void tokens_are_made_and_looked_into(void **state) {
    const char *f = *state;
    assert_int_equal(run(f, false, "token make --list news --subscriber 42"), EX_NOINPUT);
    assert_int_equal(run(f, false, "token verify AAAA"), EX_NOINPUT);
    assert_int_equal(run(f, false, "key init"), EX_OK);
    static const struct {
        const char *wish, *json;
    } cases[] = {
        {"--list news --subscriber 42",
         "{\"purpose\":\"recipient\",\"key\":1,\"list\":\"news\",\"list_id\":0x,\"subscriber\":42}\n"},
        {"--list news --test", "{\"purpose\":\"test\",\"key\":1,\"list\":\"news\",\"list_id\":0x}\n"},
        {"--release 7 --expires 1h", "{\"purpose\":\"release\",\"key\":1,\"announcement\":7,\"expires\":\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf make = BUF_INIT(1000), verify = BUF_INIT(1000);
        buf_printf(&make, "token make %s", cases[i].wish);
        assert_int_equal(run(f, false, buf_str(&make)), EX_OK);
        said_out[strcspn(said_out, "\n")] = '\0';
        AUTOFREE char *token = strdup(said_out);
        static const char *const forms[] = {"%s", "https://news.partner.example/u/%s/12/de?x=1", "/u/%s"};
        for (size_t form = 0; form < COUNT_OF(forms); form++) {
            const char *at = strstr(forms[form], "%s");
            buf_clear(&verify);
            buf_puts(&verify, "token verify ");
            buf_add(&verify, forms[form], (size_t)(at - forms[form]));
            buf_puts(&verify, token);
            buf_puts(&verify, at + 2);
            assert_int_equal(run(f, true, buf_str(&verify)), EX_OK);
            const char *want = cases[i].json, *id = strstr(want, "0x");
            size_t same = id ? (size_t)(id - want) : strlen(want);
            assert_memory_equal(said_out, want, same);
            if (id)
                assert_true(view_ends(view_of(said_out), id + 2));
        }
        token[strlen(token) - 1] ^= 1;
        buf_clear(&verify);
        buf_printf(&verify, "token verify %s", token);
        assert_int_equal(run(f, false, buf_str(&verify)), EX_DATAERR);
        assert_null(strstr(said_err, token));
    }
    assert_int_equal(run(f, false, "token make --release 7 --expires 0s"), EX_OK);
    said_out[strcspn(said_out, "\n")] = '\0';
    AUTOBUF struct buf verify = BUF_INIT(1000);
    buf_printf(&verify, "token verify %s", said_out);
    assert_int_equal(run(f, false, buf_str(&verify)), EX_OK);
    assert_non_null(strstr(said_out, "Z (expired)\n"));
    forget();
}

static void wrong_use_is_said(void **state) {
    static const struct {
        const char *line;
        int code;
    } cases[] = {
        {"key", EX_USAGE},
        {"key make", EX_USAGE},
        {"key list 1", EX_USAGE},
        {"key activate", EX_USAGE},
        {"key activate 0", EX_USAGE},
        {"key activate 256", EX_USAGE},
        {"key activate x", EX_USAGE},
        {"key export", EX_USAGE},
        {"key import", EX_USAGE},
        {"key list --new-master", EX_USAGE},
        {"key init --passphrase-file x", EX_USAGE},
        {"key list --all", EX_USAGE},
        {"token", EX_USAGE},
        {"token look", EX_USAGE},
        {"token verify", EX_USAGE},
        {"token make", EX_USAGE},
        {"token make --list news", EX_USAGE},
        {"token make --subscriber 1", EX_USAGE},
        {"token make --list news --subscriber 0", EX_USAGE},
        {"token make --list news --subscriber x", EX_USAGE},
        {"token make --list news --subscriber 1 --test", EX_USAGE},
        {"token make --list news --subscriber 1 --expires 1h", EX_USAGE},
        {"token make --list news --release 1", EX_USAGE},
        {"token make --release 1 --expires 1", EX_USAGE},
        {"token make --release 1 --expires 367d", EX_USAGE},
        {"token make --list nws --test", EX_DATAERR},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unit_int(cases[i].line, run(*state, false, cases[i].line), cases[i].code);
        assert_string_equal(said_out, "");
    }
    forget();
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, unit_folder, unit_folder_gone)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(keys_from_the_first_to_the_second), IN_FOLDER(what_is_lost_is_said), IN_FOLDER(keys_move_in_a_file),
        IN_FOLDER(tokens_are_made_and_looked_into),   IN_FOLDER(wrong_use_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
