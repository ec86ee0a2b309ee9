/* What unit tests share: cmocka with the headers it wants, comparisons that name the case, and folders that go away. */
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/files.h"

/* Both fail with the case's name in the message. */
#define unit_int(name, got, want)                                                                                      \
    do {                                                                                                               \
        long long got_ = (long long)(got), want_ = (long long)(want);                                                  \
        if (got_ != want_)                                                                                             \
            fail_msg("%s: got %lld, not %lld", (name), got_, want_);                                                   \
    } while (0)
#define unit_str(name, got, want)                                                                                      \
    do {                                                                                                               \
        const char *got_ = (got), *want_ = (want);                                                                     \
        if (!got_ || !want_ ? got_ != want_ : strcmp(got_, want_) != 0)                                                \
            fail_msg("%s: got \"%s\", not \"%s\"", (name), got_ ? got_ : "(none)", want_ ? want_ : "(none)");          \
    } while (0)

/* As group_setup and group_teardown or for single tests: *state is the path of a fresh folder. In memory where there is
 * such a place, as what these tests sync need not last. */
static inline int unit_folder(void **state) {
    const char *tmp = getenv("TMPDIR");
    struct buf path = BUF_INIT(4096);
    buf_printf(&path, "%s/rundbrief-unit.XXXXXX",
               tmp && *tmp                            ? tmp
               : access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm"
                                                      : "/tmp");
    *state = buf_steal(&path);
    return *state && mkdtemp(*state) ? 0 : -1;
}
static inline int unit_folder_gone(void **state) {
    int r = files_remove_tree(AT_FDCWD, *state);
    free(*state);
    return r;
}
/* PATH/NAME, to be freed. */
static inline char *unit_path(const char *folder, const char *name) {
    struct buf path = BUF_INIT(4096);
    buf_printf(&path, "%s/%s", folder, name);
    return buf_steal(&path);
}
