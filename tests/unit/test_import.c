#include "all_words.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "fixed_keys.h"
#include "people/import.h"
#include "store/db.h"
#include "store/person.h"
#include "store/store.h"
#include "store/subscription.h"
#include "store/suppression.h"
#include "trust/code.h"

enum { LIST = 7 };

static int load(void **state) {
    log_set_level(LOG_CRIT);
    return load_all_words(state);
}

/* --- A house with a store, and a client that uploads ------------------------------------------------------------- */

struct house {
    void *folder;
    int wake_fd;
    struct store *store;
};

static void on_wake(void *user) {
    (void)eventfd_write(((struct house *)user)->wake_fd, 1); /* blocks at 2^64 only */
}

static int open_house(void **state) {
    struct house *h = calloc(1, sizeof *h);
    struct why why;
    if (!h || unit_folder(&h->folder) < 0)
        return -1;
    h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    *state = h;
    return store_open(h->folder, on_wake, h, &why, &h->store);
}

static int close_house(void **state) {
    struct house *h = *state;
    h->store = store_close(h->store);
    (void)close(h->wake_fd);
    int r = unit_folder_gone(&h->folder);
    free(h);
    return r;
}

static void turn(struct house *h) {
    struct pollfd fd = {.fd = h->wake_fd, .events = POLLIN};
    eventfd_t n;
    if (poll(&fd, 1, 60000) <= 0)
        fail_msg("the store does not wake the loop");
    (void)eventfd_read(h->wake_fd, &n); /* it was readable */
    store_dispatch(h->store);
}

/* Runs something over the database, as a job. */
struct query_job {
    struct store_job job;
    const char *sql;
    int64_t value;
    bool done;
};
static int step_query(struct store_job *job, struct db *db) {
    struct query_job *q = (struct query_job *)job;
    if (!q->sql) {
        int r = import_recover(db);
        return r;
    }
    return db_get_int(db, q->sql, &q->value, "") < 0 ? -EINVAL : 0;
}
static void query_done(struct store_job *job, int result) {
    assert_int_equal(result, 0);
    ((struct query_job *)job)->done = true;
}
static int64_t query(struct house *h, const char *sql) {
    struct query_job q = {.job = {.lane = STORE_NORMAL, .step = step_query, .done = query_done}, .sql = sql};
    store_submit(h->store, &q.job);
    while (!q.done)
        turn(h);
    return q.value;
}

struct client {
    struct import *import;
    struct view rest;
    size_t piece, abort_at; /* abort after so many pieces; 0: never */
    size_t pieces;
    int result;
    bool over;
    unsigned gone; /* how often on_gone came */
    const struct import_result *told;
};

static void on_more(void *user) {
    struct client *c = user;
    if (c->abort_at && c->pieces == c->abort_at) {
        import_abort(c->import);
        c->over = true;
        return;
    }
    if (c->rest.len == 0) {
        import_finish(c->import);
        return;
    }
    c->pieces++;
    struct view piece = view_slice(c->rest, 0, c->piece);
    c->rest = view_slice(c->rest, piece.len, c->rest.len);
    assert_int_equal(import_feed(c->import, piece), 0);
}

static void on_done(void *user, int result, const struct import_result *told) {
    struct client *c = user;
    c->over = true;
    c->result = result;
    c->told = told;
}

static void on_gone(void *user) {
    ((struct client *)user)->gone++;
}

static const struct import_handlers handlers = {on_more, on_done, on_gone};
static struct import_options options(void) {
    return (struct import_options){.list = LIST,
                                   .by = "vera",
                                   .file = "people.csv",
                                   .basis = "consent",
                                   .evidence = "sign-up sheets",
                                   .timezone = "Europe/Berlin",
                                   .words = (const struct words *const *)all_words,
                                   .words_count = all_words_count};
}

