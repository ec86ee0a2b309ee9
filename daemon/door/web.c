#include "door/web.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/number.h"

#include "conf/conf.h"
#include "mail/colour.h"
#include "net/remote.h"
#include "spool/several.h"
#include "trust/keys.h"

#include "door/archived.h"
#include "door/web_inside.h"

#include "base/banned.h"

/* ---- what was published ---- */

static void read_lists(struct web *w) {
    struct public_lists *lists = NULL;
    AUTOBUF struct buf text = BUF_INIT(LISTS_FILE_MAX_BYTES);
    int r = files_read(AT_FDCWD, w->lists_path, &text);
    if (r == 0)
        r = public_lists_read(buf_view(&text), &lists);
    if (r < 0 && r != -ENOENT) {
        log_warning("lists-not-read", LOG_TEXT("error", strerror(-r)));
        return; /* the ones known are better than none */
    }
    (void)public_lists_free(w->lists);
    w->lists = lists;
}

static int read_keys(struct web *w, struct why *why) {
    struct keyring *keys;
    int r = keyring_load_public(w->keys_path, why, &keys);
    if (r < 0)
        return r;
    (void)keyring_free(w->keys);
    w->keys = keys;
    return 0;
}

struct public_lists *web_lists(struct web *w) {
    return w->lists;
}

const struct public_list *web_find_list(struct web *w, uint32_t id) {
    return public_lists_find(web_lists(w), id);
}

/* A token that is not ours may have been signed with a key that is younger than our reading of them. */
int web_verify(struct web *w, struct view text, struct token *ret) {
    int r = w->keys ? token_verify(w->keys, text, ret) : -ENOKEY;
    if (r == 0 || !fresh_changed(&w->keys_fresh, w->keys_path))
        return r;
    struct why why;
    if (read_keys(w, &why) < 0)
        log_why(LOG_WARNING, "keys-not-read", &why);
    return w->keys ? token_verify(w->keys, text, ret) : -ENOKEY;
}

/* ---- answers ---- */

#define POLICY "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
/* A page of the archive is a mail: its styles and pictures stand in it. It has no form, and nothing is signed in. */
#define ARCHIVE_POLICY                                                                                                 \
    "default-src 'none'; style-src 'unsafe-inline'; img-src data: https:; form-action 'none'; frame-ancestors "        \
    "'none'; "                                                                                                         \
    "base-uri 'none'"

static void add_headers(struct http_request *r, const char *cache, const char *policy) {
    http_add_header(r, "Cache-Control", cache);
    http_add_header(r, "Referrer-Policy", "no-referrer");
    http_add_header(r, "X-Robots-Tag", "noindex, nofollow");
    http_add_header(r, "X-Content-Type-Options", "nosniff");
    http_add_header(r, "Content-Security-Policy", policy);
}

static void answer_text(struct http_request *r, unsigned status, const char *type, const char *cache,
                        struct view body) {
    add_headers(r, cache, POLICY);
    http_answer(r, status, type, body);
}

/* "./", "../", "../../" … */
static void add_root(const struct path *path, struct buf *to) {
    enum { DEEPEST = 16 }; /* links of ours are less deep: there it does not matter where the style is found */
    if (path->depth == 0 || path->depth > DEEPEST)
        buf_puts(to, path->depth ? "/" : "./");
    else
        for (unsigned i = 0; i < path->depth; i++)
            buf_puts(to, "../");
}

static void add_action(const struct path *path, struct buf *to) {
    buf_puts(to, path->place == PATH_RELEASE ? "r/" : "u/");
    buf_add_view(to, path->token);
    if (path->place == PATH_RELEASE && path->language.len)
        buf_printf(to, "/%.*s", (int)path->language.len, path->language.ptr);
    if (path->place == PATH_RELEASE)
        return;
    if (path->announcement || path->language.len)
        buf_printf(to, "/%lld", (long long)path->announcement);
    if (path->language.len)
        buf_printf(to, "/%.*s", (int)path->language.len, path->language.ptr);
}

