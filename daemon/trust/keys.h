/* The keys: one master secret that is never rotated, and Ed25519 signing keys that are.
 *
 * FILES   <secrets>/master.key        32 bytes in hex, mode 0600; or systemd's credential "master.key"
 *         <secrets>/signing-<id>.key  seed, 32 bytes in hex, mode 0600; <secrets>/active holds the id that signs
 *         <public>/<id>.pub           32 bytes in hex, world-readable; kept for ever
 * <secrets> is $CREDENTIALS_DIRECTORY where systemd set it and it holds master.key, else <state-dir>/keys;
 * <public> is <spool-dir>/public/keys, which the doors read. Ids run from 1 to 255.
 *
 * From the master key are derived (crypto_kdf) the keys for return paths, address hashes and Message-IDs. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

struct keyring;

/* The daemon's ring: secrets and public keys. -ENOENT with a hint at `rundbrief key init` where there are none. */
int keyring_load(const char *secret_dir, const char *public_dir, struct why *why, struct keyring **ret);
/* A door's ring: public keys only. */
int keyring_load_public(const char *public_dir, struct why *why, struct keyring **ret);
struct keyring *keyring_free(struct keyring *keys);

/* What the admin's key verbs do. key init makes master key and key 1 and activates it; refuses where keys exist. */
int keyring_init(const char *secret_dir, const char *public_dir, struct why *why);
int keyring_new_key(const char *secret_dir, const char *public_dir, uint8_t *ret_id, struct why *why);
int keyring_activate(const char *secret_dir, uint8_t id, struct why *why);
struct key_info {
    uint8_t id;
    bool active, has_secret, has_public;
};
int keyring_list(const char *secret_dir, const char *public_dir, struct key_info ret[255], size_t *ret_count,
                 struct why *why);

uint8_t keyring_active_id(const struct keyring *keys); /* 0: none */
