/* Writing an audience: delivery_gather() of store/delivery.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "mail/filter.h"
#include "store/audience.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/filtered.h"
#include "store/store.h"
#include "store/subscription.h"
#include "store/tally.h"

#include "base/banned.h"

enum { LOOK_AT_CLOCK = 256 }; /* people, without a filter */

/* The members of one list, in order of their ids. */
struct source {
    struct row *row; /* NULL at the end */
    int64_t subscriber;
};

struct gathering {
    struct db *db;
    int64_t started_usec, cursor;
    struct filter *only;
    struct audience_block block;
    struct source sources[AUDIENCE_LISTS_MAX];
};

/* The person's language where the announcement is in it ("de" serves "de-AT"), else the first. */
static size_t pick_language(const struct audience_block *b, struct view person) {
    for (size_t i = 0; i < b->language_count; i++)
        if (view_eq_str(person, b->languages[i]))
            return i;
    struct view primary = view_slice(person, 0, view_find(person, '-'));
    for (size_t i = 0; i < b->language_count && primary.len; i++)
        if (view_eq_str(primary, b->languages[i]))
            return i;
    return 0;
}

static int flush(struct gathering *g) {
    struct audience_block *b = &g->block;
    if (b->count == 0)
        return 0;
    int r = audience_add(g->db, b);
    if (r == 0)
        r = tally_move(g->db, b->announcement, -1, DELIVERY_PENDING, (int64_t)b->count);
    b->count = 0;
    return r;
}

static int leave_out(struct gathering *g, int64_t subscriber, size_t list, size_t language) {
    const struct audience_block *b = &g->block;
    int r = db_run(g->db,
                   "INSERT INTO delivery (announcement, subscriber, list, language, state, text, at) "
                   "VALUES (?, ?, ?, ?, 6, 'suppressed', ?)",
                   NULL, "iiiti", b->announcement, subscriber, (int64_t)b->lists[list], b->languages[language],
                   g->started_usec);
    return r < 0 ? r : tally_move(g->db, b->announcement, -1, DELIVERY_LEFT_OUT, 1);
}

static int add(struct gathering *g, int64_t subscriber, size_t list, const struct row *row) {
    struct audience_block *b = &g->block;
    size_t language = pick_language(b, row_view(row, 2));
    if (row_int(row, 3))
        return leave_out(g, subscriber, list, language);
    b->people[b->count++] = (struct audience_person){subscriber, (uint8_t)list, (uint8_t)language};
    return b->count == AUDIENCE_BLOCK ? flush(g) : 0;
}

/* ---- the lists, side by side ---- */

#define GATHER(more)                                                                                                   \
    "SELECT u.subscriber, u.state, s.language, x.address_key IS NOT NULL, u.since <= ?1 AND "                          \
    "u.import NOT IN (SELECT id FROM import WHERE state <> 2 OR ended > ?1)" more                                      \
    " FROM subscription u CROSS JOIN subscriber s ON s.id = u.subscriber "                                             \
    "LEFT JOIN suppression x ON x.address_key = s.address_key "                                                        \
    "WHERE u.list = ?2 AND u.subscriber > ?3 ORDER BY u.subscriber"

static int advance(struct source *s) {
    int r = db_next(s->row);
    if (r == 1)
        s->subscriber = row_int(s->row, 0);
    else
        s->row = NULL; /* it has ended */
    return r < 0 ? r : 0;
}

static int open_sources(struct gathering *g) {
    int r = 0;
    for (size_t i = 0; i < g->block.list_count && r == 0; i++) {
        struct source *s = &g->sources[i];
        int64_t list = (int64_t)g->block.lists[i];
        r = g->only ? db_query(g->db, GATHER(", " FILTERED_COLUMNS), &s->row, "iii", g->started_usec, list, g->cursor)
                    : db_query(g->db, GATHER(""), &s->row, "iii", g->started_usec, list, g->cursor);
        if (r == 0)
            r = advance(s);
    }
    return r;
}

