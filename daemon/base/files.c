#include "base/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/why.h"

enum { READ_CHUNK = 16384 };

/* Straight into the buffer; at its cap one byte more tells a file that just fits from a longer one. */
static int read_fd(int fd, struct buf *b) {
    while (!buf_error(b)) {
        size_t room = b->limit_bytes > b->len ? b->limit_bytes - b->len : 0;
        size_t want = room < READ_CHUNK ? room : READ_CHUNK;
        char beyond, *to = want ? buf_reserve(b, want) : &beyond;
        if (!to)
            break;
        ssize_t n = read(fd, to, want ? want : 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        if (want == 0)
            return -EMSGSIZE;
        buf_used(b, (size_t)n);
    }
    return buf_error(b);
}

int files_read(int dirfd, const char *path, struct buf *b) {
    AUTOCLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : read_fd(fd, b);
}

int files_read_regular(int dirfd, const char *path, struct buf *b) {
    AUTOCLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    return S_ISREG(st.st_mode) ? read_fd(fd, b) : -EINVAL;
}

void files_guard_standard(void) {
    static const int ways[] = {O_WRONLY, O_RDONLY, O_RDWR}; /* of input, output and errors: the last may go nowhere */
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)open("/dev/null", ways[fd]); /* the lowest number that is free: this one */
}

int files_write_all(int fd, const void *data, size_t len) {
    const char *p = data;
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* With exactly this mode, whatever the umask. */
static int create(int dirfd, const char *path, mode_t mode) {
    int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0)
        return -errno;
    if (fchmod(fd, mode) < 0) {
        int r = -errno;
        (void)close(fd);                /* empty */
        (void)unlinkat(dirfd, path, 0); /* the first failure is the one to report */
        return r;
    }
    return fd;
}

int files_write_new(int dirfd, const char *path, struct view content, mode_t mode) {
    AUTOCLOSE int fd = create(dirfd, path, mode);
    return fd < 0 ? fd : files_write_all(fd, content.ptr, content.len);
}

int files_fsync_dir(int dirfd) {
    return fsync(dirfd) < 0 ? -errno : 0;
}

/* The folder part of path, opened; *ret_name points to the last component. */
static int open_parent(int dirfd, const char *path, const char **ret_name) {
    const char *slash = strrchr(path, '/');
    *ret_name = slash ? slash + 1 : path;
    if (!slash)
        return files_open_dir(dirfd, ".");
    AUTOFREE char *parent = view_dup(view_make(path, slash == path ? 1 : (size_t)(slash - path)));
    return parent ? files_open_dir(dirfd, parent) : -ENOMEM;
}

int files_write_durable(int dirfd, const char *path, struct view content, mode_t mode) {
    const char *name;
    AUTOCLOSE int parent = open_parent(dirfd, path, &name);
    if (parent < 0)
        return parent;
    uint64_t random = 0;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return -EIO;
    char temporary[NAME_MAX + 1];
    if (snprintf(temporary, sizeof temporary, ".%s.%016llx", name, (unsigned long long)random) >= (int)sizeof temporary)
        return -ENAMETOOLONG;
    AUTOCLOSE int fd = create(parent, temporary, mode);
    if (fd < 0)
        return fd;
    int r = files_write_all(fd, content.ptr, content.len);
    if (r == 0 && fsync(fd) < 0)
        r = -errno;
    if (r == 0 && renameat(parent, temporary, parent, name) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlinkat(parent, temporary, 0); /* the first failure is the one to report */
        return r;
    }
    return files_fsync_dir(parent);
}

