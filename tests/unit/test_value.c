#include "unit.h"

#include "mail/merge.h"
#include "mail/value.h"

static void setting_and_appending(void **state) {
    (void)state;
    AUTOARENA struct arena a = {0};
    struct value map = value_map(), list = value_list();
    char key[16] = "first";
    assert_int_equal(value_set(&a, &map, key, value_text("1")), 0);
    key[0] = 'x';
    assert_int_equal(value_set(&a, &map, "second", value_field(7)), 0);
    assert_int_equal(value_set(&a, &map, "first", value_text("one")), 0);
    assert_int_equal(map.count, 2);
    assert_string_equal(map.keys[0], "first");
    assert_true(view_eq_str(map.items[0].text, "one"));
    assert_int_equal(map.items[1].field, 7);
    for (int i = 0; i < 100; i++)
        assert_int_equal(value_append(&a, &list, value_field((unsigned)i)), 0);
    assert_int_equal(list.count, 100);
    assert_int_equal(list.items[99].field, 99);
}

static void truth(void **state) {
    (void)state;
    struct value item = value_text("x");
    struct merge empty = {0}, filled = {.count = 1};
    const struct {
        struct value v;
        bool expected;
    } cases[] = {
        {{.kind = VALUE_NULL}, false},
        {{.kind = VALUE_BOOL}, false},
        {{.kind = VALUE_BOOL, .truth = true}, true},
        {value_text(""), false},
        {value_text(NULL), false},
        {value_text("0"), true},
        {value_list(), false},
        {{.kind = VALUE_LIST, .items = &item, .count = 1}, true},
        {value_map(), true},
        {value_field(0), true},
        {{.kind = VALUE_TEXT, .part = &empty}, false},
        {{.kind = VALUE_TEXT, .part = &filled}, true},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(value_is_true(&cases[i].v), cases[i].expected);
}

/* root: a { b: "ab", null: null }, b: "outer", f: field, url { x: field, deep { y: text } } */
static struct value make_root(struct arena *a) {
    struct value root = value_map(), inner = value_map(), url = value_map(), deep = value_map();
    (void)value_set(a, &inner, "b", value_text("ab"));
    (void)value_set(a, &inner, "null", (struct value){0});
    (void)value_set(a, &deep, "y", value_text("y"));
    (void)value_set(a, &url, "x", value_field(3));
    (void)value_set(a, &url, "deep", deep);
    (void)value_set(a, &root, "a", inner);
    (void)value_set(a, &root, "b", value_text("outer"));
    (void)value_set(a, &root, "f", value_field(1));
    (void)value_set(a, &root, "url", url);
    assert_false(arena_failed(a));
    return root;
}

static void names_are_found_from_the_innermost_context(void **state) {
    (void)state;
    AUTOARENA struct arena a = {0};
    struct value root = make_root(&a);
    struct scope s;
    scope_init(&s, &root);
    assert_true(view_eq_str(scope_find(&s, VIEW("b")).value->text, "outer"));
    assert_true(view_eq_str(scope_find(&s, VIEW("a.b")).value->text, "ab"));
    assert_true(scope_push(&s, scope_find(&s, VIEW("a")).value, false));
    assert_true(view_eq_str(scope_find(&s, VIEW("b")).value->text, "ab"));
    assert_ptr_equal(scope_find(&s, VIEW(".")).value, scope_find(&s, VIEW("a")).value);
    assert_int_equal(scope_find(&s, VIEW("f")).value->field, 1);
    scope_pop(&s);
    assert_true(view_eq_str(scope_find(&s, VIEW("b")).value->text, "outer"));
    static const char *const nowhere[] = {"", "c", "a.c", "b.c", "a.", ".a", "a..b", "..", "a.b.c"};
    for (size_t i = 0; i < COUNT_OF(nowhere); i++)
        assert_null(scope_find(&s, view_of(nowhere[i])).value);
    assert_true(scope_find(&s, VIEW("a.null.x")).after_null);
    assert_true(scope_find(&s, VIEW("f.x")).after_field);
    assert_false(scope_find(&s, VIEW("a.c")).after_null);
}

static void urls_are_known_by_where_they_stand(void **state) {
    (void)state;
    AUTOARENA struct arena a = {0};
    struct value root = make_root(&a);
    struct scope s;
    scope_init(&s, &root);
    assert_true(scope_find(&s, VIEW("url.x")).is_url);
    assert_true(scope_find(&s, VIEW("url.deep.y")).is_url);
    assert_false(scope_find(&s, VIEW("f")).is_url);
    assert_false(scope_find(&s, VIEW("a.b")).is_url);
    struct found url = scope_find(&s, VIEW("url"));
    assert_true(scope_push(&s, url.value, url.is_url));
    assert_true(scope_find(&s, VIEW("x")).is_url);
    assert_false(scope_find(&s, VIEW("f")).is_url);
}

static void the_depth_has_a_cap(void **state) {
    (void)state;
    struct value root = value_map();
    struct scope s;
    scope_init(&s, &root);
    for (int i = 1; i < SCOPE_DEPTH_MAX; i++)
        assert_true(scope_push(&s, &root, false));
    assert_false(scope_push(&s, &root, false));
}

static void nearest_names(void **state) {
    (void)state;
    AUTOARENA struct arena a = {0};
    struct value root = value_map(), event = value_map();
    (void)value_set(&a, &event, "title", value_text("x"));
    (void)value_set(&a, &event, "start", value_text("x"));
    (void)value_set(&a, &root, "salutation", value_field(0));
    (void)value_set(&a, &root, "event", event);
    struct scope s;
    scope_init(&s, &root);
    static const struct {
        const char *typed, *expected;
    } cases[] = {{"salutaton", "salutation"},
                 {"event.titel", "event.title"},
                 {"event.strat", "event.start"},
                 {"something.else", ""},
                 {"", ""}};
    char name[64];
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        scope_nearest(&s, view_of(cases[i].typed), name, sizeof name);
        assert_string_equal(name, cases[i].expected);
    }
    assert_true(scope_push(&s, scope_find(&s, VIEW("event")).value, false));
    scope_nearest(&s, VIEW("tilte"), name, sizeof name);
    assert_string_equal(name, "title");
    char small[6];
    scope_nearest(&s, VIEW("salutation"), small, sizeof small);
    assert_string_equal(small, "salut");
}

static void nearest_looks_at_a_bounded_number(void **state) {
    (void)state;
    AUTOARENA struct arena a = {0};
    struct value root = value_map();
    char key[32], name[64];
    for (int i = 0; i < SCOPE_NAMES_MAX; i++) {
        (void)snprintf(key, sizeof key, "%d", i);
        assert_int_equal(value_set(&a, &root, i + 1 < SCOPE_NAMES_MAX ? key : "lastname", value_text("")), 0);
    }
    (void)value_set(&a, &root, "overthecap", value_text(""));
    struct scope s;
    scope_init(&s, &root);
    scope_nearest(&s, VIEW("lastnam"), name, sizeof name);
    assert_string_equal(name, "lastname");
    scope_nearest(&s, VIEW("overtheca"), name, sizeof name);
    assert_string_equal(name, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(setting_and_appending),
        cmocka_unit_test(truth),
        cmocka_unit_test(names_are_found_from_the_innermost_context),
        cmocka_unit_test(urls_are_known_by_where_they_stand),
        cmocka_unit_test(the_depth_has_a_cap),
        cmocka_unit_test(nearest_names),
        cmocka_unit_test(nearest_looks_at_a_bounded_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
