#include "store/epoch.h"

#include <errno.h>

#include "store/db.h"

static int apply(struct db *db, int64_t epoch) {
    int64_t first = epoch << EPOCH_SHIFT;
    int r = db_run(db,
                   "INSERT INTO sqlite_sequence SELECT column1, 0 FROM (VALUES ('subscriber'), ('announcement')) "
                   "WHERE column1 NOT IN (SELECT name FROM sqlite_sequence)",
                   NULL, "");
    if (r < 0)
        return r;
    return db_run(db, "UPDATE sqlite_sequence SET seq = ? WHERE name IN ('subscriber', 'announcement') AND seq < ?",
                  NULL, "ii", first, first);
}

static int current(struct db *db, int64_t *ret) {
    *ret = 0;
    int r = db_get_int(db, "SELECT value FROM meta WHERE key = 'epoch'", ret, "");
    return r < 0 ? r : 0;
}

int epoch_apply(struct db *db) {
    int64_t epoch;
    int r = current(db, &epoch);
    return r < 0 || epoch == 0 ? r : apply(db, epoch);
}

int epoch_raise(struct db *db, int64_t known, int64_t *ret_epoch) {
    int64_t epoch;
    int r = current(db, &epoch);
    if (r < 0)
        return r;
    epoch = (known > epoch ? known : epoch) + 1;
    if (epoch > EPOCH_MAX)
        return -EOVERFLOW;
    *ret_epoch = epoch;
    r = db_run(db, "INSERT OR REPLACE INTO meta VALUES ('epoch', ?)", NULL, "i", epoch);
    return r < 0 ? r : apply(db, epoch);
}
