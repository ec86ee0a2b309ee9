/* What only the daemon can look at: what its own user may do, the store, the way to the relays with their passwords,
 * requests that wait. Relays are tried at the same time, while the store is copied and read through. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "announce/checkup.h"
#include "api/call.h"
#include "api/copying.h"
#include "api/json_of.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/number.h"
#include "conf/conf.h"
#include "send/connect.h"
#include "send/relay_check.h"
#include "spool/spool.h"
#include "trust/keys.h"

#include "base/banned.h"

enum { REQUESTS_LOOKED_MAX = 10000 };
static const int64_t requests_wait_usec = 5 * USEC_PER_MIN;

struct doctor {
    struct call *call;
    struct checkup checkup;
    json_t *rows, *sources;
    struct connector *connector;
    struct relay_check *relays[CONF_RELAYS_MAX];
    struct copying *copying;
    unsigned waiting; /* for so many relays and copies */
};

static void doctor_free(void *state) {
    struct doctor *d = state;
    for (size_t i = 0; i < COUNT_OF(d->relays); i++)
        (void)relay_check_free(d->relays[i]);
    (void)connector_free(d->connector);
    (void)copying_free(d->copying);
    json_decref(d->rows);
    json_decref(d->sources);
    free(d);
}

static void on_finding(void *user, const struct finding *f) {
    struct doctor *d = user;
    (void)json_array_append_new(d->rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "level",
                                                   checkup_level_name(f->level), "area", f->area, "about", f->about,
                                                   "what", f->what, "matters", f->matters, "todo", f->todo));
}

static void answer(struct doctor *d) {
    struct call *c = d->call;
    json_t *document = json_pack("{s:O}", "rows", d->rows);
    if (document)
        json_set_moment(document, "now", clock_now_usec());
    call_answer(c, 200, document);
}

static void one_less(struct doctor *d) {
    if (--d->waiting == 0)
        answer(d);
}

/* ---- the configuration in force ---- */

static void compare(struct doctor *d, const struct conf *loaded) {
    AUTOBUF struct buf running = BUF_INIT(8 << 20), file = BUF_INIT(8 << 20);
    conf_dump(d->call->conf, &running);
    conf_dump(loaded, &file);
    if (!buf_error(&running) && !buf_error(&file) && !view_eq(buf_view(&running), buf_view(&file)))
        checkup_say(&d->checkup, CHECKUP_WARNING, "configuration", loaded->path,
                    "What was changed there does not count yet", "Run: systemctl reload rundbriefd",
                    "the file says something else than what the daemon works with");
}

static void compare_keys(struct doctor *d) {
    AUTOBUF struct buf secrets = BUF_INIT(PATH_MAX), public = BUF_INIT(PATH_MAX);
    const struct call *c = d->call;
    struct key_info keys[KEYS_MAX];
    struct why why;
    size_t count;
    keyring_secret_dir(c->conf->state_dir, &secrets);
    keyring_public_dir(c->conf->spool_dir, &public);
    if (keyring_list(buf_str(&secrets), buf_str(&public), keys, &count, &why) < 0)
        return; /* the checkup has said why */
    for (size_t i = 0; i < count; i++)
        if (keys[i].active && keys[i].id != keyring_active_id(c->parts.keys))
            checkup_say(&d->checkup, CHECKUP_WARNING, "keys", buf_str(&secrets), "What was activated does not sign yet",
                        "Run: systemctl reload rundbriefd", "key %d is to sign, and the daemon signs with key %d",
                        keys[i].id, keyring_active_id(c->parts.keys));
}

static void look_around(struct doctor *d) {
    const struct conf *running = d->call->conf;
    struct conf *loaded;
    checkup_configuration(&d->checkup, running->path, &loaded);
    if (loaded)
        compare(d, loaded);
    (void)conf_unref(loaded);
    checkup_rights(&d->checkup, running);
    checkup_space(&d->checkup, running);
    checkup_keys(&d->checkup, running);
    compare_keys(d);
}

/* ---- requests of the doors ---- */

