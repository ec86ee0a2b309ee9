/* Reading exported events: see calendar.h. The file is walked here; nothing but the lines of the event's times goes
 * through libical. */
#include <errno.h>
#include <stdlib.h>

#include <libical/ical.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "mail/calendar.h"
#include "mail/calendar_apart.h"
#include "mail/calendar_lines.h"
#include "mail/recur.h"
#include "mail/repeat.h"
#include "mail/unhtml.h"
#include "mail/windows_zones.h"
#include "mail/zone.h"

#include "base/banned.h"

enum { ZONES_MAX = 16, DAY_SEC = 86400, DURATION_MAX_DAYS = 3660 };

/* What a VTIMEZONE says of itself. */
struct zone_note {
    struct view id, location;
    struct view standard, daylight; /* the last TZOFFSETTO of each, "" where there is none */
};

struct reading {
    const char *default_zone;
    struct arena *arena;
    struct why *why;
    unsigned calendars, events;
    bool is_instance; /* RECURRENCE-ID: one event of a series */
    bool is_all_day;  /* Outlook says so of events from midnight to midnight */
    struct view calendar_zone;
    struct zone_note zones[ZONES_MAX];
    size_t zone_count;
    struct view rule, start, end, duration, title, location, url, description;
    struct buf event; /* with the lines of its times, for the library */
};

static const char advice[] = "Export the one event again, as an iCalendar file (.ics)";

static int refuse(struct reading *r, const char *what) {
    why_set(r->why, -EINVAL, "%s", what);
    why_todo(r->why, "%s", advice);
    return -EINVAL;
}

/* ---- the walk ---- */

static int on_calendar_line(struct reading *r, const struct calendar_line *line) {
    struct view value = view_trim(line->value);
    if (view_eq_nocase(line->name, "BEGIN") && ++r->calendars > 1)
        return refuse(r, "the file holds more than one calendar");
    if (view_eq_nocase(line->name, "VERSION") && !view_eq_str(value, "2.0"))
        return refuse(r, "the file is not of iCalendar's version 2.0");
    if (view_eq_nocase(line->name, "METHOD") &&
        (view_eq_nocase(value, "CANCEL") || view_eq_nocase(value, "REPLY") || view_eq_nocase(value, "COUNTER")))
        return refuse(r, "the file cancels or answers an event, it does not announce one");
    if (view_eq_nocase(line->name, "X-WR-TIMEZONE"))
        r->calendar_zone = value;
    return 0;
}

static void on_zone_line(struct reading *r, const struct calendar_line *line) {
    if (calendar_line_is(line, "VTIMEZONE", "BEGIN") && r->zone_count < ZONES_MAX)
        r->zones[r->zone_count++] = (struct zone_note){0};
    if (r->zone_count == 0)
        return;
    struct zone_note *z = &r->zones[r->zone_count - 1];
    if (calendar_line_is(line, "VTIMEZONE", "TZID"))
        z->id = view_trim(line->value);
    else if (calendar_line_is(line, "VTIMEZONE", "X-LIC-LOCATION"))
        z->location = view_trim(line->value);
    else if (calendar_line_is(line, "STANDARD", "TZOFFSETTO"))
        z->standard = view_trim(line->value);
    else if (calendar_line_is(line, "DAYLIGHT", "TZOFFSETTO"))
        z->daylight = view_trim(line->value);
}

