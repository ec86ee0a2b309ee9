/* A text as cmark's tree, for markdown.c alone.
 *
 * cmark 0.30 cannot say that memory ran out: its own allocator ends the process, and what another one gives it is used
 * unseen. So it gets its memory here: where there is none, the parse is left by longjmp(3), from below cmark, which
 * holds nothing but that memory. All of it is freed as a whole, whether the tree is there or not.
 *
 * cmark's allocator has no argument for whose it is; it is known by the thread. So whatever else takes memory of a tree
 * (an iterator, a renderer, a change) must not be called: only the accessors and the way from node to node. */
#pragma once
#include <stddef.h>

struct cmark_node;
struct markdown_parsed {
    struct cmark_node *document;
    void *memory;
};

/* 0 or -ENOMEM, and then there is nothing to be freed. */
int markdown_parse(const char *text, size_t len, struct markdown_parsed *ret);
void markdown_parsed_done(struct markdown_parsed *p);
