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
#include "spool/request.h"
#include "spool/spool.h"
#include "store/applied.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/subscription.h"
#include "trust/token.h"

#include "base/banned.h"

enum { APPLY, MOVE, PURGE };
enum { NAMES_MAX = 1000000 };
static const char *const doors[] = {"requests/web", "requests/mail"};

static int leave_list(struct requests *r, const struct request *q, uint32_t list, int64_t subscriber, int64_t at,
                      bool *did) {
    struct subscription s;
    int found = subscription_get(r->db, list, subscriber, &s);
    if (found <= 0)
        return found;
    const struct consent consent = {
        .what = "left",
        .how = q->how == REQUEST_ONE_CLICK ? "one-click" : "link",
        .origin = "web",
        .request = q->id,
    };
    int error = subscription_set(r->db, list, subscriber, SUBSCRIPTION_LEFT, at, &consent);
    if (error == 0)
        *did = true;
    return error == -ESTALE ? 0 : error;
}

/* The list through which the announcement came, where it is not the token's own. */
static int list_of_delivery(struct requests *r, const struct request *q, int64_t subscriber, uint32_t *ret_list) {
    return q->announcement <= 0 ? 0 : delivery_list_of(r->db, q->announcement, subscriber, ret_list);
}

static int leave(struct requests *r, const struct request *q, const struct token *t, int64_t at,
                 const char **ret_result) {
    uint32_t list = t->list;
    int64_t subscriber = (int64_t)t->subscriber;
    bool did = false;
    int error = leave_list(r, q, t->list, subscriber, at, &did);
    if (error == 0)
        error = list_of_delivery(r, q, subscriber, &list);
    if (error >= 0 && list != t->list)
        error = leave_list(r, q, list, subscriber, at, &did);
    *ret_result = did ? "left" : "nothing";
    return error < 0 ? error : 0;
}

static int undo(struct requests *r, const struct request *q, const struct token *t, int64_t at,
                const char **ret_result) {
    uint32_t lists[2] = {t->list, t->list};
    int64_t subscriber = (int64_t)t->subscriber;
    const struct consent consent = {.what = "undone", .how = "link", .origin = "web", .request = q->id};
    int error = list_of_delivery(r, q, subscriber, &lists[1]);
    if (error < 0)
        return error;
    *ret_result = "nothing";
    for (size_t i = 0; i < (lists[0] == lists[1] ? 1 : 2); i++) {
        error = subscription_undo_leave(r->db, lists[i], subscriber, at, REQUESTS_UNDO_USEC, &consent);
        if (error == 0)
            *ret_result = "undone";
        else if (error != -ESTALE && error != -ETIME && error != -ENOENT)
            return error;
    }
    return 0;
}

static int apply(struct requests *r, const struct request *q) {
    int64_t now = clock_now_usec(), at = q->at_usec < now ? q->at_usec : now;
    const char *result = "refused";
    struct token t;
    int error = applied_seen(r->db, q->id);
    if (error != 0)
        return error < 0 ? error : 0;
    if (token_verify(r->keys, q->token, &t) == 0) {
        if (t.purpose == TOKEN_TEST)
            result = "test";
        else if (t.purpose == TOKEN_RECIPIENT && q->verb == REQUEST_LEAVE)
            error = leave(r, q, &t, at, &result);
        else if (t.purpose == TOKEN_RECIPIENT && q->verb == REQUEST_UNDO)
            error = undo(r, q, &t, at, &result);
    }
    if (error < 0)
        return error;
    if (strcmp(result, "refused") == 0)
        r->refused++;
    else
        r->applied++;
    return applied_keep(r->db, q->id, now, result);
}

static int on_record(void *user, const struct request *q) {
    struct requests *r = user;
    if (r->record++ < r->skip)
        return 0;
    r->failure = apply(r, q);
    return r->failure < 0 ? r->failure : store_slice_over(r->db) ? STORE_MORE : 0;
}

/* It stays where it is, for the admin. */
static int skip(struct requests *r, const char *path, int error) {
    bool trouble = why_is_trouble(error);
    log_error("request-file-skipped", LOG_TEXT("file", path), LOG_TEXT("reason", strerror(-error)),
              LOG_TEXT("todo", trouble ? "Repair the disk; it is tried again by itself"
                                       : "Let the daemon's user read and move it; it is tried again with the next "
                                         "request"));
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
    int error = spool_reject(r->spool, path, buf_view(&reason));
    if (error < 0)
        return is_ours(error) ? error : skip(r, path, error);
    log_warning("request-file-rejected", LOG_NUM("line", line));
    r->rejected++;
    return 0;
}

