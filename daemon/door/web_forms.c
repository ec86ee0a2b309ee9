#include "door/web_inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/number.h"

#include "mail/address.h"
#include "net/json.h"

#include "base/banned.h"

enum { SOURCE_SIZE = 64, FIELD_MAX = 1024 };

/* ---- what forms have in common ---- */

static void put(struct request *q, enum request_key key, struct view v) {
    if (request_is_value(key, v))
        q->value[key] = v;
}

/* A field as a string, trimmed; one that is longer is no good as any. */
static const char *text_of(struct http_request *r, const char *name, struct buf *to) {
    struct view v = view_trim(http_form(r, name));
    buf_clear(to);
    if (v.len < FIELD_MAX && !memchr(v.len ? v.ptr : "", '\0', v.len))
        buf_add_view(to, v);
    return buf_str(to);
}

static bool is_address(const char *text) {
    struct address address;
    return address_parse(view_of(text), &address) == ADDRESS_OK;
}

/* False where too many came from there: then it is answered. */
static bool within(struct web *w, struct http_request *r, struct quota *quota) {
    char source[SOURCE_SIZE];
    AUTOBUF struct buf after = BUF_INIT(16);
    http_remote(r, source, sizeof source);
    if (quota_take(quota, source))
        return true;
    struct page page = {.kind = PAGE_LIMIT};
    buf_printf(&after, "%d", WEB_QUOTA_SEC);
    http_add_header(r, "Retry-After", buf_str(&after));
    web_answer(w, r, 429, &page);
    return false;
}

static void answer_kind(struct web *w, struct http_request *r, unsigned status, enum page_kind kind,
                        const struct public_list *list) {
    struct page page = {.kind = kind, .list = list};
    web_answer(w, r, status, &page);
}

static void carry(struct http_request *r, const char *name, struct arena *arena, struct page *page, size_t *count) {
    struct view v = http_form(r, name);
    const char *value = v.len && *count < COUNT_OF(page->fields) ? arena_dup(arena, v) : NULL;
    if (value)
        page->fields[(*count)++] = (struct page_field){name, value};
}

static void carry_list(struct http_request *r, uint32_t id, struct arena *arena, struct page *page, size_t *count) {
    const char *name = arena_printf(arena, "list-%u", id);
    if (name)
        carry(r, name, arena, page, count);
}

/* Of lists, as the hidden fields of the preferences hold it: was (those that were ticked), shown (all). */
static struct view field_lists(struct http_request *r, const char *name) {
    struct view v = http_form(r, name);
    return request_is_value(REQUEST_KEY_LEAVE, v) ? v : VIEW("");
}

static struct view shown_lists(struct http_request *r) {
    struct view shown = field_lists(r, "shown");
    return shown.len ? shown : field_lists(r, "was");
}

/* What could not be written: the page holds the whole form, for the button that tries it again. */
static void answer_not_stored(struct web *w, struct http_request *r, const struct public_list *own) {
    static const char *const names[] = {"action", "address", "given-name", "family-name", "agree",
                                        "was",    "shown",   "language",   "new-address"};
    AUTOARENA struct arena arena = {0};
    struct path path;
    path_read(http_path(r), &path);
    AUTOBUF struct buf action = BUF_INIT(1024);
    buf_puts(&action, path.place == PATH_SIGN_UP       ? "s/"
                      : path.place == PATH_CONFIRM     ? "c/"
                      : path.place == PATH_PREFERENCES ? "p/"
                                                       : "l");
    buf_add_view(&action, path.token);
    if (path.language.len)
        buf_printf(&action, "/%.*s", (int)path.language.len, path.language.ptr);
    struct page page = {.list = own, .action = buf_str(&action)};
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        carry(r, names[i], &arena, &page, &count);
    const struct public_list *list;
    for (size_t i = 0; path.place == PATH_PREFERENCES && (list = public_lists_at(web_lists(w), i)); i++)
        carry_list(r, list->id, &arena, &page, &count);
    struct view shown = shown_lists(r);
    uint32_t id;
    while (path.place == PATH_PREFERENCES && request_next_list(&shown, &id))
        if (!web_find_list(w, id))
            carry_list(r, id, &arena, &page, &count);
    if (arena_failed(&arena))
        page.fields[0].name = NULL; /* half a form is none */
    web_answer_unavailable(w, r, &page);
}

/* ---- signing up ---- */

