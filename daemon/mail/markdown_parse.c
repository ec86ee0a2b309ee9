#define CMARK_NO_SHORT_NAMES
#include "mail/markdown_parse.h"

#include <cmark.h>
#include <errno.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/banned.h"

/* Before each piece of memory; next and before are NULL at the ends. */
struct piece {
    alignas(max_align_t) struct piece *next;
    struct piece *before;
};

struct parse {
    struct piece *pieces;
    jmp_buf out_of_memory;
};

static _Thread_local struct parse *parsing; /* NULL but while cmark parses */

static struct piece *piece_of(void *memory) {
    return (struct piece *)memory - 1;
}

/* What moved, or is new, is known by its neighbours. */
static void *linked(struct piece *p) {
    *(p->before ? &p->before->next : &parsing->pieces) = p;
    if (p->next)
        p->next->before = p;
    return p + 1;
}

static void *give(size_t count, size_t size) {
    size_t bytes;
    struct piece *p = NULL;
    if (!__builtin_mul_overflow(count, size, &bytes) && !__builtin_add_overflow(bytes, sizeof *p, &bytes))
        p = calloc(1, bytes);
    if (!p)
        longjmp(parsing->out_of_memory, 1);
    p->next = parsing->pieces;
    return linked(p);
}

static void *give_more(void *memory, size_t size) {
    if (!memory)
        return give(1, size);
    struct piece *p = size > SIZE_MAX - sizeof *p ? NULL : realloc(piece_of(memory), sizeof *p + size);
    if (!p)
        longjmp(parsing->out_of_memory, 1);
    return linked(p);
}

static void take_back(void *memory) {
    if (!memory)
        return;
    struct piece *p = piece_of(memory);
    *(p->before ? &p->before->next : &parsing->pieces) = p->next;
    if (p->next)
        p->next->before = p->before;
    free(p);
}

static void free_all(struct piece *pieces) {
    while (pieces) {
        struct piece *next = pieces->next;
        free(pieces);
        pieces = next;
    }
}

/* No variable of its own lives across the jump. */
static cmark_node *parse_text(const char *text, size_t len) {
    static cmark_mem memory = {give, give_more, take_back};
    if (setjmp(parsing->out_of_memory))
        return NULL;
    cmark_parser *parser = cmark_parser_new_with_mem(CMARK_OPT_VALIDATE_UTF8, &memory);
    cmark_parser_feed(parser, text, len);
    return cmark_parser_finish(parser); /* the parser goes with all the rest */
}

int markdown_parse(const char *text, size_t len, struct markdown_parsed *ret) {
    struct parse parse = {0};
    parsing = &parse;
    cmark_node *document = parse_text(text, len);
    parsing = NULL;
    if (!document) {
        free_all(parse.pieces);
        return -ENOMEM;
    }
    *ret = (struct markdown_parsed){document, parse.pieces};
    return 0;
}

void markdown_parsed_done(struct markdown_parsed *p) {
    free_all(p->memory);
    *p = (struct markdown_parsed){0};
}
