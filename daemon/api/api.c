#include "api/api.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "announce/bundle.h"
#include "api/call.h"
#include "api/route.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/why.h"
#include "conf/conf.h"

enum { CONNECTIONS_MAX = 64, JSON_BODY_MAX = 1 << 20 };
static const int64_t request_deadline_usec = 60 * USEC_PER_SEC;

static const struct route routes[] = {
    {HTTP_GET, "/v1/status", 0, false, route_status, NULL},
    {HTTP_GET, "/v1/announcements/*", 0, false, route_announcement, NULL},
    {HTTP_GET, "/v1/announcements/*/report", 0, false, route_report, NULL},
    {HTTP_POST, "/v1/announcements", BUNDLE_MAX_BYTES + (1 << 20), false, route_queue, NULL},
    {HTTP_POST, "/v1/announcements/*/release", 0, false, route_release, NULL},
    {HTTP_POST, "/v1/announcements/*/pause", 0, false, route_pause, NULL},
    {HTTP_POST, "/v1/announcements/*/resume", 0, false, route_resume, NULL},
    {HTTP_POST, "/v1/announcements/*/stop", 0, false, route_stop, NULL},
    {HTTP_POST, "/v1/announcements/*/resend", 1 << 20, false, route_resend, NULL},
    {HTTP_GET, "/v1/lists", 0, false, route_lists, NULL},
    {HTTP_POST, "/v1/lists/*/accept", 0, false, route_accept, NULL},
    {HTTP_POST, "/v1/lists/*/import", UINT64_MAX, true, route_import, route_import_end},
    {HTTP_GET, "/v1/subscribers", 0, false, route_subscribers, NULL},
    {HTTP_GET, "/v1/subscribers/**", 0, false, route_subscriber, NULL},
    {HTTP_POST, "/v1/subscribers", JSON_BODY_MAX, false, route_change_subscriber, NULL},
    {HTTP_GET, "/v1/export/**", 0, false, route_export, NULL},
    {HTTP_POST, "/v1/privacy", JSON_BODY_MAX, false, route_privacy, NULL},
    {HTTP_GET, "/v1/returns", 0, false, route_returns, NULL},
    {HTTP_POST, "/v1/returns", JSON_BODY_MAX, false, route_returns_let_go, NULL},
    {HTTP_GET, "/v1/metrics", 0, false, route_metrics, NULL},
    {HTTP_GET, "/v1/backup", 0, false, route_backup, NULL},
    {HTTP_GET, "/v1/doctor", 0, false, route_doctor, NULL},
    {HTTP_GET, "/v1/test-token", 0, false, route_test_token, NULL},
};

struct api {
    struct api_parts parts;
    struct http_server *server;
};

/* True where path is of the pattern's form; the segment that * stands for in *ret_argument. */
static bool matches(const char *pattern, const char *path, struct view *ret_argument) {
    struct view p = view_of(pattern), v = view_of(path), a, b;
    *ret_argument = (struct view){0};
    for (;;) {
        bool more_p = view_split(&p, '/', &a), more_v = view_split(&v, '/', &b);
        if (!more_p || !more_v)
            return more_p == more_v;
        if (view_eq_str(a, "**")) {
            *ret_argument = view_make(b.ptr, b.len + (v.ptr ? v.len + 1 : 0));
            return true;
        }
        if (view_eq_str(a, "*"))
            *ret_argument = b;
        else if (!view_eq(a, b))
            return false;
    }
}

static const struct route *find_route(enum http_method method, const char *path, struct view *ret_argument,
                                      bool *ret_path_known) {
    *ret_path_known = false;
    for (size_t i = 0; i < COUNT_OF(routes); i++)
        if (matches(routes[i].path, path, ret_argument)) {
            if (routes[i].method == method)
                return &routes[i];
            *ret_path_known = true;
        }
    return NULL;
}

static void refuse(struct http_request *r, unsigned status, const char *what) {
    AUTOBUF struct buf body = BUF_INIT(1024);
    buf_printf(&body, "{\"error\":{\"what\":\"%s\"}}\n", what);
    http_answer(r, status, "application/json", buf_view(&body));
}

