#include "door/pages.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/log.h"

#include "mail/template.h"
#include "mail/template_file.h"
#include "mail/words.h"

#include "door/accept.h"
#include "door/lists.h"
#include "door/release.h"

#include "base/banned.h"

struct language {
    struct words *words;
    struct buf template;
    struct arena arena; /* of the map */
    struct value map;   /* words.page: every word of the section */
};

struct pages {
    char **codes; /* of the languages, in the same order */
    size_t count;
    struct language *languages;
    struct buf style;
};

/* What each kind says. A text with `plain` names the list, and has that other text where the list is not known; and
 * `several`, where they are several. */
static const struct kind {
    const char *title, *text, *plain, *several, *more, *button;
    bool second; /* the button is not what most readers want */
} kinds[PAGE_KINDS] = {
    [PAGE_ASK] = {"page.ask-title", "page.ask", "page.ask-plain", "page.ask-several", NULL, "page.button", false},
    [PAGE_DONE] = {"page.done-title", "page.done", "page.done-plain", "page.done-several", "page.undo",
                   "page.undo-button", true},
    [PAGE_UNDONE] = {"page.undone-title", "page.undone", "page.undone-plain", "page.undone-several", NULL, NULL, false},
    [PAGE_LATE] = {"page.late-title", "page.late", NULL, NULL, NULL, NULL, false},
    [PAGE_TEST] = {"page.test-title", "page.test", NULL, NULL, NULL, NULL, false},
    [PAGE_INVALID] = {"page.invalid-title", "page.invalid", NULL, NULL, NULL, NULL, false},
    [PAGE_UNAVAILABLE] = {"page.unavailable-title", "page.unavailable", NULL, NULL, NULL, "page.retry-button", false},
    [PAGE_NOT_FOUND] = {"page.not-found-title", "page.not-found", NULL, NULL, NULL, NULL, false},
    [PAGE_RELEASE] = {"page.release-title", "page.release", NULL, NULL, NULL, "page.release-button", false},
    [PAGE_RELEASED] = {"page.released-title", "page.released", NULL, NULL, NULL, NULL, false},
    [PAGE_RELEASE_GONE] = {"page.release-gone-title", "page.release-gone", NULL, NULL, NULL, NULL, false},
    [PAGE_RELEASE_AWAY] = {"page.unavailable-title", "page.release-away", NULL, NULL, NULL, NULL, false},
};

/* ---- rendering ---- */

/* A text that lives in the arena; failures show in arena_failed(). */
static struct value copied(struct arena *arena, struct buf *text) {
    const char *copy = arena_dup(arena, buf_view(text));
    return value_text(copy ? copy : "");
}

static void set(struct arena *arena, struct value *map, const char *key, struct value v) {
    (void)value_set(arena, map, key, v); /* fails as the arena does */
}

static struct value say(const struct words *words, const struct kind *kind, const struct page *page,
                        struct arena *arena) {
    AUTOBUF struct buf text = BUF_INIT(64 * 1024);
    const char *title = public_list_title(page->list, words_language(words));
    bool several = kind->several && page->lists;
    const char *key = several ? kind->several : kind->plain && title[0] == '\0' ? kind->plain : kind->text;
    words_format(words, key, several ? page->lists : title, NULL, NULL, &text);
    return copied(arena, &text);
}

static struct value form_of(const struct page *page, const char *button, struct arena *arena) {
    struct value form = value_map(), fields = value_list();
    AUTOBUF struct buf action = BUF_INIT(8192);
    buf_printf(&action, "%s%s", page->root, page->action);
    for (size_t i = 0; i < COUNT_OF(page->fields) && page->fields[i].name; i++) {
        struct value field = value_map();
        set(arena, &field, "name", value_text(page->fields[i].name));
        set(arena, &field, "value", value_text(page->fields[i].value));
        (void)value_append(arena, &fields, field); /* fails as the arena does */
    }
    set(arena, &form, "action", copied(arena, &action));
    set(arena, &form, "button", value_text(button));
    set(arena, &form, "fields", fields);
    return form;
}

static struct value footer_of(const struct public_list *list, struct arena *arena) {
    struct value footer = value_map();
    if (!list || !(list->organisation[0] || list->imprint_url[0] || list->privacy_url[0]))
        return (struct value){.kind = VALUE_NULL};
    set(arena, &footer, "organisation", value_text(list->organisation));
    set(arena, &footer, "imprint_url", value_text(list->imprint_url));
    set(arena, &footer, "privacy_url", value_text(list->privacy_url));
    return footer;
}

