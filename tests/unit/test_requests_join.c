/* The web door's requests about joining, as functions over the store: requests_join.c and requests_preferences.c, with the
 * limits of asking.c and the mails of letters.c. */
#include "conf_unit.h"
#include "fixed_keys.h"
#include "store_helper.h"

#include "base/number.h"
#include "people/asking.h"
#include "people/joining.h"
#include "people/requests_act.h"
#include "store/consent.h"
#include "store/sign_up.h"
#include "store/subscription.h"
#include "store/suppression.h"
#include "trust/code.h"
#include "trust/token.h"

#define NOW (20000 * USEC_PER_DAY)
#define MINUTE (60 * INT64_C(1000000))
enum { OPEN = 7, ALSO_OPEN = 8, CLOSED = 9, OTHERS = 10 };

struct joined {
    struct fixture *f;
    struct keyring *keys;
    struct conf *conf;
    struct request_act act;
};

static int open_all(void **state) {
    void *f;
    if (fixture_setup(&f) < 0)
        return -1;
    struct joined *j = calloc(1, sizeof *j);
    j->f = f;
    j->keys = fixed_keys();
    AUTOFREE char *here = realpath("templates", NULL);
    AUTOBUF struct buf text = BUF_INIT(1 << 16);
    buf_printf(&text,
               "[daemon]\ntemplates = %s\n" MINIMAL
               "[sender other]\nname = Other\naddress = news@other.example\npublic-url = https://other.example\n"
               "[web]\nsign-ups-source = 4/h\nsign-ups-list = 5/h\n"
               "[list workshops]\nsender = office\ntitle = Workshops\nlanguages = de\nopen = yes\n"
               "[list news]\nsender = office\ntitle = News\nlanguages = de\nopen = yes\n"
               "[list board]\nsender = office\ntitle = Board\nlanguages = de\n"
               "[list others]\nsender = other\ntitle = Others\nlanguages = de\nopen = yes\n",
               here ? here : "");
    j->conf = conf_unit_read(buf_view(&text), NULL);
    for (size_t i = 0; i < j->conf->list_count; i++)
        j->conf->lists[i].id = OPEN + (uint32_t)i;
    j->act = (struct request_act){.db = j->f->db, .keys = j->keys, .conf = j->conf, .now_usec = NOW, .at_usec = NOW};
    *state = j;
    return 0;
}

static int close_all(void **state) {
    struct joined *j = *state;
    void *f = j->f;
    (void)conf_unref(j->conf);
    j->keys = keyring_free(j->keys);
    free(j);
    return fixture_teardown(&f);
}

static const char *sign_up(struct joined *j, uint32_t list, const char *address, const char *source) {
    char id[16];
    const char *result = NULL;
    (void)snprintf(id, sizeof id, "%u", list); /* fits */
    static uint8_t number;
    const struct request q = {.id = {++number},
                              .at_usec = j->act.at_usec,
                              .verb = REQUEST_SIGN_UP,
                              .value = {[REQUEST_KEY_LIST] = view_of(id),
                                        [REQUEST_KEY_ADDRESS] = view_of(address),
                                        [REQUEST_KEY_LANGUAGE] = VIEW("de"),
                                        [REQUEST_KEY_CONSENT] = VIEW("1"),
                                        [REQUEST_KEY_WORDING] = VIEW("Ja"),
                                        [REQUEST_KEY_SOURCE] = view_of(source)}};
    int r = requests_sign_up(&j->act, &q, &result);
    if (r < 0)
        fail_msg("%s: %s", address, strerror(-r));
    return result;
}

static int64_t count(struct joined *j, const char *sql) {
    return fixture_int(j->f->db, sql);
}

