#include "store/batch.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/id_set.h"
#include "mail/tags.h"
#include "store/change.h"
#include "store/db.h"
#include "store/given.h"
#include "store/store.h"
#include "store/subscription.h"

#include "base/banned.h"

/* One row on its way in. */
struct putting {
    struct db *db;
    struct batch *batch;
    const struct batch_row *row;
    const struct person *p; /* of the row */
    int64_t now_usec;
    struct arena *arena;
    struct person base;   /* who has that address */
    bool brought;         /* by this batch */
    int64_t member_state; /* of base on the list; 0: none */
    bool was_member;      /* active before this batch */
    bool unchanged;       /* so are fields, subscription and tags, and base's texts are gone */
    int64_t since_usec;
    enum batch_result result;
    bool too_many_tags;
};

/* Most often nobody is, which is asked once for each step. */
static int is_suppressed(struct db *db, struct batch *batch, const char *address_key) {
    int64_t found;
    int r = 0;
    if (batch->suppressions == 0) {
        r = db_get_int(db, "SELECT 1 FROM suppression LIMIT 1", &found, "");
        batch->suppressions = r == 0 ? -1 : 1;
    }
    if (r < 0 || batch->suppressions < 0)
        return r < 0 ? r : 0;
    return db_get_int(db, "SELECT 1 FROM suppression WHERE address_key = ?", &found, "t", address_key);
}

/* With the tags that the row gives; before, those that it has. */
static int add_member(struct putting *k, int64_t subscriber, const char *before) {
    AUTOBUF struct buf tags = BUF_INIT(2 * TAGS_MAX_BYTES);
    int r = tags_apply(view_of(before), view_of(k->p->tags ? k->p->tags : ""), &tags, NULL);
    if (r == -E2BIG) {
        k->too_many_tags = true;
        return 0;
    }
    return r < 0
               ? r
               : db_run(k->db,
                        "INSERT INTO subscription (list, subscriber, state, import, since, tags) VALUES (?, ?, 2, ?, "
                        "?, ?) ON CONFLICT DO UPDATE SET tags = excluded.tags",
                        NULL, "iiiiv", (int64_t)k->batch->list, subscriber, k->batch->id, k->now_usec, buf_view(&tags));
}

static int add_consent(struct db *db, const struct batch *batch, const struct batch_row *row, int64_t subscriber) {
    if (!row->consent)
        return 0;
    struct consent own = *row->consent;
    own.import = batch->id;
    return consent_add(db, subscriber, batch->list, row->consent_usec, &own);
}

static int next_id(struct db *db, struct batch *batch) {
    return batch->next_id ? 0 : person_next_id(db, &batch->next_id);
}

static const char *text(const char *s) {
    return s ? s : "";
}

/* 1 where the address was new, and the person is written. */
static int add_person(struct putting *k) {
    const struct person *p = k->p;
    struct batch *b = k->batch;
    int64_t changed = 0;
    int r = next_id(k->db, b);
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
    b->any_new = true;
    r = add_consent(k->db, b, k->row, id);
    if (r == 0)
        r = add_member(k, id, "");
    return r < 0 ? r : 1;
}

int batch_flush(struct db *db, struct batch *batch) {
    int r = batch->any_new ? person_ids_used(db, batch->next_id - 1) : 0;
    batch->next_id = 0;
    batch->any_new = batch->has_gap = false;
    batch->suppressions = 0;
    return r;
}

/* --- Many new ones at once ----------------------------------------------------------------------------------- */

/* The rows as SQL sees them. */
enum { GIVEN_NUMBER, GIVEN_ADDRESS, GIVEN_TAGS, GIVEN_TEXTS };
static const size_t given_texts[] = {
    offsetof(struct person, address_key), offsetof(struct person, language),     offsetof(struct person, form),
    offsetof(struct person, title),       offsetof(struct person, given_name),   offsetof(struct person, family_name),
    offsetof(struct person, salutation),  offsetof(struct person, organisation), offsetof(struct person, timezone),
    offsetof(struct person, attributes),
};

static void on_cell(const void *rows, size_t number, int column, struct given_cell *ret) {
    const struct batch_row *row = (const struct batch_row *)rows + number;
    switch (column) {
    case GIVEN_NUMBER: ret->number = (int64_t)number; return;
    case GIVEN_ADDRESS:
        ret->text = strcmp(row->person.address, row->person.address_key) ? row->person.address : "";
        return;
    case GIVEN_TAGS: ret->text = text(row->tags); return;
    }
    const char *value;
    memcpy(&value, (const char *)&row->person + given_texts[column - GIVEN_TEXTS], sizeof value);
    ret->text = text(value);
}

