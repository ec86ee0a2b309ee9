/* Routes about announcements: queueing and checking, their states, one and all of them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "announce/admit.h"
#include "announce/inform.h"
#include "announce/upload.h"
#include "api/call.h"
#include "api/json_of.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/number.h"
#include "conf/conf.h"
#include "mail/address.h"
#include "mail/words.h"
#include "send/dispatch.h"
#include "store/announcement.h"
#include "store/series.h"
#include "trust/token.h"

#include "base/banned.h"

static bool take_id(struct call *c, int64_t *ret) {
    if (number_parse_i64(view_of(c->argument), ret) == 0 && *ret > 0)
        return true;
    call_refuse(c, 404, "there is no such announcement", "`rundbrief status` shows them with their numbers");
    return false;
}

/* The row, where it is there and the caller may see it; else the reason. */
static int get_row(struct call *c, struct db *db, struct announcement_row *ret) {
    int64_t id = *(int64_t *)c->state;
    int r = announcement_get(db, id, &c->arena, ret);
    if (r == 1 && rights_on_any(&c->rights, c->conf, &ret->lists))
        return 0;
    if (r < 0)
        return r;
    (void)why_set(&c->job.why, -ENOENT, "there is no announcement %lld", (long long)id);
    why_todo(&c->job.why, "`rundbrief status` shows them with their numbers");
    return -ENOENT;
}

static bool keep_id(struct call *c) {
    int64_t id;
    if (!take_id(c, &id))
        return false;
    c->state = malloc(sizeof id);
    c->free_state = free;
    if (!c->state) {
        call_refuse(c, 503, "out of memory", NULL);
        return false;
    }
    *(int64_t *)c->state = id;
    return true;
}

static int step_get(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct announcement_row row;
    struct series_row series;
    int r = get_row(c, db, &row);
    if (r == 0)
        r = series_get(db, row.id, &c->arena, &series);
    if (r < 0)
        return r;
    c->result = json_of_announcement(&row, c);
    if (r == 1 && c->result) {
        (void)json_object_set_new(c->result, "repeat", json_string(series.repeat));
        (void)json_object_set_new(c->result, "next", json_of_dates(&series));
    }
    return 0;
}

void route_announcement(struct call *c) {
    if (keep_id(c))
        call_run(c, STORE_NORMAL, step_get);
}

enum { DATES_MAX = 100 };
enum move { MOVE_RELEASE, MOVE_PAUSE, MOVE_RESUME, MOVE_STOP };

struct moving {
    int64_t id; /* first: get_row() reads it */
    enum move move;
    bool begun;
};

/* What became of the dates of one that recurred. */
static int add_dates(struct call *c, struct db *db, int64_t now) {
    const struct moving *m = c->state;
    int64_t stopped, going_on[DATES_MAX];
    size_t count;
    int r = series_stopped(db, m->id, now, &stopped, going_on, DATES_MAX, &count);
    if (r < 0)
        return r;
    json_t *ids = json_array();
    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(ids, json_integer((json_int_t)going_on[i])); /* without memory it is missing */
    (void)json_object_set_new(c->result, "dates_stopped", json_integer((json_int_t)stopped));
    (void)json_object_set_new(c->result, "dates_going_on", ids);
    return 0;
}

static int step_move(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct moving *m = c->state;
    struct announcement_row row;
    int r = get_row(c, db, &row);
    if (r < 0)
        return r;
    if (!rights_on_all(&c->rights, c->conf, &row.lists)) {
        (void)why_set(&c->job.why, -EACCES, "announcement %lld is for lists of others, too", (long long)m->id);
        why_todo(&c->job.why, "Ask somebody who is in the groups of all its lists");
        return -EACCES;
    }
    int64_t now = clock_now_usec();
    const char *by = arena_printf(&c->arena, "by %s", c->rights.name);
    switch (m->move) {
    case MOVE_RELEASE: r = announcement_release(db, m->id, now, &c->job.why); break;
    case MOVE_PAUSE: r = announcement_pause(db, m->id, by, &c->job.why); break;
    case MOVE_RESUME: r = announcement_resume(db, m->id, &c->job.why); break;
    case MOVE_STOP: r = announcement_stop(db, m->id, by, now, &c->job.why); break;
    }
    if (r != STORE_DONE)
        return r;
    bool recurs = row.state == ANNOUNCEMENT_RECURRING || row.resume_state == ANNOUNCEMENT_RECURRING;
    r = get_row(c, db, &row);
    if (r == 0)
        c->result = json_of_announcement(&row, c);
    return r == 0 && recurs && m->move == MOVE_STOP && c->result ? add_dates(c, db, now) : r;
}