/* A line each, as a list. */
static struct value facts_of(const struct page *page, const struct words *words, struct arena *arena) {
    struct value facts = value_list();
    AUTOBUF struct buf text = BUF_INIT(64 * 1024);
    release_say(page->release, words, &text);
    struct view rest = buf_view(&text), line;
    while (view_split(&rest, '\n', &line)) {
        const char *fact = line.len ? arena_dup(arena, line) : NULL;
        if (fact)
            (void)value_append(arena, &facts, value_text(fact)); /* fails as the arena does */
    }
    return facts;
}

static struct value tree_of(const struct language *language, const struct page *page, struct arena *arena) {
    const struct kind *kind = &kinds[page->kind];
    const struct words *words = language->words;
    const struct value none = {.kind = VALUE_NULL};
    struct value root = value_map(), paragraphs = value_list(), all = value_map();
    const char *title = words_get(words, kind->title);
    (void)value_append(arena, &paragraphs, say(words, kind, page, arena));
    if (kind->more)
        (void)value_append(arena, &paragraphs, value_text(words_get(words, kind->more)));
    struct value form = kind->button ? form_of(page, words_get(words, kind->button), arena) : none;
    set(arena, &all, "page", language->map);
    set(arena, &root, "language", value_text(words_language(words)));
    set(arena, &root, "dir", value_text(words_dir(words)));
    set(arena, &root, "root", value_text(page->root));
    set(arena, &root, "title", value_text(title));
    set(arena, &root, "heading", value_text(title));
    set(arena, &root, "paragraphs", paragraphs);
    set(arena, &root, "facts", page->release ? facts_of(page, words, arena) : none);
    set(arena, &root, "form", kind->second ? none : form);
    set(arena, &root, "second_form", kind->second ? form : none);
    set(arena, &root, "footer", footer_of(page->list, arena));
    set(arena, &root, "words", all);
    return root;
}

static int render(const struct language *language, const struct page *page, bool strict, struct template_fault *fault,
                  struct buf *to) {
    AUTOARENA struct arena arena;
    arena_init(&arena);
    struct value root = tree_of(language, page, &arena);
    if (arena_failed(&arena))
        return -ENOMEM;
    struct merge merge;
    merge_init(&merge);
    int r = template_render(buf_view(&language->template), &root, TEMPLATE_HTML, strict, &merge, fault);
    if (r == 0)
        r = merge_seal(&merge);
    if (r == 0)
        merge_fill(&merge, NULL, to); /* there are no recipient's fields in it */
    merge_done(&merge);
    return r < 0 ? r : buf_error(to);
}

int pages_render(const struct pages *p, const struct page *page, struct buf *to) {
    struct template_fault fault;
    int i = accept_named(view_of(page->language), (const char *const *)p->codes, p->count);
    return i < 0 ? -ENOENT : render(&p->languages[i], page, false, &fault, to);
}

/* ---- loading ---- */

static void on_word(void *user, const char *key, const char *value) {
    struct language *language = user;
    /* The language's own come first and stay. */
    for (size_t i = 0; i < language->map.count; i++)
        if (strcmp(language->map.keys[i], key) == 0)
            return;
    set(&language->arena, &language->map, key, value_text(value));
}

static int try_every_page(const struct language *language, struct why *why) {
    static const struct public_list_title no_title = {"", ""};
    const struct public_list list = {.name = "trial",
                                     .title = "Trial",
                                     .organisation = "Trial",
                                     .imprint_url = "https://trial.invalid/",
                                     .privacy_url = "https://trial.invalid/",
                                     .language = "en",
                                     .titles = (struct public_list_title *)(uintptr_t)&no_title,
                                     .title_count = 1};
    AUTOBUF struct buf to = BUF_INIT(PAGE_MAX_BYTES);
    for (enum page_kind kind = 0; kind < PAGE_KINDS; kind++)
        for (int named = 0; named <= 2; named++) {
            static const struct release release = {.held = true, .subject = "Trial", .total = 1};
            const struct page page = {.kind = kind,
                                      .release = kind == PAGE_RELEASE ? &release : NULL,
                                      .list = named ? &list : NULL,
                                      .lists = named == 2 ? "Trial, Trial" : NULL,
                                      .root = "./",
                                      .action = "u/trial",
                                      .fields = {{"action", "leave"}}};
            struct template_fault fault = {0};
            buf_clear(&to);
            int r = render(language, &page, true, &fault, &to);
            if (r == 0)
                continue;
            (void)why_set(why, r,
                          fault.name[0] ? "page.html cannot be shown because of %s" : "page.html cannot be shown",
                          fault.name);
            why_where(why, "%s/page.html:%u", words_language(language->words), fault.line);
            if (fault.nearest)
                why_todo(why, "Did you mean %s?", fault.nearest);
            return r;
        }
    return 0;
}

