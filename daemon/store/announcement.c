#include "store/announcement.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/store.h"
#include "store/tally.h"

#include "base/banned.h"

const char *announcement_state_name(enum announcement_state s) {
    switch (s) {
    case ANNOUNCEMENT_INTAKE: return "intake";
    case ANNOUNCEMENT_HELD: return "held";
    case ANNOUNCEMENT_SCHEDULED: return "scheduled";
    case ANNOUNCEMENT_GATHERING:
    case ANNOUNCEMENT_SENDING: return "sending";
    case ANNOUNCEMENT_PAUSED: return "paused";
    case ANNOUNCEMENT_DONE: return "done";
    case ANNOUNCEMENT_STOPPED: return "stopped";
    case ANNOUNCEMENT_RECURRING: return "recurring";
    }
    return "unknown";
}

bool announcement_lists_have(const struct announcement_lists *lists, uint32_t list) {
    for (size_t i = 0; i < lists->count; i++)
        if (lists->ids[i] == list)
            return true;
    return false;
}

/* --- Rows ---------------------------------------------------------------------------------------------------- */

/* The names, parted as they are in list_names; they hold no commas. */
static int insert_lists(struct db *db, const struct announcement_row *row) {
    struct view names = view_of(row->list_names), name;
    int r = 0;
    for (size_t i = 0; r == 0 && i < row->lists.count; i++) {
        (void)view_split(&names, ',', &name);
        r = db_run(db, "INSERT INTO announcement_list (announcement, place, list, name) VALUES (?, ?, ?, ?)", NULL,
                   "idiv", row->id, (int)i, (int64_t)row->lists.ids[i], view_trim(name));
    }
    return r;
}

int announcement_insert(struct db *db, struct announcement_row *row) {
    int r = db_run(db,
                   "INSERT INTO announcement (name, list, list_name, subject, state, resume_state, why, identity, "
                   "event_uid, event_sequence, event_end, by, created, send_at, send_until, only_text, series, "
                   "occurrence) VALUES (?, ?, ?, ?, ?, ?, coalesce(?, ''), ?, coalesce(?, ''), ?, ?, coalesce(?, ''), "
                   "?, ?, ?, coalesce(?, ''), ?, coalesce(?, ''))",
                   NULL,
                   "titt"
                   "ddtb"
                   "tiitiiit"
                   "it",
                   row->name, (int64_t)row->lists.ids[0], row->list_names, row->subject, (int)ANNOUNCEMENT_INTAKE,
                   (int)row->resume_state, row->why, view_make(row->identity, sizeof row->identity), row->event_uid,
                   (int64_t)row->event_sequence, row->event_end_usec, row->by, row->created_usec, row->send_at_usec,
                   row->send_until_usec, row->only, row->series, row->occurrence);
    if (r == 0) {
        row->id = db_last_id(db);
        row->state = ANNOUNCEMENT_INTAKE;
        r = insert_lists(db, row);
    }
    return r;
}

#define COLUMNS                                                                                                        \
    "id, name, list_name, subject, why, by, event_uid, (SELECT group_concat(list) FROM (SELECT list FROM "             \
    "announcement_list WHERE announcement = announcement.id ORDER BY place)), state, resume_state, identity, "         \
    "event_sequence, "                                                                                                 \
    "event_end, "                                                                                                      \
    "created, send_at, send_until, released, started, finished, total, pending, delivered, deferred, refused, "        \
    "in_doubt, left_out, only_text, purged, series, occurrence"

static void read_lists(struct view text, struct announcement_lists *ret) {
    struct view one;
    uint64_t id;
    ret->count = 0;
    while (ret->count < ANNOUNCEMENT_LISTS_MAX && view_split(&text, ',', &one))
        if (number_parse_u64(one, UINT32_MAX, &id) == 0)
            ret->ids[ret->count++] = (uint32_t)id;
}

