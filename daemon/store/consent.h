/* The consent record: what happened to a person's subscriptions, when, how, from where, in which exact words.
 * Append-only, until the person is erased. On the store's thread. */
#pragma once
#include <stdint.h>

struct db;

/* What the record says of a change. NULL strings stand for "". */
struct consent {
    const char *what;       /* subscribed, left, undone, removed, restored, changed, suppressed, unsuppressed */
    const char *how;        /* import, command, link, one-click, mail, phone, letter */
    const char *origin;     /* who or where from */
    const char *basis;      /* consent, membership, public-task, other */
    const char *evidence;   /* exact wording */
    const uint8_t *request; /* 16 bytes, or NULL */
    int64_t import;         /* whose row said so: unseen until it is done; else 0 */
};

/* list 0: all lists. */
int consent_add(struct db *db, int64_t subscriber, uint32_t list, int64_t at_usec, const struct consent *consent);

struct consent_row {
    int64_t at_usec;
    uint32_t list;
    const char *what, *how, *origin, *basis, *evidence;
};
/* A non-zero answer ends the walk and is returned. */
typedef int consent_on_row(void *user, const struct consent_row *row);
/* Oldest first, the imports' entries among them. */
int consent_each(struct db *db, int64_t subscriber, consent_on_row *on_row, void *user);
