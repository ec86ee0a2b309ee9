#include "store/returned.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "store/consent.h"
#include "store/db.h"
#include "store/store.h"
#include "store/suppression.h"

#include "base/banned.h"

enum { PAGE = 500 };

int returned_delivery(struct db *db, int64_t announcement, int64_t subscriber, struct returned_delivery *ret) {
    struct row *row = NULL;
    /* Delivered, refused later by somebody else, deferred after a first try, in doubt: it may have left us. */
    int r =
        db_query(db,
                 "SELECT list, coalesce(at, first_claim, 0) FROM delivery WHERE announcement = ? AND subscriber = ? "
                 "AND state IN (2, 3, 4, 5)",
                 &row, "ii", announcement, subscriber);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    *ret = (struct returned_delivery){(uint32_t)row_int(row, 0), row_int(row, 1)};
    db_end(row);
    return 1;
}

int returned_get(struct db *db, int64_t announcement, int64_t subscriber, struct arena *arena, struct returned *ret) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT at, class, reason, status, text, held FROM returned WHERE announcement = ? AND subscriber "
                     "= ?",
                     &row, "ii", announcement, subscriber);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    *ret = (struct returned){.at_usec = row_int(row, 0),
                             .class = arena_strdup(arena, row_text(row, 1)),
                             .reason = arena_strdup(arena, row_text(row, 2)),
                             .status = arena_strdup(arena, row_text(row, 3)),
                             .text = arena_strdup(arena, row_text(row, 4)),
                             .held = row_int(row, 5) != 0};
    db_end(row);
    return arena_failed(arena) ? -ENOMEM : 1;
}

static int weight(const char *class) {
    return strcmp(class, "soft") == 0 ? 1 : strcmp(class, "hard") == 0 ? 2 : 3;
}

int returned_is_there(struct db *db, int64_t announcement, int64_t subscriber, const char *class) {
    AUTOARENA struct arena arena = {0};
    struct returned before;
    int r = returned_get(db, announcement, subscriber, &arena, &before);
    return r <= 0 ? r : weight(before.class) >= weight(class);
}

int returned_keep(struct db *db, int64_t announcement, int64_t subscriber, const struct returned *kept) {
    int r = returned_is_there(db, announcement, subscriber, kept->class);
    if (r != 0)
        return r < 0 ? r : 0;
    r = db_run(db, "INSERT OR REPLACE INTO returned VALUES (?, ?, ?, ?, ?, ?, ?, ?)", NULL, "iiittttd", announcement,
               subscriber, kept->at_usec, kept->class, kept->reason, kept->status, kept->text, (int)kept->held);
    return r < 0 ? r : 1;
}

/* ---- scores ---- */

/* Those of another address, or long quiet, go. */
static int drop_old(struct db *db, int64_t subscriber, const char *address_key, int64_t at_usec, int64_t forget_usec) {
    return db_run(db, "DELETE FROM returned_score WHERE subscriber = ? AND (address_key <> ? OR counted < ?)", NULL,
                  "iti", subscriber, address_key, at_usec - forget_usec);
}

int returned_score(struct db *db, int64_t subscriber, const char *address_key, int64_t at_usec, int64_t forget_usec,
                   int64_t *ret_count) {
    int r = drop_old(db, subscriber, address_key, at_usec, forget_usec);
    if (r == 0)
        r = db_run(db,
                   "INSERT INTO returned_score (subscriber, address_key, count, counted) VALUES (?1, ?2, 1, ?3) ON "
                   "CONFLICT (subscriber) DO UPDATE SET count = count + 1, counted = ?3 WHERE counted <= ?3 - ?4 OR "
                   "count = 0",
                   NULL, "itii", subscriber, address_key, at_usec, USEC_PER_DAY);
    *ret_count = 0;
    if (r == 0)
        r = db_get_int(db, "SELECT count FROM returned_score WHERE subscriber = ?", ret_count, "i", subscriber);
    return r < 0 ? r : 0;
}

