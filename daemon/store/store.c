#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/thread.h"
#include "store/db.h"
#include "store/epoch.h"
#include "store/kept.h"

#include "base/banned.h"

#define SLICE_USEC (15 * INT64_C(1000)) /* and what a step does between two looks at it: 20 ms at most */
#define QUIET_USEC (1 * USEC_PER_SEC)   /* without work, until what the database put off is done */
#define RETRY_FIRST_USEC (1 * USEC_PER_SEC)
#define RETRY_MOST_USEC (15 * USEC_PER_SEC)

struct job_list {
    struct store_job *first, **end;
};

struct store {
    struct db *db; /* the thread's, once it runs */
    store_wake *wake;
    void *user;
    pthread_t thread, thread_aside;
    bool has_aside;   /* the loop's: that thread runs */
    unsigned pending; /* the loop's */
    _Atomic int trouble;
    int state_lock;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work, work_aside;
    struct job_list lanes[STORE_BULK + 1], aside, finished;
    bool closing;
    struct store_times times;

    /* the thread's, while commits fail */
    int64_t retry_at_usec, retry_delay_usec;
    /* the thread's: the chain whose jobs the open transaction holds, and when it is committed at the latest */
    struct store_chain *chain;
    int64_t chain_until_usec;
    int64_t quiet_at_usec; /* the thread's: the time for what the database put off; 0: nothing */
};

static void list_init(struct job_list *list) {
    list->first = NULL;
    list->end = &list->first;
}

static void list_add(struct job_list *list, struct store_job *job) {
    job->next = NULL;
    *list->end = job;
    list->end = &job->next;
}

static struct store_job *list_take(struct job_list *list) {
    struct store_job *job = list->first;
    if (job) {
        list->first = job->next;
        if (!list->first)
            list->end = &list->first;
        job->next = NULL;
    }
    return job;
}

/* Moves all of `from` behind `to`. */
static void list_append(struct job_list *to, struct job_list *from) {
    if (!from->first)
        return;
    *to->end = from->first;
    to->end = from->end;
    list_init(from);
}

/* --- The thread ---------------------------------------------------------------------------------------------- */

/* One round's work: every urgent job, and one other. */
struct round {
    struct job_list urgent;
    struct store_job *slice;
};

static void note(int64_t *longest, int64_t usec) {
    if (usec > *longest)
        *longest = usec;
}

static int64_t cpu_usec(void) {
    struct timespec t = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); /* cannot fail */
    return t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

static void add_times(struct store *s, const struct store_times *more) {
    (void)pthread_mutex_lock(&s->lock);
    note(&s->times.step_usec, more->step_usec);
    note(&s->times.step_cpu_usec, more->step_cpu_usec);
    note(&s->times.commit_usec, more->commit_usec);
    s->times.commits += more->commits;
    (void)pthread_mutex_unlock(&s->lock);
}

/* Whatever a step says of which something could not be had: nobody knows what it wrote, or why it refused. */
static void step(struct store_job *job, struct db *db) {
    memory_forget();
    job->result = job->step(job, db);
    if (memory_was_short())
        job->result = why_set(&job->why, -ENOMEM, "out of memory");
}

static void run_timed(struct store *s, struct store_job *job, struct store_times *times) {
    int64_t begun = clock_mono_usec(), cpu = cpu_usec();
    db_slice_begin(s->db, SLICE_USEC);
    step(job, s->db);
    db_slice_begin(s->db, -1);
    note(&times->step_usec, clock_mono_usec() - begun);
    note(&times->step_cpu_usec, cpu_usec() - cpu);
}

/* Runs a job's step in a savepoint of its own. A negative answer of this function breaks the transaction. */
static int run_step(struct store *s, struct store_job *job, struct store_times *times) {
    int r = db_savepoint(s->db);
    if (r < 0)
        return r;
    run_timed(s, job, times);
    if (db_failure(s->db))
        return db_failure(s->db);
    if (job->result < 0)
        db_rollback_to(s->db);
    else
        (void)db_release(s->db); /* a failure breaks the transaction, which is asked next */
    return db_failure(s->db);
}

/* What was left open by earlier rounds comes to an end with this one's. */
static int end_transaction(struct store *s, int r, struct store_times *times) {
    if (r == 0) {
        int64_t begun = clock_mono_usec();
        r = db_commit(s->db);
        note(&times->commit_usec, clock_mono_usec() - begun);
        times->commits++;
    } else {
        db_rollback(s->db);
    }
    if (r < 0 && s->chain)
        s->chain->failure = r;
    s->chain = NULL;
    return r;
}

