/* An event's time by the reader's clock: where it is said, what is said, and that it stays bounded. */
#include "unit.h"

#include "announce/fields.h"
#include "announce/reader_time.h"
#include "mail/words.h"

static struct words *words;

static int load(void **state) {
    (void)state;
    struct why why;
    return words_load("", "templates", "en", &why, &words);
}

static int unload(void **state) {
    (void)state;
    words = words_free(words);
    return 0;
}

#define AT(y, m, d, h, min)                                                                                            \
    { .year = y, .month = m, .day = d, .hour = h, .minute = min, .has_time = true }
#define DAY(y, m, d)                                                                                                   \
    { .year = y, .month = m, .day = d }

static void what_is_said(void **state) {
    (void)state;
    static const struct {
        const char *name;
        struct fields_event event;
        const char *list_zone, *reader_zone, *want;
    } cases[] = {
        {"in summer",
         {AT(2025, 9, 2, 10, 0), AT(2025, 9, 2, 15, 30), "Europe/Berlin", false, {0}},
         "Europe/Berlin",
         "Asia/Tokyo",
         "in your time zone: Tuesday, 2 September 2025, 17:00 to 22:30 (Asia/Tokyo)"},
        {"in winter",
         {AT(2025, 12, 2, 10, 0), AT(2025, 12, 2, 15, 30), "Europe/Berlin", false, {0}},
         "Europe/Berlin",
         "Asia/Tokyo",
         "in your time zone: Tuesday, 2 December 2025, 18:00 to 23:30 (Asia/Tokyo)"},
        {"where clocks change on other days: apart by four hours",
         {AT(2025, 3, 12, 18, 0), AT(2025, 3, 12, 18, 0), "Europe/Berlin", false, {0}},
         "Europe/Berlin",
         "America/New_York",
         "in your time zone: Wednesday, 12 March 2025, 13:00 (America/New_York)"},
        {"by five hours again",
         {AT(2025, 4, 9, 18, 0), AT(2025, 4, 9, 18, 0), "Europe/Berlin", false, {0}},
         "Europe/Berlin",
         "America/New_York",
         "in your time zone: Wednesday, 9 April 2025, 12:00 (America/New_York)"},
        {"over midnight",
         {AT(2025, 9, 2, 18, 0), AT(2025, 9, 2, 20, 0), "Europe/Berlin", false, {0}},
         "Europe/Berlin",
         "Asia/Tokyo",
         "in your time zone: Wednesday, 3 September 2025, 1:00 to 3:00 (Asia/Tokyo)"},
        {"over New Year",
         {AT(2025, 12, 31, 23, 0), AT(2025, 12, 31, 23, 30), "Europe/London", false, {0}},
         "Europe/London",
         "Europe/Kyiv",
         "in your time zone: Thursday, 1 January 2026, 1:00 to 1:30 (Europe/Kyiv)"},
        {"the clocks change here while it lasts: only its end differs",
         {AT(2025, 10, 25, 22, 0), AT(2025, 10, 26, 8, 0), "Africa/Lagos", false, {0}},
         "Africa/Lagos",
         "Europe/Berlin",
         "in your time zone: from Saturday, 25 October, 23:00 to Sunday, 26 October 2025, 8:00 (Europe/Berlin)"},
        {"half hours",
         {AT(2025, 9, 2, 10, 0), AT(2025, 9, 2, 10, 0), "Europe/Berlin", false, {0}},
         "",
         "Asia/Kathmandu",
         "in your time zone: Tuesday, 2 September 2025, 13:45 (Asia/Kathmandu)"},
        {"not known: the list's",
         {AT(2025, 9, 2, 10, 0), AT(2025, 9, 2, 10, 0), "Asia/Tokyo", false, {0}},
         "Europe/Berlin",
         "",
         "in your time zone: Tuesday, 2 September 2025, 3:00 (Europe/Berlin)"},
        {"no zone of this machine: the list's",
         {AT(2025, 9, 2, 10, 0), AT(2025, 9, 2, 10, 0), "Asia/Tokyo", false, {0}},
         "Europe/Berlin",
         "Mars/Olympus",
         "in your time zone: Tuesday, 2 September 2025, 3:00 (Europe/Berlin)"},
        {"no path",
         {AT(2025, 9, 2, 10, 0), AT(2025, 9, 2, 10, 0), "Europe/Berlin", false, {0}},
         "Europe/Berlin",
         "../../../etc/passwd",
         ""},
        {"too long",
         {AT(2025, 9, 2, 10, 0), AT(2025, 9, 2, 10, 0), "Europe/Berlin", false, {0}},
         "Europe/Berlin",
         "Europe/Berlinnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
         ""},
        {"the same zone",
         {AT(2025, 9, 2, 10, 0), AT(2025, 9, 2, 15, 30), "Asia/Tokyo", false, {0}},
         "Europe/Berlin",
         "Asia/Tokyo",
         ""},
        {"another zone, the same clock",
         {AT(2025, 9, 2, 10, 0), AT(2025, 9, 2, 15, 30), "Europe/Berlin", false, {0}},
         "Europe/Berlin",
         "Europe/Warsaw",
         ""},
        {"a whole day",
         {DAY(2025, 9, 2), DAY(2025, 9, 2), "Europe/Berlin", false, {0}},
         "Europe/Berlin",
         "Asia/Tokyo",
         ""},
        {"whole days",
         {DAY(2025, 9, 2), DAY(2025, 9, 4), "Europe/Berlin", false, {0}},
         "Europe/Berlin",
         "Pacific/Kiritimati",
         ""},
        {"no event", {.zone = NULL}, "Europe/Berlin", "Asia/Tokyo", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reader_times t;
        reader_times_init(&t, words, &cases[i].event, cases[i].list_zone);
        for (int again = 0; again < 2; again++) {
            struct view got;
            assert_int_equal(reader_times_get(&t, view_of(cases[i].reader_zone), &got), 0);
            AUTOFREE char *said = view_dup(got);
            unit_str(cases[i].name, said, cases[i].want);
        }
        reader_times_done(&t);
    }
}

static void as_many_as_there_are(void **state) {
    (void)state;
    static const struct fields_event event = {AT(2025, 9, 2, 10, 0), AT(2025, 9, 2, 10, 0), "Etc/UTC", false, {0}};
    struct reader_times t;
    reader_times_init(&t, words, &event, "Etc/UTC");
    for (int round = 0; round < 3; round++)
        for (unsigned i = 0; i < 2 * READER_TIME_ZONES_MAX; i++) {
            AUTOBUF struct buf zone = BUF_INIT(100);
            /* Names that are no zones count as the list's, and take a place all the same. */
            if (i < 14)
                buf_printf(&zone, "Etc/GMT-%u", i + 1);
            else
                buf_printf(&zone, "Nowhere/%u", i);
            struct view said;
            assert_int_equal(reader_times_get(&t, buf_view(&zone), &said), 0);
            assert_int_equal(said.len > 0, i < 14);
            if (said.len)
                assert_true(view_search(said, buf_view(&zone)) < said.len);
        }
    assert_int_equal(t.count, READER_TIME_ZONES_MAX);
    reader_times_done(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_said), cmocka_unit_test(as_many_as_there_are)};
    return cmocka_run_group_tests(tests, load, unload);
}