const char *web_language(struct web *w, struct http_request *r, const struct path *path,
                         const struct public_list *list) {
    return pages_language(w->pages, path->language, http_header(r, "Accept-Language"), list ? list->language : "");
}

/* The titles of all lists that the announcement came through, this one among them; nothing where there is one only. */
static void add_titles(struct web *w, int64_t announcement, const struct public_list *list, const char *language,
                       struct buf *to) {
    uint32_t ids[SEVERAL_MAX];
    size_t count = list ? several_read(w->several_path, announcement, ids) : 0;
    bool is_among = false;
    for (size_t i = 0; i < count; i++)
        is_among |= ids[i] == list->id;
    for (size_t i = 0; i < count && is_among; i++) {
        const char *title = public_list_title(web_find_list(w, ids[i]), language);
        if (title[0])
            buf_printf(to, "%s%s", to->len ? ", " : "", title);
    }
}

void web_answer(struct web *w, struct http_request *r, unsigned status, struct page *page) {
    AUTOBUF struct buf root = BUF_INIT(256), html = BUF_INIT(PAGE_MAX_BYTES);
    struct path path;
    path_read(http_path(r), &path);
    add_root(&path, &root);
    page->root = buf_str(&root);
    if (!page->language)
        page->language = web_language(w, r, &path, page->list);
    if (!page->action)
        page->action = "";
    int error = pages_render(w->pages, page, &html);
    if (error < 0) {
        log_error("page-not-rendered", LOG_TEXT("error", strerror(-error)));
        buf_clear(&html); /* the status still tells a machine what it must know */
    }
    AUTOBUF struct buf policy = BUF_INIT(4096);
    buf_puts(&policy, POLICY);
    if (page->list && pages_shows_logo(page->list))
        buf_printf(&policy, "; img-src %s", page->list->logo[0] == 'd' ? "data:" : page->list->logo);
    add_headers(r, "no-store", buf_str(&policy));
    http_answer(r, status, "text/html; charset=utf-8", buf_view(&html));
}

void web_answer_unavailable(struct web *w, struct http_request *r, struct page *page) {
    AUTOBUF struct buf after = BUF_INIT(16);
    buf_printf(&after, "%d", WEB_RETRY_AFTER_SEC);
    http_add_header(r, "Retry-After", buf_str(&after));
    page->kind = PAGE_UNAVAILABLE;
    web_answer(w, r, 503, page);
}

/* A page of leaving. verb: what its form asks for. */
static void answer_page_of(struct web *w, struct http_request *r, unsigned status, enum page_kind kind,
                           const struct public_list *list, enum request_verb verb, const struct release *release) {
    struct path path;
    path_read(http_path(r), &path);
    AUTOBUF struct buf action = BUF_INIT(8192), since = BUF_INIT(32);
    add_action(&path, &action);
    struct view before = path.place == PATH_LEAVE && http_method(r) == HTTP_POST ? http_form(r, "since") : VIEW("");
    if (kind == PAGE_UNAVAILABLE && before.len)
        buf_add_view(&since, view_slice(before, 0, 20));
    else if (kind == PAGE_DONE && path.left_sec && http_method(r) != HTTP_POST)
        buf_printf(&since, "%lld", (long long)path.left_sec);
    else
        buf_printf(&since, "%lld", (long long)(clock_now_usec() / USEC_PER_SEC));
    AUTOBUF struct buf titles = BUF_INIT(64 * 1024);
    add_titles(w, path.announcement, list, web_language(w, r, &path, list), &titles);
    bool undoes = verb == REQUEST_UNDO || verb == REQUEST_UNDO_ALL;
    struct page page = {
        .kind = kind,
        .list = list,
        .lists = titles.len ? buf_str(&titles) : NULL,
        .release = release,
        .action = buf_str(&action),
        .also = buf_str(&action),
        .fields = {{"action", request_verb_name(verb)}, {undoes ? "since" : NULL, buf_str(&since)}},
    };
    if (kind == PAGE_UNAVAILABLE)
        web_answer_unavailable(w, r, &page);
    else
        web_answer(w, r, status, &page);
}

