/* Files of exported keys, which may be anybody's. One that is refused leaves nothing behind; one that is taken makes
 * keys that can be used, and taken again it changes nothing. Since nobody guesses what decrypts, an input that begins
 * with "plain" and a line end is encrypted first. What would cost much to make a key of is left out: KEY_EXPORT_*_MAX
 * bound it, and tests/unit/test_key_export.c knows these. */
#include <fcntl.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/files.h"
#include "trust/key_export.h"
#include "trust/keys.h"
#include "trust/ring.h"

enum { PASSES_MOST = 2, KIB_MOST = 256, PASSES = 1, KIB = 8 };
static const char passphrase[] = "correct horse battery staple", marker[] = "plain\n";
static char folder[64], secrets[80], publics[80];

static void sweep(const char *dir) {
    char **names = NULL, path[400];
    size_t count = 0;
    if (files_list(AT_FDCWD, dir, 10000, &names, &count) < 0)
        return; /* not there */
    for (size_t i = 0; i < count; i++)
        if (snprintf(path, sizeof path, "%s/%s", dir, names[i]) >= (int)sizeof path || unlink(path) < 0)
            abort();
    files_free_names(names, count);
    if (rmdir(dir) < 0)
        abort();
}

static void clean(void) {
    sweep(secrets);
    sweep(publics);
}

static void leave(void) {
    clean();
    (void)rmdir(folder); /* at the end of the process */
}

static void begin(void) {
    const char *tmp = getenv("TMPDIR");
    if (folder[0])
        return;
    if (ring_begin() < 0 || snprintf(folder, sizeof folder, "%.40s/fuzz-keys-XXXXXX", tmp ? tmp : "/tmp") < 0 ||
        !mkdtemp(folder) || snprintf(secrets, sizeof secrets, "%s/secret", folder) < 0 ||
        snprintf(publics, sizeof publics, "%s/public", folder) < 0 || atexit(leave) != 0)
        abort();
}

/* The file that says this. */
static void encrypt(struct view plain, struct buf *to) {
    uint8_t key[crypto_secretbox_KEYBYTES], salt[crypto_pwhash_SALTBYTES] = {1},
                                            nonce[crypto_secretbox_NONCEBYTES] = {2};
    size_t boxed_len = plain.len + crypto_secretbox_MACBYTES,
           room = sodium_base64_encoded_len(boxed_len, sodium_base64_VARIANT_ORIGINAL);
    AUTOFREE uint8_t *boxed = malloc(boxed_len);
    AUTOFREE char *text = malloc(room);
    if (!boxed || !text ||
        crypto_pwhash(key, sizeof key, passphrase, strlen(passphrase), salt, PASSES, (size_t)KIB * 1024,
                      crypto_pwhash_ALG_ARGON2ID13) != 0 ||
        crypto_secretbox_easy(boxed, (const uint8_t *)plain.ptr, plain.len, nonce, key) != 0)
        abort();
    buf_printf(to, "rundbrief-keys 1\nargon2id %d %d ", PASSES, KIB);
    encode_hex(to, salt, sizeof salt);
    buf_putc(to, '\n');
    encode_hex(to, nonce, sizeof nonce);
    buf_printf(to, "\n%s\nend\n", sodium_bin2base64(text, room, boxed, boxed_len, sodium_base64_VARIANT_ORIGINAL));
}

static bool is_dear(struct view file) {
    char head[200];
    unsigned long long passes = 0, kib = 0;
    struct view begin = view_slice(file, 0, sizeof head - 1);
    if (begin.len)
        memcpy(head, begin.ptr, begin.len);
    head[begin.len] = '\0';
    const char *line = strchr(head, '\n');
    return line && sscanf(line, " argon2id %llu %llu", &passes, &kib) == 2 && (passes > PASSES_MOST || kib > KIB_MOST);
}

static void take(struct view file) {
    struct view words = view_of(passphrase);
    struct key_info keys[KEYS_MAX];
    struct why why;
    bool is_new;
    uint8_t active = 0;
    size_t count = 0, signing = 0;
    int r = key_import(secrets, publics, file, words, &is_new, &active, &why);
    if (keyring_list(secrets, publics, keys, &count, &why) < 0 || (r < 0 && count))
        abort();
    if (r < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        if (keys[i].has_secret && !keys[i].has_public)
            abort();
        signing += keys[i].active && keys[i].id == active && keys[i].has_secret;
    }
    if (!is_new || signing != 1 || key_import(secrets, publics, file, words, &is_new, &active, &why) < 0 || is_new)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view file = view_make(data, size);
    AUTOBUF struct buf encrypted = BUF_INIT(8 << 20);
    begin();
    if (view_starts(file, marker)) {
        encrypt(view_slice(file, sizeof marker - 1, file.len), &encrypted);
        file = buf_view(&encrypted);
    }
    if (!is_dear(file))
        take(file);
    clean();
    return 0;
}
