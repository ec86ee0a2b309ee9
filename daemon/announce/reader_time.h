/* An event's time where its reader is: said only where the reader's clock shows another time than the event's own.
 *
 * The zone is the reader's; where that is not known, or none that this machine serves, the list's. What a zone gives is
 * kept as text, so that filling a message allocates nothing and computes nothing once its zone was seen; the text of the
 * zone that was seen first makes room where there are more than READER_TIME_ZONES_MAX.
 *
 * One for each announcement and language; one thread at a time. */
#pragma once
#include "base/buf.h"
#include "base/view.h"
#include "mail/when.h"
#include "mail/zone.h"

struct fields_event;
struct words;

enum { READER_TIME_ZONES_MAX = 64, READER_TIME_MAX_BYTES = 1024 };

struct reader_times {
    const struct words *words;        /* borrowed, as all below */
    const struct fields_event *event; /* without a zone: none */
    const char *list_zone;
    struct reader_time {
        char zone[ZONE_NAME_MAX + 1];
        struct buf text;
    } kept[READER_TIME_ZONES_MAX];
    size_t count, next;
};

void reader_times_init(struct reader_times *t, const struct words *words, const struct fields_event *event,
                       const char *list_zone);
void reader_times_done(struct reader_times *t);
/* "in Ihrer Zeitzone: Mittwoch, 3. September 2025, 16:00 bis 21:30 Uhr (Asia/Tokyo)"; "" where the clock shows the same,
 * for whole days, and without an event. Borrowed until the next call. -ENOMEM. */
int reader_times_get(struct reader_times *t, struct view zone, struct view *ret);
