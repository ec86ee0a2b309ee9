#include "unit.h"

#include "base/text.h"
#include "mail/wrap.h"
#include "merge_show.h"

static void expect(struct wrap *w, const char *first, const char *other, const char *expected, size_t columns) {
    struct merge m;
    AUTOBUF struct buf shown = BUF_INIT(1 << 20);
    merge_init(&m);
    size_t got = wrap_flush(w, view_of(first), view_of(other), &m);
    assert_int_equal(merge_seal(&m), 0);
    merge_show(&m, &shown);
    assert_string_equal(buf_str(&shown), expected);
    unit_int(expected, got, columns);
    merge_done(&m);
}

#define TEN "123456789 "
#define URL_OF_80 "https://x.example/123456789/123456789/123456789/123456789/123456789/123456789/12"

static void text_is_broken_at_blanks(void **state) {
    (void)state;
    static const struct {
        const char *text, *first, *other, *expected;
        size_t columns;
    } cases[] = {
        {"", "", "", "\n", 0},
        {"a", "- ", "  ", "- a\n", 1},
        {" \n a \t\n b ", "", "", "a b\n", 3},
        {TEN TEN TEN TEN TEN TEN TEN "12", "", "", TEN TEN TEN TEN TEN TEN TEN "12\n", 72},
        {TEN TEN TEN TEN TEN TEN TEN "123", "", "", TEN TEN TEN TEN TEN TEN "123456789\n123\n", 69},
        {TEN TEN TEN TEN TEN TEN TEN "1", "> ", "> ", "> " TEN TEN TEN TEN TEN TEN "123456789\n> 1\n", 69},
        {TEN TEN TEN TEN TEN TEN "123456789", "- ", "  ", "- " TEN TEN TEN TEN TEN TEN "123456789\n", 69},
        {"see " URL_OF_80 " there", "", "", "see\n" URL_OF_80 "\nthere\n", 80},
        {"Gr\xC3\xB6\xC3\x9F"
         "e\xC2\xA0"
         "bleibt",
         "", "",
         "Gr\xC3\xB6\xC3\x9F"
         "e\xC2\xA0"
         "bleibt\n",
         12},
    };
    struct wrap w;
    wrap_init(&w);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        wrap_text(&w, view_of(cases[i].text));
        expect(&w, cases[i].first, cases[i].other, cases[i].expected, cases[i].columns);
        assert_true(wrap_is_empty(&w));
    }
    wrap_done(&w);
}

/* 36 characters of two columns fill a line. */
#define HAN9 "東京都千代田区一番"
static void east_asian_text_is_broken_between_characters(void **state) {
    (void)state;
    static const struct {
        const char *text, *expected;
        size_t columns;
    } cases[] = {
        {HAN9 HAN9 HAN9 HAN9, HAN9 HAN9 HAN9 HAN9 "\n", 72},
        {HAN9 HAN9 HAN9 HAN9 "町", HAN9 HAN9 HAN9 HAN9 "\n町\n", 72},
        /* No full stop begins a line, no bracket ends one. */
        {HAN9 HAN9 HAN9 "東京都千代田区一番。町", HAN9 HAN9 HAN9 "東京都千代田区一\n番。町\n", 70},
        {HAN9 HAN9 HAN9 "東京都千代田区一「番", HAN9 HAN9 HAN9 "東京都千代田区一\n「番\n", 70},
        {HAN9 HAN9 HAN9 "東京都千代田区一abc", HAN9 HAN9 HAN9 "東京都千代田区一\nabc\n", 70},
        {HAN9 HAN9 HAN9 HAN9 "https://x.example/東京都千代田区",
         HAN9 HAN9 HAN9 HAN9 "\nhttps://x.example/東京都千代田区\n", 72},
        /* Korean is broken at its blanks. */
        {"서울특별시종로구세종로일번지서울특별시종로구세종로일번지서울특별시종로구세종로 일번지",
         "서울특별시종로구세종로일번지서울특별시종로구세종로일번지서울특별시종로구세종로\n일번지\n", 78},
    };
    struct wrap w;
    wrap_init(&w);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        wrap_text(&w, view_of(cases[i].text));
        expect(&w, "", "", cases[i].expected, cases[i].columns);
    }
    wrap_done(&w);
}

