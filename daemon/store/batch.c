#include "store/batch.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "mail/tags.h"
#include "store/change.h"
#include "store/db.h"
#include "store/store.h"
#include "store/subscription.h"

#include "base/banned.h"

static int busy(struct db *db, struct why *why) {
    int64_t state = 0;
    int r = db_get_int(db,
                       "SELECT coalesce((SELECT state FROM import WHERE state <> 2 ORDER BY state LIMIT 1), "
                       "(SELECT 2 FROM import_change LIMIT 1), 0)",
                       &state, "");
    if (r < 0)
        return why_set(why, r, "the store cannot be read");
    if (state == 0)
        return 0;
    (void)why_set(why, -EBUSY, "%s",
                  state == 1   ? "another import is running"
                  : state == 2 ? "another import is being completed"
                               : "an import that was cut off is being cleared away");
    why_todo(why, "Try again when it is done");
    return -EBUSY;
}

int batch_open(struct db *db, const struct batch_about *about, bool trial, int64_t now_usec, struct why *why,
               struct batch *ret) {
    int r = busy(db, why);
    if (r < 0)
        return r;
    *ret = (struct batch){.list = about->list};
    if (trial)
        return 0;
    r = db_run(db,
               "INSERT INTO import (list, state, started, by, file, basis, evidence, first_subscriber, first_consent) "
               "VALUES (?, 1, ?, ?, ?, ?, ?, "
               "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'subscriber'), 0) + 1, "
               "coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'consent'), 0) + 1)",
               NULL, "iitttt", (int64_t)about->list, now_usec, about->by, about->file, about->basis, about->evidence);
    if (r < 0)
        return why_set(why, r, "the store cannot begin the import: %s", strerror(-r));
    ret->id = db_last_id(db);
    return 0;
}

int batch_done(struct db *db, const struct batch *batch, const struct batch_counts *counts, int64_t now_usec) {
    int64_t changed = 0;
    int r = db_run(db,
                   "UPDATE import SET state = 2, ended = ?, rows = ?, added = ?, known = ?, changed = ?, left_out = ? "
                   "WHERE id = ? AND state = 1",
                   &changed, "iuuuuui", now_usec, counts->rows, counts->added, counts->known, counts->changed,
                   counts->left_out, batch->id);
    return r < 0 ? r : changed ? 0 : -ESTALE;
}

int batch_fail(struct db *db, const struct batch *batch, int64_t now_usec) {
    return db_run(db, "UPDATE import SET state = 3, ended = ? WHERE id = ? AND state = 1", NULL, "ii", now_usec,
                  batch->id);
}

int batch_recover(struct db *db, int64_t now_usec) {
    return db_run(db, "UPDATE import SET state = 3, ended = ? WHERE state = 1", NULL, "i", now_usec);
}

/* --- Rows ---------------------------------------------------------------------------------------------------- */

/* One row on its way in. */
struct putting {
    struct db *db;
    struct batch *batch;
    const struct person *p;
    const struct consent *consent;
    int64_t consent_usec, now_usec;
    struct arena *arena;
    struct person base;   /* who has that address */
    bool brought;         /* by this batch */
    int64_t member_state; /* of base on the list; 0: none */
    bool was_member;      /* active before this batch */
    int64_t since_usec;
    enum batch_result result;
};

/* Most often nobody is, which is asked once for each step. */
static int is_suppressed(const struct putting *k) {
    int64_t found;
    int r = 0;
    if (k->batch->suppressions == 0) {
        r = db_get_int(k->db, "SELECT 1 FROM suppression LIMIT 1", &found, "");
        k->batch->suppressions = r == 0 ? -1 : 1;
    }
    if (r < 0 || k->batch->suppressions < 0)
        return r < 0 ? r : 0;
    return db_get_int(k->db, "SELECT 1 FROM suppression WHERE address_key = ?", &found, "t", k->p->address_key);
}

/* With the tags that the row gives; before, those that it has. */
static int add_member(const struct putting *k, int64_t subscriber, const char *before) {
    AUTOBUF struct buf tags = BUF_INIT(2 * TAGS_MAX_BYTES);
    int r = tags_apply(view_of(before), view_of(k->p->tags ? k->p->tags : ""), &tags, NULL);
    if (r < 0)
        return r == -E2BIG ? 0 : r;
    return db_run(k->db,
                  "INSERT INTO subscription (list, subscriber, state, import, since, tags) VALUES (?, ?, 2, ?, ?, ?) "
                  "ON CONFLICT DO UPDATE SET tags = excluded.tags",
                  NULL, "iiiiv", (int64_t)k->batch->list, subscriber, k->batch->id, k->now_usec, buf_view(&tags));
}

static int add_consent(const struct putting *k, int64_t subscriber) {
    if (!k->consent)
        return 0;
    struct consent own = *k->consent;
    own.import = k->batch->id;
    return consent_add(k->db, subscriber, k->batch->list, k->consent_usec, &own);
}

