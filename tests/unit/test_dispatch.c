/* Dispatch with a real store, real mails and a real server that misbehaves as told: what becomes of the people. */
#include "send/dispatch_inside.h"

#include "unit.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

#include "announce/intake.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "fixed_keys.h"
#include "net/loop.h"
#include "sink.h"
#include "spool/spool.h"
#include "store/announcement.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/notice.h"
#include "store/store.h"

enum { SINKS = 2, ANNOUNCEMENTS_MAX = 4 };

struct house {
    char folder[64];
    struct sink sinks[SINKS];
    struct conf *conf;
    struct keyring *keys;
    struct spool *spool;
    struct store *store;
    struct loop *loop;
    struct loop_source *wake, *tick, *deadline, *pester;
    struct dispatch *dispatch;
    int64_t ids[ANNOUNCEMENTS_MAX];
    unsigned announced, finished, pesters;
    struct buf alerts;
    bool (*enough)(struct house *h);
    int64_t begun_usec;
    bool stopped;
};

static char *in(const struct house *h, const char *name) {
    return unit_path(h->folder, name);
}

/* ---- building ------------------------------------------------------------------------------------------------ */

static void start_sink(struct house *h, unsigned n, const char *const *args) {
    const char *all[SINK_ARGS_MAX] = {"--ledger"};
    AUTOFREE char *ledger = in(h, n ? "ledger-1" : "ledger-0");
    unsigned count = 1;
    all[count++] = ledger;
    for (unsigned i = 0; args[i]; i++)
        all[count++] = args[i];
    sink_start(&h->sinks[n], all);
}

static void on_conf_error(void *user, const struct why *why) {
    (void)user;
    fail_msg("%s %s", why->where, why->what);
}

/* relay and spare are keys of the two relays' sections; spare NULL: only one. */
static struct conf *read_conf(const struct house *h, const char *daemon, const char *relay, const char *spare) {
    AUTOBUF struct buf text = BUF_INIT(10000);
    struct conf *conf = NULL;
    AUTOFREE char *here = realpath(".", NULL);
    buf_printf(
        &text,
        "[daemon]\ntemplates = %s/templates\nlocal-templates = /nonexistent\ntimezone = Europe/Berlin\n%s\n"
        "[sender office]\nname = Office\naddress = office@sender.example\npublic-url = https://news.sender.example\n"
        "[list a]\nlanguages = de, en\n[list b]\nlanguages = de\n"
        "[relay main]\nurl = smtp://127.0.0.1:%u\ntls = none\nehlo = client.example\npriority = 1\n%s\n",
        here, daemon, h->sinks[0].port, relay);
    if (spare)
        buf_printf(&text, "[relay spare]\nurl = smtp://127.0.0.1:%u\ntls = none\npriority = 2\n%s\n", h->sinks[1].port,
                   spare);
    assert_int_equal(conf_parse(buf_view(&text), "t.ini", on_conf_error, NULL, &conf), 0);
    return conf;
}

static struct db *open_db(const struct house *h) {
    struct why why;
    struct db *db = NULL;
    AUTOFREE char *path = in(h, "store.db");
    if (db_open(path, &why, &db) < 0)
        fail_msg("%s", why.what);
    return db;
}

static void add_person(struct db *db, uint32_t list, const char *address, const char *language) {
    assert_int_equal(db_run(db,
                            "INSERT INTO subscriber (address_key, address, language, given_name, family_name, created, "
                            "changed) VALUES (?, ?, ?, 'Vera', 'Muster', 1, 1)",
                            NULL, "ttt", address, address, language),
                     0);
    assert_int_equal(db_run(db, "INSERT INTO subscription (list, subscriber, state, since) VALUES (?, ?, 2, 1)", NULL,
                            "ii", (int64_t)list, db_last_id(db)),
                     0);
}

/* NAME1@DOMAIN, NAME2@DOMAIN … */
static void add_people(struct house *h, const char *list, const char *name, const char *domain, unsigned count) {
    struct db *db = open_db(h);
    uint32_t id = conf_find_list(h->conf, view_of(list))->id;
    assert_int_equal(db_begin(db), 0);
    for (unsigned i = 1; i <= count; i++) {
        char address[128];
        (void)snprintf(address, sizeof address, "%s%u@%s", name, i, domain);
        add_person(db, id, address, i % 3 ? "de" : "en");
    }
    assert_int_equal(db_commit(db), 0);
    (void)db_close(db);
}

static void write_bundle(const struct house *h, int64_t id, const struct bundle *b) {
    char name[64];
    (void)snprintf(name, sizeof name, "announcements/%lld", (long long)id);
    assert_int_equal(files_make_dir(h->spool->dirfd, name, 0700), 0);
    AUTOCLOSE int fd = files_open_dir(h->spool->dirfd, name);
    assert_true(fd >= 0);
    assert_int_equal(bundle_write(b, fd), 0);
}

