#include "app/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/number.h"
#include "base/thread.h"
#include "net/loop.h"
#include "trust/code.h"

#include "base/banned.h"

enum { PIECE_BYTES = 128 * 1024 };

struct snapshot {
    char path[PATH_MAX], tmp[PATH_MAX];
    snapshot_on_done *on_done;
    void *user;
    struct loop_source *wake;
    struct snapshot_result result; /* the thread's until done */
    pthread_mutex_t lock;          /* guards what follows */
    bool abandoned, done;
};

static void destroy(struct snapshot *s) {
    if (s->result.fd >= 0)
        (void)close(s->result.fd);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* ---- on the thread ---------------------------------------------------------------------------------------------- */

static bool is_network(const char *folder) {
    static const unsigned long magics[] = {NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,  SMB2_SUPER_MAGIC,
                                           CIFS_SUPER_MAGIC, V9FS_MAGIC,       CEPH_SUPER_MAGIC,
                                           AFS_SUPER_MAGIC,  CODA_SUPER_MAGIC, FUSE_SUPER_MAGIC};
    struct statfs fs;
    if (statfs(folder, &fs) < 0)
        return true;
    for (size_t i = 0; i < COUNT_OF(magics); i++)
        if ((unsigned long)fs.f_type == magics[i])
            return true;
    return false;
}

/* The folder of path, or the nearest above it that is there. */
static bool nearest_folder(const char *path, char *to) {
    (void)snprintf(to, PATH_MAX, "%s", path); /* of the same size */
    for (bool exact = true;; exact = false) {
        char *slash = strrchr(to, '/');
        struct stat st;
        if (!slash || slash == to) {
            to[1] = '\0';
            return exact;
        }
        *slash = '\0';
        if (stat(to, &st) == 0 && S_ISDIR(st.st_mode))
            return exact;
    }
}

static void find_folders(struct snapshot *s) {
    struct snapshot_result *r = &s->result;
    char real[PATH_MAX];
    r->exact[0] = nearest_folder(s->path, r->folders[0]);
    if (realpath(s->path, real)) {
        r->exact[1] = nearest_folder(real, r->folders[1]);
        char first[PATH_MAX];
        if (realpath(r->folders[0], first) && strcmp(first, r->folders[1]) == 0 &&
            strcmp(strrchr(real, '/'), strrchr(s->path, '/')) == 0)
            r->folders[1][0] = '\0';
    }
    for (size_t i = 0; i < SNAPSHOT_FOLDERS; i++)
        r->polls |= r->folders[i][0] && is_network(r->folders[i]);
}

static bool same_state(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* By its content's time: what was moved here is whole. One in the future comes from another machine's clock, and says
 * nothing. */
static bool is_quiet(const struct stat *st) {
    time_t now = time(NULL);
    return st->st_mtime > now || now - st->st_mtime >= SNAPSHOT_QUIET_SECONDS;
}

static int copy_pieces(int from, struct snapshot_result *r, char *piece) {
    struct code_digest digest;
    int64_t until = clock_mono_usec() + SNAPSHOT_SECONDS * USEC_PER_SEC;
    ssize_t n;
    code_digest_begin(&digest);
    while ((n = read(from, piece, PIECE_BYTES)) > 0) {
        r->size += (uint64_t)n;
        int e = r->size > SNAPSHOT_MAX_BYTES ? -EFBIG : clock_mono_usec() > until ? -ETIMEDOUT : 0;
        if (e == 0 && (e = files_write_all(r->fd, piece, (size_t)n)) < 0)
            r->ours = true;
        if (e < 0)
            return e;
        code_digest_add(&digest, view_make(piece, (size_t)n));
    }
    code_digest_end(&digest, r->digest);
    return n < 0 ? -errno : 0;
}

static int copy(struct snapshot *s) {
    struct stat before, after, behind;
    AUTOCLOSE int from = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (from < 0 || fstat(from, &before) < 0)
        return -errno;
    if (!S_ISREG(before.st_mode))
        return S_ISDIR(before.st_mode) ? -EISDIR : -EINVAL;
    if (!is_quiet(&before))
        return -EAGAIN;
    s->result.fd = mkostemp(s->tmp, O_CLOEXEC); /* 0600 */
    s->result.ours = s->result.fd < 0;
    if (s->result.fd < 0)
        return -errno;
    (void)unlink(s->tmp); /* else swept at the next start */
    AUTOFREE char *piece = malloc(PIECE_BYTES);
    s->result.ours = !piece;
    int r = piece ? copy_pieces(from, &s->result, piece) : -ENOMEM;
    if (r == 0 && (fstat(from, &after) < 0 || stat(s->path, &behind) < 0 || !same_state(&before, &after) ||
                   !same_state(&before, &behind)))
        r = -EAGAIN;
    return r;
}

static void *run(void *user) {
    struct snapshot *s = user;
    find_folders(s);
    s->result.error = copy(s);
    if (s->result.error < 0 && s->result.fd >= 0) {
        (void)close(s->result.fd);
        s->result.fd = -1;
    }
    (void)pthread_mutex_lock(&s->lock); /* an ordinary mutex: locking cannot fail */
    bool abandoned = s->abandoned;
    s->done = true;
    if (!abandoned)
        loop_wake(s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    if (abandoned)
        destroy(s);
    return NULL;
}

/* ---- on the loop ------------------------------------------------------------------------------------------------ */

static void on_wake(void *user) {
    struct snapshot *s = user;
    (void)pthread_mutex_lock(&s->lock);
    bool done = s->done;
    (void)pthread_mutex_unlock(&s->lock);
    if (!done)
        return;
    struct snapshot_result r = s->result;
    s->result.fd = -1;
    s->on_done(s->user, &r);
}

int snapshot_take(struct loop *loop, const char *tmp_folder, const char *path, snapshot_on_done *on_done, void *user,
                  struct snapshot **ret) {
    struct snapshot *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->result.fd = -1;
    s->on_done = on_done;
    s->user = user;
    (void)pthread_mutex_init(&s->lock, NULL); /* an ordinary mutex: cannot fail */
    int r = snprintf(s->path, sizeof s->path, "%s", path) >= (int)sizeof s->path ||
                    snprintf(s->tmp, sizeof s->tmp, "%s/source.XXXXXX", tmp_folder) >= (int)sizeof s->tmp
                ? -ENAMETOOLONG
                : loop_add_wake(loop, on_wake, s, &s->wake);
    if (r == 0 && (r = thread_begin(run, s)) < 0)
        (void)loop_remove(s->wake);
    if (r < 0) {
        destroy(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct snapshot *snapshot_free(struct snapshot *s) {
    if (!s)
        return NULL;
    (void)pthread_mutex_lock(&s->lock);
    bool done = s->done;
    s->abandoned = true;
    s->wake = loop_remove(s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    if (done)
        destroy(s);
    return NULL;
}
