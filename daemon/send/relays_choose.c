/* Relays: which one takes a message, how many may well wait, and when another line helps. */
#include "send/relays_inside.h"

#include "base/clock.h"

/* Claims take a moment: rate tokens of so near a future count as in hand. */
static const int64_t soon_usec = 50 * 1000;

static bool has_day_left(struct relay *r, int64_t now, int64_t *when) {
    int64_t wall = clock_now_usec();
    if (r->daily.limit == 0 || pace_daily_credit(&r->daily, wall) > 0 || pace_daily_left(&r->daily, wall) > 0)
        return true;
    pace_sooner(when, now + pace_daily_wait_usec(&r->daily, wall));
    return false;
}

/* The relays of these bits that carry now, and those that are to be tried beside them. */
struct choice {
    uint64_t carry, try;
};

static struct choice choose(struct relays *all, uint64_t bits, int64_t now, int64_t *when) {
    struct choice c = {0};
    unsigned level = 0;
    for (size_t i = 0; i < all->count; i++) {
        struct relay *r = all->items[i];
        if (!(bits & UINT64_C(1) << i) || (c.carry && r->conf->priority != level) || !has_day_left(r, now, when))
            continue;
        switch (pace_relay_state(&r->pace, now)) {
        case PACE_RESTING: pace_sooner(when, r->pace.until_usec); break;
        case PACE_TRYING: c.try |= UINT64_C(1) << i; break;
        case PACE_OPEN:
            level = r->conf->priority;
            c.carry |= UINT64_C(1) << i;
            break;
        }
    }
    return c;
}

bool relays_alive(struct relays *r, uint64_t bits, int64_t now_usec) {
    int64_t when = 0;
    struct choice c = choose(r, bits, now_usec, &when);
    return c.carry || c.try;
}

static bool has_token(struct relay *r, int64_t now, int64_t *when) {
    if (r->daily.limit && pace_daily_credit(&r->daily, clock_now_usec()) == 0) {
        r->wanted += r->wanted == 0; /* what comes is told by relays_reserved() */
        return false;
    }
    if (pace_bucket_tokens(&r->bucket, now) > 0)
        return true;
    pace_sooner(when, pace_bucket_when(&r->bucket, now));
    return false;
}

/* The relay's line with the fewest in flight that takes one more. */
static struct line *emptiest(const struct relay *r, unsigned *fewest) {
    struct line *found = NULL;
    for (struct line *l = r->lines; l; l = l->next)
        if (line_is_usable(l) && session_room(l->session) > 0 && session_in_flight(l->session) < *fewest) {
            *fewest = session_in_flight(l->session);
            found = l;
        }
    return found;
}

struct line *relays_pick(struct relays *all, uint64_t bits, int64_t now_usec, int64_t *ret_when) {
    struct choice c = choose(all, bits, now_usec, ret_when);
    struct line *found = NULL;
    unsigned fewest = UINT32_MAX;
    for (size_t i = 0; i < all->count; i++) {
        struct relay *r = all->items[i];
        uint64_t bit = UINT64_C(1) << i;
        if (!((c.carry | c.try) & bit) || !has_token(r, now_usec, ret_when))
            continue;
        if (c.try & bit) {
            struct line *l = relay_in_flight(r) == 0 ? emptiest(r, &(unsigned){UINT32_MAX}) : NULL;
            if (l)
                return l;
        } else {
            struct line *l = emptiest(r, &fewest);
            found = l ? l : found;
        }
    }
    return found;
}

bool relays_takes(struct relays *all, struct line *line, uint64_t bits, int64_t now_usec) {
    struct relay *r = line->relay;
    int64_t when = 0;
    if (!line_is_usable(line) || r->retired || r->pace.state != PACE_OPEN || session_room(line->session) == 0 ||
        !has_token(r, now_usec, &when))
        return false;
    struct choice c = choose(all, bits, now_usec, &when);
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i] == r)
            return c.carry & UINT64_C(1) << i;
    return false;
}

static unsigned appetite_of(struct relay *r, unsigned more, int64_t now, int64_t *when) {
    unsigned n = 0;
    for (const struct line *l = r->lines; l; l = l->next)
        n += line_is_usable(l) ? 2 * r->conf->in_flight - session_in_flight(l->session) : 0; /* is at most in_flight */
    n += n ? more : 0;
    uint32_t tokens = pace_bucket_tokens(&r->bucket, now + soon_usec);
    if (n && tokens == 0)
        pace_sooner(when, pace_bucket_when(&r->bucket, now) - soon_usec);
    r->wanted = n = tokens < n ? tokens : n;
    if (r->daily.limit == 0)
        return n;
    int64_t wall = clock_now_usec();
    uint64_t left = pace_daily_left(&r->daily, wall) + pace_daily_credit(&r->daily, wall);
    return left < n ? (unsigned)left : n;
}

unsigned relays_appetite(struct relays *all, uint64_t bits, unsigned more, int64_t now_usec, int64_t *ret_when) {
    struct choice c = choose(all, bits, now_usec, ret_when);
    unsigned n = 0, tried = 0, carriers = (unsigned)__builtin_popcountll(c.carry);
    for (size_t i = 0; i < all->count; i++)
        if (c.carry & UINT64_C(1) << i)
            n += appetite_of(all->items[i], more / carriers, now_usec, ret_when);
        else if (c.try & UINT64_C(1) << i)
            tried += appetite_of(all->items[i], 0, now_usec, ret_when) > 0;
    return n + tried;
}

bool relays_wait(struct relays *all, uint64_t bits, int64_t now_usec, int64_t *ret_when) {
    struct choice c = choose(all, bits, now_usec, ret_when);
    for (size_t i = 0; i < all->count; i++) {
        if (!((c.carry | c.try) & UINT64_C(1) << i))
            continue;
        if (pace_bucket_tokens(&all->items[i]->bucket, now_usec) > 0)
            return false;
        pace_sooner(ret_when, pace_bucket_when(&all->items[i]->bucket, now_usec));
    }
    return true;
}

static bool wants_line(const struct relay *r, unsigned allowed) {
    unsigned lines = 0;
    for (const struct line *l = r->lines; l; l = l->next) {
        if (l->leaving || l->closed)
            continue;
        if (!l->ready || session_room(l->session) > 0)
            return false;
        lines++;
    }
    return lines < allowed;
}

void relays_connect(struct relays *all, uint64_t bits, int64_t now_usec) {
    int64_t when = 0;
    struct choice c = choose(all, bits, now_usec, &when);
    for (size_t i = 0; i < all->count; i++) {
        struct relay *r = all->items[i];
        uint64_t bit = UINT64_C(1) << i;
        if (c.carry & bit ? wants_line(r, r->conf->connections) : (c.try & bit) && wants_line(r, 1))
            relay_open_line(r, now_usec);
    }
}
