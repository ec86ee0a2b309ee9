/* A libical that crashes: this program's functions stand before the library's. Only the child meets them. */
#include "unit.h"

#include <signal.h>

#include <libical/ical.h>

#include "announce/draft.h"
#include "mail/calendar.h"

static _Noreturn void crash(void) {
    (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer would tell of it */
    (void)raise(SIGSEGV);
    abort();
}

icalcomponent *icalparser_parse_string(const char *text) {
    (void)text;
    crash();
}

icalcomponent *icalcomponent_new(icalcomponent_kind kind) {
    (void)kind;
    crash();
}

static const char file[] = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nDTSTART:20250902T100000Z\r\nSUMMARY:x\r\n"
                           "END:VEVENT\r\nEND:VCALENDAR\r\n";

static void test_reading(void **state) {
    (void)state;
    struct arena arena AUTOARENA = {0};
    struct event e;
    struct why why;
    assert_int_equal(calendar_read(view_of(file), "Europe/Berlin", &arena, &e, &why), -EINVAL);
    unit_str("key", why.key, "calendar-crash");
}

static void test_draft(void **state) {
    (void)state;
    struct problems problems;
    struct draft draft;
    problems_init(&problems);
    assert_int_equal(draft_read("a.ics", view_of(file), false, "Europe/Berlin", &problems, &draft), -EINVAL);
    assert_int_equal(problems.count, 1);
    unit_str("key", problems.items[0].key, "calendar-crash");
    unit_str("file", problems.items[0].file, "a.ics");
    draft_done(&draft);
    problems_done(&problems);
}

static void test_writing(void **state) {
    (void)state;
    static const struct event event = {.title = "Workshop",
                                       .location = "",
                                       .url = "",
                                       .description = "",
                                       .start = {2025, 9, 2, 10, 0, 0, true},
                                       .end = {2025, 9, 2, 12, 0, 0, true},
                                       .zone = "Europe/Berlin",
                                       .repeat = ""};
    static const struct calendar_identity identity = {
        .uid = "1@town.example", .organizer_name = "Town", .organizer_address = "news@town.example"};
    AUTOBUF struct buf text = BUF_INIT(CALENDAR_FILE_MAX_BYTES);
    struct why why;
    assert_int_equal(calendar_publish(&event, &identity, &text, &why), -EINVAL);
    unit_str("key", why.key, "calendar-crash");
    assert_int_equal(text.len, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_draft),
        cmocka_unit_test(test_writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