static void announce(struct house *h, const char *list) {
    static const char german[] = "[announcement]\nsubject = Guten Tag\n---\n{{salutation}},\n\nder Text.\n";
    static const char english[] = "[announcement]\nsubject = Hello\n---\n{{salutation}},\n\nthe text.\n";
    struct bundle files;
    struct source source;
    struct problems problems;
    struct intake_result result;
    struct why why;
    bundle_init(&files);
    assert_int_equal(bundle_add(&files, "hello.md", view_of(german)), 0);
    if (strcmp(list, "a") == 0)
        assert_int_equal(bundle_add(&files, "hello.en.md", view_of(english)), 0);
    assert_int_equal(source_from(&files, "hello.md", &source, &why), 0);
    problems_init(&problems);
    const struct intake_options options = {.conf = h->conf, .lists = list, .now_usec = clock_now_usec()};
    if (intake_check(&source, &options, &problems, &result) < 0)
        fail_msg("%s", problems.count ? problems.items[0].key : "intake");
    struct db *db = open_db(h);
    struct announcement_row row = {.name = "hello",
                                   .list_names = list,
                                   .subject = "Guten Tag",
                                   .by = "test",
                                   .why = "",
                                   .event_uid = "",
                                   .lists = {{result.lists[0]->id}, 1},
                                   .created_usec = clock_now_usec(),
                                   .resume_state = ANNOUNCEMENT_SCHEDULED};
    assert_int_equal(announcement_insert(db, &row), 0);
    write_bundle(h, row.id, &result.bundle);
    assert_int_equal(announcement_taken_in(db, row.id, ANNOUNCEMENT_SCHEDULED), 0);
    (void)db_close(db);
    h->ids[h->announced++] = row.id;
    intake_result_done(&result);
    problems_done(&problems);
    source_done(&source);
    bundle_done(&files);
}

/* ---- running ------------------------------------------------------------------------------------------------- */

static void on_store_wake(void *user) {
    loop_wake(((struct house *)user)->wake);
}

static void on_store_results(void *user) {
    store_dispatch(((struct house *)user)->store);
}

static void on_finished(void *user, int64_t announcement) {
    struct house *h = user;
    (void)announcement;
    h->finished++;
}

static void on_alert(void *user, const char *key, const char *a1, const char *a2) {
    struct house *h = user;
    buf_printf(&h->alerts, "%s %s %s\n", key, a1, a2);
}

static void on_tick(void *user) {
    struct house *h = user;
    if (h->enough(h))
        loop_stop(h->loop, 0);
    else
        loop_set_timer(h->tick, clock_mono_usec() + 5000);
}

static void on_deadline(void *user) {
    struct house *h = user;
    loop_stop(h->loop, 1);
}

static bool all_finished(struct house *h) {
    return h->finished == h->announced;
}

static bool has_alert(struct house *h) {
    return h->alerts.len > 0;
}

static bool is_stopped(struct house *h) {
    return h->stopped;
}

static void run_until(struct house *h, bool (*enough)(struct house *), int64_t seconds) {
    h->enough = enough;
    loop_set_timer(h->tick, clock_mono_usec());
    loop_set_timer(h->deadline, clock_mono_usec() + seconds * USEC_PER_SEC);
    if (loop_run(h->loop) != 0)
        fail_msg("it does not come to an end; finished %u of %u, alerts: %s", h->finished, h->announced,
                 buf_str(&h->alerts));
    loop_unset_timer(h->deadline);
    loop_unset_timer(h->tick);
}

static void run_for(struct house *h, int64_t usec) {
    loop_set_timer(h->deadline, clock_mono_usec() + usec);
    assert_int_equal(loop_run(h->loop), 1);
}

static struct house *build(const char *const *rules, const char *daemon, const char *relay, const char *spare,
                           const char *const *spare_rules) {
    struct house *h = calloc(1, sizeof *h);
    struct why why;
    static const char *const none[] = {NULL};
    assert_non_null(h);
    (void)snprintf(h->folder, sizeof h->folder, "/tmp/rundbrief-dispatch-XXXXXX");
    assert_non_null(mkdtemp(h->folder));
    buf_init(&h->alerts, 1 << 20);
    start_sink(h, 0, rules);
    if (spare)
        start_sink(h, 1, spare_rules ? spare_rules : none);
    h->conf = read_conf(h, daemon, relay, spare);
    h->keys = fixed_keys();
    AUTOFREE char *spool = in(h, "spool");
    if (spool_open(spool, &why, &h->spool) < 0)
        fail_msg("%s", why.what);
    return h;
}

static const struct dispatch_handlers handlers = {on_finished, on_alert, NULL};

static void start(struct house *h) {
    struct why why;
    assert_int_equal(loop_new(&h->loop), 0);
    assert_int_equal(loop_add_wake(h->loop, on_store_results, h, &h->wake), 0);
    assert_int_equal(loop_add_timer(h->loop, on_tick, h, &h->tick), 0);
    assert_int_equal(loop_add_timer(h->loop, on_deadline, h, &h->deadline), 0);
    if (store_open(h->folder, on_store_wake, h, &why, &h->store) < 0 ||
        dispatch_new(h->loop, h->store, h->conf, h->keys, h->spool, &handlers, h, &why, &h->dispatch) < 0)
        fail_msg("%s", why.what);
    h->begun_usec = clock_mono_usec();
    dispatch_start(h->dispatch);
}

static void on_stopped(void *user) {
    ((struct house *)user)->stopped = true;
}

/* Ends it as SIGTERM does; then no claim may be left. */
static void stop(struct house *h) {
    int64_t claimed = 0;
    dispatch_stop(h->dispatch, clock_mono_usec() + 5 * USEC_PER_SEC, on_stopped, h);
    run_until(h, is_stopped, 10);
    h->store = store_close(h->store);
    h->dispatch = dispatch_free(h->dispatch);
    loop_remove(h->wake);
    loop_remove(h->tick);
    loop_remove(h->deadline);
    h->loop = loop_free(h->loop);
    struct db *db = open_db(h);
    assert_true(db_get_int(db, "SELECT count(*) FROM delivery WHERE state = 1", &claimed, "") >= 0);
    assert_int_equal(claimed, 0);
    for (unsigned i = 0; i < h->announced; i++)
        assert_int_equal(delivery_verify(db, h->ids[i]), 0);
    (void)db_close(db);
}

