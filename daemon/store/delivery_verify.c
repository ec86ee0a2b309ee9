/* Counters beside what rows and audience say: delivery_verify() of store/delivery.h. */
#include <errno.h>

#include "store/audience.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/tally.h"

#include "base/banned.h"

struct without_row {
    int64_t all;
    struct {
        uint32_t list;
        int64_t count;
    } lists[AUDIENCE_LISTS_MAX];
    size_t list_count;
};

static void count_for_list(struct without_row *w, uint32_t list) {
    size_t i = 0;
    while (i < w->list_count && w->lists[i].list != list)
        i++;
    if (i == AUDIENCE_LISTS_MAX)
        return; /* an announcement has no more; then the sums differ */
    if (i == w->list_count) {
        w->lists[w->list_count].list = list;
        w->lists[w->list_count++].count = 0;
    }
    w->lists[i].count++;
    w->all++;
}

/* Who has no row; -EUCLEAN where somebody behind the cursor has one: they would be written to twice. */
static int count_without_row(struct db *db, int64_t announcement, struct without_row *ret) {
    struct audience_block b;
    uint16_t lacking[AUDIENCE_BLOCK];
    size_t claimed, all = 0;
    int64_t cursor, after = 0;
    int r = audience_cursor(db, announcement, &cursor);
    *ret = (struct without_row){.all = 0};
    while (r == 0 && (r = audience_next(db, announcement, after, &b)) == 1) {
        size_t up_to_cursor = 0;
        while (up_to_cursor < b.count && b.people[up_to_cursor].subscriber <= cursor)
            up_to_cursor++;
        r = audience_lacking(db, &b, cursor, lacking, &claimed);
        if (r == 0)
            r = audience_lacking(db, &b, INT64_MAX, lacking, &all);
        if (r == 0 && all - claimed != b.count - up_to_cursor)
            r = -EUCLEAN;
        for (size_t i = 0; i < all && r == 0; i++)
            count_for_list(ret, b.lists[b.people[lacking[i]].list]);
        after = audience_last(&b);
    }
    return r;
}

/* The counters of each list. */
static int verify_lists(struct db *db, int64_t announcement, struct without_row *w) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT l.list, l.pending - count(*) FILTER (WHERE d.state IN (0, 1)), "
                     "l.delivered <> count(*) FILTER (WHERE d.state = 2) OR "
                     "l.deferred <> count(*) FILTER (WHERE d.state = 3) OR "
                     "l.refused <> count(*) FILTER (WHERE d.state = 4) OR "
                     "l.in_doubt <> count(*) FILTER (WHERE d.state = 5) OR "
                     "l.left_out <> count(*) FILTER (WHERE d.state = 6) "
                     "FROM announcement a JOIN announcement_list l ON l.announcement = a.id "
                     "LEFT JOIN delivery d ON d.announcement = a.id AND d.list = l.list "
                     "WHERE a.id = ? AND a.purged = 0 GROUP BY l.place",
                     &row, "i", announcement);
    bool wrong = false;
    while (r >= 0 && (r = db_next(row)) == 1) {
        int64_t without = 0;
        for (size_t i = 0; i < w->list_count; i++)
            if (w->lists[i].list == (uint32_t)row_int(row, 0))
                without = w->lists[i].count;
        wrong |= row_int(row, 1) != without || row_int(row, 2);
    }
    return r < 0 ? r : wrong ? -EUCLEAN : 0;
}

int delivery_verify(struct db *db, int64_t announcement) {
    struct without_row without_row = {.all = 0};
    int64_t wrong = 0;
    int r = tally_flush(db);
    if (r == 0)
        r = count_without_row(db, announcement, &without_row);
    if (r == 0)
        r = db_get_int(
            db,
            "SELECT purged = 0 AND NOT (total = n + ?2 AND pending = n0 + ?2 AND delivered = n2 AND deferred "
            "= n3 AND refused = n4 "
            "AND in_doubt = n5 AND left_out = n6 AND total = pending + delivered + deferred "
            "+ refused + in_doubt + left_out) "
            "FROM announcement, (SELECT count(*) n, count(*) FILTER (WHERE state IN (0, 1)) n0, "
            "count(*) FILTER (WHERE state = 2) n2, count(*) FILTER (WHERE state = 3) n3, "
            "count(*) FILTER (WHERE state = 4) n4, count(*) FILTER (WHERE state = 5) n5, "
            "count(*) FILTER (WHERE state = 6) n6 "
            "FROM delivery WHERE announcement = ?1) WHERE id = ?1",
            &wrong, "ii", announcement, without_row.all);
    return r < 0 ? r : wrong ? -EUCLEAN : verify_lists(db, announcement, &without_row);
}
