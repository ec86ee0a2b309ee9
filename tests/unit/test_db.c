#include "store_helper.h"

#include <errno.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema_2_sql.h"
#include "schema_3_sql.h"
#include "schema_sql.h"
#include "store/delivery.h"
#include "store/epoch.h"
#include "store/store.h"

static int64_t pragma(const struct fixture *f, const char *sql) {
    return fixture_int(f->db, sql);
}

static void settings_hold(void **state) {
    struct fixture *f = *state;
    assert_int_equal(pragma(f, "PRAGMA synchronous"), 2);
    assert_int_equal(pragma(f, "PRAGMA application_id"), 0x524e4442);
    assert_int_equal(pragma(f, "PRAGMA user_version"), 5);
    assert_int_equal(pragma(f, "PRAGMA trusted_schema"), 0);
    assert_int_equal(pragma(f, "PRAGMA secure_delete"), 1);
    assert_int_equal(pragma(f, "PRAGMA cache_size"), -5120);
    struct row *row;
    assert_int_equal(db_query(f->db, "PRAGMA journal_mode", &row, ""), 0);
    assert_int_equal(db_next(row), 1);
    assert_string_equal(row_text(row, 0), "wal");
    db_end(row);
    assert_int_equal(db_query(f->db, "PRAGMA locking_mode", &row, ""), 0);
    assert_int_equal(db_next(row), 1);
    assert_string_equal(row_text(row, 0), "exclusive");
    db_end(row);
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    char wal[128];
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    (void)snprintf(wal, sizeof wal, "%s-shm", f->path);
    assert_int_equal(access(wal, F_OK), -1);
    /* defensive: the schema cannot be written */
    assert_int_equal(db_run(f->db, "DELETE FROM sqlite_schema", NULL, ""), -EINVAL);
    /* strict: a text is no number */
    assert_int_equal(db_run(f->db, "INSERT INTO relay_usage VALUES ('a', 'b', 'c')", NULL, ""), -EEXIST);
}

static void binds_and_reads(void **state) {
    struct fixture *f = *state;
    struct row *row;
    assert_int_equal(db_query(f->db, "SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?", &row, "dutvbntizz", -7, UINT64_MAX, "text",
                              view_make("a\0b", 3), view_make("\0\1", 2), (const char *)NULL, INT64_MIN, INT64_C(0),
                              INT64_MIN),
                     0);
    assert_int_equal(db_next(row), 1);
    assert_int_equal(row_int(row, 0), -7);
    assert_true(row_uint(row, 1) == UINT64_MAX);
    assert_string_equal(row_text(row, 2), "text");
    assert_true(view_eq(row_view(row, 3), view_make("a\0b", 3)));
    assert_true(view_eq(row_view(row, 4), view_make("\0\1", 2)));
    assert_true(row_is_null(row, 5));
    assert_true(row_is_null(row, 6));
    assert_string_equal(row_text(row, 6), "");
    assert_int_equal(row_view(row, 6).len, 0);
    assert_true(row_int(row, 7) == INT64_MIN);
    assert_true(row_is_null(row, 8));
    assert_true(row_int(row, 9) == INT64_MIN);
    assert_int_equal(db_next(row), 0);
}

/* The same statement may be walked twice at once, and begun again after it was left early. */
static void statements_nest(void **state) {
    struct fixture *f = *state;
    static const char sql[] = "SELECT column1 FROM (VALUES (1), (2), (3)) WHERE column1 >= ?";
    struct row *outer, *inner;
    int64_t sum = 0;
    assert_int_equal(db_query(f->db, sql, &outer, "d", 1), 0);
    while (db_next(outer) == 1) {
        assert_int_equal(db_query(f->db, sql, &inner, "i", row_int(outer, 0)), 0);
        assert_ptr_not_equal(inner, outer);
        while (db_next(inner) == 1)
            sum += 10 * row_int(outer, 0) + row_int(inner, 0);
    }
    assert_int_equal(sum, (11 + 12 + 13) + (22 + 23) + 33);
    assert_int_equal(db_query(f->db, sql, &outer, "d", 3), 0);
    assert_int_equal(db_next(outer), 1);
    db_end(outer);
    assert_int_equal(db_query(f->db, sql, &inner, "d", 2), 0);
    assert_int_equal(db_next(inner), 1);
    assert_int_equal(row_int(inner, 0), 2);
    db_end(inner);
}

