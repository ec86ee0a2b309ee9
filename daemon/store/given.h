/* Rows in memory as a table that SQL reads, so that one statement writes many: INSERT INTO t SELECT a, b FROM given_name.
 * That takes about half the time of one statement for each row. Part of store/db.h: use db_give() there. */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct sqlite3;

struct given_cell {
    const char *text; /* must live until the statement is done; NULL: the number counts */
    int64_t number;
};
/* Fills in the cell of a row (from 0) and column (from 0, in the order of the declaration). */
typedef void given_on_cell(const void *rows, size_t row, int column, struct given_cell *ret);

/* Static, one for each kind of rows. */
struct given_table {
    const char *name;        /* in SQL */
    const char *declaration; /* "CREATE TABLE given (number INTEGER, name TEXT)" */
    given_on_cell *on_cell;
};

struct given;
/* Makes the table known, without rows; it goes with the connection. -ENOMEM. */
int given_new(struct sqlite3 *handle, const struct given_table *table, struct given **ret);
const struct given_table *given_table(const struct given *g);
/* Borrowed until the next call; no statement that reads the table may be running. */
void given_set(struct given *g, const void *rows, size_t count);
