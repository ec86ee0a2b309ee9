/* Opt-outs that are repeated in a store which knows the membership no more. */
#include "conf_unit.h"
#include "fixed_keys.h"
#include "store_helper.h"

#include <errno.h>

#include "base/number.h"
#include "people/member.h"
#include "people/opt_outs.h"
#include "people/privacy.h"
#include "people/requests_act.h"
#include "store/suppression.h"
#include "trust/code.h"
#include "trust/token.h"

#define NOW (20000 * USEC_PER_DAY)
enum { FIRST = 7, SECOND = 8, THIRD = 9, OTHERS = 10, PERSON = 1 };
static const char address[] = "person1@town.example";

struct house {
    struct fixture *f;
    struct keyring *keys;
    struct conf *conf;
    struct opt_outs_who who; /* of the last record */
    char token[TOKEN_TEXT_MAX + 1], code[CODE_TEXT_MAX + 1];
};

static int open_house(void **state) {
    void *f;
    if (fixture_setup(&f) < 0)
        return -1;
    struct house *h = calloc(1, sizeof *h);
    h->f = f;
    h->keys = fixed_keys();
    AUTOFREE char *here = realpath("templates", NULL);
    AUTOBUF struct buf text = BUF_INIT(1 << 16);
    buf_printf(
        &text,
        "[daemon]\ntemplates = %s\n" MINIMAL
        "[sender other]\nname = Other\naddress = news@other.example\npublic-url = https://other.example\n"
        "[list a]\nsender = office\ntitle = A\nlanguages = de\n[list b]\nsender = office\ntitle = B\nlanguages = "
        "de\n[list c]\nsender = office\ntitle = C\nlanguages = de\n"
        "[list others]\nsender = other\ntitle = Others\nlanguages = de\n",
        here ? here : "");
    h->conf = conf_unit_read(buf_view(&text), NULL);
    for (size_t i = 0; i < h->conf->list_count; i++)
        h->conf->lists[i].id = FIRST + (uint32_t)i;
    *state = h;
    return 0;
}

static int close_house(void **state) {
    struct house *h = *state;
    void *f = h->f;
    (void)conf_unref(h->conf);
    h->keys = keyring_free(h->keys);
    free(h);
    return fixture_teardown(&f);
}

static void run(struct house *h, const char *sql) {
    assert_int_equal(db_run(h->f->db, sql, NULL, ""), 0);
}

static int64_t count(struct house *h, const char *sql) {
    return fixture_int(h->f->db, sql);
}

/* On all lists; announcement 40 went to them through the first two. */
static void know_the_person(struct house *h) {
    run(h, "INSERT INTO subscriber (id, address_key, address, language, created, changed) VALUES (1, "
           "'person1@town.example', '', 'de', 1, 0)");
    run(h, "INSERT INTO subscription (list, subscriber, state, since) VALUES (7, 1, 2, 1), (8, 1, 2, 1), (9, 1, 2, 1), "
           "(10, 1, 2, 1)");
    run(h, "INSERT INTO announcement (id, name, list, list_name, subject, state, identity, by, created, send_at, "
           "send_until) VALUES (40, 'x', 7, 'a', 'x', 7, x'00', 'x', 1, 0, 0)");
    run(h, "INSERT INTO announcement_list (announcement, place, list, name) VALUES (40, 0, 7, 'a'), (40, 1, 8, 'b')");
    run(h, "INSERT INTO delivery (announcement, subscriber, list, language, state, at) VALUES (40, 1, 7, 'de', 2, "
           "1728000000000000)"); /* 20000 days, as NOW */
}

/* The store as a backup has it from before the announcement; and from before the person, or some of the memberships. */
static void go_back(struct house *h, const char *const *gone) {
    run(h, "DELETE FROM announcement");
    run(h, "DELETE FROM announcement_list");
    run(h, "DELETE FROM delivery");
    run(h, "DELETE FROM consent");
    run(h, "DELETE FROM suppression");
    run(h, "DELETE FROM opt_out");
    run(h, "UPDATE subscription SET state = 2, since = 1");
    for (; *gone; gone++)
        assert_int_equal(db_run(h->f->db, *gone, NULL, ""), 0);
}

