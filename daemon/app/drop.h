/* One look at all drop folders, and at most one group of files taken in or rejected: a job on the store's thread.
 *
 * STATES  look -> (nothing is ready)
 *         look -> read -> admit -> clean     taken: the bundle is durable before the sources are unlinked
 *         look -> read -> reject; admit -> reject; look -> reject (what belongs to no announcement for an hour)
 *
 * A file may name other lists beside its folder's, where the folder's group may use them.
 *
 * A group is ready when nothing in its list's folder has changed for DROP_QUIET_SECONDS. What fails for reasons that
 * are not the coordinator's stays where it is. */
#pragma once
#include <limits.h>
#include <time.h>

#include "announce/admit.h"
#include "base/buf.h"

enum { DROP_QUIET_SECONDS = 10, DROP_AGAIN_SECONDS = 60, DROP_TROUBLE_SECONDS = 10 /* of disk, memory, descriptors */ };

struct drop {
    struct admit admit; /* first; set admit.job.done */
    /* Paths (relative to the spool) that are not to be tried now; on the store's thread. */
    bool (*leaves_out)(void *user, const char *path);
    void *user;
    /* out */
    char path[PATH_MAX]; /* of the first file or folder, relative to the spool; "" where nothing was ready */
    char list[64];
    bool taken;
    time_t wait_seconds; /* until something may be ready; 0: nothing waits */
    /* its own */
    int (*admit_step)(struct store_job *, struct db *);
    int phase;
    bool is_folder, is_orphan;
    time_t newest; /* change in the list's folder, when it was looked at */
    char **names;  /* translations beside a first file that could not be read */
    size_t name_count;
    struct buf reason;
};

/* NULL when memory runs out. conf is referenced, the others are borrowed. */
struct drop *drop_new(struct conf *conf, struct spool *spool, const struct keyring *keys);
struct drop *drop_free(struct drop *d); /* NULL is fine */
