/* The lines of an iCalendar file (RFC 5545 §3.1), before any library sees them: unfolded, decoded, and walked
 * component by component with a bounded depth. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/why.h"
#include "mail/calendar.h"

/* Appends the file in UTF-8, each line whole and ended by LF; CR LF and LF are taken, empty lines dropped. Folds are
 * undone before the decoding, as some programs fold within a character. *ret_charset as text_read() says it.
 * -EINVAL with a reason, -ENOMEM, -EMSGSIZE. */
int calendar_unfold(struct view file, struct buf *to, const char **ret_charset, struct why *why);

/* Appends lines that a library has folded, folded anew: at CALENDAR_LINE_MAX octets, never within a character. libical
 * 3.0.16 now and then folds between the CR and the LF of a line's end. */
enum { CALENDAR_LINE_MAX = 75 };
int calendar_fold(struct view folded, struct buf *to);

struct calendar_line {
    unsigned number; /* of the unfolded line */
    struct view whole;
    struct view name;  /* as written: compare without case */
    struct view value; /* all behind the first : that is not in quotes */
    unsigned depth;    /* components open around it; BEGIN and END count as within their component */
    struct view component[CALENDAR_DEPTH_MAX]; /* their names, the outermost first */
};

/* Walks a whole file; a non-zero answer of on_line ends it and is returned. -EINVAL with a reason for lines of another
 * form, components that do not end, or stand deeper than CALENDAR_DEPTH_MAX. */
typedef int calendar_on_line(void *user, const struct calendar_line *line, struct why *why);
int calendar_walk(struct view unfolded, calendar_on_line *on_line, void *user, struct why *why);

/* True for a line of this name that stands directly in the component. */
bool calendar_line_is(const struct calendar_line *line, const char *component, const char *name);