static struct request_act act(struct house *h, bool replayed) {
    return (struct request_act){
        .db = h->f->db, .keys = h->keys, .conf = h->conf, .now_usec = NOW, .at_usec = NOW, .replayed = replayed};
}

static request_do *function_of(enum request_verb verb) {
    switch ((int)verb) {
    case REQUEST_LEAVE: return requests_leave;
    case REQUEST_UNDO: return requests_undo;
    case REQUEST_LEAVE_ALL: return requests_leave_all;
    case REQUEST_UNDO_ALL: return requests_undo_all;
    case REQUEST_PREFERENCES: return requests_preferences;
    case REQUEST_COMPLAINT: return requests_complaint;
    case REQUEST_MAIL_LEAVE: return requests_mail_leave;
    case REQUEST_COMMAND_LEAVE: return requests_command_leave;
    default: fail_msg("no such verb here"); return NULL;
    }
}

/* As the job does it: once, and of a repeated one what the verb could not do. */
static void apply(struct house *h, struct request q, bool replayed) {
    struct request_act a = act(h, replayed);
    const char *result = "";
    a.at_usec = q.at_usec;
    if (replayed)
        opt_outs_put(&h->who, &q);
    assert_true(request_is_whole(&q));
    assert_int_equal(function_of(q.verb)(&a, &q, &result), 0);
    if (replayed)
        assert_int_equal(opt_outs_repeat(&a, &q), 0);
    else
        h->who = a.who;
}

static struct request request(struct house *h, enum request_verb verb, bool by_code) {
    AUTOBUF struct buf token = BUF_INIT(TOKEN_TEXT_MAX), code = BUF_INIT(CODE_TEXT_MAX);
    struct token t = {.purpose = TOKEN_RECIPIENT, .list = FIRST, .subscriber = PERSON};
    struct request q = {.id = {(uint8_t)verb}, .at_usec = NOW, .verb = verb};
    assert_int_equal(token_sign(h->keys, &t, &token), 0);
    code_make(h->keys, CODE_BOUNCE, 40, PERSON, &code);
    (void)snprintf(h->token, sizeof h->token, "%s", buf_str(&token)); /* fits */
    (void)snprintf(h->code, sizeof h->code, "%s", buf_str(&code));    /* the same */
    q.value[by_code ? REQUEST_KEY_CODE : REQUEST_KEY_TOKEN] = view_of(by_code ? h->code : h->token);
    return q;
}

static int64_t noted(struct house *h, uint32_t list) {
    int64_t n = -1;
    assert_int_equal(
        db_get_int(h->f->db, "SELECT count(*) FROM opt_out WHERE list = ? AND at = ?", &n, "ii", (int64_t)list, NOW),
        1);
    return n;
}

/* 0: not on it. */
static int64_t state_on(struct house *h, uint32_t list) {
    int64_t state = 0;
    assert_true(db_get_int(h->f->db, "SELECT state FROM subscription WHERE list = ? AND subscriber = 1", &state, "i",
                           (int64_t)list) >= 0);
    return state;
}

static const char *const unknown_person[] = {"DELETE FROM subscriber", "DELETE FROM subscription", NULL},
                         *const known_on_the_first[] = {"DELETE FROM subscription WHERE list <> 7", NULL},
                         *const known[] = {NULL};

/* Which lists each kind leaves; everything: nothing is to be sent to the address any more. */
static const struct kind {
    enum request_verb verb;
    bool by_code, everything;
    const char *announcement, *leave, *how, *said;
    bool lists[4]; /* FIRST, SECOND, THIRD, OTHERS */
} kinds[] = {
    {REQUEST_LEAVE, false, false, "", "", "one-click", "one-click", {true, false, false, false}},
    {REQUEST_LEAVE, false, false, "40", "", "link", "link", {true, true, false, false}},
    {REQUEST_LEAVE_ALL, false, false, "40", "", "link", "link", {true, true, true, false}},
    {REQUEST_PREFERENCES, false, false, "", "8,9,10", "", "preferences", {false, true, true, false}},
    {REQUEST_MAIL_LEAVE, false, false, "", "", "", "mail", {true, false, false, false}},
    {REQUEST_MAIL_LEAVE, true, false, "", "", "", "mail", {true, true, false, false}},
    {REQUEST_COMPLAINT, false, true, "", "", "", "complaint", {true, false, false, false}},
    {REQUEST_COMPLAINT, true, true, "", "", "", "complaint", {true, false, false, false}},
};

