/* Jobs of dispatch on the store's thread, counted, so that a stop knows when the last one is done. */
#pragma once
#include <stdint.h>

#include "store/store.h"

struct work;

/* One for all of dispatch. */
struct works {
    struct store *store;
    unsigned under_way;
    void (*on_done)(void *user); /* after each */
    void *user;
};

/* The head of a job's own struct, which comes from the heap. */
struct work {
    struct store_job job; /* first */
    struct works *works;
    int64_t announcement; /* for the log; 0: none */
    /* On the loop; frees the work. result is 0 or the job's errno, which was logged. */
    void (*done)(struct work *w, int result);
};

void work_submit(struct works *works, struct work *w, enum store_lane lane,
                 int (*step)(struct store_job *job, struct db *db), void (*done)(struct work *w, int result));