static int call_new(struct api *a, struct http_request *r, struct view argument, struct call **ret) {
    uid_t uid;
    gid_t gid;
    int error = http_peer(r, &uid, &gid);
    struct call *c = error < 0 ? NULL : calloc(1, sizeof *c);
    if (!c)
        return error < 0 ? error : -ENOMEM;
    c->http = r;
    c->conf = conf_ref(a->parts.conf);
    c->parts = a->parts;
    c->parts.conf = c->conf;
    c->argument = arena_dup(&c->arena, argument);
    rights_of(uid, gid, c->conf, &c->rights);
    *ret = c;
    return 0;
}

static void call_free(struct call *c) {
    if (c->free_state)
        c->free_state(c->state);
    json_decref(c->result);
    (void)conf_unref(c->conf);
    arena_done(&c->arena);
    free(c);
}

static void on_head(void *user, struct http_request *r, uint64_t *ret_body_max, bool *ret_stream) {
    struct view argument;
    bool known;
    memory_forget();
    const struct route *route = find_route(http_method(r), http_path(r), &argument, &known);
    if (!route) {
        refuse(r, known ? 405 : 404, known ? "this path does not know that method" : "there is nothing at this path");
        return;
    }
    struct call *c;
    int error = call_new(user, r, argument, &c);
    if (error < 0) {
        refuse(r, call_status_of(error), error == -ENOMEM ? "out of memory" : "the caller is unknown");
        return;
    }
    http_set_user(r, c);
    *ret_body_max = route->body_max;
    *ret_stream = route->stream;
    if (route->stream) {
        http_set_deadline(r, 0); /* an upload takes the time it takes */
        route->run(c);
    }
}

static void on_body(void *user, struct http_request *r, struct view piece) {
    (void)user;
    struct call *c = http_user(r);
    if (c && c->on_body)
        c->on_body(c, piece);
}

static void on_request(void *user, struct http_request *r) {
    (void)user;
    struct call *c = http_user(r);
    struct view argument;
    bool known;
    memory_forget();
    const struct route *route = find_route(http_method(r), http_path(r), &argument, &known);
    assert(c && route); /* on_head() answered all others */
    if (route->stream)
        route->end(c);
    else
        route->run(c);
}

static void on_end(void *user, struct http_request *r) {
    (void)user;
    struct call *c = http_user(r);
    if (!c)
        return;
    c->http = NULL;
    if (!c->answered && c->on_gone)
        c->on_gone(c);
    if (!c->in_store)
        call_free(c);
}

int api_new(const struct api_parts *parts, int listen_fd, struct why *why, struct api **ret) {
    static const struct http_handlers handlers = {on_head, on_body, on_request, on_end};
    const struct http_limits limits = {.connections = CONNECTIONS_MAX, .request_deadline_usec = request_deadline_usec};
    struct api *a = calloc(1, sizeof *a);
    if (!a)
        return why_set(why, -ENOMEM, "out of memory");
    a->parts = *parts;
    json_note_memory();
    struct rights own; /* the C library reads how to look people up now: it ends the program where memory fails then */
    rights_of(geteuid(), getegid(), parts->conf, &own);
    int r = http_server_new(parts->loop, listen_fd, &limits, &handlers, a, &a->server);
    if (r < 0) {
        free(a);
        return why_set(why, r, "cannot serve the socket: %s", strerror(-r));
    }
    *ret = a;
    return 0;
}

struct api *api_free(struct api *a) {
    if (a) {
        (void)http_server_free(a->server);
        free(a);
    }
    return NULL;
}

void api_set_conf(struct api *a, struct conf *conf) {
    a->parts.conf = conf;
}

