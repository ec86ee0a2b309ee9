/* Rows of an import that do not come in order of their addresses, brought into order in bounded memory: sorted runs in a
 * file, which are merged (Knuth, The Art of Computer Programming 3, §5.4). The file has no name, so nothing is left of
 * it however the process ends. Not more than RUNS_FAN runs of one level lie there: then they become one of the next.
 *
 * FAILS  -errno of the file (-ENOSPC); -EIO where it does not read back. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

#include "people/rows.h"

enum { RUNS_FAN = 64, RUNS_LEVELS = 4, RUNS_MAX = RUNS_FAN * RUNS_LEVELS };

struct run {
    off_t begin, end;
    off_t at; /* what is read next */
    unsigned level;
    char *data; /* of the file, while it is merged */
    size_t used, len, room;
};
struct runs {
    const char *folder; /* set by the owner */
    int fd;             /* -1: no file yet */
    off_t end;
    struct run runs[RUNS_MAX];
    size_t count;
    struct run *heap[RUNS_MAX]; /* being merged, the least on top */
    size_t heap_count;
    bool consumed; /* the one on top was handed out */
};

void runs_init(struct runs *r, const char *folder);
void runs_done(struct runs *r);
/* sorted rows */
int runs_add(struct runs *r, const struct rows *rows);
/* After the last one; then runs_next() hands them out: 1 and a record, until the next call; 0 behind the last. */
int runs_merge(struct runs *r);
int runs_next(struct runs *r, const struct rows_record **ret);
