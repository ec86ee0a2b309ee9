#include "announce/reader_time.h"

#include <errno.h>
#include <string.h>

#include "announce/fields.h"
#include "mail/words.h"

#include "base/banned.h"

void reader_times_init(struct reader_times *t, const struct words *words, const struct fields_event *event,
                       const char *list_zone) {
    *t = (struct reader_times){.words = words, .event = event, .list_zone = list_zone};
}

void reader_times_done(struct reader_times *t) {
    for (size_t i = 0; i < t->count; i++)
        buf_done(&t->kept[i].text);
    t->count = 0;
}

/* False where a moment cannot be said in that zone. */
static bool moved(const struct when *w, const char *from, const char *to, struct when *ret) {
    int64_t at;
    return when_to_usec(w, from, &at) == WHEN_OK && when_from_usec(at, to, ret) == 0;
}

static int say(const struct reader_times *t, const char *zone, struct buf *to) {
    const struct fields_event *e = t->event;
    struct when start, end;
    if (!moved(&e->start, e->zone, zone, &start) || !moved(&e->end, e->zone, zone, &end) ||
        (when_cmp(&start, &e->start) == 0 && when_cmp(&end, &e->end) == 0))
        return 0;
    AUTOBUF struct buf range = BUF_INIT(READER_TIME_MAX_BYTES), named = BUF_INIT(READER_TIME_MAX_BYTES);
    when_say_range(t->words, &start, &end, &range);
    words_format(t->words, "dates.zone", buf_str(&range), zone, NULL, &named);
    words_format(t->words, "dates.reader-zone", buf_str(&named), NULL, NULL, to);
    return buf_error(&range) ? buf_error(&range) : buf_error(&named) ? buf_error(&named) : buf_error(to);
}

static struct reader_time *place_for(struct reader_times *t) {
    if (t->count < READER_TIME_ZONES_MAX) {
        buf_init(&t->kept[t->count].text, READER_TIME_MAX_BYTES);
        return &t->kept[t->count++];
    }
    struct reader_time *oldest = &t->kept[t->next];
    t->next = (t->next + 1) % READER_TIME_ZONES_MAX;
    buf_clear(&oldest->text);
    return oldest;
}

int reader_times_get(struct reader_times *t, struct view zone, struct view *ret) {
    *ret = VIEW("");
    if (!t->event->zone || !t->event->start.has_time)
        return 0;
    if (zone.len == 0 || zone.len > ZONE_NAME_MAX)
        zone = view_of(t->list_zone);
    for (size_t i = 0; i < t->count; i++)
        if (view_eq_str(zone, t->kept[i].zone)) {
            *ret = buf_view(&t->kept[i].text);
            return 0;
        }
    struct reader_time *r = place_for(t);
    size_t len = zone.len < ZONE_NAME_MAX ? zone.len : ZONE_NAME_MAX;
    memcpy(r->zone, zone.ptr, len);
    r->zone[len] = '\0';
    int error = say(t, when_zone_exists(r->zone) ? r->zone : t->list_zone, &r->text);
    if (error < 0)
        r->zone[0] = '\0'; /* what could not be said whole is asked for anew */
    if (error == 0)
        *ret = buf_view(&r->text);
    return error == -ENOMEM ? error : 0;
}
