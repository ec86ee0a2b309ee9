#include "filter_unit.h"
#include "store_helper.h"

#include <errno.h>

#include "base/number.h"
#include "store/audience.h"
#include "store/delivery.h"
#include "store/store.h"
#include "store/tally.h"

enum { LIST = 7 };
static const uint32_t list = LIST;
static const int64_t until = 1000 * USEC_PER_HOUR;
static const char *const languages[] = {"de", "fr"};

static int64_t sending(struct db *db) {
    int64_t id = fixture_announcement(db, LIST, until);
    struct why why;
    assert_int_equal(announcement_taken_in(db, id, ANNOUNCEMENT_HELD), 0);
    assert_int_equal(announcement_release(db, id, 2000, &why), 0);
    assert_int_equal(announcement_begin_gathering(db, id, 3000, 5000), 0);
    assert_int_equal(delivery_gather(db, id, &list, 1, languages, 2, NULL), STORE_DONE);
    assert_int_equal(announcement_begin_sending(db, id), 0);
    assert_int_equal(delivery_verify(db, id), 0);
    return id;
}

static struct outcome outcome_of(enum outcome_class class) {
    struct outcome o = {.class = class, .code = 250, .status = "2.0.0", .text = "Ok"};
    return o;
}

/* As the dispatch remembers it. */
static struct claim claim_of(int64_t id, int64_t subscriber, enum delivery_state from) {
    struct claim c = {.announcement = id, .subscriber = subscriber, .list = LIST, .from = from, .language = "de"};
    c.first_claim_usec = 4000;
    return c;
}

static int record(struct db *db, int64_t id, int64_t subscriber, enum outcome_class class, int64_t now, int64_t retry) {
    struct outcome o = outcome_of(class);
    const struct claim c = claim_of(id, subscriber, DELIVERY_PENDING);
    return delivery_record(db, &c, &o, now, retry, "main", false);
}

static int unclaim(struct db *db, int64_t id, int64_t subscriber, enum delivery_state from) {
    const struct claim c = claim_of(id, subscriber, from);
    return delivery_unclaim(db, &c);
}

static int put_off(struct db *db, int64_t id, int64_t subscriber, enum delivery_state from, int64_t due,
                   const char *why) {
    const struct claim c = claim_of(id, subscriber, from);
    return delivery_put_off(db, &c, due, why);
}

static struct announcement_row counters(struct db *db, int64_t id) {
    struct announcement_row row;
    AUTOARENA struct arena arena = {0};
    assert_int_equal(announcement_get(db, id, &arena, &row), 1);
    return row;
}

#define ASSERT_COUNTERS(db, id, total_, pending_, delivered_, deferred_, refused_, in_doubt_, left_out_)               \
    do {                                                                                                               \
        struct announcement_row c_ = counters((db), (id));                                                             \
        assert_int_equal(c_.total, (total_));                                                                          \
        assert_int_equal(c_.pending, (pending_));                                                                      \
        assert_int_equal(c_.delivered, (delivered_));                                                                  \
        assert_int_equal(c_.deferred, (deferred_));                                                                    \
        assert_int_equal(c_.refused, (refused_));                                                                      \
        assert_int_equal(c_.in_doubt, (in_doubt_));                                                                    \
        assert_int_equal(c_.left_out, (left_out_));                                                                    \
        assert_int_equal(delivery_verify((db), (id)), 0);                                                              \
    } while (0)

/* --- Gathering ----------------------------------------------------------------------------------------------- */

/* Whether it is for somebody, with a row or without. */
static const char *language_of(struct db *db, int64_t id, int64_t subscriber, char to[16]) {
    struct audience_block b;
    size_t place = 0;
    if (audience_find(db, id, subscriber, &b, &place) == 1) {
        (void)snprintf(to, 16, "%s", b.languages[b.people[place].language]);
        return to;
    }
    struct row *row;
    assert_int_equal(db_query(db, "SELECT language FROM delivery WHERE subscriber = ?", &row, "i", subscriber), 0);
    if (db_next(row) != 1)
        return NULL;
    (void)snprintf(to, 16, "%s", row_text(row, 0));
    db_end(row);
    return to;
}

static void the_audience_is_who_it_should_be(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    int64_t german = fixture_member(db, LIST, 1, "de", 1), french = fixture_member(db, LIST, 2, "fr", 1),
            polish = fixture_member(db, LIST, 3, "pl", 1), austrian = fixture_member(db, LIST, 4, "de-AT", 1),
            unknown = fixture_member(db, LIST, 5, "", 1), later = fixture_member(db, LIST, 6, "de", 3001),
            at_once = fixture_member(db, LIST, 7, "fr-CA", 3000), other = fixture_member(db, LIST + 1, 8, "de", 1),
            left = fixture_member(db, LIST, 9, "de", 1), pending = fixture_member(db, LIST, 10, "de", 1),
            suppressed = fixture_member(db, LIST, 11, "de", 1), open = fixture_member(db, LIST, 12, "de", 1),
            imported = fixture_member(db, LIST, 13, "de", 1), late_import = fixture_member(db, LIST, 14, "de", 1);
    assert_int_equal(db_run(db, "UPDATE subscription SET state = 3 WHERE subscriber = ?", NULL, "i", left), 0);
    assert_int_equal(db_run(db, "UPDATE subscription SET state = 1 WHERE subscriber = ?", NULL, "i", pending), 0);
    assert_int_equal(db_run(db, "INSERT INTO suppression VALUES ('person11@town.example', 1, 'hard', '')", NULL, ""),
                     0);
    assert_int_equal(
        db_run(db,
               "INSERT INTO import (id, list, state, started, ended, by, file, basis, evidence, first_subscriber, "
               "first_consent) VALUES "
               "(1, 7, 1, 1, NULL, 'a', 'b', 'c', 'd', 1, 1), (2, 7, 2, 1, 3000, 'a', 'b', 'c', 'd', 1, 1), "
               "(3, 7, 2, 1, 3001, 'a', 'b', 'c', 'd', 1, 1)",
               NULL, ""),
        0);
    int64_t of_import[] = {open, imported, late_import};
    for (int i = 0; i < 3; i++)
        assert_int_equal(
            db_run(db, "UPDATE subscription SET import = ? WHERE subscriber = ?", NULL, "di", i + 1, of_import[i]), 0);

    int64_t id = sending(db);
    char to[16];
    assert_string_equal(language_of(db, id, german, to), "de");
    assert_string_equal(language_of(db, id, french, to), "fr");
    assert_string_equal(language_of(db, id, polish, to), "de");
    assert_string_equal(language_of(db, id, austrian, to), "de");
    assert_string_equal(language_of(db, id, unknown, to), "de");
    assert_string_equal(language_of(db, id, at_once, to), "fr");
    assert_string_equal(language_of(db, id, imported, to), "de");
    int64_t nobody[] = {later, other, left, pending, open, late_import};
    for (int i = 0; i < 6; i++)
        assert_null(language_of(db, id, nobody[i], to));
    assert_string_equal(language_of(db, id, suppressed, to), "de");
    ASSERT_COUNTERS(db, id, 8, 7, 0, 0, 0, 0, 1);
    assert_int_equal(delivery_gather(db, id, &list, 1, languages, 2, NULL), -ESTALE);
}