static void a_value_outlives_its_binding(void **state) {
    struct fixture *f = *state;
    char text[] = "first";
    struct row *row;
    assert_int_equal(db_query(f->db, "SELECT ?", &row, "t", text), 0);
    memcpy(text, "other", 5);
    assert_int_equal(db_next(row), 1);
    assert_string_equal(row_text(row, 0), "first");
    db_end(row);
}

static void get_int_tells_of_nothing(void **state) {
    struct fixture *f = *state;
    int64_t n = 42;
    assert_int_equal(db_get_int(f->db, "SELECT value FROM meta WHERE key = ?", &n, "t", "missing"), 0);
    assert_int_equal(n, 42);
}

static void savepoints_undo_one_job(void **state) {
    struct fixture *f = *state;
    assert_int_equal(db_begin(f->db), 0);
    assert_int_equal(db_savepoint(f->db), 0);
    assert_int_equal(db_run(f->db, "INSERT INTO meta VALUES ('a', 1)", NULL, ""), 0);
    assert_int_equal(db_release(f->db), 0);
    assert_int_equal(db_savepoint(f->db), 0);
    assert_int_equal(db_run(f->db, "INSERT INTO meta VALUES ('b', 1)", NULL, ""), 0);
    /* a broken constraint breaks the statement, not the transaction */
    assert_int_equal(db_run(f->db, "INSERT INTO meta VALUES ('a', 2)", NULL, ""), -EEXIST);
    assert_int_equal(db_failure(f->db), 0);
    db_rollback_to(f->db);
    assert_int_equal(db_commit(f->db), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM meta"), 1);
    assert_int_equal(fixture_int(f->db, "SELECT value FROM meta WHERE key = 'a'"), 1);

    assert_int_equal(db_begin(f->db), 0);
    assert_int_equal(db_run(f->db, "INSERT INTO meta VALUES ('c', 1)", NULL, ""), 0);
    db_rollback(f->db);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM meta"), 1);
}

/* After a full disk nothing more of the transaction is written, not even by itself. */
static void a_full_disk_breaks_the_transaction(void **state) {
    struct fixture *f = *state;
    assert_int_equal(db_run(f->db, "CREATE TABLE big (b BLOB)", NULL, ""), 0);
    int64_t pages = fixture_int(f->db, "PRAGMA page_count");
    assert_true(pages < 100);
    assert_int_equal(fixture_int(f->db, "PRAGMA max_page_count = 100"), 100);
    assert_int_equal(db_begin(f->db), 0);
    assert_int_equal(db_run(f->db, "INSERT INTO meta VALUES ('x', 1)", NULL, ""), 0);
    assert_int_equal(db_run(f->db, "INSERT INTO big VALUES (zeroblob(1000000))", NULL, ""), -ENOSPC);
    assert_int_equal(db_failure(f->db), -ENOSPC);
    assert_int_equal(db_run(f->db, "INSERT INTO meta VALUES ('y', 1)", NULL, ""), -ENOSPC);
    assert_int_equal(db_commit(f->db), -ENOSPC);
    assert_false(db_in_transaction(f->db));
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM meta"), 0);
    assert_int_equal(db_begin(f->db), 0);
    assert_int_equal(db_failure(f->db), 0);
    assert_int_equal(db_run(f->db, "INSERT INTO meta VALUES ('z', 1)", NULL, ""), 0);
    assert_int_equal(db_commit(f->db), 0);
}

static void a_second_process_is_kept_out(void **state) {
    struct fixture *f = *state;
    struct why why;
    struct db *second = NULL;
    assert_int_equal(db_open(f->path, &why, &second), -EBUSY);
    assert_null(second);
    assert_string_equal(why.what, "another process has the store open");
    assert_string_equal(why.where, f->path);
}

static void change_file(struct fixture *f, const char *sql) {
    f->db = db_close(f->db);
    sqlite3 *raw;
    assert_int_equal(sqlite3_open(f->path, &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(raw), SQLITE_OK);
}

static void foreign_files_are_refused(void **state) {
    struct fixture *f = *state;
    struct why why;
    change_file(f, "PRAGMA user_version = 6");
    assert_int_equal(db_open(f->path, &why, &f->db), -EPROTONOSUPPORT);
    assert_string_equal(why.what, "the store has version 6, this program knows up to 5");
    change_file(f, "PRAGMA user_version = 1; PRAGMA application_id = 7");
    assert_int_equal(db_open(f->path, &why, &f->db), -EPROTO);
    change_file(f, "PRAGMA application_id = 0");
    assert_int_equal(db_open(f->path, &why, &f->db), -EPROTO);

    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(files_write_new(AT_FDCWD, f->path,
                                     VIEW("not a database, but long enough to be looked at "
                                          "not a database, but long enough to be looked at "
                                          "not a database, but long enough to be looked at "),
                                     0600),
                     0);
    assert_int_equal(db_open(f->path, &why, &f->db), -EUCLEAN);
    assert_int_equal(db_open("/nonexistent/folder/store.db", &why, &f->db), -ENOENT);
    assert_null(f->db);
}

/* A store of version 1 comes up with what was in it, and with the new columns empty. */
static void version_1_is_brought_further(void **state) {
    struct fixture *f = *state;
    f->db = db_close(f->db);
    assert_int_equal(unlink(f->path), 0);
    sqlite3 *raw;
    assert_int_equal(sqlite3_open(f->path, &raw), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw, schema_sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_exec(raw,
                                  "PRAGMA application_id = 1380860994; PRAGMA user_version = 1;"
                                  "INSERT INTO subscription (list, subscriber, state, since) VALUES (7, 1, 2, 5);"
                                  "INSERT INTO announcement (name, list, list_name, subject, state, identity, by, "
                                  "created, send_at, send_until) VALUES ('a', 7, 'l', 's', 2, x'00', 'v', 1, 0, 0)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(raw), SQLITE_OK);
    fixture_reopen(f);
    assert_int_equal(pragma(f, "PRAGMA user_version"), 5);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM subscription WHERE list = 7 AND tags = ''"), 1);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM announcement WHERE name = 'a' AND only_text = ''"), 1);
}

/* A run that version 3 began goes on: whoever had a row keeps it, whatever it says. */
static void version_3_is_brought_further_in_a_run(void **state) {
    struct fixture *f = *state;
    f->db = db_close(f->db);
    assert_int_equal(unlink(f->path), 0);
    sqlite3 *raw;
    const char *const steps[] = {
        schema_sql, schema_2_sql, schema_3_sql,
        "PRAGMA application_id = 1380860994; PRAGMA user_version = 3;"
        "INSERT INTO announcement (id, name, list, list_name, subject, state, identity, by, created, send_at, "
        "send_until, started, claim_cursor, total, pending, delivered, deferred) VALUES (1, 'a', 7, 'l', 's', 5, "
        "x'00', "
        "'v', 1, 0, 9000, 1, 3, 6, 4, 1, 1);"
        "INSERT INTO delivery (announcement, subscriber, list, language, state, attempts, due, first_claim) VALUES "
        "(1, 1, 7, 'de', 2, 1, NULL, 5), (1, 2, 7, 'de', 1, 1, NULL, 6), (1, 3, 7, 'de', 3, 1, 900, 7), "
        "(1, 4, 7, 'fr', 0, 0, NULL, NULL), (1, 5, 7, 'de', 0, 0, NULL, NULL), (1, 6, 7, 'de', 0, 0, NULL, NULL)"};
    assert_int_equal(sqlite3_open(f->path, &raw), SQLITE_OK);
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        assert_int_equal(sqlite3_exec(raw, steps[i], NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(raw), SQLITE_OK);
    fixture_reopen(f);
    for (int n = 1; n <= 6; n++)
        assert_int_equal(fixture_member(f->db, 7, n, "de", 1), n);
    uint64_t in_doubt = 0;
    assert_int_equal(delivery_verify(f->db, 1), 0);
    assert_int_equal(delivery_recover(f->db, 1000, true, &in_doubt), 0);
    assert_int_equal(in_doubt, 1);
    assert_int_equal(delivery_verify(f->db, 1), 0);
    struct claims c = {0};
    assert_int_equal(delivery_claim(f->db, 1, 1000, 4, true, &c), 1);
    static const struct {
        int subscriber, from;
        int64_t first_claim;
    } expected[] = {
        {3, DELIVERY_DEFERRED, 7}, {2, DELIVERY_IN_DOUBT, 6}, {4, DELIVERY_PENDING, 1000}, {5, DELIVERY_PENDING, 1000}};
    assert_int_equal(c.count, COUNT_OF(expected));
    for (size_t i = 0; i < c.count; i++) {
        assert_int_equal(c.items[i].subscriber, expected[i].subscriber);
        assert_int_equal(c.items[i].from, expected[i].from);
        assert_int_equal(c.items[i].first_claim_usec, expected[i].first_claim);
    }
    assert_string_equal(c.items[2].language, "fr");
    claims_done(&c);
    assert_int_equal(delivery_verify(f->db, 1), 0);
    bool finished = true;
    assert_int_equal(delivery_settle(f->db, 1, 9000, true, &finished), 0);
    assert_false(finished); /* four are on the wire */
    assert_int_equal(fixture_int(f->db, "SELECT refused FROM announcement"), 1);
    assert_int_equal(delivery_verify(f->db, 1), 0);
}

static void slices_end(void **state) {
    struct fixture *f = *state;
    assert_false(store_slice_over(f->db));
    db_slice_begin(f->db, 0);
    assert_true(store_slice_over(f->db));
    db_slice_begin(f->db, 60 * INT64_C(1000000));
    assert_false(store_slice_over(f->db));
    db_slice_begin(f->db, -1);
    assert_false(store_slice_over(f->db));
}

/* Runs of two rows: until one finds fewer, or the slice is over behind one. */
static int drop_usage(struct fixture *f, uint64_t *count) {
    return db_run_pages(
        f->db, "DELETE FROM relay_usage WHERE relay IN (SELECT relay FROM relay_usage WHERE relay > ? LIMIT ?)", 2,
        count, "td", "b", 2);
}

static void pages_end(void **state) {
    struct fixture *f = *state;
    uint64_t count = 0;
    for (char name[] = "a"; name[0] <= 'i'; name[0]++)
        assert_int_equal(db_run(f->db, "INSERT INTO relay_usage VALUES (?, 0, 0)", NULL, "t", name), 0);
    db_slice_begin(f->db, 0);
    assert_int_equal(drop_usage(f, &count), 1);
    assert_int_equal(count, 2);
    db_slice_begin(f->db, -1);
    assert_int_equal(drop_usage(f, &count), 0);
    assert_int_equal(count, 7);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM relay_usage"), 2);
    db_slice_begin(f->db, 0);
    assert_int_equal(drop_usage(f, NULL), 0);
    db_slice_begin(f->db, -1);
    assert_int_equal(db_run_pages(f->db, "DELETE FROM sqlite_schema", 2, &count, ""), -EINVAL);
    assert_int_equal(count, 7);
}

static int64_t epoch;

static void an_epoch_moves_all_ids(void **state) {
    struct fixture *f = *state;
    assert_int_equal(epoch_apply(f->db), 0);
    assert_int_equal(fixture_member(f->db, 1, 1, "de", 1), 1);
    assert_int_equal(fixture_announcement(f->db, 1, 1), 1);
    assert_int_equal(epoch_raise(f->db, 0, &epoch), 0);
    assert_true(fixture_member(f->db, 1, 2, "de", 1) == (INT64_C(1) << 40) + 1);
    assert_true(fixture_announcement(f->db, 1, 1) == (INT64_C(1) << 40) + 1);
    fixture_reopen(f);
    assert_int_equal(epoch_apply(f->db), 0);
    assert_true(fixture_member(f->db, 1, 3, "de", 1) == (INT64_C(1) << 40) + 2);
    assert_int_equal(db_run(f->db, "UPDATE meta SET value = 510 WHERE key = 'epoch'", NULL, ""), 0);
    assert_int_equal(epoch_raise(f->db, 0, &epoch), 0);
    assert_int_equal(epoch_raise(f->db, 0, &epoch), -EOVERFLOW);
    assert_true(fixture_announcement(f->db, 1, 1) < INT64_C(1) << 49);
}

/* Before anything was ever inserted there is no counter to raise. */
static void an_epoch_in_an_empty_store(void **state) {
    struct fixture *f = *state;
    assert_int_equal(epoch_raise(f->db, 0, &epoch), 0);
    assert_int_equal(epoch_raise(f->db, 0, &epoch), 0);
    assert_true(fixture_member(f->db, 1, 1, "de", 1) == (INT64_C(2) << 40) + 1);
}

static void settings_survive_reopening(void **state) {
    struct fixture *f = *state;
    assert_int_equal(db_run(f->db, "INSERT INTO meta VALUES ('k', 5)", NULL, ""), 0);
    fixture_reopen(f);
    assert_int_equal(fixture_int(f->db, "SELECT value FROM meta WHERE key = 'k'"), 5);
    assert_int_equal(pragma(f, "PRAGMA user_version"), 5);
}

static struct db_copy *begin_copy(const struct fixture *f, const char *path) {
    struct db_copy *copy = NULL;
    struct why why;
    if (db_copy_begin(f->db, path, &why, &copy) < 0)
        fail_msg("%s", why.what);
    return copy;
}

/* Some hundred pages. */
static void fill(const struct fixture *f) {
    assert_int_equal(db_begin(f->db), 0);
    for (int i = 0; i < 6000; i++)
        fixture_member(f->db, 1, i, "de", 1);
    assert_int_equal(db_commit(f->db), 0);
}

/* What is committed while a copy is made is in it, also of pages that were copied before. */
static void a_copy_is_the_store_at_its_end(void **state) {
    struct fixture *f = *state;
    char path[128];
    struct stat st;
    struct why why;
    (void)snprintf(path, sizeof path, "%s/copy.db", f->folder);
    fill(f);
    struct db_copy *copy = begin_copy(f, path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    int slices = 0, r;
    do {
        db_slice_begin(f->db, 0);
        r = db_copy_step(copy);
        db_slice_begin(f->db, -1);
        if (r == 1)
            assert_int_equal(db_run(f->db, "INSERT INTO meta VALUES (?, 1)", NULL, "d", slices++), 0);
    } while (r == 1);
    assert_int_equal(r, 0);
    assert_true(slices > 3);
    assert_null(db_copy_end(copy));
    assert_int_equal(db_run(f->db, "INSERT INTO meta VALUES ('later', 1)", NULL, ""), 0);
    assert_int_equal(db_copy_check(path, &why), 0);
    char wal[160];
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    assert_int_equal(access(wal, F_OK), -1); /* one file alone */
    struct db *opened = NULL;
    assert_int_equal(db_open(path, &why, &opened), 0);
    assert_int_equal(fixture_int(opened, "SELECT count(*) FROM subscriber"), 6000);
    assert_int_equal(fixture_int(opened, "SELECT count(*) FROM meta WHERE value = 1 AND key <> 'later'"), slices);
    assert_int_equal(fixture_int(opened, "SELECT count(*) FROM meta WHERE key = 'later'"), 0);
    (void)db_close(opened);
    assert_int_equal(db_copy_begin(f->db, path, &why, &copy), -EEXIST);
}

static void a_copy_that_is_given_up_harms_nothing(void **state) {
    struct fixture *f = *state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/copy.db", f->folder);
    fill(f);
    struct db_copy *copy = begin_copy(f, path);
    db_slice_begin(f->db, 0);
    assert_int_equal(db_copy_step(copy), 1);
    db_slice_begin(f->db, -1);
    assert_null(db_copy_end(copy));
    assert_null(db_copy_end(NULL));
    fixture_reopen(f);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM subscriber"), 6000);
}

static void a_damaged_copy_is_found(void **state) {
    struct fixture *f = *state;
    char path[128];
    struct why why;
    (void)snprintf(path, sizeof path, "%s/copy.db", f->folder);
    fill(f);
    struct db_copy *copy = begin_copy(f, path);
    assert_int_equal(db_copy_step(copy), 0); /* without a slice, to the end */
    assert_null(db_copy_end(copy));
    assert_int_equal(db_copy_check(path, &why), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    char zero[4096] = {0};
    assert_int_equal(pwrite(fd, zero, sizeof zero, 4096 * 20), sizeof zero);
    (void)close(fd);
    assert_int_equal(db_copy_check(path, &why), -EUCLEAN);
    assert_non_null(strstr(why.what, "damaged"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(a_copy_is_the_store_at_its_end),
        FIXTURE_TEST(a_copy_that_is_given_up_harms_nothing),
        FIXTURE_TEST(a_damaged_copy_is_found),
        FIXTURE_TEST(settings_hold),
        FIXTURE_TEST(settings_survive_reopening),
        FIXTURE_TEST(binds_and_reads),
        FIXTURE_TEST(statements_nest),
        FIXTURE_TEST(a_value_outlives_its_binding),
        FIXTURE_TEST(get_int_tells_of_nothing),
        FIXTURE_TEST(savepoints_undo_one_job),
        FIXTURE_TEST(a_full_disk_breaks_the_transaction),
        FIXTURE_TEST(a_second_process_is_kept_out),
        FIXTURE_TEST(foreign_files_are_refused),
        FIXTURE_TEST(version_1_is_brought_further),
        FIXTURE_TEST(version_3_is_brought_further_in_a_run),
        FIXTURE_TEST(slices_end),
        FIXTURE_TEST(pages_end),
        FIXTURE_TEST(an_epoch_moves_all_ids),
        FIXTURE_TEST(an_epoch_in_an_empty_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
