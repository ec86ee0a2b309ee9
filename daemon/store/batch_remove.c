/* The last phase of a batch that is the whole of its list: batch_remove_others() of store/batch.h. */
#include "store/batch.h"
#include "store/db.h"
#include "store/store.h"

#include "base/banned.h"

enum { PAGE = 500 };

int batch_remove_others(struct db *db, const struct batch *batch, struct batch_others *o) {
    for (int64_t last = 0; last != INT64_MAX; o->cursor = last) {
        int64_t members = 0, changed = 0;
        last = INT64_MAX;
        int r = db_get_int(db,
                           "SELECT subscriber FROM subscription WHERE list = ? AND subscriber > ? ORDER BY subscriber "
                           "LIMIT 1 OFFSET ?",
                           &last, "iid", (int64_t)batch->list, o->cursor, PAGE - 1);
        if (r >= 0)
            r = db_get_int(db,
                           "SELECT count(*) FROM subscription WHERE list = ?1 AND subscriber > ?2 AND subscriber <= ?3 "
                           "AND state = 2 AND import <> ?4",
                           &members, "iiii", (int64_t)batch->list, o->cursor, last, batch->id);
        if (r >= 0)
            r = db_run(db,
                       "INSERT INTO import_change (import, subscriber, returns, fields) SELECT ?4, u.subscriber, 2, '' "
                       "FROM subscription u WHERE u.list = ?1 AND u.subscriber > ?2 AND u.subscriber <= ?3 AND u.state "
                       "= 2 AND u.import NOT IN (0, ?4) AND NOT EXISTS (SELECT 1 FROM import_change c WHERE c.import = "
                       "?4 AND c.subscriber = u.subscriber) AND NOT EXISTS (SELECT 1 FROM subscriber s JOIN "
                       "suppression x ON x.address_key = s.address_key WHERE s.id = u.subscriber)",
                       &changed, "iiii", (int64_t)batch->list, o->cursor, last, batch->id);
        if (r < 0)
            return r;
        o->members += (uint64_t)members;
        o->removed += (uint64_t)changed;
        if (last != INT64_MAX && db_slice_over(db)) {
            o->cursor = last;
            return STORE_MORE;
        }
    }
    return STORE_DONE;
}
