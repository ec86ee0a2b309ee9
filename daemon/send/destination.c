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
    bool wanted;        /* somebody found it busy since one was last done */
    int64_t until_usec; /* of the silence */
    int64_t turn_usec;  /* the last one handed out */
    int64_t done_usec;  /* when one was last done */
    int64_t gap_usec;   /* between two that were done while others waited, smoothed; 0: not known */
    const struct conf_destination *limits;
    struct rate rate; /* that the bucket was made for */
    struct pace_bucket *bucket;
    size_t len;
    char domain[];
};

struct destinations {
    const struct conf *conf;
    int64_t silence_usec;
    struct destination *late[DESTINATIONS_SHUT_MAX]; /* that had to be waited for */
    unsigned late_next;
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

static struct destination *destination_free(struct destination *t) {
    free(t->bucket);
    free(t);
    return NULL;
}

struct destinations *destinations_free(struct destinations *d) {
    if (!d)
        return NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        while (d->buckets[i]) {
            struct destination *next = d->buckets[i]->next;
            (void)destination_free(d->buckets[i]);
            d->buckets[i] = next;
        }
    free(d);
    return NULL;
}

static bool same_rate(struct rate a, struct rate b) {
    return a.count == b.count && a.per_usec == b.per_usec;
}

static int set_limits(struct destination *t, const struct conf *conf, int64_t now_usec) {
    t->limits = conf ? conf_find_destination(conf, view_make(t->domain, t->len)) : NULL;
    struct rate rate = t->limits ? t->limits->rate : (struct rate){0};
    if (same_rate(rate, t->rate))
        return 0;
    if (!t->bucket && !(t->bucket = malloc(sizeof *t->bucket)))
        return -ENOMEM;
    t->rate = rate;
    pace_bucket_init(t->bucket, rate, now_usec);
    return 0;
}

static bool is_idle(const struct destination *t, int64_t now_usec) {
    return t->on_their_way == 0 && t->state == FREE && !t->limits && t->turn_usec <= now_usec;
}

static void forget_idle(struct destinations *d, int64_t now_usec) {
    memset(d->late, 0, sizeof d->late);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct destination **at = &d->buckets[i]; *at;) {
            struct destination *t = *at;
            if (!is_idle(t, now_usec)) {
                at = &t->next;
                continue;
            }
            *at = t->next;
            (void)destination_free(t);
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
    if (set_limits(t, d->conf, now_usec) < 0)
        return destination_free(t);
    struct destination **bucket = bucket_of(d, domain);
    t->next = *bucket;
    *bucket = t;
    d->count++;
    return t;
}

int destinations_configure(struct destinations *d, const struct conf *conf, int64_t now_usec) {
    int r = 0;
    d->conf = conf;
    d->silence_usec = conf->silence_usec;
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct destination *t = d->buckets[i]; t; t = t->next)
            r = set_limits(t, conf, now_usec) < 0 ? -ENOMEM : r;
    /* A bucket begins empty, so one with a rate must begin now and not with its first message; and none that is limited
     * may find the table full. */
    for (size_t i = 0; i < conf->destination_count; i++)
        if (!find_or_add(d, view_of(conf->destinations[i].domain), now_usec))
            r = -ENOMEM;
    return r;
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
static bool fall_silent(const struct destinations *d, struct destination *t, int64_t now_usec) {
    bool fresh = t->state != SILENT;
    t->state = SILENT;
    t->until_usec = now_usec + d->silence_usec;
    return fresh;
}

/* It stood idle, and others wait for their turns: these follow each other too slowly. */
static void hurry(struct destination *t, unsigned most, int64_t now_usec) {
    if (most && t->on_their_way == 0 && !t->wanted && t->turn_usec > now_usec && t->gap_usec)
        t->gap_usec -= t->gap_usec / 4;
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
    if (most && t->on_their_way >= most) {
        t->wanted = true;
        return DESTINATION_BUSY;
    }
    if (t->bucket && !pace_bucket_take(t->bucket, now_usec)) {
        *ret_when_usec = pace_bucket_when(t->bucket, now_usec);
        return DESTINATION_LATER;
    }
    hurry(t, most, now_usec);
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

/* How long one takes where as many as may be are on their way. */
static void measure(struct destination *t, int64_t now_usec) {
    int64_t gap = now_usec - t->done_usec;
    if (t->wanted && t->done_usec)
        t->gap_usec = t->gap_usec ? (7 * t->gap_usec + gap) / 8 : gap;
    t->wanted = false;
    t->done_usec = now_usec;
}

bool destination_done(struct destinations *d, struct view domain, enum destination_verdict verdict, int64_t taken_usec,
                      int64_t now_usec) {
    struct destination *t = find(d, domain);
    if (!t)
        return false;
    if (t->on_their_way)
        t->on_their_way--;
    if (t->bucket)
        pace_bucket_done(t->bucket, taken_usec, now_usec);
    measure(t, now_usec);
    switch (verdict) {
    case DESTINATION_DELIVERED:
        t->hinted = false;
        if (t->state == CAREFUL)
            step_up(t);
        return false;
    case DESTINATION_SLOW_DOWN: return fall_silent(d, t, now_usec);
    case DESTINATION_HINT:
        if (t->state == SILENT || t->hinted)
            return fall_silent(d, t, now_usec);
        t->hinted = true;
        be_careful(t);
        return false;
    case DESTINATION_OTHER: t->delivered = 0; return false;
    }
    return false;
}

/* Between two turns: about as long as one takes to be sent. One that does not answer gets fewer and fewer. */
static int64_t step_of(const struct destination *t, int64_t now_usec) {
    int64_t step = t->gap_usec ? t->gap_usec : DESTINATION_STEP_USEC;
    if (t->rate.count)
        return (t->rate.per_usec + t->rate.per_usec / PACE_BURST_OF) / t->rate.count + 1;
    if (t->state == SILENT)
        return DESTINATION_STEP_SILENT_USEC;
    if (t->done_usec && (now_usec - t->done_usec) / 4 > step)
        step = (now_usec - t->done_usec) / 4;
    return step < DESTINATION_STEP_MIN_USEC ? DESTINATION_STEP_MIN_USEC : step > USEC_PER_SEC ? USEC_PER_SEC : step;
}

/* Before this nothing may go; now_usec or earlier where something may. */
static int64_t first_of(const struct destination *t, int64_t now_usec) {
    int64_t first = t->state == SILENT ? t->until_usec : now_usec;
    int64_t token = t->rate.count ? pace_bucket_when(t->bucket, now_usec) : now_usec;
    return token > first ? token : first;
}

static int64_t turn_after(int64_t last_usec, int64_t first_usec, int64_t step_usec) {
    int64_t turn = last_usec + step_usec;
    return turn < first_usec || turn > first_usec + DESTINATION_PUT_OFF_MAX_USEC ? first_usec : turn;
}

static void be_late(struct destinations *d, struct destination *t) {
    for (size_t i = 0; i < DESTINATIONS_SHUT_MAX; i++)
        if (d->late[i] == t)
            return;
    d->late[d->late_next++ % DESTINATIONS_SHUT_MAX] = t;
}

int64_t destination_turn(struct destinations *d, struct view domain, int64_t now_usec) {
    struct destination *t = find_or_add(d, domain, now_usec);
    if (!t)
        return now_usec;
    int64_t step = step_of(t, now_usec), first = first_of(t, now_usec);
    if (first < now_usec + step)
        first = now_usec + step;
    t->turn_usec = turn_after(t->turn_usec, first, step);
    be_late(d, t);
    return t->turn_usec;
}

size_t destinations_shut(struct destinations *d, bool hands_full, int64_t near_usec, int64_t now_usec,
                         struct destination_shut ret[DESTINATIONS_SHUT_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < DESTINATIONS_SHUT_MAX; i++) {
        struct destination *t = d->late[i];
        int64_t least = hands_full ? 0 : near_usec, first;
        if (!t || t->len >= sizeof ret->domain)
            continue;
        end_silence(t, now_usec);
        first = first_of(t, now_usec);
        bool busy = hands_full && allowed(t) && t->on_their_way >= allowed(t);
        if (!busy && first <= now_usec + least)
            continue;
        struct destination_shut *shut = &ret[count++];
        *shut = (struct destination_shut){.turn_usec = t->turn_usec, .step_usec = step_of(t, now_usec)};
        shut->first_usec = first > now_usec + shut->step_usec ? first : now_usec + shut->step_usec;
        memcpy(shut->domain, t->domain, t->len);
    }
    return count;
}

int64_t destination_shut_turn(struct destination_shut *shut) {
    shut->count++;
    shut->turn_usec = turn_after(shut->turn_usec, shut->first_usec, shut->step_usec);
    return shut->turn_usec;
}

void destination_shut_done(struct destinations *d, const struct destination_shut *shut) {
    struct destination *t = shut->count ? find(d, view_of(shut->domain)) : NULL;
    if (t)
        t->turn_usec = shut->turn_usec;
}
