/* Sign-ups that wait for their confirmation, and what the limits of such mails count. On the store's thread.
 *
 * A sign-up holds all that the consent record needs when it is confirmed. Until then nobody is in the store for it; what
 * is not confirmed in time is removed, and leaves nothing. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"

struct db;

enum { SIGN_UP_NONCE_BYTES = 16, SIGN_UP_REQUEST_BYTES = 16 };

/* Strings are never NULL. */
struct sign_up {
    const uint8_t *nonce;
    uint32_t list;       /* to join */
    bool moves;          /* not a list: the person's new address */
    uint32_t token_list; /* that the token names */
    int64_t subscriber;  /* who asked from their preferences; 0: whoever has the address */
    const char *address_key, *address, *given_name, *family_name, *language, *version, *wording, *source, *message_id;
    const uint8_t *request; /* id of the record that asked */
    int64_t at_usec, expires_usec;
    int64_t answered_usec; /* a restore could not repeat what followed the answer; else 0 */
};
int sign_up_add(struct db *db, const struct sign_up *s);
/* Takes one of that nonce out: 1 and the sign-up, its strings in the arena; 0 where there is none (any more). One that
 * is over by then is removed and not returned. */
int sign_up_take(struct db *db, const uint8_t nonce[SIGN_UP_NONCE_BYTES], int64_t at_usec, struct arena *arena,
                 struct sign_up *ret);
/* Whether one of that nonce is there: 1 or 0. */
int sign_up_waits(struct db *db, const uint8_t nonce[SIGN_UP_NONCE_BYTES]);
/* Those for an address, whoever asked. */
int sign_up_remove(struct db *db, const char *address_key, bool *ret_any);
/* A subscriber's changes of address that were asked for at that time or later. */
int sign_up_remove_moves(struct db *db, int64_t subscriber, int64_t since_usec);
/* The next address behind `after` ("": the first) for which one waits: 1 and its key in the arena; 0 at the end. */
int sign_up_next(struct db *db, const char *after, struct arena *arena, const char **ret_address_key);
/* The list behind `after` (-1: the first) for which some wait that were answered: 1, the list and how many; 0 at the end.
 * A change of address counts for list 0. */
int sign_up_next_answered(struct db *db, int64_t after, int64_t *ret_list, int64_t *ret_count);
/* Ends what is over, and forgets what the limits do not count any more. STORE_MORE while some remain. */
int sign_up_purge(struct db *db, int64_t now_usec, uint64_t *ret_count);

/* What was asked for; see the limits in people/asking.h. */
enum { ASKED_ADDRESS_BYTES = 32 };
struct asked {
    const char *what;       /* static: confirm, link */
    const uint8_t *address; /* keyed hash */
    uint32_t list;
    const char *network;
    int64_t at_usec, due_usec;
};
int asked_add(struct db *db, const struct asked *a);
/* How many since then: of mails to the address in all; of this kind and list; from the network; for the list. */
struct asked_counts {
    int64_t address, same, network, list, last_due_usec;
};
int asked_count(struct db *db, const struct asked *a, int64_t address_since, int64_t same_since, int64_t network_since,
                int64_t list_since, struct asked_counts *ret);
