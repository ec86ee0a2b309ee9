/* Calendar entries: written for newsletters, read from exports in the manner of Outlook, Google, Thunderbird. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <libical/ical.h>
#include <stdlib.h>

#include "apart_here.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/number.h"
#include "base/text.h"
#include "mail/calendar.h"
#include "mail/zone.h"

static struct when date(const char *text) {
    struct when w;
    if (when_parse(view_of(text), &w) != WHEN_OK)
        fail_msg("“%s” is not read", text);
    return w;
}

static const struct calendar_identity identity = {
    .uid = "workshop-7@partnerschaften.example",
    .organizer_name = "Koordinierungsstelle Städtepartnerschaften",
    .organizer_address = "kontakt@partnerschaften.example",
    .sequence = 3,
    .stamp_usec = INT64_C(1751356800) * 1000000,
};

static struct event workshop(void) {
    return (struct event){
        .title = "Finanzierungsmöglichkeiten für Städtepartnerschaften",
        .location = "Hildesheim",
        .url = "https://partnerschaften.example/funding",
        .description = "Anmeldung bis 15.8.;\nTelefon +49 511 000000, Zimmer 4\\5",
        .start = date("2025-09-02 10:00"),
        .end = date("2025-09-02 15:30"),
        .zone = "Europe/Berlin",
        .repeat = "",
    };
}

/* Each entry must also meet libical's own restrictions, those of RFC 5546 for PUBLISH among them. */
static void publish(const struct event *e, const struct calendar_identity *id, struct buf *to) {
    struct why why;
    if (calendar_publish(e, id, to, &why) != 0)
        fail_msg("%s", why.what);
    icalcomponent *c = icalparser_parse_string(buf_str(to));
    assert_non_null(c);
    assert_int_equal(icalcomponent_isa(c), ICAL_VCALENDAR_COMPONENT);
    assert_int_equal(icalcomponent_count_errors(c), 0);
    if (!icalrestriction_check(c))
        fail_msg("%s", icalcomponent_as_ical_string(c));
    icalcomponent_free(c);
}

/* CRLF only, folded at 75 octets and never within a character. */
static void check_form(struct view text) {
    assert_true(view_ends(text, "\r\n"));
    while (text.len) {
        size_t end = view_find(text, '\n');
        assert_true(end < text.len && end > 0 && text.ptr[end - 1] == '\r');
        struct view line = view_slice(text, 0, end - 1);
        assert_true(line.len > 0 && line.len <= 75);
        assert_true(view_find(line, '\r') == line.len);
        assert_true(text_is_utf8(line));
        text = view_slice(text, end + 1, text.len);
    }
}

static struct view unfold(struct view text, struct buf *to) {
    for (size_t i = 0; i < text.len; i++) {
        if (i + 2 < text.len && memcmp(text.ptr + i, "\r\n ", 3) == 0)
            i += 2;
        else
            buf_putc(to, text.ptr[i]);
    }
    return buf_view(to);
}

static void publishes(void **state) {
    (void)state;
    struct event e = workshop();
    AUTOBUF struct buf text = BUF_INIT(65536), plain = BUF_INIT(65536);
    publish(&e, &identity, &text);
    check_form(buf_view(&text));
    (void)unfold(buf_view(&text), &plain);
    assert_string_equal(buf_str(&plain),
                        "BEGIN:VCALENDAR\r\n"
                        "PRODID:-//rundbrief//rundbrief//EN\r\n"
                        "VERSION:2.0\r\n"
                        "CALSCALE:GREGORIAN\r\n"
                        "METHOD:PUBLISH\r\n"
                        "BEGIN:VTIMEZONE\r\n"
                        "TZID:Europe/Berlin\r\n"
                        "BEGIN:DAYLIGHT\r\n"
                        "DTSTART:20250330T020000\r\n"
                        "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3\r\n"
                        "TZOFFSETFROM:+0100\r\n"
                        "TZOFFSETTO:+0200\r\n"
                        "TZNAME:CEST\r\n"
                        "END:DAYLIGHT\r\n"
                        "BEGIN:STANDARD\r\n"
                        "DTSTART:20241027T030000\r\n"
                        "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\r\n"
                        "TZOFFSETFROM:+0200\r\n"
                        "TZOFFSETTO:+0100\r\n"
                        "TZNAME:CET\r\n"
                        "END:STANDARD\r\n"
                        "END:VTIMEZONE\r\n"
                        "BEGIN:VEVENT\r\n"
                        "UID:workshop-7@partnerschaften.example\r\n"
                        "DTSTAMP:20250701T080000Z\r\n"
                        "SEQUENCE:3\r\n"
                        "ORGANIZER;CN=Koordinierungsstelle Städtepartnerschaften:"
                        "mailto:kontakt@partnerschaften.example\r\n"
                        "DTSTART;TZID=Europe/Berlin:20250902T100000\r\n"
                        "DTEND;TZID=Europe/Berlin:20250902T153000\r\n"
                        "SUMMARY:Finanzierungsmöglichkeiten für Städtepartnerschaften\r\n"
                        "LOCATION:Hildesheim\r\n"
                        "DESCRIPTION:Anmeldung bis 15.8.\\;\\nTelefon +49 511 000000\\, Zimmer 4\\\\5\r\n"
                        "URL:https://partnerschaften.example/funding\r\n"
                        "STATUS:CONFIRMED\r\n"
                        "END:VEVENT\r\n"
                        "END:VCALENDAR\r\n");
    AUTOBUF struct buf again = BUF_INIT(65536);
    publish(&e, &identity, &again);
    assert_string_equal(buf_str(&again), buf_str(&text));
}

