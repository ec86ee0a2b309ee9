/* Filters: whom of a list an announcement is for, `country = "FR" or tag has "funding"`.
 *
 * GRAMMAR  filter  = clause { "or" clause };  clause = part { "and" part };  part = { "not" } ( "(" filter ")" | test )
 *          test    = field ( "=" | "!=" | "<" | "<=" | ">" | ">=" | "has" ) value { "," value }
 *          Words of the language count in any case. A value is in quotation marks, straight (\" and \\ within) or
 *          typographic, or a bare word without blanks. Several values mean any of them ("!=": none), and go with =, !=
 *          and has only. A field is a word, or its column's name in quotation marks.
 *
 * FIELDS   email language form title given_name family_name name organisation timezone, joined (the day since which
 *          the person is on the list), tag; everything else, and attr.NAME, is a field of the list's own. What a column
 *          of an import may be called is understood here too ([columns] and [attributes] of words.ini, every language):
 *          where [attributes] gives several names to one thing (country, Land, pays), all of them are looked at, and
 *          countries.h makes FR, France and Frankreich one value.
 *
 * MEANING  Texts are compared folded, without blanks at the ends. A field that is missing is the empty text: = "" finds
 *          it, and so does != "x"; < <= > >= do not. Where both sides are numbers (1.5, 1,5, no needless zero in front)
 *          or both are dates (mail/when.h), they are compared as such; where the filter says a number or a date and the
 *          person's value is none, < and its like do not hold. Other texts have the order of their letters' code
 *          points. has: the text contains the value; a tag is the value.
 *
 * Whom it means the database says: store/filter_query.h makes it an expression of SQL, with all that somebody wrote as
 * bound values.
 *
 * FORMAT   frozen, for a bundle: a line "filter 1", then in postfix order lines `and`, `or`, `not`, and
 *          `test FIELD OP`, each test followed by its lines `name NAME`, `value FOLDED`, `range FROM TO` (µs).
 *
 * LIMITS   below; beyond them reading fails. Nothing is recursive in what a person's values hold. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

struct filter;
struct words;

enum {
    FILTER_MAX_BYTES = 1000,
    FILTER_DEPTH_MAX = 32, /* of brackets and nots */
    FILTER_NODES_MAX = 300,
    FILTER_VALUES_MAX = 4000, /* with all names of countries */
    FILTER_FROZEN_MAX_BYTES = 512 * 1024,
};

/* What is wrong, for announce/problem.h. */
struct filter_fault {
    const char *key; /* of [problem] */
    unsigned column; /* of the filter, in characters, from 1 */
    char text[96];   /* {1} */
    char near[96];   /* what may have been meant, or "" */
};

/* How people's words are understood; borrowed. */
struct filter_language {
    const struct words *const *words; /* of every language */
    size_t words_count;
    const char *templates_local, *templates; /* for countries.h; may be "" */
    const char *zone;                        /* of days */
};

/* Reads and resolves a filter. -EINVAL with the fault, -ENOMEM, or an errno of reading countries. */
int filter_read(struct view text, const struct filter_language *language, struct filter **ret,
                struct filter_fault *fault);
struct filter *filter_free(struct filter *f);
/* The filter as it was understood, whatever words.ini says later. */
void filter_freeze(const struct filter *f, struct buf *to);
/* -EINVAL for what was never frozen. */
int filter_thaw(struct view frozen, struct filter **ret);

/* Texts as filters compare them: folded and without blanks at the ends, a view into `to`, which is cleared first. What is
 * no text is empty. buf_error(to) where memory fails. */
struct view filter_fold(struct view v, struct buf *to);
/* A folded text as a number, in millionths; as a date, in steps of a second, so that FILTER_MOMENTS_A_DAY of them are one
 * day and a date without a time is before all of it. False where it is none. */
#define FILTER_MOMENTS_A_DAY INT64_C(100000)
bool filter_number(struct view folded, int64_t *ret_micro);
bool filter_moment(struct view folded, int64_t *ret);

/* Takes note of what a person has of what the filter asks for: own fields (mail/attributes.h), and tags (mail/tags.h). */
void filter_look(struct filter *f, struct view attributes, struct view tags);
/* What nobody has who was looked at: one a call, from *at = 0; false at the end. */
struct filter_unseen {
    bool is_tag;
    const char *name; /* as written */
    const char *near; /* a field that we know ourselves, or NULL */
    unsigned column;
};
bool filter_next_unseen(const struct filter *f, size_t *at, struct filter_unseen *ret);
/* True while there is any such. */
bool filter_is_looking(const struct filter *f);
