/* Suppression: addresses that nobody writes to, whatever the lists say. On the store's thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

struct db;

/* reason: a word (hard-bounce, soft-bounces, complaint, command); detail: the reply or who asked. The first reason
 * stays. */
int suppression_set(struct db *db, const char *address_key, const char *reason, const char *detail, int64_t now_usec);
/* The next address behind `after` ("" begins): 1 and it, in the arena, 0 none. */
int suppression_next(struct db *db, const char *after, struct arena *arena, const char **ret_address_key);
int suppression_clear(struct db *db, const char *address_key, bool *ret_was);
struct suppression {
    int64_t since_usec;
    const char *reason, *detail;
};
int suppression_read(struct db *db, const char *address_key, struct arena *arena, struct suppression *ret); /* 1, 0 */
int suppression_get(struct db *db, const char *address_key, struct arena *arena, const char **ret_reason);  /* 1, 0 */
