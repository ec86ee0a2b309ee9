#include "app/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "announce/admit.h"
#include "app/restore_report.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/number.h"
#include "conf/conf.h"
#include "spool/spool.h"
#include "store/announcement.h"
#include "store/db.h"
#include "store/epoch.h"
#include "store/kept.h"
#include "store/notice.h"
#include "store/store.h"
#include "trust/keys.h"

#include "base/banned.h"

enum { NAMES_MAX = 1000000, PIECE_BYTES = 1 << 16, RETRIES = 100 };

struct restore {
    const struct conf *conf;
    const struct restore_wish *wish;
    int from, from_wal, lock; /* descriptors, or -1 */
    struct spool *spool;
    struct db *db;
    char folder[PATH_MAX], copy[PATH_MAX], store[PATH_MAX];
    struct restore_report report;
    struct why why;
};

static int fail(struct restore *r, int error, const char *where, const char *what) {
    if (!r->why.what[0]) {
        (void)why_set(&r->why, error, "%s: %s", what, strerror(-error));
        why_where(&r->why, "%s", where);
    }
    return error;
}

/* --- Who does it --------------------------------------------------------------------------------------------- */

/* Files of root would be useless to the daemon. */
static int become_owner(struct restore *r) {
    const char *state_dir = r->conf->state_dir;
    struct stat st;
    if (stat(state_dir, &st) < 0) {
        int error = -errno;
        (void)fail(r, error, state_dir, "cannot look at the state folder");
        why_todo(&r->why, "Make it first: systemd-tmpfiles --create");
        return error;
    }
    if (geteuid() != 0 || st.st_uid == 0)
        return 0;
    const struct passwd *owner = getpwuid(st.st_uid);
    if (!owner || initgroups(owner->pw_name, owner->pw_gid) < 0 || setgid(owner->pw_gid) < 0 || setuid(st.st_uid) < 0)
        return fail(r, errno ? -errno : -ENOENT, state_dir, "cannot become the owner of the state folder");
    return 0;
}

