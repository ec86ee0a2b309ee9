/* Short authenticated codes made with keys derived from the master key. Only the daemon can make or check them. */
#pragma once
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

struct keyring;

enum code_purpose {
    CODE_BOUNCE = 1, /* PREFIX+<code>@DOMAIN, the return path of one message */
    CODE_LEAVE = 2,  /* PREFIX+u<code>@DOMAIN, opt-out by mail */
};

/* Return-path code of (announcement, subscriber); for CODE_LEAVE of (list, subscriber). Ids are below 2^49.
 * FORMAT  base32 (RFC 4648 §6, lower case, no padding) of:
 *           version 4 bits = 1 | purpose 4 bits | first id, second id as shortest LEB128 | keyed BLAKE2b 10
 *         which is at most 40 characters; CODE_TEXT_MAX is what return paths keep free for it. */
enum { CODE_TEXT_MAX = 48 };
void code_make(const struct keyring *keys, enum code_purpose purpose, uint64_t first, uint64_t second, struct buf *to);
/* In any ASCII case, as mail systems change it. -EBADMSG for anything that code_make() did not make. */
int code_check(const struct keyring *keys, struct view code, enum code_purpose *ret_purpose, uint64_t *ret_first,
               uint64_t *ret_second);

/* The left part of the Message-ID of (announcement, subscriber), stable for ever. Ids as above.
 * FORMAT  base32 of: announcement 7 bytes, the highest first | keyed BLAKE2b 9. 26 characters. */
enum { CODE_MESSAGE_ID_LEN = 26 };
void code_message_id(const struct keyring *keys, uint64_t announcement, uint64_t subscriber, struct buf *to);
/* In any ASCII case. -EBADMSG where no mail to this subscriber can have had it. */
int code_check_message_id(const struct keyring *keys, struct view id, uint64_t subscriber, uint64_t *ret_announcement);
/* Keyed hash of a compared address (address_key of mail/address.h), for suppressions that outlive an erasure. */
void code_address_hash(const struct keyring *keys, struct view address_key, uint8_t ret[32]);

/* 16 bytes that nobody can choose, the same for the same request and what: two of one request that must differ. */
void code_nonce(const struct keyring *keys, const uint8_t request[16], bool what, uint8_t ret[16]);

/* Unkeyed BLAKE2b-256; for identities of file sets. In one piece, or in several with a state of the caller's. */
struct code_digest {
    alignas(64) uint8_t opaque[384];
};
void code_digest(struct view data, uint8_t ret[32]);
void code_digest_begin(struct code_digest *state);
void code_digest_add(struct code_digest *state, struct view data);
void code_digest_end(struct code_digest *state, uint8_t ret[32]);
