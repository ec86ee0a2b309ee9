#include "store/forget.h"

#include "store/db.h"
#include "store/store.h"

#include "base/banned.h"

enum { PAGE = 500 };

static struct view of_hash(const uint8_t hash[FORGET_HASH_BYTES]) {
    return view_make(hash, FORGET_HASH_BYTES);
}

int forget_add(struct db *db, const uint8_t address_hash[FORGET_HASH_BYTES], int64_t subscriber, int64_t at_usec) {
    int r = db_run(db, "INSERT INTO forgetting (address_hash, subscriber, at) VALUES (?, ?, ?)", NULL, "bii",
                   of_hash(address_hash), subscriber, at_usec);
    if (r == 0 && subscriber)
        r = db_run(db,
                   "INSERT INTO forgetting (address_hash, subscriber, at) SELECT address_hash, subscriber, ?2 FROM "
                   "former_address WHERE subscriber = ?1",
                   NULL, "ii", subscriber, at_usec);
    return r == 0 && subscriber ? db_run(db, "DELETE FROM former_address WHERE subscriber = ?", NULL, "i", subscriber)
                                : r;
}

int forget_last(struct db *db, int64_t *ret_upto) {
    return db_get_int(db, "SELECT id FROM forgetting ORDER BY id DESC LIMIT 1", ret_upto, "");
}

int forget_address(struct db *db, int64_t upto, const uint8_t address_hash[FORGET_HASH_BYTES], int64_t applied_usec) {
    int64_t found;
    return db_get_int(db, "SELECT 1 FROM forgetting WHERE address_hash = ? AND id <= ? AND at >= ? LIMIT 1", &found,
                      "bii", of_hash(address_hash), upto, applied_usec);
}

int forget_subscriber(struct db *db, int64_t upto, int64_t subscriber, int64_t applied_usec) {
    int64_t found;
    return db_get_int(db, "SELECT 1 FROM forgetting WHERE subscriber = ? AND id <= ? AND at >= ? LIMIT 1", &found,
                      "iii", subscriber, upto, applied_usec);
}

int forget_done(struct db *db, int64_t upto) {
    return db_run(db, "DELETE FROM forgetting WHERE id <= ?", NULL, "i", upto);
}

int former_address_keep(struct db *db, int64_t subscriber, const uint8_t address_hash[FORGET_HASH_BYTES],
                        int64_t at_usec) {
    return db_run(db, "INSERT OR REPLACE INTO former_address VALUES (?, ?, ?)", NULL, "ibi", subscriber,
                  of_hash(address_hash), at_usec);
}

int former_address_purge(struct db *db, int64_t before_usec) {
    return db_run_pages(db,
                        "DELETE FROM former_address WHERE (subscriber, address_hash) IN (SELECT subscriber, "
                        "address_hash FROM former_address WHERE at < ? LIMIT ?)",
                        PAGE, NULL, "id", before_usec, PAGE);
}
