#include "store/db.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/number.h"
#include "schema_2_sql.h"
#include "schema_3_sql.h"
#include "schema_4_sql.h"
#include "schema_5_sql.h"
#include "schema_sql.h"
#include "store/functions.h"
#include "store/given.h"
#include "store/tally.h"
#include "store/wal.h"

#include "base/banned.h"

enum { BUCKETS = 256, APPLICATION_ID = 0x524e4442 /* "RNDB" */, CACHE_KIB = 5120, WAL_KEEP_BYTES = 32 << 20 };
enum { LOG_PAGES = 1000, LOG_LATE_PAGES = 64 * 1024 }; /* then the log is brought into the database */
enum { GIVEN_MAX = 4 };                                /* kinds of rows that db_give() has met */
enum { COPY_PAGES = 32, COPY_FINDINGS = 3 };

struct row {
    struct db *db;
    const char *sql; /* the literal, which is the key */
    sqlite3_stmt *statement;
    struct row *next; /* in its bucket */
    bool busy;
    bool made; /* in no bucket, and goes with its end */
};

struct db {
    sqlite3 *handle;
    struct row *buckets[BUCKETS];
    struct given *given[GIVEN_MAX]; /* the handle's */
    struct tally tally;
    int failure;               /* of this transaction */
    int64_t silent_until_usec; /* monotonic: one was said already */
    bool in_transaction, scrub, late;
    int log_pages;          /* after the last commit */
    int64_t slice_end_usec; /* monotonic; 0: never */
};

/* Forward only; number n brings version n - 1 to n. */
static const char *const migrations[] = {schema_sql, schema_2_sql, schema_3_sql, schema_4_sql, schema_5_sql};
enum { VERSION = COUNT_OF(migrations) };

static int errno_of(struct db *db, int code) {
    int system = db && db->handle ? sqlite3_system_errno(db->handle) : 0;
    switch (code & 0xff) {
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_CONSTRAINT: return -EEXIST;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return -EUCLEAN;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return -EBUSY;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG: return -EINVAL;
    case SQLITE_READONLY: return -EROFS;
    case SQLITE_IOERR:
        if (code == SQLITE_IOERR_NOMEM)
            return -ENOMEM;
        return system == ENOSPC || system == EDQUOT || system == ENOMEM ? -system : -EIO;
    case SQLITE_CANTOPEN: return system == EACCES || system == EPERM ? -system : -EIO;
    default: return -EIO;
    }
}

/* Takes note of a failed call. A broken constraint or a wrong statement undoes itself only; everything else breaks the
 * transaction: SQLite may have rolled it back already, so that a later statement would stand alone. */
static int failed(struct db *db, int code, const char *sql) {
    int r = errno_of(db, code);
    if (r == -EEXIST) {
        log_debug("store-constraint", LOG_TEXT("reason", sqlite3_errmsg(db->handle)), LOG_TEXT("statement", sql));
        return r;
    }
    int64_t now = clock_mono_usec();
    if (now >= db->silent_until_usec) {
        db->silent_until_usec = now + USEC_PER_MIN;
        log_error("store-failed",
                  LOG_TEXT("reason", code == SQLITE_NOMEM ? sqlite3_errstr(code) : sqlite3_errmsg(db->handle)),
                  LOG_NUM("code", sqlite3_extended_errcode(db->handle)), LOG_TEXT("statement", sql));
    }
    if (db->in_transaction && r != -EINVAL)
        db->failure = r;
    return r;
}

/* --- Opening ------------------------------------------------------------------------------------------------- */

static int pragma_int(struct db *db, const char *sql, int64_t *ret) {
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL);
    if (code == SQLITE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        *ret = sqlite3_column_int64(statement, 0);
        code = SQLITE_OK;
    }
    (void)sqlite3_finalize(statement); /* repeats the code of the step */
    return code == SQLITE_OK ? 0 : errno_of(db, code);
}

static int exec(struct db *db, const char *sql) {
    int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : errno_of(db, code);
}

