#include "store/suppression.h"

#include <errno.h>

#include "store/db.h"

#include "base/banned.h"

int suppression_set(struct db *db, const char *address_key, const char *reason, const char *detail, int64_t now_usec) {
    return db_run(db, "INSERT INTO suppression VALUES (?, ?, ?, coalesce(?, '')) ON CONFLICT (address_key) DO NOTHING",
                  NULL, "titt", address_key, now_usec, reason, detail);
}

int suppression_clear(struct db *db, const char *address_key, bool *ret_was) {
    int64_t changed = 0;
    int r = db_run(db, "DELETE FROM suppression WHERE address_key = ?", &changed, "t", address_key);
    if (r < 0)
        return r;
    *ret_was = changed;
    return 0;
}

int suppression_get(struct db *db, const char *address_key, struct arena *arena, const char **ret_reason) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT reason FROM suppression WHERE address_key = ?", &row, "t", address_key);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    const char *reason = arena_strdup(arena, row_text(row, 0));
    db_end(row);
    if (!reason)
        return -ENOMEM;
    *ret_reason = reason;
    return 1;
}
