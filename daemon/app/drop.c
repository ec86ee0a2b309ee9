#include "app/drop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "announce/inform.h"
#include "announce/source.h"
#include "api/rights.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "conf/conf.h"
#include "mail/words.h"
#include "spool/spool.h"
#include "store/announcement.h"

#include "base/banned.h"

enum { ENTRIES_MAX = 10000 };
static const time_t orphan_seconds = 3600;

enum phase { LOOK, READ, ADMIT, CLEAN, REJECT };

/* The time of the last change of an entry: of the newest file, in a folder. 0 where it is gone. Trouble of the machine
 * is returned; what else keeps a folder shut is met where it is read. */
static int last_change(int dirfd, const char *name, unsigned depth, time_t *ret) {
    struct stat st;
    *ret = 0;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return why_is_trouble(-errno) ? -errno : 0;
    *ret = st.st_ctime;
    if (!S_ISDIR(st.st_mode) || !depth)
        return 0;
    AUTOCLOSE int fd = files_open_dir(dirfd, name);
    char **names;
    size_t count;
    int r = fd < 0 ? fd : files_list(fd, ".", BUNDLE_FILES_MAX, &names, &count);
    if (r < 0)
        return why_is_trouble(r) ? r : 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        time_t t;
        r = last_change(fd, names[i], depth - 1, &t);
        *ret = t > *ret ? t : *ret;
    }
    files_free_names(names, count);
    return r;
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
    for (size_t i = 0; r == 0 && i < count; i++)
        if (!source_ignores(names[i])) {
            time_t t;
            r = last_change(fd, names[i], 1, &t);
            newest = t > newest ? t : newest;
        }
    bool quiet = r == 0 && now - newest >= DROP_QUIET_SECONDS;
    if (r == 0 && newest && !quiet)
        wait_for(d, DROP_QUIET_SECONDS - (now - newest));
    for (size_t i = 0; r == 0 && quiet && i < count && !d->path[0]; i++) {
        struct stat st;
        if (source_ignores(names[i]))
            continue;
        if (fstatat(fd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
            wait_for(d, DROP_TROUBLE_SECONDS); /* perhaps it is gone */
            continue;
        }
        int first = S_ISDIR(st.st_mode) ? 1 : source_is_first(names[i], names, count, languages);
        if (first < 0) {
            r = first;
            continue;
        }
        time_t age = now - st.st_ctime;
        if (!first && age < orphan_seconds) {
            wait_for(d, orphan_seconds - age);
            continue;
        }
        if (snprintf(d->path, sizeof d->path, "%s/%s", path, names[i]) >= (int)sizeof d->path ||
            d->leaves_out(d->user, d->path)) {
            d->path[0] = '\0';
            wait_for(d, DROP_AGAIN_SECONDS);
            continue;
        }
        d->is_folder = S_ISDIR(st.st_mode);
        d->is_orphan = !first;
        d->newest = newest;
        (void)snprintf(d->list, sizeof d->list, "%s", list); /* names of lists are shorter */
    }
    files_free_names(names, count);
    return r;
}

static int step_look(struct drop *d) {
    char **codes = NULL;
    struct languages languages = {0};
    int r = intake_languages(d->admit.conf, &codes, &languages.count);
    languages.codes = codes;
    for (size_t i = 0; r == 0 && i < d->admit.conf->list_count && !d->path[0]; i++) {
        int error = look_into(d, d->admit.conf->lists[i].name, &languages);
        if (error < 0)
            wait_for(d, why_is_trouble(error) ? DROP_TROUBLE_SECONDS : DROP_AGAIN_SECONDS);
        if (error < 0)
            log_warning("drop-folder-unreadable", LOG_TEXT("list", d->admit.conf->lists[i].name),
                        LOG_TEXT("reason", error == -E2BIG ? "more than 10000 entries" : strerror(-error)),
                        LOG_TEXT("todo", error == -E2BIG ? "Take files away, until fewer are there"
                                                         : "Let the daemon's user read incoming/ and what is in it"));
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

/* A first file that cannot be read takes its translations with it: they would be announcements of their own. */
static int keep_translations(struct drop *d, const struct languages *languages) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "incoming/%s", d->list) >= (int)sizeof path)
        return -ENAMETOOLONG;
    char **all;
    int r = files_list(d->admit.spool->dirfd, path, ENTRIES_MAX, &all, &d->name_count);
    if (r < 0)
        return r;
    d->names = all;
    char first[NAME_MAX + 1];
    (void)snprintf(first, sizeof first, "%s", name_of(d)); /* names of files fit */
    size_t kept = 0;
    for (size_t i = 0; i < d->name_count; i++) {
        char *pair[] = {first, all[i]};
        /* Beside the first file it is none of its own; alone it would be. */
        int ours = 0;
        if (!source_ignores(all[i]) && strcmp(all[i], first) != 0) {
            int beside = source_is_first(all[i], pair, COUNT_OF(pair), languages);
            ours = beside ? beside : source_is_first(all[i], &pair[1], 1, languages);
            ours = beside > 0 ? 0 : ours;
        }
        if (ours < 0)
            r = ours;
        if (ours > 0)
            all[kept++] = all[i];
        else
            free(all[i]);
    }
    d->name_count = kept;
    return r;
}

