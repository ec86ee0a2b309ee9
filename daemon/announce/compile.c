#include "announce/compile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "announce/compiled.h"
#include "conf/conf.h"
#include "mail/address.h"
#include "mail/recur.h"

enum { SCRATCH_MAX_BYTES = 64 * 1024, NAME_MAX_BYTES = 4096, DATE_MAX_BYTES = 64 };

/* Each of the lists must be open to everybody's eyes. */
static bool gets_page(const struct compiled *c) {
    bool all = c->list->sender->public_url[0] && !bundle_get(c->bundle, "filter").ptr;
    for (size_t i = 0; all && i < c->head.list_count; i++) {
        const struct conf_list *list = conf_find_list(c->settings, view_of(c->head.lists[i]));
        all = list && list->archive;
    }
    return all;
}

static int read_settings(struct compiling *g) {
    struct compiled *c = g->c;
    int r = bundle_head_read(c->bundle, &c->head, g->why);
    if (r < 0)
        return r;
    r = bundle_settings(c->bundle, g->why, &c->settings);
    if (r < 0)
        return r;
    const char *name = g->options->list ? g->options->list : c->head.lists[0];
    const struct conf_list *first = conf_find_list(c->settings, view_of(c->head.lists[0]));
    c->list = conf_find_list(c->settings, view_of(name));
    c->event_zone = !first ? "" : first->timezone[0] ? first->timezone : c->settings->timezone;
    if (!c->list || !first)
        return why_set(g->why, -EINVAL, "the bundle's settings do not hold its list");
    c->formal = c->list->tone == CONF_TONE_FORMAL;
    c->has_page = gets_page(c);
    const char *at = strrchr(c->list->sender->address, '@');
    AUTOBUF struct buf domain = BUF_INIT(1024);
    r = at ? address_domain_ascii(view_of(at + 1), &domain) : -EINVAL;
    if (r == -ENOMEM)
        return r;
    c->domain = r == 0 ? arena_dup(&c->arena, buf_view(&domain)) : "localhost";
    g->logo = bundle_get(c->bundle, "logo");
    if (!compile_picture_type(g->logo))
        g->logo = (struct view){0};
    return c->domain ? 0 : -ENOMEM;
}

const char *compiled_timezone(const struct compiled *c) {
    return c->list->timezone[0] ? c->list->timezone : c->settings->timezone;
}

