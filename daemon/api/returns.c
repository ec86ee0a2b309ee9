/* What came back by mail: how much of which kind, and what the circuit breaker holds; letting go of it. */
#include <errno.h>
#include <string.h>

#include "api/call.h"
#include "api/json_of.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/returned.h"
#include "store/store.h"

static int on_held(void *user, int64_t announcement, const char *domain, int64_t hard, int64_t since_usec) {
    json_t *row = json_pack("{s:I, s:s, s:I}", "announcement", (json_int_t)announcement, "domain", domain, "hard",
                            (json_int_t)hard);
    if (row)
        json_set_moment(row, "since", since_usec);
    return json_array_append_new(user, row) < 0 ? -ENOMEM : 0;
}

static void on_count(void *user, const char *kind, uint64_t count) {
    (void)json_object_set_new(user, kind, json_integer((json_int_t)count)); /* one less in the answer */
}

static int step_show(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    json_t *held = json_array(), *counts = json_object();
    c->result = json_pack("{s:o, s:o}", "held", held, "counts", counts);
    if (!c->result)
        return -ENOMEM;
    int r = returned_each_held(db, on_held, held);
    return r < 0 ? r : returned_each_count(db, on_count, counts);
}

void route_returns(struct call *c) {
    if (!c->rights.all)
        call_refuse(c, 403, "what comes back is for the admin to see", NULL);
    else
        call_run(c, STORE_NORMAL, step_show);
}

static void body_free(void *state) {
    json_decref(state);
}

static int step_let_go(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    json_t *body = c->state;
    int64_t count = json_integer_value(json_object_get(body, "people")); /* of the slices before */
    int r = returned_let_go(db, json_text(body, "domain"), strcmp(json_text(body, "do"), "forget") == 0,
                            clock_now_usec(), &count);
    if (r == -ENOENT) {
        (void)why_set(&job->why, r, "nothing is held at %s", json_text(body, "domain"));
        why_todo(&job->why, "`rundbrief returns` shows what is");
        return r;
    }
    if (r == STORE_MORE && json_object_set_new(body, "people", json_integer((json_int_t)count)) < 0)
        return -ENOMEM;
    if (r != STORE_DONE)
        return r;
    c->result = json_pack("{s:s, s:I}", "done", json_text(body, "do"), "people", (json_int_t)count);
    return c->result ? 0 : -ENOMEM;
}

static void on_let_go(struct store_job *job, int result) {
    struct call *c = (struct call *)job;
    if (result == 0)
        log_info("returns-let-go", LOG_TEXT("did", json_text(c->state, "do")), LOG_TEXT("by", c->rights.name));
    call_finish(c, result);
}

void route_returns_let_go(struct call *c) {
    json_t *body = json_read(http_body(c->http));
    if (body)
        (void)json_object_del(body, "people"); /* ours */
    const char *what = body ? json_text(body, "do") : "";
    c->state = body;
    c->free_state = body_free;
    if (!c->rights.all)
        call_refuse(c, 403, "what comes back is for the admin to decide", NULL);
    else if ((strcmp(what, "suppress") != 0 && strcmp(what, "forget") != 0) || !json_text(body, "domain")[0])
        call_refuse(c, 400, "the body does not say what to do", NULL);
    else
        call_run_with(c, STORE_NORMAL, step_let_go, on_let_go);
}
