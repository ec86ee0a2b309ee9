/* A merge: text with holes. Literals and merge fields in a row, with spans that stand only where a field is filled
 * (or only where it is empty). Built once for each announcement and language; filled for each recipient.
 *
 * Fields are numbered by the registry that all merges of one announcement share; a recipient is an array of views, one
 * for each number. Building uses memory of its own; filling allocates only in the target buffer. */
#pragma once
#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/view.h"

enum {
    MERGE_FIELDS_MAX = 128,
    MERGE_DEPTH_MAX = 16,
    MERGE_OPS_MAX = 65536,                  /* -EMSGSIZE beyond */
    MERGE_TEXT_MAX_BYTES = 8 * 1024 * 1024, /* of all literals; -EMSGSIZE beyond */
};

/* The names of the recipient's fields ("salutation", "attr.city", "url.unsubscribe"), in the order of their numbers. */
struct merge_fields {
    struct arena arena;
    const char *names[MERGE_FIELDS_MAX];
    unsigned count;
};
void merge_fields_init(struct merge_fields *f);
void merge_fields_done(struct merge_fields *f);
/* The number of a name, added where it is new; -ENOSPC, -ENOMEM. */
int merge_fields_number(struct merge_fields *f, struct view name);

/* How a value is made safe for where it stands. Whatever it holds, valid UTF-8 comes out: control and bidi characters
 * (text_is_control) are dropped, invalid bytes become U+FFFD. The marks U+200E, U+200F and U+061C stay: right-to-left
 * texts need them, and they reorder nothing but their neighbours. */
enum merge_escape {
    MERGE_PLAIN,    /* text: as it is; tab and LF stay, CR LF, CR, U+2028 and U+2029 become LF */
    MERGE_HTML,     /* the same with & < > " ' as entities */
    MERGE_URL,      /* a part of a URL: percent-encoded (RFC 3986 unreserved stay), safe in HTML as well; line ends and
                       tabs become blanks */
    MERGE_URL_HTML, /* a whole URL that we made ourselves, HTML-escaped; line ends and tabs are dropped */
};

enum merge_kind { MERGE_TEXT, MERGE_FIELD, MERGE_IF, MERGE_UNLESS, MERGE_END };

struct merge_op {
    enum merge_kind kind;
    struct view text; /* MERGE_TEXT */
    unsigned field;   /* all others but MERGE_END */
    enum merge_escape escape;
    unsigned jump; /* MERGE_IF/UNLESS: index of the matching MERGE_END */
};

struct merge {
    struct merge_op *ops;
    size_t count, room;
    struct buf pending; /* literal bytes not yet an op */
    size_t text_bytes;  /* of all literals */
    struct arena arena;
    unsigned open[MERGE_DEPTH_MAX];
    unsigned depth;
    int error;
};

void merge_init(struct merge *m);
void merge_done(struct merge *m);
/* The text is copied. */
void merge_text(struct merge *m, struct view text);
void merge_field(struct merge *m, unsigned field, enum merge_escape escape);
void merge_if(struct merge *m, unsigned field, bool inverted);
void merge_end(struct merge *m);
/* All of another, which is sealed, at this place. */
void merge_append(struct merge *m, const struct merge *part);
/* Ends the building: merges neighbours, checks the nesting. 0 or the first error (-ENOMEM, -EMSGSIZE, -EINVAL). */
int merge_seal(struct merge *m);
/* Appends the escaped value. */
void merge_escape(struct view value, enum merge_escape escape, struct buf *to);
/* Escapes as many whole characters of *rest as fit into room bytes, takes them off *rest and returns the number of
 * bytes written. room is at least MERGE_ESCAPE_ROOM, so that a character always fits. */
enum { MERGE_ESCAPE_ROOM = 12 };
size_t merge_escape_some(struct view *rest, enum merge_escape escape, char *to, size_t room);
/* The next MERGE_TEXT or MERGE_FIELD that stands with these values, or NULL behind the last. Begin with *index 0. */
const struct merge_op *merge_next(const struct merge *m, const struct view *values, size_t *index);
/* Appends the whole with the values in place. values[n] may have ptr NULL: empty. A field counts as filled where its
 * value has a byte. */
void merge_fill(const struct merge *m, const struct view *values, struct buf *to);
