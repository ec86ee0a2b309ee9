/* What http_server.c (daemon, connections, deadlines) and http_request.c (one request and its answer) share. They are
 * one module; nobody else includes this.
 *
 * A request is born when its first line has come (on_uri), is handed to on_access by libmicrohttpd again and again
 * (head, pieces of the body, end), and dies in on_completed. While an answer is awaited, a body is paused or a streamed
 * answer has nothing to send, the connection is suspended: libmicrohttpd then neither polls nor looks at it. */
#pragma once
#include <microhttpd.h>

#include "base/arena.h"
#include "net/form.h"
#include "net/http_server.h"
#include "net/remote.h"

struct loop;
struct loop_source;

struct http_server {
    struct MHD_Daemon *mhd;
    struct loop *loop;
    struct http_handlers handlers;
    void *user;
    struct loop_source *io, *again, *timer, *drained;
    unsigned connections_per_source;
    int64_t deadline_usec;
    struct remote_net *proxies;
    size_t proxy_count;
    struct http_connection *connections;
    unsigned connection_count;
    int listen_fd;    /* libmicrohttpd's */
    unsigned refused; /* runs without success, one after the other, while somebody waited */
    struct loop_source *rest;
    bool draining;
    void (*on_drained)(void *user);
    void *drained_user;
};

struct http_connection {
    struct http_connection *next, **link;
    struct http_server *server;
    struct MHD_Connection *mhd;
    int fd;
    struct remote peer;
    int64_t deadline_mono_usec; /* INT64_MAX: none */
    bool cut;                   /* its socket was shut down by us */
    struct http_request *request;
};

struct http_request {
    struct http_connection *connection;
    struct arena arena;
    void *user;

    /* The head. */
    struct view target;
    enum http_method method;
    const char *path;
    struct form query, form;
    bool query_read, form_read;
    struct loop_source *hangup; /* of the client, where that is of interest */

    /* Where the exchange stands. */
    bool head_seen, announced, whole, suspended, paused, stream, aborted;
    uint64_t body_max, body_seen;
    struct buf body;

    /* The answer. */
    struct header {
        struct header *next;
        const char *name, *value;
    } * headers, **headers_end;
    struct MHD_Response *response;
    unsigned status;
    http_next *next;
    void *next_user;
    struct buf chunk;
    bool queued, close, next_ended, more;
};

/* libmicrohttpd's callbacks; cls is the server. */
void *http_on_uri(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result http_on_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                               const char *version, const char *upload_data, size_t *upload_size, void **request);
void http_on_completed(void *cls, struct MHD_Connection *mhd, void **request, enum MHD_RequestTerminationCode code);
/* No more events for the request: whatever libmicrohttpd asks is answered with the end of the connection. */
void http_abort(struct http_request *r);
