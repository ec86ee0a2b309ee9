/* Messages handed to each relay, by hour: what daily limits are counted from, across restarts. On the store's thread.
 */
#pragma once
#include <stdint.h>

struct db;

int relay_usage_add(struct db *db, const char *relay, int64_t now_usec, uint64_t messages);
/* Those of the last 24 hours, whole hours. */
int relay_usage_day(struct db *db, const char *relay, int64_t now_usec, uint64_t *ret_messages);