static const char *text(const char *s) {
    return s ? s : "";
}

/* 1 where the address was new, and the person is written; the subscription follows in batch_flush(). */
static int add_person(const struct putting *k) {
    const struct person *p = k->p;
    struct batch *b = k->batch;
    int64_t changed = 0;
    int r = b->first_id ? 0 : person_next_id(k->db, &b->first_id);
    if (!b->next_id)
        b->next_id = b->first_id;
    if (r == 0)
        r = db_run(k->db,
                   "INSERT INTO subscriber (id, address_key, address, language, form, title, given_name, family_name, "
                   "salutation, organisation, timezone, attributes, import, created, changed) VALUES (?, ?, ?, ?, ?, "
                   "?, ?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT (address_key) DO NOTHING",
                   &changed, "itttttttttttii", b->next_id, p->address_key,
                   strcmp(p->address, p->address_key) ? p->address : "", text(p->language), text(p->form),
                   text(p->title), text(p->given_name), text(p->family_name), text(p->salutation),
                   text(p->organisation), text(p->timezone), text(p->attributes), b->id, k->now_usec);
    if (r < 0 || !changed)
        return r;
    int64_t id = b->next_id++;
    r = add_consent(k, id);
    if (r == 0 && p->tags)
        r = add_member(k, id, "");
    return r < 0 ? r : 1;
}

int batch_flush(struct db *db, struct batch *batch, int64_t now_usec) {
    int r = 0;
    if (batch->next_id > batch->first_id)
        r = db_run(db,
                   "INSERT INTO subscription (list, subscriber, state, import, since) SELECT ?1, id, 2, ?2, ?3 FROM "
                   "subscriber WHERE id BETWEEN ?4 AND ?5 ON CONFLICT DO NOTHING", /* those with tags are there */
                   NULL, "iiiii", (int64_t)batch->list, batch->id, now_usec, batch->first_id, batch->next_id - 1);
    if (r == 0 && batch->next_id > batch->first_id)
        r = person_ids_used(db, batch->next_id - 1);
    batch->first_id = batch->next_id = 0;
    batch->suppressions = 0;
    return r;
}

/* Reads who has the address. 0: nobody. */
static int find_person(struct putting *k) {
    struct row *row = NULL;
    int r = db_query(
        k->db,
        "SELECT s.id, s.import, s.language, s.form, s.title, s.given_name, s.family_name, s.salutation, "
        "s.organisation, s.timezone, s.attributes, u.state, u.since, u.import, u.tags FROM subscriber s LEFT JOIN "
        "subscription u ON u.list = ? AND u.subscriber = s.id WHERE s.address_key = ?",
        &row, "it", (int64_t)k->batch->list, k->p->address_key);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    const char **const texts[] = {&k->base.language,     &k->base.form,        &k->base.title,
                                  &k->base.given_name,   &k->base.family_name, &k->base.salutation,
                                  &k->base.organisation, &k->base.timezone,    &k->base.attributes};
    k->base.id = row_int(row, 0);
    k->brought = k->batch->id && row_int(row, 1) == k->batch->id;
    for (int i = 0; i < (int)(sizeof texts / sizeof *texts); i++)
        *texts[i] = arena_strdup(k->arena, row_text(row, 2 + i));
    k->base.tags = arena_strdup(k->arena, row_text(row, 14));
    k->member_state = row_int(row, 11);
    k->since_usec = row_int(row, 12);
    k->was_member = k->member_state == SUBSCRIPTION_ACTIVE && row_int(row, 13) != k->batch->id;
    db_end(row);
    return arena_failed(k->arena) ? -ENOMEM : 1;
}

/* What the names of a second row make of somebody met before; *ret_joined where they are a couple now. */
static int meet_again(struct putting *k, const struct person *first, struct person *ret_joined) {
    switch (change_compare_names(first, k->p)) {
    case CHANGE_SAME_NAME: k->result = BATCH_REPEATED; return 0;
    case CHANGE_THIRD_NAME: k->result = BATCH_CROWD; return 0;
    case CHANGE_TWO_NAMES: break;
    }
    k->result = BATCH_COUPLE;
    return change_join(first, k->p, k->arena, ret_joined);
}

static int again_new(struct putting *k) {
    struct person couple = {0};
    int r = k->p->tags ? add_member(k, k->base.id, k->base.tags) : 0;
    if (r == 0)
        r = meet_again(k, &k->base, &couple);
    if (r < 0 || k->result != BATCH_COUPLE)
        return r;
    return db_run(k->db,
                  "UPDATE subscriber SET form = ?, title = ?, given_name = ?, family_name = ?, salutation = ?, "
                  "organisation = coalesce(?, '') WHERE id = ?",
                  NULL, "tttttti", couple.form, couple.title, couple.given_name, couple.family_name, couple.salutation,
                  couple.organisation, k->base.id);
}

