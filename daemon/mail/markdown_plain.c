/* The plain text of mail/markdown.h.
 *
 * Between two blocks stands an empty line: before a block where something surely stands before it; else, as long as
 * only spans stood, behind each block at the end of its span, so that none that is left out leaves a gap. */
#include <errno.h>

#include "base/text.h"
#include "mail/link.h"
#include "mail/markdown_tree.h"
#include "mail/mustache.h"
#include "mail/wrap.h"

#include "base/banned.h"

enum {
    FIELD_COLUMNS = 20,
    URL_FIELD_COLUMNS = WRAP_COLUMNS,
    LINK_COLUMNS_MAX = 30, /* a longer one goes to the list */
    UNDERLINE_COLUMNS_MIN = 3,
};

/* The spans around a link's uses. */
struct condition {
    const struct markdown_token *spans[TEMPLATE_DEPTH_MAX];
    unsigned depth;
};

struct listed_link {
    const struct tree_node *url;
    struct view key;
    struct condition condition; /* what all its uses have in common */
};

struct writing {
    const struct markdown_options *options;
    struct tree *tree;
    struct merge *to;
    struct wrap wrap;
    struct buf prefix, lead; /* of every line; of the next line instead */
    bool has_lead;
    struct condition condition;
    struct listed_link *links;
    size_t link_count;
    int error; /* first of those that no merge or buffer keeps */
};

static void note(struct writing *w, const struct buf *b) {
    if (w->error == 0)
        w->error = buf_error(b);
}

/* Links */

static void add_field_key(struct buf *key, const struct tree_node *field) {
    buf_printf(key, "\n%u\n", field->token->field); /* no line end stands in the rest */
}

static void add_key(struct buf *key, const struct tree_node *parent) {
    for (const struct tree_node *n = parent->first; n; n = n->next) {
        if (n->kind == TREE_TEXT)
            buf_add_view(key, n->text);
        else if (n->kind == TREE_FIELD)
            add_field_key(key, n);
        else if (n->kind == TREE_BEGIN || n->kind == TREE_END)
            buf_puts(key, "\n\n"); /* like nothing else */
        else
            add_key(key, n);
    }
}

/* Of a phone number what counts; of a mail address no scheme. */
static struct view bare_key(struct buf *key) {
    struct view v = buf_view(key);
    if (view_starts(v, "mailto:"))
        return view_slice(v, 7, v.len);
    if (!view_starts(v, "tel:"))
        return v;
    size_t n = 0;
    for (size_t i = 4; i < key->len; i++)
        if (!strchr(" -/()", key->data[i]))
            key->data[n++] = key->data[i];
    return view_make(key->data, n);
}

static bool says_itself(struct writing *w, const struct tree_node *link) {
    AUTOBUF struct buf url = BUF_INIT(MARKDOWN_TEXT_MAX_BYTES), text = BUF_INIT(MARKDOWN_TEXT_MAX_BYTES);
    bool is_phone = link->url->first->kind == TREE_TEXT && view_starts(link->url->first->text, "tel:");
    if (is_phone)
        buf_puts(&text, "tel:");
    add_key(&url, link->url);
    add_key(&text, link);
    note(w, &url);
    note(w, &text);
    if (view_eq(buf_view(&url), buf_view(&text)))
        return true;
    return view_eq(bare_key(&url), is_phone ? bare_key(&text) : buf_view(&text));
}

static size_t url_columns(const struct tree_node *url) {
    size_t columns = 0;
    for (const struct tree_node *n = url->first; n; n = n->next)
        columns += n->kind == TREE_TEXT ? text_width(n->text) : n->token->is_url ? URL_FIELD_COLUMNS : FIELD_COLUMNS;
    return columns;
}

static void keep_common(struct condition *a, const struct condition *b) {
    unsigned n = 0;
    while (n < a->depth && n < b->depth && a->spans[n]->field == b->spans[n]->field &&
           a->spans[n]->inverted == b->spans[n]->inverted)
        n++;
    a->depth = n;
}