/* The token in the last mail. */
static const char *mailed(struct joined *j, const char *path) {
    static char token[TOKEN_TEXT_MAX + 1];
    struct row *row = NULL;
    token[0] = '\0';
    assert_int_equal(db_query(j->f->db, "SELECT message FROM notice ORDER BY id DESC LIMIT 1", &row, ""), 0);
    assert_int_equal(db_next(row), 1);
    struct view v = row_view(row, 0);
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    /* Quoted-printable: soft line ends are taken out. */
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] == '=' && i + 2 < v.len && v.ptr[i + 1] == '\r')
            i += 2;
        else
            buf_putc(&text, v.ptr[i]);
    db_end(row);
    const char *at = strstr(buf_str(&text), path);
    assert_non_null(at);
    at += strlen(path);
    (void)snprintf(token, sizeof token, "%.*s",
                   (int)strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                   at); /* a longer one is none */
    return token;
}

static const char *confirm(struct joined *j, const char *token) {
    const char *result = NULL;
    const struct request q = {
        .id = {2}, .at_usec = j->act.at_usec, .verb = REQUEST_CONFIRM, .value = {[REQUEST_KEY_TOKEN] = view_of(token)}};
    assert_int_equal(requests_confirm(&j->act, &q, &result), 0);
    return result;
}

static void who_may_ask_for_what(void **state) {
    struct joined *j = *state;
    (void)fixture_member(j->f->db, OPEN, 1, "de", 1);
    static const char *const reasons[] = {"complaint", "command", "hard-bounce"};
    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "s%zu@town.example", i); /* fits */
        assert_int_equal(db_run(j->f->db,
                                "INSERT INTO suppression (address_key, reason, detail, since) VALUES (?, ?, '', 1)",
                                NULL, "tt", key, reasons[i]),
                         0);
    }
    static const struct {
        uint32_t list;
        const char *address, *want;
        int mails;
    } cases[] = {
        {OPEN, "new@town.example", "asked", 1},        {CLOSED, "new2@town.example", REQUEST_REFUSED, 0},
        {99, "new2@town.example", REQUEST_REFUSED, 0}, {OPEN, "no address", "nothing", 0},
        {OPEN, "person1@town.example", "reminded", 1}, {ALSO_OPEN, "person1@town.example", "asked", 1},
        {OPEN, "s0@town.example", "blocked", 0},       {OPEN, "s1@town.example", "blocked", 0},
        {OPEN, "s2@town.example", "asked", 1}, /* what came back may live again */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int64_t before = count(j, "SELECT count(*) FROM notice");
        const char *result = sign_up(j, cases[i].list, cases[i].address, "");
        if (strcmp(result, cases[i].want) != 0 || count(j, "SELECT count(*) FROM notice") - before != cases[i].mails)
            fail_msg("case %zu: %s", i, result);
    }
    assert_int_equal(count(j, "SELECT count(*) FROM subscriber"), 1);
}