/* What a filter looks at is the person's, and the tags those of this list. */
static void a_filter_bounds_the_audience(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    int64_t ids[4];
    for (int n = 0; n < 4; n++)
        ids[n] = fixture_member(db, LIST, n, n == 1 ? "fr" : "de", 1);
    (void)fixture_member(db, LIST + 1, 9, "fr", 1);
    assert_int_equal(db_run(db, "UPDATE subscription SET tags = 'funding\n' WHERE subscriber = ?", NULL, "i", ids[2]),
                     0);
    assert_int_equal(db_run(db,
                            "INSERT INTO subscription (list, subscriber, state, since, tags) VALUES (8, ?, 2, 1, "
                            "'funding\n')",
                            NULL, "i", ids[3]),
                     0);
    int64_t id = fixture_announcement(db, LIST, until);
    assert_int_equal(announcement_taken_in(db, id, ANNOUNCEMENT_SCHEDULED), 0);
    assert_int_equal(announcement_begin_gathering(db, id, 3000, 5000), 0);
    struct filter *only = filter_of("language = fr or tag has funding");
    assert_int_equal(delivery_gather(db, id, &list, 1, languages, 2, only), STORE_DONE);
    (void)filter_free(only);
    char to[16];
    assert_null(language_of(db, id, ids[0], to));
    assert_string_equal(language_of(db, id, ids[1], to), "fr");
    assert_string_equal(language_of(db, id, ids[2], to), "de");
    assert_null(language_of(db, id, ids[3], to));
    ASSERT_COUNTERS(db, id, 2, 2, 0, 0, 0, 0, 0);
}

/* Each person once, through the first of the lists that reaches them, whatever the slices. */
static void several_lists_reach_a_person_once(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    enum { COUNT = 600 };
    static const uint32_t lists[] = {9, 7, 8};
    int64_t people[COUNT];
    assert_int_equal(db_begin(db), 0);
    for (int n = 0; n < COUNT; n++) { /* the bits of n: of which lists; and who left the first */
        people[n] = fixture_member(db, 1, n, "de", 1);
        for (unsigned i = 0; i < 3; i++)
            if ((unsigned)n >> i & 1)
                assert_int_equal(db_run(db,
                                        "INSERT INTO subscription (list, subscriber, state, since) VALUES (?, ?, ?, 1)",
                                        NULL, "iid", (int64_t)lists[i], people[n], i == 0 && n >= 300 ? 3 : 2),
                                 0);
    }
    int64_t id = fixture_announcement(db, LIST, until);
    assert_int_equal(announcement_taken_in(db, id, ANNOUNCEMENT_SCHEDULED), 0);
    assert_int_equal(announcement_begin_gathering(db, id, 3000, 5000), 0);
    assert_int_equal(db_commit(db), 0);
    int slices = 0;
    for (int r = STORE_MORE; r == STORE_MORE; slices++) {
        db_slice_begin(db, 0);
        r = delivery_gather(db, id, lists, 3, languages, 2, NULL);
        assert_in_range(r, STORE_DONE, STORE_MORE);
    }
    db_slice_begin(db, -1);
    assert_int_equal(slices, 3);
    assert_int_equal(announcement_begin_sending(db, id), 0);
    int64_t reached = 0;
    struct claims c = {0};
    assert_int_equal(delivery_claim(db, id, 4000, 1000, true, &c), 0);
    for (int n = 0; n < COUNT; n++) {
        uint32_t through = 0, found = 0;
        for (unsigned i = 3; i-- > 0;)
            if ((unsigned)n >> i & 1 && !(i == 0 && n >= 300))
                through = lists[i];
        assert_int_equal(delivery_list_of(db, id, people[n], &found), through != 0);
        assert_int_equal(found, through);
        if (through) {
            assert_true(c.items[reached].subscriber == people[n]);
            assert_int_equal(c.items[reached].list, through);
            reached++;
        }
    }
    assert_int_equal(c.count, reached);
    ASSERT_COUNTERS(db, id, reached, reached, 0, 0, 0, 0, 0);
    for (size_t i = 0; i < c.count; i++) { /* and then with rows */
        struct outcome o = outcome_of(OUTCOME_DELIVERED);
        uint32_t found = 0;
        assert_int_equal(delivery_record(db, &c.items[i], &o, 4000, 0, "main", false), 0);
        assert_int_equal(delivery_list_of(db, id, c.items[i].subscriber, &found), 1);
        assert_int_equal(found, c.items[i].list);
    }
    claims_done(&c);
    bool finished = false;
    assert_int_equal(delivery_settle(db, id, 4000, true, &finished), 0);
    assert_true(finished);
    ASSERT_COUNTERS(db, id, reached, 0, reached, 0, 0, 0, 0);
    const uint32_t too_many[AUDIENCE_LISTS_MAX + 1] = {0};
    assert_int_equal(delivery_gather(db, id, too_many, COUNT_OF(too_many), languages, 2, NULL), -E2BIG);
    assert_int_equal(delivery_gather(db, id, too_many, 0, languages, 2, NULL), -E2BIG);
}

/* However few it reaches, a slice ends when its time is up. */
static void a_filter_that_reaches_nobody_is_cut_too(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    assert_int_equal(db_begin(db), 0);
    for (int n = 0; n < 1000; n++)
        (void)fixture_member(db, LIST, n, "de", 1);
    int64_t id = fixture_announcement(db, LIST, until);
    assert_int_equal(announcement_taken_in(db, id, ANNOUNCEMENT_SCHEDULED), 0);
    assert_int_equal(announcement_begin_gathering(db, id, 3000, 5000), 0);
    struct filter *only = filter_of("language = xx");
    int slices = 1;
    for (db_slice_begin(db, 0); delivery_gather(db, id, &list, 1, languages, 2, only) == STORE_MORE; slices++)
        db_slice_begin(db, 0);
    assert_in_range(slices, 1000, 1001);
    (void)filter_free(only);
    assert_int_equal(db_commit(db), 0);
    ASSERT_COUNTERS(db, id, 0, 0, 0, 0, 0, 0, 0);
}

static void gathering_goes_on_in_slices(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    assert_int_equal(db_begin(db), 0);
    for (int n = 0; n < 1000; n++)
        (void)fixture_member(db, LIST, n, "de", 1);
    int64_t id = fixture_announcement(db, LIST, until);
    assert_int_equal(announcement_taken_in(db, id, ANNOUNCEMENT_SCHEDULED), 0);
    assert_int_equal(announcement_begin_gathering(db, id, 3000, 5000), 0);
    assert_int_equal(db_commit(db), 0);
    int slices = 1, r;
    for (;; slices++) {
        db_slice_begin(db, 0);
        assert_int_equal(db_begin(db), 0);
        r = delivery_gather(db, id, &list, 1, languages, 2, NULL);
        assert_int_equal(db_commit(db), 0);
        assert_int_equal(delivery_verify(db, id), 0);
        if (r != STORE_MORE)
            break;
        if (slices == 1) { /* a pause holds it, resuming goes on */
            struct why why;
            assert_int_equal(announcement_pause(db, id, "wait", &why), 0);
            assert_int_equal(delivery_gather(db, id, &list, 1, languages, 2, NULL), -ESTALE);
            assert_int_equal(announcement_resume(db, id, &why), 0);
        }
        if (slices == 2)
            fixture_reopen(f), db = f->db; /* the cursor is kept */
    }
    assert_int_equal(r, STORE_DONE);
    assert_int_equal(slices, 4);
    ASSERT_COUNTERS(db, id, 1000, 1000, 0, 0, 0, 0, 0);
}

