/* Templates: Mustache (the public specification's interpolation, sections, inverted sections and comments; no partials,
 * no lambdas, no other delimiters), over a tree of values. A value may be a field of the recipient, known only when a
 * mail is filled: it becomes a merge field, and a section over it a span.
 *
 * Limits: source 256 KiB, nesting 16, 4096 tags, rendered text 4 MiB. */
#pragma once
#include <stdbool.h>

#include "mail/merge.h"

enum value_kind { VALUE_NULL, VALUE_BOOL, VALUE_TEXT, VALUE_LIST, VALUE_MAP, VALUE_FIELD };

struct value {
    enum value_kind kind;
    bool truth;
    struct view text;    /* VALUE_TEXT */
    struct value *items; /* VALUE_LIST, VALUE_MAP */
    const char **keys;   /* VALUE_MAP */
    size_t count;
    unsigned field;           /* VALUE_FIELD */
    bool raw;                 /* VALUE_TEXT: already escaped for the target; interpolated as it is even with {{ }} */
    const struct merge *part; /* VALUE_TEXT with part set: a merge spliced in whole (a body), text unused */
};

/* Builders; strings and arrays live in the arena. */
struct value value_text(const char *s);
struct value value_map(void);
struct value value_list(void);
struct value value_field(unsigned number);
int value_set(struct arena *a, struct value *map, const char *key, struct value v); /* replaces a like-named one */
int value_append(struct arena *a, struct value *list, struct value v);

enum template_target { TEMPLATE_PLAIN, TEMPLATE_HTML };

struct template_fault {
    unsigned line; /* from 1 */
    enum {
        TEMPLATE_OK,
        TEMPLATE_UNCLOSED_TAG,
        TEMPLATE_UNCLOSED_SECTION,
        TEMPLATE_UNOPENED_SECTION,
        TEMPLATE_WRONG_END,
        TEMPLATE_NOT_SERVED, /* partials, delimiters */
        TEMPLATE_UNKNOWN_FIELD,
        TEMPLATE_TOO_BIG,
        TEMPLATE_FIELD_IN_LIST, /* a section over a recipient's field used as a context */
    } kind;
    char name[64];       /* of the field or section */
    const char *nearest; /* a known name that is near, or NULL */
};

/* Renders source against root into m (not sealed). With strict, a name that is nowhere in the tree is a fault; without,
 * it renders as empty, as the specification says. 0, -EINVAL with the fault filled, or another errno. */
int template_render(struct view source, const struct value *root, enum template_target target, bool strict,
                    struct merge *m, struct template_fault *fault);
