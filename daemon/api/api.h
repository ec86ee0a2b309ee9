/* The daemon's own API: HTTP and JSON on a Unix socket, for the command line and for whoever automates it.
 *
 * Who may do what follows from the peer's user and groups (api/rights.h). Answers are JSON; an error is
 *   {"error": {"what": "...", "where": "...", "todo": "..."}, "problems": "..."}
 * with status 400 (wrong input), 403, 404, 409 (the state does not allow it), 503 (the store cannot be written).
 *
 * GET  /v1/status                       everything at a glance
 * GET  /v1/announcements/ID             one announcement
 * GET  /v1/announcements/ID/report      its recipients as JSON lines; ?not_delivered=1
 * POST /v1/announcements                an upload (announce/upload.h); ?list= ?at= ?check=1 ?again=1 ?hold=1 ?speak=
 *                                       ?test=ADDRESS ?language=
 * POST /v1/announcements/ID/release     and /pause, /resume, /stop
 * GET  /v1/lists                        with how many people they reach
 * POST /v1/lists/NAME/import            a CSV file; ?basis= ?evidence= ?file= ?charset= ?dry_run=1 ?skip_bad=1
 * GET  /v1/subscribers?find=TEXT        at most 200
 * GET  /v1/subscribers/ADDRESS          with subscriptions and the consent record
 * POST /v1/subscribers                  {"do": "add|change|change-address|leave|remove|restore", ...}
 * GET  /v1/export/ADDRESS              everything held on a person
 * POST /v1/privacy                      {"do": "erase|suppress|unsuppress", "address", "reason"}
 * GET  /v1/backup                       a copy of the store, for admins
 * GET  /v1/doctor                       what is wrong, for admins; ?quick=1
 * GET  /v1/test-token?list=NAME         for previews
 *
 * docs/API.md describes the documents. */
#pragma once
#include "base/why.h"

struct api;
struct conf;
struct dispatch;
struct keyring;
struct loop;
struct spool;
struct store;

/* What the routes work with; borrowed, all live longer than the API. */
struct api_parts {
    struct loop *loop;
    struct store *store;
    struct spool *spool;
    struct dispatch *dispatch;
    const struct keyring *keys;
    struct conf *conf;                              /* replaced at reload with api_set_conf() */
    void (*on_accepted)(void *user, uint32_t list); /* what waits on a list that follows a file is accepted */
    void (*on_erased)(void *user);                  /* somebody was */
    void *user;
};

/* Takes over listen_fd. */
int api_new(const struct api_parts *parts, int listen_fd, struct why *why, struct api **ret);
struct api *api_free(struct api *a);
void api_set_conf(struct api *a, struct conf *conf);