static void look_at_requests(struct doctor *d) {
    static const char folder[] = "requests/web";
    int dirfd = d->call->parts.spool->dirfd;
    char **names = NULL;
    size_t count = 0, old = 0;
    if (files_list(dirfd, folder, REQUESTS_LOOKED_MAX, &names, &count) < 0)
        return; /* rights tell */
    int64_t now = clock_now_usec();
    for (size_t i = 0; i < count; i++) {
        char path[PATH_MAX];
        struct stat st;
        size_t len = strlen(names[i]);
        if (len < 4 || strcmp(names[i] + len - 4, ".req") != 0)
            continue;
        if (snprintf(path, sizeof path, "%s/%s", folder, names[i]) < (int)sizeof path &&
            fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            now - st.st_mtime * USEC_PER_SEC > requests_wait_usec)
            old++;
    }
    files_free_names(names, count);
    if (old)
        checkup_say(&d->checkup, CHECKUP_WRONG, "requests", folder, "Somebody who opted out may be written to again",
                    "See the daemon's log for requests-failed and the rights of these files",
                    "requests of the web door have waited for more than five minutes: %zu files", old);
    else
        checkup_say(&d->checkup, CHECKUP_OK, "requests", folder, "", "", "what the web door hands over is applied");
}

/* ---- the store ---- */

static void on_copied(void *user, int result, const struct why *why) {
    struct doctor *d = user;
    if (result == 0)
        checkup_say(&d->checkup, CHECKUP_OK, "store", d->call->conf->state_dir, "", "",
                    "is sound: a copy of all %llu KiB was read through",
                    (unsigned long long)copying_bytes(d->copying) >> 10);
    else if (result == -EUCLEAN)
        checkup_say(&d->checkup, CHECKUP_WRONG, "store", d->call->conf->state_dir,
                    "People, consents and what was sent may be lost or wrong, and sending may stop",
                    "Stop the daemon, keep the folder as it is, see to the disk, and bring back the last backup", "%s",
                    why->what);
    else
        checkup_say(&d->checkup, CHECKUP_WARNING, "store", why->where, "Whether the store is sound was not seen",
                    why->todo[0] ? why->todo : "Try again later", "%s", why->what);
    d->copying = copying_free(d->copying);
    one_less(d);
}

static void look_at_store(struct doctor *d, bool quick) {
    struct call *c = d->call;
    int trouble = store_trouble(c->parts.store);
    struct why why;
    if (trouble)
        checkup_say(&d->checkup, CHECKUP_WRONG, "store", c->conf->state_dir,
                    "Nothing is sent and nothing recorded until it can be written",
                    "Free space or repair the disk; the daemon goes on by itself", "cannot be written: %s",
                    store_reason(trouble));
    else if (quick)
        checkup_say(&d->checkup, CHECKUP_OK, "store", c->conf->state_dir, "", "",
                    "can be written; it was not read through");
    if (trouble || quick)
        return;
    int r =
        copying_new(c->parts.loop, c->parts.store, c->parts.spool, c->conf->state_dir, on_copied, d, &why, &d->copying);
    if (r == 0)
        d->waiting++;
    else
        checkup_say(&d->checkup, CHECKUP_WARNING, "store", why.where, "Whether the store is sound was not seen",
                    why.todo, "%s", why.what);
}

/* ---- files that lists follow ---- */

/* What the daemon saw when it looked last, which is at each change: the file may lie on a mount that does not answer. */
static void say_source(struct doctor *d, const json_t *source) {
    const char *state = json_text(source, "state"), *list = json_text(source, "list"),
               *taken = json_text(source, "taken");
    char about[PATH_MAX + 128], todo[256];
    (void)snprintf(about, sizeof about, "list %.80s, %s", list, json_text(source, "file")); /* fits */
    if (strcmp(state, "broken") == 0)
        checkup_say(
            &d->checkup, CHECKUP_WRONG, "sources", about,
            "Who joined or left there is not followed: the list stays as it is",
            "Mend the file or the way to it, or take source out of the list's section; it is looked at again by itself",
            "%s", json_text(source, "why"));
    else if (strcmp(state, "waits") == 0) {
        (void)snprintf(todo, sizeof todo, "If that is meant, run: rundbrief import --accept %.80s", list); /* fits */
        checkup_say(&d->checkup, CHECKUP_WARNING, "sources", about, "Nothing of the file is followed until then", todo,
                    "its content would remove %lld of %lld people, and waits",
                    (long long)json_number(source, "would_remove", 0), (long long)json_number(source, "of", 0));
    } else if (strcmp(state, "unread") == 0)
        checkup_say(&d->checkup, CHECKUP_WARNING, "sources", about, "Nobody of it is on the list yet",
                    "Look again in a minute; a file that is being written is left alone until it rests",
                    "has not been read yet");
    else
        checkup_say(&d->checkup, CHECKUP_OK, "sources", about, "", "", "is followed; its content was taken over on %s",
                    taken);
}

