#include "unit.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "trust/keys.h"
#include "trust/token.h"

#define FOREIGN "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
static struct why why;

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

static mode_t mode_of(const char *dir, const char *name) {
    AUTOFREE char *path = unit_path(dir, name);
    struct stat st;
    return stat(path, &st) < 0 ? 0 : st.st_mode & 07777;
}

/* The content of DIR/NAME, "" where there is none; to be freed. */
static char *content_of(const char *dir, const char *name) {
    AUTOFREE char *path = unit_path(dir, name);
    AUTOBUF struct buf b = BUF_INIT(1000);
    (void)files_read(AT_FDCWD, path, &b); /* a missing one reads as empty */
    return buf_steal(&b);
}

static void put(const char *dir, const char *name, const char *content, mode_t mode) {
    AUTOFREE char *path = unit_path(dir, name);
    assert_int_equal(files_make_dirs(dir, 0700), 0);
    assert_int_equal(files_write_durable(AT_FDCWD, path, view_of(content), mode), 0);
}

static void drop(const char *dir, const char *name) {
    AUTOFREE char *path = unit_path(dir, name);
    assert_int_equal(files_remove_tree(AT_FDCWD, path), 0);
}

/* Loads both rings and lets the public one verify what the other signs; the id that signed. */
static unsigned works(const struct places *p) {
    struct keyring *keys, *door;
    if (keyring_load(p->secret, p->public, &why, &keys) < 0)
        return 0;
    assert_int_equal(keyring_load_public(p->public, &why, &door), 0);
    struct token token = {.purpose = TOKEN_RECIPIENT, .list = 7, .subscriber = 8}, back;
    AUTOBUF struct buf text = BUF_INIT(200);
    assert_int_equal(token_sign(keys, &token, &text), 0);
    assert_int_equal(token_verify(door, buf_view(&text), &back), 0);
    assert_int_equal(token_sign(door, &token, &text), -ENOKEY);
    assert_int_equal(keyring_active_id(door), 0);
    unsigned id = keyring_active_id(keys);
    assert_int_equal(back.key_id, id);
    assert_null(keyring_free(keys));
    assert_null(keyring_free(door));
    return id;
}

static void init_makes_keys_that_work(void **state) {
    AUTOPLACES struct places p = places_in(*state);
    struct keyring *keys;
    assert_int_equal(keyring_load(p.secret, p.public, &why, &keys), -ENOENT);
    assert_non_null(strstr(why.todo, "rundbrief key init"));
    assert_int_equal(keyring_load_public(p.public, &why, &keys), -ENOENT);
    mode_t before = umask(0);
    assert_int_equal(keyring_init(p.secret, p.public, &why), 0);
    (void)umask(before);
    assert_int_equal(works(&p), 1);
    assert_int_equal(mode_of(p.secret, "."), 0700);
    assert_int_equal(mode_of(p.secret, "master.key"), 0600);
    assert_int_equal(mode_of(p.secret, "signing-1.key"), 0600);
    assert_int_equal(mode_of(p.public, "1.pub"), 0644);
    AUTOFREE char *master = content_of(p.secret, "master.key");
    AUTOFREE char *seed = content_of(p.secret, "signing-1.key");
    assert_int_equal(strlen(master), 65);
    assert_string_not_equal(master, seed);
    assert_int_equal(keyring_init(p.secret, p.public, &why), -EEXIST);
    AUTOFREE char *after = content_of(p.secret, "master.key");
    assert_string_equal(master, after);
}

