/* The texts of a compiled announcement: subject, body and templates, rendered to merges. Faults are collected as far as
 * one does not follow from the other. */
#include "announce/compiled.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "conf/conf.h"
#include "mail/attributes.h"
#include "mail/colour.h"

/* So many unknown fields of one text are told at once. */
enum { UNKNOWN_MAX = 20 };

static const char *fault_key(const struct template_fault *f) {
    switch (f->kind) {
    case TEMPLATE_OK: break;
    case TEMPLATE_UNCLOSED_TAG: return "unclosed-tag";
    case TEMPLATE_UNCLOSED_SECTION: return "unclosed-field-section";
    case TEMPLATE_UNOPENED_SECTION: return "unopened-field-section";
    case TEMPLATE_WRONG_END: return "wrong-field-end";
    case TEMPLATE_NOT_SERVED: return "tag-not-served";
    case TEMPLATE_UNKNOWN_FIELD:
        return fields_of_recurring(f->name) ? "field-needs-repeat"
               : fields_not_served(f->name) ? "field-not-served"
                                            : "unknown-field";
    case TEMPLATE_TOO_BIG: return "text-too-big";
    case TEMPLATE_FIELD_IN_LIST: return "field-in-list";
    case TEMPLATE_SECTION_CROSSING: return "section-crossing";
    }
    return "text-too-big";
}

/* A text to render, and where it stands. */
struct text {
    const char *file;
    unsigned line; /* of the source's first in the file; 0: lines say nothing */
    struct view source;
    enum template_target target;
    const struct markdown_options *markdown; /* NULL: a template */
};

/* Of names with the same beginning what follows must be near by itself: event.place is not event.date. */
static const char *near_of(const struct template_fault *f) {
    if (!f->nearest || fields_not_served(f->name) || fields_of_recurring(f->name))
        return NULL;
    const char *dot = strrchr(f->name, '.'), *near_dot = strrchr(f->nearest, '.');
    if (!dot || !near_dot || dot - f->name != near_dot - f->nearest ||
        strncmp(f->name, f->nearest, (size_t)(dot - f->name)) != 0)
        return f->nearest;
    const char *last = near_dot + 1;
    return text_nearest(view_of(dot + 1), &last, 1) ? f->nearest : NULL;
}

static void report(struct compiling *g, const struct text *t, const struct template_fault *f) {
    unsigned line = t->line ? t->line + (f->line ? f->line - 1 : 0) : 0;
    if (g->options->problems)
        problem_add(g->options->problems, false, t->file, line, fault_key(f), f->name, NULL, near_of(f));
    (void)why_set(g->why, -EINVAL, "%s: {{%s}}", fault_key(f), f->name);
    why_where(g->why, "%s:%u", t->file, line);
}

static int render_once(const struct text *t, const struct value *root, void *out, struct template_fault *fault) {
    *fault = (struct template_fault){0};
    if (t->markdown)
        return markdown_render(t->source, root, t->markdown, out, fault);
    struct merge *m = out;
    int r = template_render(t->source, root, t->target, true, m, fault);
    return r == 0 ? merge_seal(m) : r;
}

/* Puts a name into the tree, so that the next unknown one can be found. */
static void make_known(struct arena *a, struct value *map, struct view name) {
    size_t dot = view_find(name, '.');
    const char *key = arena_dup(a, view_slice(name, 0, dot));
    if (!key)
        return;
    if (dot == name.len) {
        (void)value_set(a, map, key, value_text(""));
        return;
    }
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->keys[i], key) == 0 && map->items[i].kind == VALUE_MAP) {
            make_known(a, &map->items[i], view_slice(name, dot + 1, name.len));
            return;
        }
    struct value below = value_map();
    make_known(a, &below, view_slice(name, dot + 1, name.len));
    (void)value_set(a, map, key, below);
}

