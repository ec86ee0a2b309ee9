#include "app/incoming.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "announce/admit.h"
#include "announce/inform.h"
#include "announce/source.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "mail/words.h"
#include "net/loop.h"
#include "send/dispatch.h"
#include "spool/spool.h"

#include "base/banned.h"

enum { ENTRIES_MAX = 10000 };
static const time_t quiet_seconds = 10, orphan_seconds = 3600;
static const int64_t again_usec = 60 * USEC_PER_SEC; /* after a failure that is not the coordinator's */

struct folder {
    struct incoming *incoming;
    char *list;
    struct loop_source *watch;
};

struct incoming {
    struct incoming_parts parts;
    struct conf *conf;
    struct folder *folders;
    size_t count;
    struct loop_source *timer;
    bool looking, look_again, stopped;
};

/* One look at all drop folders, and at most one group taken in: a job. */
enum phase { LOOK, READ, ADMIT, CLEAN, REJECT };

struct drop {
    struct admit admit; /* first */
    struct incoming *incoming;
    int (*admit_step)(struct store_job *, struct db *);
    enum phase phase;
    char path[PATH_MAX]; /* of the first file or folder, relative to the spool; "" where nothing is ready */
    char list[64];
    bool is_folder, is_orphan, taken;
    time_t wait_seconds; /* until something may be ready; 0: nothing waits */
    struct buf reason;
};

static void on_timer(void *user);
static void look(struct incoming *in);

/* The time of the last change of an entry: of the newest file, in a folder. 0 where it is gone. */
static time_t last_change(int dirfd, const char *name, unsigned depth) {
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    time_t newest = st.st_ctime;
    if (S_ISDIR(st.st_mode) && depth) {
        AUTOCLOSE int fd = files_open_dir(dirfd, name);
        char **names;
        size_t count;
        if (fd < 0 || files_list(fd, ".", BUNDLE_FILES_MAX, &names, &count) < 0)
            return newest;
        for (size_t i = 0; i < count; i++) {
            time_t t = last_change(fd, names[i], depth - 1);
            newest = t > newest ? t : newest;
        }
        files_free_names(names, count);
    }
    return newest;
}

static void wait_for(struct drop *d, time_t seconds) {
    if (seconds > 0 && (d->wait_seconds == 0 || seconds < d->wait_seconds))
        d->wait_seconds = seconds;
}

/* Finds the first group of a folder that is quiet. The whole folder counts: files of a group come one after the other.
 */
static int look_into(struct drop *d, const char *list, const struct languages *languages) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "incoming/%s", list) >= (int)sizeof path)
        return -ENAMETOOLONG;
    AUTOCLOSE int fd = files_open_dir(d->admit.spool->dirfd, path);
    char **names;
    size_t count;
    int r = fd < 0 ? fd : files_list(fd, ".", ENTRIES_MAX, &names, &count);
    if (r < 0)
        return r;
    time_t now = time(NULL), newest = 0;
    for (size_t i = 0; i < count; i++)
        if (!source_ignores(names[i])) {
            time_t t = last_change(fd, names[i], 1);
            newest = t > newest ? t : newest;
        }
    bool quiet = now - newest >= quiet_seconds;
    if (newest && !quiet)
        wait_for(d, quiet_seconds - (now - newest));
    for (size_t i = 0; quiet && i < count && !d->path[0]; i++) {
        struct stat st;
        if (source_ignores(names[i]) || fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        bool first = S_ISDIR(st.st_mode) || source_is_first(names[i], names, count, languages);
        time_t age = now - st.st_ctime;
        if (!first && age < orphan_seconds) {
            wait_for(d, orphan_seconds - age);
            continue;
        }
        d->is_folder = S_ISDIR(st.st_mode);
        d->is_orphan = !first;
        (void)snprintf(d->list, sizeof d->list, "%s", list); /* names of lists are shorter */
        if (snprintf(d->path, sizeof d->path, "%s/%s", path, names[i]) >= (int)sizeof d->path)
            d->path[0] = '\0';
    }
    files_free_names(names, count);
    return 0;
}

