#include "trust/key_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/files.h"
#include "base/number.h"

#include "base/banned.h"

enum { ENTRIES_MAX = 4096, HEX = 2 * KEY_FILE_BYTES };

static const char master_name[] = "master.key", active_name[] = "active";

void key_files_secret_name(uint8_t id, char ret[KEY_NAME_MAX]) {
    (void)snprintf(ret, KEY_NAME_MAX, "signing-%u.key", id); /* always fits */
}

void key_files_public_name(uint8_t id, char ret[KEY_NAME_MAX]) {
    (void)snprintf(ret, KEY_NAME_MAX, "%u.pub", id); /* always fits */
}

/* The id between prefix and suffix, or 0 where the name is of another form. */
static uint8_t id_in_name(const char *name, const char *prefix, const char *suffix) {
    struct view v = view_of(name);
    if (!view_starts(v, prefix) || !view_ends(v, suffix) || v.len <= strlen(prefix) + strlen(suffix))
        return 0;
    struct view digits = view_slice(v, strlen(prefix), v.len - strlen(prefix) - strlen(suffix));
    uint64_t id;
    return digits.ptr[0] == '0' || number_parse_u64(digits, 255, &id) < 0 ? 0 : (uint8_t)id;
}

static int fail(struct why *why, int error, const char *dir, const char *name, const char *what) {
    (void)why_set(why, error, "%s: %s", what, strerror(-error));
    why_where(why, "%s%s%s", dir, *name ? "/" : "", name);
    return error;
}

/* Calls on_name for each entry of a folder, which may be missing. */
static int each_name(const char *dir, void (*on_name)(struct key_survey *s, const char *name), struct key_survey *s,
                     struct why *why) {
    char **names;
    size_t count;
    int r = files_list(AT_FDCWD, dir, ENTRIES_MAX, &names, &count);
    if (r == -ENOENT)
        return 0;
    if (r < 0)
        return fail(why, r, dir, "", "cannot look for keys");
    for (size_t i = 0; i < count; i++)
        on_name(s, names[i]);
    files_free_names(names, count);
    return 0;
}

static void on_secret(struct key_survey *s, const char *name) {
    uint8_t id = id_in_name(name, "signing-", ".key");
    s->secret[id] = id > 0;
    s->master |= strcmp(name, master_name) == 0;
    s->highest = id > s->highest ? id : s->highest;
}

static void on_public(struct key_survey *s, const char *name) {
    uint8_t id = id_in_name(name, "", ".pub");
    s->public[id] = id > 0;
    s->highest = id > s->highest ? id : s->highest;
}

int key_files_survey(const char *secret_dir, const char *public_dir, struct key_survey *ret, struct why *why) {
    *ret = (struct key_survey){0};
    int r = each_name(public_dir, on_public, ret, why);
    if (r == 0 && secret_dir)
        r = each_name(secret_dir, on_secret, ret, why);
    if (r == 0 && secret_dir)
        r = key_files_read_active(secret_dir, &ret->active, why);
    return r == -ENOENT ? 0 : r;
}

static char *path_of(const char *dir, const char *name) {
    struct buf path = BUF_INIT(PATH_MAX);
    buf_printf(&path, "%s/%s", dir, name);
    char *text = buf_steal(&path);
    buf_done(&path);
    return text;
}

int key_files_read(const char *dir, const char *name, bool secret, uint8_t ret[KEY_FILE_BYTES], struct why *why) {
    AUTOFREE char *path = path_of(dir, name);
    AUTOBUF struct buf text = BUF_INIT(HEX + 2);
    if (!path || !buf_reserve(&text, HEX + 2)) /* at once, so that growing leaves no copies of a secret */
        return fail(why, -ENOMEM, dir, name, "cannot read the key");
    int r = secret ? files_read_secret(path, &text, why) : files_read_regular(AT_FDCWD, path, &text);
    if (r < 0 && r != -EMSGSIZE) {
        if (!secret)
            (void)fail(why, r, dir, name, "cannot read the key");
    } else if (r < 0 || decode_hex(view_trim(buf_view(&text)), ret, KEY_FILE_BYTES) < 0) {
        r = why_set(why, -EBADMSG, "this is not a key, which is %d hexadecimal digits", HEX);
        why_where(why, "%s", path);
        why_todo(why, "Bring the file back from a backup");
    }
    sodium_memzero(text.data, text.cap);
    return r;
}

/* What root makes belongs to the owner of the folder that it is in, so that the daemon can read it. */
static int hand_over(const char *path) {
    if (geteuid() != 0)
        return 0;
    struct stat st;
    const char *slash = strrchr(path, '/');
    AUTOFREE char *above = view_dup(slash ? view_make(path, slash == path ? 1 : (size_t)(slash - path)) : VIEW("."));
    if (!above)
        return -ENOMEM;
    if (stat(above, &st) < 0)
        return -errno;
    return lchown(path, st.st_uid, st.st_gid) < 0 ? -errno : 0;
}