static int on_event_line(struct reading *r, const struct calendar_line *line) {
    const struct {
        const char *name;
        struct view *seen;
    } once[] = {{"DTSTART", &r->start}, {"DTEND", &r->end}, {"DURATION", &r->duration}},
      texts[] = {
          {"SUMMARY", &r->title}, {"LOCATION", &r->location}, {"URL", &r->url}, {"DESCRIPTION", &r->description}};
    static const char *const dates[] = {"RDATE", "EXDATE"};
    if (calendar_line_is(line, "VEVENT", "BEGIN"))
        r->events++;
    if (view_eq_nocase(line->name, "RECURRENCE-ID"))
        r->is_instance = true;
    if (r->events > 1)
        return 0; /* only to be counted */
    for (size_t i = 0; i < COUNT_OF(once); i++)
        if (view_eq_nocase(line->name, once[i].name)) {
            if (once[i].seen->ptr)
                return refuse(r, "the event has two starts or two ends");
            *once[i].seen = line->value;
            buf_add_view(&r->event, line->whole);
            buf_puts(&r->event, "\r\n");
        }
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (view_eq_nocase(line->name, texts[i].name) && !texts[i].seen->ptr) { /* of several languages the first */
            struct view parameters = view_slice(line->whole, 0, line->whole.len - line->value.len);
            if (view_search(parameters, VIEW("ENCODING=")) < parameters.len)
                return refuse(r, "the event's texts are encoded as iCalendar does not have it");
            *texts[i].seen = line->value;
        }
    for (size_t i = 0; i < COUNT_OF(dates); i++)
        if (view_eq_nocase(line->name, dates[i])) {
            buf_add_view(&r->event, line->whole);
            buf_puts(&r->event, "\r\n");
        }
    if (view_eq_nocase(line->name, "EXRULE"))
        return refuse(r, "the event repeats but for a rule (EXRULE), which is not served");
    if (view_eq_nocase(line->name, "RRULE")) {
        if (r->rule.ptr)
            return refuse(r, "the event repeats by two rules");
        r->rule = line->value;
    }
    if (view_eq_nocase(line->name, "STATUS") && view_eq_nocase(view_trim(line->value), "CANCELLED"))
        return refuse(r, "the event is cancelled");
    if (view_eq_nocase(line->name, "X-MICROSOFT-CDO-ALLDAYEVENT") && view_eq_nocase(view_trim(line->value), "TRUE"))
        r->is_all_day = true;
    return 0;
}

static int on_line(void *user, const struct calendar_line *line, struct why *why) {
    struct reading *r = user;
    (void)why; /* r has it */
    if (!view_eq_nocase(line->component[0], "VCALENDAR"))
        return refuse(r, "the file is no calendar: it does not begin with BEGIN:VCALENDAR");
    if (line->depth == 1)
        return on_calendar_line(r, line);
    if (view_eq_nocase(line->component[1], "VTIMEZONE"))
        on_zone_line(r, line);
    else if (line->depth == 2 && view_eq_nocase(line->component[1], "VEVENT"))
        return on_event_line(r, line);
    return 0;
}

static int walk(struct reading *r, struct view unfolded) {
    int error = calendar_walk(unfolded, on_line, r, r->why);
    if (error < 0)
        return error;
    if (r->events == 0)
        return refuse(r, "the file holds no event");
    if (r->events > 1 && r->is_instance)
        return refuse(r, "the file holds a series with single dates changed, which is not served");
    if (r->events > 1)
        return refuse(r, "the file holds more than one event");
    if (!r->start.ptr)
        return refuse(r, "the event has no start");
    return 0;
}

/* ---- zones ---- */

static const char *existing(struct reading *r, struct view name) {
    if (name.len == 0 || name.len > 128 || memchr(name.ptr, '\0', name.len))
        return NULL;
    char *copy = arena_dup(r->arena, name);
    if (copy && when_zone_exists(copy))
        return copy;
    if (copy && errno == ENOMEM)
        arena_fail(r->arena); /* not unknown: not read */
    return NULL;
}

/* "Europe/Berlin", "/mozilla.org/20050126_1/Europe/Berlin", "W. Europe Standard Time", that with a number behind it. */
static const char *zone_by_name(struct reading *r, struct view name) {
    const char *zone = existing(r, name);
    if (zone)
        return zone;
    struct view windows = name;
    while (windows.len && ((windows.ptr[windows.len - 1] >= '0' && windows.ptr[windows.len - 1] <= '9') ||
                           windows.ptr[windows.len - 1] == ' '))
        windows.len--;
    if ((zone = windows_zones_find(name)) || (zone = windows_zones_find(windows)))
        return zone;
    if (view_eq_nocase(name, "tzone://Microsoft/Utc") || view_eq_nocase(name, "Z"))
        return "Etc/UTC";
    if (!view_starts(name, "/"))
        return NULL;
    for (size_t i = 1; i < name.len; i++) /* the longest end that is a name: America/Indiana/Knox before Knox */
        if (name.ptr[i - 1] == '/' && (zone = existing(r, view_slice(name, i, name.len))))
            return zone;
    return NULL;
}

/* "+0100", "-023000" to seconds. */
static bool read_offset(struct view v, int *ret_sec) {
    uint64_t n;
    if ((v.len != 5 && v.len != 7) || (v.ptr[0] != '+' && v.ptr[0] != '-') ||
        number_parse_u64(view_slice(v, 1, v.len), 999999, &n) < 0)
        return false;
    if (v.len == 5)
        n *= 100;
    *ret_sec = (int)(n / 10000 * 3600 + n / 100 % 100 * 60 + n % 100);
    if (v.ptr[0] == '-')
        *ret_sec = -*ret_sec;
    return true;
}

