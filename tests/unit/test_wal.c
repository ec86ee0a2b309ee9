/* A log that an earlier process left is written once more, and not changed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/files.h"
#include "store/wal.h"

static char folder[] = "/tmp/rundbrief-test-wal-XXXXXX";
static char path[64], log_path[80];

static int setup(void **state) {
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof path, "%s/store.db", folder);
    (void)snprintf(log_path, sizeof log_path, "%s-wal", path);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return files_remove_tree(AT_FDCWD, folder);
}

static void all_is_written_and_nothing_changed(void **state) {
    static const size_t sizes[] = {0, 1, 32, 64 * 1024 - 1, 64 * 1024, 64 * 1024 + 1, 300000};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *text = malloc(sizes[i] + 1);
        AUTOBUF struct buf after = BUF_INIT(1 << 20);
        struct stat st;
        assert_non_null(text);
        for (size_t k = 0; k < sizes[i]; k++)
            text[k] = (char)(k * 7 + k / 251);
        assert_int_equal(files_write_new(AT_FDCWD, log_path, view_make(text, sizes[i]), 0600), 0);
        const struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
        assert_int_equal(utimensat(AT_FDCWD, log_path, old, 0), 0);
        assert_int_equal(wal_settle(path), 0);
        assert_int_equal(files_read(AT_FDCWD, log_path, &after), 0);
        assert_int_equal(after.len, sizes[i]);
        assert_memory_equal(buf_str(&after), text, sizes[i]);
        assert_int_equal(stat(log_path, &st), 0);
        assert_int_equal(st.st_mtim.tv_sec > 1, sizes[i] > 0); /* it was written */
        assert_int_equal(unlink(log_path), 0);
        free(text);
    }
}

static void none_is_fine(void **state) {
    (void)state;
    assert_int_equal(wal_settle(path), 0);
}

static void failures_are_told(void **state) {
    (void)state;
    assert_int_equal(mkdir(log_path, 0700), 0);
    assert_int_equal(wal_settle(path), -EISDIR);
    assert_int_equal(rmdir(log_path), 0);
    assert_int_equal(symlink("/dev/null", log_path), 0);
    assert_int_equal(wal_settle(path), -ELOOP);
    assert_int_equal(unlink(log_path), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_written_and_nothing_changed),
        cmocka_unit_test(none_is_fine),
        cmocka_unit_test(failures_are_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
