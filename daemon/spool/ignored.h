/* How many mails came that ask for nothing (spam, answers of machines): one number in the mail door's folder, so that a
 * flood of them leaves nothing else behind, on the disk or in the store.
 *
 * FORMAT  20 digits and LF, how many since the file is there; written in its place behind flock(2) by whoever takes mails,
 *         read by the daemon. It is not synced: after a power cut some may be missing. */
#pragma once
#include <stdint.h>

#define IGNORED_FILE "ignored"

/* One more. dirfd is spool/requests/DOOR. 0 or a negative errno. */
int ignored_add(int dirfd);
/* 0 where there is no such file, or none of this format: nobody is served by an error. */
uint64_t ignored_read(int dirfd);
