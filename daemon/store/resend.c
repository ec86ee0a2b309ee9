#include "store/resend.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "store/announcement.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/store.h"
#include "store/subscription.h"
#include "store/tally.h"
#include "store/visible.h"

#include "base/banned.h"

enum { PAGE = 256, PERMANENT = 500 };

static const char *const names[RESEND_REASONS] = {
    [RESEND_DEFERRED] = "deferred",       [RESEND_IN_DOUBT] = "in_doubt",         [RESEND_LATE] = "late",
    [RESEND_CORRECTED] = "corrected",     [RESEND_UNSUPPRESSED] = "unsuppressed", [RESEND_NAMED] = "named",
    [RESEND_NOT_REFUSED] = "not_refused", [RESEND_NOT_GONE] = "not_gone",
};

const char *resend_reason_name(enum resend_reason reason) {
    return names[reason];
}

/* --- Who ----------------------------------------------------------------------------------------------------- */

/* A row that did not end well. */
struct exception {
    int64_t subscriber, list, at_usec;
    enum delivery_state state;
    unsigned code;
    char status[16], text[256];
};

static void keep_text(char *to, size_t room, const char *text) {
    size_t n = strnlen(text, room - 1);
    memcpy(to, text, n);
    to[n] = '\0';
}

/* The next rows by subscriber; of them those that did not end well in items. 1 where there may be more. */
static int next_page(struct db *db, struct resend *r, struct exception items[PAGE], size_t *ret_count) {
    struct row *row = NULL;
    unsigned seen = 0;
    *ret_count = 0;
    int e = db_query(db,
                     "SELECT subscriber, state, list, at, code, status, text FROM delivery WHERE announcement = ? AND "
                     "subscriber > ? ORDER BY subscriber LIMIT ?",
                     &row, "iid", r->announcement, r->cursor, (int)PAGE);
    while (e >= 0 && (e = db_next(row)) == 1) {
        enum delivery_state state = (enum delivery_state)row_int(row, 1);
        r->cursor = row_int(row, 0);
        seen++;
        if (state != DELIVERY_DEFERRED && state != DELIVERY_REFUSED && state != DELIVERY_IN_DOUBT &&
            state != DELIVERY_LEFT_OUT)
            continue;
        struct exception *x = &items[(*ret_count)++];
        *x = (struct exception){.subscriber = r->cursor,
                                .list = row_int(row, 2),
                                .at_usec = row_int(row, 3),
                                .state = state,
                                .code = (unsigned)row_int(row, 4)};
        keep_text(x->status, sizeof x->status, row_text(row, 5));
        keep_text(x->text, sizeof x->text, row_text(row, 6));
    }
    return e < 0 ? e : seen == PAGE;
}

static bool is_named(const struct resend *r, int64_t subscriber) {
    for (size_t i = 0; i < r->named_count; i++)
        if (r->named[i] == subscriber)
            return true;
    return false;
}

static int address_changed(struct db *db, const struct exception *x) {
    int64_t found;
    return db_get_int(
        db,
        "SELECT 1 FROM consent WHERE subscriber = ? AND what = 'changed' AND at > ? AND (how = 'confirmed' OR "
        "substr(evidence, 1, 9) = 'address: ') LIMIT 1",
        &found, "ii", x->subscriber, x->at_usec);
}

/* Somebody whom the announcement did not reach and who may be written to: why again, or why not. */
static int reason_of(struct db *db, const struct resend *r, const struct exception *x, enum resend_reason *ret) {
    if (r->named_count && !is_named(r, x->subscriber))
        return 0;
    int changed = 0;
    switch (x->state) {
    case DELIVERY_DEFERRED: *ret = RESEND_DEFERRED; return 1;
    case DELIVERY_IN_DOUBT: *ret = RESEND_IN_DOUBT; return 1;
    case DELIVERY_REFUSED:
        if (x->code < PERMANENT && strcmp(x->text, "deadline") == 0)
            *ret = RESEND_LATE;
        else if ((changed = address_changed(db, x)) == 1)
            *ret = RESEND_CORRECTED;
        else
            *ret = r->named_count ? RESEND_NAMED : RESEND_NOT_REFUSED;
        return changed < 0 ? changed : 1;
    case DELIVERY_LEFT_OUT:
        if (strcmp(x->text, "suppressed") != 0)
            return 0; /* they left, or it was stopped */
        *ret = RESEND_UNSUPPRESSED;
        return 1;
    case DELIVERY_PENDING:
    case DELIVERY_CLAIMED:
    case DELIVERY_DELIVERED: break;
    }
    return 0;
}

