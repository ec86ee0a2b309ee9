/* Rules of repetition: what is served, in one form; all else refused before a library sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>

#include "mail/repeat.h"

static void takes(void **state) {
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"  ", ""},
        {"yearly", "FREQ=YEARLY"},
        {"Monthly", "FREQ=MONTHLY"},
        {" WEEKLY ", "FREQ=WEEKLY"},
        {"daily", "FREQ=DAILY"},
        {"FREQ=WEEKLY", "FREQ=WEEKLY"},
        {"freq=weekly;byday=mo,we", "FREQ=WEEKLY;BYDAY=MO,WE"},
        {"BYDAY=1TU;FREQ=MONTHLY", "FREQ=MONTHLY;BYDAY=1TU"},
        {"FREQ=MONTHLY;BYDAY=-1FR,+2MO", "FREQ=MONTHLY;BYDAY=-1FR,+2MO"},
        {"FREQ=WEEKLY;INTERVAL=1;", "FREQ=WEEKLY"},
        {"FREQ=WEEKLY;INTERVAL=2;WKST=SU", "FREQ=WEEKLY;INTERVAL=2;WKST=SU"},
        {"FREQ=WEEKLY;INTERVAL=99", "FREQ=WEEKLY;INTERVAL=99"},
        {"FREQ=DAILY;COUNT=999", "FREQ=DAILY;COUNT=999"},
        {"FREQ=DAILY;UNTIL=20251231", "FREQ=DAILY;UNTIL=20251231"},
        {"FREQ=DAILY;UNTIL=20251231T235959Z", "FREQ=DAILY;UNTIL=20251231T235959Z"},
        {"FREQ=DAILY;UNTIL=20251231T235959", "FREQ=DAILY;UNTIL=20251231T235959"},
        {"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"},
        {"FREQ=YEARLY;BYMONTH=2,3;BYMONTHDAY=31", "FREQ=YEARLY;BYMONTH=2,3;BYMONTHDAY=31"},
        {"FREQ=YEARLY;BYMONTH=9;BYDAY=1SU", "FREQ=YEARLY;BYMONTH=9;BYDAY=1SU"},
        {"FREQ=MONTHLY;BYMONTHDAY=-1", "FREQ=MONTHLY;BYMONTHDAY=-1"},
        {"FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf rule = BUF_INIT(1024), again = BUF_INIT(1024);
        struct why why;
        if (repeat_parse(view_of(cases[i].text), &rule, &why) != 0)
            fail_msg("“%s”: %s", cases[i].text, why.what);
        assert_string_equal(buf_str(&rule), cases[i].want);
        assert_int_equal(repeat_parse(buf_view(&rule), &again, &why), 0);
        assert_string_equal(buf_str(&again), cases[i].want);
    }
}

static void refuses(void **state) {
    (void)state;
    static const char *const cases[] = {
        "often",
        "hourly",
        "FREQ",
        "FREQ=",
        "FREQ=HOURLY",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "INTERVAL=2",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;;COUNT=2",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=100",
        "FREQ=DAILY;INTERVAL=-1",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=1000",
        "FREQ=DAILY;COUNT=2;UNTIL=20251231",
        "FREQ=DAILY;UNTIL=2025-12-31",
        "FREQ=DAILY;UNTIL=20251231T23",
        "FREQ=DAILY;UNTIL=20251231T235959X",
        "FREQ=DAILY;BYHOUR=10",
        "FREQ=DAILY;BYSECOND=1",
        "FREQ=YEARLY;BYYEARDAY=100",
        "FREQ=YEARLY;BYWEEKNO=20",
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=YEARLY;BYMONTH=0",
        "FREQ=YEARLY;BYMONTH=",
        "FREQ=YEARLY;BYMONTH=1,",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-30",
        "FREQ=YEARLY;BYMONTH=4,6,9,11;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=YEARLY;BYDAY=1MO",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=MONTHLY;BYDAY=0MO",
        "FREQ=MONTHLY;BYDAY=XX",
        "FREQ=MONTHLY;BYDAY=M",
        "FREQ=MONTHLY;BYSETPOS=1",
        "FREQ=MONTHLY;WKST=1",
        "FREQ=MONTHLY\r\nATTENDEE:x",
        "FREQ=MONTHLY;X-A=b",
        "FREQ=MONTHLY;BYMONTHDAY=1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1",
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf rule = BUF_INIT(1024);
        struct why why;
        if (repeat_parse(view_of(cases[i]), &rule, &why) != -EINVAL)
            fail_msg("“%s” is taken", cases[i]);
        assert_int_equal(rule.len, 0);
        assert_true(why.what[0] && why.todo[0] != '\n');
    }
}

static void caps_the_length(void **state) {
    (void)state;
    AUTOBUF struct buf text = BUF_INIT(1024), rule = BUF_INIT(1024);
    struct why why;
    buf_puts(&text, "FREQ=YEARLY;BYMONTH=");
    while (text.len < REPEAT_MAX_BYTES)
        buf_puts(&text, "0");
    text.data[text.len - 1] = '1'; /* 0…01 is too long for a month, but not for a rule */
    assert_int_equal(repeat_parse(buf_view(&text), &rule, &why), -EINVAL);
    assert_non_null(strstr(why.what, "BYMONTH"));
    buf_puts(&text, "1");
    assert_int_equal(repeat_parse(buf_view(&text), &rule, &why), -EINVAL);
    assert_non_null(strstr(why.what, "longer than 256"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes),
        cmocka_unit_test(refuses),
        cmocka_unit_test(caps_the_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