static int configure(struct db *db) {
    static const int switches[][2] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1}, {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0}, {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},   {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0}, {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
    };
    for (size_t i = 0; i < COUNT_OF(switches); i++)
        if (sqlite3_db_config(db->handle, switches[i][0], switches[i][1], NULL) != SQLITE_OK)
            return -EIO;
    (void)sqlite3_extended_result_codes(db->handle, 1); /* fails for no valid handle */
    char sql[512];
    (void)snprintf(sql, sizeof sql, /* fits: all numbers are constants */
                   "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
                   "PRAGMA cache_size = -%d; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY; "
                   "PRAGMA cell_size_check = ON; PRAGMA secure_delete = ON; PRAGMA journal_size_limit = %d; "
                   "BEGIN EXCLUSIVE; COMMIT",
                   CACHE_KIB, WAL_KEEP_BYTES);
    return exec(db, sql);
}

/* In one transaction: whichever step fails, the store stays as it was, and the program that wrote it can go on. */
static int bring_from(int version, struct db *db, struct why *why) {
    char stamp[96];
    (void)snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", APPLICATION_ID,
                   (int)VERSION); /* fits: two numbers */
    int r = exec(db, "BEGIN");
    for (; r == 0 && version < VERSION; version++)
        r = exec(db, migrations[version]);
    if (r == 0)
        r = exec(db, stamp);
    if (r < 0) {
        (void)why_set(why, r, "cannot bring the store to version %d: %s", version, sqlite3_errmsg(db->handle));
        (void)exec(db, "ROLLBACK"); /* where it could not, closing does */
    }
    return r;
}

static int migrate(struct db *db, db_before_migration *before, const char *folder, struct why *why) {
    int64_t version = 0, application = 0, tables = 0;
    int r = pragma_int(db, "PRAGMA user_version", &version);
    if (r == 0)
        r = pragma_int(db, "PRAGMA application_id", &application);
    if (r == 0)
        r = pragma_int(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (r < 0)
        return why_set(why, r, "cannot read the store: %s", sqlite3_errmsg(db->handle));
    if (application != APPLICATION_ID && (application != 0 || version != 0 || tables != 0))
        return why_set(why, -EPROTO, "this is not a store of rundbrief");
    if (version > VERSION) {
        (void)why_set(why, -EPROTONOSUPPORT, "the store has version %lld, this program knows up to %d",
                      (long long)version, (int)VERSION);
        why_todo(why, "Run the newer rundbrief that wrote it, or restore a backup");
        return -EPROTONOSUPPORT;
    }
    if (version == VERSION)
        return 0;
    if (version > 0 && before && (r = before(folder, db, (int)version, why)) < 0)
        return r;
    return bring_from((int)version, db, why);
}

/* Made here and not by SQLite, so that nobody else can read it (the WAL takes over its mode) and its name is durable.
 */
static int create_file(const char *path) {
    AUTOCLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? 0 : -errno;
    const char *slash = strrchr(path, '/');
    AUTOFREE char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!folder)
        return -ENOMEM;
    AUTOCLOSE int dirfd = files_open_dir(AT_FDCWD, folder);
    return dirfd < 0 ? dirfd : files_fsync_dir(dirfd);
}

static int prepare_transactions(struct db *db);

static int on_commit(void *user, sqlite3 *handle, const char *name, int pages) {
    (void)handle, (void)name;
    ((struct db *)user)->log_pages = pages;
    return SQLITE_OK;
}

int db_open(const char *path, struct why *why, struct db **ret) {
    return db_open_with(path, NULL, NULL, why, ret);
}

