/* Dates in words: the patterns of [dates] in a language's words.ini (mail/words.h), filled. */
#include <stdio.h>

#include "mail/when.h"
#include "mail/words.h"

#include "base/banned.h"

enum { KEY_MAX = 32 };

static void say_word(const struct words *words, const char *section, int number, struct buf *to) {
    char key[KEY_MAX];
    (void)snprintf(key, sizeof key, "%s.%d", section, number); /* sections' names are short, see below */
    buf_puts(to, words_get(words, key));
}

static void say_day(const struct words *words, int day, struct buf *to) {
    char key[KEY_MAX];
    (void)snprintf(key, sizeof key, "dates.day-%d", day);
    const char *known = words_known(words, key);
    if (known)
        buf_puts(to, known);
    else
        buf_printf(to, "%d", day);
}

enum field { WEEKDAY, WEEKDAY_SHORT, DAY, DAY2, MONTH, MONTH_SHORT, MONTH_NUMBER, MONTH2, YEAR, HOUR, HOUR2, MINUTE };
static const char *const field_names[] = {
    [WEEKDAY] = "weekday",
    [WEEKDAY_SHORT] = "weekday-short",
    [DAY] = "day",
    [DAY2] = "day2",
    [MONTH] = "month",
    [MONTH_SHORT] = "month-short",
    [MONTH_NUMBER] = "month-number",
    [MONTH2] = "month2",
    [YEAR] = "year",
    [HOUR] = "hour",
    [HOUR2] = "hour2",
    [MINUTE] = "minute",
};

static void say_field(const struct words *words, enum field field, const struct when *w, struct buf *to) {
    switch (field) {
    case WEEKDAY: say_word(words, "weekdays", when_weekday(w), to); break;
    case WEEKDAY_SHORT: say_word(words, "weekdays-short", when_weekday(w), to); break;
    case DAY: say_day(words, w->day, to); break;
    case DAY2: buf_printf(to, "%02d", w->day); break;
    case MONTH: say_word(words, "months", w->month, to); break;
    case MONTH_SHORT: say_word(words, "months-short", w->month, to); break;
    case MONTH_NUMBER: buf_printf(to, "%d", w->month); break;
    case MONTH2: buf_printf(to, "%02d", w->month); break;
    case YEAR: buf_printf(to, "%d", w->year); break;
    case HOUR: buf_printf(to, "%d", w->hour); break;
    case HOUR2: buf_printf(to, "%02d", w->hour); break;
    case MINUTE: buf_printf(to, "%02d", w->minute); break;
    }
}

/* What is no field stands for itself, so that a mistake in words.ini shows. */
static void fill(const struct words *words, const char *key, const struct when *start, const struct when *end,
                 struct buf *to) {
    struct view rest = view_of(words_get(words, key));
    while (rest.len) {
        size_t brace = view_find(rest, '{');
        buf_add_view(to, view_slice(rest, 0, brace));
        rest = view_slice(rest, brace, rest.len);
        if (rest.len == 0)
            break;
        size_t close = view_find(rest, '}'), i = 0;
        struct view name = view_slice(rest, 1, close - 1);
        bool is_end = view_starts(name, "end-");
        if (is_end)
            name = view_slice(name, strlen("end-"), name.len);
        while (i < COUNT_OF(field_names) && !view_eq_str(name, field_names[i]))
            i++;
        if (close == rest.len || i == COUNT_OF(field_names)) {
            buf_putc(to, '{');
            rest = view_slice(rest, 1, rest.len);
            continue;
        }
        say_field(words, (enum field)i, is_end ? end : start, to);
        rest = view_slice(rest, close + 1, rest.len);
    }
}

void when_say(const struct words *words, const struct when *w, struct buf *to) {
    fill(words, w->has_time ? "dates.datetime" : "dates.date", w, w, to);
}

void when_say_time(const struct words *words, const struct when *w, struct buf *to) {
    fill(words, "dates.time", w, w, to);
}

static bool same_day(const struct when *a, const struct when *b) {
    return a->year == b->year && a->month == b->month && a->day == b->day;
}

void when_say_range(const struct words *words, const struct when *start, const struct when *end, struct buf *to) {
    const char *key;
    if (start->has_time && end->has_time && when_cmp(start, end) < 0)
        key = same_day(start, end)       ? "dates.range-same-day"
              : start->year == end->year ? "dates.range-days"
                                         : "dates.range-years";
    else if (start->has_time)
        key = "dates.datetime";
    else if (same_day(start, end) || when_cmp(start, end) > 0)
        key = "dates.all-day";
    else
        key = start->year == end->year ? "dates.all-day-range" : "dates.all-day-range-years";
    fill(words, key, start, end, to);
}