static void on_moved(struct store_job *job, int result) {
    struct call *c = (struct call *)job;
    struct moving *m = c->state;
    if (result == 0) {
        log_info("announcement-moved", LOG_NUM("announcement", m->id), LOG_TEXT("by", c->rights.name));
        dispatch_announcement(c->parts.dispatch, m->id);
    }
    call_finish(c, result);
}

static void move(struct call *c, enum move move) {
    int64_t id;
    if (!take_id(c, &id))
        return;
    struct moving *m = calloc(1, sizeof *m);
    if (!m) {
        call_refuse(c, 503, "out of memory", NULL);
        return;
    }
    *m = (struct moving){.id = id, .move = move};
    c->state = m;
    c->free_state = free;
    call_run_with(c, STORE_NORMAL, step_move, on_moved);
}

void route_release(struct call *c) {
    move(c, MOVE_RELEASE);
}
void route_pause(struct call *c) {
    move(c, MOVE_PAUSE);
}
void route_resume(struct call *c) {
    move(c, MOVE_RESUME);
}
void route_stop(struct call *c) {
    move(c, MOVE_STOP);
}

/* Queueing is a job of its own (announce/admit.h) that answers a call. */
struct queueing {
    struct admit admit; /* first: its job is cast back */
    struct call *call;
    struct words *words; /* of the caller's language, for problems and facts */
};

static void queueing_free(struct queueing *q) {
    admit_done(&q->admit);
    (void)words_free(q->words);
    free(q);
}

static json_t *facts_of(const struct queueing *q) {
    const struct admit *a = &q->admit;
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    inform_say_facts(&a->result, &a->reach, a->conf, q->words, &text);
    AUTOBUF struct buf names = BUF_INIT(4096);
    json_t *lists = json_array();
    for (size_t i = 0; i < a->result.list_count; i++) {
        buf_printf(&names, "%s%s", i ? ", " : "", a->result.lists[i]->name);
        (void)json_array_append_new(lists, json_string(a->result.lists[i]->name)); /* no memory: it is missing */
    }
    json_t *facts = json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:s, s:s, s:s, s:I}", "name", a->result.head.name, "list",
                              buf_str(&names), "lists", lists, "subject", a->result.subject, "people",
                              (json_int_t)a->reach.census.active, "several", (json_int_t)a->reach.several, "text",
                              buf_str(&text), "ask", words_get(q->words, "notice.fact-ask"), "only", a->result.only,
                              "members", (json_int_t)a->reach.members);
    if (facts && a->result.send_at_usec)
        json_set_moment(facts, "send_at", a->result.send_at_usec);
    return facts;
}

static json_t *queue_document(struct queueing *q, int result) {
    struct admit *a = &q->admit;
    AUTOBUF struct buf problems = BUF_INIT(1 << 20);
    bool trouble = why_is_trouble(result); /* then what seemed to be a problem may be none */
    if (!trouble)
        problems_print(&a->problems, q->words, &problems);
    json_t *document = json_pack("{s:s, s:I}", "problems", buf_str(&problems), "errors",
                                 trouble ? (json_int_t)0 : (json_int_t)a->problems.errors);
    if (!document)
        return NULL;
    if (result == 0)
        (void)json_object_set_new(document, "facts", facts_of(q));
    if (a->id)
        (void)json_object_set_new(document, "id", json_integer(a->id));
    if (a->replaced)
        (void)json_object_set_new(document, "replaced", json_integer(a->replaced));
    if (result == 0 && !a->check_only)
        (void)json_object_set_new(document, "state",
                                  json_string(a->result.is_series ? "recurring"
                                              : a->hold           ? "held"
                                                                  : "scheduled"));
    if (result < 0)
        (void)json_object_set_new(
            document, "error",
            json_pack("{s:s, s:s, s:s}", "what", a->job.why.what, "where", a->job.why.where, "todo", a->job.why.todo));
    return document;
}

static void on_queued(struct store_job *job, int result) {
    struct queueing *q = (struct queueing *)job;
    struct call *c = q->call;
    if (result < 0 && !job->why.what[0])
        (void)why_set(&job->why, result, "the announcement could not be taken in: %s", strerror(-result));
    if (result == 0 && !q->admit.check_only) {
        log_info("announcement-queued", LOG_NUM("announcement", q->admit.id), LOG_TEXT("by", c->rights.name));
        dispatch_announcement(c->parts.dispatch, q->admit.id);
    }
    if (result == 0 && q->admit.test_recipient)
        dispatch_notices(c->parts.dispatch);
    c->status = result == 0 ? 200 : call_status_of(result);
    c->result = queue_document(q, result);
    queueing_free(q);
    call_finish(c, 0);
}

