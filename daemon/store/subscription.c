#include "store/subscription.h"

#include <errno.h>
#include <stdio.h>

#include "mail/tags.h"

#include "store/db.h"
#include "store/store.h"
#include "store/visible.h"

#include "base/banned.h"

enum { CENSUS_PAGE = 1000 };

const char *subscription_state_name(enum subscription_state s) {
    switch (s) {
    case SUBSCRIPTION_PENDING: return "pending";
    case SUBSCRIPTION_ACTIVE: return "active";
    case SUBSCRIPTION_LEFT: return "left";
    case SUBSCRIPTION_REMOVED: return "removed";
    }
    return "unknown";
}

static void read_row(const struct row *row, struct subscription *ret) {
    *ret = (struct subscription){
        .list = (uint32_t)row_int(row, 0),
        .subscriber = row_int(row, 1),
        .state = (enum subscription_state)row_int(row, 2),
        .since_usec = row_int(row, 3),
        .import = row_int(row, 4),
    };
}

int subscription_each_of(struct db *db, int64_t subscriber, subscription_on_row *on_row, void *user) {
    struct row *row = NULL;
    int r = db_query(db,
                     /* from list to list: there are few, and an index by subscribers would cost each of them */
                     "WITH RECURSIVE l (list) AS (SELECT min(list) FROM subscription UNION ALL SELECT (SELECT "
                     "min(list) FROM subscription WHERE list > l.list) FROM l WHERE l.list IS NOT NULL) "
                     "SELECT u.list, subscriber, state, since, import FROM l CROSS JOIN subscription u ON "
                     "u.list = l.list AND subscriber = ? WHERE " VISIBLE_IMPORT("import") " ORDER BY u.list",
                     &row, "i", subscriber);
    if (r < 0)
        return r;
    while ((r = db_next(row)) == 1) {
        struct subscription one;
        read_row(row, &one);
        r = on_row(user, &one);
        if (r != 0) {
            db_end(row);
            return r;
        }
    }
    return r;
}

int subscription_get(struct db *db, uint32_t list, int64_t subscriber, struct subscription *ret) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT list, subscriber, state, since, import FROM subscription WHERE list = ? AND "
                     "subscriber = ? AND " VISIBLE_IMPORT("import"),
                     &row, "ii", (int64_t)list, subscriber);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    read_row(row, ret);
    db_end(row);
    return 1;
}

static int person_exists(struct db *db, int64_t subscriber) {
    int64_t found;
    return db_get_int(db, "SELECT 1 FROM subscriber WHERE id = ? AND " VISIBLE_IMPORT("import"), &found, "i",
                      subscriber);
}

int subscription_set(struct db *db, uint32_t list, int64_t subscriber, enum subscription_state state, int64_t now_usec,
                     const struct consent *consent) {
    struct subscription before;
    int r = person_exists(db, subscriber);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    r = subscription_get(db, list, subscriber, &before);
    if (r == 1 && before.state == state)
        return -ESTALE;
    if (r == 1)
        r = db_run(db, "UPDATE subscription SET state = ?, since = ? WHERE list = ? AND subscriber = ?", NULL, "diii",
                   (int)state, now_usec, (int64_t)list, subscriber);
    else if (r == 0) /* or one that only an open import knows: it becomes ours */
        r = db_run(db,
                   "INSERT INTO subscription (list, subscriber, state, since) VALUES (?, ?, ?, ?) ON CONFLICT DO "
                   "UPDATE SET state = excluded.state, since = excluded.since, import = 0, tags = ''",
                   NULL, "iidi", (int64_t)list, subscriber, (int)state, now_usec);
    return r < 0 ? r : consent_add(db, subscriber, list, now_usec, consent);
}

int subscription_tags(struct db *db, uint32_t list, int64_t subscriber, struct buf *to) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT tags FROM subscription WHERE list = ? AND subscriber = ?", &row, "ii", (int64_t)list,
                     subscriber);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    buf_add_view(to, row_view(row, 0));
    db_end(row);
    return buf_error(to);
}

int subscription_change_tags(struct db *db, uint32_t list, int64_t subscriber, struct view change) {
    AUTOBUF struct buf before = BUF_INIT(2 * TAGS_MAX_BYTES), then = BUF_INIT(2 * TAGS_MAX_BYTES);
    bool changed = false;
    int64_t rows = 0;
    int r = subscription_tags(db, list, subscriber, &before);
    if (r == 0)
        r = tags_apply(buf_view(&before), change, &then, &changed);
    if (r < 0 || !changed)
        return r < 0 ? r : -ESTALE;
    r = db_run(db, "UPDATE subscription SET tags = ? WHERE list = ? AND subscriber = ?", &rows, "vii", buf_view(&then),
               (int64_t)list, subscriber);
    return r < 0 ? r : rows ? 0 : -ENOENT;
}

