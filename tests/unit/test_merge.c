#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "mail/merge.h"

static void expect_escaped(struct view value, enum merge_escape escape, struct view expected) {
    AUTOBUF struct buf to = BUF_INIT(1 << 20);
    merge_escape(value, escape, &to);
    assert_int_equal(buf_error(&to), 0);
    assert_int_equal(to.len, expected.len);
    assert_memory_equal(buf_str(&to), expected.ptr, expected.len);
}

static void test_escape(void **state) {
    (void)state;
    static const struct {
        enum merge_escape escape;
        struct view value, expected;
    } cases[] = {
        {MERGE_PLAIN, VIEW(""), VIEW("")},
        {MERGE_PLAIN, VIEW("Vera Müller <v@x>"), VIEW("Vera Müller <v@x>")},
        {MERGE_PLAIN, VIEW("a\tb\nc"), VIEW("a\tb\nc")},
        {MERGE_PLAIN, VIEW("a\r\nb\rc\n\rd\r"), VIEW("a\nb\nc\n\nd\n")},
        {MERGE_PLAIN,
         VIEW("a\xE2\x80\xA8"
              "b\xE2\x80\xA9"),
         VIEW("a\nb\n")},
        {MERGE_PLAIN, VIEW("a\0b\x1B[31mc\x7F"), VIEW("ab[31mc")},
        {MERGE_PLAIN, VIEW("a\xC2\x85z\xC2\x9B"), VIEW("az")},
        {MERGE_PLAIN,
         VIEW("a\xE2\x80\xAE"
              "b\xE2\x81\xA6"
              "c"),
         VIEW("abc")},
        {MERGE_PLAIN,
         VIEW("a\xE2\x80\x8F"
              "b\xD8\x9C"),
         VIEW("a\xE2\x80\x8F"
              "b\xD8\x9C")},
        {MERGE_PLAIN,
         VIEW("\xFF"
              "a\xC3"),
         VIEW("\xEF\xBF\xBD"
              "a\xEF\xBF\xBD")},
        {MERGE_PLAIN, VIEW("\xED\xA0\x80"), VIEW("\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD")},
        {MERGE_PLAIN, VIEW("\xEF\xBF\xBD"), VIEW("\xEF\xBF\xBD")},
        {MERGE_HTML, VIEW("<a href=\"x\" id='y'>&amp;"), VIEW("&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;amp;")},
        {MERGE_HTML, VIEW("Ніна\r\n\x01\xFF"), VIEW("Ніна\n\xEF\xBF\xBD")},
        {MERGE_URL, VIEW("AZaz09-._~"), VIEW("AZaz09-._~")},
        {MERGE_URL, VIEW("a b&c=d/e?f#g%\"'<>"), VIEW("a%20b%26c%3Dd%2Fe%3Ff%23g%25%22%27%3C%3E")},
        {MERGE_URL, VIEW("ü€😀"), VIEW("%C3%BC%E2%82%AC%F0%9F%98%80")},
        {MERGE_URL, VIEW("a\r\nb\tc\0d\xFF"), VIEW("a%20b%20cd%EF%BF%BD")},
        {MERGE_URL_HTML, VIEW("https://x.example/?a=1&b='2'"), VIEW("https://x.example/?a=1&amp;b=&#39;2&#39;")},
        {MERGE_URL_HTML, VIEW("https://x.example/\r\n\t\">"), VIEW("https://x.example/&quot;&gt;")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect_escaped(cases[i].value, cases[i].escape, cases[i].expected);
}

/* Cut into pieces of any size, the escaped text is the same. */
static void test_escape_some(void **state) {
    (void)state;
    struct view value = VIEW("Größe <b>&\"'</b>\r\n\t😀\xFF\0 \xE2\x80\xA8 Ende der Zeile, die länger ist");
    for (int escape = MERGE_PLAIN; escape <= MERGE_URL_HTML; escape++) {
        AUTOBUF struct buf whole = BUF_INIT(4096);
        merge_escape(value, (enum merge_escape)escape, &whole);
        for (size_t room = MERGE_ESCAPE_ROOM; room < 80; room++) {
            AUTOBUF struct buf pieces = BUF_INIT(4096);
            struct view rest = value;
            while (rest.len) {
                char chunk[80];
                size_t before = rest.len, n = merge_escape_some(&rest, (enum merge_escape)escape, chunk, room);
                assert_true(n <= room);
                assert_true(rest.len < before);
                buf_add(&pieces, chunk, n);
            }
            assert_string_equal(buf_str(&pieces), buf_str(&whole));
        }
    }
}

static void test_long_value(void **state) {
    (void)state;
    AUTOBUF struct buf value = BUF_INIT(1 << 20), to = BUF_INIT(1 << 20);
    for (int i = 0; i < 100000; i++)
        buf_putc(&value, '<');
    merge_escape(buf_view(&value), MERGE_HTML, &to);
    assert_int_equal(to.len, 400000);
    assert_true(view_ends(buf_view(&to), ";&lt;"));
}

/* Programs for building: "text", {0} a field, {?0 … } and {!0 … } spans. */
static void build(struct merge *m, const char *program) {
    for (const char *p = program; *p;) {
        if (p[0] == '{' && (p[1] == '?' || p[1] == '!')) {
            merge_if(m, (unsigned)(p[2] - '0'), p[1] == '!');
            p += 3;
        } else if (p[0] == '{') {
            merge_field(m, (unsigned)(p[1] - '0'), MERGE_PLAIN);
            p += 3;
        } else if (p[0] == '}') {
            merge_end(m);
            p++;
        } else {
            merge_text(m, view_make(p++, 1));
        }
    }
}

static void test_fill(void **state) {
    (void)state;
    static const struct {
        const char *program, *expected;
    } cases[] = {
        {"", ""},
        {"only text", "only text"},
        {"{0}", "Vera"},
        {"{1}", ""},
        {"Hello {0}{1}!", "Hello Vera!"},
        {"{?0yes {0}}", "yes Vera"},
        {"{?1never}{!1none}", "none"},
        {"{!0never}.", "."},
        {"a{?0b{!1c{?1d}e}f}g", "abcefg"},
        {"a{?1b{?0c}d{!1e}f}g", "ag"},
        {"{?0}{!1}x", "x"},
        {"{2}{2}{2}", "a\nba\nba\nb"},
        {"{?3 control characters alone are a value}", " control characters alone are a value"},
    };
    const struct view values[] = {VIEW("Vera"), {NULL, 0}, VIEW("a\r\nb"), VIEW("\x01")};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(merge_done) struct merge m;
        merge_init(&m);
        build(&m, cases[i].program);
        assert_int_equal(merge_seal(&m), 0);
        AUTOBUF struct buf to = BUF_INIT(4096);
        merge_fill(&m, values, &to);
        assert_string_equal(buf_str(&to), cases[i].expected);
    }
}

static void test_seal_joins_text(void **state) {
    (void)state;
    CLEANUP(merge_done) struct merge m;
    merge_init(&m);
    build(&m, "many single letters{0}and more");
    assert_int_equal(merge_seal(&m), 0);
    assert_int_equal(m.count, 3);
    assert_true(view_eq_str(m.ops[0].text, "many single letters"));
    assert_int_equal(m.ops[1].kind, MERGE_FIELD);
    assert_int_equal(merge_seal(&m), 0); /* again: nothing changes */
    assert_int_equal(m.count, 3);
}

static void test_append(void **state) {
    (void)state;
    CLEANUP(merge_done) struct merge part;
    CLEANUP(merge_done) struct merge whole;
    const struct view values[] = {VIEW("Vera"), {NULL, 0}};
    merge_init(&part);
    merge_init(&whole);
    build(&part, "a{0}{!1b{?0c}}{?1never}");
    assert_int_equal(merge_seal(&part), 0);
    merge_if(&whole, 0, false);
    merge_append(&whole, &part);
    merge_text(&whole, VIEW(" and "));
    merge_append(&whole, &part);
    merge_end(&whole);
    merge_done(&part); /* it was copied */
    assert_int_equal(merge_seal(&whole), 0);
    AUTOBUF struct buf to = BUF_INIT(4096);
    merge_fill(&whole, values, &to);
    assert_string_equal(buf_str(&to), "aVerabc and aVerabc");
}

static void nested(struct merge *m, int depth) {
    for (int i = 0; i < depth; i++)
        merge_if(m, 0, false);
    merge_text(m, VIEW("deep"));
    for (int i = 0; i < depth; i++)
        merge_end(m);
}

static void test_nesting(void **state) {
    (void)state;
    static const struct {
        const char *program;
        int error;
    } cases[] = {{"{?0", -EINVAL}, {"}", -EINVAL}, {"{?0}}", -EINVAL}, {"{?0{!1}", -EINVAL}, {"{?0{!1}}", 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(merge_done) struct merge m;
        merge_init(&m);
        build(&m, cases[i].program);
        assert_int_equal(merge_seal(&m), cases[i].error);
    }
    for (int depth = MERGE_DEPTH_MAX; depth <= MERGE_DEPTH_MAX + 2; depth++) {
        CLEANUP(merge_done) struct merge m;
        merge_init(&m);
        nested(&m, depth);
        assert_int_equal(merge_seal(&m), depth <= MERGE_DEPTH_MAX ? 0 : -EMSGSIZE);
    }
}

static void test_caps(void **state) {
    (void)state;
    CLEANUP(merge_done) struct merge m;
    merge_init(&m);
    AUTOFREE char *big = calloc(1, MERGE_TEXT_MAX_BYTES);
    merge_text(&m, view_make(big, MERGE_TEXT_MAX_BYTES - 1));
    merge_field(&m, 0, MERGE_PLAIN);
    merge_text(&m, VIEW("x"));
    assert_int_equal(merge_seal(&m), 0);
    merge_text(&m, VIEW("x"));
    assert_int_equal(merge_seal(&m), -EMSGSIZE);

    merge_done(&m);
    for (int i = 0; i < MERGE_OPS_MAX; i++)
        merge_field(&m, 0, MERGE_PLAIN);
    assert_int_equal(merge_seal(&m), 0);
    merge_field(&m, 0, MERGE_PLAIN);
    assert_int_equal(merge_seal(&m), -EMSGSIZE);

    merge_done(&m);
    merge_field(&m, MERGE_FIELDS_MAX - 1, MERGE_PLAIN);
    assert_int_equal(merge_seal(&m), 0);
    merge_field(&m, MERGE_FIELDS_MAX, MERGE_PLAIN);
    assert_int_equal(merge_seal(&m), -EINVAL);
}

static void test_fields(void **state) {
    (void)state;
    CLEANUP(merge_fields_done) struct merge_fields f;
    merge_fields_init(&f);
    assert_int_equal(merge_fields_number(&f, VIEW("salutation")), 0);
    assert_int_equal(merge_fields_number(&f, VIEW("attr.city")), 1);
    assert_int_equal(merge_fields_number(&f, VIEW("salutation")), 0);
    assert_int_equal(merge_fields_number(&f, VIEW("attr.cit")), 2);
    assert_string_equal(f.names[1], "attr.city");
    for (unsigned i = f.count; i < MERGE_FIELDS_MAX; i++) {
        char name[] = {'f', (char)('a' + i / 26), (char)('a' + i % 26)};
        assert_int_equal(merge_fields_number(&f, view_make(name, sizeof name)), (int)i);
    }
    assert_int_equal(merge_fields_number(&f, VIEW("one more")), -ENOSPC);
    assert_int_equal(merge_fields_number(&f, VIEW("attr.city")), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),          cmocka_unit_test(test_escape_some),
        cmocka_unit_test(test_long_value),      cmocka_unit_test(test_fill),
        cmocka_unit_test(test_seal_joins_text), cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_append),          cmocka_unit_test(test_caps),
        cmocka_unit_test(test_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
