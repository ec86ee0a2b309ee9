#include "send/stages.h"
#include "send/pace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "conf/conf.h"
#include "mail/filter.h"
#include "send/ending.h"
#include "send/relays.h"
#include "send/sending.h"
#include "send/work.h"
#include "store/relay_usage.h"
#include "store/series.h"

#include "base/banned.h"

/* Every job of this file. */
struct stage {
    struct work work; /* first */
    struct stages stages;
    int64_t id;
    struct sending *sending;
    bool has_fault; /* the announcement's own, in work.job.why */
    union {
        struct {
            struct announcement_row *rows; /* room for STAGES_LIVE_MAX */
            size_t count;
            int64_t next_usec, recurring_usec;
        } survey;
        struct {
            struct announcement_lists lists;
            int64_t give_up_usec;
            bool begun, read;
            struct arena arena;
            const char *languages[BUNDLE_LANGUAGES_MAX];
            size_t language_count;
            struct filter *only;
        } gather;
        struct sending_loading load;
        struct {
            struct ending ending;
            bool finished;
        } settle;
        struct {
            unsigned max;
            bool more;
            struct items items;
        } notices;
        struct {
            struct conf *conf;
            size_t relay;
            struct usage_hour {
                size_t relay;
                int64_t hour;
                uint64_t messages;
            } * hours;
            size_t count, room;
            bool failed;
        } usage;
        struct {
            char reason[512];
        } hold;
        struct {
            struct relays_reservation what;
            int64_t shift_hours;
        } reserve;
    };
};

static struct stage *stage_new(const struct stages *s, int64_t id) {
    struct stage *g = calloc(1, sizeof *g);
    if (g) {
        g->stages = *s;
        g->id = g->work.announcement = id;
    }
    return g;
}

static struct stage *stage_of(struct store_job *job) {
    return (struct stage *)job;
}

/* What the machine is short of is nobody's fault: it is tried again. */
static int fault(struct stage *g, int error) {
    g->has_fault = !why_is_trouble(error);
    if (!g->work.job.why.what[0])
        (void)why_set(&g->work.job.why, error, "%s", strerror(-error));
    return error;
}

/* What the step took for one may have come of a want of memory: the result says so. */
static const struct why *fault_of(const struct stage *g, int result) {
    return g->has_fault && !why_is_trouble(result) ? &g->work.job.why : NULL;
}

/* ---- the survey ---------------------------------------------------------------------------------------------- */

static int on_live(void *user, const struct announcement_row *row) {
    struct stage *g = user;
    bool wanted = row->state == ANNOUNCEMENT_SCHEDULED || row->state == ANNOUNCEMENT_GATHERING ||
                  row->state == ANNOUNCEMENT_SENDING;
    if (wanted && g->survey.count < STAGES_LIVE_MAX)
        g->survey.rows[g->survey.count++] = *row;
    return 0;
}

static int step_survey(struct store_job *job, struct db *db) {
    struct stage *g = stage_of(job);
    int64_t due = 0, start = 0, notice = 0;
    g->survey.count = 0;
    int r = announcement_each(db, true, STAGES_LIVE_MAX, on_live, g);
    if (r == 0)
        r = delivery_next_due(db, &due);
    if (r == 0)
        r = announcement_next_start(db, &start);
    if (r == 0)
        r = notice_next_due(db, &notice);
    if (r == 0)
        r = series_next_due(db, &g->survey.recurring_usec);
    g->survey.next_usec = 0;
    pace_sooner(&g->survey.next_usec, due);
    pace_sooner(&g->survey.next_usec, start);
    pace_sooner(&g->survey.next_usec, notice);
    return r;
}

static void on_survey(struct work *w, int result) {
    struct stage *g = (struct stage *)w;
    const struct survey v = {g->survey.rows, g->survey.count, g->survey.next_usec, g->survey.recurring_usec};
    g->stages.on->on_survey(g->stages.user, &v, result);
    free(g->survey.rows);
    free(g);
}

int stages_survey(const struct stages *s) {
    struct stage *g = stage_new(s, 0);
    if (g && !(g->survey.rows = calloc(STAGES_LIVE_MAX, sizeof *g->survey.rows))) {
        free(g);
        g = NULL;
    }
    if (!g)
        return -ENOMEM;
    work_submit(s->works, &g->work, STORE_URGENT, step_survey, on_survey);
    return 0;
}

/* ---- gathering ----------------------------------------------------------------------------------------------- */