static void tear_down(struct house *h) {
    for (unsigned i = 0; i < SINKS; i++) {
        if (!h->sinks[i].pid)
            continue;
        sink_stop(&h->sinks[i]);
        if (sink_count(&h->sinks[i], "violations") != 0)
            fail_msg("%s", h->sinks[i].counts);
    }
    (void)spool_close(h->spool);
    (void)keyring_free(h->keys);
    (void)conf_unref(h->conf);
    buf_done(&h->alerts);
    assert_int_equal(files_remove_tree(AT_FDCWD, h->folder), 0);
    free(h);
}

/* ---- looking ------------------------------------------------------------------------------------------------- */

struct sums {
    uint64_t delivered, deferred, refused, in_doubt, pending, state;
};

static struct sums sums_of(struct house *h, unsigned n) {
    struct db *db = open_db(h);
    struct announcement_row row;
    struct arena arena AUTOARENA = {0};
    assert_int_equal(announcement_get(db, h->ids[n], &arena, &row), 1);
    (void)db_close(db);
    return (struct sums){row.delivered, row.deferred, row.refused, row.in_doubt, row.pending, row.state};
}

static void check_sums(struct house *h, struct sums want) {
    struct sums got = sums_of(h, 0);
    if (memcmp(&got, &want, sizeof got) != 0)
        fail_msg("delivered %llu, deferred %llu, refused %llu, in doubt %llu, pending %llu, state %llu; alerts: %s",
                 (unsigned long long)got.delivered, (unsigned long long)got.deferred, (unsigned long long)got.refused,
                 (unsigned long long)got.in_doubt, (unsigned long long)got.pending, (unsigned long long)got.state,
                 buf_str(&h->alerts));
}

static int64_t number(struct house *h, const char *sql_of_one) {
    struct db *db = open_db(h);
    struct row *row;
    int64_t n = -1;
    assert_int_equal(db_query(db, sql_of_one, &row, ""), 0);
    if (db_next(row) == 1) {
        n = row_int(row, 0);
        db_end(row);
    }
    (void)db_close(db);
    return n;
}

/* Lines of a ledger; distinct recipients in *ret_people, where not NULL. */
static unsigned ledger(const struct house *h, unsigned n, unsigned *ret_people) {
    AUTOBUF struct buf b = BUF_INIT(16 << 20);
    AUTOFREE char *path = in(h, n ? "ledger-1" : "ledger-0");
    unsigned lines = 0, people = 0;
    (void)files_read(AT_FDCWD, path, &b);
    for (struct view rest = buf_view(&b), line; view_line(&rest, &line); lines++) {
        struct view number_, from, to;
        assert_true(view_split(&line, '\t', &number_) && view_split(&line, '\t', &from) &&
                    view_split(&line, '\t', &to));
        AUTOBUF struct buf key = BUF_INIT(1000);
        buf_printf(&key, "\t%.*s\t", (int)to.len, to.ptr);
        const char *at = strstr(buf_str(&b), buf_str(&key));
        people += at + 1 == to.ptr; /* its first line */
    }
    if (ret_people)
        *ret_people = people;
    return lines;
}

#define RULES(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

/* ---- cases --------------------------------------------------------------------------------------------------- */

static void everybody_gets_one(void **state) {
    (void)state;
    static const char *const offers[] = {"8BITMIME", "PIPELINING,8BITMIME", "PIPELINING,CHUNKING,8BITMIME"};
    for (size_t i = 0; i < COUNT_OF(offers); i++) {
        struct house *h = build(RULES("--ehlo", offers[i]), "", "connections = 3", NULL, NULL);
        unsigned people;
        add_people(h, "a", "p", "people.example", 400);
        announce(h, "a");
        start(h);
        run_until(h, all_finished, 30);
        stop(h);
        check_sums(h, (struct sums){.delivered = 400, .state = ANNOUNCEMENT_DONE});
        assert_int_equal(ledger(h, 0, &people), 400);
        assert_int_equal(people, 400);
        assert_int_equal(number(h, "SELECT sum(messages) FROM relay_usage WHERE relay = 'main'"), 400);
        assert_int_equal(number(h, "SELECT count(*) FROM subscription WHERE key_id = 5"), 400);
        announce(h, "a"); /* with the signatures kept, so that many are recorded at once */
        h->stopped = false;
        start(h);
        run_until(h, all_finished, 30);
        stop(h);
        assert_int_equal(ledger(h, 0, &people), 800);
        assert_int_equal(people, 400);
        assert_int_equal(number(h, "SELECT count(*) FROM delivery d JOIN subscriber s ON s.id = d.subscriber AND "
                                   "s.language = d.language WHERE d.state = 2 AND d.relay = 'main' AND d.code = 250"),
                         800);
        assert_string_equal(buf_str(&h->alerts), "");
        tear_down(h);
    }
}

