/* Subscribers, their subscriptions, suppression and the consent record. On the store's thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/why.h"

struct db;

enum subscription_state { SUBSCRIPTION_PENDING = 1, SUBSCRIPTION_ACTIVE, SUBSCRIPTION_LEFT, SUBSCRIPTION_REMOVED };
const char *subscription_state_name(enum subscription_state s);

struct person {
    int64_t id;
    const char *address_key, *address, *language, *form, *title, *given_name, *family_name, *salutation, *organisation,
        *timezone, *attributes;
    int64_t import, created_usec, changed_usec;
};

/* 1 found, 0 not (a person only an open import brought is not found). Strings in the arena. */
int person_get(struct db *db, int64_t id, struct arena *arena, struct person *ret);
int person_find(struct db *db, const char *address_key, struct arena *arena, struct person *ret);
/* Inserts or updates (by address_key); fields that are NULL stay as they are. *ret_id; *ret_new. */
int person_save(struct db *db, const struct person *p, int64_t now_usec, int64_t *ret_id, bool *ret_new);
int person_change_address(struct db *db, int64_t id, const char *address_key, const char *address, int64_t now_usec);
/* Whose address, name or organisation contains the text; newest first, at most max. lists: only members of these list
 * ids (count 0: everyone). */
typedef int person_on_row(void *user, const struct person *p);
int person_search(struct db *db, struct view text, const uint32_t *lists, size_t list_count, unsigned max,
                  person_on_row *on_row, void *user);

struct subscription {
    uint32_t list;
    int64_t subscriber, since_usec, import;
    enum subscription_state state;
};
typedef int subscription_on_row(void *user, const struct subscription *s);
int subscription_each_of(struct db *db, int64_t subscriber, subscription_on_row *on_row, void *user);
int subscription_get(struct db *db, uint32_t list, int64_t subscriber, struct subscription *ret); /* 1 found, 0 not */
/* Sets the state and appends to the consent record, in one. -ESTALE where it already has that state (nothing is
 * written). */
struct consent {
    const char *what, *how, *origin, *basis, *evidence;
    const uint8_t *request; /* 16 bytes, or NULL */
};
int subscription_set(struct db *db, uint32_t list, int64_t subscriber, enum subscription_state state, int64_t now_usec,
                     const struct consent *consent);
/* Undo of a leave: back to active with the since it had, if the last entry of the record is a leave not older than
 * max_age. */
int subscription_undo_leave(struct db *db, uint32_t list, int64_t subscriber, int64_t now_usec, int64_t max_age_usec,
                            const struct consent *consent);
/* Active and total members; in which languages: on_language(code, count). */
int subscription_count(struct db *db, uint32_t list, uint64_t *ret_active, uint64_t *ret_all);
typedef void subscription_on_language(void *user, const char *language, uint64_t count);
int subscription_languages(struct db *db, uint32_t list, subscription_on_language *on_language, void *user);

struct consent_row {
    int64_t at_usec;
    uint32_t list;
    const char *what, *how, *origin, *basis, *evidence;
};
typedef int consent_on_row(void *user, const struct consent_row *row);
/* Oldest first, the imports' entries among them. */
int consent_each(struct db *db, int64_t subscriber, consent_on_row *on_row, void *user);

int suppression_set(struct db *db, const char *address_key, const char *reason, const char *detail, int64_t now_usec);
int suppression_clear(struct db *db, const char *address_key, bool *ret_was);
int suppression_get(struct db *db, const char *address_key, struct arena *arena, const char **ret_reason); /* 1, 0 */

/* Ids of applied request records. request_seen: 1 seen, 0 not. */
int request_seen(struct db *db, const uint8_t id[16]);
int request_keep(struct db *db, const uint8_t id[16], int64_t at_usec, const char *result);
int request_purge(struct db *db, int64_t before_usec);

/* Lists: pins id and List-Id to the section's name. -EEXIST with a reason where id or name is pinned otherwise. */
int list_pin(struct db *db, uint32_t id, const char *name, const char *list_id, struct why *why);

/* Attributes are lines "name<TAB>value". The value of one, or a view with ptr NULL. */
struct view attribute_get(struct view attributes, struct view name);
