/* failing.so: makes allocations and calls on files fail in the program that it is preloaded into, as the test tells it
 * through a board: a file that both have in memory.
 *
 * A call is known by its site: a hash of who called whom, independent of where the parts lie in memory, so that the
 * same site is met again in the next run though threads run differently. Allocations are all those that go through
 * malloc and its kin, those of the libraries too; calls on files are those on paths below FAULTS_UNDER (paths,
 * separated by colons).
 *
 *   FAULTS_BOARD   the board's file, as long as struct board
 *   FAULTS_UNDER   see above
 *   FAULTS_AHEAD   seconds by which time() is ahead of the clock, so that files look older */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SITES_MAX = 1 << 15,
    DEPTH = 10,
    SKIPPED = 3,
    DESCRIPTORS_MAX = 4096,
    MODULES_MAX = 128,
    MODULE_NAME_MAX = 64,
    UNDER_MAX = 4
};
enum { SHORT = 0xffff }; /* as an error: half is written, and no error said */

/* The order is known to tests/storm/faults. */
enum call {
    ALLOC,
    OPEN,
    READ,
    WRITE,
    PREAD,
    PWRITE,
    FSYNC,
    FDATASYNC,
    RENAME,
    UNLINK,
    MKDIR,
    FTRUNCATE,
    STAT,
    CHMOD,
    READDIR,
    CALLS
};

struct site {
    uint64_t hash;
    uint32_t count, call;
    uint64_t frames[DEPTH]; /* module << 40 | offset */
};

struct board {
    /* the test's: */
    uint32_t armed;    /* 0: all goes well */
    uint32_t calls;    /* mask of enum call: which may fail */
    uint64_t site;     /* only here, or 0 */
    uint64_t caller;   /* of an allocation there, the first of its frames; or 0 */
    uint32_t skip;     /* so many go well before */
    uint32_t for_good; /* once one has failed, all of `calls` fail, until armed is 0 */
    uint32_t error;    /* errno */
    uint32_t record;   /* sites are written down */
    /* ours: */
    uint32_t failed;
    uint32_t full; /* there were more sites than room */
    uint64_t counted[CALLS];
    char modules[MODULES_MAX][MODULE_NAME_MAX]; /* "libc.so.6"; the program's own is "" */
    struct site sites[SITES_MAX];
};

static struct board *board;
static struct module {
    uintptr_t begin, end;
    const char *name;
} modules[MODULES_MAX];
static int module_count;
static char under[UNDER_MAX][PATH_MAX];
static int under_count;
static bool watched[DESCRIPTORS_MAX];
static long ahead;
static uint32_t met; /* calls at the site that is looked for */
static __thread bool inside;

/* ---- who calls ---- */

static int on_module(struct dl_phdr_info *info, size_t size, void *user) {
    (void)size, (void)user;
    const char *slash = strrchr(info->dlpi_name, '/');
    struct module m = {UINTPTR_MAX, 0, slash ? slash + 1 : info->dlpi_name};
    for (int i = 0; i < info->dlpi_phnum; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD) {
            uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr, end = begin + info->dlpi_phdr[i].p_memsz;
            m.begin = begin < m.begin ? begin : m.begin;
            m.end = end > m.end ? end : m.end;
        }
    if (module_count < MODULES_MAX)
        modules[module_count++] = m;
    return 0;
}

static uint64_t place(const void *address) {
    uintptr_t at = (uintptr_t)address;
    for (int i = 0; i < module_count; i++)
        if (at >= modules[i].begin && at < modules[i].end)
            return (uint64_t)(i + 1) << 40 | (at - modules[i].begin);
    return 0; /* loaded later */
}

static uint64_t find_site(uint64_t frames[DEPTH]) {
    void *raw[DEPTH + SKIPPED];
    int count = backtrace(raw, DEPTH + SKIPPED);
    uint64_t hash = 14695981039346656037u;
    for (int i = 0; i < DEPTH; i++) {
        frames[i] = i + SKIPPED < count ? place(raw[i + SKIPPED]) : 0;
        hash = (hash ^ frames[i]) * 1099511628211u;
        hash ^= hash >> 29;
    }
    return hash ? hash : 1;
}

