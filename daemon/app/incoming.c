#include "app/incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "announce/source.h"
#include "app/drop.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/number.h"
#include "base/users.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "send/dispatch.h"
#include "spool/spool.h"

#include "base/banned.h"

enum { STUCK_MAX = 64 };
static const int64_t again_usec = DROP_AGAIN_SECONDS * USEC_PER_SEC;
static const int64_t trouble_usec = DROP_TROUBLE_SECONDS * USEC_PER_SEC;

struct folder {
    struct folder *next;
    struct incoming *incoming;
    struct loop_source *watch;
};

/* A group that could neither be taken nor moved away: the others go on without it, until its time comes again. */
struct stuck {
    char *path;
    int64_t until_mono_usec;
};

struct incoming {
    struct incoming_parts parts;
    struct conf *conf;
    struct folder *folders;
    struct loop_source *timer;
    int64_t look_at_mono_usec;     /* where the timer is set */
    struct stuck stuck[STUCK_MAX]; /* the job's to read while there is one */
    bool looking, look_again, stopped;
};

static void on_timer(void *user);
static void look(struct incoming *in);

static bool is_stuck(void *user, const char *path) {
    const struct incoming *in = user;
    for (size_t i = 0; i < STUCK_MAX; i++)
        if (in->stuck[i].path && strcmp(in->stuck[i].path, path) == 0)
            return in->stuck[i].until_mono_usec > clock_mono_usec();
    return false;
}

/* Never later than it is set to already. */
static void look_in(struct incoming *in, int64_t usec) {
    int64_t at = clock_mono_usec() + usec;
    if (loop_timer_is_set(in->timer) && in->look_at_mono_usec <= at)
        return;
    in->look_at_mono_usec = at;
    loop_set_timer(in->timer, at);
}

/* False where too many are: then all wait. */
static bool set_stuck(struct incoming *in, const char *path) {
    struct stuck *oldest = &in->stuck[0];
    for (size_t i = 0; i < STUCK_MAX; i++)
        if (in->stuck[i].path && strcmp(in->stuck[i].path, path) == 0) {
            oldest = &in->stuck[i];
            break;
        } else if (in->stuck[i].until_mono_usec < oldest->until_mono_usec)
            oldest = &in->stuck[i];
    int64_t now = clock_mono_usec();
    if (oldest->until_mono_usec > now)
        return false;
    free(oldest->path);
    *oldest = (struct stuck){strdup(path), now + again_usec};
    return oldest->path;
}

/* A failure of one group's files, not of the disk or the daemon, which would meet every group. */
static bool is_about_the_files(int error) {
    return error == -EACCES || error == -EPERM || error == -ENOTEMPTY || error == -ENAMETOOLONG || error == -EXDEV ||
           error == -EBUSY;
}

static void log_failure(const struct drop *d, int result) {
    if (d->taken)
        log_warning("drop-not-removed", LOG_TEXT("list", d->list), LOG_TEXT("reason", strerror(-result)),
                    LOG_TEXT("todo", "Remove what was taken in from the drop folder, and let the daemon's user do it"));
    else
        log_warning("drop-not-taken", LOG_TEXT("list", d->list), LOG_TEXT("what", d->admit.job.why.what),
                    LOG_TEXT("reason", strerror(-result)));
}

static void on_done(struct store_job *job, int result) {
    struct drop *d = (struct drop *)job;
    struct incoming *in = d->user;
    bool handled = d->path[0] && result == 0;
    bool more = handled || (d->path[0] && is_about_the_files(result) && set_stuck(in, d->path));
    in->looking = false;
    if (result < 0)
        log_failure(d, result);
    if (d->taken) {
        log_info("announcement-taken-in", LOG_NUM("announcement", d->admit.id), LOG_TEXT("list", d->list));
        dispatch_announcement(in->parts.dispatch, d->admit.id);
    } else if (handled)
        dispatch_notices(in->parts.dispatch);
    int64_t wait = why_is_trouble(result) || result == -EAGAIN ? trouble_usec
                   : result < 0                                ? again_usec
                                                               : d->wait_seconds * USEC_PER_SEC;
    if (!in->stopped && (more || in->look_again))
        look(in);
    else if (!in->stopped && wait)
        look_in(in, wait);
    (void)drop_free(d);
}

static void look(struct incoming *in) {
    if (in->looking) {
        in->look_again = true;
        return;
    }
    struct drop *d = drop_new(in->conf, in->parts.spool, in->parts.keys);
    if (!d) {
        log_error("out-of-memory");
        look_in(in, trouble_usec);
        return;
    }
    in->looking = true;
    in->look_again = false;
    d->user = in;
    d->leaves_out = is_stuck;
    d->admit.job.done = on_done;
    store_submit(in->parts.store, &d->admit.job);
}

