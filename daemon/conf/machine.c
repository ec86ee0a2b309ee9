#include "conf/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/files.h"
#include "base/users.h"
#include "conf/complaints.h"
#include "conf/shape.h"
#include "conf/whole.h"
#include "trust/keys.h"

#include "base/banned.h"

static const char zoneinfo[] = "/usr/share/zoneinfo";

/* The zone in "…/zoneinfo/Europe/Berlin" or "Europe/Berlin"; "" where it is none, or UTC by any of its names. */
static void take_zone(struct view text, char ret[MACHINE_ZONE_MAX + 1]) {
    static const char *const utc[] = {"UTC",      "Etc/UTC",   "UCT",           "Etc/UCT", "Zulu",
                                      "Etc/Zulu", "Universal", "Etc/Universal", "GMT",     "Etc/GMT",
                                      "Etc/GMT0", "GMT0",      "localtime"};
    static const struct view below = VIEW("zoneinfo/");
    struct why ignored;
    size_t at = view_search(text, below);
    ret[0] = '\0';
    if (at < text.len)
        text = view_slice(text, at + below.len, text.len);
    if (text.len == 0 || text.len > MACHINE_ZONE_MAX || shape_zone(text, &ignored) < 0)
        return;
    for (size_t i = 0; i < COUNT_OF(utc); i++)
        if (view_eq_str(text, utc[i]))
            return;
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
}

void machine_zone(char ret[MACHINE_ZONE_MAX + 1]) {
    const char *tz = getenv("TZ");
    char link[PATH_MAX];
    if (tz) {
        take_zone(view_of(tz[0] == ':' ? tz + 1 : tz), ret);
        return;
    }
    ssize_t n = readlink("/etc/localtime", link, sizeof link);
    if (n > 0) {
        take_zone(view_make(link, (size_t)n), ret);
        return;
    }
    AUTOBUF struct buf text = BUF_INIT(256);
    (void)files_read(AT_FDCWD, "/etc/timezone", &text); /* where it is missing there is no zone */
    take_zone(view_trim(buf_view(&text)), ret);
}

struct checking {
    const struct whole *whole;
    const struct conf *conf;
    struct complaints *complaints;
};

static void note(struct checking *k, int error) {
    if (why_is_trouble(error))
        k->complaints->trouble = error;
}

static void blame(struct checking *k, const struct place *place, const char *key, const struct why *why) {
    complain_once(k->complaints, place, place_line(place, key), key, why);
}

static void cannot(struct checking *k, const struct place *place, const char *key, const char *path, int error,
                   const char *todo) {
    struct why why;
    note(k, error);
    (void)why_set(&why, error, "%s: %s", path, strerror(-error));
    why_todo(&why, "%s", todo);
    blame(k, place, key, &why);
}

static bool is_file(struct checking *k, const char *path) {
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISREG(st.st_mode);
    note(k, -errno);
    return false;
}

static bool exists(struct checking *k, const char *root, const char *folder, const char *name) {
    char path[PATH_MAX];
    return root[0] && snprintf(path, sizeof path, "%s/%s/%s", root, folder, name) < (int)sizeof path &&
           is_file(k, path);
}

/* As mail/template_file.h finds them: a language's own before the common ones, the admin's before the shipped. */
static bool has_template(struct checking *k, const char *language, const char *name) {
    const struct conf *conf = k->conf;
    return exists(k, conf->templates_local, language, name) || exists(k, conf->templates, language, name) ||
           exists(k, conf->templates_local, "common", name) || exists(k, conf->templates, "common", name);
}

static void check_language(struct checking *k, const struct place *place, const char *key, const char *language) {
    static const char *const names[] = {"announcement.html", "announcement.txt", "workshop.html", "workshop.txt",
                                        "notice.txt"};
    const struct conf *conf = k->conf;
    struct why why;
    if (!exists(k, conf->templates_local, language, "words.ini") &&
        !exists(k, conf->templates, language, "words.ini")) {
        (void)why_set(&why, -ENOENT, "there are no texts in %s: no %s/%s/words.ini", language,
                      conf->templates_local[0] ? conf->templates_local : conf->templates, language);
        why_todo(&why, "Add the folder (words.ini of another language shows what it holds), or leave out %s", language);
        blame(k, place, key, &why);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (has_template(k, language, names[i]))
            continue;
        (void)why_set(&why, -ENOENT, "the template %s is missing for %s", names[i], language);
        why_todo(&why, "Bring back %s/common/%s", conf->templates, names[i]);
        blame(k, place, key, &why);
    }
}

static void check_templates(struct checking *k) {
    const struct conf *conf = k->conf;
    const struct place *daemon = place_alone(k->whole, SECTION_DAEMON);
    AUTOCLOSE int fd = files_open_dir(AT_FDCWD, conf->templates);
    if (fd < 0) {
        cannot(k, daemon, "templates", conf->templates, fd, "Give the folder of the shipped templates");
        return;
    }
    check_language(k, daemon, "language", conf->language);
    for (size_t i = 0; i < conf->list_count; i++)
        for (size_t l = 0; l < conf->lists[i].languages.count; l++)
            if (strcmp(conf->lists[i].languages.items[l], conf->language) != 0)
                check_language(k, place_of(k->whole, &conf->lists[i]), "languages", conf->lists[i].languages.items[l]);
}