static int write_whole(const char *dir, const char *name, struct view content, mode_t mode, struct why *why) {
    AUTOFREE char *path = path_of(dir, name);
    int r = path ? files_write_durable(AT_FDCWD, path, content, mode) : -ENOMEM;
    if (r == 0)
        r = hand_over(path);
    return r < 0 ? fail(why, r, dir, name, "cannot write the key") : 0;
}

int key_files_write(const char *dir, const char *name, bool secret, const uint8_t bytes[KEY_FILE_BYTES],
                    struct why *why) {
    char text[HEX + 2];
    (void)sodium_bin2hex(text, HEX + 1, bytes, KEY_FILE_BYTES);
    text[HEX] = '\n';
    int r = write_whole(dir, name, view_make(text, HEX + 1), secret ? 0600 : 0644, why);
    sodium_memzero(text, sizeof text);
    return r;
}

int key_files_read_active(const char *secret_dir, uint8_t *ret, struct why *why) {
    AUTOFREE char *path = path_of(secret_dir, active_name);
    AUTOBUF struct buf text = BUF_INIT(16);
    int r = path ? files_read_regular(AT_FDCWD, path, &text) : -ENOMEM;
    if (r < 0 && r != -EMSGSIZE)
        return fail(why, r, secret_dir, active_name, "cannot read which key signs");
    uint64_t id;
    if (r < 0 || number_parse_u64(view_trim(buf_view(&text)), 255, &id) < 0 || id == 0) {
        (void)why_set(why, -EBADMSG, "this is not the id of a key, which is a number from 1 to 255");
        why_where(why, "%s", path);
        return -EBADMSG;
    }
    *ret = (uint8_t)id;
    return 0;
}

int key_files_write_active(const char *secret_dir, uint8_t id, struct why *why) {
    char text[8];
    int len = snprintf(text, sizeof text, "%u\n", id);
    return write_whole(secret_dir, active_name, view_make(text, (size_t)len), 0600, why);
}

/* With all that are missing above it. */
static int make_folder(const char *path, mode_t mode) {
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
    const char *slash = strrchr(path, '/');
    if (slash && slash != path) {
        AUTOFREE char *above = view_dup(view_make(path, (size_t)(slash - path)));
        int r = above ? make_folder(above, 0755) : -ENOMEM;
        if (r < 0)
            return r;
    }
    int r = files_make_dir(AT_FDCWD, path, mode);
    return r == 0 ? hand_over(path) : r;
}

/* Names that files_write_durable() gives to what it has not finished. */
static bool is_unfinished(const char *name) {
    size_t len = strlen(name);
    return name[0] == '.' && len > 18 && name[len - 17] == '.' && strspn(name + len - 16, "0123456789abcdef") == 16;
}

static int sweep(const char *dir) {
    char **names;
    size_t count;
    int r = files_list(AT_FDCWD, dir, ENTRIES_MAX, &names, &count);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count && r == 0; i++)
        if (is_unfinished(names[i])) {
            AUTOFREE char *path = path_of(dir, names[i]);
            r = path ? files_remove_tree(AT_FDCWD, path) : -ENOMEM;
        }
    files_free_names(names, count);
    return r;
}

int key_files_lock(const char *secret_dir, const char *public_dir, int *ret_lock, struct why *why) {
    int r = make_folder(secret_dir, 0700);
    if (r < 0)
        return fail(why, r, secret_dir, "", "cannot make the folder for keys");
    r = make_folder(public_dir, 0755);
    if (r < 0)
        return fail(why, r, public_dir, "", "cannot make the folder for public keys");
    AUTOCLOSE int fd = files_open_dir(AT_FDCWD, secret_dir);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || flock(fd, LOCK_EX) < 0)
        return fail(why, fd < 0 ? fd : -errno, secret_dir, "", "cannot lock the folder for keys");
    if (st.st_mode & 077) {
        (void)why_set(why, -EPERM, "others may look into the folder for keys (mode %04o)",
                      (unsigned)(st.st_mode & 07777));
        why_where(why, "%s", secret_dir);
        why_todo(why, "Run: chmod 0700 %s", secret_dir);
        return -EPERM;
    }
    r = sweep(secret_dir);
    if (r == 0)
        r = sweep(public_dir);
    if (r < 0)
        return fail(why, r, secret_dir, "", "cannot clear away an interrupted write");
    *ret_lock = fd;
    fd = -1;
    return 0;
}
