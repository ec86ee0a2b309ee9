/* The HTML of mail/markdown.h. */
#include "mail/link.h"
#include "mail/markdown_tree.h"

#include "base/banned.h"

struct writing {
    const struct markdown_options *options;
    struct merge *to;
    unsigned highest; /* level of a heading, 1 to 6 */
};

static void put(struct writing *w, const char *s) {
    merge_text(w->to, view_of(s));
}

static void put_buf(struct writing *w, const struct buf *b) {
    merge_text(w->to, buf_view(b));
    if (buf_error(b) && w->to->error == 0)
        w->to->error = buf_error(b);
}

static void put_escaped(struct writing *w, struct view text) {
    AUTOBUF struct buf b = BUF_INIT(MARKDOWN_TEXT_MAX_BYTES * 6);
    merge_escape(text, MERGE_HTML, &b);
    put_buf(w, &b);
}

static void put_number(struct writing *w, const char *attribute, unsigned number) {
    AUTOBUF struct buf b = BUF_INIT(64);
    buf_printf(&b, " %s=\"%u\"", attribute, number);
    put_buf(w, &b);
}

/* What ends the tag that was begun. */
static void put_style(struct writing *w, const char *style) {
    if (style && *style) {
        put(w, " style=\"");
        put_escaped(w, view_of(style));
        put(w, "\"");
    }
    put(w, ">");
}

static void put_children(struct writing *w, const struct tree_node *parent, bool is_tight);

static void put_element(struct writing *w, const char *name, const char *style, const struct tree_node *n) {
    put(w, "<");
    put(w, name);
    put_style(w, style);
    put_children(w, n, false);
    put(w, "</");
    put(w, name);
    put(w, ">");
}

/* A link that shows its own address: <https://town.example/>. */
static bool shows_itself(const struct tree_node *link) {
    const struct tree_node *url = link->url->first, *text = link->first;
    return url && text && !url->next && !text->next && url->kind == TREE_TEXT && text->kind == TREE_TEXT &&
           text->text.len && text->text.len <= url->text.len &&
           view_eq(view_slice(url->text, url->text.len - text->text.len, text->text.len), text->text);
}

static void put_link(struct writing *w, const struct tree_node *link) {
    put(w, w->options->is_rtl && shows_itself(link) ? "<a dir=\"ltr\" href=\"" : "<a href=\"");
    for (const struct tree_node *n = link->url->first; n; n = n->next) {
        AUTOBUF struct buf b = BUF_INIT(MARKDOWN_TEXT_MAX_BYTES * 6);
        if (n->kind == TREE_FIELD)
            merge_field(w->to, n->token->field, n == link->url->first ? MERGE_URL_HTML : MERGE_URL);
        else
            link_add_html(&b, n->text);
        put_buf(w, &b);
    }
    put(w, "\"");
    put_style(w, w->options->link_style);
    put_children(w, link, false);
    put(w, "</a>");
}

static void put_image(struct writing *w, const struct tree_node *n) {
    AUTOBUF struct buf file = BUF_INIT(4096);
    if (w->options->cid_domain) {
        put(w, "<img src=\"cid:");
        put(w, n->image->content_id);
        put(w, "@");
        put_escaped(w, view_of(w->options->cid_domain));
    } else {
        put(w, "<img src=\"");
        link_add_part(&file, view_of(""), view_of(n->image->file));
        put_buf(w, &file);
    }
    put(w, "\" alt=\"");
    put_children(w, n, false);
    put(w, "\"");
    unsigned width = w->options->image_width ? w->options->image_width(w->options->user, n->image->file) : 0;
    if (width)
        put_number(w, "width", width);
    put_style(w, w->options->image_style);
}

