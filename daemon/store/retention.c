#include "store/retention.h"

#include "store/returned.h"

#include "base/number.h"
#include "store/audience.h"
#include "store/db.h"
#include "store/store.h"

#include "base/banned.h"

enum { PAGE = 500 };

/* The next notice behind *id: 1 and whether it may go, 0 where there is none that is old enough. */
static int next_notice(struct db *db, int64_t before_usec, int64_t *id, bool *ret_over) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT id, created, due IS NULL AND state <> 1 FROM notice WHERE id > ? ORDER BY id LIMIT 1",
                     &row, "i", *id);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    *id = row_int(row, 0);
    *ret_over = row_int(row, 2);
    bool old = row_int(row, 1) < before_usec; /* ids are in order of time */
    db_end(row);
    return old;
}

int retention_notices(struct db *db, int64_t before_usec, uint64_t *ret_count) {
    int64_t id = 0;
    bool over = false;
    int r;
    while ((r = next_notice(db, before_usec, &id, &over)) == 1) {
        if (!over)
            continue;
        r = db_run(db, "DELETE FROM notice WHERE id = ?", NULL, "i", id);
        if (r < 0)
            return r;
        ++*ret_count;
        if (db_slice_over(db))
            return STORE_MORE;
    }
    return r;
}

int retention_next_announcement(struct db *db, int64_t before_usec, int64_t after, int64_t *ret_id) {
    return db_get_int(db,
                      "SELECT id FROM announcement a WHERE id > ? AND state IN (7, 8) AND pending = 0 AND finished < ? "
                      "AND (purged = 0 OR EXISTS (SELECT 1 FROM delivery WHERE announcement = a.id)) ORDER BY id "
                      "LIMIT 1",
                      ret_id, "ii", after, before_usec);
}

int retention_deliveries(struct db *db, int64_t announcement, int64_t now_usec, uint64_t *ret_count) {
    /* First, so that nobody compares the counters with what is left. */
    int r = db_run(db, "UPDATE announcement SET purged = ? WHERE id = ? AND purged = 0", NULL, "ii", now_usec,
                   announcement);
    if (r == 0)
        r = audience_drop(db, announcement);
    if (r == 0)
        r = returned_drop(db, announcement);
    if (r == 0)
        r = db_run_pages(db,
                         "DELETE FROM delivery WHERE announcement = ?1 AND subscriber IN (SELECT subscriber FROM "
                         "delivery WHERE announcement = ?1 ORDER BY subscriber LIMIT ?2)",
                         PAGE, ret_count, "id", announcement, PAGE);
    return r;
}

int retention_next_gone(struct db *db, int64_t before_usec, struct retention_gone *gone) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT since, list, subscriber FROM subscription WHERE state IN (3, 4) AND since < ? AND (since, "
                     "list, subscriber) > (?, ?, ?) ORDER BY since, list, subscriber LIMIT 1",
                     &row, "iiii", before_usec, gone->since_usec, gone->list, gone->subscriber);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    *gone =
        (struct retention_gone){.since_usec = row_int(row, 0), .list = row_int(row, 1), .subscriber = row_int(row, 2)};
    db_end(row);
    int64_t stays = 0;
    r = db_get_int(db,
                   "WITH RECURSIVE l (list) AS (SELECT min(list) FROM subscription UNION ALL SELECT (SELECT min(list) "
                   "FROM subscription WHERE list > l.list) FROM l WHERE l.list IS NOT NULL) SELECT 1 FROM l CROSS JOIN "
                   "subscription u ON u.list = l.list AND u.subscriber = ? WHERE u.state NOT IN (3, 4) OR u.since >= ? "
                   "LIMIT 1",
                   &stays, "ii", gone->subscriber, before_usec);
    gone->everywhere = r == 0;
    return r < 0 ? r : 1;
}

int retention_consent(struct db *db, const struct retention_gone *gone, uint64_t *ret_count) {
    int64_t nameless = 0, removed = 0;
    /* +list: found by the person, not among all who left the list */
    int r =
        db_run(db,
               "UPDATE consent SET subscriber = 0, at = at - at % ?, origin = '', basis = '', evidence = '', request "
               "= NULL WHERE subscriber = ? AND +list = ? AND what = 'left'",
               &nameless, "iii", USEC_PER_DAY, gone->subscriber, gone->list);
    if (r == 0)
        r = db_run(db, "DELETE FROM consent WHERE subscriber = ? AND list = ?", &removed, "ii", gone->subscriber,
                   gone->list);
    if (r == 0)
        r = db_run(db,
                   "UPDATE subscription SET tags = '', import = 0, key_id = 0, signature = NULL WHERE list = ? AND "
                   "subscriber = ? AND (tags <> '' OR import <> 0 OR key_id <> 0)",
                   NULL, "ii", gone->list, gone->subscriber);
    *ret_count += r == 0 ? (uint64_t)(nameless + removed) : 0;
    return r;
}