static void begin(struct house *h, struct client *c, const struct import_options *o, struct view text, size_t piece) {
    struct why why;
    *c = (struct client){.rest = text, .piece = piece};
    assert_int_equal(import_new(h->store, o, &handlers, c, &why, &c->import), 0);
}

static void run(struct house *h, struct client *c, const struct import_options *o, struct view text, size_t piece) {
    begin(h, c, o, text, piece);
    while (!c->over)
        turn(h);
}

/* Imports a file of tests/data/csv/. */
static void run_file(struct house *h, struct client *c, const struct import_options *o, const char *name,
                     struct buf *text) {
    AUTOBUF struct buf path = BUF_INIT(256);
    buf_printf(&path, "tests/data/csv/%s", name);
    buf_clear(text);
    assert_int_equal(files_read(AT_FDCWD, buf_str(&path), text), 0);
    run(h, c, o, buf_view(text), 100);
}

static uint64_t sum(const struct import_result *r) {
    return r->added + r->known + r->changed + r->couples + r->repeated + r->left_out + r->bad;
}

/* --- Files as people have them ------------------------------------------------------------------------------------ */

static void an_export_of_excel(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    run_file(h, &c, &o, "excel-windows-1252.csv", &text);
    const struct import_result *r = c.told;
    assert_int_equal(c.result, 0);
    assert_true(r->rows == 6 && r->added == 4 && r->couples == 1 && r->no_address == 1 && r->left_out == 1);
    assert_int_equal(sum(r), r->rows);
    assert_string_equal(r->charset, "windows-1252");
    assert_true(r->charset_guessed);
    assert_string_equal(r->samples[0], "Vera Müller");
    assert_string_equal(r->samples[1], "Hans Größ");
    assert_string_equal(r->samples[2], "Anne Lefèvre");
    assert_int_equal(r->separator, ';');
    assert_int_equal(r->attribute_count, 2);
    assert_string_equal(r->attributes[0], "ort");
    assert_string_equal(r->attributes[1], "teilnahme_2024");
    assert_int_equal(r->language_count, 2);
    assert_string_equal(r->languages[0].code, "de");
    assert_int_equal(r->languages[0].count, 3);
    assert_string_equal(r->languages[1].code, "fr");
    assert_int_equal(r->problem_count, 2);
    assert_int_equal(r->problems[0].line, 7);
    assert_string_equal(r->problems[0].text, "left out: no address");
    assert_int_equal(r->problems[1].line, 9);
    assert_false(r->problems[1].bad);
    (void)import_free(c.import);
    assert_int_equal(query(h,
                           "SELECT count(*) FROM subscriber WHERE given_name = 'Ida & Uwe' AND family_name = 'Schulz' "
                           "AND form = 'f & m'"),
                     1);
    assert_int_equal(query(h, "SELECT count(*) FROM subscriber WHERE organisation = 'Verein \"Brücke\" e.V.; Bonn' AND "
                              "attributes = 'ort' || char(9) || 'Köln' || char(10) || 'teilnahme_2024' || char(9) || "
                              "'nein' || char(10)"),
                     1);
    /* the same once more: nothing changes */
    run_file(h, &c, &o, "excel-windows-1252.csv", &text);
    r = c.told;
    assert_int_equal(c.result, 0);
    assert_true(r->rows == 6 && r->added == 0 && r->known == 4 && r->changed == 0 && r->couples == 1);
    (void)import_free(c.import);
}

