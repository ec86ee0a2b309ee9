/* Erasure: a person goes, and what they must not come back by accident with stays. On the store's thread.
 *
 * What goes: the person, subscriptions with their tags, the consent record, what an import is about to change of them,
 * the suppression of the address, and notices to it. What stays, and of whom nothing tells any more: the rows of
 * deliveries, which the counters of announcements sum up, without what the relay said (a reply may quote the address);
 * that somebody left a list by a certain way on a certain day. The id is never used again, and old links of theirs find
 * nobody. What was deleted is gone from the file with the commit (db_scrub()). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

struct db;

/* -EBUSY: a mail to them is on its way just now. Otherwise nothing fails but the store. */
int erasure_person(struct db *db, int64_t subscriber);
/* What is there of an address, whether or not somebody has it; *ret_any: something was. -EBUSY as above. */
int erasure_address(struct db *db, const char *address_key, bool *ret_any);

/* The marks that stay, by code_address_hash() of trust/code.h. */
enum { ERASURE_HASH_BYTES = 32 };
struct erasure {
    int64_t at_usec;
    const char *by, *reason;
};
/* A new one stands before an old one, and in the place of what store/opt_out.h has of the address. What requests in the
 * spool tell of the address, and of the subscriber (or 0), is noted to be removed (store/forget.h). */
int erasure_mark(struct db *db, const uint8_t hash[ERASURE_HASH_BYTES], int64_t subscriber,
                 const struct erasure *erasure);
int erasure_forget(struct db *db, const uint8_t hash[ERASURE_HASH_BYTES]);
/* 1 and the mark, 0 none. Strings in the arena. */
int erasure_get(struct db *db, const uint8_t hash[ERASURE_HASH_BYTES], struct arena *arena, struct erasure *ret);
int erasure_any(struct db *db); /* whether there are marks at all: 1 or 0 */