static void answer_page(struct web *w, struct http_request *r, unsigned status, enum page_kind kind,
                        const struct public_list *list, enum request_verb verb) {
    answer_page_of(w, r, status, kind, list, verb, NULL);
}

static void answer_unavailable(struct web *w, struct http_request *r, const struct public_list *list,
                               enum request_verb verb) {
    answer_page(w, r, 503, PAGE_UNAVAILABLE, list, verb);
}

/* What a link means before anything is asked of it: true where it is a recipient's. Else the request is answered. */
static bool admit(struct web *w, struct http_request *r, const struct path *path, uint32_t *ret_list) {
    struct token token;
    int error = web_verify(w, path->token, &token);
    if (error == -ENOKEY) {
        answer_unavailable(w, r, NULL, REQUEST_LEAVE);
        return false;
    }
    if (error == 0 && token.purpose == TOKEN_RECIPIENT) {
        *ret_list = token.list;
        return true;
    }
    if (error == 0 && token.purpose == TOKEN_TEST)
        answer_page(w, r, 200, PAGE_TEST, web_find_list(w, token.list), REQUEST_LEAVE);
    else
        answer_page(w, r, 404, PAGE_INVALID, NULL, REQUEST_LEAVE);
    return false;
}

/* A path without a language leads to one that has it, so that its links lead on. */
static void answer_archive(struct web *w, struct http_request *r, const struct path *path) {
    bool calendar = path->place == PATH_CALENDAR;
    char language[ARCHIVED_LANGUAGE_SIZE];
    int fd =
        path->language.len ? archived_open(w->archive_path, path->announcement, path->language, calendar) : -ENOENT;
    if (fd >= 0) {
        add_headers(r, "public, max-age=300", ARCHIVE_POLICY);
        http_answer_file(r, 200, calendar ? "text/calendar; charset=utf-8" : "text/html; charset=utf-8", fd);
        return;
    }
    if (calendar ||
        archived_language(w->archive_path, path->announcement, http_header(r, "Accept-Language"), language) < 0) {
        answer_page(w, r, 404, PAGE_NOT_FOUND, NULL, REQUEST_LEAVE);
        return;
    }
    AUTOBUF struct buf to = BUF_INIT(512);
    add_root(path, &to);
    buf_printf(&to, "a/%lld/%s", (long long)path->announcement, language);
    http_add_header(r, "Location", buf_str(&to));
    http_add_header(r, "Vary", "Accept-Language");
    answer_text(r, 302, NULL, "no-store", VIEW(""));
}

/* ---- POST ---- */

static void on_written(void *user, int result) {
    struct post *post = user;
    http_set_user(post->http, NULL);
    post->answer(post, result);
    free(post);
}

bool web_write(struct web *w, struct http_request *r, struct request *request, const struct post *as) {
    struct post *post = calloc(1, sizeof *post);
    if (!post)
        return false;
    *post = *as;
    post->web = w;
    post->http = r;
    post->asking = NULL;
    if (writer_add(w->writer, request, on_written, post, &post->job) < 0) {
        free(post);
        return false;
    }
    http_set_user(r, post);
    return true;
}

static void answer_leave(struct post *post, int result) {
    struct web *w = post->web;
    const struct public_list *list = web_find_list(w, post->list);
    if (result < 0) {
        answer_unavailable(w, post->http, list, post->verb);
        return;
    }
    switch ((int)post->verb) {
    case REQUEST_RELEASE: answer_page(w, post->http, 200, PAGE_RELEASED, list, REQUEST_RELEASE); break;
    case REQUEST_UNDO: answer_page(w, post->http, 200, PAGE_UNDONE, list, REQUEST_LEAVE); break;
    case REQUEST_UNDO_ALL: answer_page(w, post->http, 200, PAGE_UNDONE_ALL, list, REQUEST_LEAVE); break;
    case REQUEST_LEAVE_ALL: answer_page(w, post->http, 200, PAGE_DONE_ALL, list, REQUEST_UNDO_ALL); break;
    default: answer_page(w, post->http, 200, PAGE_DONE, list, REQUEST_UNDO); break;
    }
}

