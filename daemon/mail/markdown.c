#define CMARK_NO_SHORT_NAMES
#include "mail/markdown.h"

#include <cmark.h>
#include <errno.h>

#include "base/text.h"
#include "mail/link.h"
#include "mail/markdown_parse.h"
#include "mail/markdown_source.h"
#include "mail/markdown_tree.h"
#include "mail/mustache.h"

#include "base/banned.h"

enum { FILE_NAME_MAX = 255 };

struct building {
    struct tree tree;
    const struct markdown_source *source;
    struct markdown *out;
    unsigned depth;
    size_t text_bytes;
};

static int too_big(struct building *b) {
    return mustache_fault(b->tree.fault, TEMPLATE_TOO_BIG, 1, (struct view){0});
}

static int error_of(struct building *b, const struct buf *text) {
    return buf_error(text) == -EMSGSIZE ? too_big(b) : buf_error(text);
}

static struct tree_node *new_node(struct building *b, enum tree_kind kind, struct tree_node *parent) {
    struct tree_node *n = tree_new(&b->tree, kind);
    if (n && parent)
        tree_append(parent, n);
    return n;
}

enum text_kind { TEXT_WORDS, TEXT_CODE, TEXT_LINES };

/* Without control characters; outside of code every blank is a space. */
static int add_text(struct building *b, struct tree_node *parent, struct view text, enum text_kind kind) {
    AUTOBUF struct buf clean = BUF_INIT(MARKDOWN_TEXT_MAX_BYTES);
    merge_escape(text, MERGE_PLAIN, &clean);
    b->text_bytes += clean.len;
    if (buf_error(&clean) == -EMSGSIZE || b->text_bytes > MARKDOWN_TEXT_MAX_BYTES)
        return too_big(b);
    for (size_t i = 0; kind != TEXT_CODE && i < clean.len; i++)
        if (clean.data[i] == '\n' || clean.data[i] == '\t')
            clean.data[i] = ' ';
    if (clean.len == 0)
        return buf_error(&clean);
    struct tree_node *n = new_node(b, TREE_TEXT, parent);
    const char *copy = arena_dup(&b->tree.arena, buf_view(&clean));
    if (!n || !copy)
        return -ENOMEM;
    n->text = view_make(copy, clean.len);
    return 0;
}

static int add_lines(struct building *b, struct tree_node *parent, struct view text) {
    struct view line;
    int r = 0;
    for (bool first = true; r == 0 && view_split(&text, '\n', &line); first = false) {
        if (!first && !new_node(b, TREE_HARD_BREAK, parent))
            return -ENOMEM;
        r = add_text(b, parent, line, TEXT_WORDS);
    }
    return r;
}

/* What a tag alone on its line left around its mark inside of code: a line end, its indentation; two line ends. */
static void cut_around(const struct markdown_token *token, struct view *before, struct view *after) {
    if (!token->alone || (token->kind != MARKDOWN_TOKEN_BEGIN && token->kind != MARKDOWN_TOKEN_END))
        return;
    while (before->len && strchr(" \t", before->ptr[before->len - 1]))
        before->len--;
    before->len -= before->len && before->ptr[before->len - 1] == '\n';
    for (int i = 0; i < 2 && after->len && after->ptr[0] == '\n'; i++)
        *after = view_slice(*after, 1, after->len);
}

static int add_token(struct building *b, struct tree_node *parent, const struct markdown_token *token) {
    static const enum tree_kind kinds[] = {
        [MARKDOWN_TOKEN_FIELD] = TREE_FIELD,
        [MARKDOWN_TOKEN_BEGIN] = TREE_BEGIN,
        [MARKDOWN_TOKEN_END] = TREE_END,
    };
    if (token->kind == MARKDOWN_TOKEN_TEXT)
        return add_text(b, parent, token->text, TEXT_WORDS);
    struct tree_node *n = new_node(b, kinds[token->kind], parent);
    if (!n)
        return -ENOMEM;
    n->token = token;
    return 0;
}