static struct request request_of(struct house *h, const struct kind *k) {
    struct request q = request(h, k->verb, k->by_code);
    q.value[REQUEST_KEY_ANNOUNCEMENT] = view_of(k->announcement);
    q.value[REQUEST_KEY_LEAVE] = view_of(k->leave);
    q.value[REQUEST_KEY_HOW] = view_of(k->how);
    return q;
}

static void leaving_outlives_a_restore(void **state) {
    struct house *h = *state;
    static const char *const *const stores[] = {unknown_person, known_on_the_first, known};
    for (size_t i = 0; i < COUNT_OF(kinds) * COUNT_OF(stores); i++) {
        const struct kind *k = &kinds[i / COUNT_OF(stores)];
        const char *const *gone = stores[i % COUNT_OF(stores)];
        run(h, "DELETE FROM subscriber");
        run(h, "DELETE FROM subscription");
        run(h, "DELETE FROM returned");
        go_back(h, known);
        know_the_person(h);
        struct request q = request_of(h, k);
        apply(h, q, false);
        assert_int_equal(count(h, "SELECT count(*) FROM opt_out"), 0);
        run(h, "DELETE FROM returned");
        go_back(h, gone);
        for (int round = 0; round < 2; round++) /* a record may stand there twice */
            apply(h, q, true);
        int notes = 0;
        for (uint32_t n = 0; n < COUNT_OF(k->lists); n++) {
            bool on = gone == known || (gone == known_on_the_first && n == 0);
            int64_t is = state_on(h, FIRST + n), wanted = !on           ? 0
                                                          : k->lists[n] ? SUBSCRIPTION_LEFT
                                                                        : SUBSCRIPTION_ACTIVE;
            if (is != wanted || noted(h, FIRST + n) != (!on && k->lists[n]))
                fail_msg("case %zu, list %u: %d", i, (unsigned)n, (int)is);
            notes += !on && k->lists[n];
        }
        bool by_hash = k->everything && gone == unknown_person;
        assert_int_equal(noted(h, OPT_OUT_EVERYTHING), by_hash);
        assert_int_equal(count(h, "SELECT count(*) FROM suppression WHERE reason = 'complaint'"),
                         k->everything && !by_hash);
        assert_int_equal(count(h, "SELECT count(*) FROM opt_out"), notes + by_hash);
        int64_t otherwise = -1;
        assert_int_equal(db_get_int(h->f->db,
                                    "SELECT (SELECT count(*) FROM opt_out WHERE how <> ?1) + (SELECT count(*) FROM "
                                    "consent WHERE what = 'left' AND how <> ?1)",
                                    &otherwise, "t", k->said),
                         1);
        assert_int_equal(otherwise, 0);
    }
}

