#include "people/import_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "people/privacy.h"
#include "store/erasure.h"

#include "base/banned.h"

enum { REASON_MAX_BYTES = 1024, REMARKS_MAX = IMPORT_PROBLEMS_MAX / 2 };

static int on_row(void *user, const struct csv_row *row);

int import_rows_init(struct import_rows *i) {
    arena_init(&i->arena);
    arena_init(&i->row);
    columns_init(&i->columns);
    return csv_reader_new(i->options.charset, on_row, i, &i->csv);
}

void import_rows_done(struct import_rows *i) {
    i->csv = csv_reader_free(i->csv);
    columns_done(&i->columns);
    seen_done(&i->seen);
    free(i->result.problems);
    arena_done(&i->arena);
    arena_done(&i->row);
}

bool import_rows_refused(const struct import_rows *i) {
    return i->result.bad && !i->options.skip_bad;
}

struct batch_counts import_rows_counts(const struct import_rows *i) {
    const struct import_result *r = &i->result;
    return (struct batch_counts){r->rows, r->added, r->known, r->changed, r->left_out + r->bad};
}

/* --- What is told ---------------------------------------------------------------------------------------------- */

/* Remarks take up half the list at most, so that there is room for what is wrong. */
static int add_problem(struct import_rows *i, unsigned line, bool bad, const char *text) {
    struct import_result *r = &i->result;
    if (r->problem_count == IMPORT_PROBLEMS_MAX || (!bad && i->remark_count == REMARKS_MAX)) {
        r->problems_unlisted++;
        return 0;
    }
    if (r->problem_count == i->problem_room) {
        size_t room = i->problem_room ? i->problem_room * 2 : 16;
        struct import_problem *more = reallocarray(r->problems, room, sizeof *more);
        if (!more)
            return -ENOMEM;
        r->problems = more;
        i->problem_room = room;
    }
    const char *kept = arena_strdup(&i->arena, text);
    if (!kept)
        return -ENOMEM;
    r->problems[r->problem_count++] = (struct import_problem){line, bad, kept};
    i->remark_count += !bad;
    return 0;
}

static void count_language(struct import_rows *i, const char *code) {
    struct import_result *r = &i->result;
    for (size_t n = 0; n < r->language_count; n++)
        if (strcmp(r->languages[n].code, code) == 0) {
            r->languages[n].count++;
            return;
        }
    if (r->language_count == IMPORT_LANGUAGES_MAX || strlen(code) >= sizeof r->languages[0].code)
        return;
    struct import_language *l = &r->languages[r->language_count++];
    (void)snprintf(l->code, sizeof l->code, "%s", code); /* fits: asked above */
    l->count = 1;
}

/* A name by which a person sees whether the charset was guessed right. */
static int take_sample(struct import_rows *i, const struct person *p) {
    if (i->sample_count == IMPORT_SAMPLES || !csv_reader_guessed(i->csv))
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
    for (size_t n = 0; n < i->sample_count; n++)
        if (view_eq_str(buf_view(&name), i->result.samples[n]))
            return 0;
    const char *kept = arena_dup(&i->arena, buf_view(&name));
    if (!kept)
        return -ENOMEM;
    i->result.samples[i->sample_count++] = kept;
    return 0;
}

/* --- Rows ------------------------------------------------------------------------------------------------------ */

static int read_head(struct import_rows *i, const struct csv_row *row) {
    struct import_result *r = &i->result;
    r->separator = csv_reader_separator(i->csv);
    int e = columns_read(&i->columns, &i->reader, row, &r->why);
    if (e < 0)
        return e;
    i->has_head = true;
    const char **names = arena_alloc(&i->arena, (i->columns.attribute_count + 1) * sizeof *names);
    if (!names)
        return -ENOMEM;
    for (size_t n = 0; n < i->columns.attribute_count; n++)
        names[n] = i->columns.attributes[n].name;
    r->attributes = names;
    r->attribute_count = i->columns.attribute_count;
    return 0;
}

/* A trial finds out by itself who comes twice. */
static int judge_trial(struct import_rows *i, const struct person *p, enum batch_result *result) {
    if (*result != BATCH_NEW && *result != BATCH_KNOWN && *result != BATCH_CHANGED)
        return 0;
    int r = seen_add(&i->seen, p->address_key, p->given_name, p->family_name);
    if (r < 0)
        return r;
    switch ((enum seen_result)r) {
    case SEEN_FIRST: break;
    case SEEN_SAME_NAME: *result = BATCH_REPEATED; break;
    case SEEN_SECOND_NAME: *result = BATCH_COUPLE; break;
    case SEEN_THIRD_NAME: *result = BATCH_CROWD; break;
    }
    return 0;
}

static int say_left(struct import_rows *i, unsigned line, int64_t left_usec) {
    AUTOBUF struct buf date = BUF_INIT(64), text = BUF_INIT(128);
    clock_print_utc(&date, left_usec);
    buf_printf(&text, "left out: left on %.10s", buf_str(&date));
    return add_problem(i, line, false, buf_str(&text));
}

