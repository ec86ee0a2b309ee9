#include "send/pace.h"

#include <limits.h>
#include <string.h>

#define NSEC_PER_USEC INT64_C(1000)

static int64_t earlier(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* With a burst of B and one token each interval I, a half-open window of length T sees at most B - 1 + T / I tokens.
 * I = T / (count - B + 1), rounded up, makes that the count. */
void pace_bucket_init(struct pace_bucket *b, struct rate rate, int64_t now_usec) {
    *b = (struct pace_bucket){0};
    if (rate.count == 0)
        return;
    int64_t burst = rate.count / PACE_BURST_OF;
    if (burst < 1)
        burst = 1;
    int64_t refills = (int64_t)rate.count - burst + 1;
    b->count = rate.count;
    b->per_usec = rate.per_usec;
    b->since_usec = now_usec;
    b->interval_nsec = (rate.per_usec * NSEC_PER_USEC + refills - 1) / refills;
    b->tolerance_nsec = (burst - 1) * b->interval_nsec;
    b->arrival_nsec = (now_usec + earlier(rate.per_usec, PACE_TRANSIT_USEC)) * NSEC_PER_USEC + burst * b->interval_nsec;
    b->slot_usec = (rate.per_usec + PACE_SLOTS_OF - 1) / PACE_SLOTS_OF;
    b->first = now_usec / b->slot_usec;
}

static uint32_t *slot_of(struct pace_bucket *b, int64_t at_usec) {
    return &b->slots[at_usec / b->slot_usec % PACE_SLOTS];
}

/* When what is in the slot counts no more. */
static int64_t slot_end(const struct pace_bucket *b, int64_t slot) {
    return (slot + 1) * b->slot_usec + b->per_usec;
}

static void forget_slots(struct pace_bucket *b, int64_t now_usec) {
    if (b->counted == 0 && slot_end(b, b->first) <= now_usec)
        b->first = now_usec / b->slot_usec;
    for (; slot_end(b, b->first) <= now_usec; b->first++) {
        b->counted -= b->slots[b->first % PACE_SLOTS];
        b->slots[b->first % PACE_SLOTS] = 0;
    }
}

/* How many will count then, if nothing comes. */
static uint32_t counted_at(const struct pace_bucket *b, int64_t at_usec) {
    uint32_t counted = b->counted;
    for (int64_t slot = b->first; counted && slot_end(b, slot) <= at_usec; slot++)
        counted -= b->slots[slot % PACE_SLOTS];
    return counted;
}

uint32_t pace_bucket_tokens(const struct pace_bucket *b, int64_t now_usec) {
    if (b->interval_nsec == 0)
        return UINT32_MAX;
    int64_t slack = now_usec * NSEC_PER_USEC - (b->arrival_nsec - b->tolerance_nsec);
    if (slack < 0)
        return 0;
    int64_t most = b->tolerance_nsec / b->interval_nsec, have = slack / b->interval_nsec;
    return (uint32_t)earlier(earlier(have, most) + 1, (int64_t)b->count - counted_at(b, now_usec));
}

bool pace_bucket_take(struct pace_bucket *b, int64_t now_usec) {
    if (b->interval_nsec == 0)
        return true;
    int64_t now = now_usec * NSEC_PER_USEC;
    forget_slots(b, now_usec);
    if (now < b->arrival_nsec - b->tolerance_nsec || b->counted >= b->count)
        return false;
    b->arrival_nsec = (b->arrival_nsec > now ? b->arrival_nsec : now) + b->interval_nsec;
    b->counted++;
    ++*slot_of(b, now_usec + PACE_TRANSIT_USEC);
    return true;
}

void pace_bucket_done(struct pace_bucket *b, int64_t taken_usec, int64_t now_usec) {
    if (b->interval_nsec == 0 || taken_usec < b->since_usec || now_usec - taken_usec >= PACE_TRANSIT_USEC)
        return;
    uint32_t *then = slot_of(b, taken_usec + PACE_TRANSIT_USEC);
    if (*then == 0)
        return;
    --*then;
    ++*slot_of(b, now_usec);
}

int64_t pace_bucket_when(const struct pace_bucket *b, int64_t now_usec) {
    if (b->interval_nsec == 0)
        return now_usec;
    int64_t when = (b->arrival_nsec - b->tolerance_nsec + NSEC_PER_USEC - 1) / NSEC_PER_USEC;
    uint32_t counted = b->counted;
    for (int64_t slot = b->first; counted >= b->count; slot++) {
        counted -= b->slots[slot % PACE_SLOTS];
        if (counted < b->count && slot_end(b, slot) > when)
            when = slot_end(b, slot);
    }
    return when;
}

void pace_daily_init(struct pace_daily *d, uint64_t limit) {
    *d = (struct pace_daily){.limit = limit};
}

static uint32_t *slot(struct pace_daily *d, int64_t hour) {
    return &d->used[hour % PACE_DAY_HOURS];
}

/* What is sent now counts for the hour of a little later: it may take so long to get there. */
static int64_t counting_hour(int64_t now_wall_usec) {
    return (now_wall_usec + PACE_DAY_TRANSIT_USEC) / USEC_PER_HOUR;
}

/* Forgets the hours that have passed out of the window. */
static void advance(struct pace_daily *d, int64_t now_wall_usec) {
    int64_t hour = now_wall_usec / USEC_PER_HOUR + 1;
    if (hour - d->hour >= PACE_DAY_HOURS) {
        memset(d->used, 0, sizeof d->used);
        d->hour = hour;
    }
    while (d->hour < hour)
        *slot(d, ++d->hour) = 0;
}

static uint64_t used(const struct pace_daily *d) {
    uint64_t sum = 0;
    for (int i = 0; i < PACE_DAY_HOURS; i++)
        sum += d->used[i];
    return sum;
}

void pace_daily_load(struct pace_daily *d, int64_t hour, uint32_t messages, int64_t now_wall_usec) {
    advance(d, now_wall_usec);
    if (hour > d->hour)
        hour = d->hour;
    if (d->hour - hour < PACE_DAY_HOURS)
        *slot(d, hour) += messages;
}

void pace_daily_shift(struct pace_daily *d, int64_t hours, int64_t now_wall_usec) {
    struct pace_daily before = *d;
    memset(d->used, 0, sizeof d->used);
    d->hour = d->credit = 0;
    for (int64_t hour = before.hour - PACE_DAY_HOURS + 1; hour <= before.hour; hour++)
        if (hour >= 0 && *slot(&before, hour))
            pace_daily_load(d, hour + hours, *slot(&before, hour), now_wall_usec);
}

uint64_t pace_daily_left(struct pace_daily *d, int64_t now_wall_usec) {
    if (d->limit == 0)
        return UINT64_MAX;
    advance(d, now_wall_usec);
    uint64_t sum = used(d);
    return sum < d->limit ? d->limit - sum : 0;
}

unsigned pace_daily_reserve(struct pace_daily *d, unsigned want, int64_t now_wall_usec, int64_t *ret_hour) {
    uint64_t left = pace_daily_left(d, now_wall_usec);
    unsigned n = left < want ? (unsigned)left : want;
    *ret_hour = counting_hour(now_wall_usec);
    if (d->limit)
        *slot(d, *ret_hour) += n;
    return d->limit ? n : 0;
}

/* Of that hour, as far as it is still known of. */
static unsigned take_back(struct pace_daily *d, int64_t hour, unsigned n) {
    if (hour > d->hour || d->hour - hour >= PACE_DAY_HOURS)
        return 0;
    if (n > *slot(d, hour))
        n = *slot(d, hour);
    *slot(d, hour) -= n;
    return n;
}

void pace_daily_reserved(struct pace_daily *d, int64_t hour, unsigned n, bool durable) {
    if (!durable) {
        (void)take_back(d, hour, n);
    } else {
        if (d->credit_hour != hour)
            d->credit = 0; /* too late: it counts, and is not used */
        d->credit_hour = hour;
        d->credit += n;
    }
}

unsigned pace_daily_credit(const struct pace_daily *d, int64_t now_wall_usec) {
    if (d->limit == 0)
        return UINT_MAX;
    return d->credit_hour == counting_hour(now_wall_usec) ? d->credit : 0;
}

void pace_daily_take(struct pace_daily *d) {
    if (d->limit && d->credit)
        d->credit--;
}

unsigned pace_daily_give_back(struct pace_daily *d, int64_t *ret_hour) {
    unsigned n = d->limit ? take_back(d, d->credit_hour, d->credit) : 0;
    *ret_hour = d->credit_hour;
    d->credit = 0;
    return n;
}

int64_t pace_daily_wait_usec(struct pace_daily *d, int64_t now_wall_usec) {
    if (pace_daily_left(d, now_wall_usec) > 0)
        return 0;
    uint64_t sum = used(d);
    for (int64_t oldest = d->hour - PACE_DAY_HOURS + 1; oldest <= d->hour; oldest++) {
        sum -= *slot(d, oldest < 0 ? oldest + PACE_DAY_HOURS : oldest);
        if (sum < d->limit) /* forgotten when the hour becomes d->hour - PACE_DAY_HOURS */
            return (oldest + PACE_DAY_HOURS - 1) * USEC_PER_HOUR - now_wall_usec;
    }
    return USEC_PER_HOUR;
}

const char *pace_state_name(enum pace_state s) {
    switch (s) {
    case PACE_OPEN: return "open";
    case PACE_RESTING: return "paused";
    case PACE_TRYING: return "trying";
    }
    return "?";
}

void pace_relay_init(struct pace_relay *p) {
    *p = (struct pace_relay){.state = PACE_OPEN};
}

enum pace_state pace_relay_state(struct pace_relay *p, int64_t now_usec) {
    if (p->state == PACE_RESTING && now_usec >= p->until_usec)
        p->state = PACE_TRYING;
    return p->state;
}

bool pace_relay_worked(struct pace_relay *p) {
    bool was_down = p->state != PACE_OPEN;
    pace_relay_init(p);
    return was_down;
}

bool pace_relay_failed(struct pace_relay *p, bool of_sender, int64_t most_usec, int64_t now_usec) {
    bool first = p->state == PACE_OPEN;
    if (first)
        p->since_usec = now_usec;
    p->run = 0;
    /* Several connections that fail together are one failure; but one of ours is worth the longer rest. */
    if (pace_relay_state(p, now_usec) != PACE_RESTING || (of_sender && !p->of_sender)) {
        int64_t least = of_sender ? PACE_REST_FIRST_USEC : PACE_RECONNECT_FIRST_USEC;
        int64_t rest = first ? least : p->rest_usec * 2;
        if (rest < least)
            rest = least;
        p->rest_usec = earlier(rest, most_usec);
        p->until_usec = now_usec + p->rest_usec;
        p->of_sender = of_sender;
        p->state = PACE_RESTING;
    }
    if (p->alerted || (!of_sender && now_usec - p->since_usec < PACE_DOWN_ALERT_USEC))
        return false;
    p->alerted = true;
    return true;
}

static uint64_t digest_add(uint64_t h, const void *data, size_t len) {
    const unsigned char *p = data;
    for (size_t i = 0; i < len; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
    return h;
}

static bool is_varying(struct view word) {
    for (size_t i = 0; i < word.len; i++)
        if (word.ptr[i] == '@' || (word.ptr[i] >= '0' && word.ptr[i] <= '9'))
            return true;
    return false;
}

static uint64_t digest(const struct outcome *o) {
    uint64_t h = digest_add(UINT64_C(0xcbf29ce484222325), &o->code, sizeof o->code);
    h = digest_add(h, o->status, strlen(o->status));
    struct view rest = view_of(o->text), word;
    while (view_split(&rest, ' ', &word))
        if (word.len && !is_varying(word)) {
            h = digest_add(h, " ", 1);
            h = digest_add(h, word.ptr, word.len);
        }
    return h;
}

unsigned pace_relay_refused(struct pace_relay *p, const struct outcome *outcome) {
    uint64_t d = digest(outcome);
    if (p->state == PACE_TRYING && p->of_sender && d == p->run_digest)
        return PACE_RUN; /* what it rested for */
    if (d != p->run_digest)
        p->run = 0;
    p->run_digest = d;
    return ++p->run;
}

void pace_relay_run_ends(struct pace_relay *p) {
    p->run = 0;
}
