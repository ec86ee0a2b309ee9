#include "fixed_keys.h"
#include "unit.h"

#include "trust/key_export.h"

#define PASSPHRASE VIEW("five words of no sentence")

static struct why why;

static char *golden(void) {
    AUTOBUF struct buf b = BUF_INIT(KEY_EXPORT_MAX_BYTES);
    assert_int_equal(files_read(AT_FDCWD, "tests/data/keys-1.export", &b), 0);
    return buf_steal(&b);
}

struct places {
    char *secret, *public;
};
static struct places places_in(const char *folder) {
    return (struct places){unit_path(folder, "state/keys"), unit_path(folder, "spool/public/keys")};
}
static void places_done(struct places *p) {
    free(p->secret);
    free(p->public);
}
#define AUTOPLACES CLEANUP(places_done)

static void holds(const char *dir, const char *name, const char *content) {
    AUTOFREE char *path = unit_path(dir, name);
    AUTOBUF struct buf b = BUF_INIT(1000);
    assert_int_equal(files_read(AT_FDCWD, path, &b), 0);
    assert_true(view_eq_str(view_trim(buf_view(&b)), content));
}

static int import(const struct places *p, struct view file, struct view passphrase, bool *ret_new) {
    uint8_t active;
    return key_import(p->secret, p->public, file, passphrase, ret_new, &active, &why);
}

/* A file of the first version of the format, with the keys of fixed_keys.h. */
static void a_file_of_then_is_read(void **state) {
    AUTOPLACES struct places p = places_in(*state);
    AUTOFREE char *file = golden();
    bool is_new;
    uint8_t active;
    assert_int_equal(key_import(p.secret, p.public, view_of(file), PASSPHRASE, &is_new, &active, &why), 0);
    assert_true(is_new && active == 5);
    holds(p.secret, "master.key", FIXED_MASTER);
    holds(p.secret, "signing-5.key", FIXED_SEED);
    holds(p.public, "5.pub", FIXED_PUBLIC);
    holds(p.public, "6.pub", OTHER_PUBLIC);
    assert_int_equal(import(&p, view_of(file), PASSPHRASE, &is_new), 0);
    assert_false(is_new);
}

static void what_was_cut_off_is_finished(void **state) {
    static const char *const secrets[] = {"master.key", "signing-5.key", "active"};
    AUTOPLACES struct places p = places_in(*state);
    AUTOFREE char *file = golden();
    for (size_t i = 0; i < COUNT_OF(secrets); i++) {
        bool is_new;
        assert_int_equal(import(&p, view_of(file), PASSPHRASE, &is_new), 0);
        AUTOFREE char *path = unit_path(p.secret, secrets[i]), *active = unit_path(p.secret, "active");
        assert_int_equal(unlink(path), 0);
        (void)unlink(active); /* it is written last */
        assert_int_equal(import(&p, view_of(file), PASSPHRASE, &is_new), 0);
        holds(p.secret, "active", "5");
        struct keyring *keys;
        assert_int_equal(keyring_load(p.secret, p.public, &why, &keys), 0);
        assert_null(keyring_free(keys));
    }
}

static void other_keys_stay(void **state) {
    AUTOPLACES struct places p = places_in(*state);
    AUTOFREE char *file = golden(), *master = unit_path(p.secret, "master.key");
    bool is_new;
    assert_int_equal(keyring_init(p.secret, p.public, &why), 0);
    assert_int_equal(import(&p, view_of(file), PASSPHRASE, &is_new), -EEXIST);
    assert_non_null(strstr(why.where, "master.key"));
    AUTOFREE char *five = unit_path(p.secret, "signing-5.key");
    assert_int_not_equal(access(five, F_OK), 0);
}

