#include "mail/markdown_source.h"

#include <errno.h>

#include "base/text.h"
#include "mail/markdown.h"
#include "mail/mustache.h"

#include "base/banned.h"

enum { PLANE = 0xF0000, PLANE_END = 0xFFFFE };

static bool is_ours(uint32_t c) {
    return c >= PLANE && c < PLANE_END;
}

/* UTF-8 without characters of our plane, control characters and CR. */
static void add_clean(struct buf *to, struct view source) {
    for (size_t at = 0, n; at < source.len; at += n) {
        uint32_t c = text_decode(view_slice(source, at, source.len), &n);
        bool is_pair = c == '\r' && at + 1 < source.len && source.ptr[at + 1] == '\n';
        if (is_ours(c))
            c = 0xFFFD;
        if (c == '\r' && !is_pair)
            buf_putc(to, '\n');
        else if (c == '\n' || c == '\t' || c == 0x200E || c == 0x200F || c == 0x061C || !text_is_control(c))
            text_encode(to, c);
    }
}

struct reading {
    struct markdown_source *s;
    struct template_fault *fault;
    unsigned open[TEMPLATE_DEPTH_MAX], depth;
};

static int add_token(struct reading *r, struct markdown_token token) {
    struct markdown_source *s = r->s;
    if (s->count == PLANE_END - PLANE)
        return mustache_fault(r->fault, TEMPLATE_TOO_BIG, token.line, token.text);
    if (s->count == s->room) {
        unsigned room = s->room ? s->room * 2 : 64;
        struct markdown_token *more = reallocarray(s->tokens, room, sizeof *more);
        if (!more)
            return -ENOMEM;
        s->tokens = more;
        s->room = room;
    }
    text_encode(&s->text, PLANE + s->count);
    s->tokens[s->count++] = token;
    return 0;
}

static int check_size(struct reading *r, unsigned line, struct view name) {
    if (buf_error(&r->s->text) == -EMSGSIZE)
        return mustache_fault(r->fault, TEMPLATE_TOO_BIG, line, name);
    return buf_error(&r->s->text);
}

static int on_text(void *user, struct view text) {
    struct reading *r = user;
    buf_add_view(&r->s->text, text);
    return check_size(r, 1, (struct view){0});
}

static int on_value(void *user, const struct mustache_tag *tag, const struct found *found) {
    struct reading *r = user;
    const struct value *v = found->value;
    struct markdown_token token = {.line = tag->line, .is_url = found->is_url};
    if (v->kind == VALUE_FIELD) {
        token.kind = MARKDOWN_TOKEN_FIELD;
        token.field = v->field;
    } else if (v->kind == VALUE_TEXT && v->part) {
        return mustache_fault(r->fault, TEMPLATE_UNKNOWN_FIELD, tag->line, tag->name); /* no body in a body */
    } else if (v->kind == VALUE_TEXT) {
        token.kind = MARKDOWN_TOKEN_TEXT;
        token.text = v->text;
    } else {
        return 0;
    }
    int result = add_token(r, token);
    return result ? result : check_size(r, tag->line, tag->name);
}

static int add_mark(struct reading *r, const struct mustache_tag *tag, struct markdown_token token) {
    if (tag->alone) {
        buf_putc(&r->s->text, '\n');
        buf_add_view(&r->s->text, tag->indent);
    }
    int result = add_token(r, token);
    if (tag->alone)
        buf_puts(&r->s->text, "\n\n");
    return result ? result : check_size(r, tag->line, tag->name);
}

static int on_begin(void *user, const struct mustache_tag *tag, const struct found *found) {
    struct reading *r = user;
    bool is_span = found->value->kind == VALUE_FIELD;
    r->open[r->depth++] = r->s->count;
    return add_mark(r, tag,
                    (struct markdown_token){
                        .kind = MARKDOWN_TOKEN_BEGIN,
                        .text = tag->name,
                        .field = is_span ? found->value->field : 0,
                        .inverted = tag->inverted,
                        .is_span = is_span,
                        .alone = tag->alone,
                        .line = tag->line,
                    });
}

