#include "mail/html_place.h"

#include <stdio.h>

#include "base/cleanup.h"

#include "base/banned.h"

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* In lower case; what does not fit is cut, which only makes names unequal that no rule asks for. */
static void append(char *to, size_t size, char c) {
    size_t len = strlen(to);
    if (len + 1 < size) {
        to[len] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        to[len + 1] = '\0';
    }
}

static bool is_among(const char *name, const char *const *list, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, list[i]) == 0)
            return true;
    return false;
}

void html_place_init(struct html_place *p) {
    *p = (struct html_place){.state = HTML_TEXT};
}

static enum html_state tag_closed(struct html_place *p) {
    static const char *const raw[] = {"script", "style", "xmp", "iframe", "noembed", "noframes"};
    static const char *const rcdata[] = {"title", "textarea"};
    p->end[0] = '\0';
    if (!p->is_end_tag && is_among(p->tag, raw, COUNT_OF(raw)))
        return HTML_RAW;
    if (!p->is_end_tag && is_among(p->tag, rcdata, COUNT_OF(rcdata)))
        return HTML_RCDATA;
    return HTML_TEXT;
}

static enum html_state step_open(struct html_place *p, char c) {
    if (c == '/' && !p->is_end_tag) {
        p->is_end_tag = true;
        return HTML_OPEN;
    }
    p->tail[0] = '\0';
    if (c == '!' || c == '?')
        return HTML_MARKUP;
    if (!is_letter(c))
        return c == '<' ? HTML_OPEN : HTML_TEXT;
    p->tag[0] = p->attribute[0] = '\0';
    append(p->tag, sizeof p->tag, c);
    return HTML_TAG_NAME;
}

/* tail holds what follows "<!": "--" begins a comment, but "--[" a conditional one. */
static enum html_state step_markup(struct html_place *p, char c) {
    if (strcmp(p->tail, "--") == 0 && c != '[' && c != '>')
        return HTML_COMMENT;
    append(p->tail, sizeof p->tail, c);
    return c == '>' ? HTML_TEXT : HTML_MARKUP;
}

static enum html_state step_comment(struct html_place *p, char c) {
    bool ends = c == '>' && strcmp(p->tail, "--") == 0;
    if (c != '-')
        p->tail[0] = '\0';
    else if (strlen(p->tail) < 2)
        append(p->tail, sizeof p->tail, c);
    return ends ? HTML_TEXT : HTML_COMMENT;
}

static enum html_state step_raw(struct html_place *p, char c) {
    bool is_end = strncmp(p->end, "</", 2) == 0 && strcmp(p->end + 2, p->tag) == 0;
    if (is_end && (c == '>' || c == '/' || is_blank(c))) {
        p->is_end_tag = true;
        p->end[0] = '\0';
        return c == '>' ? HTML_TEXT : HTML_TAG;
    }
    if (c == '<')
        p->end[0] = '\0';
    if (c == '<' || p->end[0])
        append(p->end, sizeof p->end, c);
    return p->state;
}

/* Between the tag's name and its end, outside of values. */
static enum html_state step_tag(struct html_place *p, char c) {
    if (c == '>')
        return tag_closed(p);
    if (is_blank(c) || c == '/')
        return HTML_TAG;
    if (p->state == HTML_TAG_NAME) {
        append(p->tag, sizeof p->tag, c);
        return HTML_TAG_NAME;
    }
    if (c == '=' && p->attribute[0])
        return HTML_BEFORE_VALUE;
    if (p->state == HTML_TAG)
        p->attribute[0] = '\0';
    append(p->attribute, sizeof p->attribute, c);
    return HTML_ATTRIBUTE;
}

static enum html_state step_value(struct html_place *p, char c) {
    if (p->state == HTML_QUOTED) {
        if (c == p->quote) {
            p->attribute[0] = '\0';
            return HTML_TAG;
        }
        if (!p->is_start || !is_blank(c)) {
            append(p->url, sizeof p->url, c);
            p->is_start = false;
        }
        return HTML_QUOTED;
    }
    if (c == '>')
        return tag_closed(p);
    if (is_blank(c))
        return p->state == HTML_BEFORE_VALUE ? HTML_BEFORE_VALUE : HTML_TAG;
    if (p->state == HTML_BEFORE_VALUE && (c == '"' || c == '\'')) {
        p->quote = c;
        p->url[0] = '\0';
        p->is_start = true;
        return HTML_QUOTED;
    }
    return HTML_UNQUOTED;
}

static enum html_state step(struct html_place *p, char c) {
    switch (p->state) {
    case HTML_TEXT: p->is_end_tag = false; return c == '<' ? HTML_OPEN : HTML_TEXT;
    case HTML_OPEN: return step_open(p, c);
    case HTML_MARKUP: return step_markup(p, c);
    case HTML_COMMENT: return step_comment(p, c);
    case HTML_TAG_NAME:
    case HTML_TAG:
    case HTML_ATTRIBUTE: return step_tag(p, c);
    case HTML_BEFORE_VALUE:
    case HTML_QUOTED:
    case HTML_UNQUOTED: return step_value(p, c);
    case HTML_RAW:
    case HTML_RCDATA: return step_raw(p, c);
    }
    return p->state;
}

void html_place_feed(struct html_place *p, struct view text) {
    for (size_t i = 0; i < text.len; i++) {
        if (p->state == HTML_TEXT && text.ptr[i] != '<') { /* most of a document */
            i += view_find(view_slice(text, i, text.len), '<') - 1;
            continue;
        }
        p->state = step(p, text.ptr[i]);
    }
}

void html_place_value(struct html_place *p) {
    html_place_feed(p, VIEW("x"));
    if (p->state == HTML_QUOTED && strcmp(p->url, "x") == 0)
        p->url[0] = '\0'; /* the stand-in begins no scheme */
}

bool html_place_is_url(const struct html_place *p) {
    static const char *const names[] = {"href", "src",        "action",   "formaction", "background", "cite",  "poster",
                                        "data", "xlink:href", "longdesc", "ping",       "manifest",   "srcset"};
    return p->state == HTML_QUOTED && is_among(p->attribute, names, COUNT_OF(names));
}

enum merge_escape html_place_escape(const struct html_place *p, bool is_url) {
    enum merge_escape text = is_url ? MERGE_URL_HTML : MERGE_HTML;
    if (p->state == HTML_TEXT || p->state == HTML_RCDATA)
        return text;
    if (p->state != HTML_QUOTED || strncmp(p->attribute, "on", 2) == 0 || strcmp(p->attribute, "style") == 0 ||
        strcmp(p->attribute, "srcdoc") == 0)
        return MERGE_URL;
    if (html_place_is_url(p))
        return is_url && p->is_start ? MERGE_URL_HTML : MERGE_URL;
    return text;
}

static bool is_inside_tag(enum html_state s) {
    return s == HTML_TAG_NAME || s == HTML_TAG || s == HTML_ATTRIBUTE;
}

bool html_place_join(const struct html_place *a, struct html_place *b) {
    if (is_inside_tag(a->state) && is_inside_tag(b->state))
        return strcmp(a->tag, b->tag) == 0;
    if (a->state != b->state)
        return false;
    if (a->state == HTML_RAW || a->state == HTML_RCDATA)
        return strcmp(a->tag, b->tag) == 0;
    if (a->state == HTML_QUOTED) {
        b->is_start = b->is_start || a->is_start;
        return a->quote == b->quote && strcmp(a->attribute, b->attribute) == 0;
    }
    return true;
}
