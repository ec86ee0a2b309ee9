/* Values: the tree of fields that templates and texts are rendered against, and the stack of contexts in which a
 * section's names are looked up (Mustache: the innermost context that knows the first part of a dotted name decides).
 *
 * A value may be a field of the recipient, known only when a mail is filled. Maps are looked up in order and are
 * short; their arrays live in the arena given and are copied when they grow. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/view.h"

struct merge;

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

/* What a section over the value does: false for null, false, the empty text and the empty list. A field is true here:
 * the recipient decides. */
bool value_is_true(const struct value *v);

enum { SCOPE_DEPTH_MAX = 17, SCOPE_NAMES_MAX = 512 };

struct scope {
    struct {
        const struct value *value;
        bool is_url; /* at or below the root's "url": whole URLs that we made */
    } frames[SCOPE_DEPTH_MAX];
    unsigned depth;
};

struct found {
    const struct value *value; /* NULL: the name is nowhere */
    bool is_url;
    bool after_null;  /* nowhere, because a part before is null */
    bool after_field; /* nowhere, because a part before is a recipient's field */
};

void scope_init(struct scope *s, const struct value *root);
/* False at the cap. */
bool scope_push(struct scope *s, const struct value *value, bool is_url);
void scope_pop(struct scope *s);
/* A dotted name, or "." for the innermost context itself. */
struct found scope_find(const struct scope *s, struct view name);
/* Copies the known name that is nearest to name into ret (or ""): those of the innermost context as they are, all
 * others dotted from the root, SCOPE_NAMES_MAX at most. */
void scope_nearest(const struct scope *s, struct view name, char *ret, size_t size);