/* Both have the same offsets in winter and summer of that year. */
static bool is_like(const struct zone_note *note, const char *zone, int year) {
    int winter, summer, offset[2];
    char abbreviation[16];
    if (!read_offset(note->standard, &winter))
        return false;
    if (note->daylight.len == 0)
        summer = winter;
    else if (!read_offset(note->daylight, &summer))
        return false;
    for (int i = 0; i < 2; i++) {
        int64_t usec = clock_days_from_civil(year, i ? 7 : 1, 2) * USEC_PER_DAY;
        if (when_offset(usec, zone, &offset[i], abbreviation) < 0)
            return false;
        offset[i] *= 60;
    }
    return (offset[0] == winter && offset[1] == summer) || (offset[1] == winter && offset[0] == summer);
}

static const char *zone_by_id(struct reading *r, struct view id, int year) {
    const char *zone = zone_by_name(r, id);
    for (size_t i = 0; !zone && i < r->zone_count; i++) {
        if (!view_eq(r->zones[i].id, id))
            continue;
        zone = zone_by_name(r, r->zones[i].location);
        if (!zone && is_like(&r->zones[i], r->default_zone, year))
            zone = r->default_zone;
    }
    if (!zone) {
        why_set(r->why, -EINVAL, "the time zone “%.*s” is not known", (int)(id.len < 80 ? id.len : 80), id.ptr);
        why_todo(r->why, "Choose a zone such as Europe/Berlin for the event and export it again");
    }
    return zone;
}

/* ---- times ---- */

struct moment {
    struct when when;
    const char *zone;
    bool is_utc;
};

static int read_moment(struct reading *r, icalproperty *p, struct icaltimetype t, const char *name, struct moment *m) {
    *m = (struct moment){
        .when = {t.year, t.month, t.day, t.hour, t.minute, t.second, !t.is_date},
        .zone = r->default_zone,
        .is_utc = !t.is_date && icaltime_is_utc(t),
    };
    if (m->when.has_time && m->when.second == 60)
        m->when.second = 59; /* a leap second, which no clock here shows */
    if (t.is_date)
        m->when.hour = m->when.minute = m->when.second = 0;
    if (icaltime_is_null_time(t) || !when_is_valid(&m->when) || t.year < WHEN_YEAR_MIN || t.year > WHEN_YEAR_MAX)
        return why_set(r->why, -EINVAL, "the event's %s is no date, or not between %d and %d", name, WHEN_YEAR_MIN,
                       WHEN_YEAR_MAX);
    icalparameter *tzid = icalproperty_get_first_parameter(p, ICAL_TZID_PARAMETER);
    if (m->is_utc)
        m->zone = "Etc/UTC";
    else if (tzid && !t.is_date)
        m->zone = zone_by_id(r, view_of(icalparameter_get_tzid(tzid)), t.year);
    return m->zone ? 0 : -EINVAL;
}

/* The same moment on the clock of another zone. */
static int move(struct reading *r, struct moment *m, const char *zone, const char *name) {
    int64_t usec;
    if (!m->when.has_time || strcmp(m->zone, zone) == 0) {
        m->zone = zone;
        return 0;
    }
    if (when_to_usec(&m->when, m->zone, &usec) != WHEN_OK || when_from_usec(usec, zone, &m->when) < 0)
        return why_set(r->why, -EINVAL, "the event's %s is no time that there is in %s", name, m->zone);
    m->zone = zone;
    return 0;
}

static int add_duration(struct reading *r, icalproperty *p, struct moment *end) {
    struct icaldurationtype d = icalproperty_get_duration(p);
    if (icaldurationtype_is_bad_duration(d) || d.is_neg || d.weeks > DURATION_MAX_DAYS / 7 ||
        d.days > DURATION_MAX_DAYS || d.hours > 24 * DURATION_MAX_DAYS || d.minutes > 1440 * DURATION_MAX_DAYS ||
        d.seconds > DURATION_MAX_DAYS * DAY_SEC)
        return why_set(r->why, -EINVAL, "the event's duration cannot be read, or is longer than ten years");
    /* RFC 5545 §3.3.6: days are of the calendar, hours and less exact. */
    when_add_days(&end->when, (int)(7 * d.weeks + d.days));
    int64_t usec, exact_usec = (((int64_t)d.hours * 60 + d.minutes) * 60 + d.seconds) * USEC_PER_SEC;
    if (end->when.has_time && exact_usec &&
        (when_to_usec(&end->when, end->zone, &usec) != WHEN_OK ||
         when_from_usec(usec + exact_usec, end->zone, &end->when) < 0))
        return why_set(r->why, -EINVAL, "the event's end is no time that there is in %s", end->zone);
    return 0;
}

