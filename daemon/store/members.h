/* The people of one or several lists, side by side, in order of subscribers, and whom of them a filter means. On the
 * store's thread.
 *
 * Everybody with a subscription comes, active or not, meant or not: whoever walks ends its slices by time, also where
 * nobody is meant. Nothing may be written meanwhile to subscription, subscriber, import and suppression. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

struct db;
struct filter;
struct members;

enum { MEMBERS_LISTS_MAX = 32 };

struct members_query {
    const uint32_t *lists; /* each once */
    size_t list_count;
    int64_t after;             /* subscriber */
    int64_t at_usec;           /* who was a member then; INT64_MAX: now */
    const struct filter *only; /* NULL: all are meant */
    bool looking;              /* attributes and tags are wanted */
};

/* One person. A list's tags are asked for on the list that is looked at, so several may mean somebody and others not. */
struct member {
    int64_t subscriber;
    unsigned active, meant; /* through so many of the lists */
    size_t first;           /* of those that mean them, in the order of the query */
    struct view language;   /* until the next; of whom is active */
    bool suppressed;
};
/* -E2BIG for too many lists. */
int members_open(struct db *db, const struct members_query *query, struct members **ret);
/* 1, or 0 at the end. */
int members_next(struct members *m, struct member *ret);
/* What the person has on that list, where they are active on it. False where they are not. Wanted as `looking`. */
bool members_look(const struct members *m, size_t list, struct view *ret_attributes, struct view *ret_tags);
struct members *members_close(struct members *m); /* NULL is fine */