/* --- Claims and outcomes -------------------------------------------------------------------------------------- */

static void a_claim_tells_all(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    int64_t person = fixture_member(db, LIST, 1, "fr", 1);
    assert_int_equal(db_run(db,
                            "UPDATE subscriber SET form = 'f', title = 'Dr.', salutation = 'Hallo', organisation = "
                            "'Town', timezone = 'Europe/Berlin', attributes = 'city' || char(9) || 'Hildesheim' || "
                            "char(10)",
                            NULL, ""),
                     0);
    int64_t id = sending(db);
    struct claims c = {0};
    assert_int_equal(delivery_claim(db, id, 5000, 10, true, &c), 0);
    assert_int_equal(c.count, 1);
    struct claim *one = &c.items[0];
    assert_true(one->announcement == id && one->subscriber == person && one->list == LIST);
    assert_int_equal(one->from, DELIVERY_PENDING);
    assert_int_equal(one->attempts, 0);
    assert_int_equal(one->first_claim_usec, 5000);
    assert_string_equal(one->language, "fr");
    assert_int_equal(one->key_id, 0);
    assert_true(view_eq_str(one->address, "person1@town.example"));
    assert_true(view_eq_str(one->form, "f") && view_eq_str(one->title, "Dr.") && view_eq_str(one->given_name, "Vera") &&
                view_eq_str(one->family_name, "Muster") && view_eq_str(one->salutation, "Hallo") &&
                view_eq_str(one->organisation, "Town") && view_eq_str(one->timezone, "Europe/Berlin") &&
                view_eq_str(one->attributes, "city\tHildesheim\n"));
    claims_done(&c);
    ASSERT_COUNTERS(db, id, 1, 1, 0, 0, 0, 0, 0);

    /* the signature made on the way is there with the retry */
    uint8_t signature[64];
    memset(signature, 0xA5, sizeof signature);
    struct outcome o = outcome_of(OUTCOME_DEFERRED);
    struct claim signed_one = claim_of(id, person, DELIVERY_PENDING);
    signed_one.first_claim_usec = 5000;
    signed_one.key_id = 3;
    memcpy(signed_one.signature, signature, sizeof signature);
    assert_int_equal(delivery_record(db, &signed_one, &o, 6000, 9000, "main", true), 0);
    ASSERT_COUNTERS(db, id, 1, 0, 0, 1, 0, 0, 0);
    assert_int_equal(delivery_claim(db, id, 8999, 10, true, &c), 0);
    assert_int_equal(c.count, 0);
    assert_int_equal(delivery_claim(db, id, 9000, 10, true, &c), 0);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.items[0].from, DELIVERY_DEFERRED);
    assert_int_equal(c.items[0].attempts, 1);
    assert_int_equal(c.items[0].first_claim_usec, 5000);
    assert_int_equal(c.items[0].key_id, 3);
    assert_memory_equal(c.items[0].signature, signature, 64);
    claims_done(&c);
    assert_int_equal(record(db, id, person, OUTCOME_DELIVERED, 9500, 0), 0);
    assert_int_equal(record(db, id, person, OUTCOME_DELIVERED, 9500, 0), -ESTALE);
    ASSERT_COUNTERS(db, id, 1, 0, 1, 0, 0, 0, 0);
    bool finished = false;
    assert_int_equal(delivery_settle(db, id, 9600, true, &finished), 0);
    assert_true(finished);
}

/* given_back: those that were not tried yet were claimed already, and have rows. */
static void ask_again(struct db *db, bool given_back) {
    int64_t people[8];
    for (int i = 0; i < 8; i++)
        people[(i + 6) % 8] = fixture_member(db, LIST, (i + 6) % 8, "de", 1);
    int64_t id = sending(db);
    struct claims c = {0};
    /* 6 and 7 are tried once, and deferred */
    assert_int_equal(delivery_claim(db, id, 4000, given_back ? 9 : 2, true, &c), given_back ? 0 : 1);
    assert_int_equal(c.count, given_back ? 8 : 2);
    claims_done(&c);
    assert_int_equal(record(db, id, people[6], OUTCOME_DEFERRED, 4000, 5000), 0);
    assert_int_equal(record(db, id, people[7], OUTCOME_IN_DOUBT, 4000, 5000), 0);
    for (int i = 0; i < 6 && given_back; i++)
        assert_int_equal(unclaim(db, id, people[i], DELIVERY_PENDING), 0);
    ASSERT_COUNTERS(db, id, 8, 6, 0, 1, 0, 1, 0);

    assert_int_equal(
        db_run(db, "UPDATE subscription SET state = 3 WHERE subscriber IN (?, ?)", NULL, "ii", people[0], people[6]),
        0);
    assert_int_equal(db_run(db, "UPDATE subscription SET state = 4 WHERE subscriber = ?", NULL, "i", people[1]), 0);
    assert_int_equal(db_run(db,
                            "INSERT INTO suppression VALUES ('person2@town.example', 1, 'hard', ''), "
                            "('person7@town.example', 1, 'hard', '')",
                            NULL, ""),
                     0);
    assert_int_equal(db_run(db, "DELETE FROM subscriber WHERE id = ?", NULL, "i", people[3]), 0);
    assert_int_equal(db_run(db, "DELETE FROM subscription WHERE subscriber = ?", NULL, "i", people[4]), 0);
    assert_int_equal(db_run(db, "DELETE FROM subscription WHERE subscriber = ?", NULL, "i", people[3]), 0);
    assert_int_equal(delivery_claim(db, id, 6000, 9, true, &c), 0);
    assert_int_equal(c.count, 1);
    assert_true(c.items[0].subscriber == people[5]);
    claims_done(&c);
    ASSERT_COUNTERS(db, id, 8, 1, 0, 0, 0, 1, 6); /* who is in doubt is so for good */
    static const char *const reasons[] = {"left",    "removed", "suppressed", "erased",
                                          "removed", "",        "left",       "suppressed"};
    for (int i = 0; i < 8; i++) {
        struct row *row;
        assert_int_equal(db_query(db, "SELECT text FROM delivery WHERE announcement = ? AND subscriber = ?", &row, "ii",
                                  id, people[i]),
                         0);
        assert_int_equal(db_next(row), i != 5 || given_back);
        if (i == 5 && !given_back)
            continue;
        const char *text = row_text(row, 0), *behind = i == 7 ? strstr(text, "; not sent again: ") : NULL;
        assert_true(i != 7 || behind);
        assert_string_equal(behind ? behind + strlen("; not sent again: ") : text, reasons[i]);
        db_end(row);
    }
}

static void claims_ask_again_who_is_to_be_written_to(void **state) {
    struct fixture *f = *state;
    ask_again(f->db, false);
    assert_int_equal(db_run(f->db, "DELETE FROM subscription", NULL, ""), 0);
    assert_int_equal(db_run(f->db, "DELETE FROM subscriber", NULL, ""), 0);
    assert_int_equal(db_run(f->db, "DELETE FROM suppression", NULL, ""), 0);
    ask_again(f->db, true);
}

