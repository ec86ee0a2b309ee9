#include "people/import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "people/import_reader.h"
#include "people/import_rows.h"
#include "store/batch.h"
#include "store/db.h"
#include "store/store.h"

#include "base/banned.h"

/* PHASES
 *   opening -> running -> finishing -> settling -> over
 *   opening, running, finishing -> failing -> settling (sweeping) -> over
 * While it runs, two jobs go side by side: one reads the file (aside), the other writes the batches that come out of it.
 * All else waits until both are idle. */
enum phase { OPENING, RUNNING, FINISHING, FAILING, SETTLING, OVER };

enum { BATCHES = 3 }; /* one is being read, one written, one waits */

struct import {
    struct store_job job; /* first: of the store's thread */
    struct reading {
        struct store_job job; /* first: aside */
        struct import *import;
    } reading;
    struct store_chain chain; /* of the batches */
    struct store *store;
    struct import_handlers handlers;
    void *user;
    struct import_options options;
    struct arena arena; /* the options' strings */

    /* the loop's while no job of theirs runs, else that job's thread's */
    struct import_reader reader;
    int read;               /* what its last step answered */
    enum phase phase, next; /* what the store's job does; what follows, as its step finds */
    struct import_rows rows;
    size_t written; /* rows of the batch that is being written */
    struct batch_others others;

    /* the loop's */
    struct rows batches[BATCHES];
    struct rows *waiting[BATCHES]; /* the first is, or will be, written */
    size_t waiting_count;
    bool is_reading, is_storing;
    bool at_end, hungry; /* all was fed; on_more was called and not answered yet */
    bool refused;        /* as the reader last said */
    bool stopping, aborted;
    bool skips;  /* reads nothing more */
    int failure; /* what on_done will tell */
    struct import_result result;
    bool told; /* on_done came, before what was written is swept */
};

/* --- Steps on the store's thread -------------------------------------------------------------------------------- */

static int step_open(struct import *im, struct db *db) {
    const struct import_options *o = &im->options;
    struct batch_about about = {o->list, o->by, o->file, o->basis, o->evidence};
    int r = batch_open(db, &about, o->dry_run, im->rows.now_usec, &im->result.why, &im->rows.batch);
    im->next = r == -EBUSY ? OVER : RUNNING;
    if (r != -EBUSY)
        return r;
    im->failure = r;
    return 0;
}

/* The file is the whole list: who is not in it goes, unless that are suspiciously many. */
static int remove_others(struct import *im, struct db *db) {
    struct import_result *result = &im->result;
    int r = batch_remove_others(db, &im->rows.batch, &im->others);
    if (r != STORE_DONE)
        return r;
    result->removed = im->others.removed;
    result->members = im->others.members;
    result->waits = !im->options.accepted && result->removed > IMPORT_REMOVES_FREELY &&
                    result->removed * IMPORT_REMOVES_PART > result->members;
    if (result->waits)
        (void)why_set(&result->why, -EINVAL, "%llu of %llu people would be removed",
                      (unsigned long long)result->removed, (unsigned long long)result->members);
    return STORE_DONE;
}

