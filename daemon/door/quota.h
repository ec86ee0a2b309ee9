/* How often somebody may ask: counts for each network in a window of time, in a table of fixed size. Networks that share
 * a place in it share its count, which is rare and only makes the limit a little lower.
 * An address is counted as its network: IPv4 /24, IPv6 /48; what is no address (a proxy that says none) as one. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { QUOTA_PLACES = 4096 };

struct quota {
    int64_t window_usec, begun_mono_usec;
    unsigned max;
    uint64_t seed;
    uint16_t counts[QUOTA_PLACES];
};

void quota_init(struct quota *q, unsigned max, int64_t window_usec);
/* Counts one more; false where it was too much. */
bool quota_take(struct quota *q, const char *source);