static void limits_hold(void **state) {
    struct joined *j = *state;
    static const struct {
        int64_t minute;
        uint32_t list;
        const char *address, *source, *want;
        int64_t waits; /* minutes until the mail goes */
    } cases[] = {
        /* one address: one confirmation for a list in an hour, ten minutes between mails, three in a day */
        {0, OPEN, "a@town.example", "", "asked", 0},
        {1, OPEN, "A@town.example", "", "limited", 0},
        {1, ALSO_OPEN, "a@town.example", "", "asked", 9},
        {60, OPEN, "a@town.example", "", "asked", 0},
        {125, ALSO_OPEN, "a@town.example", "", "limited", 0},
        {24 * 60 + 1, ALSO_OPEN, "a@town.example", "", "asked", 0},
        /* one network: four in an hour */
        {3000, OPEN, "b1@town.example", "192.0.2.1", "asked", 0},
        {3000, OPEN, "b2@town.example", "192.0.2.2", "asked", 0},
        {3000, ALSO_OPEN, "b3@town.example", "192.0.2.3", "asked", 0},
        {3000, ALSO_OPEN, "b4@town.example", "192.0.2.4", "asked", 0},
        {3001, ALSO_OPEN, "b5@town.example", "192.0.2.5", "limited", 0},
        {3001, ALSO_OPEN, "b6@town.example", "192.0.3.5", "asked", 0},
        {3061, ALSO_OPEN, "b5@town.example", "192.0.2.5", "asked", 0},
        /* one list: five in an hour */
        {5000, OTHERS, "c1@town.example", "198.51.100.1", "asked", 0},
        {5000, OTHERS, "c2@town.example", "2001:db8:1::1", "asked", 0},
        {5000, OTHERS, "c3@town.example", "2001:db8:2::1", "asked", 0},
        {5000, OTHERS, "c4@town.example", "2001:db8:3::1", "asked", 0},
        {5000, OTHERS, "c5@town.example", "2001:db8:4::1", "asked", 0},
        {5001, OTHERS, "c6@town.example", "2001:db8:5::1", "limited", 0},
        {5001, OPEN, "c6@town.example", "2001:db8:5::1", "asked", 0},
        {5061, OTHERS, "c6@town.example", "2001:db8:5::1", "asked", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        j->act.now_usec = j->act.at_usec = NOW + cases[i].minute * MINUTE;
        const char *result = sign_up(j, cases[i].list, cases[i].address, cases[i].source);
        int64_t waits = strcmp(result, "asked") == 0
                            ? (count(j, "SELECT due FROM asked ORDER BY id DESC LIMIT 1") - j->act.now_usec) / MINUTE
                            : 0;
        if (strcmp(result, cases[i].want) != 0 || waits != cases[i].waits)
            fail_msg("case %zu: %s, waits %lld minutes", i, result, (long long)waits);
    }
}

static void who_confirms_joins_once(void **state) {
    struct joined *j = *state;
    char token[TOKEN_TEXT_MAX + 1], other[TOKEN_TEXT_MAX + 1];
    assert_string_equal(sign_up(j, OPEN, "Vera@town.example", "192.0.2.1"), "asked");
    (void)snprintf(token, sizeof token, "%s", mailed(j, "/c/")); /* fits: the same size */
    assert_int_equal(count(j, "SELECT count(*) FROM subscriber"), 0);
    assert_string_equal(confirm(j, "x"), REQUEST_REFUSED);
    assert_string_equal(confirm(j, token), "confirmed");
    assert_int_equal(count(j, "SELECT state FROM subscription WHERE list = 7"), SUBSCRIPTION_ACTIVE);
    assert_int_equal(count(j, "SELECT count(*) FROM consent WHERE what IN ('asked', 'subscribed')"), 2);
    assert_string_equal(confirm(j, token), "nothing");
    /* Too late is never. */
    assert_string_equal(sign_up(j, ALSO_OPEN, "late@town.example", ""), "asked");
    (void)snprintf(other, sizeof other, "%s", mailed(j, "/c/")); /* fits: the same size */
    j->act.at_usec += 8 * USEC_PER_DAY;
    assert_string_equal(confirm(j, other), "nothing");
    assert_int_equal(count(j, "SELECT count(*) FROM subscriber"), 1);
}

/* By whichever ways their leave and their yes came: what they said last counts. */
static void who_left_after_they_confirmed_stays_out(void **state) {
    static const struct {
        int64_t left, confirmed; /* in tenths of a second */
        int state;
        int64_t stays;
    } cases[] = {
        {600, 0, SUBSCRIPTION_LEFT, 1},    {10, 0, SUBSCRIPTION_LEFT, 1}, /* another second */
        {600, 0, SUBSCRIPTION_REMOVED, 1}, {0, 600, SUBSCRIPTION_LEFT, 0}, {0, 600, SUBSCRIPTION_REMOVED, 0},
        {5, 0, SUBSCRIPTION_LEFT, 0}, /* within one second: in the order in which they come */
    };
    struct joined *j = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        j->act.now_usec = j->act.at_usec = NOW + (int64_t)i * 2 * USEC_PER_DAY;
        int64_t person = fixture_member(j->f->db, OPEN, (int)i, "de", 1), is;
        assert_int_equal(db_run(j->f->db, "UPDATE subscription SET state = ?, since = ? WHERE subscriber = ?", NULL,
                                "dii", cases[i].state, j->act.now_usec, person),
                         0);
        char address[64], token[TOKEN_TEXT_MAX + 1];
        (void)snprintf(address, sizeof address, "person%zu@town.example", i); /* fits */
        assert_string_equal(sign_up(j, OPEN, address, ""), "asked");
        (void)snprintf(token, sizeof token, "%s", mailed(j, "/c/")); /* fits: the same size */
        assert_int_equal(db_run(j->f->db, "UPDATE subscription SET since = ? WHERE subscriber = ?", NULL, "ii",
                                j->act.now_usec + cases[i].left * 100000, person),
                         0);
        j->act.at_usec += cases[i].confirmed * 100000;
        int64_t joined = count(j, "SELECT count(*) FROM consent WHERE what = 'subscribed'");
        const char *result = confirm(j, token);
        assert_int_equal(db_get_int(j->f->db, "SELECT state FROM subscription WHERE subscriber = ?", &is, "i", person),
                         1);
        joined = count(j, "SELECT count(*) FROM consent WHERE what = 'subscribed'") - joined;
        if (strcmp(result, cases[i].stays ? "nothing" : "confirmed") != 0 || joined == cases[i].stays ||
            (is == SUBSCRIPTION_ACTIVE) == cases[i].stays)
            fail_msg("case %zu: %s, %lld", i, result, (long long)is);
        assert_string_equal(confirm(j, token), "nothing");
    }
}

