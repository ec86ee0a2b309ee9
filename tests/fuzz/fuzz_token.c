/* Tokens. What verifies is exactly what signing its content gives: no other text of it is taken. And a token made of
 * the input verifies, and does not once one of its bits is changed. */
#include <stdint.h>

#include "base/number.h"
#include "fuzz_ring.h"
#include "trust/token.h"

static void sign_again(const struct keyring *keys, struct view text, struct token *token) {
    AUTOBUF struct buf again = BUF_INIT(TOKEN_TEXT_MAX);
    if (token_sign(keys, token, &again) < 0 || !view_eq(buf_view(&again), text))
        abort();
}

static void change_one_bit(const struct keyring *keys, const uint8_t *data, size_t size) {
    struct token token = {.purpose = data[0] % 5}, back;
    if (size < 32)
        return;
    memcpy(&token.list, data + 1, 4);
    memcpy(&token.subscriber, data + 5, 8);
    memcpy(&token.announcement, data + 5, 8);
    memcpy(token.nonce, data + 13, 16);
    memcpy(&token.expires_usec, data + 24, 8);
    AUTOBUF struct buf text = BUF_INIT(TOKEN_TEXT_MAX);
    if (token_sign(keys, &token, &text) < 0)
        return;
    if (token_verify(keys, buf_view(&text), &back) < 0)
        abort();
    size_t bit = (size_t)(data[30] << 8 | data[31]) % (text.len * 8);
    text.data[bit / 8] = (char)(text.data[bit / 8] ^ (1 << bit % 8));
    if (token_verify(keys, buf_view(&text), &back) == 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct keyring *keys = fuzz_ring();
    struct token token;
    struct view text = view_make(data, size);
    if (token_verify(keys, text, &token) == 0)
        sign_again(keys, text, &token);
    if (size)
        change_one_bit(keys, data, size);
    return 0;
}
