#include "store/opt_out.h"

#include <stdio.h>

#include "base/view.h"
#include "store/db.h"

#include "base/banned.h"

static struct view view_of_hash(const uint8_t hash[OPT_OUT_HASH_BYTES]) {
    return view_make(hash, OPT_OUT_HASH_BYTES);
}

int opt_out_note(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], uint32_t list, int64_t at_usec,
                 const char *how) {
    return db_run(db, "INSERT OR REPLACE INTO opt_out VALUES (?, ?, ?, ?)", NULL, "biit", view_of_hash(hash),
                  (int64_t)list, at_usec, how);
}

/* The row of a query. */
static int read_row(int r, struct row *row, struct opt_out *ret) {
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    *ret = (struct opt_out){.list = (uint32_t)row_int(row, 0), .at_usec = row_int(row, 1)};
    (void)snprintf(ret->how, sizeof ret->how, "%s", row_text(row, 2)); /* as the header says */
    db_end(row);
    return 1;
}

int opt_out_next(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], uint32_t from, struct opt_out *ret) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT list, at, how FROM opt_out WHERE address_hash = ? AND list >= ? ORDER BY list LIMIT 1",
                     &row, "bi", view_of_hash(hash), (int64_t)from);
    return read_row(r, row, ret);
}

int opt_out_find(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], uint32_t list, struct opt_out *ret) {
    struct row *row = NULL;
    int r = db_query(
        db,
        "SELECT list, at, how FROM opt_out WHERE address_hash = ? AND (+list = 0 OR +list = ?) ORDER BY list LIMIT 1",
        &row, "bi", view_of_hash(hash), (int64_t)list);
    return read_row(r, row, ret);
}

int opt_out_get(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], uint32_t list, struct opt_out *ret) {
    struct opt_out found;
    int r = opt_out_next(db, hash, list, &found);
    if (r <= 0 || found.list != list)
        return r < 0 ? r : 0;
    *ret = found;
    return 1;
}

int opt_out_forget(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], uint32_t list, bool *ret_was) {
    int64_t changed = 0;
    int r = db_run(db, "DELETE FROM opt_out WHERE address_hash = ? AND list = ?", &changed, "bi", view_of_hash(hash),
                   (int64_t)list);
    *ret_was = changed > 0;
    return r;
}

int opt_out_forget_all(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], bool *ret_any) {
    int64_t changed = 0;
    int r = db_run(db, "DELETE FROM opt_out WHERE address_hash = ?", &changed, "b", view_of_hash(hash));
    *ret_any = changed > 0;
    return r;
}

int opt_out_any(struct db *db) {
    int64_t found;
    return db_get_int(db, "SELECT 1 FROM opt_out LIMIT 1", &found, "");
}