static bool is_midnight(const struct when *w) {
    return w->has_time && w->hour == 0 && w->minute == 0 && w->second == 0;
}

/* Dates alone: the end that a file names is the day behind, ours is the last. Some programs name the same day twice. */
static void make_all_day(struct when *start, struct when *end) {
    *start = (struct when){start->year, start->month, start->day, 0, 0, 0, false};
    *end = (struct when){end->year, end->month, end->day, 0, 0, 0, false};
    if (when_cmp(end, start) > 0)
        when_add_days(end, -1);
}

/* The date of one RDATE or EXDATE, on the clock of the event's zone, as recur.h has it. */
static int add_date(struct reading *r, icalproperty *p, const struct event *e, bool added, struct buf *to) {
    struct icaltimetype t = added ? icalproperty_get_rdate(p).time : icalproperty_get_exdate(p);
    struct moment m;
    if (added && !icaltime_is_null_time(icalproperty_get_rdate(p).period.start))
        return refuse(r, "the event repeats by periods, which is not served");
    if (read_moment(r, p, t, "added or left out date", &m) < 0 || move(r, &m, e->zone, "added or left out date") < 0)
        return -EINVAL;
    buf_printf(to, "%04d%02d%02d", m.when.year, m.when.month, m.when.day);
    if (m.when.has_time && e->start.has_time)
        buf_printf(to, "T%02d%02d%02d", m.when.hour, m.when.minute, m.when.second);
    return 0;
}

/* "FREQ=WEEKLY +20250902T100000 -20250909T100000,20250916T100000" */
static int read_dates(struct reading *r, icalcomponent *c, bool added, const struct event *e, struct buf *to) {
    icalproperty_kind kind = added ? ICAL_RDATE_PROPERTY : ICAL_EXDATE_PROPERTY;
    size_t count = 0;
    for (icalproperty *p = icalcomponent_get_first_property(c, kind); p; p = icalcomponent_get_next_property(c, kind)) {
        if (++count > RECUR_DATES_MAX)
            return why_set(r->why, -EINVAL, "the event repeats with more than %d added or left out dates",
                           RECUR_DATES_MAX);
        buf_puts(to, count > 1 ? "," : added ? " +" : " -");
        if (add_date(r, p, e, added, to) < 0)
            return -EINVAL;
    }
    return 0;
}

static int read_repeat(struct reading *r, icalcomponent *c, struct event *ret) {
    AUTOBUF struct buf rule = BUF_INIT(2 * RECUR_TEXT_MAX_BYTES);
    int error = repeat_parse(r->rule, &rule, r->why);
    if (error == 0)
        error = read_dates(r, c, true, ret, &rule);
    if (error == 0)
        error = read_dates(r, c, false, ret, &rule);
    if (error == 0)
        error = buf_error(&rule);
    ret->repeat = error == 0 ? arena_dup(r->arena, view_trim(buf_view(&rule))) : "";
    return error;
}

