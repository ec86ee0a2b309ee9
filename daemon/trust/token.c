#include "trust/token.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "base/encode.h"
#include "base/number.h"
#include "trust/ring.h"

#include "base/banned.h"

enum {
    VERSION = 1,
    HEAD = 3, /* version, key id, purpose */
    NONCE = 16,
    BODY_MAX = 4 + NONCE + 8,
    BYTES_MAX = HEAD + BODY_MAX + TOKEN_SIGNATURE_BYTES,
    VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING,
};
static_assert(TOKEN_TEXT_MAX + 1 == sodium_base64_ENCODED_LEN(BYTES_MAX, VARIANT));
static_assert((int)TOKEN_SIGNATURE_BYTES == (int)crypto_sign_BYTES);

static const char context[] = "rundbrief token 1";
enum { CONTEXT = sizeof context - 1 };

/* What is signed: the context string, then the token's bytes before the signature. */
struct message {
    uint8_t bytes[CONTEXT + BYTES_MAX];
    size_t len;
};

static void put(struct message *m, uint64_t n, size_t bytes) {
    for (size_t i = bytes; i--;)
        m->bytes[m->len++] = (uint8_t)(n >> (8 * i));
}

static uint64_t get(const uint8_t **at, size_t bytes) {
    uint64_t n = 0;
    while (bytes--)
        n = n << 8 | *(*at)++;
    return n;
}

/* 0 for a purpose that is none. */
static size_t body_len(unsigned purpose) {
    switch (purpose) {
    case TOKEN_RECIPIENT:
    case TOKEN_TEST: return 4 + 8;
    case TOKEN_CONFIRM: return 4 + NONCE + 8;
    case TOKEN_RELEASE: return 8 + 8;
    }
    return 0;
}

static void begin(struct message *m, uint8_t key_id, enum token_purpose purpose) {
    memcpy(m->bytes, context, CONTEXT);
    m->len = CONTEXT;
    put(m, VERSION, 1);
    put(m, key_id, 1);
    put(m, purpose, 1);
}

static void put_recipient(struct message *m, uint32_t list, uint64_t subscriber) {
    put(m, list, 4);
    put(m, subscriber, 8);
}

static void put_body(struct message *m, const struct token *t) {
    uint64_t expires = (uint64_t)(t->expires_usec / USEC_PER_SEC);
    switch (t->purpose) {
    case TOKEN_RECIPIENT:
    case TOKEN_TEST: put_recipient(m, t->list, t->subscriber); return;
    case TOKEN_CONFIRM:
        put(m, t->list, 4);
        memcpy(m->bytes + m->len, t->nonce, NONCE);
        m->len += NONCE;
        put(m, expires, 8);
        return;
    case TOKEN_RELEASE:
        put(m, t->announcement, 8);
        put(m, expires, 8);
        return;
    }
}

static void sign(const struct ring_signer *signer, const struct message *m, uint8_t ret[TOKEN_SIGNATURE_BYTES]) {
    (void)crypto_sign_detached(ret, NULL, m->bytes, m->len, signer->secret); /* never fails */
}

static void print(struct message *m, const uint8_t signature[TOKEN_SIGNATURE_BYTES], struct buf *to) {
    memcpy(m->bytes + m->len, signature, TOKEN_SIGNATURE_BYTES);
    m->len += TOKEN_SIGNATURE_BYTES;
    encode_base64url(to, m->bytes + CONTEXT, m->len - CONTEXT); /* a token is no secret of ours: it stands in mails */
}

int token_sign(const struct keyring *keys, struct token *token, struct buf *to) {
    if (body_len(token->purpose) == 0 || token->expires_usec < 0 ||
        (token->purpose == TOKEN_TEST && token->subscriber != 0))
        return -EINVAL;
    const struct ring_signer *signer = keys->signer;
    if (!signer)
        return -ENOKEY;
    struct message m;
    uint8_t signature[TOKEN_SIGNATURE_BYTES];
    begin(&m, signer->id, token->purpose);
    put_body(&m, token);
    sign(signer, &m, signature);
    token->key_id = signer->id;
    print(&m, signature, to);
    return buf_error(to);
}

void token_print_recipient(uint8_t key_id, uint32_t list, uint64_t subscriber,
                           const uint8_t signature[TOKEN_SIGNATURE_BYTES], struct buf *to) {
    struct message m;
    begin(&m, key_id, TOKEN_RECIPIENT);
    put_recipient(&m, list, subscriber);
    print(&m, signature, to);
}

int token_sign_recipient(const struct keyring *keys, uint32_t list, uint64_t subscriber, uint8_t *ret_key_id,
                         uint8_t ret_signature[TOKEN_SIGNATURE_BYTES]) {
    const struct ring_signer *signer = keys->signer;
    if (!signer)
        return -ENOKEY;
    struct message m;
    begin(&m, signer->id, TOKEN_RECIPIENT);
    put_recipient(&m, list, subscriber);
    sign(signer, &m, ret_signature);
    *ret_key_id = signer->id;
    return 0;
}

static int read_body(const uint8_t *at, struct token *t) {
    uint64_t expires = 0;
    switch (t->purpose) {
    case TOKEN_RECIPIENT:
    case TOKEN_TEST:
        t->list = (uint32_t)get(&at, 4);
        t->subscriber = get(&at, 8);
        break;
    case TOKEN_CONFIRM:
        t->list = (uint32_t)get(&at, 4);
        memcpy(t->nonce, at, NONCE);
        at += NONCE;
        expires = get(&at, 8);
        break;
    case TOKEN_RELEASE:
        t->announcement = get(&at, 8);
        expires = get(&at, 8);
        break;
    }
    if (expires > INT64_MAX / USEC_PER_SEC || (t->purpose == TOKEN_TEST && t->subscriber != 0))
        return -EBADMSG;
    t->expires_usec = (int64_t)expires * USEC_PER_SEC;
    return 0;
}

/* Decodes the one canonical text of some bytes. libsodium 1.0.18 takes every byte above 0x7F for a '_', so what was
 * read is encoded again. */
static int decode(struct view text, uint8_t to[BYTES_MAX], size_t *ret_len) {
    char again[TOKEN_TEXT_MAX + 1];
    size_t len;
    if (text.len > TOKEN_TEXT_MAX ||
        sodium_base642bin(to, BYTES_MAX, text.ptr, text.len, NULL, &len, NULL, VARIANT) < 0)
        return -EBADMSG;
    if (!view_eq_str(text, sodium_bin2base64(again, sizeof again, to, len, VARIANT)))
        return -EBADMSG;
    *ret_len = len;
    return 0;
}

int token_verify(const struct keyring *keys, struct view text, struct token *ret) {
    struct message m;
    uint8_t *bytes = m.bytes + CONTEXT;
    size_t len;
    memcpy(m.bytes, context, CONTEXT);
    if (decode(text, bytes, &len) < 0 || len < HEAD)
        return -EBADMSG;
    size_t body = body_len(bytes[2]);
    if (bytes[0] != VERSION || body == 0 || len != HEAD + body + TOKEN_SIGNATURE_BYTES || !keys->public[bytes[1]].known)
        return -EBADMSG;
    if (crypto_sign_verify_detached(bytes + HEAD + body, m.bytes, CONTEXT + HEAD + body,
                                    keys->public[bytes[1]].bytes) != 0)
        return -EBADMSG;
    struct token t = {.key_id = bytes[1], .purpose = bytes[2]};
    int r = read_body(bytes + HEAD, &t);
    if (r == 0)
        *ret = t;
    return r;
}
