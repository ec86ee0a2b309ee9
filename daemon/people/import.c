#include "people/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "people/import_rows.h"
#include "store/batch.h"
#include "store/db.h"
#include "store/store.h"

#include "base/banned.h"

/* PHASES
 *   opening -> reading (a job for each piece) -> finishing -> settling -> over
 *   opening, reading, finishing -> failing -> settling (sweeping) -> over */
enum phase { OPENING, READING, FINISHING, FAILING, SETTLING, OVER };

/* Between looks at the slice. */
enum {
    PORTION_BYTES = 4096,
    SLICE_BYTES = 4 * PORTION_BYTES, /* what a job changed is kept in memory, to be undone, until its slice ends */
};

struct import {
    struct store_job job;     /* first */
    struct store_chain chain; /* of the pieces */
    struct store *store;
    struct import_handlers handlers;
    void *user;

    /* the loop's while no job runs, the store's thread's while one does */
    enum phase phase, next; /* what the job does; what follows, as its step finds */
    struct import_rows rows;
    struct arena arena; /* the options' strings */
    struct buf piece;
    size_t piece_at;
    int failure; /* what on_done will tell */

    /* the loop's */
    bool running, aborted;
    bool ended; /* the file was read to its end */
    struct batch_others others;
    bool told; /* on_done came, before what was written is swept */
};

/* --- Steps (on the store's thread) ------------------------------------------------------------------------------ */

/* The file is refused or cannot be read: ends here, without undoing this step. */
static int fail(struct import *im, struct db *db, int failure) {
    im->failure = failure;
    im->next = im->rows.batch.id ? SETTLING : OVER;
    return im->rows.batch.id ? batch_fail(db, &im->rows.batch, im->rows.now_usec) : 0;
}

static bool is_about_the_file(int error) {
    return error == -EINVAL || error == -EMSGSIZE;
}

static int step_open(struct import *im, struct db *db) {
    const struct import_options *o = &im->rows.options;
    struct batch_about about = {o->list, o->by, o->file, o->basis, o->evidence};
    int r = batch_open(db, &about, o->dry_run, im->rows.now_usec, &im->rows.result.why, &im->rows.batch);
    if (r == -EBUSY) {
        im->failure = r;
        im->next = OVER;
        return 0;
    }
    im->next = READING;
    return r;
}

static int step_read(struct import *im, struct db *db) {
    size_t begun = im->piece_at;
    im->next = READING;
    while (im->piece_at < im->piece.len) {
        struct view portion = view_slice(buf_view(&im->piece), im->piece_at, PORTION_BYTES);
        int r = import_rows_feed(&im->rows, portion);
        if (is_about_the_file(r))
            return fail(im, db, -EINVAL);
        if (r < 0)
            return r;
        im->piece_at += portion.len;
        if (store_slice_over(db) || im->piece_at - begun >= SLICE_BYTES)
            break;
    }
    int r = import_rows_flush(&im->rows);
    return r < 0 ? r : im->piece_at < im->piece.len ? STORE_MORE : STORE_DONE;
}

static int end_rows(struct import *im, struct db *db) {
    int r = import_rows_end(&im->rows);
    if (r == 0)
        r = import_rows_flush(&im->rows);
    if (is_about_the_file(r))
        return fail(im, db, -EINVAL);
    if (r < 0)
        return r;
    if (import_rows_refused(&im->rows)) {
        const struct import_result *result = &im->rows.result;
        (void)why_set(&im->rows.result.why, -EINVAL, "%llu of %llu rows cannot be read; nothing was imported",
                      (unsigned long long)result->bad, (unsigned long long)result->rows);
        why_todo(&im->rows.result.why, "Correct them, or leave them out with --skip-bad");
        return fail(im, db, -EINVAL);
    }
    im->ended = true;
    return STORE_MORE;
}

