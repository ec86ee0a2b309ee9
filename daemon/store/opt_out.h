/* Who left, of memberships that the store does not know, as the backup that was restored is older than they: known by the
 * keyed hash of the address (code_address_hash() of trust/code.h). On the store's thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct db;

enum { OPT_OUT_HASH_BYTES = 32, OPT_OUT_WORD_MAX = 31 };
#define OPT_OUT_EVERYTHING UINT32_C(0) /* as list: nothing at all is to be sent to the address */

struct opt_out {
    uint32_t list;
    int64_t at_usec;
    char how[OPT_OUT_WORD_MAX + 1];
};
/* A new one takes the place of an old one. A longer word is cut when it is read. */
int opt_out_note(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], uint32_t list, int64_t at_usec,
                 const char *how);
int opt_out_get(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], uint32_t list, struct opt_out *ret); /* 1, 0 */
/* The same of everything, or else of the list. */
int opt_out_find(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], uint32_t list, struct opt_out *ret);
/* The first of the address at or behind that list: 1 and it, 0 none. */
int opt_out_next(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], uint32_t from, struct opt_out *ret);
int opt_out_forget(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], uint32_t list, bool *ret_was);
/* All of the address. */
int opt_out_forget_all(struct db *db, const uint8_t hash[OPT_OUT_HASH_BYTES], bool *ret_any);
int opt_out_any(struct db *db); /* whether there are any at all: 1 or 0 */
