#include "store/tally.h"

#include "store/db.h"
#include "store/delivery.h"

_Static_assert(TALLY_COUNTERS == DELIVERY_LEFT_OUT + 1, "a counter for each state");

void tally_clear(struct tally *t) {
    *t = (struct tally){0};
}

int tally_flush(struct db *db) {
    struct tally *t = db_tally(db);
    if (!t->announcement)
        return 0;
    struct tally now = *t;
    tally_clear(t);
    const int64_t *d = now.delta;
    int64_t all = 0;
    for (int i = 0; i < TALLY_COUNTERS; i++)
        all += d[i];
    return db_run(db,
                  "UPDATE announcement SET total = total + ?, pending = pending + ?, delivered = delivered + ?, "
                  "deferred = deferred + ?, refused = refused + ?, in_doubt = in_doubt + ?, left_out = left_out + ? "
                  "WHERE id = ?",
                  NULL, "iiiiiiii", all, d[DELIVERY_PENDING] + d[DELIVERY_CLAIMED], d[DELIVERY_DELIVERED],
                  d[DELIVERY_DEFERRED], d[DELIVERY_REFUSED], d[DELIVERY_IN_DOUBT], d[DELIVERY_LEFT_OUT],
                  now.announcement);
}

static int select_announcement(struct db *db, int64_t announcement) {
    struct tally *t = db_tally(db);
    int r = t->announcement == announcement ? 0 : tally_flush(db);
    t->announcement = announcement;
    return r;
}

int tally_move(struct db *db, int64_t announcement, int from, int to, int64_t count) {
    int r = select_announcement(db, announcement);
    struct tally *t = db_tally(db);
    if (from >= 0)
        t->delta[from] -= count;
    t->delta[to] += count;
    return r < 0 || db_in_transaction(db) ? r : tally_flush(db);
}
