#include "send/claimer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "send/sending.h"
#include "send/work.h"

struct block {
    struct work work; /* first */
    struct claimer *claimer;
    struct block *next; /* spare */
    struct sending *sending;
    unsigned max;
    bool resend, more;
    struct claims claims;
    struct item *items; /* of the claims, in their order */
    size_t room;
    unsigned live; /* items that are not done */
    struct destination_shut shut[DESTINATIONS_SHUT_MAX];
    size_t shut_count, put_off;
};

struct claimer {
    struct works *works;
    claimer_on_claimed *on_claimed;
    void *user;
    struct block *spare;
    unsigned spare_count;
};

int claimer_new(struct works *works, claimer_on_claimed *on_claimed, void *user, struct claimer **ret) {
    struct claimer *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (struct claimer){.works = works, .on_claimed = on_claimed, .user = user};
    *ret = c;
    return 0;
}

static void block_free(struct block *b) {
    claims_done(&b->claims);
    free(b->items);
    free(b);
}

struct claimer *claimer_free(struct claimer *c) {
    while (c && c->spare) {
        struct block *b = c->spare;
        c->spare = b->next;
        block_free(b);
    }
    free(c);
    return NULL;
}

static struct block *take_block(struct claimer *c) {
    struct block *b = c->spare;
    if (!b)
        return calloc(1, sizeof *b);
    c->spare = b->next;
    c->spare_count--;
    return b;
}

static void put_back(struct block *b) {
    struct claimer *c = b->claimer;
    if (c->spare_count >= CLAIMER_SPARE_MAX) {
        block_free(b);
        return;
    }
    claims_clear(&b->claims);
    b->next = c->spare;
    c->spare = b;
    c->spare_count++;
}

void block_let_go(struct block *b) {
    if (--b->live == 0)
        put_back(b);
}

static struct destination_shut *find_shut(struct block *b, const struct claim *c) {
    struct view domain = item_domain_of(c->address);
    for (size_t i = 0; i < b->shut_count; i++)
        if (view_eq_str(domain, b->shut[i].domain))
            return &b->shut[i];
    return NULL;
}

/* Puts off whoever has to wait, and keeps the others. */
static int put_off(struct block *b, struct db *db) {
    int64_t ahead = clock_now_usec() - clock_mono_usec(); /* turns are monotonic, the store's time is not */
    size_t kept = 0;
    for (size_t i = 0; i < b->claims.count; i++) {
        struct claim *c = &b->claims.items[i];
        struct destination_shut *shut = find_shut(b, c);
        if (!shut) {
            b->claims.items[kept++] = *c;
            continue;
        }
        int r = delivery_put_off(db, c, destination_shut_turn(shut) + ahead, CLAIMER_WAITS);
        if (r < 0)
            return r;
        b->put_off++;
    }
    b->claims.count = kept;
    return 0;
}

static int step_claim(struct store_job *job, struct db *db) {
    struct block *b = (struct block *)job;
    int r;
    b->put_off = 0;
    do {
        claims_clear(&b->claims); /* nothing is left, or it is of a transaction that came to nothing */
        r = delivery_claim(db, b->sending->id, clock_now_usec(), b->max, b->resend, &b->claims);
        b->more = r == 1;
        if (r >= 0)
            r = put_off(b, db);
    } while (r == 0 && b->more && b->claims.count == 0 && b->put_off && b->put_off < CLAIMER_PUT_OFF_MAX);
    return r < 0 ? r : STORE_DONE;
}

static void on_claim(struct work *w, int result) {
    struct block *b = (struct block *)w;
    struct items items;
    items_init(&items);
    b->live = 1; /* ourselves: the handler may be done with an item at once */
    for (size_t i = 0; i < b->claims.count && result == 0; i++) {
        item_of_claim(&b->items[i], b->sending, &b->claims.items[i], b);
        items_push(&items, &b->items[i]);
        b->live++;
    }
    b->claimer->on_claimed(b->claimer->user, b->sending, result, &items, b->more, b->shut,
                           result == 0 ? b->shut_count : 0);
    block_let_go(b);
}

int claimer_claim(struct claimer *c, struct sending *s, unsigned max, bool resend_in_doubt,
                  const struct destination_shut *shut, size_t shut_count) {
    struct block *b = take_block(c);
    if (!b)
        return -ENOMEM;
    b->claimer = c;
    b->sending = s;
    b->shut_count = shut_count;
    for (size_t i = 0; i < shut_count; i++)
        b->shut[i] = shut[i];
    b->max = max < CLAIMS_MAX ? max : CLAIMS_MAX;
    b->resend = resend_in_doubt;
    b->work.announcement = s->id;
    if (b->room < b->max) {
        free(b->items);
        b->items = calloc(b->max, sizeof *b->items);
        b->room = b->items ? b->max : 0;
    }
    if (!b->items) {
        put_back(b);
        return -ENOMEM;
    }
    work_submit(c->works, &b->work, STORE_URGENT, step_claim, on_claim);
    return 0;
}
