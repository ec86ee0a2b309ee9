#include "door/pages.h"

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/log.h"

#include "mail/colour.h"
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
 * `several`, where they are several. Beside the list's title a text may name the sender's organisation. */
static const struct kind {
    const char *title, *text, *plain, *more, *button;
    bool second;                         /* the button is not what most readers want */
    bool offers_link;                    /* a way on for whoever has no link */
    bool offers_return;                  /* and to the form of an open list */
    const char *also_more, *also_button; /* a second form */
    const char *several;
} kinds[PAGE_KINDS] = {
    [PAGE_ASK] = {.title = "page.ask-title",
                  .text = "page.ask",
                  .plain = "page.ask-plain",
                  .button = "page.button",
                  .several = "page.ask-several",
                  .offers_return = true},
    [PAGE_DONE] = {.title = "page.done-title",
                   .text = "page.done",
                   .plain = "page.done-plain",
                   .more = "page.undo",
                   .button = "page.undo-button",
                   .second = true,
                   .also_more = "page.leave-all",
                   .also_button = "page.leave-all-button",
                   .several = "page.done-several",
                   .offers_return = true},
    [PAGE_DONE_ALL] = {.title = "page.done-title",
                       .text = "page.done-all",
                       .more = "page.undo",
                       .button = "page.undo-button",
                       .second = true,
                       .offers_return = true},
    [PAGE_UNDONE] = {.title = "page.undone-title",
                     .text = "page.undone",
                     .plain = "page.undone-plain",
                     .several = "page.undone-several"},
    [PAGE_UNDONE_ALL] = {.title = "page.undone-title", .text = "page.undone-all"},
    [PAGE_LATE] = {.title = "page.late-title", .text = "page.late", .offers_return = true},
    [PAGE_TEST] = {.title = "page.test-title", .text = "page.test", .offers_return = true},
    [PAGE_INVALID] = {.title = "page.invalid-title", .text = "page.invalid", .offers_link = true},
    [PAGE_UNAVAILABLE] = {.title = "page.unavailable-title", .text = "page.unavailable", .button = "page.retry-button"},
    [PAGE_NOT_FOUND] = {.title = "page.not-found-title", .text = "page.not-found", .offers_link = true},
    [PAGE_LIMIT] = {.title = "page.limit-title", .text = "page.limit"},
    [PAGE_SIGN_UP] = {.title = "page.sign-up-title", .text = "page.sign-up"},
    [PAGE_SIGNED_UP] = {.title = "page.signed-up-title", .text = "page.signed-up"},
    [PAGE_CONFIRM] = {.title = "page.confirm-title",
                      .text = "page.confirm",
                      .plain = "page.confirm-plain",
                      .button = "page.confirm-button"},
    [PAGE_CONFIRMED] = {.title = "page.confirmed-title", .text = "page.confirmed"},
    [PAGE_EXPIRED] = {.title = "page.expired-title", .text = "page.expired", .offers_link = true},
    [PAGE_LINK] = {.title = "page.link-title", .text = "page.link"},
    [PAGE_LINKED] = {.title = "page.linked-title", .text = "page.linked"},
    [PAGE_PREFERENCES] = {.title = "page.preferences-title", .text = "page.preferences"},
    [PAGE_AWAY] = {.title = "page.preferences-title", .text = "page.away", .button = "page.button"},
    [PAGE_GONE] = {.title = "page.gone-title", .text = "page.gone", .button = "page.button"},
    [PAGE_PARTLY] = {.title = "page.partly-title", .text = "page.partly"},
    [PAGE_SAVED] = {.title = "page.saved-title", .text = "page.saved"},
    [PAGE_RELEASE] = {.title = "page.release-title", .text = "page.release", .button = "page.release-button"},
    [PAGE_RELEASED] = {.title = "page.released-title", .text = "page.released"},
    [PAGE_RELEASE_GONE] = {.title = "page.release-gone-title", .text = "page.release-gone"},
    [PAGE_RELEASE_AWAY] = {.title = "page.unavailable-title", .text = "page.release-away"},
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

static const char *organisation_of(const struct page *page) {
    return page->list ? page->list->organisation : "";
}

static struct value say(const struct words *words, const char *key, const struct page *page, struct arena *arena) {
    AUTOBUF struct buf text = BUF_INIT(64 * 1024);
    words_format(words, key, public_list_title(page->list, words_language(words)), organisation_of(page), NULL, &text);
    return copied(arena, &text);
}

static struct value say_text(const struct words *words, const struct kind *kind, const struct page *page,
                             struct arena *arena) {
    if (kind->several && page->lists) {
        AUTOBUF struct buf text = BUF_INIT(64 * 1024);
        words_format(words, kind->several, page->lists, NULL, NULL, &text);
        return copied(arena, &text);
    }
    bool plain = kind->plain && !public_list_title(page->list, words_language(words))[0];
    return say(words, plain ? kind->plain : kind->text, page, arena);
}

static struct value below_root(const struct page *page, const char *path, struct arena *arena) {
    AUTOBUF struct buf text = BUF_INIT(8192);
    buf_printf(&text, "%s%s", page->root, path);
    return copied(arena, &text);
}

static struct value truth(bool is) {
    return (struct value){.kind = VALUE_BOOL, .truth = is};
}

static void add_form(const struct page *page, const struct words *words, const char *more, const char *button,
                     const char *action, bool plain, bool second, struct arena *arena, struct value *forms) {
    struct value form = value_map(), fields = value_list();
    for (size_t i = 0; i < COUNT_OF(page->fields) && page->fields[i].name && !plain; i++) {
        struct value field = value_map();
        set(arena, &field, "name", value_text(page->fields[i].name));
        set(arena, &field, "value", value_text(page->fields[i].value));
        (void)value_append(arena, &fields, field); /* fails as the arena does */
    }
    if (plain) {
        struct value field = value_map();
        set(arena, &field, "name", value_text("action"));
        set(arena, &field, "value", value_text("leave-all"));
        (void)value_append(arena, &fields, field); /* the same */
    }
    set(arena, &form, "text", value_text(more ? words_get(words, more) : ""));
    set(arena, &form, "action", below_root(page, action, arena));
    set(arena, &form, "button", value_text(words_get(words, button)));
    set(arena, &form, "fields", fields);
    set(arena, &form, "second", truth(second));
    (void)value_append(arena, forms, form); /* the same */
}

static struct value languages_of(const struct pages *p, const struct page *page, struct arena *arena) {
    struct value list = value_list();
    const char *chosen = page->input.language && page->input.language[0] ? page->input.language : page->language;
    for (size_t i = 0; p && i < p->count; i++) {
        struct value one = value_map();
        set(arena, &one, "code", value_text(p->codes[i]));
        set(arena, &one, "name", value_text(words_get(p->languages[i].words, "language.name")));
        set(arena, &one, "selected", truth(chosen && strcmp(chosen, p->codes[i]) == 0));
        (void)value_append(arena, &list, one); /* fails as the arena does */
    }
    return list;
}

static const char *or_empty(const char *s) {
    return s ? s : "";
}

/* The form of a sign-up, of somebody without a link, of the preferences: what they have in common, and what not. */
static struct value input_of(const struct pages *p, const struct page *page, const struct words *words,
                             struct arena *arena) {
    struct value form = value_map(), lists = value_list();
    const struct page_input *in = &page->input;
    AUTOBUF struct buf was = BUF_INIT(4096), shown = BUF_INIT(4096);
    for (size_t i = 0; i < page->choice_count; i++) {
        struct value one = value_map();
        set(arena, &one, "name", value_text(arena_printf(arena, "list-%u", page->choices[i].id)));
        set(arena, &one, "title", value_text(page->choices[i].title));
        set(arena, &one, "on", truth(page->choices[i].on));
        (void)value_append(arena, &lists, one); /* fails as the arena does */
        buf_printf(&shown, "%s%u", i ? "," : "", page->choices[i].id);
        if (page->choices[i].on)
            buf_printf(&was, "%s%u", was.len ? "," : "", page->choices[i].id);
    }
    set(arena, &form, "action", below_root(page, page->action, arena));
    set(arena, &form, "address", value_text(or_empty(in->address)));
    set(arena, &form, "given_name", value_text(or_empty(in->given_name)));
    set(arena, &form, "family_name", value_text(or_empty(in->family_name)));
    set(arena, &form, "bad_address", truth(in->bad_address));
    set(arena, &form, "not_agreed", truth(in->not_agreed));
    set(arena, &form, "languages", languages_of(p, page, arena));
    set(arena, &form, "consent", say(words, "page.consent", page, arena));
    set(arena, &form, "lists", lists);
    set(arena, &form, "was", copied(arena, &was));
    set(arena, &form, "shown", copied(arena, &shown));
    set(arena, &form, "may_join", truth(page->may_join));
    return form;
}

#define PICTURE "data:image/"

/* Of the organisation: a logo where it is a plain web address, or the picture itself: the page's policy lets it through. */
static struct value logo_of(const struct public_list *list, struct arena *arena) {
    struct value logo = value_map();
    if (!list || !pages_shows_logo(list))
        return (struct value){.kind = VALUE_NULL};
    struct view rest = view_of(list->logo), type;
    bool is_picture = view_starts(rest, PICTURE) && view_split(&rest, ';', &type);
    const char *kind = is_picture ? arena_dup(arena, view_slice(type, strlen(PICTURE), type.len)) : "";
    const char *digits = is_picture ? strchr(list->logo, ',') : NULL;
    set(arena, &logo, "url", value_text(is_picture ? "" : list->logo));
    set(arena, &logo, "type", value_text(kind ? kind : ""));
    set(arena, &logo, "digits", value_text(digits ? digits + 1 : ""));
    set(arena, &logo, "text", value_text(list->organisation));
    return logo;
}

bool pages_shows_logo(const struct public_list *list) {
    static const char *const forms[] = {"https://", "data:image/png;base64,", "data:image/jpeg;base64,",
                                        "data:image/gif;base64,"};
    static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/._~%-+=";
    struct view v = view_of(list->logo);
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        if (view_starts(v, forms[i]))
            return strspn(list->logo + strlen(forms[i]), rest) == v.len - strlen(forms[i]);
    return false;
}

/* link: whether it leads on to whoever has no link. */
static struct value footer_of(const struct page *page, const struct words *words, bool link, struct arena *arena) {
    static const struct public_list nobody = {.organisation = "", .imprint_url = "", .privacy_url = ""};
    const struct public_list *list = page->list ? page->list : &nobody;
    struct value footer = value_map();
    if (!link && !(list->organisation[0] || list->imprint_url[0] || list->privacy_url[0]))
        return (struct value){.kind = VALUE_NULL};
    set(arena, &footer, "organisation", value_text(list->organisation));
    set(arena, &footer, "imprint_url", value_text(list->imprint_url));
    set(arena, &footer, "privacy_url", value_text(list->privacy_url));
    set(arena, &footer, "link_url", link ? below_root(page, "l", arena) : value_text(""));
    bool opens = list->open && kinds[page->kind].offers_return;
    const char *form = opens ? arena_printf(arena, "s/%s", list->name) : NULL;
    set(arena, &footer, "sign_up_url", form ? below_root(page, form, arena) : value_text(""));
    set(arena, &footer, "sign_up", opens ? say(words, "page.sign-up-title", page, arena) : value_text(""));
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

static struct value style_of(const struct page *page, struct arena *arena) {
    const char *colour = page->list ? page->list->colour : "";
    return colour_is_valid(colour) ? value_text(arena_printf(arena, "%scolour-%s.css", page->root, colour + 1))
                                   : (struct value){.kind = VALUE_NULL};
}

static struct value tree_of(const struct pages *p, const struct language *language, const struct page *page,
                            struct arena *arena) {
    const struct kind *kind = &kinds[page->kind];
    const struct words *words = language->words;
    const struct value none = {.kind = VALUE_NULL};
    struct value root = value_map(), paragraphs = value_list(), all = value_map(), forms = value_list();
    struct value title = say(words, kind->title, page, arena);
    (void)value_append(arena, &paragraphs, say_text(words, kind, page, arena)); /* fails as the arena does */
    if (page->kind == PAGE_ASK && organisation_of(page)[0]) {
        AUTOBUF struct buf from = BUF_INIT(4096);
        words_format(words, "page.sent-by", organisation_of(page), NULL, NULL, &from);
        (void)value_append(arena, &paragraphs, copied(arena, &from)); /* fails as the arena does */
    }
    if (kind->button && page->fields[0].name) /* a form that is not held cannot be sent again */
        add_form(page, words, kind->more, kind->button, page->action, false, kind->second, arena, &forms);
    if (kind->also_button && page->also)
        add_form(page, words, kind->also_more, kind->also_button, page->also, true, true, arena, &forms);
    struct value input = input_of(p, page, words, arena);
    set(arena, &all, "page", language->map);
    set(arena, &root, "language", value_text(words_language(words)));
    set(arena, &root, "dir", value_text(words_dir(words)));
    set(arena, &root, "root", value_text(page->root));
    set(arena, &root, "colour_style", style_of(page, arena));
    set(arena, &root, "title", title);
    set(arena, &root, "heading", title);
    set(arena, &root, "faulty", truth(page->input.bad_address || page->input.not_agreed));
    set(arena, &root, "paragraphs", paragraphs);
    set(arena, &root, "facts", page->release ? facts_of(page, words, arena) : none);
    set(arena, &root, "forms", forms);
    set(arena, &root, "sign_up", page->kind == PAGE_SIGN_UP ? input : none);
    set(arena, &root, "ask_link", page->kind == PAGE_LINK ? input : none);
    set(arena, &root, "preferences", page->kind == PAGE_PREFERENCES ? input : none);
    set(arena, &root, "logo", logo_of(page->list, arena));
    set(arena, &root, "footer", footer_of(page, words, kind->offers_link || page->list, arena));
    set(arena, &root, "words", all);
    return root;
}

static int render(const struct pages *p, const struct language *language, const struct page *page, bool strict,
                  struct template_fault *fault, struct buf *to) {
    AUTOARENA struct arena arena;
    arena_init(&arena);
    struct value root = tree_of(p, language, page, &arena);
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
    return i < 0 ? -ENOENT : render(p, &p->languages[i], page, false, &fault, to);
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

static int try_every_page(const struct pages *p, const struct language *language, struct why *why) {
    static const struct public_list_title no_title = {"", ""};
    const struct public_list list = {.name = "trial",
                                     .title = "Trial",
                                     .organisation = "Trial",
                                     .imprint_url = "https://trial.invalid/",
                                     .privacy_url = "https://trial.invalid/",
                                     .language = "en",
                                     .titles = (struct public_list_title *)(uintptr_t)&no_title,
                                     .logo = "https://trial.invalid/logo.png",
                                     .colour = "#123456",
                                     .sender = "trial",
                                     .open = true,
                                     .title_count = 1};
    static const struct page_choice choice = {.id = 1, .title = "Trial", .on = true};
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
                                      .also = "u/trial",
                                      .choices = &choice,
                                      .choice_count = 1,
                                      .may_join = true,
                                      .input = {.bad_address = true, .not_agreed = true},
                                      .fields = {{"action", "leave"}}};
            struct template_fault fault = {0};
            buf_clear(&to);
            int r = render(p, language, &page, true, &fault, &to);
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

static int load_language(const struct pages *p, const char *local_dir, const char *shipped_dir, const char *code,
                         struct language *language, struct why *why) {
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
    return try_every_page(p, language, why);
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
        r = load_language(NULL, local_dir, shipped_dir, code, &language, why);
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

bool pages_has(const struct pages *p, struct view language) {
    return accept_named(language, (const char *const *)p->codes, p->count) >= 0;
}

void pages_word(const struct pages *p, const char *language, const char *key, const char *a1, const char *a2,
                struct buf *to) {
    int i = accept_named(view_of(language), (const char *const *)p->codes, p->count);
    if (i >= 0)
        words_format(p->languages[i].words, key, a1, a2, NULL, to);
}
