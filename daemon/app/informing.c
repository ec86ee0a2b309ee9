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
#include "store/announcement.h"
#include "store/delivery.h"
#include "store/store.h"

#include "base/banned.h"

enum { SHOWN_MAX = 50, TRIES_MAX = 10 };

struct telling {
    struct store_job job; /* first */
    struct informing parts;
    int64_t id, cursor;
    unsigned shown, tries;
    bool more_shown;
    char key[64], a1[256], a2[512];
    struct buf names;
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
    buf_done(&t->names);
    free(t);
}

static struct telling *telling_new(const struct informing *i, int (*step)(struct store_job *, struct db *)) {
    struct telling *t = calloc(1, sizeof *t);
    if (!t) {
        log_error("out-of-memory");
        return NULL;
    }
    t->job = (struct store_job){.lane = STORE_NORMAL, .step = step, .done = on_told};
    t->parts = *i;
    t->parts.conf = conf_ref(i->conf);
    buf_init(&t->names, 64 * 1024);
    return t;
}

static int on_row(void *user, const struct delivery_row *row) {
    struct telling *t = user;
    buf_printf(&t->names, "    %s: %s", row->address, delivery_state_name(row->state));
    if (row->code)
        buf_printf(&t->names, ", %u %s", row->code, row->status);
    if (row->text[0])
        buf_printf(&t->names, " %s", row->text);
    buf_putc(&t->names, '\n');
    return ++t->shown == SHOWN_MAX;
}

static int step_finished(struct store_job *job, struct db *db) {
    struct telling *t = (struct telling *)job;
    struct arena arena AUTOARENA = {0};
    struct announcement_row row;
    int r = t->shown < SHOWN_MAX ? delivery_report(db, t->id, true, &t->cursor, on_row, t) : STORE_DONE;
    if (r != STORE_DONE && t->shown < SHOWN_MAX)
        return r;
    r = announcement_get(db, t->id, &arena, &row);
    const struct conf_list *list = r == 1 ? conf_find_list_id(t->parts.conf, row.list) : NULL;
    if (!list)
        return r < 0 ? r : 0; /* the list is gone from the configuration: nobody to tell */
    if (t->shown == SHOWN_MAX && !t->more_shown)
        buf_puts(&t->names, "    …\n");
    t->more_shown = true;
    const struct inform i = {t->parts.conf, t->parts.keys, db, clock_now_usec()};
    return inform_finished(&i, list, &row, buf_view(&t->names));
}

void informing_finished(const struct informing *i, int64_t announcement) {
    struct telling *t = telling_new(i, step_finished);
    if (!t)
        return;
    t->id = announcement;
    store_submit(i->store, &t->job);
}

static int step_alert(struct store_job *job, struct db *db) {
    struct telling *t = (struct telling *)job;
    const struct inform i = {t->parts.conf, t->parts.keys, db, clock_now_usec()};
    return inform_alert(&i, t->key, t->a1, t->a2);
}

void informing_alert(const struct informing *i, const char *key, const char *a1, const char *a2) {
    struct telling *t = telling_new(i, step_alert);
    if (!t)
        return;
    (void)snprintf(t->key, sizeof t->key, "%s", key); /* cut is fine: for reading */
    (void)snprintf(t->a1, sizeof t->a1, "%s", a1);
    (void)snprintf(t->a2, sizeof t->a2, "%s", a2);
    store_submit(i->store, &t->job);
}
