/* Deliveries: who is to get an announcement, who got it, who did not and why. Runs on the store's thread, in steps.
 * Every change keeps the counters of the announcement's row equal to what the rows say, in every transaction.
 *
 * Written once: who is to get it is in store/audience.h until there is an outcome, or an exception, to write a row of.
 * A row is whole in itself; where all have rows the audience is empty. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"
#include "mail/reply.h"

struct db;
struct filter;

enum delivery_state {
    DELIVERY_PENDING,
    DELIVERY_CLAIMED,
    DELIVERY_DELIVERED,
    DELIVERY_DEFERRED,
    DELIVERY_REFUSED,
    DELIVERY_IN_DOUBT,
    DELIVERY_LEFT_OUT,
};
const char *delivery_state_name(enum delivery_state s); /* "pending" … "left out" */

/* Writes the audience of an announcement in state gathering: who is an active member of one of the lists (1 to
 * AUDIENCE_LISTS_MAX, each once) and was known before it started, each person once, through the first of the lists that
 * reaches them; who is suppressed is left out. In order of subscribers, from the row's gather_cursor. languages: those
 * the announcement is in, the first is the fallback. only: whom of them it is for (mail/filter.h; tags are those of the
 * list that is looked at), or NULL. Returns STORE_MORE until all are written (then total and pending are final), the
 * store's slice permitting. */
int delivery_gather(struct db *db, int64_t announcement, const uint32_t lists[], size_t list_count,
                    const char *const *languages, size_t count, struct filter *only);

/* What a claim tells about a recipient. Texts live in the claims' memory. */
struct claim {
    int64_t announcement, subscriber;
    uint32_t list;
    enum delivery_state from; /* what it was before */
    unsigned attempts;        /* before this one */
    unsigned code;            /* the reply to the last one, 0 for none */
    int64_t first_claim_usec; /* fixed at the first claim */
    char language[16];
    uint8_t key_id; /* 0: no signature kept */
    uint8_t signature[64];
    struct view address, form, title, given_name, family_name, salutation, organisation, timezone, attributes;
};
/* Begin with it zeroed. */
struct claims {
    struct claim *items;
    size_t count, room;
    char *texts;
    size_t texts_len, texts_room;
};
void claims_clear(struct claims *c); /* keeps the memory for the next */
void claims_done(struct claims *c);

/* Claims up to max recipients of an announcement that is sending: first deferred ones and (with resend_in_doubt) those
 * in doubt that are due, then pending ones in order of their ids, those given back before the others. Whoever left, was removed or suppressed since is left
 * out instead, with the reason; but who is in doubt stays so, and is not sent to again. 1: ask again for more, 0: nothing more can be claimed now. Past send_until, and where
 * it is not sending, nothing is claimed; see delivery_settle(). Looks at a bounded number of rows: 1 may come with
 * fewer than max, even with none. ret must be empty. */
enum { CLAIMS_MAX = 1000 };
int delivery_claim(struct db *db, int64_t announcement, int64_t now_usec, unsigned max, bool resend_in_doubt,
                   struct claims *ret);
/* Gives an unsent claim back as it was (no attempt counted); where the announcement was stopped meanwhile it is left
 * out, but what was in doubt stays so. This and what follows: -ESTALE where it is not claimed. */
int delivery_unclaim(struct db *db, const struct claim *c);
/* The same, but deferred (or still in doubt) until due_usec: it has to wait for its turn. */
int delivery_put_off(struct db *db, const struct claim *c, int64_t due_usec, const char *why);
/* The outcome of a claimed delivery. retry_usec: when a deferred (or in-doubt, with resend) one is due again; 0 for
 * never. keep_signature: it was made on the way, and is kept with the subscription. */
int delivery_record(struct db *db, const struct claim *c, const struct outcome *outcome, int64_t now_usec,
                    int64_t retry_usec, const char *relay, bool keep_signature);
/* What most outcomes are, many at once: any that are alike. Takes half the time of delivery_record() for each. What is
 * borrowed must live until it returns. -ESTALE where some were not claimed; the others are recorded. */
struct delivered {
    const struct claim *claim;
    const struct outcome *outcome;
    int64_t at_usec;
    const char *relay;
};
/* Whether announcement, list, language, relay, code and status are the same: what statements say once for many. */
bool delivered_are_alike(const struct delivered *a, const struct delivered *b);
int delivery_record_delivered(struct db *db, const struct delivered *rows, size_t count);
/* At start, before anything is claimed: everything claimed and without an outcome is in doubt (the process died with it), due at once with
 * resend; a stop that was cut off goes on. STORE_MORE until all is done. *ret_in_doubt grows by those found. */
int delivery_recover(struct db *db, int64_t now_usec, bool resend, uint64_t *ret_in_doubt);
/* The next moment at which something of a sending announcement falls due (a retry, or its send_until), or 0. */
int delivery_next_due(struct db *db, int64_t *ret_usec);
/* Past send_until: what is pending becomes refused ("deadline"), deferred and in-doubt rows lose their due. STORE_MORE
 * where one slice did not reach. True in *ret_finished when nothing is left to do for the announcement: nothing pending
 * or claimed, nothing due. */
int delivery_settle(struct db *db, int64_t announcement, int64_t now_usec, bool resend_in_doubt, bool *ret_finished);

/* What a stop does: pending ones (claimed ones are on the wire) are left out, a slice at a time: STORE_MORE while some
 * remain. */
int delivery_leave_out_pending(struct db *db, int64_t announcement, int64_t now_usec, const char *reason);
int delivery_has_pending(struct db *db, int64_t announcement, bool *ret);

/* The list through which somebody got it, or is to. */
int delivery_list_of(struct db *db, int64_t announcement, int64_t subscriber, uint32_t *ret); /* 1 found, 0 not */
/* 1 where a message to this person may be on its way, of any announcement; 0 where none is. */
int delivery_is_claimed(struct db *db, int64_t subscriber);

/* One row of a report, in order of ids. */
struct delivery_row {
    int64_t subscriber;
    uint32_t list; /* through which it reaches them */
    const char *address, *name, *language;
    enum delivery_state state;
    int64_t at_usec;
    unsigned attempts, code;
    const char *status, *text, *relay;
};
typedef int delivery_on_row(void *user, const struct delivery_row *row);
/* From after *cursor, until the slice is over (STORE_MORE) or the end (STORE_DONE). */
int delivery_report(struct db *db, int64_t announcement, bool not_delivered, int64_t *cursor, delivery_on_row *on_row,
                    void *user);
/* Recounts and compares with the counters, where the rows are still there; for tests and doctor. -EUCLEAN where they
 * differ. */
int delivery_verify(struct db *db, int64_t announcement);
