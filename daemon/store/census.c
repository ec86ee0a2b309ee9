#include "store/census.h"

#include "store/db.h"

int census_sending_each(struct db *db, census_on_sending *on_list, void *user) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT l.list, sum(l.pending), sum(l.delivered), sum(l.deferred), sum(l.refused), "
                     "sum(l.in_doubt), sum(l.left_out), "
                     "min(a.started) FILTER (WHERE a.state IN (4, 5, 6) AND l.pending + l.deferred > 0) "
                     "FROM announcement a JOIN announcement_list l ON l.announcement = a.id WHERE a.state > 1 "
                     "GROUP BY l.list",
                     &row, "");
    if (r < 0)
        return r;
    while ((r = db_next(row)) == 1) {
        const struct census_sending s = {.list = (uint32_t)row_int(row, 0),
                                         .pending = row_uint(row, 1),
                                         .delivered = row_uint(row, 2),
                                         .deferred = row_uint(row, 3),
                                         .refused = row_uint(row, 4),
                                         .in_doubt = row_uint(row, 5),
                                         .left_out = row_uint(row, 6),
                                         .oldest_usec = row_int(row, 7)};
        on_list(user, &s);
    }
    return r;
}

int census_left_each(struct db *db, census_on_left *on_count, void *user) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT list, how, count(*) FROM consent WHERE what = 'left' GROUP BY list, how", &row, "");
    if (r < 0)
        return r;
    while ((r = db_next(row)) == 1)
        on_count(user, (uint32_t)row_int(row, 0), row_text(row, 1), row_uint(row, 2));
    return r;
}