static void other_exports(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    run_file(h, &c, &o, "excel-unicode-text.txt", &text);
    assert_int_equal(c.result, 0);
    assert_int_equal(c.told->added, 3);
    assert_string_equal(c.told->charset, "UTF-16");
    assert_false(c.told->charset_guessed);
    assert_null(c.told->samples[0]);
    assert_int_equal(c.told->separator, '\t');
    (void)import_free(c.import);
    assert_int_equal(query(h, "SELECT count(*) FROM subscriber WHERE given_name = 'Олена' AND language = 'uk'"), 1);

    run_file(h, &c, &o, "excel-utf8-bom.csv", &text);
    assert_int_equal(c.result, 0);
    assert_true(c.told->rows == 3 && c.told->added == 2 && c.told->no_consent == 1);
    (void)import_free(c.import);
    assert_int_equal(query(h, "SELECT count(*) FROM consent WHERE evidence = 'oui,  par écrit' AND at = "
                              "1706742000000000 AND origin = 'vera, people.csv, line 4'"),
                     1);

    run_file(h, &c, &o, "plain-addresses.csv", &text);
    assert_int_equal(c.result, 0);
    assert_int_equal(c.told->added, 2);
    (void)import_free(c.import);
}

static void a_bad_row_refuses_the_file(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    run_file(h, &c, &o, "broken.csv", &text);
    assert_int_equal(c.result, -EINVAL);
    assert_string_equal(c.told->why.what, "5 of 6 rows cannot be read; nothing was imported");
    static const struct {
        unsigned line;
        const char *text;
    } problems[] = {
        {2, "the language is not known: “Klingonisch”"},
        {3, NULL},
        {4, "a quote stands inside a cell"},
        {5, "the row has more cells than the head: “zu viel”"},
        {7, "a quote is not closed"},
    };
    assert_int_equal(c.told->problem_count, 5);
    for (int i = 0; i < 5; i++) {
        assert_true(c.told->problems[i].bad);
        assert_int_equal(c.told->problems[i].line, problems[i].line);
        if (problems[i].text)
            assert_string_equal(c.told->problems[i].text, problems[i].text);
    }
    (void)import_free(c.import);
    assert_int_equal(query(h, "SELECT count(*) FROM subscriber"), 0);
    assert_int_equal(query(h, "SELECT count(*) FROM import"), 0);

    o.skip_bad = true;
    run_file(h, &c, &o, "broken.csv", &text);
    assert_int_equal(c.result, 0);
    assert_true(c.told->added == 1 && c.told->bad == 5);
    assert_int_equal(sum(c.told), c.told->rows);
    (void)import_free(c.import);
    run_file(h, &c, &o, "utf8-damaged.csv", &text);
    assert_int_equal(c.result, 0);
    assert_true(c.told->added == 2 && c.told->bad == 1);
    assert_int_equal(c.told->problems[0].line, 3);
    (void)import_free(c.import);
}

