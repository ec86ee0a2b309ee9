#include "spool/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/files.h"

/* The modes suit an unprivileged daemon that made them itself; a package lays them out beforehand with groups
 * (tmpfiles). */
static const struct {
    const char *name;
    mode_t mode;
} folders[] = {
    {"incoming", 0770},     {"announcements", 0700},  {"rejected", 0770},       {"requests", 0755},
    {"requests/web", 0770}, {"requests/mail", 0770},  {"applied", 0700},        {"public", 0755},
    {"public/keys", 0755},  {"public/archive", 0755}, {"public/several", 0755}, {"tmp", 0700},
};

int spool_open(const char *path, struct why *why, struct spool **ret) {
    struct spool *s = calloc(1, sizeof *s);
    int r = s ? 0 : -ENOMEM;
    if (r == 0) {
        s->path = strdup(path);
        s->dirfd = s->path ? files_make_dir(AT_FDCWD, path, 0755) : -ENOMEM;
        if (s->dirfd == 0)
            s->dirfd = files_open_dir(AT_FDCWD, path);
        r = s->dirfd < 0 ? s->dirfd : 0;
    }
    for (size_t i = 0; r == 0 && i < COUNT_OF(folders); i++)
        r = files_make_dir(s->dirfd, folders[i].name, folders[i].mode);
    if (r < 0) {
        (void)why_set(why, r, "cannot use the spool folder: %s", strerror(-r));
        why_where(why, "%s", path);
        why_todo(why, "Let the daemon's user own it, or set [daemon] spool-dir");
        (void)spool_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct spool *spool_close(struct spool *s) {
    if (s) {
        if (s->dirfd >= 0)
            (void)close(s->dirfd);
        free(s->path);
        free(s);
    }
    return NULL;
}

int spool_make_tmp(struct spool *s, char **ret_path) {
    uint8_t random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return -EIO;
    struct buf path = BUF_INIT(64);
    buf_puts(&path, "tmp/");
    encode_hex(&path, random, sizeof random);
    int r = buf_error(&path);
    if (r == 0 && mkdirat(s->dirfd, buf_str(&path), 0700) < 0)
        r = -errno;
    if (r == 0)
        *ret_path = buf_steal(&path);
    buf_done(&path);
    return r;
}

static int sync_parent(struct spool *s, const char *path) {
    const char *slash = strrchr(path, '/');
    AUTOFREE char *parent = slash ? view_dup(view_make(path, (size_t)(slash - path))) : strdup(".");
    if (!parent)
        return -ENOMEM;
    AUTOCLOSE int fd = files_open_dir(s->dirfd, parent);
    return fd < 0 ? fd : files_fsync_dir(fd);
}

int spool_publish_tree(struct spool *s, const char *from, const char *to) {
    int r = files_fsync_tree(s->dirfd, from);
    if (r == 0 && renameat2(s->dirfd, from, s->dirfd, to, RENAME_NOREPLACE) < 0)
        r = -errno;
    if (r == 0)
        r = sync_parent(s, from);
    return r == 0 ? sync_parent(s, to) : r;
}

int spool_publish(struct spool *s, const char *name, struct view content) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "public/%s", name) >= (int)sizeof path)
        return -ENAMETOOLONG;
    return files_write_durable(s->dirfd, path, content, 0644);
}

