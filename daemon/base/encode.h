/* Bytes as hexadecimal digits, as base32 (RFC 4648 §6, lower case, no padding) and as base64url (§5, no padding).
 * Decoders take the whole view or nothing (-EINVAL), ignore ASCII case, and refuse set bits behind the last whole byte.
 * Not for secrets: how long it takes may tell something of the bytes. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

void encode_hex(struct buf *to, const void *bytes, size_t len);
int decode_hex(struct view v, void *ret_bytes, size_t len);
void encode_base32(struct buf *to, const void *bytes, size_t len);
/* len is the exact number of bytes expected. */
int decode_base32(struct view v, void *ret_bytes, size_t len);
void encode_base64url(struct buf *to, const void *bytes, size_t len);
