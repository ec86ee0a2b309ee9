#include "mail/markdown_tree.h"

#include "mail/mustache.h"

#include "base/banned.h"

struct tree_node *tree_new(struct tree *t, enum tree_kind kind) {
    struct tree_node *n = arena_alloc(&t->arena, sizeof *n);
    if (n)
        n->kind = kind;
    return n;
}

void tree_append(struct tree_node *parent, struct tree_node *child) {
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
}

static bool is_mark(const struct tree_node *n) {
    return n->kind == TREE_BEGIN || n->kind == TREE_END;
}

static bool is_span(const struct tree_node *n) {
    return is_mark(n) && n->token->is_span;
}

static bool is_pair(const struct tree *t, const struct markdown_token *begin, const struct markdown_token *end) {
    return &t->source->tokens[end->pair] == begin;
}

static int check_pairs(const struct tree *t, const struct tree_node *node) {
    const struct markdown_token *open[TEMPLATE_DEPTH_MAX];
    unsigned depth = 0;
    for (const struct tree_node *n = node->first; n; n = n->next) {
        bool is_good = true;
        if (n->kind == TREE_BEGIN) {
            is_good = depth < TEMPLATE_DEPTH_MAX;
            if (is_good)
                open[depth++] = n->token;
        } else if (n->kind == TREE_END) {
            is_good = depth > 0 && is_pair(t, open[depth - 1], n->token);
            depth -= depth > 0;
        }
        if (!is_good)
            return mustache_fault(t->fault, TEMPLATE_SECTION_CROSSING, n->token->line, n->token->text);
    }
    if (depth)
        return mustache_fault(t->fault, TEMPLATE_SECTION_CROSSING, open[depth - 1]->line, open[depth - 1]->text);
    return 0;
}

/* The last of the siblings that list can take in: other lists of its kind, each parted from the one before by marks
 * only, and the spans around them. A numbered list with spans would count for nobody, so it takes in none. */
static struct tree_node *last_to_join(const struct tree_node *list) {
    struct tree_node *last = NULL;
    unsigned depth = 0;
    bool marked = false, joined = false;
    for (struct tree_node *n = list->next; n; n = n->next) {
        if (is_span(n)) {
            if (list->is_ordered || (n->kind == TREE_END && depth == 0))
                break;
            depth = n->kind == TREE_BEGIN ? depth + 1 : depth - 1;
        } else if (!is_mark(n)) {
            if (n->kind != TREE_LIST || !marked || n->is_ordered != list->is_ordered)
                break;
            joined = true;
        }
        marked = is_mark(n);
        if (joined && depth == 0 && (n->kind == TREE_LIST || is_span(n)))
            last = n;
    }
    return last;
}

static void join(struct tree_node *list, struct tree_node *last, struct tree_node *parent) {
    struct tree_node *n = list->next, *after = last->next;
    while (n != after) {
        struct tree_node *next = n->next;
        if (is_span(n)) {
            tree_append(list, n);
            list->has_spans = true;
        } else if (n->kind == TREE_LIST) {
            unsigned number = list->last && list->last->kind == TREE_ITEM ? list->last->level : 0;
            for (struct tree_node *item = n->first, *following; item; item = following) {
                following = item->next;
                if (list->is_ordered && item->kind == TREE_ITEM)
                    item->level = ++number;
                tree_append(list, item);
            }
            list->is_tight = list->is_tight && n->is_tight;
            list->has_spans = list->has_spans || n->has_spans;
        }
        n = next;
    }
    list->next = after;
    if (!after)
        parent->last = list;
}

static void drop_static_marks(struct tree_node *node) {
    struct tree_node *n = node->first;
    node->first = node->last = NULL;
    for (struct tree_node *next; n; n = next) {
        next = n->next;
        if (is_mark(n) && !is_span(n))
            continue;
        node->has_spans = node->has_spans || is_mark(n);
        tree_append(node, n);
    }
}

int tree_close(struct tree *t, struct tree_node *node) {
    int r = check_pairs(t, node);
    if (r < 0)
        return r;
    for (struct tree_node *n = node->first; n; n = n->next) {
        struct tree_node *last = n->kind == TREE_LIST ? last_to_join(n) : NULL;
        if (last)
            join(n, last, node);
    }
    drop_static_marks(node);
    return 0;
}

static void remove_first(struct tree_node *node) {
    node->first = node->first->next;
    if (!node->first)
        node->last = NULL;
}

static void remove_last(struct tree_node *node) {
    struct tree_node *n = node->first;
    if (n == node->last) {
        node->first = node->last = NULL;
        return;
    }
    while (n->next != node->last)
        n = n->next;
    n->next = NULL;
    node->last = n;
}

/* Whether nothing is left of the node without blanks. */
static bool trim(struct tree_node *n, bool at_end) {
    if (n->kind != TREE_TEXT)
        return n->kind == TREE_SOFT_BREAK || n->kind == TREE_HARD_BREAK;
    while (!at_end && n->text.len && n->text.ptr[0] == ' ')
        n->text = view_slice(n->text, 1, n->text.len);
    while (at_end && n->text.len && n->text.ptr[n->text.len - 1] == ' ')
        n->text.len--;
    return n->text.len == 0;
}

static void trim_blanks(struct tree_node *node) {
    while (node->first && trim(node->first, false))
        remove_first(node);
    while (node->last && trim(node->last, true))
        remove_last(node);
}

static bool is_text_block(const struct tree_node *n) {
    return n->kind == TREE_PARAGRAPH || n->kind == TREE_HEADING;
}

void tree_append_block(struct tree *t, struct tree_node *parent, struct tree_node *block) {
    struct tree_node *ends[TEMPLATE_DEPTH_MAX];
    unsigned depth = 0;
    if (is_text_block(block))
        trim_blanks(block);
    while (depth < TEMPLATE_DEPTH_MAX && block->first && block->first->kind == TREE_BEGIN &&
           block->last->kind == TREE_END && is_pair(t, block->first->token, block->last->token)) {
        struct tree_node *begin = block->first;
        ends[depth++] = block->last;
        remove_first(block);
        remove_last(block);
        tree_append(parent, begin);
        if (is_text_block(block))
            trim_blanks(block);
    }
    if (!is_text_block(block) || block->first)
        tree_append(parent, block);
    while (depth)
        tree_append(parent, ends[--depth]);
}
