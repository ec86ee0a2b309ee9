/* The examples of RFC 3501, names that need quotes, and what is no name. */
#include "unit.h"

#include "net/imap_name.h"

static void names(void **state) {
    (void)state;
    static const struct {
        struct view name;
        const char *printed; /* NULL: refused */
    } cases[] = {
        {VIEW("INBOX"), "\"INBOX\""},
        {VIEW("Bounces done"), "\"Bounces done\""},
        {VIEW("~peter/mail/台北/日本語"), "\"~peter/mail/&U,BTFw-/&ZeVnLIqe-\""}, /* RFC 3501 §5.1.3 */
        {VIEW("Zurück"), "\"Zur&APw-ck\""},
        {VIEW("ä"), "\"&AOQ-\""},
        {VIEW("äö"), "\"&AOQA9g-\""},
        {VIEW("äöü"), "\"&AOQA9gD8-\""},
        {VIEW("a&b"), "\"a&-b\""},
        {VIEW("ä&ö"), "\"&AOQ-&-&APY-\""},
        {VIEW("say \"no\\yes\""), "\"say \\\"no\\\\yes\\\"\""},
        {VIEW("Постбокс"), "\"&BB8EPgRBBEIEMQQ+BDoEQQ-\""},
        {VIEW("😀"), "\"&2D3eAA-\""},
        {VIEW("&APw-"), "\"&-APw-\""},
        {VIEW(""), NULL},
        {VIEW("a\r\nb"), NULL},
        {VIEW("a\0b"), NULL},
        {VIEW("\xFF"), NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf printed = BUF_INIT(1000);
        int r = imap_name_print(cases[i].name, &printed);
        unit_int(cases[i].printed ? cases[i].printed : "refused", r, cases[i].printed ? 0 : -EINVAL);
        unit_str("name", buf_str(&printed), cases[i].printed ? cases[i].printed : "");
    }
    AUTOBUF struct buf small = BUF_INIT(5);
    assert_true(imap_name_print(VIEW("Zurück"), &small) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