static void keys_rotate(void **state) {
    AUTOPLACES struct places p = places_in(*state);
    uint8_t id;
    assert_int_equal(keyring_new_key(p.secret, p.public, &id, &why), -ENOENT);
    assert_int_equal(keyring_activate(p.secret, p.public, 1, &why), -ENOENT);
    assert_int_equal(keyring_init(p.secret, p.public, &why), 0);

    struct keyring *keys;
    struct token token = {.purpose = TOKEN_RECIPIENT, .list = 7, .subscriber = 8}, back;
    AUTOBUF struct buf old = BUF_INIT(200);
    assert_int_equal(keyring_load(p.secret, p.public, &why, &keys), 0);
    assert_int_equal(token_sign(keys, &token, &old), 0);
    keyring_free(keys);

    assert_int_equal(keyring_new_key(p.secret, p.public, &id, &why), 0);
    assert_int_equal(id, 2);
    assert_int_equal(works(&p), 1); /* published, but not signing yet */
    assert_int_equal(keyring_activate(p.secret, p.public, 2, &why), 0);
    assert_int_equal(works(&p), 2);
    assert_int_equal(keyring_activate(p.secret, p.public, 3, &why), -ENOENT);
    assert_int_equal(keyring_activate(p.secret, p.public, 0, &why), -ENOENT);

    drop(p.secret, "signing-1.key"); /* an old secret may go; its public key stays for ever */
    assert_int_equal(keyring_load(p.secret, p.public, &why, &keys), 0);
    assert_int_equal(token_verify(keys, buf_view(&old), &back), 0);
    keyring_free(keys);
    assert_int_equal(keyring_activate(p.secret, p.public, 1, &why), -ENOENT);

    struct key_info list[KEYS_MAX];
    size_t count;
    assert_int_equal(keyring_list(p.secret, p.public, list, &count, &why), 0);
    assert_int_equal(count, 2);
    assert_true(list[0].id == 1 && !list[0].active && !list[0].has_secret && list[0].has_public);
    assert_true(list[1].id == 2 && list[1].active && list[1].has_secret && list[1].has_public);
}

static void a_ring_takes_over_what_is_new(void **state) {
    AUTOPLACES struct places p = places_in(*state);
    struct token token = {.purpose = TOKEN_RECIPIENT, .list = 7, .subscriber = 8}, back;
    AUTOBUF struct buf first = BUF_INIT(200), second = BUF_INIT(200);
    struct keyring *keys;
    uint8_t id;
    assert_int_equal(keyring_init(p.secret, p.public, &why), 0);
    assert_int_equal(keyring_load(p.secret, p.public, &why, &keys), 0);
    assert_int_equal(token_sign(keys, &token, &first), 0);
    assert_int_equal(keyring_reload(keys, p.secret, p.public, &why), 0);
    assert_int_equal(keyring_new_key(p.secret, p.public, &id, &why), 0);
    assert_int_equal(keyring_reload(keys, p.secret, p.public, &why), 1);
    assert_int_equal(keyring_active_id(keys), 1);
    assert_int_equal(keyring_activate(p.secret, p.public, 2, &why), 0);
    assert_int_equal(keyring_reload(keys, p.secret, p.public, &why), 1);
    assert_int_equal(keyring_active_id(keys), 2);
    assert_int_equal(token_sign(keys, &token, &second), 0);
    assert_int_equal(token_verify(keys, buf_view(&first), &back), 0);
    assert_int_equal(token_verify(keys, buf_view(&second), &back), 0);
    assert_int_equal(back.key_id, 2);
    assert_int_equal(keyring_activate(p.secret, p.public, 1, &why), 0);
    assert_int_equal(keyring_reload(keys, p.secret, p.public, &why), 1);
    assert_int_equal(keyring_active_id(keys), 1);

    /* what is damaged or of somebody else changes nothing */
    put(p.secret, "master.key", FOREIGN "\n", 0600);
    assert_int_equal(keyring_reload(keys, p.secret, p.public, &why), -EBADMSG);
    assert_non_null(strstr(why.what, "another installation"));
    drop(p.secret, "master.key");
    assert_int_equal(keyring_reload(keys, p.secret, p.public, &why), -ENOENT);
    assert_int_equal(token_verify(keys, buf_view(&second), &back), 0);
    assert_null(keyring_free(keys));
}

