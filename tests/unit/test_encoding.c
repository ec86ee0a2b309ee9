#include "mail/encoding.h"

#include <errno.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decode.h"

#include "mail/base64.h"
#include "mail/qp.h"

enum { LIMIT = 1 << 22, FIELDS = 6 };

static void expect_same(const struct merge *m, const struct view *values, enum encoding_kind kind) {
    AUTOBUF struct buf filled = BUF_INIT(LIMIT), expected = BUF_INIT(LIMIT), body = BUF_INIT(LIMIT),
                       decoded = BUF_INIT(LIMIT);
    struct encoding *e;
    merge_fill(m, values, &filled);
    canonical_text(buf_view(&filled), &expected);
    assert_int_equal(encoding_new(m, kind, &e), 0);
    encoding_fill(e, values, &body);
    size_t value_bytes = 0;
    for (size_t i = 0; i < FIELDS; i++)
        value_bytes += values[i].len;
    if (value_bytes == 0)
        assert_true(body.len <= encoding_size(e));
    if (strcmp(encoding_name(e), "base64") == 0)
        decode_base64(buf_view(&body), &decoded);
    else
        decode_quoted_printable(buf_view(&body), &decoded);
    (void)encoding_free(e);
    assert_int_equal(buf_error(&decoded), 0);
    assert_int_equal(decoded.len, expected.len);
    assert_memory_equal(buf_str(&decoded), buf_str(&expected), expected.len);
}

static void expect_same_both(const struct merge *m, const struct view *values) {
    expect_same(m, values, ENCODING_QUOTED_PRINTABLE);
    expect_same(m, values, ENCODING_BASE64);
    expect_same(m, values, ENCODING_SMALLER);
}

static void test_quoted(void **state) {
    (void)state;
#define A25 "aaaaaaaaaaaaaaaaaaaaaaaaa"
#define A75 A25 A25 A25
    static const struct {
        struct view text, encoded;
    } cases[] = {
        {VIEW(""), VIEW("")},
        {VIEW("text"), VIEW("text")},
        {VIEW("a\nb\n"), VIEW("a\r\nb\r\n")},
        {VIEW("a\r\nb\rc\r\n"), VIEW("a\r\nbc\r\n")},
        {VIEW("a=b"), VIEW("a=3Db")},
        {VIEW("Größe"), VIEW("Gr=C3=B6=C3=9Fe")},
        {VIEW("a\0\x7F"), VIEW("a=00=7F")},
        {VIEW("a \nb\t\n \n"), VIEW("a=20\r\nb=09\r\n=20\r\n")},
        {VIEW("a  \n"), VIEW("a =20\r\n")},
        {VIEW(".\n..\na.b"), VIEW("=2E\r\n=2E.\r\na.b")},
        {VIEW("From here\nFrom\nFro"), VIEW("=46rom here\r\nFrom\r\n=46ro")},
        {VIEW("Frost From x"), VIEW("Frost From x")},
        {VIEW(A75 "\n"), VIEW(A75 "\r\n")},
        {VIEW(A75 "b"), VIEW(A75 "=\r\nb")},
        {VIEW(A75 "."), VIEW(A75 "=\r\n=2E")},
        {VIEW(A75 "From x"), VIEW(A75 "=\r\n=46rom x")},
        {VIEW(A25 A25 "aaaaaaaaaaaaaaaaaaaaaaa"
                      "ü"),
         VIEW(A25 A25 "aaaaaaaaaaaaaaaaaaaaaaa=\r\n=C3=BC")},
        {VIEW(A25 A25 "aaaaaaaaaaaaaaaaaaaaaa \n"), VIEW(A25 A25 "aaaaaaaaaaaaaaaaaaaaaa=20\r\n")},
        {VIEW(A25 A25 "aaaaaaaaaaaaaaaaaaaaaaa \n"), VIEW(A25 A25 "aaaaaaaaaaaaaaaaaaaaaaa=\r\n=20\r\n")},
        {VIEW(A75 " \n"), VIEW(A75 "=\r\n=20\r\n")},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf to = BUF_INIT(4096);
        qp_encode(&to, cases[i].text);
        assert_string_equal(buf_str(&to), cases[i].encoded.ptr);
    }
}

