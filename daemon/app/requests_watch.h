/* Watches the folders that the doors write to, and has what comes in applied: all that waits at the start, then
 * whatever arrives. A failure (a full disk) is tried again every ten seconds. */
#pragma once
#include "base/why.h"

struct conf;
struct dispatch;
struct keyring;
struct loop;
struct requests_watch;
struct spool;
struct store;

struct requests_watch_parts {
    struct loop *loop;
    struct store *store;
    struct spool *spool;
    const struct keyring *keys;
    struct conf *const *conf;  /* the one in force */
    struct dispatch *dispatch; /* told of what was released, and of destinations that want fewer mails */
};

/* on_first is called once, with the result of applying all that waited. */
int requests_watch_new(const struct requests_watch_parts *parts, void (*on_first)(void *user, int result), void *user,
                       struct why *why, struct requests_watch **ret);
struct requests_watch *requests_watch_free(struct requests_watch *w);
/* Looks once more, and at what is old enough to go where that was not looked at for a day. */
void requests_watch_look(struct requests_watch *w);
