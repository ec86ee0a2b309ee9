/* Requests applied: what the doors accepted takes effect, once for each record, in the order of the files' names; what
 * a restore repeats comes first.
 *
 * A job on the store's thread. What each verb does stands in requests_act.h. A record is committed with its id; then it
 * is written into applied/, in the order in which they took effect, with the time that was believed of it, and with who
 * it was that left (opt_outs.h); then its file goes. What only the moment tells, who it was and what followed, is written
 * before the commit. A file that comes twice, or a run that was cut off, acts once, and at worst a record stands twice in
 * applied/. What lies there was written by the daemon: a door cannot change it afterwards. Malformed files move to
 * rejected/ with a .why. One that can neither be read nor moved away, or is of a later version, is said in the log and
 * holds up no other.
 *
 * What came by mail and proved nothing is counted and leaves nothing behind: no id, and no file where that is all.
 *
 * applied/ keeps 90 days, which a restore replays; what a door left half-written for a day is removed. Looking for
 * both takes as long as applied/ is full: once a day will do. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "spool/request.h"
#include "store/returned.h"
#include "store/store.h"

struct conf;
struct keyring;
struct spool;

#define REQUESTS_UNDO_USEC (INT64_C(3600) * 1000000)
/* How long the way from a door on another host may take an undo or a confirmation. */
#define REQUESTS_CARRY_USEC (INT64_C(24) * 3600 * 1000000)
/* All else may take for ever, and counts from so long before it came at the earliest: retention does not erase people by
 * what a door says of its time. A day more than for an undo, which takes back nothing that came in this way. */
#define REQUESTS_OLDEST_USEC (2 * REQUESTS_CARRY_USEC)
#define REQUESTS_KEEP_USEC (INT64_C(90) * 24 * 3600 * 1000000)
/* What was in applied/ when a backup was restored: requests of every door, and commands (people/command_record.h). */
#define REQUESTS_MAIL "requests/mail"
#define REQUESTS_RESTORED "requests/restored"
enum { REQUESTS_BATCH = 256, REQUESTS_SLOW_MAX = 8, REQUESTS_MISSED_MAX = 256 };

/* What a restore could not repeat, as it is of people whom the backup does not know. list 0: changes of addresses. */
struct requests_missed {
    uint32_t list;
    uint64_t confirmations, opt_outs;
};

/* What was written into applied/ before its commit. */
struct requests_ahead {
    char name[REQUEST_FILE_NAME_BYTES]; /* of the file; "": nothing was */
    uint8_t id[16];                     /* of a record in it that is new */
};

struct requests_file {
    char *path;    /* relative to the spool */
    bool restored; /* goes back to applied/ */
};

struct requests {
    struct store_job job; /* job.done by the caller; job.step by requests_init() */
    struct spool *spool;
    const struct keyring *keys;
    const struct conf *conf; /* or NULL: for requests_act.h */
    bool purge;              /* remove what is old, too */
    /* Of a run that failed, in the next one: what came to nothing is taken back. */
    struct requests_ahead ahead;
    size_t portion; /* how many names are held at a time; requests_init() sets it */
    /* out */
    uint64_t applied, refused, files, rejected, skipped;
    bool notices;                      /* mails were written */
    int64_t released;                  /* the last announcement that was released, or 0 */
    int trouble;                       /* 0, or why a file was skipped that the disk did not give: to be tried again */
    char slow[REQUESTS_SLOW_MAX][256]; /* destinations that want fewer mails, the first few of them */
    unsigned slow_count;
    struct requests_missed missed[REQUESTS_MISSED_MAX]; /* of the first so many lists */
    unsigned missed_count;
    /* its own */
    int phase;
    unsigned door; /* whose folder is being read */
    char **names;  /* of its files, in order; NULL: not listed yet */
    size_t name_count, next;
    char last[256];       /* behind it the next portion begins */
    int64_t arrived_usec; /* when the file at hand came; 0: long ago */
    struct returned_sample sample;
    bool reading, again; /* in the midst of a file; of the record at hand */
    struct request record;
    struct buf content;
    struct request_reader reader;
    struct requests_file batch[REQUESTS_BATCH]; /* whose records are in this transaction */
    struct buf kept;                            /* those records, for applied/ */
    bool kept_first;                            /* they are to be there before it is committed */
    unsigned count;
    void *old; /* applied/, being read */
    struct db *db;
};

/* Set spool, keys and job.done on a zeroed struct first. Free it in done after requests_done(). */
void requests_init(struct requests *r);
void requests_done(struct requests *r);