static const struct public_list *open_list(struct web *w, struct http_request *r, const struct path *path) {
    const struct public_list *list = public_lists_named(web_lists(w), path->token);
    if (list && list->open)
        return list;
    answer_kind(w, r, 404, PAGE_NOT_FOUND, NULL);
    return NULL;
}

static void show_sign_up(struct web *w, struct http_request *r, unsigned status, const struct public_list *list,
                         const struct page_input *input) {
    AUTOBUF struct buf action = BUF_INIT(256);
    buf_printf(&action, "s/%s", list->name);
    struct page page = {.kind = PAGE_SIGN_UP, .list = list, .action = buf_str(&action), .input = *input};
    web_answer(w, r, status, &page);
}

static void answer_signed_up(struct post *post, int result) {
    const struct public_list *list = web_find_list(post->web, post->list);
    if (result < 0)
        answer_not_stored(post->web, post->http, list);
    else
        answer_kind(post->web, post->http, 200, PAGE_SIGNED_UP, list);
}

static void post_sign_up(struct web *w, struct http_request *r, const struct path *path) {
    AUTOBUF struct buf address = BUF_INIT(FIELD_MAX + 1), given = BUF_INIT(FIELD_MAX + 1),
                       family = BUF_INIT(FIELD_MAX + 1), language = BUF_INIT(FIELD_MAX + 1),
                       wording = BUF_INIT(64 * 1024), version = BUF_INIT(1024), id = BUF_INIT(16);
    char source[SOURCE_SIZE];
    const struct public_list *list = open_list(w, r, path);
    if (!list || !within(w, r, &w->forms))
        return;
    struct page_input input = {.address = text_of(r, "address", &address),
                               .given_name = text_of(r, "given-name", &given),
                               .family_name = text_of(r, "family-name", &family),
                               .language = text_of(r, "language", &language)};
    const char *shown = web_language(w, r, path, list);
    if (!pages_has(w->pages, view_of(input.language)))
        input.language = shown;
    input.bad_address = !is_address(input.address);
    /* The box has the version of the text that stood beside it: of another one nobody has said anything. */
    pages_word(w->pages, shown, "page.consent-version", NULL, NULL, &version);
    input.not_agreed = !view_eq(http_form(r, "agree"), buf_view(&version));
    if (input.bad_address || input.not_agreed) {
        show_sign_up(w, r, 400, list, &input);
        return;
    }
    pages_word(w->pages, shown, "page.consent", public_list_title(list, shown), list->organisation, &wording);
    http_remote(r, source, sizeof source);
    buf_printf(&id, "%u", list->id);
    struct request q = {.verb = REQUEST_SIGN_UP};
    put(&q, REQUEST_KEY_LANGUAGE, view_of(input.language));
    put(&q, REQUEST_KEY_LIST, buf_view(&id));
    put(&q, REQUEST_KEY_ADDRESS, view_of(input.address));
    put(&q, REQUEST_KEY_GIVEN_NAME, view_of(input.given_name));
    put(&q, REQUEST_KEY_FAMILY_NAME, view_of(input.family_name));
    put(&q, REQUEST_KEY_CONSENT, buf_view(&version));
    put(&q, REQUEST_KEY_WORDING, view_slice(buf_view(&wording), 0, REQUEST_TEXT_MAX));
    put(&q, REQUEST_KEY_SOURCE, view_of(source));
    const struct post post = {.answer = answer_signed_up, .list = list->id};
    if (!web_write(w, r, &q, &post))
        answer_not_stored(w, r, list);
}

/* ---- no link at hand ---- */

static void show_link(struct web *w, struct http_request *r, unsigned status, const struct page_input *input) {
    struct page page = {.kind = PAGE_LINK, .action = "l", .input = *input};
    web_answer(w, r, status, &page);
}

static void answer_linked(struct post *post, int result) {
    if (result < 0)
        answer_not_stored(post->web, post->http, NULL);
    else
        answer_kind(post->web, post->http, 200, PAGE_LINKED, NULL);
}

static void post_link(struct web *w, struct http_request *r, const struct path *path) {
    AUTOBUF struct buf address = BUF_INIT(FIELD_MAX + 1);
    char source[SOURCE_SIZE];
    if (!within(w, r, &w->forms))
        return;
    struct page_input input = {.address = text_of(r, "address", &address)};
    input.bad_address = !is_address(input.address);
    if (input.bad_address) {
        show_link(w, r, 400, &input);
        return;
    }
    http_remote(r, source, sizeof source);
    struct request q = {.verb = REQUEST_LINK};
    put(&q, REQUEST_KEY_ADDRESS, view_of(input.address));
    put(&q, REQUEST_KEY_LANGUAGE, view_of(web_language(w, r, path, NULL)));
    put(&q, REQUEST_KEY_SOURCE, view_of(source));
    const struct post post = {.answer = answer_linked};
    if (!web_write(w, r, &q, &post))
        answer_not_stored(w, r, NULL);
}

