#include "store/delivery.h"

#include <errno.h>
#include <string.h>

#include "store/announcement.h"
#include "store/audience.h"
#include "store/db.h"
#include "store/given.h"
#include "store/store.h"
#include "store/subscription.h"
#include "store/tally.h"

#include "base/banned.h"

enum { PAGE = 500, TRIM_AT_ONCE = 4 };

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

/* Rows are written for claimed ones only: whoever was pending has none, or a claimed one. first_claim stays: the mail's
 * Date is fixed. */
#define WRITE(columns, values, changes)                                                                                \
    "INSERT INTO delivery (announcement, subscriber, list, language, " columns ") VALUES (?1, ?2, ?3, ?4, " values     \
    ") ON CONFLICT DO UPDATE SET " changes " WHERE state = 1"

int delivery_record(struct db *db, const struct claim *c, const struct outcome *outcome, int64_t now_usec,
                    int64_t retry_usec, const char *relay, bool keep_signature) {
    enum delivery_state to = state_after(outcome->class);
    if (to == DELIVERY_DEFERRED && c->from == DELIVERY_IN_DOUBT)
        to = DELIVERY_IN_DOUBT; /* what the first attempt came to is as little known as before */
    bool due = retry_usec && (to == DELIVERY_DEFERRED || to == DELIVERY_IN_DOUBT);
    int64_t changed = 0;
    int r = db_run(db,
                   WRITE("state, due, at, code, status, text, relay, first_claim, attempts",
                         "?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, 1",
                         "state = ?5, due = ?6, at = ?7, code = ?8, status = ?9, text = ?10, relay = ?11"),
                   &changed, "iiitdzidtttz", c->announcement, c->subscriber, (int64_t)c->list, c->language, (int)to,
                   due ? retry_usec : INT64_C(0), now_usec, (int)outcome->code, outcome->status, outcome->text,
                   relay ? relay : "", c->first_claim_usec);
    if (r == 0 && !changed)
        return -ESTALE;
    if (r == 0)
        r = tally_move(db, c->announcement, c->list, DELIVERY_CLAIMED, (int)to, 1);
    if (r == 0 && keep_signature)
        r = subscription_keep_signature(db, c->list, c->subscriber, c->key_id, c->signature);
    return r;
}

/* The columns of given_delivered. */
enum { GIVEN_SUBSCRIBER, GIVEN_AT, GIVEN_TEXT, GIVEN_FIRST };

static void on_cell(const void *rows, size_t number, int column, struct given_cell *ret) {
    const struct delivered *d = (const struct delivered *)rows + number;
    switch (column) {
    case GIVEN_SUBSCRIBER: ret->number = d->claim->subscriber; break;
    case GIVEN_AT: ret->number = d->at_usec; break;
    case GIVEN_TEXT: ret->text = d->outcome->text; break;
    case GIVEN_FIRST: ret->number = d->claim->first_claim_usec; break;
    }
}

static const struct given_table given_delivered = {
    "given_delivered", "CREATE TABLE given_delivered (subscriber INTEGER, at INTEGER, text TEXT, first_claim INTEGER)",
    on_cell};

bool delivered_are_alike(const struct delivered *a, const struct delivered *b) {
    return a->claim->announcement == b->claim->announcement && a->claim->list == b->claim->list &&
           a->outcome->code == b->outcome->code && strcmp(a->claim->language, b->claim->language) == 0 &&
           strcmp(a->outcome->status, b->outcome->status) == 0 && strcmp(a->relay, b->relay) == 0;
}

