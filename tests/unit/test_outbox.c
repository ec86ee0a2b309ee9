/* Octets come out in order, what is being sent stays where it is, and buffers are handed over rather than copied. */
#include "send/outbox.h"

#include "unit.h"

static void test_in_order(void **state) {
    (void)state;
    struct outbox o;
    outbox_init(&o, 1000);
    assert_int_equal(outbox_output(&o).len, 0);
    assert_int_equal(outbox_add(&o, VIEW("one ")), 0);
    assert_int_equal(outbox_add(&o, VIEW("two ")), 0);
    struct view first = outbox_output(&o);
    assert_true(view_eq(first, VIEW("one two ")));
    outbox_handed(&o, 3);
    for (int i = 0; i < 100; i++) /* what comes meanwhile moves nothing */
        assert_int_equal(outbox_add(&o, VIEW("more ")), 0);
    struct view rest = outbox_output(&o);
    assert_ptr_equal(rest.ptr, first.ptr + 3);
    assert_int_equal(rest.len, first.len - 3);
    outbox_handed(&o, rest.len);
    assert_int_equal(outbox_output(&o).len, 500);
    outbox_handed(&o, 500);
    assert_int_equal(outbox_output(&o).len, 0);
    assert_int_equal(o.queued, 508);
    assert_int_equal(o.handed, 508);
    outbox_done(&o);
}

static void test_take(void **state) {
    (void)state;
    struct outbox o;
    struct buf body = BUF_INIT(500);
    outbox_init(&o, 1000);
    for (int round = 0; round < 4; round++) {
        buf_clear(&body);
        buf_puts(&body, "the body");
        const char *data = body.data;
        if (round % 2)
            assert_int_equal(outbox_add(&o, VIEW("before ")), 0);
        assert_int_equal(outbox_take(&o, &body), 0);
        assert_int_equal(body.len, 0);
        assert_int_equal(body.limit_bytes, 500);
        assert_int_equal(outbox_add(&o, VIEW(" after")), 0);
        struct view output = outbox_output(&o);
        assert_true(view_eq(output, round % 2 ? VIEW("before the body after") : VIEW("the body after")));
        if (round == 0)
            assert_ptr_equal(output.ptr, data);
        outbox_handed(&o, output.len);
        assert_int_equal(o.queued, o.handed);
    }
    buf_done(&body);
    outbox_done(&o);
}

static void test_the_cap(void **state) {
    (void)state;
    struct outbox o;
    struct buf body = BUF_INIT(100);
    outbox_init(&o, 10);
    assert_int_equal(outbox_add(&o, VIEW("0123456789")), 0);
    assert_int_equal(outbox_add(&o, VIEW("x")), -EMSGSIZE);
    outbox_done(&o);
    outbox_init(&o, 10);
    buf_puts(&body, "0123456789x");
    assert_int_equal(outbox_take(&o, &body), -EMSGSIZE);
    outbox_done(&o);
    outbox_init(&o, 10);
    buf_clear(&body);
    buf_puts(&body, "0123456789");
    assert_int_equal(outbox_take(&o, &body), 0);
    assert_int_equal(outbox_add(&o, VIEW("x")), -EMSGSIZE);
    buf_done(&body);
    outbox_done(&o);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_take),
        cmocka_unit_test(test_the_cap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
