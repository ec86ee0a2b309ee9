/* What is held on a person beside the person, subscriptions and consent record: for a document that they may ask for.
 * On the store's thread. The walks look each announcement up once: there are thousands at most. A non-zero answer of
 * on_row ends a walk and is returned. Strings are valid within the call. */
#pragma once
#include <stdint.h>

struct db;

struct dossier_delivery {
    int64_t announcement, claimed_usec, at_usec; /* claimed: the mail's Date, or 0 */
    uint32_t list;
    const char *name, *subject, *language, *state, *status, *text, *relay;
    unsigned attempts, code;
};
typedef int dossier_on_delivery(void *user, const struct dossier_delivery *row);
int dossier_deliveries(struct db *db, int64_t subscriber, dossier_on_delivery *on_row, void *user);

/* Imports that brought the person, or a subscription of theirs. */
struct dossier_import {
    int64_t id, at_usec;
    uint32_t list;
    const char *by, *file, *basis, *evidence;
};
typedef int dossier_on_import(void *user, const struct dossier_import *row);
int dossier_imports(struct db *db, int64_t subscriber, dossier_on_import *on_row, void *user);

/* What waits to be confirmed by mail: asked for by the person, or by whoever typed the address in. */
struct dossier_sign_up {
    uint32_t list; /* to join; 0: to move the person's mails to the address */
    int64_t at_usec, expires_usec;
    const char *address, *given_name, *family_name, *language, *version, *wording, *source;
};
typedef int dossier_on_sign_up(void *user, const struct dossier_sign_up *row);
/* subscriber 0: nobody has the address. */
int dossier_sign_ups(struct db *db, const char *address_key, int64_t subscriber, dossier_on_sign_up *on_row,
                     void *user);

/* System mail to an address. */
struct dossier_notice {
    int64_t announcement, created_usec, at_usec;
    const char *kind, *state, *status, *text, *relay;
    unsigned code;
};
typedef int dossier_on_notice(void *user, const struct dossier_notice *row);
int dossier_notices(struct db *db, const char *address_key, dossier_on_notice *on_row, void *user);
