/* Requests applied: what the doors accepted takes effect, once for each record, in the order of the files' names.
 *
 * A job on the store's thread. Each token is verified again. A file's records are committed with their ids before the
 * file moves to applied/, so that a file that comes twice, or a run that was cut off, acts once. Malformed files move
 * to rejected/ with a .why. One that can neither be read nor moved away is said in the log and holds up no other.
 *
 * leave  the token's list, and the list through which that announcement reached the person; idempotent
 * undo   of a leave at most an hour old (both by the records' own times)
 * Records of the future count as made now. A valid token of a list that is gone is accepted.
 *
 * applied/ keeps 90 days, which a restore replays; what a door left half-written for a day is removed. Looking for
 * both takes as long as applied/ is full: once a day will do. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

struct keyring;
struct spool;

#define REQUESTS_UNDO_USEC (INT64_C(3600) * 1000000)
#define REQUESTS_KEEP_USEC (INT64_C(90) * 24 * 3600 * 1000000)
enum { REQUESTS_BATCH = 256 };

struct requests {
    struct store_job job; /* job.done by the caller; job.step by requests_init() */
    struct spool *spool;
    const struct keyring *keys;
    bool purge; /* remove what is old, too */
    /* out */
    uint64_t applied, refused, files, rejected, skipped;
    int trouble; /* 0, or why a file was skipped that the disk did not give: to be tried again */
    /* its own */
    int phase;
    unsigned door; /* whose folder is being read */
    char **names;  /* of its files, in order; NULL: not listed yet */
    size_t name_count, next;
    unsigned record, skip;       /* of the file that is read; how many of its records were applied before */
    int failure;                 /* of the store, in the midst of a file */
    char *batch[REQUESTS_BATCH]; /* paths relative to the spool: their records are in this transaction */
    unsigned count;
    void *old; /* applied/, being read */
    struct db *db;
};

/* Set spool, keys and job.done on a zeroed struct first. Free it in done after requests_done(). */
void requests_init(struct requests *r);
void requests_done(struct requests *r);
