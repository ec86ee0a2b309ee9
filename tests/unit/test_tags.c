/* Tags: what may be one, how a change is read and applied. */
#include "unit.h"

#include <errno.h>

#include "mail/tags.h"

static void changes_are_read_and_applied(void **state) {
    (void)state;
    static const struct {
        const char *tags, *change, *then;
    } rows[] = {
        {"", "funding", "funding\n"},
        {"", "funding, Youth; ", "funding\nYouth\n"},
        {"", " +b ,, + a ;c", "a\nb\nc\n"},
        {"funding\n", "Funding", "funding\n"},
        {"a\nFörderung\nz\n", "-FÖRDERUNG", "a\nz\n"},
        {"a\nb\n", "-c", "a\nb\n"},
        {"a\n", "-a, +a", "a\n"},
        {"a\n", "+a, -a", ""},
        {"", "two words", "two words\n"},
        {"", "Fo\xcc\x88rderung", "Förderung\n"}, /* NFC */
        {"a\n", "", "a\n"},
        {"ä\n", "z", "z\nä\n"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTOBUF struct buf change = BUF_INIT(4096), then = BUF_INIT(8192);
        struct view bad;
        bool changed;
        assert_int_equal(tags_read(view_of(rows[i].change), &change, &bad), 0);
        assert_int_equal(tags_apply(view_of(rows[i].tags), buf_view(&change), &then, &changed), 0);
        if (strcmp(buf_str(&then), rows[i].then) != 0)
            fail_msg("%s: got %s", rows[i].change, buf_str(&then));
        assert_int_equal(changed, strcmp(rows[i].tags, rows[i].then) != 0);
    }
}

static void bad_ones_are_named(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        {"a, --b", "--b"}, {"+", "+"}, {"a,-", "-"}, {"a\tb", "a\tb"}, {"\xff", "\xff"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTOBUF struct buf change = BUF_INIT(4096);
        struct view bad;
        assert_int_equal(tags_read(view_of(rows[i][0]), &change, &bad), -EINVAL);
        assert_true(view_eq_str(bad, rows[i][1]));
    }
}

static void caps_hold(void **state) {
    (void)state;
    AUTOBUF struct buf tag = BUF_INIT(8192), change = BUF_INIT(TAGS_MAX_BYTES * 2), all = BUF_INIT(TAGS_MAX_BYTES * 2);
    struct view bad;
    for (size_t i = 0; i < TAG_MAX_BYTES; i++)
        buf_putc(&tag, 'x');
    assert_int_equal(tags_read(buf_view(&tag), &change, &bad), 0);
    buf_putc(&tag, 'x');
    assert_int_equal(tags_read(buf_view(&tag), &change, &bad), -EINVAL);
    buf_clear(&tag);
    for (int i = 0; i < TAGS_MAX; i++)
        buf_printf(&tag, "t%d,", i);
    buf_clear(&change);
    assert_int_equal(tags_read(buf_view(&tag), &change, &bad), 0);
    assert_int_equal(tags_apply(VIEW(""), buf_view(&change), &all, NULL), 0);
    buf_puts(&tag, "more");
    buf_clear(&change);
    assert_int_equal(tags_read(buf_view(&tag), &change, &bad), -E2BIG);
    buf_clear(&change);
    assert_int_equal(tags_read(VIEW("more"), &change, &bad), 0);
    buf_clear(&tag);
    assert_int_equal(tags_apply(buf_view(&all), buf_view(&change), &tag, NULL), -E2BIG);
}

static void tags_are_found_folded(void **state) {
    (void)state;
    assert_int_equal(tags_have(VIEW("a\nFörderung\n"), VIEW("förderung")), 1);
    assert_int_equal(tags_have(VIEW("STRASSE\n"), VIEW("strasse")), 1);
    assert_int_equal(tags_have(VIEW("a\nFörderung\n"), VIEW("förder")), 0);
    assert_int_equal(tags_have(VIEW(""), VIEW("a")), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_read_and_applied),
        cmocka_unit_test(bad_ones_are_named),
        cmocka_unit_test(caps_hold),
        cmocka_unit_test(tags_are_found_folded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
