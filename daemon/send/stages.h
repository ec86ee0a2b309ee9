/* The store's part of dispatch: what there is to do, writing an audience, loading mails, finishing, notices. Each call
 * is one job; its handler is called on the loop.
 *
 * A failure of the store itself (a full disk) is told by a result below 0 without a fault: try again later. A fault is
 * the announcement's own and wants a person. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "send/item.h"
#include "store/announcement.h"

struct relays_reservation;
struct conf;
struct sending;
struct spool;
struct works;

enum { STAGES_LIVE_MAX = 1024 };

struct survey {
    struct announcement_row *rows; /* scheduled, gathering and sending ones; strings are not valid */
    size_t count;
    int64_t next_usec;      /* when something falls due: a start, a retry, a notice; 0: nothing does */
    int64_t recurring_usec; /* when a date of a recurring announcement is to be made; 0: never */
};

struct stages_handlers {
    void (*on_survey)(void *user, const struct survey *v, int result);
    void (*on_gathered)(void *user, int64_t id, int result, const struct why *fault);
    void (*on_loaded)(void *user, struct sending *s, int result, const struct why *fault);
    void (*on_settled)(void *user, int64_t id, int result, bool finished);
    /* The items are the handler's. more: there may be more to claim now. */
    void (*on_notices)(void *user, int result, struct items *notices, bool more);
    void (*on_usage)(void *user, const char *relay, int64_t hour, uint64_t messages);
    void (*on_usage_loaded)(void *user, int result);
    void (*on_held)(void *user, int64_t id);
    void (*on_reserved)(void *user, const struct relays_reservation *what, bool durable);
};

struct stages {
    struct works *works;
    struct spool *spool;
    const struct stages_handlers *on;
    void *user;
};

/* Each -ENOMEM or 0. */
int stages_survey(const struct stages *s);
/* From scheduled, or going on with what a restart cut off, to sending. */
int stages_gather(const struct stages *s, const struct announcement_row *row, int64_t give_up_usec);
int stages_load(const struct stages *s, struct sending *sending);
/* Finishes it where nothing is left to be tried (send/ending.h). */
int stages_settle(const struct stages *s, int64_t id, struct conf *conf);
int stages_claim_notices(const struct stages *s, unsigned max);
int stages_load_usage(const struct stages *s, struct conf *conf);
/* Writes what daily limits count (send/relays.h), and moves it after the clock jumped. */
int stages_reserve(const struct stages *s, const struct relays_reservation *what);
int stages_shift_usage(const struct stages *s, int64_t hours);
/* Pauses an announcement with a reason that people read. */
int stages_hold(const struct stages *s, int64_t id, const char *reason);
