/* The inside of a keyring, for trust/ alone. Secrets are in memory of sodium_malloc(), which is wiped when it goes. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { RING_PUBLIC_BYTES = 32, RING_SEED_BYTES = 32, RING_SIGN_BYTES = 64, RING_DERIVED_BYTES = 32 };

struct ring_secrets {
    uint8_t sign[RING_SIGN_BYTES]; /* of the active key */
    uint8_t code[RING_DERIVED_BYTES], message_id[RING_DERIVED_BYTES], address[RING_DERIVED_BYTES];
};

struct keyring {
    uint8_t active_id;            /* 0: a door's ring */
    struct ring_secrets *secrets; /* NULL: a door's ring */
    struct {
        bool known;
        uint8_t bytes[RING_PUBLIC_BYTES];
    } public[256];
};

/* Must have run before any libsodium function; any number of times. */
int ring_begin(void);