static const struct given_table given_rows = {
    "given_row",
    "CREATE TABLE given_row (number INTEGER, address TEXT, tags TEXT, address_key TEXT, language TEXT, form TEXT, "
    "title "
    "TEXT, given_name TEXT, family_name TEXT, salutation TEXT, organisation TEXT, timezone TEXT, attributes TEXT)",
    on_cell};

/* Who is known between this address and the next one that is. */
static int find_gap(struct db *db, struct batch *batch, const char *address_key) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT address_key FROM subscriber WHERE address_key >= ? ORDER BY address_key LIMIT 1", &row,
                     "t", address_key);
    if (r < 0 || (r = db_next(row)) < 0)
        return r;
    batch->has_gap = snprintf(batch->gap_start, BATCH_KEY_MAX, "%s", address_key) < BATCH_KEY_MAX &&
                     snprintf(batch->gap_end, BATCH_KEY_MAX, "%s", r ? row_text(row, 0) : "") < BATCH_KEY_MAX;
    if (r == 1)
        db_end(row);
    return 0;
}

static bool is_before_gap_end(const struct batch *batch, const char *address_key) {
    return !batch->gap_end[0] || strcmp(address_key, batch->gap_end) < 0;
}

/* How many from the first on are new, each at an address of its own. */
static int count_new(struct db *db, struct batch *batch, const struct batch_row *rows, size_t count, size_t *ret) {
    const char *first = rows[0].person.address_key;
    int r = 0;
    *ret = 0;
    if (!batch->has_gap || strcmp(first, batch->gap_start) <= 0 || !is_before_gap_end(batch, first))
        r = find_gap(db, batch, first);
    if (r < 0 || !batch->has_gap)
        return r;
    for (size_t i = 0; i < count && is_before_gap_end(batch, rows[i].person.address_key); i++, (*ret)++) {
        if (i && strcmp(rows[i].person.address_key, rows[i - 1].person.address_key) <= 0)
            break;
        if ((r = is_suppressed(db, batch, rows[i].person.address_key)) != 0)
            return r < 0 ? r : 0;
    }
    return 0;
}

static int print_tags(struct batch_row *row, struct arena *arena) {
    AUTOBUF struct buf tags = BUF_INIT(2 * TAGS_MAX_BYTES);
    int r = row->person.tags ? tags_apply(VIEW(""), view_of(row->person.tags), &tags, NULL) : 0;
    row->tags = r == 0 && tags.len ? arena_dup(arena, buf_view(&tags)) : NULL;
    return r < 0 ? r : arena_failed(arena) ? -ENOMEM : 0;
}

static bool has_text(const char *s) {
    return s && s[0];
}

/* Whether all that is said of these people is a name and a language, as in most files: each further column is read from
 * each row, even where it is blank. */
static bool are_plain(const struct batch_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const struct person *p = &rows[i].person;
        if (has_text(p->form) || has_text(p->title) || has_text(p->salutation) || has_text(p->organisation) ||
            has_text(p->timezone) || has_text(p->attributes) || rows[i].tags || strcmp(p->address, p->address_key))
            return false;
    }
    return true;
}

#define INSERT_SUBSCRIBERS                                                                                             \
    "INSERT OR FAIL INTO subscriber (id, address_key, language, given_name, family_name, import, created, changed, "   \
    "address, "                                                                                                        \
    "form, title, salutation, organisation, timezone, attributes) SELECT ?1 + number, address_key, language, "         \
    "given_name, family_name, ?2, ?3, 0, "
#define INSERT_SUBSCRIPTIONS                                                                                           \
    "INSERT OR FAIL INTO subscription (list, subscriber, state, import, since, tags) SELECT ?1, ?2 + number, 2, ?3, "  \
    "?4, "

