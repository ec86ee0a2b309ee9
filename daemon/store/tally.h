/* The counters of announcements, and of each of their lists (announcement_list), gathered while a job runs and written once: db_release() and db_commit() write them,
 * db_rollback_to() and db_rollback() forget them. Whoever reads counters inside a transaction calls tally_flush()
 * first. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;

/* One for each of the counters, in the order of enum delivery_state; claimed ones count as pending. */
enum { TALLY_COUNTERS = 7 };
enum { TALLY_LISTS_MAX = 32 };
struct tally {
    int64_t announcement; /* 0: nothing gathered */
    struct tally_list {
        uint32_t list;
        int64_t delta[TALLY_COUNTERS];
    } lists[TALLY_LISTS_MAX];
    size_t list_count;
};

/* count deliveries of a list through which people are reached went from one state to another; from below 0: they are new
 * (the total grows). */
int tally_move(struct db *db, int64_t announcement, uint32_t list, int from, int to, int64_t count);
int tally_flush(struct db *db);
void tally_clear(struct tally *t);