static int count_result(struct import_rows *i, unsigned line, enum batch_result result, int64_t left_usec,
                        const char *language) {
    struct import_result *r = &i->result;
    switch (result) {
    case BATCH_NEW: r->added++; break;
    case BATCH_KNOWN: r->known++; break;
    case BATCH_CHANGED: r->changed++; break;
    case BATCH_REUNITED:
        r->changed--;
        r->known++;
        r->couples++;
        return 0;
    case BATCH_COUPLE:
        r->couples++;
        return add_problem(i, line, false, "a second name at one address: both are kept, as a couple");
    case BATCH_REPEATED: r->repeated++; return 0;
    case BATCH_CROWD:
        r->left_out++;
        r->crowd++;
        return add_problem(i, line, false, "left out: a third name at one address");
    case BATCH_LEFT:
        r->left_out++;
        r->left++;
        return say_left(i, line, left_usec);
    case BATCH_SUPPRESSED:
        r->left_out++;
        r->suppressed++;
        return add_problem(i, line, false, "left out: nothing is sent to this address any more (suppressed)");
    }
    count_language(i, language ? language : "");
    return 0;
}

/* 1 where the address was erased: counted, and left out. */
static int leave_out_erased(struct import_rows *i, unsigned line, const struct person *p) {
    struct erasure erasure;
    int r = 0;
    if (i->options.keys && i->erasures == 0 && (r = erasure_any(i->db)) >= 0)
        i->erasures = r ? 1 : -1;
    if (r < 0 || i->erasures <= 0)
        return r < 0 ? r : 0;
    r = privacy_erased(i->db, i->options.keys, p->address_key, &i->row, &erasure);
    if (r <= 0)
        return r;
    i->result.left_out++;
    i->result.erased++;
    AUTOBUF struct buf date = BUF_INIT(64), text = BUF_INIT(128);
    clock_print_utc(&date, erasure.at_usec);
    buf_printf(&text, "left out: erased on %.10s", buf_str(&date));
    r = add_problem(i, line, false, buf_str(&text));
    return r < 0 ? r : 1;
}

static int put(struct import_rows *i, unsigned line, const struct columns_person *p) {
    const struct import_options *o = &i->options;
    int r = leave_out_erased(i, line, &p->person);
    if (r != 0)
        return r < 0 ? r : 0;
    AUTOBUF struct buf origin = BUF_INIT(REASON_MAX_BYTES);
    struct consent consent = {.what = "subscribed", .how = "import", .basis = "consent", .evidence = p->consent};
    if (p->consent) {
        buf_printf(&origin, "%s, %s, line %u", o->by, o->file, line);
        consent.origin = buf_str(&origin);
    }
    struct batch none = {.list = o->list};
    bool trial = o->dry_run || import_rows_refused(i);
    enum batch_result result;
    int64_t left_usec = 0;
    r = batch_put(i->db, trial ? &none : &i->batch, &p->person, p->consent ? &consent : NULL,
                  p->consent_usec ? p->consent_usec : i->now_usec, i->now_usec, &result, &left_usec);
    if (r == 0 && trial)
        r = judge_trial(i, &p->person, &result);
    if (r == 0)
        r = count_result(i, line, result, left_usec, p->person.language);
    return r < 0 ? r : take_sample(i, &p->person);
}

static int on_row(void *user, const struct csv_row *row) {
    struct import_rows *i = user;
    if (!i->has_head)
        return read_head(i, row);
    i->result.rows++;
    arena_clear(&i->row);
    AUTOBUF struct buf reason = BUF_INIT(REASON_MAX_BYTES);
    struct columns_person p;
    int r = columns_person(&i->columns, &i->reader, row, &i->row, &p, &reason);
    if (r < 0)
        return r;
    switch ((enum columns_row)r) {
    case COLUMNS_PERSON: return put(i, row->line, &p);
    case COLUMNS_NO_ADDRESS:
        i->result.left_out++;
        i->result.no_address++;
        return add_problem(i, row->line, false, "left out: no address");
    case COLUMNS_NO_CONSENT:
        i->result.left_out++;
        i->result.no_consent++;
        return add_problem(i, row->line, false, "left out: no consent given");
    case COLUMNS_BAD: break;
    }
    i->result.bad++;
    return add_problem(i, row->line, true, buf_str(&reason));
}

static void tell_charset(struct import_rows *i) {
    i->result.charset = csv_reader_charset(i->csv);
    i->result.charset_guessed = csv_reader_guessed(i->csv);
}

int import_rows_feed(struct import_rows *i, struct view piece) {
    int r = csv_reader_feed(i->csv, piece, &i->result.why);
    tell_charset(i);
    return r;
}

int import_rows_flush(struct import_rows *i) {
    i->erasures = 0;
    return batch_flush(i->db, &i->batch, i->now_usec);
}

int import_rows_end(struct import_rows *i) {
    int r = csv_reader_end(i->csv, &i->result.why);
    tell_charset(i);
    if (r == 0 && !i->has_head)
        return why_set(&i->result.why, -EINVAL, "the file is empty");
    return r;
}
