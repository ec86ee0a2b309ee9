#include "mail/unhtml.h"

#include "base/text.h"

#include "base/banned.h"

enum { TAG_MAX_BYTES = 4096 }; /* a longer one is text: so each < costs a bounded look ahead */
enum kind { NOT_A_TAG, INLINE, LINE_BREAK, BLOCK, PARAGRAPH, LIST_ITEM, CELL, LINK, HIDDEN };

static const struct {
    const char *name;
    enum kind kind;
} tags[] = {
    {"a", LINK},          {"b", INLINE},        {"blockquote", PARAGRAPH},
    {"body", BLOCK},      {"br", LINE_BREAK},   {"center", BLOCK},
    {"code", INLINE},     {"dd", BLOCK},        {"div", BLOCK},
    {"dl", PARAGRAPH},    {"dt", BLOCK},        {"em", INLINE},
    {"font", INLINE},     {"h1", PARAGRAPH},    {"h2", PARAGRAPH},
    {"h3", PARAGRAPH},    {"h4", PARAGRAPH},    {"h5", PARAGRAPH},
    {"h6", PARAGRAPH},    {"head", HIDDEN},     {"hr", PARAGRAPH},
    {"html", BLOCK},      {"html-blob", BLOCK}, {"i", INLINE},
    {"img", INLINE},      {"li", LIST_ITEM},    {"meta", INLINE},
    {"o:p", INLINE},      {"ol", BLOCK},        {"p", PARAGRAPH},
    {"pre", PARAGRAPH},   {"s", INLINE},        {"script", HIDDEN},
    {"small", INLINE},    {"span", INLINE},     {"strong", INLINE},
    {"style", HIDDEN},    {"sub", INLINE},      {"sup", INLINE},
    {"table", PARAGRAPH}, {"tbody", BLOCK},     {"td", CELL},
    {"th", CELL},         {"thead", BLOCK},     {"title", HIDDEN},
    {"tr", BLOCK},        {"tt", INLINE},       {"u", INLINE},
    {"ul", BLOCK},
};

static const struct {
    const char *name;
    uint32_t character;
} entities[] = {
    {"amp", '&'},      {"lt", '<'},        {"gt", '>'},       {"quot", '"'},     {"apos", '\''},  {"nbsp", 0xa0},
    {"shy", 0xad},     {"auml", 0xe4},     {"ouml", 0xf6},    {"uuml", 0xfc},    {"Auml", 0xc4},  {"Ouml", 0xd6},
    {"Uuml", 0xdc},    {"szlig", 0xdf},    {"eacute", 0xe9},  {"egrave", 0xe8},  {"ecirc", 0xea}, {"agrave", 0xe0},
    {"acirc", 0xe2},   {"ccedil", 0xe7},   {"ugrave", 0xf9},  {"icirc", 0xee},   {"ocirc", 0xf4}, {"oacute", 0xf3},
    {"igrave", 0xec},  {"ograve", 0xf2},   {"euro", 0x20ac},  {"copy", 0xa9},    {"sect", 0xa7},  {"ndash", 0x2013},
    {"mdash", 0x2014}, {"hellip", 0x2026}, {"bull", 0x2022},  {"laquo", 0xab},   {"raquo", 0xbb}, {"ldquo", 0x201c},
    {"rdquo", 0x201d}, {"bdquo", 0x201e},  {"lsquo", 0x2018}, {"rsquo", 0x2019},
};

struct tag {
    enum kind kind;
    bool closes;
    size_t len; /* with its < and > */
    struct view name, href;
};

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The value of href= within a tag, or NULL. */
static struct view find_href(struct view tag) {
    for (size_t i = 1; i + 5 < tag.len; i++) {
        if (!view_eq_nocase(view_slice(tag, i, 5), "href=") || (tag.ptr[i - 1] != ' ' && tag.ptr[i - 1] != '\n'))
            continue;
        char quote = tag.ptr[i + 5];
        struct view value = view_slice(tag, i + 6, tag.len);
        if (quote != '"' && quote != '\'')
            return (struct view){0};
        size_t end = view_find(value, quote);
        return end < value.len ? view_slice(value, 0, end) : (struct view){0};
    }
    return (struct view){0};
}