static const struct {
    const char *name;
    const char *rules[2];
    unsigned people;
    struct sums sums;
    const char *alert; /* in what the admin is told; NULL: nothing, and it comes to its end */
} faults[] = {
    {"some are refused",
     {"rcpt nth=3-11 550 5.1.1 no such user"},
     20,
     {.delivered = 11, .refused = 9, .state = ANNOUNCEMENT_DONE},
     NULL},
    {"nine are refused, and nobody after them",
     {"rcpt nth=2-10 550 5.1.1 no such user"},
     10,
     {.delivered = 1, .refused = 9, .state = ANNOUNCEMENT_DONE},
     NULL},
    {"refused in different words",
     {"rcpt to=p?@* 550 5.1.1 no such user", "rcpt 550 5.2.1 mailbox is shut"},
     15,
     {.refused = 15, .state = ANNOUNCEMENT_DONE},
     NULL},
    {"ten in the same words",
     {"rcpt 550 5.1.1 no such user"},
     15,
     {.deferred = 10, .pending = 5, .state = ANNOUNCEMENT_SENDING},
     "alert-relay-paused main 550 5.1.1 no such user"},
    {"ten and more after good ones",
     {"rcpt nth=4- 550 5.1.1 no such user"},
     30,
     {.delivered = 3, .deferred = 10, .pending = 17, .state = ANNOUNCEMENT_SENDING},
     "alert-relay-paused main"},
    {"our address is refused",
     {"mail 550 5.7.1 not you"},
     10,
     {.deferred = 1, .pending = 9, .state = ANNOUNCEMENT_SENDING},
     "alert-relay-paused main 550 5.7.1 not you"},
    {"our account has sent enough",
     {"end nth=4- 550 5.2.252 sender throttled"},
     10,
     {.delivered = 3, .deferred = 1, .pending = 6, .state = ANNOUNCEMENT_SENDING},
     "alert-relay-paused"},
    {"a policy against us",
     {"rcpt 550 5.7.1 your network is not welcome"},
     5,
     {.deferred = 5, .state = ANNOUNCEMENT_SENDING},
     "alert-destination-paused people.example"},
    {"the message is at fault",
     {"end nth=3 554 5.6.0 malformed"},
     10,
     {.delivered = 2, .deferred = 1, .pending = 7, .state = ANNOUNCEMENT_PAUSED},
     "alert-announcement-held"},
    {"wait for the mailbox",
     {"rcpt to=p4@* 452 4.2.2 mailbox full"},
     10,
     {.delivered = 9, .deferred = 1, .state = ANNOUNCEMENT_SENDING},
     ""},
    {"slow down",
     {"rcpt nth=4- 421 4.7.0 too many messages"},
     10,
     {.delivered = 3, .deferred = 7, .state = ANNOUNCEMENT_SENDING},
     ""},
    {"lost after the dot",
     {"end nth=3 accept-close"},
     10,
     {.delivered = 9, .in_doubt = 1, .state = ANNOUNCEMENT_DONE},
     NULL},
};

static bool settled_down(struct house *h) {
    struct dispatch_stats stats;
    dispatch_stats(h->dispatch, &stats);
    return clock_mono_usec() - h->begun_usec > USEC_PER_SEC / 2 && stats.claimed == 0;
}

static void faults_are_blamed_on_whom_they_speak_of(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        /* one at a time: the order of answers is the order of people */
        const char *rules[8] = {"--ehlo", "8BITMIME"};
        for (unsigned k = 0, n = 2; k < 2 && faults[i].rules[k]; k++) {
            rules[n++] = "--on";
            rules[n++] = faults[i].rules[k];
        }
        struct house *h = build(rules, "in-doubt = hold", "connections = 1", NULL, NULL);
        add_people(h, "a", "p", "people.example", faults[i].people);
        announce(h, "a");
        start(h);
        if (!faults[i].alert)
            run_until(h, all_finished, 20);
        else if (faults[i].alert[0])
            run_until(h, has_alert, 20);
        run_until(h, settled_down, 20);
        stop(h);
        check_sums(h, faults[i].sums);
        if (!strstr(buf_str(&h->alerts), faults[i].alert ? faults[i].alert : "") ||
            (h->alerts.len && (!faults[i].alert || !faults[i].alert[0])))
            fail_msg("%s: the admin is told: %s", faults[i].name, buf_str(&h->alerts));
        tear_down(h);
    }
}

/* Whoever was excused, and is refused again by a relay that works, is refused. */
static void an_excuse_is_for_once(void **state) {
    (void)state;
    struct house *h = build(RULES("--ehlo", "8BITMIME", "--on", "rcpt to=x* 550 5.1.1 no such user"), "",
                            "connections = 1\n[retry]\nfirst = 1s\nthen = 1s\ngive-up = 1h", NULL, NULL);
    add_people(h, "a", "x", "people.example", 12);
    add_people(h, "a", "good", "people.example", 3);
    announce(h, "a");
    start(h);
    run_until(h, has_alert, 20);
    dispatch_set_conf(h->dispatch, h->conf); /* the admin looks, and reloads */
    run_until(h, all_finished, 60);
    stop(h);
    check_sums(h, (struct sums){.delivered = 3, .refused = 12, .state = ANNOUNCEMENT_DONE});
    tear_down(h);
}

static void the_spare_relay_carries_until_the_first_is_back(void **state) {
    (void)state;
    struct house *h = build(RULES("--on", "greeting nth=1-2 last 554 5.3.2 closed"), "", "connections = 2",
                            "connections = 1\nin-flight = 1", RULES("--ehlo", "8BITMIME", "--delay", "10"));
    unsigned first, second, people_first, people_second;
    add_people(h, "a", "p", "people.example", 1500);
    announce(h, "a");
    start(h);
    run_until(h, all_finished, 60);
    stop(h);
    check_sums(h, (struct sums){.delivered = 1500, .state = ANNOUNCEMENT_DONE});
    first = ledger(h, 0, &people_first);
    second = ledger(h, 1, &people_second);
    assert_int_equal(first + second, 1500);
    assert_int_equal(people_first + people_second, 1500);
    assert_true(first > 500 && second > 20);
    tear_down(h);
}

