#include "store_helper.h"

#include <errno.h>

#include "store/batch.h"
#include "store/store.h"
#include "store/subscription.h"
#include "store/suppression.h"

enum { LIST = 7 };
static const struct batch_about about = {
    .list = LIST, .by = "vera", .file = "people.csv", .basis = "consent", .evidence = "form of 2024"};

static struct batch open_batch(struct db *db, bool trial) {
    static struct batch b;
    struct why why;
    batch_close(&b); /* of the one before; no two are open */
    assert_int_equal(batch_open(db, &about, trial, 1000, &why, &b), 0);
    return b;
}

static bool too_many_tags; /* of the last row */
static enum batch_result put_person(struct db *db, struct batch *b, struct person p, const struct consent *consent) {
    struct batch_row row = {.person = p, .consent = consent, .consent_usec = 500};
    struct batch_told told;
    row.person.address_key = p.address;
    assert_int_equal(batch_put(db, b, &row, 2000, &told), 0);
    assert_int_equal(batch_flush(db, b), 0);
    assert_int_equal(told.left_usec != 0, told.result == BATCH_LEFT);
    too_many_tags = told.too_many_tags;
    return told.result;
}

#define PUT(db, b, ...) put_person((db), (b), (struct person){__VA_ARGS__}, NULL)

static void settle(struct db *db) {
    while (batch_settle(db, 4000) == STORE_MORE)
        ;
    assert_int_equal(batch_settle(db, 4000), STORE_DONE);
}

static void finish(struct db *db, const struct batch *b) {
    struct batch_counts counts = {.rows = 1};
    assert_int_equal(batch_done(db, b, &counts, 3000), 0);
    settle(db);
}

static int state_of(struct db *db, const char *address) {
    AUTOARENA struct arena arena = {0};
    struct person p;
    struct subscription s;
    if (person_find(db, address, &arena, &p) != 1 || subscription_get(db, LIST, p.id, &s) != 1)
        return 0;
    return (int)s.state;
}

static void set_state(struct db *db, const char *address, enum subscription_state state) {
    AUTOARENA struct arena arena = {0};
    struct person p;
    static const struct consent consent = {.what = "test", .how = "command"};
    assert_int_equal(person_find(db, address, &arena, &p), 1);
    assert_int_equal(subscription_set(db, LIST, p.id, state, 900, &consent), 0);
}

static struct person person_of(struct db *db, const char *address, struct arena *arena) {
    struct person p;
    assert_int_equal(person_find(db, address, arena, &p), 1);
    return p;
}

static void new_ones_are_there_all_at_once(void **state) {
    struct fixture *f = *state;
    struct batch b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .given_name = "Ana"), BATCH_NEW);
    assert_int_equal(PUT(f->db, &b, .address = "b@town.example"), BATCH_NEW);
    assert_int_equal(state_of(f->db, "a@town.example"), 0);
    struct batch_counts counts = {.rows = 2, .added = 2};
    assert_int_equal(batch_done(f->db, &b, &counts, 3000), 0);
    assert_int_equal(state_of(f->db, "a@town.example"), SUBSCRIPTION_ACTIVE);
    assert_int_equal(state_of(f->db, "b@town.example"), SUBSCRIPTION_ACTIVE);
    settle(f->db);
    AUTOARENA struct arena arena = {0};
    assert_string_equal(person_of(f->db, "a@town.example", &arena).given_name, "Ana");
    assert_int_equal(batch_done(f->db, &b, &counts, 3000), -ESTALE);
    assert_int_equal(fixture_int(f->db, "SELECT added FROM import"), 2);
}

static void one_at_a_time(void **state) {
    struct fixture *f = *state;
    struct why why;
    struct batch second, b = open_batch(f->db, false);
    assert_int_equal(batch_open(f->db, &about, false, 1000, &why, &second), -EBUSY);
    assert_string_equal(why.what, "another import is running");
    assert_int_equal(batch_open(f->db, &about, true, 1000, &why, &second), -EBUSY);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example"), BATCH_NEW);
    assert_int_equal(batch_fail(f->db, &b, 1100), 0);
    assert_int_equal(batch_open(f->db, &about, false, 1000, &why, &second), -EBUSY);
    assert_string_equal(why.what, "an import that was cut off is being cleared away");
    settle(f->db);
    b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example"), BATCH_NEW);
    finish(f->db, &b);
    b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .language = "fr"), BATCH_CHANGED);
    assert_int_equal(batch_done(f->db, &b, &(struct batch_counts){0}, 3000), 0);
    assert_int_equal(batch_open(f->db, &about, false, 1000, &why, &second), -EBUSY);
    assert_string_equal(why.what, "another import is being completed");
    settle(f->db);
    (void)open_batch(f->db, false);
}

