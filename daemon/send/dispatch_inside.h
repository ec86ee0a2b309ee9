/* The inside of dispatch, for dispatch*.c alone. What a turn does next, and when the one after it is due, is theirs
 * together; everything is on the loop. */
#pragma once
#include "base/number.h"
#include "send/claimer.h"
#include "send/destination.h"
#include "send/dispatch.h"
#include "send/letter.h"
#include "send/pace.h"
#include "send/recorder.h"
#include "send/relays.h"
#include "send/stages.h"
#include "send/work.h"

#define DISPATCH_TROUBLE_USEC (10 * USEC_PER_SEC) /* until a failing store is asked again */
#define DISPATCH_OVERDUE_USEC (60 * USEC_PER_SEC) /* until what is due and cannot be sent is looked at again */
#define DISPATCH_NEAR_USEC (1 * USEC_PER_SEC)     /* a turn that is worth waiting for in hand */

struct dispatch {
    struct loop *loop;
    struct store *store;
    struct conf *conf;
    const struct dispatch_handlers *handlers;
    void *user;

    struct works works;
    struct stages stages;
    struct claimer *claimer;
    struct recorder *recorder;
    struct relays *relays;
    struct destinations *destinations;
    struct loop_source *post, *timer;
    int64_t timer_usec; /* what it was last set to */
    struct letters letters;

    struct sending *sendings; /* in turn: whoever got something goes to the end */
    struct items notices;
    unsigned notices_claimed;
    bool notices_claiming, notices_exhausted;
    unsigned aside; /* messages that wait in hand for their destination */

    bool started, unstarted /* it failed, and is tried again */, surveying, survey_wanted;
    int64_t due_usec;      /* wall clock: when to survey again; 0 for no reason */
    int64_t overdue_usec;  /* the same, for what was due and may not have been possible to send */
    bool unseen;           /* the survey did not reach all that are live */
    bool anew;             /* then with everything that was given up for now */
    int64_t reopened_usec; /* when something due last had everything looked at again */
    bool claimed_since;    /* then */
    int trouble;           /* of the store */

    bool stopping;
    int64_t stop_usec;
    void (*on_stopped)(void *user);
    void *on_stopped_user;
};

/* send/dispatch.c: a turn, soon. */
void dispatch_wake(struct dispatch *d);
bool dispatch_resends_doubt(const struct dispatch *d);
/* After a failure that is nobody's fault. */
void dispatch_try_later(struct dispatch *d);
/* Whether a job is on its way; where there was no memory for it, it is tried later. */
bool dispatch_under_way(struct dispatch *d, int result);

/* send/dispatch_record.c: each of these takes the item over. */
void dispatch_give_back(struct dispatch *d, struct item *item);
void dispatch_give_back_all(struct dispatch *d, struct items *q);
void dispatch_record(struct dispatch *d, struct item *item, const struct outcome *outcome, const char *relay);
/* Refusals that were held back; excused where they turned out to speak of us. */
void dispatch_settle_held(struct dispatch *d, struct items *held, bool excused, const char *relay);
/* It no longer waits in hand for its destination. */
void dispatch_not_aside(struct dispatch *d, struct item *item);
/* The fault is the announcement's own: it waits for a person. */
void dispatch_hold(struct dispatch *d, struct sending *s, const char *reason);
void dispatch_on_recorded(void *user, struct item *item);
void dispatch_on_outcome(void *user, struct line *line, struct item *item, const struct outcome *outcome);
void dispatch_on_unsent(void *user, struct item *item);

/* send/dispatch_send.c: one message over this line, or (NULL) the best one; false where there is none to be sent now. */
bool dispatch_send_next(struct dispatch *d, struct line *line, int64_t now, int64_t *when);
/* As many as the line takes now. */
bool dispatch_feed_line(struct dispatch *d, struct line *line, int64_t now);
void dispatch_put_off_until(struct dispatch *d, struct item *item, int64_t due_usec, const char *why);

/* send/dispatch_claim.c */
unsigned dispatch_window(const struct dispatch *d); /* W */
/* Whether a claim is under way. */
bool dispatch_is_claiming(const struct dispatch *d);
void dispatch_claim_more(struct dispatch *d, int64_t now, int64_t *when);
void dispatch_flush(struct dispatch *d);
void dispatch_on_claimed(void *user, struct sending *s, int result, struct items *items, bool more,
                         const struct destination_shut *shut, size_t shut_count);
bool dispatch_has_hands_full(const struct dispatch *d); /* no more messages may wait in hand for their destination */
void dispatch_on_notices(void *user, int result, struct items *notices, bool more);
void dispatch_on_loaded(void *user, struct sending *s, int result, const struct why *fault);

/* send/dispatch_stages.c */
extern const struct stages_handlers dispatch_stages;
struct sending *dispatch_find(const struct dispatch *d, int64_t id);
void dispatch_forget(struct dispatch *d, struct sending *s);
void dispatch_set_relays(const struct dispatch *d, struct sending *s);
void dispatch_on_usage_loaded(void *user, int result);
/* Everything that was given up for now. */
void dispatch_look_anew(struct dispatch *d);
/* Announcements that have nothing more to try now are over, or wait; those that were paused or stopped are forgotten. */
void dispatch_settle_quiet(struct dispatch *d, int64_t *when);
/* Nothing waits and nothing more can be claimed now. */
bool dispatch_is_idle(const struct dispatch *d);