/* A literal of the parser, with its fields and marks. */
static int add_literal(struct building *b, struct tree_node *parent, const char *literal, enum text_kind kind) {
    struct view rest = view_of(literal ? literal : "");
    const struct markdown_token *token;
    int r = 0;
    do {
        struct view before = markdown_source_split(b->source, &rest, &token);
        if (token && kind != TEXT_WORDS)
            cut_around(token, &before, &rest);
        r = kind == TEXT_LINES ? add_lines(b, parent, before) : add_text(b, parent, before, kind);
        if (r == 0 && token)
            r = add_token(b, parent, token);
    } while (r == 0 && token);
    return r;
}

/* Links */

static int add_url_token(struct building *b, struct tree_node *url, struct buf *text,
                         const struct markdown_token *token) {
    switch (token->kind) {
    case MARKDOWN_TOKEN_TEXT:
        if (text->len || url->first)
            link_add_part(text, url->first ? VIEW("https:") : buf_view(text), token->text);
        else
            buf_add_view(text, view_trim(token->text));
        return 0;
    case MARKDOWN_TOKEN_FIELD: break;
    case MARKDOWN_TOKEN_BEGIN:
    case MARKDOWN_TOKEN_END:
        if (token->is_span) /* a link is there or not, whole */
            return mustache_fault(b->tree.fault, TEMPLATE_SECTION_CROSSING, token->line, token->text);
        return 0;
    }
    int r = error_of(b, text);
    if (r == 0)
        r = add_text(b, url, buf_view(text), TEXT_WORDS);
    buf_clear(text);
    return r ? r : add_token(b, url, token);
}

/* 1, 0 or a negative errno. */
static int url_is_allowed(const struct tree_node *url) {
    const struct tree_node *n = url->first;
    if (!n)
        return 0;
    if (n->kind == TREE_FIELD)
        return n->token->is_url;
    AUTOBUF struct buf text = BUF_INIT(MARKDOWN_TEXT_MAX_BYTES + 1);
    buf_add_view(&text, n->text);
    if (n->next)
        buf_putc(&text, 'x'); /* a field stands there */
    return buf_error(&text) < 0 ? buf_error(&text) : link_is_allowed(buf_view(&text));
}

/* The destination as text and fields; NULL in *ret where it is none that we keep. */
static int build_url(struct building *b, const char *destination, struct tree_node **ret) {
    struct tree_node *url = tree_new(&b->tree, TREE_PARAGRAPH);
    struct view rest = view_of(destination ? destination : "");
    AUTOBUF struct buf text = BUF_INIT(MARKDOWN_TEXT_MAX_BYTES);
    const struct markdown_token *token;
    int r = url ? 0 : -ENOMEM;
    *ret = NULL;
    while (r == 0) {
        buf_add_view(&text, markdown_source_split(b->source, &rest, &token));
        if (!token)
            break;
        r = add_url_token(b, url, &text, token);
    }
    if (r == 0)
        r = error_of(b, &text);
    if (r == 0)
        r = add_text(b, url, buf_view(&text), TEXT_WORDS);
    if (r == 0 && (r = url_is_allowed(url)) > 0)
        *ret = url;
    return r < 0 ? r : 0;
}

/* Images */

static int hex_digit(char c) {
    const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | (c >= 'A' ? 0x20 : 0)) : NULL;
    return at ? (int)(at - digits) : -1;
}

