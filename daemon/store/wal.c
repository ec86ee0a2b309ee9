#include "store/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"

#include "base/banned.h"

enum { CHUNK_BYTES = 64 * 1024 };

static int write_at(int fd, const char *data, size_t len, off_t at) {
    while (len) {
        ssize_t n = pwrite(fd, data, len, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        data += n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_over(int fd) {
    char chunk[CHUNK_BYTES];
    for (off_t at = 0;;) {
        ssize_t n = pread(fd, chunk, sizeof chunk, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : 0;
        int r = write_at(fd, chunk, (size_t)n, at);
        if (r < 0)
            return r;
        at += n;
    }
}

/* SQLite syncs the folder of a new log too, but does not say when that fails. */
static int sync_folder(const char *path) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".") >=
        (int)sizeof folder)
        return -ENAMETOOLONG;
    AUTOCLOSE int fd = files_open_dir(AT_FDCWD, folder);
    return fd < 0 ? fd : files_fsync_dir(fd);
}

int wal_settle(const char *path) {
    char log[PATH_MAX];
    if (snprintf(log, sizeof log, "%s-wal", path) >= (int)sizeof log)
        return -ENAMETOOLONG;
    AUTOCLOSE int fd = open(log, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int r = write_over(fd);
    if (r == 0 && fdatasync(fd) < 0)
        r = -errno;
    return r == 0 ? sync_folder(path) : r;
}