static int on_end(void *user, const struct mustache_tag *tag, const struct found *found) {
    struct reading *r = user;
    (void)found; /* known from the beginning */
    unsigned begin = r->open[--r->depth], end = r->s->count;
    struct markdown_token token = r->s->tokens[begin];
    token.kind = MARKDOWN_TOKEN_END;
    token.alone = tag->alone;
    token.line = tag->line;
    token.pair = begin;
    r->s->tokens[begin].pair = end;
    return add_mark(r, tag, token);
}

/* The length of a numeric character reference to our plane at the beginning of v, or 0. */
static size_t forged_reference(struct view v) {
    size_t at = 2, digits = 0;
    uint32_t c = 0;
    bool hex = v.len > 2 && (v.ptr[2] == 'x' || v.ptr[2] == 'X');
    if (!view_starts(v, "&#"))
        return 0;
    for (at += hex; at < v.len && digits < 8; at++, digits++) {
        char d = v.ptr[at];
        uint32_t n = d >= '0' && d <= '9'          ? (uint32_t)(d - '0')
                     : hex && d >= 'a' && d <= 'f' ? (uint32_t)(d - 'a' + 10)
                     : hex && d >= 'A' && d <= 'F' ? (uint32_t)(d - 'A' + 10)
                                                   : 16;
        if (n == 16)
            break;
        c = c * (hex ? 16 : 10) + n;
    }
    return digits && at < v.len && v.ptr[at] == ';' && is_ours(c) ? at + 1 : 0;
}

static void replace_forged(struct buf *text) {
    size_t from = 0;
    for (; from + 1 < text->len; from++)
        if (text->data[from] == '&' && forged_reference(view_slice(buf_view(text), from, text->len)))
            break;
    if (from + 1 >= text->len)
        return;
    struct buf out = BUF_INIT(text->limit_bytes);
    for (size_t at = 0; at < text->len;) {
        size_t n = text->data[at] == '&' ? forged_reference(view_slice(buf_view(text), at, text->len)) : 0;
        if (n)
            text_encode(&out, 0xFFFD);
        else
            buf_putc(&out, text->data[at]);
        at += n ? n : 1;
    }
    buf_done(text);
    *text = out;
}

int markdown_source_read(struct view source, const struct value *root, struct markdown_source *ret,
                         struct template_fault *fault) {
    *ret = (struct markdown_source){.text = BUF_INIT(MARKDOWN_SOURCE_MAX_BYTES),
                                    .clean = BUF_INIT(MARKDOWN_SOURCE_MAX_BYTES * 3)};
    if (source.len > MARKDOWN_SOURCE_MAX_BYTES)
        return mustache_fault(fault, TEMPLATE_TOO_BIG, 1, (struct view){0});
    struct reading reading = {.s = ret, .fault = fault};
    const struct mustache_sink sink = {&reading, on_text, on_value, on_begin, on_end};
    add_clean(&ret->clean, source);
    if (buf_error(&ret->clean))
        return buf_error(&ret->clean);
    int r = mustache_walk(buf_view(&ret->clean), root, true, &sink, fault);
    if (r == 0)
        replace_forged(&ret->text);
    return r ? r : buf_error(&ret->text);
}

void markdown_source_done(struct markdown_source *s) {
    free(s->tokens);
    buf_done(&s->text);
    buf_done(&s->clean);
    *s = (struct markdown_source){0};
}

struct view markdown_source_split(const struct markdown_source *s, struct view *rest,
                                  const struct markdown_token **ret) {
    struct view whole = *rest;
    *ret = NULL;
    for (size_t at = 0, n; at < whole.len; at += n) {
        uint32_t c = text_decode(view_slice(whole, at, whole.len), &n);
        if (c >= PLANE && c - PLANE < s->count) {
            *ret = &s->tokens[c - PLANE];
            *rest = view_slice(whole, at + n, whole.len);
            return view_slice(whole, 0, at);
        }
    }
    *rest = (struct view){0};
    return whole;
}
