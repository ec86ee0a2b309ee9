/* forgetful.so: a disk that forgets what was not synced, for LD_PRELOAD under a whole, unchanged program.
 *
 * Whatever the program does to files beneath FORGETFUL_ROOT happens as usual and is also written to the journal
 * FORGETFUL_JOURNAL, in order. A sync is only written down. At the event FORGETFUL_CUT (a change of a file, a sync, or
 * something handed to a socket; counted from 1) the program kills itself. tests/storm/disk.py then makes, from the
 * folder as it was before and the journal, a folder as a disk might hold it after the power failed. Several programs
 * may share one journal. FORGETFUL_FAIL_SYNC: one sync in so many fails with EIO, and what it should have made certain is
 * given up as a kernel does: no later sync brings it to the disk. FORGETFUL_SYNC_USEC: each sync takes up to so long, so that something happens meanwhile.
 * FORGETFUL_LATER: time() is so many seconds ahead, which makes files old enough that were written just now.
 *
 * FORMAT of the journal: records, each a line with fields separated by tabs; paths are relative to the root
 *   C ino path        a file was made        D ino path    a folder was made
 *   R from to         renamed                U path        unlinked, or the folder removed
 *   T ino size        cut or grown           S ino         synced, a file or a folder
 *   F ino             a sync that failed
 *   W ino offset len  written; so many octets and a newline follow the line
 *
 * LIMITS  No mmap, O_TMPFILE, link, dup: the programs do not use them beneath the root. Descriptors below FDS. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { FDS = 65536 };
static char root[PATH_MAX];
static size_t root_len;
static int journal = -1;
static long cut_at, sync_usec, fail_sync, later;
static atomic_long events;
static atomic_bool tracked[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name, ret, ...)                                                                                           \
    static ret (*real)(__VA_ARGS__);                                                                                   \
    if (!real)                                                                                                         \
    *(void **)&real = dlsym(RTLD_NEXT, #name)

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *r = getenv("FORGETFUL_ROOT"), *j = getenv("FORGETFUL_JOURNAL");
    if (!r || !j || !realpath(r, root))
        return;
    root_len = strlen(root);
    cut_at = number("FORGETFUL_CUT");
    sync_usec = number("FORGETFUL_SYNC_USEC");
    fail_sync = number("FORGETFUL_FAIL_SYNC");
    later = number("FORGETFUL_LATER");
    int (*real_open)(const char *, int, ...);
    *(void **)&real_open = dlsym(RTLD_NEXT, "open");
    journal = fcntl(real_open(j, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600), F_DUPFD_CLOEXEC, 900);
    unsetenv("LD_PRELOAD");
}

/* Nobody is writing into the journal when the power fails. */
static void event(void) {
    if (atomic_fetch_add(&events, 1) + 1 == cut_at) {
        (void)pthread_mutex_lock(&lock);
        (void)flock(journal, LOCK_EX);
        (void)kill(getpid(), SIGKILL);
        for (;;)
            (void)pause();
    }
}

/* The thread's own turn, and the process's: what stands in the journal is in the order in which it happened. */
static void enter(void) {
    event();
    (void)pthread_mutex_lock(&lock);
    (void)flock(journal, LOCK_EX);
}

static void leave(void) {
    int error = errno;
    (void)flock(journal, LOCK_UN);
    (void)pthread_mutex_unlock(&lock);
    errno = error;
}

static void put(const char *format, ...) {
    char line[2 * PATH_MAX + 100];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    ssize_t (*real_write)(int, const void *, size_t);
    *(void **)&real_write = dlsym(RTLD_NEXT, "write");
    if (real_write(journal, line, (size_t)n) != n)
        abort();
}

static void put_written(int fd, const void *data, size_t len, off_t offset) {
    struct stat st;
    if (fstat(fd, &st) < 0)
        abort();
    char head[100];
    int n = snprintf(head, sizeof head, "W\t%lu\t%lld\t%zu\n", (unsigned long)st.st_ino, (long long)offset, len);
    char end = '\n';
    struct iovec parts[3] = {{head, (size_t)n}, {(void *)data, len}, {&end, 1}};
    ssize_t (*real_writev)(int, const struct iovec *, int);
    *(void **)&real_writev = dlsym(RTLD_NEXT, "writev");
    if (real_writev(journal, parts, 3) != (ssize_t)(n + (ssize_t)len + 1))
        abort();
}

