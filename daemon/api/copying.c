#include "api/copying.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/thread.h"
#include "net/loop.h"
#include "spool/spool.h"
#include "store/db.h"
#include "store/kept.h"
#include "store/store.h"

#include "base/banned.h"

/* STATES  copying --> reading --> done     whoever is at work when its owner goes frees it: the store's job, or the
 *            |           |                 thread. */
enum copying_state { COPYING_COPYING, COPYING_READING, COPYING_DONE };

struct copying {
    struct store_job job; /* first */
    enum copying_state state;
    char folder[PATH_MAX], file[PATH_MAX];
    struct db_copy *copy; /* the store's thread's */
    copying_on_done *on_done;
    void *user;
    struct loop_source *wake;
    pthread_mutex_t lock; /* guards what follows */
    bool abandoned, read;
    int result;
    struct why why;
};

static void destroy(struct copying *c) {
    if (c->folder[0])
        (void)files_remove_tree(AT_FDCWD, c->folder); /* else swept at the next start */
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

static bool is_abandoned(struct copying *c) {
    (void)pthread_mutex_lock(&c->lock); /* an ordinary mutex: locking cannot fail */
    bool abandoned = c->abandoned;
    (void)pthread_mutex_unlock(&c->lock);
    return abandoned;
}

static int step(struct store_job *job, struct db *db) {
    struct copying *c = (struct copying *)job;
    int r = is_abandoned(c) ? -ECANCELED : 0;
    if (r == 0 && !c->copy)
        r = db_copy_begin(db, c->file, &job->why, &c->copy);
    if (r == 0)
        r = db_copy_step(c->copy);
    if (r == 1)
        return STORE_MORE;
    c->copy = db_copy_end(c->copy);
    return r;
}

static void *read_through(void *user) {
    struct copying *c = user;
    struct why why = {0};
    int r = db_copy_check(c->file, &why);
    (void)pthread_mutex_lock(&c->lock);
    bool abandoned = c->abandoned;
    if (!abandoned) {
        c->result = r;
        c->why = why;
        c->read = true;
        loop_wake(c->wake);
    }
    (void)pthread_mutex_unlock(&c->lock);
    if (abandoned)
        destroy(c);
    return NULL;
}

static void finish(struct copying *c, int result) {
    if (result < 0 && !c->why.what[0])
        (void)why_set(&c->why, result, "the store could not be copied: %s", store_reason(result));
    c->state = COPYING_DONE;
    c->on_done(c->user, result, &c->why);
}

static void on_wake(void *user) {
    struct copying *c = user;
    (void)pthread_mutex_lock(&c->lock);
    bool is_read = c->read && c->state == COPYING_READING;
    int result = c->result;
    (void)pthread_mutex_unlock(&c->lock);
    if (is_read)
        finish(c, result);
}

static void *remove_thread(void *user) {
    destroy(user);
    return NULL;
}

/* To remove a big file takes its time, which the loop has not. */
static void destroy_apart(struct copying *c) {
    if (thread_begin(remove_thread, c) < 0)
        destroy(c);
}

static void on_copied(struct store_job *job, int result) {
    struct copying *c = (struct copying *)job;
    if (c->abandoned) { /* set on this thread only */
        destroy_apart(c);
        return;
    }
    c->why = job->why;
    c->state = COPYING_READING;
    if (result == 0)
        result = thread_begin(read_through, c);
    if (result < 0)
        finish(c, result);
}

int copying_new(struct loop *loop, struct store *store, struct spool *spool, const char *state_dir,
                copying_on_done *on_done, void *user, struct why *why, struct copying **ret) {
    char *folder = NULL;
    int r = kept_check_room(state_dir, spool->path, 1, "there is no room for a copy of the store", why);
    if (r < 0)
        return r;
    struct copying *c = calloc(1, sizeof *c);
    if (!c)
        return why_set(why, -ENOMEM, "out of memory");
    (void)pthread_mutex_init(&c->lock, NULL); /* on Linux it does not fail */
    r = spool_make_tmp(spool, &folder);
    if (r == 0 && (snprintf(c->folder, sizeof c->folder, "%s/%s", spool->path, folder) >= (int)sizeof c->folder ||
                   snprintf(c->file, sizeof c->file, "%s/store.db", c->folder) >= (int)sizeof c->file))
        r = -ENAMETOOLONG;
    free(folder);
    if (r == 0)
        r = loop_add_wake(loop, on_wake, c, &c->wake);
    if (r < 0) {
        destroy(c);
        return why_set(why, r, "cannot begin a copy of the store: %s", strerror(-r));
    }
    c->on_done = on_done;
    c->user = user;
    c->job = (struct store_job){.lane = STORE_BULK, .apart = true, .step = step, .done = on_copied};
    store_submit(store, &c->job);
    *ret = c;
    return 0;
}

struct copying *copying_free(struct copying *c) {
    if (!c)
        return NULL;
    (void)pthread_mutex_lock(&c->lock);
    c->wake = loop_remove(c->wake);
    bool alone = c->state == COPYING_DONE || c->read;
    c->abandoned = !alone;
    (void)pthread_mutex_unlock(&c->lock);
    if (alone)
        destroy_apart(c);
    return NULL;
}

const char *copying_path(const struct copying *c) {
    return c->file;
}

uint64_t copying_bytes(const struct copying *c) {
    struct stat st;
    return stat(c->file, &st) == 0 ? (uint64_t)st.st_size : 0;
}