/* ---- tokens ---- */

/* True where the token is of that purpose; else the request is answered. */
static bool admit(struct web *w, struct http_request *r, const struct path *path, enum token_purpose purpose,
                  struct token *ret) {
    int error = web_verify(w, path->token, ret);
    if (error == -ENOKEY) {
        struct page page = {.kind = PAGE_UNAVAILABLE};
        web_answer_unavailable(w, r, &page);
        return false;
    }
    if (error == 0 && ret->purpose == purpose)
        return true;
    if (error == 0 && ret->purpose == TOKEN_TEST)
        answer_kind(w, r, 200, PAGE_TEST, web_find_list(w, ret->list));
    else
        answer_kind(w, r, 404, PAGE_INVALID, NULL);
    return false;
}

/* ---- confirming ---- */

static bool admit_confirm(struct web *w, struct http_request *r, const struct path *path, struct token *ret) {
    if (!admit(w, r, path, TOKEN_CONFIRM, ret))
        return false;
    if (ret->expires_usec >= clock_now_usec())
        return true;
    answer_kind(w, r, 410, PAGE_EXPIRED, web_find_list(w, ret->list));
    return false;
}

static void show_confirm(struct web *w, struct http_request *r, const struct path *path) {
    AUTOBUF struct buf action = BUF_INIT(1024);
    struct token t;
    if (!admit_confirm(w, r, path, &t))
        return;
    buf_printf(&action, "c/%.*s", (int)path->token.len, path->token.ptr);
    if (path->language.len)
        buf_printf(&action, "/%.*s", (int)path->language.len, path->language.ptr);
    struct page page = {.kind = PAGE_CONFIRM,
                        .list = web_find_list(w, t.list),
                        .action = buf_str(&action),
                        .fields = {{"action", "confirm"}}};
    web_answer(w, r, 200, &page);
}

static void answer_confirmed(struct post *post, int result) {
    const struct public_list *list = web_find_list(post->web, post->list);
    if (result < 0)
        answer_not_stored(post->web, post->http, list);
    else
        answer_kind(post->web, post->http, 200, PAGE_CONFIRMED, list);
}

static void post_confirm(struct web *w, struct http_request *r, const struct path *path) {
    char source[SOURCE_SIZE];
    struct token t;
    if (!admit_confirm(w, r, path, &t))
        return;
    if (!view_eq_str(http_form(r, "action"), "confirm")) {
        show_confirm(w, r, path);
        return;
    }
    http_remote(r, source, sizeof source);
    struct request q = {.verb = REQUEST_CONFIRM};
    put(&q, REQUEST_KEY_TOKEN, path->token);
    put(&q, REQUEST_KEY_LANGUAGE, path->language);
    put(&q, REQUEST_KEY_SOURCE, view_of(source));
    const struct post post = {.answer = answer_confirmed, .list = t.list};
    if (!web_write(w, r, &q, &post))
        answer_not_stored(w, r, web_find_list(w, t.list));
}

/* ---- preferences ---- */

/* As the daemon says it (api/asked.h). */
static bool is_on(const json_t *lists, uint32_t id) {
    for (size_t i = 0; i < json_array_size(lists); i++) {
        const json_t *one = json_array_get(lists, i);
        if (json_number(one, "list", -1) == (int64_t)id)
            return strcmp(json_text(one, "state"), "active") == 0;
    }
    return false;
}

/* This sender's lists that are open, and those that the person is on. */
static size_t choices_of(struct web *w, const struct public_list *own, const json_t *lists, const char *language,
                         struct page_choice *ret, bool *ret_may_join) {
    const struct public_list *list;
    size_t count = 0;
    for (size_t i = 0; (list = public_lists_at(web_lists(w), i)) && count < WEB_CHOICES_MAX; i++) {
        bool on = is_on(lists, list->id);
        if (strcmp(list->sender, own->sender) != 0 || !(on || list->open))
            continue;
        *ret_may_join |= !on;
        ret[count++] = (struct page_choice){.id = list->id, .title = public_list_title(list, language), .on = on};
    }
    return count;
}