/* v begins with <. */
static struct tag read_tag(struct view v) {
    struct tag tag = {.len = 1};
    v = view_slice(v, 0, TAG_MAX_BYTES);
    size_t end = view_find(v, '>'), at = 1, name_end;
    if (end == v.len)
        return tag;
    tag.closes = v.ptr[at] == '/';
    at += tag.closes;
    for (name_end = at;
         name_end < end && (is_letter(v.ptr[name_end]) || (v.ptr[name_end] >= '0' && v.ptr[name_end] <= '9') ||
                            v.ptr[name_end] == ':' || v.ptr[name_end] == '-');)
        name_end++;
    tag.name = view_slice(v, at, name_end - at);
    char after = v.ptr[name_end];
    if (after != '>' && after != ' ' && after != '/' && after != '\n' && after != '\r' && after != '\t')
        return tag;
    for (size_t i = 0; i < COUNT_OF(tags); i++)
        if (view_eq_nocase(tag.name, tags[i].name)) {
            tag.kind = tags[i].kind;
            tag.len = end + 1;
            if (tag.kind == LINK)
                tag.href = find_href(view_slice(v, 0, end));
        }
    return tag;
}

/* v begins with &; the entity's length, or 0 where it is none. */
static size_t read_entity(struct view v, uint32_t *ret) {
    enum { NAME_MAX_LEN = 8 };
    struct view name = view_slice(v, 1, NAME_MAX_LEN + 1);
    size_t end = view_find(name, ';');
    if (end == name.len || end == 0)
        return 0;
    name = view_slice(name, 0, end);
    if (name.ptr[0] == '#') {
        bool hex = name.len > 1 && (name.ptr[1] == 'x' || name.ptr[1] == 'X');
        uint32_t n = 0;
        if (name.len == 1u + hex)
            return 0;
        for (size_t i = 1u + hex; i < name.len; i++) {
            char c = name.ptr[i], lower = c | 0x20;
            if (c >= '0' && c <= '9')
                n = n * (hex ? 16 : 10) + (uint32_t)(c - '0');
            else if (hex && lower >= 'a' && lower <= 'f')
                n = n * 16 + (uint32_t)(lower - 'a' + 10);
            else
                return 0;
        }
        *ret = n == 0 || n > 0x10ffff || (n >= 0xd800 && n < 0xe000) ? 0xfffd : n;
        return end + 2;
    }
    for (size_t i = 0; i < COUNT_OF(entities); i++)
        if (view_eq_str(name, entities[i].name)) {
            *ret = entities[i].character;
            return end + 2;
        }
    return 0;
}

bool unhtml_is_html(struct view v) {
    uint32_t c;
    size_t close = v.len; /* the last >: behind it no tag can end, and none is looked for */
    while (close && v.ptr[close - 1] != '>')
        close--;
    for (size_t i = 0; i < v.len; i++) {
        if (i < close && v.ptr[i] == '<' && read_tag(view_slice(v, i, v.len)).kind != NOT_A_TAG)
            return true;
        if (v.ptr[i] == '&' && read_entity(view_slice(v, i, v.len), &c))
            return true;
    }
    return false;
}

struct state {
    struct buf *to;
    size_t start;      /* of our text in to */
    struct view href;  /* of the open <a> */
    size_t link_start; /* of its text in to */
};

static size_t newlines_at_end(const struct state *s) {
    size_t n = 0;
    while (s->to->len - n > s->start && s->to->data[s->to->len - n - 1] == '\n')
        n++;
    return s->to->len - n == s->start ? 2 : n; /* at the top no line is to be ended */
}

static void end_lines(struct state *s, size_t want) {
    for (size_t n = newlines_at_end(s); n < want; n++)
        buf_putc(s->to, '\n');
}

