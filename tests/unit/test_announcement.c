#include "store_helper.h"

#include "store/series.h"

#include <errno.h>

/* Every move from every state: which are allowed, and where they lead. */
enum move { TAKE_HELD, TAKE_DIRECT, RELEASE, PAUSE, RESUME, STOP, GATHER, SEND, FINISH };

static int do_move(struct db *db, enum move m, int64_t id, struct why *why) {
    switch (m) {
    case TAKE_HELD: return announcement_taken_in(db, id, ANNOUNCEMENT_HELD);
    case TAKE_DIRECT: return announcement_taken_in(db, id, ANNOUNCEMENT_SCHEDULED);
    case RELEASE: return announcement_release(db, id, 50, why);
    case PAUSE: return announcement_pause(db, id, "relay asks us to wait", why);
    case RESUME: return announcement_resume(db, id, why);
    case STOP: return announcement_stop(db, id, "wrong date", 60, why);
    case GATHER: return announcement_begin_gathering(db, id, 70, 5000);
    case SEND: return announcement_begin_sending(db, id);
    case FINISH: return announcement_finish(db, id, 80);
    }
    return -EINVAL;
}

static struct announcement_row get(struct db *db, int64_t id, struct arena *arena) {
    struct announcement_row row;
    assert_int_equal(announcement_get(db, id, arena, &row), 1);
    return row;
}

static void moves_follow_the_table(void **state) {
    struct fixture *f = *state;
    static const struct {
        enum announcement_state from;
        enum move move;
        enum announcement_state to;
    } allowed[] = {
        {ANNOUNCEMENT_INTAKE, TAKE_HELD, ANNOUNCEMENT_HELD},
        {ANNOUNCEMENT_INTAKE, TAKE_DIRECT, ANNOUNCEMENT_SCHEDULED},
        {ANNOUNCEMENT_HELD, RELEASE, ANNOUNCEMENT_SCHEDULED},
        {ANNOUNCEMENT_HELD, STOP, ANNOUNCEMENT_STOPPED},
        {ANNOUNCEMENT_SCHEDULED, PAUSE, ANNOUNCEMENT_PAUSED},
        {ANNOUNCEMENT_SCHEDULED, STOP, ANNOUNCEMENT_STOPPED},
        {ANNOUNCEMENT_SCHEDULED, GATHER, ANNOUNCEMENT_GATHERING},
        {ANNOUNCEMENT_GATHERING, SEND, ANNOUNCEMENT_SENDING},
        {ANNOUNCEMENT_GATHERING, STOP, ANNOUNCEMENT_STOPPED},
        {ANNOUNCEMENT_GATHERING, PAUSE, ANNOUNCEMENT_PAUSED},
        {ANNOUNCEMENT_SENDING, PAUSE, ANNOUNCEMENT_PAUSED},
        {ANNOUNCEMENT_SENDING, STOP, ANNOUNCEMENT_STOPPED},
        {ANNOUNCEMENT_SENDING, FINISH, ANNOUNCEMENT_DONE},
        {ANNOUNCEMENT_PAUSED, RESUME, ANNOUNCEMENT_SENDING},
        {ANNOUNCEMENT_PAUSED, STOP, ANNOUNCEMENT_STOPPED},
        {ANNOUNCEMENT_RECURRING, PAUSE, ANNOUNCEMENT_PAUSED},
        {ANNOUNCEMENT_RECURRING, STOP, ANNOUNCEMENT_STOPPED},
    };
    for (int from = ANNOUNCEMENT_INTAKE; from <= ANNOUNCEMENT_RECURRING; from++)
        for (int move = TAKE_HELD; move <= FINISH; move++) {
            int64_t id = fixture_announcement(f->db, 1, 1000);
            assert_int_equal(db_run(f->db, "UPDATE announcement SET state = ?, resume_state = ? WHERE id = ?", NULL,
                                    "ddi", from, from == ANNOUNCEMENT_PAUSED ? ANNOUNCEMENT_SENDING : 0, id),
                             0);
            int to = 0;
            for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++)
                if ((int)allowed[i].from == from && (int)allowed[i].move == move)
                    to = allowed[i].to;
            struct why why = {0};
            assert_int_equal(do_move(f->db, (enum move)move, id, &why), to ? 0 : -ESTALE);
            AUTOARENA struct arena arena = {0};
            assert_int_equal(get(f->db, id, &arena).state, to ? to : from);
        }
}