static int read_draft(struct compiling *g, const char *name, bool translation, struct draft *ret) {
    struct compiled *c = g->c;
    const char *path = arena_printf(g->arena, "files/%s", name);
    struct problems *problems = calloc(1, sizeof *problems);
    if (!path || !problems) {
        free(problems);
        return -ENOMEM;
    }
    problems_init(problems);
    int r = draft_read(name, bundle_get(c->bundle, path), translation, c->event_zone, problems, ret);
    problems_done(problems);
    free(problems);
    if (r == -EINVAL && g->options->faults_only)
        return 0;
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
    int r = bundle_words(c->bundle, g->language, g->why, &c->words);
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

/* Any date will do where only faults of the texts are looked for. */
static int parse_date(struct compiling *g, enum draft_key key, struct when *ret) {
    if (when_parse(view_of(draft_text(compiled_draft(g->c), key)), ret) == WHEN_OK)
        return 0;
    *ret = (struct when){.year = 2000, .month = 1, .day = 1};
    return g->options->faults_only ? 0 : why_set(g->why, -EINVAL, "the bundle's event has no date");
}

/* To the date of one that recurs. */
static int move_event(struct compiling *g) {
    struct fields_event *e = &g->c->event;
    struct when date;
    e->recurs = true;
    e->first = e->start;
    if (when_parse(view_of(g->c->head.occurrence), &date) != WHEN_OK)
        return g->options->faults_only ? 0 : why_set(g->why, -EINVAL, "the bundle's event has no date");
    e->end = recur_end(&e->first, &e->end, &date);
    e->start = date;
    return 0;
}

static int read_event(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = compiled_draft(c);
    if (!draft_has(d, DRAFT_START) && !(g->options->faults_only && draft_has_event(d)))
        return 0;
    c->event.zone = draft_has(d, DRAFT_TIMEZONE) ? draft_text(d, DRAFT_TIMEZONE) : c->event_zone;
    int r = parse_date(g, DRAFT_START, &c->event.start);
    c->event.end = c->event.start;
    if (r == 0 && draft_has(d, DRAFT_END))
        r = parse_date(g, DRAFT_END, &c->event.end);
    return r == 0 && draft_has(d, DRAFT_REPEAT) ? move_event(g) : r;
}

static int compile_steps(struct compiling *g) {
    int r = read_settings(g);
    if (r == 0)
        r = read_texts(g);
    if (r == 0)
        r = read_event(g);
    if (r < 0)
        return r;
    reader_times_init(&g->c->reader_times, g->c->words, &g->c->event, compiled_timezone(g->c));
    r = compile_text(g);
    if (r == 0 || r == -EINVAL) {
        int of_files = compile_check_files(g);
        r = r ? r : of_files;
    }
    return r == 0 && !g->options->faults_only ? compile_message(g) : r;
}

static struct compiled *compiled_new(void) {
    struct compiled *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    merge_fields_init(&c->fields);
    merge_init(&c->html);
    merge_init(&c->plain);
    buf_init(&c->scratch, SCRATCH_MAX_BYTES);
    buf_init(&c->name, NAME_MAX_BYTES);
    buf_init(&c->date, DATE_MAX_BYTES);
    return c;
}

static void drop_texts(struct compiled *c) {
    merge_done(&c->html);
    merge_done(&c->plain);
}

static struct compiling *compiling_free(struct compiling *g) {
    merge_done(&g->subject);
    merge_done(&g->subject_html);
    merge_done(&g->subject_plain);
    for (size_t i = 0; i < g->word_merge_count; i++)
        merge_done(&g->word_merges[i]);
    markdown_done(&g->body);
    free(g);
    return NULL;
}

int compile(struct bundle *bundle, const char *language, const struct compile_options *options, struct why *why,
            struct compiled **ret) {
    struct arena arena AUTOARENA = {0};
    struct compiled *c = compiled_new();
    struct compiling *g = calloc(1, sizeof *g);
    *why = (struct why){0};
    int r = c && g ? 0 : why_set(why, -ENOMEM, "out of memory");
    if (r == 0) {
        c->bundle = bundle;
        g->c = c;
        g->arena = &arena;
        g->options = options;
        g->why = why;
        g->language = language;
        merge_init(&g->subject);
        merge_init(&g->subject_html);
        merge_init(&g->subject_plain);
        r = compile_steps(g);
        c->bundle = NULL;
    }
    if (g)
        g = compiling_free(g);
    if (r < 0 && !why->what[0])
        (void)why_set(why, r, "cannot compile the announcement: %s", strerror(-r));
    if (r < 0 || options->faults_only)
        c = compiled_free(c);
    else if (options->mail_only)
        drop_texts(c);
    if (r == 0)
        *ret = c;
    return r;
}

struct compiled *compiled_free(struct compiled *c) {
    if (!c)
        return NULL;
    (void)message_free(c->message);
    drop_texts(c);
    draft_done(&c->draft);
    draft_done(&c->first);
    merge_fields_done(&c->fields);
    (void)words_free(c->words);
    (void)conf_unref(c->settings);
    buf_done(&c->scratch);
    buf_done(&c->name);
    buf_done(&c->date);
    reader_times_done(&c->reader_times);
    arena_done(&c->arena);
    free(c);
    return NULL;
}

struct view compiled_calendar(const struct compiled *c) {
    return c->calendar;
}

bool compiled_has_page(const struct compiled *c) {
    return c->has_page;
}

size_t compiled_size(const struct compiled *c) {
    return message_size(c->message);
}

size_t compiled_enclosed_size(const struct compiled *c) {
    return message_enclosed_size(c->message);
}

const char *compiled_subject(const struct compiled *c) {
    return draft_text(compiled_draft(c), DRAFT_SUBJECT);
}

const char *compiled_sender_address(const struct compiled *c) {
    return c->list->sender->address;
}

uint32_t compiled_list(const struct compiled *c) {
    return c->list->id;
}