static int print_change(const struct person *change, struct buf *to) {
    buf_clear(to);
    return change_print(change, to);
}

static int keep_change(const struct putting *k, const struct person *change) {
    AUTOBUF struct buf text = BUF_INIT(CHANGE_MAX_BYTES);
    int r = print_change(change, &text);
    return r < 0 ? r
                 : db_run(k->db, "UPDATE import_change SET fields = ? WHERE import = ? AND subscriber = ?", NULL, "vii",
                          buf_view(&text), k->batch->id, k->base.id);
}

/* The second row of somebody who was known before the batch. Its tags go behind those of the first. */
static int again_known(struct putting *k, struct person *change) {
    struct person seen, couple = {0};
    int r = 0;
    if (k->p->tags) {
        change->tags = arena_printf(k->arena, "%s%s", change->tags ? change->tags : "", k->p->tags);
        r = change->tags ? keep_change(k, change) : -ENOMEM;
    }
    if (r == 0)
        r = change_overlay(&k->base, change, k->arena, &seen);
    if (r == 0)
        r = meet_again(k, &seen, &couple);
    if (r < 0 || k->result != BATCH_COUPLE)
        return r;
    struct person wanted = *change, difference;
    bool any = false, meant_change = false;
    wanted.form = couple.form, wanted.title = couple.title, wanted.given_name = couple.given_name;
    wanted.family_name = couple.family_name, wanted.salutation = couple.salutation;
    wanted.organisation = couple.organisation;
    if ((r = change_between(&k->base, &wanted, k->arena, &difference, &any)) < 0)
        return r;
    r = change_between(&k->base, change, k->arena, &difference, &meant_change);
    if (r < 0)
        return r;
    if (!any && meant_change && k->was_member && !k->base.salutation[0])
        k->result = BATCH_REUNITED;
    return keep_change(k, &wanted);
}

static int first_known(struct putting *k) {
    struct person change;
    bool any = false;
    int r = change_between(&k->base, k->p, k->arena, &change, &any);
    if (r < 0)
        return r;
    bool returns = k->member_state == SUBSCRIPTION_REMOVED || k->member_state == SUBSCRIPTION_PENDING;
    k->result = k->member_state == 0 || returns ? BATCH_NEW : any ? BATCH_CHANGED : BATCH_KNOWN;
    if (!k->batch->id)
        return 0;
    AUTOBUF struct buf text = BUF_INIT(CHANGE_MAX_BYTES);
    r = print_change(&change, &text);
    if (r == 0)
        r = db_run(k->db, "INSERT INTO import_change VALUES (?, ?, ?, ?)", NULL, "iidv", k->batch->id, k->base.id,
                   (int)returns, buf_view(&text));
    if (r == 0 && k->member_state == 0)
        r = add_member(k, k->base.id, "");
    return r < 0 || k->result != BATCH_NEW ? r : add_consent(k, k->base.id);
}

/* 1 and the change noted for somebody met before in this batch. */
static int find_change(struct putting *k, struct person *ret) {
    struct row *row = NULL;
    int r = db_query(k->db, "SELECT fields FROM import_change WHERE import = ? AND subscriber = ?", &row, "ii",
                     k->batch->id, k->base.id);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    r = change_read(row_view(row, 0), k->arena, ret);
    db_end(row);
    return r < 0 ? r : 1;
}

static int put_known(struct putting *k) {
    if (k->brought)
        return again_new(k);
    if (k->member_state == SUBSCRIPTION_LEFT) {
        k->result = BATCH_LEFT;
        return 0;
    }
    struct person change;
    int r = k->batch->id ? find_change(k, &change) : 0;
    return r < 0 ? r : r == 1 ? again_known(k, &change) : first_known(k);
}

static int put(struct putting *k) {
    int r = is_suppressed(k);
    if (r != 0) {
        k->result = BATCH_SUPPRESSED;
        return r < 0 ? r : 0;
    }
    k->result = BATCH_NEW;
    if (k->batch->id && (r = add_person(k)) != 0)
        return r < 0 ? r : 0;
    r = find_person(k);
    return r == 1 ? put_known(k) : r;
}

int batch_put(struct db *db, struct batch *batch, const struct person *p, const struct consent *consent,
              int64_t consent_usec, int64_t now_usec, enum batch_result *ret, int64_t *ret_left_usec) {
    AUTOARENA struct arena arena = {0};
    struct putting k = {.db = db,
                        .batch = batch,
                        .p = p,
                        .consent = consent,
                        .consent_usec = consent_usec,
                        .now_usec = now_usec,
                        .arena = &arena};
    int r = put(&k);
    if (r < 0)
        return r;
    *ret = k.result;
    *ret_left_usec = k.result == BATCH_LEFT ? k.since_usec : 0;
    return 0;
}