/* A chain's transaction waits for more of it, where nobody else has to wait for that. */
static bool stays_open(struct store *s, const struct round *round) {
    struct store_chain *chain = round->slice ? round->slice->chain : NULL;
    if (!chain || round->urgent.first || s->trouble || s->closing || round->slice->result < 0)
        return false;
    if (s->chain && s->chain != chain)
        return false;
    if (!s->chain)
        s->chain_until_usec = clock_mono_usec() + STORE_CHAIN_USEC;
    s->chain = chain;
    return clock_mono_usec() < s->chain_until_usec;
}

static int run_transaction(struct store *s, struct round *round, struct store_job *slice, struct store_times *times) {
    int r = db_in_transaction(s->db) ? 0 : db_begin(s->db);
    if (r < 0)
        return r;
    for (struct store_job *job = round->urgent.first; job && r == 0; job = job->next)
        r = run_step(s, job, times);
    if (r == 0 && slice)
        r = run_step(s, slice, times);
    db_set_late(s->db, !round->urgent.first && slice && slice->lane == STORE_BULK);
    return r < 0 || !stays_open(s, round) ? end_transaction(s, r, times) : r;
}

static int run_round(struct store *s, struct round *round) {
    struct store_times times = {0};
    struct store_job *apart = round->slice && round->slice->apart ? round->slice : NULL;
    int r = 0;
    if (!apart || round->urgent.first || s->chain)
        r = run_transaction(s, round, apart ? NULL : round->slice, &times);
    if (r == 0 && apart)
        run_timed(s, apart, &times);
    add_times(s, &times);
    return r;
}

static void enter_trouble(struct store *s, int error) {
    if (s->trouble == 0)
        log_error("store-trouble", LOG_TEXT("reason", store_reason(error)),
                  LOG_TEXT("todo", "Free space or repair the disk; what waits is tried again by itself"));
    s->trouble = error;
    s->retry_delay_usec = s->retry_delay_usec ? s->retry_delay_usec * 2 : RETRY_FIRST_USEC;
    if (s->retry_delay_usec > RETRY_MOST_USEC)
        s->retry_delay_usec = RETRY_MOST_USEC;
    s->retry_at_usec = clock_mono_usec() + s->retry_delay_usec;
}

static void leave_trouble(struct store *s) {
    if (s->trouble)
        log_info("store-trouble-over");
    s->trouble = 0;
    s->retry_delay_usec = 0;
}

/* Sorts the jobs of a round after it: done ones to finished, others back to their lanes. */
static void settle_job(struct store *s, struct store_job *job, int error) {
    if (error < 0)
        job->result = why_set(&job->why, error, "the store cannot write: %s", store_reason(error));
    list_add(error == 0 && job->result == STORE_MORE ? &s->lanes[job->lane] : &s->finished, job);
}

static void settle_round(struct store *s, struct round *round, int error) {
    if (round->slice)
        settle_job(s, round->slice, error);
    if (error < 0 && !s->closing) {
        list_append(&round->urgent, &s->lanes[STORE_URGENT]); /* newer ones come after them */
        list_append(&s->lanes[STORE_URGENT], &round->urgent);
        return;
    }
    for (struct store_job *job; (job = list_take(&round->urgent));)
        settle_job(s, job, error);
}

/* A small durable write, to learn whether commits succeed again while nothing urgent waits. */
static int probe(struct store *s) {
    int r = db_begin(s->db);
    if (r < 0)
        return r;
    r = db_run(s->db, "INSERT OR REPLACE INTO meta VALUES ('probe', ?)", NULL, "i", clock_now_usec());
    if (r < 0) {
        db_rollback(s->db);
        return r;
    }
    return db_commit(s->db);
}

static bool retry_is_due(const struct store *s) {
    return s->trouble && clock_mono_usec() >= s->retry_at_usec;
}

static bool chain_is_due(const struct store *s) {
    return s->chain && clock_mono_usec() >= s->chain_until_usec;
}

static bool quiet_is_due(const struct store *s) {
    return s->quiet_at_usec && clock_mono_usec() >= s->quiet_at_usec;
}

static bool has_work(const struct store *s) {
    if (s->lanes[STORE_NORMAL].first || s->lanes[STORE_BULK].first || retry_is_due(s) || chain_is_due(s) ||
        quiet_is_due(s))
        return true;
    if (s->chain && s->closing)
        return true;
    return s->lanes[STORE_URGENT].first && (!s->trouble || s->closing);
}

