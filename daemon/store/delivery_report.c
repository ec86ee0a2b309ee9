/* Reading deliveries: delivery_report() of store/delivery.h, and what is asked about one person. */
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "store/audience.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/store.h"
#include "store/tally.h"
#include "store/visible.h"

#include "base/banned.h"

enum { PAGE = 256, NAME_MAX_BYTES = 4096 };

/* --- A report: rows, and between them whoever has none ------------------------------------------------------- */

struct report {
    struct db *db;
    int64_t announcement;
    int64_t cursor; /* up to whom it is claimed */
    struct audience_block block;
    size_t place; /* in the block; its end where there is no more */
    struct buf name;
    delivery_on_row *on_row;
    void *user;
    bool not_delivered;
};

/* Given and family name, or the organisation. */
static const char *name_of(const struct row *row, int column, struct buf *to) {
    buf_clear(to);
    buf_add_view(to, row_view(row, column));
    struct view family = row_view(row, column + 1);
    if (to->len && family.len)
        buf_putc(to, ' ');
    buf_add_view(to, family);
    if (to->len == 0)
        buf_add_view(to, row_view(row, column + 2));
    return buf_str(to);
}

#define PERSON ADDRESS_SENT_TO("s.") ", s.given_name, s.family_name, s.organisation "

static int tell_row(struct report *t, const struct row *row) {
    struct delivery_row one = {
        .subscriber = row_int(row, 4),
        .address = row_text(row, 0),
        .name = name_of(row, 1, &t->name),
        .language = row_text(row, 5),
        .state = (enum delivery_state)row_int(row, 6),
        .at_usec = row_int(row, 7),
        .attempts = (unsigned)row_int(row, 8),
        .code = (unsigned)row_int(row, 9),
        .status = row_text(row, 10),
        .text = row_text(row, 11),
        .relay = row_text(row, 12),
        .list = (uint32_t)row_int(row, 13),
    };
    return t->on_row(t->user, &one);
}

static int tell_person(struct report *t, const struct audience_person *p) {
    struct row *row = NULL;
    int r = db_query(t->db, "SELECT " PERSON "FROM subscriber s WHERE s.id = ?", &row, "i", p->subscriber);
    if (r < 0 || (r = db_next(row)) < 0)
        return r;
    bool is_claimed = p->subscriber <= t->cursor, found = r == 1;
    struct delivery_row one = {
        .subscriber = p->subscriber,
        .address = found ? row_text(row, 0) : "",
        .name = found ? name_of(row, 1, &t->name) : "",
        .list = t->block.lists[p->list],
        .language = t->block.languages[p->language],
        .state = is_claimed ? DELIVERY_CLAIMED : DELIVERY_PENDING,
        .attempts = is_claimed,
        .status = "",
        .text = "",
        .relay = "",
    };
    r = t->on_row(t->user, &one);
    if (found)
        db_end(row);
    return r;
}

/* The next one of the audience, or NULL. */
static int next_person(struct report *t, int64_t after, const struct audience_person **ret) {
    while (t->place < t->block.count && t->block.people[t->place].subscriber <= after)
        t->place++;
    *ret = NULL;
    if (t->place == t->block.count && t->block.count) {
        int r = audience_next(t->db, t->announcement, after, &t->block);
        if (r <= 0) {
            t->block.count = t->place = 0;
            return r;
        }
        for (t->place = 0; t->block.people[t->place].subscriber <= after;)
            t->place++;
    }
    if (t->place < t->block.count)
        *ret = &t->block.people[t->place];
    return 0;
}

/* Who comes next, with a row or without. *row is NULL behind the last row; *over: nobody came. */
static int tell_next(struct report *t, struct row **row, int64_t *at, bool *over) {
    const struct audience_person *person = NULL;
    int r = next_person(t, *at, &person);
    if (r < 0)
        return r;
    int64_t of_row = *row ? row_int(*row, 4) : INT64_MAX;
    *over = !*row && !person;
    if (*over)
        return 0;
    if (person && person->subscriber < of_row) {
        *at = person->subscriber;
        return tell_person(t, person);
    }
    *at = of_row;
    if (!t->not_delivered || row_int(*row, 6) != DELIVERY_DELIVERED)
        r = tell_row(t, *row);
    if (r)
        return r;
    if ((r = db_next(*row)) != 1)
        *row = NULL; /* it has ended */
    return r < 0 ? r : 0;
}

