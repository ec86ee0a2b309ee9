/* Imports: a CSV file, fed in pieces as it is uploaded, to subscribers of a list, with flat memory. Nothing of it is seen
 * by anybody until it is done; then all is (store/batch.h).
 *
 * The file is read and judged beside the store (people/import_reader.h, a job aside), and what it says is written in
 * slices of the BULK lane (people/import_rows.h), in order of addresses: a file that is in this order already while it is
 * being read, any other after it was read whole.
 *
 * The rows: people/columns.h says what columns mean. Blank rows are skipped; a row without an address is counted and
 * left out; whoever left the list is not brought back ("left on 3.4.2025"), who was removed is; suppressed and
 * erased ones are left out. Two names at one address become a couple. A blank cell leaves what is known. A row of a known person whose
 * fields differ changes them. A bad row refuses the whole file unless skip_bad; every problem is listed with its line.
 *
 * USE    import_new() -> on_more -> import_feed() -> on_more -> … -> import_finish() -> on_done -> import_free()
 *        All on the loop; callbacks never come from inside a call. After import_abort() whatever was written is swept and
 *        the import frees itself; only on_gone follows, maybe from inside import_abort().
 *
 * FAILS  on_done's result: 0; -EINVAL refused (why, or the problems, say it); -EBUSY another import is not over; or
 * what the store failed with: then it may go on sweeping by itself after import_free(), and another finds it not over. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"
#include "base/why.h"

struct db;
struct import;
struct keyring;
struct store;
struct words;

enum { IMPORT_FEED_MAX_BYTES = 256 * 1024, IMPORT_PROBLEMS_MAX = 1000, IMPORT_SAMPLES = 3, IMPORT_LANGUAGES_MAX = 32 };
enum { IMPORT_REMOVES_FREELY = 5, IMPORT_REMOVES_PART = 5 };

/* Everything is copied but words and keys, which must outlive the import: until import_free(), or on_gone. */
struct import_options {
    uint32_t list;
    const char *by;       /* who imports */
    const char *file;     /* its name, for the record */
    const char *basis;    /* consent, membership, public-task or other */
    const char *evidence; /* in words; must not be empty */
    const char *charset;  /* an iconv name, or NULL to find it out */
    const char *timezone; /* of dates without one; NULL for UTC */
    const char *folder;   /* on a disk: where what does not fit into memory lies meanwhile */
    bool dry_run;         /* say what would become of it, write nothing */
    bool skip_bad;        /* leave bad rows out */
    bool whole;           /* the file is the whole list: who came by an import and is not in it is removed */
    bool accepted;        /* of a whole one: however many that are */
    const struct words *const *words; /* of all languages */
    size_t words_count;
    const struct keyring *keys; /* with which addresses are known again that were erased, or left before a restore
                                   (people/opt_outs.h); NULL: they are not asked for */
};

struct import_problem {
    unsigned line;
    bool bad;   /* refuses the file (without skip_bad); else a row that was left out, or a remark */
    char *text; /* "the language “Klingonisch” is not known" */
};

struct import_language {
    char code[16]; /* "" where the row names none */
    uint64_t count;
};

struct import_result {
    struct why why; /* what refused the file as a whole, or "" */
    /* Rows but the head and blank ones; the six below sum to it, together with bad. */
    uint64_t rows;
    uint64_t added;    /* new on the list, or back on it after having been removed */
    uint64_t known;    /* on it, unchanged */
    uint64_t changed;  /* on it, with changed fields */
    uint64_t couples;  /* second names at one address: both are kept */
    uint64_t repeated; /* the same person once more */
    uint64_t left_out; /* the sum of these: */
    uint64_t no_address, suppressed, left, crowd /* a third name at one address */, no_consent /* said no */, erased;
    uint64_t bad;
    uint64_t removed, members; /* of a whole one: so many of those on the list before */
    bool waits; /* of a whole one, refused: it would remove more than IMPORT_REMOVES_FREELY, and more than
                                  one of IMPORT_REMOVES_PART */

    const struct import_problem *problems; /* in order of lines, the first IMPORT_PROBLEMS_MAX */
    size_t problem_count;
    uint64_t problems_unlisted;

    const char *charset;  /* as read: "UTF-8", "UTF-16", "windows-1252", or the one given */
    bool charset_guessed; /* windows-1252, for want of anything better: to be said aloud with the samples */
    const char *samples[IMPORT_SAMPLES]; /* names with letters beyond ASCII, as read; NULL where there are no more */
    char separator;
    struct import_language languages[IMPORT_LANGUAGES_MAX]; /* of rows added, known and changed; most first */
    size_t language_count;
    const char *const *attributes; /* names of the columns that became attributes */
    size_t attribute_count;
};

struct import_handlers {
    void (*on_more)(void *user); /* feed the next piece, or finish */
    /* The end; result is the import's until import_free(). May come instead of on_more, when nothing more is to be
     * read. */
    void (*on_done)(void *user, int result, const struct import_result *import);
    void (*on_gone)(void *user); /* an aborted import is no more. May be NULL */
};

/* -EINVAL with the reason for a bad basis, missing evidence or an unknown charset. on_more or on_done follows. */
int import_new(struct store *store, const struct import_options *options, const struct import_handlers *handlers,
               void *user, struct why *why, struct import **ret);
/* After on_more only; copied. -EMSGSIZE beyond IMPORT_FEED_MAX_BYTES, -ENOMEM. */
int import_feed(struct import *import, struct view piece);
void import_finish(struct import *import);
/* Any time before on_done. */
void import_abort(struct import *import);
/* After on_done. NULL is fine. */
struct import *import_free(struct import *import);

/* At start, in a job's step: completes the import that was being completed, sweeps one that was cut off. STORE_MORE
 * until nothing is left of it. */
int import_recover(struct db *db);