int delivery_record_delivered(struct db *db, const struct delivered *rows, size_t count) {
    const struct claim *c = rows[0].claim;
    int64_t changed = 0;
    int r = db_give(db, &given_delivered, rows, count);
    if (r == 0)
        r = db_run(db,
                   "INSERT INTO delivery (announcement, subscriber, list, language, state, attempts, first_claim, at, "
                   "code, status, text, relay) SELECT ?1, subscriber, ?2, ?3, 2, 1, first_claim, at, ?4, ?5, text, ?6 "
                   "FROM given_delivered WHERE true ON CONFLICT DO UPDATE SET state = 2, due = NULL, at = excluded.at, "
                   "code = excluded.code, status = excluded.status, text = excluded.text, relay = excluded.relay "
                   "WHERE state = 1",
                   &changed, "iitdtt", c->announcement, (int64_t)c->list, c->language, (int)rows[0].outcome->code,
                   rows[0].outcome->status, rows[0].relay);
    if (r == 0 && changed)
        r = tally_move(db, c->announcement, c->list, DELIVERY_CLAIMED, DELIVERY_DELIVERED, changed);
    return r < 0 ? r : (size_t)changed < count ? -ESTALE : 0;
}

/* Of one that is on the wire no more. */
static int leave_out_claimed(struct db *db, const struct claim *c) {
    int64_t changed = 0;
    int r =
        db_run(db,
               WRITE("state, first_claim, attempts, text, at",
                     "6, ?5, 1, 'stopped', (SELECT finished FROM announcement WHERE id = ?1)",
                     "state = 6, due = NULL, text = excluded.text, at = excluded.at"),
               &changed, "iiitz", c->announcement, c->subscriber, (int64_t)c->list, c->language, c->first_claim_usec);
    if (r == 0 && !changed)
        return -ESTALE;
    return r < 0 ? r : tally_move(db, c->announcement, c->list, DELIVERY_CLAIMED, DELIVERY_LEFT_OUT, 1);
}

/* Whether it is to be left out and not to be given back. */
static int is_stopped(struct db *db, const struct claim *c) {
    int64_t state = 0;
    int r = db_get_int(db, "SELECT state FROM announcement WHERE id = ?", &state, "i", c->announcement);
    return r < 0 ? r : state == ANNOUNCEMENT_STOPPED && c->from != DELIVERY_IN_DOUBT;
}

int delivery_unclaim(struct db *db, const struct claim *c) {
    int stopped = is_stopped(db, c);
    if (stopped)
        return stopped < 0 ? stopped : leave_out_claimed(db, c);
    int64_t changed = 0;
    int r = db_run(
        db, WRITE("state", "?5", "state = ?5, attempts = attempts - 1, first_claim = iif(?5 = 0, NULL, first_claim)"),
        &changed, "iiitd", c->announcement, c->subscriber, (int64_t)c->list, c->language, (int)c->from);
    if (r == 0 && !changed)
        return -ESTALE;
    return r < 0 ? r : tally_move(db, c->announcement, c->list, DELIVERY_CLAIMED, (int)c->from, 1);
}

int delivery_put_off(struct db *db, const struct claim *c, int64_t due_usec, const char *why) {
    int stopped = is_stopped(db, c);
    if (stopped)
        return stopped < 0 ? stopped : leave_out_claimed(db, c);
    enum delivery_state to = c->from == DELIVERY_IN_DOUBT ? DELIVERY_IN_DOUBT : DELIVERY_DEFERRED;
    int64_t changed = 0;
    int r = db_run(db,
                   WRITE("state, due, text, first_claim", "?5, ?6, ?7, ?8",
                         "state = ?5, due = ?6, text = ?7, attempts = attempts - 1"),
                   &changed, "iiitditz", c->announcement, c->subscriber, (int64_t)c->list, c->language, (int)to,
                   due_usec, why, c->first_claim_usec);
    if (r == 0 && !changed)
        return -ESTALE;
    return r < 0 ? r : tally_move(db, c->announcement, c->list, DELIVERY_CLAIMED, (int)to, 1);
}

/* --- Ends that are not outcomes ------------------------------------------------------------------------------- */

struct end {
    enum delivery_state to;
    const char *text;
    int64_t now_usec;
};