static int step_finish(struct import *im, struct db *db) {
    const struct import_result *told = &im->result;
    int r = im->options.whole && im->rows.batch.id ? remove_others(im, db) : STORE_DONE;
    if (r != STORE_DONE)
        return r;
    if (told->waits) {
        im->failure = -EINVAL;
        im->next = SETTLING;
        return batch_fail(db, &im->rows.batch, im->rows.now_usec);
    }
    const struct batch_counts counts = {told->rows, told->added, told->known, told->changed,
                                        told->left_out + told->bad};
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

/* In order: a chain that came to nothing ends what comes before the failing. */
static int step(struct store_job *job, struct db *db) {
    struct import *im = (struct import *)job;
    im->rows.db = db;
    im->rows.now_usec = clock_now_usec();
    if (im->chain.failure && im->phase <= FINISHING)
        return why_set(&job->why, im->chain.failure, "the store cannot write: %s", store_reason(im->chain.failure));
    switch (im->phase) {
    case OPENING: return step_open(im, db);
    case RUNNING: return import_rows_put(&im->rows, im->waiting[0], &im->written);
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
    im->job.chain = phase == RUNNING && im->rows.batch.id ? &im->chain : NULL;
    im->is_storing = true;
    store_submit(im->store, &im->job);
}

static bool is_running(const struct import *im) {
    return im->is_reading || im->is_storing;
}

static struct rows *find_free(struct import *im) {
    for (size_t i = 0; i < BATCHES; i++) {
        bool waits = false;
        for (size_t n = 0; n < im->waiting_count; n++)
            waits |= im->waiting[n] == &im->batches[i];
        if (!waits)
            return &im->batches[i];
    }
    return NULL;
}

static void add(struct import_result *to, const struct import_result *from) {
    to->left_out += from->left_out;
    to->no_address += from->no_address;
    to->no_consent += from->no_consent;
}

static int by_count(const void *a, const void *b) {
    const struct import_language *x = a, *y = b;
    return x->count != y->count ? (x->count < y->count ? 1 : -1) : strcmp(x->code, y->code);
}

/* What reading and writing found becomes one; nothing more is read or written. */
static void assemble(struct import *im) {
    struct import_reader *r = &im->reader;
    const struct why why = r->told.why.what[0] ? r->told.why : im->result.why;
    struct import_result *to = &im->result;
    *to = im->rows.told;
    add(to, &r->told);
    to->why = why;
    to->rows = r->told.rows;
    to->bad = r->told.bad;
    to->charset = r->told.charset;
    to->charset_guessed = r->told.charset_guessed;
    memcpy(to->samples, r->told.samples, sizeof to->samples);
    to->separator = r->told.separator;
    to->attributes = r->told.attributes;
    to->attribute_count = r->told.attribute_count;
    if (to->language_count)
        qsort(to->languages, to->language_count, sizeof to->languages[0], by_count);
    int e = findings_move_remarks(&r->findings, &im->rows.findings);
    if (e == 0)
        e = findings_finish(&r->findings, &to->problems, &to->problem_count, &to->problems_unlisted);
    if (e < 0 && im->failure == 0)
        im->failure = why_set(&to->why, e, "out of memory");
    for (size_t i = 0; i < BATCHES; i++)
        rows_done(&im->batches[i]);
    im->waiting_count = 0;
    runs_done(&r->runs);
}

static void end(struct import *im) {
    im->phase = OVER;
    if (im->aborted) {
        const struct import_handlers handlers = im->handlers;
        void *user = im->user;
        (void)import_free(im);
        if (handlers.on_gone)
            handlers.on_gone(user);
    } else if (!im->told) {
        im->told = true;
        im->handlers.on_done(im->user, im->failure, &im->result);
    }
}

/* Both jobs are idle: what was written must go. Where the store failed, the urgent lane waits for better times, but
 * whoever imports is not to wait until the disk is free again. */
static void fail(struct import *im, bool store_failed) {
    if (im->phase == OPENING || im->phase == RUNNING || im->phase == FINISHING)
        assemble(im);
    bool closing = im->failure == -ESHUTDOWN || im->job.result == -ESHUTDOWN; /* the next start sweeps */
    if (closing || im->rows.batch.id == 0) {
        end(im);
        return;
    }
    submit(im, im->phase == SETTLING ? SETTLING : FAILING, store_failed ? STORE_URGENT : STORE_BULK);
    if (store_failed && !im->aborted && !im->told) {
        im->told = true;
        im->handlers.on_done(im->user, im->failure, &im->result);
    }
}

static void finish(struct import *im) {
    assemble(im);
    if (import_reader_refused(&im->reader) && im->failure == 0) {
        im->failure = why_set(&im->result.why, -EINVAL, "%llu of %llu rows cannot be read; nothing was imported",
                              (unsigned long long)im->result.bad, (unsigned long long)im->result.rows);
        why_todo(&im->result.why, "Correct them, or leave them out with --skip-bad");
    }
    if (im->failure == 0)
        submit(im, FINISHING, STORE_BULK);
    else if (im->rows.batch.id)
        submit(im, FAILING, STORE_BULK);
    else
        end(im);
}

/* Starts whatever can go on while it runs. */
static void go_on(struct import *im) {
    if (im->stopping) {
        if (!is_running(im) && !im->hungry)
            fail(im, im->job.result < 0);
        return;
    }
    bool may_read = !im->is_reading && !im->hungry && im->read != READER_END;
    if (may_read && !im->reader.rows)
        im->reader.rows = find_free(im);
    if (may_read && im->reader.rows) {
        im->is_reading = true;
        im->reader.at_end = im->at_end;
        store_submit(im->store, &im->reading.job);
    }
    if (!im->is_storing && im->waiting_count) {
        im->rows.refused = im->refused;
        submit(im, RUNNING, STORE_BULK);
    }
    if (!is_running(im) && im->read == READER_END)
        finish(im);
}

static int step_read(struct store_job *job, struct db *db) {
    struct import *im = ((struct reading *)job)->import;
    (void)db;
    if (im->skips)
        return 0;
    im->read = import_reader_step(&im->reader);
    return im->read < 0 ? im->read : 0;
}

static void on_read(struct store_job *job, int result) {
    struct import *im = ((struct reading *)job)->import;
    im->is_reading = false;
    im->refused = import_reader_refused(&im->reader);
    if (result < 0) {
        im->stopping = true;
        if (im->failure == 0)
            im->failure = result == -EMSGSIZE ? -EINVAL : result;
        if (job->why.what[0]) /* memory failed: what the reader said may be of that */
            im->reader.told.why = job->why;
        else if (!im->reader.told.why.what[0])
            (void)why_set(&im->reader.told.why, result, "the file could not be read: %s", strerror(-result));
    } else if (im->read == READER_BATCH) {
        im->waiting[im->waiting_count++] = im->reader.rows;
        im->reader.rows = NULL;
    }
    bool wants_more = im->read == READER_HUNGRY && !im->stopping;
    im->hungry = wants_more;
    go_on(im); /* may be its end, where nothing more is wanted */
    if (wants_more)
        im->handlers.on_more(im->user);
}

static void on_opened(struct import *im) {
    if (im->next == OVER) {
        end(im);
        return;
    }
    im->phase = RUNNING;
    im->hungry = !im->stopping;
    if (im->stopping)
        go_on(im);
    else
        im->handlers.on_more(im->user);
}

static void on_written(struct import *im) {
    rows_clear(im->waiting[0]);
    im->written = 0;
    im->waiting_count--;
    memmove(im->waiting, im->waiting + 1, im->waiting_count * sizeof *im->waiting);
    go_on(im);
}

static void on_stored(struct store_job *job, int result) {
    struct import *im = (struct import *)job;
    im->is_storing = false;
    if (result < 0) {
        im->stopping = true;
        if (im->failure == 0) {
            im->failure = result;
            im->result.why = im->job.why;
        }
        go_on(im);
        return;
    }
    switch (im->phase) {
    case OPENING: on_opened(im); break;
    case RUNNING: on_written(im); break;
    case FINISHING:
    case FAILING:
    case SETTLING:
        if (im->next == OVER)
            end(im);
        else
            submit(im, SETTLING, STORE_BULK);
        break;
    case OVER: break;
    }
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
    struct import_options *to = &im->options;
    *to = *o;
    to->by = keep(im, o->by ? o->by : "");
    to->file = keep(im, o->file ? o->file : "");
    to->basis = keep(im, o->basis);
    to->evidence = keep(im, o->evidence);
    to->charset = keep(im, o->charset);
    to->timezone = keep(im, o->timezone ? o->timezone : "UTC");
    to->folder = keep(im, o->folder ? o->folder : "/var/tmp");
    im->rows.options = im->reader.options = to;
    im->reader.columns_reader =
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
        return why_set(why, -ENOMEM, "out of memory");
    im->job = (struct store_job){.step = step, .done = on_stored};
    im->reading.job = (struct store_job){.aside = true, .step = step_read, .done = on_read};
    im->reading.import = im;
    im->read = READER_HUNGRY;
    im->store = store;
    im->handlers = *handlers;
    im->user = user;
    arena_init(&im->arena);
    r = copy_options(im, options);
    if (r == 0)
        r = import_reader_init(&im->reader);
    if (r == -EINVAL)
        (void)why_set(why, r, "the charset “%s” is not known", options->charset);
    else if (r < 0)
        (void)why_set(why, r, "out of memory");
    if (r < 0) {
        (void)import_free(im);
        return r;
    }
    submit(im, OPENING, STORE_BULK);
    *ret = im;
    return 0;
}

/* It has come to nothing meanwhile, which is not told from inside a call. */
static void skip(struct import *im) {
    im->skips = im->is_reading = true;
    store_submit(im->store, &im->reading.job);
}

int import_feed(struct import *im, struct view piece) {
    int r = im->stopping ? 0 : import_reader_feed(&im->reader, piece);
    if (r < 0)
        return r;
    im->hungry = false;
    if (im->stopping)
        skip(im);
    else
        go_on(im);
    return 0;
}

void import_finish(struct import *im) {
    im->at_end = true;
    im->hungry = false;
    if (im->stopping)
        skip(im);
    else
        go_on(im);
}

void import_abort(struct import *im) {
    im->aborted = true;
    im->hungry = false;
    if (im->phase == OPENING || im->phase == RUNNING)
        im->stopping = true;
    if (!is_running(im))
        go_on(im);
}

struct import *import_free(struct import *im) {
    if (!im)
        return NULL;
    if (is_running(im)) { /* it is being swept: end() frees it */
        im->aborted = true;
        im->handlers.on_gone = NULL;
        return NULL;
    }
    for (size_t i = 0; i < BATCHES; i++)
        rows_done(&im->batches[i]);
    import_reader_done(&im->reader);
    import_rows_done(&im->rows);
    arena_done(&im->arena);
    free(im);
    return NULL;
}

int import_recover(struct db *db) {
    int64_t now_usec = clock_now_usec();
    int r = batch_recover(db, now_usec);
    return r < 0 ? r : batch_settle(db, now_usec);
}
