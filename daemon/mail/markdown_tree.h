/* The tree between the two halves of mail/markdown.h: what the parser found, with the fields in place and the sections
 * as pairs of marks among siblings. Both renderers read it and nothing else, so both say the same.
 *
 * Nodes live in the tree's arena. Text holds no control characters (in code: but for line ends and tabs). */
#pragma once
#include "base/arena.h"
#include "mail/markdown.h"
#include "mail/markdown_source.h"

enum tree_kind {
    /* blocks */
    TREE_DOCUMENT,
    TREE_PARAGRAPH,
    TREE_HEADING,
    TREE_QUOTE,
    TREE_LIST,
    TREE_ITEM,
    TREE_CODE_BLOCK,
    TREE_RULE,
    /* in blocks */
    TREE_TEXT,
    TREE_FIELD,
    TREE_SOFT_BREAK,
    TREE_HARD_BREAK,
    TREE_CODE,
    TREE_EMPHASIS,
    TREE_STRONG,
    TREE_LINK,
    TREE_IMAGE, /* its children are the alternative text */
    /* among both */
    TREE_BEGIN,
    TREE_END,
};

struct tree_node {
    enum tree_kind kind;
    struct tree_node *first, *last, *next;
    struct view text;                   /* TREE_TEXT */
    const struct markdown_token *token; /* TREE_FIELD, TREE_BEGIN, TREE_END */
    unsigned level;                     /* TREE_HEADING: 1 to 6; TREE_ITEM: its number */
    bool is_ordered, is_tight;          /* TREE_LIST; items have their list's */
    bool has_spans;                     /* TREE_LIST: an item may be left out */
    struct tree_node *url;              /* TREE_LINK: a TREE_PARAGRAPH of TREE_TEXT (a URL's bytes) and TREE_FIELD */
    const struct markdown_image *image;
};

struct tree {
    struct arena arena;
    struct tree_node *root;
    const struct markdown_source *source;
    struct template_fault *fault;
};

struct tree_node *tree_new(struct tree *t, enum tree_kind kind);
void tree_append(struct tree_node *parent, struct tree_node *child);
/* Checks that the marks among the children are in pairs, drops those that are no spans, joins lists that only marks
 * part, and cuts blanks at both ends of a paragraph. */
int tree_close(struct tree *t, struct tree_node *node);
/* Appends a closed block to its parent; where all it holds is one span, the span goes around the block. Nothing is
 * appended of an empty paragraph or heading. */
void tree_append_block(struct tree *t, struct tree_node *parent, struct tree_node *block);

void markdown_write_html(const struct tree *t, const struct markdown_options *options, struct merge *to);
int markdown_write_plain(const struct tree *t, const struct markdown_options *options, struct merge *to);
