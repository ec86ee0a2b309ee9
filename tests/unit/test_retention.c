#include <errno.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fixed_keys.h"
#include "people/privacy.h"
#include "people/retention.h"
#include "spool/spool.h"
#include "store/delivery.h"
#include "store/suppression.h"
#include "store_helper.h"

enum { LIST = 7, OTHER = 9 };
static struct keyring *keys;
static const int64_t day = INT64_C(86400) * 1000000;
static int64_t now; /* one moment for a whole test */

static int load(void **state) {
    (void)state;
    keys = fixed_keys();
    now = clock_now_usec();
    return 0;
}

static int unload(void **state) {
    (void)state;
    keys = keyring_free(keys);
    return 0;
}

static int steps_of_last_run;

/* Runs it as the store does, with slices that are over at once where asked for. */
static struct retention run(struct fixture *f, bool short_slices) {
    AUTOBUF struct buf path = BUF_INIT(256);
    struct spool *spool = NULL;
    struct why why;
    int e, steps = 0;
    buf_printf(&path, "%s/spool", f->folder);
    assert_int_equal(spool_open(buf_str(&path), &why, &spool), 0);
    struct retention r = {.spool = spool,
                          .keys = keys,
                          .notices_usec = 90 * day,
                          .deliveries_usec = 730 * day,
                          .gone_usec = 1095 * day,
                          .rejected_usec = 90 * day};
    retention_init(&r);
    assert_int_equal(r.job.lane, STORE_BULK);
    do {
        assert_int_equal(db_begin(f->db), 0);
        db_slice_begin(f->db, short_slices ? 0 : -1);
        e = r.job.step(&r.job, f->db);
        assert_true(e >= 0);
        assert_int_equal(db_commit(f->db), 0);
        assert_true(++steps < 10000);
    } while (e == STORE_MORE);
    db_slice_begin(f->db, -1);
    steps_of_last_run = steps;
    retention_done(&r);
    (void)spool_close(spool);
    return r;
}

static void notice(struct db *db, int64_t created, int state, bool due) {
    assert_int_equal(
        db_run(db,
               "INSERT INTO notice (kind, sender, recipient, message, created, state, due) VALUES ('test', "
               "'office', 'a@town.example', x'00', ?, ?, nullif(?, 0))",
               NULL, "idd", created, state, (int)due),
        0);
}

static void notices_end(void **state) {
    struct fixture *f = *state;
    notice(f->db, now - 200 * day, 2, false); /* goes */
    notice(f->db, now - 200 * day, 3, true);  /* is to be tried again */
    notice(f->db, now - 190 * day, 1, false); /* is on its way */
    notice(f->db, now - 91 * day, 4, false);  /* goes */
    notice(f->db, now - 89 * day, 2, false);
    struct retention r = run(f, true);
    assert_int_equal(r.notices, 2);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM notice"), 3);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM notice WHERE id IN (1, 4)"), 0);
    r = run(f, false);
    assert_false(retention_removed_any(&r));
}

static void announcement(struct db *db, int64_t id, int state, int64_t finished, int rows, int pending) {
    assert_int_equal(
        db_run(db,
               "INSERT INTO announcement (id, name, list, list_name, subject, state, identity, by, created, "
               "send_at, send_until, finished, total, delivered, pending) VALUES (?, 'a', 7, 'l', 's', ?, "
               "x'00', 'v', 1, 0, 0, nullif(?, 0), ?, ?, ?)",
               NULL, "ididdd", id, state, finished, rows, rows - pending, pending),
        0);
    for (int i = 0; i < rows; i++)
        assert_int_equal(db_run(db,
                                "INSERT INTO delivery (announcement, subscriber, list, language, state) VALUES (?, ?, "
                                "7, 'de', ?)",
                                NULL, "idd", id, 1000 + i, i < pending ? 0 : 2),
                         0);
}

static int64_t rows_of(struct db *db, int64_t id) {
    int64_t n = -1;
    assert_int_equal(db_get_int(db, "SELECT count(*) FROM delivery WHERE announcement = ?", &n, "i", id), 1);
    return n;
}