static void what_is_damaged_is_refused(void **state) {
    AUTOPLACES struct places p = places_in(*state);
    AUTOFREE char *file = golden();
    size_t len = strlen(file);
    bool is_new;
    assert_int_equal(import(&p, view_of(file), VIEW("five words of no sentences"), &is_new), -EBADMSG);
    assert_non_null(strstr(why.what, "passphrase is another one"));
    /* wherever it is cut, each line's form is asked for before any work */
    for (size_t n = 0; n < len; n += n < 200 ? 1 : 37)
        assert_int_equal(import(&p, view_make(file, n), PASSPHRASE, &is_new), -EBADMSG);
    static const struct {
        const char *from, *to;
        int error;
    } cases[] = {
        {"rundbrief-keys 1", "rundbrief-keys 2", -EPROTONOSUPPORT},
        {"rundbrief-keys 1", "rundbrief-kezs 1", -EBADMSG},
        {"argon2id 4 131072", "argon2id 9 999999999", -EBADMSG},
        {"argon2id 4 131072", "argon2id 17 131072", -EBADMSG},
        {"argon2id 4 131072", "argon2id 0 131072", -EBADMSG},
        {"argon2id 4 131072", "argon2id 4 7", -EBADMSG},
        {"argon2id 4 131072", "argon2id 3 131072", -EBADMSG},
        {"\nend\n", "\nEND\n", -EBADMSG},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf changed = BUF_INIT(KEY_EXPORT_MAX_BYTES);
        const char *at = strstr(file, cases[i].from);
        assert_non_null(at);
        buf_add(&changed, file, (size_t)(at - file));
        buf_puts(&changed, cases[i].to);
        buf_puts(&changed, at + strlen(cases[i].from));
        unit_int(cases[i].to, import(&p, buf_view(&changed), PASSPHRASE, &is_new), cases[i].error);
    }
    /* one bit of what is encrypted, and one of its line ends */
    file[len - 12] = file[len - 12] == 'A' ? 'B' : 'A';
    assert_int_equal(import(&p, view_of(file), PASSPHRASE, &is_new), -EBADMSG);
    assert_int_not_equal(access(p.secret, F_OK), 0); /* nothing was made */
}

static void back_and_forth(void **state) {
    AUTOPLACES struct places from = places_in(*state);
    AUTOFREE char *elsewhere = unit_path(*state, "other");
    AUTOPLACES struct places to = places_in(elsewhere);
    AUTOBUF struct buf file = BUF_INIT(KEY_EXPORT_MAX_BYTES), windows = BUF_INIT(KEY_EXPORT_MAX_BYTES);
    uint8_t id;
    bool is_new;
    assert_int_equal(key_export(from.secret, from.public, PASSPHRASE, &file, &why), -ENOENT);
    assert_int_equal(key_export(from.secret, from.public, VIEW("too short"), &file, &why), -EINVAL);
    assert_int_equal(keyring_init(from.secret, from.public, &why), 0);
    for (unsigned i = 2; i <= 40; i++)
        assert_int_equal(keyring_new_key(from.secret, from.public, &id, &why), 0);
    assert_int_equal(keyring_activate(from.secret, from.public, 39, &why), 0);
    assert_int_equal(key_export(from.secret, from.public, PASSPHRASE, &file, &why), 0);
    for (size_t i = 0; i < file.len; i++) {
        if (file.data[i] == '\n')
            buf_putc(&windows, '\r');
        buf_putc(&windows, file.data[i]);
    }
    assert_int_equal(import(&to, buf_view(&windows), PASSPHRASE, &is_new), 0);
    struct keyring *keys;
    assert_int_equal(keyring_load(to.secret, to.public, &why, &keys), 0);
    assert_int_equal(keyring_active_id(keys), 39);
    assert_null(keyring_free(keys));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, unit_folder, unit_folder_gone)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_of_then_is_read), IN_FOLDER(what_was_cut_off_is_finished),
        IN_FOLDER(other_keys_stay),        IN_FOLDER(what_is_damaged_is_refused),
        IN_FOLDER(back_and_forth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
