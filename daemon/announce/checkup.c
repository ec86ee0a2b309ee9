#include "announce/checkup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/text.h"
#include "conf/conf.h"
#include "trust/keys.h"

#include "base/banned.h"

enum { ROOM_LITTLE_MIB = 256, ROOM_NONE_MIB = 16, INODES_LITTLE = 2000 };

const char *checkup_level_name(enum checkup_level level) {
    switch (level) {
    case CHECKUP_OK: return "ok";
    case CHECKUP_WARNING: return "warning";
    case CHECKUP_WRONG: return "wrong";
    }
    return "";
}

void checkup_say(struct checkup *k, enum checkup_level level, const char *area, const char *about, const char *matters,
                 const char *todo, const char *format, ...) {
    struct why what; /* bounded, and cleaned */
    char text[sizeof what.what];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut where it is too long */
    va_end(args);
    (void)why_set(&what, 0, "%s", text);
    why_where(&what, "%s", about);
    const struct finding f = {area, what.where, what.what, matters, todo ? todo : "", level};
    k->troubled |= level != CHECKUP_OK;
    k->on_finding(k->user, &f);
}

/* ---- the configuration ---- */

static void on_error(void *user, const struct why *why) {
    checkup_say(user, CHECKUP_WRONG, "configuration", why->where,
                "With this file the daemon neither starts nor takes over what you changed", why->todo, "%s", why->what);
}

static void pass_over(void *user, const struct why *why) {
    (void)user;
    (void)why;
}

void checkup_configuration(struct checkup *k, const char *path, struct conf **ret) {
    *ret = NULL;
    k->troubled = false;
    if (conf_load_for_machine(path, on_error, k, ret) == 0)
        checkup_say(k, CHECKUP_OK, "configuration", path, "", "", "can be loaded: lists %zu, relays %zu",
                    (*ret)->list_count, (*ret)->relay_count);
    else /* it may be the machine that lacks something: the rest can be looked at all the same */
        (void)conf_load(path, pass_over, NULL, ret);
}

/* ---- rights ---- */

/* bits: what nobody but the owner should be able to do. */
static void check_private(struct checkup *k, const char *path, mode_t bits, const char *matters) {
    struct stat st;
    char todo[256];
    if (stat(path, &st) < 0 || !(st.st_mode & bits))
        return;
    (void)snprintf(todo, sizeof todo, "Run: chmod %s %.200s", bits == 022 ? "go-w" : "go=", path); /* cut if too long */
    checkup_say(k, st.st_mode & bits & 007 ? CHECKUP_WRONG : CHECKUP_WARNING, "rights", path, matters, todo,
                "others than its owner may %s it (mode %03o)", bits == 022 ? "write" : "use",
                (unsigned)st.st_mode & 0777);
}

static void check_usable(struct checkup *k, const char *root, const char *name, const char *matters) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s%s%s", root, name[0] ? "/" : "", name) >= (int)sizeof path)
        return;
    if (faccessat(AT_FDCWD, path, R_OK | W_OK | X_OK, AT_EACCESS) == 0 || (errno == ENOENT && !k->running))
        return;
    checkup_say(k, CHECKUP_WRONG, "rights", path, matters,
                errno == ENOENT ? "Restart the daemon, which makes it again"
                                : "Give the folder to the user that the daemon runs as",
                "user %u cannot read and write this folder: %s", (unsigned)geteuid(), strerror(errno));
}

static const struct {
    const char *name, *matters;
} folders[] = {
    {"", "Nothing can be taken in or handed over"},
    {"incoming", "What coordinators drop is not taken in"},
    {"announcements", "No announcement can be queued or sent"},
    {"rejected", "What is refused cannot be put aside with the reason"},
    {"requests/web", "People who opt out on the web are not heard"},
    {"applied", "Opt-outs that were applied cannot be put away"},
    {"public", "The web door does not learn of lists and keys"},
    {"tmp", "No announcement can be queued"},
};

void checkup_rights(struct checkup *k, const struct conf *conf) {
    char path[PATH_MAX];
    k->troubled = false;
    check_private(k, conf->path, 022, "Others on this machine decide what is sent, and by whom");
    check_private(k, conf->state_dir, 022, "Others on this machine may put another store or other keys there");
    if (snprintf(path, sizeof path, "%s/store.db", conf->state_dir) < (int)sizeof path)
        check_private(k, path, 077, "Others on this machine may read or change people's addresses and consents");
    if (snprintf(path, sizeof path, "%s/keys", conf->state_dir) < (int)sizeof path)
        check_private(k, path, 077, "Others on this machine may make links that count as ours");
    check_usable(k, conf->state_dir, "", "Nothing can be recorded, so nothing is sent");
    for (size_t i = 0; i < COUNT_OF(folders); i++)
        check_usable(k, conf->spool_dir, folders[i].name, folders[i].matters);
    if (!k->troubled)
        checkup_say(k, CHECKUP_OK, "rights", "", "", "", "state and spool are private and usable for user %u",
                    (unsigned)geteuid());
}

