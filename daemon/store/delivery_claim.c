/* Claiming: delivery_claim() of store/delivery.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/db.h"
#include "store/delivery.h"
#include "store/store.h"
#include "store/subscription.h"
#include "store/tally.h"
#include "store/visible.h"

#include "base/banned.h"

/* How many rows beyond those claimed a call looks at. */
enum { EXAMINED_BEYOND = 500 };

void claims_clear(struct claims *c) {
    c->count = c->texts_len = 0;
}

void claims_done(struct claims *c) {
    free(c->items);
    free(c->texts);
    *c = (struct claims){0};
}

struct claiming {
    struct db *db;
    int64_t announcement, now_usec;
    unsigned max, examined;
    struct claims *claims;
    int64_t last; /* examined */
};

/* --- Reading a row ------------------------------------------------------------------------------------------- */

/* The columns of all queries. Most often nobody is suppressed: then nobody is looked for. */
#define COLUMNS(suppressed)                                                                                            \
    "SELECT d.subscriber, d.list, d.language, d.state, d.attempts, d.first_claim, d.code, u.state, u.key_id, "         \
    "u.signature, " suppressed                                                                                         \
    ", " ADDRESS_SENT_TO("s.") ", s.form, s.title, s.given_name, s.family_name, s.salutation, "                        \
                               "s.organisation, s.timezone, s.attributes FROM delivery d "                             \
                               "LEFT JOIN subscriber s ON s.id = d.subscriber "                                        \
                               "LEFT JOIN subscription u ON u.list = d.list AND u.subscriber = d.subscriber "
#define IS_SUPPRESSED "EXISTS (SELECT 1 FROM suppression x WHERE x.address_key = s.address_key)"
enum {
    COLUMN_SUBSCRIBER,
    COLUMN_LIST,
    COLUMN_LANGUAGE,
    COLUMN_STATE,
    COLUMN_ATTEMPTS,
    COLUMN_FIRST_CLAIM,
    COLUMN_CODE,
    COLUMN_MEMBER_STATE,
    COLUMN_KEY_ID,
    COLUMN_SIGNATURE,
    COLUMN_SUPPRESSED,
    COLUMN_TEXTS, /* from here on, in the order of text_of() */
    TEXTS = 9,
};

static struct view *text_of(struct claim *c, int i) {
    struct view *const texts[TEXTS] = {&c->address,    &c->form,         &c->title,    &c->given_name, &c->family_name,
                                       &c->salutation, &c->organisation, &c->timezone, &c->attributes};
    return texts[i];
}

/* Makes room for so many octets more; where the texts move, the views follow. */
static int reserve_texts(struct claims *claims, size_t size) {
    if (claims->texts_room - claims->texts_len >= size)
        return 0;
    size_t room = claims->texts_room ? claims->texts_room * 2 : 4096;
    while (room - claims->texts_len < size)
        room *= 2;
    char *moved = malloc(room);
    if (!moved)
        return -ENOMEM;
    if (claims->texts)
        memcpy(moved, claims->texts, claims->texts_len);
    for (size_t i = 0; i < claims->count; i++)
        for (int text = 0; text < TEXTS; text++) {
            struct view *v = text_of(&claims->items[i], text);
            v->ptr = moved + (v->ptr - claims->texts);
        }
    free(claims->texts);
    claims->texts = moved;
    claims->texts_room = room;
    return 0;
}

/* Copies the person's texts. */
static int keep_texts(const struct row *row, struct claims *claims, struct claim *c) {
    size_t size = 1;
    for (int i = 0; i < TEXTS; i++) {
        *text_of(c, i) = row_view(row, COLUMN_TEXTS + i);
        size += text_of(c, i)->len;
    }
    int r = reserve_texts(claims, size);
    char *to = r < 0 ? NULL : claims->texts + claims->texts_len;
    for (int i = 0; i < TEXTS && to; i++) {
        struct view *text = text_of(c, i);
        if (text->len)
            memcpy(to, text->ptr, text->len);
        text->ptr = to;
        to += text->len;
    }
    claims->texts_len += r < 0 ? 0 : size;
    return r;
}