static void close_sources(struct gathering *g) {
    for (size_t i = 0; i < g->block.list_count; i++)
        if (g->sources[i].row)
            db_end(g->sources[i].row);
}

/* Of all lists the member with the smallest id. */
static const struct source *first_source(const struct gathering *g) {
    const struct source *first = NULL;
    for (size_t i = 0; i < g->block.list_count; i++) {
        const struct source *s = &g->sources[i];
        if (s->row && (!first || s->subscriber < first->subscriber))
            first = s;
    }
    return first;
}

static bool is_meant(const struct gathering *g, const struct row *row) {
    return row_int(row, 1) == SUBSCRIPTION_ACTIVE && row_int(row, 4) && (!g->only || filtered_matches(g->only, row, 5));
}

/* Takes the person through the first list that reaches them, and moves all lists on. */
static int take(struct gathering *g, int64_t subscriber) {
    bool reached = false;
    int r = 0;
    for (size_t i = 0; i < g->block.list_count && r == 0; i++) {
        struct source *s = &g->sources[i];
        if (!s->row || s->subscriber != subscriber)
            continue;
        if (!reached && is_meant(g, s->row)) {
            reached = true;
            r = add(g, subscriber, i, s->row);
        }
        if (r == 0)
            r = advance(s);
    }
    g->cursor = subscriber;
    return r;
}

/* Looks at every member, active or not, meant or not. 1 where the slice ended first. */
static int gather(struct gathering *g) {
    int r = open_sources(g);
    for (unsigned looked_at = 1; r == 0; looked_at++) {
        const struct source *first = first_source(g);
        if (!first)
            break;
        r = take(g, first->subscriber);
        /* A long filter on long texts takes its time at each. */
        if (r == 0 && (g->only || looked_at % LOOK_AT_CLOCK == 0) && db_slice_over(g->db))
            r = 1;
    }
    close_sources(g);
    return r;
}

/* ---- */

static int begin(struct gathering *g, int64_t announcement, const uint32_t lists[], size_t list_count,
                 const char *const *languages, size_t count) {
    struct audience_block *b = &g->block;
    if (list_count == 0 || list_count > AUDIENCE_LISTS_MAX || count == 0 || count > AUDIENCE_LANGUAGES_MAX)
        return -E2BIG;
    *b = (struct audience_block){.announcement = announcement, .list_count = list_count, .language_count = count};
    for (size_t i = 0; i < list_count; i++)
        b->lists[i] = lists[i];
    for (size_t i = 0; i < count; i++)
        (void)snprintf(b->languages[i], sizeof b->languages[i], "%s", languages[i]); /* codes are shorter */
    struct row *row = NULL;
    int r = db_query(g->db, "SELECT started, gather_cursor FROM announcement WHERE id = ? AND state = 4", &row, "i",
                     announcement);
    if (r == 0)
        r = db_next(row);
    if (r <= 0)
        return r < 0 ? r : -ESTALE;
    g->started_usec = row_int(row, 0);
    g->cursor = row_int(row, 1);
    db_end(row);
    return 0;
}

int delivery_gather(struct db *db, int64_t announcement, const uint32_t lists[], size_t list_count,
                    const char *const *languages, size_t count, struct filter *only) {
    struct gathering *g = calloc(1, sizeof *g);
    if (!g)
        return -ENOMEM;
    g->db = db;
    g->only = only;
    int r = begin(g, announcement, lists, list_count, languages, count);
    int more = r < 0 ? r : gather(g);
    r = more < 0 ? more : flush(g);
    if (r == 0)
        r = db_run(db, "UPDATE announcement SET gather_cursor = ? WHERE id = ?", NULL, "ii", g->cursor, announcement);
    free(g);
    return r < 0 ? r : more ? STORE_MORE : STORE_DONE;
}
