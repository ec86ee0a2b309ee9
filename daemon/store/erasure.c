#include "store/erasure.h"

#include "base/clock.h"
#include "base/number.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/forget.h"
#include "store/notice.h"
#include "store/opt_out.h"
#include "store/returned.h"
#include "store/sign_up.h"
#include <errno.h>

#include "base/banned.h"

/* --- A person ------------------------------------------------------------------------------------------------ */

/* An entry that says only that somebody left, how, and on which day: opt-outs are counted. */
static int nameless_opt_outs(struct db *db, int64_t subscriber) {
    return db_run(
        db,
        "UPDATE consent SET subscriber = 0, at = at - at % ?, origin = '', basis = '', evidence = '', request "
        "= NULL WHERE subscriber = ? AND what = 'left'",
        NULL, "ii", USEC_PER_DAY, subscriber);
}

int erasure_person(struct db *db, int64_t subscriber) {
    int r = delivery_is_claimed(db, subscriber);
    if (r != 0)
        return r < 0 ? r : -EBUSY;
    r = db_run(db,
               "UPDATE delivery SET text = '' WHERE announcement IN (SELECT id FROM announcement) AND subscriber = ? "
               "AND state <> 6 AND text <> ''",
               NULL, "i", subscriber);
    if (r == 0)
        r = nameless_opt_outs(db, subscriber);
    if (r == 0)
        r = returned_erase(db, subscriber);
    if (r == 0)
        r = db_run(db, "DELETE FROM sign_up WHERE subscriber = ?1 AND subscriber <> 0", NULL, "i", subscriber);
    if (r == 0)
        r = db_run(db, "DELETE FROM consent WHERE subscriber = ?", NULL, "i", subscriber);
    if (r == 0)
        r = db_run(db,
                   "WITH RECURSIVE l (list) AS (SELECT min(list) FROM subscription UNION ALL SELECT (SELECT min(list) "
                   "FROM subscription WHERE list > l.list) FROM l WHERE l.list IS NOT NULL) DELETE FROM subscription "
                   "WHERE list IN (SELECT list FROM l) AND subscriber = ?",
                   NULL, "i", subscriber);
    if (r == 0)
        r = db_run(db, "DELETE FROM import_change WHERE import IN (SELECT id FROM import) AND subscriber = ?", NULL,
                   "i", subscriber);
    if (r == 0)
        r = db_run(db, "DELETE FROM subscriber WHERE id = ?", NULL, "i", subscriber);
    if (r == 0)
        db_scrub(db);
    return r;
}

/* --- An address ---------------------------------------------------------------------------------------------- */

/* Of all notices the next one to the address: its id, or 0. They are few, and end with [retention] notices. */
static int next_notice(struct db *db, const char *address_key, int64_t *after, bool *ret_claimed) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT id, recipient, state = 1 FROM notice WHERE id > ? ORDER BY id", &row, "i", *after);
    while (r >= 0 && (r = db_next(row)) == 1)
        if (notice_is_to(row_text(row, 1), address_key)) {
            *after = row_int(row, 0);
            *ret_claimed = row_int(row, 2);
            db_end(row);
            return 1;
        }
    return r;
}

static int remove_notices(struct db *db, const char *address_key, bool *ret_any) {
    int64_t id = 0;
    bool claimed = false;
    int r;
    while ((r = next_notice(db, address_key, &id, &claimed)) == 1) {
        if (claimed)
            return -EBUSY;
        r = db_run(db, "DELETE FROM notice WHERE id = ?", NULL, "i", id);
        if (r < 0)
            return r;
        *ret_any = true;
    }
    return r;
}

int erasure_address(struct db *db, const char *address_key, bool *ret_any) {
    int64_t changed = 0, id = 0;
    *ret_any = false;
    int r = db_get_int(db, "SELECT id FROM subscriber WHERE address_key = ?", &id, "t", address_key);
    if (r == 1) {
        r = erasure_person(db, id);
        *ret_any = true;
    }
    if (r == 0)
        r = sign_up_remove(db, address_key, ret_any);
    if (r == 0)
        r = db_run(db, "DELETE FROM suppression WHERE address_key = ?", &changed, "t", address_key);
    *ret_any |= changed > 0;
    if (r == 0)
        r = remove_notices(db, address_key, ret_any);
    if (r == 0)
        db_scrub(db);
    return r;
}

/* --- Marks --------------------------------------------------------------------------------------------------- */

int erasure_mark(struct db *db, const uint8_t hash[ERASURE_HASH_BYTES], int64_t subscriber,
                 const struct erasure *erasure) {
    bool any;
    int r = db_run(db, "INSERT OR REPLACE INTO erased VALUES (?, ?, ?, ?)", NULL, "bitt",
                   view_make(hash, ERASURE_HASH_BYTES), erasure->at_usec, erasure->by, erasure->reason);
    if (r == 0)
        r = opt_out_forget_all(db, hash, &any);
    return r < 0 ? r : forget_add(db, hash, subscriber, clock_now_usec());
}

int erasure_forget(struct db *db, const uint8_t hash[ERASURE_HASH_BYTES]) {
    return db_run(db, "DELETE FROM erased WHERE address_hash = ?", NULL, "b", view_make(hash, ERASURE_HASH_BYTES));
}

int erasure_get(struct db *db, const uint8_t hash[ERASURE_HASH_BYTES], struct arena *arena, struct erasure *ret) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT at, by, reason FROM erased WHERE address_hash = ?", &row, "b",
                     view_make(hash, ERASURE_HASH_BYTES));
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    ret->at_usec = row_int(row, 0);
    ret->by = arena_strdup(arena, row_text(row, 1));
    ret->reason = arena_strdup(arena, row_text(row, 2));
    db_end(row);
    return arena_failed(arena) ? -ENOMEM : 1;
}

int erasure_any(struct db *db) {
    int64_t found;
    return db_get_int(db, "SELECT 1 FROM erased LIMIT 1", &found, "");
}