static struct claim *next_item(struct claims *claims) {
    if (claims->count == claims->room) {
        size_t room = claims->room ? claims->room * 2 : 16;
        struct claim *more = reallocarray(claims->items, room, sizeof *more);
        if (!more)
            return NULL;
        claims->items = more;
        claims->room = room;
    }
    struct claim *c = &claims->items[claims->count];
    *c = (struct claim){0};
    return c;
}

static int keep(struct claiming *k, const struct row *row) {
    struct claim *c = next_item(k->claims);
    if (!c)
        return -ENOMEM;
    c->announcement = k->announcement;
    c->subscriber = row_int(row, COLUMN_SUBSCRIBER);
    c->list = (uint32_t)row_int(row, COLUMN_LIST);
    c->from = (enum delivery_state)row_int(row, COLUMN_STATE);
    c->attempts = (unsigned)row_int(row, COLUMN_ATTEMPTS);
    c->code = (unsigned)row_int(row, COLUMN_CODE);
    c->first_claim_usec = row_is_null(row, COLUMN_FIRST_CLAIM) ? k->now_usec : row_int(row, COLUMN_FIRST_CLAIM);
    struct view language =
        view_slice(row_view(row, COLUMN_LANGUAGE), 0, sizeof c->language - 1); /* codes are shorter */
    if (language.len)
        memcpy(c->language, language.ptr, language.len);
    c->language[language.len] = '\0';
    struct view signature = row_view(row, COLUMN_SIGNATURE);
    if (signature.len == sizeof c->signature) {
        c->key_id = (uint8_t)row_int(row, COLUMN_KEY_ID);
        memcpy(c->signature, signature.ptr, signature.len);
    }
    int r = keep_texts(row, k->claims, c);
    if (r == 0)
        k->claims->count++;
    return r;
}

/* --- Writing ------------------------------------------------------------------------------------------------- */

/* Why a person is not to be written to, or NULL. */
static const char *reason_against(const struct row *row) {
    if (row_int(row, COLUMN_SUPPRESSED))
        return "suppressed";
    if (row_is_null(row, COLUMN_TEXTS)) /* the address */
        return "erased";
    switch ((enum subscription_state)row_int(row, COLUMN_MEMBER_STATE)) {
    case SUBSCRIPTION_ACTIVE: return NULL;
    case SUBSCRIPTION_LEFT: return "left";
    case SUBSCRIPTION_PENDING:
    case SUBSCRIPTION_REMOVED: break;
    }
    return "removed";
}

static int leave_out(struct claiming *k, int64_t subscriber, enum delivery_state from, const char *reason) {
    int r = db_run(k->db,
                   "UPDATE delivery SET state = 6, due = NULL, at = ?, code = 0, status = '', text = ? "
                   "WHERE announcement = ? AND subscriber = ?",
                   NULL, "itii", k->now_usec, reason, k->announcement, subscriber);
    return r < 0 ? r : tally_move(k->db, k->announcement, (int)from, DELIVERY_LEFT_OUT, 1);
}

static int mark_due(struct claiming *k, const struct claim *c) {
    int r = db_run(k->db,
                   "UPDATE delivery SET state = 1, attempts = attempts + 1 WHERE announcement = ? AND subscriber = ?",
                   NULL, "ii", k->announcement, c->subscriber);
    return r < 0 ? r : tally_move(k->db, k->announcement, (int)c->from, DELIVERY_CLAIMED, 1);
}

/* All that is still pending up to k->last, in one statement: half the price of one for each. */
static int mark_pending(struct claiming *k, int64_t cursor, size_t count) {
    int64_t changed = 0;
    int r = db_run(k->db,
                   "UPDATE delivery SET state = 1, attempts = attempts + 1, first_claim = ? WHERE announcement = ? AND "
                   "subscriber > ? AND subscriber <= ? AND state = 0",
                   &changed, "iiii", k->now_usec, k->announcement, cursor, k->last);
    if (r == 0 && changed != (int64_t)count)
        r = -EILSEQ;
    return r < 0 ? r : tally_move(k->db, k->announcement, DELIVERY_PENDING, DELIVERY_CLAIMED, changed);
}

/* Those to be left out, until the query that found them has ended: a table is not changed while it is being read. */
struct against {
    int64_t subscriber;
    enum delivery_state from;
    const char *reason;
};

