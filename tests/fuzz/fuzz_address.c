/* An address that is accepted is clean, within its lengths, and reads back as itself. */
#include <assert.h>
#include <stdlib.h>

#include "base/text.h"
#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct address *a) {
    struct view spelled = view_of(a->spelled), key = view_of(a->key);
    assert(spelled.len <= ADDRESS_MAX_BYTES && a->at <= ADDRESS_LOCAL_MAX_BYTES && spelled.ptr[a->at] == '@');
    assert(text_is_utf8(spelled) && !text_has_control(spelled));
    assert(text_is_utf8(key) && !text_has_control(key));
    assert(text_is_ascii(view_of(address_domain(a))));
    assert(a->needs_smtputf8 == !text_is_ascii(spelled));
    assert(view_find(spelled, '<') == spelled.len && view_find(spelled, '>') == spelled.len);
    assert(view_find(spelled, ' ') == spelled.len);

    struct address again;
    assert(address_parse(spelled, &again) == ADDRESS_OK);
    assert(view_eq_str(spelled, again.spelled) && view_eq_str(key, again.key));
    if (address_parse(key, &again) == ADDRESS_OK)
        assert(view_eq_str(key, again.key));
    AUTOBUF struct buf masked = BUF_INIT(1024);
    address_print_masked(a, &masked);
    assert(buf_error(&masked) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view v = view_make(data, size);
    struct address a;
    enum address_fault fault = address_parse(v, &a);
    if (fault == ADDRESS_OK)
        check(&a);
    assert(address_fault_text(fault)[0]);

    AUTOBUF struct buf domain = BUF_INIT(1024), again = BUF_INIT(1024);
    if (address_domain_ascii(v, &domain) == 0) {
        assert(domain.len <= 253 && text_is_ascii(buf_view(&domain)));
        assert(address_domain_ascii(buf_view(&domain), &again) == 0);
        assert(view_eq(buf_view(&domain), buf_view(&again)));
    }
    return 0;
}
