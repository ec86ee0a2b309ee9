/* Claiming: delivery_claim() of store/delivery.h. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "store/audience.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/store.h"
#include "store/subscription.h"
#include "store/tally.h"
#include "store/visible.h"

#include "base/banned.h"

/* How many people beyond those claimed a call looks at; how many blocks it removes, where it begins another. */
enum { EXAMINED_BEYOND = 500, TRIM_AT_ONCE = 4 };
/* How many members of a list, who are not of the audience, are read over. */
enum { STRANGERS_MAX = 64 };

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
    bool any_suppressed;
    struct claims *claims;
    struct scan {
        struct row *row; /* NULL: it has ended, or was not begun */
        uint32_t list;
        int64_t subscriber; /* on whom it stands */
        unsigned steps;
        bool is_over;
    } scan;
};

static bool is_full(const struct claiming *k) {
    return k->claims->count == k->max || k->examined == k->max + EXAMINED_BEYOND;
}

/* --- Reading a row ------------------------------------------------------------------------------------------- */

/* What all queries begin with. Most often nobody is suppressed: then nobody is looked for. */
#define PERSON(suppressed)                                                                                             \
    "u.state, u.key_id, u.signature, " suppressed ", " ADDRESS_SENT_TO(                                                \
        "s.") ", s.form, s.title, s.given_name, s.family_name, s.salutation, s.organisation, s.timezone, s.attributes"
#define IS_SUPPRESSED "EXISTS (SELECT 1 FROM suppression x WHERE x.address_key = s.address_key)"
#define OF_ROWS(index, condition)                                                                                      \
    "SELECT " PERSON(IS_SUPPRESSED) ", d.subscriber, d.list, d.language, d.state, d.attempts, d.first_claim, d.code "  \
                                    "FROM delivery d INDEXED BY " index                                                \
                                    " LEFT JOIN subscriber s ON s.id = d.subscriber "                                  \
                                    "LEFT JOIN subscription u ON u.list = d.list AND u.subscriber = d.subscriber "     \
                                    "WHERE d.announcement = ? AND " condition
#define OF_ONE(suppressed)                                                                                             \
    "SELECT " PERSON(suppressed) " FROM subscriber s LEFT JOIN subscription u ON u.list = ? AND u.subscriber = s.id "  \
                                 "WHERE s.id = ?"
#define OF_LIST(suppressed)                                                                                            \
    "SELECT " PERSON(suppressed) ", u.subscriber FROM subscription u CROSS JOIN subscriber s ON s.id = u.subscriber "  \
                                 "WHERE u.list = ? AND u.subscriber >= ? ORDER BY u.subscriber"
enum {
    COLUMN_MEMBER_STATE,
    COLUMN_KEY_ID,
    COLUMN_SIGNATURE,
    COLUMN_SUPPRESSED,
    COLUMN_TEXTS, /* from here on, in the order of text_of() */
    TEXTS = 9,
    COLUMN_SUBSCRIBER = COLUMN_TEXTS + TEXTS,
    COLUMN_LIST,
    COLUMN_LANGUAGE,
    COLUMN_STATE,
    COLUMN_ATTEMPTS,
    COLUMN_FIRST_CLAIM,
    COLUMN_CODE,
};

