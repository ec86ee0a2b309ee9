/* A mailbox that is accepted has a good address, and its name lies inside the input. */
#include <assert.h>
#include <stdlib.h>

#include "base/text.h"
#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view v = view_make(data, size), name;
    struct address a, again;
    if (address_parse_mailbox(v, &a, &name) != ADDRESS_OK)
        return 0;
    assert(address_parse(view_of(a.spelled), &again) == ADDRESS_OK && view_eq_str(view_of(a.key), again.key));
    assert(text_is_utf8(name) && !text_has_control(name));
    assert(name.len == 0 || (name.ptr >= v.ptr && name.ptr + name.len <= v.ptr + v.len));
    assert(name.len == 0 || (name.ptr[0] != ' ' && name.ptr[name.len - 1] != ' '));
    return 0;
}
