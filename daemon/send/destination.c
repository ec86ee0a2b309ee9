#include "send/destination.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "send/pace.h"

enum { BUCKETS = 4096 };

enum state { FREE, SILENT, CAREFUL };

struct destination {
    struct destination *next;
    enum state state;
    unsigned on_their_way;
    unsigned allowed;   /* while CAREFUL */
    unsigned delivered; /* in a row, at this number */
    bool hinted;        /* since the last delivery */
    int64_t until_usec; /* of the silence */
    int64_t turn_usec;  /* the last one handed out */
    const struct conf_destination *limits;
    struct rate rate; /* that the bucket was made for */
    struct pace_bucket bucket;
    size_t len;
    char domain[];
};

struct destinations {
    const struct conf *conf;
    size_t count;
    struct destination *buckets[BUCKETS];
};

int destinations_new(struct destinations **ret) {
    struct destinations *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    *ret = d;
    return 0;
}

struct destinations *destinations_free(struct destinations *d) {
    if (!d)
        return NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        while (d->buckets[i]) {
            struct destination *next = d->buckets[i]->next;
            free(d->buckets[i]);
            d->buckets[i] = next;
        }
    free(d);
    return NULL;
}

static bool same_rate(struct rate a, struct rate b) {
    return a.count == b.count && a.per_usec == b.per_usec;
}

static void set_limits(struct destination *t, const struct conf *conf, int64_t now_usec) {
    t->limits = conf ? conf_find_destination(conf, view_make(t->domain, t->len)) : NULL;
    struct rate rate = t->limits ? t->limits->rate : (struct rate){0};
    if (!same_rate(rate, t->rate)) {
        t->rate = rate;
        pace_bucket_init(&t->bucket, rate, now_usec);
    }
}

static bool is_idle(const struct destination *t, int64_t now_usec) {
    return t->on_their_way == 0 && t->state == FREE && t->rate.count == 0 && t->turn_usec <= now_usec;
}

static void forget_idle(struct destinations *d, int64_t now_usec) {
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct destination **at = &d->buckets[i]; *at;) {
            struct destination *t = *at;
            if (!is_idle(t, now_usec)) {
                at = &t->next;
                continue;
            }
            *at = t->next;
            free(t);
            d->count--;
        }
}

static struct destination **bucket_of(struct destinations *d, struct view domain) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < domain.len; i++)
        h = (h ^ (unsigned char)domain.ptr[i]) * 16777619u; /* FNV-1a */
    return &d->buckets[h % BUCKETS];
}

static struct destination *find(struct destinations *d, struct view domain) {
    for (struct destination *t = *bucket_of(d, domain); t; t = t->next)
        if (view_eq(domain, view_make(t->domain, t->len)))
            return t;
    return NULL;
}

/* NULL where the table is full or memory has run out: such a domain has no limits. */
static struct destination *find_or_add(struct destinations *d, struct view domain, int64_t now_usec) {
    struct destination *t = find(d, domain);
    if (t)
        return t;
    if (d->count >= DESTINATIONS_MAX)
        forget_idle(d, now_usec);
    if (d->count >= DESTINATIONS_MAX)
        return NULL;
    t = calloc(1, sizeof *t + domain.len);
    if (!t)
        return NULL;
    t->len = domain.len;
    if (domain.len)
        memcpy(t->domain, domain.ptr, domain.len);
    set_limits(t, d->conf, now_usec);
    struct destination **bucket = bucket_of(d, domain);
    t->next = *bucket;
    *bucket = t;
    d->count++;
    return t;
}

void destinations_configure(struct destinations *d, const struct conf *conf, int64_t now_usec) {
    d->conf = conf;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct destination *t = d->buckets[i]; t; t = t->next)
            set_limits(t, conf, now_usec);
    /* A bucket begins empty, so one with a rate must begin now and not with its first message. */
    for (size_t i = 0; conf && i < conf->destination_count; i++)
        (void)find_or_add(d, view_of(conf->destinations[i].domain), now_usec);
}

/* At most so many on their way; 0: any number. */
static unsigned allowed(const struct destination *t) {
    unsigned configured = t->limits ? t->limits->connections : 0;
    if (t->state != CAREFUL)
        return configured;
    return configured && configured < t->allowed ? configured : t->allowed;
}

static void be_careful(struct destination *t) {
    t->state = CAREFUL;
    t->allowed = 1;
    t->delivered = 0;
}

static void end_silence(struct destination *t, int64_t now_usec) {
    if (t->state == SILENT && now_usec >= t->until_usec)
        be_careful(t);
}

/* True where it is new. */
static bool fall_silent(struct destination *t, int64_t now_usec) {
    bool fresh = t->state != SILENT;
    t->state = SILENT;
    t->until_usec = now_usec + DESTINATION_SILENCE_USEC;
    return fresh;
}

enum destination_answer destination_take(struct destinations *d, struct view domain, int64_t now_usec,
                                         int64_t *ret_when_usec) {
    struct destination *t = find_or_add(d, domain, now_usec);
    if (!t)
        return DESTINATION_GO;
    end_silence(t, now_usec);
    if (t->state == SILENT) {
        *ret_when_usec = t->until_usec;
        return DESTINATION_LATER;
    }
    unsigned most = allowed(t);
    if (most && t->on_their_way >= most)
        return DESTINATION_BUSY;
    if (!pace_bucket_take(&t->bucket, now_usec)) {
        *ret_when_usec = pace_bucket_when(&t->bucket, now_usec);
        return DESTINATION_LATER;
    }
    t->on_their_way++;
    return DESTINATION_GO;
}

static void step_up(struct destination *t) {
    if (++t->delivered < DESTINATION_STEP)
        return;
    t->delivered = 0;
    t->allowed++;
    unsigned enough = t->limits && t->limits->connections ? t->limits->connections : DESTINATION_CAREFUL_MAX;
    if (t->allowed >= enough)
        t->state = FREE;
}

bool destination_done(struct destinations *d, struct view domain, enum destination_verdict verdict, int64_t now_usec) {
    struct destination *t = find(d, domain);
    if (!t)
        return false;
    if (t->on_their_way)
        t->on_their_way--;
    switch (verdict) {
    case DESTINATION_DELIVERED:
        t->hinted = false;
        if (t->state == CAREFUL)
            step_up(t);
        return false;
    case DESTINATION_SLOW_DOWN: return fall_silent(t, now_usec);
    case DESTINATION_HINT:
        if (t->state == SILENT || t->hinted)
            return fall_silent(t, now_usec);
        t->hinted = true;
        be_careful(t);
        return false;
    case DESTINATION_OTHER: t->delivered = 0; return false;
    }
    return false;
}

int64_t destination_turn(struct destinations *d, struct view domain, int64_t now_usec) {
    struct destination *t = find_or_add(d, domain, now_usec);
    if (!t)
        return now_usec;
    int64_t first = now_usec, step = USEC_PER_SEC;
    if (t->state == SILENT)
        first = t->until_usec;
    if (t->rate.count) {
        step = t->rate.per_usec / t->rate.count;
        int64_t token = pace_bucket_when(&t->bucket, now_usec);
        first = token > first ? token : first;
    }
    int64_t turn = t->turn_usec + step;
    if (turn < first || turn > first + DESTINATION_PUT_OFF_MAX_USEC)
        turn = first;
    t->turn_usec = turn;
    return turn;
}