static struct view *text_of(struct claim *c, int i) {
    static const size_t places[TEXTS] = {
        offsetof(struct claim, address),      offsetof(struct claim, form),        offsetof(struct claim, title),
        offsetof(struct claim, given_name),   offsetof(struct claim, family_name), offsetof(struct claim, salutation),
        offsetof(struct claim, organisation), offsetof(struct claim, timezone),    offsetof(struct claim, attributes)};
    return (struct view *)(void *)((char *)c + places[i]);
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

static void set_language(struct claim *c, struct view code) {
    code = view_slice(code, 0, sizeof c->language - 1); /* codes are shorter */
    if (code.len)
        memcpy(c->language, code.ptr, code.len);
    c->language[code.len] = '\0';
}

/* What a row of delivery says. */
static struct claim claim_of_row(const struct claiming *k, const struct row *row) {
    struct claim c = {
        .announcement = k->announcement,
        .subscriber = row_int(row, COLUMN_SUBSCRIBER),
        .list = (uint32_t)row_int(row, COLUMN_LIST),
        .from = (enum delivery_state)row_int(row, COLUMN_STATE),
        .attempts = (unsigned)row_int(row, COLUMN_ATTEMPTS),
        .code = (unsigned)row_int(row, COLUMN_CODE),
        .first_claim_usec = row_is_null(row, COLUMN_FIRST_CLAIM) ? k->now_usec : row_int(row, COLUMN_FIRST_CLAIM),
    };
    set_language(&c, row_view(row, COLUMN_LANGUAGE));
    return c;
}

static struct claim claim_of_person(const struct claiming *k, const struct audience_block *b, size_t place) {
    const struct audience_person *p = &b->people[place];
    struct claim c = {
        .announcement = k->announcement,
        .subscriber = p->subscriber,
        .list = b->lists[p->list],
        .from = DELIVERY_PENDING,
        .first_claim_usec = k->now_usec,
    };
    set_language(&c, view_of(b->languages[p->language]));
    return c;
}

/* With what is known of the person. */
static int keep(struct claiming *k, const struct row *row, const struct claim *claim) {
    struct claims *claims = k->claims;
    if (claims->count == claims->room) {
        size_t room = claims->room ? claims->room * 2 : 16;
        struct claim *more = reallocarray(claims->items, room, sizeof *more);
        if (!more)
            return -ENOMEM;
        claims->items = more;
        claims->room = room;
    }
    struct claim *c = &claims->items[claims->count];
    *c = *claim;
    struct view signature = row_view(row, COLUMN_SIGNATURE);
    if (signature.len == sizeof c->signature) {
        c->key_id = (uint8_t)row_int(row, COLUMN_KEY_ID);
        memcpy(c->signature, signature.ptr, signature.len);
    }
    int r = keep_texts(row, claims, c);
    if (r == 0)
        claims->count++;
    return r;
}

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

/* --- Rows: those that are due, those given back -------------------------------------------------------------- */

/* Those to be left out, until the query that found them has ended: a table is not changed while it is being read. */
struct against {
    int64_t subscriber;
    uint32_t list;
    enum delivery_state from;
    const char *reason;
};

/* Whoever is in doubt stays so: nobody knows whether they got it; only that it is not sent again. */
static int leave_out_row(struct claiming *k, const struct against *a) {
    if (a->from == DELIVERY_IN_DOUBT)
        return db_run(k->db,
                      "UPDATE delivery SET due = NULL, text = text || '; not sent again: ' || ? WHERE announcement = ? "
                      "AND subscriber = ?",
                      NULL, "tii", a->reason, k->announcement, a->subscriber);
    int r = db_run(k->db,
                   "UPDATE delivery SET state = 6, due = NULL, at = ?, code = 0, status = '', text = ? "
                   "WHERE announcement = ? AND subscriber = ?",
                   NULL, "itii", k->now_usec, a->reason, k->announcement, a->subscriber);
    return r < 0 ? r : tally_move(k->db, k->announcement, a->list, (int)a->from, DELIVERY_LEFT_OUT, 1);
}

static int mark_row(struct claiming *k, const struct claim *c) {
    int r = db_run(k->db,
                   "UPDATE delivery SET state = 1, attempts = attempts + 1, first_claim = ifnull(first_claim, ?) "
                   "WHERE announcement = ? AND subscriber = ?",
                   NULL, "iii", k->now_usec, k->announcement, c->subscriber);
    return r < 0 ? r : tally_move(k->db, k->announcement, c->list, (int)c->from, DELIVERY_CLAIMED, 1);
}

/* Takes what the query yields and leaves out who is not to get it. 1 where it stopped before the query's end. */
static int claim_rows(struct claiming *k, struct row *row) {
    size_t first = k->claims->count, against_count = 0;
    struct against *against = NULL; /* few are */
    int r = 0;
    while (!is_full(k) && (r = db_next(row)) == 1) {
        k->examined++;
        struct claim c = claim_of_row(k, row);
        const char *reason = reason_against(row);
        if (reason && !against && !(against = calloc(k->max + EXAMINED_BEYOND, sizeof *against)))
            r = -ENOMEM;
        else if (reason)
            against[against_count++] = (struct against){c.subscriber, c.list, c.from, reason};
        else
            r = keep(k, row, &c);
        if (r < 0)
            break;
    }
    bool stopped_early = r != 0 || is_full(k);
    if (stopped_early)
        db_end(row); /* ended already after a failed db_next; once more does no harm */
    for (size_t i = 0; i < against_count && r >= 0; i++)
        r = leave_out_row(k, &against[i]);
    for (size_t i = first; i < k->claims->count && r >= 0; i++)
        r = mark_row(k, &k->claims->items[i]);
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
        r = db_query(k->db,
                     OF_ROWS("delivery_due", "d.due IS NOT NULL AND d.state IN (3, 5) AND d.due <= ? ORDER BY d.due"),
                     &row, "ii", k->announcement, k->now_usec);
    return r < 0 ? r : claim_rows(k, row);
}

static int claim_given_back(struct claiming *k) {
    struct row *row = NULL;
    int r =
        db_query(k->db, OF_ROWS("delivery_pending", "d.state = 0 ORDER BY d.subscriber"), &row, "i", k->announcement);
    return r < 0 ? r : claim_rows(k, row);
}

/* --- The audience --------------------------------------------------------------------------------------------- */

static int leave_out_person(struct claiming *k, const struct claim *c, const char *reason) {
    int r = db_run(k->db,
                   "INSERT INTO delivery (announcement, subscriber, list, language, state, at, text) VALUES (?, ?, ?, "
                   "?, 6, ?, ?)",
                   NULL, "iiitit", k->announcement, c->subscriber, (int64_t)c->list, c->language, k->now_usec, reason);
    return r < 0 ? r : tally_move(k->db, k->announcement, c->list, DELIVERY_PENDING, DELIVERY_LEFT_OUT, 1);
}

static void end_scan(struct claiming *k) {
    if (k->scan.row)
        db_end(k->scan.row);
    k->scan.row = NULL;
    k->scan.is_over = true;
}

static int advance_scan(struct claiming *k) {
    int r = db_next(k->scan.row);
    if (r == 1)
        k->scan.subscriber = row_int(k->scan.row, COLUMN_SUBSCRIBER);
    else
        k->scan = (struct scan){.is_over = true};
    return r < 0 ? r : 0;
}

/* Most often the audience is the whole list: its members are read in order, which costs half of looking each up. Begins
 * with the first one's list; 1 where it stands on the person. */
static int scan_to(struct claiming *k, const struct claim *c) {
    struct scan *n = &k->scan;
    int64_t list = (int64_t)c->list;
    int r = 0;
    if (!n->row && !n->is_over) {
        n->list = c->list;
        r = k->any_suppressed ? db_query(k->db, OF_LIST(IS_SUPPRESSED), &n->row, "ii", list, c->subscriber)
                              : db_query(k->db, OF_LIST("0"), &n->row, "ii", list, c->subscriber);
        r = r < 0 ? r : advance_scan(k);
    }
    if (n->list != c->list)
        return r;
    while (r == 0 && n->row && n->subscriber < c->subscriber)
        if (++n->steps > k->examined + STRANGERS_MAX)
            end_scan(k);
        else
            r = advance_scan(k);
    return r < 0 ? r : n->row && n->subscriber == c->subscriber;
}

static int look_up(struct claiming *k, const struct claim *c, struct row **ret) {
    int64_t list = (int64_t)c->list;
    int r = k->any_suppressed ? db_query(k->db, OF_ONE(IS_SUPPRESSED), ret, "ii", list, c->subscriber)
                              : db_query(k->db, OF_ONE("0"), ret, "ii", list, c->subscriber);
    return r < 0 ? r : db_next(*ret);
}

static int claim_person(struct claiming *k, const struct claim *c) {
    struct row *row = NULL;
    int scanned = scan_to(k, c), found = scanned;
    if (scanned == 0)
        found = look_up(k, c, &row);
    if (found < 0)
        return found;
    const struct row *person = scanned ? k->scan.row : row;
    const char *reason = found ? reason_against(person) : "erased";
    int r = reason ? 0 : keep(k, person, c);
    if (found && !scanned)
        db_end(row);
    return r < 0 ? r : reason ? leave_out_person(k, c, reason) : 0;
}

/* From the cursor on. What of them was claimed or left out becomes one run, with one time. */
static int claim_audience(struct claiming *k) {
    struct audience_block b;
    int64_t cursor = 0, any = 0;
    bool began_block = false;
    int r = db_get_int(k->db, "SELECT 1 FROM suppression LIMIT 1", &any, "");
    k->any_suppressed = r == 1;
    if (r >= 0)
        r = audience_cursor(k->db, k->announcement, &cursor);
    int64_t upto = cursor;
    while (r == 0 && !is_full(k) && (r = audience_next(k->db, k->announcement, upto, &b)) == 1) {
        r = 0;
        began_block |= upto < b.people[0].subscriber;
        for (size_t i = 0; i < b.count && r == 0 && !is_full(k); i++) {
            if (b.people[i].subscriber <= cursor)
                continue;
            const struct claim c = claim_of_person(k, &b, i);
            r = claim_person(k, &c);
            upto = c.subscriber;
            k->examined++;
        }
    }
    end_scan(k);
    if (r == 0 && upto > cursor)
        r = audience_claim(k->db, k->announcement, upto, k->now_usec);
    if (r == 0 && began_block)
        r = audience_trim(k->db, k->announcement, TRIM_AT_ONCE);
    return r < 0 ? r : is_full(k);
}

int delivery_claim(struct db *db, int64_t announcement, int64_t now_usec, unsigned max, bool resend_in_doubt,
                   struct claims *ret) {
    struct claiming k = {.db = db,
                         .announcement = announcement,
                         .now_usec = now_usec,
                         .max = max < CLAIMS_MAX ? max : CLAIMS_MAX,
                         .claims = ret};
    int64_t sending = 0;
    int r = db_get_int(db, "SELECT 1 FROM announcement WHERE id = ? AND state = 5 AND send_until > ?", &sending, "ii",
                       announcement, now_usec);
    if (r <= 0)
        return r;
    r = claim_due(&k, resend_in_doubt);
    if (r == 0)
        r = claim_given_back(&k);
    if (r == 0)
        r = claim_audience(&k);
    if (r < 0)
        claims_done(ret);
    return r;
}