static bool is_wanted(const struct resend *r, enum resend_reason reason) {
    if (!r->only_given)
        return true;
    switch (reason) {
    case RESEND_DEFERRED:
    case RESEND_LATE: return r->deferred;
    case RESEND_IN_DOUBT: return r->in_doubt;
    case RESEND_CORRECTED:
    case RESEND_UNSUPPRESSED:
    case RESEND_NAMED:
    case RESEND_NOT_REFUSED: return r->refused;
    case RESEND_NOT_GONE:
    case RESEND_REASONS: break;
    }
    return true;
}

/* The address where they may be written to: 1; 0 where not. */
static int may_be_written_to(struct db *db, const struct exception *x, struct arena *arena, const char **ret_address) {
    struct row *row = NULL;
    int e = db_query(db,
                     "SELECT " ADDRESS_SENT_TO("s.") ", EXISTS (SELECT 1 FROM suppression p WHERE p.address_key = "
                                                     "s.address_key), u.state FROM subscriber s LEFT JOIN subscription "
                                                     "u ON u.list = ? AND u.subscriber = s.id WHERE s.id = ?",
                     &row, "ii", x->list, x->subscriber);
    *ret_address = "";
    if (e < 0 || (e = db_next(row)) <= 0)
        return e;
    *ret_address = arena_strdup(arena, row_text(row, 0));
    bool may = !row_int(row, 1) && row_int(row, 2) == SUBSCRIPTION_ACTIVE;
    db_end(row);
    return *ret_address ? may : -ENOMEM;
}

static int again(struct db *db, const struct resend *r, const struct exception *x, int64_t now_usec) {
    int e = db_run(db, "UPDATE delivery SET state = 3, due = ? WHERE announcement = ? AND subscriber = ?", NULL, "iii",
                   now_usec, r->announcement, x->subscriber);
    return e < 0 ? e : tally_move(db, r->announcement, (uint32_t)x->list, (int)x->state, DELIVERY_DEFERRED, 1);
}

static int look_at(struct db *db, struct resend *r, const struct exception *x, int64_t now_usec) {
    AUTOARENA struct arena arena = {0};
    struct resend_row told = {.subscriber = x->subscriber, .code = x->code, .status = x->status, .text = x->text};
    int e = reason_of(db, r, x, &told.reason);
    if (e <= 0 || !is_wanted(r, told.reason))
        return e < 0 ? e : 0;
    e = may_be_written_to(db, x, &arena, &told.address);
    if (e < 0)
        return e;
    if (e == 0 && told.reason == RESEND_UNSUPPRESSED)
        return 0; /* still suppressed, as they were */
    if (e == 0)
        told.reason = RESEND_NOT_GONE;
    r->counts[told.reason]++;
    if (r->on_row && (e = r->on_row(r->user, &told)) < 0)
        return e;
    return r->change && told.reason < RESEND_NOT_REFUSED ? again(db, r, x, now_usec) : 0;
}

int resend_step(struct db *db, struct resend *r, int64_t now_usec, struct why *why) {
    int begun = resend_begin(db, r->announcement, INT64_MAX, true, now_usec, why);
    if (begun < 0)
        return begun;
    for (;;) {
        struct exception items[PAGE];
        size_t count = 0;
        int more = next_page(db, r, items, &count), e = more < 0 ? more : 0;
        for (size_t i = 0; i < count && e == 0; i++)
            e = look_at(db, r, &items[i], now_usec);
        if (e < 0 || !more)
            return e < 0 ? e : STORE_DONE;
        if (store_slice_over(db))
            return STORE_MORE;
    }
}

/* --- The announcement ---------------------------------------------------------------------------------------- */

int resend_begin(struct db *db, int64_t announcement, int64_t send_until_usec, bool check, int64_t now_usec,
                 struct why *why) {
    AUTOARENA struct arena arena = {0};
    struct announcement_row row;
    int e = announcement_get(db, announcement, &arena, &row);
    if (e <= 0)
        return e < 0 ? e : why_set(why, -ENOENT, "there is no announcement %lld", (long long)announcement);
    if (row.state != ANNOUNCEMENT_DONE) {
        (void)why_set(why, -ESTALE, "announcement %lld is %s: who did not get it is written to again when it is done",
                      (long long)announcement, announcement_state_name(row.state));
        if (row.state == ANNOUNCEMENT_STOPPED)
            why_todo(why, "Queue its file once more, with --again");
        return -ESTALE;
    }
    if (row.purged_usec)
        return why_set(why, -ESTALE, "who did not get announcement %lld was removed, as [retention] says",
                       (long long)announcement);
    int64_t until = send_until_usec ? send_until_usec : row.send_until_usec;
    if (until <= now_usec) {
        (void)why_set(why, -ESTALE, send_until_usec ? "that time is over" : "its time is over");
        why_todo(why, "Say until when it may still arrive: --send-until TIME");
        return -ESTALE;
    }
    if (check)
        return 0;
    return db_run(db, "UPDATE announcement SET state = 5, finished = NULL, why = '', send_until = ? WHERE id = ?", NULL,
                  "ii", until, announcement);
}