static void a_rate_is_kept(void **state) {
    (void)state;
    struct house *h = build(RULES(), "", "rate = 40/s", NULL, NULL);
    add_people(h, "a", "p", "people.example", 60);
    announce(h, "a");
    start(h);
    run_until(h, all_finished, 20);
    int64_t took = clock_mono_usec() - h->begun_usec;
    stop(h);
    check_sums(h, (struct sums){.delivered = 60, .state = ANNOUNCEMENT_DONE});
    assert_true(took > USEC_PER_SEC); /* 60 do not fit into one second's 40 */
    assert_true(took < 6 * USEC_PER_SEC);
    tear_down(h);
}

static bool half_a_second(struct house *h) {
    return clock_mono_usec() - h->begun_usec > USEC_PER_SEC / 2;
}

static void a_daily_limit_outlives_a_restart(void **state) {
    (void)state;
    struct house *h = build(RULES(), "", "daily-limit = 30", NULL, NULL);
    add_people(h, "a", "p", "people.example", 60);
    announce(h, "a");
    start(h);
    run_until(h, half_a_second, 20);
    stop(h);
    check_sums(h, (struct sums){.delivered = 30, .pending = 30, .state = ANNOUNCEMENT_SENDING});
    h->stopped = false;
    start(h);
    run_until(h, half_a_second, 20);
    stop(h);
    check_sums(h, (struct sums){.delivered = 30, .pending = 30, .state = ANNOUNCEMENT_SENDING});
    tear_down(h);
}

/* A running daemon whose wall clock is set elsewhere has no new day for that, and neither has the next one. */
static void a_clock_that_is_set_makes_no_new_day(void **state) {
    (void)state;
    static const int64_t jumps[] = {3 * USEC_PER_DAY, -40 * USEC_PER_DAY, 23 * USEC_PER_HOUR};
    struct house *h = build(RULES(), "", "daily-limit = 30", NULL, NULL);
    add_people(h, "a", "p", "people.example", 60);
    announce(h, "a");
    start(h);
    run_until(h, half_a_second, 20);
    for (size_t i = 0; i < COUNT_OF(jumps); i++) {
        run_until(h, settled_down, 20);
        clock_start_at(clock_now_usec() + jumps[i]);
        dispatch_announcement(h->dispatch, h->ids[0]);
        run_for(h, 300000);
        assert_int_equal(ledger(h, 0, NULL), 30);
    }
    stop(h);
    h->stopped = false;
    start(h);
    run_until(h, half_a_second, 20);
    stop(h);
    assert_int_equal(ledger(h, 0, NULL), 30);
    clock_start_at(clock_now_usec() - 3 * USEC_PER_DAY + 40 * USEC_PER_DAY - 23 * USEC_PER_HOUR);
    tear_down(h);
}

/* Each destination may have its reason; a relay that says it to all is left alone. */
static void a_relay_that_hangs_up_on_everybody_rests(void **state) {
    (void)state;
    struct house *h = build(RULES("--on", "rcpt 421 4.7.0 not now"), "", "connections = 2", NULL, NULL);
    for (unsigned i = 0; i < 200; i++) {
        char domain[64];
        (void)snprintf(domain, sizeof domain, "d%u.example", i);
        add_people(h, "a", "p", domain, 1);
    }
    announce(h, "a");
    start(h);
    run_for(h, 2 * USEC_PER_SEC);
    stop(h);
    sink_stop(&h->sinks[0]);
    assert_in_range(sink_count(&h->sinks[0], "connections"), 3, 12);
    assert_int_equal(number(h, "SELECT count(*) FROM delivery WHERE state NOT IN (0, 3)"), 0);
    h->sinks[0].pid = 0;
    tear_down(h);
}

/* Asks again and again how many are claimed and have no outcome, with what each commit makes durable. Ids are in order. */
struct census {
    struct store_job job; /* first */
    struct house *house;
    int64_t most;
};

static int count_claimed(struct store_job *job, struct db *db) {
    struct census *c = (struct census *)job;
    int64_t claimed = 0;
    int r = db_get_int(db,
                       "SELECT ifnull(max(r.upto), 0) - (SELECT count(*) FROM delivery d WHERE d.announcement = "
                       "r.announcement) FROM claim_run r WHERE r.announcement = ?",
                       &claimed, "i", c->house->ids[0]);
    if (claimed > c->most)
        c->most = claimed;
    return r < 0 ? r : STORE_DONE;
}

static void on_counted(struct store_job *job, int result) {
    struct census *c = (struct census *)job;
    struct dispatch_stats stats;
    assert_int_equal(result, 0);
    dispatch_stats(c->house->dispatch, &stats);
    assert_in_range(stats.claimed, 0, stats.window);
    if (all_finished(c->house))
        c->house->stopped = true;
    else
        store_submit(c->house->store, &c->job);
}

static int64_t most_claimed(const char *const *rules, const char *relay, unsigned people, unsigned *ret_window) {
    struct dispatch_stats stats;
    struct house *h = build(rules, "", relay, NULL, NULL);
    struct census c = {.job = {.lane = STORE_NORMAL, .step = count_claimed, .done = on_counted}, .house = h};
    add_people(h, "a", "p", "people.example", people);
    announce(h, "a");
    start(h);
    store_submit(h->store, &c.job);
    run_until(h, is_stopped, 60);
    dispatch_stats(h->dispatch, &stats);
    *ret_window = stats.window;
    h->stopped = false;
    stop(h);
    check_sums(h, (struct sums){.delivered = people, .state = ANNOUNCEMENT_DONE});
    tear_down(h);
    return c.most;
}

