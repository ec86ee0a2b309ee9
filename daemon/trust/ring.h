/* The inside of a keyring, for trust/ alone. Any thread may read one while keyring_reload() changes it. Secrets are in memory of sodium_malloc(), which is wiped when it goes. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { RING_PUBLIC_BYTES = 32, RING_SEED_BYTES = 32, RING_SIGN_BYTES = 64, RING_DERIVED_BYTES = 32 };

/* From the master key; never change while a program runs. */
struct ring_secrets {
    uint8_t code[RING_DERIVED_BYTES], message_id[RING_DERIVED_BYTES], address[RING_DERIVED_BYTES];
};

/* The key that signs. One that another took the place of stays, as another thread may be signing with it. */
struct ring_signer {
    struct ring_signer *before;
    uint8_t id, secret[RING_SIGN_BYTES];
};

struct keyring {
    struct ring_secrets *secrets;         /* NULL: a door's ring */
    _Atomic(struct ring_signer *) signer; /* the same */
    struct {
        _Atomic bool known; /* the bytes are whole, and stay as they are */
        uint8_t bytes[RING_PUBLIC_BYTES];
    } public[256];
};

/* Must have run before any libsodium function; any number of times. */
int ring_begin(void);
