/* Return-path codes. What is taken is, but for the case of its letters, exactly what making its content gives. And a
 * code made of the input is taken, and not once one of its characters is another. */
#include <stdint.h>

#include "fuzz_ring.h"
#include "trust/code.h"

static void make_again(const struct keyring *keys, struct view text, enum code_purpose purpose, uint64_t first,
                       uint64_t second) {
    AUTOBUF struct buf again = BUF_INIT(CODE_TEXT_MAX);
    code_make(keys, purpose, first, second, &again);
    if (!view_eq_nocase(text, buf_str(&again)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct keyring *keys = fuzz_ring();
    enum code_purpose purpose;
    uint64_t first, second;
    struct view text = view_make(data, size);
    if (code_check(keys, text, &purpose, &first, &second) == 0)
        make_again(keys, text, purpose, first, second);
    if (size < 18)
        return 0;
    uint64_t ids[2];
    memcpy(ids, data, sizeof ids);
    AUTOBUF struct buf code = BUF_INIT(CODE_TEXT_MAX);
    code_make(keys, CODE_BOUNCE, ids[0] >> 15, ids[1] >> 15, &code);
    if (code_check(keys, buf_view(&code), &purpose, &first, &second) < 0 || first != ids[0] >> 15 ||
        second != ids[1] >> 15)
        abort();
    char *c = &code.data[data[16] % code.len];
    if ((*c | 32) == ((char)data[17] | 32))
        return 0;
    *c = (char)data[17];
    if (code_check(keys, buf_view(&code), &purpose, &first, &second) == 0)
        abort();
    return 0;
}
