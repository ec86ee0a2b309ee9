#include "door/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"

#include "net/loop.h"

#include "base/banned.h"

struct writer_job {
    struct writer_job *next;
    struct buf line;         /* the record */
    writer_on_done *on_done; /* NULL: forgotten */
    void *user;
};

/* The loop owns `waiting`, and `batch` while `writing` is false; the thread has the batch while it is true. The mutex
 * guards what stands below it: the hand-over in both directions. */
struct writer {
    struct loop_source *wake;
    pthread_t thread;
    bool started, writing;
    struct writer_job *waiting, **waiting_end;
    size_t waiting_count, waiting_bytes, files;
    struct writer_job *batch;
    struct buf records; /* of the batch */
    size_t record_count;
    int result;
    char *folder;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool given, done, stop;
};

static void free_job(struct writer_job *job) {
    buf_done(&job->line);
    free(job);
}

static int write_batch(const struct writer *w) {
    if (buf_error(&w->records) < 0)
        return buf_error(&w->records);
    AUTOCLOSE int dirfd = files_open_dir(AT_FDCWD, w->folder);
    return dirfd < 0 ? dirfd : request_hand_over(dirfd, buf_view(&w->records));
}

static void *run(void *user) {
    struct writer *w = user;
    (void)pthread_mutex_lock(&w->mutex); /* a plain mutex that this thread does not hold: cannot fail */
    while (!w->stop) {
        if (!w->given) {
            (void)pthread_cond_wait(&w->changed, &w->mutex); /* the same */
            continue;
        }
        w->given = false;
        (void)pthread_mutex_unlock(&w->mutex);
        int result = write_batch(w);
        (void)pthread_mutex_lock(&w->mutex);
        w->result = result;
        w->done = true;
        loop_wake(w->wake);
    }
    (void)pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* Takes what waits, as much as a file holds, and hands it to the thread. */
static void begin_batch(struct writer *w) {
    if (w->writing || !w->waiting)
        return;
    struct writer_job **end = &w->waiting;
    w->record_count = 0;
    buf_clear(&w->records);
    while (*end && w->records.len + (*end)->line.len <= REQUEST_RECORDS_MAX_BYTES) {
        buf_add_view(&w->records, buf_view(&(*end)->line));
        w->record_count++;
        end = &(*end)->next;
    }
    w->batch = w->waiting;
    w->waiting = *end;
    *end = NULL;
    if (!w->waiting)
        w->waiting_end = &w->waiting;
    w->waiting_count -= w->record_count;
    w->waiting_bytes -= w->records.len;
    w->writing = true;
    (void)pthread_mutex_lock(&w->mutex);
    w->given = true;
    (void)pthread_cond_signal(&w->changed);
    (void)pthread_mutex_unlock(&w->mutex);
}

static void on_wake(void *user) {
    struct writer *w = user;
    (void)pthread_mutex_lock(&w->mutex);
    bool done = w->done;
    int result = w->result;
    w->done = false;
    (void)pthread_mutex_unlock(&w->mutex);
    if (!done)
        return;
    struct writer_job *batch = w->batch;
    w->batch = NULL;
    w->writing = false;
    if (result == 0) {
        w->files++;
        log_info("requests-stored", LOG_NUM("count", w->record_count));
    } else {
        log_error("requests-not-stored", LOG_NUM("count", w->record_count), LOG_TEXT("error", strerror(-result)));
    }
    begin_batch(w);
    while (batch) {
        struct writer_job *job = batch;
        batch = job->next;
        if (job->on_done)
            job->on_done(job->user, result);
        free_job(job);
    }
}

int writer_new(struct loop *loop, const char *folder, struct writer **ret) {
    struct writer *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->waiting_end = &w->waiting;
    buf_init(&w->records, REQUEST_RECORDS_MAX_BYTES);
    (void)pthread_mutex_init(&w->mutex, NULL); /* on Linux neither of these two fails */
    (void)pthread_cond_init(&w->changed, NULL);
    w->folder = strdup(folder);
    int r = w->folder ? loop_add_wake(loop, on_wake, w, &w->wake) : -ENOMEM;
    if (r == 0)
        r = -pthread_create(&w->thread, NULL, run, w);
    if (r < 0) {
        (void)writer_free(w);
        return r;
    }
    w->started = true;
    *ret = w;
    return 0;
}

static void free_jobs(struct writer_job *jobs) {
    while (jobs) {
        struct writer_job *next = jobs->next;
        free_job(jobs);
        jobs = next;
    }
}

struct writer *writer_free(struct writer *w) {
    if (!w)
        return NULL;
    if (w->started) {
        (void)pthread_mutex_lock(&w->mutex);
        w->stop = true;
        (void)pthread_cond_signal(&w->changed);
        (void)pthread_mutex_unlock(&w->mutex);
        (void)pthread_join(w->thread, NULL); /* it was created and is joined once */
    }
    (void)loop_remove(w->wake);
    free_jobs(w->batch);
    free_jobs(w->waiting);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->mutex);
    buf_done(&w->records);
    free(w->folder);
    free(w);
    return NULL;
}

int writer_add(struct writer *w, struct request *request, writer_on_done *on_done, void *user,
               struct writer_job **ret_job) {
    if (w->waiting_count >= WRITER_WAITING_MAX || w->waiting_bytes >= WRITER_WAITING_MAX_BYTES)
        return -EBUSY;
    struct writer_job *job = calloc(1, sizeof *job);
    if (!job)
        return -ENOMEM;
    buf_init(&job->line, REQUEST_LINE_MAX_BYTES);
    int r = request_print_new(&job->line, request);
    if (r < 0) {
        free_job(job);
        return r;
    }
    job->on_done = on_done;
    job->user = user;
    *w->waiting_end = job;
    w->waiting_end = &job->next;
    w->waiting_count++;
    w->waiting_bytes += job->line.len;
    begin_batch(w);
    *ret_job = job;
    return 0;
}

void writer_forget(struct writer_job *job) {
    job->on_done = NULL;
}

size_t writer_files(const struct writer *w) {
    return w->files;
}
