/* What coordinators do with single subscribers: functions over the store, to be called in steps of jobs. Each change
 * appends to the consent record. Reasons in why are for the person at the command line.
 *
 * FAILS  -ENOENT nobody has this address (or is not on the list); -ESTALE it is so already; -EINVAL a bad address,
 * field or value; -EEXIST the new address is somebody else's. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/view.h"
#include "base/why.h"
#include "store/consent.h"
#include "store/person.h"
#include "store/subscription.h"

struct db;
struct keyring;
struct spool;
struct words;

/* Who acts, and what is to be kept of it. */
struct member_act {
    const char *by;       /* user name */
    const char *basis;    /* consent, membership, public-task or other; needed by member_add() */
    const char *evidence; /* in words; needed by member_add() */
    int64_t now_usec;
    struct spool *spool; /* where a restore finds what was asked for (people/command_record.h); NULL: nowhere */
    const struct keyring
        *keys; /* with which addresses are known again that were erased, or left before a restore; NULL:
                                   they are not asked for, nor kept for a restore */
};

/* A field by its name ("given_name", "given-name") or as a column of an import is called in any language ("Vorname");
 * the address is not among them. "attr.NAME" sets an attribute. An empty value clears. Languages and forms of address
 * are understood as in imports. */
struct member_field {
    const char *name, *value;
};

/* Adds a person (fields may be none) to a list, or brings one back who was removed. Who left comes back only with
 * again, and so does an address that was erased. *ret_new: nobody had this address. */
int member_add(struct db *db, uint32_t list, struct view address, const struct member_field *fields, size_t count,
               const struct words *const *words, size_t words_count, bool again, const struct member_act *act,
               struct why *why, bool *ret_new);
int member_change(struct db *db, struct view address, const struct member_field *fields, size_t count,
                  const struct words *const *words, size_t words_count, const struct member_act *act, struct why *why);
/* Not to an address that was erased. */
int member_change_address(struct db *db, struct view old_address, struct view new_address, const struct member_act *act,
                          struct why *why);
/* Tags are a list's own: a change as mail/tags.h reads it ("+funding, -board"). */
int member_tag(struct db *db, uint32_t list, struct view address, struct view written, const struct member_act *act,
               struct why *why);
/* The person's act, told us by phone, letter or mail. list 0: every list they are on. */
int member_leave(struct db *db, uint32_t list, struct view address, const char *how, const struct member_act *act,
                 struct why *why);
/* Ours, reversible. */
int member_remove(struct db *db, uint32_t list, struct view address, const struct member_act *act, struct why *why);
int member_restore(struct db *db, uint32_t list, struct view address, const struct member_act *act, struct why *why);

/* Finds by address (of any spelling): 0 and the person, or -ENOENT, -EINVAL. */
int member_find(struct db *db, struct view address, struct arena *arena, struct person *ret, struct why *why);
/* All that is held on a person; strings in the arena. */
struct member_record {
    struct person person;
    const char *suppressed; /* the reason, or NULL */
    struct subscription *subscriptions;
    const char **tags; /* of each subscription */
    size_t subscription_count;
    struct consent_row *consents; /* oldest first */
    size_t consent_count;
};
int member_show(struct db *db, struct view address, struct arena *arena, struct member_record *ret, struct why *why);
