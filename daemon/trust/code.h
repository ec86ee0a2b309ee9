/* Short authenticated codes made with keys derived from the master key. Only the daemon can make or check them. */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

struct keyring;

enum code_purpose {
    CODE_BOUNCE = 1, /* PREFIX+<code>@DOMAIN, the return path of one message */
    CODE_LEAVE = 2,  /* PREFIX+u<code>@DOMAIN, opt-out by mail */
};

/* Return-path code of (announcement, subscriber); for CODE_LEAVE of (list, subscriber).
 * FORMAT  base32 of: version 4 bits = 1 | purpose 4 bits | first id, second id as LEB128 | 10 bytes keyed BLAKE2b.
 *         At most 48 characters; ids below 2^49. */
enum { CODE_TEXT_MAX = 48 };
void code_make(const struct keyring *keys, enum code_purpose purpose, uint64_t first, uint64_t second, struct buf *to);
int code_check(const struct keyring *keys, struct view code, enum code_purpose *ret_purpose, uint64_t *ret_first,
               uint64_t *ret_second); /* -EBADMSG */

/* The left part of the Message-ID of (announcement, subscriber): 26 base32 characters, stable for ever. */
void code_message_id(const struct keyring *keys, uint64_t announcement, uint64_t subscriber, struct buf *to);
/* Keyed hash of a compared address (address_key of mail/address.h), for suppressions that outlive an erasure. */
void code_address_hash(const struct keyring *keys, struct view address_key, uint8_t ret[32]);
/* Unkeyed BLAKE2b-256; for identities of file sets. A NULL state begins; see code.c for the streaming form. */
void code_digest(struct view data, uint8_t ret[32]);
