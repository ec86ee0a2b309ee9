#include "door/quota.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#include "base/banned.h"

void quota_init(struct quota *q, unsigned max, int64_t window_usec) {
    *q = (struct quota){.window_usec = window_usec, .max = max};
    (void)!getrandom(&q->seed, sizeof q->seed, 0); /* without it the places can be guessed, no more */
}

/* FNV-1a over the network, from a seed that nobody knows. */
static unsigned place_of(const struct quota *q, const char *source) {
    uint8_t b[16] = {0};
    size_t len = inet_pton(AF_INET, source, b) == 1 ? 3 : inet_pton(AF_INET6, source, b) == 1 ? 6 : 0;
    uint64_t h = UINT64_C(14695981039346656037) ^ q->seed;
    for (size_t i = 0; i < len; i++)
        h = (h ^ b[i]) * UINT64_C(1099511628211);
    h = (h ^ len) * UINT64_C(1099511628211);
    return (unsigned)((h ^ h >> 32) % QUOTA_PLACES);
}

bool quota_take(struct quota *q, const char *source) {
    int64_t now = clock_mono_usec();
    if (now - q->begun_mono_usec >= q->window_usec) {
        memset(q->counts, 0, sizeof q->counts);
        q->begun_mono_usec = now;
    }
    uint16_t *count = &q->counts[place_of(q, source)];
    if (*count >= q->max)
        return false;
    ++*count;
    return true;
}
