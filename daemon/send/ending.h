/* The end of an announcement: its row says so and the result is written to its coordinators in one transaction, so that
 * whatever is over has been told. The mail lists the first ENDING_SHOWN_MAX of those who did not get the announcement.
 * On the store's thread; the head of a job's own memory. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct conf;
struct db;

enum { ENDING_SHOWN_MAX = 50, ENDING_NAMES_MAX_BYTES = 64 * 1024 };

struct ending {
    struct conf *conf; /* referenced */
    int64_t cursor;
    unsigned shown;
    struct buf names;
};

/* Both on the loop. */
void ending_init(struct ending *e, struct conf *conf);
void ending_done(struct ending *e);
/* For an announcement with nothing left to try: STORE_MORE while those who did not get it are looked for, then
 * STORE_DONE. Where the machine's trouble keeps the mail from being written, the announcement is not over either. */
int ending_step(struct ending *e, struct db *db, int64_t announcement, int64_t now_usec);
