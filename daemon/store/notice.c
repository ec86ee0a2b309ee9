#include "store/notice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mail/address.h"
#include "store/db.h"

#include "base/banned.h"

int notice_add(struct db *db, const char *kind, int64_t announcement, const char *sender, const char *relays,
               const char *recipient, struct view message, int64_t now_usec) {
    return db_run(db,
                  "INSERT INTO notice (kind, announcement, sender, relays, recipient, message, created, state, due) "
                  "VALUES (?, ?, ?, coalesce(?, ''), ?, ?, ?, 0, ?)",
                  NULL, "titttbii", kind, announcement, sender, relays, recipient, message, now_usec, now_usec);
}

int notice_wait(struct db *db, int64_t due_usec) {
    return db_run(db, "UPDATE notice SET due = ? WHERE id = ?", NULL, "ii", due_usec, db_last_id(db));
}

void notice_done(struct notice *n) {
    free(n->memory);
    *n = (struct notice){0};
}

/* Copies the strings (each with its NUL) and the message into one allocation. */
static int keep(const struct row *row, struct notice *ret) {
    struct view texts[3], message = row_view(row, 5);
    size_t size = message.len + 1;
    for (int i = 0; i < 3; i++) {
        texts[i] = row_view(row, 2 + i);
        size += texts[i].len + 1;
    }
    char *to = calloc(1, size);
    if (!to)
        return -ENOMEM;
    *ret = (struct notice){.id = row_int(row, 0), .attempts = (unsigned)row_int(row, 1), .memory = to};
    char **strings[3] = {&ret->sender, &ret->relays, &ret->recipient};
    for (int i = 0; i < 3; i++) {
        memcpy(to, texts[i].ptr, texts[i].len);
        *strings[i] = to;
        to += texts[i].len + 1;
    }
    memcpy(to, message.ptr, message.len);
    ret->message = view_make(to, message.len);
    return 0;
}

int notice_claim(struct db *db, int64_t now_usec, struct notice *ret) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT id, attempts, sender, relays, recipient, message FROM notice WHERE due <= ? "
                     "ORDER BY due, id LIMIT 1",
                     &row, "i", now_usec);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    r = keep(row, ret);
    db_end(row);
    if (r == 0)
        r = db_run(db, "UPDATE notice SET state = 1, due = NULL, attempts = attempts + 1 WHERE id = ?", NULL, "i",
                   ret->id);
    else
        return r;
    if (r < 0)
        notice_done(ret);
    return r < 0 ? r : 1;
}

static int changed_one(int r, int64_t changed) {
    return r < 0 ? r : changed ? 0 : -ESTALE;
}

int notice_unclaim(struct db *db, int64_t id, int64_t now_usec) {
    int64_t changed = 0;
    int r = db_run(db,
                   "UPDATE notice SET state = CASE attempts WHEN 1 THEN 0 ELSE 3 END, attempts = attempts - 1, due = ? "
                   "WHERE id = ? AND state = 1",
                   &changed, "ii", now_usec, id);
    return changed_one(r, changed);
}

int notice_record(struct db *db, int64_t id, const struct outcome *outcome, int64_t now_usec, int64_t retry_usec,
                  const char *relay) {
    static const int states[] = {
        [OUTCOME_DELIVERED] = 2, [OUTCOME_DEFERRED] = 3, [OUTCOME_REFUSED] = 4, [OUTCOME_IN_DOUBT] = 5};
    bool retried = outcome->class == OUTCOME_DEFERRED || outcome->class == OUTCOME_IN_DOUBT;
    int64_t changed = 0;
    int r = db_run(db,
                   "UPDATE notice SET state = ?, due = nullif(?, 0), at = ?, code = ?, status = ?, text = ?, "
                   "relay = coalesce(?, '') WHERE id = ? AND state = 1",
                   &changed, "diidttti", states[outcome->class], retried ? retry_usec : INT64_C(0), now_usec,
                   (int)outcome->code, outcome->status, outcome->text, relay, id);
    return changed_one(r, changed);
}

int notice_recover(struct db *db, int64_t now_usec) {
    return db_run(db, "UPDATE notice SET state = 5, due = ? WHERE state = 1", NULL, "i", now_usec);
}

int notice_drop_waiting(struct db *db, uint64_t *ret_count) {
    int64_t changed = 0;
    int r = db_run(
        db, "UPDATE notice SET state = 6, due = NULL, text = 'restored' WHERE due IS NOT NULL OR state IN (0, 1)",
        &changed, "");
    if (r == 0)
        *ret_count = (uint64_t)changed;
    return r;
}

int notice_next_due(struct db *db, int64_t *ret_usec) {
    int64_t due = 0;
    int r = db_get_int(db, "SELECT due FROM notice WHERE due IS NOT NULL ORDER BY due LIMIT 1", &due, "");
    if (r < 0)
        return r;
    *ret_usec = due;
    return 0;
}

bool notice_is_to(const char *recipient, const char *address_key) {
    struct address a;
    return address_parse_mailbox(view_of(recipient), &a, NULL) == ADDRESS_OK && strcmp(a.key, address_key) == 0;
}
