#include "app/informing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announce/inform.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "send/dispatch.h"
#include "store/store.h"

#include "base/banned.h"

enum { TRIES_MAX = 10 };

struct telling {
    struct store_job job; /* first */
    struct informing parts;
    unsigned tries;
    char key[64], a1[256], a2[512];
};

static void on_told(struct store_job *job, int result) {
    struct telling *t = (struct telling *)job;
    if (why_is_trouble(result) && ++t->tries < TRIES_MAX) { /* urgent ones wait until the store can be written */
        job->lane = STORE_URGENT;
        store_submit(t->parts.store, job);
        return;
    }
    if (result < 0)
        log_error("notice-not-written", LOG_TEXT("reason", strerror(-result)));
    else
        dispatch_notices(t->parts.dispatch);
    (void)conf_unref(t->parts.conf);
    free(t);
}

static int step_alert(struct store_job *job, struct db *db) {
    struct telling *t = (struct telling *)job;
    const struct inform i = {t->parts.conf, t->parts.keys, db, clock_now_usec()};
    return inform_alert(&i, t->key, t->a1, t->a2);
}

void informing_alert(const struct informing *i, const char *key, const char *a1, const char *a2) {
    struct telling *t = calloc(1, sizeof *t);
    if (!t) {
        log_error("out-of-memory");
        return;
    }
    t->job = (struct store_job){.lane = STORE_NORMAL, .step = step_alert, .done = on_told};
    t->parts = *i;
    t->parts.conf = conf_ref(i->conf);
    (void)snprintf(t->key, sizeof t->key, "%s", key); /* cut is fine: for reading */
    (void)snprintf(t->a1, sizeof t->a1, "%s", a1);
    (void)snprintf(t->a2, sizeof t->a2, "%s", a2);
    store_submit(i->store, &t->job);
}
