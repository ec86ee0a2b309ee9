#include "trust/keys.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "trust/key_files.h"
#include "trust/ring.h"

#include "base/banned.h"

static_assert((int)RING_PUBLIC_BYTES == (int)crypto_sign_PUBLICKEYBYTES);
static_assert((int)RING_SEED_BYTES == (int)crypto_sign_SEEDBYTES);
static_assert((int)RING_SIGN_BYTES == (int)crypto_sign_SECRETKEYBYTES);
static_assert((int)KEY_FILE_BYTES == (int)crypto_kdf_KEYBYTES);

/* Numbers of the derived keys. Never change one: codes in mails that were sent hang on it. */
enum { DERIVE_CODE = 1, DERIVE_ADDRESS = 2, DERIVE_MESSAGE_ID = 3 };
static const char derive_context[crypto_kdf_CONTEXTBYTES + 1] = "rundbrif";

int ring_begin(void) {
    return sodium_init() < 0 ? -EIO : 0;
}

void keyring_secret_dir(const char *state_dir, struct buf *to) {
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (credentials && *credentials) {
        AUTOBUF struct buf master = BUF_INIT(4096);
        buf_printf(&master, "%s/master.key", credentials);
        if (!buf_error(&master) && access(buf_str(&master), F_OK) == 0) {
            buf_puts(to, credentials);
            return;
        }
    }
    buf_printf(to, "%s/keys", state_dir);
}

void keyring_public_dir(const char *spool_dir, struct buf *to) {
    buf_printf(to, "%s/public/keys", spool_dir);
}

/* Secrets for the length of a verb or of loading. */
struct scratch {
    uint8_t seed[RING_SEED_BYTES], master[crypto_kdf_KEYBYTES], sign[RING_SIGN_BYTES];
};

static struct scratch *scratch_new(struct why *why) {
    struct scratch *s = ring_begin() < 0 ? NULL : sodium_malloc(sizeof *s);
    if (!s)
        (void)why_set(why, -ENOMEM, "no memory for secrets");
    return s;
}

static void scratch_freep(struct scratch **s) {
    sodium_free(*s); /* wipes; NULL is fine */
}
#define AUTOSCRATCH CLEANUP(scratch_freep)

static int no_keys(const char *dir, struct why *why) {
    (void)why_set(why, -ENOENT, "there are no keys yet");
    why_where(why, "%s", dir);
    why_todo(why, "Run: rundbrief key init");
    return -ENOENT;
}

static int not_whole(const char *dir, struct why *why, int error, const char *what) {
    (void)why_set(why, error, "the keys are not whole: %s", what);
    why_where(why, "%s", dir);
    why_todo(why, "Bring the missing files back from a backup; new keys would make the links in sent mails useless");
    return error;
}

/* Nothing, or what a key init that was cut off leaves: see STATES. */
static bool may_init(const struct key_survey *there) {
    return !there->active && there->highest <= 1 && (there->master || !there->secret[1]) &&
           (there->secret[1] || !there->public[1]);
}

/* Reads a signing key's seed and makes both its halves. */
static int read_pair(const char *secret_dir, uint8_t id, struct scratch *s, uint8_t ret_public[RING_PUBLIC_BYTES],
                     struct why *why) {
    char name[KEY_NAME_MAX];
    key_files_secret_name(id, name);
    int r = key_files_read(secret_dir, name, true, s->seed, why);
    if (r == 0)
        (void)crypto_sign_seed_keypair(ret_public, s->sign, s->seed); /* never fails */
    return r;
}

/* Reads a signing key and its public half, which must belong together. */
static int read_published(const char *secret_dir, const char *public_dir, uint8_t id, struct scratch *s,
                          struct why *why) {
    uint8_t made[RING_PUBLIC_BYTES], published[RING_PUBLIC_BYTES];
    char name[KEY_NAME_MAX];
    key_files_public_name(id, name);
    int r = read_pair(secret_dir, id, s, made, why);
    if (r == 0)
        r = key_files_read(public_dir, name, false, published, why);
    if (r == 0 && memcmp(made, published, sizeof made) != 0)
        return not_whole(public_dir, why, -EBADMSG, "the signing key's halves do not belong together");
    return r;
}