/* STORE_MORE: the slice is over within the file. */
static int apply_file(struct requests *r, const char *path) {
    AUTOBUF struct buf content = BUF_INIT(REQUEST_FILE_MAX_BYTES);
    unsigned line = 0;
    r->record = 0;
    r->failure = 0;
    int error = files_read_regular(r->spool->dirfd, path, &content);
    if (error == -ENOENT)
        return 0;
    if (error == 0)
        error = request_read(buf_view(&content), on_record, r, &line);
    if (r->failure < 0 || is_ours(error))
        return error;
    if (error == -EBADMSG || error == -EMSGSIZE || error == -EINVAL || error == -ELOOP || error == -ENXIO)
        return reject(r, path, line);
    if (error < 0)
        return skip(r, path, error);
    if (error == STORE_MORE) {
        r->skip = r->record;
        return STORE_MORE;
    }
    r->files++;
    r->batch[r->count] = strdup(path);
    return r->batch[r->count] ? (r->count++, 0) : -ENOMEM;
}

static void close_folder(struct requests *r) {
    files_free_names(r->names, r->name_count);
    r->names = NULL;
    r->name_count = r->next = 0;
}

/* Files of this door, until the batch is full or the slice over: then STORE_MORE. */
static int apply_folder(struct requests *r) {
    const char *folder = doors[r->door];
    int error = r->names ? 0 : files_list(r->spool->dirfd, folder, NAMES_MAX, &r->names, &r->name_count);
    for (; error == 0 && r->next < r->name_count; r->next++) {
        char path[PATH_MAX];
        if (!view_ends(view_of(r->names[r->next]), ".req") ||
            snprintf(path, sizeof path, "%s/%s", folder, r->names[r->next]) >= (int)sizeof path)
            continue;
        if (r->count == REQUESTS_BATCH || store_slice_over(r->db))
            return STORE_MORE;
        error = apply_file(r, path);
        if (error != 0)
            return error;
        r->skip = 0;
    }
    if (error == 0)
        close_folder(r);
    return error;
}

static void clear_batch(struct requests *r) {
    for (unsigned i = 0; i < r->count; i++)
        free(r->batch[i]);
    r->count = 0;
}

static int sync_folder(struct requests *r, const char *path) {
    AUTOCLOSE int fd = files_open_dir(r->spool->dirfd, path);
    return fd < 0 ? fd : files_fsync_dir(fd);
}

/* The batch's effects are durable now. */
static int move_batch(struct requests *r) {
    int error = 0;
    for (unsigned i = 0; error == 0 && i < r->count; i++) {
        char to[PATH_MAX];
        if (snprintf(to, sizeof to, "applied/%s", strrchr(r->batch[i], '/') + 1) >= (int)sizeof to)
            error = -ENAMETOOLONG;
        else if (renameat(r->spool->dirfd, r->batch[i], r->spool->dirfd, to) < 0 && errno != ENOENT)
            error = -errno;
    }
    bool moved = r->count;
    clear_batch(r);
    return error == 0 && moved ? sync_folder(r, "applied") : error;
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
    char **names;
    size_t count;
    if (files_list(r->spool->dirfd, folder, NAMES_MAX, &names, &count) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat st;
        if (view_ends(view_of(names[i]), ".tmp") &&
            snprintf(path, sizeof path, "%s/%s", folder, names[i]) < (int)sizeof path &&
            fstatat(r->spool->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mtime < time(NULL) - 24 * 3600)
            (void)unlinkat(r->spool->dirfd, path, 0); /* the next run tries again */
    }
    files_free_names(names, count);
}

static int step(struct store_job *job, struct db *db) {
    struct requests *r = (struct requests *)job;
    int error = 0;
    r->db = db;
    switch (r->phase) {
    case APPLY:
        error = apply_folder(r);
        if (error < 0)
            return error;
        r->door += error == 0;
        r->phase = MOVE;
        return STORE_MORE;
    case MOVE:
        error = move_batch(r);
        if (error < 0)
            return error;
        r->phase = r->door < COUNT_OF(doors) ? APPLY : PURGE;
        return r->phase == PURGE && !r->purge ? STORE_DONE : STORE_MORE;
    case PURGE:
        for (size_t i = 0; i < COUNT_OF(doors) && !r->old; i++)
            remove_half_written(r, doors[i]);
        error = r->old ? 0 : applied_purge(db, clock_now_usec() - REQUESTS_KEEP_USEC);
        return error == STORE_DONE ? purge_applied(r) : error;
    }
    return -EINVAL;
}

void requests_init(struct requests *r) {
    r->job.lane = STORE_NORMAL;
    r->job.step = step;
}

void requests_done(struct requests *r) {
    clear_batch(r);
    close_folder(r);
    if (r->old)
        (void)closedir(r->old); /* only read from */
    r->old = NULL;
}
