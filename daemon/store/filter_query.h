/* A filter as an expression of SQL, over the columns of subscription u and subscriber s. On the store's thread.
 *
 * The expression is made of our own words alone: names of columns and of functions (store/functions.h), signs, and the
 * numbers of parameters. Whatever somebody wrote in a filter, and names of attributes, are values to be bound. It is 1 or
 * 0, never NULL: a field that is missing is the empty text (mail/filter.h), and `not` of a test that does not hold holds.
 *
 * LIMITS  SQLite's parser has room for 100 open ends and its expressions for a depth of 1000. Nots are carried to the
 *         tests and the deeper side of a joint is written first, so that every filter that filter_read() takes stays far
 *         below both; -EINVAL for one that does not, which was never written by it. */
#pragma once
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "store/db.h"

struct filter;

struct filter_query {
    struct buf sql;
    struct db_value *values; /* texts are the filter's, or in the arena */
    size_t count, room;
    struct arena arena;
};
/* The parameters before ?first are the caller's. -ENOMEM or -EINVAL; filter_query_done() in any case. */
int filter_query_init(struct filter_query *q, const struct filter *f, size_t first);
void filter_query_done(struct filter_query *q);
