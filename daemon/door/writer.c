#include "door/writer.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"

#include "net/loop.h"

#include "base/banned.h"

struct writer_job {
    struct writer_job *next;
    struct request request; /* its views point into the arrays below */
    char token[REQUEST_TOKEN_MAX], language[REQUEST_LANGUAGE_MAX];
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
    size_t waiting_count, files;
    struct writer_job *batch;
    struct request records[REQUEST_HAND_OVER_MAX];
    size_t record_count;
    int result;
    char *folder;

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    bool given, done, stop;
};

static int write_batch(const struct writer *w) {
    AUTOCLOSE int dirfd = files_open_dir(AT_FDCWD, w->folder);
    return dirfd < 0 ? dirfd : request_hand_over(dirfd, w->records, w->record_count);
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
    while (*end && w->record_count < REQUEST_HAND_OVER_MAX) {
        w->records[w->record_count++] = (*end)->request;
        end = &(*end)->next;
    }
    w->batch = w->waiting;
    w->waiting = *end;
    *end = NULL;
    if (!w->waiting)
        w->waiting_end = &w->waiting;
    w->waiting_count -= w->record_count;
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
        free(job);
    }
}

int writer_new(struct loop *loop, const char *folder, struct writer **ret) {
    struct writer *w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->waiting_end = &w->waiting;
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
        free(jobs);
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
    free(w->folder);
    free(w);
    return NULL;
}

int writer_add(struct writer *w, const struct request *request, writer_on_done *on_done, void *user,
               struct writer_job **ret_job) {
    assert(request_is_token(request->token) && request_is_language(request->language));
    if (w->waiting_count >= WRITER_WAITING_MAX)
        return -EBUSY;
    struct writer_job *job = calloc(1, sizeof *job);
    if (!job)
        return -ENOMEM;
    job->request = *request;
    if (getrandom(job->request.id, sizeof job->request.id, 0) != sizeof job->request.id) {
        free(job);
        return -EIO;
    }
    job->request.at_usec = clock_now_usec();
    memcpy(job->token, request->token.ptr, request->token.len);
    job->request.token.ptr = job->token;
    if (request->language.len)
        memcpy(job->language, request->language.ptr, request->language.len);
    job->request.language.ptr = job->language;
    job->on_done = on_done;
    job->user = user;
    *w->waiting_end = job;
    w->waiting_end = &job->next;
    w->waiting_count++;
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