int keyring_load_public(const char *public_dir, struct why *why, struct keyring **ret) {
    struct key_survey survey;
    if (ring_begin() < 0)
        return why_set(why, -EIO, "libsodium does not work here");
    int r = key_files_survey(NULL, public_dir, &survey, why);
    if (r < 0)
        return r;
    if (survey.highest == 0)
        return no_keys(public_dir, why);
    struct keyring *keys = calloc(1, sizeof *keys);
    if (!keys)
        return why_set(why, -ENOMEM, "no memory for keys");
    for (unsigned id = 1; id <= KEYS_MAX && r == 0; id++) {
        char name[KEY_NAME_MAX];
        key_files_public_name((uint8_t)id, name);
        if (!survey.public[id])
            continue;
        r = key_files_read(public_dir, name, false, keys->public[id].bytes, why);
        keys->public[id].known = r == 0;
    }
    if (r < 0) {
        keys = keyring_free(keys);
        return r;
    }
    *ret = keys;
    return 0;
}

/* What is lost, and what still works: see LOST. */
static int check_whole(const struct key_survey *there, const char *secret_dir, const char *public_dir,
                       struct why *why) {
    unsigned id = there->active;
    if (there->master && id && there->secret[id] && there->public[id])
        return 0;
    if (!there->master) {
        (void)why_set(why, -ENOENT, "the master key is lost: %s", "master.key is missing");
        why_where(why, "%s", secret_dir);
        why_todo(why, "Bring it back from a copy, or run `rundbrief key init --new-master`: links go on working");
    } else if (!id) {
        (void)why_set(why, -ENOENT, "no key signs: the file active is missing");
        why_where(why, "%s", secret_dir);
        why_todo(why, "See `rundbrief key list`, and run `rundbrief key activate ID` with the highest");
    } else if (!there->secret[id]) {
        (void)why_set(why, -ENOENT, "the secret of key %u, which should sign, is lost", id);
        why_where(why, "%s", secret_dir);
        why_todo(why,
                 "Bring it back from a copy, or run `rundbrief key new` and `key activate`: links of key %u go on "
                 "working",
                 id);
    } else {
        (void)why_set(why, -ENOENT, "the public half of key %u, which signs, is lost", id);
        why_where(why, "%s", public_dir);
        why_todo(why, "Run `rundbrief key activate %u`, which makes it again", id);
    }
    return -ENOENT;
}

static void derive(struct ring_secrets *to, const uint8_t master[crypto_kdf_KEYBYTES]) {
    (void)crypto_kdf_derive_from_key(to->code, sizeof to->code, DERIVE_CODE, derive_context, master);
    (void)crypto_kdf_derive_from_key(to->address, sizeof to->address, DERIVE_ADDRESS, derive_context, master);
    (void)crypto_kdf_derive_from_key(to->message_id, sizeof to->message_id, DERIVE_MESSAGE_ID, derive_context, master);
}

static struct ring_signer *signer_new(uint8_t id, const struct scratch *s, struct why *why) {
    struct ring_signer *signer = sodium_malloc(sizeof *signer);
    if (!signer) {
        (void)why_set(why, -ENOMEM, "no memory for secrets");
        return NULL;
    }
    signer->before = NULL;
    signer->id = id;
    memcpy(signer->secret, s->sign, sizeof signer->secret);
    return signer;
}

/* A second lock on the door. */
static void lock(struct keyring *keys) {
    (void)sodium_mprotect_readonly(keys->secrets);
    (void)sodium_mprotect_readonly(keys->signer);
}

int keyring_load(const char *secret_dir, const char *public_dir, struct why *why, struct keyring **ret) {
    AUTOSCRATCH struct scratch *s = scratch_new(why);
    struct key_survey survey;
    if (!s)
        return -ENOMEM;
    int r = key_files_survey(secret_dir, public_dir, &survey, why);
    if (r < 0)
        return r;
    if (may_init(&survey))
        return no_keys(secret_dir, why);
    r = check_whole(&survey, secret_dir, public_dir, why);
    if (r < 0)
        return r;
    struct keyring *keys = NULL;
    r = keyring_load_public(public_dir, why, &keys);
    if (r < 0)
        return r;
    r = key_files_read(secret_dir, "master.key", true, s->master, why);
    if (r == 0)
        r = read_published(secret_dir, public_dir, survey.active, s, why);
    if (r == 0 && !(keys->secrets = sodium_malloc(sizeof *keys->secrets)))
        r = why_set(why, -ENOMEM, "no memory for secrets");
    struct ring_signer *signer = r == 0 ? signer_new(survey.active, s, why) : NULL;
    if (r == 0 && !signer)
        r = -ENOMEM;
    if (signer)
        keys->signer = signer;
    if (r < 0) {
        keys = keyring_free(keys);
        return r;
    }
    derive(keys->secrets, s->master);
    lock(keys);
    *ret = keys;
    return 0;
}