static void claims_come_in_portions(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    assert_int_equal(db_begin(db), 0);
    for (int i = 0; i < 2500; i++)
        (void)fixture_member(db, LIST, i, "de", 1);
    assert_int_equal(db_commit(db), 0);
    int64_t id = sending(db);
    struct claims c = {0};
    assert_int_equal(delivery_claim(db, id, 4000, 5, true, &c), 1);
    assert_int_equal(c.count, 5);
    claims_done(&c);
    assert_int_equal(delivery_claim(db, id, 4000, 5000, true, &c), 1);
    assert_int_equal(c.count, CLAIMS_MAX);
    claims_done(&c);
    /* a stretch of people who left is gone through in bounded steps */
    assert_int_equal(db_run(db, "UPDATE subscription SET state = 3", NULL, ""), 0);
    int calls = 1;
    while (delivery_claim(db, id, 4000, 10, true, &c) == 1) {
        assert_int_equal(c.count, 0);
        calls++;
    }
    assert_int_equal(calls, 3); /* 1495 rows, 510 a call */
    ASSERT_COUNTERS(db, id, 2500, 1005, 0, 0, 0, 0, 1495);
}

/* Few of many members are meant: the others are not all read. */
static void a_thin_audience_is_claimed_too(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    int64_t meant[12];
    assert_int_equal(db_begin(db), 0);
    for (int i = 0; i < 600; i++) {
        int64_t id = fixture_member(db, LIST, i, i % 50 == 7 ? "fr" : "de", 1);
        if (i % 50 == 7)
            meant[i / 50] = id;
    }
    int64_t id = fixture_announcement(db, LIST, until);
    assert_int_equal(announcement_taken_in(db, id, ANNOUNCEMENT_SCHEDULED), 0);
    assert_int_equal(announcement_begin_gathering(db, id, 3000, 5000), 0);
    struct filter *only = filter_of("language = fr");
    assert_int_equal(delivery_gather(db, id, &list, 1, languages, 2, only), STORE_DONE);
    (void)filter_free(only);
    assert_int_equal(announcement_begin_sending(db, id), 0);
    assert_int_equal(db_run(db, "DELETE FROM subscriber WHERE id = ?", NULL, "i", meant[1]), 0);
    assert_int_equal(db_run(db, "UPDATE subscription SET state = 3 WHERE subscriber = ?", NULL, "i", meant[2]), 0);
    assert_int_equal(db_run(db, "DELETE FROM subscription WHERE subscriber = ?", NULL, "i", meant[8]), 0);
    assert_int_equal(db_commit(db), 0);
    struct claims c = {0};
    assert_int_equal(delivery_claim(db, id, 4000, 20, true, &c), 0);
    assert_int_equal(c.count, 9);
    for (size_t i = 0, n = 0; i < 12; i++)
        if (i != 1 && i != 2 && i != 8)
            assert_true(c.items[n++].subscriber == meant[i]);
    claims_done(&c);
    ASSERT_COUNTERS(db, id, 12, 9, 0, 0, 0, 0, 3);
    assert_int_equal(fixture_int(db, "SELECT count(*) FROM delivery WHERE text = 'erased'"), 1);
    assert_int_equal(fixture_int(db, "SELECT count(*) FROM delivery WHERE text = 'left'"), 1);
    assert_int_equal(fixture_int(db, "SELECT count(*) FROM delivery WHERE text = 'removed'"), 1);
}

static void an_unclaimed_one_is_as_before(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    int64_t people[3];
    for (int i = 0; i < 3; i++)
        people[i] = fixture_member(db, LIST, i, "de", 1);
    int64_t id = sending(db);
    struct claims c = {0};
    assert_int_equal(delivery_claim(db, id, 4000, 9, true, &c), 0);
    claims_done(&c);
    assert_int_equal(record(db, id, people[1], OUTCOME_DEFERRED, 4000, 5000), 0);
    assert_int_equal(delivery_claim(db, id, 5000, 9, true, &c), 0);
    assert_int_equal(c.count, 1);
    claims_done(&c);
    assert_int_equal(unclaim(db, id, people[1], DELIVERY_DEFERRED), 0);
    assert_int_equal(unclaim(db, id, people[0], DELIVERY_PENDING), 0);
    assert_int_equal(unclaim(db, id, people[0], DELIVERY_PENDING), -ESTALE);
    ASSERT_COUNTERS(db, id, 3, 2, 0, 1, 0, 0, 0);
    int64_t due = 0;
    assert_int_equal(delivery_next_due(db, &due), 0);
    assert_int_equal(due, 5000);
    assert_int_equal(delivery_claim(db, id, 6000, 9, true, &c), 0);
    assert_int_equal(c.count, 2);
    assert_true(c.items[0].subscriber == people[1] && c.items[0].attempts == 1);
    assert_int_equal(c.items[0].first_claim_usec, 4000);
    assert_true(c.items[1].subscriber == people[0] && c.items[1].attempts == 0);
    assert_int_equal(c.items[1].first_claim_usec, 6000); /* it never was on the wire */
    claims_done(&c);
}

static void one_that_is_put_off_waits_for_its_turn(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    int64_t people[3];
    for (int i = 0; i < 3; i++)
        people[i] = fixture_member(db, LIST, i, "de", 1);
    int64_t id = sending(db), due = 0;
    struct claims c = {0};
    assert_int_equal(delivery_claim(db, id, 4000, 9, true, &c), 0);
    claims_done(&c);
    assert_int_equal(put_off(db, id, people[0], DELIVERY_PENDING, 6000, "waits"), 0);
    assert_int_equal(put_off(db, id, people[0], DELIVERY_PENDING, 6000, "waits"), -ESTALE);
    assert_int_equal(record(db, id, people[1], OUTCOME_IN_DOUBT, 4000, 5000), 0);
    assert_int_equal(record(db, id, people[2], OUTCOME_DELIVERED, 4000, 0), 0);
    ASSERT_COUNTERS(db, id, 3, 0, 1, 1, 0, 1, 0);
    assert_int_equal(delivery_claim(db, id, 5000, 9, true, &c), 0);
    assert_int_equal(c.count, 1);
    claims_done(&c);
    assert_int_equal(put_off(db, id, people[1], DELIVERY_IN_DOUBT, 7000, "waits"), 0);
    ASSERT_COUNTERS(db, id, 3, 0, 1, 1, 0, 1, 0); /* what is in doubt stays so */
    assert_int_equal(delivery_next_due(db, &due), 0);
    assert_int_equal(due, 6000);
    assert_int_equal(delivery_claim(db, id, 7000, 9, true, &c), 0);
    assert_int_equal(c.count, 2);
    assert_true(c.items[0].subscriber == people[0] && c.items[0].attempts == 0);
    assert_int_equal(c.items[0].first_claim_usec, 4000);
    assert_true(c.items[1].subscriber == people[1] && c.items[1].attempts == 1);
    claims_done(&c);
    assert_int_equal(unclaim(db, id, people[0], DELIVERY_DEFERRED), 0);
    assert_int_equal(delivery_claim(db, id, 8000, 9, true, &c), 0);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.items[0].first_claim_usec, 4000); /* the mail's Date */
    claims_done(&c);
    struct why why;
    assert_int_equal(announcement_stop(db, id, "no", 7000, &why), 0);
    assert_int_equal(put_off(db, id, people[0], DELIVERY_DEFERRED, 9000, "waits"), 0);
    ASSERT_COUNTERS(db, id, 3, 1, 1, 0, 0, 0, 1);
    assert_int_equal(unclaim(db, id, people[1], DELIVERY_IN_DOUBT), 0);
    ASSERT_COUNTERS(db, id, 3, 0, 1, 0, 0, 1, 1); /* it may have been sent */
}

