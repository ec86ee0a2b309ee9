/* Whose traces outside of the store are still to be removed, which is the work of people/forgetting.h: who was erased, by
 * the keyed hashes of their addresses and by their number. On the store's thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct db;

enum { FORGET_HASH_BYTES = 32 };

/* Of an address, and of those that the subscriber had before. subscriber: or 0. Their former addresses are forgotten here. */
int forget_add(struct db *db, const uint8_t address_hash[FORGET_HASH_BYTES], int64_t subscriber, int64_t at_usec);
/* The number of the last that is to be done: 1, or 0 where there is none. */
int forget_last(struct db *db, int64_t *ret_upto);
/* Whether what was applied at that time tells of one of them: 1 or 0. Who came back later is somebody else. */
int forget_address(struct db *db, int64_t upto, const uint8_t address_hash[FORGET_HASH_BYTES], int64_t applied_usec);
int forget_subscriber(struct db *db, int64_t upto, int64_t subscriber, int64_t applied_usec);
/* Up to there it is done. */
int forget_done(struct db *db, int64_t upto);

/* An address that a subscriber has no more, for an erasure to come. */
int former_address_keep(struct db *db, int64_t subscriber, const uint8_t address_hash[FORGET_HASH_BYTES],
                        int64_t at_usec);
/* Of older ones no request tells any more. STORE_MORE while some remain. */
int former_address_purge(struct db *db, int64_t before_usec);
