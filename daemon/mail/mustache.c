#include "mail/mustache.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"

#include "base/banned.h"

enum node_kind { NODE_TEXT, NODE_VALUE, NODE_SECTION, NODE_END };

struct node {
    enum node_kind kind;
    struct view text;        /* NODE_TEXT */
    struct mustache_tag tag; /* all others */
    size_t end;              /* NODE_SECTION: index of its NODE_END */
};

struct parsing {
    struct view source;
    struct template_fault *fault;
    struct node *nodes;
    size_t count;
    size_t at;     /* up to here the source is read */
    unsigned line; /* of at */
    size_t open[TEMPLATE_DEPTH_MAX];
    unsigned depth;
};

int mustache_fault(struct template_fault *fault, int kind, unsigned line, struct view name) {
    *fault = (struct template_fault){.line = line};
    fault->kind = kind;
    (void)snprintf(fault->name, sizeof fault->name, "%.*s", (int)(name.len > 80 ? 80 : name.len),
                   name.len ? name.ptr : ""); /* may be cut */
    text_cut_clean(fault->name);
    return -EINVAL;
}

static void add_text(struct parsing *p, size_t from, size_t to) {
    if (to > from)
        p->nodes[p->count++] = (struct node){.kind = NODE_TEXT, .text = view_slice(p->source, from, to - from)};
}

static unsigned lines_in(struct view v) {
    unsigned n = 0;
    for (size_t i = 0; i < v.len; i++)
        n += v.ptr[i] == '\n';
    return n;
}

/* Whether nothing but blanks is beside [from, to) on its line; then *from and *to become the whole line's bounds. */
static bool is_alone(struct view source, size_t *from, size_t *to) {
    size_t a = *from, b = *to;
    while (a > 0 && (source.ptr[a - 1] == ' ' || source.ptr[a - 1] == '\t'))
        a--;
    if (a > 0 && source.ptr[a - 1] != '\n')
        return false;
    while (b < source.len && (source.ptr[b] == ' ' || source.ptr[b] == '\t'))
        b++;
    if (b < source.len && source.ptr[b] == '\r' && b + 1 < source.len && source.ptr[b + 1] == '\n')
        b++;
    if (b < source.len && source.ptr[b] != '\n')
        return false;
    *from = a;
    *to = b < source.len ? b + 1 : b;
    return true;
}

static int close_section(struct parsing *p, const struct mustache_tag *tag) {
    if (p->depth == 0)
        return mustache_fault(p->fault, TEMPLATE_UNOPENED_SECTION, tag->line, tag->name);
    struct node *section = &p->nodes[p->open[--p->depth]];
    if (!view_eq(section->tag.name, tag->name))
        return mustache_fault(p->fault, TEMPLATE_WRONG_END, tag->line, tag->name);
    section->end = p->count;
    p->nodes[p->count++] = (struct node){.kind = NODE_END, .tag = *tag};
    return 0;
}

static int open_section(struct parsing *p, const struct mustache_tag *tag) {
    if (p->depth == TEMPLATE_DEPTH_MAX)
        return mustache_fault(p->fault, TEMPLATE_TOO_BIG, tag->line, tag->name);
    p->open[p->depth++] = p->count;
    p->nodes[p->count++] = (struct node){.kind = NODE_SECTION, .tag = *tag};
    return 0;
}

/* The tag at source[from], which begins with "{{". */
static int read_tag(struct parsing *p, size_t from) {
    struct view rest = view_slice(p->source, from + 2, p->source.len);
    char sign = rest.len ? rest.ptr[0] : '\0';
    const char *close = sign == '{' ? "}}}" : "}}";
    size_t len = view_search(rest, view_of(close)), to = from + 2 + len + strlen(close);
    struct mustache_tag tag = {.line = p->line + lines_in(view_slice(p->source, p->at, from - p->at))};
    bool is_sign = sign && strchr("#^/!&{><$=", sign), is_block = is_sign && strchr("#^/!", sign);
    if (len == rest.len)
        return mustache_fault(p->fault, TEMPLATE_UNCLOSED_TAG, tag.line, (struct view){0});
    tag.name = view_trim(view_slice(rest, is_sign, len - is_sign));
    if (sign && strchr("><$=", sign))
        return mustache_fault(p->fault, TEMPLATE_NOT_SERVED, tag.line, tag.name);
    size_t text_to = from;
    if (is_block && is_alone(p->source, &text_to, &to)) {
        tag.alone = true;
        tag.indent = view_slice(p->source, text_to, from - text_to);
    }
    add_text(p, p->at, text_to);
    p->line += lines_in(view_slice(p->source, p->at, to - p->at));
    p->at = to;
    tag.raw = sign == '&' || sign == '{';
    tag.inverted = sign == '^';
    tag.closing = sign == '/';
    if (sign == '!')
        return 0;
    if (sign == '/')
        return close_section(p, &tag);
    if (is_block)
        return open_section(p, &tag);
    p->nodes[p->count++] = (struct node){.kind = NODE_VALUE, .tag = tag};
    return 0;
}

static size_t find_tag(struct view source, size_t from) {
    return from + view_search(view_slice(source, from, source.len), VIEW("{{"));
}

static int parse(struct parsing *p) {
    size_t tags = 0;
    for (size_t from; (from = find_tag(p->source, p->at)) < p->source.len;) {
        if (++tags > TEMPLATE_TAGS_MAX)
            return mustache_fault(p->fault, TEMPLATE_TOO_BIG, p->line, (struct view){0});
        int r = read_tag(p, from);
        if (r < 0)
            return r;
    }
    add_text(p, p->at, p->source.len);
    if (p->depth) {
        const struct mustache_tag *tag = &p->nodes[p->open[p->depth - 1]].tag;
        return mustache_fault(p->fault, TEMPLATE_UNCLOSED_SECTION, tag->line, tag->name);
    }
    return 0;
}

