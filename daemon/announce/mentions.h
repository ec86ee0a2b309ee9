/* What an announcement's text names: `attach = a.pdf, b.pdf` in its head, `![alt](map.png)` and links in its body. A
 * quick reading, for finding files beside it and the lines that name them; what they are good for is the draft's and
 * the Markdown's to say. */
#pragma once

#include "base/view.h"

enum mention_kind {
    MENTION_ATTACHMENT,
    MENTION_IMAGE,
    MENTION_LINK, /* and definitions ("[plan]: map.png"), which may be an image's */
};

struct mention {
    struct view name;    /* trimmed; in the body decoded (%20, \) */
    struct view written; /* as it stands there */
    enum mention_kind kind;
    unsigned line; /* of the file */
};

/* A non-zero answer ends the reading and is returned. */
typedef int mentions_on_name(void *user, const struct mention *m);
/* The text is UTF-8. 0, what on_name answered, or -ENOMEM. */
int mentions_each(struct view text, mentions_on_name *on_name, void *user);
/* Of a body alone, whose first line is that of the file. */
int mentions_in_body(struct view body, unsigned line, mentions_on_name *on_name, void *user);
