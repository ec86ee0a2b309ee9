/* The first half of mail/markdown.h: a source with fields becomes Markdown that has one character of a private plane
 * for each, so that no value is ever parsed. Sections over what is known are resolved here; every section that stands
 * leaves a pair of marks. A tag alone on its line becomes a paragraph of its own.
 *
 * The source's invalid bytes, and characters of that plane, written out or as &#...;, become U+FFFD. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "mail/template.h"

enum markdown_token_kind { MARKDOWN_TOKEN_TEXT, MARKDOWN_TOKEN_FIELD, MARKDOWN_TOKEN_BEGIN, MARKDOWN_TOKEN_END };

struct markdown_token {
    enum markdown_token_kind kind;
    struct view text; /* MARKDOWN_TOKEN_TEXT; MARKDOWN_TOKEN_BEGIN and MARKDOWN_TOKEN_END: the section's name */
    unsigned field;   /* all but MARKDOWN_TOKEN_TEXT */
    bool is_url;      /* MARKDOWN_TOKEN_TEXT, MARKDOWN_TOKEN_FIELD: below the root's "url" */
    bool inverted;
    bool is_span; /* MARKDOWN_TOKEN_BEGIN, MARKDOWN_TOKEN_END: over a recipient's field */
    bool alone;
    unsigned line, pair; /* of MARKDOWN_TOKEN_BEGIN and MARKDOWN_TOKEN_END: in the source; the other one's number */
};

struct markdown_source {
    struct buf text; /* what is to be parsed */
    struct markdown_token *tokens;
    unsigned count, room;
    struct buf clean; /* what names point into */
};

/* 0, -EINVAL with the fault filled, -ENOMEM. To be released in any case. */
int markdown_source_read(struct view source, const struct value *root, struct markdown_source *ret,
                         struct template_fault *fault);
void markdown_source_done(struct markdown_source *s);
/* Takes what stands before the next token of text off *rest, then the token; a NULL token at the end of the text. */
struct view markdown_source_split(const struct markdown_source *s, struct view *rest,
                                  const struct markdown_token **ret);