/* ---- room ---- */

static void check_room(struct checkup *k, const char *path) {
    static const char matters[] = "On a full disk nothing is sent and no opt-out is recorded";
    struct statvfs fs;
    if (statvfs(path, &fs) < 0)
        return; /* not there yet: rights tell */
    unsigned long long mib = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
    bool no_inodes = fs.f_files && fs.f_favail < INODES_LITTLE;
    if (mib < ROOM_LITTLE_MIB)
        checkup_say(k, mib < ROOM_NONE_MIB ? CHECKUP_WRONG : CHECKUP_WARNING, "space", path, matters,
                    "Free space on this disk, or give it more", "only %llu MiB are free here", mib);
    else if (no_inodes)
        checkup_say(k, CHECKUP_WARNING, "space", path, matters, "Remove files on this disk that nobody needs",
                    "there is room for %llu more files only", (unsigned long long)fs.f_favail);
}

void checkup_space(struct checkup *k, const struct conf *conf) {
    struct statvfs fs;
    k->troubled = false;
    check_room(k, conf->state_dir);
    check_room(k, conf->spool_dir);
    if (k->troubled)
        return;
    if (statvfs(conf->state_dir, &fs) == 0)
        checkup_say(k, CHECKUP_OK, "space", conf->state_dir, "", "", "%llu MiB are free",
                    (unsigned long long)fs.f_bavail * fs.f_frsize >> 20);
    else
        checkup_say(k, CHECKUP_OK, "space", conf->state_dir, "", "", "the folder is not there yet");
}

/* ---- keys ---- */

static const char keys_matter[] = "No links to opt out can be made, so nothing is sent";

static void check_each(struct checkup *k, const char *secrets, const char *public) {
    struct key_info keys[KEYS_MAX];
    struct why why;
    size_t count;
    if (keyring_list(secrets, public, keys, &count, &why) < 0)
        return; /* loading them has said why */
    unsigned next = 1;
    for (size_t i = 0; i < count; next = keys[i++].id + 1U) {
        if (keys[i].id > next)
            checkup_say(k, CHECKUP_WARNING, "keys", public,
                        "Links of mails that these keys signed are refused, so that people cannot opt out by them",
                        "Bring their .pub files back from a copy", "keys %u to %u are lost", next, keys[i].id - 1U);
        if (!keys[i].has_public && !keys[i].active)
            checkup_say(k, CHECKUP_WARNING, "keys", public, "It cannot sign, and no link of it would be understood",
                        "Run: rundbrief key new", "key %d is not published", keys[i].id);
    }
}

/* The doors run as other users. */
static void check_readable(struct checkup *k, const char *public) {
    char **names = NULL;
    size_t count = 0;
    AUTOCLOSE int fd = files_open_dir(AT_FDCWD, public);
    if (fd < 0 || files_list(fd, ".", KEYS_MAX * 2, &names, &count) < 0)
        return;
    for (size_t i = 0; i < count; i++) {
        struct stat st;
        if (fstatat(fd, names[i], &st, 0) == 0 && !(st.st_mode & 044))
            checkup_say(k, CHECKUP_WRONG, "keys", public, "The web door does not understand the links of this key",
                        "Run chmod 0644 on this file", "only its owner may read %s", names[i]);
    }
    files_free_names(names, count);
}

void checkup_keys(struct checkup *k, const struct conf *conf) {
    AUTOBUF struct buf secrets = BUF_INIT(PATH_MAX), public = BUF_INIT(PATH_MAX);
    struct keyring *keys = NULL;
    struct why why;
    k->troubled = false;
    keyring_secret_dir(conf->state_dir, &secrets);
    keyring_public_dir(conf->spool_dir, &public);
    int r = keyring_load(buf_str(&secrets), buf_str(&public), &why, &keys);
    if (r < 0)
        checkup_say(k, CHECKUP_WRONG, "keys", why.where, keys_matter, why.todo, "%s", why.what);
    check_each(k, buf_str(&secrets), buf_str(&public));
    check_readable(k, buf_str(&public));
    if (!k->troubled)
        checkup_say(k, CHECKUP_OK, "keys", buf_str(&secrets), "", "", "are whole; key %d signs",
                    keyring_active_id(keys));
    (void)keyring_free(keys);
}