static void look_at_sources(struct doctor *d, int result) {
    size_t i;
    json_t *source;
    if (result < 0)
        checkup_say(&d->checkup, CHECKUP_WARNING, "sources", "", "Whether the files are followed was not seen",
                    "Try again later", "the store does not say how the lists follow their files: %s",
                    store_reason(result));
    json_array_foreach(d->sources, i, source) say_source(d, source);
}

static int step_sources(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct doctor *d = c->state;
    return lists_add_sources(c, db, d->sources);
}

/* ---- relays ---- */

static bool is_local(const struct conf_relay *relay) {
    return strcmp(relay->host, "localhost") == 0 || strcmp(relay->host, "::1") == 0 ||
           strncmp(relay->host, "127.", sizeof "127." - 1) == 0;
}

static void say_failure(struct doctor *d, const struct relay_check_result *r, const char *about) {
    char todo[256];
    if (r->why.subject == OUTCOME_OF_SENDER)
        (void)snprintf(todo, sizeof todo, /* a long name is cut */
                       "See to tls, ca-file, username and password-file of [relay %.60s]; then try again",
                       r->relay->id);
    else
        (void)snprintf(todo, sizeof todo,
                       "See whether %.80s, port %u, is right in [relay %.60s], and can be reached from this machine",
                       r->relay->host, (unsigned)r->relay->port, r->relay->id);
    checkup_say(&d->checkup, CHECKUP_WRONG, "relay", about,
                "Mails for this relay wait, and are given up after [retry] give-up", todo, "%s%s%s", r->why.text,
                r->why.status[0] ? " " : "", r->why.status);
}

static void on_relay(void *user, const struct relay_check_result *r) {
    struct doctor *d = user;
    char about[128];
    (void)snprintf(about, sizeof about, "relay %.80s", r->relay->id); /* a long name is cut */
    if (!r->good)
        say_failure(d, r, about);
    else if (!r->tls && !is_local(r->relay))
        checkup_say(&d->checkup, CHECKUP_WARNING, "relay", about, "Whoever is on the way can read and change the mails",
                    "Set tls = required, if the relay offers it", "takes mail, but without TLS");
    else
        checkup_say(&d->checkup, CHECKUP_OK, "relay", about, "", "", "takes mail%s%s (%lld ms)",
                    r->tls ? ", with TLS" : "", r->relay->username[0] ? ", logged in" : "",
                    (long long)r->took_usec / 1000);
    one_less(d);
}

static void look_at_relays(struct doctor *d) {
    struct call *c = d->call;
    int r = connector_new(c->parts.loop, &d->connector);
    for (size_t i = 0; r == 0 && i < c->conf->relay_count; i++) {
        r = relay_check_new(c->parts.loop, d->connector, c->conf, &c->conf->relays[i], on_relay, d, &d->relays[i]);
        d->waiting += r == 0;
    }
    if (r < 0)
        checkup_say(&d->checkup, CHECKUP_WARNING, "relay", "", "Whether relays can be reached was not seen",
                    "Try again later", "not all could be tried: %s", strerror(-r));
    if (c->conf->relay_count == 0)
        checkup_say(&d->checkup, CHECKUP_WRONG, "relay", "", "Nothing can be sent", "Add a [relay] section",
                    "there is none");
}

static void on_sources(struct store_job *job, int result) {
    struct call *c = (struct call *)job;
    struct doctor *d = c->state;
    if (!call_go_on(c))
        return;
    look_around(d);
    look_at_requests(d);
    look_at_sources(d, result);
    look_at_store(d, call_flag(c, "quick"));
    look_at_relays(d);
    if (d->waiting == 0)
        answer(d);
}

void route_doctor(struct call *c) {
    if (!c->rights.all) {
        call_refuse(c, 403, "this looks at everything, and so is for admins", "Ask root or a member of [daemon] group");
        return;
    }
    struct doctor *d = calloc(1, sizeof *d);
    json_t *rows = json_array(), *sources = json_array();
    if (!d || !rows || !sources) {
        json_decref(rows);
        json_decref(sources);
        free(d);
        call_refuse(c, 503, "out of memory", NULL);
        return;
    }
    *d = (struct doctor){.call = c, .rows = rows, .sources = sources};
    d->checkup = (struct checkup){.on_finding = on_finding, .user = d, .running = true};
    c->state = d;
    c->free_state = doctor_free;
    http_set_deadline(c->http, 0); /* a big store takes the time it takes; relays have their own */
    call_run_with(c, STORE_NORMAL, step_sources, on_sources);
}