static void a_file_may_be_no_table(void **state) {
    struct house *h = *state;
    static const struct {
        const char *text, *what;
    } cases[] = {
        {"", "the file is empty"},
        {"\n\n", "the file is empty"},
        {"Vorname;Nachname\nVera;Müller\n", "no column is called “E-Mail”"},
        {"vera@town.example;Vera\n", "the first line has no names of columns, but an address"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct client c;
        struct import_options o = options();
        run(h, &c, &o, view_of(cases[i].text), 10);
        unit_int(cases[i].text, c.result, -EINVAL);
        unit_str(cases[i].text, c.told->why.what, cases[i].what);
        (void)import_free(c.import);
    }
    assert_int_equal(query(h, "SELECT count(*) FROM import"), 0);
}

static void options_are_checked(void **state) {
    struct house *h = *state;
    struct why why;
    struct client c = {0};
    struct import_options o = options();
    o.basis = "hope";
    assert_int_equal(import_new(h->store, &o, &handlers, &c, &why, &c.import), -EINVAL);
    o = options();
    o.evidence = "";
    assert_int_equal(import_new(h->store, &o, &handlers, &c, &why, &c.import), -EINVAL);
    o = options();
    o.charset = "klingon";
    assert_int_equal(import_new(h->store, &o, &handlers, &c, &why, &c.import), -EINVAL);
    assert_string_equal(why.what, "the charset “klingon” is not known");
}

/* --- Who is left out -----------------------------------------------------------------------------------------------
 */

static void trials_write_nothing(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    o.dry_run = true;
    run_file(h, &c, &o, "excel-windows-1252.csv", &text);
    assert_int_equal(c.result, 0);
    assert_true(c.told->rows == 6 && c.told->added == 4 && c.told->couples == 1 && c.told->no_address == 1);
    (void)import_free(c.import);
    assert_int_equal(query(h, "SELECT count(*) FROM subscriber"), 0);
    assert_int_equal(query(h, "SELECT count(*) FROM sqlite_sequence"), 0);
}

static void people_who_left_stay_away(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    struct view text = VIEW("E-Mail\na@town.example\nb@town.example\nc@town.example\n");
    run(h, &c, &o, text, 10);
    assert_int_equal(c.told->added, 3);
    (void)import_free(c.import);
    (void)query(h, "UPDATE subscription SET state = 3, since = 1743638400000000 WHERE subscriber = 1 RETURNING 1");
    (void)query(h, "UPDATE subscription SET state = 4 WHERE subscriber = 2 RETURNING 1");
    (void)query(h, "INSERT INTO suppression VALUES ('c@town.example', 1, 'hard', '') RETURNING 1");
    for (int dry = 1; dry >= 0; dry--) {
        o.dry_run = dry;
        run(h, &c, &o, text, 10);
        assert_int_equal(c.result, 0);
        assert_true(c.told->added == 1 && c.told->left == 1 && c.told->suppressed == 1 && c.told->left_out == 2);
        assert_string_equal(c.told->problems[0].text, "left out: left on 2025-04-03");
        assert_int_equal(c.told->problems[0].line, 2);
        (void)import_free(c.import);
    }
    assert_int_equal(query(h, "SELECT state FROM subscription WHERE subscriber = 1"), SUBSCRIPTION_LEFT);
    assert_int_equal(query(h, "SELECT state FROM subscription WHERE subscriber = 2"), SUBSCRIPTION_ACTIVE);
    assert_int_equal(query(h, "SELECT known + added FROM import ORDER BY id DESC LIMIT 1"), 1);
}

static void remarks_leave_room_for_faults(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    buf_puts(&text, "E-Mail;Name\n");
    for (int i = 0; i < 2000; i++)
        buf_puts(&text, ";Nobody\n");
    for (int i = 0; i < 600; i++)
        buf_puts(&text, "bad;Nobody\n");
    run(h, &c, &o, buf_view(&text), 1000);
    assert_int_equal(c.result, -EINVAL);
    assert_true(c.told->bad == 600 && c.told->no_address == 2000);
    assert_int_equal(c.told->problem_count, IMPORT_PROBLEMS_MAX);
    assert_int_equal(c.told->problems_unlisted, 1600);
    assert_true(c.told->problems[IMPORT_PROBLEMS_MAX - 1].bad);
    (void)import_free(c.import);
}

/* --- Running side by side ------------------------------------------------------------------------------------------
 */

static void one_import_at_a_time(void **state) {
    struct house *h = *state;
    struct client first, second;
    struct import_options o = options();
    struct view text = VIEW("E-Mail\na@town.example\n");
    begin(h, &first, &o, text, 3);
    run(h, &second, &o, text, 100);
    assert_int_equal(second.result, -EBUSY);
    assert_string_equal(second.told->why.what, "another import is running");
    (void)import_free(second.import);
    while (!first.over)
        turn(h);
    assert_int_equal(first.result, 0);
    (void)import_free(first.import);
}

static void an_upload_that_ends_is_swept(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    buf_puts(&text, "E-Mail\n");
    for (int i = 0; i < 3000; i++)
        buf_printf(&text, "p%d@town.example\n", i);
    for (int dry = 0; dry < 2; dry++)
        for (size_t at = 1; at < 8; at += 3) {
            begin(h, &c, &o, buf_view(&text), 8000);
            c.abort_at = at;
            o.dry_run = dry;
            while (store_pending(h->store))
                turn(h);
            assert_true(c.over && !c.told);
            assert_int_equal(c.gone, 1);
            assert_int_equal(query(h, "SELECT count(*) FROM subscriber"), 0);
            assert_int_equal(query(h, "SELECT count(*) FROM subscription"), 0);
            assert_int_equal(query(h, "SELECT count(*) FROM import"), 0);
        }
    /* while a piece is being read */
    begin(h, &c, &o, buf_view(&text), 60000);
    while (c.pieces == 0)
        turn(h);
    import_abort(c.import);
    assert_int_equal(c.gone, 0); /* its words are still being read with */
    while (store_pending(h->store))
        turn(h);
    assert_false(c.over);
    assert_int_equal(c.gone, 1);
    assert_int_equal(query(h, "SELECT count(*) FROM subscriber"), 0);
}

static void closing_the_store_ends_it(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    struct view text = VIEW("E-Mail\na@town.example\n");
    begin(h, &c, &o, text, 3);
    (void)alarm(60); /* it would go on for ever */
    h->store = store_close(h->store);
    (void)alarm(0);
    assert_true(c.over);
    assert_int_equal(c.result, -ESHUTDOWN);
    (void)import_free(c.import);
    assert_int_equal(c.gone, 0); /* freed by its owner */
}

/* At any moment of one that has written, whether it goes on, was aborted, or is being swept as a row is bad: it ends, and is
 * not tried again and again; the next start sweeps. */
static void closing_the_store_ends_what_was_written(void **state) {
    struct house *h = *state;
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    buf_puts(&text, "E-Mail\n");
    for (int i = 0; i < 6000; i++)
        buf_printf(&text, "p%04d@town.example\n", i);
    buf_puts(&text, "nobody\n");
    unsigned swept = 0;
    for (unsigned turns = 1; turns < 100; turns += 7)
        for (int aborts = 0; aborts < 2; aborts++) {
            struct client c;
            struct import_options o = options();
            begin(h, &c, &o, buf_view(&text), 8000);
            for (unsigned i = 0; i < turns && !c.over && !c.gone; i++)
                turn(h);
            bool ends = c.over;
            if (aborts && !ends)
                import_abort(c.import);
            (void)alarm(60); /* it would go on for ever */
            h->store = store_close(h->store);
            (void)alarm(0);
            if (ends || !aborts)
                assert_true(c.over);
            else
                assert_int_equal(c.gone, 1);
            if (!aborts || ends)
                (void)import_free(c.import);
            struct why why;
            assert_int_equal(store_open(h->folder, on_wake, h, &why, &h->store), 0);
            swept += query(h, "SELECT count(*) FROM subscriber") > 0;
            (void)query(h, NULL); /* import_recover() */
            assert_int_equal(query(h, "SELECT count(*) FROM subscriber"), 0);
        }
    assert_true(swept > 0);
}

/* No file may be written behind this. */
static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN); /* fails for bad arguments only */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* The disk fails in the middle: whoever imports is told at once, and once the disk works again the rows are swept. */
static void a_failing_disk(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    buf_puts(&text, "E-Mail\n");
    for (int i = 0; i < 5000; i++)
        buf_printf(&text, "p%d@town.example\n", i);
    begin(h, &c, &o, buf_view(&text), 8000);
    while (c.pieces < 4)
        turn(h);
    limit_files(4096);
    for (int i = 0; i < 1000 && store_trouble(h->store) == 0; i++) {
        struct pollfd fd = {.fd = h->wake_fd, .events = POLLIN};
        if (poll(&fd, 1, 10) > 0)
            turn(h);
    }
    assert_int_equal(store_trouble(h->store), -EIO);
    assert_true(c.over);
    assert_int_equal(c.result, -EIO);
    assert_non_null(strstr(c.told->why.what, "the store cannot write"));
    (void)import_free(c.import); /* it sweeps by itself, and frees itself */
    limit_files(RLIM_INFINITY);
    while (store_pending(h->store))
        turn(h);
    assert_int_equal(c.gone, 0);
    assert_int_equal(query(h, "SELECT count(*) FROM subscriber"), 0);
    assert_int_equal(query(h, "SELECT count(*) FROM import"), 0);
    run(h, &c, &o, buf_view(&text), 8000);
    assert_int_equal(c.result, 0);
    assert_int_equal(c.told->added, 5000);
    (void)import_free(c.import);
}

