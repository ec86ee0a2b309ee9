/* The audience of an announcement: whom it is for, as it was fixed at the release, and how far they are claimed. Kept in
 * blocks (schema_4.sql) of those who have no row in delivery yet; who has one is there, whole. On the store's thread.
 *
 * STATES  of somebody who is in a block and has no row
 *           pending   behind the cursor, which is where the last run of claims ended
 *           claimed   up to it */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct db;

enum { AUDIENCE_LISTS_MAX = 32, AUDIENCE_LANGUAGES_MAX = 16, AUDIENCE_BLOCK = 256 };

struct audience_person {
    int64_t subscriber;
    uint8_t list, language; /* which of the block's */
};
/* About 6 KiB. */
struct audience_block {
    int64_t announcement;
    uint32_t lists[AUDIENCE_LISTS_MAX];
    char languages[AUDIENCE_LANGUAGES_MAX][16];
    size_t list_count, language_count, count;      /* at least one of each */
    struct audience_person people[AUDIENCE_BLOCK]; /* in order of subscribers */
};
static inline int64_t audience_last(const struct audience_block *b) {
    return b->people[b->count - 1].subscriber;
}

/* Writes a block behind all others. */
int audience_add(struct db *db, const struct audience_block *block);
/* The first block that has somebody behind `after`: 1, or 0 where there is none. -EUCLEAN where it is damaged. */
int audience_next(struct db *db, int64_t announcement, int64_t after, struct audience_block *ret);
/* The block and the place in it of somebody: 1; 0 where they are in none. */
int audience_find(struct db *db, int64_t announcement, int64_t subscriber, struct audience_block *ret,
                  size_t *ret_place);
/* The next announcement behind `after` that has blocks. */
int audience_next_announcement(struct db *db, int64_t after, int64_t *ret);

/* Up to whom it is claimed; 0: nobody is. */
int audience_cursor(struct db *db, int64_t announcement, int64_t *ret);
/* Those from the cursor up to `upto` are claimed (or have rows now). */
int audience_claim(struct db *db, int64_t announcement, int64_t upto, int64_t at_usec);
/* When somebody without a row was claimed; 0 where they were not. */
int audience_claimed_at(struct db *db, int64_t announcement, int64_t subscriber, int64_t *ret);

/* Who of the block, up to and with `upto`, has no row: their places. */
int audience_lacking(struct db *db, const struct audience_block *block, int64_t upto, uint16_t ret[AUDIENCE_BLOCK],
                     size_t *ret_count);
/* Removes blocks from the first on as long as all their people have rows; looks at no more than max. */
int audience_trim(struct db *db, int64_t announcement, unsigned max);
/* Removes all that is left of it: nobody in it is pending or claimed. STORE_MORE while some remains. */
int audience_drop(struct db *db, int64_t announcement);
