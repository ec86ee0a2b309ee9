/* Calendar entries (RFC 5545, 5546, 6047): made for newsletters, and read from what people export.
 *
 * With libical, which keeps static state and crashes where memory ends: it lives in a process of its own for each call
 * (base/apart.h), so that a crash of it is -ENOMEM, or an error of the event where it crashes with memory as well. Of
 * 250 KB of the worst dates that were tried it reads for 25 ms.
 *
 * WRITING Every text is checked and cleaned before the library sees it, so that nothing from an input can add a line,
 *         a property or a parameter. Control characters are dropped, line ends in single-line texts become blanks.
 *         What cannot be cleaned without another meaning is refused.
 *
 * READING A file is unfolded, decoded (UTF-8, UTF-16 with a BOM, windows-1252) and walked here; the library gets only
 *         the few lines of the one event that matter, so alarms, attendees, HTML, attachments, time zone definitions
 *         and their rules never reach it. A TZID counts as the name of a zone (zoneinfo's, Windows', or with a prefix
 *         such as /mozilla.org/20050126_1/), or as X-LIC-LOCATION of its VTIMEZONE says; a zone by an invented name is
 *         the default zone where both have the same offsets in the event's year, else an error.
 *
 * LIMITS  CALENDAR_FILE_MAX_BYTES, CALENDAR_DEPTH_MAX components within each other, CALENDAR_TEXT_MAX_BYTES for title
 *         and location, CALENDAR_URL_MAX_BYTES, CALENDAR_DESCRIPTION_MAX_BYTES, rules as mail/repeat.h has them. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/why.h"
#include "mail/when.h"

struct event {
    const char *title, *location, *url, *description; /* "" where not given */
    struct when start, end; /* both dates alone: all-day, end is the last day, inclusive. end may equal start */
    const char *zone;       /* zoneinfo name; also for all-day events, where it only says where "today" is */
    const char *repeat;     /* to publish: as repeat_parse() takes it; as read: as recur_read() takes it; "" for none */
};

struct calendar_identity {
    const char *uid, *organizer_name, *organizer_address;
    unsigned sequence;
    int64_t stamp_usec;
};

enum {
    CALENDAR_FILE_MAX_BYTES = 256 * 1024,
    CALENDAR_DEPTH_MAX = 4,
    CALENDAR_TEXT_MAX_BYTES = 1000,
    CALENDAR_URL_MAX_BYTES = 2000,
    CALENDAR_DESCRIPTION_MAX_BYTES = 32 * 1024,
};

/* Appends a calendar of METHOD:PUBLISH with ORGANIZER, without ATTENDEE; VTIMEZONE for the zone as far as the event
 * needs it; CRLF, folded. The same input gives the same bytes. -EINVAL with a reason, -ENOMEM, or the buffer's error.
 */
int calendar_publish(const struct event *event, const struct calendar_identity *identity, struct buf *to,
                     struct why *why);
/* Reads a file with exactly one event. Strings live in the arena; ret->repeat is in the form of recur_read(), the
 * description is plain text. -EINVAL with a reason, -ENOMEM. */
int calendar_read(struct view text, const char *default_zone, struct arena *arena, struct event *ret, struct why *why);