int db_open_with(const char *path, db_before_migration *before, const char *folder, struct why *why, struct db **ret) {
    int r = create_file(path);
    if (r < 0) {
        (void)why_set(why, r, "cannot create the store: %s", strerror(-r));
        why_where(why, "%s", path);
        return r;
    }
    struct db *db = calloc(1, sizeof *db);
    if (!db)
        return why_set(why, -ENOMEM, "no memory for the store");
    tally_clear(&db->tally);
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* saves a lock at each allocation; refused once it runs */
    int code =
        sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    r = code == SQLITE_OK ? configure(db) : errno_of(db, code);
    if (r == 0)
        r = functions_add(db->handle);
    if (r == 0 && (r = wal_settle(path)) < 0)
        (void)why_set(why, r, "cannot make sure of the store's log: %s", strerror(-r));
    else if (r == -EBUSY)
        (void)why_set(why, r, "another process has the store open");
    else if (r < 0)
        (void)why_set(why, r, "cannot open the store: %s", db->handle ? sqlite3_errmsg(db->handle) : strerror(-r));
    else if ((r = migrate(db, before, folder, why)) == 0 && (r = prepare_transactions(db)) < 0)
        (void)why_set(why, r, "cannot open the store: %s", strerror(-r));
    if (r < 0) {
        if (!why->where[0])
            why_where(why, "%s", path);
        (void)db_close(db);
        return r;
    }
    (void)sqlite3_wal_hook(db->handle, on_commit, db); /* returns the one before */
    *ret = db;
    return 0;
}

struct db *db_close(struct db *db) {
    if (!db)
        return NULL;
    for (size_t i = 0; i < BUCKETS; i++)
        while (db->buckets[i]) {
            struct row *row = db->buckets[i];
            db->buckets[i] = row->next;
            (void)sqlite3_finalize(row->statement); /* repeats an old failure */
            free(row);
        }
    if (db->handle && sqlite3_close(db->handle) != SQLITE_OK)
        log_error("store-close-failed", LOG_TEXT("reason", sqlite3_errmsg(db->handle)));
    free(db);
    return NULL;
}

/* --- Statements ---------------------------------------------------------------------------------------------- */

static int prepare(struct db *db, const char *sql, struct row **ret) {
    struct row **bucket = &db->buckets[((uintptr_t)sql >> 3) % BUCKETS];
    for (struct row *row = *bucket; row; row = row->next)
        if (row->sql == sql && !row->busy) {
            *ret = row;
            return 0;
        }
    struct row *row = calloc(1, sizeof *row);
    if (!row)
        return failed(db, SQLITE_NOMEM, sql);
    int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &row->statement, NULL);
    if (code != SQLITE_OK) {
        free(row);
        return failed(db, code, sql);
    }
    *row = (struct row){.db = db, .sql = sql, .statement = row->statement, .next = *bucket};
    *bucket = row;
    *ret = row;
    return 0;
}

/* keep: the values live until the statement is done, so they need no copy. */
static int bind(struct row *row, bool keep, const char *letters, va_list args) {
    sqlite3_stmt *s = row->statement;
    sqlite3_destructor_type how = keep ? SQLITE_STATIC : SQLITE_TRANSIENT;
    assert((size_t)sqlite3_bind_parameter_count(s) == strlen(letters));
    int code = SQLITE_OK;
    for (int i = 1; letters[i - 1] && code == SQLITE_OK; i++) {
        struct view v;
        switch (letters[i - 1]) {
        case 'i': code = sqlite3_bind_int64(s, i, va_arg(args, int64_t)); break;
        case 'z': {
            int64_t n = va_arg(args, int64_t);
            code = n ? sqlite3_bind_int64(s, i, n) : sqlite3_bind_null(s, i);
            break;
        }
        case 'd': code = sqlite3_bind_int64(s, i, va_arg(args, int)); break;
        case 'u': code = sqlite3_bind_int64(s, i, (int64_t)va_arg(args, uint64_t)); break;
        case 't':
            v = view_of(va_arg(args, const char *));
            code = v.ptr ? sqlite3_bind_text64(s, i, v.ptr, v.len, how, SQLITE_UTF8) : sqlite3_bind_null(s, i);
            break;
        case 'v':
            v = va_arg(args, struct view);
            code = sqlite3_bind_text64(s, i, v.ptr ? v.ptr : "", v.len, how, SQLITE_UTF8);
            break;
        case 'b':
            v = va_arg(args, struct view);
            code = v.len ? sqlite3_bind_blob64(s, i, v.ptr, v.len, how) : sqlite3_bind_zeroblob(s, i, 0);
            break;
        case 'n': code = sqlite3_bind_null(s, i); break;
        default: assert(!"an unknown letter");
        }
    }
    return code == SQLITE_OK ? 0 : failed(row->db, code, row->sql);
}

