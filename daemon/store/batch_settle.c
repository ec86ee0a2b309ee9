/* What follows the end of a batch: batch_settle() of store/batch.h. */
#include <errno.h>

#include "base/arena.h"
#include "store/batch.h"
#include "store/change.h"
#include "store/db.h"
#include "store/store.h"
#include "store/subscription.h"

#include "base/banned.h"

enum { PAGE = 200, SWEEP_PAGE = 500 };

/* --- Changes of a done one ------------------------------------------------------------------------------------ */

struct settling {
    struct db *db;
    int64_t import, now_usec;
    int64_t list, subscriber;
};

/* Somebody who was removed, or never confirmed, is on the list again; not who left meanwhile. */
static int bring_back(const struct settling *s) {
    int64_t changed = 0;
    int r = db_run(s->db,
                   "UPDATE subscription SET state = 2, since = ? WHERE list = ? AND subscriber = ? AND state IN (1, 4)",
                   &changed, "iii", s->now_usec, s->list, s->subscriber);
    if (r < 0 || !changed)
        return r;
    return db_run(s->db,
                  "INSERT INTO consent (subscriber, list, at, what, how, origin, basis, evidence, import) "
                  "SELECT ?1, ?2, ?3, 'restored', 'import', by || ', ' || file, basis, evidence, id FROM import WHERE "
                  "id = ?4 AND NOT EXISTS (SELECT 1 FROM consent WHERE subscriber = ?1 AND list = ?2 AND import = ?4)",
                  NULL, "iiii", s->subscriber, s->list, s->now_usec, s->import);
}

/* Who is not in the file that the list follows; not who left meanwhile. */
static int take_off(const struct settling *s) {
    int64_t changed = 0;
    int r =
        db_run(s->db, "UPDATE subscription SET state = 4, since = ? WHERE list = ? AND subscriber = ? AND state = 2",
               &changed, "iii", s->now_usec, s->list, s->subscriber);
    if (r < 0 || !changed)
        return r;
    return db_run(s->db,
                  "INSERT INTO consent (subscriber, list, at, what, how, origin, basis, evidence, import) "
                  "SELECT ?1, ?2, ?3, 'removed', 'import', by || ', ' || file, '', 'no longer in the file', id FROM "
                  "import WHERE id = ?4",
                  NULL, "iiii", s->subscriber, s->list, s->now_usec, s->import);
}

static int change_person(const struct settling *s, struct view fields) {
    AUTOARENA struct arena arena = {0};
    struct person change, base, changed;
    int r = change_read(fields, &arena, &change);
    if (r == 0)
        r = person_get(s->db, s->subscriber, &arena, &base);
    if (r <= 0)
        return r; /* erased meanwhile */
    r = change_overlay(&base, &change, &arena, &changed);
    bool is_new;
    int64_t id;
    if (r == 0 && change.tags)
        r = subscription_change_tags(s->db, (uint32_t)s->list, s->subscriber, view_of(change.tags));
    if (r == -ESTALE || r == -E2BIG || r == -ENOENT)
        r = 0; /* somebody was faster; or too many: those that are there stay */
    return r < 0 ? r : person_save(s->db, &changed, s->now_usec, &id, &is_new);
}

static int apply_one(const struct settling *s, int what, struct view fields) {
    enum { STAYS, RETURNS, GOES };
    int r = fields.len ? change_person(s, fields) : 0;
    return r < 0 || what == STAYS ? r : what == GOES ? take_off(s) : bring_back(s);
}

/* A page of noted changes, of one import; 0 where there are none. The imports that have any are found one after the other,
 * not by reading through what an open or failed one has noted. */
static int apply_page(struct settling *s) {
    struct row *row = NULL;
    int n = 0;
    int r = db_query(
        s->db,
        "SELECT c.subscriber, c.returns, c.fields, c.import, (SELECT list FROM import WHERE id = c.import) FROM "
        "import_change c WHERE c.import = (WITH RECURSIVE has (import) AS (SELECT min(import) FROM "
        "import_change UNION ALL SELECT (SELECT min(import) FROM import_change WHERE import > has.import) "
        "FROM has WHERE has.import IS NOT NULL) SELECT i.id FROM has CROSS JOIN import i ON i.id = "
        "has.import WHERE i.state = 2 LIMIT 1) ORDER BY c.subscriber LIMIT ?",
        &row, "d", PAGE);
    if (r < 0)
        return r;
    while ((r = db_next(row)) == 1 && (n == 0 || row_int(row, 3) == s->import)) {
        s->subscriber = row_int(row, 0);
        s->import = row_int(row, 3);
        s->list = row_int(row, 4);
        if ((r = apply_one(s, (int)row_int(row, 1), row_view(row, 2))) < 0)
            break;
        n++;
    }
    if (r != 0) /* left early */
        db_end(row);
    if (r < 0 || n == 0)
        return r;
    r = db_run(s->db, "DELETE FROM import_change WHERE import = ? AND subscriber <= ?", NULL, "ii", s->import,
               s->subscriber);
    return r < 0 ? r : 1;
}