static int step_gather(struct store_job *job, struct db *db) {
    struct stage *g = stage_of(job);
    int r;
    if (!g->gather.read) {
        r = sending_audience(g->stages.spool, g->id, &g->gather.arena, g->gather.languages, &g->gather.language_count,
                             &g->gather.only, &job->why);
        if (r < 0)
            return fault(g, r);
        g->gather.read = true;
        return STORE_MORE;
    }
    if (!g->gather.begun) {
        r = announcement_begin_gathering(db, g->id, clock_now_usec(), g->gather.give_up_usec);
        g->gather.begun = r == 0;
        return r < 0 ? r : STORE_MORE;
    }
    r = delivery_gather(db, g->id, g->gather.lists.ids, g->gather.lists.count, g->gather.languages,
                        g->gather.language_count, g->gather.only);
    return r == STORE_DONE ? announcement_begin_sending(db, g->id) : r;
}

static void on_gather(struct work *w, int result) {
    struct stage *g = (struct stage *)w;
    arena_done(&g->gather.arena);
    (void)filter_free(g->gather.only);
    g->stages.on->on_gathered(g->stages.user, g->id, result, fault_of(g, result));
    free(g);
}

int stages_gather(const struct stages *s, const struct announcement_row *row, int64_t give_up_usec) {
    struct stage *g = stage_new(s, row->id);
    if (!g)
        return -ENOMEM;
    g->gather.lists = row->lists;
    g->gather.give_up_usec = give_up_usec;
    g->gather.begun = row->state == ANNOUNCEMENT_GATHERING;
    arena_init(&g->gather.arena);
    work_submit(s->works, &g->work, STORE_BULK, step_gather, on_gather);
    return 0;
}

/* ---- loading ------------------------------------------------------------------------------------------------- */

static int step_load(struct store_job *job, struct db *db) {
    (void)db;
    struct stage *g = stage_of(job);
    int r = sending_load(g->sending, g->stages.spool, &g->load, &job->why);
    return r < 0 ? fault(g, r) : r;
}

static void on_load(struct work *w, int result) {
    struct stage *g = (struct stage *)w;
    sending_loading_done(&g->load);
    g->stages.on->on_loaded(g->stages.user, g->sending, result, fault_of(g, result));
    free(g);
}

int stages_load(const struct stages *s, struct sending *sending) {
    struct stage *g = stage_new(s, sending->id);
    if (!g)
        return -ENOMEM;
    g->sending = sending;
    work_submit(s->works, &g->work, STORE_NORMAL, step_load, on_load);
    return 0;
}

/* ---- settling ------------------------------------------------------------------------------------------------ */

static int step_settle(struct store_job *job, struct db *db) {
    struct stage *g = stage_of(job);
    int64_t now = clock_now_usec();
    bool resend = g->settle.ending.conf->in_doubt == CONF_IN_DOUBT_RESEND;
    int r = delivery_settle(db, g->id, now, resend, &g->settle.finished);
    return r == STORE_DONE && g->settle.finished ? ending_step(&g->settle.ending, db, g->id, now) : r;
}

static void on_settle(struct work *w, int result) {
    struct stage *g = (struct stage *)w;
    ending_done(&g->settle.ending);
    g->stages.on->on_settled(g->stages.user, g->id, result, result == 0 && g->settle.finished);
    free(g);
}

int stages_settle(const struct stages *s, int64_t id, struct conf *conf) {
    struct stage *g = stage_new(s, id);
    if (!g)
        return -ENOMEM;
    ending_init(&g->settle.ending, conf);
    work_submit(s->works, &g->work, STORE_NORMAL, step_settle, on_settle);
    return 0;
}

/* ---- claiming notices ----------------------------------------------------------------------------------------- */

static int step_notices(struct store_job *job, struct db *db) {
    struct stage *g = stage_of(job);
    int r = 1;
    items_free(&g->notices.items); /* of a transaction that came to nothing */
    while (r == 1 && g->notices.items.count < g->notices.max) {
        struct notice n = {0};
        struct item *item = NULL;
        r = notice_claim(db, clock_now_usec(), &n);
        if (r == 1 && !(item = item_of_notice(&n))) {
            notice_done(&n);
            r = -ENOMEM;
        }
        if (item)
            items_push(&g->notices.items, item);
    }
    g->notices.more = r == 1;
    return r < 0 ? r : STORE_DONE;
}

static void on_notices(struct work *w, int result) {
    struct stage *g = (struct stage *)w;
    if (result < 0)
        items_free(&g->notices.items);
    g->stages.on->on_notices(g->stages.user, result, &g->notices.items, g->notices.more);
    items_free(&g->notices.items);
    free(g);
}

