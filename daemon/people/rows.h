/* Rows of an import on their way from the thread that reads them to the store's, which takes them in order of their
 * addresses: as records in one block of memory (here), or in a file as well (people/runs.h).
 *
 * FORMAT  a struct rows_record and its texts, each with its NUL: address_key, then those that `present` names, by bits.
 *         Of this process only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/person.h"

struct rows_record {
    uint32_t size; /* of the whole; a multiple of 8 */
    uint32_t line;
    int64_t consent_usec; /* 0: not said */
    uint32_t present;
    char texts[];
};
/* More than a row of people/csv.h makes. */
enum { ROWS_RECORD_MAX_BYTES = 256 * 1024 };

struct rows_row {
    unsigned line;
    struct person person; /* texts are the record's */
    const char *consent;  /* what the row says, or NULL */
    int64_t consent_usec;
};

struct rows {
    char *data;
    size_t len, room;
    uint32_t *order; /* where each begins */
    size_t count, order_room;
};

void rows_done(struct rows *r);
void rows_clear(struct rows *r); /* memory is kept */
/* -ENOMEM, -EMSGSIZE. */
int rows_add(struct rows *r, const struct rows_row *row);
int rows_add_record(struct rows *r, const struct rows_record *record);
/* By address_key, then line. */
void rows_sort(struct rows *r);
int rows_compare(const struct rows_record *a, const struct rows_record *b);
static inline const struct rows_record *rows_at(const struct rows *r, size_t i) {
    return (const struct rows_record *)(const void *)(r->data + r->order[i]);
}
void rows_read(const struct rows_record *record, struct rows_row *ret);