static int report_page(struct report *t, int64_t *cursor, bool *over) {
    struct row *row = NULL;
    int r = db_query(
        t->db,
        "SELECT " PERSON ", d.subscriber, d.language, d.state, d.at, d.attempts, d.code, d.status, d.text, "
        "d.relay, d.list FROM delivery d LEFT JOIN subscriber s ON s.id = d.subscriber WHERE d.announcement = ? "
        "AND d.subscriber > ? ORDER BY d.subscriber",
        &row, "ii", t->announcement, *cursor);
    if (r < 0 || (r = db_next(row)) < 0)
        return r;
    if (r == 0)
        row = NULL;
    r = 0;
    for (int i = 0; i < PAGE && r == 0 && !*over; i++)
        r = tell_next(t, &row, cursor, over);
    if (row)
        db_end(row);
    return r;
}

/* Where all were delivered, which their counters say, nobody is looked for. */
static int is_delivered_whole(struct db *db, int64_t announcement) {
    int64_t whole = 0;
    int r = tally_flush(db);
    if (r == 0)
        r = db_get_int(db, "SELECT delivered = total FROM announcement WHERE id = ?", &whole, "i", announcement);
    return r < 0 ? r : whole;
}

int delivery_report(struct db *db, int64_t announcement, bool not_delivered, int64_t *cursor, delivery_on_row *on_row,
                    void *user) {
    int whole = not_delivered ? is_delivered_whole(db, announcement) : 0;
    if (whole)
        return whole < 0 ? whole : STORE_DONE;
    struct report *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->db = db;
    t->announcement = announcement;
    t->on_row = on_row;
    t->user = user;
    t->not_delivered = not_delivered;
    t->name.limit_bytes = NAME_MAX_BYTES;
    int r = audience_cursor(db, announcement, &t->cursor);
    if (r == 0)
        r = audience_next(db, announcement, *cursor, &t->block);
    bool over = false;
    for (r = r < 0 ? r : 0; r == 0 && !over;) {
        r = report_page(t, cursor, &over);
        if (r == 0 && !over && db_slice_over(db))
            r = STORE_MORE;
    }
    buf_done(&t->name);
    free(t);
    return r;
}

/* --- One person ----------------------------------------------------------------------------------------------- */

int delivery_list_of(struct db *db, int64_t announcement, int64_t subscriber, uint32_t *ret) {
    int64_t list = 0;
    int r = db_get_int(db, "SELECT list FROM delivery WHERE announcement = ? AND subscriber = ?", &list, "ii",
                       announcement, subscriber);
    if (r == 1)
        *ret = (uint32_t)list;
    if (r != 0)
        return r;
    struct audience_block b;
    size_t place = 0;
    r = audience_find(db, announcement, subscriber, &b, &place);
    if (r == 1)
        *ret = b.lists[b.people[place].list];
    return r;
}

/* Whether somebody has no row and is not behind the cursor. */
static int is_claimed_of_audience(struct db *db, int64_t announcement, int64_t subscriber) {
    struct audience_block b;
    uint16_t lacking[AUDIENCE_BLOCK];
    size_t place = 0, count = 0;
    int64_t cursor = 0;
    int r = audience_cursor(db, announcement, &cursor);
    if (r < 0 || subscriber > cursor)
        return r;
    r = audience_find(db, announcement, subscriber, &b, &place);
    if (r <= 0 || (r = audience_lacking(db, &b, subscriber, lacking, &count)) < 0)
        return r;
    return count && lacking[count - 1] == place;
}

int delivery_is_claimed(struct db *db, int64_t subscriber) {
    int64_t found = 0, id = 0;
    int r = db_get_int(db,
                       "SELECT 1 FROM announcement a CROSS JOIN delivery d ON d.announcement = a.id AND d.subscriber = "
                       "? WHERE d.state = 1 LIMIT 1",
                       &found, "i", subscriber);
    while (r == 0 && (r = audience_next_announcement(db, id, &id)) == 1)
        r = is_claimed_of_audience(db, id, subscriber);
    return r;
}