static void test_base64(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf to = BUF_INIT(4096);
        base64_digits(&to, cases[i][0], strlen(cases[i][0]));
        assert_string_equal(buf_str(&to), cases[i][1]);
    }
    for (size_t len = 0; len < 300; len++) {
        char bytes[300];
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(i * 37 + len);
        AUTOBUF struct buf to = BUF_INIT(4096), decoded = BUF_INIT(4096);
        base64_lines(&to, view_make(bytes, len));
        assert_true(len == 0 || view_ends(buf_view(&to), "\r\n"));
        decode_base64(buf_view(&to), &decoded);
        assert_int_equal(decoded.len, len);
        assert_memory_equal(buf_str(&decoded), bytes, len);
    }
}

/* {0} to {5} are fields, {?0 … } and {!0 … } spans; all else is text. */
static void build(struct merge *m, const char *program) {
    merge_init(m);
    while (*program) {
        size_t text = strcspn(program, "{}");
        merge_text(m, view_make(program, text));
        program += text;
        if (*program == '}') {
            merge_end(m);
            program++;
        } else if (*program && (program[1] == '?' || program[1] == '!')) {
            merge_if(m, (unsigned)(program[2] - '0'), program[1] == '!');
            program += 3;
        } else if (*program) {
            merge_field(m, (unsigned)(program[1] - '0'), MERGE_PLAIN);
            program += 3;
        }
    }
    assert_int_equal(merge_seal(m), 0);
}

#define LONG "Ein längerer Text, der über mehrere Zeilen geht und sich = oft wiederholt. "

static void test_shapes(void **state) {
    (void)state;
    static const char *const programs[] = {
        "",
        "{0}",
        "{0}{1}{2}{3}{4}{5}",
        "text",
        "text ",
        "text\n",
        "Hello {0},\n\n" LONG "{1}\n" LONG LONG "{2}" LONG "\n.\n",
        "blank {0}\n",
        "blank {0} ",
        "blank {4}\n{4} ",
        "{4}\n",
        "{?0}{!0}",
        "{?0" LONG "}" LONG "{!0" LONG "}" LONG,
        "{?4" LONG "}" LONG "{!4" LONG "}" LONG,
        "{?0a{?1b{?4c}d{!4e{?2f{0}g}}}h}\n{?4{?0x}}.",
        "a{0}" LONG "{1}ab{0}" LONG "{1}abc{0}" LONG LONG,
        "{?0.}{?0.}From {?0From }x",
        "{0}\n{1}\n{2}\n{3}\n",
        "\n{0}\n\n\n{5}\r\n",
    };
    static char longest[100 * 1024];
    memset(longest, 'x', sizeof longest);
    static const char odd[] = "\r\n.\nFrom x \t\n\0\xFF\xC3 =\r\r\n";
    const struct view sets[][FIELDS] = {
        {VIEW("Vera"), VIEW("Müller"), VIEW("."), VIEW("From "), {NULL, 0}, VIEW("ends with blanks  ")},
        {VIEW("a"), VIEW("ab"), VIEW("abc"), VIEW("abcd"), {NULL, 0}, VIEW("\n")},
        {view_make(odd, sizeof odd - 1), VIEW("\n\n"), VIEW(" "), VIEW("\t"), {NULL, 0}, VIEW("\r")},
        {view_make(longest, sizeof longest),
         view_make(longest, 75),
         view_make(longest, 76),
         view_make(longest, 57),
         {NULL, 0},
         view_make(longest, 511)},
        {{NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}},
    };
    for (size_t i = 0; i < COUNT_OF(programs); i++)
        for (size_t k = 0; k < COUNT_OF(sets); k++) {
            CLEANUP(merge_done) struct merge m;
            build(&m, programs[i]);
            expect_same_both(&m, sets[k]);
        }
}

/* Each length of literal and value before a literal: every place in a line and in a group of three. */
static void test_places(void **state) {
    (void)state;
    static char letters[200];
    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = i % 7 == 6 ? ' ' : (char)('a' + i % 26);
    for (size_t before = 0; before < 160; before += before < 80 ? 1 : 7)
        for (size_t len = 0; len < 90; len += len < 5 ? 1 : 17) {
            CLEANUP(merge_done) struct merge m;
            merge_init(&m);
            merge_text(&m, view_make(letters, before));
            merge_field(&m, 0, MERGE_PLAIN);
            merge_text(&m, view_make(letters + 3, before));
            assert_int_equal(merge_seal(&m), 0);
            const struct view values[FIELDS] = {view_make(letters + 5, len)};
            expect_same_both(&m, values);
        }
}

