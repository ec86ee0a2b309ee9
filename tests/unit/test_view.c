#include "unit.h"

static void comparisons(void **state) {
    (void)state;
    struct view none = {0};
    assert_true(view_eq(none, view_of("")));
    assert_true(view_eq(none, view_of(NULL)));
    assert_true(view_eq_str(VIEW("ab"), "ab"));
    assert_false(view_eq_str(VIEW("ab"), "abc"));
    assert_false(view_eq_str(VIEW("abc"), "ab"));
    assert_false(view_eq_str(VIEW("ab\0"), "ab"));
    assert_true(view_eq_nocase(VIEW("aB"), "Ab"));
    assert_false(view_eq_nocase(VIEW("aB"), "Abc"));
    assert_true(view_eq_nocase(none, ""));
    assert_true(view_starts(VIEW("abc"), "ab") && view_starts(none, "") && !view_starts(VIEW("a"), "ab"));
    assert_true(view_ends(VIEW("abc"), "bc") && view_ends(none, "") && !view_ends(VIEW("c"), "bc"));
    static const char *const rising[] = {"", "A", "a", "aa", "ab", "b", "\xC3\xA4"};
    for (size_t i = 0; i < COUNT_OF(rising); i++)
        for (size_t j = 0; j < COUNT_OF(rising); j++) {
            int c = view_cmp(view_of(rising[i]), view_of(rising[j]));
            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
        }
}

static void trimming(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {{"", ""}, {" ", ""}, {"\t\r\n ", ""}, {" a b ", "a b"}, {"a\r", "a"}, {"\xC2\xA0", "\xC2\xA0"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_true(view_eq_str(view_trim(view_of(cases[i].in)), cases[i].out));
    assert_int_equal(view_trim((struct view){0}).len, 0);
}

static void slices_never_leave_the_view(void **state) {
    (void)state;
    struct view v = VIEW("abcde");
    assert_true(view_eq_str(view_slice(v, 1, 2), "bc"));
    assert_true(view_eq_str(view_slice(v, 3, SIZE_MAX), "de"));
    assert_int_equal(view_slice(v, 5, 1).len, 0);
    assert_int_equal(view_slice(v, SIZE_MAX, SIZE_MAX).len, 0);
    assert_null(view_slice((struct view){0}, 3, 3).ptr);
}

static void finding(void **state) {
    (void)state;
    struct view v = VIEW("a,b,,c");
    assert_int_equal(view_find(v, ','), 1);
    assert_int_equal(view_find(v, 'x'), v.len);
    assert_int_equal(view_find((struct view){0}, 'x'), 0);
    assert_int_equal(view_search(v, VIEW(",,")), 3);
    assert_int_equal(view_search(v, VIEW("")), 0);
    assert_int_equal(view_search(v, VIEW("a,b,,cd")), v.len);
    assert_int_equal(view_search((struct view){0}, VIEW("x")), 0);
}

static void taking(void **state) {
    (void)state;
    struct view rest = VIEW("a\n\nb"), part = VIEW("before");
    assert_true(view_take(&rest, '\n', &part));
    assert_true(view_eq_str(part, "a"));
    assert_true(view_take(&rest, '\n', &part));
    assert_true(view_eq_str(part, ""));
    assert_false(view_take(&rest, '\n', &part)); /* not whole */
    assert_true(view_eq_str(part, ""));
    assert_true(view_eq_str(rest, "b"));
    rest = VIEW("");
    assert_false(view_take(&rest, '\n', &part));
}

static void splitting(void **state) {
    (void)state;
    static const struct {
        const char *in;
        const char *parts[4];
    } cases[] = {
        {"", {""}}, {"a", {"a"}}, {"a,b", {"a", "b"}}, {"a,", {"a", ""}}, {",", {"", ""}}, {",a,", {"", "a", ""}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct view rest = view_of(cases[i].in), part;
        size_t n = 0;
        for (; view_split(&rest, ',', &part); n++) {
            assert_true(n < 3 && cases[i].parts[n]);
            assert_true(view_eq_str(part, cases[i].parts[n]));
        }
        assert_null(cases[i].parts[n]);
    }
    struct view none = {0}, part;
    assert_false(view_split(&none, ',', &part));
}

static void lines(void **state) {
    (void)state;
    static const struct {
        const char *in;
        const char *parts[4];
    } cases[] = {
        {"", {0}},
        {"a", {"a"}},
        {"a\n", {"a"}},
        {"a\nb", {"a", "b"}},
        {"\n\n", {"", ""}},
        {"a\r\nb\r\n", {"a", "b"}},
        {"a\rb\n", {"a\rb"}},
        {"a\r", {"a"}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct view rest = view_of(cases[i].in), line;
        size_t n = 0;
        for (; view_line(&rest, &line); n++) {
            assert_true(n < 3 && cases[i].parts[n]);
            assert_true(view_eq_str(line, cases[i].parts[n]));
        }
        assert_null(cases[i].parts[n]);
    }
}

static void copies(void **state) {
    (void)state;
    AUTOFREE char *a = view_dup(view_make("abcdef", 3));
    AUTOFREE char *none = view_dup((struct view){0});
    assert_string_equal(a, "abc");
    assert_string_equal(none, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons), cmocka_unit_test(trimming),  cmocka_unit_test(slices_never_leave_the_view),
        cmocka_unit_test(finding),     cmocka_unit_test(splitting), cmocka_unit_test(taking),
        cmocka_unit_test(lines),       cmocka_unit_test(copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