static void the_last_code_is_told(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    int64_t person = fixture_member(db, LIST, 1, "de", 1), id = sending(db);
    struct claims c = {0};
    struct outcome o = {.class = OUTCOME_DEFERRED, .code = 550};
    assert_int_equal(delivery_claim(db, id, 4000, 9, true, &c), 0);
    assert_int_equal(c.items[0].code, 0);
    claims_done(&c);
    const struct claim claimed = claim_of(id, person, DELIVERY_PENDING);
    assert_int_equal(delivery_record(db, &claimed, &o, 4000, 5000, "main", false), 0);
    assert_int_equal(delivery_claim(db, id, 5000, 9, true, &c), 0);
    assert_int_equal(c.items[0].code, 550);
    claims_done(&c);
}

static void doubt_is_held_or_resent(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    for (int i = 0; i < 2; i++)
        (void)fixture_member(db, LIST, i, "de", 1);
    for (int resend = 0; resend < 2; resend++) {
        int64_t id = sending(db);
        struct claims c = {0};
        assert_int_equal(delivery_claim(db, id, 4000, 9, resend, &c), 0);
        assert_int_equal(c.count, 2);
        claims_done(&c);
        fixture_reopen(f); /* the process dies with two claimed */
        db = f->db;
        uint64_t in_doubt = 0;
        assert_int_equal(delivery_recover(db, 7000, resend, &in_doubt), STORE_DONE);
        assert_int_equal(in_doubt, 2);
        ASSERT_COUNTERS(db, id, 2, 0, 0, 0, 0, 2, 0);
        bool finished = false;
        assert_int_equal(delivery_settle(db, id, 7000, resend, &finished), 0);
        assert_int_equal(finished, !resend);
        int64_t due = -1;
        assert_int_equal(delivery_next_due(db, &due), 0);
        assert_int_equal(due, resend ? 7000 : 0);
        assert_int_equal(delivery_claim(db, id, 7000, 9, resend, &c), 0);
        assert_int_equal(c.count, resend ? 2 : 0);
        claims_done(&c);
        (void)delivery_recover(db, 8000, false, &in_doubt);
        assert_int_equal(announcement_finish(db, id, 9000), 0);
    }
}

/* What has an outcome is no part of the audience any more; after a crash in the middle of many blocks, those in doubt are
 * those without one, with the Dates they had, however many slices it takes to find them. */
static void only_what_was_on_the_wire_is_in_doubt(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    enum { COUNT = 2000 };
    assert_int_equal(db_begin(db), 0);
    for (int i = 0; i < COUNT; i++)
        (void)fixture_member(db, LIST, i, i % 2 ? "fr" : "de", 1);
    assert_int_equal(db_commit(db), 0);
    int64_t id = sending(db), claimed_at[COUNT] = {0}, first = fixture_int(db, "SELECT min(id) FROM subscriber");
    struct claims c = {0};
    int64_t now = 4000, on_the_wire = 0, claimed = 0;
    while (claimed < 1500) {
        claims_clear(&c);
        assert_int_equal(delivery_claim(db, id, now, 77, true, &c), 1);
        for (size_t i = 0; i < c.count; i++, claimed++) {
            struct outcome o = outcome_of(OUTCOME_DELIVERED);
            bool stays = claimed > 700 && claimed % 10 == 3;
            assert_true(c.items[i].subscriber == first + claimed);
            claimed_at[claimed] = stays ? now : 0;
            on_the_wire += stays;
            if (!stays)
                assert_int_equal(delivery_record(db, &c.items[i], &o, now, 0, "main", false), 0);
        }
        assert_int_equal(delivery_verify(db, id), 0);
        now += 1000;
    }
    int64_t wide = fixture_int(db, "SELECT count(*) FROM audience");
    assert_in_range(wide, COUNT / AUDIENCE_BLOCK - 700 / AUDIENCE_BLOCK,
                    COUNT / AUDIENCE_BLOCK + 1 - 700 / AUDIENCE_BLOCK);
    claims_done(&c);
    fixture_reopen(f);
    db = f->db;
    uint64_t in_doubt = 0;
    int slices = 1;
    for (db_slice_begin(db, 0); delivery_recover(db, 90000, true, &in_doubt) == STORE_MORE; slices++) {
        assert_int_equal(delivery_verify(db, id), 0);
        db_slice_begin(db, 0);
    }
    db_slice_begin(db, -1);
    assert_true(slices > 2);
    assert_int_equal(in_doubt, on_the_wire);
    ASSERT_COUNTERS(db, id, COUNT, COUNT - claimed, claimed - on_the_wire, 0, 0, on_the_wire, 0);
    assert_int_equal(delivery_recover(db, 91000, true, &in_doubt), STORE_DONE); /* once is enough */
    assert_int_equal(in_doubt, on_the_wire);
    int more;
    do {
        more = delivery_claim(db, id, 92000, 1000, true, &c);
        for (size_t i = 0; i < c.count; i++) {
            int64_t place = c.items[i].subscriber - first;
            assert_string_equal(c.items[i].language, place % 2 ? "fr" : "de");
            assert_int_equal(c.items[i].from, place < claimed ? DELIVERY_IN_DOUBT : DELIVERY_PENDING);
            assert_int_equal(c.items[i].first_claim_usec, place < claimed ? claimed_at[place] : 92000);
            struct outcome o = outcome_of(OUTCOME_DELIVERED);
            assert_int_equal(delivery_record(db, &c.items[i], &o, now, 0, "main", false), 0);
        }
        claims_done(&c);
    } while (more == 1);
    assert_int_equal(more, 0);
    bool finished = false;
    assert_int_equal(delivery_settle(db, id, 93000, true, &finished), 0);
    assert_true(finished);
    ASSERT_COUNTERS(db, id, COUNT, 0, COUNT, 0, 0, 0, 0);
    assert_int_equal(fixture_int(db, "SELECT (SELECT count(*) FROM audience) + (SELECT count(*) FROM claim_run)"), 0);
}

/* A damaged block stops the announcement, and nobody is written to by mistake. */
static void a_damaged_block_is_found(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    for (int i = 0; i < 3; i++)
        (void)fixture_member(db, LIST, i, "de", 1);
    int64_t id = sending(db);
    static const char *const damages[] = {"UPDATE audience SET people = x''",
                                          "UPDATE audience SET people = substr(people, 1, 5)",
                                          "UPDATE audience SET people = x'0100ff'",
                                          "UPDATE audience SET people = x'0102'",
                                          "UPDATE audience SET people = x'0000'",
                                          "UPDATE audience SET languages = ''",
                                          "UPDATE audience SET lists = '7 x'",
                                          "UPDATE audience SET people = x'ffffffffffffffffffff0100'",
                                          "UPDATE audience SET people = x'01000100'",
                                          "UPDATE audience SET people = x'ffffffffffffffff7f00ffffffffffffffff7f00'"};
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        struct claims c = {0};
        assert_int_equal(db_begin(db), 0);
        assert_int_equal(db_run(db, damages[i], NULL, ""), 0);
        assert_int_equal(delivery_claim(db, id, 4000, 9, true, &c), -EUCLEAN);
        assert_int_equal(c.count, 0);
        db_rollback(db);
    }
    assert_int_equal(delivery_verify(db, id), 0);
}

