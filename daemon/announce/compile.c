#include "announce/compile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announce/draft.h"
#include "announce/fields.h"
#include "base/encode.h"
#include "base/text.h"
#include "conf/conf.h"
#include "mail/attributes.h"
#include "mail/calendar.h"
#include "mail/colour.h"
#include "mail/header.h"
#include "mail/markdown.h"
#include "mail/message.h"
#include "mail/words.h"

enum { WORD_MERGES_MAX = 256, RENDERED_MAX_BYTES = 4 << 20, SCRATCH_MAX_BYTES = 64 * 1024 };

struct compiled {
    struct arena arena;
    struct bundle *bundle; /* borrowed while compiling */
    struct bundle_head head;
    struct conf *settings;
    const struct conf_list *list;
    struct words *words;
    bool formal;
    struct draft first, draft;
    struct fields_event event;
    struct merge_fields fields;
    const char *attribute_names[MERGE_FIELDS_MAX]; /* of the fields from FIELD_COUNT on, as they are stored */
    struct markdown body;
    struct merge subject, html, plain, word_merges[WORD_MERGES_MAX];
    size_t word_merge_count;
    struct message *message;
    struct buf scratch; /* a recipient's derived values while one message is filled */
};

/* What compiling needs besides and leaves behind. */
struct compiling {
    struct compiled *c;
    const struct compile_options *options;
    struct why *why;
    const char *language, *file; /* of the text in this language */
    struct value root, html_root, plain_root;
};

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