/* --- Many rows -----------------------------------------------------------------------------------------------------
 */

static void many(struct buf *text, int rows) {
    buf_puts(text, "E-Mail;Vorname;Nachname;Anrede;Sprache;Ort\n");
    for (int i = 0; i < rows; i++)
        buf_printf(text, "person%d@town%d.example;Vera%d;Müller;Frau;Deutsch;Hildesheim\n",
                   (int)((long long)i * 7919 % rows), i % 97, i);
}

static void a_hundred_thousand_rows(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    AUTOBUF struct buf text = BUF_INIT(64 << 20);
    many(&text, 100000);
    int64_t begun = clock_mono_usec();
    run(h, &c, &o, buf_view(&text), 128 * 1024);
    assert_int_equal(c.result, 0);
    assert_int_equal(c.told->added, 100000);
    print_message("100,000 rows in %.1f s\n", (double)(clock_mono_usec() - begun) / 1e6);
    (void)import_free(c.import);
    assert_int_equal(query(h, "SELECT count(*) FROM subscription WHERE state = 2"), 100000);
}

/* The same people in order and in no order, in files that are read in one go and that are not: the same counts, the same
 * list, and what a trial says. Who comes twice does so far apart. */
static void the_order_makes_no_difference(void **state) {
    struct house *h = *state;
    enum { PEOPLE = 30000 };
    struct import_result first = {0};
    int64_t sums[2] = {0};
    for (int shuffled = 0; shuffled < 2; shuffled++) {
        AUTOBUF struct buf text = BUF_INIT(64 << 20);
        buf_puts(&text, "E-Mail;Vorname;Nachname;Ort;Tags\n");
        for (int n = 0; n < 2 * PEOPLE; n++) { /* the second half says some of the first again, with other names */
            int i = shuffled ? n * 7919 % PEOPLE : n % PEOPLE;
            if (n < PEOPLE)
                buf_printf(&text, "P%05d@town.example;Vera;Müller;Bonn;a\n", i);
            else if (i % 100 == 0)
                buf_printf(&text, "p%05d@town.example;%s;Müller;;\n", i, i % 200 ? "Hans" : "Vera");
            else if (i % 1000 == 1)
                buf_printf(&text, "p%05d@town.example;;;;%s\n", i, "b");
        }
        buf_puts(&text, ";Nobody;Known;;\n");
        for (int dry = 1; dry >= 0; dry--) {
            struct client c;
            struct import_options o = options();
            o.dry_run = dry;
            run(h, &c, &o, buf_view(&text), 100000);
            assert_int_equal(c.result, 0);
            const struct import_result *r = c.told;
            unit_int(dry ? "trial" : "import", (long)r->added, PEOPLE);
            assert_int_equal(r->couples, PEOPLE / 200);
            assert_int_equal(r->repeated, PEOPLE / 200 + PEOPLE / 1000);
            assert_int_equal(sum(r), r->rows);
            assert_int_equal(r->no_address, 1);
            assert_int_equal(r->problem_count, r->couples + 1);
            for (size_t i = 1; i < r->problem_count; i++)
                assert_true(r->problems[i - 1].line < r->problems[i].line);
            if (!dry && !shuffled)
                first = *r;
            if (!dry && shuffled)
                assert_true(r->rows == first.rows && r->repeated == first.repeated && r->left_out == first.left_out);
            (void)import_free(c.import);
        }
        sums[shuffled] =
            query(h, "SELECT sum(length(given_name) * length(address) + length(tags) + length(attributes)) "
                     "FROM subscriber JOIN subscription ON subscriber = id");
        assert_int_equal(query(h, "SELECT count(*) FROM subscription WHERE state = 2"), PEOPLE);
        (void)query(h, "DELETE FROM subscriber RETURNING 1");
        (void)query(h, "DELETE FROM subscription RETURNING 1");
    }
    assert_int_equal(sums[0], sums[1]);
}

