/* Subscriptions: who is on which list. On the store's thread.
 *
 * STATES  (none) -> pending -> active -> left (the person's act) | removed (ours, reversible)
 *         left, removed -> active. A change is always written together with its entry in the consent record. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/consent.h"

struct db;

enum subscription_state { SUBSCRIPTION_PENDING = 1, SUBSCRIPTION_ACTIVE, SUBSCRIPTION_LEFT, SUBSCRIPTION_REMOVED };
const char *subscription_state_name(enum subscription_state s);

struct subscription {
    uint32_t list;
    int64_t subscriber, since_usec, import;
    enum subscription_state state;
};

/* A non-zero answer ends the walk and is returned. */
typedef int subscription_on_row(void *user, const struct subscription *s);
int subscription_each_of(struct db *db, int64_t subscriber, subscription_on_row *on_row, void *user);
int subscription_get(struct db *db, uint32_t list, int64_t subscriber, struct subscription *ret); /* 1 found, 0 not */
/* Sets the state and appends to the consent record, in one. -ESTALE where it already has that state (nothing is
 * written). */
int subscription_set(struct db *db, uint32_t list, int64_t subscriber, enum subscription_state state, int64_t now_usec,
                     const struct consent *consent);
/* The tags of a subscription (mail/tags.h), appended to `to`; nothing where there is none. */
int subscription_tags(struct db *db, uint32_t list, int64_t subscriber, struct buf *to);
/* A change as tags_read() wrote it. -E2BIG beyond TAGS_MAX, -ESTALE where it changes nothing, -ENOENT. */
int subscription_change_tags(struct db *db, uint32_t list, int64_t subscriber, struct view change);
/* Undo of a leave: back to active with the since it had. -ESTALE where it is not left; -ETIME where that was longer
 * than max_age_usec ago. */
int subscription_undo_leave(struct db *db, uint32_t list, int64_t subscriber, int64_t now_usec, int64_t max_age_usec,
                            const struct consent *consent);

/* The signature of a member's token, made by the key key_id (1 to 255), is kept with the subscription. */
enum { SUBSCRIPTION_SIGNATURE_BYTES = 64 };
int subscription_keep_signature(struct db *db, uint32_t list, int64_t subscriber, uint8_t key_id,
                                const uint8_t signature[SUBSCRIPTION_SIGNATURE_BYTES]);
/* Looks at max members behind *cursor, which moves on: those that are active and have no signature. 1 where there may
 * be more. */
int subscription_lacking_signature(struct db *db, uint32_t list, int64_t *cursor, size_t max, int64_t ret[],
                                   size_t *ret_count);

/* Counts the members of a list in slices. Begin with a zeroed struct. Languages are those of active members, "" where
 * none is known; beyond the cap they count as other. */
enum { CENSUS_LANGUAGES_MAX = 32 };
struct subscription_census {
    uint64_t active, all;
    struct {
        char code[16];
        uint64_t count;
    } languages[CENSUS_LANGUAGES_MAX];
    size_t language_count;
    uint64_t other;
    int64_t cursor;
};
/* One more active member. */
void subscription_census_add(struct subscription_census *census, const char *language);
/* STORE_MORE until the whole list is counted. Without languages it is several times as fast. */
int subscription_census(struct db *db, uint32_t list, bool languages, struct subscription_census *census);
