#include "unit.h"

#include "mail/link.h"

static void which_links_are_allowed(void **state) {
    (void)state;
    static const struct {
        const char *url;
        bool allowed, has_scheme;
    } cases[] = {
        {"https://x.example/", true, true},
        {"HTTP://x.example", true, true},
        {"mailto:a@b.example", true, true},
        {"tel:+49511", true, true},
        {"https://", false, true},
        {"https:", false, true},
        {"https:x.example", false, true},
        {"mailto:", false, true},
        {"javascript:alert(1)", false, true},
        {"JavaScript:alert(1)", false, true},
        {"data:text/html,x", false, true},
        {"vbscript:x", false, true},
        {"file:///etc/passwd", false, true},
        {"ftp://x.example/", false, true},
        {" https://x.example/", false, false},
        {"java\nscript:x", false, false},
        {"https://x.example/\r\nBcc: a", false, true},
        {"https://x.example/\x7F", false, true},
        {"//x.example/", false, false},
        {"page.html", false, false},
        {"#top", false, false},
        {":x", false, false},
        {"1:x", false, false},
        {"a/b:c", false, false},
        {"web+x-1.0:c", false, true},
        {"", false, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (link_is_allowed(view_of(cases[i].url)) != cases[i].allowed ||
            link_has_scheme(view_of(cases[i].url)) != cases[i].has_scheme)
            fail_msg("%s", cases[i].url);
    }
}

static void escaping(void **state) {
    (void)state;
    static const struct {
        void (*add)(struct buf *to, struct view url);
        const char *url, *expected;
    } cases[] = {
        {link_add_html, "https://x.example/a%20b?c=d&e='f'#g", "https://x.example/a%20b?c=d&amp;e=&#39;f&#39;#g"},
        {link_add_html, "https://x.example/\"><script>", "https://x.example/%22%3E%3Cscript%3E"},
        {link_add_html, "https://пр.example/ü b\t`\\^{|}",
         "https://%D0%BF%D1%80.example/%C3%BC%20b%09%60%5C%5E%7B%7C%7D"},
        {link_add_plain, "https://пр.example/ü b\r\n<x>&'\"", "https://пр.example/ü%20b%0D%0A<x>&'\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf b = BUF_INIT(1000);
        cases[i].add(&b, view_of(cases[i].url));
        assert_string_equal(buf_str(&b), cases[i].expected);
    }
}

static void parts(void **state) {
    (void)state;
    static const struct {
        const char *before, *value, *expected;
    } cases[] = {
        {"https://x.example/?q=", "a b&c=+@/ü.~-_", "a%20b%26c%3D%2B%40%2F%C3%BC.~-_"},
        {"mailto:", "a+b@c.example", "a+b@c.example"},
        {"MAILTO:", "a b@c.example?cc=x%\r\n", "a%20b@c.example%3Fcc%3Dx%25%0D%0A"},
        {"tel:", "+49 511\t000", "+49511000"},
        {"tel:", "javascript:", "javascript%3A"},
        {"", "javascript:x", "javascript%3Ax"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf b = BUF_INIT(1000);
        link_add_part(&b, view_of(cases[i].before), view_of(cases[i].value));
        assert_string_equal(buf_str(&b), cases[i].expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_links_are_allowed),
        cmocka_unit_test(escaping),
        cmocka_unit_test(parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