/* Takes what the query yields (pending rows, or those that are due) and leaves out who is not to get it. 1 where it
 * stopped before the query's end. */
static int take(struct claiming *k, struct row *row, bool pending) {
    unsigned examine = k->max + EXAMINED_BEYOND;
    struct against *against = NULL; /* few are */
    size_t against_count = 0;
    unsigned examined = 0;
    int r = 0;
    while (examined < examine && k->claims->count < k->max && (r = db_next(row)) == 1) {
        examined++;
        k->last = row_int(row, COLUMN_SUBSCRIBER);
        enum delivery_state state = (enum delivery_state)row_int(row, COLUMN_STATE);
        if (pending != (state == DELIVERY_PENDING))
            continue;
        const char *reason = reason_against(row);
        if (reason && !against && !(against = calloc(examine, sizeof *against)))
            r = -ENOMEM;
        else if (reason)
            against[against_count++] = (struct against){k->last, state, reason};
        else
            r = keep(k, row);
        if (r < 0)
            break;
    }
    bool stopped_early = r != 0 || examined == examine || k->claims->count == k->max;
    if (stopped_early)
        db_end(row); /* ended already after a failed db_next; once more does no harm */
    for (size_t i = 0; i < against_count && r >= 0; i++)
        r = leave_out(k, against[i].subscriber, against[i].from, against[i].reason);
    free(against);
    return r < 0 ? r : stopped_early;
}

static int claim_due(struct claiming *k, bool resend_in_doubt) {
    struct row *row = NULL;
    int r = 0;
    if (!resend_in_doubt) /* held in doubt: no retry is to be waited for */
        r = db_run(k->db,
                   "UPDATE delivery SET due = NULL WHERE announcement = ? AND due IS NOT NULL AND state IN (3, 5) AND "
                   "due <= ? AND state = 5",
                   NULL, "ii", k->announcement, k->now_usec);
    if (r == 0)
        r = db_query(
            k->db,
            COLUMNS(
                IS_SUPPRESSED) "WHERE d.announcement = ? AND d.due IS NOT NULL AND d.state IN (3, 5) AND d.due <= ? "
                               "ORDER BY d.due",
            &row, "ii", k->announcement, k->now_usec);
    int more = r < 0 ? r : take(k, row, false);
    for (size_t i = 0; i < k->claims->count && more >= 0 && r == 0; i++)
        r = mark_due(k, &k->claims->items[i]);
    return r < 0 ? r : more;
}

static int claim_pending(struct claiming *k, int64_t cursor) {
    struct row *row = NULL;
    int64_t any = 0;
    int r = db_get_int(k->db, "SELECT 1 FROM suppression LIMIT 1", &any, "");
    if (r >= 0)
        r = db_query(k->db,
                     any ? COLUMNS(IS_SUPPRESSED) "WHERE d.announcement = ? AND d.subscriber > ? ORDER BY d.subscriber"
                         : COLUMNS("0") "WHERE d.announcement = ? AND d.subscriber > ? ORDER BY d.subscriber",
                     &row, "ii", k->announcement, cursor);
    if (r < 0)
        return r;
    size_t before = k->claims->count;
    k->last = cursor;
    int more = take(k, row, true);
    if (more >= 0 && k->last != cursor) {
        r = mark_pending(k, cursor, k->claims->count - before);
        if (r == 0)
            r = tally_claim_cursor(k->db, k->announcement, k->last);
    }
    return r < 0 ? r : more;
}

int delivery_claim(struct db *db, int64_t announcement, int64_t now_usec, unsigned max, bool resend_in_doubt,
                   struct claims *ret) {
    struct claiming k = {.db = db,
                         .announcement = announcement,
                         .now_usec = now_usec,
                         .max = max < CLAIMS_MAX ? max : CLAIMS_MAX,
                         .claims = ret};
    int64_t cursor = 0;
    int r = tally_flush(db);
    if (r == 0)
        r = db_get_int(db, "SELECT claim_cursor FROM announcement WHERE id = ? AND state = 5 AND send_until > ?",
                       &cursor, "ii", announcement, now_usec);
    if (r <= 0)
        return r;
    r = claim_due(&k, resend_in_doubt);
    if (r == 0)
        r = claim_pending(&k, cursor);
    if (r < 0)
        claims_done(ret);
    return r;
}