static int step_look(struct drop *d) {
    char **codes = NULL;
    struct languages languages = {0};
    int r = intake_languages(d->admit.conf, &codes, &languages.count);
    languages.codes = codes;
    for (size_t i = 0; r == 0 && i < d->admit.conf->list_count && !d->path[0]; i++) {
        int error = look_into(d, d->admit.conf->lists[i].name, &languages);
        if (error < 0)
            log_warning("drop-folder-unreadable", LOG_TEXT("list", d->admit.conf->lists[i].name),
                        LOG_TEXT("reason", strerror(-error)));
    }
    files_free_names(codes, languages.count);
    d->phase = d->is_orphan ? REJECT : READ;
    return r < 0 ? r : d->path[0] ? STORE_MORE : STORE_DONE;
}

static const char *name_of(const struct drop *d) {
    return strrchr(d->path, '/') + 1;
}

static struct words *words_of(const struct drop *d) {
    const struct conf_list *list = conf_find_list(d->admit.conf, view_of(d->list));
    struct words *words = NULL;
    struct why why;
    if (list && words_load(d->admit.conf->templates_local, d->admit.conf->templates, list->languages.items[0], &why,
                           &words) < 0)
        words = NULL;
    return words;
}

static int step_read(struct drop *d) {
    char **codes = NULL;
    struct languages languages = {0};
    struct why why;
    int r = intake_languages(d->admit.conf, &codes, &languages.count);
    languages.codes = codes;
    if (r == 0)
        r = source_read(d->admit.spool->dirfd, d->path, &languages, &d->admit.source, &why);
    files_free_names(codes, languages.count);
    d->phase = ADMIT;
    if (r == -ENOMEM || r == -EIO || r == -EMFILE)
        return r;
    if (r < 0) {
        why_print(&why, &d->reason);
        buf_putc(&d->reason, '\n');
        d->phase = REJECT;
    }
    return STORE_MORE;
}

/* What is the coordinator's fault is told and moved away; anything else leaves the file where it is, for later. */
static int step_admit(struct drop *d, struct db *db) {
    const struct conf_list *list = conf_find_list(d->admit.conf, view_of(d->list));
    d->admit.hold = !list || list->release == CONF_RELEASE_HOLD;
    int r = d->admit_step(&d->admit.job, db);
    if (r == STORE_DONE) {
        d->taken = true;
        d->phase = CLEAN;
        return STORE_MORE;
    }
    if (r != -EINVAL && r != -EEXIST)
        return r;
    struct words *words = words_of(d);
    if (r == -EINVAL && words)
        problems_print(&d->admit.problems, words, &d->reason);
    else if (words) {
        char number[24];
        (void)snprintf(number, sizeof number, "%lld", (long long)d->admit.id);
        words_format(words, "problem.same-there", number, NULL, NULL, &d->reason);
        buf_putc(&d->reason, '\n');
    }
    (void)words_free(words);
    d->phase = REJECT;
    return STORE_MORE;
}

/* Calls on each path of the group, relative to the spool. */
static int each_path(struct drop *d, int (*on_path)(struct drop *d, const char *path)) {
    if (d->is_folder || d->admit.source.name_count == 0)
        return on_path(d, d->path);
    int r = 0;
    for (size_t i = 0; r == 0 && i < d->admit.source.name_count; i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "incoming/%s/%s", d->list, d->admit.source.names[i]) < (int)sizeof path)
            r = on_path(d, path);
    }
    return r;
}

static int remove_path(struct drop *d, const char *path) {
    return files_remove_tree(d->admit.spool->dirfd, path);
}

static int reject_path(struct drop *d, const char *path) {
    return spool_reject(d->admit.spool, path, buf_view(&d->reason));
}

static int step_reject(struct drop *d, struct db *db) {
    const struct conf_list *list = conf_find_list(d->admit.conf, view_of(d->list));
    if (d->is_orphan) {
        struct words *words = words_of(d);
        if (words)
            buf_printf(&d->reason, "%s\n", words_get(words, "problem.orphan"));
        (void)words_free(words);
    }
    int r = each_path(d, reject_path);
    log_info("announcement-rejected", LOG_TEXT("list", d->list));
    if (r == 0 && list) {
        const struct inform i = {d->admit.conf, d->admit.keys, db, clock_now_usec()};
        r = inform_rejected(&i, list, name_of(d), buf_view(&d->reason));
    }
    return r;
}

static int step(struct store_job *job, struct db *db) {
    struct drop *d = (struct drop *)job;
    switch (d->phase) {
    case LOOK: return step_look(d);
    case READ: return step_read(d);
    case ADMIT: return step_admit(d, db);
    case CLEAN: return each_path(d, remove_path);
    case REJECT: return step_reject(d, db);
    }
    return -EINVAL;
}

