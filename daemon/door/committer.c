#include "door/committer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/files.h"
#include "spool/ignored.h"
#include "spool/request.h"

#include "base/banned.h"

/* A caller's records, on its stack while it waits. */
struct waiter {
    struct waiter *next;
    struct view records;
    int result;
    bool done;
};

struct committer {
    pthread_mutex_t mutex; /* for all below */
    pthread_cond_t changed;
    struct waiter *waiting, **waiting_end;
    bool writing;
    size_t files;
    char *folder;
};

static int write_file(const struct committer *c, const struct waiter *batch) {
    AUTOBUF struct buf records = BUF_INIT(REQUEST_RECORDS_MAX_BYTES);
    for (; batch; batch = batch->next)
        buf_add_view(&records, batch->records);
    if (buf_error(&records) < 0)
        return buf_error(&records);
    AUTOCLOSE int dirfd = files_open_dir(AT_FDCWD, c->folder);
    return dirfd < 0 ? dirfd : request_hand_over(dirfd, buf_view(&records));
}

/* The first of those that wait, as much as a file holds. */
static struct waiter *take_batch(struct committer *c) {
    struct waiter *batch = c->waiting, **end = &c->waiting;
    for (size_t bytes = 0; *end && bytes + (*end)->records.len <= REQUEST_RECORDS_MAX_BYTES; end = &(*end)->next)
        bytes += (*end)->records.len;
    c->waiting = *end;
    *end = NULL;
    if (!c->waiting)
        c->waiting_end = &c->waiting;
    return batch;
}

/* With the mutex held; it is let go of while the disk is busy. */
static void write_batch(struct committer *c) {
    struct waiter *batch = take_batch(c);
    c->writing = true;
    (void)pthread_mutex_unlock(&c->mutex); /* a plain mutex that this thread holds: cannot fail */
    int result = write_file(c, batch);
    (void)pthread_mutex_lock(&c->mutex);
    c->writing = false;
    c->files += result == 0;
    while (batch) {
        struct waiter *next = batch->next; /* it is gone when its caller wakes, which the mutex keeps from it */
        batch->result = result;
        batch->done = true;
        batch = next;
    }
    (void)pthread_cond_broadcast(&c->changed);
}

int committer_put(struct committer *c, struct view records) {
    struct waiter w = {.records = records};
    if (records.len > REQUEST_RECORDS_MAX_BYTES)
        return -EMSGSIZE;
    (void)pthread_mutex_lock(&c->mutex); /* as above */
    *c->waiting_end = &w;
    c->waiting_end = &w.next;
    while (!w.done) {
        if (!c->writing)
            write_batch(c);
        else
            (void)pthread_cond_wait(&c->changed, &c->mutex); /* the same */
    }
    (void)pthread_mutex_unlock(&c->mutex);
    return w.result;
}

void committer_ignored(struct committer *c) {
    AUTOCLOSE int dirfd = files_open_dir(AT_FDCWD, c->folder);
    if (dirfd >= 0)
        (void)ignored_add(dirfd); /* as the header says */
}

int committer_new(const char *folder, struct committer **ret) {
    struct committer *c = calloc(1, sizeof *c);
    if (!c || !(c->folder = strdup(folder))) {
        free(c);
        return -ENOMEM;
    }
    c->waiting_end = &c->waiting;
    (void)pthread_mutex_init(&c->mutex, NULL); /* on Linux neither of these two fails */
    (void)pthread_cond_init(&c->changed, NULL);
    *ret = c;
    return 0;
}

struct committer *committer_free(struct committer *c) {
    if (!c)
        return NULL;
    (void)pthread_cond_destroy(&c->changed);
    (void)pthread_mutex_destroy(&c->mutex);
    free(c->folder);
    free(c);
    return NULL;
}

size_t committer_files(const struct committer *c) {
    return c->files;
}
