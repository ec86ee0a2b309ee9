/* The routes of the API: one row each. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "net/http_server.h"
#include "net/json.h"

struct call;

struct route {
    enum http_method method;
    const char *path; /* "*" stands for one segment, "**" for all that follows: the call's argument */
    uint64_t body_max;
    bool stream;                 /* on_body of the call is given pieces */
    void (*run)(struct call *c); /* at the head for streams, else when the body is whole */
    void (*end)(struct call *c); /* streams: the body is through */
};

/* How each list that the caller may see stands to the file that it follows: documents behind those in `to`. */
struct db;
int lists_add_sources(struct call *c, struct db *db, json_t *to);

void route_status(struct call *c);
void route_announcement(struct call *c);
void route_report(struct call *c);
void route_queue(struct call *c);
void route_release(struct call *c);
void route_pause(struct call *c);
void route_resume(struct call *c);
void route_stop(struct call *c);
void route_resend(struct call *c);
void route_lists(struct call *c);
void route_accept(struct call *c);
void route_import(struct call *c);
void route_import_end(struct call *c);
void route_subscribers(struct call *c);
void route_subscriber(struct call *c);
void route_change_subscriber(struct call *c);
void route_export(struct call *c);
void route_privacy(struct call *c);
void route_returns(struct call *c);
void route_returns_let_go(struct call *c);
void route_metrics(struct call *c);
void route_backup(struct call *c);
void route_doctor(struct call *c);
void route_test_token(struct call *c);