static uint32_t random_state = 1;
static uint32_t random_below(uint32_t n) {
    random_state = random_state * 1664525 + 1013904223;
    return (uint32_t)((uint64_t)(random_state >> 8) * n >> 24);
}

static struct view random_text(char *room, size_t max) {
    static const char *const parts[] = {"a",    "b ",    " ",  ".",   "\n",   "\r\n", "From ", "=",
                                        "ü",    "їжак ", "\t", "\0x", "\xFF", "From", "F",     "word word word ",
                                        "\x1B", "<&>",   "😀"};
    size_t len = 0, want = random_below((uint32_t)max);
    while (len < want) {
        const char *part = parts[random_below(COUNT_OF(parts))];
        size_t n = *part ? strlen(part) : 2;
        if (len + n > max)
            break;
        memcpy(room + len, part, n);
        len += n;
    }
    return view_make(room, len);
}

static void random_merge(struct merge *m) {
    unsigned depth = 0;
    merge_init(m);
    for (uint32_t i = random_below(12); i > 0; i--) {
        char room[200];
        uint32_t what = random_below(10);
        if (what < 4) {
            merge_text(m, random_text(room, random_below(4) ? 30 : 200));
        } else if (what < 8) {
            merge_field(m, random_below(FIELDS), (enum merge_escape)random_below(4));
        } else if (what == 8 && depth < 3) {
            merge_if(m, random_below(FIELDS), random_below(2));
            depth++;
        } else if (depth) {
            merge_end(m);
            depth--;
        }
    }
    for (; depth; depth--)
        merge_end(m);
    assert_int_equal(merge_seal(m), 0);
}

static void test_random(void **state) {
    (void)state;
    for (int i = 0; i < 20000; i++) {
        CLEANUP(merge_done) struct merge m;
        char rooms[FIELDS][600];
        struct view values[FIELDS];
        random_merge(&m);
        for (size_t k = 0; k < FIELDS; k++)
            values[k] = random_below(3) ? random_text(rooms[k], random_below(8) ? 40 : 600) : (struct view){0};
        expect_same_both(&m, values);
    }
}

static void test_choice(void **state) {
    (void)state;
    static const struct {
        const char *program, *name;
    } cases[] = {
        {"Plain English text {0} with a few Umlaute: äöü.", "quoted-printable"},
        {"{0}", "quoted-printable"},
        {"", "quoted-printable"},
        {"Шановні колеги, {0} запрошуємо вас", "base64"},
        {"<p style=\"a=b\">Text = mehr Text</p>", "quoted-printable"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(merge_done) struct merge m;
        struct encoding *e;
        build(&m, cases[i].program);
        assert_int_equal(encoding_new(&m, ENCODING_SMALLER, &e), 0);
        assert_string_equal(encoding_name(e), cases[i].name);
        (void)encoding_free(e);
    }
}

/* What overruns the target's cap is an error there, and nothing else. */
static void test_full(void **state) {
    (void)state;
    CLEANUP(merge_done) struct merge m;
    build(&m, LONG "{0}" LONG "{0} ");
    const struct view values[FIELDS] = {VIEW("Vera Müller ")};
    for (int kind = ENCODING_QUOTED_PRINTABLE; kind <= ENCODING_BASE64; kind++) {
        struct encoding *e;
        assert_int_equal(encoding_new(&m, (enum encoding_kind)kind, &e), 0);
        for (size_t limit = 0; limit < 300; limit++) {
            AUTOBUF struct buf to = BUF_INIT(limit);
            encoding_fill(e, values, &to);
            assert_true(buf_error(&to) == -EMSGSIZE || (limit > 150 && buf_error(&to) == 0));
            assert_true(to.len <= limit);
        }
        (void)encoding_free(e);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quoted), cmocka_unit_test(test_base64), cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_places), cmocka_unit_test(test_random), cmocka_unit_test(test_choice),
        cmocka_unit_test(test_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
