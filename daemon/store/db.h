/* SQLite behind a small interface; only db.c, given.c and functions.c include sqlite3.h. Used on the store's thread only
 * (tests may open one of their own). Statements are prepared once for each db and SQL text (by the literal's address)
 * and reused.
 *
 * A failing statement makes the whole step fail: functions return a negative errno (-ENOSPC, -EIO, -EEXIST for a
 * constraint, -EUCLEAN for corruption, -EINVAL for a wrong statement, else -EIO) and log the cause, at most once a
 * minute. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"
#include "base/why.h"

struct db;
struct row; /* a statement that stands on a row, or is ready to run */

int db_open(const char *path, struct why *why, struct db **ret); /* migrates; see store.h for errors */
/* `before` is called where an older store is about to be brought to the newest version, outside of any transaction, with
 * the version that it has; where it fails the store stays as it is. NULL: nothing is. A migration is one transaction. */
typedef int db_before_migration(const char *folder, struct db *db, int version, struct why *why);
int db_open_with(const char *path, db_before_migration *before, const char *folder, struct why *why, struct db **ret);
struct db *db_close(struct db *db);

int db_begin(struct db *db);
int db_commit(struct db *db);
void db_rollback(struct db *db);
/* Commits bring what has gathered in the log into the database, soon (the default), or late and all at once: where
 * nobody waits for what comes next. Late is at 256 MiB at the latest. */
void db_set_late(struct db *db, bool late);
/* Whether something was put off; and does it. */
bool db_is_late(const struct db *db);
void db_catch_up(struct db *db);
/* The storage failure (-ENOSPC, -EIO, -ENOMEM, -EUCLEAN …) for which this transaction can only be rolled back, or 0. */
int db_failure(const struct db *db);
bool db_in_transaction(const struct db *db);
/* One job's part of a transaction. They do not nest. */
int db_savepoint(struct db *db);
int db_release(struct db *db);
void db_rollback_to(struct db *db);

/* db_query(db, "SELECT a, b FROM t WHERE c = ? AND d = ?", &row, "it", number, text): binds by letters:
 * d int (enums too), i int64_t, z int64_t (0: null), u uint64_t, t const char * (NULL: null), v struct view, b struct view as blob, n null
 * (takes no argument). The types must be exactly these: cast a uint32_t to int64_t, write a constant as INT64_C(1) or
 * bind it as d. sql must be a literal. Then db_next() until 0; columns by index; db_end() when left early (db_next's 0
 * or error has ended it). */
int db_query(struct db *db, const char *sql, struct row **ret, const char *letters, ...);
/* The same with a statement made while the daemon runs, which is not kept: it and its values must live until the end of
 * the row. There is no row to be ended twice. Nothing that came from outside may be part of sql. */
struct db_value {
    struct view text; /* of is_text */
    int64_t number;
    bool is_text;
};
int db_query_made(struct db *db, const char *sql, const struct db_value *values, size_t count, struct row **ret);
int db_next(struct row *row); /* 1 a row, 0 no more, or an error */
void db_end(struct row *row);
int64_t row_int(const struct row *row, int column);
uint64_t row_uint(const struct row *row, int column);
/* Until the next db_next; "" where null. */
const char *row_text(const struct row *row, int column);
struct view row_view(const struct row *row, int column);
bool row_is_null(const struct row *row, int column);

/* Runs to the end; the number of rows changed in *ret_changed (may be NULL). */
int db_run(struct db *db, const char *sql, int64_t *ret_changed, const char *letters, ...);
/* Runs a statement that changes `page` rows at the most (which is its LIMIT) again and again: 0 when fewer were left, 1
 * when the slice was over first, after one run at the earliest. *count (may be NULL) grows by those that were changed. */
int db_run_pages(struct db *db, const char *sql, int64_t page, uint64_t *count, const char *letters, ...);
/* The first column of the first row; *ret is left alone where there is none (returns 0), 1 where there is one. */
int db_get_int(struct db *db, const char *sql, int64_t *ret, const char *letters, ...);
int64_t db_last_id(struct db *db);
/* Lets the statements that follow read these rows as a table (store/given.h), until the next call for it. */
struct given_table;
int db_give(struct db *db, const struct given_table *table, const void *rows, size_t count);
/* What is deleted is overwritten with zeros (secure_delete); after the commit of this transaction nothing of it is left in
 * the log either. A free block of the file system, and backups, may hold it longer. */
void db_scrub(struct db *db);
/* After much work: gives back what memory its caches took. */
void db_shrink(struct db *db);
/* Starts the time after which store_slice_over() answers yes; below 0: never. */
void db_slice_begin(struct db *db, int64_t usec);
bool db_slice_over(const struct db *db);

/* A copy of the whole store as it is at the copy's last step (meta 'copied' says when), in slices beside other work. The file is new (-EEXIST) and
 * its owner's alone; nothing of it is synced. On the store's thread, outside of transactions (store.h, apart). */
struct db_copy;
int db_copy_begin(struct db *db, const char *path, struct why *why, struct db_copy **ret);
/* 1 where there is more to do, 0 when it is whole; goes on until the slice is over. */
int db_copy_step(struct db_copy *copy);
/* Writes a store's log back into its file, whatever its version, so that the file is whole in itself. -EBUSY where
 * somebody has it open. */
int db_settle(const char *path, struct why *why);
struct db_copy *db_copy_end(struct db_copy *copy); /* whole or not; the file stays. NULL is fine */
/* Whether a file that db_copy_check() found sound is a store of ours, of whatever version (its header's application id, at
 * octet 68: the file format of SQLite, §1.3). */
bool db_is_store(const char *path);
/* Reads a whole copy through: structure, indices and constraints of each table. Makes it one plain file, and syncs it.
 * -EUCLEAN where it is damaged, and how. In any thread; takes the time it takes. */
int db_copy_check(const char *path, struct why *why);
struct tally;
struct tally *db_tally(struct db *db); /* store/tally.h */
