/* When to try again (RFC 5321 §4.5.4.1): first after half an hour, then every two to three hours, until the
 * announcement's own deadline or four days have passed. Pure: time and chance come in. */
#pragma once
#include <stdint.h>

struct conf;

/* The next attempt after the attempts'th (from 1) has failed; 0 for never. until_usec: the deadline, 0 for
 * first_usec + [retry] give-up. first_usec: the first attempt. random spreads the attempts: any 32 bits.
 * The last attempt before a deadline comes early rather than not at all, where there is time for one. */
int64_t retry_next(const struct conf *conf, unsigned attempts, int64_t now_usec, int64_t first_usec, int64_t until_usec,
                   uint32_t random);
