/* A call: one request of the API while it is worked on. It lives until the client has its answer (or is gone) and its
 * job on the store's thread, if it has one, is done. */
#pragma once
#include <stdbool.h>

#include "api/api.h"
#include "api/rights.h"
#include "base/arena.h"
#include "net/http_server.h"
#include "net/json.h"
#include "store/store.h"

struct call {
    struct store_job job;      /* first: a job is cast back to its call */
    struct api_parts parts;    /* a copy: a job may end when the API is gone already */
    struct http_request *http; /* NULL once the client is gone */
    struct conf *conf;         /* the one in force when the call began; a reference */
    struct rights rights;
    struct arena arena;   /* of the call's own strings */
    const char *argument; /* of the path: an id, a name, an address */
    bool answered, in_store;
    /* What a step leaves for the loop: a document to answer with, and its status. */
    json_t *result;
    unsigned status;
    void *state;                                        /* the route's own */
    void (*free_state)(void *state);                    /* called with the call's end */
    void (*on_body)(struct call *c, struct view piece); /* streamed bodies; NULL: none */
    void (*on_gone)(struct call *c);                    /* the client went before the answer */
};

/* Hands the call's job to the store; its done answers with result and status, or with the job's failure. Where memory
 * failed until then (base/memory.h), that is the answer. */
void call_run(struct call *c, enum store_lane lane, int (*step)(struct store_job *, struct db *));
/* The same with an own done, which must end in call_finish(). */
void call_run_with(struct call *c, enum store_lane lane, int (*step)(struct store_job *, struct db *),
                   void (*done)(struct store_job *, int));
/* From an own done: answers as call_run() does, unless answered already. */
void call_finish(struct call *c, int result);
/* From an own done that answers later: false where the client has gone meanwhile, and with it the call. */
bool call_go_on(struct call *c);

/* The status that tells a negative errno. */
unsigned call_status_of(int error);
/* Answers; steals the document. */
void call_answer(struct call *c, unsigned status, json_t *document);
/* The same with 200 and a text of another kind. */
void call_answer_text(struct call *c, const char *content_type, const struct buf *text);
void call_fail(struct call *c, unsigned status, const struct why *why);
void call_refuse(struct call *c, unsigned status, const char *what, const char *todo);

/* The list of a name, if the caller may; else the answer is given and NULL returned. */
const struct conf_list *call_list(struct call *c, const char *name);
const char *call_keep(struct call *c, const char *s); /* in the arena; "" for NULL */
bool call_flag(const struct call *c, const char *query_name);