/* The names of an array are shared by copies of a map: a tree of its own. */
static struct value copy_tree(struct arena *a, const struct value *v) {
    struct value copy = *v;
    if (v->kind != VALUE_MAP)
        return copy;
    copy = value_map();
    for (size_t i = 0; i < v->count; i++)
        (void)value_set(a, &copy, v->keys[i], copy_tree(a, &v->items[i]));
    return copy;
}

static void report_others(struct compiling *g, const struct text *t, const struct value *root,
                          struct template_fault fault) {
    struct arena arena AUTOARENA = {0};
    struct value tree = copy_tree(&arena, root);
    for (int n = 0; n < UNKNOWN_MAX && fault.kind == TEMPLATE_UNKNOWN_FIELD; n++) {
        char before[sizeof fault.name];
        memcpy(before, fault.name, sizeof before);
        make_known(&arena, &tree, view_of(before));
        struct merge m;
        struct markdown body;
        merge_init(&m);
        int r = render_once(t, &tree, t->markdown ? (void *)&body : (void *)&m, &fault);
        if (r == 0 && t->markdown)
            markdown_done(&body);
        merge_done(&m);
        if (r != -EINVAL || strcmp(before, fault.name) == 0)
            return;
        report(g, t, &fault);
    }
}

/* out is a struct merge, or a struct markdown; empty after a failure. */
static int render(struct compiling *g, const struct text *t, const struct value *root, void *out) {
    struct template_fault fault;
    int r = render_once(t, root, out, &fault);
    if (r < 0 && !t->markdown)
        merge_done(out);
    if (r == -EINVAL) {
        report(g, t, &fault);
        if (g->options->problems)
            report_others(g, t, root, fault);
        return r;
    }
    return r < 0 ? why_set(g->why, r, "cannot render %s: %s", t->file, strerror(-r)) : 0;
}

static struct view language_file(struct compiling *g, const char *name) {
    const char *path = arena_printf(g->arena, "templates/%s/%s", g->language, name);
    return path ? bundle_get(g->c->bundle, path) : (struct view){0};
}

/* Attributes become fields by being named. */
struct attribute_walk {
    struct compiling *g;
    struct value *attr;
    int result;
};

static void add_attributes(struct attribute_walk *w, struct view source) {
    if (w->result == 0)
        w->result = fields_add_attributes(source, w->g->arena, &w->g->c->fields, w->attr);
}

static void on_word_for_attributes(void *user, const char *key, const char *text) {
    (void)key;
    add_attributes(user, view_of(text));
}

static int name_attributes(struct compiled *c) {
    for (unsigned n = FIELD_COUNT; n < c->fields.count; n++) {
        AUTOBUF struct buf name = BUF_INIT(ATTRIBUTE_NAME_MAX * 4);
        int r = attributes_name(view_of(c->fields.names[n] + sizeof "attr." - 1), &name);
        if (r < 0)
            return r;
        c->attribute_names[n] = arena_dup(&c->arena, buf_view(&name));
    }
    return arena_failed(&c->arena) ? -ENOMEM : 0;
}

static const char *logo_of(struct compiling *g) {
    const char *logo = g->c->list->sender->logo;
    if (g->logo.ptr)
        return arena_printf(g->arena, "cid:%s", compiled_logo_id(g));
    return view_starts(view_of(logo), "https://") ? logo : "";
}

static int make_tree(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = compiled_draft(c);
    struct value attr = value_map();
    struct attribute_walk walk = {g, &attr, fields_register(&c->fields)};
    add_attributes(&walk, d->body);
    add_attributes(&walk, view_of(draft_text(d, DRAFT_SUBJECT)));
    add_attributes(&walk, language_file(g, "mail.html"));
    add_attributes(&walk, language_file(g, "mail.txt"));
    words_each(c->words, "mail", on_word_for_attributes, &walk);
    if (walk.result == -ENOSPC) {
        if (g->options->problems)
            problem_add(g->options->problems, false, d->file, 0, "too-many-fields", NULL, NULL, NULL);
        return why_set(g->why, -EINVAL, "the texts use too many fields of the readers");
    }
    int r = walk.result < 0 ? walk.result : name_attributes(c);
    const struct fields_given given = {
        .draft = d,
        .list = c->list,
        .event = &c->event,
        .words = c->words,
        .attr = &attr,
        .timezone = compiled_timezone(c),
        .logo = logo_of(g),
        .preview = g->options->preview,
        .archive = g->options->archive,
        .has_page = c->has_page && !g->options->archive,
    };
    if (r == 0)
        r = fields_tree(&given, g->arena, &g->root);
    return r < 0 ? why_set(g->why, r, "cannot lay out the fields: %s", strerror(-r)) : 0;
}

