/* Persons: one address each, with what is known for addressing them. On the store's thread.
 * A person whom only an open import brought is not there yet for anyone but that import. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/view.h"

struct db;

struct person {
    int64_t id;
    const char *address_key, *address, *language, *form, *title, *given_name, *family_name, *salutation, *organisation,
        *timezone, *attributes; /* attributes: mail/attributes.h */
    const char *tags;           /* of rows of a batch alone: a change of the subscription's (mail/tags.h), or NULL */
    int64_t import, created_usec, changed_usec;
};

/* The fields that imports and commands change, by number: everything but the address and the attributes. */
enum { PERSON_FIELDS = 8 };
const char *person_field_name(size_t field);
const char **person_field(struct person *p, size_t field);
const char *person_field_get(const struct person *p, size_t field); /* NULL where it is not given */

/* 1 found, 0 not. Strings in the arena. */
int person_get(struct db *db, int64_t id, struct arena *arena, struct person *ret);
int person_find(struct db *db, const char *address_key, struct arena *arena, struct person *ret);
/* The id for the next new person; one or more in a row are used, then person_ids_used() is told the last. */
int person_next_id(struct db *db, int64_t *ret);
int person_ids_used(struct db *db, int64_t last);
/* Inserts or updates (by address_key); fields that are NULL stay as they are. *ret_id; *ret_new. */
int person_save(struct db *db, const struct person *p, int64_t now_usec, int64_t *ret_id, bool *ret_new);
/* For a restore: somebody new who had that id (p->id) before. -EEXIST where it, or the address, is somebody's. */
int person_bring_back(struct db *db, const struct person *p, int64_t now_usec);
/* -EEXIST where the new address is another person's, -ENOENT where there is no such person. */
int person_change_address(struct db *db, int64_t id, const char *address_key, const char *address, int64_t now_usec);

/* Whose address, name or organisation contains the text (compared folded); newest first. lists: only members of these
 * list ids, whatever their state (count 0: everyone). Goes on from *cursor (0 begins) for one slice: STORE_MORE until
 * all were looked at, or on_row answered non-zero, which is returned. */
typedef int person_on_row(void *user, const struct person *p);
int person_search(struct db *db, struct view text, const uint32_t *lists, size_t list_count, int64_t *cursor,
                  person_on_row *on_row, void *user);
