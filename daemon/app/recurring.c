#include "app/recurring.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "announce/occur.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "send/dispatch.h"

#include "base/banned.h"

static const int64_t again_usec = USEC_PER_MIN;

struct recurring {
    struct recurring_parts parts;
    struct loop_source *timer;
    bool running, look_again, freed;
};

static void on_done(struct store_job *job, int result) {
    struct occurring *o = (struct occurring *)job;
    struct recurring *r = o->user;
    bool again = o->again || r->look_again;
    r->running = r->look_again = false;
    if (o->made)
        log_info("occurrence-made", LOG_NUM("announcement", o->admit.id), LOG_NUM("series", o->row.announcement));
    if (result < 0)
        log_warning("occurrence-not-made", LOG_TEXT("what", job->why.what), LOG_TEXT("reason", strerror(-result)));
    if (o->told && !r->freed)
        dispatch_notices(r->parts.dispatch);
    int64_t id = o->made ? o->admit.id : 0;
    (void)occurring_free(o);
    if (r->freed)
        free(r);
    else if (result < 0)
        loop_set_timer(r->timer, clock_mono_usec() + again_usec);
    else if (again)
        recurring_look(r);
    else
        dispatch_announcement(r->parts.dispatch, id); /* surveys when the next date is due */
}

void recurring_look(struct recurring *r) {
    if (r->running) {
        r->look_again = true;
        return;
    }
    if (loop_timer_is_set(r->timer)) /* it is tried again as it is */
        return;
    struct occurring *o = occurring_new(*r->parts.conf, r->parts.spool, r->parts.keys);
    if (!o) {
        log_error("out-of-memory");
        loop_set_timer(r->timer, clock_mono_usec() + again_usec);
        return;
    }
    o->user = r;
    o->admit.job.done = on_done;
    r->running = true;
    store_submit(r->parts.store, &o->admit.job);
}

static void on_timer(void *user) {
    recurring_look(user);
}

int recurring_new(const struct recurring_parts *parts, struct recurring **ret) {
    struct recurring *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->parts = *parts;
    int e = loop_add_timer(parts->loop, on_timer, r, &r->timer);
    if (e < 0) {
        free(r);
        return e;
    }
    *ret = r;
    return 0;
}

struct recurring *recurring_free(struct recurring *r) {
    if (!r)
        return NULL;
    r->timer = loop_remove(r->timer);
    r->freed = true; /* a job under way frees it */
    if (!r->running)
        free(r);
    return NULL;
}
