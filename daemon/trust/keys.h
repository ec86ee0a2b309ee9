/* The keys: one master secret that is never rotated, and Ed25519 signing keys that are.
 *
 * FILES   <secrets>/master.key        32 bytes in hex, mode 0600
 *         <secrets>/signing-<id>.key  a seed, 32 bytes in hex, mode 0600
 *         <secrets>/active            the id that signs
 *         <public>/<id>.pub           32 bytes in hex, mode 0644; kept for ever
 *         Ids run from 1 to 255. <secrets> has mode 0700 and is $CREDENTIALS_DIRECTORY where systemd set it and it
 *         holds master.key, else <state-dir>/keys; <public> is <spool-dir>/public/keys, which the doors read.
 *
 * STATES  Files are written whole, in this order, and a verb that was cut off is finished by the next of its kind:
 *           key init   master.key, signing-1.key, 1.pub, active
 *           key new    signing-<id>.key, <id>.pub
 *         Any other set of files is not touched: something is missing that must come from a backup.
 *
 * LOST    A signing key: links that it signed go on working as long as its public half is there; with that lost too they
 *         are refused. One that signs is replaced by key new and key activate. The master key: links go on working;
 *         return paths of mails that were sent are not understood any more, marks of erased addresses, and of
 *         those that left before a restore, are not found again, and what is sent once more has another Message-ID.
 *
 * From the master key are derived (crypto_kdf) the keys for return paths, address hashes and Message-IDs. What root
 * makes belongs to the owner of the folder above. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

struct keyring;

/* The folders above, appended to `to`. */
void keyring_secret_dir(const char *state_dir, struct buf *to);
void keyring_public_dir(const char *spool_dir, struct buf *to);

/* The daemon's ring: secrets and public keys. -ENOENT with a hint at `rundbrief key init` where there are none. */
int keyring_load(const char *secret_dir, const char *public_dir, struct why *why, struct keyring **ret);
/* Takes over what was added since: a key that signs now, and public keys. Any thread may go on using the ring. 1 where it
 * changed, 0 where not; where it fails the ring stays as it is (-EBADMSG where the files are of another installation). */
int keyring_reload(struct keyring *keys, const char *secret_dir, const char *public_dir, struct why *why);
/* A door's ring: public keys only. */
int keyring_load_public(const char *public_dir, struct why *why, struct keyring **ret);
struct keyring *keyring_free(struct keyring *keys);

/* What the admin's key verbs do. key init makes master key and key 1 and activates it; -EEXIST where keys exist.
 * key new publishes a key that does not sign yet (-ENOSPC after id 255); activate takes one whose public key the doors
 * can read, and makes the public half again of the one that signs already. */
int keyring_init(const char *secret_dir, const char *public_dir, struct why *why);
/* A new master key where it alone is missing, and no copy of it is to be found: see what is lost with it above. */
int keyring_new_master(const char *secret_dir, const char *public_dir, struct why *why);
bool keyring_has_master(const char *secret_dir);
int keyring_new_key(const char *secret_dir, const char *public_dir, uint8_t *ret_id, struct why *why);
int keyring_activate(const char *secret_dir, const char *public_dir, uint8_t id, struct why *why);
/* What is there, by rising id. */
struct key_info {
    uint8_t id;
    bool active, has_secret, has_public;
};
enum { KEYS_MAX = 255 };
int keyring_list(const char *secret_dir, const char *public_dir, struct key_info ret[KEYS_MAX], size_t *ret_count,
                 struct why *why);

uint8_t keyring_active_id(const struct keyring *keys); /* 0: none */
