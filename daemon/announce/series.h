/* A recurring announcement between its files and its row: what its rule is, which date is next, what replaces what.
 * On the store's thread where a db is asked for. */
#pragma once
#include "announce/intake.h"
#include "announce/occurrence.h"
#include "store/series.h"

struct db;

/* The rule of a row. -EINVAL with the reason where it cannot be read. */
int series_rule(const struct series_row *row, struct occurrence_rule *ret, struct why *why);
/* The date that is next, by that rule; false where there is none. */
bool series_next(const struct occurrence_rule *rule, const struct series_row *row, struct occurrence *ret);
/* Puts the row of one that was just taken in. replaced: the recurring one that it takes the place of, or 0; the dates
 * that this one made stay made. Before that one is stopped. */
int series_take_in(struct db *db, int64_t announcement, const struct intake_result *r, int64_t replaced,
                   int64_t now_usec);
/* The date is made or left out: to the next. -ESTALE where the series is over. */
int series_step(struct db *db, const struct series_row *row, const struct occurrence_rule *rule,
                const struct when *done, int64_t now_usec);
/* For intake_options.find_series. */
int series_find(struct db *db, uint32_t list, const char *name, struct arena *arena, struct intake_series *ret);
