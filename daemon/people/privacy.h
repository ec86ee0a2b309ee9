/* What people may ask of whoever holds data on them: to be erased, and not to be written to at all. Functions over the
 * store, to be called in steps of jobs; act->evidence is the reason, in words, and must be given.
 *
 * An address that was erased leaves a keyed hash (code_address_hash() of trust/code.h; the key is derived from the
 * master key), the day, who did it and the reason. Imports leave such an address out and nobody adds it by accident:
 * member_add() with `again`, which needs a basis and evidence anew, forgets the mark.
 *
 * FAILS  -ENOENT nothing is held on this address; -ESTALE it is so already; -EINVAL a bad address or reason; -EBUSY a
 * mail to it is on its way just now. */
#pragma once
#include "people/member.h"
#include "store/erasure.h"

enum { PRIVACY_REASON_MAX_BYTES = 500 };

int privacy_erase(struct db *db, struct view address, const struct member_act *act, struct why *why);
/* The address is written to no more, whatever the lists say and whoever has it, now or later. */
int privacy_suppress(struct db *db, struct view address, const struct member_act *act, struct why *why);
int privacy_unsuppress(struct db *db, struct view address, const struct member_act *act, struct why *why);

/* 1 and what is known of the erasure, 0 where there was none. Strings in the arena. */
int privacy_erased(struct db *db, const struct keyring *keys, const char *address_key, struct arena *arena,
                   struct erasure *ret);
int privacy_forget(struct db *db, const struct keyring *keys, const char *address_key);
