/* Messages handed to each relay, by hour: what daily limits are counted from, across restarts. On the store's thread.
 */
#pragma once
#include <stdint.h>

struct db;

int relay_usage_add(struct db *db, const char *relay, int64_t now_usec, uint64_t messages);
/* Each hour that a daily limit still counts: the current one and the 24 before it. hour is counted since the epoch. */
typedef void relay_usage_on_hour(void *user, int64_t hour, uint64_t messages);
int relay_usage_hours(struct db *db, const char *relay, int64_t now_usec, relay_usage_on_hour *on_hour, void *user);
/* Those of the last 24 hours, whole hours. */
int relay_usage_day(struct db *db, const char *relay, int64_t now_usec, uint64_t *ret_messages);
