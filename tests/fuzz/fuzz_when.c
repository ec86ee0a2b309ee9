/* A date, a zone's name behind the first NUL, and a pattern of words.ini behind the second. What is read must be a day
 * of the calendar, come back from UTC as itself, and be read again from its ISO form. */
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "mail/when.h"
#include "mail/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_zone(const struct when *w, const char *zone) {
    int64_t usec, back_usec;
    struct when back;
    if (when_to_usec(w, zone, &usec) != WHEN_OK)
        return;
    if (when_from_usec(usec, zone, &back) < 0 || (w->has_time && when_cmp(w, &back) != 0) ||
        when_to_usec(&back, zone, &back_usec) != WHEN_OK || back_usec != usec)
        abort();
}

static void check_words(const struct when *w, struct view pattern) {
    AUTOBUF struct buf ini = BUF_INIT(1 << 16), out = BUF_INIT(1 << 20);
    struct why why;
    struct words *words;
    buf_puts(&ini, "[dates]\ndatetime = ");
    buf_add_view(&ini, pattern);
    if (words_parse(buf_view(&ini), view_of(""), "xx", &why, &words) < 0)
        return;
    when_say(words, w, &out);
    words_free(words);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_make(data, size), date, zone, pattern;
    (void)view_split(&rest, '\0', &date); /* always a first part */
    if (!view_split(&rest, '\0', &zone))
        zone = VIEW("Europe/Berlin");
    if (!view_split(&rest, '\0', &pattern))
        pattern = VIEW("{weekday} {end-day}");
    struct when w, again;
    if (when_parse_time(date, &w) == WHEN_OK && (w.hour > 23 || w.minute > 59))
        abort();
    if (when_parse(date, &w) != WHEN_OK)
        return 0;
    if (!when_is_valid(&w) || w.year < WHEN_YEAR_MIN || w.year > WHEN_YEAR_MAX || when_weekday(&w) > 7)
        abort();
    AUTOBUF struct buf iso = BUF_INIT(64);
    buf_printf(&iso, "%04d-%02d-%02d", w.year, w.month, w.day);
    if (w.has_time)
        buf_printf(&iso, "T%02d:%02d:%02d", w.hour, w.minute, w.second);
    if (when_parse(buf_view(&iso), &again) != WHEN_OK || when_cmp(&w, &again) != 0)
        abort();
    AUTOFREE char *name = view_dup(zone);
    if (name) {
        check_zone(&w, name);
        check_zone(&w, "Australia/Lord_Howe");
    }
    check_words(&w, pattern);
    return 0;
}
