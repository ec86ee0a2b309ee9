/* Whom filters mean, as the store says it: a table of filters and people, random ones against another way of saying it,
 * and that the largest and the deepest are still statements, with nothing in them of what somebody wrote. */
#include "all_words.h"
#include "filter_oracle.h"
#include "store_helper.h"

#include "store/filter_query.h"
#include "store/members.h"

enum { LIST = 7 };

static int read_filter(const char *text, struct filter **ret) {
    const struct filter_language language = {ALL_WORDS, "", "templates", "Europe/Berlin"};
    struct filter_fault fault;
    int r = filter_read(view_of(text), &language, ret, &fault);
    if (r < 0)
        print_message("%s: %s at %u\n", text, fault.key, fault.column);
    return r;
}

/* 2.9.2025, 00:30 in Berlin: the day before in UTC. */
#define JOINED INT64_C(1756765800000000)
#define DAY INT64_C(86400000000)

static const struct oracle_person people[] = {
    {.email = VIEW("Vera.Mueller@Stadt.example"),
     .email_key = VIEW("vera.mueller@stadt.example"),
     .language = VIEW("de"),
     .form = VIEW("f"),
     .title = VIEW("Dr."),
     .given_name = VIEW("Vera"),
     .family_name = VIEW("Müller"),
     .organisation = VIEW("Stadt Celle"),
     .timezone = VIEW("Europe/Berlin"),
     .attributes = VIEW("besuche\t3\nland\tDeutschland\nort\tCelle\nplz\t01067\nzuletzt\t20.5.2025\n"),
     .tags = VIEW("Förderung\nworkshop\n"),
     .joined_usec = JOINED},
    {.email = VIEW("luc@ville.example"),
     .email_key = VIEW("luc@ville.example"),
     .language = VIEW("fr"),
     .form = VIEW("m"),
     .given_name = VIEW("Luc"),
     .family_name = VIEW("Martin"),
     .organisation = VIEW("Comité de jumelage"),
     .attributes = VIEW("besuche\t10\npays\tFRANCE \nzuletzt\t2024-12-31\n"),
     .joined_usec = JOINED + 10 * DAY},
    {.email = VIEW("o@місто.example"),
     .email_key = VIEW("o@xn--l1aeie2h.example"),
     .family_name = VIEW("Олена"),
     .attributes = VIEW("besuche\tviele\ncountry\tUA\n"),
     .tags = VIEW("funding\n"),
     .joined_usec = JOINED - DAY},
};