static void deliveries_end(void **state) {
    struct fixture *f = *state;
    const struct {
        int state, rows, pending;
        int64_t finished_days; /* ago; 0: not over */
        bool goes;
    } cases[] = {
        {ANNOUNCEMENT_DONE, 1203, 0, 731, true}, {ANNOUNCEMENT_DONE, 4, 0, 729, false},
        {ANNOUNCEMENT_STOPPED, 3, 0, 800, true}, {ANNOUNCEMENT_STOPPED, 3, 1, 800, false},
        {ANNOUNCEMENT_SENDING, 3, 0, 0, false},  {ANNOUNCEMENT_PAUSED, 3, 2, 0, false},
        {ANNOUNCEMENT_DONE, 0, 0, 900, true},
    };
    char path[128];
    (void)snprintf(path, sizeof path, "%s/spool", f->folder);
    assert_int_equal(files_make_dirs(path, 0700), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        announcement(f->db, (int64_t)i + 1, cases[i].state,
                     cases[i].finished_days ? now - cases[i].finished_days * day : 0, cases[i].rows, cases[i].pending);
        (void)snprintf(path, sizeof path, "%s/spool/announcements/%zu/files", f->folder, i + 1);
        assert_int_equal(files_make_dirs(path, 0700), 0);
    }
    struct retention r = run(f, true);
    assert_int_equal(r.deliveries, 1206);
    assert_int_equal(r.announcements, 3);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        (void)snprintf(path, sizeof path, "%s/spool/announcements/%zu", f->folder, i + 1);
        assert_int_equal(rows_of(f->db, (int64_t)i + 1), cases[i].goes ? 0 : cases[i].rows);
        assert_int_equal(access(path, F_OK), cases[i].goes ? -1 : 0);
        if (cases[i].state != ANNOUNCEMENT_PAUSED && cases[i].pending == 0)
            assert_int_equal(delivery_verify(f->db, (int64_t)i + 1), 0);
    }
    assert_int_equal(fixture_int(f->db, "SELECT delivered FROM announcement WHERE id = 1 AND purged > 0"), 1203);
    assert_int_equal(run(f, false).announcements, 0);
}

/* The process ended between two slices: the flag is set, rows are left. */
static void it_goes_on_where_it_was_cut_off(void **state) {
    struct fixture *f = *state;
    announcement(f->db, 1, ANNOUNCEMENT_DONE, now - 731 * day, 700, 0);
    uint64_t removed = 0;
    db_slice_begin(f->db, 0);
    assert_int_equal(retention_deliveries(f->db, 1, now, &removed), STORE_MORE);
    db_slice_begin(f->db, -1);
    assert_int_equal(removed, 500);
    assert_int_equal(delivery_verify(f->db, 1), 0);
    struct retention r = run(f, false);
    assert_int_equal(r.deliveries, 200);
    assert_int_equal(rows_of(f->db, 1), 0);
}

static void gone(struct db *db, uint32_t list, int64_t id, int state, int64_t days) {
    assert_int_equal(
        db_run(db,
               "INSERT INTO subscription (list, subscriber, state, since, tags) VALUES (?, ?, ?, ?, 'a') ON "
               "CONFLICT DO UPDATE SET state = excluded.state, since = excluded.since, tags = 'a'",
               NULL, "iidi", (int64_t)list, id, state, now - days * day),
        0);
    const struct consent joined = {.what = "subscribed", .how = "command", .evidence = "sheets"},
                         left = {.what = "left", .how = "link", .origin = "web"};
    assert_int_equal(consent_add(db, id, list, now - 2000 * day, &joined), 0);
    if (state == SUBSCRIPTION_LEFT)
        assert_int_equal(consent_add(db, id, list, now - days * day, &left), 0);
}

static bool is_there(struct db *db, int64_t id) {
    int64_t found;
    return db_get_int(db, "SELECT 1 FROM subscriber WHERE id = ?", &found, "i", id) == 1;
}

static int64_t entries(struct db *db, int64_t id, uint32_t list) {
    int64_t n = -1;
    assert_int_equal(
        db_get_int(db, "SELECT count(*) FROM consent WHERE subscriber = ? AND list = ?", &n, "ii", id, (int64_t)list),
        1);
    return n;
}

