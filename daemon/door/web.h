/* The web door: signing up, choosing and leaving, behind a web server that speaks TLS.
 *
 *   /u/TOKEN[/ANNOUNCEMENT[/LANGUAGE]]   GET, HEAD: a page with one button. POST: leaves (the form, or RFC 8058's
 *                                        List-Unsubscribe=One-Click), or takes that back within an hour
 *                                        or the same of all lists of the sender
 *   /s/LIST                              GET, HEAD: a form. POST: signs up; the answer is the same for everybody
 *   /c/TOKEN[/LANGUAGE]                  GET, HEAD: a page with one button. POST: confirms
 *   /p/TOKEN                             GET, HEAD: the preferences, which the daemon tells (net/question.h); while it is
 *                                        away, a button that leaves. POST: changes them
 *   /l                                   GET, HEAD: a form. POST: an address gets its links by mail, if it is known
 *   /r/TOKEN[/LANGUAGE]                  GET, HEAD: a held announcement, with one button. POST: releases it, once. Only
 *                                        while the daemon answers (net/question.h)
 *   /a/ANNOUNCEMENT[/LANGUAGE[.ics]]     GET, HEAD: its public page, where it has one, or the event in it
 *   /healthz  /style.css  /colour-RRGGBB.css GET, HEAD
 *
 * GET and HEAD change nothing. A POST is answered with 200 only when its request is durable in spool/requests/web, with
 * 503 and Retry-After when it could not be made so. Whether there was anything to leave is not known here, and not
 * said. A text that is no recipient's token gets one page with 404, whatever is wrong with it; a test token a page
 * saying so.
 *
 * Reads spool/public only: keys/ and lists, again when they have changed. Without lists the pages are general; without
 * any key it answers 503. Never shows or logs a token or an address. */
#pragma once
#include "base/why.h"

struct conf;
struct loop;
struct web;

enum {
    WEB_CONNECTIONS = 512,
    WEB_CONNECTIONS_PER_SOURCE = 64, /* but for the proxies */
    WEB_BODY_MAX_BYTES = 64 * 1024,
    WEB_DEADLINE_SEC = 30,
    WEB_UNDO_SEC = 3600, /* what the page offers; the daemon decides */
    WEB_RETRY_AFTER_SEC = 120,
    WEB_SOCKETS_MAX = 8,
    WEB_CHOICES_MAX = 50, /* lists among the preferences */
    WEB_QUOTA_SEC = 600,
    WEB_FORMS_MAX = 120,     /* forms with an address, of one network in that time: then 429 */
    WEB_QUESTIONS_MAX = 600, /* preferences shown */
};

/* Takes what it needs of the configuration: spool, templates, proxies. */
int web_new(struct loop *loop, const struct conf *conf, struct why *why, struct web **ret);
struct web *web_free(struct web *w);
/* Serves a listening socket, which it takes over, also when it fails. -E2BIG beyond WEB_SOCKETS_MAX. */
int web_listen(struct web *w, int listen_fd);
/* Reads words, templates, keys and lists again. What cannot be read stays as it was. */
int web_reload(struct web *w, struct why *why);
/* Accepts no more, answers what is in hand, then calls on_drained. */
void web_drain(struct web *w, void (*on_drained)(void *user), void *user);