/* A list that the file alone names must be one of the caller's too. */
static int allows_list(void *user, const struct conf_list *list) {
    struct call *c = user;
    return rights_on_list(&c->rights, list);
}

static bool take_moment(struct call *c, const char *text, int64_t *ret) {
    if (!text)
        return true;
    if (clock_parse_utc(view_of(text), ret) == 0)
        return true;
    call_refuse(c, 400, "at is not a moment", "Write it like 2025-08-05T07:00:00Z");
    return false;
}

static int words_for(struct call *c, const struct conf_list *list, struct why *why, struct words **ret) {
    int r = -ENOENT;
    const char *choices[] = {http_query(c->http, "speak"), list ? list->languages.items[0] : NULL, c->conf->language,
                             "en"};
    for (size_t i = 0; i < COUNT_OF(choices) && r < 0 && !why_is_trouble(r); i++)
        if (choices[i])
            r = words_load(c->conf->templates_local, c->conf->templates, choices[i], why, ret);
    return r == -ENOENT ? why_set(why, r, "there are no words in any language") : r;
}

/* The first of them, if all are there and the caller's; else the answer is given and NULL returned. */
static const struct conf_list *take_lists(struct call *c, const char *names) {
    struct view rest = view_of(names), one;
    const struct conf_list *first = NULL, *list = NULL;
    while (view_split(&rest, ',', &one)) {
        one = view_trim(one);
        list = call_list(c, arena_dup(&c->arena, one));
        if (!list)
            return NULL;
        first = first ? first : list;
    }
    return first;
}

void route_queue(struct call *c) {
    const char *lists = http_query(c->http, "list"), *test = http_query(c->http, "test");
    const struct conf_list *list = NULL;
    struct address address;
    if (lists && !(list = take_lists(c, lists)))
        return;
    if (test && (address_parse(view_of(test), &address) != ADDRESS_OK || address.needs_smtputf8)) {
        call_refuse(c, 400, "the address for the test is not one that can be written to", NULL);
        return;
    }
    struct queueing *q = calloc(1, sizeof *q);
    struct words *words = NULL;
    struct why why;
    int r = q ? words_for(c, list, &why, &words) : why_set(&why, -ENOMEM, "out of memory");
    if (r == 0)
        r = upload_read(http_body(c->http), &q->admit.source, &why);
    int64_t send_at = 0;
    if (r < 0 || !take_moment(c, http_query(c->http, "at"), &send_at)) {
        if (r < 0)
            call_fail(c, r == -ENOENT ? 500 : call_status_of(r), &why);
        (void)words_free(words);
        if (q)
            source_done(&q->admit.source);
        free(q);
        return;
    }
    q->call = c;
    q->words = words;
    q->admit.conf = conf_ref(c->conf);
    q->admit.spool = c->parts.spool;
    q->admit.keys = c->parts.keys;
    q->admit.lists = lists ? call_keep(c, lists) : NULL;
    q->admit.by = c->rights.name;
    q->admit.send_at_usec = send_at;
    q->admit.check_only = call_flag(c, "check") || test;
    q->admit.again = call_flag(c, "again");
    q->admit.hold = call_flag(c, "hold");
    q->admit.test_recipient = test ? call_keep(c, address.spelled) : NULL;
    q->admit.test_language = http_query(c->http, "language") ? call_keep(c, http_query(c->http, "language")) : NULL;
    q->admit.allows_list = allows_list;
    q->admit.user = c;
    admit_init(&q->admit);
    q->admit.job.done = on_queued;
    if (memory_was_short()) { /* a name or a wish is missing then */
        queueing_free(q);
        call_refuse(c, 503, "out of memory", NULL);
        return;
    }
    c->in_store = true;
    store_submit(c->parts.store, &q->admit.job);
}

void route_test_token(struct call *c) {
    const char *name = http_query(c->http, "list");
    const struct conf_list *list = call_list(c, name ? name : "");
    if (!list)
        return;
    struct token token = {.purpose = TOKEN_TEST, .list = list->id};
    AUTOBUF struct buf text = BUF_INIT(TOKEN_TEXT_MAX * 2);
    if (token_sign(c->parts.keys, &token, &text) < 0)
        call_refuse(c, 500, "there is no key that signs", "Run: rundbrief key activate");
    else
        call_answer(c, 200, json_pack("{s:s}", "token", buf_str(&text)));
}