static void ids_end_at_255(void **state) {
    AUTOPLACES struct places p = places_in(*state);
    uint8_t id;
    assert_int_equal(keyring_init(p.secret, p.public, &why), 0);
    AUTOFREE char *public = content_of(p.public, "1.pub");
    put(p.public, "254.pub", public, 0644);
    assert_int_equal(keyring_new_key(p.secret, p.public, &id, &why), 0);
    assert_int_equal(id, 255);
    assert_int_equal(keyring_new_key(p.secret, p.public, &id, &why), -ENOSPC);
    put(p.public, "256.pub", "not a key of ours", 0644);
    put(p.public, "007.pub", "nor this", 0644);
    put(p.public, "README", "nor this", 0644);
    assert_int_equal(works(&p), 1);
}

static const char *const init_files[] = {"master.key", "signing-1.key", "1.pub", "active"};

/* Every set of the four files that key init writes: those that an interruption can leave are finished with nothing
 * changed, all others are refused with nothing changed. */
static void an_interrupted_init_is_finished(void **state) {
    AUTOFREE char *whole_folder = unit_path(*state, "whole");
    AUTOPLACES struct places whole = places_in(whole_folder);
    assert_int_equal(keyring_init(whole.secret, whole.public, &why), 0);
    for (unsigned set = 0; set < 16; set++) {
        char name[8];
        (void)snprintf(name, sizeof name, "%u", set);
        AUTOFREE char *folder = unit_path(*state, name);
        AUTOPLACES struct places p = places_in(folder);
        for (unsigned i = 0; i < 4; i++) {
            AUTOFREE char *content = content_of(i == 2 ? whole.public : whole.secret, init_files[i]);
            if (set & 1u << i)
                put(i == 2 ? p.public : p.secret, init_files[i], content, i == 2 ? 0644 : 0600);
        }
        if (set) { /* as a write leaves it that was cut off */
            put(p.secret, ".signing-1.key.0123456789abcdef", "half", 0600);
            put(p.public, ".1.pub.0123456789abcdef", "", 0644);
        }
        bool in_order = set == 0 || set == 1 || set == 3 || set == 7;
        unsigned loaded = works(&p);
        unit_int(name, loaded, set == 15 ? 1 : 0);
        if (in_order)
            assert_non_null(strstr(why.todo, "rundbrief key init"));
        unit_int(name, keyring_init(p.secret, p.public, &why), in_order ? 0 : -EEXIST);
        unit_int(name, works(&p), in_order || set == 15 ? 1 : 0);
        for (unsigned i = 0; i < 4; i++) {
            AUTOFREE char *before = content_of(i == 2 ? whole.public : whole.secret, init_files[i]);
            AUTOFREE char *after = content_of(i == 2 ? p.public : p.secret, init_files[i]);
            if (set & 1u << i)
                assert_string_equal(before, after);
            else if (!in_order)
                assert_string_equal(after, "");
        }
        assert_int_equal(mode_of(p.secret, ".signing-1.key.0123456789abcdef"), 0);
        assert_int_equal(mode_of(p.public, ".1.pub.0123456789abcdef"), 0);
    }
}

static void an_interrupted_new_key_is_finished(void **state) {
    AUTOPLACES struct places p = places_in(*state);
    uint8_t id;
    assert_int_equal(keyring_init(p.secret, p.public, &why), 0);
    assert_int_equal(keyring_new_key(p.secret, p.public, &id, &why), 0);
    AUTOFREE char *secret = content_of(p.secret, "signing-2.key");
    AUTOFREE char *public = content_of(p.public, "2.pub");
    drop(p.public, "2.pub");
    put(p.public, ".2.pub.00112233aabbccdd", "half", 0644);
    assert_int_equal(works(&p), 1);
    assert_int_equal(keyring_activate(p.secret, p.public, 2, &why), -ENOENT); /* the doors cannot know it yet */
    assert_int_equal(keyring_new_key(p.secret, p.public, &id, &why), 0);
    assert_int_equal(id, 2);
    AUTOFREE char *secret_after = content_of(p.secret, "signing-2.key");
    AUTOFREE char *public_after = content_of(p.public, "2.pub");
    assert_string_equal(secret, secret_after);
    assert_string_equal(public, public_after);
    assert_int_equal(mode_of(p.public, ".2.pub.00112233aabbccdd"), 0);
}