static void claimed_ones_are_within_the_window(void **state) {
    (void)state;
    unsigned window;
    int64_t most = most_claimed(RULES("--ehlo", "PIPELINING,CHUNKING,8BITMIME"), "connections = 8", 10000, &window);
    assert_int_equal(window, 2 * 8 * 4 + DISPATCH_COMMIT);
    assert_in_range(most, 1, window);
    /* Where answers come slowly no more are claimed than lines take, and as many as were answered together. */
    most =
        most_claimed(RULES("--ehlo", "PIPELINING,CHUNKING,8BITMIME", "--delay", "20"), "connections = 1", 100, &window);
    assert_int_equal(window, 2 * 1 * 4 + DISPATCH_COMMIT);
    assert_in_range(most, 1, 2 * 1 * 4 + 4);
}

/* Of the slow one no more are claimed for what the other one answers. */
static void a_slow_relay_has_no_more_in_hand(void **state) {
    (void)state;
    struct house *h = build(RULES("--delay", "40"), "",
                            "connections = 1\n[list slow]\nlanguages = de\nrelay = main\n"
                            "[list fast]\nlanguages = de\nrelay = spare\n",
                            "connections = 8", RULES("--ehlo", "PIPELINING,CHUNKING,8BITMIME"));
    struct census c = {.job = {.lane = STORE_NORMAL, .step = count_claimed, .done = on_counted}, .house = h};
    add_people(h, "slow", "s", "people.example", 100);
    announce(h, "slow");
    add_people(h, "fast", "f", "people.example", 20000);
    announce(h, "fast");
    start(h);
    store_submit(h->store, &c.job);
    run_until(h, is_stopped, 60);
    h->stopped = false;
    stop(h);
    assert_in_range(c.most, 1, 2 * 1 * 4 + 4);
    tear_down(h);
}

static void a_slow_destination_holds_up_nobody_else(void **state) {
    (void)state;
    struct house *h = build(RULES(), "", "connections = 2\n[destination slow.example]\nrate = 1/m", NULL, NULL);
    add_people(h, "a", "s", "slow.example", 50);
    add_people(h, "a", "p", "people.example", 200);
    announce(h, "a");
    start(h);
    run_until(h, half_a_second, 20);
    run_until(h, settled_down, 20);
    stop(h);
    check_sums(h, (struct sums){.delivered = 200, .deferred = 50, .state = ANNOUNCEMENT_SENDING});
    assert_int_equal(number(h, "SELECT count(*) FROM delivery WHERE state = 3 AND attempts = 0 AND due IS NOT NULL"),
                     50);
    tear_down(h);
}

static void a_stop_leaves_nothing_claimed(void **state) {
    (void)state;
    for (int64_t usec = 0; usec < 120000; usec += 17000) {
        struct house *h = build(RULES("--delay", "2"), "", "connections = 3", NULL, NULL);
        unsigned people;
        add_people(h, "a", "p", "people.example", 2000);
        announce(h, "a");
        start(h);
        run_for(h, usec + 1);
        stop(h);
        struct sums s = sums_of(h, 0);
        assert_int_equal(ledger(h, 0, &people), s.delivered);
        assert_int_equal(people, s.delivered);
        assert_int_equal(s.refused + s.deferred + s.in_doubt, 0);
        h->stopped = false;
        if (usec == 17000 * 5) { /* and the rest gets it after a start */
            start(h);
            run_until(h, all_finished, 60);
            stop(h);
            assert_int_equal(ledger(h, 0, &people), 2000);
            assert_int_equal(people, 2000);
        }
        tear_down(h);
    }
}

/* Voluntary context switches of all threads: the number of times something slept and was woken. */
static long switches(void) {
    struct rusage u;
    assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
    return u.ru_nvcsw;
}

static void check_quiet(struct house *h) {
    run_for(h, 200000);
    long before = switches();
    struct timespec cpu[2];
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[0]), 0);
    run_for(h, 1500000);
    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu[1]), 0);
    assert_in_range(switches() - before, 0, 6);
    assert_true((cpu[1].tv_sec - cpu[0].tv_sec) * 1000000000 + cpu[1].tv_nsec - cpu[0].tv_nsec < 20000000);
}

static void an_idle_one_does_not_wake(void **state) {
    (void)state;
    struct house *h = build(RULES(), "", "", NULL, NULL);
    add_people(h, "a", "p", "people.example", 20);
    announce(h, "a");
    start(h);
    run_until(h, all_finished, 20);
    check_quiet(h);
    stop(h);
    tear_down(h);
}

/* What takes longer than a moment has others looked for meanwhile; in the end there is nothing to look for, but for
 * the days at which it would have been given up. */
static void when_all_is_over_no_survey_is_due(void **state) {
    (void)state;
    struct house *h = build(RULES(), "", "rate = 10/s", NULL, NULL);
    add_people(h, "a", "p", "people.example", 25);
    announce(h, "a");
    start(h);
    run_until(h, all_finished, 20);
    run_for(h, 200000);
    assert_int_equal(h->dispatch->overdue_usec, 0);
    assert_true(h->dispatch->due_usec == 0 || h->dispatch->due_usec > clock_now_usec() + 3600 * USEC_PER_SEC);
    stop(h);
    tear_down(h);
}

static void a_resting_relay_makes_no_busy_loop(void **state) {
    (void)state;
    struct house *h = build(RULES("--on", "mail 550 5.7.1 not you"), "", "", NULL, NULL);
    add_people(h, "a", "p", "people.example", 20);
    announce(h, "a");
    start(h);
    run_until(h, has_alert, 20);
    check_quiet(h);
    stop(h);
    tear_down(h);
}