int stages_claim_notices(const struct stages *s, unsigned max) {
    struct stage *g = stage_new(s, 0);
    if (!g)
        return -ENOMEM;
    items_init(&g->notices.items);
    g->notices.max = max;
    work_submit(s->works, &g->work, STORE_URGENT, step_notices, on_notices);
    return 0;
}

/* ---- usage, holding ------------------------------------------------------------------------------------------ */

static void on_hour(void *user, int64_t hour, uint64_t messages) {
    struct stage *g = user;
    if (g->usage.count == g->usage.room) {
        size_t room = g->usage.room ? g->usage.room * 2 : 64;
        struct usage_hour *more = reallocarray(g->usage.hours, room, sizeof *more);
        g->usage.failed |= !more;
        if (!more)
            return;
        g->usage.hours = more;
        g->usage.room = room;
    }
    g->usage.hours[g->usage.count++] = (struct usage_hour){g->usage.relay, hour, messages};
}

static int step_usage(struct store_job *job, struct db *db) {
    struct stage *g = stage_of(job);
    const struct conf *conf = g->usage.conf;
    int r = 0;
    g->usage.count = 0;
    r = relay_usage_gather(db, clock_now_usec());
    for (g->usage.relay = 0; r == 0 && g->usage.relay < conf->relay_count; g->usage.relay++)
        r = relay_usage_hours(db, conf->relays[g->usage.relay].id, clock_now_usec(), on_hour, g);
    return r == 0 && g->usage.failed ? -ENOMEM : r;
}

static void on_usage(struct work *w, int result) {
    struct stage *g = (struct stage *)w;
    for (size_t i = 0; result == 0 && i < g->usage.count; i++) {
        const struct usage_hour *h = &g->usage.hours[i];
        g->stages.on->on_usage(g->stages.user, g->usage.conf->relays[h->relay].id, h->hour, h->messages);
    }
    g->stages.on->on_usage_loaded(g->stages.user, result);
    (void)conf_unref(g->usage.conf);
    free(g->usage.hours);
    free(g);
}

int stages_load_usage(const struct stages *s, struct conf *conf) {
    struct stage *g = stage_new(s, 0);
    if (!g)
        return -ENOMEM;
    g->usage.conf = conf_ref(conf);
    work_submit(s->works, &g->work, STORE_URGENT, step_usage, on_usage);
    return 0;
}

static int step_reserve(struct store_job *job, struct db *db) {
    struct stage *g = stage_of(job);
    const struct relays_reservation *what = &g->reserve.what;
    if (g->reserve.shift_hours)
        return relay_usage_shift(db, g->reserve.shift_hours, clock_now_usec());
    return relay_usage_add(db, what->relay, what->hour, what->messages);
}

static void on_reserve(struct work *w, int result) {
    struct stage *g = (struct stage *)w;
    if (!g->reserve.shift_hours)
        g->stages.on->on_reserved(g->stages.user, &g->reserve.what, result == 0);
    free(g);
}

int stages_reserve(const struct stages *s, const struct relays_reservation *what) {
    struct stage *g = stage_new(s, 0);
    if (!g)
        return -ENOMEM;
    g->reserve.what = *what;
    work_submit(s->works, &g->work, STORE_URGENT, step_reserve, on_reserve);
    return 0;
}

int stages_shift_usage(const struct stages *s, int64_t hours) {
    struct stage *g = stage_new(s, 0);
    if (!g)
        return -ENOMEM;
    g->reserve.shift_hours = hours;
    work_submit(s->works, &g->work, STORE_URGENT, step_reserve, on_reserve);
    return 0;
}

static int step_hold(struct store_job *job, struct db *db) {
    struct stage *g = stage_of(job);
    struct why why;
    int r = announcement_pause(db, g->id, g->hold.reason, &why);
    return r == -ESTALE || r == -ENOENT ? 0 : r; /* paused or over by now */
}

static void on_hold(struct work *w, int result) {
    struct stage *g = (struct stage *)w;
    (void)result; /* logged */
    g->stages.on->on_held(g->stages.user, g->id);
    free(g);
}

int stages_hold(const struct stages *s, int64_t id, const char *reason) {
    struct stage *g = stage_new(s, id);
    if (!g)
        return -ENOMEM;
    (void)snprintf(g->hold.reason, sizeof g->hold.reason, "%s", reason); /* cut is fine: for reading */
    work_submit(s->works, &g->work, STORE_URGENT, step_hold, on_hold);
    return 0;
}
