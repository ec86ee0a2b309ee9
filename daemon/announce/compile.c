#include "announce/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "announce/compiled.h"
#include "conf/conf.h"
#include "mail/attributes.h"
#include "mail/colour.h"

enum { SCRATCH_MAX_BYTES = 64 * 1024 };

static const char *fault_key(const struct template_fault *f) {
    switch (f->kind) {
    case TEMPLATE_OK: break;
    case TEMPLATE_UNCLOSED_TAG: return "unclosed-tag";
    case TEMPLATE_UNCLOSED_SECTION: return "unclosed-field-section";
    case TEMPLATE_UNOPENED_SECTION: return "unopened-field-section";
    case TEMPLATE_WRONG_END: return "wrong-field-end";
    case TEMPLATE_NOT_SERVED: return "tag-not-served";
    case TEMPLATE_UNKNOWN_FIELD: return fields_not_served(f->name) ? "field-not-served" : "unknown-field";
    case TEMPLATE_TOO_BIG: return "text-too-big";
    case TEMPLATE_FIELD_IN_LIST: return "field-in-list";
    case TEMPLATE_SECTION_CROSSING: return "section-crossing";
    }
    return "text-too-big";
}

static int fail(struct compiling *g, const char *file, unsigned line, const struct template_fault *f) {
    if (g->options->problems)
        problem_add(g->options->problems, false, file, line, fault_key(f), f->name, NULL, f->nearest);
    (void)why_set(g->why, -EINVAL, "%s: {{%s}}", fault_key(f), f->name);
    why_where(g->why, "%s:%u", file, line);
    return -EINVAL;
}

static int keep_error(struct compiling *g, int error, const char *what) {
    return error == -EINVAL ? error : why_set(g->why, error, "%s: %s", what, strerror(-error));
}

static void on_settings_error(void *user, const struct why *why) {
    *(struct why *)user = *why;
}

static int read_settings(struct compiling *g) {
    struct compiled *c = g->c;
    int r = bundle_head_read(c->bundle, &c->head, g->why);
    if (r < 0)
        return r;
    r = conf_parse_frozen(bundle_get(c->bundle, "settings.ini"), "settings.ini", on_settings_error, g->why,
                          &c->settings);
    if (r < 0)
        return r;
    c->list = conf_find_list(c->settings, view_of(c->head.list));
    if (!c->list)
        return why_set(g->why, -EINVAL, "the bundle's settings do not hold its list");
    c->formal = c->list->tone == CONF_TONE_FORMAL;
    return 0;
}

static struct view language_file(struct compiling *g, const char *name) {
    const char *path = arena_printf(&g->c->arena, "templates/%s/%s", g->language, name);
    return path ? bundle_get(g->c->bundle, path) : (struct view){0};
}

const char *compiled_timezone(const struct compiled *c) {
    return c->list->timezone[0] ? c->list->timezone : c->settings->timezone;
}

static int read_draft(struct compiling *g, const char *name, bool translation, struct draft *ret) {
    struct compiled *c = g->c;
    const char *path = arena_printf(&c->arena, "files/%s", name);
    struct problems *problems = calloc(1, sizeof *problems);
    if (!path || !problems) {
        free(problems);
        return -ENOMEM;
    }
    problems_init(problems);
    int r = draft_read(name, bundle_get(c->bundle, path), translation, compiled_timezone(c), problems, ret);
    problems_done(problems);
    free(problems);
    return r == -EINVAL ? why_set(g->why, r, "the bundle's text %s is damaged", name) : r;
}

static int read_texts(struct compiling *g) {
    struct compiled *c = g->c;
    size_t i = 0;
    while (i < c->head.language_count && strcmp(c->head.languages[i], g->language) != 0)
        i++;
    if (i == c->head.language_count)
        return why_set(g->why, -EINVAL, "the bundle has no text in this language: %s", g->language);
    g->file = c->head.texts[i];
    int r = words_parse(language_file(g, "words.ini"), (struct view){0}, g->language, g->why, &c->words);
    if (r == 0)
        r = read_draft(g, c->head.first, false, &c->first);
    if (r == 0 && i > 0) {
        r = read_draft(g, g->file, true, &c->draft);
        if (r == 0)
            draft_overlay(&c->draft, &c->first);
    }
    return r;
}

const struct draft *compiled_draft(const struct compiled *c) {
    return c->draft.file ? &c->draft : &c->first;
}