static void what_is_overdue_and_cannot_be_sent_makes_no_busy_loop(void **state) {
    (void)state;
    struct house *h = build(RULES("--on", "rcpt nth=1-5 450 4.2.0 later", "--on", "mail nth=6- 550 5.7.1 not you"), "",
                            "connections = 1\n[retry]\nfirst = 1s\nthen = 1s\ngive-up = 1h", NULL, NULL);
    add_people(h, "a", "p", "people.example", 5);
    announce(h, "a");
    start(h);
    run_until(h, has_alert, 20);
    run_for(h, 2 * USEC_PER_SEC);
    check_quiet(h);
    stop(h);
    assert_int_equal(sums_of(h, 0).refused, 0);
    tear_down(h);
}

static void announcements_share(void **state) {
    (void)state;
    struct house *h = build(RULES("--delay", "1"), "", "connections = 1", NULL, NULL);
    add_people(h, "a", "a", "people.example", 200);
    add_people(h, "b", "b", "people.example", 200);
    announce(h, "a");
    announce(h, "b");
    start(h);
    run_until(h, all_finished, 60);
    stop(h);
    AUTOBUF struct buf b = BUF_INIT(16 << 20);
    AUTOFREE char *path = in(h, "ledger-0");
    assert_int_equal(files_read(AT_FDCWD, path, &b), 0);
    unsigned lines = 0, of_b = 0;
    for (struct view rest = buf_view(&b), line; view_line(&rest, &line) && lines < 200; lines++)
        of_b += view_search(line, VIEW("\tb")) < line.len;
    assert_in_range(of_b, 50, 150);
    tear_down(h);
}

struct move {
    struct store_job job;
    struct house *h;
    bool resume, stop;
};

static int step_move(struct store_job *job, struct db *db) {
    struct move *m = (struct move *)job;
    if (m->stop)
        return announcement_stop(db, m->h->ids[0], "test", clock_now_usec(), &job->why);
    return m->resume ? announcement_resume(db, m->h->ids[0], &job->why)
                     : announcement_pause(db, m->h->ids[0], "test", &job->why);
}

static void on_moved(struct store_job *job, int result) {
    struct move *m = (struct move *)job;
    assert_int_equal(result, 0);
    dispatch_announcement(m->h->dispatch, m->h->ids[0]);
    free(m);
}

static void move(struct house *h, bool resume, bool stop_it) {
    struct move *m = calloc(1, sizeof *m);
    assert_non_null(m);
    *m = (struct move){
        .job = {.lane = STORE_NORMAL, .step = step_move, .done = on_moved}, .h = h, .resume = resume, .stop = stop_it};
    store_submit(h->store, &m->job);
}

static bool hundred_are_out(struct house *h) {
    struct dispatch_stats stats;
    dispatch_stats(h->dispatch, &stats);
    return stats.relays[0].delivered > 100;
}

static void a_pause_pauses_and_a_resume_goes_on(void **state) {
    (void)state;
    struct house *h = build(RULES("--delay", "1"), "", "", NULL, NULL);
    unsigned people;
    add_people(h, "a", "p", "people.example", 1000);
    announce(h, "a");
    start(h);
    run_until(h, hundred_are_out, 20);
    move(h, false, false);
    run_for(h, 200000);
    unsigned so_far = ledger(h, 0, NULL);
    run_for(h, 200000);
    assert_int_equal(ledger(h, 0, NULL), so_far);
    assert_true(so_far < 900);
    move(h, true, false);
    run_until(h, all_finished, 20);
    stop(h);
    assert_int_equal(ledger(h, 0, &people), 1000);
    assert_int_equal(people, 1000);
    tear_down(h);
}

/* The store is held until the next claim waits behind the pause; it runs before the resume. */
static int step_pause_and_resume(struct store_job *job, struct db *db) {
    struct move *m = (struct move *)job;
    if (m->resume)
        return announcement_resume(db, m->h->ids[0], &job->why);
    (void)usleep(100000);
    m->resume = true;
    int r = announcement_pause(db, m->h->ids[0], "test", &job->why);
    return r < 0 ? r : STORE_MORE;
}

static void a_claim_that_met_a_pause_forgets_nobody(void **state) {
    (void)state;
    struct house *h = build(RULES("--delay", "1"), "", "", NULL, NULL);
    struct move *m = calloc(1, sizeof *m);
    unsigned people;
    assert_non_null(m);
    add_people(h, "a", "p", "people.example", 1000);
    announce(h, "a");
    start(h);
    run_until(h, hundred_are_out, 20);
    *m = (struct move){.job = {.lane = STORE_NORMAL, .step = step_pause_and_resume, .done = on_moved}, .h = h};
    store_submit(h->store, &m->job);
    run_until(h, all_finished, 20);
    stop(h);
    assert_int_equal(ledger(h, 0, &people), 1000);
    assert_int_equal(people, 1000);
    tear_down(h);
}

static void on_pester(void *user) {
    struct house *h = user;
    if (h->pesters++ % 5 == 0)
        dispatch_announcement(h->dispatch, h->ids[0]);
    loop_post(h->pester);
}

static void one_that_is_looked_at_again_while_it_ends_ends(void **state) {
    (void)state;
    struct house *h = build(RULES(), "", "", NULL, NULL);
    add_people(h, "a", "p", "people.example", 20);
    announce(h, "a");
    start(h);
    assert_int_equal(loop_add_post(h->loop, on_pester, h, &h->pester), 0);
    loop_post(h->pester);
    run_until(h, all_finished, 20);
    run_for(h, 50000);
    h->pester = loop_remove(h->pester);
    stop(h);
    check_sums(h, (struct sums){.delivered = 20, .state = ANNOUNCEMENT_DONE});
    tear_down(h);
}

