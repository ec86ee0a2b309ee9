/* Wrapping: a paragraph of words, merge fields and spans, broken into lines of a width and added to a merge.
 *
 * A line is broken at blanks and between East Asian characters, never inside a URL or another word, however long. A
 * field counts with an estimate. What stands after a span is laid out for the case that needs more room, so that a line
 * keeps to the width whether the span stands or not. */
#pragma once
#include <stdbool.h>

#include "base/view.h"
#include "mail/merge.h"

enum { WRAP_COLUMNS = 72 };

struct wrap_atom;

struct wrap {
    struct wrap_atom *atoms;
    size_t count, room;
    bool is_blank; /* nothing was added since a blank, or at all */
    bool is_url;   /* in a word that has :// in it */
    bool failed;   /* no memory */
};

void wrap_init(struct wrap *w);
void wrap_done(struct wrap *w);
bool wrap_is_empty(const struct wrap *w);
/* Words and blanks; a line end is a blank. The bytes must stay until the flush. */
void wrap_text(struct wrap *w, struct view text);
/* A piece of a word, blanks included. */
void wrap_solid(struct wrap *w, struct view text);
void wrap_field(struct wrap *w, unsigned field, enum merge_escape escape, size_t columns);
void wrap_if(struct wrap *w, unsigned field, bool inverted);
void wrap_end(struct wrap *w);
void wrap_break(struct wrap *w);
/* Adds the lines, each with its line end; first goes before the first one, other before all others. Returns the columns
 * of the widest line without its prefix. The wrap is empty then. */
size_t wrap_flush(struct wrap *w, struct view first, struct view other, struct merge *to);