/* What was taken back within the hour is taken back there, too. */
static void so_does_an_undo(void **state) {
    struct house *h = *state;
    static const struct {
        enum request_verb leave, undo;
    } cases[] = {{REQUEST_LEAVE, REQUEST_UNDO}, {REQUEST_LEAVE_ALL, REQUEST_UNDO_ALL}};
    static const char *const *const stores[] = {unknown_person, known_on_the_first, known};
    for (size_t i = 0; i < COUNT_OF(cases) * COUNT_OF(stores); i++) {
        const char *const *gone = stores[i % COUNT_OF(stores)];
        run(h, "DELETE FROM subscriber");
        run(h, "DELETE FROM subscription");
        go_back(h, known);
        know_the_person(h);
        struct request leave = request(h, cases[i / COUNT_OF(stores)].leave, false), undo = leave;
        leave.value[REQUEST_KEY_HOW] = VIEW("link");
        leave.value[REQUEST_KEY_ANNOUNCEMENT] = VIEW("40");
        undo = leave;
        undo.verb = cases[i / COUNT_OF(stores)].undo;
        undo.at_usec += 60 * USEC_PER_SEC;
        apply(h, leave, false);
        struct opt_outs_who left = h->who;
        apply(h, undo, false);
        struct opt_outs_who back = h->who;
        assert_string_equal(left.hash, back.hash);
        assert_int_equal(state_on(h, SECOND), SUBSCRIPTION_ACTIVE);
        go_back(h, gone);
        h->who = left;
        apply(h, leave, true);
        assert_int_equal(count(h, "SELECT count(*) FROM opt_out") > 0, gone != known);
        h->who = back;
        apply(h, undo, true);
        assert_int_equal(count(h, "SELECT count(*) FROM opt_out"), 0);
        assert_int_equal(count(h, "SELECT count(*) FROM subscription WHERE state <> 2"), 0);
    }
}

/* By phone: of one list, or of all. */
static void commands_say_who_it_was(void **state) {
    struct house *h = *state;
    for (int all = 0; all < 2; all++) {
        run(h, "DELETE FROM subscriber");
        run(h, "DELETE FROM subscription");
        go_back(h, known);
        know_the_person(h);
        run(h, "UPDATE subscription SET state = 3 WHERE list <> 10");
        const uint32_t lists[] = {FIRST, SECOND, THIRD, OTHERS};
        struct opt_outs_who who = {0};
        assert_int_equal(opt_outs_who(h->f->db, h->keys, PERSON, SUBSCRIPTION_LEFT, lists, all ? 4 : 1, &who), 0);
        assert_string_equal(who.lists, all ? "7,8,9" : "7");
        struct request q = {.id = {1}, .at_usec = NOW, .verb = REQUEST_COMMAND_LEAVE};
        q.value[REQUEST_KEY_HOW] = VIEW("phone");
        q.value[REQUEST_KEY_BY] = VIEW("vera");
        q.value[REQUEST_KEY_REASON] = VIEW("she called");
        q.value[REQUEST_KEY_LIST] = all ? VIEW("") : VIEW("7");
        go_back(h, unknown_person);
        h->who = who;
        apply(h, q, true);
        assert_int_equal(count(h, "SELECT count(*) FROM opt_out WHERE how = 'phone'"), all ? 3 : 1);
        assert_int_equal(noted(h, OTHERS), 0);
    }
}

/* Nobody, no key, or more than a record holds. */
static void of_some_nothing_is_kept(void **state) {
    struct house *h = *state;
    uint32_t lists[REQUEST_LISTS_MAX + 1];
    struct opt_outs_who who = {0};
    know_the_person(h);
    for (uint32_t i = 0; i < COUNT_OF(lists); i++) {
        lists[i] = 1000 + i;
        assert_int_equal(db_run(h->f->db,
                                "INSERT INTO subscription (list, subscriber, state, since) VALUES (?, 1, 3, 1)", NULL,
                                "i", (int64_t)lists[i]),
                         0);
    }
    assert_int_equal(opt_outs_who(h->f->db, h->keys, PERSON, SUBSCRIPTION_LEFT, lists, COUNT_OF(lists), &who), 0);
    assert_string_equal(who.hash, "");
    assert_int_equal(opt_outs_who(h->f->db, h->keys, 2, SUBSCRIPTION_LEFT, lists, 1, &who), 0);
    assert_string_equal(who.hash, "");
    assert_int_equal(opt_outs_who(h->f->db, NULL, PERSON, SUBSCRIPTION_LEFT, lists, 1, &who), 0);
    assert_string_equal(who.hash, "");
    assert_int_equal(opt_outs_who(h->f->db, h->keys, PERSON, SUBSCRIPTION_ACTIVE, lists, 1, &who), 0);
    assert_string_equal(who.hash, "");
    assert_int_equal(opt_outs_who(h->f->db, h->keys, PERSON, SUBSCRIPTION_LEFT, lists, REQUEST_LISTS_MAX, &who), 0);
    assert_int_equal(strlen(who.hash), 64);
    struct request q = request(h, REQUEST_LEAVE, false);
    q.value[REQUEST_KEY_HOW] = VIEW("link");
    opt_outs_put(&who, &q);
    assert_true(request_is_whole(&q));
}