/* Nowhere to put what does not fit into memory. */
static void a_folder_that_is_not_there(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    AUTOBUF struct buf text = BUF_INIT(64 << 20);
    many(&text, 20000);
    o.folder = "/nowhere";
    run(h, &c, &o, buf_view(&text), 100000);
    assert_int_equal(c.result, -ENOENT);
    assert_string_equal(c.told->why.what, "the file could not be read: No such file or directory");
    (void)import_free(c.import);
    assert_int_equal(query(h, "SELECT count(*) FROM subscriber"), 0);
    assert_int_equal(query(h, "SELECT count(*) FROM import"), 0);
}

/* The process dies in the middle, wherever that is; the next one sweeps, and nothing is left. */
static void a_process_that_dies_leaves_nothing(void **state) {
    struct house *h = *state;
    AUTOBUF struct buf text = BUF_INIT(64 << 20);
    many(&text, 20000);
    h->store = store_close(h->store);
    srand(7);
    for (int round = 0; round < 6; round++) {
        pid_t child = fork();
        if (child == 0) {
            struct why why;
            struct client c;
            struct import_options o = options();
            if (store_open(h->folder, on_wake, h, &why, &h->store) < 0)
                _exit(1);
            begin(h, &c, &o, buf_view(&text), 4096);
            for (int turns = rand() % 300 + round; turns > 0 && !c.over; turns--)
                turn(h);
            _exit(0);
        }
        (void)rand();
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
        struct why why;
        assert_int_equal(store_open(h->folder, on_wake, h, &why, &h->store), 0);
        (void)query(h, NULL); /* import_recover() */
        assert_int_equal(query(h, "SELECT count(*) FROM subscriber"), 0);
        assert_int_equal(query(h, "SELECT count(*) FROM subscription"), 0);
        assert_int_equal(query(h, "SELECT count(*) FROM import"), 0);
        h->store = store_close(h->store);
    }
}