static void on_timer(void *user) {
    look(user);
}

static void on_entry(void *user, const char *name) {
    struct folder *f = user;
    if (!source_ignores(name) && !f->incoming->stopped)
        look_in(f->incoming, DROP_QUIET_SECONDS * USEC_PER_SEC);
}

static void drop_folders(struct incoming *in) {
    for (struct folder *f; (f = in->folders);) {
        in->folders = f->next;
        (void)loop_remove(f->watch);
        free(f);
    }
}

/* The folder is its list's group's, where there is one: who may not queue for a list may not drop for it. */
static void give_to_group(struct incoming *in, const struct conf_list *list, const char *relative) {
    const char *name = list->group[0] ? list->group : list->sender->group;
    if (name[0] == '\0')
        return;
    struct stat st;
    gid_t gid = 0;
    int r = users_group(name, &gid);
    if (r == 0 && fstatat(in->parts.spool->dirfd, relative, &st, 0) < 0)
        r = -errno;
    if (r == 0 && st.st_gid != gid && fchownat(in->parts.spool->dirfd, relative, (uid_t)-1, gid, 0) < 0)
        r = -errno;
    if (r < 0)
        log_warning("drop-folder-group", LOG_TEXT("list", list->name), LOG_TEXT("group", name),
                    LOG_TEXT("reason", strerror(-r)),
                    LOG_TEXT("todo", "chgrp the list's folder of incoming/ to its group"));
}

/* What may be dropped is taken all the same. */
static void share_rejected(struct incoming *in, const struct conf_list *list) {
    int r = spool_share_rejected(in->parts.spool, list->name);
    if (r < 0)
        log_warning("rejected-folder-group", LOG_TEXT("list", list->name), LOG_TEXT("reason", strerror(-r)),
                    LOG_TEXT("todo", "Let the daemon's user own the list's folder of rejected/"));
}

static int add_folder(struct incoming *in, const struct conf_list *list) {
    char relative[PATH_MAX], path[PATH_MAX];
    if (snprintf(relative, sizeof relative, "incoming/%s", list->name) >= (int)sizeof relative ||
        snprintf(path, sizeof path, "%s/%s", in->parts.spool->path, relative) >= (int)sizeof path)
        return -ENAMETOOLONG;
    int r = files_make_dir(in->parts.spool->dirfd, relative, 0770); /* with the group of the folder above */
    if (r < 0)
        return r;
    give_to_group(in, list, relative);
    share_rejected(in, list);
    struct folder *f = calloc(1, sizeof *f);
    if (!f)
        return -ENOMEM;
    f->incoming = in;
    r = loop_add_folder(in->parts.loop, path, on_entry, f, &f->watch);
    if (r < 0) {
        free(f);
        return r;
    }
    f->next = in->folders;
    in->folders = f;
    return 0;
}

static int set_conf(struct incoming *in, struct conf *conf) {
    drop_folders(in);
    struct conf *before = in->conf;
    in->conf = conf_ref(conf);
    (void)conf_unref(before);
    int r = 0;
    for (size_t i = 0; i < conf->list_count; i++) {
        int error = add_folder(in, &conf->lists[i]);
        r = r ? r : error; /* the others are watched all the same */
    }
    return r;
}

int incoming_set_conf(struct incoming *in, struct conf *conf) {
    int r = set_conf(in, conf);
    look(in);
    return r;
}

int incoming_new(const struct incoming_parts *parts, struct conf *conf, struct why *why, struct incoming **ret) {
    struct incoming *in = calloc(1, sizeof *in);
    if (!in)
        return why_set(why, -ENOMEM, "out of memory");
    in->parts = *parts;
    int r = loop_add_timer(parts->loop, on_timer, in, &in->timer);
    if (r == 0)
        r = set_conf(in, conf);
    if (r < 0) {
        (void)incoming_free(in);
        return why_set(why, r, "cannot watch the drop folders: %s", strerror(-r));
    }
    look(in);
    *ret = in;
    return 0;
}

void incoming_stop(struct incoming *in) {
    in->stopped = true;
    loop_unset_timer(in->timer);
}

struct incoming *incoming_free(struct incoming *in) {
    if (in) {
        drop_folders(in);
        for (size_t i = 0; i < STUCK_MAX; i++)
            free(in->stuck[i].path);
        (void)loop_remove(in->timer);
        (void)conf_unref(in->conf);
        free(in);
    }
    return NULL;
}
