#include "send/recorder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "send/work.h"
#include "store/relay_usage.h"

#include "base/banned.h"

enum { SPARES_MAX = 4, SPARE_ENTRIES_MAX = 1024, AT_ONCE_MAX = 256 };

enum act { ACT_OUTCOME, ACT_GIVE_BACK, ACT_PUT_OFF };

struct entry {
    struct item *item;
    enum act act;
    struct outcome outcome;
    int64_t now_usec, when_usec;
    char relay[ITEM_RELAY_MAX];
    bool written; /* with an earlier one */
    bool counted; /* against the relay's day */
};

struct batch {
    struct work work; /* first */
    struct recorder *recorder;
    struct batch *next; /* spare */
    struct entry *entries;
    size_t count, room;
    int64_t begun_usec; /* monotonic */
};

struct recorder {
    struct works *works;
    recorder_on_recorded *on_recorded;
    void *user;
    struct batch *open, *spare;
    unsigned spare_count;
    struct items late; /* no memory was there for their entries */
    int64_t late_usec; /* when they are tried again; monotonic */
};

static struct batch *batch_free(struct batch *b) {
    if (b) {
        for (size_t i = 0; i < b->count; i++)
            (void)item_free(b->entries[i].item);
        free(b->entries);
        free(b);
    }
    return NULL;
}

int recorder_new(struct works *works, recorder_on_recorded *on_recorded, void *user, struct recorder **ret) {
    struct recorder *r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    *r = (struct recorder){.works = works, .on_recorded = on_recorded, .user = user};
    items_init(&r->late);
    *ret = r;
    return 0;
}

struct recorder *recorder_free(struct recorder *r) {
    if (r) {
        (void)batch_free(r->open);
        for (struct batch *b = r->spare, *next; b; b = next) {
            next = b->next;
            (void)batch_free(b);
        }
        items_free(&r->late);
        free(r);
    }
    return NULL;
}

/* ---- on the store's thread ---- */

static int write_notice(struct db *db, const struct entry *e) {
    int64_t id = e->item->notice.id;
    if (e->act != ACT_OUTCOME)
        return notice_unclaim(db, id, e->when_usec);
    return notice_record(db, id, &e->outcome, e->now_usec, e->when_usec, e->relay);
}

static int write_delivery(struct db *db, const struct entry *e) {
    const struct claim *c = &e->item->claim;
    switch (e->act) {
    case ACT_GIVE_BACK: return delivery_unclaim(db, c);
    case ACT_PUT_OFF: return delivery_put_off(db, c, e->when_usec, e->outcome.text);
    case ACT_OUTCOME: break;
    }
    return delivery_record(db, c, &e->outcome, e->now_usec, e->when_usec, e->relay, e->item->signed_now);
}

static bool counts(const struct entry *e) {
    return e->relay[0] && !e->item->is_counted && !e->counted;
}

/* One row for each relay of the batch. */
static int write_usage(struct db *db, struct batch *b) {
    int r = 0;
    for (size_t i = 0; i < b->count; i++)
        b->entries[i].counted = false; /* of a transaction that came to nothing */
    for (size_t i = 0; i < b->count && r == 0; i++) {
        const struct entry *e = &b->entries[i];
        int64_t messages = 0;
        if (!counts(e))
            continue;
        for (size_t k = i; k < b->count; k++)
            if (counts(&b->entries[k]) && strcmp(b->entries[k].relay, e->relay) == 0) {
                b->entries[k].counted = true;
                messages++;
            }
        r = relay_usage_add(db, e->relay, e->now_usec / USEC_PER_HOUR, messages);
    }
    return r;
}

static bool is_delivered(const struct entry *e) {
    return e->item->sending && e->act == ACT_OUTCOME && e->outcome.class == OUTCOME_DELIVERED && !e->item->signed_now;
}

/* Those from here on that were delivered and are alike, as many as are written at once; how many in *ret. */
static int write_delivered(struct db *db, const struct batch *b, size_t from, size_t *ret) {
    struct delivered rows[AT_ONCE_MAX];
    *ret = 0;
    for (size_t i = from; i < b->count && *ret < AT_ONCE_MAX; i++) {
        struct entry *e = &b->entries[i];
        if (e->written || !is_delivered(e))
            continue;
        rows[*ret] = (struct delivered){&e->item->claim, &e->outcome, e->now_usec, e->relay};
        e->written = delivered_are_alike(&rows[0], &rows[*ret]);
        *ret += e->written;
    }
    return delivery_record_delivered(db, rows, *ret);
}

static int write_entry(struct db *db, const struct batch *b, size_t i) {
    const struct entry *e = &b->entries[i];
    size_t n = 1;
    int r = is_delivered(e)    ? write_delivered(db, b, i, &n)
            : e->item->sending ? write_delivery(db, e)
                               : write_notice(db, e);
    if (r != -ESTALE)
        return r;
    /* No longer claimed: the store decided otherwise meanwhile. */
    log_warning("outcome-of-no-claim", LOG_NUM("announcement", e->item->claim.announcement),
                LOG_NUM("subscriber", e->item->claim.subscriber), LOG_NUM("among", n));
    return 0;
}

