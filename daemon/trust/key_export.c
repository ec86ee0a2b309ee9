#include "trust/key_export.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "base/number.h"
#include "trust/key_files.h"
#include "trust/keys.h"
#include "trust/ring.h"

#include "base/banned.h"

enum {
    SALT = crypto_pwhash_SALTBYTES,
    NONCE = crypto_secretbox_NONCEBYTES,
    TAG = crypto_secretbox_MACBYTES,
    HEX = 2 * KEY_FILE_BYTES,
    LINE = 76,
    PLAIN_MAX = (KEYS_MAX * 2 + 2) * (HEX + 16),
    BOXED_MAX = PLAIN_MAX + TAG,
    VARIANT = sodium_base64_VARIANT_ORIGINAL,
    TEXT_MAX = sodium_base64_ENCODED_LEN(BOXED_MAX, VARIANT),
};
static_assert(TEXT_MAX + TEXT_MAX / LINE + 512 < KEY_EXPORT_MAX_BYTES);
static const char head[] = "rundbrief-keys", kdf[] = "argon2id", last_line[] = "end";

/* All that is secret, in memory that is wiped. */
struct vault {
    struct {
        bool is_there;
        uint8_t bytes[KEY_FILE_BYTES];
    } master, signing[KEYS_MAX + 1], public[KEYS_MAX + 1];
    uint8_t active, key[crypto_secretbox_KEYBYTES], salt[SALT], nonce[NONCE];
    uint8_t scratch[RING_SIGN_BYTES], other[KEY_FILE_BYTES];
    char plain[PLAIN_MAX + 1];
    size_t len;
    uint8_t boxed[BOXED_MAX];
};

static struct vault *vault_new(struct why *why) {
    struct vault *v = ring_begin() < 0 ? NULL : sodium_malloc(sizeof *v);
    if (!v)
        (void)why_set(why, -ENOMEM, "no memory for secrets");
    else
        sodium_memzero(v, sizeof *v);
    return v;
}

static void vault_freep(struct vault **v) {
    sodium_free(*v); /* wipes; NULL is fine */
}
#define AUTOVAULT CLEANUP(vault_freep)

static int check_passphrase(struct view passphrase, struct why *why) {
    if (passphrase.len >= KEY_PASSPHRASE_MIN_BYTES && passphrase.len <= KEY_PASSPHRASE_MAX_BYTES)
        return 0;
    (void)why_set(why, -EINVAL, "the passphrase has %zu characters; it must have %d to %d", passphrase.len,
                  (int)KEY_PASSPHRASE_MIN_BYTES, (int)KEY_PASSPHRASE_MAX_BYTES);
    why_todo(why, "Take five or more words that belong to no sentence");
    return -EINVAL;
}

static int derive(struct vault *v, struct view passphrase, unsigned passes, size_t kib, struct why *why) {
    if (crypto_pwhash(v->key, sizeof v->key, passphrase.ptr, passphrase.len, v->salt, passes, kib * 1024,
                      crypto_pwhash_ALG_ARGON2ID13) == 0)
        return 0;
    return why_set(why, -ENOMEM, "making the key of the passphrase takes %zu MiB of memory, which are not there",
                   kib >> 10);
}

/* --- Export -------------------------------------------------------------------------------------------------- */

static int read_all(struct vault *v, const char *secret_dir, const char *public_dir, struct why *why) {
    struct key_survey there;
    char name[KEY_NAME_MAX];
    int r = key_files_survey(secret_dir, public_dir, &there, why);
    if (r == 0 && (!there.master || !there.active)) {
        (void)why_set(why, -ENOENT, there.highest ? "the keys are not whole" : "there are no keys yet");
        why_where(why, "%s", secret_dir);
        why_todo(why, "See: rundbrief key list");
        r = -ENOENT;
    }
    if (r == 0)
        r = key_files_read(secret_dir, "master.key", true, v->master.bytes, why);
    for (unsigned id = 1; id <= KEYS_MAX && r == 0; id++) {
        key_files_secret_name((uint8_t)id, name);
        if ((v->signing[id].is_there = there.secret[id]))
            r = key_files_read(secret_dir, name, true, v->signing[id].bytes, why);
        key_files_public_name((uint8_t)id, name);
        if (r == 0 && (v->public[id].is_there = there.public[id]))
            r = key_files_read(public_dir, name, false, v->public[id].bytes, why);
    }
    v->active = there.active;
    return r;
}

