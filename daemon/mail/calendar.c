#include "mail/calendar.h"

#include <errno.h>
#include <stdlib.h>

#include <libical/ical.h>

#include "base/number.h"
#include "base/text.h"
#include "mail/calendar_apart.h"
#include "mail/calendar_lines.h"
#include "mail/calendar_zone.h"
#include "mail/repeat.h"

#include "base/banned.h"

#define PRODID "-//rundbrief//rundbrief//EN"

/* How far ahead a zone without yearly rules is written down for an event that repeats without an end. */
enum { REPEAT_YEARS = 10, YEAR_DAYS = 366 };

static void free_component(icalcomponent **c) {
    if (*c)
        icalcomponent_free(*c);
}

/* The texts of one entry, cleaned. */
struct texts {
    struct buf title, location, description, organizer, mailto, repeat;
};

static void free_texts(struct texts *t) {
    buf_done(&t->title);
    buf_done(&t->location);
    buf_done(&t->description);
    buf_done(&t->organizer);
    buf_done(&t->mailto);
    buf_done(&t->repeat);
}

/* Control characters go; line ends stay in a text of several lines, and are blanks in others. */
static int clean(const char *name, const char *text, size_t max_bytes, bool several_lines, struct buf *to,
                 struct why *why) {
    struct view v = view_trim(view_of(text));
    if (v.len > max_bytes)
        return why_set(why, -EINVAL, "the event's %s is longer than %zu bytes", name, max_bytes);
    if (!text_is_utf8(v))
        return why_set(why, -EINVAL, "the event's %s is not UTF-8", name);
    for (size_t i = 0, n; i < v.len; i += n) {
        uint32_t c = text_decode(view_slice(v, i, v.len), &n);
        if (c == '\n' && several_lines)
            buf_putc(to, '\n');
        else if (c == '\n' || c == '\t')
            buf_putc(to, ' ');
        else if (!text_is_control(c))
            buf_add(to, v.ptr + i, n);
    }
    return buf_error(to);
}

static int refuse_byte(const char *name, const char *text, struct why *why) {
    return why_set(why, -EINVAL, "the event's %s “%.80s” has characters that cannot stand there", name, text);
}

/* Only what RFC 3986 lets stand in a URI, and beyond ASCII what people write into it. */
static int check_url(const char *url, struct why *why) {
    struct view v = view_of(url);
    if (v.len == 0)
        return 0;
    if (v.len > CALENDAR_URL_MAX_BYTES)
        return why_set(why, -EINVAL, "the event's URL is longer than %d bytes", CALENDAR_URL_MAX_BYTES);
    if (!view_starts(v, "https://") && !view_starts(v, "http://"))
        return why_set(why, -EINVAL, "the event's URL “%.80s” begins neither with https:// nor with http://", url);
    if (!text_is_utf8(v) || text_has_control(v) || strpbrk(url, " \"<>\\^`{|}"))
        return refuse_byte("URL", url, why);
    return 0;
}

static int check_uid(const char *uid, struct why *why) {
    struct view v = view_of(uid);
    if (v.len == 0 || v.len > 255 || !text_is_ascii(v) || text_has_control(v) || strpbrk(uid, " \"\\;,:"))
        return refuse_byte("UID", uid, why);
    return 0;
}

/* The address as the URI of RFC 6068: what is no atom of a mailbox or of a host is percent-encoded. */
static int make_mailto(const char *address, struct buf *to, struct why *why) {
    struct view v = view_of(address);
    size_t at = view_find(v, '@');
    if (at == 0 || at + 1 >= v.len || v.len > 320 || !text_is_utf8(v) || text_has_control(v))
        return refuse_byte("organizer", address, why);
    buf_puts(to, "mailto:");
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            (c < 0x80 && strchr("@.-_~+!$'*", c)))
            buf_putc(to, (char)c);
        else
            buf_printf(to, "%%%02X", c);
    }
    return buf_error(to);
}

