#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/number.h"

#include "net/http_internal.h"
#include "net/loop.h"

#include "base/banned.h"

/* ---- suspending ---- */

static void suspend(struct http_request *r) {
    if (!r->suspended) {
        r->suspended = true;
        MHD_suspend_connection(r->connection->mhd);
    }
}

static void resume(struct http_request *r) {
    if (r->suspended) {
        r->suspended = false;
        MHD_resume_connection(r->connection->mhd);
        loop_post(r->connection->server->again); /* takes effect at the next run, which nothing else would cause */
    }
}

void http_abort(struct http_request *r) {
    r->aborted = true;
    resume(r);
}

static void on_hangup(void *user, int fd, uint32_t epoll_events) {
    struct http_request *r = user;
    (void)fd, (void)epoll_events;
    r->hangup = loop_remove(r->hangup);
    http_abort(r);
}

int http_end_with_client(struct http_request *r) {
    return loop_add_io(r->connection->server->loop, r->connection->fd, EPOLLHUP, on_hangup, r, &r->hangup);
}

/* ---- birth and death ---- */

void *http_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd) {
    (void)cls;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_connection *c = info ? info->socket_context : NULL;
    struct http_request *r = c && uri ? calloc(1, sizeof *r) : NULL;
    if (!r)
        return NULL; /* on_access then ends the connection */
    arena_init(&r->arena);
    buf_init(&r->chunk, SIZE_MAX);
    r->headers_end = &r->headers;
    r->connection = c;
    r->target = view_of(arena_strdup(&r->arena, uri));
    c->request = r;
    return r;
}

void http_on_completed(void *cls, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code) {
    (void)mhd, (void)code;
    struct http_server *s = cls;
    struct http_request *r = *request;
    if (!r)
        return;
    *request = NULL;
    r->connection->request = NULL;
    r->hangup = loop_remove(r->hangup);
    if (r->announced)
        s->handlers.on_end(s->user, r);
    if (r->response && !r->queued)
        MHD_destroy_response(r->response);
    buf_done(&r->body);
    buf_done(&r->chunk);
    arena_done(&r->arena);
    free(r);
}

/* ---- the answer ---- */

void http_add_header(struct http_request *r, const char *name, const char *value) {
    struct header *h = arena_alloc(&r->arena, sizeof *h);
    if (!h)
        return; /* the arena says so at the answer */
    h->name = arena_strdup(&r->arena, name);
    h->value = arena_strdup(&r->arena, value);
    *r->headers_end = h;
    r->headers_end = &h->next;
}

static void set_answer(struct http_request *r, unsigned status, const char *content_type,
                       struct MHD_Response *response) {
    assert(!r->response);
    r->hangup = loop_remove(r->hangup);
    r->status = status;
    r->response = response;
    if (content_type)
        http_add_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    if (response)
        for (const struct header *h = r->headers; h && !arena_failed(&r->arena); h = h->next)
            (void)MHD_add_response_header(response, h->name, h->value); /* refuses only a value that splits lines */
    if (!response || arena_failed(&r->arena))
        r->aborted = true; /* no memory: nothing is better than half an answer */
    resume(r);
}

void http_answer(struct http_request *r, unsigned status, const char *content_type, struct view body) {
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_MUST_COPY);
    set_answer(r, status, content_type, response);
}

void http_answer_file(struct http_request *r, unsigned status, const char *content_type, int fd) {
    struct stat st;
    struct MHD_Response *response =
        fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? MHD_create_response_from_fd64((uint64_t)st.st_size, fd) : NULL;
    if (!response)
        (void)close(fd); /* only read from */
    set_answer(r, status, content_type, response);
}

