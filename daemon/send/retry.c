#include "send/retry.h"

#include "conf/conf.h"

/* A part of the whole, evenly by chance. */
static int64_t part_of(int64_t whole, uint32_t random) {
    return whole / 1024 * (int64_t)(random % 1024);
}

int64_t retry_next(const struct conf *conf, unsigned attempts, int64_t now_usec, int64_t first_usec, int64_t until_usec,
                   uint32_t random) {
    int64_t least = conf->retry_first_usec, limit = first_usec + conf->retry_give_up_usec;
    if (until_usec > 0 && until_usec < limit)
        limit = until_usec;
    int64_t wait = attempts <= 1 ? least + part_of(least / 4, random)
                                 : conf->retry_then_usec + part_of(conf->retry_then_usec / 2, random);
    if (now_usec + wait < limit)
        return now_usec + wait;
    int64_t left = limit - now_usec;
    if (left <= least)
        return 0;
    return now_usec + least + part_of((left - least) / 2, random);
}
