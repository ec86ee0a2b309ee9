#include "people/import_reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#include "base/banned.h"

enum {
    REASON_MAX_BYTES = 1024,
    PORTION_BYTES = 4096,     /* between looks at the batch */
    BATCH_BYTES = 192 * 1024, /* handed over as they come */
    RUN_BYTES = 960 * 1024,
};

static int on_row(void *user, const struct csv_row *row);

int import_reader_init(struct import_reader *r) {
    arena_init(&r->kept);
    arena_init(&r->row);
    columns_init(&r->columns);
    buf_init(&r->piece, IMPORT_FEED_MAX_BYTES);
    runs_init(&r->runs, r->options->folder);
    /* a trial writes nothing that tells who comes twice: all that is at one address must come together */
    r->in_runs = r->options->dry_run;
    return csv_reader_new(r->options->charset, on_row, r, &r->csv);
}

void import_reader_done(struct import_reader *r) {
    r->csv = csv_reader_free(r->csv);
    columns_done(&r->columns);
    buf_done(&r->piece);
    runs_done(&r->runs);
    findings_done(&r->findings);
    arena_done(&r->kept);
    arena_done(&r->row);
}

int import_reader_feed(struct import_reader *r, struct view piece) {
    buf_clear(&r->piece);
    buf_add_view(&r->piece, piece);
    r->piece_at = 0;
    return buf_error(&r->piece);
}

bool import_reader_refused(const struct import_reader *r) {
    return r->told.bad && !r->options->skip_bad;
}

/* --- Rows ------------------------------------------------------------------------------------------------------ */

/* A name by which a person sees whether the charset was guessed right. */
static int take_sample(struct import_reader *r, const struct person *p) {
    if (r->sample_count == IMPORT_SAMPLES || !csv_reader_guessed(r->csv))
        return 0;
    AUTOBUF struct buf name = BUF_INIT(REASON_MAX_BYTES * 2);
    const char *parts[] = {p->given_name, p->family_name};
    for (size_t n = 0; n < COUNT_OF(parts); n++)
        if (parts[n])
            buf_printf(&name, "%s%s", name.len ? " " : "", parts[n]);
    if (text_is_ascii(buf_view(&name)) && p->organisation) {
        buf_clear(&name);
        buf_puts(&name, p->organisation);
    }
    if (text_is_ascii(buf_view(&name)))
        return 0;
    for (size_t n = 0; n < r->sample_count; n++)
        if (view_eq_str(buf_view(&name), r->told.samples[n]))
            return 0;
    const char *kept = arena_dup(&r->kept, buf_view(&name));
    if (!kept)
        return -ENOMEM;
    r->told.samples[r->sample_count++] = kept;
    return 0;
}

static int read_head(struct import_reader *r, const struct csv_row *row) {
    r->told.separator = csv_reader_separator(r->csv);
    int e = columns_read(&r->columns, &r->columns_reader, row, &r->told.why);
    if (e < 0)
        return e;
    r->has_head = true;
    const char **names = arena_alloc(&r->kept, (r->columns.attribute_count + 1) * sizeof *names);
    if (!names)
        return -ENOMEM;
    for (size_t n = 0; n < r->columns.attribute_count; n++)
        names[n] = r->columns.attributes[n].name;
    r->told.attributes = names;
    r->told.attribute_count = r->columns.attribute_count;
    return 0;
}

static int take(struct import_reader *r, unsigned line, const struct columns_person *p) {
    const struct rows_row row = {
        .line = line, .person = p->person, .consent = p->consent, .consent_usec = p->consent_usec};
    int e = rows_add(r->rows, &row);
    return e < 0 ? e : take_sample(r, &p->person);
}

static int on_row(void *user, const struct csv_row *row) {
    struct import_reader *r = user;
    if (!r->has_head)
        return read_head(r, row);
    r->told.rows++;
    arena_clear(&r->row);
    AUTOBUF struct buf reason = BUF_INIT(REASON_MAX_BYTES);
    struct columns_person p;
    int e = columns_person(&r->columns, &r->columns_reader, row, &r->row, &p, &reason);
    if (e < 0)
        return e;
    switch ((enum columns_row)e) {
    case COLUMNS_PERSON: return take(r, row->line, &p);
    case COLUMNS_NO_ADDRESS:
        r->told.left_out++;
        r->told.no_address++;
        return findings_add(&r->findings, row->line, false, "left out: no address");
    case COLUMNS_NO_CONSENT:
        r->told.left_out++;
        r->told.no_consent++;
        return findings_add(&r->findings, row->line, false, "left out: no consent given");
    case COLUMNS_BAD: break;
    }
    r->told.bad++;
    return findings_add(&r->findings, row->line, true, buf_str(&reason));
}

/* --- Batches --------------------------------------------------------------------------------------------------- */

/* Sorts what was read and decides its way. READER_BATCH, or READER_HUNGRY where it went into a run. */
static int close_batch(struct import_reader *r) {
    struct rows *rows = r->rows;
    if (rows->count == 0)
        return READER_HUNGRY;
    rows_sort(rows);
    r->in_runs |= strcmp(rows_at(rows, 0)->texts, r->last_key) < 0;
    if (r->in_runs) {
        int e = runs_add(&r->runs, rows);
        rows_clear(rows);
        return e < 0 ? e : READER_HUNGRY;
    }
    (void)snprintf(r->last_key, sizeof r->last_key, "%s", rows_at(rows, rows->count - 1)->texts); /* as long as a key */
    return READER_BATCH;
}

static int read_portion(struct import_reader *r) {
    struct view portion = view_slice(buf_view(&r->piece), r->piece_at, PORTION_BYTES);
    r->piece_at += portion.len;
    return csv_reader_feed(r->csv, portion, &r->told.why);
}

static int read_end(struct import_reader *r) {
    r->csv_ended = true;
    int e = csv_reader_end(r->csv, &r->told.why);
    if (e == 0 && !r->has_head)
        return why_set(&r->told.why, -EINVAL, "the file is empty");
    return e;
}

static int merge_batch(struct import_reader *r) {
    int e = 0;
    const struct rows_record *record;
    if (!r->merging)
        e = runs_merge(&r->runs);
    r->merging = true;
    while (e == 0 && r->rows->len < BATCH_BYTES && (e = runs_next(&r->runs, &record)) == 1)
        e = rows_add_record(r->rows, record);
    return e < 0 ? e : r->rows->count ? READER_BATCH : READER_END;
}

static int step(struct import_reader *r) {
    int e = 0;
    while (e == READER_HUNGRY && r->piece_at < r->piece.len) {
        e = read_portion(r);
        if (e == 0 && r->rows->len >= (size_t)(r->in_runs ? RUN_BYTES : BATCH_BYTES))
            e = close_batch(r);
    }
    if (e != READER_HUNGRY || !r->at_end)
        return e;
    if (!r->csv_ended && (e = read_end(r)) == 0)
        e = close_batch(r);
    return e != READER_HUNGRY ? e : merge_batch(r);
}

int import_reader_step(struct import_reader *r) {
    int e = step(r);
    r->told.charset = csv_reader_charset(r->csv);
    r->told.charset_guessed = csv_reader_guessed(r->csv);
    return e;
}
