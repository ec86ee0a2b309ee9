/* Signed tokens: what a link in a mail may do, for one person and one list.
 *
 * FORMAT  base64url without padding (RFC 4648 §5) of, all numbers big-endian:
 *           version 1 = 1 | key id 1 | purpose 1 | body | signature 64
 *         where the body, and the length of the text, depend on the purpose:
 *           recipient, test   list 4 | subscriber 8             106 characters
 *           confirm           list 4 | nonce 16 | expiry 8      127
 *           release           announcement 8 | expiry 8         111
 *         An expiry is in seconds since the epoch. The signature (Ed25519, RFC 8032) covers the context string
 *         "rundbrief token 1" and every byte before it.
 *
 * Verification needs public keys only. Anything but the one canonical text of a token is refused. */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

struct keyring;

enum token_purpose {
    TOKEN_RECIPIENT = 1, /* leave, preferences, answer an invitation; never expires */
    TOKEN_CONFIRM = 2,
    TOKEN_RELEASE = 3, /* once, expiring */
    TOKEN_TEST = 4,    /* subscriber 0: previews and test mails; verified, acknowledged, changes nothing */
};

enum { TOKEN_TEXT_MAX = 127, TOKEN_SIGNATURE_BYTES = 64 };

struct token {
    uint8_t key_id;
    enum token_purpose purpose;
    uint32_t list;         /* all but release */
    uint64_t subscriber;   /* recipient; 0 in test */
    uint64_t announcement; /* release */
    uint8_t nonce[16];     /* confirm */
    int64_t expires_usec;  /* confirm and release; whole seconds, a fraction is dropped */
};

/* Signs with the ring's active key (token->key_id is set by this) and appends the text. -ENOKEY without a secret key,
 * -EINVAL for a negative expiry or a test token with a subscriber. */
int token_sign(const struct keyring *keys, struct token *token, struct buf *to);
/* A recipient token from a signature that was kept: no signing, only encoding. key_id must be the one that signed. */
void token_print_recipient(uint8_t key_id, uint32_t list, uint64_t subscriber,
                           const uint8_t signature[TOKEN_SIGNATURE_BYTES], struct buf *to);
/* Signs a recipient token's content with the active key; for keeping. */
int token_sign_recipient(const struct keyring *keys, uint32_t list, uint64_t subscriber, uint8_t *ret_key_id,
                         uint8_t ret_signature[TOKEN_SIGNATURE_BYTES]);
/* -EBADMSG for anything not signed by a key of the ring, whatever is wrong with it. Expiry is the caller's to check.
 * Fields that the purpose does not have are zero. */
int token_verify(const struct keyring *keys, struct view text, struct token *ret);
