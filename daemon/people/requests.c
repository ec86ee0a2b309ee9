#include "people/requests.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/number.h"
#include "people/requests_act.h"
#include "spool/ignored.h"
#include "spool/spool.h"
#include "store/applied.h"
#include "store/db.h"
#include "store/person.h"
#include "store/returned.h"
#include "store/sign_up.h"
#include "trust/token.h"

#include "base/banned.h"

enum { COUNT_IGNORED, APPLY, KEEP, PURGE };
enum { PORTION = 50000, KEPT_ENOUGH_BYTES = REQUEST_RECORDS_MAX_BYTES - 2 * REQUEST_LINE_MAX_BYTES };
/* In the order in which they are taken: what waits was asked for after what a restore repeats. */
static const struct {
    const char *folder;
    enum request_door may; /* what is found in mails is what the web door might ask, too */
} doors[] = {
    {REQUESTS_RESTORED, REQUEST_ANY_DOOR}, {"requests/web", REQUEST_WEB}, {REQUESTS_MAIL, REQUEST_WEB | REQUEST_MAIL}};

static request_do *const acts[REQUEST_VERBS] = {
    [REQUEST_LEAVE] = requests_leave,
    [REQUEST_UNDO] = requests_undo,
    [REQUEST_LEAVE_ALL] = requests_leave_all,
    [REQUEST_UNDO_ALL] = requests_undo_all,
    [REQUEST_SIGN_UP] = requests_sign_up,
    [REQUEST_CONFIRM] = requests_confirm,
    [REQUEST_LINK] = requests_link,
    [REQUEST_PREFERENCES] = requests_preferences,
    [REQUEST_RELEASE] = requests_release,
    [REQUEST_ERASE] = requests_erase,
    [REQUEST_SUPPRESS] = requests_suppress,
    [REQUEST_UNSUPPRESS] = requests_unsuppress,
    [REQUEST_COMMAND_LEAVE] = requests_command_leave,
    [REQUEST_JOINED] = requests_joined,
    [REQUEST_BOUNCE] = requests_bounce,
    [REQUEST_COMPLAINT] = requests_complaint,
    [REQUEST_MAIL_LEAVE] = requests_mail_leave,
};

/* NULL beyond so many lists. */
static struct requests_missed *missed_of(struct requests *r, uint32_t list) {
    for (unsigned i = 0; i < r->missed_count; i++)
        if (r->missed[i].list == list)
            return &r->missed[i];
    if (r->missed_count == REQUESTS_MISSED_MAX)
        return NULL;
    r->missed[r->missed_count] = (struct requests_missed){.list = list};
    return &r->missed[r->missed_count++];
}

/* An opt-out of somebody whom the backup does not know, nor the record: whoever imports them again should know. */
static int note_opt_out(struct requests *r, const struct request *q) {
    AUTOARENA struct arena arena = {0};
    struct requests_missed *missed;
    struct person p;
    struct token t;
    bool leaves = q->verb == REQUEST_LEAVE || q->verb == REQUEST_LEAVE_ALL || q->verb == REQUEST_MAIL_LEAVE ||
                  (q->verb == REQUEST_PREFERENCES && request_get(q, REQUEST_KEY_LEAVE).len);
    if (!leaves || request_get(q, REQUEST_KEY_HASH).len ||
        token_verify(r->keys, request_get(q, REQUEST_KEY_TOKEN), &t) < 0 || t.purpose != TOKEN_RECIPIENT)
        return 0;
    int found = person_get(r->db, (int64_t)t.subscriber, &arena, &p);
    if (found == 0 && (missed = missed_of(r, t.list)))
        missed->opt_outs++;
    return found < 0 ? found : 0;
}

/* When all that was to be repeated is. */
static int count_confirmations(struct requests *r) {
    int64_t list = -1, count;
    int found;
    while ((found = sign_up_next_answered(r->db, list, &list, &count)) == 1) {
        struct requests_missed *missed = missed_of(r, (uint32_t)list);
        if (missed)
            missed->confirmations = (uint64_t)count;
    }
    return found;
}

static bool gives_back(enum request_verb verb) {
    return verb == REQUEST_UNDO || verb == REQUEST_UNDO_ALL || verb == REQUEST_CONFIRM;
}

/* A door says when it accepted a record. Whoever took one over may say anything: it was accepted at most so long before
 * its file came. */
static int64_t believed(const struct requests *r, const struct request *q, int64_t now) {
    int64_t at = q->at_usec < now ? q->at_usec : now,
            first = r->arrived_usec - (gives_back(q->verb) ? REQUESTS_CARRY_USEC : REQUESTS_OLDEST_USEC);
    return at < first ? first : at;
}

