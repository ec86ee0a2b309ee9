#include "unit.h"

#include "base/why.h"

static mode_t mode_of(const char *path) {
    struct stat st;
    return lstat(path, &st) < 0 ? 0 : st.st_mode & 07777;
}

static void durable_writes_replace_whole_files(void **state) {
    AUTOFREE char *path = unit_path(*state, "file");
    assert_int_equal(files_write_durable(AT_FDCWD, path, VIEW("first"), 0600), 0);
    assert_int_equal(mode_of(path), 0600);
    mode_t before = umask(077);
    assert_int_equal(files_write_durable(AT_FDCWD, path, VIEW("second"), 0644), 0);
    (void)umask(before);
    assert_int_equal(mode_of(path), 0644); /* whatever the umask */
    AUTOBUF struct buf b = BUF_INIT(100);
    assert_int_equal(files_read(AT_FDCWD, path, &b), 0);
    assert_string_equal(buf_str(&b), "second");
    char **names;
    size_t count;
    assert_int_equal(files_list(AT_FDCWD, *state, 10, &names, &count), 0);
    assert_int_equal(count, 1); /* no temporary file is left */
    files_free_names(names, count);

    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    assert_int_equal(files_write_durable(dir, "relative", VIEW(""), 0600), 0);
    assert_int_equal(files_write_durable(dir, "no/such/folder", VIEW("x"), 0600), -ENOENT);
    assert_int_equal(mkdirat(dir, "folder", 0700), 0);
    assert_int_equal(files_write_durable(dir, "folder", VIEW("x"), 0600), -EISDIR);
    assert_int_equal(files_list(dir, ".", 10, &names, &count), 0);
    assert_int_equal(count, 3);
    files_free_names(names, count);
}

static void new_files_never_replace(void **state) {
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    assert_int_equal(files_write_new(dir, "f", VIEW("one"), 0640), 0);
    assert_int_equal(files_write_new(dir, "f", VIEW("two"), 0640), -EEXIST);
    assert_int_equal(symlinkat("target", dir, "link"), 0);
    assert_int_equal(files_write_new(dir, "link", VIEW("x"), 0640), -EEXIST);
    AUTOBUF struct buf b = BUF_INIT(100);
    assert_int_equal(files_read(dir, "f", &b), 0);
    assert_string_equal(buf_str(&b), "one");
}

static void reading_stops_at_the_cap(void **state) {
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    static char big[70000];
    memset(big, 'x', sizeof big);
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, sizeof big};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        assert_int_equal(files_remove_tree(dir, "f"), 0);
        assert_int_equal(files_write_new(dir, "f", view_make(big, sizes[i]), 0600), 0);
        AUTOBUF struct buf fits = BUF_INIT(sizes[i]), more = BUF_INIT(sizes[i] + 100000);
        assert_int_equal(files_read(dir, "f", &fits), 0);
        assert_int_equal(fits.len, sizes[i]);
        assert_int_equal(files_read(dir, "f", &more), 0);
        assert_int_equal(more.len, sizes[i]);
        if (sizes[i] == 0)
            continue;
        AUTOBUF struct buf less = BUF_INIT(sizes[i] - 1);
        assert_int_equal(files_read(dir, "f", &less), -EMSGSIZE);
    }
    AUTOBUF struct buf b = BUF_INIT(10);
    buf_puts(&b, "12345");
    assert_int_equal(files_write_durable(dir, "f", VIEW("67890"), 0600), 0);
    assert_int_equal(files_read(dir, "f", &b), 0); /* appends */
    assert_string_equal(buf_str(&b), "1234567890");
}

static void only_regular_files_where_asked(void **state) {
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    AUTOBUF struct buf b = BUF_INIT(100);
    assert_int_equal(files_write_new(dir, "f", VIEW("content"), 0600), 0);
    assert_int_equal(symlinkat("f", dir, "link"), 0);
    assert_int_equal(mkfifoat(dir, "pipe", 0600), 0);
    assert_int_equal(mkdirat(dir, "folder", 0700), 0);
    assert_int_equal(files_read_regular(dir, "link", &b), -ELOOP);
    assert_int_equal(files_read_regular(dir, "pipe", &b), -EINVAL);
    assert_int_equal(files_read_regular(dir, "folder", &b), -EINVAL);
    assert_int_equal(files_read_regular(dir, "missing", &b), -ENOENT);
    assert_int_equal(files_read_regular(dir, "f", &b), 0);
    assert_int_equal(files_read(dir, "link", &b), 0);
    assert_string_equal(buf_str(&b), "contentcontent");
}

static void folders(void **state) {
    AUTOFREE char *deep = unit_path(*state, "a/b/c");
    AUTOFREE char *a = unit_path(*state, "a");
    mode_t before = umask(077);
    assert_int_equal(files_make_dirs(deep, 0755), 0);
    (void)umask(before);
    assert_int_equal(mode_of(deep), 0755);
    assert_int_equal(files_make_dirs(deep, 0700), 0);
    assert_int_equal(mode_of(deep), 0755); /* it stays as it was */
    assert_int_equal(chmod(a, 02770), 0);
    AUTOFREE char *inherits = unit_path(*state, "a/group");
    assert_int_equal(files_make_dir(AT_FDCWD, inherits, 0750), 0);
    assert_int_equal(mode_of(inherits), 02750);
    AUTOFREE char *file = unit_path(*state, "file");
    assert_int_equal(files_write_new(AT_FDCWD, file, VIEW(""), 0600), 0);
    assert_int_equal(files_make_dir(AT_FDCWD, file, 0700), -ENOTDIR);
    AUTOFREE char *below = unit_path(*state, "file/x");
    assert_int_equal(files_make_dirs(below, 0700), -ENOTDIR);
    assert_int_equal(files_make_dirs("", 0700), -ENOENT);
    assert_int_equal(files_open_dir(AT_FDCWD, file), -ENOTDIR);
}