/* Up to PAGE of those given back, of however many lists; how many in *ret. */
static int end_page(struct db *db, int64_t announcement, const struct end *end, unsigned *ret) {
    struct row *row = NULL;
    int r = db_query(db,
                     "UPDATE delivery SET state = ?1, text = ?2, at = ?3 WHERE announcement = ?4 AND subscriber IN "
                     "(SELECT subscriber FROM delivery INDEXED BY delivery_pending WHERE announcement = ?4 AND state "
                     "= 0 ORDER BY subscriber LIMIT ?5) RETURNING list",
                     &row, "dtiid", (int)end->to, end->text, end->now_usec, announcement, PAGE);
    uint32_t lists[PAGE];
    *ret = 0;
    if (r < 0)
        return r;
    while ((r = db_next(row)) == 1)
        lists[(*ret)++] = (uint32_t)row_int(row, 0);
    for (unsigned i = 0; i < *ret && r == 0; i++)
        r = tally_move(db, announcement, lists[i], DELIVERY_PENDING, (int)end->to, 1);
    return r;
}

static int end_rows(struct db *db, int64_t announcement, const struct end *end) {
    for (;;) {
        unsigned ended = 0;
        int r = end_page(db, announcement, end, &ended);
        if (r < 0 || ended < PAGE)
            return r;
        if (db_slice_over(db))
            return STORE_MORE;
    }
}

static int end_person(struct db *db, const struct audience_block *b, size_t place, const struct end *end) {
    const struct audience_person *p = &b->people[place];
    int r = db_run(db,
                   "INSERT INTO delivery (announcement, subscriber, list, language, state, text, at) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?)",
                   NULL, "iiitdti", b->announcement, p->subscriber, (int64_t)b->lists[p->list],
                   b->languages[p->language], (int)end->to, end->text, end->now_usec);
    return r < 0 ? r : tally_move(db, b->announcement, b->lists[p->list], DELIVERY_PENDING, (int)end->to, 1);
}

/* Moves what is pending to a final state, block by block. */
static int end_pending(struct db *db, int64_t announcement, enum delivery_state to, const char *text,
                       int64_t now_usec) {
    const struct end end = {to, text, now_usec};
    struct audience_block b;
    int64_t cursor = 0;
    int r = end_rows(db, announcement, &end);
    if (r == 0)
        r = audience_cursor(db, announcement, &cursor);
    while (r == 0 && (r = audience_next(db, announcement, cursor, &b)) == 1) {
        r = 0;
        for (size_t i = 0; i < b.count && r == 0; i++)
            if (b.people[i].subscriber > cursor)
                r = end_person(db, &b, i, &end);
        cursor = audience_last(&b);
        if (r == 0)
            r = audience_claim(db, announcement, cursor, now_usec);
        if (r == 0)
            r = audience_trim(db, announcement, TRIM_AT_ONCE);
        if (r == 0 && db_slice_over(db))
            return STORE_MORE;
    }
    return r;
}

int delivery_leave_out_pending(struct db *db, int64_t announcement, int64_t now_usec, const char *reason) {
    return end_pending(db, announcement, DELIVERY_LEFT_OUT, reason, now_usec);
}

int delivery_has_pending(struct db *db, int64_t announcement, bool *ret) {
    int64_t found = 0;
    int r = db_get_int(db,
                       "SELECT EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_pending WHERE announcement = ?1 AND "
                       "state = 0) OR EXISTS (SELECT 1 FROM audience WHERE announcement = ?1 AND last > ifnull((SELECT "
                       "max(upto) FROM claim_run WHERE announcement = ?1), 0))",
                       &found, "i", announcement);
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
    if (r == 0 && !work)
        r = audience_drop(db, announcement);
    *ret_finished = r == 0 && !work;
    return r;
}

/* --- Start and timers ---------------------------------------------------------------------------------------- */

#define IN_DOUBT_TEXT "'the daemon ended while this was being sent'"

struct tried {
    int64_t announcement, subscriber;
    uint32_t list;
};