static void times_and_reasons_are_kept(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct why why = {0};
    struct announcement_row row = {.name = "funding",
                                   .list_names = "twins",
                                   .subject = "Förderung",
                                   .by = "vera",
                                   .event_uid = "uid-1",
                                   .lists = {{UINT32_MAX}, 1},
                                   .event_sequence = 3,
                                   .event_end_usec = 900,
                                   .created_usec = 10,
                                   .send_at_usec = 20,
                                   .send_until_usec = 1000,
                                   .resume_state = ANNOUNCEMENT_HELD};
    memset(row.identity, 0xC3, sizeof row.identity);
    assert_int_equal(announcement_insert(f->db, &row), 0);
    assert_true(row.id > 0);
    struct announcement_row got = get(f->db, row.id, &arena);
    assert_string_equal(got.name, "funding");
    assert_string_equal(got.list_names, "twins");
    assert_string_equal(got.subject, "Förderung");
    assert_string_equal(got.by, "vera");
    assert_string_equal(got.event_uid, "uid-1");
    assert_string_equal(got.why, "");
    assert_true(got.lists.count == 1 && got.lists.ids[0] == UINT32_MAX && got.event_sequence == 3 &&
                got.event_end_usec == 900);
    assert_true(got.created_usec == 10 && got.send_at_usec == 20 && got.send_until_usec == 1000);
    assert_memory_equal(got.identity, row.identity, 32);
    assert_int_equal(got.state, ANNOUNCEMENT_INTAKE);
    assert_int_equal(got.resume_state, ANNOUNCEMENT_HELD);

    assert_int_equal(announcement_taken_in(f->db, row.id, ANNOUNCEMENT_HELD), 0);
    assert_int_equal(announcement_release(f->db, row.id, 50, &why), 0);
    assert_int_equal(announcement_release(f->db, row.id, 51, &why), -ESTALE);
    assert_non_null(strstr(why.what, "cannot be released: it is scheduled"));
    assert_int_equal(announcement_pause(f->db, row.id, "wait", &why), 0);
    got = get(f->db, row.id, &arena);
    assert_string_equal(got.why, "wait");
    assert_int_equal(got.resume_state, ANNOUNCEMENT_SCHEDULED);
    assert_int_equal(announcement_resume(f->db, row.id, &why), 0);
    assert_int_equal(announcement_begin_gathering(f->db, row.id, 70, 5000), 0);
    assert_int_equal(announcement_pause(f->db, row.id, "wait", &why), 0);
    assert_int_equal(get(f->db, row.id, &arena).resume_state, ANNOUNCEMENT_GATHERING);
    assert_int_equal(announcement_resume(f->db, row.id, &why), 0);
    assert_int_equal(announcement_begin_sending(f->db, row.id), 0);
    assert_int_equal(announcement_finish(f->db, row.id, 90), 0);
    got = get(f->db, row.id, &arena);
    assert_true(got.released_usec == 50 && got.started_usec == 70 && got.finished_usec == 90);
    assert_string_equal(got.why, "");
    assert_int_equal(announcement_release(f->db, 999, 50, &why), -ENOENT);
    assert_int_equal(announcement_get(f->db, 999, &arena, &got), 0);
}