static const struct {
    const char *filter, *meant;
} rows[] = {
    /* countries, under whatever name of column and value */
    {"country = \"FR\"", "l"},
    {"country = Frankreich", "l"},
    {"Land = 'Франція'", "l"},
    {"pays = fra", "l"},
    {"attr.country = FR", "l"},
    {"country = DE, UA", "vo"},
    {"country != DE, UA", "l"},
    {"country != FR", "vo"},
    {"country has land", "v"},
    {"country = Atlantis", ""},
    /* tags */
    {"tag has \"funding\"", "o"},
    {"tags has FÖRDERUNG", "v"},
    {"Schlagworte has funding, workshop", "vo"},
    {"not tag has funding", "vl"},
    {"tag has fund", ""},
    /* the sentence of the manual */
    {"country = \"FR\" or tag has \"funding\"", "lo"},
    /* and binds tighter than or, not tighter than and */
    {"language = de or language = fr and country = XX", "v"},
    {"(language = de or language = fr) and country = FR", "l"},
    {"not language = de and language = fr", "l"},
    {"not (language = de or language = fr)", "o"},
    {"not not language = de", "v"},
    {"LANGUAGE = De OR NOT NOT Language = FR", "vl"},
    /* fields */
    {"language = Deutsch", "v"},
    {"Sprache = französisch", "l"},
    {"language = \"\"", "o"},
    {"language != de", "lo"},
    {"form = Frau", "v"},
    {"form = \"\"", "o"},
    {"title = dr.", "v"},
    {"family_name = MÜLLER", "v"},
    {"Nachname = \"Mu\xcc\x88ller\"", "v"},
    {"family-name = ' Martin '", "l"},
    {"name = \"Vera Müller\"", "v"},
    {"name has ue", ""},
    {"organisation has comité", "l"},
    {"timezone = Europe/Berlin", "v"},
    {"email has @ville.example", "l"},
    {"email = VERA.mueller@STADT.example", "v"},
    {"email = o@місто.example", "o"},
    /* numbers, dates, texts */
    {"besuche > 3", "l"},
    {"besuche >= 3", "vl"},
    {"besuche < 10", "v"},
    {"besuche = 3.0", "v"},
    {"besuche < '3,5'", "v"},
    {"besuche != 3", "lo"},
    {"besuche > -1", "vl"},
    {"plz = 01067", "v"},
    {"plz = 1067", ""},
    {"plz < \"02\"", "v"},
    {"zuletzt < 1.1.2025", "l"},
    {"zuletzt = 2025-05-20", "v"},
    {"zuletzt >= 2024-12-31", "vl"},
    {"family_name < N", "vl"},
    {"ort = \"\"", "lo"},
    {"ort < z", "v"},
    {"city = celle", "v"},
    {"\"Zuletzt\" = 20.5.2025", "v"},
    /* the day of joining, in the zone */
    {"joined = 2.9.2025", "v"},
    {"joined < 2.9.2025", "o"},
    {"joined <= 2.9.2025", "vo"},
    {"joined > 2025-09-02", "l"},
    {"joined >= 2025-09-02", "vl"},
    {"joined != 2025-09-02", "lo"},
    /* quotation marks of all kinds */
    {"organisation = „Stadt Celle“", "v"},
    {"organisation = \u201eStadt Celle\"", "v"},
    {"organisation = «Stadt Celle»", "v"},
    {"organisation = ‘stadt celle’", "v"},
    {"organisation = \"Stadt \\\"Celle\\\"\"", ""},
    {"country\u00a0≠\u00a0FR", "vo"},
    {"besuche ≥ 10", "l"},
    /* nobody has it: missing is empty */
    {"nothing = x", ""},
    {"nothing != x", "vlo"},
    {"nothing = ''", "vlo"},
    {"nothing < 5", ""},
    {"not nothing < 5", "vlo"},
};

static void put_person(struct db *db, int64_t id, const struct oracle_person *p) {
    char key[80];
    (void)snprintf(key, sizeof key, "%.*s", (int)p->email_key.len, p->email_key.ptr);
    bool same = view_eq(p->email, p->email_key);
    assert_int_equal(
        db_run(db,
               "INSERT INTO subscriber (id, address_key, address, language, form, title, given_name, "
               "family_name, organisation, timezone, attributes, created, changed) VALUES (?, ?, ?, ?, ?, ?, "
               "?, ?, ?, ?, ?, 1, 1)",
               NULL, "itvvvvvvvvv", id, key, same ? VIEW("") : p->email, p->language, p->form, p->title, p->given_name,
               p->family_name, p->organisation, p->timezone, p->attributes),
        0);
    assert_int_equal(db_run(db,
                            "INSERT INTO subscription (list, subscriber, state, since, tags) VALUES (?, ?, 2, ?, ?)",
                            NULL, "iiiv", (int64_t)LIST, id, p->joined_usec, p->tags),
                     0);
}

/* Whom of the people, numbered from 1, a filter means; 0 ends them. */
static void meant(struct db *db, const struct filter *f, int64_t *ret, size_t max) {
    const uint32_t list = LIST;
    const struct members_query query = {.lists = &list, .list_count = 1, .at_usec = INT64_MAX, .only = f};
    struct members *m;
    struct member p;
    size_t n = 0;
    assert_int_equal(members_open(db, &query, &m), 0);
    while (members_next(m, &p) == 1) {
        assert_int_equal(p.active, 1);
        if (p.meant && n < max)
            ret[n++] = p.subscriber;
    }
    ret[n] = 0;
    (void)members_close(m);
}

