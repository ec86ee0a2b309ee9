/* The counters of announcements, gathered while a job runs and written once: db_release() and db_commit() write them,
 * db_rollback_to() and db_rollback() forget them. Whoever reads counters inside a transaction calls tally_flush()
 * first. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct db;

/* One for each of the counters, in the order of enum delivery_state; claimed ones count as pending. */
enum { TALLY_COUNTERS = 7 };
struct tally {
    int64_t announcement; /* 0: nothing gathered */
    int64_t delta[TALLY_COUNTERS];
};

/* count deliveries went from one state to another; from below 0: they are new (the total grows). */
int tally_move(struct db *db, int64_t announcement, int from, int to, int64_t count);
int tally_flush(struct db *db);
void tally_clear(struct tally *t);