static void known_ones(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct batch b = open_batch(f->db, false);
    static const char *const names[] = {"same", "changed", "left", "removed", "pending", "elsewhere", "suppressed"};
    for (int i = 0; i < 7; i++) {
        char address[64];
        (void)snprintf(address, sizeof address, "%s@town.example", names[i]);
        assert_int_equal(
            PUT(f->db, &b, .address = address, .given_name = "Vera", .language = "de", .attributes = "city\tBonn\n"),
            BATCH_NEW);
    }
    finish(f->db, &b);
    set_state(f->db, "left@town.example", SUBSCRIPTION_LEFT);
    set_state(f->db, "removed@town.example", SUBSCRIPTION_REMOVED);
    set_state(f->db, "pending@town.example", SUBSCRIPTION_PENDING);
    assert_int_equal(suppression_set(f->db, "suppressed@town.example", "hard", NULL, 1), 0);
    assert_int_equal(suppression_set(f->db, "stranger@town.example", "hard", NULL, 1), 0);
    assert_int_equal(db_run(f->db,
                            "DELETE FROM subscription WHERE subscriber = (SELECT id FROM subscriber WHERE address_key "
                            "= 'elsewhere@town.example')",
                            NULL, ""),
                     0);

    b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "same@town.example", .given_name = "Vera", .title = ""), BATCH_KNOWN);
    assert_int_equal(PUT(f->db, &b, .address = "changed@town.example", .language = "fr", .attributes = "tags\tx\n"),
                     BATCH_CHANGED);
    assert_int_equal(PUT(f->db, &b, .address = "left@town.example", .language = "fr"), BATCH_LEFT);
    assert_int_equal(PUT(f->db, &b, .address = "removed@town.example", .language = "fr"), BATCH_NEW);
    assert_int_equal(PUT(f->db, &b, .address = "pending@town.example"), BATCH_NEW);
    assert_int_equal(PUT(f->db, &b, .address = "elsewhere@town.example"), BATCH_NEW);
    assert_int_equal(PUT(f->db, &b, .address = "suppressed@town.example"), BATCH_SUPPRESSED);
    assert_int_equal(PUT(f->db, &b, .address = "stranger@town.example"), BATCH_SUPPRESSED);
    /* nothing of it is seen yet */
    assert_string_equal(person_of(f->db, "changed@town.example", &arena).language, "de");
    assert_int_equal(state_of(f->db, "removed@town.example"), SUBSCRIPTION_REMOVED);
    assert_int_equal(state_of(f->db, "elsewhere@town.example"), 0);
    finish(f->db, &b);
    assert_string_equal(person_of(f->db, "changed@town.example", &arena).language, "fr");
    assert_string_equal(person_of(f->db, "changed@town.example", &arena).given_name, "Vera");
    assert_string_equal(person_of(f->db, "changed@town.example", &arena).attributes, "city\tBonn\ntags\tx\n");
    assert_string_equal(person_of(f->db, "left@town.example", &arena).language, "de");
    assert_int_equal(state_of(f->db, "left@town.example"), SUBSCRIPTION_LEFT);
    assert_int_equal(state_of(f->db, "removed@town.example"), SUBSCRIPTION_ACTIVE);
    assert_int_equal(state_of(f->db, "pending@town.example"), SUBSCRIPTION_ACTIVE);
    assert_int_equal(state_of(f->db, "elsewhere@town.example"), SUBSCRIPTION_ACTIVE);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM consent WHERE what = 'restored' AND evidence = 'form of "
                                        "2024'"),
                     2);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM import_change"), 0);
}