/* For applied/. */
static int keep(struct requests *r, const struct request *q, const struct request_act *a) {
    struct request kept = *q;
    kept.at_usec = a->at_usec;
    opt_outs_put(&a->who, &kept);
    request_print(&r->kept, &kept);
    buf_add_view(&r->kept, buf_view(a->also));
    return buf_error(&r->kept);
}

/* What was seen may be of a run that was cut off before it stood in applied/. */
static int apply(struct requests *r, const struct request *q) {
    AUTOBUF struct buf also = BUF_INIT(REQUEST_LINE_MAX_BYTES);
    int64_t now = clock_now_usec();
    struct request_act a = {.db = r->db,
                            .also = &also,
                            .keys = r->keys,
                            .conf = r->conf,
                            .now_usec = now,
                            .at_usec = believed(r, q, now),
                            .sample = &r->sample,
                            .replayed = strcmp(doors[r->door].folder, REQUESTS_RESTORED) == 0};
    const char *result = REQUEST_REFUSED;
    int error = applied_seen(r->db, q->id);
    if (error != 0)
        return error < 0 ? error : a.replayed ? 0 : keep(r, q, &a);
    if (acts[q->verb])
        error = acts[q->verb](&a, q, &result);
    if (error == 0 && a.more)
        return STORE_MORE;
    if (error == 0 && a.replayed)
        error = opt_outs_repeat(&a, q);
    if (error == 0 && a.replayed)
        error = note_opt_out(r, q);
    if (error < 0)
        return error;
    bool refused = strcmp(result, REQUEST_REFUSED) == 0;
    r->notices |= a.notices;
    if (a.released)
        r->released = a.released;
    if (a.slow[0] && !a.replayed && r->slow_count < REQUESTS_SLOW_MAX)
        memcpy(r->slow[r->slow_count++], a.slow, sizeof a.slow);
    r->refused += refused;
    r->applied += !refused;
    /* Anybody can send as many mails that prove nothing as they like. */
    if (refused && !a.replayed && request_verb_door(q->verb) == REQUEST_MAIL)
        return 0;
    if (also.len > 0 || a.who.hash[0]) {
        r->kept_first = true;
        memcpy(r->ahead.id, q->id, sizeof r->ahead.id);
    }
    error = applied_keep(r->db, q->id, now, result);
    return error < 0 || a.replayed ? error : keep(r, q, &a);
}

/* It stays where it is, for the admin. */
static int skip(struct requests *r, const char *path, int error) {
    bool trouble = why_is_trouble(error);
    const char *todo = trouble ? "Repair the disk; it is tried again by itself"
                       : error == -EPROTONOSUPPORT
                           ? "The door is newer than the daemon: bring the daemon to the door's version"
                           : "Let the daemon's user read and move it; it is tried again with the next request";
    log_error("request-file-skipped", LOG_TEXT("file", path), LOG_TEXT("reason", strerror(-error)),
              LOG_TEXT("todo", todo));
    r->skipped++;
    if (trouble)
        r->trouble = error;
    return 0;
}

/* Every file would meet it. A file that lies on a bad place of the disk is alone with that. */
static bool is_ours(int error) {
    return why_is_trouble(error) && error != -EIO;
}

static int reject(struct requests *r, const char *path, unsigned line) {
    AUTOBUF struct buf reason = BUF_INIT(256);
    if (line)
        buf_printf(&reason, "line %u is not of the format that spool/README.md describes", line);
    else
        buf_puts(&reason, "this is not a file of requests as spool/README.md describes it");
    buf_puts(&reason, "; nothing of it was applied\n");
    int error = spool_reject(r->spool, NULL, path, buf_view(&reason));
    if (error < 0)
        return is_ours(error) ? error : skip(r, path, error);
    log_warning("request-file-rejected", LOG_NUM("line", line));
    r->rejected++;
    return 0;
}

static void close_file(struct requests *r) {
    request_reader_done(&r->reader);
    buf_done(&r->content);
    r->reading = false;
}

/* When the file came, by this machine's clocks: its inode changed last, which no door can set. Looked at behind the
 * reading, so that it is not before what was read. What is repeated was looked at when it came. */
