/* A copy of the store, made while it works, read through, and synced: what a backup hands out, and the only way to learn
 * whether the store is sound without holding it. Its pages are copied in slices on the store's thread (store/db.h); a
 * thread of its own reads the copy through, which takes seconds where a store is big. It lies in spool/tmp and goes with
 * copying_free(). */
#pragma once
#include <stdint.h>

#include "base/why.h"

struct copying;
struct loop;
struct spool;
struct store;

/* From the loop, once. 0; -ENOSPC where there is no room (nothing is left behind), -EUCLEAN where the store is damaged. */
typedef void copying_on_done(void *user, int result, const struct why *why);
int copying_new(struct loop *loop, struct store *store, struct spool *spool, const char *state_dir,
                copying_on_done *on_done, void *user, struct why *why, struct copying **ret);
/* Wherever it stands; the copy goes soon after. NULL is fine. */
struct copying *copying_free(struct copying *c);
/* Once it is done. */
const char *copying_path(const struct copying *c);
uint64_t copying_bytes(const struct copying *c);