int returned_scored(struct db *db, int64_t subscriber, struct returned_scored *ret) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT count, counted, first_unknown FROM returned_score WHERE subscriber = ?", &row, "i",
                     subscriber);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    *ret = (struct returned_scored){row_int(row, 0), row_int(row, 1), row_int(row, 2)};
    db_end(row);
    return 1;
}

int returned_unknown(struct db *db, int64_t subscriber, const char *address_key, int64_t at_usec, int64_t forget_usec,
                     int64_t *ret_since_usec) {
    int64_t first = at_usec;
    int r = drop_old(db, subscriber, address_key, at_usec, forget_usec);
    if (r == 0)
        r = db_run(db,
                   "INSERT INTO returned_score VALUES (?1, ?2, 0, ?3, ?3) ON CONFLICT (subscriber) DO UPDATE SET "
                   "counted = max(counted, ?3), first_unknown = CASE WHEN first_unknown = 0 THEN ?3 ELSE first_unknown "
                   "END",
                   NULL, "iti", subscriber, address_key, at_usec);
    if (r == 0)
        r = db_get_int(db, "SELECT first_unknown FROM returned_score WHERE subscriber = ?", &first, "i", subscriber);
    *ret_since_usec = at_usec - first;
    return r < 0 ? r : 0;
}

int returned_forget_score(struct db *db, int64_t subscriber) {
    return db_run(db, "DELETE FROM returned_score WHERE subscriber = ?", NULL, "i", subscriber);
}

int returned_forget_quiet(struct db *db, int64_t before_usec) {
    return db_run_pages(db,
                        "DELETE FROM returned_score WHERE subscriber IN (SELECT subscriber FROM returned_score WHERE "
                        "counted < ? LIMIT ?)",
                        PAGE, NULL, "id", before_usec, PAGE);
}

/* ---- the circuit breaker ---- */

int returned_run_get(struct db *db, int64_t announcement, const char *domain, struct returned_run *ret) {
    struct row *row = NULL;
    *ret = (struct returned_run){0};
    int r = db_query(db, "SELECT hard, size, held FROM returned_run WHERE announcement = ? AND domain = ?", &row, "it",
                     announcement, domain);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    *ret = (struct returned_run){row_int(row, 0), row_int(row, 1), row_int(row, 2) != 0};
    db_end(row);
    return 0;
}

int returned_run_add(struct db *db, int64_t announcement, const char *domain, struct returned_run *ret) {
    int r = db_run(db,
                   "INSERT INTO returned_run (announcement, domain, hard) VALUES (?, ?, 1) ON CONFLICT (announcement, "
                   "domain) DO UPDATE SET hard = hard + 1",
                   NULL, "it", announcement, domain);
    return r < 0 ? r : returned_run_get(db, announcement, domain, ret);
}

/* A page of the run, by subscriber: how many of them were tried, and how many of those are at the destination. 0 at the end. */
static int look_at_page(struct db *db, struct returned_sample *s) {
    struct row *row = NULL;
    int r =
        db_query(db,
                 "SELECT count(*), max(who), count(*) FILTER (WHERE tried), count(*) FILTER (WHERE tried AND substr(k, "
                 "instr(k, '@') + 1) = ?) FROM (SELECT d.subscriber AS who, d.state IN (2, 3, 4, 5) AS tried, "
                 "s.address_key AS k FROM delivery d LEFT JOIN subscriber s ON s.id = d.subscriber WHERE "
                 "d.announcement = ? AND d.subscriber > ? ORDER BY d.subscriber LIMIT ?)",
                 &row, "tiid", s->domain, s->announcement, s->behind, PAGE);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    int64_t seen = row_int(row, 0);
    s->seen += seen;
    s->behind = seen ? row_int(row, 1) : s->behind;
    s->looked_at += row_int(row, 2);
    s->found += row_int(row, 3);
    db_end(row);
    return seen == PAGE && s->looked_at < RETURNED_SAMPLE && s->seen < (int64_t)10 * RETURNED_SAMPLE;
}

