/* Files and folders, durable and bounded. All descriptors are close-on-exec. What is made here has exactly the mode
 * that is asked for, whatever the umask; a folder also keeps the set-group-ID bit that it was handed down.
 * Functions return 0 (or a descriptor) or a negative errno. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
struct why;

/* Reads the whole file, at most b's cap (-EMSGSIZE beyond). Path relative to dirfd (AT_FDCWD allowed).
 * files_read_regular additionally refuses everything but a regular file reached without a symbolic link in the last
 * component (-ELOOP, -EINVAL) and never blocks on a FIFO. */
int files_read(int dirfd, const char *path, struct buf *b);
int files_read_regular(int dirfd, const char *path, struct buf *b);
/* At a program's start: standard streams that were handed over closed become ones that fail, so that no file or socket
 * opened later takes their numbers and gets what is printed. */
void files_guard_standard(void);
/* Writes to a temporary name beside path, fsyncs, renames over path, fsyncs the folder. */
int files_write_durable(int dirfd, const char *path, struct view content, mode_t mode);
/* Creates (O_EXCL) and writes without any sync. */
int files_write_new(int dirfd, const char *path, struct view content, mode_t mode);
int files_write_all(int fd, const void *data, size_t len);
int files_fsync_dir(int dirfd);
/* Octets that are free for us on the disk of path; UINT64_MAX where nobody can say. */
uint64_t files_room(const char *path);
int files_open_dir(int dirfd, const char *path);
/* Makes one folder, or all that are missing on the way, durably: what is synced in one later is not lost with it. One
 * that is there stays as it is; -ENOTDIR for another file. */
int files_make_dir(int dirfd, const char *path, mode_t mode);
int files_make_dirs(const char *path, mode_t mode);
/* A new file in this folder that nobody else can open and that is gone when it is closed; or a negative errno. */
int files_open_nameless(const char *folder);
/* fsyncs every regular file below path and every folder, deepest first; follows no link. */
int files_fsync_tree(int dirfd, const char *path);
/* Removes a file or a whole tree; follows no link; a missing one is fine. */
int files_remove_tree(int dirfd, const char *path);
/* Names of the entries of a folder (without . and ..), sorted by bytes. Free with files_free_names. -E2BIG beyond max.
 */
int files_list(int dirfd, const char *path, size_t max, char ***ret_names, size_t *ret_count);
/* The first max names behind `after` ("": of all) that end so, sorted by bytes, however many there are: the folder is read
 * through once, and memory is bounded by max. Fewer than max: there are no more. */
int files_list_next(int dirfd, const char *path, const char *after, const char *ending, size_t max, char ***ret_names,
                    size_t *ret_count);
void files_free_names(char **names, size_t count);
/* A file that holds a secret: refuses one that others may read or group may write (-EPERM). Reserve the buffer's cap
 * before, where no copy may be left behind by its growing. */
int files_read_secret(const char *path, struct buf *b, struct why *why);
/* The password in such a file: its first line. Where $CREDENTIALS_DIRECTORY (systemd) has a file of the same name, that
 * one. *ret is made here, never moves, and goes to files_forget_password(), also after a failure. */
int files_read_password(const char *path, struct buf *ret, struct why *why);
void files_forget_password(struct buf *password);
int files_check_secret(const char *path, struct why *why);
