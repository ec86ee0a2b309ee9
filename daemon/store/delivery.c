#include "store/delivery.h"

#include <errno.h>

#include "store/announcement.h"
#include "store/db.h"
#include "store/store.h"
#include "store/subscription.h"
#include "store/tally.h"

#include "base/banned.h"

enum { PAGE = 500 };

const char *delivery_state_name(enum delivery_state s) {
    switch (s) {
    case DELIVERY_PENDING:
    case DELIVERY_CLAIMED: return "pending";
    case DELIVERY_DELIVERED: return "delivered";
    case DELIVERY_DEFERRED: return "deferred";
    case DELIVERY_REFUSED: return "refused";
    case DELIVERY_IN_DOUBT: return "in doubt";
    case DELIVERY_LEFT_OUT: return "left out";
    }
    return "unknown";
}

/* --- Outcomes ------------------------------------------------------------------------------------------------ */

static enum delivery_state state_after(enum outcome_class class) {
    switch (class) {
    case OUTCOME_DELIVERED: return DELIVERY_DELIVERED;
    case OUTCOME_DEFERRED: return DELIVERY_DEFERRED;
    case OUTCOME_REFUSED: return DELIVERY_REFUSED;
    case OUTCOME_IN_DOUBT: break;
    }
    return DELIVERY_IN_DOUBT;
}

int delivery_record(struct db *db, int64_t announcement, int64_t subscriber, const struct outcome *outcome,
                    int64_t now_usec, int64_t retry_usec, const char *relay, uint32_t list, uint8_t key_id,
                    const uint8_t signature[64]) {
    enum delivery_state to = state_after(outcome->class);
    bool due = retry_usec && (to == DELIVERY_DEFERRED || to == DELIVERY_IN_DOUBT);
    int64_t changed = 0;
    int r = db_run(db,
                   "UPDATE delivery SET state = ?, due = ?, at = ?, code = ?, status = ?, text = ?, relay = ? "
                   "WHERE announcement = ? AND subscriber = ? AND state = 1",
                   &changed, "dzidtttii", (int)to, due ? retry_usec : 0, now_usec, (int)outcome->code, outcome->status,
                   outcome->text, relay ? relay : "", announcement, subscriber);
    if (r == 0 && !changed)
        return -ESTALE;
    if (r == 0)
        r = tally_move(db, announcement, DELIVERY_CLAIMED, (int)to, 1);
    if (r == 0 && key_id)
        r = subscription_keep_signature(db, list, subscriber, key_id, signature);
    return r;
}

static int state_of_announcement(struct db *db, int64_t announcement, int64_t *ret) {
    return db_get_int(db, "SELECT state FROM announcement WHERE id = ?", ret, "i", announcement);
}

/* Of one that is on the wire no more. */
static int leave_out_claimed(struct db *db, int64_t announcement, int64_t subscriber) {
    int64_t changed = 0;
    int r = db_run(db,
                   "UPDATE delivery SET state = 6, due = NULL, text = 'stopped', at = (SELECT finished FROM "
                   "announcement WHERE id = delivery.announcement) WHERE announcement = ? AND subscriber = ? AND "
                   "state = 1",
                   &changed, "ii", announcement, subscriber);
    if (r == 0 && !changed)
        return -ESTALE;
    return r < 0 ? r : tally_move(db, announcement, DELIVERY_CLAIMED, DELIVERY_LEFT_OUT, 1);
}

int delivery_unclaim(struct db *db, int64_t announcement, int64_t subscriber, enum delivery_state from) {
    int64_t state = 0;
    int r = state_of_announcement(db, announcement, &state);
    if (r < 0)
        return r;
    if (state == ANNOUNCEMENT_STOPPED && from != DELIVERY_IN_DOUBT)
        return leave_out_claimed(db, announcement, subscriber);
    int64_t changed = 0;
    r = db_run(db,
               "UPDATE delivery SET state = ?1, attempts = attempts - 1, "
               "first_claim = CASE ?1 WHEN 0 THEN NULL ELSE first_claim END "
               "WHERE announcement = ?2 AND subscriber = ?3 AND state = 1",
               &changed, "dii", (int)from, announcement, subscriber);
    if (r == 0 && !changed)
        return -ESTALE;
    if (r == 0)
        r = tally_move(db, announcement, DELIVERY_CLAIMED, (int)from, 1);
    if (r == 0 && from == DELIVERY_PENDING && (r = tally_flush(db)) == 0)
        r = db_run(db, "UPDATE announcement SET claim_cursor = min(claim_cursor, ?) WHERE id = ?", NULL, "ii",
                   subscriber - 1, announcement);
    return r;
}