/* Runs a verb in a child that is killed at its nth stop; each system call makes two, before and behind it. 1 killed,
 * 0 it ended before, -1 where tracing is not allowed here. */
static int run_killed(const struct places *p, bool new_key, unsigned n) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uint8_t id;
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
            _exit(2);
        (void)raise(SIGSTOP);
        _exit(new_key ? keyring_new_key(p->secret, p->public, &id, &why) < 0
                      : keyring_init(p->secret, p->public, &why) < 0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        return -1;
    for (unsigned stop = 0; stop < n; stop++) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return 0;
        }
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return 1;
}

static void killed_anywhere_nothing_is_half(void **state) {
    for (int new_key = 0; new_key < 2; new_key++)
        for (unsigned n = 2;; n += 2) { /* behind each call; that is before the next */
            AUTOFREE char *folder = unit_path(*state, "killed");
            AUTOPLACES struct places p = places_in(folder);
            assert_int_equal(files_remove_tree(AT_FDCWD, folder), 0);
            if (new_key)
                assert_int_equal(keyring_init(p.secret, p.public, &why), 0);
            int killed = run_killed(&p, new_key, n);
            if (killed < 0) {
                print_message("skipped: no child can be traced here\n");
                return;
            }
            uint8_t id = 0;
            int r = new_key ? keyring_new_key(p.secret, p.public, &id, &why) : keyring_init(p.secret, p.public, &why);
            if (new_key) {
                assert_int_equal(r, 0);
                assert_in_range(id, 2, 3); /* 3 where it was killed after its work was done */
                assert_int_equal(keyring_activate(p.secret, p.public, id, &why), 0);
            } else {
                assert_true(r == 0 || r == -EEXIST);
            }
            assert_int_equal(works(&p), new_key ? id : 1);
            char **names;
            size_t count;
            assert_int_equal(files_list(AT_FDCWD, p.secret, 100, &names, &count), 0);
            for (size_t i = 0; i < count && r == 0; i++)
                assert_int_not_equal(names[i][0], '.');
            files_free_names(names, count);
            if (!killed)
                break;
        }
}

static void damaged_and_foreign_keys_are_refused(void **state) {
    AUTOPLACES struct places p = places_in(*state);
    struct keyring *keys;
    assert_int_equal(keyring_init(p.secret, p.public, &why), 0);
    static const struct {
        bool public;
        const char *name, *content;
        mode_t mode;
        int r;
    } cases[] = {
        {false, "master.key", "", 0600, -EBADMSG},
        {false, "master.key", "00", 0600, -EBADMSG},
        {false, "signing-1.key", "xyz", 0600, -EBADMSG},
        {false, "signing-1.key", "0000000000000000000000000000000000000000000000000000000000000000", 0600, -EBADMSG},
        {false, "signing-1.key", NULL, 0644, -EPERM},
        {false, "master.key", NULL, 0604, -EPERM},
        {false, "active", "0", 0600, -EBADMSG},
        {false, "active", "256", 0600, -EBADMSG},
        {false, "active", "one", 0600, -EBADMSG},
        {false, "active", "1111111111111111111111111111", 0600, -EBADMSG},
        {false, "active", "2", 0600, -ENOENT},
        {true, "1.pub", "", 0644, -EBADMSG},
        {true, "1.pub", "0000000000000000000000000000000000000000000000000000000000000000\n", 0644, -EBADMSG},
        {true, "1.pub", "00000000000000000000000000000000000000000000000000000000000000000000000", 0644, -EBADMSG},
        {true, "9.pub", "half", 0644, -EBADMSG},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *dir = cases[i].public ? p.public : p.secret;
        AUTOFREE char *before = content_of(dir, cases[i].name);
        put(dir, cases[i].name, cases[i].content ? cases[i].content : before, cases[i].mode);
        unit_int(cases[i].name, keyring_load(p.secret, p.public, &why, &keys), cases[i].r);
        assert_true(why.what[0] && why.where[0]);
        AUTOFREE char *digits = strndup(before, 64);
        if (cases[i].r != -EPERM)
            assert_null(strstr(why.what, *before ? digits : "half"));
        if (*before)
            put(dir, cases[i].name, before, cases[i].public ? 0644 : 0600);
        else
            drop(dir, cases[i].name);
        assert_int_equal(works(&p), 1);
    }
    drop(p.secret, "master.key");
    assert_int_equal(keyring_load(p.secret, p.public, &why, &keys), -ENOENT);
    assert_non_null(strstr(why.what, "master.key is missing"));
    assert_int_equal(keyring_init(p.secret, p.public, &why), -EEXIST);
}

