/* Why something failed, for a person: what is wrong, where, and what to do. Bounded; cut at a whole character.
 * Functions that fail for reasons a person must read take a struct why * (never NULL) and fill it with why_set()
 * before they return a negative errno. Texts may quote input: they are cleaned of control bytes. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"

struct why {
    char where[192]; /* "file:line", "[relay main] url", or "" */
    char what[384];
    char todo[256];  /* a hint in the imperative, or "" */
    const char *key; /* of the sentence that says the same in every language, static; NULL where there is none */
};

/* Sets what (printf-style), clears the rest; returns error, so that it can stand in a return statement. */
int why_set(struct why *why, int error, const char *format, ...) __attribute__((format(printf, 3, 4)));
void why_where(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
void why_todo(struct why *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "WHERE: WHAT. TODO" in one line, without line end. */
void why_print(const struct why *why, struct buf *to);
/* Whether a negative errno tells of the machine's trouble (no memory, descriptors or space, a failing disk, a damaged store) and not
 * of what was asked for: the same may go well later. */
bool why_is_trouble(int error);