static void wait_for_work(struct store *s) {
    while (!has_work(s) && !s->closing)
        if (s->trouble || s->chain || s->quiet_at_usec) {
            int64_t usec = s->trouble ? s->retry_at_usec : s->chain ? s->chain_until_usec : s->quiet_at_usec;
            struct timespec until = {.tv_sec = usec / USEC_PER_SEC, .tv_nsec = usec % USEC_PER_SEC * 1000};
            (void)pthread_cond_timedwait(&s->work, &s->lock, &until); /* has_work() looks at the time itself */
        } else
            (void)pthread_cond_wait(&s->work, &s->lock); /* cannot fail on a valid condition */
}

static void take_round(struct store *s, struct round *ret) {
    *ret = (struct round){0};
    list_init(&ret->urgent);
    if (!s->trouble || s->closing || retry_is_due(s))
        list_append(&ret->urgent, &s->lanes[STORE_URGENT]);
    if (s->trouble && ret->urgent.first)
        return; /* others need not fail with them */
    ret->slice = list_take(&s->lanes[STORE_NORMAL]);
    if (!ret->slice)
        ret->slice = list_take(&s->lanes[STORE_BULK]);
}

/* What a round says about the disk. One whose slice (or chain) may have been too big for it is tried again at once
 * without. */
static void judge_round(struct store *s, bool bulky, bool tried_urgent, int error) {
    if (error < 0 && bulky) {
        if (tried_urgent && s->trouble)
            s->retry_at_usec = clock_mono_usec();
    } else if (error < 0)
        enter_trouble(s, error);
    else if (tried_urgent)
        leave_trouble(s);
}

