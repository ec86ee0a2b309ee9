/* A keyring for fuzz targets, without files: fixed keys, id 5. */
#pragma once
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "trust/ring.h"

static inline const struct keyring *fuzz_ring(void) {
    static struct ring_secrets secrets;
    static struct ring_signer signer = {.id = 5};
    static struct keyring keys;
    if (!keys.secrets) {
        uint8_t seed[RING_SEED_BYTES];
        for (unsigned i = 0; i < sizeof seed; i++)
            seed[i] = (uint8_t)(0x20 + i);
        if (ring_begin() < 0)
            abort();
        (void)crypto_sign_seed_keypair(keys.public[5].bytes, signer.secret, seed); /* never fails */
        memset(secrets.code, 1, sizeof secrets.code);
        keys.public[5].known = true;
        keys.signer = &signer;
        keys.secrets = &secrets;
    }
    return &keys;
}
