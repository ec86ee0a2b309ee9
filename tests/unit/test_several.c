#include "spool/several.h"

#include <fcntl.h>

#include "base/files.h"
#include "spool/spool.h"
#include "unit.h"

static void what_is_published_is_read(void **state) {
    const char *folder = *state;
    struct spool *spool;
    struct why why;
    uint32_t all[SEVERAL_MAX + 1] = {7, UINT32_MAX, 0}, got[SEVERAL_MAX];
    assert_int_equal(spool_open(folder, &why, &spool), 0);
    AUTOFREE char *public = unit_path(folder, "public/several");
    assert_int_equal(several_read(public, 5, got), 0);
    assert_int_equal(several_publish(spool, 5, all, 3), 0);
    assert_int_equal(several_read(public, 5, got), 3);
    assert_memory_equal(got, all, 3 * sizeof *got);
    assert_int_equal(several_publish(spool, 5, all, SEVERAL_MAX), 0);
    assert_int_equal(several_read(public, 5, got), SEVERAL_MAX);
    assert_int_equal(several_publish(spool, 5, all, SEVERAL_MAX + 1), -E2BIG);
    assert_int_equal(several_read(public, 0, got), 0);
    assert_int_equal(several_read(public, -5, got), 0);
    static const char *const broken[] = {"",
                                         "7\n",
                                         "rundbrief-several 2\n7\n",
                                         "rundbrief-several 1\n7\nx\n",
                                         "rundbrief-several 1\n4294967296\n",
                                         "rundbrief-several 1\n-1\n"};
    AUTOFREE char *path = unit_path(folder, "public/several/6");
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        assert_int_equal(files_write_durable(AT_FDCWD, path, view_of(broken[i]), 0644), 0);
        unit_int(broken[i], (int64_t)several_read(public, 6, got), 0);
    }
    (void)spool_close(spool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_published_is_read, unit_folder, unit_folder_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