int subscription_undo_leave(struct db *db, uint32_t list, int64_t subscriber, int64_t now_usec, int64_t max_age_usec,
                            const struct consent *consent) {
    struct subscription s;
    int r = subscription_get(db, list, subscriber, &s);
    if (r < 0)
        return r;
    if (r == 0 || s.state != SUBSCRIPTION_LEFT)
        return -ESTALE;
    if (now_usec - s.since_usec > max_age_usec)
        return -ETIME;
    int64_t since = s.since_usec;
    r = db_get_int(db,
                   "SELECT coalesce((SELECT max(at) FROM consent WHERE subscriber = ?1 AND list = ?2 AND at <= ?3 AND "
                   "what IN ('subscribed', 'restored') AND " VISIBLE_IMPORT(
                       "import") "), "
                                 "(SELECT ended FROM import WHERE id = ?4), ?3)",
                   &since, "iiii", subscriber, (int64_t)list, s.since_usec, s.import);
    if (r == 1)
        r = db_run(db, "UPDATE subscription SET state = 2, since = ? WHERE list = ? AND subscriber = ?", NULL, "iii",
                   since, (int64_t)list, subscriber);
    return r < 0 ? r : consent_add(db, subscriber, list, now_usec, consent);
}

/* --- Signatures ---------------------------------------------------------------------------------------------- */

int subscription_keep_signature(struct db *db, uint32_t list, int64_t subscriber, uint8_t key_id,
                                const uint8_t signature[SUBSCRIPTION_SIGNATURE_BYTES]) {
    return db_run(db, "UPDATE subscription SET key_id = ?, signature = ? WHERE list = ? AND subscriber = ?", NULL,
                  "dbii", (int)key_id, view_make(signature, SUBSCRIPTION_SIGNATURE_BYTES), (int64_t)list, subscriber);
}

int subscription_lacking_signature(struct db *db, uint32_t list, int64_t *cursor, size_t max, int64_t ret[],
                                   size_t *ret_count) {
    struct row *row = NULL;
    size_t seen = 0;
    *ret_count = 0;
    int r = db_query(db,
                     "SELECT subscriber, state = 2 AND key_id = 0 AND " VISIBLE_IMPORT(
                         "import") " FROM subscription WHERE list = ? AND subscriber > ? ORDER BY subscriber LIMIT ?",
                     &row, "iii", (int64_t)list, *cursor, (int64_t)max);
    if (r < 0)
        return r;
    for (; (r = db_next(row)) == 1; seen++) {
        *cursor = row_int(row, 0);
        if (row_int(row, 1))
            ret[(*ret_count)++] = *cursor;
    }
    return r < 0 ? r : seen == max;
}

/* --- Counting ------------------------------------------------------------------------------------------------ */

static void count_language(struct subscription_census *c, const char *code) {
    for (size_t i = 0; i < c->language_count; i++)
        if (strcmp(c->languages[i].code, code) == 0) {
            c->languages[i].count++;
            return;
        }
    if (c->language_count == CENSUS_LANGUAGES_MAX || strlen(code) >= sizeof c->languages[0].code) {
        c->other++;
        return;
    }
    size_t i = c->language_count++;
    (void)snprintf(c->languages[i].code, sizeof c->languages[i].code, "%s", code); /* fits: asked above */
    c->languages[i].count = 1;
}

void subscription_census_add(struct subscription_census *census, const char *language) {
    census->active++;
    census->all++;
    count_language(census, language);
}

/* A page is of rows that are looked at, visible or not. */
static int census_page(struct db *db, uint32_t list, bool languages, struct subscription_census *c, bool *ret_more) {
    struct row *row = NULL;
    int r = languages ? db_query(db,
                                 "SELECT u.subscriber, u.state, " VISIBLE_IMPORT(
                                     "u.import") ", s.language FROM subscription "
                                                 "u LEFT JOIN subscriber s ON s.id = u.subscriber WHERE u.list = ? AND "
                                                 "u.subscriber > ? "
                                                 "ORDER BY u.subscriber LIMIT ?",
                                 &row, "iid", (int64_t)list, c->cursor, CENSUS_PAGE)
                      : db_query(db,
                                 "SELECT subscriber, state, " VISIBLE_IMPORT(
                                     "import") " FROM subscription WHERE list = ? "
                                               "AND subscriber > ? ORDER BY subscriber LIMIT ?",
                                 &row, "iid", (int64_t)list, c->cursor, CENSUS_PAGE);
    if (r < 0)
        return r;
    int count = 0;
    for (; (r = db_next(row)) == 1; count++) {
        c->cursor = row_int(row, 0);
        if (!row_int(row, 2))
            continue;
        c->all++;
        if (row_int(row, 1) != SUBSCRIPTION_ACTIVE)
            continue;
        c->active++;
        if (languages)
            count_language(c, row_text(row, 3));
    }
    *ret_more = count == CENSUS_PAGE;
    return r;
}

int subscription_census(struct db *db, uint32_t list, bool languages, struct subscription_census *census) {
    bool more = true;
    int r;
    do
        r = census_page(db, list, languages, census, &more);
    while (r == 0 && more && !db_slice_over(db));
    return r < 0 ? r : more ? STORE_MORE : STORE_DONE;
}