static void add(struct vault *v, const char *name, unsigned id, const uint8_t bytes[KEY_FILE_BYTES]) {
    char hex[HEX + 1] = "";
    if (bytes)
        (void)sodium_bin2hex(hex, sizeof hex, bytes, KEY_FILE_BYTES);
    int n = id ? snprintf(v->plain + v->len, sizeof v->plain - v->len, "%s %u%s%s\n", name, id, bytes ? " " : "", hex)
               : snprintf(v->plain + v->len, sizeof v->plain - v->len, "%s %s\n", name, hex);
    sodium_memzero(hex, sizeof hex);
    v->len += (size_t)n; /* PLAIN_MAX has room for all of them */
}

static void print_plain(struct vault *v) {
    add(v, "master", 0, v->master.bytes);
    for (unsigned id = 1; id <= KEYS_MAX; id++)
        if (v->signing[id].is_there)
            add(v, "signing", id, v->signing[id].bytes);
    for (unsigned id = 1; id <= KEYS_MAX; id++)
        if (v->public[id].is_there)
            add(v, "public", id, v->public[id].bytes);
    add(v, "active", v->active, NULL);
}

int key_export(const char *secret_dir, const char *public_dir, struct view passphrase, struct buf *to,
               struct why *why) {
    AUTOVAULT struct vault *v = NULL;
    AUTOFREE char *text = malloc(TEXT_MAX);
    int r = check_passphrase(passphrase, why);
    if (r < 0)
        return r;
    v = text ? vault_new(why) : NULL;
    if (!v)
        return text ? -ENOMEM : why_set(why, -ENOMEM, "no memory");
    r = read_all(v, secret_dir, public_dir, why);
    randombytes_buf(v->salt, sizeof v->salt);
    randombytes_buf(v->nonce, sizeof v->nonce);
    if (r == 0)
        r = derive(v, passphrase, KEY_EXPORT_PASSES, KEY_EXPORT_KIB, why);
    if (r < 0)
        return r;
    print_plain(v);
    (void)crypto_secretbox_easy(v->boxed, (const uint8_t *)v->plain, v->len, v->nonce, v->key); /* never fails */
    buf_printf(to, "%s 1\n%s %d %d ", head, kdf, (int)KEY_EXPORT_PASSES, (int)KEY_EXPORT_KIB);
    encode_hex(to, v->salt, SALT);
    buf_putc(to, '\n');
    encode_hex(to, v->nonce, NONCE);
    buf_putc(to, '\n');
    struct view rest = view_of(sodium_bin2base64(text, TEXT_MAX, v->boxed, v->len + TAG, VARIANT));
    for (; rest.len; rest = view_slice(rest, LINE, rest.len)) {
        buf_add_view(to, view_slice(rest, 0, LINE));
        buf_putc(to, '\n');
    }
    buf_printf(to, "%s\n", last_line);
    return buf_error(to);
}

/* --- Reading ------------------------------------------------------------------------------------------------- */

static int damaged(struct why *why, const char *what) {
    return why_set(why, -EBADMSG, "this is no whole file of exported keys: %s", what);
}

static bool take_line(struct view *rest, struct view *ret) {
    if (!view_take(rest, '\n', ret))
        return false;
    if (view_ends(*ret, "\r")) /* somebody's mail program or editor */
        ret->len--;
    return true;
}

