/* What a monitor wants to know of each list, in one short look. On the store's thread. */
#pragma once
#include <stdint.h>

struct db;

/* Sums over all announcements to a list, also those that are over: of the people whom they reach through it. */
struct census_sending {
    uint32_t list;
    uint64_t pending, delivered, deferred, refused, in_doubt, left_out;
    int64_t oldest_usec; /* when the oldest that still has somebody to write to was begun; 0: there is none */
};
typedef void census_on_sending(void *user, const struct census_sending *s);
int census_sending_each(struct db *db, census_on_sending *on_list, void *user);

/* How often somebody left a list, and how (store/consent.h). */
typedef void census_on_left(void *user, uint32_t list, const char *how, uint64_t count);
int census_left_each(struct db *db, census_on_left *on_count, void *user);