static void show_choices(struct web *w, struct http_request *r, unsigned status, const struct public_list *list,
                         const json_t *on, const char *language, const struct page_input *input) {
    struct page_choice choices[WEB_CHOICES_MAX];
    AUTOBUF struct buf action = BUF_INIT(1024);
    struct path path;
    path_read(http_path(r), &path);
    buf_printf(&action, "p/%.*s", (int)path.token.len, path.token.ptr);
    struct page page = {.kind = PAGE_PREFERENCES,
                        .list = list,
                        .language =
                            pages_language(w->pages, path.language, http_header(r, "Accept-Language"), language),
                        .action = buf_str(&action),
                        .choices = choices,
                        .input = *input};
    page.choice_count = choices_of(w, list, on, page.language, choices, &page.may_join);
    web_answer(w, r, status, &page);
}

/* The daemon cannot tell, or there is nothing to choose: leaving works all the same. */
static void show_away(struct web *w, struct http_request *r, const struct public_list *list) {
    bool gone = !list && public_lists_at(web_lists(w), 0);
    AUTOBUF struct buf action = BUF_INIT(1024);
    struct path path;
    path_read(http_path(r), &path);
    buf_printf(&action, "u/%.*s", (int)path.token.len, path.token.ptr);
    struct page page = {.kind = gone ? PAGE_GONE : PAGE_AWAY,
                        .list = list,
                        .action = buf_str(&action),
                        .fields = {{"action", "leave"}}};
    web_answer(w, r, 200, &page);
}

static void on_told(void *user, int result, struct view text) {
    struct post *post = user;
    struct web *w = post->web;
    struct http_request *r = post->http;
    const struct public_list *list = web_find_list(w, post->list);
    post->asking = NULL;
    http_set_user(r, NULL);
    free(post);
    json_t *told = result == 0 ? json_read(text) : NULL;
    if (told && list && strcmp(json_text(told, "purpose"), "recipient") == 0) {
        const char *language = json_text(told, "language");
        const struct page_input input = {.language = pages_has(w->pages, view_of(language)) ? language : NULL};
        show_choices(w, r, 200, list, json_object_get(told, "lists"), language, &input);
    } else {
        show_away(w, r, list);
    }
    json_decref(told);
}

static void show_preferences(struct web *w, struct http_request *r, const struct path *path) {
    struct token t;
    if (!admit(w, r, path, TOKEN_RECIPIENT, &t) || !within(w, r, &w->questions))
        return;
    struct post *post = calloc(1, sizeof *post);
    if (post)
        *post = (struct post){.web = w, .http = r, .list = t.list};
    if (!post || question_ask(w->loop, w->ask_path, path->token, on_told, post, &post->asking) < 0) {
        free(post);
        show_away(w, r, web_find_list(w, t.list));
        return;
    }
    http_set_user(r, post);
}

static void answer_saved(struct post *post, int result) {
    const struct public_list *list = web_find_list(post->web, post->list);
    if (result < 0)
        answer_not_stored(post->web, post->http, list);
    else
        answer_kind(post->web, post->http, 200, post->partly ? PAGE_PARTLY : PAGE_SAVED, list);
}

static bool has_list(struct view lists, uint32_t id) {
    uint32_t one;
    while (request_next_list(&lists, &one))
        if (one == id)
            return true;
    return false;
}

static bool is_ticked(struct http_request *r, uint32_t id) {
    char name[32];
    (void)snprintf(name, sizeof name, "list-%u", id); /* fits */
    return http_form(r, name).len > 0;
}

static void add_list(struct buf *to, uint32_t id) {
    buf_printf(to, "%s%u", to->len ? "," : "", id);
}

/* What was ticked and is not any more, though the list be gone, and the other way round. False where a list that was
 * ticked cannot be had. */
static bool compare(struct web *w, struct http_request *r, const struct public_list *own, struct buf *join,
                    struct buf *leave) {
    struct view was = field_lists(r, "was"), shown = shown_lists(r);
    const struct public_list *list;
    bool all = true;
    uint32_t id;
    for (size_t i = 0; (list = public_lists_at(web_lists(w), i)); i++) {
        if (strcmp(list->sender, own->sender) != 0)
            continue;
        bool before = has_list(was, list->id), now = is_ticked(r, list->id);
        if (before && !now)
            add_list(leave, list->id);
        else if (now && !before && list->open)
            add_list(join, list->id);
        else if (now && !before)
            all = false;
    }
    while (request_next_list(&shown, &id)) {
        bool before = has_list(was, id), now = is_ticked(r, id);
        if (web_find_list(w, id))
            continue;
        if (before && !now)
            add_list(leave, id);
        else if (now && !before)
            all = false;
    }
    return all;
}