static ssize_t on_pull(void *cls, uint64_t position, char *to, size_t room) {
    (void)position;
    struct http_request *r = cls;
    while (r->chunk.len == 0) {
        if (r->aborted)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        if (r->next_ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        r->more = false;
        int next = r->next(r->next_user, r, room, &r->chunk);
        if ((next < 0 && next != -EAGAIN) || buf_error(&r->chunk) < 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        r->next_ended = next == 0;
        if (next == -EAGAIN && r->chunk.len == 0 && !r->more) {
            suspend(r);
            return 0;
        }
    }
    size_t len = r->chunk.len < room ? r->chunk.len : room;
    memcpy(to, r->chunk.data, len);
    buf_consume(&r->chunk, len);
    return (ssize_t)len;
}

void http_answer_stream(struct http_request *r, unsigned status, const char *content_type, http_next *next,
                        void *user) {
    r->next = next;
    r->next_user = user;
    if (r->method == HTTP_HEAD) { /* libmicrohttpd would send the last chunk, which a HEAD must not have */
        http_answer(r, status, content_type, VIEW(""));
        return;
    }
    set_answer(r, status, content_type,
               MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, HTTP_HEADER_MAX_BYTES, on_pull, r, NULL));
}

void http_more(struct http_request *r) {
    r->more = true;
    if (r->queued)
        resume(r);
}

static enum MHD_Result queue(struct http_request *r) {
    if (r->aborted)
        return MHD_NO;
    if (r->close || r->connection->server->draining)
        (void)MHD_add_response_header(r->response, MHD_HTTP_HEADER_CONNECTION, "close");
    enum MHD_Result result = MHD_queue_response(r->connection->mhd, r->status, r->response);
    MHD_destroy_response(r->response); /* our reference; the queue holds its own */
    r->queued = true;
    return result;
}

/* Answers by ourselves, and ends the connection: what follows on it may be anything. */
static void refuse(struct http_request *r, unsigned status, const char *text) {
    r->close = true;
    http_answer(r, status, "text/plain; charset=utf-8", view_of(text));
}

/* ---- the head ---- */

static enum http_method read_method(const char *method) {
    static const struct {
        const char *name;
        enum http_method method;
    } known[] = {
        {"GET", HTTP_GET}, {"HEAD", HTTP_HEAD}, {"POST", HTTP_POST}, {"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE}};
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(known[i].name, method) == 0)
            return known[i].method;
    return HTTP_OTHER;
}

struct head_check {
    unsigned fields, lengths, codings;
    bool bad, chunked;
    uint64_t length;
};

static bool is_token(const char *name, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("!#$%&'*+-.^_`|~", name[i]))
            return false;
    return len > 0;
}

static enum MHD_Result check_field(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                   const char *value, size_t value_len) {
    (void)kind;
    struct head_check *check = cls;
    struct view text = view_make(value, value ? value_len : 0), field = view_make(name, name_len);
    check->fields++;
    check->bad |= !is_token(name, name_len);
    for (size_t i = 0; i < text.len; i++)
        check->bad |= ((unsigned char)text.ptr[i] < ' ' && text.ptr[i] != '\t') || text.ptr[i] == 0x7f;
    if (view_eq_nocase(field, "Content-Length")) {
        check->lengths++;
        check->bad |= number_parse_u64(view_trim(text), INT64_MAX, &check->length) < 0;
    } else if (view_eq_nocase(field, "Transfer-Encoding")) {
        check->codings++;
        check->chunked = view_eq_nocase(text, "chunked");
    }
    return MHD_YES;
}

/* libmicrohttpd 0.9.7x ends a line at a bare LF, and the header at a line that begins with NUL or with a colon; and it
 * joins folded lines. A proxy may see another request there. What was done to the buffer tells: `method` points at its
 * begin, `version` into it; every CR LF became two NULs and the colon of every field one. Later versions refuse these
 * themselves. */
static bool is_strict_header(const char *method, const char *version, size_t header_size, unsigned fields) {
    if (strncmp(MHD_get_version(), "0.9.7", 5) != 0)
        return true;
    const char *end = method + header_size;
    size_t nuls = 0;
    for (const char *p = version + strlen(version); p < end; p++)
        nuls += *p == '\0';
    return nuls == 2 + 3 * (size_t)fields + 2;
}

/* 0, or the status to refuse with. *ret_length: the length announced; UINT64_MAX where it is chunked. */
static unsigned check_head(struct http_request *r, const char *method, const char *version, uint64_t *ret_length) {
    struct head_check check = {0};
    (void)MHD_get_connection_values_n(r->connection->mhd, MHD_HEADER_KIND, check_field, &check);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->connection->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    if (!info || info->header_size > HTTP_HEADER_MAX_BYTES || check.fields > HTTP_HEADER_FIELDS_MAX)
        return MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
    if (check.bad || !is_strict_header(method, version, info->header_size, check.fields))
        return MHD_HTTP_BAD_REQUEST;
    if (check.lengths > 1 || check.codings > 1 || (check.lengths && check.codings))
        return MHD_HTTP_BAD_REQUEST;
    if (check.codings && (!check.chunked || strcmp(version, MHD_HTTP_VERSION_1_1) != 0))
        return MHD_HTTP_BAD_REQUEST;
    struct view path = view_slice(r->target, 0, view_find(r->target, '?'));
    if (arena_failed(&r->arena) || form_read_path(path, &r->arena, &r->path) < 0)
        return MHD_HTTP_BAD_REQUEST;
    *ret_length = check.codings ? UINT64_MAX : check.length;
    return 0;
}

static enum MHD_Result on_head(struct http_server *s, struct http_request *r, const char *method, const char *version) {
    r->head_seen = true;
    uint64_t length = 0;
    unsigned status = check_head(r, method, version, &length);
    if (status) {
        refuse(r, status, "This request cannot be read.\n");
        return queue(r);
    }
    r->method = read_method(method);
    r->close = length == UINT64_MAX; /* its trailer was read as loosely as a header may not be: nothing more after it */
    r->announced = true;
    s->handlers.on_head(s->user, r, &r->body_max, &r->stream);
    if (!r->response && length != UINT64_MAX && length > r->body_max)
        refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "Too much was sent.\n");
    if (r->aborted)
        return MHD_NO;
    buf_init(&r->body, r->body_max < SIZE_MAX ? (size_t)r->body_max : SIZE_MAX);
    /* An answer that would cross a body on its way is lost to the client by a reset: read a small one off before. And
     * libmicrohttpd ends a connection whose answer comes before the last call, even where nothing was to be read. */
    bool wait = length <= HTTP_DRAIN_MAX_BYTES || length == UINT64_MAX;
    return r->response && !wait ? queue(r) : MHD_YES;
}

