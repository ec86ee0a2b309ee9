/* Ids of request records that were applied: a record acts once, however often its file comes. Committed together with
 * the effect. On the store's thread. */
#pragma once
#include <stdint.h>

struct db;

int applied_seen(struct db *db, const uint8_t id[16]); /* 1 seen, 0 not */
/* The word and time that are kept with it: 1, or 0 where it is not known. A longer word is cut. */
enum { APPLIED_WORD_MAX = 31 };
struct applied {
    int64_t at_usec;
    char result[APPLIED_WORD_MAX + 1];
};
int applied_get(struct db *db, const uint8_t id[16], struct applied *ret);
/* What became of it later. */
int applied_say(struct db *db, const uint8_t id[16], const char *result);
/* result: a word for the record ("left", "nothing", "test" …). */
int applied_keep(struct db *db, const uint8_t id[16], int64_t at_usec, const char *result);
/* Forgets those older; STORE_MORE while some remain. */
int applied_purge(struct db *db, int64_t before_usec);
