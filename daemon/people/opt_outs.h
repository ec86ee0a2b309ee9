/* That somebody left outlives a restore, also of a membership that the backup does not know: who was imported after it, or
 * came to another list. On the store's thread.
 *
 * KEPT    The record of what led to it says in applied/ who it was: the person's number, a keyed hash of the address
 *         (code_address_hash() of trust/code.h), and the lists (spool/request.h, "the daemon's own copy").
 * REPEAT  After the record was repeated as far as the store can, each of these lists that the person is on is left, and
 *         of each other one the hash is noted (store/opt_out.h). An undo takes the same back, and
 *         so does the answer to a mail by which somebody of a known number joined a list again.
 * HOLDS   Imports leave the address out of that list, as they do with everybody who left it, and nobody adds it by
 *         accident. It ends when the person joins the list by their own act, is added "again" or is erased, and
 *         says nothing of whoever is on the list with that address, having moved to it. List
 *         OPT_OUT_EVERYTHING, of a complaint, is what a suppression is, of every list; it ends with `unsuppress`.
 *
 * What only tells that mail came back is not kept like that: the next mail tells it once more. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spool/request.h"
#include "store/opt_out.h"
#include "store/subscription.h"

struct db;
struct keyring;
struct request_act;

/* As the keys of a record have it. Begin with a zeroed one: nobody. */
struct opt_outs_who {
    char hash[2 * OPT_OUT_HASH_BYTES + 1], subscriber[24], lists[REQUEST_LISTS_MAX * 11 + 1];
};
/* The person, and those of the lists on which they are in that state now; OPT_OUT_EVERYTHING always counts. Nobody where
 * none remains, nobody has the number, keys is NULL, or they are more than REQUEST_LISTS_MAX: then a restore repeats no
 * more than the verb can. */
int opt_outs_who(struct db *db, const struct keyring *keys, int64_t subscriber, enum subscription_state state,
                 const uint32_t *lists, size_t count, struct opt_outs_who *ret);
/* Puts it into a record, which is valid as long as `who` is. */
void opt_outs_put(const struct opt_outs_who *who, struct request *q);

/* What the verb could not repeat. */
int opt_outs_repeat(struct request_act *a, const struct request *q);

/* Whether the address left that list: 1 and when, 0 else, and where keys is NULL. */
int opt_outs_get(struct db *db, const struct keyring *keys, const char *address_key, uint32_t list,
                 struct opt_out *ret);
int opt_outs_lift(struct db *db, const struct keyring *keys, const char *address_key, uint32_t list, bool *ret_was);
