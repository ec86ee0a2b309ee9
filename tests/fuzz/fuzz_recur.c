/* A repetition, and a date behind the first NUL. Its dates must come in order, from the first on, be days of the calendar, and be
 * the same however they are asked for; and so with the moments that go with them. */
#include <stdint.h>
#include <stdlib.h>

#include "announce/occurrence.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DATES = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_make(data, size), text, date;
    struct when start, all[DATES], page[DATES];
    struct occurrence_rule rule = {.zone = "Europe/Berlin", .before_days = 14};
    struct occurrence moments[DATES];
    struct why why;
    (void)view_split(&rest, '\0', &text); /* always a first part */
    if (!view_split(&rest, '\0', &date) || when_parse(date, &start) != WHEN_OK)
        start = (struct when){2024, 2, 29, 2, 30, 0, true};
    rule.end = start;
    if (recur_read(text, &start, rule.zone, &rule.recurrence, &why) < 0)
        return 0;
    size_t n = recur_list(&rule.recurrence, NULL, all, DATES);
    for (size_t i = 0; i < n; i++)
        if (!when_is_valid(&all[i]) || (i && when_cmp(&all[i - 1], &all[i]) >= 0) || all[i].year > WHEN_YEAR_MAX)
            abort();
    for (size_t i = 0; i < n; i++) {
        size_t more = recur_list(&rule.recurrence, &all[i], page, DATES - i - 1);
        if (more != n - i - 1)
            abort();
        for (size_t k = 0; k < more; k++)
            if (when_cmp(&page[k], &all[i + 1 + k]) != 0)
                abort();
    }
    n = occurrence_list(&rule, NULL, moments, DATES);
    for (size_t i = 0; i < n; i++)
        if (moments[i].held_at_usec >= moments[i].send_at_usec || moments[i].too_late_usec > moments[i].end_usec + 1)
            abort();
    return 0;
}
