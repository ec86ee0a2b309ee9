/* Everything at a glance: announcements that are not over and the newest that are, relays, the store. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/json_of.h"
#include "api/route.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "send/dispatch.h"
#include "store/announcement.h"
#include "store/series.h"

struct seeing {
    struct call *call;
    struct db *db;
};

enum { SHOWN_MAX = 20, LOOKED_MAX = 500 };

static int on_announcement(void *user, const struct announcement_row *row) {
    struct call *c = user;
    json_t *rows = json_object_get(c->result, "announcements");
    bool live = row->state != ANNOUNCEMENT_DONE && row->state != ANNOUNCEMENT_STOPPED;
    if (row->state == ANNOUNCEMENT_INTAKE || row->state == ANNOUNCEMENT_RECURRING ||
        !rights_on_any(&c->rights, c->conf, &row->lists))
        return 0;
    if (live || json_array_size(rows) < SHOWN_MAX)
        (void)json_array_append_new(rows, json_of_announcement(row, c));
    return 0;
}

/* They are looked for by themselves: they may be older than all that is shown else. */
static int on_series(void *user, const struct series_row *series) {
    struct seeing *s = user;
    AUTOARENA struct arena arena = {0};
    struct announcement_row row;
    int r = announcement_get(s->db, series->announcement, &arena, &row);
    if (r <= 0 || !rights_on_any(&s->call->rights, s->call->conf, &row.lists))
        return r < 0 ? r : 0;
    json_t *lists = json_of_lists(&row, s->call);
    json_t *o = json_pack("{s:I, s:s, s:s, s:o, s:o, s:s, s:s, s:o}", "id", (json_int_t)row.id, "state",
                          announcement_state_name(row.state), "name", row.name, "list", json_of_names(lists), "lists",
                          lists, "subject", row.subject, "repeat", series->repeat, "next", json_of_dates(series));
    (void)json_array_append_new(json_object_get(s->call->result, "recurring"), o);
    return 0;
}

static int step(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct seeing s = {c, db};
    (void)json_array_clear(json_object_get(c->result, "announcements"));
    (void)json_array_clear(json_object_get(c->result, "recurring"));
    (void)json_array_clear(json_object_get(c->result, "sources"));
    int r = series_each(db, on_series, &s);
    if (r == 0)
        r = lists_add_sources(c, db, json_object_get(c->result, "sources"));
    return r < 0 ? r : announcement_each(db, false, LOOKED_MAX, on_announcement, c);
}

static json_t *relay_documents(const struct call *c, const struct dispatch_stats *stats) {
    json_t *relays = json_array();
    for (size_t i = 0; i < stats->relay_count; i++) {
        const struct dispatch_relay *r = &stats->relays[i];
        if (!rights_on_relay(&c->rights, c->conf, r->name))
            continue;
        (void)json_array_append_new(
            relays, json_pack("{s:s, s:s, s:i, s:i, s:s, s:I, s:I, s:I, s:I}", "name", r->name, "state", r->state,
                              "sessions", (int)r->sessions, "in_flight", (int)r->in_flight, "failure", r->failure,
                              "delivered", (json_int_t)r->delivered, "deferred", (json_int_t)r->deferred, "refused",
                              (json_int_t)r->refused, "in_doubt", (json_int_t)r->in_doubt));
    }
    return relays;
}

static json_t *times_document(struct store *store) {
    struct store_times t;
    store_times(store, &t);
    return json_pack("{s:I, s:I, s:I, s:I}", "step", (json_int_t)t.step_usec, "step_cpu", (json_int_t)t.step_cpu_usec,
                     "commit", (json_int_t)t.commit_usec, "commits", (json_int_t)t.commits);
}

void route_status(struct call *c) {
    struct dispatch_stats stats;
    int trouble = store_trouble(c->parts.store);
    dispatch_stats(c->parts.dispatch, &stats);
    c->result =
        json_pack("{s:[], s:[], s:[], s:o, s:i, s:i, s:s, s:o}", "announcements", "recurring", "sources", "relays",
                  relay_documents(c, &stats), "claimed", (int)stats.claimed, "window", (int)stats.window, "store",
                  trouble ? store_reason(trouble) : "ok", "store_usec", times_document(c->parts.store));
    if (!c->result) {
        call_refuse(c, 503, "out of memory", NULL);
        return;
    }
    json_set_moment(c->result, "now", clock_now_usec());
    call_run(c, STORE_NORMAL, step);
}