/* Many at once: as far as they are new, each at an address of its own. */
static void new_ones_come_in_one(void **state) {
    struct fixture *f = *state;
    static const struct consent own = {.what = "subscribed", .how = "import", .basis = "consent", .evidence = "yes"};
    AUTOARENA struct arena arena = {0};
    struct batch b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "d@town.example"), BATCH_NEW);
    finish(f->db, &b);
    assert_int_equal(suppression_set(f->db, "f@town.example", "hard", NULL, 1), 0);

    static const char *const addresses[] = {"a@town.example", "b@town.example", "b@town.example", "c@town.example",
                                            "d@town.example", "e@town.example", "f@town.example", "g@town.example"};
    struct batch_row rows[COUNT_OF(addresses)];
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        rows[i] =
            (struct batch_row){.person = {.address_key = addresses[i], .address = addresses[i], .language = "fr"}};
    rows[0].person.address = "A@town.example";
    rows[0].person.organisation = "Verein";
    rows[0].person.tags = "+z\n+a\n";
    rows[1].consent = &own;
    rows[1].consent_usec = 700;
    b = open_batch(f->db, false);
    static const size_t expected[] = {2, 1, 0, 0, 1}; /* in between, batch_put() is asked */
    static const enum batch_result others[] = {BATCH_REPEATED, BATCH_CHANGED, BATCH_NEW, BATCH_SUPPRESSED};
    size_t at = 0;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        size_t count = 99;
        struct batch_told told;
        assert_int_equal(batch_put_new(f->db, &b, rows + at, COUNT_OF(rows) - at, 2000, &count), 0);
        assert_int_equal(count, expected[i]);
        at += count;
        if (i == COUNT_OF(others))
            break;
        assert_int_equal(batch_put_new(f->db, &b, rows + at, COUNT_OF(rows) - at, 2000, &count), 0);
        assert_int_equal(count, 0);
        assert_int_equal(batch_put(f->db, &b, &rows[at++], 2000, &told), 0);
        assert_int_equal(told.result, others[i]);
    }
    assert_int_equal(at, COUNT_OF(rows));
    assert_int_equal(batch_flush(f->db, &b), 0);
    assert_int_equal(state_of(f->db, "a@town.example"), 0); /* not yet */
    finish(f->db, &b);
    static const char *const there[] = {"a@town.example", "b@town.example", "c@town.example", "e@town.example",
                                        "g@town.example"};
    for (size_t i = 0; i < COUNT_OF(there); i++) {
        assert_int_equal(state_of(f->db, there[i]), SUBSCRIPTION_ACTIVE);
        assert_string_equal(person_of(f->db, there[i], &arena).language, "fr");
    }
    assert_string_equal(person_of(f->db, "a@town.example", &arena).address, "A@town.example");
    assert_string_equal(person_of(f->db, "a@town.example", &arena).organisation, "Verein");
    assert_int_equal(state_of(f->db, "f@town.example"), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM subscription WHERE tags = 'a' || char(10) || 'z' || "
                                        "char(10)"),
                     1);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM consent WHERE at = 700 AND import = 2"), 1);
    assert_int_equal(fixture_int(f->db, "SELECT max(id) = (SELECT seq FROM sqlite_sequence WHERE name = 'subscriber') "
                                        "FROM subscriber"),
                     1);
}

static const char *tags_of(struct db *db, const char *address, struct arena *arena) {
    AUTOBUF struct buf tags = BUF_INIT(10000);
    assert_int_equal(subscription_tags(db, LIST, person_of(db, address, arena).id, &tags), 0);
    return arena_dup(arena, buf_view(&tags));
}

/* Tags are the list's; those of a file go to those that are there, all at once and at the end. */
static void tags_are_merged(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct batch b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .tags = "+x\n+Old\n"), BATCH_NEW);
    assert_int_equal(PUT(f->db, &b, .address = "b@town.example"), BATCH_NEW);
    assert_int_equal(PUT(f->db, &b, .address = "c@town.example"), BATCH_NEW);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .tags = "+twice\n"), BATCH_REPEATED);
    assert_int_equal(PUT(f->db, &b, .address = "b@town.example", .tags = "+late\n"), BATCH_REPEATED);
    finish(f->db, &b);
    assert_string_equal(tags_of(f->db, "a@town.example", &arena), "Old\ntwice\nx\n");
    assert_string_equal(tags_of(f->db, "b@town.example", &arena), "late\n");
    assert_string_equal(tags_of(f->db, "c@town.example", &arena), "");
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM subscription"), 3);

    b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .tags = "-old\n+new\n"), BATCH_CHANGED);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .tags = "-new\n+newer\n"), BATCH_REPEATED);
    assert_int_equal(PUT(f->db, &b, .address = "b@town.example", .tags = "+LATE\n-none\n"), BATCH_KNOWN);
    assert_string_equal(tags_of(f->db, "a@town.example", &arena), "Old\ntwice\nx\n");
    finish(f->db, &b);
    assert_string_equal(tags_of(f->db, "a@town.example", &arena), "newer\ntwice\nx\n");
    assert_string_equal(tags_of(f->db, "b@town.example", &arena), "late\n");

    b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .tags = "-x\n"), BATCH_CHANGED);
    assert_int_equal(PUT(f->db, &b, .address = "d@town.example", .tags = "+x\n"), BATCH_NEW);
    assert_int_equal(batch_fail(f->db, &b, 5000), 0);
    settle(f->db);
    assert_string_equal(tags_of(f->db, "a@town.example", &arena), "newer\ntwice\nx\n");
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM subscription"), 3);
}

