/* The rows of an import: read, checked, written, counted. The part of people/import.h that works on the store's thread
 * and knows no jobs. */
#pragma once
#include "base/arena.h"
#include "people/columns.h"
#include "people/csv.h"
#include "people/import.h"
#include "people/seen.h"
#include "store/batch.h"

struct import_rows {
    /* set by the owner */
    struct import_options options; /* strings live as long as this */
    struct batch batch;
    struct columns_reader reader;
    /* the owner sets these before each call */
    struct db *db;
    int64_t now_usec;

    struct import_result result; /* problems, samples and why grow in it */
    struct arena arena;          /* their texts */
    struct csv_reader *csv;
    struct columns columns;
    bool has_head;
    size_t problem_room, remark_count, sample_count;
    struct seen seen; /* of a trial */
    int8_t erasures;  /* whether anybody was erased: 1 yes, -1 no, 0 to be asked, once for each step */
    struct arena row; /* texts of the row that is being read */
};

/* options and reader must be set. -EINVAL for an unknown charset. */
int import_rows_init(struct import_rows *i);
void import_rows_done(struct import_rows *i);
/* Negative: reading ends; -EINVAL and -EMSGSIZE with result.why. */
int import_rows_feed(struct import_rows *i, struct view piece);
int import_rows_end(struct import_rows *i);
/* At the end of each step that fed: what was put off is written. */
int import_rows_flush(struct import_rows *i);
/* Whether bad rows refuse the file; then nothing more is written. */
bool import_rows_refused(const struct import_rows *i);
struct batch_counts import_rows_counts(const struct import_rows *i);