static void a_stop_of_an_announcement_ends_it(void **state) {
    (void)state;
    struct house *h = build(RULES("--delay", "1"), "", "", NULL, NULL);
    add_people(h, "a", "p", "people.example", 1000);
    announce(h, "a");
    start(h);
    run_until(h, hundred_are_out, 20);
    move(h, false, true);
    run_for(h, 300000);
    stop(h);
    struct sums s = sums_of(h, 0);
    assert_int_equal(s.state, ANNOUNCEMENT_STOPPED);
    assert_int_equal(s.delivered, ledger(h, 0, NULL));
    assert_true(s.delivered < 900);
    assert_int_equal(s.pending, 0);
    tear_down(h);
}

static void a_reload_moves_to_another_relay(void **state) {
    (void)state;
    struct house *h = build(RULES("--delay", "2"), "", "", "", RULES());
    unsigned first, second;
    add_people(h, "a", "p", "people.example", 1000);
    announce(h, "a");
    start(h);
    run_until(h, hundred_are_out, 20);
    /* The spare one's address for the first one's name. */
    uint16_t port = h->sinks[0].port;
    h->sinks[0].port = h->sinks[1].port;
    struct conf *conf = read_conf(h, "", "", NULL);
    h->sinks[0].port = port;
    dispatch_set_conf(h->dispatch, conf);
    (void)conf_unref(h->conf);
    h->conf = conf;
    run_until(h, all_finished, 20);
    stop(h);
    first = ledger(h, 0, NULL);
    second = ledger(h, 1, NULL);
    assert_int_equal(first + second, 1000);
    assert_in_range(first, 100, 600);
    tear_down(h);
}

static void an_address_beyond_ascii_needs_its_relay(void **state) {
    (void)state;
    struct house *h = build(RULES("--ehlo", "PIPELINING,8BITMIME"), "", "", NULL, NULL);
    add_people(h, "a", "jörg", "people.example", 1);
    add_people(h, "a", "p", "people.example", 5);
    announce(h, "a");
    start(h);
    run_until(h, all_finished, 20);
    stop(h);
    check_sums(h, (struct sums){.delivered = 5, .refused = 1, .state = ANNOUNCEMENT_DONE});
    assert_int_equal(number(h, "SELECT text = 'the relay does not offer SMTPUTF8, which this address needs' FROM "
                               "delivery WHERE state = 4"),
                     1);
    tear_down(h);
}

static bool ten_in_the_ledger(struct house *h) {
    return ledger(h, 0, NULL) == 10;
}

static void notices_go_the_same_way(void **state) {
    (void)state;
    struct house *h = build(RULES("--on", "rcpt to=no@* 550 5.1.1 no such user"), "", "", NULL, NULL);
    struct db *db = open_db(h);
    for (int i = 0; i < 11; i++)
        assert_int_equal(notice_add(db, "test", 0, "office", "", i == 4 ? "no@people.example" : "yes@people.example",
                                    VIEW("Subject: x\r\n\r\nHello.\r\n"), clock_now_usec()),
                         0);
    (void)db_close(db);
    start(h);
    run_until(h, ten_in_the_ledger, 20);
    run_until(h, settled_down, 20);
    stop(h);
    assert_int_equal(number(h, "SELECT count(*) FROM notice WHERE state = 2"), 10);
    assert_int_equal(number(h, "SELECT count(*) FROM notice WHERE state = 4"), 1);
    tear_down(h);
}

static int be_quiet(void **state) {
    (void)state;
    log_set_level(getenv("RB_LOG") ? LOG_DEBUG : LOG_CRIT);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everybody_gets_one),
        cmocka_unit_test(faults_are_blamed_on_whom_they_speak_of),
        cmocka_unit_test(an_excuse_is_for_once),
        cmocka_unit_test(the_spare_relay_carries_until_the_first_is_back),
        cmocka_unit_test(a_rate_is_kept),
        cmocka_unit_test(a_daily_limit_outlives_a_restart),
        cmocka_unit_test(a_clock_that_is_set_makes_no_new_day),
        cmocka_unit_test(a_relay_that_hangs_up_on_everybody_rests),
        cmocka_unit_test(claimed_ones_are_within_the_window),
        cmocka_unit_test(a_slow_relay_has_no_more_in_hand),
        cmocka_unit_test(a_slow_destination_holds_up_nobody_else),
        cmocka_unit_test(a_stop_leaves_nothing_claimed),
        cmocka_unit_test(an_idle_one_does_not_wake),
        cmocka_unit_test(when_all_is_over_no_survey_is_due),
        cmocka_unit_test(a_resting_relay_makes_no_busy_loop),
        cmocka_unit_test(what_is_overdue_and_cannot_be_sent_makes_no_busy_loop),
        cmocka_unit_test(announcements_share),
        cmocka_unit_test(a_pause_pauses_and_a_resume_goes_on),
        cmocka_unit_test(a_claim_that_met_a_pause_forgets_nobody),
        cmocka_unit_test(one_that_is_looked_at_again_while_it_ends_ends),
        cmocka_unit_test(a_stop_of_an_announcement_ends_it),
        cmocka_unit_test(a_reload_moves_to_another_relay),
        cmocka_unit_test(an_address_beyond_ascii_needs_its_relay),
        cmocka_unit_test(notices_go_the_same_way),
    };
    return cmocka_run_group_tests(tests, be_quiet, NULL);
}