static int load_language(const char *local_dir, const char *shipped_dir, const char *code, struct language *language,
                         struct why *why) {
    arena_init(&language->arena);
    buf_init(&language->template, TEMPLATE_FILE_MAX_BYTES);
    language->map = value_map();
    int r = words_load(local_dir, shipped_dir, code, why, &language->words);
    if (r < 0)
        return r;
    r = template_file_read(local_dir, shipped_dir, code, "page.html", &language->template);
    if (r < 0) {
        (void)why_set(why, r, "page.html cannot be read: %s", strerror(-r));
        why_where(why, "%s/%s", shipped_dir, code);
        return r;
    }
    words_each(language->words, "page", on_word, language);
    if (arena_failed(&language->arena))
        return why_set(why, -ENOMEM, "memory runs out");
    return try_every_page(language, why);
}

static void free_language(struct language *language) {
    (void)words_free(language->words);
    buf_done(&language->template);
    arena_done(&language->arena);
}

/* One that is broken is left out: readers get another rather than none. */
static int load_languages(struct pages *p, const char *local_dir, const char *shipped_dir, struct why *why) {
    size_t good = 0;
    int r = 0;
    for (size_t i = 0; i < p->count; i++) {
        char *code = p->codes[i];
        struct language language = {0};
        r = load_language(local_dir, shipped_dir, code, &language, why);
        if (r == 0) {
            p->codes[i] = p->codes[good];
            p->codes[good] = code;
            p->languages[good++] = language;
            continue;
        }
        free_language(&language);
        log_why(LOG_ERR, "language-left-out", why);
    }
    for (size_t i = good; i < p->count; i++)
        free(p->codes[i]);
    p->count = good;
    return good ? 0 : r;
}

int pages_load(const char *local_dir, const char *shipped_dir, struct why *why, struct pages **ret) {
    struct pages *p = calloc(1, sizeof *p);
    if (!p)
        return why_set(why, -ENOMEM, "memory runs out");
    buf_init(&p->style, TEMPLATE_FILE_MAX_BYTES);
    int r = words_languages(local_dir, shipped_dir, &p->codes, &p->count);
    if (r == 0 && p->count == 0)
        r = -ENOENT;
    if (r == 0)
        r = template_file_read(local_dir, shipped_dir, "common", "page.css", &p->style);
    if (r < 0) {
        (void)why_set(why, r, "the pages' texts and style cannot be read: %s", strerror(-r));
        why_where(why, "%s", shipped_dir);
        why_todo(why, "Look at templates in the section [daemon]");
    }
    p->languages = r == 0 ? calloc(p->count, sizeof *p->languages) : NULL;
    if (r == 0 && !p->languages)
        r = why_set(why, -ENOMEM, "memory runs out");
    if (r == 0)
        r = load_languages(p, local_dir, shipped_dir, why);
    if (r < 0) {
        (void)pages_free(p);
        return r;
    }
    *ret = p;
    return 0;
}

struct pages *pages_free(struct pages *p) {
    if (!p)
        return NULL;
    for (size_t i = 0; p->languages && i < p->count; i++)
        free_language(&p->languages[i]);
    free(p->languages);
    files_free_names(p->codes, p->count);
    buf_done(&p->style);
    free(p);
    return NULL;
}

/* ---- choosing ---- */

const char *pages_language(const struct pages *p, struct view named, const char *accept, const char *list_language) {
    const char *const *codes = (const char *const *)p->codes;
    int i = accept_named(named, codes, p->count);
    if (i < 0)
        i = accept_best(accept, codes, p->count);
    if (i < 0)
        i = accept_named(view_of(list_language), codes, p->count);
    if (i < 0)
        i = accept_named(VIEW("en"), codes, p->count);
    return p->codes[i < 0 ? 0 : i];
}

struct view pages_style(const struct pages *p) {
    return buf_view(&p->style);
}