/* The file is the whole list: who is not in it goes, unless that are suspiciously many. */
static int remove_others(struct import *im, struct db *db) {
    struct import_result *result = &im->rows.result;
    int r = batch_remove_others(db, &im->rows.batch, &im->others);
    if (r != STORE_DONE)
        return r;
    result->removed = im->others.removed;
    result->members = im->others.members;
    result->waits = !im->rows.options.accepted && result->removed > IMPORT_REMOVES_FREELY &&
                    result->removed * IMPORT_REMOVES_PART > result->members;
    if (result->waits)
        (void)why_set(&result->why, -EINVAL, "%llu of %llu people would be removed",
                      (unsigned long long)result->removed, (unsigned long long)result->members);
    return STORE_DONE;
}

static int step_finish(struct import *im, struct db *db) {
    if (!im->ended)
        return end_rows(im, db);
    int r = im->rows.options.whole && im->rows.batch.id ? remove_others(im, db) : STORE_DONE;
    if (r != STORE_DONE)
        return r;
    if (im->rows.result.waits)
        return fail(im, db, -EINVAL);
    struct batch_counts counts = import_rows_counts(&im->rows);
    im->next = im->rows.batch.id ? SETTLING : OVER;
    return im->rows.batch.id ? batch_done(db, &im->rows.batch, &counts, im->rows.now_usec) : 0;
}

static int step_settle(struct import *im, struct db *db) {
    im->next = OVER;
    int r = batch_settle(db, im->rows.now_usec);
    if (r == STORE_DONE)
        db_shrink(db);
    return r;
}

static int step(struct store_job *job, struct db *db) {
    struct import *im = (struct import *)job;
    im->rows.db = db;
    im->rows.now_usec = clock_now_usec();
    if (im->chain.failure && im->failure == 0)
        return why_set(&job->why, im->chain.failure, "the store cannot write: %s", strerror(-im->chain.failure));
    switch (im->phase) {
    case OPENING: return step_open(im, db);
    case READING: return step_read(im, db);
    case FINISHING: return step_finish(im, db);
    case FAILING: im->next = SETTLING; return batch_fail(db, &im->rows.batch, im->rows.now_usec);
    case SETTLING: return step_settle(im, db);
    case OVER: break;
    }
    return 0;
}

/* --- Jobs (on the loop) ------------------------------------------------------------------------------------------ */

static void submit(struct import *im, enum phase phase, enum store_lane lane) {
    im->phase = phase;
    im->job.lane = lane;
    im->job.chain = phase == READING && im->rows.batch.id ? &im->chain : NULL;
    im->running = true;
    store_submit(im->store, &im->job);
}

static void end(struct import *im) {
    im->phase = OVER;
    if (im->aborted) {
        const struct import_handlers handlers = im->handlers;
        void *user = im->user;
        (void)import_free(im);
        if (handlers.on_gone)
            handlers.on_gone(user);
    } else if (!im->told)
        im->handlers.on_done(im->user, im->failure, &im->rows.result);
}

/* The store failed: what was written must still go. The urgent lane waits for better times. */
/* Whoever waits is not to wait until the disk is free again. */
static void tell_early(struct import *im) {
    if (im->aborted || im->told)
        return;
    im->told = true;
    im->handlers.on_done(im->user, im->failure, &im->rows.result);
}

static void on_store_failure(struct import *im, int result) {
    if (im->failure == 0) {
        im->failure = result;
        im->rows.result.why = im->job.why;
    }
    if (result == -ESHUTDOWN || im->rows.batch.id == 0)
        end(im); /* the next start sweeps */
    else {
        submit(im, im->phase == SETTLING ? SETTLING : FAILING, STORE_URGENT);
        tell_early(im);
    }
}

static void go_on(struct import *im) {
    switch (im->next) {
    case OPENING:
    case FINISHING:
    case FAILING: break; /* asked for from here, not by a step */
    case READING:
        if (im->aborted && im->rows.batch.id)
            submit(im, FAILING, STORE_BULK);
        else if (im->aborted)
            end(im);
        else
            im->handlers.on_more(im->user);
        break;
    case SETTLING: submit(im, SETTLING, STORE_BULK); break;
    case OVER: end(im); break;
    }
}

