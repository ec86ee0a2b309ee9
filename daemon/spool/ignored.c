#include "spool/ignored.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/files.h"
#include "base/number.h"

#include "base/banned.h"

enum { DIGITS = 20, LINE = DIGITS + 1 };
static const uint64_t most = UINT64_C(1) << 53; /* any JSON reader's */

static uint64_t parse(struct view line) {
    uint64_t count;
    if (line.len != LINE || line.ptr[DIGITS] != '\n')
        return 0;
    struct view digits = view_slice(line, 0, DIGITS);
    while (digits.len > 1 && digits.ptr[0] == '0')
        digits = view_slice(digits, 1, digits.len);
    return number_parse_u64(digits, most, &count) == 0 ? count : 0;
}

int ignored_add(int dirfd) {
    char line[LINE + 1];
    AUTOCLOSE int fd = openat(dirfd, IGNORED_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0640);
    if (fd < 0 || flock(fd, LOCK_EX) < 0)
        return -errno;
    ssize_t got = pread(fd, line, sizeof line, 0);
    if (got < 0)
        return -errno;
    if (got > LINE && ftruncate(fd, 0) < 0) /* nothing of ours */
        return -errno;
    if (got == 0 && fchmod(fd, 0640) < 0) /* whatever the umask: the daemon reads it by the group */
        return -errno;
    uint64_t count = parse(view_make(line, (size_t)got));
    (void)snprintf(line, sizeof line, "%0*" PRIu64 "\n", DIGITS, count < most ? count + 1 : count); /* fits */
    got = pwrite(fd, line, LINE, 0);
    return got == LINE ? 0 : got < 0 ? -errno : -ENOSPC;
}

uint64_t ignored_read(int dirfd) {
    AUTOBUF struct buf line = BUF_INIT(LINE + 1);
    return files_read_regular(dirfd, IGNORED_FILE, &line) == 0 ? parse(buf_view(&line)) : 0;
}