/* The number of the link in the list, from 1. */
static size_t number_link(struct writing *w, const struct tree_node *url) {
    AUTOBUF struct buf key = BUF_INIT(MARKDOWN_TEXT_MAX_BYTES);
    add_key(&key, url);
    note(w, &key);
    for (size_t i = 0; i < w->link_count; i++)
        if (view_eq(w->links[i].key, buf_view(&key))) {
            keep_common(&w->links[i].condition, &w->condition);
            return i + 1;
        }
    const char *copy = arena_dup(&w->tree->arena, buf_view(&key));
    if (w->link_count == MARKDOWN_LINKS_MAX || !copy) {
        w->error = w->error ? w->error : copy ? -EMSGSIZE : -ENOMEM;
        return 0;
    }
    w->links[w->link_count] = (struct listed_link){url, view_make(copy, key.len), w->condition};
    return ++w->link_count;
}

/* Text that a wrap may hold on to. */
static struct view kept(struct writing *w, const struct buf *b) {
    const char *copy = arena_dup(&w->tree->arena, buf_view(b));
    return copy ? view_make(copy, b->len) : (struct view){0};
}

/* Of a mail address or phone number, which people write without it. */
static size_t length_of_scheme(const struct tree_node *first) {
    if (first->kind != TREE_TEXT || view_find(first->text, '?') < first->text.len)
        return 0;
    return view_starts(first->text, "mailto:") ? 7 : view_starts(first->text, "tel:") ? 4 : 0;
}

static void put_words(struct writing *w, const struct tree_node *parent);

static void put_link(struct writing *w, const struct tree_node *link) {
    bool itself = says_itself(w, link), is_address = length_of_scheme(link->url->first) > 0;
    if (itself && (is_address || url_columns(link->url) <= LINK_COLUMNS_MAX)) {
        put_words(w, link);
        return;
    }
    AUTOBUF struct buf number = BUF_INIT(32);
    if (!itself)
        put_words(w, link);
    buf_printf(&number, "%s[%zu]", itself || w->wrap.is_blank ? "" : " ", number_link(w, link->url));
    note(w, &number);
    wrap_solid(&w->wrap, kept(w, &number));
}

static void put_link_list(struct writing *w) {
    struct condition all = w->links[0].condition;
    for (size_t i = 1; i < w->link_count; i++)
        keep_common(&all, &w->links[i].condition);
    for (unsigned d = 0; d < all.depth; d++)
        merge_if(w->to, all.spans[d]->field, all.spans[d]->inverted);
    merge_text(w->to, VIEW("\n"));
    merge_text(w->to, view_of(w->options->links_title ? w->options->links_title : ""));
    merge_text(w->to, VIEW("\n"));
    for (size_t i = 0; i < w->link_count; i++) {
        const struct listed_link *link = &w->links[i];
        AUTOBUF struct buf b = BUF_INIT(MARKDOWN_TEXT_MAX_BYTES);
        for (unsigned d = all.depth; d < link->condition.depth; d++)
            merge_if(w->to, link->condition.spans[d]->field, link->condition.spans[d]->inverted);
        buf_printf(&b, "[%zu] ", i + 1);
        size_t scheme = length_of_scheme(link->url->first);
        for (const struct tree_node *n = link->url->first; n; n = n->next) {
            if (n->kind == TREE_TEXT) {
                link_add_plain(&b, view_slice(n->text, n == link->url->first ? scheme : 0, n->text.len));
                continue;
            }
            merge_text(w->to, buf_view(&b));
            note(w, &b);
            buf_clear(&b);
            merge_field(w->to, n->token->field, n == link->url->first ? MERGE_PLAIN : MERGE_URL);
        }
        buf_putc(&b, '\n');
        merge_text(w->to, buf_view(&b));
        note(w, &b);
        for (unsigned d = all.depth; d < link->condition.depth; d++)
            merge_end(w->to);
    }
    for (unsigned d = 0; d < all.depth; d++)
        merge_end(w->to);
}

/* Words */

static void enter(struct writing *w, const struct tree_node *mark) {
    if (mark->kind == TREE_END)
        w->condition.depth--;
    else if (w->condition.depth < TEMPLATE_DEPTH_MAX)
        w->condition.spans[w->condition.depth++] = mark->token;
}

static void put_emphasis(struct writing *w, const struct tree_node *n, const char *sign) {
    wrap_solid(&w->wrap, view_of(sign));
    put_words(w, n);
    wrap_solid(&w->wrap, view_of(sign));
}

