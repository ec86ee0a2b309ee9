/* What [retention] says, carried out: a job on the store's thread, in slices.
 *
 * notices     system mail of which nothing is left to do goes
 * sign-ups    that were not confirmed in time go
 * deliveries  of announcements that were over so long ago: who got them goes, and the bundle with texts and files; the
 *             row with its counters stays
 * gone        who left, or was removed from, every list so long ago is erased, and a keyed hash keeps imports from
 *             bringing them back (people/privacy.h); of who is still on another list, the record of the one that they
 *             left goes
 * rejected    files that could not be taken in go
 * kept        copies of the store from before a migration or a restore go after KEPT_DAYS (store/kept.h)
 *
 * Each goes on where it was cut off. What was removed is overwritten (db_scrub()). */
#pragma once
#include "store/retention.h"
#include "store/store.h"

struct keyring;
struct spool;

struct retention {
    struct store_job job; /* job.done by the caller; job.step by retention_init() */
    struct spool *spool;
    const struct keyring *keys;
    const char *state_dir;                                           /* NULL: no copies are looked for */
    int64_t notices_usec, deliveries_usec, gone_usec, rejected_usec; /* how long they are kept */
    /* out */
    uint64_t notices, sign_ups, announcements, deliveries, people, entries, rejected, kept;
    /* its own */
    int phase;
    int64_t announcement; /* whose deliveries are being removed */
    struct retention_gone gone;
    void *folder, *list_folder; /* rejected/ and one below it, being read */
};

/* Set the rest on a zeroed struct first. Free it in done after retention_done(). */
void retention_init(struct retention *r);
void retention_done(struct retention *r);
bool retention_removed_any(const struct retention *r);
