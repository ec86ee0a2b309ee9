#include "store/sign_up.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "store/db.h"
#include "store/store.h"

#include "base/banned.h"

enum { PAGE = 500 };

int sign_up_add(struct db *db, const struct sign_up *s) {
    return db_run(db,
                  "INSERT INTO sign_up (nonce, list, token_list, subscriber, address_key, address, given_name, "
                  "family_name, language, version, wording, source, at, expires, message_id, answered, "
                  "request) "
                  "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  NULL,
                  "biiitttttttt"
                  "iitib",
                  view_make(s->nonce, SIGN_UP_NONCE_BYTES), s->moves ? INT64_C(0) : (int64_t)s->list,
                  (int64_t)s->token_list, s->subscriber, s->address_key, s->address, s->given_name, s->family_name,
                  s->language, s->version, s->wording, s->source, s->at_usec, s->expires_usec, s->message_id,
                  s->answered_usec, view_make(s->request, SIGN_UP_REQUEST_BYTES));
}

static int next_of(struct db *db, struct view nonce, int64_t at_usec, struct arena *arena, struct sign_up *ret) {
    struct row *row = NULL;
    int r = db_query(
        db,
        "SELECT list, token_list, subscriber, address_key, address, given_name, family_name, language, "
        "version, wording, source, at, expires, message_id, request FROM sign_up WHERE nonce = ? AND expires >= ? "
        "ORDER BY list LIMIT 1",
        &row, "bi", nonce, at_usec);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    *ret = (struct sign_up){
        .list = (uint32_t)row_int(row, 0),
        .moves = row_int(row, 0) == 0,
        .token_list = (uint32_t)row_int(row, 1),
        .subscriber = row_int(row, 2),
        .address_key = arena_dup(arena, row_view(row, 3)),
        .address = arena_dup(arena, row_view(row, 4)),
        .given_name = arena_dup(arena, row_view(row, 5)),
        .family_name = arena_dup(arena, row_view(row, 6)),
        .language = arena_dup(arena, row_view(row, 7)),
        .version = arena_dup(arena, row_view(row, 8)),
        .wording = arena_dup(arena, row_view(row, 9)),
        .source = arena_dup(arena, row_view(row, 10)),
        .at_usec = row_int(row, 11),
        .expires_usec = row_int(row, 12),
        .message_id = arena_dup(arena, row_view(row, 13)),
        .request = (const uint8_t *)arena_dup(arena, row_view(row, 14)),
    };
    db_end(row);
    return arena_failed(arena) ? -ENOMEM : 1;
}

int sign_up_take(struct db *db, const uint8_t nonce[SIGN_UP_NONCE_BYTES], int64_t at_usec, struct arena *arena,
                 struct sign_up *ret) {
    struct view key = view_make(nonce, SIGN_UP_NONCE_BYTES);
    int r = next_of(db, key, at_usec, arena, ret);
    if (r <= 0)
        return r;
    ret->nonce = nonce;
    r = db_run(db, "DELETE FROM sign_up WHERE nonce = ? AND list = ?", NULL, "bi", key,
               ret->moves ? INT64_C(0) : (int64_t)ret->list);
    return r < 0 ? r : 1;
}

int sign_up_waits(struct db *db, const uint8_t nonce[SIGN_UP_NONCE_BYTES]) {
    int64_t found;
    return db_get_int(db, "SELECT 1 FROM sign_up WHERE nonce = ? LIMIT 1", &found, "b",
                      view_make(nonce, SIGN_UP_NONCE_BYTES));
}

int sign_up_remove(struct db *db, const char *address_key, bool *ret_any) {
    int64_t changed = 0;
    int r = db_run(db, "DELETE FROM sign_up WHERE address_key = ?", &changed, "t", address_key);
    if (r == 0 && changed)
        *ret_any = true;
    return r;
}

int sign_up_remove_moves(struct db *db, int64_t subscriber, int64_t since_usec) {
    return db_run(db, "DELETE FROM sign_up WHERE subscriber = ? AND subscriber <> 0 AND list = 0 AND at >= ?", NULL,
                  "ii", subscriber, since_usec);
}

int sign_up_next(struct db *db, const char *after, struct arena *arena, const char **ret_address_key) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT address_key FROM sign_up WHERE address_key > ? ORDER BY address_key LIMIT 1", &row,
                     "t", after);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    *ret_address_key = arena_strdup(arena, row_text(row, 0));
    db_end(row);
    return *ret_address_key ? 1 : -ENOMEM;
}

int sign_up_next_answered(struct db *db, int64_t after, int64_t *ret_list, int64_t *ret_count) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT list, count(*) FROM sign_up WHERE answered > 0 AND list > ? GROUP BY list ORDER BY list "
                     "LIMIT 1",
                     &row, "i", after);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    *ret_list = row_int(row, 0);
    *ret_count = row_int(row, 1);
    db_end(row);
    return 1;
}

int sign_up_purge(struct db *db, int64_t now_usec, uint64_t *ret_count) {
    int r = db_run_pages(
        db, "DELETE FROM sign_up WHERE (nonce, list) IN (SELECT nonce, list FROM sign_up WHERE expires < ? LIMIT ?)",
        PAGE, ret_count, "id", now_usec, PAGE);
    if (r == 0)
        r = db_run_pages(db, "DELETE FROM asked WHERE id IN (SELECT id FROM asked WHERE at < ? LIMIT ?)", PAGE, NULL,
                         "id", now_usec - 2 * USEC_PER_DAY, PAGE);
    return r;
}

int asked_add(struct db *db, const struct asked *a) {
    return db_run(db, "INSERT INTO asked (at, what, address, list, network, due) VALUES (?, ?, ?, ?, ?, ?)", NULL,
                  "itbiti", a->at_usec, a->what, view_make(a->address, ASKED_ADDRESS_BYTES), (int64_t)a->list,
                  a->network, a->due_usec);
}

int asked_count(struct db *db, const struct asked *a, int64_t address_since, int64_t same_since, int64_t network_since,
                int64_t list_since, struct asked_counts *ret) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT (SELECT count(*) FROM asked WHERE address = ?1 AND at > ?2 AND what = ?6), "
                     "(SELECT count(*) FROM asked WHERE address = ?1 AND at > ?3 AND what = ?6 AND list = ?7), "
                     "(SELECT count(*) FROM asked WHERE network = ?8 AND at > ?4 AND ?8 <> ''), "
                     "(SELECT count(*) FROM asked WHERE list = ?7 AND at > ?5 AND what = ?6), "
                     "(SELECT coalesce(max(due), 0) FROM asked WHERE address = ?1 AND at > ?2)",
                     &row, "biiiitit", view_make(a->address, ASKED_ADDRESS_BYTES), address_since, same_since,
                     network_since, list_since, a->what, (int64_t)a->list, a->network);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r < 0 ? r : -EIO;
    *ret = (struct asked_counts){.address = row_int(row, 0),
                                 .same = row_int(row, 1),
                                 .network = row_int(row, 2),
                                 .list = row_int(row, 3),
                                 .last_due_usec = row_int(row, 4)};
    db_end(row);
    return 0;
}
