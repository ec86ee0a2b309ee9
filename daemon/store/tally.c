#include "store/tally.h"

#include "store/db.h"
#include "store/delivery.h"

_Static_assert(TALLY_COUNTERS == DELIVERY_LEFT_OUT + 1, "a counter for each state");

void tally_clear(struct tally *t) {
    t->announcement = 0;
    t->list_count = 0;
}

static int flush_list(struct db *db, int64_t announcement, const struct tally_list *l) {
    const int64_t *d = l->delta;
    return db_run(db,
                  "UPDATE announcement_list SET pending = pending + ?, delivered = delivered + ?, "
                  "deferred = deferred + ?, refused = refused + ?, in_doubt = in_doubt + ?, left_out = left_out + ? "
                  "WHERE announcement = ? AND list = ?",
                  NULL, "iiiiiiii", d[DELIVERY_PENDING] + d[DELIVERY_CLAIMED], d[DELIVERY_DELIVERED],
                  d[DELIVERY_DEFERRED], d[DELIVERY_REFUSED], d[DELIVERY_IN_DOUBT], d[DELIVERY_LEFT_OUT], announcement,
                  (int64_t)l->list);
}

int tally_flush(struct db *db) {
    struct tally *t = db_tally(db);
    if (!t->announcement)
        return 0;
    int64_t announcement = t->announcement, d[TALLY_COUNTERS] = {0}, all = 0;
    size_t list_count = t->list_count;
    tally_clear(t);
    for (size_t l = 0; l < list_count; l++)
        for (int i = 0; i < TALLY_COUNTERS; i++) {
            d[i] += t->lists[l].delta[i];
            all += t->lists[l].delta[i];
        }
    int r = db_run(db,
                   "UPDATE announcement SET total = total + ?, pending = pending + ?, delivered = delivered + ?, "
                   "deferred = deferred + ?, refused = refused + ?, in_doubt = in_doubt + ?, left_out = left_out + ? "
                   "WHERE id = ?",
                   NULL, "iiiiiiii", all, d[DELIVERY_PENDING] + d[DELIVERY_CLAIMED], d[DELIVERY_DELIVERED],
                   d[DELIVERY_DEFERRED], d[DELIVERY_REFUSED], d[DELIVERY_IN_DOUBT], d[DELIVERY_LEFT_OUT], announcement);
    for (size_t l = 0; l < list_count && r == 0; l++)
        r = flush_list(db, announcement, &t->lists[l]);
    return r;
}

/* Where it is counted; what cannot be counted with the rest is written first. */
static int select_list(struct db *db, int64_t announcement, uint32_t list, struct tally_list **ret) {
    struct tally *t = db_tally(db);
    size_t i = 0;
    if (t->announcement == announcement)
        while (i < t->list_count && t->lists[i].list != list)
            i++;
    int r = t->announcement != announcement || i == TALLY_LISTS_MAX ? tally_flush(db) : 0;
    t->announcement = announcement;
    i = i < t->list_count ? i : t->list_count;
    if (i == t->list_count)
        t->lists[t->list_count++] = (struct tally_list){.list = list};
    *ret = &t->lists[i];
    return r;
}

int tally_move(struct db *db, int64_t announcement, uint32_t list, int from, int to, int64_t count) {
    struct tally_list *l = NULL;
    int r = select_list(db, announcement, list, &l);
    if (from >= 0)
        l->delta[from] -= count;
    l->delta[to] += count;
    return r < 0 || db_in_transaction(db) ? r : tally_flush(db);
}