/* What the form asks for; false where it is none of ours. */
static bool read_form(struct http_request *r, enum request_verb *ret_verb, bool *ret_one_click) {
    static const enum request_verb verbs[] = {REQUEST_LEAVE, REQUEST_UNDO, REQUEST_LEAVE_ALL, REQUEST_UNDO_ALL};
    struct view action = http_form(r, "action");
    *ret_one_click = false;
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (view_eq_str(action, request_verb_name(verbs[i]))) {
            *ret_verb = verbs[i];
            return true;
        }
    *ret_verb = REQUEST_LEAVE;
    *ret_one_click = true;
    return view_eq_nocase(view_trim(http_form(r, "List-Unsubscribe")), "One-Click");
}

/* Whether the hour since the leave is over, as far as the form says: the daemon decides, but would not tell anyone. */
static bool is_late(struct http_request *r) {
    uint64_t since;
    if (number_parse_u64(http_form(r, "since"), INT64_MAX / USEC_PER_SEC, &since) < 0)
        return true;
    return clock_now_usec() / USEC_PER_SEC - (int64_t)since > WEB_UNDO_SEC;
}

static void on_post(struct web *w, struct http_request *r) {
    struct path path;
    uint32_t list_id;
    enum request_verb verb;
    bool one_click;
    path_read(http_path(r), &path);
    if (!admit(w, r, &path, &list_id))
        return;
    const struct public_list *list = web_find_list(w, list_id);
    if (!read_form(r, &verb, &one_click)) {
        answer_page(w, r, 400, PAGE_ASK, list, REQUEST_LEAVE);
        return;
    }
    if ((verb == REQUEST_UNDO || verb == REQUEST_UNDO_ALL) && is_late(r)) {
        answer_page(w, r, 409, PAGE_LATE, list, REQUEST_LEAVE);
        return;
    }
    const char *shown = web_language(w, r, &path, list);
    AUTOBUF struct buf announcement = BUF_INIT(32);
    if (path.announcement)
        buf_put_i64(&announcement, path.announcement);
    const struct post post = {.answer = answer_leave, .verb = verb, .list = list_id};
    struct request request = {.verb = verb,
                              .value = {[REQUEST_KEY_TOKEN] = path.token,
                                        [REQUEST_KEY_ANNOUNCEMENT] = buf_view(&announcement),
                                        [REQUEST_KEY_HOW] = one_click ? VIEW("one-click") : VIEW("link"),
                                        [REQUEST_KEY_LANGUAGE] = one_click ? path.language : view_of(shown)}};
    if (!request_is_value(REQUEST_KEY_LANGUAGE, request.value[REQUEST_KEY_LANGUAGE]))
        request.value[REQUEST_KEY_LANGUAGE] = VIEW("");
    if (!web_write(w, r, &request, &post))
        answer_unavailable(w, r, list, verb);
}

/* ---- releasing ---- */

static void answer_away(struct web *w, struct http_request *r) {
    AUTOBUF struct buf after = BUF_INIT(16);
    buf_printf(&after, "%d", WEB_RETRY_AFTER_SEC);
    http_add_header(r, "Retry-After", buf_str(&after));
    answer_page(w, r, 503, PAGE_RELEASE_AWAY, NULL, REQUEST_RELEASE);
}

static bool write_release(struct web *w, struct http_request *r, struct post *post) {
    struct path path;
    char source[REMOTE_TEXT_MAX];
    path_read(http_path(r), &path);
    http_remote(r, source, sizeof source);
    struct request request = {.verb = REQUEST_RELEASE,
                              .value = {[REQUEST_KEY_TOKEN] = path.token, [REQUEST_KEY_LANGUAGE] = path.language}};
    if (request_is_value(REQUEST_KEY_SOURCE, view_of(source)))
        request.value[REQUEST_KEY_SOURCE] = view_of(source);
    return writer_add(w->writer, &request, on_written, post, &post->job) == 0;
}