/* What was held for long is given as much time as anything else when it starts. */
static void the_deadline_is_fixed_at_the_start(void **state) {
    struct fixture *f = *state;
    static const struct {
        int64_t send_until, event_end, want;
    } cases[] = {
        {0, 0, 9000 + 5000},   {0, 10000, 10000}, {0, 20000, 9000 + 5000}, {0, 8000, 8000}, /* over: nobody gets it */
        {12000, 10000, 12000}, {100, 0, 100},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena arena AUTOARENA = {0};
        struct announcement_row row = {.name = "x", .list_names = "twins", .subject = "x", .by = "vera"};
        row.created_usec = 10;
        row.send_until_usec = cases[i].send_until;
        row.event_end_usec = cases[i].event_end;
        assert_int_equal(announcement_insert(f->db, &row), 0);
        assert_int_equal(announcement_taken_in(f->db, row.id, ANNOUNCEMENT_SCHEDULED), 0);
        assert_int_equal(announcement_begin_gathering(f->db, row.id, 9000, 5000), 0);
        assert_int_equal(get(f->db, row.id, &arena).send_until_usec, cases[i].want);
    }
}

static int collect(void *user, const struct announcement_row *row) {
    char *ids = user;
    size_t len = strlen(ids);
    (void)snprintf(ids + len, 64 - len, "%d ", (int)row->id);
    return len > 40 ? -ECANCELED : 0;
}

static void finding(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    int64_t ids[4], id = 0;
    for (int i = 0; i < 4; i++) {
        ids[i] = fixture_announcement(f->db, 1, 1000);
        assert_int_equal(
            db_run(f->db, "UPDATE announcement SET state = ?, created = ? WHERE id = ?", NULL, "dii",
                   (int[]){ANNOUNCEMENT_DONE, ANNOUNCEMENT_HELD, ANNOUNCEMENT_SCHEDULED, ANNOUNCEMENT_STOPPED}[i],
                   (int64_t)i * 100, ids[i]),
            0);
    }
    char seen[64] = "";
    assert_int_equal(announcement_each(f->db, false, 10, collect, seen), 0);
    assert_string_equal(seen, "4 3 2 1 ");
    seen[0] = '\0';
    assert_int_equal(announcement_each(f->db, true, 10, collect, seen), 0);
    assert_string_equal(seen, "3 2 ");
    seen[0] = '\0';
    assert_int_equal(announcement_each(f->db, false, 1, collect, seen), 0);
    assert_string_equal(seen, "4 ");

    const uint8_t none[32] = {0}, other[32] = {1};
    assert_int_equal(announcement_find_same(f->db, 1, none, 300, &id), 1);
    assert_int_equal(id, 4);
    assert_int_equal(announcement_find_same(f->db, 1, none, 301, &id), 1);
    assert_int_equal(id, 3);
    assert_int_equal(announcement_find_same(f->db, 1, other, 0, &id), 0);
    assert_int_equal(announcement_find_same(f->db, 2, none, 0, &id), 0);
    assert_int_equal(announcement_find_replaceable(f->db, 1, "workshop", &id), 1);
    assert_int_equal(id, 3);
    assert_int_equal(announcement_find_replaceable(f->db, 1, "other", &id), 0);
    assert_int_equal(announcement_find_replaceable(f->db, 2, "workshop", &id), 0);

    int64_t start = -1;
    assert_int_equal(announcement_next_start(f->db, &start), 0);
    assert_int_equal(start, 1); /* at once */
    assert_int_equal(db_run(f->db, "UPDATE announcement SET send_at = 700 WHERE id = 3", NULL, ""), 0);
    assert_int_equal(announcement_next_start(f->db, &start), 0);
    assert_int_equal(start, 700);
    assert_int_equal(db_run(f->db, "UPDATE announcement SET state = 7", NULL, ""), 0);
    assert_int_equal(announcement_next_start(f->db, &start), 0);
    assert_int_equal(start, 0);

    const char *uid = NULL;
    unsigned sequence = 0;
    assert_int_equal(announcement_find_event(f->db, 1, "workshop", 500, &arena, &uid, &sequence), 0);
    assert_int_equal(db_run(f->db,
                            "UPDATE announcement SET event_uid = 'u' || id, event_sequence = id, event_end = id * 1000 "
                            "WHERE id < 3",
                            NULL, ""),
                     0);
    assert_int_equal(announcement_find_event(f->db, 1, "workshop", 1999, &arena, &uid, &sequence), 1);
    assert_string_equal(uid, "u2");
    assert_int_equal(sequence, 2);
    assert_int_equal(announcement_find_event(f->db, 1, "workshop", 2000, &arena, &uid, &sequence), 0);
}

