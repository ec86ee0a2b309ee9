/* Jobs of dispatch on the store's thread. Those of one turn of dispatch are handed over together, so that one commit
 * carries them; all are counted, so that a stop knows when the last one is done. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct work;

/* One for all of dispatch. Begin with store, on_done and user set. */
struct works {
    struct store *store;
    unsigned under_way;          /* submitted and not yet done */
    void (*on_done)(void *user); /* after each */
    void *user;
    bool gathering;            /* a turn is under way */
    struct work *first, *last; /* gathered in it */
};

/* The head of a job's own struct, whose memory is its owner's. */
struct work {
    struct store_job job; /* first */
    struct works *works;
    int64_t announcement; /* for the log; 0: none */
    /* On the loop; the works do not touch it any more. result is 0 or the job's errno, which was logged. */
    void (*done)(struct work *w, int result);
};

void work_submit(struct works *works, struct work *w, enum store_lane lane,
                 int (*step)(struct store_job *job, struct db *db), void (*done)(struct work *w, int result));
/* What is submitted from now on waits for works_hand_over(). */
void works_gather(struct works *works);
void works_hand_over(struct works *works);
