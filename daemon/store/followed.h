/* What is known of the files that lists follow (people/follow.h). On the store's thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

enum { FOLLOWED_DIGEST_BYTES = 32 };

struct db;

struct followed {
    bool has_digest, waits, accepted; /* accepted: what waits */
    uint8_t digest[FOLLOWED_DIGEST_BYTES], waiting[FOLLOWED_DIGEST_BYTES];
    int64_t at_usec;                /* when the content of digest was taken over */
    uint64_t would_remove, members; /* of what waits */
    const char *why;                /* what is wrong with the file just now, or "" */
};

/* All zero, and "", where nothing is known. why is in the arena. */
int followed_get(struct db *db, uint32_t list, struct arena *arena, struct followed *ret);
/* The list has this content now: nothing waits, and nothing is wrong. */
int followed_taken(struct db *db, uint32_t list, const uint8_t digest[FOLLOWED_DIGEST_BYTES], int64_t now_usec);
/* This content waits to be accepted. *ret_new: it did not before. */
int followed_waits(struct db *db, uint32_t list, const uint8_t digest[FOLLOWED_DIGEST_BYTES], uint64_t would_remove,
                   uint64_t members, bool *ret_new);
/* What is wrong with the file, or "". *ret_new: nothing was, or something else. A file that is wrong waits no more. */
int followed_wrong(struct db *db, uint32_t list, const char *why, bool *ret_new);
/* What waits is accepted, that content and no other: 1, or 0 where nothing waits. */
int followed_accept(struct db *db, uint32_t list);
