#include "mail/header.h"

#include <errno.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decode.h"

#include "base/text.h"

enum { LIMIT = 1 << 20 };

#define E9(x) x x x x x x x x x

static void test_text(void **state) {
    (void)state;
    static const struct {
        struct view text;
        const char *value;
        size_t column;
    } cases[] = {
        {VIEW(""), "", 9},
        {VIEW("Workshop in Hildesheim"), "Workshop in Hildesheim", 9},
        {VIEW("  two  blanks \t"), "two blanks", 9},
        {VIEW("Einladung für Vera"), "Einladung =?UTF-8?Q?f=C3=BCr?= Vera", 9},
        {VIEW("schöne Grüße an alle"), "=?UTF-8?B?c2Now7ZuZSBHcsO8w59l?= an alle", 9},
        {VIEW("Ніна"), "=?UTF-8?B?0J3RltC90LA=?=", 9},
        {VIEW("a =?UTF-8?Q?b?= c"), "a =?UTF-8?B?PT9VVEYtOD9RP2I/PQ==?= c", 9},
        {VIEW("a=?b"), "=?UTF-8?Q?a=3D=3Fb?=", 9},
        {VIEW("a=b ?= \"q\" (c), <d>"), "a=b ?= \"q\" (c), <d>", 9},
        {VIEW("x\r\nBcc: v@x.example"), "x Bcc: v@x.example", 9},
        {VIEW("x\nBcc:\ry\0z\x7F"), "x Bcc: y z", 9},
        {VIEW("\r\n\r\nbody"), "body", 9},
        {VIEW("a\xE2\x80\xA8"
              "b\xC2\x85"
              "c"),
         "a b c", 9},
        {VIEW("a\xE2\x80\xAE"
              "b"),
         "ab", 9},
        {VIEW("a\xFF"), "=?UTF-8?B?Ye+/vQ==?=", 9},
        {VIEW("a\xD8\x9C"), "=?UTF-8?B?Ydic?=", 9}, /* an Arabic mark stays */
        {VIEW(E9("1234567 ") "end"), "1234567 1234567 1234567 1234567 1234567 1234567 1234567 1234567\r\n 1234567 end",
         9},
        {VIEW(E9("123456789")), E9("123456789"), 9}, /* cannot be folded */
        {VIEW("a " E9("123456789")), "a\r\n " E9("123456789"), 9},
        {VIEW(E9("123456789") " ü"), E9("123456789") "\r\n =?UTF-8?B?w7w=?=", 9},
        {VIEW("ü"), "\r\n =?UTF-8?B?w7w=?=", 60},
        {VIEW(E9("1234567 ") "ü"),
         "1234567 1234567 1234567 1234567 1234567 1234567 1234567 1234567\r\n 1234567 =?UTF-8?B?w7w=?=", 9},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf to = BUF_INIT(LIMIT);
        header_add_text(&to, cases[i].text, cases[i].column);
        assert_string_equal(buf_str(&to), cases[i].value);
    }
}

/* Reads unstructured text back as RFC 2047 §6.2 says. */
static void read_text(struct view v, struct buf *to) {
    bool after_word = false;
    AUTOBUF struct buf unfolded = BUF_INIT(LIMIT);
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] != '\r' && v.ptr[i] != '\n')
            buf_putc(&unfolded, v.ptr[i]);
    struct view rest = buf_view(&unfolded), word;
    if (rest.len && rest.ptr[0] == ' ') /* folded before the first word */
        rest = view_slice(rest, 1, rest.len);
    for (bool first = true; view_split(&rest, ' ', &word); first = false) {
        bool encoded = view_starts(word, "=?UTF-8?") && view_ends(word, "?=") && word.len > 12;
        if (!first && !(encoded && after_word))
            buf_putc(to, ' ');
        after_word = encoded;
        if (!encoded) {
            buf_add_view(to, word);
            continue;
        }
        assert_true(word.len <= 75);
        char kind = word.ptr[8];
        size_t before = to->len;
        word = view_slice(word, 10, word.len - 12);
        if (kind == 'B') {
            decode_base64(word, to);
        } else {
            assert_int_equal(kind, 'Q');
            for (size_t i = 0; i < word.len; i++) {
                if (word.ptr[i] == '=') {
                    assert_true(i + 2 < word.len);
                    buf_putc(to, (char)(decode_nibble(word.ptr[i + 1]) << 4 | decode_nibble(word.ptr[i + 2])));
                    i += 2;
                } else {
                    assert_true(word.ptr[i] != '?');
                    buf_putc(to, word.ptr[i] == '_' ? ' ' : word.ptr[i]);
                }
            }
        }
        /* each word holds whole characters */
        assert_true(text_is_utf8(view_slice(buf_view(to), before, to->len)));
    }
}