static void who_left_is_erased(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    AUTOARENA struct arena arena = {0};
    struct erasure mark;
    int64_t p[8];
    for (int i = 0; i < 7; i++)
        p[i] = fixture_member(db, LIST, i, "de", 1);
    gone(db, LIST, p[0], SUBSCRIPTION_LEFT, 1096);    /* erased */
    gone(db, LIST, p[1], SUBSCRIPTION_LEFT, 1094);    /* not yet */
    gone(db, LIST, p[2], SUBSCRIPTION_REMOVED, 1096); /* erased */
    gone(db, LIST, p[3], SUBSCRIPTION_LEFT, 1096);    /* is on another list */
    gone(db, OTHER, p[3], SUBSCRIPTION_ACTIVE, 1500);
    gone(db, LIST, p[4], SUBSCRIPTION_LEFT, 1200); /* left the other one too, but not so long ago */
    gone(db, OTHER, p[4], SUBSCRIPTION_LEFT, 100);
    gone(db, LIST, p[5], SUBSCRIPTION_LEFT, 1200); /* erased: both are long ago */
    gone(db, OTHER, p[5], SUBSCRIPTION_REMOVED, 1300);
    assert_int_equal(suppression_set(db, "person0@town.example", "hard-bounce", "", 1), 0);
    struct retention r = run(f, true);
    assert_int_equal(r.people, 3);
    static const bool stays[] = {false, true, false, true, true, false, true};
    for (int i = 0; i < 7; i++) {
        AUTOBUF struct buf address = BUF_INIT(64);
        buf_printf(&address, "person%d@town.example", i);
        assert_int_equal(is_there(db, p[i]), stays[i]);
        assert_int_equal(privacy_erased(db, keys, buf_str(&address), &arena, &mark), !stays[i]);
    }
    assert_int_equal(fixture_int(db, "SELECT count(*) FROM suppression"), 0);
    assert_int_equal(entries(db, p[1], LIST), 2);
    assert_int_equal(entries(db, p[3], LIST), 0);
    assert_int_equal(entries(db, p[3], OTHER), 1);
    assert_int_equal(entries(db, p[4], LIST), 0);
    assert_int_equal(entries(db, p[4], OTHER), 2);
    assert_int_equal(fixture_int(db, "SELECT count(*) FROM consent WHERE what = 'left' AND subscriber = 0"), 4);
    struct subscription s;
    assert_int_equal(subscription_get(db, LIST, p[3], &s), 1); /* so that no import brings them back */
    assert_int_equal(s.state, SUBSCRIPTION_LEFT);
    r = run(f, false);
    assert_false(retention_removed_any(&r));
}

static void rejected_files_end(void **state) {
    struct fixture *f = *state;
    const struct {
        int64_t days;
        const char *name;
        bool goes;
    } cases[] = {{91, "old.md", true}, {91, "old.md.why", true}, {89, "new.md", false}};
    char paths[COUNT_OF(cases)][200], folder[128], other[200];
    (void)snprintf(folder, sizeof folder, "%s/spool/rejected", f->folder);
    assert_int_equal(files_make_dirs(folder, 0700), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf date = BUF_INIT(64);
        clock_print_utc(&date, now - cases[i].days * day);
        (void)snprintf(paths[i], sizeof paths[i], "%s/%s-%s", folder, buf_str(&date), cases[i].name);
        assert_int_equal(files_write_new(AT_FDCWD, paths[i], VIEW("x"), 0600), 0);
    }
    (void)snprintf(other, sizeof other, "%s/20200902T100000.req", folder); /* moved here just now */
    assert_int_equal(files_write_new(AT_FDCWD, other, VIEW("x"), 0600), 0);
    char list[160], kept[300], gone[300];
    (void)snprintf(list, sizeof list, "%s/workshops", folder); /* of a list, however old it is */
    assert_int_equal(files_make_dirs(list, 0700), 0);
    (void)snprintf(gone, sizeof gone, "%s%s", list, strrchr(paths[0], '/'));
    (void)snprintf(kept, sizeof kept, "%s%s", list, strrchr(paths[2], '/'));
    assert_int_equal(files_write_new(AT_FDCWD, gone, VIEW("x"), 0600), 0);
    assert_int_equal(files_write_new(AT_FDCWD, kept, VIEW("x"), 0600), 0);
    for (int i = 0; i < 200; i++) {
        char one[340];
        (void)snprintf(one, sizeof one, "%s-%d", gone, i);
        assert_int_equal(files_write_new(AT_FDCWD, one, VIEW("x"), 0600), 0);
    }
    assert_int_equal(run(f, true).rejected, 203);
    assert_true(steps_of_last_run > 200);
    assert_true(access(gone, F_OK) < 0 && access(kept, F_OK) == 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(access(paths[i], F_OK), cases[i].goes ? -1 : 0);
    assert_int_equal(access(other, F_OK), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(notices_end),
        FIXTURE_TEST(deliveries_end),
        FIXTURE_TEST(it_goes_on_where_it_was_cut_off),
        FIXTURE_TEST(who_left_is_erased),
        FIXTURE_TEST(rejected_files_end),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
