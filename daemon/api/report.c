/* The report of an announcement: one JSON line for each recipient, pulled by the reader a page at a time, so that
 * neither the store nor the memory feels how long it is. Whoever may use some of its lists only sees whom those reached. */
#include <errno.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/json_of.h"
#include "api/people_documents.h"
#include "api/route.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/number.h"
#include "conf/conf.h"
#include "store/announcement.h"
#include "store/delivery.h"
#include "store/returned.h"

enum { PAGE_BYTES = 64 * 1024 };

struct report {
    const struct call *call;
    struct db *db; /* in a step */
    int64_t id, cursor;
    bool not_delivered, started, ended, asked;
    struct buf page;
    int error;
};

static void report_free(void *state) {
    struct report *r = state;
    buf_done(&r->page);
    free(r);
}

/* What came back for it later. */
static int add_returned(const struct report *r, const struct delivery_row *row, json_t *line) {
    AUTOARENA struct arena arena = {0};
    struct returned back;
    int found = returned_get(r->db, r->id, row->subscriber, &arena, &back);
    if (found <= 0)
        return found;
    return json_object_set_new(line, "returned", json_of_returned(&back)) < 0 ? -ENOMEM : 0;
}

static int on_row(void *user, const struct delivery_row *row) {
    struct report *r = user;
    const char *list = people_list(r->call, row->list);
    if (!list) /* reached through a list of others */
        return 0;
    json_t *line = json_of_delivery(row, list);
    int error = line ? add_returned(r, row, line) : -ENOMEM;
    if (error >= 0)
        error = json_print(line, &r->page);
    json_decref(line);
    buf_putc(&r->page, '\n');
    return error < 0 ? error : r->page.len > PAGE_BYTES ? 1 : 0;
}

static int refuse_purged(const struct announcement_row *row, struct why *why) {
    AUTOBUF struct buf date = BUF_INIT(64);
    clock_print_utc(&date, row->purged_usec);
    (void)why_set(why, -ESTALE, "who got announcement %lld was removed on %.10s, as [retention] says",
                  (long long)row->id, buf_str(&date));
    why_todo(why, "How many got it: rundbrief status %lld", (long long)row->id);
    return -ESTALE;
}

static int step_page(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct report *r = c->state;
    if (!r->started) {
        struct announcement_row row;
        int found = announcement_get(db, r->id, &c->arena, &row);
        if (found < 0)
            return found;
        if (found == 0 || !rights_on_any(&c->rights, c->conf, &row.lists))
            return why_set(&job->why, -ENOENT, "there is no announcement %lld", (long long)r->id);
        if (row.purged_usec)
            return refuse_purged(&row, &job->why);
    }
    r->db = db;
    /* One slice is one page: the next one is fetched when this one was read. */
    int more = delivery_report(db, r->id, r->not_delivered, &r->cursor, on_row, r);
    if (more == STORE_DONE)
        r->ended = true;
    return more < 0 ? more : STORE_DONE;
}

static int next(void *user, struct http_request *http, size_t room, struct buf *to);

static void on_page(struct store_job *job, int result) {
    struct call *c = (struct call *)job;
    struct report *r = c->state;
    r->asked = false;
    if (result < 0 && !r->started) {
        call_finish(c, result);
        return;
    }
    r->error = result;
    bool first = !r->started;
    r->started = true;
    c->in_store = false;
    if (!c->http) {
        call_finish(c, result);
        return;
    }
    if (first) {
        c->answered = true;
        http_set_deadline(c->http, 0); /* a long report takes the time its reader takes */
        http_answer_stream(c->http, 200, "application/jsonl", next, c);
    } else
        http_more(c->http);
}

static void ask(struct call *c) {
    struct report *r = c->state;
    r->asked = true;
    call_run_with(c, STORE_NORMAL, step_page, on_page);
}

static int next(void *user, struct http_request *http, size_t room, struct buf *to) {
    (void)http;
    struct call *c = user;
    struct report *r = c->state;
    if (r->error < 0)
        return r->error;
    if (r->page.len == 0 && r->ended)
        return 0;
    if (r->page.len == 0) {
        if (!r->asked)
            ask(c);
        return -EAGAIN;
    }
    struct view piece = view_slice(buf_view(&r->page), 0, room);
    buf_add_view(to, piece);
    buf_consume(&r->page, piece.len);
    return 1;
}

void route_report(struct call *c) {
    struct report *r = calloc(1, sizeof *r);
    if (!r) {
        call_refuse(c, 503, "out of memory", NULL);
        return;
    }
    buf_init(&r->page, 4 << 20);
    r->call = c;
    c->state = r;
    c->free_state = report_free;
    r->not_delivered = call_flag(c, "not_delivered");
    if (number_parse_i64(view_of(c->argument), &r->id) < 0)
        call_refuse(c, 404, "there is no such announcement", "`rundbrief status` shows them with their numbers");
    else
        ask(c);
}