static void post_preferences(struct web *w, struct http_request *r, const struct path *path) {
    AUTOBUF struct buf address = BUF_INIT(FIELD_MAX + 1), language = BUF_INIT(FIELD_MAX + 1),
                       join = BUF_INIT(64 * 1024), leave = BUF_INIT(64 * 1024), wording = BUF_INIT(64 * 1024),
                       version = BUF_INIT(1024);
    char source[SOURCE_SIZE];
    struct token t;
    if (!admit(w, r, path, TOKEN_RECIPIENT, &t))
        return;
    const struct public_list *list = web_find_list(w, t.list);
    if (!list || !view_eq_str(http_form(r, "action"), "preferences")) {
        show_preferences(w, r, path);
        return;
    }
    if (!within(w, r, &w->forms))
        return;
    const char *shown = web_language(w, r, path, list), *typed = text_of(r, "new-address", &address);
    const char *chosen = text_of(r, "language", &language);
    if (typed[0] && !is_address(typed)) {
        json_t *none = json_array();
        struct page_input input = {.address = typed, .bad_address = true, .language = chosen};
        struct view was = field_lists(r, "was");
        uint32_t one;
        while (none && request_next_list(&was, &one))
            (void)json_array_append_new(none, json_pack("{s:I,s:s}", "list", (json_int_t)one, "state",
                                                        "active")); /* for want of memory it is not ticked */
        show_choices(w, r, 400, list, none, chosen, &input);
        json_decref(none);
        return;
    }
    bool all = compare(w, r, list, &join, &leave);
    pages_word(w->pages, shown, "page.consent-more", NULL, NULL, &wording);
    pages_word(w->pages, shown, "page.consent-version", NULL, NULL, &version);
    http_remote(r, source, sizeof source);
    struct request q = {.verb = REQUEST_PREFERENCES};
    put(&q, REQUEST_KEY_TOKEN, path->token);
    put(&q, REQUEST_KEY_LANGUAGE, view_of(shown));
    put(&q, REQUEST_KEY_SOURCE, view_of(source));
    put(&q, REQUEST_KEY_JOIN, buf_view(&join));
    put(&q, REQUEST_KEY_LEAVE, buf_view(&leave));
    if (join.len) {
        put(&q, REQUEST_KEY_CONSENT, buf_view(&version));
        put(&q, REQUEST_KEY_WORDING, view_slice(buf_view(&wording), 0, REQUEST_TEXT_MAX));
    }
    if (pages_has(w->pages, view_of(chosen)))
        put(&q, REQUEST_KEY_NEW_LANGUAGE, view_of(chosen));
    put(&q, REQUEST_KEY_NEW_ADDRESS, view_of(typed));
    const struct post post = {.answer = answer_saved, .list = t.list, .partly = !all};
    if (!request_is_whole(&q))
        answer_kind(w, r, 200, all ? PAGE_SAVED : PAGE_PARTLY, list); /* nothing was chosen otherwise */
    else if (!web_write(w, r, &q, &post))
        answer_not_stored(w, r, list);
}

/* ---- */

void web_forms_show(struct web *w, struct http_request *r, const struct path *path) {
    const struct page_input nothing = {0};
    const struct public_list *list;
    switch ((int)path->place) {
    case PATH_SIGN_UP:
        list = open_list(w, r, path);
        if (list)
            show_sign_up(w, r, 200, list, &nothing);
        break;
    case PATH_LINK: show_link(w, r, 200, &nothing); break;
    case PATH_CONFIRM: show_confirm(w, r, path); break;
    case PATH_PREFERENCES: show_preferences(w, r, path); break;
    default: answer_kind(w, r, 404, PAGE_NOT_FOUND, NULL); break;
    }
}

void web_forms_post(struct web *w, struct http_request *r, const struct path *path) {
    switch ((int)path->place) {
    case PATH_SIGN_UP: post_sign_up(w, r, path); break;
    case PATH_LINK: post_link(w, r, path); break;
    case PATH_CONFIRM: post_confirm(w, r, path); break;
    case PATH_PREFERENCES: post_preferences(w, r, path); break;
    default: answer_kind(w, r, 404, PAGE_NOT_FOUND, NULL); break;
    }
}