static int read_event(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = compiled_draft(c);
    if (!draft_has(d, DRAFT_START))
        return 0;
    c->event.zone = draft_has(d, DRAFT_TIMEZONE) ? draft_text(d, DRAFT_TIMEZONE) : compiled_timezone(c);
    if (when_parse(view_of(draft_text(d, DRAFT_START)), &c->event.start) != WHEN_OK)
        return why_set(g->why, -EINVAL, "the bundle's event has no date");
    c->event.end = c->event.start;
    if (draft_has(d, DRAFT_END) && when_parse(view_of(draft_text(d, DRAFT_END)), &c->event.end) != WHEN_OK)
        return why_set(g->why, -EINVAL, "the bundle's event has no end");
    return 0;
}

static int make_tree(struct compiling *g, struct view html_source, struct view plain_source) {
    struct compiled *c = g->c;
    const struct draft *d = compiled_draft(c);
    struct value attr = value_map();
    const struct view sources[] = {d->body, view_of(draft_text(d, DRAFT_SUBJECT)), html_source, plain_source};
    int r = fields_register(&c->fields);
    for (size_t i = 0; r == 0 && i < COUNT_OF(sources); i++)
        r = fields_add_attributes(sources[i], &c->arena, &c->fields, &attr);
    for (unsigned n = FIELD_COUNT; r == 0 && n < c->fields.count; n++) {
        AUTOBUF struct buf name = BUF_INIT(ATTRIBUTE_NAME_MAX * 4);
        attributes_name(view_of(c->fields.names[n] + sizeof "attr." - 1), &name);
        c->attribute_names[n] = arena_dup(&c->arena, buf_view(&name));
    }
    if (r == 0)
        r = fields_tree(d, c->list, &c->event, c->words, compiled_timezone(c), g->options->preview, &attr, &c->arena,
                        &g->root);
    return r < 0 ? keep_error(g, r, "cannot lay out the fields") : 0;
}

static int render(struct compiling *g, const char *file, unsigned first_line, struct view source,
                  const struct value *root, enum template_target target, struct merge *m) {
    struct template_fault fault = {0};
    int r = template_render(source, root, target, true, m, &fault);
    if (r == -EINVAL)
        return fail(g, file, first_line + (fault.line ? fault.line - 1 : 0), &fault);
    if (r == 0)
        r = merge_seal(m);
    return r < 0 ? why_set(g->why, r, "cannot render %s: %s", file, strerror(-r)) : 0;
}

struct word_walk {
    struct compiling *g;
    struct value *map;
    enum template_target target;
    int result;
};

/* The words of [mail] may hold fields themselves. */
static void on_word(void *user, const char *key, const char *text) {
    struct word_walk *w = user;
    struct compiled *c = w->g->c;
    struct value v = value_text(arena_strdup(&c->arena, text));
    if (w->result < 0)
        return;
    if (strstr(text, "{{")) {
        if (c->word_merge_count == WORD_MERGES_MAX) {
            w->result = why_set(w->g->why, -E2BIG, "words.ini has too many texts with fields");
            return;
        }
        struct merge *m = &c->word_merges[c->word_merge_count++];
        merge_init(m);
        w->result = render(w->g, "words.ini", 1, view_of(text), &w->g->root, w->target, m);
        v.part = m;
    }
    if (w->result == 0)
        w->result = value_set(&c->arena, w->map, arena_strdup(&c->arena, key), v);
}

static int add_words(struct compiling *g, enum template_target target, const struct merge *body, struct value *ret) {
    struct compiled *c = g->c;
    struct value mail = value_map(), all = value_map(), text = {.kind = VALUE_TEXT, .part = body};
    struct word_walk walk = {g, &mail, target, 0};
    words_each(c->words, "mail", on_word, &walk);
    if (walk.result < 0)
        return walk.result;
    /* A map is copied when it is put into another: the branches first. */
    *ret = value_map();
    for (size_t i = 0; i < g->root.count; i++)
        (void)value_set(&c->arena, ret, g->root.keys[i], g->root.items[i]);
    (void)value_set(&c->arena, &all, "mail", mail);
    (void)value_set(&c->arena, ret, "words", all);
    (void)value_set(&c->arena, ret, "body", text);
    return arena_failed(&c->arena) ? -ENOMEM : 0;
}

const char *compiled_domain(const struct compiled *c) {
    const char *at = strrchr(c->list->sender->address, '@');
    return at ? at + 1 : "localhost";
}

