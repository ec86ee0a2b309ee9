/* What is to be told about the rows of an import: the first ones by line, whatever the order in which they are found.
 * Remarks take up half the list at most, so that there is room for what is wrong. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct import_problem;

struct findings_kind {
    struct import_problem *items; /* a heap, the last line on top */
    size_t count, room;
};
struct findings {
    struct findings_kind bad, remarks;
    uint64_t all;
};

void findings_done(struct findings *f);
/* -ENOMEM. */
int findings_add(struct findings *f, unsigned line, bool bad, const char *text);
/* The remarks of `from` go over to `to`, as if they had been found there; -ENOMEM. */
int findings_move_remarks(struct findings *to, struct findings *from);
/* The list, in order of lines, in f->bad; nothing may be added afterwards. -ENOMEM. */
int findings_finish(struct findings *f, const struct import_problem **ret, size_t *ret_count, uint64_t *ret_unlisted);