static int check_times(const struct event *e, int64_t *ret_start, int64_t *ret_end, struct why *why) {
    const struct when *ends[] = {&e->start, &e->end};
    int64_t *rets[] = {ret_start, ret_end};
    if (e->start.has_time != e->end.has_time)
        return why_set(why, -EINVAL, "of the event's start and end only one has a time");
    for (size_t i = 0; i < COUNT_OF(ends); i++)
        switch (when_to_usec(ends[i], e->zone, rets[i])) {
        case WHEN_OK: break;
        case WHEN_BAD_ZONE: return why_set(why, -EINVAL, "the time zone “%.60s” is not known", e->zone);
        case WHEN_NOT_A_DATE:
        case WHEN_NO_SUCH_DAY:
        case WHEN_NO_SUCH_TIME:
            return why_set(why, -EINVAL, "the event's %s is no time that there is in %s", i ? "end" : "start", e->zone);
        }
    if (*ret_end < *ret_start)
        return why_set(why, -EINVAL, "the event ends before it starts");
    return 0;
}

static struct icaltimetype ical_time(const struct when *w) {
    return (struct icaltimetype){.year = w->year,
                                 .month = w->month,
                                 .day = w->day,
                                 .hour = w->has_time ? w->hour : 0,
                                 .minute = w->has_time ? w->minute : 0,
                                 .second = w->has_time ? w->second : 0,
                                 .is_date = !w->has_time};
}

static bool is_utc(const char *zone) {
    return strcmp(zone, "UTC") == 0 || strcmp(zone, "Etc/UTC") == 0;
}

static struct icaltimetype ical_utc(int64_t usec) {
    struct when w;
    if (when_from_usec(usec, "UTC", &w) < 0)
        return icaltime_null_time();
    struct icaltimetype t = ical_time(&w);
    t.zone = icaltimezone_get_utc_timezone();
    return t;
}

/* A time of the event: in UTC, as a date, or on the clock of the zone. */
static void add_time(icalcomponent *c, icalproperty_kind kind, const struct when *w, const char *zone) {
    struct icaltimetype t = ical_time(w);
    if (w->has_time && is_utc(zone))
        t.zone = icaltimezone_get_utc_timezone();
    icalproperty *p = kind == ICAL_DTSTART_PROPERTY ? icalproperty_new_dtstart(t) : icalproperty_new_dtend(t);
    if (w->has_time && !is_utc(zone))
        icalproperty_add_parameter(p, icalparameter_new_tzid(zone));
    icalcomponent_add_property(c, p);
}

/* UNTIL is of the start's kind, and in UTC (RFC 5545 §3.3.10); *ret_until_usec is INT64_MAX without one. */
static int add_rule(icalcomponent *c, const struct event *e, const struct texts *t, int64_t *ret_until_usec,
                    struct why *why) {
    struct icalrecurrencetype rule = icalrecurrencetype_from_string(buf_str(&t->repeat));
    if (rule.freq == ICAL_NO_RECURRENCE)
        return why_set(why, -EINVAL, "the repetition “%.80s” cannot be read", buf_str(&t->repeat));
    *ret_until_usec = INT64_MAX;
    struct icaltimetype *u = &rule.until;
    if (!icaltime_is_null_time(*u)) {
        struct when until = {u->year, u->month, u->day, u->hour, u->minute, u->second, true};
        if (u->is_date) {
            until.hour = 23;
            until.minute = until.second = 59;
        }
        bool in_utc = !u->is_date && icaltime_is_utc(*u);
        if (when_to_usec(&until, in_utc ? "UTC" : e->zone, ret_until_usec) != WHEN_OK)
            return why_set(why, -EINVAL, "the repetition ends at a time that does not exist");
        if (!e->start.has_time) {
            if (when_from_usec(*ret_until_usec, e->zone, &until) < 0)
                return why_set(why, -EINVAL, "the repetition ends at a time that does not exist");
            until.has_time = false;
            *u = ical_time(&until);
        } else {
            *u = ical_utc(*ret_until_usec);
        }
    }
    icalcomponent_add_property(c, icalproperty_new_rrule(rule));
    return 0;
}