static int read_head(struct view *rest, struct vault *v, uint64_t *ret_passes, uint64_t *ret_kib, struct why *why) {
    struct view line, word, version;
    uint64_t number;
    if (!take_line(rest, &line) || !view_take(&line, ' ', &word) || !view_eq_str(word, head))
        return damaged(why, "it begins with something else");
    version = line;
    if (number_parse_u64(version, 1000, &number) < 0)
        return damaged(why, "its version is no number");
    if (number != 1) {
        (void)why_set(why, -EPROTONOSUPPORT, "the exported keys have version %llu of the format, this program knows 1",
                      (unsigned long long)number);
        why_todo(why, "Import them with the rundbrief that exported them, or a newer one");
        return -EPROTONOSUPPORT;
    }
    if (!take_line(rest, &line) || !view_take(&line, ' ', &word) || !view_eq_str(word, kdf) ||
        !view_take(&line, ' ', &word) || number_parse_u64(word, KEY_EXPORT_PASSES_MAX, ret_passes) < 0 ||
        *ret_passes < 1 || !view_take(&line, ' ', &word) || number_parse_u64(word, KEY_EXPORT_KIB_MAX, ret_kib) < 0 ||
        *ret_kib < 8 || decode_hex(line, v->salt, SALT) < 0)
        return damaged(why, "line 2 does not say how the key is made of the passphrase");
    if (!take_line(rest, &line) || decode_hex(line, v->nonce, NONCE) < 0)
        return damaged(why, "line 3 is no nonce");
    return 0;
}

static int read_boxed(struct view rest, struct vault *v, size_t *ret_len, struct why *why) {
    AUTOBUF struct buf text = BUF_INIT(KEY_EXPORT_MAX_BYTES);
    struct view line;
    const char *end;
    do {
        if (!take_line(&rest, &line))
            return damaged(why, "its end is missing");
        if (!view_eq_str(line, last_line))
            buf_add_view(&text, line);
    } while (!view_eq_str(line, last_line));
    struct view all = buf_view(&text);
    if (buf_error(&text) ||
        sodium_base642bin(v->boxed, sizeof v->boxed, all.ptr ? all.ptr : "", all.len, NULL, ret_len, &end, VARIANT) <
            0 ||
        end != all.ptr + all.len || *ret_len <= TAG)
        return damaged(why, "what is encrypted is not base64");
    return 0;
}

/* Of what decrypts, we are the authors: any other form is a fault of ours, and refused. */
static int read_plain(struct vault *v, size_t len) {
    struct view rest = view_make(v->plain, len), line, name, word;
    while (take_line(&rest, &line)) {
        uint64_t id = 0;
        uint8_t *to = NULL;
        if (!view_take(&line, ' ', &name))
            return -EBADMSG;
        if (view_eq_str(name, "master")) {
            v->master.is_there = true;
            to = v->master.bytes;
        } else {
            bool active = view_eq_str(name, "active");
            if (!active && !view_take(&line, ' ', &word))
                return -EBADMSG;
            if (number_parse_u64(active ? line : word, KEYS_MAX, &id) < 0 || id == 0)
                return -EBADMSG;
            if (active) {
                v->active = (uint8_t)id;
                continue;
            }
            bool secret = view_eq_str(name, "signing");
            if (!secret && !view_eq_str(name, "public"))
                return -EBADMSG;
            (secret ? &v->signing[id] : &v->public[id])->is_there = true;
            to = (secret ? &v->signing[id] : &v->public[id])->bytes;
        }
        if (decode_hex(line, to, KEY_FILE_BYTES) < 0)
            return -EBADMSG;
    }
    return rest.len || !v->master.is_there || !v->active || !v->signing[v->active].is_there ? -EBADMSG : 0;
}

/* A key's halves must belong together; one without the public half gets it. */
static int check_pairs(struct vault *v) {
    for (unsigned id = 1; id <= KEYS_MAX; id++) {
        if (!v->signing[id].is_there)
            continue;
        (void)crypto_sign_seed_keypair(v->other, v->scratch, v->signing[id].bytes); /* never fails */
        if (v->public[id].is_there && memcmp(v->public[id].bytes, v->other, KEY_FILE_BYTES) != 0)
            return -EBADMSG;
        memcpy(v->public[id].bytes, v->other, KEY_FILE_BYTES);
        v->public[id].is_there = true;
    }
    return 0;
}