static void end_link(struct state *s) {
    struct view text = view_trim(view_slice(buf_view(s->to), s->link_start, s->to->len)), href = s->href;
    s->href = (struct view){0};
    if (view_starts(href, "mailto:"))
        href = view_slice(href, strlen("mailto:"), href.len);
    else if (!view_starts(href, "https://") && !view_starts(href, "http://"))
        return;
    AUTOBUF struct buf plain = BUF_INIT(4096);
    for (size_t i = 0, n; i < href.len; i += n) { /* "&amp;" stands for & in an address too */
        uint32_t c;
        n = href.ptr[i] == '&' ? read_entity(view_slice(href, i, href.len), &c) : 0;
        if (n)
            text_encode(&plain, c);
        else
            buf_putc(&plain, href.ptr[i]), n = 1;
    }
    if (buf_error(&plain) || view_eq(text, buf_view(&plain)))
        return;
    buf_puts(s->to, text.len ? " (" : "");
    buf_add_view(s->to, buf_view(&plain));
    buf_puts(s->to, text.len ? ")" : "");
}

static void on_tag(struct state *s, const struct tag *tag) {
    switch (tag->kind) {
    case NOT_A_TAG:
    case INLINE:
    case HIDDEN: break;
    case LINE_BREAK: buf_putc(s->to, '\n'); break;
    case BLOCK: end_lines(s, 1); break;
    case PARAGRAPH: end_lines(s, 2); break;
    case LIST_ITEM:
        end_lines(s, 1);
        if (!tag->closes)
            buf_puts(s->to, "- ");
        break;
    case CELL: buf_putc(s->to, ' '); break;
    case LINK:
        if (s->href.ptr)
            end_link(s);
        if (!tag->closes) {
            s->href = tag->href;
            s->link_start = s->to->len;
        }
        break;
    }
}

/* What ends a script, a style or a comment; without it, the rest is hidden too. */
static size_t hidden_len(struct view v, const struct tag *tag) {
    for (size_t i = tag->len; i + tag->name.len + 2 < v.len; i++)
        if (v.ptr[i] == '<' && v.ptr[i + 1] == '/') {
            struct view name = view_slice(v, i + 2, tag->name.len);
            if (name.len == tag->name.len && strncasecmp(name.ptr, tag->name.ptr, name.len) == 0) {
                size_t end = view_find(view_slice(v, i, v.len), '>');
                return i + end + 1 < v.len ? i + end + 1 : v.len;
            }
        }
    return v.len;
}

void unhtml(struct view v, struct buf *to) {
    struct state s = {.to = to, .start = to->len};
    size_t close = v.len;
    while (close && v.ptr[close - 1] != '>')
        close--;
    for (size_t i = 0, n; i < v.len; i += n) {
        struct view rest = view_slice(v, i, v.len);
        uint32_t c;
        n = 1;
        if (view_starts(rest, "<!--") || view_starts(rest, "<![")) {
            size_t end = view_search(rest, rest.ptr[2] == '-' ? VIEW("-->") : VIEW("]>"));
            n = end < rest.len ? end + (rest.ptr[2] == '-' ? 3 : 2) : rest.len;
        } else if (rest.len > 9 && view_eq_nocase(view_slice(rest, 0, 9), "<!doctype")) {
            size_t end = view_find(rest, '>');
            n = end < rest.len ? end + 1 : rest.len;
        } else if (rest.ptr[0] == '<' && i < close) {
            struct tag tag = read_tag(rest);
            if (tag.kind == NOT_A_TAG)
                buf_putc(to, '<');
            on_tag(&s, &tag);
            n = tag.kind == HIDDEN && !tag.closes ? hidden_len(rest, &tag) : tag.len;
            /* the line end behind a break of our own is the file's layout */
            if (tag.kind >= LINE_BREAK && tag.kind <= LIST_ITEM && i + n < v.len && v.ptr[i + n] == '\n')
                n++;
        } else if (rest.ptr[0] == '&' && (n = read_entity(rest, &c)) > 0) {
            text_encode(to, c);
        } else {
            n = 1;
            buf_putc(to, rest.ptr[0]);
        }
    }
    if (s.href.ptr)
        end_link(&s);
}