static void on_step_done(struct store_job *job, int result) {
    struct import *im = (struct import *)job;
    im->running = false;
    if (result < 0)
        on_store_failure(im, result);
    else
        go_on(im);
}

/* --- From outside ------------------------------------------------------------------------------------------------ */

static int check_options(const struct import_options *o, struct why *why) {
    static const char *const bases[] = {"consent", "membership", "public-task", "other"};
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(bases); i++)
        known |= o->basis && strcmp(o->basis, bases[i]) == 0;
    if (!known) {
        (void)why_set(why, -EINVAL, "an import needs a basis: why may these people be written to?");
        why_todo(why, "Give consent, membership, public-task or other");
        return -EINVAL;
    }
    if (!o->evidence || !o->evidence[0]) {
        (void)why_set(why, -EINVAL, "an import needs evidence: where does the basis show?");
        why_todo(why, "Say it in words, such as: \"sign-up sheets of the 2025 fair, in the archive\"");
        return -EINVAL;
    }
    return 0;
}

static const char *keep(struct import *im, const char *text) {
    return text ? arena_strdup(&im->arena, text) : NULL;
}

static int copy_options(struct import *im, const struct import_options *o) {
    struct import_options *to = &im->rows.options;
    *to = *o;
    to->by = keep(im, o->by ? o->by : "");
    to->file = keep(im, o->file ? o->file : "");
    to->basis = keep(im, o->basis);
    to->evidence = keep(im, o->evidence);
    to->charset = keep(im, o->charset);
    to->timezone = keep(im, o->timezone ? o->timezone : "UTC");
    im->rows.reader =
        (struct columns_reader){.words = o->words, .words_count = o->words_count, .timezone = to->timezone};
    return arena_failed(&im->arena) ? -ENOMEM : 0;
}

int import_new(struct store *store, const struct import_options *options, const struct import_handlers *handlers,
               void *user, struct why *why, struct import **ret) {
    int r = check_options(options, why);
    if (r < 0)
        return r;
    struct import *im = calloc(1, sizeof *im);
    if (!im)
        return why_set(why, -ENOMEM, "no memory for the import");
    im->job = (struct store_job){.step = step, .done = on_step_done};
    im->store = store;
    im->handlers = *handlers;
    im->user = user;
    buf_init(&im->piece, IMPORT_FEED_MAX_BYTES);
    arena_init(&im->arena);
    r = copy_options(im, options);
    if (r == 0)
        r = import_rows_init(&im->rows);
    if (r == -EINVAL)
        (void)why_set(why, r, "the charset “%s” is not known", options->charset);
    else if (r < 0)
        (void)why_set(why, r, "no memory for the import");
    if (r < 0) {
        (void)import_free(im);
        return r;
    }
    submit(im, OPENING, STORE_BULK);
    *ret = im;
    return 0;
}

int import_feed(struct import *im, struct view piece) {
    buf_clear(&im->piece);
    buf_add_view(&im->piece, piece);
    if (buf_error(&im->piece))
        return buf_error(&im->piece);
    im->piece_at = 0;
    submit(im, READING, STORE_BULK);
    return 0;
}

void import_finish(struct import *im) {
    submit(im, FINISHING, STORE_BULK);
}

void import_abort(struct import *im) {
    im->aborted = true;
    if (im->running)
        return;
    if (im->rows.batch.id)
        submit(im, FAILING, STORE_BULK);
    else
        end(im);
}

struct import *import_free(struct import *im) {
    if (!im)
        return NULL;
    if (im->running) { /* it is being swept: end() frees it */
        im->aborted = true;
        im->handlers.on_gone = NULL;
        return NULL;
    }
    import_rows_done(&im->rows);
    buf_done(&im->piece);
    arena_done(&im->arena);
    free(im);
    return NULL;
}

int import_recover(struct db *db) {
    int64_t now_usec = clock_now_usec();
    int r = batch_recover(db, now_usec);
    return r < 0 ? r : batch_settle(db, now_usec);
}
