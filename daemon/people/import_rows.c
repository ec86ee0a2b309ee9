#include "people/import_rows.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/change.h"
#include "store/db.h"
#include "store/erasure.h"
#include "store/opt_out.h"
#include "store/person.h"
#include "store/subscription.h"
#include "trust/code.h"

#include "base/banned.h"

/* What a step changed is kept in memory, to be undone, until it ends: it ends early. */
enum { PORTION = 128, STEP_ROWS = 24 * PORTION, REASON_MAX_BYTES = 1024 };

void import_rows_done(struct import_rows *i) {
    batch_close(&i->batch);
    arena_done(&i->met_texts);
    findings_done(&i->findings);
}

static bool is_trial(const struct import_rows *i) {
    return i->options->dry_run || i->refused;
}

/* --- What is told ---------------------------------------------------------------------------------------------- */

static void count_language(struct import_rows *i, const char *code) {
    struct import_result *r = &i->told;
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

static int say_when(struct import_rows *i, unsigned line, const char *what, int64_t usec) {
    AUTOBUF struct buf date = BUF_INIT(64), text = BUF_INIT(128);
    clock_print_utc(&date, usec);
    buf_printf(&text, "left out: %s on %.10s", what, buf_str(&date));
    return findings_add(&i->findings, line, false, buf_str(&text));
}

static int count_result(struct import_rows *i, const struct rows_row *row, const struct batch_told *told) {
    struct import_result *r = &i->told;
    switch (told->result) {
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
        return findings_add(&i->findings, row->line, false, "a second name at one address: both are kept, as a couple");
    case BATCH_REPEATED: r->repeated++; return 0;
    case BATCH_CROWD:
        r->left_out++;
        r->crowd++;
        return findings_add(&i->findings, row->line, false, "left out: a third name at one address");
    case BATCH_LEFT:
        r->left_out++;
        r->left++;
        return say_when(i, row->line, "left", told->left_usec);
    case BATCH_SUPPRESSED:
        r->left_out++;
        r->suppressed++;
        return findings_add(&i->findings, row->line, false,
                            "left out: nothing is sent to this address any more (suppressed)");
    }
    count_language(i, row->person.language ? row->person.language : "");
    return 0;
}

/* --- Rows ------------------------------------------------------------------------------------------------------ */

/* A trial finds out by itself who comes twice: they come one after the other. */
static int judge_trial(struct import_rows *i, const struct person *p, enum batch_result *result) {
    struct person couple;
    if (*result != BATCH_NEW && *result != BATCH_KNOWN && *result != BATCH_CHANGED)
        return 0;
    if (!i->met.address_key || strcmp(i->met.address_key, p->address_key) != 0) {
        arena_clear(&i->met_texts);
        i->met = (struct person){.address_key = arena_strdup(&i->met_texts, p->address_key)};
        i->met.given_name = p->given_name ? arena_strdup(&i->met_texts, p->given_name) : NULL;
        i->met.family_name = p->family_name ? arena_strdup(&i->met_texts, p->family_name) : NULL;
        return arena_failed(&i->met_texts) ? -ENOMEM : 0;
    }
    switch (change_compare_names(&i->met, p)) {
    case CHANGE_SAME_NAME: *result = BATCH_REPEATED; return 0;
    case CHANGE_THIRD_NAME: *result = BATCH_CROWD; return 0;
    case CHANGE_TWO_NAMES: break;
    }
    *result = BATCH_COUPLE;
    int r = change_join(&i->met, p, &i->met_texts, &couple);
    i->met = couple;
    return r;
}

enum { HASHES_ASKED = 1, HASHES_ERASED = 2, HASHES_GONE = 4 };

/* Most often nobody is known by one. */
static int look_for_hashes(struct import_rows *i) {
    int erased = erasure_any(i->db), gone = erased < 0 ? 0 : opt_out_any(i->db);
    if (erased < 0 || gone < 0)
        return erased < 0 ? erased : gone;
    i->hashes = (uint8_t)(HASHES_ASKED | (erased ? HASHES_ERASED : 0) | (gone ? HASHES_GONE : 0));
    return 0;
}

/* Each: 1 counted, and left out. */

static int leave_out_erased(struct import_rows *i, const struct rows_row *row, const uint8_t hash[ERASURE_HASH_BYTES]) {
    AUTOARENA struct arena arena = {0};
    struct erasure erasure;
    int r = erasure_get(i->db, hash, &arena, &erasure);
    if (r <= 0)
        return r;
    i->told.left_out++;
    i->told.erased++;
    r = say_when(i, row->line, "erased", erasure.at_usec);
    return r < 0 ? r : 1;
}

/* Whoever has the address now, as somebody who moved to it: 1 or 0. */
static int is_on_the_list(struct import_rows *i, const char *address_key) {
    AUTOARENA struct arena arena = {0};
    struct subscription s;
    struct person p;
    int r = person_find(i->db, address_key, &arena, &p);
    if (r == 1)
        r = subscription_get(i->db, i->options->list, p.id, &s);
    return r == 1 ? s.state == SUBSCRIPTION_ACTIVE : r;
}

/* Who left before the store knew them, as whoever left. */
static int leave_out_gone(struct import_rows *i, const struct rows_row *row, const uint8_t hash[OPT_OUT_HASH_BYTES]) {
    struct opt_out opt_out;
    int r = opt_out_find(i->db, hash, i->options->list, &opt_out);
    if (r == 1 && opt_out.list != OPT_OUT_EVERYTHING && (r = is_on_the_list(i, row->person.address_key)) >= 0)
        r = !r;
    if (r <= 0)
        return r;
    const struct batch_told told = {.result = opt_out.list == OPT_OUT_EVERYTHING ? BATCH_SUPPRESSED : BATCH_LEFT,
                                    .left_usec = opt_out.at_usec};
    r = count_result(i, row, &told);
    return r < 0 ? r : 1;
}

static int leave_out_hashed(struct import_rows *i, const struct rows_row *row) {
    uint8_t hash[ERASURE_HASH_BYTES];
    int r = i->options->keys && !i->hashes ? look_for_hashes(i) : 0;
    if (r < 0 || !(i->hashes & (HASHES_ERASED | HASHES_GONE)))
        return r;
    code_address_hash(i->options->keys, view_of(row->person.address_key), hash);
    if (i->hashes & HASHES_ERASED)
        r = leave_out_erased(i, row, hash);
    if (r == 0 && (i->hashes & HASHES_GONE))
        r = leave_out_gone(i, row, hash);
    return r;
}

/* A portion of rows on its way in; those that are left out already are not among them. */
struct portion {
    size_t count;
    struct rows_row rows[PORTION];
    struct batch_row to[PORTION];
    struct consent consents[PORTION];
};

static int read_consent(const struct import_rows *i, struct portion *p, size_t n, struct arena *arena) {
    const struct rows_row *row = &p->rows[n];
    struct batch_row *to = &p->to[n];
    *to = (struct batch_row){.person = row->person};
    if (!row->consent)
        return 0;
    const char *origin = arena_printf(arena, "%s, %s, line %u", i->options->by, i->options->file, row->line);
    p->consents[n] = (struct consent){
        .what = "subscribed", .how = "import", .basis = "consent", .evidence = row->consent, .origin = origin};
    to->consent = &p->consents[n];
    to->consent_usec = row->consent_usec ? row->consent_usec : i->now_usec;
    return origin ? 0 : -ENOMEM;
}

static int read_portion(struct import_rows *i, const struct rows *rows, size_t *at, struct portion *p,
                        struct arena *arena) {
    int r = 0;
    for (p->count = 0; p->count < PORTION && *at < rows->count && r >= 0; ++*at) {
        rows_read(rows_at(rows, *at), &p->rows[p->count]);
        r = leave_out_hashed(i, &p->rows[p->count]);
        if (r == 0 && (r = read_consent(i, p, p->count, arena)) == 0)
            p->count++;
    }
    return r < 0 ? r : 0;
}

static int put_one(struct import_rows *i, struct portion *p, size_t n) {
    struct batch none = {.list = i->batch.list};
    struct batch_told told;
    int r = batch_put(i->db, is_trial(i) ? &none : &i->batch, &p->to[n], i->now_usec, &told);
    if (r < 0)
        return r;
    if (is_trial(i))
        r = judge_trial(i, &p->rows[n].person, &told.result);
    if (r == 0 && told.too_many_tags)
        r = findings_add(&i->findings, p->rows[n].line, false,
                         "its tags are left out: with those that are there they would be more than 64");
    return r < 0 ? r : count_result(i, &p->rows[n], &told);
}

static int put_portion(struct import_rows *i, struct portion *p) {
    static const struct batch_told is_new = {.result = BATCH_NEW};
    int r = 0;
    for (size_t n = 0, fresh = 0; n < p->count && r == 0;) {
        if (!is_trial(i))
            r = batch_put_new(i->db, &i->batch, &p->to[n], p->count - n, i->now_usec, &fresh);
        for (size_t k = 0; k < fresh && r == 0; k++)
            r = count_result(i, &p->rows[n + k], &is_new);
        n += fresh;
        if (r == 0 && n < p->count)
            r = put_one(i, p, n++);
    }
    return r;
}

int import_rows_put(struct import_rows *i, const struct rows *rows, size_t *at) {
    struct portion portion;
    size_t begun = *at;
    int r = 0;
    i->hashes = 0;
    while (r == 0 && *at < rows->count && *at - begun < STEP_ROWS && !db_slice_over(i->db)) {
        AUTOARENA struct arena arena = {0};
        r = read_portion(i, rows, at, &portion, &arena);
        if (r == 0)
            r = put_portion(i, &portion);
    }
    if (r == 0)
        r = batch_flush(i->db, &i->batch);
    return r < 0 ? r : *at < rows->count;
}