int returned_run_size(struct db *db, int64_t announcement, const char *domain, struct returned_sample *s) {
    int64_t tried = 0;
    int more;
    if (s->announcement != announcement || strcmp(s->domain, domain) != 0) {
        *s = (struct returned_sample){.announcement = announcement};
        (void)snprintf(s->domain, sizeof s->domain, "%s", domain); /* a domain fits */
    }
    while ((more = look_at_page(db, s)) == 1)
        if (db_slice_over(db))
            return STORE_MORE;
    if (more < 0)
        return more;
    int r =
        db_get_int(db, "SELECT total - left_out - pending FROM announcement WHERE id = ?", &tried, "i", announcement);
    bool whole = s->looked_at < RETURNED_SAMPLE && s->seen < (int64_t)10 * RETURNED_SAMPLE;
    int64_t size = !whole && s->looked_at && tried > s->looked_at ? s->found * tried / s->looked_at : s->found;
    *s = (struct returned_sample){0};
    return r < 0 ? r
                 : db_run(
                       db,
                       "INSERT INTO returned_run (announcement, domain, hard, size) VALUES (?1, ?2, 0, ?3) ON CONFLICT "
                       "(announcement, domain) DO UPDATE SET size = ?3",
                       NULL, "iti", announcement, domain, size);
}

/* The end of the page of this run's reports behind `from`; INT64_MAX for the last. */
static int page_end(struct db *db, int64_t announcement, int64_t from, int64_t *ret) {
    *ret = INT64_MAX;
    int r = db_get_int(db,
                       "SELECT subscriber FROM returned WHERE announcement = ? AND subscriber > ? ORDER BY subscriber "
                       "LIMIT 1 OFFSET ?",
                       ret, "iid", announcement, from, PAGE - 1);
    return r < 0 ? r : 0;
}

/* Takes back a page. */
static int take_back(struct db *db, int64_t announcement, const char *domain, int64_t *count) {
    int64_t from = 0, to = 0, changed = 0;
    int r = db_get_int(db, "SELECT held_to FROM returned_run WHERE announcement = ? AND domain = ?", &from, "it",
                       announcement, domain);
    if (r >= 0)
        r = page_end(db, announcement, from, &to);
    if (r == 0)
        r = db_run(db,
                   "DELETE FROM suppression WHERE reason = 'hard-bounce' AND address_key IN (SELECT s.address_key FROM "
                   "returned r JOIN subscriber s ON s.id = r.subscriber WHERE r.announcement = ? AND r.subscriber > ? "
                   "AND r.subscriber <= ? AND r.class = 'hard' AND substr(s.address_key, instr(s.address_key, '@') + "
                   "1) = ?)",
                   NULL, "iiit", announcement, from, to, domain);
    if (r == 0)
        r = db_run(db,
                   "UPDATE returned SET held = 1 WHERE announcement = ?1 AND subscriber > ?2 AND subscriber <= ?3 AND "
                   "class = 'hard' AND (SELECT substr(address_key, instr(address_key, '@') + 1) FROM subscriber WHERE "
                   "id = subscriber) = ?4",
                   &changed, "iiit", announcement, from, to, domain);
    *count += changed;
    return r < 0 ? r
                 : db_run(db, "UPDATE returned_run SET held_to = ? WHERE announcement = ? AND domain = ?", NULL, "iit",
                          to, announcement, domain);
}

int returned_hold(struct db *db, int64_t announcement, const char *domain, int64_t now_usec, int64_t *ret_count) {
    *ret_count = 0;
    int r = db_run(db, "UPDATE returned_run SET held = ? WHERE announcement = ? AND domain = ?", NULL, "iit", now_usec,
                   announcement, domain);
    return r < 0 ? r : take_back(db, announcement, domain, ret_count);
}

