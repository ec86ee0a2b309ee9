#include "unit.h"

static void text_grows_and_ends_with_nul(void **state) {
    (void)state;
    AUTOBUF struct buf b = BUF_INIT(100000);
    assert_string_equal(buf_str(&b), "");
    assert_int_equal(buf_view(&b).len, 0);
    buf_puts(&b, "abc");
    buf_putc(&b, '-');
    buf_add(&b, "x\0y", 3);
    buf_add_view(&b, (struct view){0});
    buf_printf(&b, "%05d", 42);
    assert_int_equal(b.len, 12);
    assert_memory_equal(buf_str(&b), "abc-x\0y00042", 13);
    for (int i = 0; i < 1000; i++)
        buf_printf(&b, "%s", "0123456789");
    assert_int_equal(b.len, 10012);
    assert_int_equal(strlen(buf_str(&b) + 7), 10005);
    assert_int_equal(buf_error(&b), 0);
}

static void numbers_are_written_as_printf_does(void **state) {
    (void)state;
    const int64_t numbers[] = {0, 1, -1, 9, 10, 99, 100, -100, INT32_MAX, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        AUTOBUF struct buf b = BUF_INIT(100), expected = BUF_INIT(100);
        buf_put_i64(&b, numbers[i]);
        buf_printf(&expected, "%lld", (long long)numbers[i]);
        assert_string_equal(buf_str(&b), buf_str(&expected));
    }
}

static void printf_longer_than_its_first_try(void **state) {
    (void)state;
    for (int width = 250; width <= 260; width++) {
        AUTOBUF struct buf b = BUF_INIT(1000);
        buf_printf(&b, "%*d", width, 7);
        assert_int_equal(b.len, width);
        assert_int_equal(buf_str(&b)[width - 1], '7');
    }
}

static void the_cap_holds_on_both_sides(void **state) {
    (void)state;
    AUTOBUF struct buf b = BUF_INIT(10);
    buf_puts(&b, "0123456789");
    assert_int_equal(buf_error(&b), 0);
    assert_int_equal(b.len, 10);
    buf_putc(&b, 'x');
    assert_int_equal(buf_error(&b), -EMSGSIZE);
    assert_string_equal(buf_str(&b), "0123456789");
    buf_truncate(&b, 3);
    buf_puts(&b, "more"); /* the first failure sticks */
    assert_string_equal(buf_str(&b), "012");
    assert_null(buf_steal(&b));
    buf_clear(&b);
    assert_int_equal(buf_error(&b), 0);
    buf_puts(&b, "again");
    assert_string_equal(buf_str(&b), "again");
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_int_equal(buf_error(&b), -EMSGSIZE);
}

static void reserve_writes_in_place(void **state) {
    (void)state;
    AUTOBUF struct buf b = BUF_INIT(100);
    char *to = buf_reserve(&b, 100);
    assert_non_null(to);
    memcpy(to, "four", 4);
    buf_used(&b, 4);
    assert_string_equal(buf_str(&b), "four");
}

static void an_unused_reserve_shows_nothing(void **state) {
    (void)state;
    /* Memory that was used before: what was in it must not come out again. */
    AUTOFREE char *before =
        view_dup(VIEW("old content of this memory, long enough to be taken up again by the buffer"));
    assert_non_null(before);
    free(before);
    before = NULL;
    AUTOBUF struct buf b = BUF_INIT(1000);
    assert_non_null(buf_reserve(&b, 60));
    assert_string_equal(buf_str(&b), "");
}

static void the_front_and_the_end_go(void **state) {
    (void)state;
    AUTOBUF struct buf b = BUF_INIT(100);
    buf_consume(&b, 5);
    buf_truncate(&b, 5);
    buf_puts(&b, "head-tail");
    buf_consume(&b, 5);
    assert_string_equal(buf_str(&b), "tail");
    buf_truncate(&b, 9);
    assert_string_equal(buf_str(&b), "tail");
    buf_truncate(&b, 1);
    assert_string_equal(buf_str(&b), "t");
    buf_consume(&b, 1);
    assert_string_equal(buf_str(&b), "");
    buf_puts(&b, "x");
    buf_consume(&b, 100);
    assert_int_equal(b.len, 0);
}

static void stolen_bytes_are_the_callers(void **state) {
    (void)state;
    AUTOBUF struct buf b = BUF_INIT(100);
    AUTOFREE char *nothing = buf_steal(&b);
    assert_string_equal(nothing, "");
    buf_puts(&b, "mine");
    AUTOFREE char *mine = buf_steal(&b);
    buf_puts(&b, "other");
    assert_string_equal(mine, "mine");
    assert_string_equal(buf_str(&b), "other");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_grows_and_ends_with_nul),     cmocka_unit_test(numbers_are_written_as_printf_does),
        cmocka_unit_test(printf_longer_than_its_first_try), cmocka_unit_test(the_cap_holds_on_both_sides),
        cmocka_unit_test(reserve_writes_in_place),          cmocka_unit_test(an_unused_reserve_shows_nothing),
        cmocka_unit_test(the_front_and_the_end_go),         cmocka_unit_test(stolen_bytes_are_the_callers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