static void add_decoded(struct buf *to, struct view url) {
    for (size_t i = 0; i < url.len; i++) {
        int high = url.ptr[i] == '%' && i + 2 < url.len ? hex_digit(url.ptr[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(url.ptr[i + 2]) : -1;
        buf_putc(to, low >= 0 ? (char)(high << 4 | low) : url.ptr[i]);
        i += low >= 0 ? 2 : 0;
    }
}

static bool is_file_beside(const struct markdown_source *s, struct view name) {
    const struct markdown_token *token;
    struct view rest = name;
    (void)markdown_source_split(s, &rest, &token); /* only whether there is one */
    return !token && name.len > 0 && name.len <= FILE_NAME_MAX && name.ptr[0] != '.' && text_is_utf8(name) &&
           !text_has_control(name) && !link_has_scheme(name) && view_find(name, '/') == name.len &&
           view_find(name, '\\') == name.len;
}

static int find_image(struct building *b, struct view name, const struct markdown_image **ret) {
    struct markdown *out = b->out;
    for (size_t i = 0; i < out->image_count; i++)
        if (view_eq_str(name, out->images[i].file)) {
            *ret = &out->images[i];
            return 0;
        }
    if (out->image_count == MARKDOWN_IMAGES_MAX)
        return too_big(b);
    struct markdown_image *image = &out->images[out->image_count];
    image->file = arena_dup(&out->arena, name);
    image->content_id = arena_printf(&out->arena, "img%zu", out->image_count + 1);
    if (!image->file || !image->content_id)
        return -ENOMEM;
    out->image_count++;
    *ret = image;
    return 0;
}

/* The next node below `top`, in the order of the text; NULL behind the last. */
static cmark_node *next_below(cmark_node *top, cmark_node *n) {
    cmark_node *next = cmark_node_first_child(n);
    for (; !next && n != top; n = cmark_node_parent(n))
        next = cmark_node_next(n);
    return next;
}

/* All text below an image, without its markup. */
static int add_alternative(struct building *b, struct tree_node *image, cmark_node *from) {
    int r = 0;
    for (cmark_node *n = from; r == 0 && (n = next_below(from, n));) {
        cmark_node_type type = cmark_node_get_type(n);
        if (type == CMARK_NODE_SOFTBREAK || type == CMARK_NODE_LINEBREAK)
            r = add_text(b, image, VIEW(" "), TEXT_WORDS);
        else
            r = add_literal(b, image, cmark_node_get_literal(n), TEXT_WORDS);
    }
    return r ? r : tree_close(&b->tree, image);
}

static int add_children(struct building *b, struct tree_node *parent, cmark_node *from);

static int add_image(struct building *b, struct tree_node *parent, cmark_node *from) {
    AUTOBUF struct buf name = BUF_INIT(MARKDOWN_TEXT_MAX_BYTES);
    const char *url = cmark_node_get_url(from);
    const struct markdown_image *image = NULL;
    add_decoded(&name, view_of(url ? url : ""));
    if (buf_error(&name) < 0)
        return buf_error(&name);
    int r = is_file_beside(b->source, buf_view(&name)) ? find_image(b, buf_view(&name), &image) : 0;
    struct tree_node *n = r == 0 && image ? new_node(b, TREE_IMAGE, parent) : parent;
    if (r < 0)
        return r;
    if (!n)
        return -ENOMEM;
    if (!image) /* of a remote one only the text stays */
        return add_children(b, parent, from);
    n->image = image;
    return add_alternative(b, n, from);
}

/* Blocks */

static int add_link(struct building *b, struct tree_node *parent, cmark_node *from) {
    struct tree_node *url, *n = parent;
    int r = build_url(b, cmark_node_get_url(from), &url);
    if (r == 0 && !url)
        return add_children(b, parent, from);
    if (r == 0 && !(n = new_node(b, TREE_LINK, parent)))
        return -ENOMEM;
    if (r == 0) {
        n->url = url;
        r = add_children(b, n, from);
        if (!n->first) /* a link that nobody sees is none */
            *n = (struct tree_node){.kind = TREE_LINK, .first = url->first, .last = url->last, .url = url};
    }
    return r ? r : tree_close(&b->tree, n);
}

/* Emphasis or code; of an empty one (a value that is empty) nothing stays. */
static int add_nested(struct building *b, struct tree_node *parent, enum tree_kind kind, cmark_node *from) {
    struct tree_node *n = tree_new(&b->tree, kind);
    if (!n)
        return -ENOMEM;
    int r = kind == TREE_CODE ? add_literal(b, n, cmark_node_get_literal(from), TEXT_WORDS) : add_children(b, n, from);
    if (r == 0)
        r = tree_close(&b->tree, n);
    if (r == 0 && n->first)
        tree_append(parent, n);
    return r;
}

static int add_literal_block(struct building *b, struct tree_node *parent, cmark_node *from, bool is_code) {
    struct tree_node *n = new_node(b, is_code ? TREE_CODE_BLOCK : TREE_PARAGRAPH, NULL);
    if (!n)
        return -ENOMEM;
    AUTOFREE char *literal = view_dup(view_of(cmark_node_get_literal(from)));
    if (!literal)
        return -ENOMEM;
    size_t len = strlen(literal);
    if (len && literal[len - 1] == '\n')
        literal[len - 1] = '\0';
    int r = add_literal(b, n, literal, is_code ? TEXT_CODE : TEXT_LINES);
    if (r == 0)
        r = tree_close(&b->tree, n);
    if (r == 0 && n->last && n->last->kind == TREE_TEXT)
        while (n->last->text.len && n->last->text.ptr[n->last->text.len - 1] == '\n')
            n->last->text.len--;
    if (r == 0)
        tree_append_block(&b->tree, parent, n);
    return r;
}

/* Whether a paragraph or indented code is nothing but marks: then they stand between blocks. With a parent they are
 * added to it. */
static int read_marks(struct building *b, struct tree_node *parent, const char *literal, bool *all) {
    struct view rest = view_of(literal ? literal : "");
    const struct markdown_token *token;
    int r = 0;
    do {
        struct view before = markdown_source_split(b->source, &rest, &token);
        bool is_mark = token && (token->kind == MARKDOWN_TOKEN_BEGIN || token->kind == MARKDOWN_TOKEN_END);
        *all = *all && view_trim(before).len == 0 && (is_mark || !token);
        if (parent && is_mark)
            r = add_token(b, parent, token);
    } while (r == 0 && token);
    return r;
}

static int read_marks_block(struct building *b, struct tree_node *parent, cmark_node *from, bool *all) {
    cmark_node *n = cmark_node_first_child(from);
    int r = 0;
    *all = n || cmark_node_get_type(from) == CMARK_NODE_CODE_BLOCK;
    if (!n && *all) {
        const char *literal = cmark_node_get_literal(from);
        *all = literal && *literal && !view_eq_str(view_trim(view_of(literal)), "");
        return read_marks(b, parent, literal, all);
    }
    for (; r == 0 && n; n = cmark_node_next(n))
        if (cmark_node_get_type(n) == CMARK_NODE_TEXT)
            r = read_marks(b, parent, cmark_node_get_literal(n), all);
        else
            *all = *all && cmark_node_get_type(n) == CMARK_NODE_SOFTBREAK;
    return r;
}

static int add_block(struct building *b, struct tree_node *parent, enum tree_kind kind, cmark_node *from) {
    bool all_marks = false;
    if (kind == TREE_PARAGRAPH || kind == TREE_CODE_BLOCK)
        (void)read_marks_block(b, NULL, from, &all_marks); /* adds nothing yet, so it cannot fail */
    if (all_marks)
        return read_marks_block(b, parent, from, &all_marks);
    if (kind == TREE_CODE_BLOCK)
        return add_literal_block(b, parent, from, true);
    struct tree_node *n = tree_new(&b->tree, kind);
    if (!n)
        return -ENOMEM;
    if (kind == TREE_HEADING)
        n->level = (unsigned)cmark_node_get_heading_level(from);
    int r = add_children(b, n, from);
    if (r == 0)
        r = tree_close(&b->tree, n);
    if (r == 0)
        tree_append_block(&b->tree, parent, n);
    return r;
}

static int add_list(struct building *b, struct tree_node *parent, cmark_node *from) {
    struct tree_node *list = tree_new(&b->tree, TREE_LIST);
    if (!list)
        return -ENOMEM;
    list->is_ordered = cmark_node_get_list_type(from) == CMARK_ORDERED_LIST;
    list->is_tight = cmark_node_get_list_tight(from);
    unsigned number = list->is_ordered ? (unsigned)cmark_node_get_list_start(from) : 1;
    int r = 0;
    for (cmark_node *i = cmark_node_first_child(from); r == 0 && i; i = cmark_node_next(i)) {
        struct tree_node *item = tree_new(&b->tree, TREE_ITEM);
        if (!item)
            return -ENOMEM;
        item->level = number++;
        r = add_children(b, item, i);
        if (r == 0)
            r = tree_close(&b->tree, item);
        if (r == 0)
            tree_append_block(&b->tree, list, item);
    }
    if (r == 0)
        r = tree_close(&b->tree, list);
    if (r == 0)
        tree_append_block(&b->tree, parent, list);
    return r;
}

static int add_node(struct building *b, struct tree_node *parent, cmark_node *from) {
    switch (cmark_node_get_type(from)) {
    case CMARK_NODE_PARAGRAPH: return add_block(b, parent, TREE_PARAGRAPH, from);
    case CMARK_NODE_HEADING: return add_block(b, parent, TREE_HEADING, from);
    case CMARK_NODE_BLOCK_QUOTE: return add_block(b, parent, TREE_QUOTE, from);
    case CMARK_NODE_CODE_BLOCK: return add_block(b, parent, TREE_CODE_BLOCK, from);
    case CMARK_NODE_HTML_BLOCK: return add_literal_block(b, parent, from, false);
    case CMARK_NODE_LIST: return add_list(b, parent, from);
    case CMARK_NODE_THEMATIC_BREAK: return new_node(b, TREE_RULE, parent) ? 0 : -ENOMEM;
    case CMARK_NODE_TEXT:
    case CMARK_NODE_HTML_INLINE: return add_literal(b, parent, cmark_node_get_literal(from), TEXT_WORDS);
    case CMARK_NODE_SOFTBREAK: return new_node(b, TREE_SOFT_BREAK, parent) ? 0 : -ENOMEM;
    case CMARK_NODE_LINEBREAK: return new_node(b, TREE_HARD_BREAK, parent) ? 0 : -ENOMEM;
    case CMARK_NODE_CODE: return add_nested(b, parent, TREE_CODE, from);
    case CMARK_NODE_EMPH: return add_nested(b, parent, TREE_EMPHASIS, from);
    case CMARK_NODE_STRONG: return add_nested(b, parent, TREE_STRONG, from);
    case CMARK_NODE_LINK: return add_link(b, parent, from);
    case CMARK_NODE_IMAGE: return add_image(b, parent, from);
    case CMARK_NODE_NONE:
    case CMARK_NODE_DOCUMENT:
    case CMARK_NODE_ITEM:
    case CMARK_NODE_CUSTOM_BLOCK:
    case CMARK_NODE_CUSTOM_INLINE: return 0; /* not below another node, or never made by the parser */
    }
    return 0;
}

static int add_children(struct building *b, struct tree_node *parent, cmark_node *from) {
    int r = 0;
    if (b->depth == MARKDOWN_DEPTH_MAX)
        return too_big(b);
    b->depth++;
    for (cmark_node *n = cmark_node_first_child(from); r == 0 && n; n = cmark_node_next(n))
        r = add_node(b, parent, n);
    b->depth--;
    return r;
}

static int build(struct building *b) {
    struct markdown *out = b->out;
    const struct buf *text = &b->source->text;
    b->tree.root = tree_new(&b->tree, TREE_DOCUMENT);
    out->images = arena_alloc(&out->arena, MARKDOWN_IMAGES_MAX * sizeof *out->images);
    if (!b->tree.root || !out->images)
        return -ENOMEM;
    struct markdown_parsed parsed;
    int r = markdown_parse(buf_str(text), text->len, &parsed);
    if (r < 0)
        return r;
    r = add_children(b, b->tree.root, parsed.document);
    markdown_parsed_done(&parsed);
    return r ? r : tree_close(&b->tree, b->tree.root);
}

static int write_both(struct building *b, const struct markdown_options *options) {
    struct markdown *out = b->out;
    markdown_write_html(&b->tree, options, &out->html);
    int r = markdown_write_plain(&b->tree, options, &out->plain);
    if (r == 0)
        r = merge_seal(&out->html);
    if (r == 0)
        r = merge_seal(&out->plain);
    return r == -EMSGSIZE ? too_big(b) : r;
}

int markdown_render(struct view source, const struct value *root, const struct markdown_options *options,
                    struct markdown *ret, struct template_fault *fault) {
    struct markdown_source read;
    struct markdown out = {0};
    *fault = (struct template_fault){0};
    merge_init(&out.html);
    merge_init(&out.plain);
    int r = markdown_source_read(source, root, &read, fault);
    struct building b = {.tree = {.source = &read, .fault = fault}, .source = &read, .out = &out};
    if (r == 0)
        r = build(&b);
    if (r == 0)
        r = write_both(&b, options);
    markdown_source_done(&read);
    arena_done(&b.tree.arena);
    if (r < 0)
        markdown_done(&out);
    else
        *ret = out;
    return r;
}

void markdown_done(struct markdown *m) {
    merge_done(&m->html);
    merge_done(&m->plain);
    arena_done(&m->arena);
    m->images = NULL;
    m->image_count = 0;
}
