/* What the files of requests tell of people is forgotten where nothing needs it any more: a job on the store's thread, in
 * slices, of whatever size the folders are.
 *
 * erased   Of whoever was erased (store/forget.h), in applied/ and in requests that were rejected: forms and mails that
 *          name an address of theirs go, what other mail systems said loses it, and what their links asked for loses the
 *          new address and the IP address. Their opt-outs name nobody but by a keyed hash, and stay, as do the lines of
 *          all others: a restore finds what it needs.
 * in vain  In applied/: a sign-up, or a new address, that was not confirmed and waits no more; and who asked for links,
 *          as that is not repeated.
 *
 * A file is written anew under its name, by one rename, or removed where nothing is left. Whoever is to be forgotten
 * stays noted until all files were looked at: cut off, it begins again. A file that cannot be read is said in the log,
 * and tried again the next time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "spool/request.h"
#include "store/store.h"

struct keyring;
struct spool;

struct forgetting {
    struct store_job job; /* job.done by the caller; job.step by forgetting_init() */
    struct spool *spool;
    const struct keyring *keys;
    /* out */
    uint64_t files, records; /* that were changed or removed */
    /* its own */
    int phase;
    int64_t upto; /* of those to be forgotten; 0: nobody */
    void *folder; /* being read */
    char name[256];
    bool reading, changed, skipped; /* in the midst of a file; it is to be written anew; one could not be read */
    size_t next;                    /* of content that is no file of requests: where the next line begins */
    struct buf content, kept;
    struct request_reader reader;
};

/* Set spool, keys and job.done on a zeroed struct first. Free it in done after forgetting_done(). */
void forgetting_init(struct forgetting *f);
void forgetting_done(struct forgetting *f);
