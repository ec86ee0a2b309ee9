/* A copy of a file that is kept elsewhere, made by a thread of its own: the file may lie on a mount that does not answer,
 * and nobody else waits for it. The copy is in the spool and has no name, so it goes with its descriptor; whoever reads
 * it is not disturbed by what happens to the file.
 *
 * FAILS  -EAGAIN: the file has changed within the last SNAPSHOT_QUIET_SECONDS or while it was read: somebody is still
 *        writing. -EFBIG beyond SNAPSHOT_MAX_BYTES; -EISDIR, -EINVAL for what is no plain file; -ETIMEDOUT where it took
 *        longer than SNAPSHOT_SECONDS; or what opening and reading it failed with. */
#pragma once
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct snapshot;

enum { SNAPSHOT_QUIET_SECONDS = 5, SNAPSHOT_SECONDS = 600, SNAPSHOT_FOLDERS = 2 };
#define SNAPSHOT_MAX_BYTES (UINT64_C(1) << 30)

struct snapshot_result {
    int error;
    bool ours; /* the copy could not be written: nothing is wrong with the file */
    int fd;    /* the callee's, where error is 0 */
    uint64_t size;
    uint8_t digest[32];
    /* What to watch for its next change: the file's folder, or the nearest above it that is there; and where the file is a
     * link, the same of what it leads to. "" for none. */
    char folders[SNAPSHOT_FOLDERS][PATH_MAX];
    bool exact[SNAPSHOT_FOLDERS]; /* it is the folder itself */
    bool polls;                   /* one of them is on a file system whose changes elsewhere nobody tells (network) */
};

/* on_done comes from the loop, once, unless snapshot_free() came before. */
typedef void snapshot_on_done(void *user, const struct snapshot_result *r);
int snapshot_take(struct loop *loop, const char *tmp_folder, const char *path, snapshot_on_done *on_done, void *user,
                  struct snapshot **ret);
/* After on_done, or before: then the thread ends by itself when it can. NULL is fine. */
struct snapshot *snapshot_free(struct snapshot *s);
