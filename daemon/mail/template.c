#include "mail/template.h"

#include <errno.h>

#include "mail/html_place.h"
#include "mail/link.h"
#include "mail/mustache.h"

#include "base/banned.h"

struct rendering {
    struct merge *m;
    enum template_target target;
    struct template_fault *fault;
    struct html_place place, before[TEMPLATE_DEPTH_MAX]; /* before each open span */
    unsigned depth;
    unsigned line; /* of the last tag */
    size_t written;
};

static int write_text(struct rendering *r, struct view text) {
    if (text.len > TEMPLATE_TEXT_MAX_BYTES - r->written)
        return mustache_fault(r->fault, TEMPLATE_TOO_BIG, r->line, (struct view){0});
    r->written += text.len;
    merge_text(r->m, text);
    return 0;
}

static int on_text(void *user, struct view text) {
    struct rendering *r = user;
    if (r->target == TEMPLATE_HTML)
        html_place_feed(&r->place, text);
    return write_text(r, text);
}

/* A recipient's field inside a part keeps the escape that its own place gave it. */
static int splice(struct rendering *r, const struct merge *part) {
    int result = 0;
    for (size_t i = 0; result == 0 && i < part->count; i++) {
        const struct merge_op *op = &part->ops[i];
        switch (op->kind) {
        case MERGE_TEXT: result = write_text(r, op->text); break;
        case MERGE_FIELD: merge_field(r->m, op->field, op->escape); break;
        case MERGE_IF:
        case MERGE_UNLESS: merge_if(r->m, op->field, op->kind == MERGE_UNLESS); break;
        case MERGE_END: merge_end(r->m); break;
        }
    }
    return result;
}

static void escape_url(const struct html_place *place, struct view text, struct buf *to) {
    text = view_trim(text);
    if (!place->is_start)
        link_add_part(to, view_of(place->url), text);
    else if (link_has_scheme(text) && !link_is_allowed(text) && !view_starts(text, "cid:"))
        buf_putc(to, '#');
    else
        link_add_html(to, text);
}

static int write_escaped(struct rendering *r, struct view text) {
    AUTOBUF struct buf escaped = BUF_INIT(TEMPLATE_TEXT_MAX_BYTES * 2);
    if (r->target == TEMPLATE_PLAIN)
        merge_escape(text, MERGE_PLAIN, &escaped);
    else if (html_place_is_url(&r->place))
        escape_url(&r->place, text, &escaped);
    else
        merge_escape(text, MERGE_HTML, &escaped);
    if (buf_error(&escaped) == -EMSGSIZE)
        return mustache_fault(r->fault, TEMPLATE_TOO_BIG, r->line, (struct view){0});
    return buf_error(&escaped) ? buf_error(&escaped) : on_text(r, buf_view(&escaped));
}

static int on_value(void *user, const struct mustache_tag *tag, const struct found *found) {
    struct rendering *r = user;
    const struct value *v = found->value;
    r->line = tag->line;
    switch (v->kind) {
    case VALUE_NULL:
    case VALUE_BOOL:
    case VALUE_LIST:
    case VALUE_MAP: return 0;
    case VALUE_TEXT:
        if (v->part)
            return splice(r, v->part);
        return tag->raw || v->raw ? on_text(r, v->text) : write_escaped(r, v->text);
    case VALUE_FIELD:
        merge_field(r->m, v->field,
                    r->target == TEMPLATE_PLAIN ? MERGE_PLAIN : html_place_escape(&r->place, found->is_url));
        if (r->target == TEMPLATE_HTML)
            html_place_value(&r->place);
        return 0;
    }
    return 0;
}

static int on_begin(void *user, const struct mustache_tag *tag, const struct found *found) {
    struct rendering *r = user;
    r->line = tag->line;
    if (found->value->kind != VALUE_FIELD)
        return 0;
    r->before[r->depth++] = r->place;
    merge_if(r->m, found->value->field, tag->inverted);
    return 0;
}

static int on_end(void *user, const struct mustache_tag *tag, const struct found *found) {
    struct rendering *r = user;
    if (found->value->kind != VALUE_FIELD)
        return 0;
    merge_end(r->m);
    if (!html_place_join(&r->before[--r->depth], &r->place))
        return mustache_fault(r->fault, TEMPLATE_SECTION_CROSSING, tag->line, tag->name);
    return 0;
}

int template_render(struct view source, const struct value *root, enum template_target target, bool strict,
                    struct merge *m, struct template_fault *fault) {
    struct rendering rendering = {.m = m, .target = target, .fault = fault, .line = 1};
    struct mustache_sink sink = {&rendering, on_text, on_value, on_begin, on_end};
    *fault = (struct template_fault){0};
    if (source.len > TEMPLATE_SOURCE_MAX_BYTES)
        return mustache_fault(fault, TEMPLATE_TOO_BIG, 1, (struct view){0});
    html_place_init(&rendering.place);
    int r = mustache_walk(source, root, strict, &sink, fault);
    if (r == 0 && m->error == -EMSGSIZE)
        return mustache_fault(fault, TEMPLATE_TOO_BIG, rendering.line, (struct view){0});
    return r ? r : m->error;
}
