/* Measurements for a monitor, in the text format of Prometheus (version 0.0.4). */
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/number.h"
#include "conf/conf.h"
#include "send/dispatch.h"
#include "store/census.h"
#include "store/returned.h"

enum { METRICS_MAX_BYTES = 1 << 20 };

/* What the store said, for the loop to print. */
struct metrics {
    struct buf sending, oldest, left, returned; /* lines */
    const struct call *call;
};

static void metrics_free(void *state) {
    struct metrics *m = state;
    buf_done(&m->sending);
    buf_done(&m->oldest);
    buf_done(&m->left);
    buf_done(&m->returned);
    free(m);
}

static void put_label(struct buf *to, const char *name, const char *value) {
    buf_printf(to, "%s=\"", name);
    for (; *value; value++)
        if (*value == '\n')
            buf_puts(to, "\\n");
        else
            buf_printf(to, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
    buf_putc(to, '"');
}

/* One line: a name, its labels, a number. The second label is left out where it has no name. */
static void put(struct buf *to, const char *metric, const char *label, const char *value, const char *label2,
                const char *value2, uint64_t number) {
    buf_printf(to, "%s{", metric);
    put_label(to, label, value);
    if (label2) {
        buf_putc(to, ',');
        put_label(to, label2, value2);
    }
    buf_printf(to, "} %llu\n", (unsigned long long)number);
}

static void describe(struct buf *to, const char *metric, const char *type, const char *help) {
    buf_printf(to, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);
}

/* ---- of lists, on the store's thread ---- */

static const struct conf_list *visible(const struct call *c, uint32_t id) {
    const struct conf_list *list = conf_find_list_id(c->conf, id);
    return list && rights_on_list(&c->rights, list) ? list : NULL;
}

static void on_sending(void *user, const struct census_sending *s) {
    struct metrics *m = user;
    const struct conf_list *list = visible(m->call, s->list);
    const struct {
        const char *state;
        uint64_t count;
    } counts[] = {{"pending", s->pending}, {"delivered", s->delivered}, {"deferred", s->deferred},
                  {"refused", s->refused}, {"in_doubt", s->in_doubt},   {"left_out", s->left_out}};
    if (!list)
        return;
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        put(&m->sending, "rundbrief_list_deliveries", "list", list->name, "state", counts[i].state, counts[i].count);
    int64_t age_usec = s->oldest_usec ? clock_now_usec() - s->oldest_usec : 0;
    put(&m->oldest, "rundbrief_list_queue_age_seconds", "list", list->name, NULL, NULL,
        age_usec > 0 ? (uint64_t)(age_usec / USEC_PER_SEC) : 0);
}

static void on_left(void *user, uint32_t id, const char *how, uint64_t count) {
    struct metrics *m = user;
    const struct conf_list *list = visible(m->call, id);
    if (list)
        put(&m->left, "rundbrief_list_optouts_total", "list", list->name, "how", how, count);
}

static void on_returned(void *user, const char *kind, uint64_t count) {
    struct metrics *m = user;
    put(&m->returned, "rundbrief_returned_total", "kind", kind, NULL, NULL, count);
}

static int step(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct metrics *m = c->state;
    buf_clear(&m->sending);
    buf_clear(&m->oldest);
    buf_clear(&m->left);
    buf_clear(&m->returned);
    int r = census_sending_each(db, on_sending, m);
    if (r >= 0)
        r = census_left_each(db, on_left, m);
    return r < 0 || !c->rights.all ? r : returned_each_count(db, on_returned, m);
}

/* ---- of relays and the daemon, on the loop ---- */

struct relay_metric {
    const char *name, *label, *value, *help; /* help: where a new metric begins */
    uint64_t (*read)(const struct dispatch_relay *r);
};

static uint64_t read_up(const struct dispatch_relay *r) {
    return strcmp(r->state, "open") == 0;
}
static uint64_t read_sessions(const struct dispatch_relay *r) {
    return r->sessions;
}
static uint64_t read_in_flight(const struct dispatch_relay *r) {
    return r->in_flight;
}
static uint64_t read_delivered(const struct dispatch_relay *r) {
    return r->delivered;
}
static uint64_t read_deferred(const struct dispatch_relay *r) {
    return r->deferred;
}
static uint64_t read_refused(const struct dispatch_relay *r) {
    return r->refused;
}
static uint64_t read_in_doubt(const struct dispatch_relay *r) {
    return r->in_doubt;
}

static const struct relay_metric relay_metrics[] = {
    {"rundbrief_relay_up", NULL, NULL, "1 where the relay takes mail, 0 where it rests.", read_up},
    {"rundbrief_relay_connections", NULL, NULL, "Connections that are open.", read_sessions},
    {"rundbrief_relay_in_flight", NULL, NULL, "Messages on the wire, without their answer yet.", read_in_flight},
    {"rundbrief_relay_outcomes_total", "outcome", "delivered", "Answers since the daemon started.", read_delivered},
    {"rundbrief_relay_outcomes_total", "outcome", "deferred", NULL, read_deferred},
    {"rundbrief_relay_outcomes_total", "outcome", "refused", NULL, read_refused},
    {"rundbrief_relay_outcomes_total", "outcome", "in_doubt", NULL, read_in_doubt},
};

static void put_relays(const struct call *c, const struct dispatch_stats *stats, struct buf *to) {
    for (size_t i = 0; i < COUNT_OF(relay_metrics); i++) {
        const struct relay_metric *m = &relay_metrics[i];
        if (m->help)
            describe(to, m->name, m->value ? "counter" : "gauge", m->help);
        for (size_t k = 0; k < stats->relay_count; k++)
            if (rights_on_relay(&c->rights, c->conf, stats->relays[k].name))
                put(to, m->name, "relay", stats->relays[k].name, m->label, m->value, m->read(&stats->relays[k]));
    }
}

static void put_daemon(const struct dispatch_stats *stats, bool store_ok, struct buf *to) {
    describe(to, "rundbrief_store_up", "gauge", "1 where the store can be written, 0 on a full or failing disk.");
    buf_printf(to, "rundbrief_store_up %d\n", store_ok);
    describe(to, "rundbrief_claimed", "gauge", "Messages claimed whose outcome is not durable yet.");
    buf_printf(to, "rundbrief_claimed %u\n", stats->claimed);
    describe(to, "rundbrief_claimed_max", "gauge", "The most that may be in doubt after a crash.");
    buf_printf(to, "rundbrief_claimed_max %u\n", stats->window);
}

static void on_done(struct store_job *job, int result) {
    struct call *c = (struct call *)job;
    const struct metrics *m = c->state;
    if (result == 0 && c->http) {
        AUTOBUF struct buf page = BUF_INIT(METRICS_MAX_BYTES);
        struct dispatch_stats stats;
        dispatch_stats(c->parts.dispatch, &stats);
        put_daemon(&stats, store_trouble(c->parts.store) == 0, &page);
        put_relays(c, &stats, &page);
        describe(&page, "rundbrief_list_deliveries", "gauge",
                 "Recipients of all announcements, by what became of them.");
        buf_add_view(&page, buf_view(&m->sending));
        describe(&page, "rundbrief_list_queue_age_seconds", "gauge",
                 "Since the oldest announcement that still has somebody to write to was begun.");
        buf_add_view(&page, buf_view(&m->oldest));
        describe(&page, "rundbrief_list_optouts_total", "counter", "How often somebody left, by the way they took.");
        buf_add_view(&page, buf_view(&m->left));
        describe(&page, "rundbrief_returned_total", "counter",
                 "Mails that came back, by what they were; forged, unknown, late and replayed ones changed nothing.");
        buf_add_view(&page, buf_view(&m->returned));
        call_answer_text(c, "text/plain; version=0.0.4; charset=utf-8", &page);
    }
    call_finish(c, result);
}

void route_metrics(struct call *c) {
    struct metrics *m = calloc(1, sizeof *m);
    if (!m) {
        call_refuse(c, 503, "out of memory", NULL);
        return;
    }
    *m = (struct metrics){.sending = BUF_INIT(METRICS_MAX_BYTES),
                          .oldest = BUF_INIT(METRICS_MAX_BYTES),
                          .left = BUF_INIT(METRICS_MAX_BYTES),
                          .returned = BUF_INIT(METRICS_MAX_BYTES),
                          .call = c};
    c->state = m;
    c->free_state = metrics_free;
    call_run_with(c, STORE_NORMAL, step, on_done);
}
