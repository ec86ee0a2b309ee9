#include "store/relay_usage.h"

#include "base/number.h"
#include "store/db.h"

int relay_usage_add(struct db *db, const char *relay, int64_t hour, int64_t messages) {
    return db_run(
        db,
        "INSERT INTO relay_usage VALUES (?, ?, max(0, ?3)) ON CONFLICT (relay, hour) DO UPDATE SET messages = "
        "max(0, messages + ?3)",
        NULL, "tii", relay, hour, messages);
}

int relay_usage_shift(struct db *db, int64_t hours, int64_t now_usec) {
    int64_t from = now_usec / USEC_PER_HOUR - hours - 26;
    /* In two steps, so that no two rows meet on the way. */
    int r = db_run(db, "UPDATE relay_usage SET hour = -(hour + ?) WHERE hour >= ?", NULL, "ii", hours, from);
    if (r == 0)
        r = db_run(db,
                   "INSERT INTO relay_usage SELECT relay, -hour, messages FROM relay_usage WHERE hour < 0 "
                   "ON CONFLICT (relay, hour) DO UPDATE SET messages = messages + excluded.messages",
                   NULL, "");
    return r < 0 ? r : db_run(db, "DELETE FROM relay_usage WHERE hour < 0", NULL, "");
}

int relay_usage_gather(struct db *db, int64_t now_usec) {
    int64_t latest = now_usec / USEC_PER_HOUR + 1;
    int r = db_run(db,
                   "INSERT INTO relay_usage SELECT relay, ?1, sum(messages) FROM relay_usage WHERE hour > ?1 GROUP BY "
                   "relay ON CONFLICT (relay, hour) DO UPDATE SET messages = messages + excluded.messages",
                   NULL, "i", latest);
    return r < 0 ? r : db_run(db, "DELETE FROM relay_usage WHERE hour > ?", NULL, "i", latest);
}

int relay_usage_hours(struct db *db, const char *relay, int64_t now_usec, relay_usage_on_hour *on_hour, void *user) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT hour, messages FROM relay_usage WHERE relay = ? AND hour >= ?", &row, "ti", relay,
                     now_usec / USEC_PER_HOUR - 24);
    if (r < 0)
        return r;
    while ((r = db_next(row)) == 1)
        on_hour(user, row_int(row, 0), row_uint(row, 1));
    return r;
}

int relay_usage_day(struct db *db, const char *relay, int64_t now_usec, uint64_t *ret_messages) {
    int64_t sum = 0;
    int r = db_get_int(db, "SELECT coalesce(sum(messages), 0) FROM relay_usage WHERE relay = ? AND hour > ?", &sum,
                       "ti", relay, now_usec / USEC_PER_HOUR - 24);
    if (r < 0)
        return r;
    *ret_messages = (uint64_t)sum;
    return 0;
}