int returned_take_back(struct db *db) {
    for (;;) {
        int64_t announcement = 0, count = 0;
        char domain[256] = "";
        struct row *row = NULL;
        int r = db_query(db, "SELECT announcement, domain FROM returned_run WHERE held <> 0 AND held_to < ? LIMIT 1",
                         &row, "i", INT64_MAX);
        if (r < 0 || (r = db_next(row)) <= 0)
            return r < 0 ? r : STORE_DONE;
        announcement = row_int(row, 0);
        (void)snprintf(domain, sizeof domain, "%s", row_text(row, 1)); /* a domain fits */
        db_end(row);
        r = take_back(db, announcement, domain, &count);
        if (r < 0 || db_slice_over(db))
            return r < 0 ? r : STORE_MORE;
    }
}

int returned_mark_held(struct db *db, int64_t announcement, int64_t subscriber) {
    return db_run(db, "UPDATE returned SET held = 1 WHERE announcement = ? AND subscriber = ?", NULL, "ii",
                  announcement, subscriber);
}

/* Of those held, behind `from` up to `to`. */
static int suppress_held(struct db *db, int64_t announcement, const char *domain, int64_t from, int64_t to,
                         int64_t now_usec) {
    int r =
        db_run(db,
               "INSERT INTO consent (subscriber, list, at, what, how, origin, evidence) SELECT r.subscriber, 0, ?1, "
               "'suppressed', 'mail', 'report', r.status || ' ' || r.text FROM returned r JOIN subscriber s ON s.id "
               "= r.subscriber WHERE r.announcement = ?2 AND r.held = 1 AND r.subscriber > ?4 AND r.subscriber <= ?5 "
               "AND substr(s.address_key, instr(s.address_key, '@') + 1) = ?3",
               NULL, "iitii", now_usec, announcement, domain, from, to);
    if (r < 0)
        return r;
    return db_run(db,
                  "INSERT INTO suppression SELECT s.address_key, ?1, 'hard-bounce', r.text FROM returned r JOIN "
                  "subscriber s ON s.id = r.subscriber WHERE r.announcement = ?2 AND r.held = 1 AND r.subscriber > ?4 "
                  "AND r.subscriber <= ?5 AND substr(s.address_key, instr(s.address_key, '@') + 1) = ?3 ON CONFLICT "
                  "(address_key) DO NOTHING",
                  NULL, "iitii", now_usec, announcement, domain, from, to);
}

/* A page of a run; behind the last one the run is forgotten: what comes later of it counts by itself. */
static int let_go_of(struct db *db, int64_t announcement, const char *domain, bool forget, int64_t now_usec,
                     int64_t *count) {
    int64_t from = 0, to = 0, changed = 0;
    int r = db_get_int(db, "SELECT let_go_to FROM returned_run WHERE announcement = ? AND domain = ?", &from, "it",
                       announcement, domain);
    if (r >= 0)
        r = page_end(db, announcement, from, &to);
    if (r == 0 && !forget)
        r = suppress_held(db, announcement, domain, from, to, now_usec);
    if (r == 0)
        r = db_run(db,
                   "UPDATE returned SET held = 0 WHERE announcement = ?1 AND held = 1 AND subscriber > ?2 AND "
                   "subscriber <= ?3 AND (SELECT substr(address_key, instr(address_key, '@') + 1) FROM subscriber "
                   "WHERE id = subscriber) = ?4",
                   &changed, "iiit", announcement, from, to, domain);
    *count += changed;
    if (r == 0 && to == INT64_MAX && from > 0 && changed > 0)
        to = 0; /* some may have come behind us: once more */
    if (r < 0)
        return r;
    return to < INT64_MAX ? db_run(db, "UPDATE returned_run SET let_go_to = ? WHERE announcement = ? AND domain = ?",
                                   NULL, "iit", to, announcement, domain)
                          : db_run(db, "DELETE FROM returned_run WHERE announcement = ? AND domain = ?", NULL, "it",
                                   announcement, domain);
}