static void people_are_meant(void **state) {
    struct fixture *x = *state;
    for (size_t i = 0; i < COUNT_OF(people); i++)
        put_person(x->db, (int64_t)i + 1, &people[i]);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct filter *f, *thawed;
        AUTOBUF struct buf frozen = BUF_INIT(FILTER_FROZEN_MAX_BYTES), again = BUF_INIT(FILTER_FROZEN_MAX_BYTES);
        assert_int_equal(read_filter(rows[i].filter, &f), 0);
        filter_freeze(f, &frozen);
        unit_int(rows[i].filter, filter_thaw(buf_view(&frozen), &thawed), 0);
        for (int k = 0; k < 2; k++) {
            int64_t ids[COUNT_OF(people) + 1];
            char got[COUNT_OF(people) + 1] = "";
            meant(x->db, k ? thawed : f, ids, COUNT_OF(people));
            for (size_t n = 0; ids[n]; n++)
                got[n] = "vlo"[ids[n] - 1], got[n + 1] = '\0';
            unit_str(rows[i].filter, got, rows[i].meant);
        }
        filter_freeze(thawed, &again);
        unit_str(rows[i].filter, buf_str(&again), buf_str(&frozen));
        (void)filter_free(f);
        (void)filter_free(thawed);
    }
}

/* ---- random ones ---- */

static unsigned pick(unsigned *seed, unsigned below) {
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 12) % below;
}

static const char *const words[] = {"",
                                    "a",
                                    "A",
                                    "b",
                                    "Ab",
                                    "ab ",
                                    "Müller",
                                    "MÜLLER",
                                    "müll",
                                    "straße",
                                    "STRASSE",
                                    "3",
                                    "3,0",
                                    "-3",
                                    "03",
                                    "12",
                                    "2.5",
                                    "1.1.2024",
                                    "1.1.2024 10:00",
                                    "2024-01-01 11:00",
                                    "2.1.2024",
                                    "31.2.2024",
                                    "FR",
                                    "Frankreich",
                                    "de",
                                    "f",
                                    "\xce\x8e",
                                    "\"",
                                    "%",
                                    "'"};
#define WORD(seed) words[pick(seed, COUNT_OF(words))]
static const char *const fields[] = {"email",       "language", "form",         "title",    "given_name",
                                     "family_name", "name",     "organisation", "timezone", "joined",
                                     "tag",         "country",  "city",         "x",        "y"};
static const char *const ops[] = {"=", "!=", "<", "<=", ">", ">=", "has"};

static void put_word(struct buf *to, const char *word) {
    buf_putc(to, '"');
    for (; *word; word++)
        buf_printf(to, "%s%c", *word == '"' ? "\\" : "", *word);
    buf_putc(to, '"');
}

static void put_test(struct buf *to, unsigned *seed) {
    const char *field = fields[pick(seed, COUNT_OF(fields))], *op = ops[pick(seed, COUNT_OF(ops))];
    bool is_tag = strcmp(field, "tag") == 0, is_joined = strcmp(field, "joined") == 0;
    if (is_tag)
        op = "has";
    if (is_joined && strcmp(op, "has") == 0)
        op = "<";
    buf_printf(to, "%s %s ", field, op);
    bool several = op[0] == '=' || op[0] == '!' || op[0] == 'h';
    for (unsigned n = several ? 1 + pick(seed, 3) : 1; n; n--) {
        const char *word = is_joined ? "2.9.2025" : WORD(seed);
        put_word(to, op[0] == 'h' && !*word                                    ? "a"
                     : strcmp(field, "form") == 0 && *word && op[0] != 'h'     ? "Frau"
                     : strcmp(field, "language") == 0 && *word && op[0] != 'h' ? "fr"
                                                                               : word);
        buf_puts(to, n > 1 ? ", " : "");
    }
}

