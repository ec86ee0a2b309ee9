#include "trust/code.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/encode.h"
#include "trust/ring.h"

#include "base/banned.h"

enum {
    VERSION = 1,
    ID_BITS = 49,
    ID_BYTES = 7, /* LEB128 of 49 bits */
    MAC = 10,
    BYTES_MAX = 1 + 2 * ID_BYTES + MAC,
};
static_assert((BYTES_MAX * 8 + 4) / 5 <= CODE_TEXT_MAX);
static_assert(sizeof(crypto_generichash_state) <= sizeof(struct code_digest));
static_assert(alignof(crypto_generichash_state) <= alignof(struct code_digest));

static size_t put_id(uint8_t *to, uint64_t id) {
    assert(id >> ID_BITS == 0);
    size_t n = 0;
    for (; id >= 0x80; id >>= 7)
        to[n++] = (uint8_t)(id | 0x80);
    to[n++] = (uint8_t)id;
    return n;
}

/* The shortest form only. */
static int get_id(const uint8_t **at, const uint8_t *end, uint64_t *ret) {
    uint64_t id = 0;
    for (unsigned shift = 0; shift < ID_BITS && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;
        id |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *ret = id;
            return byte == 0 && shift > 0 ? -EBADMSG : 0;
        }
    }
    return -EBADMSG;
}

static void mac(const struct keyring *keys, const uint8_t *bytes, size_t len, uint8_t ret[MAC]) {
    /* libsodium makes no hash of fewer than 16 bytes; BLAKE2b of 16 cut to 10 is as good for a code */
    uint8_t hash[crypto_generichash_BYTES_MIN];
    (void)crypto_generichash(hash, sizeof hash, bytes, len, keys->secrets->code, RING_DERIVED_BYTES);
    memcpy(ret, hash, MAC);
}

void code_make(const struct keyring *keys, enum code_purpose purpose, uint64_t first, uint64_t second, struct buf *to) {
    uint8_t bytes[BYTES_MAX] = {(uint8_t)(VERSION << 4 | purpose)};
    size_t len = 1;
    len += put_id(bytes + len, first);
    len += put_id(bytes + len, second);
    mac(keys, bytes, len, bytes + len);
    encode_base32(to, bytes, len + MAC);
}

int code_check(const struct keyring *keys, struct view code, enum code_purpose *ret_purpose, uint64_t *ret_first,
               uint64_t *ret_second) {
    uint8_t bytes[BYTES_MAX], right[MAC];
    size_t len = code.len * 5 / 8;
    if (len > sizeof bytes || len < 1 + 1 + 1 + MAC || decode_base32(code, bytes, len) < 0)
        return -EBADMSG;
    const uint8_t *at = bytes + 1, *end = bytes + len - MAC;
    uint64_t first, second;
    if (get_id(&at, end, &first) < 0 || get_id(&at, end, &second) < 0 || at != end)
        return -EBADMSG;
    mac(keys, bytes, len - MAC, right);
    if (sodium_memcmp(right, end, MAC) != 0)
        return -EBADMSG;
    unsigned purpose = bytes[0] & 0x0F;
    if (bytes[0] >> 4 != VERSION || (purpose != CODE_BOUNCE && purpose != CODE_LEAVE))
        return -EBADMSG;
    *ret_purpose = purpose;
    *ret_first = first;
    *ret_second = second;
    return 0;
}

enum { MESSAGE_ID_BYTES = 16 };
static_assert((MESSAGE_ID_BYTES * 8 + 4) / 5 == CODE_MESSAGE_ID_LEN);

static void message_id(const struct keyring *keys, uint64_t announcement, uint64_t subscriber,
                       uint8_t ret[MESSAGE_ID_BYTES]) {
    uint8_t ids[16], hash[16];
    for (unsigned i = 0; i < 8; i++) {
        ids[i] = (uint8_t)(announcement >> (56 - 8 * i));
        ids[8 + i] = (uint8_t)(subscriber >> (56 - 8 * i));
    }
    (void)crypto_generichash(hash, sizeof hash, ids, sizeof ids, keys->secrets->message_id, RING_DERIVED_BYTES);
    memcpy(ret, ids + 1, ID_BYTES);
    memcpy(ret + ID_BYTES, hash, MESSAGE_ID_BYTES - ID_BYTES);
}

void code_message_id(const struct keyring *keys, uint64_t announcement, uint64_t subscriber, struct buf *to) {
    uint8_t bytes[MESSAGE_ID_BYTES];
    assert(announcement >> ID_BITS == 0);
    message_id(keys, announcement, subscriber, bytes);
    encode_base32(to, bytes, sizeof bytes);
}

int code_check_message_id(const struct keyring *keys, struct view id, uint64_t subscriber, uint64_t *ret_announcement) {
    uint8_t bytes[MESSAGE_ID_BYTES], right[MESSAGE_ID_BYTES];
    uint64_t announcement = 0;
    if (id.len != CODE_MESSAGE_ID_LEN || decode_base32(id, bytes, sizeof bytes) < 0)
        return -EBADMSG;
    for (unsigned i = 0; i < ID_BYTES; i++)
        announcement = announcement << 8 | bytes[i];
    message_id(keys, announcement, subscriber, right);
    if (announcement >> ID_BITS != 0 || sodium_memcmp(right, bytes, sizeof bytes) != 0)
        return -EBADMSG;
    *ret_announcement = announcement;
    return 0;
}

void code_address_hash(const struct keyring *keys, struct view address_key, uint8_t ret[32]) {
    (void)crypto_generichash(ret, 32, (const uint8_t *)address_key.ptr, address_key.len, keys->secrets->address,
                             RING_DERIVED_BYTES);
}

void code_nonce(const struct keyring *keys, const uint8_t request[16], bool what, uint8_t ret[16]) {
    uint8_t bytes[1 + 16] = {what}; /* no code begins with a version of 0 */
    memcpy(bytes + 1, request, 16);
    (void)crypto_generichash(ret, 16, bytes, sizeof bytes, keys->secrets->code, RING_DERIVED_BYTES);
}

static crypto_generichash_state *inside(struct code_digest *state) {
    return (crypto_generichash_state *)(void *)state->opaque;
}

void code_digest_begin(struct code_digest *state) {
    (void)ring_begin(); /* without it the hash is only slower */
    (void)crypto_generichash_init(inside(state), NULL, 0, 32);
}

void code_digest_add(struct code_digest *state, struct view data) {
    (void)crypto_generichash_update(inside(state), (const uint8_t *)data.ptr, data.len);
}

void code_digest_end(struct code_digest *state, uint8_t ret[32]) {
    (void)crypto_generichash_final(inside(state), ret, 32);
}

void code_digest(struct view data, uint8_t ret[32]) {
    struct code_digest state;
    code_digest_begin(&state);
    code_digest_add(&state, data);
    code_digest_end(&state, ret);
}