int returned_let_go(struct db *db, const char *domain, bool forget, int64_t now_usec, int64_t *count) {
    int64_t announcement = 0;
    int r = returned_take_back(db);
    if (r != STORE_DONE)
        return r;
    for (bool any = false;; any = true) {
        r = db_get_int(db, "SELECT announcement FROM returned_run WHERE domain = ? AND held <> 0", &announcement, "t",
                       domain);
        if (r <= 0)
            return r < 0 ? r : any ? STORE_DONE : -ENOENT;
        if (any && db_slice_over(db))
            return STORE_MORE;
        r = let_go_of(db, announcement, domain, forget, now_usec, count);
        if (r < 0)
            return r;
    }
}

int returned_each_held(struct db *db, returned_on_held *on_held, void *user) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT announcement, domain, hard, held FROM returned_run WHERE held <> 0", &row, "");
    while (r >= 0 && (r = db_next(row)) == 1) {
        r = on_held(user, row_int(row, 0), row_text(row, 1), row_int(row, 2), row_int(row, 3));
        if (r != 0) {
            db_end(row);
            return r;
        }
    }
    return r;
}

/* ---- what is told, and counted ---- */

int returned_tell(struct db *db, const char *about, int64_t now_usec) {
    int64_t changed = 0;
    int r =
        db_run(db,
               "INSERT INTO returned_told VALUES (?1, ?2) ON CONFLICT (domain) DO UPDATE SET at = ?2 WHERE at <= ?2 "
               "- ?3",
               &changed, "tii", about, now_usec, USEC_PER_DAY);
    return r < 0 ? r : changed > 0;
}

int returned_count(struct db *db, const char *kind) {
    return db_run(db, "INSERT INTO returned_count VALUES (?, 1) ON CONFLICT (kind) DO UPDATE SET count = count + 1",
                  NULL, "t", kind);
}

int returned_ignored(struct db *db, uint64_t total) {
    int64_t seen = 0, now = (int64_t)total;
    int r = db_get_int(db, "SELECT total FROM returned_ignored WHERE id = 1", &seen, "");
    if (r < 0 || seen == now)
        return r < 0 ? r : 0;
    r = db_run(db, "INSERT INTO returned_ignored VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET total = ?1", NULL, "i",
               now);
    if (r < 0 || now == 0)
        return r;
    return db_run(
        db, "INSERT INTO returned_count VALUES ('ignored', ?1) ON CONFLICT (kind) DO UPDATE SET count = count + ?1",
        NULL, "i", now > seen ? now - seen : now);
}

int returned_each_count(struct db *db, returned_on_count *on_count, void *user) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT kind, count FROM returned_count", &row, "");
    while (r >= 0 && (r = db_next(row)) == 1)
        on_count(user, row_text(row, 0), row_uint(row, 1));
    return r;
}

int returned_erase(struct db *db, int64_t subscriber) {
    int r = returned_forget_score(db, subscriber);
    return r < 0 ? r : db_run(db, "DELETE FROM returned WHERE subscriber = ?", NULL, "i", subscriber);
}

int returned_drop(struct db *db, int64_t announcement) {
    int r = db_run_pages(db,
                         "DELETE FROM returned WHERE announcement = ?1 AND subscriber IN (SELECT subscriber FROM "
                         "returned WHERE announcement = ?1 ORDER BY subscriber LIMIT ?2)",
                         PAGE, NULL, "id", announcement, PAGE);
    if (r == 0)
        r = db_run_pages(db,
                         "DELETE FROM returned_run WHERE announcement = ?1 AND domain IN (SELECT domain FROM "
                         "returned_run WHERE announcement = ?1 ORDER BY domain LIMIT ?2)",
                         PAGE, NULL, "id", announcement, PAGE);
    return r;
}
