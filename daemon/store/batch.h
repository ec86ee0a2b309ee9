/* A batch: what one import writes, in slices, unseen by everyone else until it is done. On the store's thread.
 *
 * STATES  open -> done      one flag: all that it brought is there at once; then its changes to people who were known
 *                           already are applied, in slices
 *         open -> failed    swept away in slices
 * At a start an open one is failed: the process died with it. At most one is open, being applied or being swept. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/why.h"
#include "mail/address.h"
#include "store/consent.h"
#include "store/person.h"

struct db;
struct id_set;

enum { BATCH_KEY_MAX = ADDRESS_MAX_BYTES * 3 + 1 }; /* of address_key, as in mail/address.h */

struct batch {
    int64_t id; /* 0 for a trial run, which writes nothing */
    uint32_t list;
    struct id_set
        *met; /* who was known before and is in it; batch_close() frees it. Of those whom it changes, brings back or
                           adds to the list there is a row of import_change as well */
    /* the batch's own: between two calls of batch_flush() */
    int64_t next_id;     /* for the next new person, or 0 */
    bool any_new;        /* next_id - 1 is one */
    bool after_known;    /* the last row's person was known: then the next one's is as well, most often */
    int8_t suppressions; /* whether anybody is suppressed: 1 yes, -1 no, 0 not known */
    bool has_gap;        /* nobody is known between these two addresses; gap_end "": nor behind */
    char gap_start[BATCH_KEY_MAX], gap_end[BATCH_KEY_MAX];
};

struct batch_about {
    uint32_t list;
    const char *by, *file, *basis, *evidence;
};

/* -EBUSY with the reason where another is not over yet; a trial run too. */
int batch_open(struct db *db, const struct batch_about *about, bool trial, int64_t now_usec, struct why *why,
               struct batch *ret);
/* Gives back its memory, whatever becomes of it. */
void batch_close(struct batch *batch);

/* What became of a row. */
enum batch_result {
    BATCH_NEW,       /* joins the list, or comes back after having been removed */
    BATCH_KNOWN,     /* is on it, nothing changes */
    BATCH_CHANGED,   /* is on it, and fields change */
    BATCH_COUPLE,    /* the second name at an address of this batch: both are kept */
    BATCH_REUNITED,  /* the same, and both are known like that already: the change that the first row meant is none */
    BATCH_REPEATED,  /* the same person once more in this batch */
    BATCH_CROWD,     /* a third name at one address: left out */
    BATCH_LEFT,      /* left the list at *ret_left_usec: left out */
    BATCH_SUPPRESSED /* left out */
};

/* One row: address and the fields of the person; NULL ones and "" stay as they are, attributes and tags are merged. */
struct batch_row {
    struct person person;
    const struct consent *consent; /* where the row carries one of its own (its import is set here), or NULL */
    int64_t consent_usec;
    const char *tags; /* the batch's own */
};
struct batch_told {
    enum batch_result result;
    int64_t left_usec;  /* of BATCH_LEFT */
    bool too_many_tags; /* those of this row were left out: there would be more than TAGS_MAX */
};
int batch_put(struct db *db, struct batch *batch, const struct batch_row *row, int64_t now_usec,
              struct batch_told *ret);
/* The same of many at once, which takes a third of the time. rows are in order of their address_key (strcmp). *ret: so
 * many of them, from the first on, were new and are written; at the next one batch_put() is to be asked. */
int batch_put_new(struct db *db, struct batch *batch, struct batch_row *rows, size_t count, int64_t now_usec,
                  size_t *ret);
/* Writes what was put off: at the end of each step that put rows. */
int batch_flush(struct db *db, struct batch *batch);

/* For a batch that is the whole of its list, after its last row: notes for removal who is on the list, came there by an
 * import, and is not in this batch. Who joined one by one stays, and so does a suppressed address, which the rows leave
 * out. STORE_MORE until all are noted; they are removed as the batch's other changes are applied. */
struct batch_others {
    int64_t cursor;            /* all 0 at first */
    uint64_t members, removed; /* of so many that were on the list before */
};
int batch_remove_others(struct db *db, const struct batch *batch, struct batch_others *others);

struct batch_counts {
    uint64_t rows, added, known, changed, left_out;
};
/* Makes it visible. batch_settle() must follow. */
int batch_done(struct db *db, const struct batch *batch, const struct batch_counts *counts, int64_t now_usec);
int batch_fail(struct db *db, const struct batch *batch, int64_t now_usec);
/* At start: what was open is failed. batch_settle() must follow. */
int batch_recover(struct db *db, int64_t now_usec);
/* Applies changes of a done one and sweeps failed ones, for one slice: STORE_MORE until nothing is left to do. Goes on
 * where it was cut off. */
int batch_settle(struct db *db, int64_t now_usec);