static const char *timezone_of(const struct compiled *c) {
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
    int r = draft_read(name, bundle_get(c->bundle, path), translation, timezone_of(c), problems, ret);
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

/* The draft in force: the first file's own where there is no translation. */
static const struct draft *draft_of(const struct compiled *c) {
    return c->draft.file ? &c->draft : &c->first;
}

static int read_event(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = draft_of(c);
    if (!draft_has(d, DRAFT_START))
        return 0;
    c->event.zone = draft_has(d, DRAFT_TIMEZONE) ? draft_text(d, DRAFT_TIMEZONE) : timezone_of(c);
    if (when_parse(view_of(draft_text(d, DRAFT_START)), &c->event.start) != WHEN_OK)
        return why_set(g->why, -EINVAL, "the bundle's event has no date");
    c->event.end = c->event.start;
    if (draft_has(d, DRAFT_END) && when_parse(view_of(draft_text(d, DRAFT_END)), &c->event.end) != WHEN_OK)
        return why_set(g->why, -EINVAL, "the bundle's event has no end");
    return 0;
}

static int make_tree(struct compiling *g, struct view html_source, struct view plain_source) {
    struct compiled *c = g->c;
    const struct draft *d = draft_of(c);
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
        r = fields_tree(d, c->list, &c->event, c->words, timezone_of(c), g->options->preview, &attr, &c->arena,
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

static const char *cid_domain(const struct compiled *c) {
    const char *at = strrchr(c->list->sender->address, '@');
    return at ? at + 1 : "localhost";
}

static int render_body(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = draft_of(c);
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
        .cid_domain = cid_domain(c),
    };
    int r = markdown_render(d->body, &g->root, &options, &c->body, &fault);
    if (r == -EINVAL)
        return fail(g, d->file, d->body_line + (fault.line ? fault.line - 1 : 0), &fault);
    return r < 0 ? why_set(g->why, r, "cannot render the text: %s", strerror(-r)) : 0;
}

static int render_all(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = draft_of(c);
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

static const char *content_type(struct view bytes, const char *name) {
    static const struct {
        const char *magic;
        size_t len;
        const char *type;
    } magics[] = {{"\x89PNG\r\n\x1a\n", 8, "image/png"},
                  {"\xFF\xD8\xFF", 3, "image/jpeg"},
                  {"GIF8", 4, "image/gif"},
                  {"%PDF-", 5, "application/pdf"}};
    static const struct {
        const char *ending, *type;
    } endings[] = {
        {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
        {".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
        {".odt", "application/vnd.oasis.opendocument.text"},
        {".ods", "application/vnd.oasis.opendocument.spreadsheet"},
        {".zip", "application/zip"},
    };
    for (size_t i = 0; i < COUNT_OF(magics); i++)
        if (bytes.len >= magics[i].len && memcmp(bytes.ptr, magics[i].magic, magics[i].len) == 0)
            return magics[i].type;
    for (size_t i = 0; i < COUNT_OF(endings); i++)
        if (view_ends(view_of(name), endings[i].ending))
            return endings[i].type;
    return "application/octet-stream";
}

static struct view bundled(struct compiling *g, const char *name) {
    const char *path = arena_printf(&g->c->arena, "files/%s", name);
    return path ? bundle_get(g->c->bundle, path) : (struct view){0};
}

static int make_calendar(struct compiling *g, struct buf *ics) {
    struct compiled *c = g->c;
    const struct draft *d = draft_of(c);
    AUTOBUF struct buf about = BUF_INIT(8192);
    static const enum draft_key lines[] = {DRAFT_CONTACT_NAME, DRAFT_CONTACT_PHONE, DRAFT_CONTACT_MAIL, DRAFT_URL};
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (draft_has(d, lines[i]))
            buf_printf(&about, "%s%s", about.len ? "\n" : "", draft_text(d, lines[i]));
    const struct event event = {
        .title = draft_has(d, DRAFT_TITLE) ? draft_text(d, DRAFT_TITLE) : draft_text(d, DRAFT_SUBJECT),
        .location = draft_text(d, DRAFT_LOCATION),
        .url = draft_text(d, DRAFT_URL),
        .description = buf_str(&about),
        .start = c->event.start,
        .end = c->event.end,
        .zone = c->event.zone,
        .repeat = "",
    };
    const struct conf_sender *s = c->list->sender;
    const struct calendar_identity identity = {
        .uid = c->head.uid,
        .sequence = c->head.sequence,
        .organizer_name = s->organisation[0] ? s->organisation : s->name,
        .organizer_address = s->reply_to[0] ? s->reply_to : s->address,
        .stamp_usec = c->head.created_usec,
    };
    return calendar_publish(&event, &identity, ics, g->why);
}

enum { PARTS_MAX = 64 };

static int add_attachments(struct compiling *g, struct part *parts, size_t *count) {
    const struct draft *d = draft_of(g->c);
    struct view rest = view_of(draft_text(d, DRAFT_ATTACH)), item;
    while (view_split(&rest, ',', &item)) {
        item = view_trim(item);
        if (item.len == 0)
            continue;
        char *name = arena_dup(&g->c->arena, item);
        struct view bytes = name ? bundled(g, name) : (struct view){0};
        if (!bytes.ptr || *count == PARTS_MAX)
            return why_set(g->why, -EINVAL, "the bundle lacks an attachment");
        parts[(*count)++] =
            (struct part){.kind = PART_BYTES, .type = content_type(bytes, name), .bytes = bytes, .filename = name};
    }
    return 0;
}

static int add_images(struct compiling *g, struct part *parts, size_t *count) {
    struct compiled *c = g->c;
    for (size_t i = 0; i < c->body.image_count; i++) {
        const struct markdown_image *image = &c->body.images[i];
        struct view bytes = bundled(g, image->file);
        if (!bytes.ptr || *count == PARTS_MAX)
            return why_set(g->why, -EINVAL, "the bundle lacks an image");
        parts[(*count)++] = (struct part){
            .kind = PART_BYTES,
            .type = content_type(bytes, image->file),
            .bytes = bytes,
            .filename = image->file,
            .content_id = arena_printf(&c->arena, "%s@%s", image->content_id, cid_domain(c)),
            .is_inline = true,
        };
    }
    return 0;
}

static int build_body(struct compiling *g) {
    struct compiled *c = g->c;
    struct part mixed[PARTS_MAX + 2] = {0}, related[PARTS_MAX + 1] = {0}, alternative[2] = {0};
    size_t mixed_count = 1, related_count = 1;
    AUTOBUF struct buf ics = BUF_INIT(CALENDAR_FILE_MAX_BYTES), seed = BUF_INIT(512);
    int r = add_images(g, related, &related_count);
    related[0] = (struct part){.kind = PART_TEXT, .type = "text/html", .text = &c->html, .language = g->language};
    alternative[0] = (struct part){.kind = PART_TEXT, .type = "text/plain", .text = &c->plain, .language = g->language};
    alternative[1] = related_count > 1
                         ? (struct part){.kind = PART_RELATED, .children = related, .child_count = related_count}
                         : related[0];
    mixed[0] = (struct part){.kind = PART_ALTERNATIVE, .children = alternative, .child_count = 2};
    if (r == 0 && c->event.zone) {
        r = make_calendar(g, &ics);
        mixed[mixed_count++] = (struct part){
            .kind = PART_BYTES,
            .type = "text/calendar; method=PUBLISH; charset=UTF-8; component=vevent",
            .bytes = buf_view(&ics),
            .filename = arena_printf(&c->arena, "%s.ics", c->head.name),
        };
    }
    if (r == 0)
        r = add_attachments(g, mixed, &mixed_count);
    const struct part root =
        mixed_count > 1 ? (struct part){.kind = PART_MIXED, .children = mixed, .child_count = mixed_count} : mixed[0];
    encode_hex(&seed, c->head.identity, 8);
    buf_printf(&seed, "%s", g->language);
    if (r == 0 && arena_failed(&c->arena))
        r = -ENOMEM;
    if (r == 0)
        r = message_body(c->message, &root, buf_str(&seed));
    return r;
}

void compile_list_id(const struct conf_list *list, struct buf *to) {
    const char *at = strrchr(list->sender->address, '@');
    buf_printf(to, "%s.%s", list->name, at ? at + 1 : "localhost");
}

static const char *reply_to_of(const struct compiled *c, const struct draft *d) {
    const struct conf_sender *s = c->list->sender;
    const char *const choices[] = {draft_text(d, DRAFT_REPLY_TO), draft_text(d, DRAFT_CONTACT_MAIL), c->list->reply_to,
                                   s->reply_to};
    for (size_t i = 0; i < COUNT_OF(choices); i++)
        if (choices[i][0])
            return choices[i];
    return s->address;
}

static void first_of(int *error, int r) {
    if (*error == 0)
        *error = r;
}

static int build_headers(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = draft_of(c);
    const struct conf_list *l = c->list;
    const struct conf_sender *s = l->sender;
    struct message *m = c->message;
    const char *from = draft_has(d, DRAFT_FROM_NAME) ? draft_text(d, DRAFT_FROM_NAME)
                       : l->from_name[0]             ? l->from_name
                                                     : s->name;
    const char *reply_to = reply_to_of(c, d);
    AUTOBUF struct buf text = BUF_INIT(4096);
    int r = 0;
    first_of(&r, message_header_mailbox(m, "From", view_of(from), view_of(s->address)));
    first_of(&r, message_header_field_utf8(m, "To", FIELD_TO));
    first_of(&r, message_header_merge(m, "Subject", &c->subject));
    first_of(&r, message_header_field(m, "Date", FIELD_DATE));
    first_of(&r, message_header_field(m, "Message-ID", FIELD_MESSAGE_ID));
    if (strcmp(reply_to, s->address) != 0)
        first_of(&r, message_header_mailbox(m, "Reply-To", (struct view){0}, view_of(reply_to)));
    compile_list_id(l, &text);
    first_of(&r, message_header_mailbox(m, "List-Id", view_of(conf_list_title(l, g->language)), buf_view(&text)));
    first_of(&r, message_header_field(m, "List-Unsubscribe", FIELD_LIST_UNSUBSCRIBE));
    first_of(&r, message_header_raw(m, "List-Unsubscribe-Post", VIEW("List-Unsubscribe=One-Click")));
    buf_clear(&text);
    buf_printf(&text, "<mailto:%s>", reply_to);
    first_of(&r, message_header_raw(m, "List-Owner", buf_view(&text)));
    if (s->imprint_url[0]) {
        buf_clear(&text);
        buf_printf(&text, "<%s>", s->imprint_url);
    }
    first_of(&r, message_header_raw(m, "List-Help", buf_view(&text)));
    first_of(&r, message_header_raw(m, "Precedence", VIEW("bulk")));
    first_of(&r, message_header_raw(m, "X-Auto-Response-Suppress", VIEW("OOF, AutoReply")));
    return r;
}

static int compile_steps(struct compiling *g) {
    struct compiled *c = g->c;
    int r = read_settings(g);
    if (r == 0)
        r = read_texts(g);
    if (r == 0)
        r = read_event(g);
    if (r == 0)
        r = render_all(g);
    if (r == 0)
        r = message_new(&c->message);
    if (r == 0) {
        r = build_headers(g);
        if (r < 0)
            (void)why_set(g->why, r, "a setting or the subject cannot stand in a header field");
    }
    if (r == 0)
        r = build_body(g);
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

/* Values made of a recipient live in scratch, whose memory moves while it grows: their places are noted and turned into
 * views at the end. */
struct made {
    size_t from, to;
};

static void print_unsubscribe_url(const struct compiled *c, const struct compose_recipient *r, struct buf *to) {
    buf_printf(to, "%s/u/", c->list->sender->public_url);
    buf_add_view(to, r->token);
    buf_printf(to, "/%lld/%s", (long long)r->announcement, words_language(c->words));
}

static void print_made(const struct compiled *c, const struct compose_recipient *r, enum recipient_field field,
                       struct buf *to) {
    switch (field) {
    case FIELD_SALUTATION: salutation_say(c->words, c->formal, &r->contact, to); break;
    case FIELD_NAME: salutation_name(c->words, &r->contact, to); break;
    case FIELD_URL_UNSUBSCRIBE: print_unsubscribe_url(c, r, to); break;
    case FIELD_TO: {
        AUTOBUF struct buf name = BUF_INIT(4096);
        salutation_name(c->words, &r->contact, &name);
        header_add_mailbox(to, buf_view(&name), r->address, sizeof "To: " - 1);
        break;
    }
    case FIELD_DATE: when_print_rfc5322(r->date_usec, timezone_of(c), to); break;
    case FIELD_MESSAGE_ID:
        buf_putc(to, '<');
        buf_add_view(to, r->message_id);
        buf_printf(to, "@%s>", cid_domain(c));
        break;
    case FIELD_LIST_UNSUBSCRIBE:
        buf_putc(to, '<');
        print_unsubscribe_url(c, r, to);
        buf_putc(to, '>');
        if (r->leave_mailbox.len) {
            buf_puts(to, ",\r\n <mailto:");
            buf_add_view(to, r->leave_mailbox);
            buf_putc(to, '>');
        }
        break;
    case FIELD_GIVEN_NAME:
    case FIELD_FAMILY_NAME:
    case FIELD_ORGANISATION:
    case FIELD_EMAIL:
    case FIELD_COUNT: break;
    }
}

static int make_values(struct compiled *c, const struct compose_recipient *r, struct view values[MERGE_FIELDS_MAX]) {
    static const enum recipient_field fields[] = {FIELD_SALUTATION, FIELD_NAME,       FIELD_URL_UNSUBSCRIBE, FIELD_TO,
                                                  FIELD_DATE,       FIELD_MESSAGE_ID, FIELD_LIST_UNSUBSCRIBE};
    struct made made[COUNT_OF(fields)];
    buf_clear(&c->scratch);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        made[i].from = c->scratch.len;
        print_made(c, r, fields[i], &c->scratch);
        made[i].to = c->scratch.len;
    }
    if (buf_error(&c->scratch))
        return buf_error(&c->scratch);
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        values[fields[i]] = view_slice(buf_view(&c->scratch), made[i].from, made[i].to - made[i].from);
    values[FIELD_GIVEN_NAME] = r->contact.given_name;
    values[FIELD_FAMILY_NAME] = r->contact.family_name;
    values[FIELD_ORGANISATION] = r->contact.organisation;
    values[FIELD_EMAIL] = r->address;
    for (unsigned n = FIELD_COUNT; n < c->fields.count; n++)
        values[n] = attributes_get(r->attributes, view_of(c->attribute_names[n]));
    return 0;
}

int compose(struct compiled *c, const struct compose_recipient *r, struct buf *to) {
    struct view values[MERGE_FIELDS_MAX];
    int error = make_values(c, r, values);
    return error < 0 ? error : message_fill(c->message, values, to);
}

int compose_part(struct compiled *c, const struct compose_recipient *r, bool html, struct buf *to) {
    struct view values[MERGE_FIELDS_MAX];
    int error = make_values(c, r, values);
    if (error < 0)
        return error;
    merge_fill(html ? &c->html : &c->plain, values, to);
    return buf_error(to);
}

size_t compiled_size(const struct compiled *c) {
    return message_size(c->message);
}

const char *compiled_subject(const struct compiled *c) {
    return draft_text(draft_of(c), DRAFT_SUBJECT);
}

const char *compiled_sender_address(const struct compiled *c) {
    return c->list->sender->address;
}