static int render_body(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = compiled_draft(c);
    struct template_fault fault = {0};
    const char *colour = c->list->sender->colour, *start = words_dir(c->words)[0] == 'r' ? "right" : "left";
    char readable[COLOUR_SIZE];
    colour_readable(colour_is_valid(colour) ? colour : COLOUR_DEFAULT, COLOUR_GROUND, readable);
    const struct markdown_options options = {
        .link_style = arena_printf(&c->arena, "color:%s", readable),
        .heading_style = "margin:28px 0 8px;font-size:20px;line-height:1.3",
        .paragraph_style = "margin:0 0 16px",
        .list_style = "margin:0 0 16px",
        .quote_style = arena_printf(&c->arena, "margin:0 0 16px;padding:2px 16px;border-%s:3px solid #c4ccd4", start),
        .code_style = "margin:0 0 16px;white-space:pre-wrap;font-size:14px;line-height:1.5",
        .image_style = "max-width:100%;height:auto",
        .rule_style = "border:0;border-top:1px solid #d5dae0;margin:24px 0",
        .heading_shift = 1, /* the template's own heading is the first */
        .links_title = words_get(c->words, "mail.links-title"),
        .cid_domain = compiled_domain(c),
    };
    int r = markdown_render(d->body, &g->root, &options, &c->body, &fault);
    if (r == -EINVAL)
        return fail(g, d->file, d->body_line + (fault.line ? fault.line - 1 : 0), &fault);
    return r < 0 ? why_set(g->why, r, "cannot render the text: %s", strerror(-r)) : 0;
}

static int render_all(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = compiled_draft(c);
    struct view html = language_file(g, "mail.html"), plain = language_file(g, "mail.txt");
    int r = make_tree(g, html, plain);
    if (g->options->preview) {
        merge_text(&c->subject, view_of(words_get(c->words, "mail.preview-subject")));
        merge_text(&c->subject, VIEW(" "));
    }
    if (r == 0)
        r = render(g, d->file, d->values[DRAFT_SUBJECT].line, view_of(draft_text(d, DRAFT_SUBJECT)), &g->root,
                   TEMPLATE_PLAIN, &c->subject);
    if (r == 0)
        r = render_body(g);
    if (r == 0)
        r = add_words(g, TEMPLATE_HTML, &c->body.html, &g->html_root);
    if (r == 0)
        r = add_words(g, TEMPLATE_PLAIN, &c->body.plain, &g->plain_root);
    if (r == 0)
        r = render(g, "mail.html", 1, html, &g->html_root, TEMPLATE_HTML, &c->html);
    if (r == 0)
        r = render(g, "mail.txt", 1, plain, &g->plain_root, TEMPLATE_PLAIN, &c->plain);
    return r;
}

static int compile_steps(struct compiling *g) {
    int r = read_settings(g);
    if (r == 0)
        r = read_texts(g);
    if (r == 0)
        r = read_event(g);
    if (r == 0)
        r = render_all(g);
    if (r == 0)
        r = compile_message(g);
    return r;
}

int compile(struct bundle *bundle, const char *language, const struct compile_options *options, struct why *why,
            struct compiled **ret) {
    struct compiled *c = calloc(1, sizeof *c);
    if (!c)
        return why_set(why, -ENOMEM, "out of memory");
    c->bundle = bundle;
    merge_fields_init(&c->fields);
    merge_init(&c->subject);
    merge_init(&c->html);
    merge_init(&c->plain);
    buf_init(&c->scratch, SCRATCH_MAX_BYTES);
    *why = (struct why){0};
    struct compiling g = {.c = c, .options = options, .why = why, .language = language};
    int r = compile_steps(&g);
    c->bundle = NULL;
    if (r < 0) {
        if (!why->what[0])
            (void)why_set(why, r, "cannot compile the announcement: %s", strerror(-r));
        (void)compiled_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

struct compiled *compiled_free(struct compiled *c) {
    if (!c)
        return NULL;
    (void)message_free(c->message);
    merge_done(&c->html);
    merge_done(&c->plain);
    merge_done(&c->subject);
    for (size_t i = 0; i < c->word_merge_count; i++)
        merge_done(&c->word_merges[i]);
    markdown_done(&c->body);
    draft_done(&c->draft);
    draft_done(&c->first);
    merge_fields_done(&c->fields);
    (void)words_free(c->words);
    (void)conf_unref(c->settings);
    buf_done(&c->scratch);
    arena_done(&c->arena);
    free(c);
    return NULL;
}

size_t compiled_size(const struct compiled *c) {
    return message_size(c->message);
}

const char *compiled_subject(const struct compiled *c) {
    return draft_text(compiled_draft(c), DRAFT_SUBJECT);
}

const char *compiled_sender_address(const struct compiled *c) {
    return c->list->sender->address;
}