/* ---- the body ---- */

static enum MHD_Result on_piece(struct http_server *s, struct http_request *r, struct view piece, size_t *unread) {
    if (r->paused && !r->response) {
        suspend(r);
        return MHD_YES;
    }
    *unread = 0;
    r->body_seen += piece.len;
    if (!r->response && r->body_seen > r->body_max)
        refuse(r, MHD_HTTP_CONTENT_TOO_LARGE, "Too much was sent.\n");
    else if (!r->response && r->stream)
        s->handlers.on_body(s->user, r, piece);
    else if (!r->response)
        buf_add_view(&r->body, piece);
    if (r->aborted || buf_error(&r->body) < 0)
        return MHD_NO;
    if (r->response) /* body_max may be as large as numbers are */
        return r->body_seen > HTTP_DRAIN_MAX_BYTES && r->body_seen - HTTP_DRAIN_MAX_BYTES > r->body_max ? MHD_NO
                                                                                                        : MHD_YES;
    if (r->paused)
        suspend(r);
    return MHD_YES;
}

static enum MHD_Result on_whole(struct http_server *s, struct http_request *r) {
    /* A paused body may have ended: what was not to be told before resuming includes its end. */
    if (r->paused && !r->response) {
        suspend(r);
        return MHD_YES;
    }
    if (!r->whole && !r->response) {
        r->whole = true;
        s->handlers.on_request(s->user, r);
    }
    if (r->response || r->aborted)
        return queue(r);
    suspend(r);
    return MHD_YES;
}

enum MHD_Result http_on_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                               const char *version, const char *upload_data, size_t *upload_size, void **request) {
    (void)mhd, (void)url;
    struct http_request *r = *request;
    if (!r || r->aborted)
        return MHD_NO;
    if (!r->head_seen)
        return on_head(cls, r, method, version);
    if (*upload_size)
        return on_piece(cls, r, view_make(upload_data, *upload_size), upload_size);
    return on_whole(cls, r);
}

void http_pause_body(struct http_request *r) {
    r->paused = true;
}

void http_resume_body(struct http_request *r) {
    if (r->paused) {
        r->paused = false;
        if (!r->whole)
            resume(r);
    }
}

/* ---- what handlers read ---- */

enum http_method http_method(const struct http_request *r) {
    return r->method;
}

const char *http_path(const struct http_request *r) {
    return r->path;
}

const char *http_query(const struct http_request *r, const char *name) {
    /* Reading on demand is no change that a caller could see. */
    struct http_request *w = (struct http_request *)(uintptr_t)r;
    if (!w->query_read) {
        w->query_read = true;
        struct view query = view_slice(r->target, view_find(r->target, '?') + 1, r->target.len);
        if (query.len && form_read_urlencoded(query, &w->arena, &w->query) < 0)
            w->query = (struct form){0};
    }
    return form_get(&r->query, name).ptr; /* decoded copies end with a NUL */
}

const char *http_header(const struct http_request *r, const char *name) {
    return MHD_lookup_connection_value(r->connection->mhd, MHD_HEADER_KIND, name);
}

struct view http_body(const struct http_request *r) {
    return buf_view(&r->body);
}

struct view http_form(struct http_request *r, const char *name) {
    if (!r->form_read) {
        r->form_read = true;
        if (form_read(buf_view(&r->body), http_header(r, MHD_HTTP_HEADER_CONTENT_TYPE), &r->arena, &r->form) < 0)
            r->form = (struct form){0};
    }
    return form_get(&r->form, name);
}

int http_peer(const struct http_request *r, uid_t *ret_uid, gid_t *ret_gid) {
    if (!r->connection->peer.is_unix)
        return -ENOTSUP;
    struct ucred ucred;
    socklen_t len = sizeof ucred;
    if (getsockopt(r->connection->fd, SOL_SOCKET, SO_PEERCRED, &ucred, &len) < 0)
        return -errno;
    *ret_uid = ucred.uid;
    *ret_gid = ucred.gid;
    return 0;
}

static enum MHD_Result join_forwarded(void *cls, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind;
    struct buf *to = cls;
    if (value && view_eq_nocase(view_of(name), "X-Forwarded-For")) {
        if (to->len)
            buf_putc(to, ',');
        buf_puts(to, value);
    }
    return MHD_YES;
}

void http_remote(const struct http_request *r, char *to, size_t size) {
    const struct http_server *s = r->connection->server;
    AUTOBUF struct buf forwarded = BUF_INIT(HTTP_HEADER_MAX_BYTES);
    (void)MHD_get_connection_values(r->connection->mhd, MHD_HEADER_KIND, join_forwarded, &forwarded);
    struct remote remote = remote_behind(r->connection->peer, buf_view(&forwarded), s->proxies, s->proxy_count);
    remote_print(&remote, to, size);
}

void http_set_user(struct http_request *r, void *data) {
    r->user = data;
}

void *http_user(const struct http_request *r) {
    return r->user;
}
