#include "base/encode.h"

#include <errno.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base32_digits[] = "abcdefghijklmnopqrstuvwxyz234567";
static const char base64url_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int digit_value(const char *digits, char c) {
    if (c >= 'A' && c <= 'Z')
        c = (char)(c - 'A' + 'a');
    const char *p = c ? strchr(digits, c) : NULL;
    return p ? (int)(p - digits) : -1;
}

/* All encodings are the same walk with another number of bits for each digit. */
static inline void encode_bits(struct buf *to, const uint8_t *bytes, size_t len, const char *digits, unsigned bits) {
    unsigned have = 0, value = 0;
    size_t i = 0;
    char *start = len < SIZE_MAX / 8 ? buf_reserve(to, (len * 8 + bits - 1) / bits) : NULL, *out = start;
    if (!out)
        return;
    for (; len - i >= bits; i += bits) { /* eight digits at once */
        uint64_t group = 0;
#pragma GCC unroll 8
        for (unsigned k = 0; k < bits; k++)
            group = group << 8 | bytes[i + k];
#pragma GCC unroll 8
        for (unsigned k = 8; k-- > 0;)
            *out++ = digits[group >> (k * bits) & ((1u << bits) - 1)];
    }
    for (; i < len; i++) {
        value = (value << 8 | bytes[i]) & 0xFFFF;
        for (have += 8; have >= bits; have -= bits)
            *out++ = digits[value >> (have - bits) & ((1u << bits) - 1)];
    }
    if (have)
        *out++ = digits[value << (bits - have) & ((1u << bits) - 1)];
    buf_used(to, (size_t)(out - start));
}

static int decode_bits(struct view v, uint8_t *ret, size_t len, const char *digits, unsigned bits) {
    if (v.len != (len * 8 + bits - 1) / bits)
        return -EINVAL;
    unsigned have = 0, value = 0;
    size_t done = 0;
    for (size_t i = 0; i < v.len; i++) {
        int d = digit_value(digits, v.ptr[i]);
        if (d < 0)
            return -EINVAL;
        value = (value << bits | (unsigned)d) & 0xFFFF;
        have += bits;
        if (have >= 8) {
            have -= 8;
            ret[done++] = (uint8_t)(value >> have);
        }
    }
    return value & ((1u << have) - 1) ? -EINVAL : 0;
}

void encode_hex(struct buf *to, const void *bytes, size_t len) {
    encode_bits(to, bytes, len, hex_digits, 4);
}

int decode_hex(struct view v, void *ret_bytes, size_t len) {
    return decode_bits(v, ret_bytes, len, hex_digits, 4);
}

void encode_base32(struct buf *to, const void *bytes, size_t len) {
    encode_bits(to, bytes, len, base32_digits, 5);
}

int decode_base32(struct view v, void *ret_bytes, size_t len) {
    return decode_bits(v, ret_bytes, len, base32_digits, 5);
}

void encode_base64url(struct buf *to, const void *bytes, size_t len) {
    encode_bits(to, bytes, len, base64url_digits, 6);
}