/* --- What holds, and until when ------------------------------------------------------------------------------- */

static void note(struct house *h, uint32_t list) {
    uint8_t hash[OPT_OUT_HASH_BYTES];
    code_address_hash(h->keys, view_of(address), hash);
    assert_int_equal(opt_out_note(h->f->db, hash, list, NOW, list ? "link" : "complaint"), 0);
}

static struct member_act command(struct house *h) {
    return (struct member_act){.by = "vera", .basis = "consent", .evidence = "asked", .now_usec = NOW, .keys = h->keys};
}

static int add(struct house *h, uint32_t list, bool again, struct why *why) {
    const struct member_act a = command(h);
    bool is_new;
    return member_add(h->f->db, list, view_of(address), NULL, 0, NULL, 0, again, &a, why, &is_new);
}

static void nobody_is_added_by_accident(void **state) {
    struct house *h = *state;
    struct why why;
    note(h, FIRST);
    assert_int_equal(add(h, FIRST, false, &why), -ESTALE);
    assert_string_equal(why.what, "this person left the list on 2024-10-04");
    assert_int_equal(add(h, SECOND, false, &why), 0);
    assert_int_equal(add(h, FIRST, false, &why), -ESTALE);
    assert_int_equal(add(h, FIRST, true, &why), 0);
    assert_int_equal(count(h, "SELECT count(*) FROM opt_out"), 0);
    assert_int_equal(state_on(h, FIRST), SUBSCRIPTION_ACTIVE);
}

static void nothing_is_sent_until_it_is_taken_back(void **state) {
    struct house *h = *state;
    const struct member_act a = command(h);
    struct why why;
    note(h, OPT_OUT_EVERYTHING);
    assert_int_equal(add(h, FIRST, true, &why), -ESTALE);
    assert_string_equal(why.what, "nothing is sent to this address any more (complaint)");
    assert_int_equal(privacy_unsuppress(h->f->db, view_of(address), &a, &why), 0);
    assert_int_equal(privacy_unsuppress(h->f->db, view_of(address), &a, &why), -ESTALE);
    assert_int_equal(add(h, FIRST, false, &why), 0);
    /* nor to somebody else who gets that address */
    assert_int_equal(member_change_address(h->f->db, view_of(address), VIEW("other@town.example"), &a, &why), 0);
    note(h, OPT_OUT_EVERYTHING);
    assert_int_equal(member_change_address(h->f->db, VIEW("other@town.example"), view_of(address), &a, &why), 0);
    assert_int_equal(count(h,
                           "SELECT count(*) FROM suppression WHERE address_key = 'person1@town.example' AND reason = "
                           "'complaint'"),
                     1);
    assert_int_equal(count(h, "SELECT count(*) FROM opt_out"), 0);
}

static void erasure_takes_the_place(void **state) {
    struct house *h = *state;
    const struct member_act a = command(h);
    struct why why;
    note(h, FIRST);
    note(h, OPT_OUT_EVERYTHING);
    assert_int_equal(privacy_erase(h->f->db, view_of(address), &a, &why), 0);
    assert_int_equal(count(h, "SELECT count(*) FROM opt_out"), 0);
    assert_int_equal(count(h, "SELECT count(*) FROM erased"), 1);
    assert_int_equal(privacy_erase(h->f->db, view_of(address), &a, &why), -ENOENT);
}

int main(void) {
#define HOUSE_TEST(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(leaving_outlives_a_restore),  HOUSE_TEST(so_does_an_undo),
        HOUSE_TEST(commands_say_who_it_was),     HOUSE_TEST(of_some_nothing_is_kept),
        HOUSE_TEST(nobody_is_added_by_accident), HOUSE_TEST(nothing_is_sent_until_it_is_taken_back),
        HOUSE_TEST(erasure_takes_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