static void write_down(uint64_t hash, enum call call, const uint64_t frames[DEPTH]) {
    for (uint32_t n = 0, at = hash % SITES_MAX; n < SITES_MAX; n++, at = (at + 1) % SITES_MAX) {
        uint64_t free_one = 0;
        if (__atomic_compare_exchange_n(&board->sites[at].hash, &free_one, hash, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            board->sites[at].call = call;
            memcpy(board->sites[at].frames, frames, sizeof board->sites[at].frames);
            free_one = hash;
        }
        if (free_one == hash) {
            __atomic_add_fetch(&board->sites[at].count, 1, __ATOMIC_SEQ_CST);
            return;
        }
    }
    board->full = 1;
}

/* Whether this call is to fail: its errno, or 0. The stack is only looked through where its caller, if that is known, is
 * the one that is looked for: that takes as long as most that programs do with what they allocate. */
static __attribute__((noinline)) int verdict(enum call call, const void *caller) {
    if (!board || inside)
        return 0;
    __atomic_add_fetch(&board->counted[call], 1, __ATOMIC_RELAXED);
    bool in_question = __atomic_load_n(&board->armed, __ATOMIC_ACQUIRE) && (board->calls & 1u << call);
    if (in_question && board->failed && !board->for_good)
        in_question = false;
    if (in_question && !board->failed && caller && board->caller && place(caller) != board->caller)
        in_question = false;
    if (in_question && !board->failed && (board->site || board->record)) {
        inside = true;
        int saved = errno;
        uint64_t frames[DEPTH], hash = find_site(frames);
        if (board->record)
            write_down(hash, call, frames);
        in_question = hash == board->site;
        errno = saved;
        inside = false;
    }
    if (!in_question)
        return 0;
    if (!board->failed && __atomic_fetch_add(&met, 1, __ATOMIC_SEQ_CST) != board->skip)
        return 0;
    __atomic_add_fetch(&board->failed, 1, __ATOMIC_SEQ_CST);
    return (int)board->error;
}

/* A crash says where, by offsets that addr2line understands. */
static void on_crash(int signal_number) {
    inside = true;
    void *frames[40];
    backtrace_symbols_fd(frames, backtrace(frames, 40), STDERR_FILENO);
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

/* Threads that block all signals would crash without a word. */
int pthread_sigmask(int how, const sigset_t *set, sigset_t *ret_before) {
    sigset_t but_crashes;
    if (set) {
        but_crashes = *set;
        (void)sigdelset(&but_crashes, SIGSEGV);
        (void)sigdelset(&but_crashes, SIGBUS);
        (void)sigdelset(&but_crashes, SIGABRT);
    }
    long r = syscall(SYS_rt_sigprocmask, how, set ? &but_crashes : NULL, ret_before, 8);
    return r < 0 ? errno : 0;
}

static __attribute__((constructor)) void begin(void) {
    inside = true;
    (void)signal(SIGSEGV, on_crash);
    (void)signal(SIGBUS, on_crash);
    (void)signal(SIGABRT, on_crash);
    void *some[4];
    (void)backtrace(some, 4); /* loads the unwinder */
    (void)dl_iterate_phdr(on_module, NULL);
    const char *list = getenv("FAULTS_UNDER"), *path = getenv("FAULTS_BOARD"), *seconds = getenv("FAULTS_AHEAD");
    ahead = seconds ? atol(seconds) : 0;
    for (; list && *list && under_count < UNDER_MAX; under_count++) {
        size_t len = strcspn(list, ":");
        snprintf(under[under_count], sizeof under[0], "%.*s", (int)len, list);
        list += len + (list[len] == ':');
    }
    int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        syscall(SYS_close, fd);
    board = at == MAP_FAILED ? NULL : at;
    for (int i = 0; board && i < module_count; i++)
        snprintf(board->modules[i], sizeof board->modules[0], "%s", modules[i].name);
    inside = false;
}

/* ---- memory ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static __attribute__((noinline)) bool no_memory(const void *caller) {
    if (verdict(ALLOC, caller) == 0)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size) {
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *p, size_t size) {
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_realloc(p, size);
}

void *memalign(size_t alignment, size_t size) {
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return no_memory(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size) {
    if (verdict(ALLOC, NULL))
        return ENOMEM;
    *ret = __libc_memalign(alignment, size);
    return *ret ? 0 : ENOMEM;
}

/* ---- files ---- */

static bool is_under(const char *path) {
    for (int i = 0; i < under_count; i++)
        if (strncmp(path, under[i], strlen(under[i])) == 0)
            return true;
    return false;
}

static bool is_watched(int fd) {
    return fd >= 0 && fd < DESCRIPTORS_MAX && watched[fd];
}

static bool is_ours(int dirfd, const char *path) {
    return path && (path[0] == '/' ? is_under(path) : is_watched(dirfd));
}

static int watch(int fd) {
    if (fd >= 0 && fd < DESCRIPTORS_MAX) {
        char link[64], path[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        int saved = errno;
        ssize_t n = syscall(SYS_readlink, link, path, sizeof path - 1);
        errno = saved;
        path[n > 0 ? n : 0] = '\0';
        watched[fd] = is_under(path);
    }
    return fd;
}

/* errno is set, where it is to fail. */
static __attribute__((noinline)) int fails(bool ours, enum call call) {
    int error = ours ? verdict(call, NULL) : 0;
    if (error == SHORT && call != WRITE && call != PWRITE)
        error = EIO;
    if (error && error != SHORT)
        errno = error;
    return error;
}

static int open_at(int dirfd, const char *path, int flags, unsigned mode) {
    if (fails(is_ours(dirfd, path), OPEN))
        return -1;
    return watch((int)syscall(SYS_openat, dirfd, path, flags, mode));
}

#define MODE_OF(flags)                                                                                                 \
    unsigned mode = 0;                                                                                                 \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                             \
        va_list args;                                                                                                  \
        va_start(args, flags);                                                                                         \
        mode = va_arg(args, unsigned);                                                                                 \
        va_end(args);                                                                                                  \
    }

int open(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int dirfd, const char *path, int flags, ...) {
    MODE_OF(flags)
    return open_at(dirfd, path, flags, mode);
}

int __open_2(const char *path, int flags) {
    return open_at(AT_FDCWD, path, flags, 0);
}

int __openat_2(int dirfd, const char *path, int flags) {
    return open_at(dirfd, path, flags, 0);
}

int close(int fd) {
    if (fd >= 0 && fd < DESCRIPTORS_MAX)
        watched[fd] = false;
    return (int)syscall(SYS_close, fd);
}

ssize_t read(int fd, void *to, size_t len) {
    return fails(is_watched(fd), READ) ? -1 : syscall(SYS_read, fd, to, len);
}

ssize_t write(int fd, const void *from, size_t len) {
    int error = fails(is_watched(fd), WRITE);
    return error && error != SHORT ? -1 : syscall(SYS_write, fd, from, error && len > 1 ? len / 2 : len);
}

ssize_t pread64(int fd, void *to, size_t len, off64_t at) {
    return fails(is_watched(fd), PREAD) ? -1 : syscall(SYS_pread64, fd, to, len, at);
}

ssize_t pwrite64(int fd, const void *from, size_t len, off64_t at) {
    int error = fails(is_watched(fd), PWRITE);
    return error && error != SHORT ? -1 : syscall(SYS_pwrite64, fd, from, error && len > 1 ? len / 2 : len, at);
}

int fsync(int fd) {
    return fails(is_watched(fd), FSYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return fails(is_watched(fd), FDATASYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
    return fails(is_ours(from_fd, from), RENAME) ? -1 : (int)syscall(SYS_renameat, from_fd, from, to_fd, to);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    return fails(is_ours(from_fd, from), RENAME) ? -1 : (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

int unlink(const char *path) {
    return fails(is_ours(AT_FDCWD, path), UNLINK) ? -1 : (int)syscall(SYS_unlink, path);
}

int unlinkat(int dirfd, const char *path, int flags) {
    return fails(is_ours(dirfd, path), UNLINK) ? -1 : (int)syscall(SYS_unlinkat, dirfd, path, flags);
}

int mkdirat(int dirfd, const char *path, mode_t mode) {
    return fails(is_ours(dirfd, path), MKDIR) ? -1 : (int)syscall(SYS_mkdirat, dirfd, path, mode);
}

int ftruncate64(int fd, off64_t len) {
    return fails(is_watched(fd), FTRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

int fstat(int fd, struct stat *ret) {
    return fails(is_watched(fd), STAT) ? -1 : (int)syscall(SYS_fstat, fd, ret);
}

int fstat64(int fd, struct stat64 *ret) {
    return fails(is_watched(fd), STAT) ? -1 : (int)syscall(SYS_fstat, fd, ret);
}

int fstatat(int dirfd, const char *path, struct stat *ret, int flags) {
    return fails(is_ours(dirfd, path), STAT) ? -1 : (int)syscall(SYS_newfstatat, dirfd, path, ret, flags);
}

int stat(const char *path, struct stat *ret) {
    return fails(is_ours(AT_FDCWD, path), STAT) ? -1 : (int)syscall(SYS_stat, path, ret);
}

int stat64(const char *path, struct stat64 *ret) {
    return fails(is_ours(AT_FDCWD, path), STAT) ? -1 : (int)syscall(SYS_stat, path, ret);
}

int lstat(const char *path, struct stat *ret) {
    return fails(is_ours(AT_FDCWD, path), STAT) ? -1 : (int)syscall(SYS_lstat, path, ret);
}

int lstat64(const char *path, struct stat64 *ret) {
    return fails(is_ours(AT_FDCWD, path), STAT) ? -1 : (int)syscall(SYS_lstat, path, ret);
}

int fchmod(int fd, mode_t mode) {
    return fails(is_watched(fd), CHMOD) ? -1 : (int)syscall(SYS_fchmod, fd, mode);
}

struct dirent *readdir(DIR *dir) {
    static struct dirent *(*real)(DIR *);
    if (!real)
        real = (struct dirent * (*)(DIR *)) dlsym(RTLD_NEXT, "readdir");
    return fails(is_watched(dirfd(dir)), READDIR) ? NULL : real(dir);
}

time_t time(time_t *ret) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time_t t = now.tv_sec + ahead;
    if (ret)
        *ret = t;
    return t;
}
