/* The store: one SQLite database, one connection, one thread.
 *
 * Everyone else hands it jobs. A job's step runs on the store's thread inside a transaction that it shares with the
 * other jobs of that moment (group commit); its done runs on the loop after that transaction is durable. Lanes: URGENT
 * steps (claims, outcomes, requests) all run in each transaction, in the order submitted; of the other lanes one slice
 * runs in each, NORMAL before BULK, fairly within a lane. A step of NORMAL or BULK returns STORE_MORE when
 * store_slice_over() says so: soon enough that none holds the store for more than 20 ms.
 *
 * Where the disk is full or failing, nothing of the transaction happened: URGENT jobs stay queued and are tried again
 * (their steps must be repeatable: they change nothing but the database and their own result fields), others end with
 * the error. store_trouble() tells meanwhile.
 *
 * The thread does file work too (compiling, spool files), in the same jobs. What takes much processor time and neither
 * database nor spool goes aside: to a second thread, which is started with the first such job. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"

struct db; /* store/db.h: what steps work with */
struct store;

enum store_lane { STORE_URGENT, STORE_NORMAL, STORE_BULK };
enum { STORE_DONE = 0, STORE_MORE = 1 };

struct store_job {
    enum store_lane lane;
    /* STORE_DONE, STORE_MORE, or a negative errno: then what this job changed in this transaction is undone. Where memory
     * failed in it (base/memory.h) that is -ENOMEM, whatever the step says. */
    int (*step)(struct store_job *job, struct db *db);
    /* On the loop; result is 0 or the errno. Owns the job from then on. May be NULL. */
    void (*done)(struct store_job *job, int result);
    struct why why;            /* for whoever fails */
    struct store_chain *chain; /* NULL for none */
    bool apart;                /* of NORMAL and BULK: the step runs outside of any transaction (db_copy_step()) */
    bool aside;             /* the step runs beside all others, with no db (NULL), one after the other; no STORE_MORE */
    struct store_job *next; /* the store's own, once submitted */
    /* the store's own */
    int result;
};

/* Jobs that mean something together only, such as the pieces of one import: the done of one that ended well may come
 * before its transaction is durable, so that many of them share one while nobody else waits (STORE_CHAIN_USEC at most).
 * Whoever has to be sure ends the chain with a job that has none: with its done, all are durable. failure: for steps,
 * set where the transaction of an earlier one came to nothing. Must live as long as that. */
#define STORE_CHAIN_USEC (500 * INT64_C(1000))
struct store_chain {
    int failure;
};

/* How long the store was held, since it was opened: by one step (the longest; and of processor time), and by one commit,
 * which is the disk's. */
struct store_times {
    int64_t step_usec, step_cpu_usec, commit_usec;
    uint64_t commits;
};

/* Called on the store's thread to wake the loop; the loop then calls store_dispatch(). */
typedef void store_wake(void *user);

/* Keeps every other daemon, and a restore, out of a state folder until the descriptor that it returns is closed. -EBUSY
 * where another process has it. */
int store_lock(const char *state_dir, struct why *why);
/* Opens or creates STATE_DIR/store.db, keeps a copy (store/kept.h) and runs migrations where it is older, starts the
 * thread. -EPROTONOSUPPORT for a newer version, -EBUSY
 * where another process has it. */
int store_open(const char *state_dir, store_wake *wake, void *user, struct why *why, struct store **ret);
/* Runs what is queued (no new jobs), closes, ends the thread; done callbacks are run too. NULL is fine. */
struct store *store_close(struct store *s);
/* From the loop only. Never fails, never waits. */
void store_submit(struct store *s, struct store_job *job);
/* The same of several in this order, linked by next; the thread sees all of them at once. NULL is fine. */
void store_submit_all(struct store *s, struct store_job *first);
/* Runs the done callbacks of finished jobs. On the loop. */
void store_dispatch(struct store *s);
/* 0, or the errno for which commits fail just now (-ENOSPC, -EIO). Any thread. */
int store_trouble(const struct store *s);
/* The words for such an errno, or for a failed job's. Static, or until the thread's next call. */
const char *store_reason(int error);
/* Any thread. */
void store_times(struct store *s, struct store_times *ret);
/* Jobs not yet done. On the loop. */
unsigned store_pending(const struct store *s);

/* For steps: whether the slice is used up. */
bool store_slice_over(const struct db *db);
