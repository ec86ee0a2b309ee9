#include "unit.h"

#include "base/text.h"

static void utf8_is_strict(void **state) {
    (void)state;
    static const struct {
        struct view bytes;
        bool ok;
    } cases[] = {
        {VIEW(""), true},
        {VIEW("abc"), true},
        {VIEW("Städtepartnerschaft"), true},
        {VIEW("\xF0\x9F\x8E\x89"), true},
        {VIEW("\xF4\x8F\xBF\xBF"), true},  /* U+10FFFF */
        {VIEW("\xF4\x90\x80\x80"), false}, /* beyond */
        {VIEW("a\0b"), false},             /* NUL */
        {VIEW("\xC0\x80"), false},         /* overlong NUL */
        {VIEW("\xE0\x80\xAF"), false},     /* overlong slash */
        {VIEW("\xED\xA0\x80"), false},     /* surrogate */
        {VIEW("\x80"), false},
        {VIEW("\xC3"), false},
        {VIEW("\xE2\x82"), false},
        {VIEW("M\xFCller"), false}, /* windows-1252 */
        {VIEW("\xFF\xFE"), false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        unit_int("utf-8 case", i * 2 + text_is_utf8(cases[i].bytes), i * 2 + cases[i].ok);
    assert_true(text_is_ascii(VIEW("a~\x7F")));
    assert_false(text_is_ascii(VIEW("\xC3\xA4")));
    assert_true(text_is_printable(VIEW("")));
    assert_true(text_is_printable(VIEW(" a~")));
    assert_false(text_is_printable(VIEW("a\x1F")));
    assert_false(text_is_printable(VIEW("\x7F"
                                        "a")));
    assert_false(text_is_printable(VIEW("a\xC3\xA4")));
    assert_false(text_is_printable(view_make("a\0b", 3)));
}

static void every_character_goes_round(void **state) {
    (void)state;
    for (uint32_t c = 1; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 97) {
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        AUTOBUF struct buf b = BUF_INIT(8);
        text_encode(&b, c);
        size_t len;
        assert_int_equal(text_decode(buf_view(&b), &len), c);
        assert_int_equal(len, b.len);
    }
    AUTOBUF struct buf b = BUF_INIT(8);
    text_encode(&b, 0xD800);
    assert_int_equal(buf_error(&b), -EILSEQ);
    size_t len;
    assert_int_equal(text_decode(VIEW("\xC3("), &len), 0xFFFD);
    assert_int_equal(len, 1);
    assert_int_equal(text_decode(VIEW("\xC3"), &len), 0xFFFD);
    assert_int_equal(len, 1);
}

static void what_hides_or_reorders_is_control(void **state) {
    (void)state;
    static const uint32_t control[] = {0,      9,      10,     0x1B,   0x1F,    0x7F,   0x85,
                                       0x9F,   0x61C,  0x200E, 0x200F, 0x202A,  0x202E, 0x2028,
                                       0x2029, 0x2066, 0x2069, 0xFEFF, 0xE0001, 0xE007F};
    static const uint32_t text[] = {0x20, 0x7E, 0xA0, 0xAD, 0x200B, 0x200D, 0x2010, 0x2065, 0x4E00, 0x1F389};
    for (size_t i = 0; i < COUNT_OF(control); i++)
        assert_true(text_is_control(control[i]));
    for (size_t i = 0; i < COUNT_OF(text); i++)
        assert_false(text_is_control(text[i]));
    assert_true(text_has_control(VIEW("abc\xE2\x80\xAE"
                                      "gpj.exe")));
    assert_false(text_has_control(VIEW("Zürich – 2. September")));
}

static void normal_forms(void **state) {
    (void)state;
    static const struct {
        const char *in, *nfc, *fold;
    } cases[] = {
        {"", "", ""},
        {"u\xCC\x88", "\xC3\xBC", "\xC3\xBC"}, /* decomposed ü */
        {"STRA\xC3\x9F"
         "E",
         "STRA\xC3\x9F"
         "E",
         "strasse"},
        {"\xC3\x84rzte", "\xC3\x84rzte", "\xC3\xA4rzte"},
        {"\xD0\x9A\xD0\xB8\xD1\x97\xD0\xB2", "\xD0\x9A\xD0\xB8\xD1\x97\xD0\xB2", "\xD0\xBA\xD0\xB8\xD1\x97\xD0\xB2"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf nfc = BUF_INIT(100), fold = BUF_INIT(100);
        assert_int_equal(text_nfc(view_of(cases[i].in), &nfc), 0);
        assert_int_equal(text_fold(view_of(cases[i].in), &fold), 0);
        assert_string_equal(buf_str(&nfc), cases[i].nfc);
        assert_string_equal(buf_str(&fold), cases[i].fold);
    }
    AUTOBUF struct buf b = BUF_INIT(4);
    assert_int_equal(text_nfc(VIEW("\xFF"), &b), -EILSEQ);
    assert_int_equal(text_fold(VIEW("\xFF"), &b), -EILSEQ);
    assert_int_equal(text_fold(VIEW("12345"), &b), -EMSGSIZE);
}

static void files_of_people_are_read(void **state) {
    (void)state;
    static const struct {
        struct view bytes;
        int r;
        const char *text, *charset;
    } cases[] = {
        {VIEW(""), 0, "", "UTF-8"},
        {VIEW("\xEF\xBB\xBFM\xC3\xBCller"), 0, "Müller", "UTF-8"},
        {VIEW("M\xC3\xBCller"), 0, "Müller", "UTF-8"},
        {VIEW("M\xFCller \x80"), 0, "Müller €", "windows-1252"},
        {VIEW("\xFF\xFEM\0\xFC\0"), 0, "Mü", "UTF-16"},
        {VIEW("\xFE\xFF\0M\0\xFC"), 0, "Mü", "UTF-16"},
        {VIEW("\xFF\xFE"), 0, "", "UTF-16"},
        {VIEW("\xFF\xFEM"), -EILSEQ, NULL, NULL},        /* half a unit */
        {VIEW("\xFF\xFE\x00\xD8"), -EILSEQ, NULL, NULL}, /* half a pair */
        {VIEW("M\0\xFC\0l\0"), -EILSEQ, NULL, NULL},     /* UTF-16 without its BOM */
        {VIEW("\xFF\xFE\0\0"), -EILSEQ, NULL, NULL},
        {VIEW("a\0b"), -EILSEQ, NULL, NULL},
        {VIEW("\x81"), -EILSEQ, NULL, NULL}, /* nothing in windows-1252 */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf b = BUF_INIT(100);
        const char *charset = NULL;
        unit_int("reading case", (long long)i * 1000 + text_read(cases[i].bytes, &b, &charset),
                 (long long)i * 1000 + cases[i].r);
        unit_str("charset", charset, cases[i].charset);
        if (cases[i].r == 0)
            unit_str("text", buf_str(&b), cases[i].text);
    }
    AUTOBUF struct buf b = BUF_INIT(100);
    assert_int_equal(text_convert(VIEW("x"), "no-such-charset", &b), -EINVAL);
    assert_int_equal(text_convert(VIEW("Gda\xF1sk"), "ISO-8859-2", &b), 0);
    assert_string_equal(buf_str(&b), "Gdańsk");
}

static void conversion_stops_at_the_cap(void **state) {
    (void)state;
    char many[10000];
    memset(many, 0xFC, sizeof many); /* two bytes each in UTF-8 */
    const char *charset;
    AUTOBUF struct buf fits = BUF_INIT(20000), not = BUF_INIT(19999);
    assert_int_equal(text_read(view_make(many, sizeof many), &fits, &charset), 0);
    assert_int_equal(fits.len, 20000);
    assert_int_equal(text_read(view_make(many, sizeof many), &not, &charset), -EMSGSIZE);
}

static void cleaning_in_place(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},
        {"plain ä", "plain ä"},
        {"a\nb\tc\x1B[31m", "a?b?c?[31m"},
        {"cut \xE2\x82", "cut "},
        {"cut \xF0\x9F\x8E", "cut "},
        {"cut \xC3", "cut "},
        {"not cut \xC3(", "not cut ?("},
        {"\xFFx\x80", "?x?"},
        {"rtl \xE2\x80\xAE!", "rtl ??"
                              "?!"},
        {"end \xFF", "end ?"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char s[64];
        (void)snprintf(s, sizeof s, "%s", cases[i].in);
        text_cut_clean(s);
        unit_str(cases[i].in, s, cases[i].out);
    }
}

static void safe_for_a_terminal(void **state) {
    (void)state;
    AUTOBUF struct buf b = BUF_INIT(200);
    text_add_safe(&b, VIEW("ä\x1B]0;x\a\n\xFF\xE2\x80\xAE\0"));
    assert_string_equal(buf_str(&b), "ä\\x1b]0;x\\x07\\x0a\\xff\\xe2\\x80\\xae\\x00");
}

static void widths(void **state) {
    (void)state;
    assert_int_equal(text_width(VIEW("")), 0);
    assert_int_equal(text_width(VIEW("Müller")), 6);
    assert_int_equal(text_width(VIEW("u\xCC\x88")), 1);
    assert_int_equal(text_width(VIEW("日本")), 4);
}

static void nearest_names(void **state) {
    (void)state;
    static const char *const names[] = {"start", "end", "location", "timezone", "id", "x"};
    static const struct {
        const char *typed, *want;
    } cases[] = {
        {"strat", "start"},
        {"Start", "start"},
        {"ende", "end"},
        {"locaton", "location"},
        {"time-zone", "timezone"},
        {"zzz", NULL},
        {"completely", NULL},
        {"", NULL},
        {"i", "id"},
        {"y", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        unit_str(cases[i].typed, text_nearest(view_of(cases[i].typed), names, COUNT_OF(names)), cases[i].want);
    char long_typed[65];
    memset(long_typed, 'a', sizeof long_typed);
    const char *same[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}; /* 64 */
    assert_ptr_equal(text_nearest(view_make(long_typed, 64), same, 1), same[0]);
    assert_null(text_nearest(view_make(long_typed, 65), same, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(every_character_goes_round),
        cmocka_unit_test(what_hides_or_reorders_is_control),
        cmocka_unit_test(normal_forms),
        cmocka_unit_test(files_of_people_are_read),
        cmocka_unit_test(conversion_stops_at_the_cap),
        cmocka_unit_test(cleaning_in_place),
        cmocka_unit_test(safe_for_a_terminal),
        cmocka_unit_test(widths),
        cmocka_unit_test(nearest_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
