#include "unit.h"

#include "store/db.h"
#include "store/kept.h"

static struct why why;

static void put(const char *folder, const char *name) {
    AUTOFREE char *path = unit_path(folder, name);
    assert_int_equal(files_write_durable(AT_FDCWD, path, VIEW("x"), 0600), 0);
}

static bool is_there(const char *folder, const char *name) {
    AUTOFREE char *path = unit_path(folder, name);
    return access(path, F_OK) == 0;
}

/* What the time says goes, and what was never whole; what is none of ours stays. */
static void old_copies_go(void **state) {
    AUTOFREE char *kept = unit_path(*state, "kept");
    char name[KEPT_NAME_MAX];
    uint64_t removed = 0;
    assert_int_equal(kept_sweep(*state, &removed), 0); /* no such folder yet */
    assert_int_equal(kept_name(*state, "v3.db", name), 0);
    put(*state, name);
    put(kept, "20200101T000000Z-v2.db");
    put(kept, "20200101T000000Z-replaced.db-wal");
    put(kept, ".20990101T000000Z-v3.db");
    put(kept, "mine");
    AUTOFREE char *cut_off = unit_path(*state, "restoring");
    assert_int_equal(files_make_dirs(cut_off, 0700), 0);
    put(cut_off, "store.db");
    assert_int_equal(kept_sweep(*state, &removed), 0);
    assert_int_equal(removed, 3);
    assert_int_not_equal(access(cut_off, F_OK), 0);
    assert_true(is_there(*state, name) && is_there(kept, "mine"));
    assert_false(is_there(kept, "20200101T000000Z-v2.db"));
}

static void the_newest_stay(void **state) {
    AUTOFREE char *path = unit_path(*state, "store.db"), *kept = unit_path(*state, "kept");
    struct db *db;
    char **names;
    size_t count;
    assert_int_equal(files_make_dirs(kept, 0700), 0);
    put(kept, "20200101T000000Z-v1.db");
    put(kept, "20200102T000000Z-v1.db");
    put(kept, "20200101T000000Z-replaced.db");
    assert_int_equal(db_open(path, &why, &db), 0);
    assert_int_equal(kept_before_migration(*state, db, 7, &why), 0);
    assert_int_equal(files_list(AT_FDCWD, kept, 10, &names, &count), 0);
    assert_int_equal(count, 1 + KEPT_MAX);
    assert_string_equal(names[0], "20200101T000000Z-replaced.db");
    assert_string_equal(names[1], "20200102T000000Z-v1.db");
    assert_non_null(strstr(names[2], "-v7.db"));
    files_free_names(names, count);
    assert_null(db_close(db));
}

static void room_is_asked_for(void **state) {
    AUTOFREE char *path = unit_path(*state, "store.db");
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_int_equal(kept_check_room(*state, *state, 1, "no room", &why), 0);
    if (ftruncate(fd, INT64_C(1) << 43) == 0) { /* a hole; some file systems know none of this size */
        assert_int_equal(kept_check_room(*state, *state, 1, "no room", &why), -ENOSPC);
        assert_non_null(strstr(why.what, "no room: it takes 83886"));
    }
    (void)close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(old_copies_go, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(the_newest_stay, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(room_is_asked_for, unit_folder, unit_folder_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
