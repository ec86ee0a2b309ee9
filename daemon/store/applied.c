#include "store/applied.h"

#include <stdio.h>

#include "store/db.h"
#include "store/store.h"

#include "base/banned.h"

enum { PAGE = 500 };

int applied_seen(struct db *db, const uint8_t id[16]) {
    int64_t found;
    return db_get_int(db, "SELECT 1 FROM request WHERE id = ?", &found, "b", view_make(id, 16));
}

int applied_get(struct db *db, const uint8_t id[16], struct applied *ret) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT at, result FROM request WHERE id = ?", &row, "b", view_make(id, 16));
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    ret->at_usec = row_int(row, 0);
    (void)snprintf(ret->result, sizeof ret->result, "%s", row_text(row, 1)); /* as the header says */
    db_end(row);
    return 1;
}

int applied_say(struct db *db, const uint8_t id[16], const char *result) {
    return db_run(db, "UPDATE request SET result = ? WHERE id = ?", NULL, "tb", result, view_make(id, 16));
}

int applied_keep(struct db *db, const uint8_t id[16], int64_t at_usec, const char *result) {
    return db_run(db, "INSERT INTO request VALUES (?, ?, ?)", NULL, "bit", view_make(id, 16), at_usec, result);
}

int applied_purge(struct db *db, int64_t before_usec) {
    return db_run_pages(db, "DELETE FROM request WHERE id IN (SELECT id FROM request WHERE at < ? LIMIT ?)", PAGE, NULL,
                        "id", before_usec, PAGE);
}