/* Strings are the statement's. */
static void read_row(const struct row *row, struct announcement_row *ret) {
    *ret = (struct announcement_row){
        .id = row_int(row, 0),
        .name = row_text(row, 1),
        .list_names = row_text(row, 2),
        .subject = row_text(row, 3),
        .why = row_text(row, 4),
        .by = row_text(row, 5),
        .event_uid = row_text(row, 6),
        .state = (enum announcement_state)row_int(row, 8),
        .resume_state = (enum announcement_state)row_int(row, 9),
        .event_sequence = (unsigned)row_int(row, 11),
        .event_end_usec = row_int(row, 12),
        .created_usec = row_int(row, 13),
        .send_at_usec = row_int(row, 14),
        .send_until_usec = row_int(row, 15),
        .released_usec = row_int(row, 16),
        .started_usec = row_int(row, 17),
        .finished_usec = row_int(row, 18),
        .total = row_uint(row, 19),
        .pending = row_uint(row, 20),
        .delivered = row_uint(row, 21),
        .deferred = row_uint(row, 22),
        .refused = row_uint(row, 23),
        .in_doubt = row_uint(row, 24),
        .left_out = row_uint(row, 25),
        .only = row_text(row, 26),
        .purged_usec = row_int(row, 27),
        .series = row_int(row, 28),
        .occurrence = row_text(row, 29),
    };
    read_lists(row_view(row, 7), &ret->lists);
    struct view identity = row_view(row, 10);
    if (identity.len == sizeof ret->identity)
        memcpy(ret->identity, identity.ptr, identity.len);
}

int announcement_get(struct db *db, int64_t id, struct arena *arena, struct announcement_row *ret) {
    struct row *row = NULL;
    int r = tally_flush(db);
    if (r == 0)
        r = db_query(db, "SELECT " COLUMNS " FROM announcement WHERE id = ?", &row, "i", id);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    read_row(row, ret);
    const char **strings[] = {&ret->name, &ret->list_names, &ret->subject, &ret->why,
                              &ret->by,   &ret->event_uid,  &ret->only,    &ret->occurrence};
    for (size_t i = 0; i < sizeof strings / sizeof *strings; i++)
        *strings[i] = arena_strdup(arena, *strings[i]);
    db_end(row);
    return arena_failed(arena) ? -ENOMEM : 1;
}

int announcement_get_lists(struct db *db, int64_t id, struct announcement_lists *ret) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT list FROM announcement_list WHERE announcement = ? ORDER BY place", &row, "i", id);
    ret->count = 0;
    while (r == 0 && (r = db_next(row)) == 1) {
        if (ret->count < ANNOUNCEMENT_LISTS_MAX)
            ret->ids[ret->count++] = (uint32_t)row_int(row, 0);
        r = 0;
    }
    return r < 0 ? r : ret->count > 0;
}

int announcement_delete_intake(struct db *db, int64_t id) {
    int64_t changed = 0;
    int r = db_run(db, "DELETE FROM announcement WHERE id = ? AND state = 1", &changed, "i", id);
    return r < 0 || !changed ? r : db_run(db, "DELETE FROM announcement_list WHERE announcement = ?", NULL, "i", id);
}

int announcement_each(struct db *db, bool live_only, unsigned max, announcement_on_row *on_row, void *user) {
    struct row *row = NULL;
    int r = tally_flush(db);
    if (r == 0 && live_only)
        r = db_query(db,
                     "SELECT " COLUMNS " FROM announcement WHERE state IN (1, 2, 3, 4, 5, 6) ORDER BY id DESC LIMIT ?",
                     &row, "i", (int64_t)max);
    else if (r == 0)
        r = db_query(db, "SELECT " COLUMNS " FROM announcement ORDER BY id DESC LIMIT ?", &row, "i", (int64_t)max);
    if (r < 0)
        return r;
    while ((r = db_next(row)) == 1) {
        struct announcement_row one;
        read_row(row, &one);
        r = on_row(user, &one);
        if (r != 0) {
            db_end(row);
            return r;
        }
    }
    return r;
}

int announcement_find_same(struct db *db, uint32_t list, const uint8_t identity[32], int64_t since_usec,
                           int64_t *ret_id) {
    return db_get_int(
        db,
        "SELECT a.id FROM announcement_list l CROSS JOIN announcement a ON a.id = l.announcement "
        "WHERE l.list = ? AND a.identity = ? AND a.series = 0 AND (a.state < 7 OR a.state = 9 OR a.created >= ?) "
        "ORDER BY a.id DESC LIMIT 1",
        ret_id, "ibi", (int64_t)list, view_make(identity, 32), since_usec);
}