static int write_new(struct db *db, struct batch *batch, struct batch_row *rows, size_t count, int64_t now_usec) {
    static const char persons[] = INSERT_SUBSCRIBERS "address, form, title, salutation, organisation, timezone, "
                                                     "attributes FROM given_row",
                      plain_persons[] = INSERT_SUBSCRIBERS "'', '', '', '', '', '', '' FROM given_row",
                      members[] = INSERT_SUBSCRIPTIONS "tags FROM given_row",
                      plain_members[] = INSERT_SUBSCRIPTIONS "'' FROM given_row";
    bool plain = are_plain(rows, count);
    int r = db_give(db, &given_rows, rows, count);
    if (r == 0)
        r = db_run(db, plain ? plain_persons : persons, NULL, "iii", batch->next_id, batch->id, now_usec);
    if (r == 0)
        r = db_run(db, plain ? plain_members : members, NULL, "iiii", (int64_t)batch->list, batch->next_id, batch->id,
                   now_usec);
    for (size_t i = 0; i < count && r == 0; i++)
        r = add_consent(db, batch, &rows[i], batch->next_id + (int64_t)i);
    return r;
}

int batch_put_new(struct db *db, struct batch *batch, struct batch_row *rows, size_t count, int64_t now_usec,
                  size_t *ret) {
    AUTOARENA struct arena arena = {0};
    size_t found = 0;
    int r = count && !batch->after_known ? count_new(db, batch, rows, count, &found) : 0;
    for (size_t i = 0; i < found && r == 0; i++)
        r = print_tags(&rows[i], &arena);
    if (r == 0 && found && batch->id) {
        r = next_id(db, batch);
        if (r == 0)
            r = write_new(db, batch, rows, found, now_usec);
        (void)db_give(db, &given_rows, NULL, 0); /* it is known already: does not fail */
        batch->next_id += (int64_t)found;
        batch->any_new = true;
    }
    if (r < 0)
        return r;
    if (found) /* they are known now */
        (void)snprintf(batch->gap_start, BATCH_KEY_MAX, "%s",
                       rows[found - 1].person.address_key); /* fits: find_gap() */
    *ret = found;
    return 0;
}

/* --- Somebody who is known ----------------------------------------------------------------------------------- */

static bool is_met(const struct putting *k) {
    return k->batch->met && id_set_has(k->batch->met, k->base.id);
}

static int remember(const struct putting *k) {
    return k->batch->met ? id_set_add(k->batch->met, k->base.id) : 0;
}

/* What most rows of a list that is imported again are: nothing is to be done, and nothing to be kept. */
static int is_unchanged(struct putting *k) {
    struct person change;
    bool any = true;
    if (k->brought || k->member_state != SUBSCRIPTION_ACTIVE || k->p->tags || is_met(k))
        return 0;
    int r = change_between(&k->base, k->p, k->arena, &change, &any);
    return r < 0 ? r : !any;
}

static int keep_base(struct putting *k) {
    const char **const texts[] = {&k->base.language,    &k->base.form,       &k->base.title,        &k->base.given_name,
                                  &k->base.family_name, &k->base.salutation, &k->base.organisation, &k->base.timezone,
                                  &k->base.attributes,  &k->base.tags};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = arena_strdup(k->arena, *texts[i]);
    return arena_failed(k->arena) ? -ENOMEM : 0;
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
    k->base = (struct person){.id = row_int(row, 0),
                              .language = row_text(row, 2),
                              .form = row_text(row, 3),
                              .title = row_text(row, 4),
                              .given_name = row_text(row, 5),
                              .family_name = row_text(row, 6),
                              .salutation = row_text(row, 7),
                              .organisation = row_text(row, 8),
                              .timezone = row_text(row, 9),
                              .attributes = row_text(row, 10),
                              .tags = row_text(row, 14)};
    k->brought = k->batch->id && row_int(row, 1) == k->batch->id;
    k->member_state = row_int(row, 11);
    k->since_usec = row_int(row, 12);
    k->was_member = k->member_state == SUBSCRIPTION_ACTIVE && row_int(row, 13) != k->batch->id;
    r = is_unchanged(k);
    k->unchanged = r == 1;
    if (r == 0)
        r = keep_base(k);
    db_end(row); /* base's texts were its */
    return r < 0 ? r : 1;
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
                 : db_run(k->db,
                          "INSERT INTO import_change (import, subscriber, returns, fields) VALUES (?, ?, 0, ?) ON "
                          "CONFLICT DO UPDATE SET fields = excluded.fields",
                          NULL, "iiv", k->batch->id, k->base.id, buf_view(&text));
}

