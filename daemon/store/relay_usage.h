/* Messages handed to each relay, by hour: what daily limits are counted from, across restarts. On the store's thread.
 *
 * A relay with a daily limit has them reserved here before they are sent, in the transaction that claims them or an
 * earlier one (send/pace.h); what was reserved and not sent is subtracted later, or, after a crash, counts as sent. Of
 * other relays they are added with their outcomes. */
#pragma once
#include <stdint.h>

struct db;

/* messages may be less than 0. hour is counted since the epoch. */
int relay_usage_add(struct db *db, const char *relay, int64_t hour, int64_t messages);
/* The wall clock has jumped: what was counted in the last day, or is counted for later, goes along. */
int relay_usage_shift(struct db *db, int64_t hours, int64_t now_usec);
/* The wall clock was wrong: what is counted for later than the next hour is counted for that. */
int relay_usage_gather(struct db *db, int64_t now_usec);
/* Each hour that a daily limit still counts: the next one, the current one and the 24 before it. */
typedef void relay_usage_on_hour(void *user, int64_t hour, uint64_t messages);
int relay_usage_hours(struct db *db, const char *relay, int64_t now_usec, relay_usage_on_hour *on_hour, void *user);
/* Those of the last 24 hours, whole hours. */
int relay_usage_day(struct db *db, const char *relay, int64_t now_usec, uint64_t *ret_messages);
