/* Mustache: reading a source into tags and walking it against a tree of values. What comes out goes to a sink: a merge
 * (mail/template.h), or Markdown to be parsed (mail/markdown_source.h).
 *
 * A tag for a section or comment that is alone on its line takes the line with it, line end included.
 *
 * In strict mode a name that is nowhere in the tree is a fault, also in what is not rendered; only a section over null
 * or an empty list is not looked into, because nobody knows what its context would be. */
#pragma once
#include "mail/template.h"

struct mustache_tag {
    struct view name;
    unsigned line;
    bool raw;            /* {{{x}}} and {{&x}} */
    bool inverted;       /* {{^x}} */
    bool alone, closing; /* of sections: alone on its line; {{/x}} */
    struct view indent;  /* of one that is alone: the blanks before it */
};

/* Every function returns 0 or a negative errno; -EINVAL with the fault filled. */
struct mustache_sink {
    void *user;
    int (*on_text)(void *user, struct view text);
    int (*on_value)(void *user, const struct mustache_tag *tag, const struct found *found);
    /* Before and after what a section renders: once for a recipient's field (found->value is one), once for each item
     * of a list; at a skipped one not at all. */
    int (*on_begin)(void *user, const struct mustache_tag *tag, const struct found *found);
    int (*on_end)(void *user, const struct mustache_tag *tag, const struct found *found);
};

/* Limits: TEMPLATE_DEPTH_MAX, TEMPLATE_TAGS_MAX, TEMPLATE_STEPS_MAX; the source's size is the caller's to limit. */
int mustache_walk(struct view source, const struct value *root, bool strict, const struct mustache_sink *sink,
                  struct template_fault *fault);
/* Fills the fault and returns -EINVAL. */
int mustache_fault(struct template_fault *fault, int kind, unsigned line, struct view name);