static int step_read(struct drop *d) {
    char **codes = NULL;
    struct languages languages = {0};
    struct why why;
    int r = intake_languages(d->admit.conf, &codes, &languages.count);
    languages.codes = codes;
    if (r == 0)
        r = source_read(d->admit.spool->dirfd, d->path, &languages, &d->admit.source, &why);
    d->phase = ADMIT;
    if (r < 0 && !why_is_trouble(r)) {
        struct words *words = words_of(d);
        if (words)
            problem_print_why(&why, words, &d->reason);
        (void)words_free(words);
        d->phase = REJECT;
        r = d->is_folder ? 0 : keep_translations(d, &languages);
    }
    files_free_names(codes, languages.count);
    return r < 0 ? r : STORE_MORE;
}

/* The announcement that is there already was made of these very files, and a kill came before they were removed: the
 * bundle is younger than they. Whoever drops them once more makes them younger. 1, 0, or why that cannot be seen. */
static int was_taken(const struct drop *d) {
    char path[64];
    struct stat st;
    (void)snprintf(path, sizeof path, "announcements/%lld", (long long)d->admit.id); /* always fits */
    if (fstatat(d->admit.spool->dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return why_is_trouble(-errno) ? -errno : 0;
    time_t changed;
    int r = last_change(d->admit.spool->dirfd, d->path, 1, &changed);
    return r < 0 ? r : changed < st.st_ctime;
}

/* 1; 0 where it has no folder; or why that cannot be seen. */
static int folder_group(const struct drop *d, const char *list, gid_t *ret) {
    char path[PATH_MAX];
    struct stat st;
    if (snprintf(path, sizeof path, "incoming/%s", list) >= (int)sizeof path)
        return 0;
    if (fstatat(d->admit.spool->dirfd, path, &st, 0) < 0)
        return why_is_trouble(-errno) ? -errno : 0;
    *ret = st.st_gid;
    return 1;
}

/* Nobody knows who dropped a file, but that they may use the folder: the other lists that it names must be the folder's
 * group's, too. */
static int allows_list(void *user, const struct conf_list *list) {
    const struct drop *d = user;
    gid_t ours, theirs;
    if (strcmp(list->name, d->list) == 0)
        return 1;
    int r = folder_group(d, d->list, &ours);
    if (r <= 0 || (r = rights_of_group(ours, d->admit.conf, list)) != 0)
        return r;
    r = folder_group(d, list->name, &theirs);
    return r == 1 ? ours == theirs : r;
}

/* What is the coordinator's fault is told and moved away; anything else leaves the file where it is, for later. */
static int step_admit(struct drop *d, struct db *db) {
    int r = d->admit_step(&d->admit.job, db);
    if (r == STORE_DONE || r == -EALREADY) {
        d->taken = true;
        d->phase = CLEAN;
        return STORE_MORE;
    }
    if (r != -EINVAL && r != -EEXIST && r != -EACCES)
        return r;
    int before = r == -EEXIST ? was_taken(d) : 0;
    if (before < 0)
        return before;
    if (before) {
        log_info("drop-taken-before", LOG_NUM("announcement", d->admit.id), LOG_TEXT("list", d->list));
        d->phase = CLEAN;
        return STORE_MORE;
    }
    struct words *words = words_of(d);
    if (r != -EEXIST && words)
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
    const struct source *s = &d->admit.source;
    bool whole = d->is_folder || s->name_count == 0;
    const char *const *names = whole ? (const char *const *)d->names : s->names;
    size_t count = whole ? d->name_count : s->name_count;
    int r = whole ? on_path(d, d->path) : 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "incoming/%s/%s", d->list, names[i]) < (int)sizeof path)
            r = on_path(d, path);
    }
    return r;
}

/* What was written anew since it was read is an announcement that nobody has read yet: it stays. */
static int remove_path(struct drop *d, const char *path) {
    time_t changed;
    int r = last_change(d->admit.spool->dirfd, path, 1, &changed);
    if (r < 0 || changed > d->newest)
        return r;
    return files_remove_tree(d->admit.spool->dirfd, path);
}

/* Only once the files are gone are the same ones a second drop. */
static int step_clean(struct drop *d, struct db *db) {
    int r = each_path(d, remove_path);
    return r == 0 ? announcement_source_gone(db, d->admit.id) : r;
}

static int reject_path(struct drop *d, const char *path) {
    return spool_reject(d->admit.spool, d->list, path, buf_view(&d->reason));
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
    case CLEAN: return step_clean(d, db);
    case REJECT: return step_reject(d, db);
    }
    return -EINVAL;
}

struct drop *drop_new(struct conf *conf, struct spool *spool, const struct keyring *keys) {
    struct drop *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    buf_init(&d->reason, 1 << 20);
    d->admit.conf = conf_ref(conf);
    d->admit.spool = spool;
    d->admit.keys = keys;
    d->admit.lists = d->list;
    d->admit.lists_are_folder = true;
    d->admit.hold_by_lists = true;
    d->admit.allows_list = allows_list;
    d->admit.user = d;
    d->admit.by = ADMIT_BY_DROP;
    admit_init(&d->admit);
    d->admit_step = d->admit.job.step;
    d->admit.job.step = step;
    return d;
}

struct drop *drop_free(struct drop *d) {
    if (d) {
        files_free_names(d->names, d->name_count);
        buf_done(&d->reason);
        admit_done(&d->admit);
        free(d);
    }
    return NULL;
}