static int start(struct db *db, const char *sql, bool keep, const char *letters, va_list args, struct row **ret) {
    if (db->failure)
        return db->failure;
    struct row *row = NULL;
    int r = prepare(db, sql, &row);
    if (r < 0)
        return r;
    assert(row);
    r = bind(row, keep, letters, args);
    if (r < 0)
        return r;
    row->busy = true;
    *ret = row;
    return 0;
}

int db_query(struct db *db, const char *sql, struct row **ret, const char *letters, ...) {
    va_list args;
    va_start(args, letters);
    int r = start(db, sql, false, letters, args, ret);
    va_end(args);
    return r;
}

static int bind_values(sqlite3_stmt *statement, const struct db_value *values, size_t count) {
    assert((size_t)sqlite3_bind_parameter_count(statement) == count);
    int code = SQLITE_OK;
    for (size_t i = 0; i < count && code == SQLITE_OK; i++) {
        const struct db_value *v = &values[i];
        code = v->is_text ? sqlite3_bind_text64(statement, (int)i + 1, v->text.ptr ? v->text.ptr : "", v->text.len,
                                                SQLITE_STATIC, SQLITE_UTF8)
                          : sqlite3_bind_int64(statement, (int)i + 1, v->number);
    }
    return code;
}

int db_query_made(struct db *db, const char *sql, const struct db_value *values, size_t count, struct row **ret) {
    if (db->failure)
        return db->failure;
    struct row *row = calloc(1, sizeof *row);
    if (!row)
        return failed(db, SQLITE_NOMEM, "");
    *row = (struct row){.db = db, .sql = sql, .busy = true, .made = true};
    int code = sqlite3_prepare_v3(db->handle, sql, -1, 0, &row->statement, NULL);
    if (code == SQLITE_OK)
        code = bind_values(row->statement, values, count);
    if (code != SQLITE_OK) {
        int r = failed(db, code, sql);
        db_end(row);
        return r;
    }
    *ret = row;
    return 0;
}

int db_next(struct row *row) {
    int code = sqlite3_step(row->statement);
    if (code == SQLITE_ROW)
        return 1;
    int r = code == SQLITE_DONE ? 0 : failed(row->db, code, row->sql);
    db_end(row);
    return r;
}

void db_end(struct row *row) {
    if (row->made) {
        (void)sqlite3_finalize(row->statement); /* repeats the code of the step */
        free(row);
        return;
    }
    (void)sqlite3_reset(row->statement); /* repeats the code of the step */
    row->busy = false;
}

int64_t row_int(const struct row *row, int column) {
    return sqlite3_column_int64(row->statement, column);
}

uint64_t row_uint(const struct row *row, int column) {
    return (uint64_t)sqlite3_column_int64(row->statement, column);
}

/* A value that found no memory looks like none: the transaction must not go on with it. */
static void note_missing(const struct row *row) {
    if (sqlite3_errcode(row->db->handle) == SQLITE_NOMEM)
        (void)failed(row->db, SQLITE_NOMEM, row->sql);
}

const char *row_text(const struct row *row, int column) {
    const char *text = (const char *)sqlite3_column_text(row->statement, column);
    if (!text)
        note_missing(row);
    return text ? text : "";
}

struct view row_view(const struct row *row, int column) {
    sqlite3_value *value =
        sqlite3_column_value(row->statement, column); /* not locked: the connection is one thread's */
    if (sqlite3_value_type(value) == SQLITE_TEXT) {   /* mostly; is not converted, so that nothing can be missing */
        const char *text = sqlite3_value_blob(value);
        return text ? view_make(text, (size_t)sqlite3_value_bytes(value)) : VIEW("");
    }
    const char *bytes = sqlite3_column_blob(row->statement, column);
    int len = sqlite3_column_bytes(row->statement, column);
    if (!bytes)
        note_missing(row);
    return bytes ? view_make(bytes, (size_t)len) : VIEW("");
}