static void verbs_want_a_closed_folder(void **state) {
    AUTOPLACES struct places p = places_in(*state);
    uint8_t id;
    assert_int_equal(keyring_init(p.secret, p.public, &why), 0);
    assert_int_equal(chmod(p.secret, 0750), 0);
    assert_int_equal(keyring_new_key(p.secret, p.public, &id, &why), -EPERM);
    assert_non_null(strstr(why.todo, "chmod 0700"));
}

static void what_root_makes_belongs_to_the_daemon(void **state) {
    if (geteuid() != 0) {
        print_message("skipped: only root can give files away\n");
        return;
    }
    AUTOPLACES struct places p = places_in(*state);
    AUTOFREE char *state_dir = unit_path(*state, "state");
    AUTOFREE char *spool_dir = unit_path(*state, "spool");
    assert_int_equal(files_make_dirs(state_dir, 0700), 0);
    assert_int_equal(files_make_dirs(spool_dir, 0750), 0);
    assert_int_equal(chown(state_dir, 4711, 4712), 0);
    assert_int_equal(chown(spool_dir, 4711, 4713), 0);
    assert_int_equal(keyring_init(p.secret, p.public, &why), 0);
    static const char *const made[] = {
        "state/keys",   "state/keys/master.key", "state/keys/signing-1.key", "state/keys/active",
        "spool/public", "spool/public/keys",     "spool/public/keys/1.pub"};
    for (size_t i = 0; i < COUNT_OF(made); i++) {
        AUTOFREE char *path = unit_path(*state, made[i]);
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        unit_int(made[i], st.st_uid, 4711);
        unit_int(made[i], st.st_gid, made[i][1] == 't' ? 4712 : 4713);
    }
}

static void credentials_of_systemd_come_first(void **state) {
    AUTOFREE char *credentials = unit_path(*state, "credentials");
    AUTOBUF struct buf dir = BUF_INIT(1000);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    keyring_secret_dir("/s", &dir);
    assert_string_equal(buf_str(&dir), "/s/keys");
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", credentials, 1), 0);
    buf_clear(&dir);
    keyring_secret_dir("/s", &dir);
    assert_string_equal(buf_str(&dir), "/s/keys"); /* it holds other credentials */
    put(credentials, "master.key", "", 0400);
    buf_clear(&dir);
    keyring_secret_dir("/s", &dir);
    assert_string_equal(buf_str(&dir), credentials);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    buf_clear(&dir);
    keyring_public_dir("/p", &dir);
    assert_string_equal(buf_str(&dir), "/p/public/keys");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, unit_folder, unit_folder_gone)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(init_makes_keys_that_work),         IN_FOLDER(keys_rotate),
        IN_FOLDER(a_ring_takes_over_what_is_new),     IN_FOLDER(ids_end_at_255),
        IN_FOLDER(an_interrupted_init_is_finished),   IN_FOLDER(an_interrupted_new_key_is_finished),
        IN_FOLDER(killed_anywhere_nothing_is_half),   IN_FOLDER(damaged_and_foreign_keys_are_refused),
        IN_FOLDER(verbs_want_a_closed_folder),        IN_FOLDER(what_root_makes_belongs_to_the_daemon),
        IN_FOLDER(credentials_of_systemd_come_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