int announcement_find_replaceable(struct db *db, uint32_t list, const char *name, int64_t *ret_id) {
    return db_get_int(
        db,
        "SELECT id FROM announcement WHERE list = ? AND name = ? AND (state IN (2, 3, 9) OR (state = 6 AND "
        "resume_state = 9)) AND series = 0 ORDER BY id DESC LIMIT 1",
        ret_id, "it", (int64_t)list, name);
}

int announcement_find_cut_off(struct db *db, int64_t series, const char *occurrence, int64_t *ret_id) {
    return db_get_int(db,
                      "SELECT id FROM announcement WHERE series = ? AND series <> 0 AND occurrence = ? AND state = 1",
                      ret_id, "it", series, occurrence);
}

int announcement_find_recurring(struct db *db, uint32_t list, const char *name, int64_t *ret_id) {
    return db_get_int(
        db,
        "SELECT id FROM announcement WHERE list = ? AND name = ? AND (state = 9 OR (state = 6 AND resume_state "
        "= 9)) LIMIT 1",
        ret_id, "it", (int64_t)list, name);
}

int announcement_count_uid(struct db *db, const char *uid, unsigned *ret) {
    int64_t count = 0;
    int r = db_get_int(db, "SELECT count(*) FROM announcement WHERE event_uid = ? AND state <> 1", &count, "t", uid);
    *ret = (unsigned)count;
    return r < 0 ? r : 0;
}

int announcement_find_event(struct db *db, uint32_t list, const char *name, int64_t now_usec, struct arena *arena,
                            const char **ret_uid, unsigned *ret_sequence) {
    struct row *row = NULL;
    int r =
        db_query(db,
                 "SELECT event_uid, event_sequence FROM announcement WHERE list = ? AND name = ? AND "
                 "event_uid <> '' AND event_end > ? AND series = 0 AND state NOT IN (1, 9) ORDER BY id DESC LIMIT 1",
                 &row, "iti", (int64_t)list, name, now_usec);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    const char *uid = arena_strdup(arena, row_text(row, 0));
    unsigned sequence = (unsigned)row_int(row, 1);
    db_end(row);
    if (!uid)
        return -ENOMEM;
    *ret_uid = uid;
    *ret_sequence = sequence;
    return 1;
}

/* --- Moves --------------------------------------------------------------------------------------------------- */

static int state_of(struct db *db, int64_t id, enum announcement_state *ret) {
    int64_t state;
    int r = db_get_int(db, "SELECT state FROM announcement WHERE id = ?", &state, "i", id);
    if (r == 1)
        *ret = (enum announcement_state)state;
    return r;
}

/* Why a move is refused. */
static int refuse(struct db *db, int64_t id, const char *verb, struct why *why) {
    enum announcement_state state = ANNOUNCEMENT_INTAKE;
    int r = state_of(db, id, &state);
    if (r < 0)
        return why_set(why, r, "the store cannot be read");
    if (r == 0)
        return why_set(why, -ENOENT, "there is no announcement %lld", (long long)id);
    return why_set(why, -ESTALE, "announcement %lld cannot be %s: it is %s", (long long)id, verb,
                   announcement_state_name(state));
}

/* After a conditional update of one row. */
static int moved(int r, int64_t changed) {
    return r < 0 ? r : changed ? 0 : -ESTALE;
}

int announcement_taken_in(struct db *db, int64_t id, enum announcement_state state) {
    int64_t changed = 0;
    int r = db_run(db,
                   "UPDATE announcement SET state = ?1, released = CASE ?1 WHEN 3 THEN created END "
                   "WHERE id = ? AND state = 1",
                   &changed, "di", (int)state, id);
    return moved(r, changed);
}

int announcement_source_gone(struct db *db, int64_t id) {
    return db_run(db, "UPDATE announcement SET resume_state = 0 WHERE id = ? AND state NOT IN (1, 6)", NULL, "i", id);
}

int announcement_release(struct db *db, int64_t id, int64_t now_usec, struct why *why) {
    int64_t changed = 0;
    int r = db_run(db, "UPDATE announcement SET state = 3, released = ? WHERE id = ? AND state = 2", &changed, "ii",
                   now_usec, id);
    r = moved(r, changed);
    return r == -ESTALE ? refuse(db, id, "released", why) : r;
}

