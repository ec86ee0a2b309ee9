#include "store/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/number.h"
#include "store/db.h"

#include "base/banned.h"

enum { NAMES_MAX = 10000 };
static const char folder[] = "kept";

static int path_in(const char *state_dir, const char *name, char ret[PATH_MAX]) {
    return snprintf(ret, PATH_MAX, "%s/%s", state_dir, name) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

int kept_check_room(const char *state_dir, const char *where, unsigned copies, const char *what, struct why *why) {
    static const char *const names[] = {"store.db", "store.db-wal"};
    struct stat st;
    uint64_t needed = 0;
    char path[PATH_MAX];
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (path_in(state_dir, names[i], path) == 0 && stat(path, &st) == 0)
            needed += (uint64_t)st.st_size * copies;
    if (files_room(where) >= needed + KEPT_SPARE_BYTES)
        return 0;
    (void)why_set(why, -ENOSPC, "%s: it takes %llu MiB, and %llu MiB must stay free", what,
                  (unsigned long long)(needed >> 20) + 1, (unsigned long long)(KEPT_SPARE_BYTES >> 20));
    why_where(why, "%s", where);
    why_todo(why, "Free space on this disk");
    return -ENOSPC;
}

/* The time in the form of names: 20261130T191500Z. */
static void print_time(int64_t usec, char ret[32]) {
    AUTOBUF struct buf text = BUF_INIT(64);
    size_t n = 0;
    clock_print_utc(&text, usec);
    for (const char *p = buf_str(&text); *p && n < 31; p++)
        if (*p != '-' && *p != ':')
            ret[n++] = *p;
    ret[n] = '\0';
}

int kept_name(const char *state_dir, const char *ending, char ret[KEPT_NAME_MAX]) {
    char path[PATH_MAX], now[32];
    int r = path_in(state_dir, folder, path);
    if (r == 0)
        r = files_make_dirs(path, 0700);
    print_time((int64_t)time(NULL) * USEC_PER_SEC, now); /* the system's: --clock is no reason to keep longer */
    if (r == 0 && snprintf(ret, KEPT_NAME_MAX, "%s/%s-%s", folder, now, ending) >= KEPT_NAME_MAX)
        r = -ENAMETOOLONG;
    return r;
}

/* --- What goes ----------------------------------------------------------------------------------------------- */

typedef bool is_over(const char *name, const void *user);

/* Newest first. */
static int remove_those(const char *state_dir, is_over *over, const void *user, unsigned spare, uint64_t *ret_removed) {
    char path[PATH_MAX];
    char **names = NULL;
    size_t count = 0;
    int r = path_in(state_dir, folder, path);
    AUTOCLOSE int fd = r < 0 ? r : files_open_dir(AT_FDCWD, path);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    r = files_list(fd, ".", NAMES_MAX, &names, &count);
    for (size_t i = count; r == 0 && i-- > 0;) {
        if (!over(names[i], user) || (spare && spare--))
            continue;
        if (unlinkat(fd, names[i], 0) < 0)
            r = -errno;
        else if (ret_removed)
            ++*ret_removed;
    }
    files_free_names(names, count);
    return r;
}

static bool is_unfinished(const char *name, const void *user) {
    (void)user;
    return name[0] == '.';
}

static bool is_old(const char *name, const void *user) {
    return is_unfinished(name, NULL) || (name[0] >= '0' && name[0] <= '9' && strcmp(name, user) < 0);
}

static bool is_of_migration(const char *name, const void *user) {
    (void)user;
    return strstr(name, "-v") != NULL;
}

int kept_sweep(const char *state_dir, uint64_t *ret_removed) {
    char limit[32], path[PATH_MAX];
    int r = path_in(state_dir, KEPT_RESTORING, path);
    if (r == 0)
        r = files_remove_tree(AT_FDCWD, path);
    if (r < 0)
        return r;
    print_time(((int64_t)time(NULL) - KEPT_DAYS * 24 * 3600) * USEC_PER_SEC, limit);
    return remove_those(state_dir, is_old, limit, 0, ret_removed);
}

/* --- Before a migration -------------------------------------------------------------------------------------- */

static int copy_to(struct db *db, const char *path, struct why *why) {
    struct db_copy *copy = NULL;
    int r = db_copy_begin(db, path, why, &copy);
    if (r < 0)
        return r;
    while ((r = db_copy_step(copy)) == 1)
        ;
    (void)db_copy_end(copy);
    return r < 0 ? why_set(why, r, "the store could not be copied: %s", strerror(-r)) : db_copy_check(path, why);
}

static int make(struct db *db, const char *state_dir, const char *name, struct why *why) {
    char path[PATH_MAX], hidden[PATH_MAX], above[PATH_MAX];
    if (path_in(state_dir, name, path) < 0 || path_in(state_dir, folder, above) < 0 ||
        snprintf(hidden, sizeof hidden, "%s/.%s", above, strrchr(name, '/') + 1) >= (int)sizeof hidden)
        return -ENAMETOOLONG;
    int r = copy_to(db, hidden, why);
    if (r == 0 && rename(hidden, path) < 0)
        r = -errno;
    AUTOCLOSE int fd = r < 0 ? -1 : files_open_dir(AT_FDCWD, above);
    if (r == 0)
        r = fd < 0 ? fd : files_fsync_dir(fd);
    if (r < 0)
        (void)unlink(hidden); /* else the next one removes it */
    return r;
}

int kept_before_migration(const char *state_dir, struct db *db, int version, struct why *why) {
    char name[KEPT_NAME_MAX], ending[16];
    *why = (struct why){0};
    (void)snprintf(ending, sizeof ending, "v%d.db", version); /* fits: a small number */
    /* Once more as much for what the migration writes. */
    int r = kept_check_room(state_dir, state_dir, 2, "there is no room to bring the store to a new version", why);
    if (r == 0)
        r = remove_those(state_dir, is_unfinished, NULL, 0, NULL);
    if (r == 0)
        r = kept_name(state_dir, ending, name);
    if (r == 0)
        r = make(db, state_dir, name, why);
    if (r == 0)
        r = remove_those(state_dir, is_of_migration, NULL, KEPT_MAX, NULL);
    if (r == 0)
        log_info("store-kept", LOG_TEXT("file", name), LOG_NUM("version", version));
    else if (!why->what[0])
        (void)why_set(why, r, "the store could not be copied before it is brought to a new version: %s", strerror(-r));
    return r;
}
