#include "people/csv.h"

#include <csv.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "people/decode.h"

#include "base/banned.h"

static const char fault_quote[] = "a quote stands inside a cell", fault_open[] = "a quote is not closed",
                  fault_character[] = "a character is damaged (not of this charset)",
                  fault_columns[] = "it has more than 256 cells";

struct csv_reader {
    struct decode *decode;
    struct csv_parser parser;
    csv_on_row *on_row;
    void *user;
    char separator;  /* 0 while the first line is not known */
    struct buf text; /* decoded, not yet parsed */

    unsigned line; /* that the next byte is in */
    bool after_cr;

    /* the row being read */
    bool in_row, skipping; /* skipping: what is left of a damaged line */
    unsigned row_line;
    size_t row_bytes;
    struct buf cells;
    size_t ends[CSV_COLUMNS_MAX], count;
    const char *fault;
    int answer; /* of on_row */
};

static int init_parser(struct csv_reader *c) {
    if (csv_init(&c->parser, CSV_STRICT | CSV_STRICT_FINI) != 0)
        return -ENOMEM;
    csv_set_delim(&c->parser, (unsigned char)c->separator);
    return 0;
}

int csv_reader_new(const char *charset, csv_on_row *on_row, void *user, struct csv_reader **ret) {
    struct csv_reader *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->on_row = on_row;
    c->user = user;
    c->line = 1;
    buf_init(&c->text, SIZE_MAX / 4); /* as long as the pieces, and the first line, which is capped */
    buf_init(&c->cells, CSV_ROW_MAX_BYTES);
    int r = init_parser(c);
    if (r == 0)
        r = decode_new(charset, &c->decode);
    if (r < 0) {
        (void)csv_reader_free(c);
        return r;
    }
    *ret = c;
    return 0;
}

struct csv_reader *csv_reader_free(struct csv_reader *c) {
    if (!c)
        return NULL;
    csv_free(&c->parser);
    (void)decode_free(c->decode);
    buf_done(&c->text);
    buf_done(&c->cells);
    free(c);
    return NULL;
}

const char *csv_reader_charset(const struct csv_reader *c) {
    return decode_charset(c->decode);
}

bool csv_reader_guessed(const struct csv_reader *c) {
    return decode_guessed(c->decode);
}

char csv_reader_separator(const struct csv_reader *c) {
    return c->separator;
}

/* --- Rows ---------------------------------------------------------------------------------------------------- */

static void on_cell(void *cell, size_t len, void *user) {
    struct csv_reader *c = user;
    if (c->count == CSV_COLUMNS_MAX) {
        c->fault = fault_columns;
        return;
    }
    struct view v = view_trim(view_make(cell, len));
    if (view_find(v, '\xEF') < v.len && view_search(v, VIEW("\xEF\xBF\xBD")) < v.len)
        c->fault = fault_character;
    buf_add_view(&c->cells, v);
    c->ends[c->count++] = c->cells.len;
}

static void end_row(struct csv_reader *c) {
    struct view cells[CSV_COLUMNS_MAX];
    const char *text = buf_str(&c->cells);
    for (size_t i = 0, start = 0; i < c->count; start = c->ends[i++])
        cells[i] = view_make(text + start, c->ends[i] - start);
    struct csv_row row = {.line = c->row_line, .cells = cells, .count = c->count, .fault = c->fault};
    if ((c->cells.len || c->fault) && c->answer == 0)
        c->answer = c->on_row(c->user, &row);
    buf_clear(&c->cells);
    c->count = 0;
    c->fault = NULL;
    c->in_row = false;
}

static void on_line(int terminator, void *user) {
    (void)terminator;
    end_row(user);
}

static int too_long(const struct csv_reader *c, struct why *why) {
    (void)why_set(why, -EMSGSIZE, "the row is longer than %d KiB", CSV_ROW_MAX_BYTES / 1024);
    why_where(why, "line %u", c->row_line);
    why_todo(why, "Is a quote not closed there?");
    return -EMSGSIZE;
}

/* Hands a damaged row on and begins afresh behind it. */
static int restart(struct csv_reader *c, const char *fault) {
    c->fault = fault;
    end_row(c);
    csv_free(&c->parser);
    return init_parser(c);
}

