#include "people/runs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"

#include "base/banned.h"

enum { READ_BYTES = 8 * 1024, WRITE_BYTES = 64 * 1024 };

void runs_init(struct runs *r, const char *folder) {
    *r = (struct runs){.folder = folder, .fd = -1};
}

static void run_close(struct run *run) {
    free(run->data);
    run->data = NULL;
    run->used = run->len = run->room = 0;
}

void runs_done(struct runs *r) {
    for (size_t i = 0; i < r->count; i++)
        run_close(&r->runs[i]);
    if (r->fd >= 0)
        (void)close(r->fd); /* nothing of it is wanted any more */
    runs_init(r, r->folder);
}

/* --- Writing ------------------------------------------------------------------------------------------------- */

struct writer {
    struct runs *runs;
    size_t len;
    _Alignas(8) char data[WRITE_BYTES];
};

static int write_out(struct writer *w) {
    int r = files_write_all(w->runs->fd, w->data, w->len);
    w->runs->end += (off_t)w->len;
    w->len = 0;
    return r;
}

static int write_record(struct writer *w, const struct rows_record *record) {
    int r = 0;
    for (size_t at = 0; at < record->size && r == 0;) {
        size_t part = record->size - at < WRITE_BYTES - w->len ? record->size - at : WRITE_BYTES - w->len;
        memcpy(w->data + w->len, (const char *)record + at, part);
        w->len += part;
        at += part;
        if (w->len == WRITE_BYTES)
            r = write_out(w);
    }
    return r;
}

static int open_writer(struct runs *r, struct writer **ret) {
    if (r->fd < 0)
        r->fd = files_open_nameless(r->folder);
    if (r->fd < 0)
        return r->fd;
    struct writer *w = malloc(sizeof *w);
    if (!w)
        return -ENOMEM;
    w->runs = r;
    w->len = 0;
    *ret = w;
    return 0;
}

/* What was written since `begun` is a run. */
static int close_writer(struct writer *w, int result, off_t begun, unsigned level) {
    struct runs *r = w->runs;
    if (result == 0)
        result = write_out(w);
    free(w);
    if (result == 0)
        r->runs[r->count++] = (struct run){.begin = begun, .end = r->end, .at = begun, .level = level};
    return result;
}

/* --- Reading ------------------------------------------------------------------------------------------------- */

/* Until a whole record stands at `used`. 1, or 0 at the end. */
static int load(const struct runs *r, struct run *run) {
    size_t wanted = sizeof(struct rows_record);
    for (;;) {
        size_t have = run->len - run->used;
        if (have >= wanted) {
            size_t size = ((const struct rows_record *)(const void *)(run->data + run->used))->size;
            if (size < sizeof(struct rows_record) || size > ROWS_RECORD_MAX_BYTES || size % 8)
                return -EIO;
            if (have >= size)
                return 1;
            wanted = size;
        } else if (have == 0 && run->at == run->end)
            return 0;
        if (run->used)
            memmove(run->data, run->data + run->used, have);
        run->used = 0;
        run->len = have;
        size_t room = wanted > READ_BYTES ? wanted : READ_BYTES;
        if (room > run->room) {
            char *more = realloc(run->data, room);
            if (!more)
                return -ENOMEM;
            run->data = more;
            run->room = room;
        }
        size_t left = (size_t)(run->end - run->at), space = run->room - have;
        ssize_t n = pread(r->fd, run->data + have, left < space ? left : space, run->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        run->at += n;
        run->len += (size_t)n;
    }
}

static const struct rows_record *record_of(const struct run *run) {
    return (const struct rows_record *)(const void *)(run->data + run->used);
}

static void sift_down(struct runs *r, size_t at) {
    for (size_t child; (child = 2 * at + 1) < r->heap_count; at = child) {
        if (child + 1 < r->heap_count && rows_compare(record_of(r->heap[child + 1]), record_of(r->heap[child])) < 0)
            child++;
        if (rows_compare(record_of(r->heap[at]), record_of(r->heap[child])) <= 0)
            return;
        struct run *run = r->heap[at];
        r->heap[at] = r->heap[child];
        r->heap[child] = run;
    }
}

/* Begins to merge those of a level and above. */
static int begin(struct runs *r, unsigned from_level, unsigned to_level) {
    r->heap_count = 0;
    r->consumed = false;
    for (size_t i = 0; i < r->count; i++)
        if (r->runs[i].level >= from_level && r->runs[i].level <= to_level) {
            int e = load(r, &r->runs[i]);
            if (e < 0)
                return e;
            if (e == 1)
                r->heap[r->heap_count++] = &r->runs[i];
        }
    for (size_t i = r->heap_count / 2; i-- > 0;)
        sift_down(r, i);
    return 0;
}

int runs_merge(struct runs *r) {
    return begin(r, 0, RUNS_LEVELS);
}

int runs_next(struct runs *r, const struct rows_record **ret) {
    if (r->consumed) {
        struct run *top = r->heap[0];
        top->used += record_of(top)->size;
        int e = load(r, top);
        if (e < 0)
            return e;
        if (e == 0) {
            run_close(top);
            r->heap[0] = r->heap[--r->heap_count];
        }
        sift_down(r, 0);
    }
    r->consumed = r->heap_count > 0;
    if (!r->consumed)
        return 0;
    *ret = record_of(r->heap[0]);
    return 1;
}

/* --- Levels -------------------------------------------------------------------------------------------------- */

static size_t count_level(const struct runs *r, unsigned level) {
    size_t count = 0;
    for (size_t i = 0; i < r->count; i++)
        count += r->runs[i].level == level;
    return count;
}

/* Its part of the file is given back where the file system can. */
static void drop_level(struct runs *r, unsigned level) {
    size_t kept = 0;
    for (size_t i = 0; i < r->count; i++)
        if (r->runs[i].level == level) {
            struct run *run = &r->runs[i];
            run_close(run);
            (void)fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, run->begin, run->end - run->begin);
        } else
            r->runs[kept++] = r->runs[i];
    r->count = kept;
}

/* All runs of a level become one of the next. */
static int lift(struct runs *r, unsigned level) {
    struct writer *w = NULL;
    const struct rows_record *record;
    off_t begun = r->end;
    int e = open_writer(r, &w);
    if (e < 0)
        return e;
    e = begin(r, level, level);
    while (e == 0 && (e = runs_next(r, &record)) == 1)
        e = write_record(w, record);
    drop_level(r, level);
    return close_writer(w, e, begun, level + 1);
}

int runs_add(struct runs *r, const struct rows *rows) {
    struct writer *w = NULL;
    off_t begun = r->end;
    int e = open_writer(r, &w);
    if (e < 0)
        return e;
    for (size_t i = 0; i < rows->count && e == 0; i++)
        e = write_record(w, rows_at(rows, i));
    e = close_writer(w, e, begun, 0);
    for (unsigned level = 0; level < RUNS_LEVELS - 1 && e == 0 && count_level(r, level) == RUNS_FAN; level++)
        e = lift(r, level);
    return e == 0 && r->count == RUNS_MAX ? -EFBIG : e;
}
