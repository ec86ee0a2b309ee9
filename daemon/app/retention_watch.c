#include "app/retention_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "app/requests_watch.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "people/forgetting.h"
#include "people/retention.h"

#include "base/banned.h"

static const int64_t every_usec = 24 * USEC_PER_HOUR, again_usec = USEC_PER_HOUR;

struct retention_watch {
    struct retention_watch_parts parts;
    struct loop_source *timer;
    bool purging, forgetting, forget_again, freed;
};

struct purging {
    struct retention retention; /* first */
    struct retention_watch *watch;
};

struct forgetting_run {
    struct forgetting forgetting; /* first */
    struct retention_watch *watch;
};

static void forget(struct retention_watch *w);

static void free_if_over(struct retention_watch *w) {
    if (w->freed && !w->purging && !w->forgetting)
        free(w);
}

static void on_forgotten(struct store_job *job, int result) {
    struct forgetting_run *f = (struct forgetting_run *)job;
    struct retention_watch *w = f->watch;
    if (result < 0)
        log_error("requests-not-forgotten", LOG_TEXT("reason", strerror(-result)));
    else if (f->forgetting.files)
        log_info("requests-forgotten", LOG_NUM("files", f->forgetting.files),
                 LOG_NUM("records", f->forgetting.records));
    forgetting_done(&f->forgetting);
    free(f);
    w->forgetting = false;
    if (w->freed)
        free_if_over(w);
    else if (result < 0)
        loop_set_timer(w->timer, clock_mono_usec() + again_usec);
    else if (w->forget_again)
        forget(w);
}

static void forget(struct retention_watch *w) {
    w->forget_again = w->forgetting;
    if (w->forgetting)
        return;
    struct forgetting_run *f = calloc(1, sizeof *f);
    if (!f) {
        log_error("out-of-memory");
        loop_set_timer(w->timer, clock_mono_usec() + again_usec);
        return;
    }
    f->watch = w;
    f->forgetting.spool = w->parts.spool;
    f->forgetting.keys = w->parts.keys;
    forgetting_init(&f->forgetting);
    f->forgetting.job.done = on_forgotten;
    w->forgetting = true;
    store_submit(w->parts.store, &f->forgetting.job);
}

void retention_watch_forget(struct retention_watch *w) {
    forget(w);
}

static void on_purged(struct store_job *job, int result) {
    struct purging *p = (struct purging *)job;
    struct retention_watch *w = p->watch;
    const struct retention *r = &p->retention;
    if (result < 0)
        log_error("retention-failed", LOG_TEXT("reason", strerror(-result)));
    else if (retention_removed_any(r))
        log_info("retention", LOG_NUM("people", r->people), LOG_NUM("entries", r->entries),
                 LOG_NUM("announcements", r->announcements), LOG_NUM("deliveries", r->deliveries),
                 LOG_NUM("notices", r->notices), LOG_NUM("rejected", r->rejected), LOG_NUM("kept", r->kept));
    retention_done(&p->retention);
    free(p);
    w->purging = false;
    if (w->freed) {
        free_if_over(w);
        return;
    }
    loop_set_timer(w->timer, clock_mono_usec() + (result < 0 ? again_usec : every_usec));
    forget(w);
}

static void purge(struct retention_watch *w) {
    const struct conf *conf = *w->parts.conf;
    struct purging *p = calloc(1, sizeof *p);
    if (!p) {
        log_error("out-of-memory");
        loop_set_timer(w->timer, clock_mono_usec() + again_usec);
        return;
    }
    p->watch = w;
    p->retention = (struct retention){
        .spool = w->parts.spool,
        .keys = w->parts.keys,
        .state_dir = conf->state_dir,
        .notices_usec = conf->keep_notices_usec,
        .deliveries_usec = conf->keep_deliveries_usec,
        .gone_usec = conf->keep_gone_usec,
        .rejected_usec = conf->keep_rejected_usec,
    };
    retention_init(&p->retention);
    p->retention.job.done = on_purged;
    w->purging = true;
    store_submit(w->parts.store, &p->retention.job);
}

static void on_timer(void *user) {
    struct retention_watch *w = user;
    requests_watch_look(w->parts.requests);
    if (!w->purging)
        purge(w);
}

int retention_watch_new(const struct retention_watch_parts *parts, struct retention_watch **ret) {
    struct retention_watch *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->parts = *parts;
    int r = loop_add_timer(parts->loop, on_timer, w, &w->timer);
    if (r < 0) {
        free(w);
        return r;
    }
    purge(w);
    *ret = w;
    return 0;
}

struct retention_watch *retention_watch_free(struct retention_watch *w) {
    if (!w)
        return NULL;
    w->timer = loop_remove(w->timer);
    w->freed = true; /* a job under way frees it */
    free_if_over(w);
    return NULL;
}