static bool exists(const struct spool *s, const char *path) {
    return faccessat(s->dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int spool_share_rejected(struct spool *s, const char *list) {
    char from[PATH_MAX], to[PATH_MAX];
    struct stat drops, ours;
    if (snprintf(from, sizeof from, "incoming/%s", list) >= (int)sizeof from ||
        snprintf(to, sizeof to, "rejected/%s", list) >= (int)sizeof to)
        return -ENAMETOOLONG;
    if (fstatat(s->dirfd, to, &ours, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    bool same =
        fstatat(s->dirfd, from, &drops, AT_SYMLINK_NOFOLLOW) == 0 &&
        (drops.st_gid == ours.st_gid || fchownat(s->dirfd, to, (uid_t)-1, drops.st_gid, AT_SYMLINK_NOFOLLOW) == 0);
    /* Without the bit that hands the group on to what is made in it: a sandbox refuses to set that. */
    mode_t mode = same ? 0770 : 0700;
    return (ours.st_mode & 0777) == mode || fchmodat(s->dirfd, to, mode, 0) == 0 ? 0 : -errno;
}

static int make_rejected(struct spool *s, const char *list) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "rejected/%s", list) >= (int)sizeof path)
        return -ENAMETOOLONG;
    if (mkdirat(s->dirfd, path, 0700) < 0 && errno != EEXIST)
        return -errno;
    return spool_share_rejected(s, list);
}

/* FOLDER/TIME[-N]-NAME, where neither that nor its .why is there yet; a long name is cut, so that both fit. */
static int name_rejected(const struct spool *s, const char *folder, const char *name, struct buf *to) {
    /* of the reason while it is being written: a dot before, a random number behind */
    enum { SUFFIX_BYTES = sizeof "..why.0123456789abcdef" - 1, TRIES = 10000 };
    AUTOBUF struct buf time = BUF_INIT(64), why = BUF_INIT(PATH_MAX);
    clock_print_utc(&time, clock_now_usec());
    for (unsigned n = 1; n <= TRIES; n++) {
        AUTOBUF struct buf start = BUF_INIT(128);
        buf_printf(&start, n == 1 ? "%s-" : "%s-%u-", buf_str(&time), n);
        size_t len = strlen(name), room = NAME_MAX - SUFFIX_BYTES - start.len;
        if (len > room)
            for (len = room; len && ((unsigned char)name[len] & 0xC0) == 0x80;)
                len--; /* whole characters */
        buf_clear(to);
        buf_printf(to, "%s/%s", folder, buf_str(&start));
        buf_add(to, name, len);
        buf_clear(&why);
        buf_printf(&why, "%s.why", buf_str(to));
        if (buf_error(to) < 0 || buf_error(&why) < 0)
            return -ENOMEM;
        if (!exists(s, buf_str(to)) && !exists(s, buf_str(&why)))
            return 0;
    }
    return -EEXIST;
}

int spool_reject(struct spool *s, const char *list, const char *path, struct view reason) {
    const char *slash = strrchr(path, '/');
    AUTOBUF struct buf to = BUF_INIT(PATH_MAX), why = BUF_INIT(PATH_MAX), folder = BUF_INIT(PATH_MAX);
    buf_puts(&folder, list ? "rejected/" : "rejected");
    buf_puts(&folder, list ? list : "");
    int r = list ? make_rejected(s, list) : 0;
    if (r == 0)
        r = name_rejected(s, buf_str(&folder), slash ? slash + 1 : path, &to);
    if (r < 0)
        return r;
    buf_printf(&why, "%s.why", buf_str(&to));
    /* First: a moved file never lacks its reason. Who may enter the list's folder may read it. */
    r = files_write_durable(s->dirfd, buf_str(&why), reason, list ? 0664 : 0660);
    if (r < 0)
        return r;
    if (renameat2(s->dirfd, path, s->dirfd, buf_str(&to), RENAME_NOREPLACE) < 0) {
        r = -errno;
        (void)unlinkat(s->dirfd, buf_str(&why), 0); /* nothing was moved: nothing to explain */
        return r == -ENOENT ? 0 : r;
    }
    r = sync_parent(s, buf_str(&to));
    return r == 0 ? sync_parent(s, path) : r;
}

int spool_sweep_tmp(struct spool *s) {
    char **names;
    size_t count;
    int r = files_list(s->dirfd, "tmp", 100000, &names, &count);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < count; i++) {
        char path[NAME_MAX + 8];
        (void)snprintf(path, sizeof path, "tmp/%s", names[i]); /* a name of one component always fits */
        r = files_remove_tree(s->dirfd, path);
    }
    files_free_names(names, count);
    return r;
}