static icalcomponent *make_event(const struct event *e, const struct calendar_identity *id, const struct texts *t) {
    icalcomponent *c = icalcomponent_new(ICAL_VEVENT_COMPONENT);
    icalcomponent_add_property(c, icalproperty_new_uid(id->uid));
    icalcomponent_add_property(c, icalproperty_new_dtstamp(ical_utc(id->stamp_usec)));
    icalcomponent_add_property(c, icalproperty_new_sequence((int)id->sequence));
    icalproperty *organizer = icalproperty_new_organizer(buf_str(&t->mailto));
    if (t->organizer.len)
        icalproperty_add_parameter(organizer, icalparameter_new_cn(buf_str(&t->organizer)));
    icalcomponent_add_property(c, organizer);
    add_time(c, ICAL_DTSTART_PROPERTY, &e->start, e->zone);
    if (!e->start.has_time) {
        struct when behind = e->end; /* all-day events end on the day that is no longer theirs */
        when_add_days(&behind, 1);
        add_time(c, ICAL_DTEND_PROPERTY, &behind, e->zone);
        icalcomponent_add_property(c, icalproperty_new_transp(ICAL_TRANSP_TRANSPARENT));
    } else if (when_cmp(&e->start, &e->end) != 0) {
        add_time(c, ICAL_DTEND_PROPERTY, &e->end, e->zone);
    }
    icalcomponent_add_property(c, icalproperty_new_summary(buf_str(&t->title)));
    if (t->location.len)
        icalcomponent_add_property(c, icalproperty_new_location(buf_str(&t->location)));
    if (t->description.len)
        icalcomponent_add_property(c, icalproperty_new_description(buf_str(&t->description)));
    if (e->url && *e->url)
        icalcomponent_add_property(c, icalproperty_new_url(e->url));
    icalcomponent_add_property(c, icalproperty_new_status(ICAL_STATUS_CONFIRMED));
    return c;
}

static int prepare(const struct event *e, const struct calendar_identity *id, struct texts *t, struct why *why) {
    buf_init(&t->title, CALENDAR_TEXT_MAX_BYTES + 1);
    buf_init(&t->location, CALENDAR_TEXT_MAX_BYTES + 1);
    buf_init(&t->description, CALENDAR_DESCRIPTION_MAX_BYTES + 1);
    buf_init(&t->organizer, CALENDAR_TEXT_MAX_BYTES + 1);
    buf_init(&t->mailto, 1024);
    buf_init(&t->repeat, 2 * REPEAT_MAX_BYTES);
    int r = 0;
    if ((r = clean("title", e->title, CALENDAR_TEXT_MAX_BYTES, false, &t->title, why)) < 0 ||
        (r = clean("location", e->location, CALENDAR_TEXT_MAX_BYTES, false, &t->location, why)) < 0 ||
        (r = clean("description", e->description, CALENDAR_DESCRIPTION_MAX_BYTES, true, &t->description, why)) < 0 ||
        (r = clean("organizer", id->organizer_name, CALENDAR_TEXT_MAX_BYTES, false, &t->organizer, why)) < 0 ||
        (r = check_url(e->url, why)) < 0 || (r = check_uid(id->uid, why)) < 0 ||
        (r = make_mailto(id->organizer_address, &t->mailto, why)) < 0 ||
        (r = repeat_parse(view_of(e->repeat), &t->repeat, why)) < 0)
        return r;
    if (t->title.len == 0)
        return why_set(why, -EINVAL, "the event has no title");
    /* RFC 5545 §3.2: no quote can stand in a parameter; and readers differ on a backslash there. */
    for (size_t i = 0; i < t->organizer.len; i++)
        if (t->organizer.data[i] == '"')
            t->organizer.data[i] = '\'';
        else if (t->organizer.data[i] == '\\')
            t->organizer.data[i] = '/';
    return 0;
}