/* Doubts that were to be resent do not wait for ever once the policy is to hold. */
static void a_changed_policy_leaves_nothing_due(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    int64_t person = fixture_member(db, LIST, 1, "de", 1);
    int64_t id = sending(db), due = -1;
    struct claims c = {0};
    assert_int_equal(delivery_claim(db, id, 4000, 9, true, &c), 0);
    claims_done(&c);
    assert_int_equal(record(db, id, person, OUTCOME_IN_DOUBT, 4000, 4500), 0);
    assert_int_equal(delivery_claim(db, id, 5000, 9, false, &c), 0);
    assert_int_equal(c.count, 0);
    assert_int_equal(delivery_next_due(db, &due), 0);
    assert_int_equal(due, 0);
}

/* Nobody knows whether they got it, so they are not left out; and they get nothing more. */
static void in_doubt_and_then_gone_stays_in_doubt(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    int64_t person = fixture_member(db, LIST, 1, "de", 1), due = -1;
    int64_t id = sending(db);
    struct claims c = {0};
    bool finished = false;
    assert_int_equal(delivery_claim(db, id, 4000, 9, true, &c), 0);
    claims_clear(&c);
    assert_int_equal(record(db, id, person, OUTCOME_IN_DOUBT, 4000, 4500), 0);
    assert_int_equal(delivery_claim(db, id, 4500, 9, true, &c), 0);
    assert_int_equal(c.count, 1);
    struct outcome later = outcome_of(OUTCOME_DEFERRED);
    assert_int_equal(delivery_record(db, &c.items[0], &later, 4500, 4800, "main", false), 0);
    ASSERT_COUNTERS(db, id, 1, 0, 0, 0, 0, 1, 0);
    claims_clear(&c);
    assert_int_equal(db_run(db, "UPDATE subscription SET state = 3", NULL, ""), 0);
    assert_int_equal(delivery_claim(db, id, 5000, 9, true, &c), 0);
    assert_int_equal(c.count, 0);
    ASSERT_COUNTERS(db, id, 1, 0, 0, 0, 0, 1, 0);
    assert_int_equal(fixture_int(db, "SELECT text LIKE '%; not sent again: left' FROM delivery"), 1);
    assert_int_equal(delivery_next_due(db, &due), 0);
    assert_int_equal(due, 0);
    assert_int_equal(delivery_claim(db, id, 6000, 9, true, &c), 0);
    assert_int_equal(c.count, 0);
    assert_int_equal(delivery_settle(db, id, 6000, true, &finished), 0);
    assert_true(finished);
    ASSERT_COUNTERS(db, id, 1, 0, 0, 0, 0, 1, 0);
    claims_done(&c);
}