/* A folder that can be written, or be made. */
static void check_folder(struct checking *k, const char *key, const char *path) {
    AUTOFREE char *copy = strdup(path);
    if (!copy) {
        k->complaints->no_memory = true;
        return;
    }
    if (access(copy, F_OK) < 0 && errno == ENOENT) {
        char *slash = strrchr(copy, '/');
        slash[slash == copy] = '\0';
    }
    AUTOCLOSE int fd = files_open_dir(AT_FDCWD, copy);
    int r = fd < 0 ? fd : faccessat(AT_FDCWD, copy, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
    if (r < 0)
        cannot(k, place_alone(k->whole, SECTION_DAEMON), key, copy, r,
               "Make the folder and give it to the user that the daemon runs as");
}

static void check_zone(struct checking *k, const struct place *place, const char *zone) {
    char path[PATH_MAX];
    struct why why;
    if (snprintf(path, sizeof path, "%s/%s", zoneinfo, zone) < (int)sizeof path && is_file(k, path))
        return;
    (void)why_set(&why, -ENOENT, "this machine knows no time zone %s", zone);
    why_todo(&why, "Give one that timedatectl list-timezones shows");
    blame(k, place, "timezone", &why);
}

static void check_zones(struct checking *k) {
    const struct place *daemon = place_alone(k->whole, SECTION_DAEMON);
    if (k->conf->timezone[0])
        check_zone(k, daemon, k->conf->timezone);
    else {
        struct why why;
        (void)why_set(&why, -EINVAL, "this machine's own time zone is UTC or not set, so times would be UTC");
        why_todo(&why, "Say which zone is meant, for example: timezone = Europe/Berlin");
        blame(k, daemon, "timezone", &why);
    }
    for (size_t i = 0; i < k->conf->list_count; i++)
        if (strcmp(k->conf->lists[i].timezone, k->conf->timezone) != 0)
            check_zone(k, place_of(k->whole, &k->conf->lists[i]), k->conf->lists[i].timezone);
}

static void check_readable(struct checking *k, const void *item, const char *key, const char *path) {
    AUTOCLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        cannot(k, place_of(k->whole, item), key, path, -errno, "Give a file that the daemon can read");
    else if (!S_ISREG(st.st_mode))
        cannot(k, place_of(k->whole, item), key, path, -EINVAL, "Give a regular file");
}

/* The reason names the file; the option's place goes before it. */
static void blame_secret(struct checking *k, const struct place *place, const char *key, const struct why *reason) {
    struct why why;
    (void)why_set(&why, -EPERM, "%s: %s", reason->where, reason->what);
    why_todo(&why, "%s", reason->todo);
    blame(k, place, key, &why);
}

static void check_keys(struct checking *k) {
    AUTOBUF struct buf secret = BUF_INIT(PATH_MAX), public = BUF_INIT(PATH_MAX);
    struct keyring *keys = NULL;
    struct why why;
    keyring_secret_dir(k->conf->state_dir, &secret);
    keyring_public_dir(k->conf->spool_dir, &public);
    if (buf_error(&secret) || buf_error(&public)) {
        k->complaints->no_memory = true;
        return;
    }
    int r = keyring_load(buf_str(&secret), buf_str(&public), &why, &keys);
    (void)keyring_free(keys);
    note(k, r);
    if (r < 0 && r != -ENOENT && r != -ENOTDIR) /* keys may be made later; folders have their own check */
        blame_secret(k, place_alone(k->whole, SECTION_DAEMON), "state-dir", &why);
}

static void check_group(struct checking *k, const struct place *place, const char *group) {
    gid_t gid;
    if (place_line(place, "group") == 0 || !group[0])
        return;
    int error = users_group(group, &gid);
    if (error == 0)
        return;
    if (error != -ENOENT) {
        cannot(k, place, "group", group, error, "Try again");
        return;
    }
    struct why why;
    (void)why_set(&why, -ENOENT, "this machine has no group %s", group);
    why_todo(&why, "Run: addgroup --system %s", group);
    blame(k, place, "group", &why);
}

static void check_groups(struct checking *k) {
    const struct conf *conf = k->conf;
    check_group(k, place_alone(k->whole, SECTION_DAEMON), conf->group);
    for (size_t i = 0; i < conf->sender_count; i++)
        check_group(k, place_of(k->whole, &conf->senders[i]), conf->senders[i].group);
    for (size_t i = 0; i < conf->list_count; i++)
        check_group(k, place_of(k->whole, &conf->lists[i]), conf->lists[i].group);
}

static void check_files(struct checking *k) {
    const struct conf *conf = k->conf;
    for (size_t i = 0; i < conf->sender_count; i++)
        if (conf->senders[i].logo[0] == '/')
            check_readable(k, &conf->senders[i], "logo", conf->senders[i].logo);
    for (size_t i = 0; i < conf->relay_count; i++) {
        const struct conf_relay *relay = &conf->relays[i];
        struct why why;
        if (relay->ca_file[0])
            check_readable(k, relay, "ca-file", relay->ca_file);
        if (relay->password_file[0] && files_check_secret(relay->password_file, &why) < 0)
            blame_secret(k, place_of(k->whole, relay), "password-file", &why);
    }
}

void machine_check(const struct whole *whole, struct complaints *c) {
    struct checking k = {.whole = whole, .conf = &whole->conf, .complaints = c};
    check_folder(&k, "state-dir", whole->conf.state_dir);
    check_folder(&k, "spool-dir", whole->conf.spool_dir);
    check_templates(&k);
    check_zones(&k);
    check_files(&k);
    check_groups(&k);
    check_keys(&k);
}
