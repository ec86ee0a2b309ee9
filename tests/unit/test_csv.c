#include "unit.h"

#include <stdio.h>

#include "base/text_stream.h"
#include "people/csv.h"
#include "people/decode.h"

/* --- Charsets ------------------------------------------------------------------------------------------------- */

/* Decodes in pieces of the given size. */
static void decode_all(const char *charset, struct view input, size_t piece, struct buf *to, const char **ret_charset,
                       bool *ret_guessed) {
    struct decode *d;
    static char kept[64];
    buf_clear(to);
    assert_int_equal(decode_new(charset, &d), 0);
    for (size_t at = 0; at < input.len; at += piece)
        assert_int_equal(decode_feed(d, view_slice(input, at, piece), to), 0);
    assert_int_equal(decode_end(d, to), 0);
    (void)snprintf(kept, sizeof kept, "%s", decode_charset(d));
    *ret_charset = kept;
    *ret_guessed = decode_guessed(d);
    (void)decode_free(d);
}

#define BYTES(literal)                                                                                                 \
    { literal, sizeof(literal) - 1 }

static void charsets_are_found(void **state) {
    (void)state;
    static const struct {
        const char *name, *given;
        struct view input;
        const char *text, *charset;
        bool guessed;
    } cases[] = {
        {"empty", NULL, BYTES(""), "", "UTF-8", false},
        {"one byte", NULL, BYTES("a"), "a", "UTF-8", false},
        {"ASCII", NULL, BYTES("plain text"), "plain text", "UTF-8", false},
        {"UTF-8", NULL, BYTES("Müller, Żak, 😀"), "Müller, Żak, 😀", "UTF-8", false},
        {"BOM", NULL, BYTES("\xEF\xBB\xBFMüller"), "Müller", "UTF-8", false},
        {"BOM alone", NULL, BYTES("\xEF\xBB\xBF"), "", "UTF-8", false},
        {"half a BOM", NULL, BYTES("\xEF\xBB"), "ï»", "windows-1252", true},
        {"windows-1252", NULL, BYTES("abc M\xFCller \x80 \x93x\x94"), "abc Müller € “x”", "windows-1252", true},
        {"windows-1252 at once", NULL, BYTES("\xDC\x62\x65r"), "Über", "windows-1252", true},
        {"windows-1252 at the end", NULL, BYTES("abc\xC3"), "abcÃ", "windows-1252", true},
        {"UTF-8 lookalike first", NULL, BYTES("M\xC3\xBC, then \xFC and Sch\xF6n"),
         "Mü, then \xEF\xBF\xBD and Sch\xEF\xBF\xBDn", "UTF-8", false},
        {"overlong", NULL, BYTES("ü \xC0\x80 \xED\xA0\x80"),
         "ü \xEF\xBF\xBD\xEF\xBF\xBD \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD", "UTF-8", false},
        {"cut off at the end", NULL, BYTES("ü \xE2\x82"), "ü \xEF\xBF\xBD", "UTF-8", false},
        {"BOM and damage", NULL,
         BYTES("\xEF\xBB\xBF"
               "a\xFC"),
         "a\xEF\xBF\xBD", "UTF-8", false},
        {"UTF-16 little", NULL,
         BYTES("\xFF\xFE"
               "a\0\xFC\0\x3D\xD8\x00\xDE"),
         "aü😀", "UTF-16", false},
        {"UTF-16 big", NULL, BYTES("\xFE\xFF\0a\0\xFC\xD8\x3D\xDE\x00"), "aü😀", "UTF-16", false},
        {"UTF-16 cut", NULL,
         BYTES("\xFF\xFE"
               "a\0\xFC"),
         "a\xEF\xBF\xBD", "UTF-16", false},
        {"UTF-16 half a pair", NULL, BYTES("\xFE\xFF\xDE\x00\0a"),
         "\xEF\xBF\xBD"
         "a",
         "UTF-16", false},
        {"given", "iso-8859-2",
         BYTES("\xAF"
               "ak"),
         "Żak", "iso-8859-2", false},
        {"given UTF-16LE", "UTF-16LE", BYTES("a\0\xFC\0"), "aü", "UTF-16LE", false},
        {"given, but a BOM", "iso-8859-2", BYTES("\xEF\xBB\xBFŻak"), "Żak", "UTF-8", false},
        {"given, but a BOM of UTF-16", "utf-8",
         BYTES("\xFF\xFE"
               "a\0"),
         "a", "UTF-16", false},
        {"given UTF-8, damaged", "utf-8",
         BYTES("abc\xFC"
               "d"),
         "abc\xEF\xBF\xBD"
         "d",
         "utf-8", false},
        {"not in windows-1252", NULL, BYTES("abc\xFC\x81"), "abcü\xEF\xBF\xBD", "windows-1252", true},
    };
    AUTOBUF struct buf text = BUF_INIT(4096);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t piece = 1; piece < 12; piece++) {
            const char *charset;
            bool guessed;
            decode_all(cases[i].given, cases[i].input, piece, &text, &charset, &guessed);
            unit_str(cases[i].name, buf_str(&text), cases[i].text);
            unit_str(cases[i].name, charset, cases[i].charset);
            unit_int(cases[i].name, guessed, cases[i].guessed);
        }
}