/* One statement for many writes what one for each does, for whoever has a row and whoever has none. */
static void many_that_were_delivered_are_recorded_at_once(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    for (int i = 1; i <= 6; i++)
        (void)fixture_member(db, LIST, i, i < 5 ? "de" : "fr", 1);
    int64_t id = sending(db);
    struct claims c = {0}, again = {0};
    const struct outcome o = outcome_of(OUTCOME_DELIVERED);
    assert_int_equal(delivery_claim(db, id, 4000, 5, true, &c), 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal(record(db, id, c.items[i].subscriber, OUTCOME_DEFERRED, 4100, 4200), 0);
    assert_int_equal(delivery_claim(db, id, 4200, 2, true, &again), 1);
    const struct delivered rows[] = {{&again.items[0], &o, 4300, "main"}, {&c.items[2], &o, 4300, "main"}};
    assert_true(delivered_are_alike(&rows[0], &rows[1]));
    assert_int_equal(delivery_record_delivered(db, rows, COUNT_OF(rows)), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(delivery_record(db, i ? &c.items[4] : &again.items[1], &o, 4300, 0, "main", false), 0);
    assert_int_equal(fixture_int(db,
                                 "SELECT count(*) FROM (SELECT DISTINCT attempts, state, due, first_claim, at, code, "
                                 "status, text, relay FROM delivery)"),
                     2);
    assert_int_equal(fixture_int(db, "SELECT count(*) FROM delivery d JOIN subscriber s ON s.id = d.subscriber WHERE "
                                     "d.list = 7 AND d.language = s.language AND d.state = 2"),
                     4);
    ASSERT_COUNTERS(db, id, 6, 2, 4, 0, 0, 0, 0);

    const struct delivered more[] = {{&c.items[2], &o, 4400, "main"}, {&c.items[3], &o, 4400, "main"}};
    assert_int_equal(delivery_record_delivered(db, more, COUNT_OF(more)), -ESTALE);
    assert_int_equal(fixture_int(db, "SELECT count(*) FROM delivery WHERE at = 4400"), 1);
    ASSERT_COUNTERS(db, id, 6, 1, 5, 0, 0, 0, 0);
    claims_done(&c);
    claims_done(&again);
}

static void those_are_alike_of_whom_a_statement_says_the_same(void **state) {
    (void)state;
    struct claim c = claim_of(1, 1, DELIVERY_PENDING), d = c;
    struct outcome o = outcome_of(OUTCOME_DELIVERED), p = o;
    const struct delivered a = {&c, &o, 4300, "main"};
    struct delivered b = {&d, &p, 4400, "main"};
    d.subscriber = 2;
    d.first_claim_usec++;
    (void)snprintf(p.text, sizeof p.text, "Thanks");
    assert_true(delivered_are_alike(&a, &b));
#define DIFFER(what, value)                                                                                            \
    do {                                                                                                               \
        struct claim claim_before = d;                                                                                 \
        struct outcome outcome_before = p;                                                                             \
        what = value;                                                                                                  \
        assert_false(delivered_are_alike(&a, &b));                                                                     \
        d = claim_before;                                                                                              \
        p = outcome_before;                                                                                            \
    } while (0)
    DIFFER(d.announcement, 2);
    DIFFER(d.list, LIST + 1);
    DIFFER(d.language[0], 'D');
    DIFFER(p.code, 251);
    DIFFER(p.status[2], '1');
#undef DIFFER
    b.relay = "spare";
    assert_false(delivered_are_alike(&a, &b));
}

static void the_deadline_ends_it(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    assert_int_equal(db_begin(db), 0);
    int64_t people[1200];
    for (int i = 0; i < 1200; i++)
        people[i] = fixture_member(db, LIST, i, "de", 1);
    assert_int_equal(db_commit(db), 0);
    int64_t id = sending(db), due = 0;
    struct claims c = {0};
    assert_int_equal(delivery_claim(db, id, 4000, 3, true, &c), 1);
    claims_done(&c);
    assert_int_equal(record(db, id, people[0], OUTCOME_DEFERRED, 4000, until + 5), 0);
    assert_int_equal(record(db, id, people[1], OUTCOME_IN_DOUBT, 4000, until + 5), 0);
    assert_int_equal(delivery_next_due(db, &due), 0);
    assert_true(due == until);
    bool finished = true;
    assert_int_equal(delivery_settle(db, id, until - 1, true, &finished), 0);
    assert_false(finished);
    assert_int_equal(delivery_claim(db, id, until, 3, true, &c), 0);
    assert_int_equal(c.count, 0);
    int calls = 1;
    for (int r; (r = delivery_settle(db, id, until, true, &finished)) != 0; calls++) {
        assert_int_equal(r, STORE_MORE);
        assert_false(finished);
        assert_int_equal(delivery_verify(db, id), 0);
        db_slice_begin(db, 0);
    }
    assert_false(finished); /* one is on the wire */
    ASSERT_COUNTERS(db, id, 1200, 1, 0, 1, 1197, 1, 0);
    assert_int_equal(delivery_next_due(db, &due), 0);
    assert_int_equal(due, 0);
    assert_int_equal(record(db, id, people[2], OUTCOME_DEFERRED, until, until + 9), 0);
    assert_int_equal(delivery_settle(db, id, until, true, &finished), 0);
    assert_true(finished);
    ASSERT_COUNTERS(db, id, 1200, 0, 0, 2, 1197, 1, 0);
}

static void a_stop_leaves_out_what_is_pending(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    assert_int_equal(db_begin(db), 0);
    int64_t people[1200];
    for (int i = 0; i < 1200; i++)
        people[i] = fixture_member(db, LIST, i, "de", 1);
    assert_int_equal(db_commit(db), 0);
    int64_t id = sending(db);
    struct claims c = {0};
    struct why why;
    assert_int_equal(delivery_claim(db, id, 4000, 3, true, &c), 1);
    claims_done(&c);
    db_slice_begin(db, 0);
    assert_int_equal(announcement_stop(db, id, "wrong date", 5000, &why), STORE_MORE);
    assert_int_equal(counters(db, id).state, ANNOUNCEMENT_STOPPED);
    assert_int_equal(delivery_verify(db, id), 0);
    /* what was on the wire gets its outcome, what was not is left out */
    assert_int_equal(record(db, id, people[0], OUTCOME_DELIVERED, 5000, 0), 0);
    assert_int_equal(unclaim(db, id, people[1], DELIVERY_PENDING), 0);
    assert_int_equal(delivery_verify(db, id), 0);
    fixture_reopen(f); /* and the rest when the daemon starts again */
    db = f->db;
    uint64_t in_doubt = 0;
    assert_int_equal(delivery_recover(db, 7000, true, &in_doubt), 0);
    assert_int_equal(in_doubt, 1);
    ASSERT_COUNTERS(db, id, 1200, 0, 1, 0, 0, 1, 1198);
    assert_int_equal(announcement_stop(db, id, "again", 8000, &why), -ESTALE);
    int64_t due = -1;
    assert_int_equal(delivery_next_due(db, &due), 0);
    assert_int_equal(due, 0);
    assert_int_equal(delivery_claim(db, id, 9000, 3, true, &c), 0);
    assert_int_equal(c.count, 0);
}

static void counters_follow_a_job_that_is_undone(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    int64_t people[4];
    for (int i = 0; i < 4; i++)
        people[i] = fixture_member(db, LIST, i, "de", 1);
    int64_t id = sending(db);
    struct claims c = {0};
    assert_int_equal(delivery_claim(db, id, 4000, 9, true, &c), 0);
    claims_done(&c);
    assert_int_equal(db_begin(db), 0);
    assert_int_equal(db_savepoint(db), 0);
    assert_int_equal(record(db, id, people[0], OUTCOME_DELIVERED, 5000, 0), 0);
    assert_int_equal(db_release(db), 0);
    assert_int_equal(db_savepoint(db), 0);
    assert_int_equal(record(db, id, people[1], OUTCOME_DELIVERED, 5000, 0), 0);
    assert_int_equal(record(db, id, people[2], OUTCOME_REFUSED, 5000, 0), 0);
    db_rollback_to(db);
    assert_int_equal(db_commit(db), 0);
    ASSERT_COUNTERS(db, id, 4, 3, 1, 0, 0, 0, 0);
    assert_int_equal(db_begin(db), 0);
    assert_int_equal(record(db, id, people[3], OUTCOME_DELIVERED, 5000, 0), 0);
    db_rollback(db);
    ASSERT_COUNTERS(db, id, 4, 3, 1, 0, 0, 0, 0);
    /* a wrong counter is found */
    assert_int_equal(db_run(db, "UPDATE announcement SET delivered = 0, pending = 4", NULL, ""), 0);
    assert_int_equal(delivery_verify(db, id), -EUCLEAN);
}

/* --- Reports -------------------------------------------------------------------------------------------------- */

struct seen {
    int rows, stop_at;
    struct delivery_row last;
    char address[64], name[64], text[64];
};

static int on_row(void *user, const struct delivery_row *row) {
    struct seen *s = user;
    s->last = *row;
    (void)snprintf(s->address, sizeof s->address, "%s", row->address);
    (void)snprintf(s->name, sizeof s->name, "%s", row->name);
    (void)snprintf(s->text, sizeof s->text, "%s", row->text);
    return ++s->rows == s->stop_at ? -ECANCELED : 0;
}

static void reports_come_in_slices(void **state) {
    struct fixture *f = *state;
    struct db *db = f->db;
    assert_int_equal(db_begin(db), 0);
    int64_t person = 0;
    for (int i = 0; i < 600; i++)
        person = fixture_member(db, LIST, i, "de", 1);
    assert_int_equal(db_commit(db), 0);
    int64_t id = sending(db);
    struct claims c = {0};
    assert_int_equal(delivery_claim(db, id, 4000, 1000, true, &c), 0);
    struct outcome o = {.class = OUTCOME_REFUSED, .code = 550, .text = "unknown"};
    for (size_t i = 0; i < c.count; i++) {
        o.class = c.items[i].subscriber < person ? OUTCOME_DELIVERED : OUTCOME_REFUSED;
        assert_int_equal(delivery_record(db, &c.items[i], &o, 4000, 0, "main", false), 0);
    }
    claims_done(&c);
    struct seen seen = {0};
    int64_t cursor = 0;
    int slices = 1;
    db_slice_begin(db, 0);
    while (delivery_report(db, id, true, &cursor, on_row, &seen) == STORE_MORE)
        slices++;
    assert_int_equal(slices, 3);
    assert_int_equal(seen.rows, 1);
    assert_string_equal(seen.address, "person599@town.example");
    assert_string_equal(seen.name, "Vera Muster");
    assert_string_equal(seen.text, "unknown");
    assert_int_equal(seen.last.state, DELIVERY_REFUSED);
    assert_string_equal(delivery_state_name(seen.last.state), "refused");
    cursor = 0;
    seen = (struct seen){.stop_at = 2};
    db_slice_begin(db, -1);
    assert_int_equal(delivery_report(db, id, false, &cursor, on_row, &seen), -ECANCELED);
    seen.stop_at = 0;
    assert_int_equal(delivery_report(db, id, false, &cursor, on_row, &seen), STORE_DONE);
    assert_int_equal(seen.rows, 600);
}

/* --- Random sequences ----------------------------------------------------------------------------------------- */

enum { PEOPLE = 40 };

/* What the world outside knows: who holds a claim, who got how many messages. */
struct world {
    struct db *db;
    int64_t id, people[PEOPLE], now, retry[PEOPLE];
    enum delivery_state held_from[PEOPLE];
    bool held[PEOPLE], delivered[PEOPLE], refused[PEOPLE], out[PEOPLE];
};

static int person_index(const struct world *w, int64_t subscriber) {
    for (int i = 0; i < PEOPLE; i++)
        if (w->people[i] == subscriber)
            return i;
    fail_msg("an unknown subscriber was claimed");
    return -1;
}

static void do_claim(struct world *w) {
    struct claims c = {0};
    assert_in_range(delivery_claim(w->db, w->id, w->now, (unsigned)(rand() % 8), true, &c), 0, 1);
    for (size_t i = 0; i < c.count; i++) {
        int n = person_index(w, c.items[i].subscriber);
        assert_false(w->held[n] || w->delivered[n] || w->refused[n] || w->out[n]);
        assert_true(w->retry[n] <= w->now);
        w->held[n] = true;
        w->held_from[n] = c.items[i].from;
    }
    claims_done(&c);
}

static int pick_held(const struct world *w) {
    for (int tries = 0, n = rand() % PEOPLE; tries < PEOPLE; tries++, n = (n + 1) % PEOPLE)
        if (w->held[n])
            return n;
    return -1;
}

static void do_record(struct world *w) {
    int n = pick_held(w);
    if (n < 0)
        return;
    enum outcome_class class = (enum outcome_class)(rand() % 4);
    int64_t retry = rand() % 3 ? w->now + rand() % 50 : 0;
    if (class == OUTCOME_DELIVERED && rand() % 2) {
        const struct outcome o = outcome_of(class);
        const struct claim c = claim_of(w->id, w->people[n], DELIVERY_PENDING);
        assert_int_equal(delivery_record_delivered(w->db, &(struct delivered){&c, &o, w->now, "main"}, 1), 0);
    } else {
        assert_int_equal(record(w->db, w->id, w->people[n], class, w->now, retry), 0);
    }
    w->retry[n] = retry ? retry : INT64_MAX;
    w->held[n] = false;
    w->delivered[n] = class == OUTCOME_DELIVERED;
    w->refused[n] = class == OUTCOME_REFUSED;
}

static void do_unclaim(struct world *w) {
    int n = pick_held(w);
    if (n < 0)
        return;
    if (rand() % 2) {
        assert_int_equal(unclaim(w->db, w->id, w->people[n], w->held_from[n]), 0);
    } else {
        w->retry[n] = w->now + rand() % 50;
        assert_int_equal(put_off(w->db, w->id, w->people[n], w->held_from[n], w->retry[n], "waits"), 0);
    }
    w->held[n] = false;
}

static void do_step(struct world *w, bool *stopped) {
    struct why why;
    bool finished;
    uint64_t in_doubt = 0;
    int n = rand() % PEOPLE, what = rand() % 100;
    if (what < 30)
        do_claim(w);
    else if (what < 70)
        do_record(w);
    else if (what < 78)
        do_unclaim(w);
    else if (what < 84) {
        assert_int_equal(db_run(w->db, "UPDATE subscription SET state = ? WHERE subscriber = ?", NULL, "di",
                                3 + rand() % 2, w->people[n]),
                         0);
        w->out[n] = true;
    } else if (what < 86) { /* the process dies */
        assert_int_equal(delivery_recover(w->db, w->now, rand() % 2, &in_doubt), 0);
        for (int i = 0; i < PEOPLE; i++)
            if (w->held[i])
                w->held[i] = false, w->retry[i] = 0;
    } else if (what < 95)
        assert_int_equal(delivery_settle(w->db, w->id, w->now, true, &finished), 0);
    else if (what == 95 && rand() % 5 == 0) {
        int r = announcement_stop(w->db, w->id, "test", w->now, &why);
        assert_int_equal(r, *stopped ? -ESTALE : 0);
        *stopped = true;
    } else
        w->now += rand() % 30;
}

static void every_sequence_keeps_the_sums(void **state) {
    struct fixture *f = *state;
    for (unsigned seed = 1; seed <= 30; seed++) {
        srand(seed);
        struct world w = {.db = f->db, .now = 4000};
        bool stopped = false;
        assert_int_equal(db_begin(f->db), 0);
        assert_int_equal(db_run(f->db, "DELETE FROM subscription", NULL, ""), 0);
        for (int i = 0; i < PEOPLE; i++)
            w.people[i] = fixture_member(f->db, LIST, (int)seed * 1000 + i, i % 3 ? "de" : "fr", 1);
        w.id = sending(f->db);
        assert_int_equal(db_commit(f->db), 0);
        if (seed % 3 == 0)
            assert_int_equal(db_run(f->db, "UPDATE announcement SET send_until = 6000 WHERE id = ?", NULL, "i", w.id),
                             0);
        for (int i = 0; i < 400; i++) {
            struct world before = w;
            bool stopped_before = stopped;
            assert_int_equal(db_begin(f->db), 0);
            assert_int_equal(db_savepoint(f->db), 0);
            for (int steps = rand() % 4; steps >= 0; steps--)
                do_step(&w, &stopped);
            if (rand() % 10 == 0) {
                db_rollback_to(f->db);
                w = before;
                stopped = stopped_before;
            } else
                assert_int_equal(db_release(f->db), 0);
            if (rand() % 20 == 0) {
                db_rollback(f->db);
                w = before;
                stopped = stopped_before;
            } else
                assert_int_equal(db_commit(f->db), 0);
            assert_int_equal(delivery_verify(f->db, w.id), 0);
            assert_int_equal(counters(f->db, w.id).total, PEOPLE);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(the_audience_is_who_it_should_be),
        FIXTURE_TEST(a_filter_bounds_the_audience),
        FIXTURE_TEST(several_lists_reach_a_person_once),
        FIXTURE_TEST(a_filter_that_reaches_nobody_is_cut_too),
        FIXTURE_TEST(gathering_goes_on_in_slices),
        FIXTURE_TEST(a_claim_tells_all),
        FIXTURE_TEST(claims_ask_again_who_is_to_be_written_to),
        FIXTURE_TEST(claims_come_in_portions),
        FIXTURE_TEST(a_thin_audience_is_claimed_too),
        FIXTURE_TEST(an_unclaimed_one_is_as_before),
        FIXTURE_TEST(one_that_is_put_off_waits_for_its_turn),
        FIXTURE_TEST(the_last_code_is_told),
        FIXTURE_TEST(doubt_is_held_or_resent),
        FIXTURE_TEST(only_what_was_on_the_wire_is_in_doubt),
        FIXTURE_TEST(a_damaged_block_is_found),
        FIXTURE_TEST(a_changed_policy_leaves_nothing_due),
        FIXTURE_TEST(in_doubt_and_then_gone_stays_in_doubt),
        FIXTURE_TEST(many_that_were_delivered_are_recorded_at_once),
        cmocka_unit_test(those_are_alike_of_whom_a_statement_says_the_same),
        FIXTURE_TEST(the_deadline_ends_it),
        FIXTURE_TEST(a_stop_leaves_out_what_is_pending),
        FIXTURE_TEST(counters_follow_a_job_that_is_undone),
        FIXTURE_TEST(reports_come_in_slices),
        FIXTURE_TEST(every_sequence_keeps_the_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