static void expect_folded(struct view v, size_t column) {
    expect_wire_lines(v, 998);
    struct view line;
    for (bool first = true; view_line(&v, &line); first = false) {
        struct view shown = view_trim(line);
        assert_true(first || (line.ptr[0] == ' ' && shown.len)); /* no line of blanks alone */
        bool plain_word = view_find(shown, ' ') == shown.len && !view_starts(shown, "=?");
        assert_true(line.len + (first ? column : 0) <= HEADER_LINE_MAX || plain_word);
    }
}

static uint32_t random_state = 7;
static uint32_t random_below(uint32_t n) {
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(random_state >> 8) * n >> 24);
}

/* What is written reads back as what was given, and every line is short. */
static void test_text_reads_back(void **state) {
    (void)state;
    static const char *const parts[] = {"a",  "word", "ü", "їжак",       "€",  "😀",     "=?",
                                        "?=", "_",    "=", "longerword", "\"", "日本語"};
    for (int i = 0; i < 5000; i++) {
        AUTOBUF struct buf text = BUF_INIT(LIMIT), value = BUF_INIT(LIMIT), read = BUF_INIT(LIMIT);
        for (uint32_t words = random_below(12); words; words--) {
            for (uint32_t n = random_below(6) + 1; n; n--)
                buf_puts(&text, parts[random_below(COUNT_OF(parts))]);
            if (words > 1)
                buf_putc(&text, ' ');
        }
        size_t column = random_below(76);
        header_add_text(&value, buf_view(&text), column);
        expect_folded(buf_view(&value), column);
        read_text(buf_view(&value), &read);
        assert_string_equal(buf_str(&read), buf_str(&text));
    }
}

static void test_text_cap(void **state) {
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        AUTOBUF struct buf text = BUF_INIT(LIMIT), value = BUF_INIT(LIMIT), read = BUF_INIT(LIMIT);
        while (text.len < HEADER_TEXT_MAX_BYTES - 2)
            buf_puts(&text, text.len % 10 ? "x" : " ");
        buf_puts(&text, "ü");
        buf_puts(&text, extra ? "x" : "");
        header_add_text(&value, buf_view(&text), 9);
        read_text(buf_view(&value), &read);
        assert_int_equal(read.len, HEADER_TEXT_MAX_BYTES - 1 + extra); /* the blank in front is none of it */
        assert_true(view_ends(buf_view(&read), extra ? "üx" : "ü"));
        buf_puts(&text, "ü");
        buf_clear(&value);
        buf_clear(&read);
        header_add_text(&value, buf_view(&text), 9);
        read_text(buf_view(&value), &read);
        assert_true(read.len <= HEADER_TEXT_MAX_BYTES);
        assert_true(text_is_utf8(buf_view(&read)));
    }
    AUTOBUF struct buf text = BUF_INIT(LIMIT), value = BUF_INIT(LIMIT);
    for (int i = 0; i < 50000; i++)
        buf_puts(&text, i % 3 ? "ü" : "\r\n");
    header_add_text(&value, buf_view(&text), 9);
    expect_folded(buf_view(&value), 9);
    assert_true(value.len < 10 * HEADER_TEXT_MAX_BYTES);
}