static int find_arrival(struct requests *r, const char *path) {
    struct stat st;
    r->arrived_usec = 0;
    if (strcmp(doors[r->door].folder, REQUESTS_RESTORED) == 0)
        return 0;
    if (fstatat(r->spool->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    int64_t age_sec = (int64_t)time(NULL) - (int64_t)st.st_ctime; /* the daemon's clock may be set elsewhere */
    r->arrived_usec = clock_now_usec() - (age_sec > 0 ? age_sec : 0) * USEC_PER_SEC;
    return 0;
}

static int open_file(struct requests *r, const char *path, unsigned *ret_line) {
    buf_init(&r->content, REQUEST_FILE_MAX_BYTES);
    int error = files_read_regular(r->spool->dirfd, path, &r->content);
    if (error == 0)
        error = find_arrival(r, path);
    if (error == 0)
        error = request_reader_open(&r->reader, buf_view(&r->content), doors[r->door].may, ret_line);
    r->reading = error == 0;
    r->again = false;
    if (error < 0)
        buf_done(&r->content);
    return error;
}

/* STORE_MORE: the slice is over within the file. */
static int apply_records(struct requests *r) {
    int more = 0;
    while (r->again || (more = request_reader_next(&r->reader, &r->record)) > 0) {
        int error = apply(r, &r->record);
        r->again = error == STORE_MORE;
        if (error != 0)
            return error;
        if (store_slice_over(r->db) || r->kept.len > KEPT_ENOUGH_BYTES)
            return STORE_MORE;
    }
    return more;
}

static int apply_file(struct requests *r, const char *path) {
    unsigned line = 0;
    int error = r->reading ? 0 : open_file(r, path, &line);
    if (error == -ENOENT)
        return 0;
    if (is_ours(error))
        return error;
    if (error == -EBADMSG || error == -EMSGSIZE || error == -EINVAL || error == -ELOOP || error == -ENXIO)
        return reject(r, path, line);
    if (error < 0)
        return skip(r, path, error);
    error = apply_records(r);
    if (error != 0)
        return error;
    close_file(r);
    r->files++;
    r->batch[r->count] = (struct requests_file){strdup(path), strcmp(doors[r->door].folder, REQUESTS_RESTORED) == 0};
    return r->batch[r->count].path ? (r->count++, 0) : -ENOMEM;
}

static void close_folder(struct requests *r) {
    files_free_names(r->names, r->name_count);
    r->names = NULL;
    r->name_count = r->next = 0;
}

/* A full portion is through: there may be more behind it. */
static void begin_next_portion(struct requests *r) {
    (void)snprintf(r->last, sizeof r->last, "%s", r->names[r->name_count - 1]); /* a name of a file fits */
    close_folder(r);
}

/* Files of this door, the oldest first, in portions, until the batch is full or the slice over: then STORE_MORE. */
static int apply_folder(struct requests *r) {
    const char *folder = doors[r->door].folder;
    int error =
        r->names ? 0 : files_list_next(r->spool->dirfd, folder, r->last, ".req", r->portion, &r->names, &r->name_count);
    if (error == -ENOENT && strcmp(folder, REQUESTS_RESTORED) == 0)
        return 0; /* only a restore makes it */
    for (; error == 0 && r->next < r->name_count; r->next++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s/%s", folder, r->names[r->next]) >= (int)sizeof path)
            continue;
        if (r->count == REQUESTS_BATCH || (!r->reading && store_slice_over(r->db)))
            return STORE_MORE;
        error = apply_file(r, path);
        if (error != 0)
            return error;
    }
    if (error == 0 && r->name_count == r->portion) {
        begin_next_portion(r);
        return STORE_MORE;
    }
    if (error == 0 && (r->next || r->last[0]) && strcmp(folder, REQUESTS_RESTORED) == 0)
        error = count_confirmations(r);
    if (error == 0) {
        close_folder(r);
        r->last[0] = '\0';
    }
    return error;
}

static void clear_batch(struct requests *r) {
    for (unsigned i = 0; i < r->count; i++)
        free(r->batch[i].path);
    r->count = 0;
}

static int write_kept(struct requests *r) {
    AUTOCLOSE int dirfd = r->kept.len ? files_open_dir(r->spool->dirfd, "applied") : -1;
    char name[REQUEST_FILE_NAME_BYTES] = "";
    int error = r->kept.len == 0 ? 0 : dirfd < 0 ? dirfd : request_hand_over_as(dirfd, buf_view(&r->kept), name);
    if (error == 0 && r->kept_first)
        memcpy(r->ahead.name, name, sizeof name);
    buf_clear(&r->kept);
    r->kept_first = false;
    return error;
}

/* Else a disk that takes the file, and not the commit, would get it anew with each try. */
static int take_back(struct requests *r) {
    int seen = r->ahead.name[0] ? applied_seen(r->db, r->ahead.id) : 1;
    AUTOCLOSE int dirfd = seen == 0 ? files_open_dir(r->spool->dirfd, "applied") : -1;
    if (seen == 0 && dirfd >= 0)
        (void)unlinkat(dirfd, r->ahead.name, 0); /* then it stands there twice */
    r->ahead.name[0] = '\0';
    return seen < 0 ? seen : 0;
}

static int put_back(struct requests *r, const char *path) {
    char to[PATH_MAX];
    if (snprintf(to, sizeof to, "applied/%s", strrchr(path, '/') + 1) >= (int)sizeof to)
        return -ENAMETOOLONG;
    return renameat(r->spool->dirfd, path, r->spool->dirfd, to) < 0 && errno != ENOENT ? -errno : 0;
}

static int sync_applied(struct requests *r) {
    AUTOCLOSE int fd = files_open_dir(r->spool->dirfd, "applied");
    return fd < 0 ? fd : files_fsync_dir(fd);
}

/* The batch's effects are durable now. */
static int end_batch(struct requests *r) {
    r->ahead.name[0] = '\0';
    int error = write_kept(r);
    bool back = false;
    for (unsigned i = 0; error == 0 && i < r->count; i++) {
        const struct requests_file *f = &r->batch[i];
        back |= f->restored;
        if (f->restored)
            error = put_back(r, f->path);
        else if (unlinkat(r->spool->dirfd, f->path, 0) < 0 && errno != ENOENT)
            error = -errno;
    }
    clear_batch(r);
    return error == 0 && back ? sync_applied(r) : error;
}

static int count_ignored(const struct requests *r) {
    AUTOCLOSE int fd = files_open_dir(r->spool->dirfd, REQUESTS_MAIL);
    return fd < 0 ? 0 : returned_ignored(r->db, ignored_read(fd)); /* without the folder there is no door */
}

/* Names begin with the time: older ones sort before it. */
static void name_limit(char limit[32]) {
    AUTOBUF struct buf text = BUF_INIT(64);
    size_t n = 0;
    clock_print_utc(&text, (int64_t)time(NULL) * USEC_PER_SEC - REQUESTS_KEEP_USEC);
    for (const char *p = buf_str(&text); *p && n < 31; p++)
        if (*p != '-' && *p != ':')
            limit[n++] = *p;
    limit[n] = '\0';
}

static int purge_applied(struct requests *r) {
    char limit[32];
    name_limit(limit);
    if (!r->old) {
        int fd = files_open_dir(r->spool->dirfd, "applied");
        r->old = fd < 0 ? NULL : fdopendir(fd);
        if (fd >= 0 && !r->old)
            (void)close(fd); /* only read from */
        if (!r->old)
            return fd < 0 ? fd : -ENOMEM;
    }
    for (const struct dirent *e; (e = readdir(r->old));) {
        if (e->d_name[0] >= '0' && e->d_name[0] <= '9' && strcmp(e->d_name, limit) < 0)
            (void)unlinkat(dirfd(r->old), e->d_name, 0); /* the next time tries again */
        if (store_slice_over(r->db))
            return STORE_MORE;
    }
    return STORE_DONE;
}

static void remove_half_written(struct requests *r, const char *folder) {
    int fd = files_open_dir(r->spool->dirfd, folder);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct stat st;
    if (fd >= 0 && !dir)
        (void)close(fd); /* only read from */
    for (const struct dirent *e; dir && (e = readdir(dir));)
        if (view_ends(view_of(e->d_name), ".tmp") && fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime < time(NULL) - 24 * 3600)
            (void)unlinkat(dirfd(dir), e->d_name, 0); /* the next run tries again */
    if (dir)
        (void)closedir(dir); /* only read from */
}

static int step(struct store_job *job, struct db *db) {
    struct requests *r = (struct requests *)job;
    int error = 0;
    r->db = db;
    switch (r->phase) {
    case COUNT_IGNORED:
        error = take_back(r);
        if (error == 0)
            error = count_ignored(r);
        if (error < 0)
            return error;
        r->phase = APPLY;
        [[fallthrough]];
    case APPLY:
        error = apply_folder(r);
        r->door += error == 0;
        if (error >= 0 && r->kept_first)
            error = write_kept(r);
        if (error < 0)
            return error;
        r->phase = KEEP;
        return STORE_MORE;
    case KEEP:
        error = end_batch(r);
        if (error < 0)
            return error;
        r->phase = r->door < COUNT_OF(doors) ? APPLY : PURGE;
        return r->phase == PURGE && !r->purge ? STORE_DONE : STORE_MORE;
    case PURGE:
        for (size_t i = 0; i < COUNT_OF(doors) && !r->old; i++)
            remove_half_written(r, doors[i].folder);
        error = r->old ? 0 : applied_purge(db, clock_now_usec() - REQUESTS_KEEP_USEC);
        return error == STORE_DONE ? purge_applied(r) : error;
    }
    return -EINVAL;
}

void requests_init(struct requests *r) {
    r->job.lane = STORE_NORMAL;
    r->job.step = step;
    r->portion = PORTION;
    buf_init(&r->kept, REQUEST_RECORDS_MAX_BYTES);
}

void requests_done(struct requests *r) {
    close_file(r);
    clear_batch(r);
    close_folder(r);
    buf_done(&r->kept);
    if (r->old)
        (void)closedir(r->old); /* only read from */
    r->old = NULL;
}
