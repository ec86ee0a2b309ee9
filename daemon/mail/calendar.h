/* Calendar entries (RFC 5545, 5546, 6047) with libical: made for newsletters, and read from what people export. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/why.h"
#include "mail/when.h"

struct event {
    const char *title, *location, *url, *description; /* "" where not given */
    struct when start, end; /* both dates alone: all-day, end is the last day, inclusive. end may equal start */
    const char *zone;       /* zoneinfo name; also for all-day events, where it only says where "today" is */
    const char *repeat;     /* an RRULE value, or "" */
};

struct calendar_identity {
    const char *uid, *organizer_name, *organizer_address;
    unsigned sequence;
    int64_t stamp_usec;
};

enum { CALENDAR_FILE_MAX_BYTES = 256 * 1024, CALENDAR_DEPTH_MAX = 4 };

/* METHOD:PUBLISH with ORGANIZER, without ATTENDEE; VTIMEZONE for the zone; CRLF, folded. */
int calendar_publish(const struct event *event, const struct calendar_identity *identity, struct buf *to,
                     struct why *why);
/* Reads a file with exactly one event (exports of Outlook, Google, Thunderbird): Windows zone names mapped, folded and
 * bare-LF lines accepted, attendees, alarms and HTML dropped. Strings live in the arena. *ret_description is the
 * event's plain text. Bounded in size, depth and rules whatever comes in. -EINVAL with a reason. */
int calendar_read(struct view text, const char *default_zone, struct arena *arena, struct event *ret, struct why *why);