static void test_mailbox(void **state) {
    (void)state;
    static const struct {
        struct view display, address;
        const char *value; /* NULL: refused */
    } cases[] = {
        {VIEW(""), VIEW("v@x.example"), "v@x.example"},
        {VIEW(" \r\n"), VIEW("v@x.example"), "v@x.example"},
        {VIEW("Vera Mueller"), VIEW("v@x.example"), "Vera Mueller <v@x.example>"},
        {VIEW("O'Neill & Co"), VIEW("v@x.example"), "O'Neill & Co <v@x.example>"},
        {VIEW("Dr. Vera Mueller"), VIEW("v@x.example"), "\"Dr. Vera Mueller\" <v@x.example>"},
        {VIEW("Mueller, Vera"), VIEW("v@x.example"), "\"Mueller, Vera\" <v@x.example>"},
        {VIEW("V \"<b@y.example>\" \\ M"), VIEW("v@x.example"), "\"V \\\"<b@y.example>\\\" \\\\ M\" <v@x.example>"},
        {VIEW("v@x.example"), VIEW("v@x.example"), "\"v@x.example\" <v@x.example>"},
        {VIEW("Vera Müller"), VIEW("v@x.example"), "=?UTF-8?Q?Vera_M=C3=BCller?= <v@x.example>"},
        {VIEW("Müller, Vera (Hildesheim)"), VIEW("v@x.example"),
         "=?UTF-8?Q?M=C3=BCller=2C_Vera_=28Hildesheim=29?= <v@x.example>"},
        {VIEW("=?UTF-8?Q?x?="), VIEW("v@x.example"), "=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?= <v@x.example>"},
        {VIEW("x\r\nBcc: b@y.example"), VIEW("v@x.example"), "\"x Bcc: b@y.example\" <v@x.example>"},
        {VIEW("a name of some length for an office"), VIEW("a-rather-long-local-part-here@partnerschaften.example"),
         "a name of some length for an office\r\n <a-rather-long-local-part-here@partnerschaften.example>"},
        {VIEW("an organisation with a name of more than sixty letters, the town"), VIEW("v@x.example"),
         "=?UTF-8?Q?an_organisation_with_a_name_of_more_than_sixty_letters=2C_?=\r\n =?UTF-8?Q?the_town?= "
         "<v@x.example>"},
        {VIEW("V"), VIEW("ü@x.example"), "V <ü@x.example>"},
        {VIEW("V"), VIEW(""), NULL},
        {VIEW("V"), VIEW("v@x.example>\r\nBcc: b@y.example"), NULL},
        {VIEW("V"), VIEW("v@x.example\n"), NULL},
        {VIEW("V"), VIEW("v\0@x.example"), NULL},
        {VIEW("V"), VIEW("v@x.example, b@y.example"), NULL},
        {VIEW("V"), VIEW("v@x.example,b@y.example"), NULL},
        {VIEW("V"), VIEW("<v@x.example>"), NULL},
        {VIEW("V"), VIEW("\"v\"@x.example"), NULL},
        {VIEW("V"), VIEW("v\xFF@x.example"), NULL},
        {VIEW(""), VIEW("v@x.example\r\n"), NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf to = BUF_INIT(LIMIT);
        header_add_mailbox(&to, cases[i].display, cases[i].address, 6);
        assert_int_equal(buf_error(&to), cases[i].value ? 0 : -EINVAL);
        assert_string_equal(buf_str(&to), cases[i].value ? cases[i].value : "");
    }
    for (size_t len = HEADER_ADDRESS_MAX_BYTES; len <= HEADER_ADDRESS_MAX_BYTES + 1; len++) {
        char address[HEADER_ADDRESS_MAX_BYTES + 1];
        AUTOBUF struct buf to = BUF_INIT(LIMIT);
        memset(address, 'a', sizeof address);
        header_add_mailbox(&to, VIEW("V"), view_make(address, len), 6);
        assert_int_equal(buf_error(&to), len <= HEADER_ADDRESS_MAX_BYTES ? 0 : -EINVAL);
    }
}

static void test_parameter(void **state) {
    (void)state;
    static const struct {
        struct view value;
        const char *extended, *ascii;
    } cases[] = {
        {VIEW("a.pdf"), "=\"a.pdf\"", NULL},
        {VIEW("Programm 2025.pdf"), "=\"Programm 2025.pdf\"", NULL},
        {VIEW("Grüße.pdf"), "*=UTF-8''Gr%C3%BC%C3%9Fe.pdf", "=\"Gr_e.pdf\""},
        {VIEW("Програма.pdf"), "*=UTF-8''%D0%9F%D1%80%D0%BE%D0%B3%D1%80%D0%B0%D0%BC%D0%B0.pdf", "=\"_.pdf\""},
        {VIEW("Програма семінару.pdf"),
         "*0*=UTF-8''%D0%9F%D1%80%D0%BE%D0%B3%D1%80%D0%B0%D0%BC%D0%B0%20;\r\n "
         "x*1*=%D1%81%D0%B5%D0%BC%D1%96%D0%BD%D0%B0%D1%80%D1%83.pdf",
         "=\"_ _.pdf\""},
        {VIEW("/etc/passwd"), "=\"passwd\"", NULL},
        {VIEW("..\\..\\x.exe"), "=\"x.exe\"", NULL},
        {VIEW("../../"), "=\"file\"", NULL},
        {VIEW(".."), "=\"file\"", NULL},
        {VIEW(""), "=\"file\"", NULL},
        {VIEW(".profile"), "=\"profile\"", NULL},
        {VIEW(" x. "), "=\"x\"", NULL},
        {VIEW("C:x?*<>|\"y.txt"), "=\"C_x______y.txt\"", NULL},
        {VIEW("a'b%c;d=e.txt"), "=\"a'b%c;d=e.txt\"", NULL},
        {VIEW("a\r\nb\0c.txt"), "=\"a b c.txt\"", NULL},
        {VIEW("a\"\r\nContent-Type: text/html"), "=\"html\"", NULL},
        {VIEW("gpj.\xE2\x80\xAE"
              "exe"),
         "=\"gpj.exe\"", NULL},
        {VIEW("a\xE2\x80\x8F"
              "b.txt"),
         "=\"ab.txt\"", NULL}, /* no mark either */
        {VIEW("a\xFF.txt"), "*=UTF-8''a%EF%BF%BD.txt", "=\"a_.txt\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf to = BUF_INIT(LIMIT), ascii = BUF_INIT(LIMIT);
        header_add_parameter(&to, "x", cases[i].value);
        header_add_parameter_ascii(&ascii, "x", cases[i].value);
        assert_true(view_starts(buf_view(&to), ";\r\n x"));
        assert_string_equal(buf_str(&to) + 5, cases[i].extended);
        assert_string_equal(buf_str(&ascii) + 5, cases[i].ascii ? cases[i].ascii : cases[i].extended);
    }
}

static void test_parameter_cap(void **state) {
    (void)state;
    static const char *const letters[] = {"x", "ж", "€", "😀"};
    for (size_t k = 0; k < COUNT_OF(letters); k++)
        for (size_t len = 190; len < 230; len++) {
            AUTOBUF struct buf name = BUF_INIT(LIMIT), to = BUF_INIT(LIMIT), ascii = BUF_INIT(LIMIT);
            while (name.len < len)
                buf_puts(&name, letters[k]);
            buf_puts(&name, ".pdf");
            header_add_parameter(&to, "filename", buf_view(&name));
            header_add_parameter_ascii(&ascii, "name", buf_view(&name));
            expect_wire_lines(buf_view(&to), k ? 78 : 2 + 10 + 2 + HEADER_FILE_NAME_MAX_BYTES);
            expect_wire_lines(buf_view(&ascii), 998);
            assert_true(view_ends(buf_view(&to), k ? ".pdf" : ".pdf\""));
            assert_true(view_ends(buf_view(&ascii), ".pdf\""));
            if (k == 0)
                assert_int_equal(
                    to.len, 3 + 12 + (len + 4 < HEADER_FILE_NAME_MAX_BYTES ? len + 4 : HEADER_FILE_NAME_MAX_BYTES));
        }
    AUTOBUF struct buf name = BUF_INIT(LIMIT), to = BUF_INIT(LIMIT);
    for (int i = 0; i < 100000; i++)
        buf_putc(&name, (char)(i % 251));
    header_add_parameter(&to, "filename", buf_view(&name));
    assert_int_equal(buf_error(&to), 0);
    expect_wire_lines(buf_view(&to), 998);
}

static void test_name(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool good;
    } cases[] = {{"Subject", true},
                 {"List-Unsubscribe-Post", true},
                 {"X_1.2", true},
                 {"", false},
                 {"Sub ject", false},
                 {"Subject:", false},
                 {"Sub\r\nject", false},
                 {"S\x7F", false},
                 {"Betreffü", false},
                 {"1234567890123456789012345678901234567890", true},
                 {"12345678901234567890123456789012345678901", false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(header_is_name(cases[i].name), cases[i].good);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),    cmocka_unit_test(test_text_reads_back), cmocka_unit_test(test_text_cap),
        cmocka_unit_test(test_mailbox), cmocka_unit_test(test_parameter),       cmocka_unit_test(test_parameter_cap),
        cmocka_unit_test(test_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
