/* A small HTTP/1.1 server on a listening socket (libmicrohttpd nested in the loop). Serves the daemon's Unix socket and
 * the web door.
 *
 * Refuses with 400 what proxies and servers read differently: several Content-Length or one that is no plain number,
 * Content-Length with Transfer-Encoding, any transfer coding but chunked, field names that are no tokens, control
 * characters (a bare CR) in fields, line ends that are a bare LF, folded lines, paths with bad escapes or NUL. Then the
 * connection is closed; after a chunked body too.
 *
 * Limits: connections (more wait in the listen queue) and connections from one source (more are closed at once; the
 * proxies are not counted); header HTTP_HEADER_MAX_BYTES and HTTP_HEADER_FIELDS_MAX (431); body by route (413);
 * one absolute deadline for a request and its answer, counted from the connection's begin or the end of the answer
 * before, so an idle kept connection ends by it too. An answer given before the body is read waits until up to
 * HTTP_DRAIN_MAX_BYTES of it are read off, so that the client sees it; for a larger one the connection is closed.
 *
 * A server without connections makes no wake-ups. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/view.h"

struct loop;
struct http_server;
struct http_request;

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OTHER };

enum {
    HTTP_HEADER_MAX_BYTES = 16 * 1024, /* request line and header fields with their line ends */
    HTTP_HEADER_FIELDS_MAX = 100,
    HTTP_DRAIN_MAX_BYTES = 256 * 1024,
};

/* All are called from the loop. on_head comes first and on_end last, each once; nothing comes for what is refused. */
struct http_handlers {
    /* The head has arrived. Answer at once with http_answer(), or return and wait for the body. *ret_body_max: how
     * large a body may be (0: none). *ret_stream true: on_body is called with pieces instead of collecting. */
    void (*on_head)(void *user, struct http_request *r, uint64_t *ret_body_max, bool *ret_stream);
    /* A piece of a streamed body, borrowed. After http_pause_body() no further one comes until http_resume_body(). */
    void (*on_body)(void *user, struct http_request *r, struct view piece);
    /* The request is whole; r's body is there unless streamed. Answer now or later (http_answer from any later event).
     * Not called where on_head or on_body answered. */
    void (*on_request)(void *user, struct http_request *r);
    /* The client is gone before an answer, or the answer is through: forget r. */
    void (*on_end)(void *user, struct http_request *r);
};

struct http_limits {
    unsigned connections;
    unsigned connections_per_source; /* 0: no limit */
    int64_t request_deadline_usec;   /* 0: none */
    const char *const *proxies;      /* whose X-Forwarded-For is believed; see remote.h. Copied */
    size_t proxy_count;
};

/* Takes over listen_fd, also when it fails. -EINVAL for a proxy that cannot be read. */
int http_server_new(struct loop *loop, int listen_fd, const struct http_limits *limits,
                    const struct http_handlers *handlers, void *user, struct http_server **ret);
/* Ends all requests (on_end). Not from inside a handler. */
struct http_server *http_server_free(struct http_server *s);
/* Accepts no more; closes idle connections, and the others after their answers. Calls on_done from the loop when
 * none is left. */
void http_server_drain(struct http_server *s, void (*on_done)(void *user), void *user);

enum http_method http_method(const struct http_request *r);
/* Decoded path, without query. Never contains NUL. */
const char *http_path(const struct http_request *r);
const char *http_query(const struct http_request *r, const char *name);  /* NULL where absent */
const char *http_header(const struct http_request *r, const char *name); /* the first; NULL where absent */
struct view http_body(const struct http_request *r);
/* A field of the collected body read as a form (urlencoded or multipart); a view into the request's memory; ptr NULL
 * where absent. */
struct view http_form(struct http_request *r, const char *name);
/* Peer of a Unix socket; -ENOTSUP where it is none. */
int http_peer(const struct http_request *r, uid_t *ret_uid, gid_t *ret_gid);
/* Where the request comes from: the socket's peer, or the last address of X-Forwarded-For not in proxies when the peer
 * is one of them. */
void http_remote(const struct http_request *r, char *to, size_t size);

/* Replaces the request's deadline: that long from now, or 0: none. For uploads and downloads that take their time. */
void http_set_deadline(struct http_request *r, int64_t usec);
/* Ends the request, on_end and all, when its client goes away before it was answered: for long work that nobody wants any
 * more then. A connection that waits is not looked at otherwise. -ENOMEM and the like. */
int http_end_with_client(struct http_request *r);
void http_set_user(struct http_request *r, void *data); /* the handler's own pointer */
void *http_user(const struct http_request *r);
void http_pause_body(struct http_request *r);
void http_resume_body(struct http_request *r);

/* One header field of the answer; call before http_answer(). */
void http_add_header(struct http_request *r, const char *name, const char *value);
/* Copies body. Exactly once for each request. A HEAD gets the same head and no body. */
void http_answer(struct http_request *r, unsigned status, const char *content_type, struct view body);
/* The whole of a regular file, from its begin; takes over fd. */
void http_answer_file(struct http_request *r, unsigned status, const char *content_type, int fd);
/* An answer whose body is pulled in pieces: next() appends at most about room bytes to `to` and returns 1 more, 0 end,
 * or -EAGAIN: nothing yet, go on at http_more(). Any other failure cuts the answer off, so that the client sees that it
 * is not whole. */
typedef int http_next(void *user, struct http_request *r, size_t room, struct buf *to);
void http_answer_stream(struct http_request *r, unsigned status, const char *content_type, http_next *next, void *user);
void http_more(struct http_request *r);