/* Whether what `now` holds may take the place of what a ring has. */
static int check_same_house(const struct keyring *keys, const struct keyring *now, const char *secret_dir,
                            struct why *why) {
    bool same = sodium_memcmp(keys->secrets, now->secrets, sizeof *keys->secrets) == 0;
    for (unsigned id = 1; id <= KEYS_MAX && same; id++)
        same = !keys->public[id].known || !now->public[id].known ||
               memcmp(keys->public[id].bytes, now->public[id].bytes, RING_PUBLIC_BYTES) == 0;
    if (same)
        return 0;
    (void)why_set(why, -EBADMSG, "these are the keys of another installation");
    why_where(why, "%s", secret_dir);
    why_todo(why, "Bring the keys back that were there, or restart the daemon to work with these");
    return -EBADMSG;
}

int keyring_reload(struct keyring *keys, const char *secret_dir, const char *public_dir, struct why *why) {
    struct keyring *now = NULL;
    int r = keyring_load(secret_dir, public_dir, why, &now);
    if (r == 0)
        r = check_same_house(keys, now, secret_dir, why);
    if (r < 0) {
        (void)keyring_free(now);
        return r;
    }
    int changed = keyring_active_id(keys) != keyring_active_id(now);
    for (unsigned id = 1; id <= KEYS_MAX; id++)
        if (now->public[id].known && !keys->public[id].known) {
            memcpy(keys->public[id].bytes, now->public[id].bytes, RING_PUBLIC_BYTES);
            keys->public[id].known = true; /* the bytes come first */
            changed = 1;
        }
    if (keyring_active_id(keys) != keyring_active_id(now)) {
        struct ring_signer *signer = now->signer;
        now->signer = NULL;
        (void)sodium_mprotect_readwrite(signer);
        signer->before = keys->signer;
        (void)sodium_mprotect_readonly(signer);
        keys->signer = signer;
    }
    (void)keyring_free(now);
    return changed;
}

struct keyring *keyring_free(struct keyring *keys) {
    if (!keys)
        return NULL;
    for (struct ring_signer *signer = keys->signer, *before; signer; signer = before) {
        before = signer->before;
        sodium_free(signer);
    }
    sodium_free(keys->secrets);
    free(keys);
    return NULL;
}

uint8_t keyring_active_id(const struct keyring *keys) {
    const struct ring_signer *signer = keys->signer;
    return signer ? signer->id : 0;
}

static int write_secret(const char *dir, const char *name, struct scratch *s, struct why *why) {
    randombytes_buf(s->seed, sizeof s->seed);
    return key_files_write(dir, name, true, s->seed, why);
}

/* Writes the public half of a signing key that is there. */
static int publish(const char *secret_dir, const char *public_dir, uint8_t id, struct scratch *s, struct why *why) {
    uint8_t made[RING_PUBLIC_BYTES];
    char name[KEY_NAME_MAX];
    key_files_public_name(id, name);
    int r = read_pair(secret_dir, id, s, made, why);
    return r < 0 ? r : key_files_write(public_dir, name, false, made, why);
}

/* The beginning of every verb that changes keys: room for secrets, the lock, and what is there. */
static int begin(const char *secret_dir, const char *public_dir, struct scratch **s, int *lock,
                 struct key_survey *there, struct why *why) {
    *s = scratch_new(why);
    int r = *s ? key_files_lock(secret_dir, public_dir, lock, why) : -ENOMEM;
    return r < 0 ? r : key_files_survey(secret_dir, public_dir, there, why);
}