static int read_times(struct reading *r, icalcomponent *c, struct event *ret) {
    icalproperty *start_property = icalcomponent_get_first_property(c, ICAL_DTSTART_PROPERTY);
    icalproperty *end_property = icalcomponent_get_first_property(c, ICAL_DTEND_PROPERTY);
    icalproperty *duration = icalcomponent_get_first_property(c, ICAL_DURATION_PROPERTY);
    struct moment start, end;
    if (!start_property || (r->end.ptr && !end_property) || (r->duration.ptr && !duration))
        return refuse(r, "the event's start or end cannot be read");
    if (read_moment(r, start_property, icalproperty_get_dtstart(start_property), "start", &start) < 0)
        return -EINVAL;
    end = start;
    if (end_property && read_moment(r, end_property, icalproperty_get_dtend(end_property), "end", &end) < 0)
        return -EINVAL;
    if (!end_property && duration && add_duration(r, duration, &end) < 0)
        return -EINVAL;
    if (start.when.has_time != end.when.has_time)
        return refuse(r, "of the event's start and end only one has a time");
    const char *zone = start.is_utc ? r->default_zone : start.zone;
    struct when written = start.when;
    if (move(r, &start, zone, "start") < 0 || move(r, &end, zone, "end") < 0)
        return -EINVAL;
    if (r->rule.ptr && start.when.day != written.day)
        return refuse(r, "the event repeats by days of UTC, which are other days in its time zone");
    int64_t start_usec, end_usec;
    if (!start.when.has_time || (r->is_all_day && is_midnight(&start.when) && is_midnight(&end.when)))
        make_all_day(&start.when, &end.when);
    if (when_to_usec(&start.when, zone, &start_usec) != WHEN_OK || when_to_usec(&end.when, zone, &end_usec) != WHEN_OK)
        return why_set(r->why, -EINVAL, "the event's start or end is no time that there is in %s", zone);
    if (end_usec < start_usec)
        return refuse(r, "the event ends before it starts");
    ret->start = start.when;
    ret->end = end.when;
    ret->zone = arena_strdup(r->arena, zone);
    return 0;
}

/* ---- texts ---- */

/* Without control characters and blanks at line ends, with at most one empty line in a row. */
static void tidy(struct view v, bool several_lines, struct buf *to) {
    size_t start = to->len, newlines = 2;
    for (size_t i = 0, n; i < v.len; i += n) {
        uint32_t c = text_decode(view_slice(v, i, v.len), &n);
        if (c == '\n' && several_lines) {
            while (to->len > start && to->data[to->len - 1] == ' ')
                buf_truncate(to, to->len - 1);
            if (newlines < 2)
                buf_putc(to, '\n');
            newlines++;
        } else if (c == '\n' || c == '\t' || c == ' ' || c == 0xa0) {
            if (to->len > start && to->data[to->len - 1] != ' ' && to->data[to->len - 1] != '\n')
                buf_putc(to, ' ');
        } else if (!text_is_control(c)) {
            buf_add(to, v.ptr + i, n);
            newlines = 0;
        }
    }
    while (to->len > start && (to->data[to->len - 1] == ' ' || to->data[to->len - 1] == '\n'))
        buf_truncate(to, to->len - 1);
}

/* RFC 5545 §3.3.11. Not left to libical, which puts a blank for the first byte of a character behind a backslash. */
static void unescape(struct view v, struct buf *to) {
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '\\' && i + 1 < v.len) {
            char c = v.ptr[++i];
            buf_putc(to, c == 'n' || c == 'N' ? '\n' : c);
        } else {
            buf_putc(to, v.ptr[i]);
        }
    }
}

static int read_text(struct reading *r, const char *name, struct view v, size_t max_bytes, bool several_lines,
                     const char **ret) {
    AUTOBUF struct buf plain = BUF_INIT(2 * CALENDAR_FILE_MAX_BYTES), text = BUF_INIT(2 * CALENDAR_FILE_MAX_BYTES),
                       tidied = BUF_INIT(2 * CALENDAR_FILE_MAX_BYTES);
    unescape(v, &plain);
    if (unhtml_is_html(buf_view(&plain)))
        unhtml(buf_view(&plain), &text);
    else
        buf_add_view(&text, buf_view(&plain));
    tidy(buf_view(&text), several_lines, &tidied);
    if (buf_error(&plain) < 0 || buf_error(&text) < 0 || buf_error(&tidied) < 0)
        return -ENOMEM;
    if (tidied.len > max_bytes)
        return why_set(r->why, -EINVAL, "the event's %s is longer than %zu bytes", name, max_bytes);
    *ret = arena_dup(r->arena, buf_view(&tidied));
    return 0;
}

/* "" for all but a link that may stand in a mail. */
static const char *read_url(struct reading *r) {
    struct view v = view_trim(r->url);
    bool good = v.len <= CALENDAR_URL_MAX_BYTES && (view_starts(v, "https://") || view_starts(v, "http://")) &&
                text_is_utf8(v) && !text_has_control(v);
    for (size_t i = 0; i < v.len; i++)
        good = good && !strchr(" \"<>\\^`{|}", v.ptr[i]);
    return good ? arena_dup(r->arena, v) : "";
}