bool row_is_null(const struct row *row, int column) {
    return sqlite3_column_type(row->statement, column) == SQLITE_NULL;
}

static int run(struct db *db, const char *sql, int64_t *ret_changed, const char *letters, va_list args) {
    struct row *row = NULL;
    int r = start(db, sql, true, letters, args, &row);
    while (r == 0 && (r = db_next(row)) == 1)
        r = 0;
    if (r == 0 && ret_changed)
        *ret_changed = sqlite3_changes64(db->handle);
    return r;
}

int db_run(struct db *db, const char *sql, int64_t *ret_changed, const char *letters, ...) {
    va_list args;
    va_start(args, letters);
    int r = run(db, sql, ret_changed, letters, args);
    va_end(args);
    return r;
}

int db_run_pages(struct db *db, const char *sql, int64_t page, uint64_t *count, const char *letters, ...) {
    int64_t changed = 0;
    int r;
    do {
        va_list args;
        va_start(args, letters);
        r = run(db, sql, &changed, letters, args);
        va_end(args);
        if (r == 0 && count)
            *count += (uint64_t)changed;
    } while (r == 0 && changed == page && !db_slice_over(db));
    return r < 0 ? r : changed == page;
}

int db_get_int(struct db *db, const char *sql, int64_t *ret, const char *letters, ...) {
    struct row *row = NULL;
    va_list args;
    va_start(args, letters);
    int r = start(db, sql, true, letters, args, &row);
    va_end(args);
    if (r == 0 && (r = db_next(row)) == 1) {
        *ret = row_int(row, 0);
        db_end(row);
    }
    return r;
}

int db_give(struct db *db, const struct given_table *table, const void *rows, size_t count) {
    size_t i = 0;
    while (i < GIVEN_MAX && db->given[i] && given_table(db->given[i]) != table)
        i++;
    assert(i < GIVEN_MAX);
    int r = db->given[i] ? 0 : given_new(db->handle, table, &db->given[i]);
    if (r < 0)
        return failed(db, SQLITE_NOMEM, table->name);
    given_set(db->given[i], rows, count);
    return 0;
}

int64_t db_last_id(struct db *db) {
    return sqlite3_last_insert_rowid(db->handle);
}

/* --- Transactions -------------------------------------------------------------------------------------------- */

/* Prepared when the store is opened: where memory runs out, a transaction can still be undone. */
static const char begin_sql[] = "BEGIN", commit_sql[] = "COMMIT", rollback_sql[] = "ROLLBACK",
                  savepoint_sql[] = "SAVEPOINT job", release_sql[] = "RELEASE job", undo_sql[] = "ROLLBACK TO job";

static int prepare_transactions(struct db *db) {
    const char *const all[] = {begin_sql, commit_sql, rollback_sql, savepoint_sql, release_sql, undo_sql};
    struct row *row;
    int r = 0;
    for (size_t i = 0; i < COUNT_OF(all) && r == 0; i++)
        r = prepare(db, all[i], &row);
    return r;
}

int db_begin(struct db *db) {
    assert(!db->in_transaction);
    tally_clear(&db->tally);
    db->failure = 0;
    if (!sqlite3_get_autocommit(db->handle)) /* an earlier one that could not be undone */
        db_rollback(db);
    int r = db_run(db, begin_sql, NULL, "");
    db->in_transaction = r == 0;
    return r;
}

void db_scrub(struct db *db) {
    db->scrub = true;
}

/* Pages of the log still hold what was overwritten in them. What fails here is tried again with the next commit. */
static void scrub(struct db *db) {
    int code = sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (code == SQLITE_OK)
        db->scrub = false;
    else
        (void)failed(db, code, "PRAGMA wal_checkpoint(TRUNCATE)");
}