/* Nothing is accepted while the daemon is away: who releases wants to know that it goes out now. */
static void on_release_known(void *user, int result, struct view answer) {
    struct post *post = user;
    struct web *w = post->web;
    struct http_request *r = post->http;
    struct release release;
    post->asking = NULL;
    if (result == 0)
        result = release_read(answer, &release);
    const struct public_list *list = result == 0 ? web_find_list(w, release.list) : NULL;
    post->list = list ? list->id : 0;
    bool writes = http_method(r) == HTTP_POST && view_eq_str(http_form(r, "action"), "release");
    if (result == 0 && release.held && writes && write_release(w, r, post))
        return;
    http_set_user(r, NULL);
    free(post);
    if (result < 0)
        answer_away(w, r);
    else if (!release.held)
        answer_page(w, r, http_method(r) == HTTP_POST ? 409 : 200, PAGE_RELEASE_GONE, list, REQUEST_RELEASE);
    else if (writes)
        answer_away(w, r);
    else
        answer_page_of(w, r, http_method(r) == HTTP_POST ? 400 : 200, PAGE_RELEASE, list, REQUEST_RELEASE, &release);
}

static void on_release(struct web *w, struct http_request *r, const struct path *path) {
    struct token token;
    int error = web_verify(w, path->token, &token);
    if (error == 0 && token.purpose != TOKEN_RELEASE)
        error = -EBADMSG;
    if (error < 0) {
        if (error == -ENOKEY)
            answer_away(w, r);
        else
            answer_page(w, r, 404, PAGE_INVALID, NULL, REQUEST_LEAVE);
        return;
    }
    struct post *post = calloc(1, sizeof *post);
    if (post)
        *post = (struct post){.web = w, .http = r, .answer = answer_leave, .verb = REQUEST_RELEASE};
    if (!post || question_ask(w->loop, w->ask_path, path->token, on_release_known, post, &post->asking) < 0) {
        free(post);
        answer_away(w, r);
        return;
    }
    http_set_user(r, post);
}

/* ---- the server's events ---- */

/* An organisation's colour over those of page.css, made readable on its grounds. */
static void answer_colour(struct http_request *r, const struct path *path) {
    AUTOBUF struct buf css = BUF_INIT(2048);
    char colour[COLOUR_SIZE], light[COLOUR_SIZE], dark[COLOUR_SIZE];
    (void)snprintf(colour, sizeof colour, "#%.6s", path->token.ptr); /* path_read() saw six digits */
    colour_readable(colour, COLOUR_GROUND, light);
    colour_readable(colour, COLOUR_GROUND_DARK, dark);
    buf_printf(&css, ":root{--accent:%s;--accent-strong:%s;--on-accent:%s}\n", light, light, colour_ink(light));
    buf_printf(&css, "@media (prefers-color-scheme:dark){:root{--accent:%s;--accent-strong:%s;--on-accent:%s}}\n", dark,
               dark, colour_ink(dark));
    buf_puts(&css, "@media print{:root{--accent:#000000}}\n");
    answer_text(r, 200, "text/css; charset=utf-8", "public, max-age=86400", buf_view(&css));
}

static bool takes_post(enum path_place place) {
    return place == PATH_LEAVE || place == PATH_RELEASE || place == PATH_PREFERENCES || place == PATH_CONFIRM ||
           place == PATH_SIGN_UP || place == PATH_LINK;
}

/* Who left by mail comes to the page of what they have done, by the link of the mail that confirms it. */
static void show_leave(struct web *w, struct http_request *r, const struct path *path, const struct public_list *list) {
    int64_t now_sec = clock_now_usec() / USEC_PER_SEC;
    if (path->left_sec == 0)
        answer_page(w, r, 200, PAGE_ASK, list, REQUEST_LEAVE);
    else if (now_sec - path->left_sec > WEB_UNDO_SEC)
        answer_page(w, r, 200, PAGE_LATE, list, REQUEST_LEAVE);
    else
        answer_page(w, r, 200, PAGE_DONE, list, REQUEST_UNDO);
}