/* The same of whom the store knows by the hash of their address only; whoever complained is not even asked. */
static void so_does_who_left_before_a_restore(void **state) {
    static const struct {
        int64_t left, confirmed; /* in tenths of a second */
        bool stays;
    } cases[] = {{600, 0, true}, {10, 0, true}, {0, 600, false}, {5, 0, false}};
    struct joined *j = *state;
    uint8_t hash[OPT_OUT_HASH_BYTES];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        j->act.now_usec = j->act.at_usec = NOW + (int64_t)i * 2 * USEC_PER_DAY;
        char address[64], token[TOKEN_TEXT_MAX + 1];
        (void)snprintf(address, sizeof address, "person%zu@town.example", i); /* fits */
        code_address_hash(j->keys, view_of(address), hash);
        assert_string_equal(sign_up(j, OPEN, address, ""), "asked");
        (void)snprintf(token, sizeof token, "%s", mailed(j, "/c/")); /* fits: the same size */
        assert_int_equal(opt_out_note(j->f->db, hash, OPEN, j->act.now_usec + cases[i].left * 100000, "link"), 0);
        assert_int_equal(opt_out_note(j->f->db, hash, ALSO_OPEN, 1, "link"), 0);
        j->act.at_usec += cases[i].confirmed * 100000;
        const char *result = confirm(j, token);
        if (strcmp(result, cases[i].stays ? "nothing" : "confirmed") != 0)
            fail_msg("case %zu: %s", i, result);
        assert_int_equal(count(j, "SELECT count(*) FROM opt_out WHERE list = 7"), cases[i].stays);
        assert_int_equal(count(j, "SELECT count(*) FROM opt_out WHERE list = 8"), 1);
        assert_int_equal(
            count(j, "SELECT count(*) FROM subscriber WHERE id NOT IN (SELECT subscriber FROM subscription)"), 0);
        assert_int_equal(db_run(j->f->db, "DELETE FROM opt_out", NULL, ""), 0);
    }
    code_address_hash(j->keys, VIEW("vera@town.example"), hash);
    assert_int_equal(opt_out_note(j->f->db, hash, OPT_OUT_EVERYTHING, 1, "complaint"), 0);
    assert_string_equal(sign_up(j, OPEN, "vera@town.example", ""), "blocked");
    /* nor where mail came back besides, which a sign-up makes good */
    assert_int_equal(suppression_set(j->f->db, "vera@town.example", "hard-bounce", "", 1), 0);
    assert_string_equal(sign_up(j, OPEN, "vera@town.example", ""), "blocked");
}

static const char *joined(struct joined *j, const char *token, int64_t number) {
    char text[24];
    const char *result = NULL;
    (void)snprintf(text, sizeof text, "%lld", (long long)number); /* fits */
    const struct request q = {
        .id = {3},
        .at_usec = j->act.at_usec,
        .verb = REQUEST_JOINED,
        .value = {[REQUEST_KEY_TOKEN] = view_of(token), [REQUEST_KEY_SUBSCRIBER] = view_of(text)}};
    assert_int_equal(requests_joined(&j->act, &q, &result), 0);
    return result;
}