static void put_filter(struct buf *to, unsigned *seed, unsigned depth) {
    unsigned parts = depth ? 1 + pick(seed, 3) : 1;
    for (unsigned i = 0; i < parts; i++) {
        buf_puts(to, i == 0 ? "" : pick(seed, 2) ? " and " : " or ");
        bool brackets = depth && pick(seed, 2);
        buf_puts(to, pick(seed, 3) ? "" : "not ");
        buf_puts(to, brackets ? "(" : "");
        if (depth)
            put_filter(to, seed, depth - 1);
        else
            put_test(to, seed);
        buf_puts(to, brackets ? ")" : "");
    }
}

static const char *random_attributes(struct arena *a, unsigned *seed) {
    static const char *const names[] = {"city", "country", "land", "ort", "pays", "x", "y", "z"};
    AUTOBUF struct buf to = BUF_INIT(4096);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *word = WORD(seed);
        if (pick(seed, 3) == 0 && *word)
            buf_printf(&to, "%s\t%s\n", names[i], word);
    }
    return arena_strdup(a, buf_str(&to));
}

static struct oracle_person random_person(struct arena *a, unsigned *seed, int number) {
    const char *key = arena_printf(a, "p%d@town.example", number), *tag = WORD(seed);
    return (struct oracle_person){
        .email = view_of(pick(seed, 2) ? key : arena_printf(a, "P%d@Müller.example", number)),
        .email_key = view_of(key),
        .language = view_of(pick(seed, 2) ? "fr" : WORD(seed)),
        .form = view_of(pick(seed, 2) ? "f" : ""),
        .title = view_of(WORD(seed)),
        .given_name = view_of(WORD(seed)),
        .family_name = view_of(WORD(seed)),
        .organisation = view_of(WORD(seed)),
        .timezone = view_of(WORD(seed)),
        .attributes = view_of(random_attributes(a, seed)),
        .tags = view_of(*tag ? arena_printf(a, "%s\n%s", tag, pick(seed, 2) ? "Zebra\n" : "") : ""),
        .joined_usec = JOINED + ((int64_t)pick(seed, 5) - 2) * DAY,
    };
}

/* Both ways mean the same people; RB_ROUNDS for more of them. */
static void random_filters_mean_the_same(void **state) {
    enum { PEOPLE = 60 };
    struct fixture *x = *state;
    struct oracle_person some[PEOPLE];
    unsigned seed = 1, all = 0, hits = 0;
    const char *rounds = getenv("RB_ROUNDS");
    AUTOARENA struct arena arena;
    arena_init(&arena);
    for (int i = 0; i < PEOPLE; i++) {
        some[i] = random_person(&arena, &seed, i);
        put_person(x->db, i + 1, &some[i]);
    }
    for (long round = rounds ? strtol(rounds, NULL, 10) : 1500; round > 0; round--) {
        AUTOBUF struct buf text = BUF_INIT(FILTER_MAX_BYTES);
        struct filter *f;
        int64_t got[PEOPLE + 1], *at = got;
        put_filter(&text, &seed, pick(&seed, 4));
        if (buf_error(&text))
            continue;
        assert_int_equal(read_filter(buf_str(&text), &f), 0);
        meant(x->db, f, got, PEOPLE);
        for (int i = 0; i < PEOPLE; i++) {
            bool is_meant = *at == i + 1;
            at += is_meant;
            hits += is_meant;
            all++;
            if (is_meant != oracle_means(f, &some[i]))
                fail_msg("%s: of person %d the store says %d", buf_str(&text), i + 1, is_meant);
        }
        (void)filter_free(f);
    }
    assert_in_range(hits, all / 5, all - all / 5);
}

/* ---- limits, and what a statement is made of ---- */

static void check_statement(struct db *db, const char *text) {
    struct filter *f;
    struct filter_query q;
    int64_t none[1];
    assert_int_equal(read_filter(text, &f), 0);
    unit_int(text, filter_query_init(&q, f, 1), 0);
    assert_true(q.count > 0);
    assert_null(strstr(buf_str(&q.sql), "mark"));
    assert_null(strstr(buf_str(&q.sql), "drop"));
    filter_query_done(&q);
    meant(db, f, none, 0);
    (void)filter_free(f);
}

