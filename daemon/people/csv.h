/* Tables as spreadsheets export them, read row by row as they come in (RFC 4180, strictly).
 *
 * The separator is found from the first line: comma, semicolon or tab, whichever stands there most often outside of
 * quotes; a line "sep=;" before it says it. Charsets: people/decode.h. Line ends LF, CR LF or CR. Blank rows are
 * skipped. A row that is damaged (a quote inside a cell, characters that are none, too many cells) is handed on with
 * its fault, and reading goes on with the next line.
 *
 * LIMITS  rows of CSV_ROW_MAX_BYTES (a quote that is never closed would take in the whole file: -EMSGSIZE) and
 *         CSV_COLUMNS_MAX cells. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"
#include "base/why.h"

enum { CSV_ROW_MAX_BYTES = 64 * 1024, CSV_COLUMNS_MAX = 256 };

struct csv_row {
    unsigned line;            /* where it begins, counted from 1 */
    const struct view *cells; /* UTF-8, trimmed; until the callback returns */
    size_t count;
    const char *fault; /* NULL, or what is wrong with it */
};

/* Called for the head's row like for any other. A non-zero answer ends the reading and is returned. */
typedef int csv_on_row(void *user, const struct csv_row *row);

struct csv_reader;

/* charset: an iconv name, or NULL to find out; -EINVAL for an unknown one. */
int csv_reader_new(const char *charset, csv_on_row *on_row, void *user, struct csv_reader **ret);
struct csv_reader *csv_reader_free(struct csv_reader *c);
/* 0, -EMSGSIZE with the reason, -ENOMEM, or what on_row answered; then no more may be fed. */
int csv_reader_feed(struct csv_reader *c, struct view piece, struct why *why);
int csv_reader_end(struct csv_reader *c, struct why *why);

const char *csv_reader_charset(const struct csv_reader *c);
bool csv_reader_guessed(const struct csv_reader *c); /* windows-1252, for want of anything better */
char csv_reader_separator(const struct csv_reader *c);
