/* Writing an audience: delivery_gather() of store/delivery.h. */
#include <errno.h>

#include "mail/filter.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/filtered.h"
#include "store/store.h"
#include "store/subscription.h"
#include "store/tally.h"

#include "base/banned.h"

enum { PAGE = 256 };

struct gathering {
    struct db *db;
    int64_t announcement, started_usec, cursor;
    uint32_t list;
    const char *const *languages;
    size_t language_count;
    struct filter *only;
    bool more;
};

/* The person's language where the announcement is in it ("de" serves "de-AT"), else the first. */
static const char *pick_language(const struct gathering *g, struct view person) {
    for (size_t i = 0; i < g->language_count; i++)
        if (view_eq_str(person, g->languages[i]))
            return g->languages[i];
    struct view primary = view_slice(person, 0, view_find(person, '-'));
    for (size_t i = 0; i < g->language_count && primary.len; i++)
        if (view_eq_str(primary, g->languages[i]))
            return g->languages[i];
    return g->languages[0];
}

static int add(struct gathering *g, int64_t subscriber, struct view language, bool suppressed) {
    enum delivery_state state = suppressed ? DELIVERY_LEFT_OUT : DELIVERY_PENDING;
    int64_t changed = 0;
    int r = db_run(g->db,
                   "INSERT INTO delivery (announcement, subscriber, list, language, state, text, at) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                   &changed, "iiitdtz", g->announcement, subscriber, (int64_t)g->list, pick_language(g, language),
                   (int)state, suppressed ? "suppressed" : "", suppressed ? g->started_usec : INT64_C(0));
    return r < 0 || !changed ? r : tally_move(g->db, g->announcement, -1, (int)state, 1);
}

#define GATHER(more)                                                                                                   \
    "SELECT u.subscriber, u.state, s.language, x.address_key IS NOT NULL, u.since <= ?1 AND "                          \
    "u.import NOT IN (SELECT id FROM import WHERE state <> 2 OR ended > ?1)" more                                      \
    " FROM subscription u CROSS JOIN subscriber s ON s.id = u.subscriber "                                             \
    "LEFT JOIN suppression x ON x.address_key = s.address_key "                                                        \
    "WHERE u.list = ?2 AND u.subscriber > ?3 ORDER BY u.subscriber LIMIT ?4"

/* Looks at every member of a range of keys, active or not, meant or not, so that a page is bounded. */
static int gather_page(struct gathering *g) {
    struct row *row = NULL;
    int r = g->only ? db_query(g->db, GATHER(", " FILTERED_COLUMNS), &row, "iiid", g->started_usec, (int64_t)g->list,
                               g->cursor, PAGE)
                    : db_query(g->db, GATHER(""), &row, "iiid", g->started_usec, (int64_t)g->list, g->cursor, PAGE);
    if (r < 0)
        return r;
    int count = 0;
    while ((r = db_next(row)) == 1) {
        count++;
        g->cursor = row_int(row, 0);
        if (row_int(row, 1) == SUBSCRIPTION_ACTIVE && row_int(row, 4) &&
            (!g->only || filtered_matches(g->only, row, 5)))
            r = add(g, g->cursor, row_view(row, 2), row_int(row, 3));
        /* A long filter on long texts takes its time at each. */
        g->more = g->only && db_slice_over(g->db);
        if (r < 0 || g->more) {
            db_end(row);
            return r < 0 ? r : 0;
        }
    }
    g->more = count == PAGE;
    return r;
}

int delivery_gather(struct db *db, int64_t announcement, uint32_t list, const char *const *languages, size_t count,
                    struct filter *only) {
    struct gathering g = {.db = db,
                          .announcement = announcement,
                          .list = list,
                          .languages = languages,
                          .language_count = count,
                          .only = only};
    struct row *row = NULL;
    int r = db_query(db, "SELECT started, gather_cursor FROM announcement WHERE id = ? AND state = 4", &row, "i",
                     announcement);
    if (r == 0)
        r = db_next(row);
    if (r <= 0)
        return r < 0 ? r : -ESTALE;
    g.started_usec = row_int(row, 0);
    g.cursor = row_int(row, 1);
    db_end(row);
    do
        r = gather_page(&g);
    while (r == 0 && g.more && !db_slice_over(db));
    if (r == 0)
        r = db_run(db, "UPDATE announcement SET gather_cursor = ? WHERE id = ?", NULL, "ii", g.cursor, announcement);
    return r < 0 ? r : g.more ? STORE_MORE : STORE_DONE;
}