static void put_words(struct writing *w, const struct tree_node *parent) {
    for (const struct tree_node *n = parent->first; n; n = n->next)
        switch (n->kind) {
        case TREE_TEXT: wrap_text(&w->wrap, n->text); break;
        case TREE_FIELD:
            wrap_field(&w->wrap, n->token->field, MERGE_PLAIN, n->token->is_url ? URL_FIELD_COLUMNS : FIELD_COLUMNS);
            break;
        case TREE_SOFT_BREAK: wrap_text(&w->wrap, VIEW(" ")); break;
        case TREE_HARD_BREAK: wrap_break(&w->wrap); break;
        case TREE_EMPHASIS: put_emphasis(w, n, "_"); break;
        case TREE_STRONG: put_emphasis(w, n, "*"); break;
        case TREE_LINK: put_link(w, n); break;
        case TREE_CODE:
        case TREE_IMAGE: put_words(w, n); break;
        case TREE_BEGIN:
            wrap_if(&w->wrap, n->token->field, n->token->inverted);
            enter(w, n);
            break;
        case TREE_END:
            wrap_end(&w->wrap);
            enter(w, n);
            break;
        case TREE_DOCUMENT:
        case TREE_PARAGRAPH:
        case TREE_HEADING:
        case TREE_QUOTE:
        case TREE_LIST:
        case TREE_ITEM:
        case TREE_CODE_BLOCK:
        case TREE_RULE: break; /* blocks are not among words */
        }
}

/* Blocks */

static struct view without_blanks_at_end(const struct buf *b) {
    struct view v = buf_view(b);
    while (v.len && v.ptr[v.len - 1] == ' ')
        v.len--;
    return v;
}

static struct view first_prefix(struct writing *w) {
    bool has_lead = w->has_lead;
    w->has_lead = false;
    return buf_view(has_lead ? &w->lead : &w->prefix);
}

static void put_gap(struct writing *w) {
    merge_text(w->to, without_blanks_at_end(&w->prefix));
    merge_text(w->to, VIEW("\n"));
}

static size_t put_lines(struct writing *w, const struct tree_node *n) {
    put_words(w, n);
    return wrap_flush(&w->wrap, first_prefix(w), buf_view(&w->prefix), w->to);
}

static void put_heading(struct writing *w, const struct tree_node *n) {
    size_t columns = put_lines(w, n);
    merge_text(w->to, buf_view(&w->prefix));
    columns = columns < UNDERLINE_COLUMNS_MIN ? UNDERLINE_COLUMNS_MIN : columns;
    for (size_t i = 0; i < columns && i < WRAP_COLUMNS; i++)
        merge_text(w->to, n->level == 1 ? VIEW("=") : VIEW("-"));
    merge_text(w->to, VIEW("\n"));
}

static void put_code_text(struct writing *w, struct view text) {
    struct view line;
    for (bool is_first = true; view_split(&text, '\n', &line); is_first = false) {
        bool is_empty = line.len == 0 && text.ptr; /* an empty line in the middle; what follows the last is unknown */
        if (!is_first) {
            merge_text(w->to, VIEW("\n"));
            merge_text(w->to, is_empty ? without_blanks_at_end(&w->prefix) : buf_view(&w->prefix));
            merge_text(w->to, is_empty ? VIEW("") : VIEW("    "));
        }
        merge_text(w->to, line);
    }
}

static void put_code_block(struct writing *w, const struct tree_node *block) {
    merge_text(w->to, first_prefix(w));
    merge_text(w->to, VIEW("    "));
    for (const struct tree_node *n = block->first; n; n = n->next) {
        if (n->kind == TREE_BEGIN)
            merge_if(w->to, n->token->field, n->token->inverted);
        else if (n->kind == TREE_END)
            merge_end(w->to);
        else if (n->kind == TREE_FIELD)
            merge_field(w->to, n->token->field, MERGE_PLAIN);
        else
            put_code_text(w, n->text);
    }
    merge_text(w->to, VIEW("\n"));
}

static void put_blocks(struct writing *w, const struct tree_node *parent, bool is_tight);

static void put_quote(struct writing *w, const struct tree_node *n) {
    size_t before = w->prefix.len;
    if (w->has_lead)
        buf_puts(&w->lead, "> ");
    buf_puts(&w->prefix, "> ");
    if (n->first)
        put_blocks(w, n, false);
    else
        merge_text(w->to, VIEW(">\n"));
    buf_truncate(&w->prefix, before);
}