static void *run_thread(void *arg) {
    struct store *s = arg;
    (void)pthread_mutex_lock(&s->lock); /* an ordinary mutex: locking cannot fail */
    for (;;) {
        wait_for_work(s);
        if (!has_work(s))
            break;
        struct round round;
        take_round(s, &round);
        bool tried_urgent = round.urgent.first, bulky = round.slice || s->chain;
        (void)pthread_mutex_unlock(&s->lock);

        int r = 0;
        if (round.urgent.first || round.slice || s->chain) {
            r = run_round(s, &round);
            judge_round(s, bulky, tried_urgent, r);
        } else if (!s->trouble)
            db_catch_up(s->db);
        else if ((r = probe(s)) < 0)
            enter_trouble(s, r);
        else
            leave_trouble(s);
        s->quiet_at_usec = !s->trouble && db_is_late(s->db) ? clock_mono_usec() + QUIET_USEC : 0;

        (void)pthread_mutex_lock(&s->lock);
        settle_round(s, &round, r);
        if (s->finished.first) {
            (void)pthread_mutex_unlock(&s->lock);
            s->wake(s->user);
            (void)pthread_mutex_lock(&s->lock);
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void *run_thread_aside(void *arg) {
    struct store *s = arg;
    (void)pthread_mutex_lock(&s->lock); /* an ordinary mutex: locking cannot fail */
    for (;;) {
        struct store_job *job = list_take(&s->aside);
        if (!job && s->closing)
            break;
        if (!job) {
            (void)pthread_cond_wait(&s->work_aside, &s->lock); /* cannot fail on a valid condition */
            continue;
        }
        (void)pthread_mutex_unlock(&s->lock);
        step(job, NULL);
        (void)pthread_mutex_lock(&s->lock);
        list_add(&s->finished, job);
        (void)pthread_mutex_unlock(&s->lock);
        s->wake(s->user);
        (void)pthread_mutex_lock(&s->lock);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* --- The loop's side ----------------------------------------------------------------------------------------- */

static int start_thread(struct store *s) {
    pthread_condattr_t monotonic;
    if (pthread_condattr_init(&monotonic) || pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) ||
        pthread_cond_init(&s->work, &monotonic) || pthread_cond_init(&s->work_aside, NULL) ||
        pthread_mutex_init(&s->lock, NULL))
        return -ENOMEM;
    (void)pthread_condattr_destroy(&monotonic); /* cannot fail */
    return thread_start(run_thread, s, "store", &s->thread);
}

int store_lock(const char *state_dir, struct why *why) {
    int fd = files_open_dir(AT_FDCWD, state_dir);
    int r = fd < 0 ? fd : flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
    if (r == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd); /* nothing was written */
    r = r == -EWOULDBLOCK ? -EBUSY : r;
    (void)why_set(why, r, r == -EBUSY ? "another process has the store open" : "cannot lock the folder: %s",
                  strerror(-r));
    why_where(why, "%s", state_dir);
    return r;
}

static void release(struct store *s) {
    (void)db_close(s->db);
    if (s->state_lock >= 0)
        (void)close(s->state_lock); /* nothing was written */
    free(s);
}

int store_open(const char *state_dir, store_wake *wake, void *user, struct why *why, struct store **ret) {
    int r = files_make_dirs(state_dir, 0700);
    if (r < 0) {
        (void)why_set(why, r, "cannot make the folder of the store: %s", strerror(-r));
        why_where(why, "%s", state_dir);
        return r;
    }
    struct store *s = calloc(1, sizeof *s);
    AUTOFREE char *path = NULL;
    if (!s || asprintf(&path, "%s/store.db", state_dir) < 0) {
        free(s);
        path = NULL;
        return why_set(why, -ENOMEM, "no memory for the store");
    }
    s->wake = wake;
    s->user = user;
    for (int lane = STORE_URGENT; lane <= STORE_BULK; lane++)
        list_init(&s->lanes[lane]);
    list_init(&s->aside);
    list_init(&s->finished);
    r = s->state_lock = store_lock(state_dir, why);
    if (r >= 0)
        r = db_open_with(path, kept_before_migration, state_dir, why, &s->db);
    if (r == 0 && ((r = epoch_apply(s->db)) < 0 || (r = start_thread(s)) < 0)) {
        (void)why_set(why, r, "cannot start the store: %s", strerror(-r));
        why_where(why, "%s", path);
    }
    if (r < 0) {
        release(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct store *store_close(struct store *s) {
    if (!s)
        return NULL;
    (void)pthread_mutex_lock(&s->lock);
    s->closing = true;
    (void)pthread_cond_signal(&s->work); /* cannot fail on a valid condition */
    (void)pthread_cond_signal(&s->work_aside);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL); /* our own threads, joined once */
    if (s->has_aside)
        (void)pthread_join(s->thread_aside, NULL);
    while (s->pending)
        store_dispatch(s);
    (void)pthread_cond_destroy(&s->work);
    (void)pthread_cond_destroy(&s->work_aside);
    (void)pthread_mutex_destroy(&s->lock);
    release(s);
    return NULL;
}

static void submit_aside(struct store *s, struct store_job *job) {
    int r = 0;
    if (!s->has_aside && !s->closing) {
        r = thread_start(run_thread_aside, s, "aside", &s->thread_aside);
        s->has_aside = r == 0;
    }
    s->pending++;
    (void)pthread_mutex_lock(&s->lock);
    job->result = s->closing ? -ESHUTDOWN : r;
    list_add(job->result < 0 ? &s->finished : &s->aside, job);
    (void)pthread_cond_signal(&s->work_aside); /* cannot fail on a valid condition */
    bool ended = job->result < 0 && !s->closing;
    (void)pthread_mutex_unlock(&s->lock);
    if (ended)
        s->wake(s->user);
}

void store_submit(struct store *s, struct store_job *job) {
    job->next = NULL;
    if (job->aside)
        submit_aside(s, job);
    else
        store_submit_all(s, job);
}

void store_submit_all(struct store *s, struct store_job *first) {
    if (!first)
        return;
    (void)pthread_mutex_lock(&s->lock);
    bool closing = s->closing;
    for (struct store_job *job = first, *next; job; job = next) {
        next = job->next;
        s->pending++;
        job->result = closing ? -ESHUTDOWN : 0;
        list_add(closing ? &s->finished : &s->lanes[job->lane], job);
    }
    if (!closing)
        (void)pthread_cond_signal(&s->work); /* cannot fail on a valid condition */
    (void)pthread_mutex_unlock(&s->lock);
}

void store_dispatch(struct store *s) {
    struct job_list done;
    list_init(&done);
    (void)pthread_mutex_lock(&s->lock);
    list_append(&done, &s->finished);
    (void)pthread_mutex_unlock(&s->lock);
    for (struct store_job *job; (job = list_take(&done));) {
        s->pending--;
        memory_forget();
        if (job->done)
            job->done(job, job->result);
    }
}

const char *store_reason(int error) {
    return error == -EUCLEAN ? "the database is damaged, or the disk cannot be read" : strerror(-error);
}

void store_times(struct store *s, struct store_times *ret) {
    (void)pthread_mutex_lock(&s->lock);
    *ret = s->times;
    (void)pthread_mutex_unlock(&s->lock);
}

int store_trouble(const struct store *s) {
    return s->trouble;
}

unsigned store_pending(const struct store *s) {
    return s->pending;
}

bool store_slice_over(const struct db *db) {
    return db_slice_over(db);
}