int announcement_pause(struct db *db, int64_t id, const char *reason, struct why *why) {
    int64_t changed = 0;
    int r = db_run(
        db, "UPDATE announcement SET resume_state = state, state = 6, why = ? WHERE id = ? AND state IN (3, 4, 5, 9)",
        &changed, "ti", reason, id);
    r = moved(r, changed);
    return r == -ESTALE ? refuse(db, id, "paused", why) : r;
}

int announcement_pause_all(struct db *db, const char *reason, uint64_t *ret_count) {
    int64_t changed = 0;
    int r = db_run(db,
                   "UPDATE announcement SET why = CASE WHEN why = '' THEN ?1 ELSE ?1 || '; before: ' || why END, "
                   "resume_state = CASE state WHEN 6 THEN resume_state ELSE state END, state = 6 WHERE state IN (2, 3, "
                   "4, 5, 6, 9)",
                   &changed, "t", reason);
    if (r == 0)
        *ret_count = (uint64_t)changed;
    return r;
}

int announcement_resume(struct db *db, int64_t id, struct why *why) {
    int64_t changed = 0;
    int r = db_run(db,
                   "UPDATE announcement SET state = resume_state, resume_state = 0, why = '' WHERE id = ? AND "
                   "state = 6",
                   &changed, "i", id);
    r = moved(r, changed);
    return r == -ESTALE ? refuse(db, id, "resumed", why) : r;
}

/* Of a recurring one: those that nobody was written to yet have no rows of delivery. */
static int stop_dates(struct db *db, int64_t series, const char *reason, int64_t now_usec) {
    int64_t was = 0;
    int r = db_run(db, "DELETE FROM series WHERE announcement = ?", &was, "i", series);
    return r < 0 || !was ? r
                         : db_run(db,
                                  "UPDATE announcement SET state = 8, why = ?, finished = ? WHERE series = ? AND "
                                  "series <> 0 AND " ANNOUNCEMENT_NOT_BEGUN,
                                  NULL, "tii", reason, now_usec, series);
}

int announcement_stop(struct db *db, int64_t id, const char *reason, int64_t now_usec, struct why *why) {
    int64_t changed = 0;
    int r = db_run(
        db, "UPDATE announcement SET state = 8, why = ?, finished = ? WHERE id = ? AND state IN (2, 3, 4, 5, 6, 9)",
        &changed, "tii", reason, now_usec, id);
    if (r == 0 && changed)
        r = stop_dates(db, id, reason, now_usec);
    if (r < 0)
        return r;
    enum announcement_state state = ANNOUNCEMENT_INTAKE;
    if (!changed) { /* going on with an earlier call? */
        bool unfinished = false;
        r = state_of(db, id, &state);
        if (r == 1 && state == ANNOUNCEMENT_STOPPED)
            r = delivery_has_pending(db, id, &unfinished);
        if (r < 0)
            return r;
        if (!unfinished)
            return refuse(db, id, "stopped", why);
    }
    return delivery_leave_out_pending(db, id, now_usec, "stopped");
}

int announcement_begin_gathering(struct db *db, int64_t id, int64_t now_usec, int64_t give_up_usec) {
    int64_t changed = 0;
    int r = db_run(db,
                   "UPDATE announcement SET state = 4, started = ?1, gather_cursor = 0, send_until = CASE "
                   "WHEN send_until > 0 THEN send_until "
                   "WHEN event_end > 0 THEN min(event_end, ?1 + ?2) ELSE ?1 + ?2 END WHERE id = ?3 AND state = 3",
                   &changed, "iii", now_usec, give_up_usec, id);
    return moved(r, changed);
}

int announcement_begin_sending(struct db *db, int64_t id) {
    int64_t changed = 0;
    int r = db_run(db, "UPDATE announcement SET state = 5 WHERE id = ? AND state = 4", &changed, "i", id);
    return moved(r, changed);
}

int announcement_finish(struct db *db, int64_t id, int64_t now_usec) {
    int64_t changed = 0;
    int r = db_run(db, "UPDATE announcement SET state = 7, finished = ? WHERE id = ? AND state = 5", &changed, "ii",
                   now_usec, id);
    return moved(r, changed);
}

int announcement_next_start(struct db *db, int64_t *ret_usec) {
    int64_t usec = 0;
    int r =
        db_get_int(db, "SELECT max(send_at, 1) FROM announcement WHERE state = 3 ORDER BY send_at LIMIT 1", &usec, "");
    if (r < 0)
        return r;
    *ret_usec = usec;
    return 0;
}
