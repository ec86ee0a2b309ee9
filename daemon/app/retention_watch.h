/* Has what [retention] ends removed: when it begins, and once a day; then requests that were applied long ago, and what
 * they tell of people and is not needed, too (people/forgetting.h). A failure is tried again after an hour. */
#pragma once

struct conf;
struct keyring;
struct loop;
struct requests_watch;
struct retention_watch;
struct spool;
struct store;

/* Borrowed; all live longer. conf: where the one in force is found. */
struct retention_watch_parts {
    struct loop *loop;
    struct store *store;
    struct spool *spool;
    const struct keyring *keys;
    struct conf *const *conf;
    struct requests_watch *requests;
};

int retention_watch_new(const struct retention_watch_parts *parts, struct retention_watch **ret);
/* Somebody was erased: what requests tell of them goes now. */
void retention_watch_forget(struct retention_watch *w);
struct retention_watch *retention_watch_free(struct retention_watch *w); /* NULL is fine */