static int step_batch(struct store_job *job, struct db *db) {
    struct batch *b = (struct batch *)job;
    int r = 0;
    for (size_t i = 0; i < b->count; i++)
        b->entries[i].written = false; /* in a transaction that came to nothing */
    for (size_t i = 0; i < b->count && r == 0; i++)
        r = b->entries[i].written ? 0 : write_entry(db, b, i);
    return r < 0 ? r : write_usage(db, b);
}

/* ---- on the loop ---- */

static void on_batch(struct work *w, int result) {
    struct batch *b = (struct batch *)w;
    struct recorder *r = b->recorder;
    (void)result; /* logged; what could not be recorded stays claimed and is in doubt at the next start */
    for (size_t i = 0; i < b->count; i++) {
        r->on_recorded(r->user, b->entries[i].item);
        (void)item_free(b->entries[i].item);
    }
    b->count = 0;
    if (r->spare_count >= SPARES_MAX || b->room > SPARE_ENTRIES_MAX) {
        (void)batch_free(b);
        return;
    }
    b->next = r->spare;
    r->spare = b;
    r->spare_count++;
}

static struct entry *next_entry(struct recorder *r) {
    struct batch *b = r->open ? r->open : r->spare ? r->spare : calloc(1, sizeof *b);
    if (!b)
        return NULL;
    if (b == r->spare) {
        r->spare = b->next;
        r->spare_count--;
    }
    r->open = b;
    b->recorder = r;
    if (b->count == 0)
        b->begun_usec = clock_mono_usec();
    if (b->count == b->room) {
        size_t room = b->room ? b->room * 2 : 32;
        struct entry *more = reallocarray(b->entries, room, sizeof *more);
        if (!more)
            return NULL;
        b->entries = more;
        b->room = room;
    }
    return &b->entries[b->count++];
}

/* What became of a message is never forgotten for want of memory: it stays with the item. */
static void keep(struct recorder *r, struct item *item, const struct entry *e) {
    if (!r->late.first)
        log_error("out-of-memory", LOG_TEXT("what", "outcomes wait to be recorded"));
    item->record = (struct item_record){.act = e->act, .now_usec = e->now_usec, .when_usec = e->when_usec};
    memcpy(item->record.relay, e->relay, sizeof e->relay);
    item->outcome = e->outcome;
    r->late_usec = clock_mono_usec() + RECORDER_LATE_USEC;
    items_push(&r->late, item);
}

/* As far as there is memory again. */
static void take_late(struct recorder *r) {
    for (struct entry *e; r->late.first && (e = next_entry(r));) {
        struct item *item = items_pop(&r->late);
        const struct item_record *k = &item->record;
        *e = (struct entry){item, (enum act)k->act, item->outcome, k->now_usec, k->when_usec, "", false, false};
        memcpy(e->relay, k->relay, sizeof e->relay);
    }
    if (r->late.first)
        r->late_usec = clock_mono_usec() + RECORDER_LATE_USEC;
}

static void add(struct recorder *r, struct item *item, enum act act, const struct outcome *outcome, int64_t when_usec,
                const char *relay) {
    struct entry on_stack, *e = r->late.first ? NULL : next_entry(r); /* in order */
    bool late = !e;
    if (late)
        e = &on_stack;
    e->item = item;
    e->act = act;
    e->outcome = *outcome;
    e->now_usec = clock_now_usec();
    e->when_usec = when_usec;
    size_t len = strnlen(relay, sizeof e->relay - 1); /* names are shorter */
    memcpy(e->relay, relay, len);
    e->relay[len] = '\0';
    if (late)
        keep(r, item, e);
}

void recorder_outcome(struct recorder *r, struct item *item, const struct outcome *outcome, int64_t retry_usec,
                      const char *relay) {
    add(r, item, ACT_OUTCOME, outcome, retry_usec, relay);
}

void recorder_give_back(struct recorder *r, struct item *item) {
    static const struct outcome none;
    add(r, item, ACT_GIVE_BACK, &none, clock_now_usec(), "");
}

void recorder_put_off(struct recorder *r, struct item *item, int64_t due_usec, const char *why) {
    struct outcome o;
    outcome_set(&o, OUTCOME_DEFERRED, OUTCOME_OF_DESTINATION, why);
    add(r, item, ACT_PUT_OFF, &o, due_usec, "");
}

int64_t recorder_due(const struct recorder *r) {
    if (!r->open)
        return r->late.first ? r->late_usec : 0;
    return r->open->begun_usec + (r->open->count < RECORDER_BATCH ? RECORDER_WAIT_USEC : 0);
}

bool recorder_is_late(const struct recorder *r) {
    return r->late.first;
}

void recorder_flush(struct recorder *r) {
    take_late(r);
    struct batch *b = r->open;
    if (!b)
        return;
    r->open = NULL;
    work_submit(r->works, &b->work, STORE_URGENT, step_batch, on_batch);
}