/* The same with everything escaped for HTML: what people wrote as text is text there too. */
static int to_html(const struct merge *plain, struct merge *html) {
    for (size_t i = 0; i < plain->count; i++) {
        const struct merge_op *op = &plain->ops[i];
        AUTOBUF struct buf escaped = BUF_INIT(TEMPLATE_TEXT_MAX_BYTES);
        switch (op->kind) {
        case MERGE_TEXT:
            merge_escape(op->text, MERGE_HTML, &escaped);
            merge_text(html, buf_view(&escaped));
            break;
        case MERGE_FIELD: merge_field(html, op->field, MERGE_HTML); break;
        case MERGE_IF:
        case MERGE_UNLESS: merge_if(html, op->field, op->kind == MERGE_UNLESS); break;
        case MERGE_END: merge_end(html); break;
        }
        if (buf_error(&escaped))
            return buf_error(&escaped);
    }
    return merge_seal(html);
}

static int render_subject_to(struct compiling *g, struct merge *m) {
    const struct draft *d = compiled_draft(g->c);
    const struct draft_value *v = &d->values[DRAFT_SUBJECT];
    struct view source = view_of(draft_text(d, DRAFT_SUBJECT));
    if (draft_is_literal(d, DRAFT_SUBJECT)) {
        merge_text(m, source);
        return merge_seal(m);
    }
    const struct text t = {v->text ? v->file : d->file, v->line, source, TEMPLATE_PLAIN, NULL};
    return render(g, &t, &g->root, m);
}

static int render_subject(struct compiling *g) {
    struct compiled *c = g->c;
    if (g->options->preview) {
        merge_text(&g->subject, view_of(words_get(c->words, "mail.preview-subject")));
        merge_text(&g->subject, VIEW(" "));
    }
    int r = render_subject_to(g, &g->subject);
    if (r == 0)
        r = render_subject_to(g, &g->subject_plain);
    return r == 0 ? to_html(&g->subject_plain, &g->subject_html) : r;
}

/* A body may say its subject where that is the same for all. */
static int add_subject(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = compiled_draft(c);
    struct value v = value_text(draft_text(d, DRAFT_SUBJECT));
    if (!draft_is_literal(d, DRAFT_SUBJECT) && strstr(draft_text(d, DRAFT_SUBJECT), "{{"))
        v.part = &g->subject_plain;
    return value_set(g->arena, &g->root, "subject", v);
}

static int render_body(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = compiled_draft(c);
    const char *colour = c->list->sender->colour, *start = words_dir(c->words)[0] == 'r' ? "right" : "left";
    char readable[COLOUR_SIZE];
    colour_readable(colour_is_valid(colour) ? colour : COLOUR_DEFAULT, COLOUR_GROUND, readable);
    const struct markdown_options options = {
        .link_style = arena_printf(g->arena, "color:%s", readable),
        .heading_style = "margin:28px 0 8px;font-size:20px;line-height:1.3",
        .paragraph_style = "margin:0 0 16px",
        .list_style = "margin:0 0 16px",
        .quote_style = arena_printf(g->arena, "margin:0 0 16px;padding:2px 16px;border-%s:3px solid #c4ccd4", start),
        .code_style = "margin:0 0 16px;white-space:pre-wrap;font-size:14px;line-height:1.5",
        .image_style = "max-width:100%;height:auto",
        .rule_style = "border:0;border-top:1px solid #d5dae0;margin:24px 0",
        .is_rtl = words_dir(c->words)[0] == 'r',
        .heading_top = 2, /* the template's own heading is the first */
        .links_title = words_get(c->words, "mail.links-title"),
        .image_width = compiled_image_width,
        .user = g,
        .cid_domain = c->domain,
    };
    const struct text t = {d->file, d->body_line, d->body, TEMPLATE_HTML, &options};
    return render(g, &t, &g->root, &g->body);
}

