/* Documents of the API: what they hold is a promise (docs/API.md). Moments are RFC 3339 in UTC. */
#pragma once
#include <stdint.h>

#include "net/json.h"

struct announcement_row;
struct call;
struct delivery_row;
struct returned;
struct series_row;

/* New documents, NULL when memory runs out. */
json_t *json_of_announcement(const struct announcement_row *row, const struct call *c); /* names the caller's lists */
/* The names of its lists, as far as they are the caller's; and those in one text. */
json_t *json_of_lists(const struct announcement_row *row, const struct call *c);
json_t *json_of_names(const json_t *lists);
/* The dates of a recurring announcement that come next, with when each is laid before the coordinators and goes out. */
json_t *json_of_dates(const struct series_row *row);
json_t *json_of_delivery(const struct delivery_row *row, const char *list); /* its name */
json_t *json_of_returned(const struct returned *r);
/* Sets key to the moment, or to null for 0. */
void json_set_moment(json_t *object, const char *key, int64_t usec);