static void lists_are_sorted_and_capped(void **state) {
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    static const char *const names[] = {"b", "a", ".hidden", "B", "ä"};
    static const char *const sorted[] = {".hidden", "B", "a", "b", "ä"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        assert_int_equal(files_write_new(dir, names[i], VIEW(""), 0600), 0);
    char **got;
    size_t count;
    assert_int_equal(files_list(dir, ".", 4, &got, &count), -E2BIG);
    assert_int_equal(files_list(dir, ".", 5, &got, &count), 0);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(got[i], sorted[i]);
    files_free_names(got, count);
    assert_int_equal(files_list(dir, "missing", 5, &got, &count), -ENOENT);
}

static void make_tree(int dir) {
    assert_int_equal(mkdirat(dir, "tree", 0700), 0);
    assert_int_equal(mkdirat(dir, "tree/sub", 0700), 0);
    assert_int_equal(files_write_new(dir, "tree/sub/f", VIEW("x"), 0600), 0);
    assert_int_equal(files_write_new(dir, "outside", VIEW("stays"), 0600), 0);
    assert_int_equal(symlinkat("../outside", dir, "tree/link"), 0);
    assert_int_equal(mkfifoat(dir, "tree/pipe", 0600), 0);
}

static void whole_trees(void **state) {
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    make_tree(dir);
    assert_int_equal(files_fsync_tree(dir, "tree"), 0); /* neither link nor pipe stands in its way */
    assert_int_equal(files_fsync_tree(dir, "missing"), -ENOENT);
    assert_int_equal(files_remove_tree(dir, "tree/link"), 0);
    assert_int_equal(symlinkat("../outside", dir, "tree/link"), 0);
    assert_int_equal(files_remove_tree(dir, "tree"), 0);
    assert_int_equal(faccessat(dir, "tree", F_OK, 0), -1);
    assert_int_equal(faccessat(dir, "outside", F_OK, 0), 0);
    assert_int_equal(files_remove_tree(dir, "tree"), 0);
}

static void secrets_are_for_their_owner(void **state) {
    AUTOFREE char *path = unit_path(*state, "secret");
    static const struct {
        mode_t mode;
        int r;
    } cases[] = {{0600, 0}, {0400, 0}, {0640, 0}, {0644, -EPERM}, {0604, -EPERM}, {0660, -EPERM}, {0602, -EPERM}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(files_write_durable(AT_FDCWD, path, VIEW("a;b#c"), cases[i].mode), 0);
        AUTOBUF struct buf b = BUF_INIT(5);
        struct why why = {0};
        assert_int_equal(files_check_secret(path, &why), cases[i].r);
        assert_int_equal(files_read_secret(path, &b, &why), cases[i].r);
        assert_string_equal(buf_str(&b), cases[i].r ? "" : "a;b#c");
        if (cases[i].r) {
            assert_string_equal(why.where, path);
            assert_non_null(strstr(why.todo, "chmod 0600"));
        }
    }
    struct why why = {0};
    AUTOBUF struct buf b = BUF_INIT(4);
    assert_int_equal(files_write_durable(AT_FDCWD, path, VIEW("12345"), 0600), 0);
    assert_int_equal(files_read_secret(path, &b, &why), -EMSGSIZE);
    assert_string_equal(why.where, path);
    assert_int_equal(files_check_secret(*state, &why), -EINVAL);
    AUTOFREE char *missing = unit_path(*state, "missing");
    assert_int_equal(files_check_secret(missing, &why), -ENOENT);
    assert_non_null(strstr(why.what, "No such file"));
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, unit_folder, unit_folder_gone)

static void the_first_names_are_listed_in_portions(void **state) {
    char folder[] = "/tmp/rundbrief-names-XXXXXX", after[64] = "";
    size_t seen = 0;
    (void)state;
    assert_non_null(mkdtemp(folder));
    int dirfd = files_open_dir(AT_FDCWD, folder);
    for (unsigned i = 0; i < 100; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "%03u.%s", i * 37 % 100, i % 10 ? "req" : "tmp"); /* fits */
        assert_int_equal(files_write_new(dirfd, name, VIEW(""), 0600), 0);
    }
    for (size_t count = 7; count == 7; seen += count) {
        char **names;
        assert_int_equal(files_list_next(AT_FDCWD, folder, after, ".req", 7, &names, &count), 0);
        for (size_t i = 0; i < count; i++) {
            assert_true(strcmp(names[i], after) > 0);
            (void)snprintf(after, sizeof after, "%s", names[i]); /* fits */
        }
        files_free_names(names, count);
    }
    assert_int_equal(seen, 90);
    (void)close(dirfd);
    assert_int_equal(files_remove_tree(AT_FDCWD, folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_names_are_listed_in_portions),
        IN_FOLDER(durable_writes_replace_whole_files),
        IN_FOLDER(new_files_never_replace),
        IN_FOLDER(reading_stops_at_the_cap),
        IN_FOLDER(only_regular_files_where_asked),
        IN_FOLDER(folders),
        IN_FOLDER(lists_are_sorted_and_capped),
        IN_FOLDER(whole_trees),
        IN_FOLDER(secrets_are_for_their_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
