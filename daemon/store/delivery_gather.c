/* Writing an audience: delivery_gather() of store/delivery.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/audience.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/members.h"
#include "store/store.h"
#include "store/tally.h"

#include "base/banned.h"

enum { LOOK_AT_CLOCK = 256 }; /* people, without a filter */

struct gathering {
    struct db *db;
    int64_t started_usec, cursor;
    struct filter *only;
    struct audience_block block;
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
    int64_t counts[AUDIENCE_LISTS_MAX] = {0};
    int r = audience_add(g->db, b);
    for (size_t i = 0; i < b->count; i++)
        counts[b->people[i].list]++;
    for (size_t i = 0; i < b->list_count && r == 0; i++)
        if (counts[i])
            r = tally_move(g->db, b->announcement, b->lists[i], -1, DELIVERY_PENDING, counts[i]);
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
    return r < 0 ? r : tally_move(g->db, b->announcement, b->lists[list], -1, DELIVERY_LEFT_OUT, 1);
}

/* Through the first list that reaches them. */
static int take(struct gathering *g, const struct member *p) {
    struct audience_block *b = &g->block;
    size_t language = pick_language(b, p->language);
    if (p->suppressed)
        return leave_out(g, p->subscriber, p->first, language);
    b->people[b->count++] = (struct audience_person){p->subscriber, (uint8_t)p->first, (uint8_t)language};
    return b->count == AUDIENCE_BLOCK ? flush(g) : 0;
}

/* Looks at every member, active or not, meant or not. 1 where the slice ended first. */
static int gather(struct gathering *g) {
    const struct members_query query = {.lists = g->block.lists,
                                        .list_count = g->block.list_count,
                                        .after = g->cursor,
                                        .at_usec = g->started_usec,
                                        .only = g->only};
    struct members *m = NULL;
    struct member p;
    int r = members_open(g->db, &query, &m);
    for (unsigned looked_at = 1; r == 0 && (r = members_next(m, &p)) == 1; looked_at++) {
        g->cursor = p.subscriber;
        r = p.meant ? take(g, &p) : 0;
        /* A long filter on long texts takes its time at each. */
        if (r == 0 && (g->only || looked_at % LOOK_AT_CLOCK == 0) && db_slice_over(g->db)) {
            r = 1;
            break;
        }
    }
    (void)members_close(m);
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