static void note_opt_out(struct house *h, const struct keyring *keys, const char *address, int list) {
    static char notes[8][256];
    static size_t count;
    uint8_t hash[32];
    AUTOBUF struct buf hex = BUF_INIT(128);
    code_address_hash(keys, view_of(address), hash);
    encode_hex(&hex, hash, sizeof hash);
    assert_true(count < COUNT_OF(notes));
    (void)snprintf(notes[count], sizeof notes[0], "INSERT INTO opt_out VALUES (x'%s', %d, 86400000000, 'link')",
                   buf_str(&hex), list); /* fits */
    (void)query(h, notes[count++]);
}

/* As others who left, of their list, and in a file that is the whole list, too. */
static void who_left_before_a_restore_stays_away(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    struct keyring *keys = fixed_keys();
    struct view text = VIEW("email\na@town.example\nB@TOWN.example\nc@town.example\nd@town.example\n");
    note_opt_out(h, keys, "b@town.example", (int)o.list);
    note_opt_out(h, keys, "c@town.example", 0);
    note_opt_out(h, keys, "d@town.example", (int)o.list + 1);
    o.keys = keys;
    for (int dry = 1; dry >= 0; dry--) {
        o.dry_run = dry;
        run(h, &c, &o, text, 4096);
        assert_int_equal(c.result, 0);
        assert_true(c.told->rows == 4 && c.told->added == 2 && c.told->left_out == 2 && c.told->left == 1 &&
                    c.told->suppressed == 1);
        assert_string_equal(c.told->problems[0].text, "left out: left on 1970-01-02");
        assert_int_equal(c.told->problems[0].line, 3);
        assert_string_equal(c.told->problems[1].text,
                            "left out: nothing is sent to this address any more (suppressed)");
        (void)import_free(c.import);
    }
    o.whole = true;
    run(h, &c, &o, text, 4096);
    assert_true(c.told->known == 2 && c.told->left == 1 && c.told->suppressed == 1 && c.told->removed == 0);
    (void)import_free(c.import);
    /* Who is on the list has come back, as by moving to that address. */
    note_opt_out(h, keys, "a@town.example", (int)o.list);
    run(h, &c, &o, text, 4096);
    assert_true(c.told->known == 2 && c.told->left == 1 && c.told->removed == 0);
    (void)import_free(c.import);
    o.list++;
    o.whole = false;
    run(h, &c, &o, text, 4096);
    assert_true(c.told->added == 2 && c.told->left == 1 && c.told->suppressed == 1);
    (void)import_free(c.import);
    assert_int_equal(query(h, "SELECT count(*) FROM subscriber"), 3);
    assert_int_equal(query(h, "SELECT count(*) FROM opt_out"), 4);
    (void)keyring_free(keys);
}