static int parse_part(struct csv_reader *c, struct view segment, bool ends, struct why *why) {
    if (!c->in_row && !(ends && segment.len == 1)) {
        c->in_row = true;
        c->row_line = c->line;
        c->row_bytes = 0;
    }
    c->row_bytes += segment.len;
    if (c->row_bytes > CSV_ROW_MAX_BYTES)
        return too_long(c, why);
    int r = 0;
    if (csv_parse(&c->parser, segment.ptr, segment.len, on_cell, on_line, c) != segment.len) {
        if (csv_error(&c->parser) != CSV_EPARSE)
            return -ENOMEM;
        r = restart(c, fault_quote);
        c->skipping = !ends;
    }
    if (ends && c->parser.pstate == 0) /* also behind a line of blanks, which libcsv does not tell of */
        c->in_row = false;
    return r;
}

/* A line, or the part of one that is there. */
static int parse_segment(struct csv_reader *c, struct view segment, struct why *why) {
    char last = segment.ptr[segment.len - 1];
    bool ends = last == '\n' || last == '\r';
    int r = 0;
    if (!c->skipping)
        r = parse_part(c, segment, ends, why);
    else if (ends)
        c->skipping = false;
    if (last == '\r' || (last == '\n' && !(c->after_cr && segment.len == 1)))
        c->line++;
    c->after_cr = last == '\r';
    return r < 0 ? r : c->answer;
}

/* Where the next line ends, its end included; v.len where it does not. */
static size_t line_length(struct view v) {
    size_t lf = view_find(v, '\n'), cr = view_find(view_slice(v, 0, lf), '\r');
    size_t at = cr < lf ? cr : lf;
    return at < v.len ? at + 1 : v.len;
}

/* --- The separator ------------------------------------------------------------------------------------------- */

static char find_separator(struct view line) {
    static const char candidates[] = {';', '\t', ','};
    size_t counts[3] = {0};
    bool quoted = false;
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] == '"')
            quoted = !quoted;
        for (size_t k = 0; k < 3 && !quoted; k++)
            counts[k] += line.ptr[i] == candidates[k];
    }
    size_t best = 2;
    for (size_t k = 0; k < 3; k++)
        if (counts[k] > counts[best])
            best = k;
    return candidates[best];
}

/* Once the first line is whole (or at the end): takes "sep=" off, or looks at it. 0 where more is needed. */
static int begin(struct csv_reader *c, bool at_end, struct why *why) {
    struct view all = buf_view(&c->text);
    size_t len = line_length(all);
    bool whole = len && (all.ptr[len - 1] == '\n' || all.ptr[len - 1] == '\r');
    if (!whole && !at_end) {
        c->row_line = 1;
        return len > CSV_ROW_MAX_BYTES ? too_long(c, why) : 0;
    }
    struct view line = view_trim(view_slice(all, 0, len));
    bool said = line.len == 5 && view_eq_nocase(view_slice(line, 0, 4), "sep=") && strchr(",;", line.ptr[4]);
    if (view_eq_nocase(line, "sep=") && len >= 5 && all.ptr[4] == '\t') {
        said = true;
        line = view_slice(all, 0, 5);
    }
    c->separator = said ? line.ptr[4] : find_separator(line);
    if (said) {
        c->line++;
        c->after_cr = all.ptr[len - 1] == '\r';
        buf_consume(&c->text, len);
    }
    csv_set_delim(&c->parser, (unsigned char)c->separator);
    return 1;
}

/* --- Feeding ------------------------------------------------------------------------------------------------- */

static int parse_text(struct csv_reader *c, bool at_end, struct why *why) {
    int r = c->separator ? 1 : begin(c, at_end, why);
    if (r <= 0)
        return r;
    struct view rest = buf_view(&c->text);
    for (r = 0; rest.len && r == 0;) {
        size_t len = line_length(rest);
        r = parse_segment(c, view_slice(rest, 0, len), why);
        rest = view_slice(rest, len, rest.len);
    }
    buf_clear(&c->text);
    return r;
}

int csv_reader_feed(struct csv_reader *c, struct view piece, struct why *why) {
    int r = decode_feed(c->decode, piece, &c->text);
    return r < 0 ? r : parse_text(c, false, why);
}

int csv_reader_end(struct csv_reader *c, struct why *why) {
    int r = decode_end(c->decode, &c->text);
    if (r == 0)
        r = parse_text(c, true, why);
    if (r != 0)
        return r;
    if (csv_fini(&c->parser, on_cell, on_line, c) != 0) {
        if (csv_error(&c->parser) != CSV_EPARSE)
            return -ENOMEM;
        r = restart(c, fault_open);
    }
    return r < 0 ? r : c->answer;
}
