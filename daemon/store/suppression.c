#include "store/suppression.h"

#include <errno.h>

#include "store/db.h"

#include "base/banned.h"

int suppression_set(struct db *db, const char *address_key, const char *reason, const char *detail, int64_t now_usec) {
    return db_run(db, "INSERT INTO suppression VALUES (?, ?, ?, coalesce(?, '')) ON CONFLICT (address_key) DO NOTHING",
                  NULL, "titt", address_key, now_usec, reason, detail);
}

int suppression_next(struct db *db, const char *after, struct arena *arena, const char **ret_address_key) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT address_key FROM suppression WHERE address_key > ? ORDER BY address_key LIMIT 1", &row,
                     "t", after);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    *ret_address_key = arena_strdup(arena, row_text(row, 0));
    db_end(row);
    return *ret_address_key ? 1 : -ENOMEM;
}

int suppression_clear(struct db *db, const char *address_key, bool *ret_was) {
    int64_t changed = 0;
    int r = db_run(db, "DELETE FROM suppression WHERE address_key = ?", &changed, "t", address_key);
    if (r < 0)
        return r;
    *ret_was = changed;
    return 0;
}

int suppression_read(struct db *db, const char *address_key, struct arena *arena, struct suppression *ret) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT since, reason, detail FROM suppression WHERE address_key = ?", &row, "t", address_key);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    ret->since_usec = row_int(row, 0);
    ret->reason = arena_strdup(arena, row_text(row, 1));
    ret->detail = arena_strdup(arena, row_text(row, 2));
    db_end(row);
    return arena_failed(arena) ? -ENOMEM : 1;
}

int suppression_get(struct db *db, const char *address_key, struct arena *arena, const char **ret_reason) {
    struct suppression s;
    int r = suppression_read(db, address_key, arena, &s);
    if (r == 1)
        *ret_reason = s.reason;
    return r;
}