int delivery_put_off(struct db *db, int64_t announcement, int64_t subscriber, enum delivery_state from,
                     int64_t due_usec, const char *why) {
    enum delivery_state to = from == DELIVERY_IN_DOUBT ? DELIVERY_IN_DOUBT : DELIVERY_DEFERRED;
    int64_t state = 0, changed = 0;
    int r = state_of_announcement(db, announcement, &state);
    if (r < 0)
        return r;
    if (state == ANNOUNCEMENT_STOPPED && from != DELIVERY_IN_DOUBT)
        return leave_out_claimed(db, announcement, subscriber);
    /* first_claim stays: the mail's Date is fixed. */
    r = db_run(db,
               "UPDATE delivery SET state = ?, attempts = attempts - 1, due = ?, text = ? "
               "WHERE announcement = ? AND subscriber = ? AND state = 1",
               &changed, "ditii", (int)to, due_usec, why, announcement, subscriber);
    if (r == 0 && !changed)
        return -ESTALE;
    return r < 0 ? r : tally_move(db, announcement, DELIVERY_CLAIMED, (int)to, 1);
}

/* --- Ends that are not outcomes ------------------------------------------------------------------------------- */

static int claim_cursor(struct db *db, int64_t announcement, int64_t *ret) {
    *ret = 0;
    int r = tally_flush(db);
    if (r == 0)
        r = db_get_int(db, "SELECT claim_cursor FROM announcement WHERE id = ?", ret, "i", announcement);
    return r < 0 ? r : 0;
}

/* Moves what is pending to a final state, page by page. */
static int end_pending(struct db *db, int64_t announcement, enum delivery_state to, const char *text,
                       int64_t now_usec) {
    int64_t cursor;
    int r = claim_cursor(db, announcement, &cursor);
    while (r == 0) {
        int64_t last = INT64_MAX, changed = 0;
        r = db_get_int(db,
                       "SELECT subscriber FROM delivery WHERE announcement = ? AND subscriber > ? "
                       "ORDER BY subscriber LIMIT 1 OFFSET ?",
                       &last, "iid", announcement, cursor, PAGE - 1);
        if (r >= 0)
            r = db_run(db,
                       "UPDATE delivery SET state = ?, text = ?, at = ? WHERE announcement = ? AND subscriber > ? AND "
                       "subscriber <= ? AND state = 0",
                       &changed, "dtiiii", (int)to, text, now_usec, announcement, cursor, last);
        if (r == 0 && changed)
            r = tally_move(db, announcement, DELIVERY_PENDING, (int)to, changed);
        if (r < 0 || last == INT64_MAX)
            return r;
        cursor = last;
        r = tally_claim_cursor(db, announcement, cursor);
        if (r == 0 && db_slice_over(db))
            return STORE_MORE;
    }
    return r;
}

int delivery_leave_out_pending(struct db *db, int64_t announcement, int64_t now_usec, const char *reason) {
    return end_pending(db, announcement, DELIVERY_LEFT_OUT, reason, now_usec);
}

int delivery_has_pending(struct db *db, int64_t announcement, bool *ret) {
    int64_t cursor, found = 0;
    int r = claim_cursor(db, announcement, &cursor);
    if (r == 0)
        r = db_get_int(db, "SELECT 1 FROM delivery WHERE announcement = ? AND subscriber > ? AND state = 0 LIMIT 1",
                       &found, "ii", announcement, cursor);
    if (r < 0)
        return r;
    *ret = found;
    return 0;
}

static int drop_due(struct db *db, int64_t announcement) {
    for (;;) {
        int64_t changed = 0;
        int r = db_run(db,
                       "UPDATE delivery SET due = NULL WHERE announcement = ?1 AND subscriber IN (SELECT subscriber "
                       "FROM delivery INDEXED BY delivery_due WHERE announcement = ?1 AND due IS NOT NULL AND state IN "
                       "(3, 5) LIMIT ?2)",
                       &changed, "id", announcement, PAGE);
        if (r < 0 || changed < PAGE)
            return r;
        if (db_slice_over(db))
            return STORE_MORE;
    }
}

/* Whether something of the announcement is still to be tried. */
static int has_work(struct db *db, int64_t announcement, bool resend_in_doubt, bool *ret) {
    int64_t found = 0;
    int r = db_get_int(db,
                       "SELECT 1 FROM announcement WHERE id = ?1 AND pending > 0 UNION ALL "
                       "SELECT 1 FROM delivery INDEXED BY delivery_due WHERE announcement = ?1 AND due IS NOT NULL AND "
                       "state IN (3, 5) AND "
                       "(state = 3 OR ?2) LIMIT 1",
                       &found, "id", announcement, (int)resend_in_doubt);
    if (r < 0)
        return r;
    *ret = found;
    return 0;
}

int delivery_settle(struct db *db, int64_t announcement, int64_t now_usec, bool resend_in_doubt, bool *ret_finished) {
    *ret_finished = false;
    int64_t until = 0;
    int r = tally_flush(db);
    if (r == 0)
        r = db_get_int(db, "SELECT send_until FROM announcement WHERE id = ? AND state = 5", &until, "i", announcement);
    if (r <= 0)
        return r;
    r = 0;
    if (until <= now_usec) {
        r = end_pending(db, announcement, DELIVERY_REFUSED, "deadline", now_usec);
        if (r == 0)
            r = drop_due(db, announcement);
        if (r == 0)
            r = tally_flush(db);
    }
    if (r != 0)
        return r;
    bool work = false;
    r = has_work(db, announcement, resend_in_doubt, &work);
    *ret_finished = r == 0 && !work;
    return r;
}