static void show(struct web *w, struct http_request *r, const struct path *path) {
    uint32_t list;
    switch (path->place) {
    case PATH_LEAVE:
        if (admit(w, r, path, &list))
            show_leave(w, r, path, web_find_list(w, list));
        break;
    case PATH_PREFERENCES:
    case PATH_CONFIRM:
    case PATH_SIGN_UP:
    case PATH_LINK: web_forms_show(w, r, path); break;
    case PATH_RELEASE: on_release(w, r, path); break;
    case PATH_ARCHIVE:
    case PATH_CALENDAR: answer_archive(w, r, path); break;
    case PATH_HEALTH: answer_text(r, 200, "text/plain; charset=utf-8", "no-store", VIEW("ok\n")); break;
    case PATH_STYLE:
        answer_text(r, 200, "text/css; charset=utf-8", "public, max-age=3600", pages_style(w->pages));
        break;
    case PATH_COLOUR: answer_colour(r, path); break;
    case PATH_NOT_FOUND: answer_page(w, r, 404, PAGE_NOT_FOUND, NULL, REQUEST_LEAVE); break;
    }
}

static void on_head(void *user, struct http_request *r, uint64_t *ret_body_max, bool *ret_stream) {
    struct web *w = user;
    (void)ret_stream;
    struct path path;
    path_read(http_path(r), &path);
    if (fresh_changed(&w->lists_fresh,
                      w->lists_path)) /* only here: while an answer is made, they stay where they are */
        read_lists(w);
    enum http_method method = http_method(r);
    bool reads = method == HTTP_GET || method == HTTP_HEAD;
    if (reads && (path.place == PATH_PREFERENCES || path.place == PATH_RELEASE))
        return; /* the daemon is asked when the request is whole */
    if (reads || path.place == PATH_NOT_FOUND) {
        show(w, r, &path);
    } else if (takes_post(path.place) && method == HTTP_POST) {
        *ret_body_max = WEB_BODY_MAX_BYTES;
    } else {
        http_add_header(r, "Allow", takes_post(path.place) ? "GET, HEAD, POST" : "GET, HEAD");
        answer_page(w, r, 405, PAGE_NOT_FOUND, NULL, REQUEST_LEAVE);
    }
}

static void on_request(void *user, struct http_request *r) {
    struct path path;
    path_read(http_path(r), &path);
    if (http_method(r) != HTTP_POST)
        show(user, r, &path);
    else if (path.place == PATH_RELEASE)
        on_release(user, r, &path);
    else if (path.place == PATH_LEAVE)
        on_post(user, r);
    else
        web_forms_post(user, r, &path); /* all others were answered at their heads */
}

static void on_end(void *user, struct http_request *r) {
    (void)user;
    struct post *post = http_user(r);
    if (post) {
        (void)asking_cancel(post->asking);
        if (post->job)
            writer_forget(post->job);
        free(post);
    }
}

/* ---- the door ---- */

static char *below(const char *folder, const char *name) {
    struct buf path = BUF_INIT(8192);
    buf_printf(&path, "%s/%s", folder, name);
    return buf_steal(&path);
}

static int load_pages(const struct conf *conf, struct why *why, struct pages **ret) {
    int r = pages_load(conf->templates_local, conf->templates, why, ret);
    if (r == 0 || conf->templates_local[0] == '\0')
        return r;
    /* What an admin broke must not keep anyone from leaving. */
    log_why(LOG_ERR, "own-templates-left-out", why);
    return pages_load("", conf->templates, why, ret);
}