unsigned call_status_of(int error) {
    switch (error) {
    case -EINVAL:
    case -EBADMSG:
    case -EILSEQ:
    case -EMSGSIZE:
    case -E2BIG: return 400;
    case -EPERM:
    case -EACCES: return 403;
    case -ENOENT: return 404;
    case -ESTALE:
    case -EEXIST:
    case -EBUSY: return 409;
    default: return why_is_trouble(error) ? 503 : 500;
    }
}

void call_answer(struct call *c, unsigned status, json_t *document) {
    if (c->http && !c->answered) {
        AUTOBUF struct buf body = BUF_INIT(64 << 20);
        int r = document ? json_print(document, &body) : -ENOMEM;
        c->answered = true;
        if (memory_was_short())
            refuse(c->http, 503, "out of memory");
        else if (r < 0)
            refuse(c->http, 500, "the answer could not be made");
        else {
            buf_putc(&body, '\n');
            http_answer(c->http, status, "application/json", buf_view(&body));
        }
    }
    json_decref(document);
}

void call_answer_text(struct call *c, const char *content_type, const struct buf *text) {
    if (!c->http || c->answered)
        return;
    c->answered = true;
    if (memory_was_short())
        refuse(c->http, 503, "out of memory");
    else if (buf_error(text))
        refuse(c->http, 500, "the answer could not be made");
    else
        http_answer(c->http, 200, content_type, buf_view(text));
}

void call_fail(struct call *c, unsigned status, const struct why *why) {
    call_answer(c, status,
                json_pack("{s:{s:s, s:s, s:s}}", "error", "what", why->what, "where", why->where, "todo", why->todo));
}

void call_refuse(struct call *c, unsigned status, const char *what, const char *todo) {
    struct why why;
    (void)why_set(&why, 0, "%s", what);
    if (todo)
        why_todo(&why, "%s", todo);
    call_fail(c, status, &why);
}

void call_finish(struct call *c, int result) {
    c->in_store = false;
    if (!c->answered && c->http) {
        if (result < 0) {
            if (!c->job.why.what[0])
                (void)why_set(&c->job.why, result, "this could not be done: %s", strerror(-result));
            call_fail(c, c->status ? c->status : call_status_of(result), &c->job.why);
        } else {
            json_t *document = c->result ? c->result : json_object();
            c->result = NULL;
            call_answer(c, c->status ? c->status : 200, document);
        }
    }
    if (!c->http)
        call_free(c);
}

bool call_go_on(struct call *c) {
    c->in_store = false;
    bool goes_on = c->http;
    if (!goes_on)
        call_free(c);
    return goes_on;
}

static void on_done(struct store_job *job, int result) {
    call_finish((struct call *)job, result);
}

void call_run_with(struct call *c, enum store_lane lane, int (*step)(struct store_job *, struct db *),
                   void (*done)(struct store_job *, int)) {
    if (memory_was_short() && !c->answered) { /* some of what was asked for may be missing */
        call_refuse(c, 503, "out of memory", NULL);
        return;
    }
    c->job = (struct store_job){.lane = lane, .step = step, .done = done};
    c->in_store = true;
    store_submit(c->parts.store, &c->job);
}

void call_run(struct call *c, enum store_lane lane, int (*step)(struct store_job *, struct db *)) {
    call_run_with(c, lane, step, on_done);
}

const struct conf_list *call_list(struct call *c, const char *name) {
    const struct conf_list *list = conf_find_list(c->conf, view_of(name));
    /* A list that the caller may not see is as unknown as one that is not there. */
    if (!list || !rights_on_list(&c->rights, list)) {
        call_refuse(c, list ? 403 : 404, list ? "you may not do this on that list" : "there is no such list",
                    list ? "Ask the admin to put you into the list's group" : "`rundbrief list` shows the lists");
        return NULL;
    }
    return list;
}

const char *call_keep(struct call *c, const char *s) {
    const char *kept = s ? arena_strdup(&c->arena, s) : NULL;
    return kept ? kept : "";
}

bool call_flag(const struct call *c, const char *query_name) {
    const char *value = http_query(c->http, query_name);
    bool flag;
    return value && number_parse_bool(view_of(value), &flag) == 0 && flag;
}
