/* A keyring that is the same in every run: master key 00..1f, signing key 5 with the seed 20..3f, and key 6 of which
 * only the public half is known. The texts that tests expect were made from these with OpenSSL and Python's hashlib. */
#pragma once
#include "trust/keys.h"
#include "unit.h"

#define FIXED_MASTER "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define FIXED_SEED "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
#define FIXED_PUBLIC "29acbae141bccaf0b22e1a94d34d0bc7361e526d0bfe12c89794bc9322966dd7"
/* RFC 8032 §7.1, test 1 */
#define OTHER_PUBLIC "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

static inline struct keyring *fixed_keys(void) {
    static const struct {
        const char *name, *content;
    } files[] = {
        {"master.key", FIXED_MASTER}, {"signing-5.key", FIXED_SEED}, {"active", "5"},
        {"5.pub", FIXED_PUBLIC},      {"6.pub", OTHER_PUBLIC},
    };
    void *folder;
    struct why why;
    struct keyring *keys = NULL;
    assert_int_equal(unit_folder(&folder), 0);
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        AUTOFREE char *path = unit_path(folder, files[i].name);
        assert_int_equal(files_write_new(AT_FDCWD, path, view_of(files[i].content), 0600), 0);
    }
    assert_int_equal(keyring_load(folder, folder, &why, &keys), 0);
    assert_int_equal(unit_folder_gone(&folder), 0);
    return keys;
}
