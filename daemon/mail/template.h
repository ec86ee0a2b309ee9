/* Templates: Mustache (the public specification's interpolation, sections, inverted sections and comments; no partials,
 * no lambdas, no other delimiters), over a tree of values. A value may be a field of the recipient, known only when a
 * mail is filled: it becomes a merge field, and a section over it a span.
 *
 * In HTML a static text is escaped unless it is raw or in {{{ }}}. In an attribute such as href it is taken for a URL
 * where it begins the value ("#" where its scheme is not http, https, mailto, tel or cid), else for a part of one
 * (percent-encoded). A recipient's field is always escaped for the place where it stands: text and quoted attributes,
 * a part of a URL, a whole URL of ours (below the root's "url"); elsewhere (unquoted attributes, scripts, comments)
 * only what can do no harm stays of it.
 *
 * Limits: source 256 KiB, nesting 16, 4096 tags, rendered text 4 MiB, a million steps. */
#pragma once
#include <stdbool.h>

#include "mail/merge.h"
#include "mail/value.h"

enum {
    TEMPLATE_SOURCE_MAX_BYTES = 256 * 1024,
    TEMPLATE_DEPTH_MAX = 16,
    TEMPLATE_TAGS_MAX = 4096,
    TEMPLATE_TEXT_MAX_BYTES = 4 * 1024 * 1024,
    TEMPLATE_STEPS_MAX = 1000000,
};

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
        TEMPLATE_FIELD_IN_LIST,    /* a name inside a recipient's field, which holds none */
        TEMPLATE_SECTION_CROSSING, /* a section that begins in one block (or place in HTML) and ends in another */
    } kind;
    char name[64];       /* of the field or section */
    const char *nearest; /* a known name that is near, or NULL; points to nearest_text */
    char nearest_text[64];
};

/* Renders source against root into m (not sealed). With strict, a name that is nowhere in the tree is a fault; without,
 * it renders as empty, as the specification says. 0, -EINVAL with the fault filled, or another errno. */
int template_render(struct view source, const struct value *root, enum template_target target, bool strict,
                    struct merge *m, struct template_fault *fault);
