/* A zoneinfo file. Whatever is taken must answer for every moment, with stretches that meet. */
#include <stdint.h>
#include <stdlib.h>

#include "base/clock.h"
#include "mail/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct zone *z = zone_parse("Fuzz/Zone", view_make(data, size));
    if (!z)
        return 0;
    struct zone_span span;
    int64_t at_sec = clock_days_from_civil(1900, 1, 1) * 86400, sec;
    for (int i = 0; i < 300; i++, at_sec = span.until_sec) {
        zone_span(z, at_sec, &span);
        if (at_sec < span.from_sec || at_sec >= span.until_sec || abs(span.offset_sec) > ZONE_OFFSET_MAX_SEC)
            abort();
        enum zone_fault fault = zone_to_utc(z, at_sec, &sec);
        if (fault == ZONE_OK) {
            struct zone_span there;
            zone_span(z, sec, &there);
            if (sec + there.offset_sec != at_sec)
                abort();
        }
        struct zone_rule rules[2];
        if (zone_rules(z, at_sec, rules) && rules[0].offset_sec != span.offset_sec)
            abort();
        if (span.until_sec == INT64_MAX)
            break;
    }
    zone_free(z);
    return 0;
}