static int open_file(struct vault *v, struct view file, struct view passphrase, struct why *why) {
    uint64_t passes = 0, kib = 0;
    size_t len = 0;
    if (file.len > KEY_EXPORT_MAX_BYTES)
        return damaged(why, "it is too long");
    int r = read_head(&file, v, &passes, &kib, why);
    if (r == 0)
        r = read_boxed(file, v, &len, why);
    if (r == 0)
        r = derive(v, passphrase, (unsigned)passes, (size_t)kib, why);
    if (r < 0)
        return r;
    if (crypto_secretbox_open_easy((uint8_t *)v->plain, v->boxed, len, v->nonce, v->key) < 0) {
        (void)why_set(why, -EBADMSG, "the passphrase is another one, or the file is damaged");
        why_todo(why, "Try the passphrase again; nothing was changed");
        return -EBADMSG;
    }
    if (read_plain(v, len - TAG) < 0 || check_pairs(v) < 0)
        return damaged(why, "the keys in it do not belong together");
    return 0;
}

/* --- Import -------------------------------------------------------------------------------------------------- */

/* One key file: written where it is missing, and compared where it is there. */
static int settle(const char *dir, const char *name, bool secret, bool is_there, const uint8_t bytes[KEY_FILE_BYTES],
                  bool write, struct vault *v, bool *ret_new, struct why *why) {
    if (!is_there) {
        *ret_new = true;
        return write ? key_files_write(dir, name, secret, bytes, why) : 0;
    }
    int r = write ? 0 : key_files_read(dir, name, secret, v->other, why);
    if (r == 0 && !write && sodium_memcmp(v->other, bytes, KEY_FILE_BYTES) != 0) {
        (void)why_set(why, -EEXIST, "other keys are there already");
        why_where(why, "%s/%s", dir, name);
        why_todo(why, "If no mail was sent with them, move this folder and the public keys away, and import again");
        return -EEXIST;
    }
    return r;
}

static int settle_all(struct vault *v, const struct key_survey *there, const char *secret_dir, const char *public_dir,
                      bool write, bool *ret_new, struct why *why) {
    char name[KEY_NAME_MAX];
    int r = settle(secret_dir, "master.key", true, there->master, v->master.bytes, write, v, ret_new, why);
    for (unsigned id = 1; id <= KEYS_MAX && r == 0; id++) {
        key_files_secret_name((uint8_t)id, name);
        if (v->signing[id].is_there)
            r = settle(secret_dir, name, true, there->secret[id], v->signing[id].bytes, write, v, ret_new, why);
        key_files_public_name((uint8_t)id, name);
        if (r == 0 && v->public[id].is_there)
            r = settle(public_dir, name, false, there->public[id], v -> public[id].bytes, write, v, ret_new, why);
    }
    return r;
}

int key_import(const char *secret_dir, const char *public_dir, struct view file, struct view passphrase, bool *ret_new,
               uint8_t *ret_active, struct why *why) {
    AUTOVAULT struct vault *v = vault_new(why);
    AUTOCLOSE int lock = -1;
    struct key_survey there;
    *ret_new = false;
    if (!v)
        return -ENOMEM;
    int r = open_file(v, file, passphrase, why);
    if (r == 0)
        r = key_files_lock(secret_dir, public_dir, &lock, why);
    if (r == 0)
        r = key_files_survey(secret_dir, public_dir, &there, why);
    if (r == 0)
        r = settle_all(v, &there, secret_dir, public_dir, false, ret_new, why);
    if (r == 0)
        r = settle_all(v, &there, secret_dir, public_dir, true, ret_new, why);
    if (r == 0 && !there.active)
        r = key_files_write_active(secret_dir, v->active, why);
    if (r == 0)
        *ret_active = there.active ? there.active : v->active;
    return r;
}