static void publishes_times(void **state) {
    (void)state;
    static const struct {
        const char *start, *end, *zone, *repeat;
        const char *has[3], *has_not[3];
    } cases[] = {
        {"2024-06-04",
         "2024-06-15",
         "Europe/Berlin",
         "",
         {"\nDTSTART;VALUE=DATE:20240604\r", "\nDTEND;VALUE=DATE:20240616\r", "\nTRANSP:TRANSPARENT\r"},
         {"TZID", "VTIMEZONE"}},
        {"2024-12-31", "2024-12-31", "Europe/Berlin", "", {"\nDTEND;VALUE=DATE:20250101\r"}, {"TZID"}},
        {"2024-02-28", "2024-02-28", "Europe/Berlin", "", {"\nDTEND;VALUE=DATE:20240229\r"}, {NULL}},
        {"2025-09-02 10:00", "2025-09-02 10:00", "Europe/Berlin", "", {"\nDTSTART;TZID="}, {"DTEND"}},
        {"2025-09-02 10:00",
         "2025-09-02 11:00",
         "UTC",
         "",
         {"\nDTSTART:20250902T100000Z\r", "\nDTEND:20250902T110000Z\r"},
         {"TZID"}},
        {"2025-09-02 10:00",
         "2025-09-02 11:00",
         "Asia/Kathmandu",
         "",
         {"\nDTSTART:19860101T000000\r\nTZOFFSETFROM:+0530\r\nTZOFFSETTO:+0545\r\nTZNAME:+0545\r"},
         {"DAYLIGHT", "RRULE"}},
        {"2025-01-02 10:00",
         "2025-01-02 11:00",
         "Europe/Dublin",
         "",
         {"BEGIN:STANDARD\r\nDTSTART:20241027T020000\r", "BEGIN:DAYLIGHT\r\nDTSTART:20240331T010000\r",
          "TZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\nTZNAME:IST\r"},
         {NULL}},
        {"2025-09-02 10:00",
         "2025-09-02 11:00",
         "Asia/Jerusalem",
         "",
         {"RRULE:FREQ=YEARLY;BYDAY=FR;BYMONTHDAY=23,24,25,26,27,28,29;BYMONTH=3\r"},
         {NULL}},
        {"2025-09-02 10:00",
         "2025-09-02 11:00",
         "Africa/Casablanca",
         "",
         {"\nDTSTART:20250406T020000\r"},
         {"RRULE", "DAYLIGHT"}},
        {"2025-09-02 10:00", "2025-09-02 11:00", "Africa/Cairo", "", {"\nDTSTART:20250425T000000\r"}, {"RRULE"}},
        {"2025-09-02 10:00", "2025-09-02 11:00", "Europe/Berlin", "yearly", {"\nRRULE:FREQ=YEARLY\r\n"}, {NULL}},
        {"2025-09-02 10:00",
         "2025-09-02 11:00",
         "Europe/Berlin",
         "FREQ=WEEKLY;UNTIL=20251231",
         {"\nRRULE:FREQ=WEEKLY;UNTIL=20251231T225959Z\r\n"},
         {NULL}},
        {"2025-09-02 10:00",
         "2025-09-02 11:00",
         "Europe/Berlin",
         "FREQ=WEEKLY;UNTIL=20251231T100000",
         {"\nRRULE:FREQ=WEEKLY;UNTIL=20251231T090000Z\r\n"},
         {NULL}},
        {"2025-09-02",
         "2025-09-02",
         "Europe/Berlin",
         "FREQ=WEEKLY;UNTIL=20251231T230000Z",
         {"\nRRULE:FREQ=WEEKLY;UNTIL=20260101\r\n"},
         {NULL}},
        /* the clock went back for each Ramadan, by no rule */
        {"2019-09-02 18:00",
         "2019-09-02 19:00",
         "Africa/Casablanca",
         "FREQ=WEEKLY;UNTIL=20200701",
         {"\nDTSTART:20190609T020000\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r", "\nDTSTART:20200419T030000\r",
          "\nDTSTART:20200531T020000\r"},
         {"DAYLIGHT", "RRULE:FREQ=YEARLY"}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct event e = workshop();
        e.start = date(cases[i].start);
        e.end = date(cases[i].end);
        e.zone = cases[i].zone;
        e.repeat = cases[i].repeat;
        AUTOBUF struct buf text = BUF_INIT(65536), plain = BUF_INIT(65536);
        publish(&e, &identity, &text);
        check_form(buf_view(&text));
        struct view v = unfold(buf_view(&text), &plain);
        for (size_t k = 0; k < 3; k++) {
            if (cases[i].has[k] && view_search(v, view_of(cases[i].has[k])) == v.len)
                fail_msg("case %zu has no %s:\n%s", i, cases[i].has[k], buf_str(&plain));
            if (cases[i].has_not[k] && view_search(v, view_of(cases[i].has_not[k])) < v.len)
                fail_msg("case %zu has %s:\n%s", i, cases[i].has_not[k], buf_str(&plain));
        }
    }
}

/* The offset that libical finds at a time by the clock, from the VTIMEZONE alone. */
static int offset_by_calendar(icalcomponent *calendar, struct when w) {
    icalcomponent *found = icalcomponent_get_first_component(calendar, ICAL_VTIMEZONE_COMPONENT);
    assert_non_null(found);
    icaltimezone *zone = icaltimezone_new();
    assert_true(icaltimezone_set_component(zone, icalcomponent_new_clone(found)));
    struct icaltimetype t = {.year = w.year, .month = w.month, .day = w.day, .hour = w.hour};
    int is_daylight, offset_sec = icaltimezone_get_utc_offset(zone, &t, &is_daylight);
    icaltimezone_free(zone, 1);
    return offset_sec;
}

static void zones_agree_with_libical(void **state) {
    (void)state;
    static const char *const times[] = {"2025-09-02 10:00", "2025-12-31 10:00", "2031-05-15 10:00", "1994-07-01 10:00",
                                        "2060-01-15 10:00"};
    AUTOBUF struct buf table = BUF_INIT(256 * 1024);
    assert_int_equal(files_read(AT_FDCWD, "/usr/share/zoneinfo/zone.tab", &table), 0);
    struct view rest = buf_view(&table), line, name = {0};
    unsigned count = 0;
    while (view_line(&rest, &line)) {
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        for (int i = 0; i < 3; i++)
            (void)view_split(&line, '\t', &name);
        AUTOFREE char *zone = view_dup(name);
        for (size_t i = 0; i < COUNT_OF(times); i++) {
            struct event e = workshop();
            e.start = e.end = date(times[i]);
            e.zone = zone;
            e.repeat = i == 0 ? "FREQ=YEARLY;COUNT=9" : "";
            AUTOBUF struct buf text = BUF_INIT(65536);
            publish(&e, &identity, &text);
            icalcomponent *calendar = icalparser_parse_string(buf_str(&text));
            assert_non_null(calendar);
            for (int year = 0; year < (i == 0 ? 9 : 1); year++, e.start.year++) {
                int64_t usec;
                struct zone_span span;
                assert_int_equal(when_to_usec(&e.start, zone, &usec), WHEN_OK);
                zone_span(zone_find(zone), usec / USEC_PER_SEC, &span);
                int offset_sec = offset_by_calendar(calendar, e.start);
                if (offset_sec != span.offset_sec)
                    fail_msg("%s in %d: %d, not %d\n%s", zone, e.start.year, offset_sec, span.offset_sec,
                             buf_str(&text));
            }
            icalcomponent_free(calendar);
            count++;
        }
    }
    assert_true(count > 1500);
}

/* Texts that want to be more than they are: the number of lines and properties must stay. */
static void nothing_adds_a_line(void **state) {
    (void)state;
    static const char *const evil[] = {
        "a\r\nATTENDEE:mailto:x@verein.example",
        "a\nATTENDEE:x",
        "a\rATTENDEE:x",
        "a\r\n\r\nEND:VEVENT\r\nBEGIN:VALARM",
        "a\\nATTENDEE:x",
        "a\\",
        "a\\\\;b\\,c",
        "a\";ATTENDEE=\"b",
        "a;X-PARAM=b:c,d",
        "a\t\v\f\x01\x7f z",
        "a\u2028ATTENDEE:x\u2029\302\205b\u202e",
        "ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞ä€𝄞",
        "                                                                               a         b",
        "Ä\u0308ÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄÄ",
    };
    for (size_t i = 0; i < COUNT_OF(evil); i++)
        for (int shift = 0; shift < 80; shift++) { /* every place of a fold */
            char padded[400], x[80];
            memset(x, 'x', sizeof x);
            snprintf(padded, sizeof padded, "%.*s%s", shift, x, evil[i]);
            struct event e = workshop();
            struct calendar_identity id = identity;
            e.title = e.location = e.description = id.organizer_name = padded;
            AUTOBUF struct buf text = BUF_INIT(65536), plain = BUF_INIT(65536);
            publish(&e, &id, &text);
            check_form(buf_view(&text));
            struct view rest = unfold(buf_view(&text), &plain), line;
            unsigned lines = 0;
            while (view_line(&rest, &line)) {
                lines++;
                assert_false(view_starts(line, "ATTENDEE"));
            }
            assert_int_equal(lines, 36);
            icalcomponent *c = icalparser_parse_string(buf_str(&text));
            icalcomponent *event = icalcomponent_get_first_component(c, ICAL_VEVENT_COMPONENT);
            assert_int_equal(icalcomponent_count_errors(c), 0);
            assert_int_equal(icalcomponent_count_properties(event, ICAL_ANY_PROPERTY), 11);
            icalproperty *organizer = icalcomponent_get_first_property(event, ICAL_ORGANIZER_PROPERTY);
            assert_int_equal(icalproperty_count_parameters(organizer), 1);
            assert_string_equal(icalproperty_get_organizer(organizer), "mailto:kontakt@partnerschaften.example");
            icalcomponent_free(c);
        }
}

static void refuses_to_publish(void **state) {
    (void)state;
    AUTOBUF struct buf long_text = BUF_INIT(100000);
    while (long_text.len < CALENDAR_DESCRIPTION_MAX_BYTES + 1)
        buf_putc(&long_text, 'x');
    const char *longest = buf_str(&long_text);
    const char *too_long = longest + CALENDAR_DESCRIPTION_MAX_BYTES - CALENDAR_TEXT_MAX_BYTES;
    AUTOBUF struct buf url = BUF_INIT(10000);
    buf_puts(&url, "https://a.example/");
    while (url.len < CALENDAR_URL_MAX_BYTES)
        buf_putc(&url, 'x');
    AUTOBUF struct buf long_url = BUF_INIT(10000);
    buf_printf(&long_url, "%sx", buf_str(&url));
    const struct event good = workshop();
    struct {
        bool good;
        const char *what;
        struct event e;
        struct calendar_identity id;
    } cases[] = {
        {true, "", good, identity},
        {false, "title", good, identity},
        {false, "title", good, identity},
        {false, "title", good, identity},
        {true, "", good, identity},
        {false, "location", good, identity},
        {false, "description", good, identity},
        {true, "", good, identity},
        {false, "URL", good, identity},
        {false, "URL", good, identity},
        {false, "URL", good, identity},
        {false, "URL", good, identity},
        {true, "", good, identity},
        {false, "URL", good, identity},
        {false, "UID", good, identity},
        {false, "UID", good, identity},
        {false, "organizer", good, identity},
        {false, "organizer", good, identity},
        {false, "ends before", good, identity},
        {false, "time zone", good, identity},
        {false, "start is no time", good, identity},
        {false, "only one has a time", good, identity},
        {false, "HOURLY", good, identity},
        {true, "", good, identity},
    };
    size_t i = 1;
    cases[i++].e.title = "";
    cases[i++].e.title = " \n";
    cases[i++].e.title = too_long;
    cases[i++].e.title = too_long + 1;
    cases[i++].e.location = "\xff";
    cases[i++].e.description = longest;
    cases[i++].e.description = longest + 1;
    cases[i++].e.url = "javascript:alert(1)";
    cases[i++].e.url = "https://a.example/\r\nX:y";
    cases[i++].e.url = "https://a.example/ b";
    cases[i++].e.url = "https://a.example/\"b";
    cases[i++].e.url = buf_str(&url);
    cases[i++].e.url = buf_str(&long_url);
    cases[i++].id.uid = "";
    cases[i++].id.uid = "a\nb";
    cases[i++].id.organizer_address = "nobody";
    cases[i++].id.organizer_address = "a@b.example\r\nX:y";
    cases[i++].e.end = date("2025-09-01 10:00");
    cases[i++].e.zone = "Europe/Atlantis";
    cases[i++].e.start = date("2025-03-30 02:30");
    cases[i++].e.end = date("2025-09-02");
    cases[i++].e.repeat = "FREQ=HOURLY";
    cases[i++].id.organizer_address = "\"a;b\"@ä.example";
    assert_int_equal(i, COUNT_OF(cases));
    for (i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf text = BUF_INIT(1 << 20);
        struct why why;
        int r = calendar_publish(&cases[i].e, &cases[i].id, &text, &why);
        if (r != (cases[i].good ? 0 : -EINVAL) || (r && !strstr(why.what, cases[i].what)))
            fail_msg("case %zu: %d %s", i, r, r ? why.what : "");
        if (r)
            assert_int_equal(text.len, 0);
        else
            check_form(buf_view(&text));
        if (i == COUNT_OF(cases) - 1) {
            AUTOBUF struct buf plain = BUF_INIT(65536);
            (void)unfold(buf_view(&text), &plain);
            assert_non_null(strstr(buf_str(&plain), ":mailto:%22a%3Bb%22@%C3%A4.example\r\n"));
        }
    }
    AUTOBUF struct buf tiny = BUF_INIT(100);
    struct why why;
    assert_int_equal(calendar_publish(&good, &identity, &tiny, &why), -EMSGSIZE);
}

static void reads_exports(void **state) {
    (void)state;
    static const struct {
        const char *file, *title, *location, *url, *description, *start, *end, *zone, *repeat;
    } cases[] = {
        {"outlook-request.ics", "Workshop: Finanzierungsmöglichkeiten für Städtepartnerschaften",
         "Rathaus, Großer Saal, Hildesheim", "",
         "Liebe Partnerschaftsvereine,\n\nwir laden herzlich zum Workshop ein: „Finanzierungsmöglichkeiten für "
         "Städtepartnerschaften“.\n\nBeginn: 10 Uhr; Imbiß ab 12:30.\n\nMit freundlichen Grüßen\nIhre "
         "Koordinierungsstelle",
         "2025-09-02 10:00", "2025-09-02 15:30", "Europe/Berlin", ""},
        {"outlook-allday.ics", "Séjour à Saint-Étienne", "Saint-Étienne", "", "", "2024-06-04", "2024-06-15",
         "Europe/Paris", ""},
        {"exchange-utc-name.ics", "Jahresversammlung", "Bürgerhaus", "", "", "2025-11-12 18:30", "2025-11-12 21:00",
         "Europe/Vienna", ""},
        {"google.ics", "Serata italiana", "Sala comunale, Trento", "",
         "Cari amici,\n\nvi aspettiamo alla serata italiana!\n\n- musica & cucina\n- mostra\nProgramma: qui "
         "(https://gemellaggio.example/serata?a=1&b=2)\nTel. +49 511 000000",
         "2025-11-05 18:00", "2025-11-05 20:00", "Europe/Rome", ""},
        {"google-series.ics", "Spotkanie partnerskie", "", "", "", "2025-09-02 18:00", "2025-09-02 19:30",
         "Europe/Warsaw", "FREQ=MONTHLY;UNTIL=20251231T225959Z;BYDAY=1TU;WKST=MO"},
        {"thunderbird.ics", "Bürgerreise nach Полтава", "Busbahnhof", "https://verein.example/reise",
         "Treffpunkt 6:15 Uhr\nBitte Ausweis mitbringen.", "2026-05-14 06:30", "2026-05-17 22:00", "Europe/Berlin", ""},
        {"thunderbird-allday.ics", "Europatag", "", "", "", "2026-05-09", "2026-05-09", "Europe/Vienna", ""},
        /* six exact hours over the end of summer time */
        {"apple-duration.ics", "Nuit des jumelages", "", "https://jumelage.example/nuit", "", "2025-10-25 22:00",
         "2025-10-26 03:00", "Europe/Paris", ""},
        {"fold-in-character.ics", "Grüße", "", "", "", "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Vienna", ""},
        {"windows-1252.ics", "Grüße", "", "", "", "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Vienna", ""},
        {"utf-16.ics", "Grüße", "", "", "", "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Vienna", ""},
        {"bom.ics", "Grüße", "", "", "", "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Vienna", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf path = BUF_INIT(200), file = BUF_INIT(65536);
        buf_printf(&path, "tests/data/ics/%s", cases[i].file);
        assert_int_equal(files_read(AT_FDCWD, buf_str(&path), &file), 0);
        AUTOARENA struct arena arena;
        arena_init(&arena);
        struct event e;
        struct why why;
        if (calendar_read(buf_view(&file), "Europe/Vienna", &arena, &e, &why) != 0)
            fail_msg("%s: %s", cases[i].file, why.what);
        struct when start = date(cases[i].start), end = date(cases[i].end);
        if (when_cmp(&e.start, &start) != 0 || when_cmp(&e.end, &end) != 0)
            fail_msg("%s: %d-%d-%d %d:%d to %d-%d-%d %d:%d", cases[i].file, e.start.year, e.start.month, e.start.day,
                     e.start.hour, e.start.minute, e.end.year, e.end.month, e.end.day, e.end.hour, e.end.minute);
        assert_string_equal(e.title, cases[i].title);
        assert_string_equal(e.location, cases[i].location);
        assert_string_equal(e.url, cases[i].url);
        assert_string_equal(e.description, cases[i].description);
        assert_string_equal(e.zone, cases[i].zone);
        assert_string_equal(e.repeat, cases[i].repeat);
        AUTOBUF struct buf text = BUF_INIT(65536);
        publish(&e, &identity, &text); /* whatever was read can be sent */
    }
}

#define HEAD "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n"
#define FOOT "END:VCALENDAR\n"
#define EVENT(lines) HEAD "BEGIN:VEVENT\nUID:1\nDTSTAMP:20250701T000000Z\n" lines "END:VEVENT\n" FOOT
#define AT "DTSTART;TZID=Europe/Berlin:20250902T100000\n"

static void reads_details(void **state) {
    (void)state;
    static const struct {
        const char *text, *start, *end, *zone, *title, *url;
    } cases[] = {
        {EVENT(AT "SUMMARY:a\\, b\\; c\\\\d\\ne\n"), "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Berlin",
         "a, b; c\\d e", ""},
        {EVENT(AT "SUMMARY:first\nSUMMARY;LANGUAGE=fr:second\n"), "2025-09-02 10:00", "2025-09-02 10:00",
         "Europe/Berlin", "first", ""},
        {EVENT(AT "summary:small\nurl:https://a.example/b\n"), "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Berlin",
         "small", "https://a.example/b"},
        {EVENT(AT "URL:javascript:alert(1)\n"), "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Berlin", "", ""},
        {EVENT(AT "URL:https://a.example/<b>\n"), "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Berlin", "", ""},
        {EVENT(AT "DTEND;TZID=Europe/London:20250902T100000\n"), "2025-09-02 10:00", "2025-09-02 11:00",
         "Europe/Berlin", "", ""},
        {EVENT("DTSTART:20250902T080000Z\nDTEND:20250902T090000Z\n"), "2025-09-02 10:00", "2025-09-02 11:00",
         "Europe/Vienna", "", ""},
        {EVENT("DTSTART:20250902T100000\n"), "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Vienna", "", ""},
        {EVENT("DTSTART;VALUE=DATE:20250902\n"), "2025-09-02", "2025-09-02", "Europe/Vienna", "", ""},
        {EVENT("DTSTART;VALUE=DATE:20250902\nDTEND;VALUE=DATE:20250902\n"), "2025-09-02", "2025-09-02", "Europe/Vienna",
         "", ""},
        {EVENT("DTSTART;VALUE=DATE:20250902\nDURATION:P2D\n"), "2025-09-02", "2025-09-03", "Europe/Vienna", "", ""},
        {EVENT(AT "DURATION:PT90M\n"), "2025-09-02 10:00", "2025-09-02 11:30", "Europe/Berlin", "", ""},
        {EVENT(AT "DURATION:P1W\n"), "2025-09-02 10:00", "2025-09-09 10:00", "Europe/Berlin", "", ""},
        {EVENT("DTSTART;TZID=W. Europe Standard Time 1:20250902T100000\n"), "2025-09-02 10:00", "2025-09-02 10:00",
         "Europe/Berlin", "", ""},
        {EVENT("DTSTART;TZID=\"FLE Standard Time\":20250902T100000\n"), "2025-09-02 10:00", "2025-09-02 10:00",
         "Europe/Kyiv", "", ""},
        {EVENT("DTSTART;TZID=/freeassociation.sourceforge.net/America/Indiana/Knox:20250902T100000\n"),
         "2025-09-02 10:00", "2025-09-02 10:00", "America/Indiana/Knox", "", ""},
        {EVENT("DTSTART;TZID=\"tzone://Microsoft/Utc\":20250902T100000\n"), "2025-09-02 10:00", "2025-09-02 10:00",
         "Etc/UTC", "", ""},
        {HEAD "BEGIN:VTIMEZONE\nTZID:Mine\nX-LIC-LOCATION:Europe/Kyiv\nEND:VTIMEZONE\n"
              "BEGIN:VEVENT\nDTSTART;TZID=Mine:20250902T100000\nEND:VEVENT\n" FOOT,
         "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Kyiv", "", ""},
        {HEAD "METHOD:REQUEST\n\n\nBEGIN:VTODO\nSUMMARY:no\nEND:VTODO\nBEGIN:VEVENT\n" AT
              "RECURRENCE-ID:20250902T100000\nSUMMARY:one of many\nEND:VEVENT\n" FOOT,
         "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Berlin", "one of many", ""},
        {EVENT(AT "BEGIN:VALARM\nSUMMARY:not this\nBEGIN:X-DEEP\nEND:X-DEEP\nEND:VALARM\nSUMMARY:this\n"),
         "2025-09-02 10:00", "2025-09-02 10:00", "Europe/Berlin", "this", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOARENA struct arena arena;
        arena_init(&arena);
        struct event e;
        struct why why;
        if (calendar_read(view_of(cases[i].text), "Europe/Vienna", &arena, &e, &why) != 0)
            fail_msg("case %zu: %s", i, why.what);
        struct when start = date(cases[i].start), end = date(cases[i].end);
        if (when_cmp(&e.start, &start) != 0 || when_cmp(&e.end, &end) != 0)
            fail_msg("case %zu: another time", i);
        assert_string_equal(e.zone, cases[i].zone);
        assert_string_equal(e.title, cases[i].title);
        assert_string_equal(e.url, cases[i].url);
    }
}

static void refuses_to_read(void **state) {
    (void)state;
    static const struct {
        const char *text, *what;
    } cases[] = {
        {"", "no event"},
        {"hello\n", "no line of a calendar"},
        {"SUMMARY:x\n", "does not begin"},
        {"BEGIN:VEVENT\nEND:VEVENT\n", "does not begin"},
        {"BEGIN:VCARD\nVERSION:3.0\nFN:x\nEND:VCARD\n", "does not begin"},
        {HEAD FOOT, "no event"},
        {HEAD "BEGIN:VTODO\nEND:VTODO\n" FOOT, "no event"},
        {EVENT("SUMMARY:x\n"), "no start"},
        {EVENT(AT) EVENT(AT), "more than one calendar"},
        {HEAD "BEGIN:VEVENT\n" AT "END:VEVENT\nBEGIN:VEVENT\n" AT "END:VEVENT\n" FOOT, "more than one event"},
        {HEAD "BEGIN:VEVENT\n" AT "RRULE:FREQ=DAILY\nEND:VEVENT\nBEGIN:VEVENT\n" AT
              "RECURRENCE-ID:20250902T100000\nEND:VEVENT\n" FOOT,
         "single dates changed"},
        {HEAD "BEGIN:VEVENT\n" AT, "cut off"},
        {HEAD "BEGIN:VEVENT\n" AT "END:VCALENDAR\n", "damaged"},
        {"BEGIN:VCALENDAR\nVERSION:1.0\nEND:VCALENDAR\n", "version 2.0"},
        {HEAD "METHOD:CANCEL\n" FOOT, "cancels"},
        {EVENT(AT "STATUS:CANCELLED\n"), "is cancelled"},
        {EVENT(AT AT), "two starts"},
        {EVENT("DTSTART:tomorrow\n"), "cannot be read"},
        {EVENT("DTSTART:20250231T100000\n"), "no date"},
        {EVENT("DTSTART:18991231T100000\n"), "no date"},
        {EVENT("DTSTART:22010101T100000\n"), "no date"},
        {EVENT("DTSTART;TZID=Europe/Berlin:20250330T023000\n"), "no time that there is"},
        {EVENT("DTSTART;TZID=Nowhere:20250902T100000\n"), "“Nowhere” is not known"},
        {EVENT("DTSTART;TZID=../../etc/passwd:20250902T100000\n"), "is not known"},
        {EVENT("DTSTART;TZID=:20250902T100000\n"), ""},
        {EVENT(AT "DTEND;TZID=Europe/Berlin:20250902T090000\n"), "ends before"},
        {EVENT(AT "DTEND;VALUE=DATE:20250903\n"), "only one has a time"},
        {EVENT(AT "DTEND:never\n"), "cannot be read"},
        {EVENT(AT "DURATION:-PT1H\n"), "duration"},
        {EVENT(AT "DURATION:P99999999W\n"), "duration"},
        {EVENT(AT "DURATION:PT999999999999H\n"), ""},
        {EVENT(AT "RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30\n"), "FREQ=SECONDLY"},
        {EVENT(AT "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\n"), "months do not have"},
        {EVENT(AT "RRULE:FREQ=DAILY\nRRULE:FREQ=DAILY\n"), "two rules"},
        {EVENT(AT "RRULE:FREQ=DAILY\nEXRULE:FREQ=WEEKLY\n"), "EXRULE"},
        {EVENT(AT "RDATE;VALUE=PERIOD:20250903T100000/PT1H\n"), "periods"},
        {EVENT(AT "RRULE:FREQ=DAILY\nEXDATE;TZID=Mine:20250903T100000\n"), "“Mine” is not known"},
        {EVENT("DTSTART:20250902T230000Z\nRRULE:FREQ=WEEKLY;BYDAY=TU\n"), "days of UTC"},
        {EVENT(AT "SUMMARY;ENCODING=QUOTED-PRINTABLE:=41\n"), "encoded"},
        {EVENT(AT "SUMMARY\n"), "no line of a calendar"},
        {EVENT(AT "DTEND;TZID=\"Europe/Berlin:20250902T110000\n"), "no line of a calendar"},
        {HEAD "BEGIN:A\nBEGIN:B\nBEGIN:C\nBEGIN:D\nEND:D\nEND:C\nEND:B\nEND:A\n" FOOT, "more than 4 deep"},
        /* the zone's own name says nothing, and its offsets are not the default zone's */
        {HEAD "BEGIN:VTIMEZONE\nTZID:Mine\nBEGIN:STANDARD\nTZOFFSETTO:+0500\nEND:STANDARD\nEND:VTIMEZONE\n"
              "BEGIN:VEVENT\nDTSTART;TZID=Mine:20250902T100000\nEND:VEVENT\n" FOOT,
         "“Mine” is not known"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOARENA struct arena arena;
        arena_init(&arena);
        struct event e = {.title = "untouched"};
        struct why why;
        if (calendar_read(view_of(cases[i].text), "Europe/Vienna", &arena, &e, &why) != -EINVAL)
            fail_msg("case %zu is read:\n%s", i, cases[i].text);
        if (!strstr(why.what, cases[i].what))
            fail_msg("case %zu: %s", i, why.what);
        assert_string_equal(e.title, "untouched");
    }
    AUTOARENA struct arena arena;
    arena_init(&arena);
    struct event e;
    struct why why;
    assert_int_equal(calendar_read(view_of(EVENT(AT)), "Nowhere", &arena, &e, &why), -EINVAL);
    assert_int_equal(calendar_read(view_make("BEGIN:VCALENDAR\0\n", 17), "UTC", &arena, &e, &why), -EINVAL);
}

/* An event with a text of so many bytes. */
static int read_long(const char *name, size_t bytes) {
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    buf_puts(&text, HEAD "BEGIN:VEVENT\n" AT);
    buf_puts(&text, name);
    for (size_t i = 0; i < bytes; i++)
        buf_putc(&text, 'x');
    buf_puts(&text, "\nEND:VEVENT\n" FOOT);
    AUTOARENA struct arena arena;
    arena_init(&arena);
    struct event e;
    struct why why;
    return calendar_read(buf_view(&text), "UTC", &arena, &e, &why);
}

static void caps_what_it_reads(void **state) {
    (void)state;
    assert_int_equal(read_long("SUMMARY:", CALENDAR_TEXT_MAX_BYTES), 0);
    assert_int_equal(read_long("SUMMARY:", CALENDAR_TEXT_MAX_BYTES + 1), -EINVAL);
    assert_int_equal(read_long("LOCATION:", CALENDAR_TEXT_MAX_BYTES), 0);
    assert_int_equal(read_long("LOCATION:", CALENDAR_TEXT_MAX_BYTES + 1), -EINVAL);
    assert_int_equal(read_long("DESCRIPTION:", CALENDAR_DESCRIPTION_MAX_BYTES), 0);
    assert_int_equal(read_long("DESCRIPTION:", CALENDAR_DESCRIPTION_MAX_BYTES + 1), -EINVAL);
    const size_t rest = strlen(HEAD "BEGIN:VEVENT\n" AT "X-LONG:\nEND:VEVENT\n" FOOT);
    assert_int_equal(read_long("X-LONG:", CALENDAR_FILE_MAX_BYTES - rest), 0);
    assert_int_equal(read_long("X-LONG:", CALENDAR_FILE_MAX_BYTES - rest + 1), -EINVAL);
    /* 2 MB of UTF-8 would come of it: no crash, and quickly */
    AUTOBUF struct buf nested = BUF_INIT(CALENDAR_FILE_MAX_BYTES);
    while (nested.len + 20 < CALENDAR_FILE_MAX_BYTES)
        buf_puts(&nested, "BEGIN:VCALENDAR\n");
    AUTOARENA struct arena arena;
    arena_init(&arena);
    struct event e;
    struct why why;
    assert_int_equal(calendar_read(buf_view(&nested), "UTC", &arena, &e, &why), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publishes),
        cmocka_unit_test(publishes_times),
        cmocka_unit_test(zones_agree_with_libical),
        cmocka_unit_test(nothing_adds_a_line),
        cmocka_unit_test(refuses_to_publish),
        cmocka_unit_test(reads_exports),
        cmocka_unit_test(reads_details),
        cmocka_unit_test(refuses_to_read),
        cmocka_unit_test(caps_what_it_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