/* More than 64 together: those that are there stay, and it is told. */
static void too_many_tags_are_told(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf many = BUF_INIT(4096);
    for (int i = 0; i < 40; i++)
        buf_printf(&many, "+tag%d\n", i);
    const char *some = arena_dup(&arena, buf_view(&many));
    buf_clear(&many);
    for (int i = 40; i < 80; i++)
        buf_printf(&many, "+tag%d\n", i);
    struct batch b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .tags = some), BATCH_NEW);
    assert_false(too_many_tags);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .tags = buf_str(&many)), BATCH_REPEATED);
    assert_true(too_many_tags);
    finish(f->db, &b);
    const char *before = tags_of(f->db, "a@town.example", &arena);

    b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .tags = buf_str(&many), .language = "fr"),
                     BATCH_CHANGED);
    assert_true(too_many_tags);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .tags = "-tag1\n"), BATCH_REPEATED);
    assert_false(too_many_tags);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .tags = buf_str(&many)), BATCH_REPEATED);
    assert_true(too_many_tags);
    finish(f->db, &b);
    assert_int_equal(strlen(tags_of(f->db, "a@town.example", &arena)), strlen(before) - strlen("tag1\n"));
    assert_string_equal(person_of(f->db, "a@town.example", &arena).language, "fr");

    b = open_batch(f->db, true);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .tags = buf_str(&many)), BATCH_KNOWN);
    assert_true(too_many_tags);
}

static void two_names_are_a_couple(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    for (int round = 0; round < 2; round++) { /* the same file again changes nothing */
        struct batch b = open_batch(f->db, false);
        assert_int_equal(
            PUT(f->db, &b, .address = "m@town.example", .form = "f", .given_name = "Vera", .family_name = "Müller"),
            round ? BATCH_CHANGED : BATCH_NEW);
        assert_int_equal(
            PUT(f->db, &b, .address = "m@town.example", .form = "m", .given_name = "Hans", .family_name = "Müller"),
            round ? BATCH_REUNITED : BATCH_COUPLE);
        assert_int_equal(PUT(f->db, &b, .address = "m@town.example", .given_name = "VERA", .family_name = "MÜLLER"),
                         BATCH_REPEATED);
        assert_int_equal(PUT(f->db, &b, .address = "m@town.example", .given_name = "Ida", .family_name = "Müller"),
                         BATCH_CROWD);
        finish(f->db, &b);
        struct person p = person_of(f->db, "m@town.example", &arena);
        assert_string_equal(p.given_name, "Vera & Hans");
        assert_string_equal(p.family_name, "Müller");
        assert_string_equal(p.form, "f & m");
    }
    /* somebody known alone, whose address now has two */
    struct batch b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "s@town.example", .given_name = "Ana", .family_name = "Sá",
                         .salutation = "Liebe Ana"),
                     BATCH_NEW);
    finish(f->db, &b);
    b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "s@town.example", .given_name = "Ana", .family_name = "Sá"),
                     BATCH_KNOWN);
    assert_int_equal(PUT(f->db, &b, .address = "s@town.example", .given_name = "Rui", .family_name = "Vaz"),
                     BATCH_COUPLE);
    finish(f->db, &b);
    struct person p = person_of(f->db, "s@town.example", &arena);
    assert_string_equal(p.given_name, "Ana & Rui");
    assert_string_equal(p.family_name, "Sá & Vaz");
    assert_string_equal(p.salutation, "");
}