static void on_done(struct store_job *job, int result) {
    struct drop *d = (struct drop *)job;
    struct incoming *in = d->incoming;
    bool more = d->path[0] && result == 0;
    in->looking = false;
    if (result < 0)
        log_warning("drop-not-taken", LOG_TEXT("list", d->list), LOG_TEXT("what", job->why.what),
                    LOG_TEXT("reason", strerror(-result)));
    if (d->taken) {
        log_info("announcement-taken-in", LOG_NUM("announcement", d->admit.id), LOG_TEXT("list", d->list));
        dispatch_announcement(in->parts.dispatch, d->admit.id);
    } else if (more)
        dispatch_notices(in->parts.dispatch);
    int64_t wait = result < 0 ? again_usec : d->wait_seconds * USEC_PER_SEC;
    if (!in->stopped && (more || in->look_again))
        look(in);
    else if (!in->stopped && wait)
        loop_set_timer(in->timer, clock_mono_usec() + wait);
    buf_done(&d->reason);
    admit_done(&d->admit);
    free(d);
}

static void look(struct incoming *in) {
    if (in->looking) {
        in->look_again = true;
        return;
    }
    struct drop *d = calloc(1, sizeof *d);
    if (!d) {
        log_error("out-of-memory");
        return;
    }
    in->looking = true;
    in->look_again = false;
    d->incoming = in;
    buf_init(&d->reason, 1 << 20);
    d->admit.conf = conf_ref(in->conf);
    d->admit.spool = in->parts.spool;
    d->admit.keys = in->parts.keys;
    d->admit.list = d->list;
    d->admit.by = "incoming";
    admit_init(&d->admit);
    d->admit_step = d->admit.job.step;
    d->admit.job.step = step;
    d->admit.job.done = on_done;
    store_submit(in->parts.store, &d->admit.job);
}

static void on_timer(void *user) {
    look(user);
}

static void on_entry(void *user, const char *name) {
    struct folder *f = user;
    if (!source_ignores(name) && !f->incoming->stopped)
        loop_set_timer(f->incoming->timer, clock_mono_usec() + quiet_seconds * USEC_PER_SEC);
}

static void drop_folders(struct incoming *in) {
    for (size_t i = 0; i < in->count; i++) {
        (void)loop_remove(in->folders[i].watch);
        free(in->folders[i].list);
    }
    free(in->folders);
    in->folders = NULL;
    in->count = 0;
}

int incoming_set_conf(struct incoming *in, struct conf *conf) {
    drop_folders(in);
    struct conf *before = in->conf;
    in->conf = conf_ref(conf);
    (void)conf_unref(before);
    in->folders = calloc(conf->list_count + 1, sizeof *in->folders);
    if (!in->folders)
        return -ENOMEM;
    for (size_t i = 0; i < conf->list_count; i++) {
        char relative[PATH_MAX], path[PATH_MAX];
        if (snprintf(relative, sizeof relative, "incoming/%s", conf->lists[i].name) >= (int)sizeof relative ||
            snprintf(path, sizeof path, "%s/%s", in->parts.spool->path, relative) >= (int)sizeof path)
            return -ENAMETOOLONG;
        struct folder *f = &in->folders[in->count];
        int r = files_make_dir(in->parts.spool->dirfd, relative, 0770); /* with the group of the folder above */
        f->incoming = in;
        f->list = strdup(conf->lists[i].name);
        if (r == 0)
            r = f->list ? loop_add_folder(in->parts.loop, path, on_entry, f, &f->watch) : -ENOMEM;
        in->count++;
        if (r < 0)
            return r;
    }
    look(in);
    return 0;
}

int incoming_new(const struct incoming_parts *parts, struct conf *conf, struct why *why, struct incoming **ret) {
    struct incoming *in = calloc(1, sizeof *in);
    if (!in)
        return why_set(why, -ENOMEM, "out of memory");
    in->parts = *parts;
    int r = loop_add_timer(parts->loop, on_timer, in, &in->timer);
    if (r == 0)
        r = incoming_set_conf(in, conf);
    if (r < 0) {
        (void)incoming_free(in);
        return why_set(why, r, "cannot watch the drop folders: %s", strerror(-r));
    }
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
        (void)loop_remove(in->timer);
        (void)conf_unref(in->conf);
        free(in);
    }
    return NULL;
}
