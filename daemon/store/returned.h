/* What came back by mail: reports kept beside their deliveries, the scores of addresses, and the circuit breaker's state.
 * On the store's thread. What follows from a report is people/returns.c's. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

struct db;

/* The delivery that a report speaks of. 1 found, 0 not: nothing was sent to that person then. */
struct returned_delivery {
    uint32_t list;
    int64_t at_usec; /* of its outcome */
};
int returned_delivery(struct db *db, int64_t announcement, int64_t subscriber, struct returned_delivery *ret);

struct returned {
    int64_t at_usec;
    const char *class, *reason, *status, *text;
    bool held;
};
/* Whether one that is as bad, or worse, is there already. 1, 0. */
int returned_is_there(struct db *db, int64_t announcement, int64_t subscriber, const char *class);
/* 1 kept; 0 where one is there already: it came twice. */
int returned_keep(struct db *db, int64_t announcement, int64_t subscriber, const struct returned *r);
int returned_get(struct db *db, int64_t announcement, int64_t subscriber, struct arena *arena,
                 struct returned *ret); /* 1, 0 */

/* Adds one to the score of an address: at most one a day; after forget_usec without any it begins anew. *ret_count is
 * what it is now. */
int returned_score(struct db *db, int64_t subscriber, const char *address_key, int64_t at_usec, int64_t forget_usec,
                   int64_t *ret_count);
/* What the score is: 1, 0 none. The address may be one that they had before. */
struct returned_scored {
    int64_t count, counted_usec,
        first_unknown_usec; /* the last that counted; when the domain was unknown first, or 0 */
};
int returned_scored(struct db *db, int64_t subscriber, struct returned_scored *ret);
/* As returned_score(), for a domain that was unknown: how long ago that was seen first, 0 for now. */
int returned_unknown(struct db *db, int64_t subscriber, const char *address_key, int64_t at_usec, int64_t forget_usec,
                     int64_t *ret_since_usec);
int returned_forget_score(struct db *db, int64_t subscriber);
/* Of all whose last is older. STORE_MORE while some remain. */
int returned_forget_quiet(struct db *db, int64_t before_usec);

/* A run at a destination. */
struct returned_run {
    int64_t hard;
    int64_t size; /* as returned_run_size() last said, or 0 */
    bool held;    /* the breaker is open for it */
};
/* One more hard one. */
int returned_run_add(struct db *db, int64_t announcement, const char *domain, struct returned_run *ret);
int returned_run_get(struct db *db, int64_t announcement, const char *domain,
                     struct returned_run *ret); /* zeros: none */
/* How many of those whom a run has tried to reach are at the destination: exact up to RETURNED_SAMPLE of them, else
 * estimated from as many. STORE_MORE when the slice is over, to go on with the same sample, which begins as zeros and is
 * begun anew for another run; STORE_DONE when it is kept with the run. */
enum { RETURNED_SAMPLE = 20000 };
struct returned_sample {
    int64_t announcement;
    char domain[256];
    int64_t behind, seen, looked_at, found;
};
int returned_run_size(struct db *db, int64_t announcement, const char *domain, struct returned_sample *s);
/* The breaker opens: what was suppressed in this run at the destination is taken back and held; the first of it now
 * (*ret_count), what is more by returned_take_back(), for one slice: STORE_MORE. */
int returned_hold(struct db *db, int64_t announcement, const char *domain, int64_t now_usec, int64_t *ret_count);
int returned_take_back(struct db *db);
int returned_mark_held(struct db *db, int64_t announcement, int64_t subscriber);
/* The admin lets go: those held are suppressed (or, with `forget`, are not), and the breaker closes; of all runs.
 * -ENOENT where nothing is held at that destination. *count grows by them. STORE_MORE until all is done. */
int returned_let_go(struct db *db, const char *domain, bool forget, int64_t now_usec, int64_t *count);
typedef int returned_on_held(void *user, int64_t announcement, const char *domain, int64_t hard, int64_t since_usec);
int returned_each_held(struct db *db, returned_on_held *on_held, void *user);

/* Whether the admin is to be told of this (a destination and what of it): not if that was less than a day ago. 1, 0. */
int returned_tell(struct db *db, const char *about, int64_t now_usec);

int returned_count(struct db *db, const char *kind);
/* What the mail door has ignored so far (spool/ignored.h): what is more than the last time is counted, and all of it where
 * it is less, as the door has begun anew. */
int returned_ignored(struct db *db, uint64_t total);
typedef void returned_on_count(void *user, const char *kind, uint64_t count);
int returned_each_count(struct db *db, returned_on_count *on_count, void *user);

/* A person is erased; an announcement's deliveries are (STORE_MORE while some remain). */
int returned_erase(struct db *db, int64_t subscriber);
/* STORE_MORE while some remains. */
int returned_drop(struct db *db, int64_t announcement);