static void repeat(struct buf *to, const char *what, size_t times) {
    for (size_t i = 0; i < times; i++)
        buf_puts(to, what);
}

static void the_largest_are_statements(void **state) {
    struct fixture *x = *state;
    static const struct {
        const char *opens, *last, *closes;
        size_t times;
    } nests[] = {
        {"(", "marked = 1", ")", FILTER_DEPTH_MAX},
        {"not ", "marked = 1", "", FILTER_DEPTH_MAX},
        {"not (", "marked < 1", ")", FILTER_DEPTH_MAX / 2},
        {"x=1 or y=1 and (", "marked has b", ")", FILTER_DEPTH_MAX},
        {"x=1 and (y=1 or ", "marked has b", ")", FILTER_DEPTH_MAX},
        {"(x=1 or y=1 and ", "marked has b", ")", FILTER_DEPTH_MAX},
        {"(x=1 and y=1 or ", "marked has b", ")", FILTER_DEPTH_MAX},
        {"not (x=1 or y=1 and ", "marked has b", ")", FILTER_DEPTH_MAX / 2},
        {"x=1 and not (y=1 or ", "marked has b", ")", FILTER_DEPTH_MAX / 2},
    };
    for (size_t i = 0; i < COUNT_OF(nests); i++) {
        AUTOBUF struct buf text = BUF_INIT(FILTER_MAX_BYTES);
        repeat(&text, nests[i].opens, nests[i].times);
        buf_puts(&text, nests[i].last);
        repeat(&text, nests[i].closes, nests[i].times);
        assert_int_equal(buf_error(&text), 0);
        check_statement(x->db, buf_str(&text));
    }
    static const struct {
        const char *first, *more;
    } rows_of[] = {
        {"marked=1", " or a<b"},
        {"marked=1", " and a<b"},
        {"marked=1", " or not a<b"},
        {"marked has a", ",b"},
        {"tag has mark", ",b"},
        {"marked = 1", ",b"},
        {"name = mark", ",1"},
        {"name = mark", ",1.1.2025"},
        {"country = mark", ",FR"},
        {"not joined = 1.1.2025", ",2.1.2025"},
        {"marked = \"'; drop table subscriber; --\"", ",\"?1\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows_of); i++) {
        AUTOBUF struct buf text = BUF_INIT(FILTER_MAX_BYTES);
        buf_puts(&text, rows_of[i].first);
        while (text.len + strlen(rows_of[i].more) <= FILTER_MAX_BYTES)
            buf_puts(&text, rows_of[i].more);
        check_statement(x->db, buf_str(&text));
    }
}

/* Deeper than anybody could have written it; what is not refused is a statement. */
static void what_is_too_deep_is_refused(void **state) {
    struct fixture *x = *state;
    int taken = 0;
    for (int depth = 1; depth < FILTER_NODES_MAX / 2; depth++) {
        AUTOBUF struct buf frozen = BUF_INIT(FILTER_FROZEN_MAX_BYTES);
        struct filter *f;
        struct filter_query q;
        int64_t none[1];
        buf_puts(&frozen, "filter 1\ntest title =\nvalue a\n");
        for (int i = 0; i < depth; i++)
            buf_printf(&frozen, "test attribute =\nname n\nvalue x\nvalue 1\n%s\n", i % 2 ? "and" : "or");
        assert_int_equal(filter_thaw(buf_view(&frozen), &f), 0);
        int r = filter_query_init(&q, f, 1);
        filter_query_done(&q);
        if (r == 0)
            meant(x->db, f, none, 0);
        taken += r == 0;
        unit_int("refused", r, depth == taken ? 0 : -EINVAL);
        (void)filter_free(f);
    }
    assert_in_range(taken, FILTER_DEPTH_MAX, FILTER_NODES_MAX / 2 - 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(people_are_meant),
        FIXTURE_TEST(random_filters_mean_the_same),
        FIXTURE_TEST(the_largest_are_statements),
        FIXTURE_TEST(what_is_too_deep_is_refused),
    };
    return cmocka_run_group_tests(tests, load_all_words, free_all_words);
}