struct word_walk {
    struct compiling *g;
    const struct value *root;
    struct value *map;
    bool html;
    int result;
};

/* The words of [mail] may hold fields themselves. */
static void on_word(void *user, const char *key, const char *text) {
    struct word_walk *w = user;
    struct compiling *g = w->g;
    struct value v = value_text(arena_strdup(g->arena, text));
    if (w->result < 0)
        return;
    if (strstr(text, "{{")) {
        if (g->word_merge_count == WORD_MERGES_MAX) {
            w->result = why_set(g->why, -EINVAL, "words.ini has too many texts with fields");
            return;
        }
        struct merge *m = &g->word_merges[g->word_merge_count++], plain;
        const char *place = arena_printf(g->arena, "words.ini (%s), [mail] %s", g->language, key);
        const struct text t = {place ? place : "words.ini", 0, view_of(text), TEMPLATE_PLAIN, NULL};
        merge_init(m);
        merge_init(&plain);
        w->result = render(g, &t, w->root, w->html ? &plain : m);
        if (w->result == 0 && w->html)
            w->result = to_html(&plain, m);
        merge_done(&plain);
        v.part = m;
    }
    if (w->result == 0)
        w->result = value_set(g->arena, w->map, arena_strdup(g->arena, key), v);
}

/* The template of one part, with all that it may use. */
static int render_part(struct compiling *g, enum template_target target) {
    struct compiled *c = g->c;
    bool html = target == TEMPLATE_HTML;
    struct value root = value_map(), mail = value_map(), all = value_map(),
                 body = {.kind = VALUE_TEXT, .part = html ? &g->body.html : &g->body.plain},
                 subject = {.kind = VALUE_TEXT, .part = &g->subject_plain};
    /* Copies of maps share their arrays: what is set here must not show in the other part. */
    for (size_t i = 0; i < g->root.count; i++)
        (void)value_set(g->arena, &root, g->root.keys[i], g->root.items[i]);
    (void)value_set(g->arena, &root, "subject", subject);
    struct word_walk walk = {g, &root, &mail, html, 0};
    words_each(c->words, "mail", on_word, &walk);
    if (walk.result < 0)
        return walk.result;
    if (html) /* words are made of plain text, then escaped */
        subject.part = &g->subject_html;
    (void)value_set(g->arena, &root, "subject", subject);
    (void)value_set(g->arena, &all, "mail", mail); /* a map is copied when it is put into another: branches first */
    (void)value_set(g->arena, &root, "words", all);
    (void)value_set(g->arena, &root, "body", body);
    const char *name = arena_printf(g->arena, "%s.%s", c->head.template, html ? "html" : "txt");
    if (arena_failed(g->arena))
        return -ENOMEM;
    const struct text t = {name, 1, language_file(g, html ? "mail.html" : "mail.txt"), target, NULL};
    return render(g, &t, &root, html ? &c->html : &c->plain);
}

/* Faults of all texts are found in one go; another error ends it. */
static void also(int *result, int r) {
    if (r != 0 && (*result == 0 || r != -EINVAL))
        *result = r;
}

int compile_text(struct compiling *g) {
    int r = make_tree(g), result = 0;
    if (r < 0)
        return r;
    also(&result, render_subject(g));
    if (result == 0 || result == -EINVAL)
        also(&result, add_subject(g));
    if (result == 0 || result == -EINVAL)
        also(&result, render_body(g));
    if (result == 0 || result == -EINVAL)
        also(&result, render_part(g, TEMPLATE_HTML));
    if (result == 0 || result == -EINVAL)
        also(&result, render_part(g, TEMPLATE_PLAIN));
    return result;
}
