/* Ids of subscribers and announcements are never used again, not even after a restore that has lost the newest: the
 * bits above 40 are an epoch (meta 'epoch') that a restore raises. Ids stay below 2^49 (trust/code.h). */
#pragma once
#include <stdint.h>

struct db;

enum { EPOCH_SHIFT = 40, EPOCH_MAX = 511 };

/* Lets new ids begin in the store's epoch. Run at each opening. */
int epoch_apply(struct db *db);
/* For a restore: an epoch above the store's own and any other that is known to have been, in force at once. -EOVERFLOW
 * beyond EPOCH_MAX. */
int epoch_raise(struct db *db, int64_t known, int64_t *ret_epoch);