/* --- Start and timers ---------------------------------------------------------------------------------------- */

static int doubt(struct db *db, int64_t announcement, int64_t subscriber, int64_t now_usec, bool resend) {
    int r = db_run(db,
                   "UPDATE delivery SET state = 5, due = CASE ? WHEN 1 THEN ? END, at = ?, code = 0, status = '', "
                   "text = 'the daemon ended while this was being sent' WHERE announcement = ? AND subscriber = ?",
                   NULL, "diiii", (int)resend, now_usec, now_usec, announcement, subscriber);
    return r < 0 ? r : tally_move(db, announcement, DELIVERY_CLAIMED, DELIVERY_IN_DOUBT, 1);
}

static int recover_claimed(struct db *db, int64_t now_usec, bool resend, uint64_t *ret_in_doubt) {
    for (;;) {
        struct {
            int64_t announcement, subscriber;
        } found[PAGE];
        size_t count = 0;
        struct row *row;
        int r = db_query(db,
                         "SELECT announcement, subscriber FROM delivery INDEXED BY delivery_claimed WHERE state = 1 "
                         "LIMIT ?",
                         &row, "d", PAGE);
        if (r < 0)
            return r;
        while ((r = db_next(row)) == 1) {
            found[count].announcement = row_int(row, 0);
            found[count++].subscriber = row_int(row, 1);
        }
        for (size_t i = 0; i < count && r == 0; i++)
            r = doubt(db, found[i].announcement, found[i].subscriber, now_usec, resend);
        *ret_in_doubt += r == 0 ? count : 0;
        if (r < 0 || count < PAGE)
            return r;
        if (db_slice_over(db))
            return STORE_MORE;
    }
}

int delivery_recover(struct db *db, int64_t now_usec, bool resend, uint64_t *ret_in_doubt) {
    int r = recover_claimed(db, now_usec, resend, ret_in_doubt);
    while (r == 0) {
        int64_t id = 0;
        r = tally_flush(db);
        if (r == 0)
            r = db_get_int(db, "SELECT id FROM announcement WHERE state = 8 AND pending > 0 LIMIT 1", &id, "");
        if (r <= 0)
            return r;
        r = delivery_leave_out_pending(db, id, now_usec, "stopped");
    }
    return r;
}

/* Of one announcement that is sending: when a retry is due, and its deadline where that would end something. */
static int due_of(struct db *db, int64_t announcement, int64_t send_until, int64_t *earliest) {
    int64_t due = 0;
    bool pending = false;
    int r = db_get_int(db,
                       "SELECT due FROM delivery WHERE announcement = ? AND due IS NOT NULL AND state IN (3, 5) "
                       "ORDER BY due LIMIT 1",
                       &due, "i", announcement);
    if (r == 0)
        r = delivery_has_pending(db, announcement, &pending);
    if (r < 0)
        return r;
    if ((due || pending) && (due == 0 || send_until < due))
        due = send_until;
    if (due && (*earliest == 0 || due < *earliest))
        *earliest = due;
    return 0;
}

int delivery_next_due(struct db *db, int64_t *ret_usec) {
    int64_t earliest = 0;
    struct row *row = NULL;
    int r = tally_flush(db);
    if (r == 0)
        r = db_query(db, "SELECT id, send_until FROM announcement WHERE state = 5", &row, "");
    if (r < 0)
        return r;
    while ((r = db_next(row)) == 1) {
        r = due_of(db, row_int(row, 0), row_int(row, 1), &earliest);
        if (r < 0) {
            db_end(row);
            return r;
        }
    }
    if (r == 0)
        *ret_usec = earliest;
    return r;
}

int delivery_verify(struct db *db, int64_t announcement) {
    int64_t wrong = 0;
    int r = tally_flush(db);
    if (r == 0)
        r = db_get_int(db,
                       "SELECT purged = 0 AND NOT (total = n AND pending = n0 AND delivered = n2 AND deferred = n3 AND "
                       "refused = n4 "
                       "AND in_doubt = n5 AND left_out = n6 AND early = 0 AND total = pending + delivered + deferred "
                       "+ refused + in_doubt + left_out) "
                       "FROM announcement, (SELECT count(*) n, count(*) FILTER (WHERE state IN (0, 1)) n0, "
                       "count(*) FILTER (WHERE state = 2) n2, count(*) FILTER (WHERE state = 3) n3, "
                       "count(*) FILTER (WHERE state = 4) n4, count(*) FILTER (WHERE state = 5) n5, "
                       "count(*) FILTER (WHERE state = 6) n6, count(*) FILTER (WHERE state = 0 AND subscriber <= "
                       "(SELECT claim_cursor FROM announcement WHERE id = ?1)) early "
                       "FROM delivery WHERE announcement = ?1) WHERE id = ?1",
                       &wrong, "i", announcement);
    return r < 0 ? r : wrong ? -EILSEQ : 0;
}
