#include "app/requests_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "people/joining.h"
#include "people/requests.h"
#include "send/dispatch.h"
#include "spool/ignored.h"
#include "spool/spool.h"

#include "base/banned.h"

static const int64_t again_usec = 10 * USEC_PER_SEC, purge_usec = 24 * USEC_PER_HOUR, count_usec = USEC_PER_SEC;
static const char *const folders[] = {"requests/web", "requests/mail"};

struct requests_watch {
    struct requests_watch_parts parts;
    struct loop_source *watches[COUNT_OF(folders)], *timer;
    void (*on_first)(void *user, int result);
    void *user;
    int64_t purged_mono_usec; /* 0: not yet */
    struct requests_ahead ahead;
    bool running, run_again, freed;
    bool soon; /* the timer is set */
};

struct applying {
    struct requests requests; /* first */
    struct requests_watch *watch;
    struct conf *conf;
};

static void run(struct requests_watch *w);

static void log_missed(const struct requests *r, const struct conf *conf) {
    for (unsigned i = 0; i < r->missed_count; i++) {
        const struct requests_missed *missed = &r->missed[i];
        const struct conf_list *list = joining_list(conf, missed->list);
        char number[16];
        (void)snprintf(number, sizeof number, "%u", (unsigned)missed->list); /* fits */
        log_warning("restored-not-repeated",
                    LOG_TEXT("list", list           ? list->name
                                     : missed->list ? number
                                                    : "-"),
                    LOG_NUM("confirmations", missed->confirmations), LOG_NUM("opt-outs", missed->opt_outs));
    }
}

static void on_applied(struct store_job *job, int result) {
    struct applying *a = (struct applying *)job;
    struct requests_watch *w = a->watch;
    const struct requests *r = &a->requests;
    if (result == 0)
        result = r->trouble;
    if (r->files || r->rejected || r->skipped)
        log_info("requests-applied", LOG_NUM("files", r->files), LOG_NUM("applied", r->applied),
                 LOG_NUM("refused", r->refused), LOG_NUM("rejected", r->rejected), LOG_NUM("skipped", r->skipped));
    log_missed(r, a->conf);
    if (result < 0)
        log_error("requests-not-applied", LOG_TEXT("reason", strerror(-result)));
    w->ahead = r->ahead;
    if (r->purge && result == 0)
        w->purged_mono_usec = clock_mono_usec();
    if (r->released)
        dispatch_announcement(w->parts.dispatch, r->released);
    if (r->notices)
        dispatch_notices(w->parts.dispatch);
    for (unsigned i = 0; i < r->slow_count; i++)
        dispatch_slow_down(w->parts.dispatch, r->slow[i]);
    requests_done(&a->requests);
    (void)conf_unref(a->conf);
    free(a);
    w->running = false;
    if (w->freed) {
        free(w);
        return;
    }
    if (w->on_first) {
        void (*on_first)(void *, int) = w->on_first;
        w->on_first = NULL;
        on_first(w->user, result);
    }
    if (result < 0)
        loop_set_timer(w->timer, clock_mono_usec() + again_usec);
    else if (w->run_again)
        run(w);
}

static void run(struct requests_watch *w) {
    if (w->running) {
        w->run_again = true;
        return;
    }
    struct applying *a = calloc(1, sizeof *a);
    if (!a) {
        log_error("out-of-memory");
        loop_set_timer(w->timer, clock_mono_usec() + again_usec);
        return;
    }
    w->running = true;
    w->run_again = false;
    a->watch = w;
    a->requests.spool = w->parts.spool;
    a->requests.keys = w->parts.keys;
    a->requests.ahead = w->ahead;
    a->requests.conf = a->conf = conf_ref(*w->parts.conf);
    a->requests.purge = !w->purged_mono_usec || clock_mono_usec() - w->purged_mono_usec > purge_usec;
    requests_init(&a->requests);
    a->requests.job.done = on_applied;
    store_submit(w->parts.store, &a->requests.job);
}

static void on_timer(void *user) {
    struct requests_watch *w = user;
    w->soon = false;
    run(w);
}

void requests_watch_look(struct requests_watch *w) {
    run(w);
}

static void on_entry(void *user, const char *name) {
    struct requests_watch *w = user;
    if (name[0] == '\0' || view_ends(view_of(name), ".req")) {
        run(w);
    } else if (strcmp(name, IGNORED_FILE) == 0 && !w->soon) {
        w->soon = true; /* one mail that asks for nothing, or many */
        loop_set_timer(w->timer, clock_mono_usec() + count_usec);
    }
}

int requests_watch_new(const struct requests_watch_parts *parts, void (*on_first)(void *user, int result), void *user,
                       struct why *why, struct requests_watch **ret) {
    struct requests_watch *w = calloc(1, sizeof *w);
    if (!w)
        return why_set(why, -ENOMEM, "out of memory");
    w->parts = *parts;
    w->on_first = on_first;
    w->user = user;
    int r = loop_add_timer(parts->loop, on_timer, w, &w->timer);
    for (size_t i = 0; r == 0 && i < COUNT_OF(folders); i++) {
        char path[PATH_MAX];
        r = snprintf(path, sizeof path, "%s/%s", parts->spool->path, folders[i]) >= (int)sizeof path ? -ENAMETOOLONG
                                                                                                     : 0;
        if (r == 0)
            r = loop_add_folder(parts->loop, path, on_entry, w, &w->watches[i]);
    }
    if (r < 0) {
        (void)requests_watch_free(w);
        return why_set(why, r, "cannot watch the folders of the doors: %s", strerror(-r));
    }
    run(w);
    *ret = w;
    return 0;
}

struct requests_watch *requests_watch_free(struct requests_watch *w) {
    if (!w)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        w->watches[i] = loop_remove(w->watches[i]);
    w->timer = loop_remove(w->timer);
    w->freed = true; /* a job under way frees it */
    w->on_first = NULL;
    if (!w->running)
        free(w);
    return NULL;
}