static void put_item(struct writing *w, const struct tree_node *n, bool is_ordered, bool is_tight) {
    AUTOBUF struct buf sign = BUF_INIT(32);
    size_t before = w->prefix.len;
    if (is_ordered)
        buf_printf(&sign, "%u. ", n->level);
    else
        buf_puts(&sign, "- ");
    note(w, &sign);
    if (!w->has_lead) {
        note(w, &w->lead);
        buf_clear(&w->lead);
        buf_add_view(&w->lead, buf_view(&w->prefix));
    }
    buf_add_view(&w->lead, buf_view(&sign));
    w->has_lead = true;
    for (size_t i = 0; i < sign.len; i++)
        buf_putc(&w->prefix, ' ');
    if (!n->first || n->first->kind == TREE_BEGIN) { /* the sign stands whether the span does or not */
        merge_text(w->to, without_blanks_at_end(&w->lead));
        merge_text(w->to, VIEW("\n"));
        w->has_lead = false;
    }
    put_blocks(w, n, is_tight);
    buf_truncate(&w->prefix, before);
}

static void put_block(struct writing *w, const struct tree_node *n, const struct tree_node *parent) {
    switch (n->kind) {
    case TREE_PARAGRAPH: (void)put_lines(w, n); return; /* only a heading asks for the width */
    case TREE_HEADING: put_heading(w, n); return;
    case TREE_QUOTE: put_quote(w, n); return;
    case TREE_LIST: put_blocks(w, n, n->is_tight); return;
    case TREE_ITEM: put_item(w, n, parent->is_ordered, parent->is_tight); return;
    case TREE_CODE_BLOCK: put_code_block(w, n); return;
    case TREE_RULE:
        merge_text(w->to, first_prefix(w));
        merge_text(w->to, VIEW("* * *\n"));
        return;
    case TREE_DOCUMENT:
    case TREE_TEXT:
    case TREE_FIELD:
    case TREE_SOFT_BREAK:
    case TREE_HARD_BREAK:
    case TREE_CODE:
    case TREE_EMPHASIS:
    case TREE_STRONG:
    case TREE_LINK:
    case TREE_IMAGE:
    case TREE_BEGIN:
    case TREE_END: return; /* not among blocks, or not blocks */
    }
}

static void put_blocks(struct writing *w, const struct tree_node *parent, bool is_tight) {
    /* For each open span, and before any: whether a block stands in it, and whether one surely stands before the next.
     */
    struct {
        bool has_block, is_sure;
    } state[TEMPLATE_DEPTH_MAX + 1] = {0};
    unsigned depth = 0;
    for (const struct tree_node *n = parent->first; n; n = n->next) {
        if (n->kind == TREE_BEGIN && depth < TEMPLATE_DEPTH_MAX) {
            merge_if(w->to, n->token->field, n->token->inverted);
            enter(w, n);
            state[depth + 1].has_block = false;
            state[depth + 1].is_sure = state[depth].is_sure;
            depth++;
        } else if (n->kind == TREE_END && depth > 0) {
            depth--;
            if (!is_tight && !state[depth].is_sure && state[depth + 1].has_block)
                put_gap(w);
            merge_end(w->to);
            enter(w, n);
        } else {
            if (!is_tight && state[depth].is_sure)
                put_gap(w);
            put_block(w, n, parent);
            state[depth].has_block = state[depth].is_sure = true;
        }
    }
}

int markdown_write_plain(const struct tree *t, const struct markdown_options *options, struct merge *to) {
    struct writing w = {
        .options = options,
        .tree = (struct tree *)t, /* its arena keeps what the wrap holds on to */
        .to = to,
        .prefix = BUF_INIT(4096),
        .lead = BUF_INIT(4096),
        .links = calloc(MARKDOWN_LINKS_MAX, sizeof *w.links),
    };
    if (!w.links)
        return -ENOMEM;
    wrap_init(&w.wrap);
    put_blocks(&w, t->root, false);
    if (w.link_count)
        put_link_list(&w);
    note(&w, &w.prefix);
    note(&w, &w.lead);
    if (w.error == 0 && arena_failed(&w.tree->arena))
        w.error = -ENOMEM;
    wrap_done(&w.wrap);
    buf_done(&w.prefix);
    buf_done(&w.lead);
    free(w.links);
    return w.error;
}
