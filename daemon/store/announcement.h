/* Rows of announcements and their states. On the store's thread.
 *
 * STATES
 *   intake -> held -> scheduled -> gathering -> sending -> done
 *   intake -> scheduled (queued by command, or release = direct)
 *   scheduled, gathering, sending <-> paused (a gathering goes on where it was); held, recurring <-> paused after a
 *   restore
 *   intake -> recurring (store/series.h) -> done; each of its dates is an announcement of its own, held or scheduled
 *   recurring <-> paused (no date is made meanwhile)
 *   recurring -> stopped, and with it those of its dates that have not begun: held, scheduled, or paused before gathering
 *   held, scheduled, gathering, sending, paused -> stopped (what is pending is left out: "stopped"; what is on the wire
 *   just then still gets its outcome) */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/why.h"

struct db;

enum announcement_state {
    ANNOUNCEMENT_INTAKE = 1,
    ANNOUNCEMENT_HELD,
    ANNOUNCEMENT_SCHEDULED,
    ANNOUNCEMENT_GATHERING,
    ANNOUNCEMENT_SENDING,
    ANNOUNCEMENT_PAUSED,
    ANNOUNCEMENT_DONE,
    ANNOUNCEMENT_STOPPED,
    ANNOUNCEMENT_RECURRING,
};
const char *announcement_state_name(enum announcement_state s); /* gathering is shown as "sending" */

/* In a statement: not begun, so that nobody was written to. */
#define ANNOUNCEMENT_NOT_BEGUN "(state IN (2, 3) OR (state = 6 AND started IS NULL))"

/* The lists of an announcement, in the order in which it names them: a person is written to through the first that
 * reaches them. At least one. */
enum { ANNOUNCEMENT_LISTS_MAX = 32 };
struct announcement_lists {
    uint32_t ids[ANNOUNCEMENT_LISTS_MAX];
    size_t count;
};
bool announcement_lists_have(const struct announcement_lists *lists, uint32_t list);

struct announcement_row {
    int64_t id;
    const char *name, *list_names,              /* as they were then: "workshops, donors" */
        *subject, *why, *by, *event_uid, *only; /* only: its filter as written, or "" */
    struct announcement_lists lists;
    enum announcement_state state, resume_state;
    uint8_t identity[32];
    unsigned event_sequence;
    int64_t event_end_usec, created_usec, send_at_usec, send_until_usec, released_usec, started_usec, finished_usec,
        purged_usec; /* when its rows of delivery were removed, or 0 */
    uint64_t total, pending, delivered, deferred, refused, in_doubt, left_out;
    int64_t series;         /* the recurring one of which it is one date, or 0 */
    const char *occurrence; /* that date, or "" */
};

/* Inserts in state intake; row->id is set. resume_state says what it is to become. list_names: in the order of lists,
 * parted by ", ". */
int announcement_insert(struct db *db, struct announcement_row *row);
/* 1 found, 0 not. Strings in the arena. */
int announcement_get(struct db *db, int64_t id, struct arena *arena, struct announcement_row *ret);
/* The lists alone, of any announcement that ever was: 1 found, 0 not. */
int announcement_get_lists(struct db *db, int64_t id, struct announcement_lists *ret);
int announcement_delete_intake(struct db *db, int64_t id); /* only from intake */
/* The newest first; all states or only live ones (not done, not stopped). */
typedef int announcement_on_row(void *user, const struct announcement_row *row);
int announcement_each(struct db *db, bool live_only, unsigned max, announcement_on_row *on_row, void *user);
/* The same identity with this list among its lists, unfinished or created after since_usec, no date of a series: 1 and
 * its id. */
int announcement_find_same(struct db *db, uint32_t list, const uint8_t identity[32], int64_t since_usec,
                           int64_t *ret_id);
/* A held, scheduled or recurring one of the same name and first list, no date of a series: what a new one replaces. 1
 * and its id. */
int announcement_find_replaceable(struct db *db, uint32_t list, const char *name, int64_t *ret_id);
/* The event's UID that an earlier announcement of that name and first list used, if its event ends after now. 1 and uid,
 * sequence. What is not taken in yet does not count, here and below: it may be the remains of what failed. */
int announcement_find_event(struct db *db, uint32_t list, const char *name, int64_t now_usec, struct arena *arena,
                            const char **ret_uid, unsigned *ret_sequence);

/* How often an event of that UID was announced. */
int announcement_count_uid(struct db *db, const char *uid, unsigned *ret);
/* A date of a series that is in intake: 1 and its id. */
int announcement_find_cut_off(struct db *db, int64_t series, const char *occurrence, int64_t *ret_id);
/* The recurring one of that name and list: 1 and its id. */
int announcement_find_recurring(struct db *db, uint32_t list, const char *name, int64_t *ret_id);

/* Moves. Each refuses (-ESTALE with the reason in words, -ENOENT) where the state does not allow it. */
/* To held, scheduled or recurring. */
int announcement_taken_in(struct db *db, int64_t id, enum announcement_state state);
/* The files that it was made of are gone: resume_state, which says until then that they may be left, is cleared. */
int announcement_source_gone(struct db *db, int64_t id);
int announcement_release(struct db *db, int64_t id, int64_t now_usec, struct why *why);
int announcement_pause(struct db *db, int64_t id, const char *reason, struct why *why);
/* For a restore: whatever is not over, held ones too, waits for somebody to resume it. The first reason stays behind the
 * new one. */
int announcement_pause_all(struct db *db, const char *reason, uint64_t *ret_count);
int announcement_resume(struct db *db, int64_t id, struct why *why);
/* STORE_MORE: call again to go on leaving out what is pending (the state is stopped from the first call on). */
int announcement_stop(struct db *db, int64_t id, const char *reason, int64_t now_usec, struct why *why);
/* Fixes send_until where it is 0: give_up_usec from now, at latest the event's end. */
int announcement_begin_gathering(struct db *db, int64_t id, int64_t now_usec, int64_t give_up_usec);
int announcement_begin_sending(struct db *db, int64_t id);
int announcement_finish(struct db *db, int64_t id, int64_t now_usec);
/* The next send_at of a scheduled one, or 0 where there is none; 1 where one is to start at once. */
int announcement_next_start(struct db *db, int64_t *ret_usec);