void db_set_late(struct db *db, bool late) {
    db->late = late;
}

/* What fails here is in the log, and is tried again after the next commit. */
static void bring_over(struct db *db, int pages) {
    if (db->log_pages >= pages &&
        sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL) == SQLITE_OK)
        db->log_pages = 0;
}

bool db_is_late(const struct db *db) {
    return !db->in_transaction && db->log_pages >= LOG_PAGES;
}

void db_catch_up(struct db *db) {
    db->late = false;
    bring_over(db, LOG_PAGES);
    db->log_pages = 0; /* what failed is tried after the next commit */
}

int db_commit(struct db *db) {
    int r = tally_flush(db);
    if (r == 0)
        r = db_run(db, commit_sql, NULL, "");
    if (r < 0) {
        db_rollback(db);
        return r;
    }
    db->in_transaction = false;
    bring_over(db, db->late ? LOG_LATE_PAGES : LOG_PAGES);
    if (db->scrub)
        scrub(db);
    return 0;
}

void db_rollback(struct db *db) {
    tally_clear(&db->tally);
    db->failure = 0;
    if (!sqlite3_get_autocommit(db->handle))
        (void)db_run(db, rollback_sql, NULL, ""); /* what fails here has been logged, and nothing was committed */
    db->in_transaction = false;
    db->failure = 0;
}

int db_failure(const struct db *db) {
    return db->failure;
}

bool db_in_transaction(const struct db *db) {
    return db->in_transaction;
}

int db_savepoint(struct db *db) {
    int r = tally_flush(db);
    return r < 0 ? r : db_run(db, savepoint_sql, NULL, "");
}

int db_release(struct db *db) {
    int r = tally_flush(db);
    return r < 0 ? r : db_run(db, release_sql, NULL, "");
}

void db_rollback_to(struct db *db) {
    tally_clear(&db->tally);
    if (db_run(db, undo_sql, NULL, "") == 0)
        (void)db_run(db, release_sql, NULL, ""); /* a failure stays with the transaction: db_failure() */
}

struct tally *db_tally(struct db *db) {
    return &db->tally;
}

void db_shrink(struct db *db) {
    (void)sqlite3_db_release_memory(db->handle); /* as much as it can */
    (void)malloc_trim(0);
}

void db_slice_begin(struct db *db, int64_t usec) {
    db->slice_end_usec = usec < 0 ? 0 : clock_mono_usec() + usec;
}

bool db_slice_over(const struct db *db) {
    return db->slice_end_usec && clock_mono_usec() >= db->slice_end_usec;
}

/* --- Copies -------------------------------------------------------------------------------------------------- */

struct db_copy {
    struct db *from;
    sqlite3 *to;
    sqlite3_backup *backup;
    bool whole;
};

static int open_copy(const char *path, sqlite3 **ret) {
    return sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
}

int db_copy_begin(struct db *db, const char *path, struct why *why, struct db_copy **ret) {
    AUTOCLOSE int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    struct db_copy *copy = fd < 0 ? NULL : calloc(1, sizeof *copy);
    if (!copy)
        return why_set(why, -errno, "cannot make the copy: %s", strerror(errno));
    copy->from = db;
    int code = open_copy(path, &copy->to);
    if (code == SQLITE_OK) /* a copy that is cut off is worth nothing: it needs no journal */
        code = sqlite3_exec(copy->to,
                            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; "
                            "PRAGMA cache_size = -512",
                            NULL, NULL, NULL);
    if (code == SQLITE_OK && !(copy->backup = sqlite3_backup_init(copy->to, "main", db->handle, "main")))
        code = sqlite3_errcode(copy->to);
    if (code != SQLITE_OK) {
        int r = errno_of(NULL, code);
        (void)db_copy_end(copy);
        return why_set(why, r, "cannot begin the copy: %s", sqlite3_errstr(code));
    }
    *ret = copy;
    return 0;
}