static int read_texts(struct reading *r, struct event *ret) {
    int error;
    if ((error = read_text(r, "title", r->title, CALENDAR_TEXT_MAX_BYTES, false, &ret->title)) < 0 ||
        (error = read_text(r, "location", r->location, CALENDAR_TEXT_MAX_BYTES, false, &ret->location)) < 0 ||
        (error = read_text(r, "description", r->description, CALENDAR_DESCRIPTION_MAX_BYTES, true, &ret->description)) <
            0)
        return error;
    ret->url = read_url(r);
    return 0;
}

/* ---- what the library reads, apart ---- */

struct times {
    int error;
    struct why why;
    struct when start, end;
    char zone[ZONE_NAME_MAX + 1];
    char repeat[2 * RECUR_TEXT_MAX_BYTES + 1];
};

static void free_component(icalcomponent **c) {
    if (*c)
        icalcomponent_free(*c);
}

static int keep(char *to, size_t room, const char *text) {
    size_t len = text ? strlen(text) : 0;
    if (!text)
        return -ENOMEM;
    if (len >= room)
        return -EMSGSIZE;
    memcpy(to, text, len + 1);
    return 0;
}

static int parse_times(struct reading *r, struct times *ret) {
    struct event event = {0};
    icalerror_set_errors_are_fatal(false);
    __attribute__((cleanup(free_component))) icalcomponent *c = icalparser_parse_string(buf_str(&r->event));
    if (!c || icalcomponent_isa(c) != ICAL_VEVENT_COMPONENT)
        return refuse(r, "the event cannot be read");
    int error = read_times(r, c, &event);
    if (error == 0)
        error = read_repeat(r, c, &event);
    ret->start = event.start;
    ret->end = event.end;
    if (error == 0 && (error = keep(ret->zone, sizeof ret->zone, event.zone)) == 0)
        error = keep(ret->repeat, sizeof ret->repeat, event.repeat);
    return arena_failed(r->arena) ? -ENOMEM : error;
}

/* Twice: what the library has no memory for, it may leave out without a word. */
static void parse_times_apart(const void *in, void *out) {
    struct reading r = *(const struct reading *)in;
    struct times *times = out, again = *times;
    r.why = &times->why;
    times->error = parse_times(&r, times);
    if (times->error != parse_times(&r, &again) || when_cmp(&times->start, &again.start) != 0 ||
        when_cmp(&times->end, &again.end) != 0 || strcmp(times->zone, again.zone) != 0 ||
        strcmp(times->repeat, again.repeat) != 0)
        times->error = -ENOMEM;
}

static int read_event(struct reading *r, struct event *ret) {
    AUTOFREE struct times *times = calloc(1, sizeof *times);
    int error = times ? calendar_apart("calendar_read", parse_times_apart, r, times, sizeof *times, r->why) : -ENOMEM;
    if (error < 0)
        return error;
    if (times->error < 0) {
        *r->why = times->why;
        return times->error;
    }
    ret->start = times->start;
    ret->end = times->end;
    ret->zone = arena_strdup(r->arena, times->zone);
    ret->repeat = arena_strdup(r->arena, times->repeat);
    error = read_texts(r, ret);
    return error == 0 && arena_failed(r->arena) ? -ENOMEM : error;
}

int calendar_read(struct view text, const char *default_zone, struct arena *arena, struct event *ret, struct why *why) {
    if (!when_zone_exists(default_zone))
        return errno == ENOMEM ? -ENOMEM : why_set(why, -EINVAL, "the time zone “%.60s” is not known", default_zone);
    AUTOBUF struct buf unfolded = BUF_INIT(4 * CALENDAR_FILE_MAX_BYTES);
    struct reading r = {
        .default_zone = default_zone, .arena = arena, .why = why, .event = BUF_INIT(2 * CALENDAR_FILE_MAX_BYTES)};
    struct event event = {0};
    const char *charset;
    buf_puts(&r.event, "BEGIN:VEVENT\r\n");
    int error = calendar_unfold(text, &unfolded, &charset, why);
    if (error == 0)
        error = walk(&r, buf_view(&unfolded));
    buf_puts(&r.event, "END:VEVENT\r\n");
    if (error == 0)
        error = buf_error(&r.event);
    const char *zone = r.calendar_zone.len ? zone_by_name(&r, r.calendar_zone) : NULL;
    if (zone)
        r.default_zone = zone; /* Google's: all its times are in UTC */
    if (arena_failed(arena))
        error = -ENOMEM;
    if (error == 0)
        error = read_event(&r, &event);
    buf_done(&r.event);
    if (error == 0)
        *ret = event;
    return error;
}