static void right_to_left_text_is_broken_like_any(void **state) {
    (void)state;
    struct wrap w;
    wrap_init(&w);
    for (int i = 0; i < 13; i++)
        wrap_text(&w, VIEW("שלום "));
    wrap_text(&w, VIEW("\xE2\x80\x8Fמסיבה שנתית"));
    expect(&w, "", "", "שלום שלום שלום שלום שלום שלום שלום שלום שלום שלום שלום שלום שלום \xE2\x80\x8Fמסיבה\nשנתית\n",
           70);
    wrap_done(&w);
}

static void pieces_of_a_word_stay_together(void **state) {
    (void)state;
    struct wrap w;
    wrap_init(&w);
    wrap_text(&w, VIEW(TEN TEN TEN TEN TEN TEN "12345 "));
    wrap_solid(&w, VIEW("*"));
    wrap_text(&w, VIEW("word"));
    wrap_solid(&w, VIEW("*"));
    wrap_solid(&w, VIEW(" [1]"));
    expect(&w, "", "", TEN TEN TEN TEN TEN TEN "12345\n*word* [1]\n", 65);
    wrap_text(&w, VIEW(TEN TEN TEN TEN TEN "12 "));
    wrap_field(&w, 3, MERGE_PLAIN, 20); /* 53 + 19 fit, one more not */
    expect(&w, "", "", TEN TEN TEN TEN TEN "12\n[3p]\n", 52);
    wrap_text(&w, VIEW(TEN TEN TEN TEN TEN "1 "));
    wrap_field(&w, 3, MERGE_PLAIN, 20);
    expect(&w, "", "", TEN TEN TEN TEN TEN "1 [3p]\n", 72);
    wrap_done(&w);
}

static void breaks(void **state) {
    (void)state;
    struct wrap w;
    wrap_init(&w);
    wrap_text(&w, VIEW("a "));
    wrap_break(&w);
    wrap_text(&w, VIEW(" b"));
    expect(&w, "- ", "  ", "- a\n  b\n", 1);
    wrap_done(&w);
}

/* Whatever of the spans stands, no line is longer. */
static void lines_keep_to_the_width_with_and_without_spans(void **state) {
    (void)state;
    static const char *const words[] = {"Wort", "und", "Unterschriftensammlung", "in", "a", "Partnerschaften"};
    struct wrap w;
    struct merge m;
    wrap_init(&w);
    merge_init(&m);
    for (unsigned i = 0; i < 7 * 60; i++) {
        if (i % 7 == 3)
            wrap_if(&w, i / 7 % 3, i % 2);
        wrap_text(&w, view_of(words[(i * i + i / 5) % COUNT_OF(words)]));
        if (i % 7 == 5)
            wrap_end(&w);
        wrap_text(&w, VIEW(" "));
    }
    assert_true(wrap_flush(&w, view_of("> "), view_of("> "), &m) <= WRAP_COLUMNS - 2);
    assert_int_equal(merge_seal(&m), 0);
    for (unsigned mask = 0; mask < 8; mask++) {
        AUTOBUF struct buf filled = BUF_INIT(1 << 20);
        const struct view values[3] = {
            {.ptr = mask & 1 ? "x" : NULL, .len = mask & 1},
            {.ptr = mask & 2 ? "x" : NULL, .len = mask >> 1 & 1},
            {.ptr = mask & 4 ? "x" : NULL, .len = mask >> 2 & 1},
        };
        merge_fill(&m, values, &filled);
        struct view rest = buf_view(&filled), line;
        while (view_line(&rest, &line))
            assert_true(text_width(line) <= WRAP_COLUMNS);
    }
    merge_done(&m);
    wrap_done(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_broken_at_blanks),
        cmocka_unit_test(east_asian_text_is_broken_between_characters),
        cmocka_unit_test(right_to_left_text_is_broken_like_any),
        cmocka_unit_test(pieces_of_a_word_stay_together),
        cmocka_unit_test(breaks),
        cmocka_unit_test(lines_keep_to_the_width_with_and_without_spans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