/* What is repeated makes nobody whose number is not known; with it, once; and never with one that is somebody's. */
static void a_restore_brings_back_who_joined(void **state) {
    struct joined *j = *state;
    char token[3][TOKEN_TEXT_MAX + 1];
    const char *const addresses[] = {"vera@town.example", "ida@town.example", "uwe@town.example"};
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        assert_string_equal(sign_up(j, OPEN, addresses[i], ""), "asked");
        (void)snprintf(token[i], sizeof token[i], "%s", mailed(j, "/c/")); /* fits: the same size */
    }
    j->act.replayed = true;
    assert_string_equal(confirm(j, token[0]), "waits");
    assert_string_equal(confirm(j, token[1]), "waits");
    assert_int_equal(count(j, "SELECT count(*) FROM subscriber"), 0);
    int64_t list, many;
    assert_int_equal(sign_up_next_answered(j->f->db, -1, &list, &many), 1);
    assert_true(list == OPEN && many == 2);
    assert_int_equal(sign_up_next_answered(j->f->db, list, &list, &many), 0);
    assert_string_equal(joined(j, token[0], 42), "confirmed");
    assert_string_equal(joined(j, token[0], 43), "nothing");
    assert_string_equal(joined(j, token[1], 42), "waits"); /* somebody else's */
    assert_string_equal(joined(j, token[1], INT64_MAX), "waits");
    assert_string_equal(joined(j, token[2], 44), "confirmed"); /* before the answer itself is repeated */
    assert_string_equal(confirm(j, token[2]), "nothing");
    assert_int_equal(count(j, "SELECT count(*) FROM subscriber"), 2);
    assert_int_equal(count(j, "SELECT id FROM subscriber WHERE address_key = 'vera@town.example'"), 42);
    assert_int_equal(count(j, "SELECT count(*) FROM subscription WHERE subscriber IN (42, 44) AND list = 7"), 2);
    assert_int_equal(count(j, "SELECT count(*) FROM sign_up WHERE answered > 0"), 1);
    j->act.replayed = false;
    assert_string_equal(confirm(j, token[1]), "confirmed"); /* by the link that they have */
    assert_int_equal(count(j, "SELECT id FROM subscriber WHERE address_key = 'ida@town.example'"), 45);
}

static void a_block_counts_when_it_is_confirmed(void **state) {
    struct joined *j = *state;
    assert_string_equal(sign_up(j, OPEN, "vera@town.example", ""), "asked");
    assert_int_equal(db_run(j->f->db,
                            "INSERT INTO suppression (address_key, reason, detail, since) VALUES "
                            "('vera@town.example', 'complaint', '', 1)",
                            NULL, ""),
                     0);
    assert_string_equal(confirm(j, mailed(j, "/c/")), "nothing");
    assert_int_equal(count(j, "SELECT count(*) FROM subscriber"), 0);
}

static const char *prefer(struct joined *j, uint64_t person, struct request *q) {
    AUTOBUF struct buf text = BUF_INIT(TOKEN_TEXT_MAX);
    struct token t = {.purpose = TOKEN_RECIPIENT, .list = OPEN, .subscriber = person};
    const char *result = NULL;
    assert_int_equal(token_sign(j->keys, &t, &text), 0);
    q->verb = REQUEST_PREFERENCES;
    q->value[REQUEST_KEY_TOKEN] = buf_view(&text);
    assert_int_equal(requests_preferences(&j->act, q, &result), 0);
    return result;
}

