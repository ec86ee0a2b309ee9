#include "store/series.h"

#include <errno.h>

#include "store/announcement.h"
#include "store/db.h"

#include "base/banned.h"

#define COLUMNS "announcement, repeat, start, end, zone, base, next, before_days, due, told"

/* Not while it is paused. */
#define RECURS "EXISTS (SELECT 1 FROM announcement a WHERE a.id = series.announcement AND a.state = 9)"

int series_insert(struct db *db, const struct series_row *row) {
    return db_run(db, "INSERT INTO series (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '')", NULL, "ittttttdi",
                  row->announcement, row->repeat, row->start, row->end, row->zone, row->base, row->next,
                  row->before_days, row->due_usec);
}

static void read_row(const struct row *row, struct series_row *ret) {
    *ret = (struct series_row){.announcement = row_int(row, 0),
                               .repeat = row_text(row, 1),
                               .start = row_text(row, 2),
                               .end = row_text(row, 3),
                               .zone = row_text(row, 4),
                               .base = row_text(row, 5),
                               .next = row_text(row, 6),
                               .before_days = (int)row_int(row, 7),
                               .due_usec = row_int(row, 8),
                               .told = row_text(row, 9)};
}

/* The first row of a query that is ready. */
static int take_row(struct row *row, struct arena *arena, struct series_row *ret) {
    int r = db_next(row);
    if (r <= 0)
        return r;
    read_row(row, ret);
    const char **strings[] = {&ret->repeat, &ret->start, &ret->end, &ret->zone, &ret->base, &ret->next, &ret->told};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        *strings[i] = arena_strdup(arena, *strings[i]);
    db_end(row);
    return arena_failed(arena) ? -ENOMEM : 1;
}

int series_get(struct db *db, int64_t announcement, struct arena *arena, struct series_row *ret) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT " COLUMNS " FROM series WHERE announcement = ?", &row, "i", announcement);
    return r < 0 ? r : take_row(row, arena, ret);
}

int series_due(struct db *db, int64_t now_usec, struct arena *arena, struct series_row *ret) {
    struct row *row = NULL;
    int r =
        db_query(db, "SELECT " COLUMNS " FROM series WHERE due > 0 AND due <= ? AND " RECURS " ORDER BY due LIMIT 1",
                 &row, "i", now_usec);
    return r < 0 ? r : take_row(row, arena, ret);
}

int series_next_due(struct db *db, int64_t *ret_usec) {
    *ret_usec = 0;
    int r = db_get_int(db,
                       "SELECT coalesce(min(at), 0) FROM (SELECT min(due) AS at FROM series WHERE due > 0 AND " RECURS
                       " UNION ALL "
                       "SELECT min(event_end) FROM announcement WHERE series <> 0 AND state = 2 AND event_end > 0)",
                       ret_usec, "");
    return r < 0 ? r : 0;
}

int series_move_on(struct db *db, int64_t announcement, const char *next, int64_t due_usec, int64_t now_usec) {
    int64_t changed = 0;
    int r = db_run(db, "UPDATE series SET next = ?, due = ?, told = '' WHERE announcement = ?", &changed, "tii", next,
                   due_usec, announcement);
    if (r == 0 && !changed)
        return -ESTALE;
    if (r < 0 || next[0])
        return r;
    r = db_run(db, "DELETE FROM series WHERE announcement = ?", NULL, "i", announcement);
    return r < 0 ? r
                 : db_run(db, "UPDATE announcement SET state = 7, finished = ? WHERE id = ? AND state = 9", NULL, "ii",
                          now_usec, announcement);
}

int series_postpone(struct db *db, int64_t announcement, int64_t due_usec, const char *told) {
    return db_run(db, "UPDATE series SET due = ?, told = ? WHERE announcement = ?", NULL, "iti", due_usec, told,
                  announcement);
}

int series_last_made(struct db *db, int64_t announcement, struct arena *arena, const char **ret) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT max(occurrence) FROM announcement WHERE series = ? AND state <> 1 AND "
                     "NOT " ANNOUNCEMENT_NOT_BEGUN " AND why <> 'replaced'",
                     &row, "i", announcement);
    if (r < 0 || (r = db_next(row)) <= 0) {
        *ret = "";
        return r;
    }
    *ret = arena_strdup(arena, row_text(row, 0));
    db_end(row);
    return *ret ? 0 : -ENOMEM;
}

int series_stopped(struct db *db, int64_t announcement, int64_t at_usec, int64_t *ret_stopped, int64_t going_on[],
                   size_t max, size_t *ret_count) {
    struct row *row = NULL;
    *ret_stopped = 0;
    *ret_count = 0;
    int r = db_get_int(db, "SELECT count(*) FROM announcement WHERE series = ? AND state = 8 AND finished = ?",
                       ret_stopped, "ii", announcement, at_usec);
    if (r >= 0)
        r = db_query(db, "SELECT id FROM announcement WHERE series = ? AND state IN (4, 5, 6) ORDER BY id LIMIT ?",
                     &row, "ii", announcement, (int64_t)max);
    while (r == 0 && (r = db_next(row)) == 1) {
        going_on[(*ret_count)++] = row_int(row, 0);
        r = 0;
    }
    return r;
}

int series_next_expired(struct db *db, int64_t now_usec, int64_t *ret_id) {
    return db_get_int(db,
                      "SELECT id FROM announcement WHERE series <> 0 AND state = 2 AND event_end > 0 AND event_end <= "
                      "? LIMIT 1",
                      ret_id, "i", now_usec);
}

int series_each(struct db *db, series_on_row *on_row, void *user) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT " COLUMNS " FROM series ORDER BY announcement", &row, "");
    if (r < 0)
        return r;
    while ((r = db_next(row)) == 1) {
        struct series_row one;
        read_row(row, &one);
        if ((r = on_row(user, &one)) != 0) {
            db_end(row);
            return r;
        }
    }
    return r;
}