static void only_an_intake_is_deleted(void **state) {
    struct fixture *f = *state;
    int64_t id = fixture_announcement(f->db, 1, 1000), held = fixture_announcement(f->db, 1, 1000);
    assert_int_equal(announcement_taken_in(f->db, held, ANNOUNCEMENT_HELD), 0);
    assert_int_equal(announcement_delete_intake(f->db, id), 0);
    assert_int_equal(announcement_delete_intake(f->db, held), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM announcement"), 1);
    assert_true(fixture_announcement(f->db, 1, 1000) == held + 1);
}

/* What had not begun goes with the series, a pause or not; what had begun does not. */
static void stopping_a_series(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    static const struct {
        enum announcement_state state, resume_state;
        bool begun;
    } dates[] = {{ANNOUNCEMENT_DONE, 0, true},
                 {ANNOUNCEMENT_PAUSED, ANNOUNCEMENT_SENDING, true},
                 {ANNOUNCEMENT_SENDING, 0, true},
                 {ANNOUNCEMENT_HELD, 0, false},
                 {ANNOUNCEMENT_SCHEDULED, 0, false},
                 {ANNOUNCEMENT_PAUSED, ANNOUNCEMENT_HELD, false},
                 {ANNOUNCEMENT_PAUSED, ANNOUNCEMENT_SCHEDULED, false}};
    struct why why;
    int64_t series = fixture_announcement(f->db, 1, 1000), stopped, ids[COUNT_OF(dates)], going_on[4];
    const struct series_row row = {
        .announcement = series, .repeat = "", .start = "", .end = "", .zone = "", .base = "", .next = "", .told = ""};
    assert_int_equal(announcement_taken_in(f->db, series, ANNOUNCEMENT_RECURRING), 0);
    assert_int_equal(series_insert(f->db, &row), 0);
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        ids[i] = fixture_announcement(f->db, 1, 1000);
        assert_int_equal(
            db_run(f->db,
                   "UPDATE announcement SET state = ?, resume_state = ?, started = CASE ? WHEN 1 THEN 40 END, "
                   "series = ?, occurrence = '2026-01-0' || ? WHERE id = ?",
                   NULL, "iiiiii", (int64_t)dates[i].state, (int64_t)dates[i].resume_state, (int64_t)dates[i].begun,
                   series, (int64_t)i + 1, ids[i]),
            0);
    }
    const char *made = NULL;
    assert_int_equal(series_last_made(f->db, series, &arena, &made), 0);
    assert_string_equal(made, "2026-01-03"); /* the others are made anew by what takes its place */
    assert_int_equal(announcement_stop(f->db, series, "by anna", 77, &why), 0);
    for (size_t i = 0; i < COUNT_OF(dates); i++) {
        struct announcement_row date;
        assert_int_equal(announcement_get(f->db, ids[i], &arena, &date), 1);
        assert_int_equal(date.state, dates[i].begun ? dates[i].state : ANNOUNCEMENT_STOPPED);
    }
    size_t count;
    assert_int_equal(series_stopped(f->db, series, 77, &stopped, going_on, COUNT_OF(going_on), &count), 0);
    assert_true(stopped == 4 && count == 2 && going_on[0] == ids[1] && going_on[1] == ids[2]);
    assert_int_equal(series_stopped(f->db, series, 78, &stopped, going_on, 1, &count), 0);
    assert_true(stopped == 0 && count == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(the_deadline_is_fixed_at_the_start), FIXTURE_TEST(moves_follow_the_table),
        FIXTURE_TEST(times_and_reasons_are_kept),         FIXTURE_TEST(finding),
        FIXTURE_TEST(only_an_intake_is_deleted),          FIXTURE_TEST(stopping_a_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