static icalcomponent *make_calendar(void) {
    icalcomponent *c = icalcomponent_new(ICAL_VCALENDAR_COMPONENT);
    icalcomponent_add_property(c, icalproperty_new_prodid(PRODID));
    icalcomponent_add_property(c, icalproperty_new_version("2.0"));
    icalcomponent_add_property(c, icalproperty_new_calscale("GREGORIAN"));
    icalcomponent_add_property(c, icalproperty_new_method(ICAL_METHOD_PUBLISH));
    return c;
}

/* What the library needs, and what it makes, apart. */
struct writing {
    const struct event *event;
    const struct calendar_identity *identity;
    const struct texts *texts;
    int64_t start_usec, end_usec;
};

enum { ENTRY_MAX_BYTES = 4 * CALENDAR_DESCRIPTION_MAX_BYTES };

struct written {
    int error;
    struct why why;
    size_t len;
    char text[ENTRY_MAX_BYTES];
};

static int write_entry(const struct writing *w, struct buf *to, struct why *why) {
    const struct event *event = w->event;
    int64_t until_usec = INT64_MIN;
    icalerror_set_errors_are_fatal(false);
    __attribute__((cleanup(free_component))) icalcomponent *calendar = make_calendar();
    icalcomponent *vevent = make_event(event, w->identity, w->texts);
    int r = w->texts->repeat.len ? add_rule(vevent, event, w->texts, &until_usec, why) : 0;
    if (r < 0) {
        icalcomponent_free(vevent);
        return r;
    }
    if (event->start.has_time && !is_utc(event->zone)) {
        int64_t limit_usec = w->start_usec + REPEAT_YEARS * YEAR_DAYS * USEC_PER_DAY;
        until_usec = until_usec < w->end_usec ? w->end_usec : until_usec > limit_usec ? limit_usec : until_usec;
        icalcomponent *zone =
            calendar_zone_make(zone_find(event->zone), w->start_usec / USEC_PER_SEC, until_usec / USEC_PER_SEC);
        if (!zone) {
            icalcomponent_free(vevent);
            return -ENOMEM;
        }
        icalcomponent_add_component(calendar, zone);
    }
    icalcomponent_add_component(calendar, vevent);
    char *text = icalcomponent_as_ical_string_r(calendar);
    r = text ? calendar_fold(view_of(text), to) : -ENOMEM;
    icalmemory_free_buffer(text);
    return r;
}

/* Twice: what the library has no memory for, it may leave out without a word. */
static void write_apart(const void *in, void *out) {
    struct written *written = out;
    AUTOBUF struct buf text = BUF_INIT(ENTRY_MAX_BYTES), again = BUF_INIT(ENTRY_MAX_BYTES);
    icalerror_clear_errno();
    written->error = write_entry(in, &text, &written->why);
    if (written->error != write_entry(in, &again, &written->why) || !view_eq(buf_view(&text), buf_view(&again)) ||
        (written->error == 0 && icalerrno != ICAL_NO_ERROR))
        written->error = -ENOMEM;
    written->len = text.len;
    memcpy(written->text, buf_str(&text), text.len);
}

int calendar_publish(const struct event *event, const struct calendar_identity *identity, struct buf *to,
                     struct why *why) {
    __attribute__((cleanup(free_texts))) struct texts texts;
    struct writing w = {.event = event, .identity = identity, .texts = &texts};
    int r = prepare(event, identity, &texts, why);
    if (r < 0 || (r = check_times(event, &w.start_usec, &w.end_usec, why)) < 0)
        return r;
    AUTOFREE struct written *written = calloc(1, sizeof *written);
    r = written ? calendar_apart("calendar_publish", write_apart, &w, written, sizeof *written, why) : -ENOMEM;
    if (r < 0)
        return r;
    if (written->error < 0) {
        *why = written->why;
        return written->error;
    }
    buf_add(to, written->text, written->len);
    return buf_error(to);
}
