/* The states of a batch: batch_open(), batch_done() and their kin of store/batch.h. */
#include <errno.h>
#include <string.h>

#include "base/id_set.h"
#include "store/batch.h"
#include "store/db.h"

#include "base/banned.h"

static int busy(struct db *db, struct why *why) {
    int64_t state = 0;
    int r = db_get_int(db,
                       "SELECT coalesce((SELECT state FROM import WHERE state <> 2 ORDER BY state LIMIT 1), "
                       "(SELECT 2 FROM import_change LIMIT 1), 0)",
                       &state, "");
    if (r < 0)
        return why_set(why, r, "the store cannot be read");
    if (state == 0)
        return 0;
    (void)why_set(why, -EBUSY, "%s",
                  state == 1   ? "another import is running"
                  : state == 2 ? "another import is being completed"
                               : "an import that was cut off is being cleared away");
    why_todo(why, "Try again when it is done");
    return -EBUSY;
}

int batch_open(struct db *db, const struct batch_about *about, bool trial, int64_t now_usec, struct why *why,
               struct batch *ret) {
    int r = busy(db, why);
    if (r < 0)
        return r;
    *ret = (struct batch){.list = about->list};
    if (trial)
        return 0;
    struct id_set *met = id_set_new();
    if (!met)
        return why_set(why, -ENOMEM, "out of memory");
    r = db_run(db,
               "INSERT INTO import (list, state, started, by, file, basis, evidence, first_subscriber, first_consent) "
               "VALUES (?, 1, ?, ?, ?, ?, ?, "
               "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'subscriber'), 0) + 1, "
               "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'consent'), 0) + 1)",
               NULL, "iitttt", (int64_t)about->list, now_usec, about->by, about->file, about->basis, about->evidence);
    if (r < 0) {
        (void)id_set_free(met);
        return why_set(why, r, "the store cannot begin the import: %s", strerror(-r));
    }
    ret->id = db_last_id(db);
    ret->met = met;
    return 0;
}

void batch_close(struct batch *batch) {
    batch->met = id_set_free(batch->met);
}

int batch_done(struct db *db, const struct batch *batch, const struct batch_counts *counts, int64_t now_usec) {
    int64_t changed = 0;
    int r = db_run(db,
                   "UPDATE import SET state = 2, ended = ?, rows = ?, added = ?, known = ?, changed = ?, left_out = ? "
                   "WHERE id = ? AND state = 1",
                   &changed, "iuuuuui", now_usec, counts->rows, counts->added, counts->known, counts->changed,
                   counts->left_out, batch->id);
    return r < 0 ? r : changed ? 0 : -ESTALE;
}

int batch_fail(struct db *db, const struct batch *batch, int64_t now_usec) {
    return db_run(db, "UPDATE import SET state = 3, ended = ? WHERE id = ? AND state = 1", NULL, "ii", now_usec,
                  batch->id);
}

int batch_recover(struct db *db, int64_t now_usec) {
    return db_run(db, "UPDATE import SET state = 3, ended = ? WHERE state = 1", NULL, "i", now_usec);
}
