/* Recurring announcements: submits announce/occur.h as dispatch says that a date is due, one at a time. Where the
 * machine's trouble keeps a date from being made, it is tried again after a minute. */
#pragma once

struct conf;
struct dispatch;
struct keyring;
struct loop;
struct recurring;
struct spool;
struct store;

struct recurring_parts {
    struct loop *loop;
    struct store *store;
    struct spool *spool;
    const struct keyring *keys;
    struct dispatch *dispatch;
    struct conf *const *conf; /* the daemon's, the one in force whenever it is read */
};

/* -ENOMEM, or what the timer failed with. */
int recurring_new(const struct recurring_parts *parts, struct recurring **ret);
struct recurring *recurring_free(struct recurring *r); /* NULL is fine */
/* Something is due, or may be. */
void recurring_look(struct recurring *r);