/* Who is known and stays as they are costs no row, and is not forgotten either. */
static void unchanged_ones_are_remembered(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    char address[64];
    struct batch b = {0};
    for (int round = 0; round < 2; round++) {
        b = open_batch(f->db, false);
        for (int i = 0; i < 100; i++) {
            (void)snprintf(address, sizeof address, "p%d@town.example", i);
            assert_int_equal(PUT(f->db, &b, .address = address, .given_name = "Vera", .family_name = "Sá"),
                             round ? BATCH_KNOWN : BATCH_NEW);
        }
        if (round == 0)
            finish(f->db, &b);
    }
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM import_change"), 0);
    assert_int_equal(PUT(f->db, &b, .address = "p7@town.example", .given_name = "Vera", .family_name = "Sá"),
                     BATCH_REPEATED);
    assert_int_equal(PUT(f->db, &b, .address = "p8@town.example", .given_name = "Rui", .family_name = "Vaz"),
                     BATCH_COUPLE);
    assert_int_equal(PUT(f->db, &b, .address = "p8@town.example", .given_name = "Ida", .family_name = "Paz"),
                     BATCH_CROWD);
    assert_int_equal(
        PUT(f->db, &b, .address = "p9@town.example", .given_name = "Vera", .family_name = "Sá", .tags = "+board\n"),
        BATCH_REPEATED);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM import_change"), 2);
    finish(f->db, &b);
    assert_string_equal(person_of(f->db, "p8@town.example", &arena).given_name, "Vera & Rui");
    assert_string_equal(tags_of(f->db, "p9@town.example", &arena), "board\n");
    assert_string_equal(person_of(f->db, "p7@town.example", &arena).given_name, "Vera");
}

static void a_row_may_carry_its_own_consent(void **state) {
    struct fixture *f = *state;
    static const struct consent own = {.what = "subscribed", .how = "import", .basis = "consent", .evidence = "yes"};
    struct batch b = open_batch(f->db, false);
    assert_int_equal(put_person(f->db, &b, (struct person){.address = "a@town.example"}, &own), BATCH_NEW);
    finish(f->db, &b);
    b = open_batch(f->db, false);
    assert_int_equal(put_person(f->db, &b, (struct person){.address = "a@town.example"}, &own), BATCH_KNOWN);
    finish(f->db, &b);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM consent"), 1);
    assert_int_equal(fixture_int(f->db, "SELECT import FROM consent"), 1);
    assert_int_equal(fixture_int(f->db, "SELECT at FROM consent"), 500);
}

static void a_trial_writes_nothing(void **state) {
    struct fixture *f = *state;
    struct batch b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example"), BATCH_NEW);
    finish(f->db, &b);
    int64_t imports = fixture_int(f->db, "SELECT count(*) FROM import");
    b = open_batch(f->db, true);
    assert_int_equal(PUT(f->db, &b, .address = "a@town.example", .language = "fr"), BATCH_CHANGED);
    assert_int_equal(PUT(f->db, &b, .address = "b@town.example"), BATCH_NEW);
    assert_int_equal(PUT(f->db, &b, .address = "b@town.example"), BATCH_NEW);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM subscriber"), 1);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM import_change"), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM import"), imports);
}

/* The whole content of the tables that an import touches, as one number. */
static int64_t fingerprint(struct db *db) {
    return fixture_int(db, "SELECT (SELECT coalesce(sum(id * 3 + length(given_name || language) + import), 0) FROM "
                           "subscriber) + (SELECT coalesce(sum(subscriber * 7 + state + import), 0) * 1000 FROM "
                           "subscription) + (SELECT count(*) * 1000000 FROM consent) + (SELECT count(*) * 3000000 FROM "
                           "import_change) + (SELECT count(*) * 7000000 FROM import)");
}

