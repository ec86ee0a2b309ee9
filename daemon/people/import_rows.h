/* The rows of an import, written and counted. The part of people/import.h that works on the store's thread and knows no
 * jobs. */
#pragma once
#include "base/arena.h"
#include "people/findings.h"
#include "people/import.h"
#include "people/rows.h"
#include "store/batch.h"

struct import_rows {
    /* set by the owner */
    const struct import_options *options;
    struct batch batch;
    /* the owner sets these before each call */
    struct db *db;
    int64_t now_usec;
    bool refused; /* bad rows refuse the file: nothing more is written */

    struct import_result told; /* what became of the rows; only the counts, and languages */
    struct findings findings;
    uint8_t hashes;    /* what addresses are known by a hash: asked once for each step */
    struct person met; /* of a trial: the last address, and the names there */
    struct arena met_texts;
};

void import_rows_done(struct import_rows *i);
/* Writes rows from *at on, which moves on, until the slice is over or all are written: then 0, else 1. */
int import_rows_put(struct import_rows *i, const struct rows *rows, size_t *at);