int db_copy_step(struct db_copy *copy) {
    int code;
    assert(sqlite3_get_autocommit(copy->from->handle));
    do
        code = sqlite3_backup_step(copy->backup, COPY_PAGES);
    while (code == SQLITE_OK && !db_slice_over(copy->from));
    if (code == SQLITE_OK)
        return 1;
    if (code == SQLITE_DONE) {
        copy->whole = true;
        return 0;
    }
    int error = sqlite3_system_errno(copy->to); /* of writing it, mostly */
    return error == ENOSPC || error == EDQUOT ? -error : errno_of(NULL, code);
}

/* When it was made: for whoever goes back to it. Without it the copy is as good. */
static void stamp(sqlite3 *to) {
    char sql[96];
    (void)snprintf(sql, sizeof sql, "INSERT OR REPLACE INTO meta VALUES ('copied', %lld)",
                   (long long)clock_now_usec()); /* fits: a number */
    (void)sqlite3_exec(to, sql, NULL, NULL, NULL);
}

int db_settle(const char *path, struct why *why) {
    sqlite3 *handle = NULL;
    int code = open_copy(path, &handle);
    if (code == SQLITE_OK)
        code = sqlite3_exec(handle,
                            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; PRAGMA journal_mode = DELETE",
                            NULL, NULL, NULL);
    int r = code == SQLITE_OK ? 0 : errno_of(NULL, code);
    if (r < 0) {
        (void)why_set(why, r, r == -EBUSY ? "another process has the store open" : "the store cannot be read: %s",
                      sqlite3_errstr(code));
        why_where(why, "%s", path);
    }
    (void)sqlite3_close(handle); /* has no statements */
    return r;
}

struct db_copy *db_copy_end(struct db_copy *copy) {
    if (copy) {
        (void)sqlite3_backup_finish(copy->backup); /* repeats the code of the last step */
        if (copy->whole)
            stamp(copy->to);
        (void)sqlite3_close(copy->to); /* has no statements */
        free(copy);
    }
    return NULL;
}

struct findings {
    struct buf text;
    unsigned count;
};

static int on_finding(void *user, int columns, char **values, char **names) {
    struct findings *f = user;
    (void)columns;
    (void)names;
    if (!values[0] || strcmp(values[0], "ok") == 0)
        return 0;
    buf_printf(&f->text, f->count++ ? "; %s" : "%s", values[0]);
    return 0;
}

/* A copy has its original's journal mode, which would put files of its own beside it. */
static int read_through(const char *path, struct findings *f, struct why *why) {
    char sql[32];
    sqlite3 *handle = NULL;
    (void)snprintf(sql, sizeof sql, "PRAGMA integrity_check(%d)", COPY_FINDINGS); /* fits: a small number */
    int code = open_copy(path, &handle);
    if (code == SQLITE_OK)
        code = sqlite3_exec(handle,
                            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA cache_size = -4096; "
                            "PRAGMA cell_size_check = ON; PRAGMA journal_mode = DELETE",
                            NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(handle, sql, on_finding, f, NULL);
    int r = code == SQLITE_OK ? 0 : errno_of(NULL, code);
    if (r < 0)
        (void)why_set(why, r, r == -EUCLEAN ? "the store is damaged: %s" : "the copy cannot be read: %s",
                      handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
    (void)sqlite3_close(handle); /* has no statements */
    return r;
}

bool db_is_store(const char *path) {
    uint8_t id[4];
    AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 && pread(fd, id, sizeof id, 68) == sizeof id &&
           ((uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3]) == APPLICATION_ID;
}

int db_copy_check(const char *path, struct why *why) {
    struct findings f = {.text = BUF_INIT(64 * 1024)};
    int r = read_through(path, &f, why);
    if (r == 0 && f.count)
        r = why_set(why, -EUCLEAN, "the store is damaged: %s", buf_str(&f.text));
    buf_done(&f.text);
    if (r < 0)
        return r;
    AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0)
        return why_set(why, -errno, "the copy cannot be made durable: %s", strerror(errno));
    return 0;
}