struct walk {
    const struct node *nodes;
    struct scope scope;
    const struct mustache_sink *sink;
    struct template_fault *fault;
    bool strict;
    unsigned steps;
};

static int look_up(struct walk *w, const struct mustache_tag *tag, bool dry, struct found *ret) {
    static const struct value null = {.kind = VALUE_NULL};
    *ret = scope_find(&w->scope, tag->name);
    if (ret->value)
        return 0;
    if (ret->after_field)
        return mustache_fault(w->fault, TEMPLATE_FIELD_IN_LIST, tag->line, tag->name);
    if (w->strict && !(dry && ret->after_null)) {
        (void)mustache_fault(w->fault, TEMPLATE_UNKNOWN_FIELD, tag->line, tag->name);
        scope_nearest(&w->scope, tag->name, w->fault->nearest_text, sizeof w->fault->nearest_text);
        w->fault->nearest = w->fault->nearest_text[0] ? w->fault->nearest_text : NULL;
        return -EINVAL;
    }
    ret->value = &null;
    return 0;
}

static int walk_range(struct walk *w, size_t from, size_t to, bool dry);

/* Only to find unknown names: each section is looked into once. */
static int walk_dry(struct walk *w, size_t at, const struct found *found) {
    const struct value *v = found->value;
    const struct node *section = &w->nodes[at];
    if (!w->strict || section->tag.inverted)
        return w->strict ? walk_range(w, at + 1, section->end, true) : 0;
    if (v->kind == VALUE_NULL || (v->kind == VALUE_LIST && v->count == 0))
        return 0;
    if (!scope_push(&w->scope, v->kind == VALUE_LIST ? &v->items[0] : v, found->is_url))
        return mustache_fault(w->fault, TEMPLATE_TOO_BIG, section->tag.line, section->tag.name);
    int r = walk_range(w, at + 1, section->end, true);
    scope_pop(&w->scope);
    return r;
}

static int walk_once(struct walk *w, size_t at, const struct found *found, const struct value *context) {
    const struct node *section = &w->nodes[at];
    const struct mustache_sink *sink = w->sink;
    if (++w->steps > TEMPLATE_STEPS_MAX)
        return mustache_fault(w->fault, TEMPLATE_TOO_BIG, section->tag.line, section->tag.name);
    if (context && !scope_push(&w->scope, context, found->is_url))
        return mustache_fault(w->fault, TEMPLATE_TOO_BIG, section->tag.line, section->tag.name);
    int r = sink->on_begin(sink->user, &section->tag, found);
    if (r == 0)
        r = walk_range(w, at + 1, section->end, false);
    if (r == 0)
        r = sink->on_end(sink->user, &w->nodes[section->end].tag, found);
    if (context)
        scope_pop(&w->scope);
    return r;
}

static int walk_section(struct walk *w, size_t at, bool dry) {
    const struct node *section = &w->nodes[at];
    struct found found;
    int r = look_up(w, &section->tag, dry, &found);
    if (r < 0)
        return r;
    const struct value *v = found.value;
    if (dry || (v->kind != VALUE_FIELD && value_is_true(v) == section->tag.inverted))
        return walk_dry(w, at, &found);
    if (section->tag.inverted)
        return walk_once(w, at, &found, NULL);
    if (v->kind != VALUE_LIST)
        return walk_once(w, at, &found, v);
    for (size_t i = 0; r == 0 && i < v->count; i++)
        r = walk_once(w, at, &found, &v->items[i]);
    return r;
}

static int walk_range(struct walk *w, size_t from, size_t to, bool dry) {
    int r = 0;
    for (size_t i = from; r == 0 && i < to; i++) {
        const struct node *n = &w->nodes[i];
        struct found found;
        if (++w->steps > TEMPLATE_STEPS_MAX)
            return mustache_fault(w->fault, TEMPLATE_TOO_BIG, n->tag.line, n->tag.name);
        switch (n->kind) {
        case NODE_TEXT: r = dry ? 0 : w->sink->on_text(w->sink->user, n->text); break;
        case NODE_VALUE:
            r = look_up(w, &n->tag, dry, &found);
            if (r == 0 && !dry)
                r = w->sink->on_value(w->sink->user, &n->tag, &found);
            break;
        case NODE_SECTION:
            r = walk_section(w, i, dry);
            i = n->end;
            break;
        case NODE_END: break;
        }
    }
    return r;
}

int mustache_walk(struct view source, const struct value *root, bool strict, const struct mustache_sink *sink,
                  struct template_fault *fault) {
    size_t tags = 0;
    for (size_t at = 0; tags <= TEMPLATE_TAGS_MAX && (at = find_tag(source, at)) < source.len; at += 2)
        tags++;
    struct parsing p = {.source = source, .fault = fault, .line = 1};
    AUTOFREE struct node *nodes = calloc(2 * tags + 1, sizeof *nodes);
    if (!nodes)
        return -ENOMEM;
    p.nodes = nodes;
    int r = parse(&p);
    if (r < 0)
        return r;
    struct walk w = {.nodes = nodes, .sink = sink, .fault = fault, .strict = strict};
    scope_init(&w.scope, root);
    return walk_range(&w, 0, p.count, false);
}