/* Whom the backup does not know: what they left before is left no more. */
static void a_restore_repeats_that_somebody_came_back(void **state) {
    struct joined *j = *state;
    uint8_t hash[OPT_OUT_HASH_BYTES];
    int64_t person = fixture_member(j->f->db, OPEN, 1, "de", 1);
    struct request asks = {.id = {1}, .at_usec = NOW, .value = {[REQUEST_KEY_JOIN] = VIEW("8")}};
    assert_string_equal(prefer(j, (uint64_t)person, &asks), "asked");
    const char *token = mailed(j, "/c/");
    assert_string_equal(confirm(j, token), "confirmed");
    assert_string_equal(j->act.who.lists, "8");
    assert_int_equal(db_run(j->f->db, "DELETE FROM subscriber", NULL, ""), 0);
    assert_int_equal(db_run(j->f->db, "DELETE FROM subscription", NULL, ""), 0);
    code_address_hash(j->keys, VIEW("person1@town.example"), hash);
    assert_int_equal(opt_out_note(j->f->db, hash, OPEN, NOW, "link"), 0);
    assert_int_equal(opt_out_note(j->f->db, hash, ALSO_OPEN, NOW, "link"), 0);
    struct request q = {
        .id = {2}, .at_usec = NOW, .verb = REQUEST_CONFIRM, .value = {[REQUEST_KEY_TOKEN] = view_of(token)}};
    opt_outs_put(&j->act.who, &q);
    assert_true(request_is_whole(&q) && !request_is_of(&q, REQUEST_WEB));
    j->act.replayed = true;
    assert_int_equal(opt_outs_repeat(&j->act, &q), 0);
    assert_int_equal(count(j, "SELECT count(*) FROM opt_out"), 1);
    assert_int_equal(count(j, "SELECT list FROM opt_out"), OPEN);
}