static void unknown_charsets_are_refused(void **state) {
    (void)state;
    struct decode *d = NULL;
    static const char *const names[] = {"",     "no-such-charset", "UTF-8//TRANSLIT",
                                        "../x", "utf 8",           "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        unit_int(names[i], decode_new(names[i], &d), -EINVAL);
    assert_null(d);
}

/* --- Rows ----------------------------------------------------------------------------------------------------- */

struct seen {
    struct buf text; /* "LINE:cell|cell!fault " for each row */
    int rows, stop_at;
};

static int on_row(void *user, const struct csv_row *row) {
    struct seen *s = user;
    buf_printf(&s->text, "%u:", row->line);
    for (size_t i = 0; i < row->count && !row->fault; i++)
        buf_printf(&s->text, "%s%.*s", i ? "|" : "", (int)row->cells[i].len, row->cells[i].ptr);
    if (row->fault)
        buf_printf(&s->text, "!%s", row->fault);
    buf_putc(&s->text, ' ');
    return ++s->rows == s->stop_at ? -ECANCELED : 0;
}

static int read_all(struct view input, size_t piece, struct seen *seen, char *ret_separator, struct why *why) {
    struct csv_reader *c;
    assert_int_equal(csv_reader_new(NULL, on_row, seen, &c), 0);
    int r = 0;
    for (size_t at = 0; at < input.len && r == 0; at += piece)
        r = csv_reader_feed(c, view_slice(input, at, piece), why);
    if (r == 0)
        r = csv_reader_end(c, why);
    *ret_separator = csv_reader_separator(c);
    (void)csv_reader_free(c);
    return r;
}

static void rows_are_read(void **state) {
    (void)state;
    static const struct {
        const char *input, *rows;
        char separator;
    } cases[] = {
        {"", "", ','},
        {"\n\n", "", ','},
        {"a", "1:a ", ','},
        {"a,b\n1,2\n", "1:a|b 2:1|2 ", ','},
        {"a;b\r\n1;2\r\n", "1:a|b 2:1|2 ", ';'},
        {"a\tb\r1\t2\r3\t4", "1:a|b 2:1|2 3:3|4 ", '\t'},
        {"a;b,c;d\n1;2;3\n", "1:a|b,c|d 2:1|2|3 ", ';'},
        {"\"x;y;z\",b,c\n", "1:x;y;z|b|c ", ','},
        {"sep=;\r\na,b;c\r\n1;2", "2:a,b|c 3:1|2 ", ';'},
        {"SEP=,\na;b;c\n", "2:a;b;c ", ','},
        {"sep=\t\na,b\tc\n", "2:a,b|c ", '\t'},
        {"a;b\n\n \n;;\n1;2\n", "1:a|b 5:1|2 ", ';'},
        {" a ; \" b \" ;c\n", "1:a|b|c ", ';'},
        {"a;b\n\"x\ny\r\nz\";2\n3;4\n", "1:a|b 2:x\ny\r\nz|2 5:3|4 ", ';'},
        {"a;b\n\"x \"\"y\"\" z\";\"\"\n", "1:a|b 2:x \"y\" z| ", ';'},
        {"a;b\nx \"y\" z;2\n3;4\n", "1:a|b 2:!a quote stands inside a cell 3:3|4 ", ';'},
        {"a;b\n\"x\"y;2\n3;4\n", "1:a|b 2:!a quote stands inside a cell 3:3|4 ", ';'},
        {"a;b\n1;2\n\"x;y\nz;w\n", "1:a|b 2:1|2 3:!a quote is not closed ", ';'},
        {"a;b\nx;\xEF\xBF\xBD\n3;4\n", "1:a|b 2:!a character is damaged (not of this charset) 3:3|4 ", ';'},
        {"a;\xFC\n1;2\n", "1:a|ü 2:1|2 ", ';'},
        {"\xEF\xBB\xBF"
         "a;b\n",
         "1:a|b ", ';'},
        {"\xEF\xBB\xBFsep=,\r\na,b\n", "2:a|b ", ','},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t piece = 1; piece < 20; piece++) {
            struct seen seen = {.text = BUF_INIT(4096)};
            struct why why;
            char separator;
            unit_int(cases[i].input, read_all(view_of(cases[i].input), piece, &seen, &separator, &why), 0);
            unit_str(cases[i].input, buf_str(&seen.text), cases[i].rows);
            unit_int(cases[i].input, separator, cases[i].separator);
            buf_done(&seen.text);
        }
}

static void limits_hold(void **state) {
    (void)state;
    AUTOBUF struct buf input = BUF_INIT(1 << 20);
    struct why why = {0};
    char separator;
    /* a cell that just fits, one byte more */
    for (int more = 0; more < 2; more++) {
        struct seen seen = {.text = BUF_INIT(1 << 20)};
        buf_clear(&input);
        buf_puts(&input, "a;b\n");
        for (int i = 0; i < CSV_ROW_MAX_BYTES - 3 + more; i++)
            buf_putc(&input, 'x');
        buf_puts(&input, ";1\n2;3\n");
        assert_int_equal(read_all(buf_view(&input), 1000, &seen, &separator, &why), more ? -EMSGSIZE : 0);
        assert_int_equal(seen.rows, more ? 1 : 3);
        buf_done(&seen.text);
    }
    assert_string_equal(why.where, "line 2");
    assert_string_equal(why.todo, "Is a quote not closed there?");
    /* an open quote does not take in the whole file */
    struct seen seen = {.text = BUF_INIT(1 << 20)};
    buf_clear(&input);
    buf_puts(&input, "a;b\n1;2\n\"3;4\n");
    while (input.len < 200000)
        buf_puts(&input, "5;6\n");
    assert_int_equal(read_all(buf_view(&input), 4096, &seen, &separator, &why), -EMSGSIZE);
    assert_string_equal(why.where, "line 3");
    buf_done(&seen.text);
    /* a first line without an end */
    seen = (struct seen){.text = BUF_INIT(1 << 20)};
    buf_clear(&input);
    while (input.len < 100000)
        buf_puts(&input, "xxxxxxxxx");
    assert_int_equal(read_all(buf_view(&input), 4096, &seen, &separator, &why), -EMSGSIZE);
    buf_done(&seen.text);
    for (int more = 0; more < 2; more++) {
        seen = (struct seen){.text = BUF_INIT(1 << 20)};
        buf_clear(&input);
        for (int i = 1; i < CSV_COLUMNS_MAX + more; i++)
            buf_puts(&input, "x;");
        buf_puts(&input, "x\n1;2\n");
        assert_int_equal(read_all(buf_view(&input), 100, &seen, &separator, &why), 0);
        assert_int_equal(strstr(buf_str(&seen.text), "more than 256 cells") != NULL, more);
        assert_non_null(strstr(buf_str(&seen.text), "2:1|2"));
        buf_done(&seen.text);
    }
}

static void a_callback_ends_it(void **state) {
    (void)state;
    struct seen seen = {.text = BUF_INIT(4096), .stop_at = 2};
    struct why why;
    char separator;
    assert_int_equal(read_all(VIEW("a;b\n1;2\n3;4\n"), 100, &seen, &separator, &why), -ECANCELED);
    assert_int_equal(seen.rows, 2);
    buf_done(&seen.text);
    seen = (struct seen){.text = BUF_INIT(4096), .stop_at = 2};
    assert_int_equal(read_all(VIEW("a;b\n1;2"), 100, &seen, &separator, &why), -ECANCELED);
    buf_done(&seen.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(charsets_are_found), cmocka_unit_test(unknown_charsets_are_refused),
        cmocka_unit_test(rows_are_read),      cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_callback_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