int keyring_init(const char *secret_dir, const char *public_dir, struct why *why) {
    AUTOSCRATCH struct scratch *s = NULL;
    AUTOCLOSE int lock = -1;
    struct key_survey there;
    int r = begin(secret_dir, public_dir, &s, &lock, &there, why);
    if (r < 0)
        return r;
    if (there.master && there.active) {
        (void)why_set(why, -EEXIST, "there are keys already; key %u signs", there.active);
        why_where(why, "%s", secret_dir);
        why_todo(why, "For a fresh signing key run: rundbrief key new");
        return -EEXIST;
    }
    if (!may_init(&there))
        return not_whole(secret_dir, why, -EEXIST, "this is not what a key init that was cut off leaves");
    if (!there.master)
        r = write_secret(secret_dir, "master.key", s, why);
    if (r == 0 && !there.secret[1])
        r = write_secret(secret_dir, "signing-1.key", s, why);
    if (r == 0 && !there.public[1])
        r = publish(secret_dir, public_dir, 1, s, why);
    if (r == 0)
        r = key_files_read(secret_dir, "master.key", true, s->master, why);
    if (r == 0)
        r = read_published(secret_dir, public_dir, 1, s, why);
    return r < 0 ? r : key_files_write_active(secret_dir, 1, why);
}

int keyring_new_master(const char *secret_dir, const char *public_dir, struct why *why) {
    AUTOSCRATCH struct scratch *s = NULL;
    AUTOCLOSE int lock = -1;
    struct key_survey there;
    int r = begin(secret_dir, public_dir, &s, &lock, &there, why);
    if (r < 0)
        return r;
    if (!there.highest)
        return no_keys(secret_dir, why);
    if (there.master) {
        (void)why_set(why, -EEXIST, "the master key is there: it is never replaced");
        why_where(why, "%s", secret_dir);
        return -EEXIST;
    }
    return write_secret(secret_dir, "master.key", s, why);
}

bool keyring_has_master(const char *secret_dir) {
    struct key_survey there;
    struct why why;
    int r = key_files_survey(secret_dir, secret_dir, &there, &why);
    return r == 0 && there.master;
}

int keyring_new_key(const char *secret_dir, const char *public_dir, uint8_t *ret_id, struct why *why) {
    AUTOSCRATCH struct scratch *s = NULL;
    AUTOCLOSE int lock = -1;
    struct key_survey there;
    int r = begin(secret_dir, public_dir, &s, &lock, &there, why);
    if (r < 0)
        return r;
    if (!there.active)
        return no_keys(secret_dir, why);
    unsigned id = there.highest;
    if (id == 0 || there.public[id]) { /* else the last key new was cut off: it is finished now */
        if (++id > KEYS_MAX)
            return why_set(why, -ENOSPC, "there are %d keys already, and that is all that tokens can name", KEYS_MAX);
        char name[KEY_NAME_MAX];
        key_files_secret_name((uint8_t)id, name);
        r = write_secret(secret_dir, name, s, why);
    }
    if (r == 0)
        r = publish(secret_dir, public_dir, (uint8_t)id, s, why);
    if (r == 0)
        *ret_id = (uint8_t)id;
    return r;
}

int keyring_activate(const char *secret_dir, const char *public_dir, uint8_t id, struct why *why) {
    AUTOSCRATCH struct scratch *s = NULL;
    AUTOCLOSE int lock = -1;
    struct key_survey there;
    int r = begin(secret_dir, public_dir, &s, &lock, &there, why);
    if (r < 0)
        return r;
    if (!there.highest)
        return no_keys(secret_dir, why);
    if (id == 0 || !there.secret[id] || (!there.public[id] && id != there.active)) {
        (void)why_set(why, -ENOENT, "there is no key %u that could sign", id);
        why_where(why, "%s", secret_dir);
        why_todo(why, "See: rundbrief key list");
        return -ENOENT;
    }
    if (!there.public[id])
        r = publish(secret_dir, public_dir, id, s, why);
    if (r == 0)
        r = read_published(secret_dir, public_dir, id, s, why);
    return r < 0 ? r : key_files_write_active(secret_dir, id, why);
}

int keyring_list(const char *secret_dir, const char *public_dir, struct key_info ret[KEYS_MAX], size_t *ret_count,
                 struct why *why) {
    struct key_survey there;
    int r = key_files_survey(secret_dir, public_dir, &there, why);
    if (r < 0)
        return r;
    size_t count = 0;
    for (unsigned id = 1; id <= KEYS_MAX; id++)
        if (there.secret[id] || there.public[id])
            ret[count++] = (struct key_info){.id = (uint8_t)id,
                                             .active = id == there.active,
                                             .has_secret = there.secret[id],
                                             .has_public = there.public[id]};
    *ret_count = count;
    return 0;
}