int web_new(struct loop *loop, const struct conf *conf, struct why *why, struct web **ret) {
    struct web *w = calloc(1, sizeof *w);
    if (!w)
        return why_set(why, -ENOMEM, "memory runs out");
    w->loop = loop;
    w->conf = conf_ref(conf);
    AUTOBUF struct buf keys = BUF_INIT(8192);
    keyring_public_dir(conf->spool_dir, &keys);
    w->keys_path = buf_steal(&keys);
    w->lists_path = below(conf->spool_dir, "public/lists");
    w->archive_path = below(conf->spool_dir, "public/archive");
    AUTOBUF struct buf ask = BUF_INIT(8192);
    conf_door_socket(conf, &ask);
    w->ask_path = buf_steal(&ask);
    w->several_path = below(conf->spool_dir, "public/several");
    AUTOFREE char *requests = below(conf->spool_dir, "requests/web");
    int r = w->keys_path && w->lists_path && w->archive_path && w->ask_path && w->several_path && requests
                ? 0
                : why_set(why, -ENOMEM, "memory runs out");
    if (r == 0)
        r = load_pages(conf, why, &w->pages);
    if (r == 0) {
        r = writer_new(loop, requests, &w->writer);
        if (r < 0)
            (void)why_set(why, r, "the writing thread cannot be started: %s", strerror(-r));
    }
    quota_init(&w->forms, WEB_FORMS_MAX, WEB_QUOTA_SEC * USEC_PER_SEC);
    quota_init(&w->questions, WEB_QUESTIONS_MAX, WEB_QUOTA_SEC * USEC_PER_SEC);
    if (r < 0) {
        (void)web_free(w);
        return r;
    }
    /* These may come later than the door, and are looked for at each request. */
    struct why missing;
    if (access(requests, W_OK) < 0)
        log_warning("requests-not-writable", LOG_TEXT("path", requests), LOG_TEXT("error", strerror(errno)));
    (void)fresh_changed(&w->keys_fresh, w->keys_path);
    if (read_keys(w, &missing) < 0)
        log_why(LOG_WARNING, "keys-not-read", &missing);
    *ret = w;
    return 0;
}

struct web *web_free(struct web *w) {
    if (!w)
        return NULL;
    for (size_t i = 0; i < w->server_count; i++)
        (void)http_server_free(w->servers[i]);
    (void)writer_free(w->writer);
    (void)pages_free(w->pages);
    (void)keyring_free(w->keys);
    (void)public_lists_free(w->lists);
    (void)conf_unref(w->conf);
    free(w->keys_path);
    free(w->lists_path);
    free(w->archive_path);
    free(w->ask_path);
    free(w->several_path);
    free(w);
    return NULL;
}

int web_listen(struct web *w, int listen_fd) {
    static const struct http_handlers handlers = {.on_head = on_head, .on_request = on_request, .on_end = on_end};
    const struct http_limits limits = {.connections = WEB_CONNECTIONS,
                                       .connections_per_source = WEB_CONNECTIONS_PER_SOURCE,
                                       .request_deadline_usec = WEB_DEADLINE_SEC * USEC_PER_SEC,
                                       .proxies = w->conf->web_proxies.items,
                                       .proxy_count = w->conf->web_proxies.count};
    if (w->server_count == WEB_SOCKETS_MAX) {
        (void)close(listen_fd); /* nobody was served on it */
        return -E2BIG;
    }
    int r = http_server_new(w->loop, listen_fd, &limits, &handlers, w, &w->servers[w->server_count]);
    if (r == 0)
        w->server_count++;
    return r;
}

int web_reload(struct web *w, struct why *why) {
    struct pages *pages;
    read_lists(w);
    int r = read_keys(w, why);
    int r2 = load_pages(w->conf, why, &pages);
    if (r2 == 0) {
        (void)pages_free(w->pages);
        w->pages = pages;
    }
    return r < 0 ? r : r2;
}

static void on_server_drained(void *user) {
    struct web *w = user;
    if (--w->draining == 0)
        w->on_drained(w->drained_user);
}

void web_drain(struct web *w, void (*on_drained)(void *user), void *user) {
    if (w->draining)
        return;
    w->on_drained = on_drained;
    w->drained_user = user;
    w->draining = w->server_count;
    for (size_t i = 0; i < w->server_count; i++)
        http_server_drain(w->servers[i], on_server_drained, w);
}
