/* The keys in one encrypted file, to move them to another machine or to keep them in a safe place.
 *
 * FORMAT  line 1: "rundbrief-keys 1"
 *         line 2: "argon2id <passes> <KiB> <salt, 16 bytes in hex>"   RFC 9106, one lane, as libsodium's crypto_pwhash
 *         line 3: <nonce, 24 bytes in hex>
 *         then    base64 (RFC 4648 §4, lines of 76) of crypto_secretbox (XSalsa20 and Poly1305) of
 *                   "master HEX", "signing ID HEX" …, "public ID HEX" …, "active ID", a line each
 *         last    "end"
 *         The cost stands in the file; reading bounds it (KEY_EXPORT_KIB_MAX, KEY_EXPORT_PASSES_MAX), as the file may be
 *         anybody's. A wrong passphrase and a damaged file cannot be told apart but where the form is broken. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"
#include "base/why.h"

enum {
    KEY_EXPORT_KIB = 128 * 1024,
    KEY_EXPORT_PASSES = 4,
    KEY_EXPORT_KIB_MAX = 1024 * 1024,
    KEY_EXPORT_PASSES_MAX = 16,
    KEY_EXPORT_MAX_BYTES = 128 * 1024,
    KEY_PASSPHRASE_MIN_BYTES = 12,
    KEY_PASSPHRASE_MAX_BYTES = 1024,
};

/* Every key that is there, secret and public. -EINVAL for a passphrase out of bounds, -ENOENT where there are none. */
int key_export(const char *secret_dir, const char *public_dir, struct view passphrase, struct buf *to, struct why *why);
/* Writes what is missing; nothing that is there is changed. -EBADMSG: not such a file, damaged, or the passphrase is
 * another one; -EPROTONOSUPPORT a newer version; -EEXIST other keys are there. What was cut off is finished by the next
 * import. *ret_new: any was missing; *ret_active: which one signs now. */
int key_import(const char *secret_dir, const char *public_dir, struct view file, struct view passphrase, bool *ret_new,
               uint8_t *ret_active, struct why *why);
