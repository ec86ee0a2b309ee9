#include "unit.h"

#include <stdio.h>

#include "people/findings.h"
#include "people/import.h"

enum { MANY = 3000 };

/* Whatever the order in which they are found: the first by line. */
static void the_first_lines_stay(void **state) {
    (void)state;
    struct findings reader = {0}, writer = {0};
    const struct import_problem *list;
    size_t count;
    uint64_t unlisted;
    char text[32];
    for (unsigned i = 0; i < MANY; i++) {
        unsigned line = i * 7 % MANY + 2;
        (void)snprintf(text, sizeof text, "line %u", line);
        assert_int_equal(findings_add(line % 2 ? &reader : &writer, line, false, text), 0);
    }
    assert_int_equal(findings_add(&reader, 4000, true, "bad"), 0);
    assert_int_equal(findings_move_remarks(&reader, &writer), 0);
    assert_int_equal(findings_finish(&reader, &list, &count, &unlisted), 0);
    assert_int_equal(count, IMPORT_PROBLEMS_MAX / 2 + 1);
    assert_int_equal(unlisted, MANY + 1 - count);
    for (unsigned i = 0; i + 1 < count; i++) {
        (void)snprintf(text, sizeof text, "line %u", i + 2);
        assert_int_equal(list[i].line, i + 2);
        assert_string_equal(list[i].text, text);
        assert_false(list[i].bad);
    }
    assert_true(list[count - 1].bad && list[count - 1].line == 4000);
    findings_done(&reader);
    findings_done(&writer);
}

static void what_is_wrong_comes_before_remarks(void **state) {
    (void)state;
    struct findings f = {0};
    const struct import_problem *list;
    size_t count, remarks = 0;
    uint64_t unlisted;
    for (unsigned i = 0; i < 900; i++) {
        assert_int_equal(findings_add(&f, 2 * i, false, "remark"), 0);
        assert_int_equal(findings_add(&f, 2 * i + 1, true, "bad"), 0);
    }
    assert_int_equal(findings_finish(&f, &list, &count, &unlisted), 0);
    assert_int_equal(count, IMPORT_PROBLEMS_MAX);
    assert_int_equal(unlisted, 800);
    for (size_t i = 0; i < count; i++)
        remarks += !list[i].bad;
    assert_int_equal(remarks, 100);
    findings_done(&f);
}

static void none(void **state) {
    (void)state;
    struct findings f = {0};
    const struct import_problem *list;
    size_t count = 1;
    uint64_t unlisted = 1;
    assert_int_equal(findings_finish(&f, &list, &count, &unlisted), 0);
    assert_true(count == 0 && unlisted == 0);
    findings_done(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_lines_stay),
        cmocka_unit_test(what_is_wrong_comes_before_remarks),
        cmocka_unit_test(none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
