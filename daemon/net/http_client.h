/* Requests of the command line to the daemon, over its Unix socket (libcurl, blocking, one connection kept).
 *
 * An answer of any status is a success of the exchange: the caller looks at it. Failures are told for people: the
 * daemon does not run, may not be asked, ended the connection, or was silent for too long. The body of an answer is
 * collected, up to HTTP_CLIENT_ANSWER_MAX_BYTES, or handed on in pieces (only where the status is 2xx; others are
 * collected). */
#pragma once
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/view.h"
#include "base/why.h"

struct http_client;

enum { HTTP_CLIENT_ANSWER_MAX_BYTES = 64 * 1024 * 1024 };

struct http_client_request {
    const char *method; /* NULL: GET without content_type, else POST */
    const char *path;   /* with query, encoded (http_client_encode) */
    const char *content_type;
    struct view body;
    FILE *file;               /* instead of body: from its position to its end */
    int64_t silence_max_usec; /* how long nothing may move in either direction; 0: for ever */
    /* Each may be NULL. total is 0 where it is not known. A non-zero answer ends the exchange with -ECANCELED. */
    int (*on_progress)(void *user, uint64_t sent, uint64_t total);
    int (*on_data)(void *user, struct view piece);
    void *user;
};

struct http_client_answer {
    unsigned status;
    char content_type[64];
    struct buf body;
};

int http_client_new(const char *socket_path, struct http_client **ret);
struct http_client *http_client_free(struct http_client *c);
/* Fills ret, whose body the caller inits (any cap; the lower counts) and frees; on failure it may hold a part.
 * -ENOENT, -ECONNREFUSED: not running; -EACCES; -ECONNRESET: ended before its whole answer; -ETIMEDOUT; -EMSGSIZE;
 * -ECANCELED. */
int http_client_call(struct http_client *c, const struct http_client_request *request, struct http_client_answer *ret,
                     struct why *why);
/* Appends text percent-encoded for a path segment or a query value. */
void http_client_encode(struct buf *to, struct view text);
