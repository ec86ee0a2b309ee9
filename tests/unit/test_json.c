#include "net/json.h"

#include "unit.h"

static void documents_are_read_whole_or_not_at_all(void **state) {
    (void)state;
    static const struct {
        const char *text, *printed; /* NULL: refused */
    } cases[] = {
        {"{}", "{}"},
        {" [1, 2.5, true, null, \"\\u00fc\"] \n", "[1,2.5,true,null,\"\xc3\xbc\"]"},
        {"{\"z\":1,\"a\":{\"b\":[]}}", "{\"z\":1,\"a\":{\"b\":[]}}"}, /* the order stays */
        {"{\"a\":\"\\\"\\n\"}", "{\"a\":\"\\\"\\n\"}"},
        {"9", NULL},
        {"\"a\"", NULL},
        {"", NULL},
        {"{", NULL},
        {"{}x", NULL},
        {"{} {}", NULL},
        {"{\"a\":1,\"a\":2}", NULL},
        {"{'a':1}", NULL},
        {"[1,]", NULL},
        {"[\"\xff\"]", NULL},
        {"[\"\\ud800\"]", NULL},
        {"[\"\\u0000\"]", NULL},
        {"[99999999999999999999]", NULL},
        {"[1e999]", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        json_t *value = json_read(view_of(cases[i].text));
        AUTOBUF struct buf printed = BUF_INIT(1000);
        unit_int(cases[i].text, value != NULL, cases[i].printed != NULL);
        if (value)
            assert_int_equal(json_print(value, &printed), 0);
        unit_str(cases[i].text, buf_str(&printed), cases[i].printed ? cases[i].printed : "");
        json_decref(value);
    }
    assert_null(json_read((struct view){0}));
}

static void nesting_is_bounded(void **state) {
    (void)state;
    for (int over = 0; over <= 1; over++) {
        AUTOBUF struct buf text = BUF_INIT(10000);
        for (int i = 0; i < 2048 + over; i++)
            buf_putc(&text, '[');
        for (int i = 0; i < 2048 + over; i++)
            buf_putc(&text, ']');
        json_t *value = json_read(buf_view(&text));
        assert_int_equal(value == NULL, over);
        json_decref(value);
    }
}

static void printing_tells_its_failures(void **state) {
    (void)state;
    json_t *value = json_read(VIEW("[1,2,3]"));
    AUTOBUF struct buf small = BUF_INIT(6), exact = BUF_INIT(7);
    assert_int_equal(json_print(value, &small), -EMSGSIZE);
    assert_int_equal(json_print(value, &exact), 0);
    assert_string_equal(buf_str(&exact), "[1,2,3]");
    assert_int_equal(json_print(json_array_get(value, 0), &exact), -EINVAL);
    json_decref(value);
}

static void members_have_fallbacks(void **state) {
    (void)state;
    json_t *o = json_read(VIEW("{\"t\":\"x\",\"n\":-7,\"r\":1.5,\"yes\":true,\"no\":false,\"null\":null}"));
    assert_non_null(o);
    assert_string_equal(json_text(o, "t"), "x");
    assert_string_equal(json_text(o, "n"), "");
    assert_string_equal(json_text(o, "absent"), "");
    assert_int_equal(json_number(o, "n", 1), -7);
    assert_int_equal(json_number(o, "r", 1), 1);
    assert_int_equal(json_number(o, "t", 1), 1);
    assert_int_equal(json_number(o, "absent", 1), 1);
    assert_true(json_flag(o, "yes"));
    assert_false(json_flag(o, "no"));
    assert_false(json_flag(o, "t"));
    assert_false(json_flag(o, "absent"));
    json_t *list = json_read(VIEW("[1]"));
    assert_string_equal(json_text(list, "a"), "");
    assert_int_equal(json_number(list, "a", 5), 5);
    assert_false(json_flag(NULL, "a"));
    json_decref(list);
    json_decref(o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_are_read_whole_or_not_at_all),
        cmocka_unit_test(nesting_is_bounded),
        cmocka_unit_test(printing_tells_its_failures),
        cmocka_unit_test(members_have_fallbacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