static void put_list(struct writing *w, const struct tree_node *list) {
    const struct tree_node *item = list->first;
    while (item && item->kind != TREE_ITEM)
        item = item->next;
    put(w, list->is_ordered ? "<ol" : "<ul");
    if (list->is_ordered && item && item->level != 1)
        put_number(w, "start", item->level);
    put_style(w, w->options->list_style);
    put(w, "\n");
    for (const struct tree_node *n = list->first; n; n = n->next) {
        if (n->kind == TREE_BEGIN)
            merge_if(w->to, n->token->field, n->token->inverted);
        else if (n->kind == TREE_END)
            merge_end(w->to);
        else {
            put(w, "<li");
            if (list->is_ordered && list->has_spans)
                put_number(w, "value", n->level);
            put(w, ">");
            put_children(w, n, list->is_tight);
            put(w, "</li>\n");
        }
    }
    put(w, list->is_ordered ? "</ol>\n" : "</ul>\n");
}

static void put_paragraph(struct writing *w, const struct tree_node *n, bool is_tight) {
    if (is_tight)
        put_children(w, n, false);
    else
        put_element(w, "p", w->options->paragraph_style, n);
    if (!is_tight || n->next)
        put(w, "\n");
}

static void put_code_block(struct writing *w, const struct tree_node *n) {
    put(w, "<pre");
    put_style(w, w->options->code_style);
    put_element(w, "code", NULL, n);
    put(w, "</pre>\n");
}

static void put_heading(struct writing *w, const struct tree_node *n) {
    static const char *const names[] = {"h1", "h1", "h2", "h3", "h4", "h5", "h6"};
    unsigned top = w->options->heading_top, level = top ? n->level - w->highest + top : n->level;
    put_element(w, names[level < COUNT_OF(names) ? level : COUNT_OF(names) - 1], w->options->heading_style, n);
    put(w, "\n");
}

static void put_node(struct writing *w, const struct tree_node *n, bool is_tight) {
    const struct markdown_options *o = w->options;
    switch (n->kind) {
    case TREE_DOCUMENT:
    case TREE_ITEM: return; /* written by those above them */
    case TREE_PARAGRAPH: put_paragraph(w, n, is_tight); return;
    case TREE_HEADING: put_heading(w, n); return;
    case TREE_QUOTE:
        put(w, "<blockquote");
        put_style(w, o->quote_style);
        put(w, "\n");
        put_children(w, n, false);
        put(w, "</blockquote>\n");
        return;
    case TREE_LIST: put_list(w, n); return;
    case TREE_CODE_BLOCK: put_code_block(w, n); return;
    case TREE_RULE:
        put(w, "<hr");
        put_style(w, o->rule_style);
        put(w, "\n");
        return;
    case TREE_TEXT: put_escaped(w, n->text); return;
    case TREE_FIELD: merge_field(w->to, n->token->field, n->token->is_url ? MERGE_URL_HTML : MERGE_HTML); return;
    case TREE_SOFT_BREAK: put(w, "\n"); return;
    case TREE_HARD_BREAK: put(w, "<br>\n"); return;
    case TREE_CODE: put_element(w, "code", NULL, n); return;
    case TREE_EMPHASIS: put_element(w, "em", NULL, n); return;
    case TREE_STRONG: put_element(w, "strong", NULL, n); return;
    case TREE_LINK: put_link(w, n); return;
    case TREE_IMAGE: put_image(w, n); return;
    case TREE_BEGIN: merge_if(w->to, n->token->field, n->token->inverted); return;
    case TREE_END: merge_end(w->to); return;
    }
}

static void put_children(struct writing *w, const struct tree_node *parent, bool is_tight) {
    for (const struct tree_node *n = parent->first; n; n = n->next)
        put_node(w, n, is_tight);
}

static unsigned highest_heading(const struct tree_node *parent) {
    unsigned highest = parent->kind == TREE_HEADING ? parent->level : 6;
    for (const struct tree_node *n = parent->first; n; n = n->next) {
        unsigned below = highest_heading(n);
        highest = below < highest ? below : highest;
    }
    return highest;
}

void markdown_write_html(const struct tree *t, const struct markdown_options *options, struct merge *to) {
    struct writing w = {options, to, highest_heading(t->root)};
    put_children(&w, t->root, false);
}