static int doubt_row(struct db *db, const struct tried *t, int64_t due_usec, int64_t now_usec) {
    int r = db_run(db,
                   "UPDATE delivery SET state = 5, due = ?, at = ?, code = 0, status = '', text = " IN_DOUBT_TEXT
                   " WHERE announcement = ? AND subscriber = ?",
                   NULL, "ziii", due_usec, now_usec, t->announcement, t->subscriber);
    return r < 0 ? r : tally_move(db, t->announcement, t->list, DELIVERY_CLAIMED, DELIVERY_IN_DOUBT, 1);
}

/* Of those that were tried before, and given back. */
static int recover_rows(struct db *db, int64_t due_usec, int64_t now_usec, uint64_t *ret_in_doubt) {
    for (;;) {
        struct tried found[PAGE];
        size_t count = 0;
        struct row *row;
        int r =
            db_query(db,
                     "SELECT announcement, subscriber, list FROM delivery INDEXED BY delivery_claimed WHERE state = 1 "
                     "LIMIT ?",
                     &row, "d", PAGE);
        if (r < 0)
            return r;
        while ((r = db_next(row)) == 1) {
            found[count++] = (struct tried){row_int(row, 0), row_int(row, 1), (uint32_t)row_int(row, 2)};
        }
        for (size_t i = 0; i < count && r == 0; i++)
            r = doubt_row(db, &found[i], due_usec, now_usec);
        *ret_in_doubt += r == 0 ? count : 0;
        if (r < 0 || count < PAGE)
            return r;
        if (db_slice_over(db))
            return STORE_MORE;
    }
}

static int doubt_person(struct db *db, const struct audience_block *b, size_t place, int64_t due_usec,
                        int64_t now_usec) {
    const struct audience_person *p = &b->people[place];
    int64_t claimed_at = 0;
    int r = audience_claimed_at(db, b->announcement, p->subscriber, &claimed_at);
    if (r == 0)
        r = db_run(db,
                   "INSERT INTO delivery (announcement, subscriber, list, language, state, attempts, due, first_claim, "
                   "at, text) VALUES (?, ?, ?, ?, 5, 1, ?, ?, ?, " IN_DOUBT_TEXT ")",
                   NULL, "iiitzzi", b->announcement, p->subscriber, (int64_t)b->lists[p->list],
                   b->languages[p->language], due_usec, claimed_at, now_usec);
    return r < 0 ? r : tally_move(db, b->announcement, b->lists[p->list], DELIVERY_CLAIMED, DELIVERY_IN_DOUBT, 1);
}

/* Of those that have no row yet: block by block, which goes when all of it was claimed. */
static int recover_audience(struct db *db, int64_t announcement, int64_t due_usec, int64_t now_usec,
                            uint64_t *ret_in_doubt) {
    struct audience_block b;
    uint16_t lacking[AUDIENCE_BLOCK];
    size_t count = 0;
    int64_t cursor = 0;
    int r = audience_cursor(db, announcement, &cursor);
    while (r == 0 && (r = audience_next(db, announcement, 0, &b)) == 1 && b.people[0].subscriber <= cursor) {
        r = audience_lacking(db, &b, cursor, lacking, &count);
        for (size_t i = 0; i < count && r == 0; i++)
            r = doubt_person(db, &b, lacking[i], due_usec, now_usec);
        *ret_in_doubt += r == 0 ? count : 0;
        if (r < 0 || audience_last(&b) > cursor)
            return r;
        r = audience_trim(db, announcement, 1);
        if (r == 0 && db_slice_over(db))
            return STORE_MORE;
    }
    return r < 0 ? r : 0;
}

int delivery_recover(struct db *db, int64_t now_usec, bool resend, uint64_t *ret_in_doubt) {
    int64_t due_usec = resend ? now_usec : 0, id = 0;
    int r = recover_rows(db, due_usec, now_usec, ret_in_doubt);
    while (r == 0 && (r = audience_next_announcement(db, id, &id)) == 1)
        r = recover_audience(db, id, due_usec, now_usec, ret_in_doubt);
    while (r == 0) {
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
