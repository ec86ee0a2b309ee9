/* Announcements that recur: their dates to come. The announcement itself is a row in state recurring (store/announcement.h),
 * its files are in its bundle; each date becomes an announcement of its own, which names the series and the date. A
 * series that was stopped, or has no date left, has no row here. On the store's thread. */
#pragma once
#include <stdint.h>

#include "base/arena.h"

struct db;

struct series_row {
    int64_t announcement;
    /* What announce/series.h reads: repeat as the draft has it, start and end of the first date, the event's zone. */
    const char *repeat, *start, *end, *zone;
    const char *base; /* dates up to this one were made by series that this one replaces, or "" */
    const char *next; /* the date that is made next; "" for none */
    int before_days;
    int64_t due_usec; /* when it is made; 0: never */
    const char *told; /* the date of which the coordinators know already that it could not be made, or "" */
};

int series_insert(struct db *db, const struct series_row *row);
/* 1 found, 0 not. Strings in the arena. */
int series_get(struct db *db, int64_t announcement, struct arena *arena, struct series_row *ret);
/* One whose date is to be made at that moment: 1, or 0 where none is. */
int series_due(struct db *db, int64_t now_usec, struct arena *arena, struct series_row *ret);
/* When something is to be done: a date made, or one taken back that nobody released while its event lasted. 0: never. */
int series_next_due(struct db *db, int64_t *ret_usec);
/* The next date and when it is made. Where there is none ("", 0) the series is done. -ESTALE where it is over. */
int series_move_on(struct db *db, int64_t announcement, const char *next, int64_t due_usec, int64_t now_usec);
/* Tried again later; told as in the row. */
int series_postpone(struct db *db, int64_t announcement, int64_t due_usec, const char *told);
/* The latest date of the series that was made and not taken back: "" where none was. In the arena. */
int series_last_made(struct db *db, int64_t announcement, struct arena *arena, const char **ret);
/* After it was stopped at that moment: how many of its dates were stopped with it, and up to max of those that had begun,
 * which go on or are paused. */
int series_stopped(struct db *db, int64_t announcement, int64_t at_usec, int64_t *ret_stopped, int64_t going_on[],
                   size_t max, size_t *ret_count);
/* A date that waits for its release although its event is over: 1 and its announcement. */
int series_next_expired(struct db *db, int64_t now_usec, int64_t *ret_id);
/* All of them, the oldest first; strings are the statement's. */
typedef int series_on_row(void *user, const struct series_row *row);
int series_each(struct db *db, series_on_row *on_row, void *user);