/* The first piece is in, and nobody was erased; then somebody of the second is. */
static void erased_ones_are_left_out(void **state) {
    struct house *h = *state;
    struct client c;
    struct import_options o = options();
    struct keyring *keys = fixed_keys();
    static const char text[] = "email\na@town.example\nb@town.example\nB@TOWN.example\nc@town.example\n";
    static char mark[256];
    uint8_t hash[32];
    AUTOBUF struct buf hex = BUF_INIT(128);
    code_address_hash(keys, VIEW("b@town.example"), hash);
    encode_hex(&hex, hash, sizeof hash);
    (void)snprintf(mark, sizeof mark, "INSERT INTO erased VALUES (x'%s', 86400000000, 'vera', 'letter')",
                   buf_str(&hex));
    o.keys = keys;
    begin(h, &c, &o, view_of(text), strlen("email\na@town.example\n"));
    while (c.pieces < 1)
        turn(h);
    (void)query(h, mark);
    while (!c.over)
        turn(h);
    assert_int_equal(c.result, 0);
    assert_true(c.told->rows == 4 && c.told->added == 2 && c.told->left_out == 2 && c.told->erased == 2);
    assert_string_equal(c.told->problems[0].text, "left out: erased on 1970-01-02");
    assert_int_equal(c.told->problems[0].line, 3);
    (void)import_free(c.import);
    assert_int_equal(query(h, "SELECT count(*) FROM subscriber WHERE address_key = 'b@town.example'"), 0);
    o.dry_run = true;
    run(h, &c, &o, view_of(text), 4096);
    assert_true(c.told->known == 2 && c.told->erased == 2);
    (void)import_free(c.import);
    (void)keyring_free(keys);
}

int main(void) {
#define HOUSE_TEST(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(an_export_of_excel),
        HOUSE_TEST(other_exports),
        HOUSE_TEST(a_bad_row_refuses_the_file),
        HOUSE_TEST(a_file_may_be_no_table),
        HOUSE_TEST(options_are_checked),
        HOUSE_TEST(trials_write_nothing),
        HOUSE_TEST(erased_ones_are_left_out),
        HOUSE_TEST(people_who_left_stay_away),
        HOUSE_TEST(who_left_before_a_restore_stays_away),
        HOUSE_TEST(remarks_leave_room_for_faults),
        HOUSE_TEST(one_import_at_a_time),
        HOUSE_TEST(an_upload_that_ends_is_swept),
        HOUSE_TEST(closing_the_store_ends_it),
        HOUSE_TEST(closing_the_store_ends_what_was_written),
        HOUSE_TEST(a_failing_disk),
        HOUSE_TEST(a_hundred_thousand_rows),
        HOUSE_TEST(the_order_makes_no_difference),
        HOUSE_TEST(a_folder_that_is_not_there),
        HOUSE_TEST(a_process_that_dies_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, load, free_all_words);
}
