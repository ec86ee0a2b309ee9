/* Admission: takes an announcement into the daemon's care, as one job on the store's thread.
 *
 * STATES  what is in the store and the spool after each step, so that a start undoes what was cut off:
 *           nothing                                  nothing happened; the source is where it was
 *           row intake, with or without its bundle   undone: nobody was told that it was taken in, and what was dropped
 *           announcements/<id>/                      is still in its folder and comes in again
 *           row held, scheduled or recurring, bundle done; an earlier one of that name is stopped in the same
 *                                                    transaction. The dropped source is unlinked, then
 *                                                    announcement_source_gone(). A start that finds it before that says
 *                                                    -EALREADY
 *
 * With check_only nothing is kept: the problems and facts alone are wanted. */
#pragma once
#include <stdbool.h>

#include "announce/intake.h"
#include "store/reach.h"
#include "store/store.h"

struct conf;
struct keyring;
struct series_row;
struct spool;

/* Who queued what was found in a drop folder. */
#define ADMIT_BY_DROP "incoming"

struct admit {
    struct store_job job; /* job.step and job.lane are set by admit_init(); job.done by the caller */
    /* in */
    struct conf *conf; /* a reference, released by admit_done() */
    struct spool *spool;
    const struct keyring *keys;
    struct source source;  /* owned */
    const char *lists;     /* borrowed; names parted by commas; NULL: from the file */
    bool lists_are_folder; /* see intake.h */
    const char *by;        /* borrowed: who queued it */
    int64_t send_at_usec;
    bool check_only, hold, again;
    bool hold_by_lists; /* hold is as `release` of its lists says: one that holds holds it */
    /* One date of a recurring announcement, which is known to be in state recurring: its row, its date, and the UID of
     * its events. The row moves on in the transaction that makes the date count. NULL: no such thing. */
    const struct series_row *series;
    const struct occurrence_rule *rule;
    const struct when *occurrence;
    const char *series_uid;
    const char *test_recipient, *test_language; /* borrowed; with check_only: send it as a test; language NULL: all */
    /* Whether this list may be written to, on the store's thread: 1, 0, or why that cannot be seen. NULL: every list. */
    int (*allows_list)(void *user, const struct conf_list *list);
    void *user;
    /* out, on the loop after done */
    struct problems problems;
    struct intake_result result; /* valid where there were no errors */
    struct reach reach;
    int64_t id;       /* of the new announcement; with -EEXIST of the one that is the same */
    int64_t replaced; /* of the one it replaces, or 0 */
    /* its own */
    int phase;
    char *tmp_path;
    int failure; /* for which it is being undone */
};

/* Call after setting the inputs on a zeroed struct. Result codes of done: 0; -EINVAL (problems); -EEXIST (the same is
 * there); -EALREADY (this very source was taken in: it only has to go); -EAGAIN (somebody is at it); -EACCES (problems
 * say of which list); -ESTALE (the series is over). */
void admit_init(struct admit *a);
void admit_done(struct admit *a);

/* On the store's thread, or before it runs: admit_recover.c. */
/* At start: undoes what was cut off; puts bundles aside that have no row: the store is an older one than they. */
int admit_recover(struct db *db, struct spool *spool);
/* Takes back one in state intake, its bundle and its row. */
int admit_undo(struct spool *spool, struct db *db, int64_t id);
/* The bundle of an announcement that a restored store does not know goes to rejected/, with the reason. */
int admit_put_aside(struct spool *spool, int64_t id);