static int open_file(struct restore *r) {
    char wal[PATH_MAX];
    struct stat st;
    r->from = open(r->wish->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = r->from < 0 ? -errno : fstat(r->from, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
    if (error < 0)
        return fail(r, error, r->wish->file, "cannot read the backup");
    if (snprintf(wal, sizeof wal, "%s-wal", r->wish->file) >= (int)sizeof wal)
        return fail(r, -ENAMETOOLONG, r->wish->file, "cannot read the backup");
    r->from_wal = open(wal, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* mostly there is none */
    return 0;
}

/* --- The copy ------------------------------------------------------------------------------------------------ */

static int copy_file(int from, const char *to) {
    char piece[PIECE_BYTES];
    AUTOCLOSE int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    for (;;) {
        ssize_t n = read(from, piece, sizeof piece);
        if (n == 0)
            return 0;
        if (n < 0 && errno == EINTR)
            continue;
        int error = n < 0 ? -errno : files_write_all(fd, piece, (size_t)n);
        if (error < 0)
            return error;
    }
}

static int make_copy(struct restore *r) {
    struct stat st;
    char wal[PATH_MAX];
    int error = fstat(r->from, &st) < 0 ? -errno : 0;
    if (error == 0) {
        uint64_t spare = (uint64_t)st.st_size * 2 + KEPT_SPARE_BYTES;
        error = files_room(r->conf->state_dir) < spare ? -ENOSPC : 0;
    }
    if (error == -ENOSPC) {
        (void)why_set(&r->why, error, "there is no room for the restored store beside the one that is there");
        why_where(&r->why, "%s", r->conf->state_dir);
        why_todo(&r->why, "Free %llu MiB on this disk", (unsigned long long)((uint64_t)st.st_size * 2 >> 20) + 65);
        return error;
    }
    if (error == 0)
        error = files_remove_tree(AT_FDCWD, r->folder); /* of one that was cut off */
    if (error == 0)
        error = files_make_dirs(r->folder, 0700);
    if (error == 0)
        error = copy_file(r->from, r->copy);
    if (error == 0 && r->from_wal >= 0 && snprintf(wal, sizeof wal, "%s-wal", r->copy) < (int)sizeof wal)
        error = copy_file(r->from_wal, wal);
    if (error < 0)
        return fail(r, error, r->folder, "cannot copy the backup");
    error = db_copy_check(r->copy, &r->why);
    if (error == 0 && !db_is_store(r->copy))
        error = -EPROTO;
    if (error < 0) {
        (void)why_set(&r->why, error, "this is no sound backup: %s",
                      error == -EUCLEAN  ? "it is damaged"
                      : error == -EPROTO ? "it is no store of rundbrief"
                                         : strerror(-error));
        why_where(&r->why, "%s", r->wish->file);
        why_todo(&r->why, "Take another one; nothing was changed");
        return error;
    }
    error = db_open(r->copy, &r->why, &r->db);
    if (error < 0)
        why_where(&r->why, "%s", r->wish->file);
    return error;
}

/* --- What the spool has -------------------------------------------------------------------------------------- */

static bool id_of(const char *name, int64_t *ret) {
    return number_parse_i64(view_of(name), ret) == 0 && *ret > 0;
}

static int look_at_bundles(struct restore *r, int64_t *ret_epoch) {
    char **names = NULL;
    size_t count = 0;
    int error = files_list(r->spool->dirfd, "announcements", NAMES_MAX, &names, &count);
    for (size_t i = 0; i < count && error >= 0; i++) {
        struct announcement_lists lists;
        int64_t id;
        if (!id_of(names[i], &id))
            continue;
        if (id >> EPOCH_SHIFT > *ret_epoch)
            *ret_epoch = id >> EPOCH_SHIFT;
        error = announcement_get_lists(r->db, id, &lists);
        if (error == 0)
            error = restore_numbers_add(&r->report.unknown, id);
    }
    files_free_names(names, count);
    return error < 0 ? fail(r, error, r->spool->path, "cannot look at the announcements' bundles") : 0;
}

/* Of what is over nobody is written to any more. */
static int look_for_bundle(void *user, const struct announcement_row *row) {
    struct restore *r = user;
    char path[64];
    (void)snprintf(path, sizeof path, "announcements/%lld", (long long)row->id); /* fits: a number */
    bool needed =
        row->state != ANNOUNCEMENT_INTAKE && row->state != ANNOUNCEMENT_DONE && row->state != ANNOUNCEMENT_STOPPED;
    return needed && faccessat(r->spool->dirfd, path, F_OK, 0) < 0 ? restore_numbers_add(&r->report.missing, row->id)
                                                                   : 0;
}

/* The highest epoch that a restore here has begun: it may be beyond that of the backup. */
static int64_t read_epoch(const struct restore *r) {
    char path[PATH_MAX];
    AUTOBUF struct buf text = BUF_INIT(32);
    uint64_t epoch = 0;
    if (snprintf(path, sizeof path, "%s/epoch", r->conf->state_dir) < (int)sizeof path &&
        files_read_regular(AT_FDCWD, path, &text) == 0)
        (void)number_parse_u64(view_trim(buf_view(&text)), EPOCH_MAX, &epoch); /* else it stays 0 */
    return (int64_t)epoch;
}

static int keep_epoch(struct restore *r) {
    char path[PATH_MAX], text[32];
    int n = snprintf(text, sizeof text, "%lld\n", (long long)r->report.epoch); /* fits */
    if (snprintf(path, sizeof path, "%s/epoch", r->conf->state_dir) >= (int)sizeof path)
        return -ENAMETOOLONG;
    int error = files_write_durable(AT_FDCWD, path, view_make(text, (size_t)n), 0600);
    return error < 0 ? fail(r, error, path, "cannot write the epoch") : 0;
}

/* --- In the copy --------------------------------------------------------------------------------------------- */

static int change_copy(struct restore *r) {
    AUTOBUF struct buf reason = BUF_INIT(512), made = BUF_INIT(64);
    int64_t known = read_epoch(r);
    if (r->report.made_usec)
        clock_print_utc(&made, r->report.made_usec);
    buf_printf(
        &reason,
        "restored from a backup%s%.16s: who was written to after it is not known here and would be written to once "
        "more; look at the relay's log and at what was sent before, then resume or stop it",
        r->report.made_usec ? " of " : "", r->report.made_usec ? buf_str(&made) : "");
    int error = look_at_bundles(r, &known);
    if (error == 0)
        error = announcement_each(r->db, false, UINT_MAX, look_for_bundle, r);
    if (error == 0)
        error = db_begin(r->db);
    if (error < 0)
        return fail(r, error, r->copy, "cannot change the copy of the backup");
    error = epoch_raise(r->db, known, &r->report.epoch);
    if (error == 0)
        error = announcement_pause_all(r->db, buf_str(&reason), &r->report.paused);
    if (error == 0)
        error = notice_drop_waiting(r->db, &r->report.dropped);
    if (error == 0)
        error = db_commit(r->db);
    return error < 0 ? fail(r, error, r->copy, "cannot change the copy of the backup") : 0;
}

static int look(struct restore *r) {
    int error = db_get_int(r->db, "SELECT count(*) FROM subscriber", &r->report.people, "");
    if (error >= 0)
        error = db_get_int(r->db, "SELECT value FROM meta WHERE key = 'copied'", &r->report.made_usec, "");
    return error < 0 ? fail(r, error, r->copy, "cannot read the copy of the backup") : 0;
}

/* --- What the spool gives ------------------------------------------------------------------------------------ */

static int move_requests(struct restore *r) {
    char **names = NULL;
    size_t count = 0;
    int dirfd = r->spool->dirfd;
    int error = files_list(dirfd, "applied", NAMES_MAX, &names, &count);
    if (error == 0 && count)
        error = files_make_dir(dirfd, "requests/restored", 0700);
    for (size_t i = 0; i < count && error == 0; i++) {
        char from[PATH_MAX], to[PATH_MAX];
        if (!view_ends(view_of(names[i]), ".req") ||
            snprintf(from, sizeof from, "applied/%s", names[i]) >= (int)sizeof from ||
            snprintf(to, sizeof to, "requests/restored/%s", names[i]) >= (int)sizeof to)
            continue;
        if (renameat(dirfd, from, dirfd, to) < 0)
            error = -errno;
        r->report.requests += error == 0;
    }
    files_free_names(names, count);
    AUTOCLOSE int folder = error == 0 && r->report.requests ? files_open_dir(dirfd, "requests/restored") : -1;
    if (folder >= 0)
        error = files_fsync_dir(folder);
    return error < 0 ? fail(r, error, r->spool->path, "cannot take the requests out of applied/ again") : 0;
}

/* The store is in place, and knows nothing of them: where this is cut off, the daemon's next start does the rest. */
static int put_aside_bundles(struct restore *r) {
    for (size_t i = 0; i < r->report.unknown.count; i++) {
        int error = admit_put_aside(r->spool, r->report.unknown.items[i]);
        if (error < 0)
            return fail(r, error, r->spool->path,
                        "the store is restored, but bundles that it does not know could not be put aside; the daemon's "
                        "next start tries it again");
    }
    return 0;
}

/* --- The old store goes aside, the copy takes its place -------------------------------------------------------- */

static int link_aside(const char *state_dir, const char *from, const char *name) {
    char to[PATH_MAX];
    return snprintf(to, sizeof to, "%s/%s", state_dir, name) >= (int)sizeof to ? -ENAMETOOLONG
           : link(from, to) < 0                                                ? -errno
                                                                               : 0;
}

static int sync_folder(const char *path) {
    AUTOCLOSE int fd = files_open_dir(AT_FDCWD, path);
    return fd < 0 ? fd : files_fsync_dir(fd);
}

/* Its log is written back first: beside another store it would be taken for that one's. Where it cannot be, the store is
 * broken anyway, and its log goes aside too. */
static int keep_old(struct restore *r) {
    const char *state_dir = r->conf->state_dir;
    char wal[PATH_MAX], name[KEPT_NAME_MAX + 8], above[PATH_MAX], ending[32];
    if (access(r->store, F_OK) < 0)
        return errno == ENOENT ? 0 : -errno;
    r->report.had_store = true;
    int error = db_settle(r->store, &r->why);
    if (error == -EBUSY)
        return error;
    r->why = (struct why){0};
    error = -EEXIST;
    for (unsigned n = 1; error == -EEXIST && n <= RETRIES; n++) { /* several within a second */
        (void)snprintf(ending, sizeof ending, n == 1 ? "replaced.db" : "replaced-%u.db", n); /* fits */
        error = kept_name(state_dir, ending, r->report.kept);
        if (error == 0)
            error = link_aside(state_dir, r->store, r->report.kept);
    }
    if (error == 0 && snprintf(wal, sizeof wal, "%s-wal", r->store) < (int)sizeof wal && access(wal, F_OK) == 0) {
        (void)snprintf(name, sizeof name, "%s-wal", r->report.kept); /* fits */
        error = link_aside(state_dir, wal, name);
        if (error == 0 && unlink(wal) < 0)
            error = -errno;
    }
    if (error == 0 && snprintf(above, sizeof above, "%s/kept", state_dir) < (int)sizeof above)
        error = sync_folder(above);
    return error;
}

static int put_in_place(struct restore *r) {
    r->db = db_close(r->db); /* writes its log back */
    int error = db_copy_check(r->copy, &r->why);
    if (error == 0)
        error = keep_old(r);
    if (error == 0 && rename(r->copy, r->store) < 0)
        error = -errno;
    if (error == 0)
        error = sync_folder(r->conf->state_dir);
    if (error < 0)
        return fail(r, error, r->store, "cannot put the restored store in place");
    (void)files_remove_tree(AT_FDCWD, r->folder); /* else the next restore does */
    return 0;
}

/* --- All of it ----------------------------------------------------------------------------------------------- */

static int check_keys(struct restore *r) {
    AUTOBUF struct buf secret = BUF_INIT(PATH_MAX), public = BUF_INIT(PATH_MAX);
    struct keyring *keys = NULL;
    keyring_secret_dir(r->conf->state_dir, &secret);
    keyring_public_dir(r->conf->spool_dir, &public);
    int error = keyring_load(buf_str(&secret), buf_str(&public), &r->why, &keys);
    if (error == -ENOENT && !keyring_has_master(buf_str(&secret)))
        why_todo(&r->why, "Bring the keys of that store first: rundbrief key import FILE");
    (void)keyring_free(keys);
    return error;
}

static int prepare(struct restore *r) {
    const char *state_dir = r->conf->state_dir;
    if (snprintf(r->folder, sizeof r->folder, "%s/" KEPT_RESTORING, state_dir) >= (int)sizeof r->folder ||
        snprintf(r->copy, sizeof r->copy, "%s/" KEPT_RESTORING "/store.db", state_dir) >= (int)sizeof r->copy ||
        snprintf(r->store, sizeof r->store, "%s/store.db", state_dir) >= (int)sizeof r->store)
        return fail(r, -ENAMETOOLONG, state_dir, "cannot restore");
    int error = open_file(r);
    if (error == 0)
        error = become_owner(r);
    if (error == 0 && (r->lock = store_lock(state_dir, &r->why)) < 0) {
        error = r->lock;
        if (error == -EBUSY) {
            (void)why_set(&r->why, error, "the daemon runs: a store is replaced while nobody has it open");
            why_todo(&r->why, "systemctl stop rundbriefd");
        }
    }
    if (error == 0)
        error = check_keys(r);
    if (error == 0)
        error = spool_open(r->conf->spool_dir, &r->why, &r->spool);
    if (error == 0)
        error = make_copy(r);
    return error < 0 ? error : look(r);
}

static int change(struct restore *r) {
    int error = change_copy(r);
    if (error == 0)
        error = keep_epoch(r);
    if (error == 0)
        error = move_requests(r);
    if (error == 0)
        error = put_in_place(r);
    return error < 0 ? error : put_aside_bundles(r);
}

static int code_of(int error) {
    switch (error) {
    case -ENOENT: return EX_NOINPUT;
    case -EBUSY: return EX_TEMPFAIL;
    case -EACCES:
    case -EPERM: return EX_NOPERM;
    case -EINVAL:
    case -EUCLEAN:
    case -EPROTO:
    case -EPROTONOSUPPORT: return EX_DATAERR;
    }
    return why_is_trouble(error) ? EX_IOERR : EX_OSERR;
}

int restore_run(const struct conf *conf, const struct restore_wish *wish) {
    struct restore *r = calloc(1, sizeof *r);
    if (!r)
        return EX_OSERR;
    *r = (struct restore){
        .conf = conf, .wish = wish, .from = -1, .from_wal = -1, .lock = -1, .report.state_dir = conf->state_dir};
    int error = prepare(r);
    int code = error < 0 ? 0 : restore_ask(&r->report, wish->yes);
    if (error == 0 && code == 0)
        error = change(r);
    if (error < 0) {
        AUTOBUF struct buf line = BUF_INIT(2048);
        why_print(&r->why, &line);
        (void)fprintf(stderr, "rundbriefd: %s\n", buf_str(&line));
        code = code_of(error);
    } else if (code == 0)
        code = restore_say(&r->report, wish->json);
    (void)db_close(r->db);
    if (r->lock >= 0 && r->folder[0])
        (void)files_remove_tree(AT_FDCWD, r->folder); /* else the next restore does */
    (void)spool_close(r->spool);
    restore_report_done(&r->report);
    for (size_t i = 0; i < 3; i++) {
        int fd = i == 0 ? r->from : i == 1 ? r->from_wal : r->lock;
        if (fd >= 0)
            (void)close(fd); /* only read, or a lock */
    }
    free(r);
    return code;
}
