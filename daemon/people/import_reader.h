/* The file of an import, read and judged: decoding, rows, columns, addresses. The part of people/import.h that works
 * beside the store, in jobs aside, and touches neither store nor loop.
 *
 * Batches of rows come out of it in order of addresses. While the file is in that order by itself, they come as they are
 * read; from the first row on that is not, all goes into runs (people/runs.h), and comes when the file is whole. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "people/columns.h"
#include "people/csv.h"
#include "people/findings.h"
#include "people/import.h"
#include "people/rows.h"
#include "people/runs.h"

struct import_reader {
    /* set by the owner */
    const struct import_options *options;
    struct columns_reader columns_reader;
    struct rows *rows; /* what is being filled: another one, empty, after each READER_BATCH */
    struct buf piece;  /* of the file; import_reader_feed() */
    bool at_end;       /* the piece is the last one */

    struct import_result told; /* what reading found: counts, charset, samples, columns; why it ends */
    struct findings findings;

    /* its own */
    struct arena kept, row;
    size_t piece_at;
    struct csv_reader *csv;
    struct columns columns;
    bool has_head, csv_ended, in_runs, merging;
    size_t sample_count;
    struct runs runs;
    char last_key[ADDRESS_MAX_BYTES * 3 + 1]; /* of the batch before */
};

/* options and columns_reader must be set. -EINVAL for an unknown charset. */
int import_reader_init(struct import_reader *r);
void import_reader_done(struct import_reader *r);
/* The next piece, copied. */
int import_reader_feed(struct import_reader *r, struct view piece);

enum import_reader_step { READER_HUNGRY /* the piece is used up */, READER_BATCH /* rows hold one */, READER_END };
/* Negative: reading ends; -EINVAL and -EMSGSIZE with told.why. */
int import_reader_step(struct import_reader *r);
/* Whether bad rows refuse the file; then nothing more need be written. */
bool import_reader_refused(const struct import_reader *r);
