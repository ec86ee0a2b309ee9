#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/text.h"
#include "mail/address.h"

#define B10 "abcdefghij"
#define LOCAL_64 B10 B10 B10 B10 B10 B10 "abcd"
#define LABEL_63 B10 B10 B10 B10 B10 B10 "abc"
/* 186 octets in labels of 61 and three dots */
#define LABELS_186 LABEL_61 "." LABEL_61 "." LABEL_61 "."
#define LABEL_61 B10 B10 B10 B10 B10 B10 "a"

static void test_good(void **state) {
    (void)state;
    static const struct {
        struct view written;
        const char *spelled, *key; /* NULL: as spelled */
        bool smtputf8;
    } cases[] = {
        {VIEW("vera@office.example"), "vera@office.example", NULL, false},
        {VIEW("  vera@office.example\t"), "vera@office.example", NULL, false},
        {VIEW("Vera.Mueller@Office.EXAMPLE"), "Vera.Mueller@office.example", "vera.mueller@office.example", false},
        {VIEW("v@a.example"), "v@a.example", NULL, false},
        {VIEW("a+b@x.example"), "a+b@x.example", NULL, false},
        {VIEW("!#$%&'*+-/=?^_`{|}~@x.example"), "!#$%&'*+-/=?^_`{|}~@x.example", NULL, false},
        {VIEW("o'neill@x.example"), "o'neill@x.example", NULL, false},
        {VIEW("user%host@x.example"), "user%host@x.example", NULL, false},
        {VIEW("1@2.example"), "1@2.example", NULL, false},
        {VIEW("a@1and1.example"), "a@1and1.example", NULL, false},
        {VIEW("a@x-y.example"), "a@x-y.example", NULL, false},
        {VIEW("a@x--y.example"), "a@x--y.example", NULL, false},
        {VIEW("-@x.example"), "-@x.example", NULL, false},
        {VIEW("_@x.example"), "_@x.example", NULL, false},
        {VIEW("a.b.c.d@a.b.c.example"), "a.b.c.d@a.b.c.example", NULL, false},
        /* international domains */
        {VIEW("a@müller.example"), "a@xn--mller-kva.example", NULL, false},
        {VIEW("a@MÜLLER.EXAMPLE"), "a@xn--mller-kva.example", NULL, false},
        {VIEW("a@mu\xCC\x88ller.example"), "a@xn--mller-kva.example", NULL, false},
        {VIEW("a@XN--MLLER-KVA.example"), "a@xn--mller-kva.example", NULL, false},
        {VIEW("a@straße.example"), "a@xn--strae-oqa.example", NULL, false}, /* non-transitional: not strasse */
        {VIEW("a@пошта.example"), "a@xn--80a1acn3a.example", NULL, false},
        {VIEW("a@münchen。example"), "a@xn--mnchen-3ya.example", NULL, false},
        {VIEW("a@ｘ.example"), "a@x.example", NULL, false}, /* full width, as browsers read it */
        /* international local parts */
        {VIEW("jürgen@x.example"), "jürgen@x.example", NULL, true},
        {VIEW("ju\xCC\x88rgen@x.example"), "jürgen@x.example", NULL, true},
        {VIEW("JÜRGEN@x.example"), "JÜRGEN@x.example", "jürgen@x.example", true},
        {VIEW("ніна@пошта.example"), "ніна@xn--80a1acn3a.example", NULL, true},
        {VIEW("НІНА@ПОШТА.example"), "НІНА@xn--80a1acn3a.example", "ніна@xn--80a1acn3a.example", true},
        {VIEW("Weiß@x.example"), "Weiß@x.example", "weiss@x.example", true},
        {VIEW("用户@例子.example"), "用户@xn--fsqu00a.example", NULL, true},
        {VIEW("😀@x.example"), "😀@x.example", NULL, true},
        /* lengths, RFC 5321 §4.5.3.1: the longest that is good */
        {VIEW(LOCAL_64 "@x.example"), LOCAL_64 "@x.example", NULL, false},
        {VIEW("a@" LABEL_63 ".example"), "a@" LABEL_63 ".example", NULL, false},
        {VIEW(LABEL_61 "@" LABELS_186 "a.test"), LABEL_61 "@" LABELS_186 "a.test", NULL, false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address a;
        enum address_fault fault = address_parse(cases[i].written, &a);
        if (fault != ADDRESS_OK)
            fail_msg("%s: %s", cases[i].written.ptr, address_fault_text(fault));
        assert_string_equal(a.spelled, cases[i].spelled);
        assert_string_equal(a.key, cases[i].key ? cases[i].key : cases[i].spelled);
        assert_int_equal(a.needs_smtputf8, cases[i].smtputf8);
        assert_int_equal(a.spelled[a.at], '@');
        assert_string_equal(address_domain(&a), strrchr(cases[i].spelled, '@') + 1);
    }
}

static void test_bad(void **state) {
    (void)state;
    static const struct {
        struct view written;
        enum address_fault fault;
    } cases[] = {
        {VIEW(""), ADDRESS_EMPTY},
        {VIEW("  \t "), ADDRESS_EMPTY},
        {VIEW("vera"), ADDRESS_NO_AT},
        {VIEW("vera.office.example"), ADDRESS_NO_AT},
        {VIEW("vera(at)office.example"), ADDRESS_NO_AT},
        {VIEW("@"), ADDRESS_BAD_LOCAL},
        {VIEW("@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a@"), ADDRESS_BAD_DOMAIN},
        {VIEW(".a@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a.@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a..b@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW(".@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a b@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a,b@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a;b@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a:b@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a\\b@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a(comment)@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a[b]@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("\"a b\"@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("\"a\"@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("<a@x.example>"), ADDRESS_BAD_LOCAL},
        {VIEW("Vera <a@x.example>"), ADDRESS_BAD_LOCAL},
        {VIEW("a@b@c.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a@@x.example"), ADDRESS_BAD_LOCAL},
        {VIEW("a\xC2\xA0@x.example"), ADDRESS_BAD_LOCAL}, /* no-break space */
        {VIEW("a\xE2\x80\x8B"
              "b@x.example"),
         ADDRESS_BAD_LOCAL},                                  /* zero width space */
        {VIEW("a\xE3\x80\x80@x.example"), ADDRESS_BAD_LOCAL}, /* ideographic space */
        {VIEW("a\xC2\xAD"
              "b@x.example"),
         ADDRESS_BAD_LOCAL},                                  /* soft hyphen */
        {VIEW("a\xEF\xBF\xBD@x.example"), ADDRESS_BAD_LOCAL}, /* what is left of a broken character */
        {VIEW("a@localhost"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@192.0.2.1"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@[192.0.2.1]"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@[IPv6:2001:db8::1]"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@x.example."), ADDRESS_BAD_DOMAIN},
        {VIEW("a@.x.example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@x..example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@-x.example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@x-.example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@x_y.example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@x y.example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@x.example, b"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@x,example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@x.example;"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@x.example>"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@x/y.example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@x.example?subject=1"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@xn--a.example"), ADDRESS_BAD_DOMAIN}, /* no A-label at all */
        {VIEW("a@xn--strae-oqa-.example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@exam\xC2\xADple.example"), ADDRESS_BAD_DOMAIN}, /* would be deleted by the mapping */
        {VIEW("a@exam\xE2\x80\x8Bple.example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@\xE2\x84\x80.example"), ADDRESS_BAD_DOMAIN},     /* U+2100, maps to a/c */
        {VIEW("a@\xF0\x9F\x98\x80.example"), ADDRESS_BAD_DOMAIN}, /* emoji are not IDNA2008 */
        {VIEW("a@\xD7\x90"
              "a.example"),
         ADDRESS_BAD_DOMAIN}, /* Hebrew and Latin in one label */
        {VIEW("a@ü..example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@.ü.example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@ü b.example"), ADDRESS_BAD_DOMAIN},
        {VIEW("a@ü_b.example"), ADDRESS_BAD_DOMAIN},
        /* lengths: one octet too many */
        {VIEW("a" LOCAL_64 "@x.example"), ADDRESS_TOO_LONG},
        {VIEW("a@a" LABEL_63 ".example"), ADDRESS_BAD_DOMAIN},
        {VIEW(LABEL_61 "@" LABELS_186 "ab.test"), ADDRESS_TOO_LONG},
        {VIEW("a@" LABELS_186 LABELS_186 LABELS_186 "example"), ADDRESS_BAD_DOMAIN},
        /* injection into headers and the SMTP dialogue */
        {VIEW("a@x.example\r\nBcc: b@y.example"), ADDRESS_CONTROL},
        {VIEW("a@x.example\r\n"), ADDRESS_CONTROL},
        {VIEW("a@x.example\n"), ADDRESS_CONTROL},
        {VIEW("\ra@x.example"), ADDRESS_CONTROL},
        {VIEW("a@x.example>\r\nDATA\r\n"), ADDRESS_CONTROL},
        {VIEW("a\0b@x.example"), ADDRESS_CONTROL},
        {VIEW("a@x.example\0"), ADDRESS_CONTROL},
        {VIEW("a@x\tb.example"), ADDRESS_CONTROL},
        {VIEW("a\x1B[2J@x.example"), ADDRESS_CONTROL},
        {VIEW("a\x7F@x.example"), ADDRESS_CONTROL},
        {VIEW("a\xC2\x85@x.example"), ADDRESS_CONTROL},                /* NEL */
        {VIEW("a\xE2\x80\xAEmoc.elpmaxe@x.example"), ADDRESS_CONTROL}, /* right-to-left override */
        {VIEW("a\xE2\x80\xA8@x.example"), ADDRESS_CONTROL},            /* line separator */
        {VIEW("a\xFF@x.example"), ADDRESS_NOT_UTF8},
        {VIEW("j\xFCrgen@x.example"), ADDRESS_NOT_UTF8},
        {VIEW("a@x.example\xC3"), ADDRESS_NOT_UTF8},
        {VIEW("a\xC0\xAE@x.example"), ADDRESS_NOT_UTF8},
        {VIEW("a\xED\xA0\x80@x.example"), ADDRESS_NOT_UTF8},
        {VIEW("a@x.example, b@y.example"), ADDRESS_SEVERAL},
        {VIEW("a@x.example;b@y.example"), ADDRESS_SEVERAL},
        {VIEW("a@x.example b@y.example"), ADDRESS_SEVERAL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address a, untouched;
        memset(&a, 0x55, sizeof a);
        memset(&untouched, 0x55, sizeof untouched);
        enum address_fault fault = address_parse(cases[i].written, &a);
        if (fault != cases[i].fault)
            fail_msg("case %zu, %s: %s", i, cases[i].written.ptr, address_fault_text(fault));
        assert_memory_equal(&a, &untouched, sizeof a);
        assert_true(strlen(address_fault_text(fault)) > 0);
    }
}

static void test_input_cap(void **state) {
    (void)state;
    char big[ADDRESS_INPUT_MAX_BYTES + 1];
    memset(big, ' ', sizeof big);
    struct address a;
    for (size_t extra = 0; extra < 2; extra++) {
        size_t len = ADDRESS_INPUT_MAX_BYTES + extra;
        memcpy(big + len - 11, "a@x.example", 11);
        memset(big + len - 11 - 1, ' ', 1);
        /* blanks around are no part of an address */
        assert_int_equal(address_parse(view_make(big, len), &a), ADDRESS_OK);
        enum address_fault fault = address_parse_mailbox(view_make(big, len), &a, NULL);
        assert_int_equal(fault, extra ? ADDRESS_TOO_LONG : ADDRESS_OK);
    }
    memset(big, 'a', sizeof big);
    assert_int_equal(address_parse(view_make(big, ADDRESS_INPUT_MAX_BYTES), &a), ADDRESS_NO_AT);
    assert_int_equal(address_parse(view_make(big, sizeof big), &a), ADDRESS_TOO_LONG);
}

/* Spellings of one person have one key, and the key is its own key. */
static void test_one_person(void **state) {
    (void)state;
    static const char *const people[][5] = {
        {"vera@office.example", "VERA@OFFICE.EXAMPLE", "Vera@office.Example", NULL},
        {"jürgen@müller.example", "JÜRGEN@MÜLLER.EXAMPLE", "ju\xCC\x88rgen@mu\xCC\x88ller.example",
         "JU\xCC\x88RGEN@xn--mller-kva.example", NULL},
        {"weiß@x.example", "WEISS@x.example", "weiss@x.example", "WEIẞ@x.example", NULL},
        {"σίσυφος@x.example", "ΣΊΣΥΦΟΣ@x.example", "σι\xCC\x81συφοσ@x.example", NULL},
        {"їжак@x.example", "ЇЖАК@x.example", "і\xCC\x88жак@x.example", NULL},
        {"ạ̈@x.example", "a\xCC\xA3\xCC\x88@x.example", "a\xCC\x88\xCC\xA3@x.example", "A\xCC\x88\xCC\xA3@X.example"},
    };
    for (size_t i = 0; i < COUNT_OF(people); i++) {
        struct address first, other, again;
        assert_int_equal(address_parse(view_of(people[i][0]), &first), ADDRESS_OK);
        for (size_t k = 1; k < 5 && people[i][k]; k++) {
            assert_int_equal(address_parse(view_of(people[i][k]), &other), ADDRESS_OK);
            assert_string_equal(other.key, first.key);
            assert_int_equal(address_parse(view_of(other.key), &again), ADDRESS_OK);
            assert_string_equal(again.key, first.key);
        }
    }
    struct address a, b;
    assert_int_equal(address_parse(VIEW("vera@office.example"), &a), ADDRESS_OK);
    assert_int_equal(address_parse(VIEW("vera+x@office.example"), &b), ADDRESS_OK);
    assert_string_not_equal(a.key, b.key);
    assert_int_equal(address_parse(VIEW("strasse@strasse.example"), &a), ADDRESS_OK);
    assert_int_equal(address_parse(VIEW("strasse@straße.example"), &b), ADDRESS_OK);
    assert_string_not_equal(a.key, b.key);
}

/* The local part that grows most when folded still has its key. */
static void test_longest_key(void **state) {
    (void)state;
    AUTOBUF struct buf written = BUF_INIT(1024);
    for (int i = 0; i < 32; i++)
        buf_puts(&written, "ΐ");
    buf_puts(&written, "@" LABELS_186);
    struct address a;
    assert_int_equal(address_parse(buf_view(&written), &a), ADDRESS_BAD_DOMAIN);
    buf_truncate(&written, written.len - 1);
    assert_int_equal(address_parse(buf_view(&written), &a), ADDRESS_OK);
    assert_int_equal(a.at, ADDRESS_LOCAL_MAX_BYTES);
    assert_true(strlen(a.key) >= strlen(a.spelled));
}

static void test_mailbox(void **state) {
    (void)state;
    static const struct {
        const char *written;
        enum address_fault fault;
        const char *spelled, *name;
    } cases[] = {
        {"vera@x.example", ADDRESS_OK, "vera@x.example", ""},
        {" vera@x.example ", ADDRESS_OK, "vera@x.example", ""},
        {"<vera@x.example>", ADDRESS_OK, "vera@x.example", ""},
        {"< vera@x.example >", ADDRESS_OK, "vera@x.example", ""},
        {"Vera Müller <vera@x.example>", ADDRESS_OK, "vera@x.example", "Vera Müller"},
        {"Vera Müller<vera@x.example>", ADDRESS_OK, "vera@x.example", "Vera Müller"},
        {"\"Müller, Vera\" <vera@x.example>", ADDRESS_OK, "vera@x.example", "Müller, Vera"},
        {"Müller, Vera <vera@x.example>", ADDRESS_OK, "vera@x.example", "Müller, Vera"},
        {"\"<V> @ home\" <vera@x.example>", ADDRESS_OK, "vera@x.example", "<V> @ home"},
        {"\"V \\\"<\\\" M\" <vera@x.example>", ADDRESS_OK, "vera@x.example", "V \\\"<\\\" M"},
        {"'Vera Müller' <vera@x.example>", ADDRESS_OK, "vera@x.example", "Vera Müller"},
        {"'vera@x.example' <vera@x.example>", ADDRESS_OK, "vera@x.example", "vera@x.example"},
        {"vera@x.example <vera@x.example>", ADDRESS_OK, "vera@x.example", "vera@x.example"},
        {"vera@x.example (Vera Müller)", ADDRESS_OK, "vera@x.example", "Vera Müller"},
        {"vera@x.example(Vera (M.))", ADDRESS_OK, "vera@x.example", "Vera (M.)"},
        {"\"\" <vera@x.example>", ADDRESS_OK, "vera@x.example", ""},
        {"mailto:vera@x.example", ADDRESS_OK, "vera@x.example", ""},
        {"MailTo:vera%2Bx@x.example?subject=a%40b", ADDRESS_OK, "vera+x@x.example", ""},
        {"mailto:%C3%BC@x.example", ADDRESS_OK, "ü@x.example", ""},
        {"vera@x.example,", ADDRESS_OK, "vera@x.example", ""},
        {"Vera <vera@x.example>; ", ADDRESS_OK, "vera@x.example", "Vera"},
        {"", ADDRESS_EMPTY, NULL, NULL},
        {" ; ", ADDRESS_EMPTY, NULL, NULL},
        {"<>", ADDRESS_EMPTY, NULL, NULL},
        {"Vera <>", ADDRESS_EMPTY, NULL, NULL},
        {"Vera", ADDRESS_NO_AT, NULL, NULL},
        {"Vera <vera>", ADDRESS_NO_AT, NULL, NULL},
        {"mailto:", ADDRESS_EMPTY, NULL, NULL},
        {"mailto:a@x.example,b@y.example", ADDRESS_SEVERAL, NULL, NULL},
        {"mailto:a%0D%0A@x.example", ADDRESS_CONTROL, NULL, NULL},
        {"mailto:a%00@x.example", ADDRESS_CONTROL, NULL, NULL},
        {"mailto:a%FF@x.example", ADDRESS_NOT_UTF8, NULL, NULL},
        {"mailto:a%4", ADDRESS_NO_AT, NULL, NULL},
        {"\"Vera <vera@x.example>", ADDRESS_BAD_LOCAL, NULL, NULL},
        {"\"a b\"@x.example", ADDRESS_BAD_LOCAL, NULL, NULL},
        {"Vera vera@x.example", ADDRESS_BAD_LOCAL, NULL, NULL},
        {"Vera <vera@x.example", ADDRESS_BAD_DOMAIN, NULL, NULL},
        {"Vera <vera@x.example> Müller", ADDRESS_BAD_DOMAIN, NULL, NULL},
        {"<vera@x>", ADDRESS_BAD_DOMAIN, NULL, NULL},
        {"a@x.example, b@y.example", ADDRESS_SEVERAL, NULL, NULL},
        {"A <a@x.example>, B <b@y.example>", ADDRESS_SEVERAL, NULL, NULL},
        {"a@x.example, B <b@y.example>", ADDRESS_SEVERAL, NULL, NULL},
        {"A <a@x.example> b@y.example", ADDRESS_SEVERAL, NULL, NULL},
        {"Vera\r\nBcc: b@y.example <a@x.example>", ADDRESS_CONTROL, NULL, NULL},
        {"Vera\xE2\x80\xAE <a@x.example>", ADDRESS_CONTROL, NULL, NULL},
        {"Vera\xFF <a@x.example>", ADDRESS_NOT_UTF8, NULL, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address a;
        struct view name = VIEW("untouched");
        enum address_fault fault = address_parse_mailbox(view_of(cases[i].written), &a, &name);
        if (fault != cases[i].fault)
            fail_msg("case %zu, %s: %s", i, cases[i].written, address_fault_text(fault));
        if (fault != ADDRESS_OK) {
            assert_true(view_eq_str(name, "untouched"));
            continue;
        }
        assert_string_equal(a.spelled, cases[i].spelled);
        if (!view_eq_str(name, cases[i].name))
            fail_msg("case %zu: name %.*s", i, (int)name.len, name.ptr);
        assert_int_equal(address_parse_mailbox(view_of(cases[i].written), &a, NULL), ADDRESS_OK);
    }
}

static void test_domain(void **state) {
    (void)state;
    static const struct {
        struct view written;
        const char *ascii; /* NULL: refused */
    } cases[] = {
        {VIEW("Office.EXAMPLE"), "office.example"},
        {VIEW("localhost"), "localhost"},
        {VIEW("ÜBER.example"), "xn--ber-goa.example"},
        {VIEW("xn--ber-goa.example"), "xn--ber-goa.example"},
        {VIEW(LABEL_63), LABEL_63},
        {VIEW(LABELS_186 LABEL_63), LABELS_186 LABEL_63},                   /* 249 */
        {VIEW(LABELS_186 LABEL_61 ".abcde"), LABELS_186 LABEL_61 ".abcde"}, /* 253 */
        {VIEW(LABELS_186 LABEL_61 ".abcdef"), NULL},
        {VIEW("a" LABEL_63), NULL},
        {VIEW("ü" LABEL_61), NULL}, /* too long as an A-label only */
        {VIEW(""), NULL},
        {VIEW("."), NULL},
        {VIEW("a."), NULL},
        {VIEW("a..b"), NULL},
        {VIEW("a b"), NULL},
        {VIEW("a\0b"), NULL},
        {VIEW("a\r\nb"), NULL},
        {VIEW("a@b"), NULL},
        {VIEW("\xFF.example"), NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf to = BUF_INIT(1024);
        buf_puts(&to, ">");
        int r = address_domain_ascii(cases[i].written, &to);
        if (r != (cases[i].ascii ? 0 : -EINVAL))
            fail_msg("case %zu, %s: %d", i, cases[i].written.ptr, r);
        assert_string_equal(buf_str(&to) + 1, cases[i].ascii ? cases[i].ascii : "");
    }
}

static void test_masked(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"vera@x.example", "v***@x.example"}, {"a@x.example", "a***@x.example"}, {"їжак@x.example", "ї***@x.example"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct address a;
        AUTOBUF struct buf to = BUF_INIT(1024);
        assert_int_equal(address_parse(view_of(cases[i][0]), &a), ADDRESS_OK);
        address_print_masked(&a, &to);
        assert_string_equal(buf_str(&to), cases[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),       cmocka_unit_test(test_bad),         cmocka_unit_test(test_input_cap),
        cmocka_unit_test(test_one_person), cmocka_unit_test(test_longest_key), cmocka_unit_test(test_mailbox),
        cmocka_unit_test(test_domain),     cmocka_unit_test(test_masked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
