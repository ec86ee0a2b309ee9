/* What filters look at, as columns of a query on subscription u and subscriber s. On the store's thread. */
#pragma once
#include <stdbool.h>

#include "store/visible.h"

struct filter;
struct filter_person;
struct row;

#define FILTERED_COLUMNS                                                                                               \
    ADDRESS_SENT_TO("s.")                                                                                              \
    ", s.address_key, s.language, s.form, s.title, s.given_name, s.family_name, "                                      \
    "s.organisation, s.timezone, s.attributes, u.tags, u.since"

/* The person of a row in which these columns begin at `first`; texts are the row's. */
void filtered_person(const struct row *row, int first, struct filter_person *ret);
bool filtered_matches(struct filter *only, const struct row *row, int first);