/* 1, or 0 where there would be too many with this change, which is to be told. */
static int tags_fit(struct putting *k, const char *change) {
    AUTOBUF struct buf then = BUF_INIT(2 * TAGS_MAX_BYTES);
    int r = tags_apply(view_of(text(k->base.tags)), view_of(change), &then, NULL);
    k->too_many_tags |= r == -E2BIG;
    return r == -E2BIG ? 0 : r < 0 ? r : 1;
}

/* The second row of somebody who was known before the batch. Its tags go behind those of the first. */
static int again_known(struct putting *k, struct person *change) {
    struct person seen, couple = {0};
    int r = 0;
    if (k->p->tags) {
        const char *tags = arena_printf(k->arena, "%s%s", text(change->tags), k->p->tags);
        r = tags ? tags_fit(k, tags) : -ENOMEM;
        if (r == 1) {
            change->tags = tags;
            r = keep_change(k, change);
        }
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
    struct person wanted = *k->p, change;
    bool any = false;
    int r = wanted.tags ? tags_fit(k, wanted.tags) : 1;
    if (r == 0)
        wanted.tags = NULL;
    if (r >= 0)
        r = change_between(&k->base, &wanted, k->arena, &change, &any);
    if (r < 0)
        return r;
    bool returns = k->member_state == SUBSCRIPTION_REMOVED || k->member_state == SUBSCRIPTION_PENDING;
    k->result = k->member_state == 0 || returns ? BATCH_NEW : any ? BATCH_CHANGED : BATCH_KNOWN;
    if (!k->batch->id || k->result == BATCH_KNOWN)
        return remember(k);
    AUTOBUF struct buf text = BUF_INIT(CHANGE_MAX_BYTES);
    r = print_change(&change, &text);
    if (r == 0)
        r = db_run(k->db, "INSERT INTO import_change VALUES (?, ?, ?, ?)", NULL, "iidv", k->batch->id, k->base.id,
                   (int)returns, buf_view(&text));
    if (r == 0 && k->member_state == 0)
        r = add_member(k, k->base.id, "");
    if (r == 0 && k->result == BATCH_NEW)
        r = add_consent(k->db, k->batch, k->row, k->base.id);
    return r < 0 ? r : remember(k);
}

/* The change noted for somebody met before in this batch, which may be none. */
static int find_change(struct putting *k, struct person *ret) {
    struct row *row = NULL;
    *ret = (struct person){0};
    int r = db_query(k->db, "SELECT fields FROM import_change WHERE import = ? AND subscriber = ?", &row, "ii",
                     k->batch->id, k->base.id);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    r = change_read(row_view(row, 0), k->arena, ret);
    db_end(row);
    return r;
}

static int put_known(struct putting *k) {
    if (k->brought)
        return again_new(k);
    if (k->member_state == SUBSCRIPTION_LEFT) {
        k->result = BATCH_LEFT;
        return 0;
    }
    if (!is_met(k))
        return first_known(k);
    struct person change;
    int r = find_change(k, &change);
    return r < 0 ? r : again_known(k, &change);
}

static int put(struct putting *k) {
    int r = is_suppressed(k->db, k->batch, k->p->address_key);
    if (r != 0) {
        k->result = BATCH_SUPPRESSED;
        return r < 0 ? r : 0;
    }
    struct batch *b = k->batch;
    bool is_known = b->after_known || (b->has_gap && strcmp(k->p->address_key, b->gap_end) == 0);
    k->result = BATCH_NEW;
    if (is_known || !b->id)
        r = find_person(k);
    if (r == 0 && b->id) {
        b->after_known = false;
        if ((r = add_person(k)) == 0)
            r = find_person(k);
        else
            return r < 0 ? r : 0;
    }
    b->after_known = r == 1 && !k->brought;
    if (r <= 0)
        return r;
    if (!k->unchanged)
        return put_known(k);
    k->result = BATCH_KNOWN;
    return remember(k);
}

int batch_put(struct db *db, struct batch *batch, const struct batch_row *row, int64_t now_usec,
              struct batch_told *ret) {
    AUTOARENA struct arena arena = {0};
    struct putting k = {.db = db, .batch = batch, .row = row, .p = &row->person, .now_usec = now_usec, .arena = &arena};
    int r = put(&k);
    if (r < 0)
        return r;
    *ret = (struct batch_told){
        .result = k.result, .left_usec = k.result == BATCH_LEFT ? k.since_usec : 0, .too_many_tags = k.too_many_tags};
    return 0;
}
