#include "store/followed.h"

#include <errno.h>
#include <string.h>

#include "store/db.h"

#include "base/banned.h"

static bool take_digest(struct view v, uint8_t ret[FOLLOWED_DIGEST_BYTES]) {
    if (v.len != FOLLOWED_DIGEST_BYTES)
        return false;
    memcpy(ret, v.ptr, v.len);
    return true;
}

int followed_get(struct db *db, uint32_t list, struct arena *arena, struct followed *ret) {
    struct row *row = NULL;
    *ret = (struct followed){.why = ""};
    int r = db_query(db,
                     "SELECT digest, waiting, at, would_remove, members, why, coalesce(accepted = waiting, 0) FROM "
                     "followed WHERE list = ?",
                     &row, "i", (int64_t)list);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    ret->has_digest = take_digest(row_view(row, 0), ret->digest);
    ret->waits = take_digest(row_view(row, 1), ret->waiting);
    ret->at_usec = row_int(row, 2);
    ret->would_remove = row_uint(row, 3);
    ret->members = row_uint(row, 4);
    ret->why = arena_strdup(arena, row_text(row, 5));
    ret->accepted = row_int(row, 6);
    db_end(row);
    return ret->why ? 0 : -ENOMEM;
}

static struct view digest_view(const uint8_t digest[FOLLOWED_DIGEST_BYTES]) {
    return view_make(digest, FOLLOWED_DIGEST_BYTES);
}

int followed_taken(struct db *db, uint32_t list, const uint8_t digest[FOLLOWED_DIGEST_BYTES], int64_t now_usec) {
    return db_run(db, "INSERT OR REPLACE INTO followed (list, digest, at) VALUES (?, ?, ?)", NULL, "ibi", (int64_t)list,
                  digest_view(digest), now_usec);
}

int followed_waits(struct db *db, uint32_t list, const uint8_t digest[FOLLOWED_DIGEST_BYTES], uint64_t would_remove,
                   uint64_t members, bool *ret_new) {
    int64_t known = 0;
    int r = db_get_int(db, "SELECT 1 FROM followed WHERE list = ? AND waiting = ?", &known, "ib", (int64_t)list,
                       digest_view(digest));
    if (r < 0)
        return r;
    *ret_new = r == 0;
    return db_run(db,
                  "INSERT INTO followed (list, waiting, would_remove, members) VALUES (?, ?, ?, ?) ON CONFLICT DO "
                  "UPDATE SET waiting = excluded.waiting, would_remove = excluded.would_remove, members = "
                  "excluded.members, accepted = NULL, why = ''",
                  NULL, "ibuu", (int64_t)list, digest_view(digest), would_remove, members);
}

int followed_wrong(struct db *db, uint32_t list, const char *why, bool *ret_new) {
    int64_t known = 0;
    int r = db_get_int(db, "SELECT 1 FROM followed WHERE list = ? AND why = ?", &known, "it", (int64_t)list, why);
    if (r < 0)
        return r;
    *ret_new = r == 0 && why[0];
    return db_run(
        db,
        "INSERT INTO followed (list, why) VALUES (?, ?) ON CONFLICT DO UPDATE SET why = excluded.why, waiting "
        "= NULL, accepted = NULL",
        NULL, "it", (int64_t)list, why);
}

int followed_accept(struct db *db, uint32_t list) {
    int64_t changed = 0;
    int r = db_run(db, "UPDATE followed SET accepted = waiting WHERE list = ? AND waiting IS NOT NULL", &changed, "i",
                   (int64_t)list);
    return r < 0 ? r : changed > 0;
}