/* --- Sweeping a failed one ------------------------------------------------------------------------------------ */

/* Runs over a table's keys from `from` on, by ranges; what must go of each range goes, and so the next call finds the
 * rest at once. 1 where something may be left. */
static int last_of_page(int r, int64_t last) {
    return r < 0 ? r : last != INT64_MAX;
}

static int sweep_known(struct db *db, int64_t import, int64_t list) {
    int64_t last = INT64_MAX;
    int r = db_get_int(db, "SELECT subscriber FROM import_change WHERE import = ? ORDER BY subscriber LIMIT 1 OFFSET ?",
                       &last, "id", import, SWEEP_PAGE - 1);
    if (r >= 0)
        r = db_run(db,
                   "DELETE FROM subscription WHERE list = ?1 AND import = ?2 AND subscriber IN (SELECT subscriber FROM "
                   "import_change WHERE import = ?2 AND subscriber <= ?3)",
                   NULL, "iii", list, import, last);
    if (r == 0)
        r = db_run(db, "DELETE FROM import_change WHERE import = ? AND subscriber <= ?", NULL, "ii", import, last);
    return last_of_page(r, last);
}

static int sweep_new(struct db *db, int64_t import, int64_t list, int64_t first) {
    int64_t last = INT64_MAX;
    int r = db_get_int(db, "SELECT id FROM subscriber WHERE id >= ? AND import = ? ORDER BY id LIMIT 1 OFFSET ?", &last,
                       "iid", first, import, SWEEP_PAGE - 1);
    if (r >= 0) /* of those too whom somebody added by hand meanwhile */
        r = db_run(db, "DELETE FROM subscription WHERE list = ? AND subscriber >= ? AND subscriber <= ? AND import = ?",
                   NULL, "iiii", list, first, last, import);
    if (r == 0)
        r = db_run(db, "DELETE FROM subscriber WHERE id >= ? AND id <= ? AND import = ?", NULL, "iii", first, last,
                   import);
    return last_of_page(r, last);
}

static int sweep_consent(struct db *db, int64_t import, int64_t first) {
    int64_t last = INT64_MAX;
    int r = db_get_int(db, "SELECT id FROM consent WHERE id >= ? AND import = ? ORDER BY id LIMIT 1 OFFSET ?", &last,
                       "iid", first, import, SWEEP_PAGE - 1);
    if (r >= 0)
        r = db_run(db, "DELETE FROM consent WHERE id >= ? AND id <= ? AND import = ?", NULL, "iii", first, last,
                   import);
    return last_of_page(r, last);
}

/* One page of the failed import; 0 where there is none. */
static int sweep_one(struct db *db) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT id, list, first_subscriber, first_consent FROM import WHERE state <> 2 AND state = 3 "
                     "LIMIT 1",
                     &row, "");
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    int64_t import = row_int(row, 0), list = row_int(row, 1), subscriber = row_int(row, 2), consent = row_int(row, 3);
    db_end(row);
    r = sweep_consent(db, import, consent);
    if (r == 0)
        r = sweep_known(db, import, list);
    if (r == 0)
        r = sweep_new(db, import, list, subscriber);
    if (r == 0)
        r = db_run(db, "DELETE FROM import WHERE id = ?", NULL, "i", import);
    return r < 0 ? r : 1;
}

int batch_settle(struct db *db, int64_t now_usec) {
    struct settling s = {.db = db, .now_usec = now_usec};
    int r;
    do
        r = sweep_one(db);
    while (r == 1 && !db_slice_over(db));
    if (r != 0)
        return r < 0 ? r : STORE_MORE;
    while ((r = apply_page(&s)) == 1)
        if (db_slice_over(db))
            return STORE_MORE;
    return r < 0 ? r : STORE_DONE;
}