/* Wherever it was cut off, and wherever the sweep was cut off: everything is as before. */
static void a_failed_one_leaves_no_trace(void **state) {
    struct fixture *f = *state;
    static const struct consent own = {.what = "subscribed", .how = "import", .evidence = "yes"};
    struct batch b = open_batch(f->db, false);
    assert_int_equal(db_begin(f->db), 0);
    char address[64];
    for (int i = 0; i < 1500; i++) {
        (void)snprintf(address, sizeof address, "p%d@town.example", i);
        (void)put_person(f->db, &b, (struct person){.address = address, .given_name = "Vera"}, NULL);
    }
    finish(f->db, &b);
    assert_int_equal(db_run(f->db, "DELETE FROM subscription WHERE subscriber % 2 = 0", NULL, ""), 0);
    assert_int_equal(db_run(f->db, "UPDATE subscription SET state = 4 WHERE subscriber % 3 = 0", NULL, ""), 0);
    assert_int_equal(db_commit(f->db), 0);
    int64_t before = fingerprint(f->db);
    for (int rows = 0; rows < 3000; rows += 611) {
        b = open_batch(f->db, false);
        assert_int_equal(db_begin(f->db), 0);
        for (int i = 0; i < rows; i++) {
            (void)snprintf(address, sizeof address, "p%d@town.example", i);
            (void)put_person(f->db, &b, (struct person){.address = address, .given_name = "Ana", .language = "fr"},
                             &own);
        }
        assert_int_equal(db_commit(f->db), 0);
        fixture_reopen(f);
        assert_int_equal(batch_recover(f->db, 4000), 0);
        int slices = 1;
        db_slice_begin(f->db, 0);
        while (batch_settle(f->db, 4000) == STORE_MORE) {
            slices++;
            fixture_reopen(f);
            assert_int_equal(batch_recover(f->db, 4000), 0);
            db_slice_begin(f->db, 0);
        }
        assert_true(slices >= rows / 500);
        assert_true(fingerprint(f->db) == before);
        assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM subscription WHERE import NOT IN (SELECT id FROM "
                                            "import)"),
                         0);
    }
}

/* What people do by hand while an import runs stays, whatever becomes of the import. */
static void work_by_hand_stays(void **state) {
    struct fixture *f = *state;
    static const struct consent joined = {.what = "subscribed", .how = "command"};
    for (int good = 0; good < 2; good++) {
        struct batch b = open_batch(f->db, false);
        const char *address = good ? "a@town.example" : "b@town.example";
        assert_int_equal(PUT(f->db, &b, .address = address, .given_name = "Ana"), BATCH_NEW);
        struct person p = {.address_key = address, .address = address, .given_name = "Eva"};
        int64_t id;
        bool is_new;
        assert_int_equal(person_save(f->db, &p, 2500, &id, &is_new), 0);
        assert_true(is_new);
        assert_int_equal(subscription_set(f->db, LIST + 1, id, SUBSCRIPTION_ACTIVE, 2500, &joined), 0);
        assert_int_equal(state_of(f->db, address), 0);
        if (good)
            finish(f->db, &b);
        else
            assert_int_equal(batch_fail(f->db, &b, 2600), 0);
        settle(f->db);
        AUTOARENA struct arena arena = {0};
        assert_string_equal(person_of(f->db, address, &arena).given_name, "Eva");
        assert_int_equal(state_of(f->db, address), good ? SUBSCRIPTION_ACTIVE : 0);
        struct subscription s;
        assert_int_equal(subscription_get(f->db, LIST + 1, id, &s), 1);
    }
}

static void applying_goes_on_after_a_crash(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    char address[64];
    for (int round = 0; round < 2; round++) {
        struct batch b = open_batch(f->db, false);
        assert_int_equal(db_begin(f->db), 0);
        for (int i = 0; i < 1000; i++) {
            (void)snprintf(address, sizeof address, "p%d@town.example", i);
            (void)put_person(f->db, &b, (struct person){.address = address, .given_name = round ? "Ana" : "Vera"},
                             NULL);
        }
        assert_int_equal(batch_done(f->db, &b, &(struct batch_counts){.rows = 1000}, 3000), 0);
        assert_int_equal(db_commit(f->db), 0);
        if (round == 0)
            settle(f->db);
    }
    set_state(f->db, "p999@town.example", SUBSCRIPTION_LEFT); /* after the end of the import, before its changes */
    int slices = 1;
    db_slice_begin(f->db, 0);
    while (batch_settle(f->db, 4000) == STORE_MORE) {
        slices++;
        fixture_reopen(f);
        assert_int_equal(batch_recover(f->db, 4000), 0);
        db_slice_begin(f->db, 0);
    }
    assert_int_equal(slices, 6);
    assert_string_equal(person_of(f->db, "p0@town.example", &arena).given_name, "Ana");
    assert_string_equal(person_of(f->db, "p999@town.example", &arena).given_name, "Ana");
    assert_int_equal(state_of(f->db, "p999@town.example"), SUBSCRIPTION_LEFT);
}

