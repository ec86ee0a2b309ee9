/* The last phase of a batch that is the whole of its list: batch_remove_others() of store/batch.h. */
#include "base/id_set.h"
#include "store/batch.h"
#include "store/db.h"
#include "store/store.h"
#include "store/subscription.h"

#include "base/banned.h"

enum { PAGE = 100 };

static int note(struct db *db, const struct batch *batch, int64_t subscriber, int64_t *ret_noted) {
    return db_run(
        db,
        "INSERT INTO import_change (import, subscriber, returns, fields) SELECT ?1, ?2, 2, '' WHERE NOT EXISTS "
        "(SELECT 1 FROM subscriber s JOIN suppression x ON x.address_key = s.address_key WHERE s.id = ?2)",
        ret_noted, "ii", batch->id, subscriber);
}

/* One subscription of the list. */
static int look_at(struct db *db, const struct batch *batch, const struct row *row, struct batch_others *o) {
    int64_t subscriber = row_int(row, 0), import = row_int(row, 1), noted = 0;
    o->cursor = subscriber;
    if (row_int(row, 2) != SUBSCRIPTION_ACTIVE || import == batch->id)
        return 0;
    o->members++;
    int r = import == 0 || id_set_has(batch->met, subscriber) ? 0 : note(db, batch, subscriber, &noted);
    o->removed += (uint64_t)noted;
    return r;
}

int batch_remove_others(struct db *db, const struct batch *batch, struct batch_others *o) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT subscriber, import, state FROM subscription WHERE list = ? AND subscriber > ? ORDER BY "
                     "subscriber",
                     &row, "ii", (int64_t)batch->list, o->cursor);
    if (r < 0)
        return r;
    for (unsigned n = 1; (r = db_next(row)) == 1; n++) {
        r = look_at(db, batch, row, o);
        if (r < 0 || (n % PAGE == 0 && db_slice_over(db))) {
            db_end(row);
            return r < 0 ? r : STORE_MORE;
        }
    }
    return r < 0 ? r : STORE_DONE;
}