static void preferences_reach_the_senders_lists_alone(void **state) {
    struct joined *j = *state;
    int64_t person = fixture_member(j->f->db, OPEN, 1, "de", 1);
    (void)fixture_member(j->f->db, OPEN, 2, "de", 1);
    assert_int_equal(
        db_run(j->f->db,
               "INSERT INTO subscription (list, subscriber, state, since) VALUES (10, ?1, 2, 1), (99, ?1, 2, 1)", NULL,
               "i", person),
        0);
    static const struct {
        const char *leave, *join, *language, *address, *want;
    } cases[] = {
        {"10", "", "", "", "nothing"},                   /* another sender's */
        {"", "9", "", "", "nothing"},                    /* not open */
        {"", "10", "", "", "nothing"},                   /* another sender's */
        {"", "7", "", "", "nothing"},                    /* on it already */
        {"", "", "", "person2@town.example", "nothing"}, /* somebody's */
        {"", "", "", "person1@town.example", "nothing"},
        {"", "", "fr", "", "changed"},
        {"", "", "fr", "", "nothing"},
        {"", "8", "", "", "asked"},
        {"", "", "", "new@town.example", "asked"},
        {"7", "", "", "", "changed"},
        {"7", "", "", "", "nothing"},
        {"", "99", "", "", "nothing"}, /* gone from the configuration: it can be left, and no more */
        {"99", "", "", "", "changed"},
        {"99", "", "", "", "nothing"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct request q = {.id = {(uint8_t)i}, .at_usec = NOW};
        q.value[REQUEST_KEY_LEAVE] = view_of(cases[i].leave);
        q.value[REQUEST_KEY_JOIN] = view_of(cases[i].join);
        q.value[REQUEST_KEY_NEW_LANGUAGE] = view_of(cases[i].language);
        q.value[REQUEST_KEY_NEW_ADDRESS] = view_of(cases[i].address);
        const char *result = prefer(j, (uint64_t)person, &q);
        if (strcmp(result, cases[i].want) != 0)
            fail_msg("case %zu: %s", i, result);
    }
    assert_int_equal(count(j, "SELECT state FROM subscription WHERE list = 10"), SUBSCRIPTION_ACTIVE);
    assert_string_equal(confirm(j, mailed(j, "/c/")), "confirmed");
    assert_int_equal(count(j, "SELECT count(*) FROM subscriber WHERE address_key = 'new@town.example'"), 1);
    struct request nobody = {.value = {[REQUEST_KEY_NEW_LANGUAGE] = VIEW("fr")}};
    assert_string_equal(prefer(j, 99, &nobody), "nothing");
    /* The list of the link itself is gone. */
    j->conf->lists[0].id = 98;
    assert_int_equal(db_run(j->f->db, "UPDATE subscription SET state = 2", NULL, ""), 0);
    struct request all = {.at_usec = NOW,
                          .value = {[REQUEST_KEY_LEAVE] = VIEW("7,10,99"), [REQUEST_KEY_JOIN] = VIEW("8")}};
    assert_string_equal(prefer(j, (uint64_t)person, &all), "changed");
    assert_int_equal(count(j, "SELECT count(*) FROM subscription WHERE subscriber = 1 AND state = 3"), 2);
    assert_int_equal(count(j, "SELECT state FROM subscription WHERE list = 10"), SUBSCRIPTION_ACTIVE);
}

static void networks(void **state) {
    (void)state;
    static const struct {
        const char *source, *want;
    } cases[] = {
        {"192.0.2.7", "192.0.2"},
        {"2001:db8:1:2::3", "2001:0db8:0001"},
        {"::1", "0000:0000:0000"},
        {"unix", ""},
        {"", ""},
        {"192.0.2", ""},
        {"2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0000:0001", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf to = BUF_INIT(64);
        asking_network(view_of(cases[i].source), &to);
        assert_string_equal(buf_str(&to), cases[i].want);
    }
}

#define JOIN_TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)

static void spellings_of_one_mailbox_count_together(void **state) {
    static const struct {
        const char *local, *domain, *counts_local, *counts_domain;
    } cases[] = {
        {"ann", "town.example", "ann", "town.example"},     {"ann+1", "town.example", "ann", "town.example"},
        {"ann+a+b", "town.example", "ann", "town.example"}, {"+ann", "town.example", "+ann", "town.example"},
        {"ann-1", "town.example", "ann-1", "town.example"}, {"a.nn", "town.example", "a.nn", "town.example"},
        {"a.n.n+x", "gmail.com", "ann", "gmail.com"},       {"an.n", "googlemail.com", "ann", "gmail.com"},
        {"a.nn", "protonmail.com", "ann", "proton.me"},     {"a.nn", "mail.gmail.com", "a.nn", "mail.gmail.com"},
    };
    struct joined *j = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf key = BUF_INIT(1024), is = BUF_INIT(1024), should = BUF_INIT(1024);
        buf_printf(&key, "%s@%s", cases[i].local, cases[i].domain);
        buf_printf(&should, "%s@%s", cases[i].counts_local, cases[i].counts_domain);
        asking_mailbox(buf_view(&key), &is);
        assert_string_equal(buf_str(&is), buf_str(&should));
    }
    assert_string_equal(sign_up(j, OPEN, "ann@town.example", "192.0.2.1"), "asked");
    for (int i = 0; i < 5; i++) {
        char address[64], source[32];
        (void)snprintf(address, sizeof address, "Ann+%d@town.example", i); /* fits */
        (void)snprintf(source, sizeof source, "198.51.%d.1", i);           /* fits */
        assert_string_equal(sign_up(j, OPEN, address, source), "limited");
    }
    assert_string_equal(sign_up(j, OPEN, "ann-1@town.example", "203.0.113.1"), "asked");
    /* Who somebody is, is the whole address. */
    assert_int_equal(count(j, "SELECT count(DISTINCT address_key) FROM sign_up"), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(spellings_of_one_mailbox_count_together, open_all, close_all),
        JOIN_TEST(who_may_ask_for_what),
        JOIN_TEST(limits_hold),
        JOIN_TEST(who_confirms_joins_once),
        JOIN_TEST(who_left_after_they_confirmed_stays_out),
        JOIN_TEST(so_does_who_left_before_a_restore),
        JOIN_TEST(a_restore_brings_back_who_joined),
        JOIN_TEST(a_restore_repeats_that_somebody_came_back),
        JOIN_TEST(a_block_counts_when_it_is_confirmed),
        JOIN_TEST(preferences_reach_the_senders_lists_alone),
        cmocka_unit_test(networks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