static struct batch_others note_others(struct db *db, const struct batch *b) {
    struct batch_others others = {0};
    while (batch_remove_others(db, b, &others) == STORE_MORE)
        ;
    return others;
}

/* A batch that is the whole list: who is not in it goes, in the same moment as the others come. */
static void others_are_removed(void **state) {
    struct fixture *f = *state;
    struct batch b = open_batch(f->db, false);
    for (const char *const *a = (const char *const[]){"stays@town.example", "goes@town.example", "left@town.example",
                                                      "quiet@town.example", NULL};
         *a; a++)
        (void)PUT(f->db, &b, .address = *a);
    finish(f->db, &b);
    set_state(f->db, "left@town.example", SUBSCRIPTION_LEFT);
    assert_int_equal(suppression_set(f->db, "quiet@town.example", "complaint", "", 900), 0);
    int64_t alone;
    bool is_new;
    struct person p = {.address = "alone@town.example", .address_key = "alone@town.example"};
    assert_int_equal(person_save(f->db, &p, 900, &alone, &is_new), 0);
    set_state(f->db, "alone@town.example", SUBSCRIPTION_ACTIVE);

    for (int cut_off = 1; cut_off >= 0; cut_off--) {
        b = open_batch(f->db, false);
        assert_int_equal(PUT(f->db, &b, .address = "new@town.example"), BATCH_NEW);
        (void)PUT(f->db, &b, .address = "stays@town.example");
        (void)PUT(f->db, &b, .address = "left@town.example");
        (void)PUT(f->db, &b, .address = "quiet@town.example");
        struct batch_others others = note_others(f->db, &b);
        assert_int_equal(others.members, 4);
        assert_int_equal(others.removed, 1);
        assert_int_equal(state_of(f->db, "goes@town.example"), SUBSCRIPTION_ACTIVE);
        if (cut_off) {
            assert_int_equal(batch_recover(f->db, 3500), 0);
            settle(f->db);
            assert_int_equal(state_of(f->db, "goes@town.example"), SUBSCRIPTION_ACTIVE);
            assert_int_equal(state_of(f->db, "new@town.example"), 0);
        }
    }
    finish(f->db, &b);
    static const struct {
        const char *address;
        enum subscription_state want;
    } after[] = {{"stays@town.example", SUBSCRIPTION_ACTIVE}, {"goes@town.example", SUBSCRIPTION_REMOVED},
                 {"left@town.example", SUBSCRIPTION_LEFT},    {"quiet@town.example", SUBSCRIPTION_ACTIVE},
                 {"alone@town.example", SUBSCRIPTION_ACTIVE}, {"new@town.example", SUBSCRIPTION_ACTIVE}};
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        if (state_of(f->db, after[i].address) != (int)after[i].want)
            fail_msg("%s is %d", after[i].address, state_of(f->db, after[i].address));
    int64_t told = 0;
    assert_int_equal(db_get_int(f->db,
                                "SELECT count(*) FROM consent WHERE what = 'removed' AND evidence = 'no longer in the "
                                "file' AND origin = 'vera, people.csv'",
                                &told, ""),
                     1);
    assert_int_equal(told, 1);

    b = open_batch(f->db, false);
    assert_int_equal(PUT(f->db, &b, .address = "goes@town.example"), BATCH_NEW);
    finish(f->db, &b);
    assert_int_equal(state_of(f->db, "goes@town.example"), SUBSCRIPTION_ACTIVE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(new_ones_are_there_all_at_once),
        FIXTURE_TEST(one_at_a_time),
        FIXTURE_TEST(known_ones),
        FIXTURE_TEST(new_ones_come_in_one),
        FIXTURE_TEST(tags_are_merged),
        FIXTURE_TEST(too_many_tags_are_told),
        FIXTURE_TEST(two_names_are_a_couple),
        FIXTURE_TEST(unchanged_ones_are_remembered),
        FIXTURE_TEST(a_row_may_carry_its_own_consent),
        FIXTURE_TEST(a_trial_writes_nothing),
        FIXTURE_TEST(a_failed_one_leaves_no_trace),
        FIXTURE_TEST(work_by_hand_stays),
        FIXTURE_TEST(applying_goes_on_after_a_crash),
        FIXTURE_TEST(others_are_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