/* The path relative to the root, or NULL where it lies elsewhere. */
static const char *inside(int dirfd, const char *path, char to[PATH_MAX]) {
    char whole[2 * PATH_MAX], folder[PATH_MAX], link[40];
    if (journal < 0)
        return NULL;
    if (path[0] == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else if (dirfd == AT_FDCWD) {
        if (!getcwd(folder, sizeof folder))
            return NULL;
        snprintf(whole, sizeof whole, "%s/%s", folder, path);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
        ssize_t n = readlink(link, folder, sizeof folder - 1);
        if (n < 0)
            return NULL;
        folder[n] = '\0';
        snprintf(whole, sizeof whole, "%s/%s", folder, path);
    }
    if (strncmp(whole, root, root_len) != 0 || (whole[root_len] != '/' && whole[root_len] != '\0'))
        return NULL;
    snprintf(to, PATH_MAX, "%s", whole + root_len);
    return to;
}

static unsigned long ino_at(int dirfd, const char *path) {
    struct stat st;
    return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (unsigned long)st.st_ino : 0;
}

static unsigned long ino_of(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 ? (unsigned long)st.st_ino : 0;
}

/* closedir() closes behind our back: what has the number now may be something else. */
static bool is_tracked(int fd) {
    struct stat st;
    return fd >= 0 && fd < FDS && tracked[fd] && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/* ---- opening ---- */

static int open_any(int dirfd, const char *path, int flags, mode_t mode) {
    REAL(openat, int, int, const char *, int, ...);
    char buffer[PATH_MAX];
    const char *name = inside(dirfd, path, buffer);
    if (!name) {
        int fd = real(dirfd, path, flags, mode);
        if (fd >= 0 && fd < FDS)
            tracked[fd] = false;
        return fd;
    }
    if (!(flags & (O_CREAT | O_TRUNC))) {
        int fd = real(dirfd, path, flags, mode);
        if (fd >= 0 && fd < FDS)
            tracked[fd] = true;
        return fd;
    }
    enter();
    bool was = ino_at(dirfd, path) != 0;
    int fd = real(dirfd, path, flags, mode);
    if (fd >= 0 && fd < FDS)
        tracked[fd] = true;
    if (fd >= 0 && !was)
        put("C\t%lu\t%s\n", ino_of(fd), name);
    else if (fd >= 0 && flags & O_TRUNC)
        put("T\t%lu\t0\n", ino_of(fd));
    leave();
    return fd;
}

#define WITH_MODE                                                                                                      \
    mode_t mode = 0;                                                                                                   \
    if (flags & O_CREAT) {                                                                                             \
        va_list args;                                                                                                  \
        va_start(args, flags);                                                                                         \
        mode = va_arg(args, mode_t);                                                                                   \
        va_end(args);                                                                                                  \
    }

int open(const char *path, int flags, ...) {
    WITH_MODE return open_any(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    WITH_MODE return open_any(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int dirfd, const char *path, int flags, ...) {
    WITH_MODE return open_any(dirfd, path, flags, mode);
}
int openat64(int dirfd, const char *path, int flags, ...) {
    WITH_MODE return open_any(dirfd, path, flags | O_LARGEFILE, mode);
}
int close_range(unsigned first, unsigned last, int flags);
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);
int __open_2(const char *path, int flags) {
    return open_any(AT_FDCWD, path, flags, 0);
}
int __open64_2(const char *path, int flags) {
    return open_any(AT_FDCWD, path, flags | O_LARGEFILE, 0);
}
int __openat_2(int dirfd, const char *path, int flags) {
    return open_any(dirfd, path, flags, 0);
}
int __openat64_2(int dirfd, const char *path, int flags) {
    return open_any(dirfd, path, flags | O_LARGEFILE, 0);
}

int close(int fd) {
    REAL(close, int, int);
    if (fd >= 0 && fd < FDS)
        tracked[fd] = false;
    return real(fd);
}

/* The door closes all that it does not know; the journal is ours. */
int close_range(unsigned first, unsigned last, int flags) {
    REAL(close_range, int, unsigned, unsigned, int);
    unsigned ours = (unsigned)journal;
    if (journal < 0 || ours < first || ours > last)
        return real(first, last, flags);
    int r = ours > first ? real(first, ours - 1, flags) : 0;
    return r == 0 && ours < last ? real(ours + 1, last, flags) : r;
}

/* ---- content ---- */

ssize_t write(int fd, const void *data, size_t len) {
    REAL(write, ssize_t, int, const void *, size_t);
    if (!is_tracked(fd))
        return real(fd, data, len);
    enter();
    ssize_t n = real(fd, data, len);
    if (n > 0)
        put_written(fd, data, (size_t)n, lseek(fd, 0, SEEK_CUR) - n);
    leave();
    return n;
}

static ssize_t pwrite_any(int fd, const void *data, size_t len, off_t offset) {
    REAL(pwrite, ssize_t, int, const void *, size_t, off_t);
    if (!is_tracked(fd))
        return real(fd, data, len, offset);
    enter();
    ssize_t n = real(fd, data, len, offset);
    if (n > 0)
        put_written(fd, data, (size_t)n, offset);
    leave();
    return n;
}
ssize_t pwrite(int fd, const void *data, size_t len, off_t offset) {
    return pwrite_any(fd, data, len, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset) {
    return pwrite_any(fd, data, len, offset);
}

static int ftruncate_any(int fd, off_t size) {
    REAL(ftruncate, int, int, off_t);
    if (!is_tracked(fd))
        return real(fd, size);
    enter();
    int r = real(fd, size);
    if (r == 0)
        put("T\t%lu\t%lld\n", ino_of(fd), (long long)size);
    leave();
    return r;
}
int ftruncate(int fd, off_t size) {
    return ftruncate_any(fd, size);
}
int ftruncate64(int fd, off64_t size) {
    return ftruncate_any(fd, size);
}

static int sync_any(int fd) {
    if (!is_tracked(fd))
        return 0;
    unsigned chance = 0;
    if (sync_usec && getrandom(&chance, sizeof chance, 0) == sizeof chance)
        (void)usleep((useconds_t)(chance % (unsigned long)sync_usec));
    bool fails =
        fail_sync && getrandom(&chance, sizeof chance, 0) == sizeof chance && chance % (unsigned long)fail_sync == 0;
    enter();
    put("%c\t%lu\n", fails ? 'F' : 'S', ino_of(fd));
    leave();
    if (!fails)
        return 0;
    errno = EIO;
    return -1;
}
int fsync(int fd) {
    return sync_any(fd);
}
int fdatasync(int fd) {
    return sync_any(fd);
}

/* ---- names ---- */

static int rename_any(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    REAL(renameat2, int, int, const char *, int, const char *, unsigned);
    char a[PATH_MAX], b[PATH_MAX];
    const char *old = inside(from_fd, from, a), *new = inside(to_fd, to, b);
    if (!old || !new)
        return real(from_fd, from, to_fd, to, flags);
    enter();
    int r = real(from_fd, from, to_fd, to, flags);
    if (r == 0)
        put("R\t%s\t%s\n", old, new);
    leave();
    return r;
}
int rename(const char *from, const char *to) {
    return rename_any(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int renameat(int from_fd, const char *from, int to_fd, const char *to) {
    return rename_any(from_fd, from, to_fd, to, 0);
}
int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    return rename_any(from_fd, from, to_fd, to, flags);
}

static int unlink_any(int dirfd, const char *path, int flags) {
    REAL(unlinkat, int, int, const char *, int);
    char a[PATH_MAX];
    const char *name = inside(dirfd, path, a);
    if (!name)
        return real(dirfd, path, flags);
    enter();
    int r = real(dirfd, path, flags);
    if (r == 0)
        put("U\t%s\n", name);
    leave();
    return r;
}
int unlink(const char *path) {
    return unlink_any(AT_FDCWD, path, 0);
}
int unlinkat(int dirfd, const char *path, int flags) {
    return unlink_any(dirfd, path, flags);
}
int rmdir(const char *path) {
    return unlink_any(AT_FDCWD, path, AT_REMOVEDIR);
}

static int mkdir_any(int dirfd, const char *path, mode_t mode) {
    REAL(mkdirat, int, int, const char *, mode_t);
    char a[PATH_MAX];
    const char *name = inside(dirfd, path, a);
    if (!name)
        return real(dirfd, path, mode);
    enter();
    int r = real(dirfd, path, mode);
    if (r == 0)
        put("D\t%lu\t%s\n", ino_at(dirfd, path), name);
    leave();
    return r;
}
int mkdir(const char *path, mode_t mode) {
    return mkdir_any(AT_FDCWD, path, mode);
}
int mkdirat(int dirfd, const char *path, mode_t mode) {
    return mkdir_any(dirfd, path, mode);
}

time_t time(time_t *ret) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec + later;
    return now.tv_sec + later;
}

/* ---- the wire: what others have seen cannot be forgotten ---- */

ssize_t send(int fd, const void *data, size_t len, int flags) {
    REAL(send, ssize_t, int, const void *, size_t, int);
    ssize_t n = real(fd, data, len, flags);
    event();
    return n;
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    REAL(sendmsg, ssize_t, int, const struct msghdr *, int);
    ssize_t n = real(fd, message, flags);
    event();
    return n;
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    REAL(writev, ssize_t, int, const struct iovec *, int);
    if (is_tracked(fd))
        abort(); /* nobody does */
    ssize_t n = real(fd, parts, count);
    event();
    return n;
}