int files_open_dir(int dirfd, const char *path) {
    int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Its mode as it is wanted, and its name durable. */
static int finish_dir(int dirfd, const char *path, mode_t mode) {
    struct stat st;
    if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    mode |= st.st_mode & S_ISGID; /* a group handed down from above stays */
    /* Only where the umask took something: a sandbox may forbid to set S_ISGID, even where it is set. */
    if ((st.st_mode & 07777) != mode && fchmodat(dirfd, path, mode, 0) < 0)
        return -errno;
    const char *name;
    AUTOCLOSE int parent = open_parent(dirfd, path, &name);
    return parent < 0 ? parent : files_fsync_dir(parent);
}

int files_make_dir(int dirfd, const char *path, mode_t mode) {
    struct stat st;
    if (mkdirat(dirfd, path, mode) == 0)
        return finish_dir(dirfd, path, mode);
    if (errno != EEXIST)
        return -errno;
    if (fstatat(dirfd, path, &st, 0) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int files_make_dirs(const char *path, mode_t mode) {
    if (!*path)
        return -ENOENT;
    AUTOFREE char *copy = view_dup(view_of(path));
    if (!copy)
        return -ENOMEM;
    for (char *p = copy + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            int r = files_make_dir(AT_FDCWD, copy, mode);
            if (r < 0)
                return r;
            *p = '/';
        }
    return files_make_dir(AT_FDCWD, copy, mode);
}

int files_open_nameless(const char *folder) {
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd < 0 ? -errno : fd;
    char path[PATH_MAX]; /* not every file system can */
    if (snprintf(path, sizeof path, "%s/nameless-XXXXXX", folder) >= (int)sizeof path)
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (unlink(path) == 0)
        return fd;
    int r = -errno;
    (void)close(fd); /* nothing was written */
    return r;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void files_free_names(char **names, size_t count) {
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

int files_list(int dirfd, const char *path, size_t max, char ***ret_names, size_t *ret_count) {
    int fd = files_open_dir(dirfd, path);
    if (fd < 0)
        return fd;
    DIR *dir = fdopendir(fd);
    if (!dir) {
        int r = -errno;
        (void)close(fd);
        return r;
    }
    char **names = NULL;
    size_t count = 0, room = 0;
    int r = 0;
    for (struct dirent *entry; r == 0 && (errno = 0, entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (count == max) {
            r = -E2BIG;
            break;
        }
        if (count == room) {
            room = room ? room * 2 : 16;
            char **more = reallocarray(names, room, sizeof *names);
            if (!more) {
                r = -ENOMEM;
                break;
            }
            names = more;
        }
        names[count] = strdup(entry->d_name);
        if (!names[count])
            r = -ENOMEM;
        else
            count++;
    }
    if (r == 0 && errno)
        r = -errno;
    (void)closedir(dir);
    if (r < 0) {
        files_free_names(names, count);
        return r;
    }
    if (count)
        qsort(names, count, sizeof *names, compare_names);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

/* names[] is a heap with the last name on top. */
static void sift_down(char **names, size_t count, size_t i) {
    for (size_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && strcmp(names[child + 1], names[child]) > 0)
            child++;
        if (strcmp(names[i], names[child]) >= 0)
            return;
        char *swap = names[i];
        names[i] = names[child];
        names[child] = swap;
    }
}

/* Takes the name in, in place of the last one where there are max. */
static int keep_first(char **names, size_t *count, size_t max, const char *name) {
    if (*count == max && strcmp(name, names[0]) >= 0)
        return 0;
    char *copy = strdup(name);
    if (!copy)
        return -ENOMEM;
    if (*count == max) {
        free(names[0]);
        names[0] = copy;
        sift_down(names, max, 0);
        return 0;
    }
    names[(*count)++] = copy;
    for (size_t i = *count == max ? max / 2 + 1 : 0; i-- > 0;)
        sift_down(names, max, i); /* full for the first time: it becomes a heap */
    return 0;
}

int files_list_next(int dirfd, const char *path, const char *after, const char *ending, size_t max, char ***ret_names,
                    size_t *ret_count) {
    int fd = files_open_dir(dirfd, path);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    char **names = dir ? calloc(max, sizeof *names) : NULL;
    size_t count = 0;
    int r = fd < 0 ? fd : names ? 0 : -ENOMEM;
    if (fd >= 0 && !dir)
        (void)close(fd); /* only read from */
    for (struct dirent *entry; r == 0 && (errno = 0, entry = readdir(dir));)
        if (strcmp(entry->d_name, after) > 0 && view_ends(view_of(entry->d_name), ending))
            r = keep_first(names, &count, max, entry->d_name);
    if (r == 0 && errno)
        r = -errno;
    if (dir)
        (void)closedir(dir); /* only read from */
    if (r < 0) {
        files_free_names(names, count);
        return r;
    }
    qsort(names, count, sizeof *names, compare_names);
    *ret_names = names;
    *ret_count = count;
    return 0;
}

int files_fsync_tree(int dirfd, const char *path) {
    struct stat st;
    if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return 0; /* its name is the folder's, and it has no content */
    AUTOCLOSE int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    if (S_ISDIR(st.st_mode)) {
        char **names;
        size_t count;
        int r = files_list(fd, ".", SIZE_MAX, &names, &count);
        if (r < 0)
            return r;
        for (size_t i = 0; i < count && r == 0; i++)
            r = files_fsync_tree(fd, names[i]);
        files_free_names(names, count);
        if (r < 0)
            return r;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

int files_remove_tree(int dirfd, const char *path) {
    if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return -errno;
    {
        AUTOCLOSE int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            return -errno;
        char **names;
        size_t count;
        int r = files_list(fd, ".", SIZE_MAX, &names, &count);
        if (r < 0)
            return r;
        for (size_t i = 0; i < count && r == 0; i++)
            r = files_remove_tree(fd, names[i]);
        files_free_names(names, count);
        if (r < 0)
            return r;
    }
    return unlinkat(dirfd, path, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

/* Opens what must be a regular file that others can neither read nor write. */
static int open_secret(const char *path, struct why *why) {
    AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    int error = 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        error = -errno;
    else if (!S_ISREG(st.st_mode))
        error = -EINVAL;
    if (error < 0) {
        (void)why_set(why, error, "cannot read the secret: %s",
                      error == -EINVAL ? "it is not a regular file" : strerror(-error));
        why_where(why, "%s", path);
        return error;
    }
    if (st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) {
        (void)why_set(why, -EPERM, "others may read or change this secret (mode %04o)", (unsigned)(st.st_mode & 07777));
        why_where(why, "%s", path);
        why_todo(why, "Run: chmod 0600 %s", path);
        return -EPERM;
    }
    int open_fd = fd;
    fd = -1;
    return open_fd;
}

int files_check_secret(const char *path, struct why *why) {
    AUTOCLOSE int fd = open_secret(path, why);
    return fd < 0 ? fd : 0;
}

int files_read_secret(const char *path, struct buf *b, struct why *why) {
    AUTOCLOSE int fd = open_secret(path, why);
    if (fd < 0)
        return fd;
    int r = read_fd(fd, b);
    if (r < 0) {
        (void)why_set(why, r, "cannot read the secret: %s", strerror(-r));
        why_where(why, "%s", path);
    }
    return r;
}

uint64_t files_room(const char *path) {
    struct statvfs fs;
    return statvfs(path, &fs) < 0 ? UINT64_MAX : (uint64_t)fs.f_bavail * fs.f_frsize;
}

enum { PASSWORD_MAX_BYTES = 4096 };

static const char *find_credential(const char *file, char *path, size_t size) {
    const char *credentials = getenv("CREDENTIALS_DIRECTORY"), *slash = strrchr(file, '/');
    if (credentials && snprintf(path, size, "%s/%s", credentials, slash ? slash + 1 : file) < (int)size &&
        access(path, R_OK) == 0)
        return path;
    return file;
}

int files_read_password(const char *file, struct buf *ret, struct why *why) {
    char path[PATH_MAX];
    buf_init(ret, PASSWORD_MAX_BYTES);
    /* so that it is never moved, and wiped whole */
    int r = buf_reserve(ret, PASSWORD_MAX_BYTES) ? files_read_secret(find_credential(file, path, sizeof path), ret, why)
                                                 : why_set(why, -ENOMEM, "out of memory");
    if (r < 0)
        return r;
    buf_truncate(ret, view_find(buf_view(ret), '\n'));
    if (ret->len && ret->data[ret->len - 1] == '\r')
        buf_truncate(ret, ret->len - 1);
    return 0;
}

void files_forget_password(struct buf *password) {
    if (password->data)
        explicit_bzero(password->data, password->cap);
    buf_done(password);
}
