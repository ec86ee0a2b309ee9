#include "app/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "announce/inform.h"
#include "api/languages.h"
#include "app/snapshot.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "people/import.h"
#include "people/presign.h"
#include "send/dispatch.h"
#include "spool/spool.h"
#include "store/followed.h"
#include "store/store.h"

#include "base/banned.h"

enum { PIECE_BYTES = IMPORT_FEED_MAX_BYTES, WHY_MAX_BYTES = 2000, FAULTS_SHOWN = 5 };
static const int64_t event_usec = USEC_PER_SEC, /* several come together */
    quiet_usec = SNAPSHOT_QUIET_SECONDS * USEC_PER_SEC, again_usec = USEC_PER_MIN, busy_usec = 20 * USEC_PER_SEC,
                     poll_usec = FOLLOW_POLL_MINUTES * USEC_PER_MIN;

enum state { QUIET, COPYING, READY, WORKING };

struct follower {
    struct follower *next;
    struct follow *follow;
    uint32_t list;
    char path[PATH_MAX];
    struct loop_source *timer, *watches[SNAPSHOT_FOLDERS];
    char watched[SNAPSHOT_FOLDERS][PATH_MAX], names[SNAPSHOT_FOLDERS][NAME_MAX + 1]; /* names: "" for any */
    enum state state;
    bool wanted; /* once more, when it is quiet */
    bool polls, gone, reading;
    struct snapshot *snapshot;
    /* what is worked on */
    int fd;
    uint64_t at;
    uint8_t digest[FOLLOWED_DIGEST_BYTES];
    struct import *import;
    struct api_languages languages;
    /* The import may end while a piece is being read for it: what follows waits for that. */
    struct task *after;
    int64_t after_usec;
};

struct follow {
    struct follow_parts parts;
    struct conf *conf;
    struct follower *followers;
    bool freed;
};

/* Every job of this file. */
struct task {
    struct store_job job; /* first */
    struct follower *of;
    struct conf *conf;
    enum { ASK, READ, TAKEN, WAITS, WRONG } kind;
    bool known, accepted, told; /* of ASK; a mail was written */
    uint64_t removed, members;
    char why[WHY_MAX_BYTES];
    size_t piece_len;
    char piece[]; /* of READ */
};

static void next_turn(struct follow *f);
static void look(struct follower *w);
static void import_it(struct follower *w, bool accepted);
static void go_on_after(struct follower *w);
static void read_piece(struct follower *w);

static const struct conf_list *list_of(const struct conf *conf, const struct follower *w) {
    return conf_find_list_id(conf, w->list);
}

static const char *name_of(const struct follower *w) {
    const struct conf_list *list = list_of(w->follow->conf, w);
    return list ? list->name : "";
}

/* ---- their lives -------------------------------------------------------------------------------------------------- */

static void unwatch(struct follower *w) {
    for (size_t i = 0; i < SNAPSHOT_FOLDERS; i++) {
        w->watches[i] = loop_remove(w->watches[i]);
        w->watched[i][0] = '\0';
    }
}

static void follower_free(struct follower *w) {
    struct follow *f = w->follow;
    for (struct follower **at = &f->followers; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    w->snapshot = snapshot_free(w->snapshot);
    unwatch(w);
    w->timer = loop_remove(w->timer);
    if (w->fd >= 0)
        (void)close(w->fd);
    free(w);
    if (f->freed && !f->followers) {
        (void)conf_unref(f->conf);
        free(f);
    }
}

static void look_in(struct follower *w, int64_t usec) {
    if (!w->gone)
        loop_set_timer(w->timer, clock_mono_usec() + usec);
}

/* Its work is over, one way or the other. May free it. */
static void rest(struct follower *w, int64_t again_in_usec) {
    struct follow *f = w->follow;
    bool was_working = w->state == WORKING, freed = f->freed;
    w->state = QUIET;
    if (w->fd >= 0)
        (void)close(w->fd);
    w->fd = -1;
    bool last = w->gone && freed && f->followers == w && !w->next;
    if (w->gone)
        follower_free(w);
    else if (w->wanted)
        look(w);
    else if (again_in_usec)
        look_in(w, again_in_usec);
    else if (w->polls)
        look_in(w, poll_usec);
    if (was_working && !last)
        next_turn(f);
}

static void on_timer(void *user) {
    look(user);
}

static void on_entry(void *user, const char *name) {
    struct follower *w = user;
    for (size_t i = 0; i < SNAPSHOT_FOLDERS; i++)
        if (w->watches[i] && (name[0] == '\0' || w->names[i][0] == '\0' || strcmp(w->names[i], name) == 0)) {
            look_in(w, event_usec);
            return;
        }
}

/* True where a watch is new: what happened before it was there is still to be seen. */
static bool watch(struct follower *w, const struct snapshot_result *r) {
    bool fresh = false;
    w->polls = r->polls;
    for (size_t i = 0; i < SNAPSHOT_FOLDERS; i++) {
        const char *name = strrchr(w->path, '/') + 1;
        (void)snprintf(w->names[i], sizeof w->names[i], "%s",
                       r->exact[i] && i == 0 ? name : ""); /* a file's name fits */
        if (w->watches[i] && strcmp(w->watched[i], r->folders[i]) == 0)
            continue;
        w->watches[i] = loop_remove(w->watches[i]);
        (void)snprintf(w->watched[i], sizeof w->watched[i], "%s", r->folders[i]); /* of the same size */
        if (!r->folders[i][0] || r->polls)
            continue;
        int e = loop_add_folder(w->follow->parts.loop, r->folders[i], on_entry, w, &w->watches[i]);
        if (e < 0) {
            log_warning("source-not-watched", LOG_TEXT("list", name_of(w)), LOG_TEXT("reason", strerror(-e)));
            w->watched[i][0] = '\0';
            w->polls = true;
        } else
            fresh = true;
    }
    return fresh;
}

/* ---- jobs --------------------------------------------------------------------------------------------------------- */

static int tell(struct task *t, struct db *db, const char *key, const char *a2, const char *a3) {
    const struct conf_list *list = list_of(t->conf, t->of);
    const struct inform i = {t->conf, t->of->follow->parts.keys, db, clock_now_usec()};
    t->told = list != NULL;
    if (!list)
        return 0;
    return list->coordinators.count ? inform_coordinators(&i, &list, 1, 0, key, list->name, a2, a3)
                                    : inform_alert(&i, "source-broken", list->name, t->why);
}

static int step_ask(struct task *t, struct db *db) {
    AUTOARENA struct arena arena = {0};
    struct followed known;
    int r = followed_get(db, t->of->list, &arena, &known);
    if (r < 0)
        return r;
    bool waits = known.waits && memcmp(known.waiting, t->of->digest, sizeof known.waiting) == 0;
    t->accepted = waits && known.accepted;
    if (known.has_digest && memcmp(known.digest, t->of->digest, sizeof known.digest) == 0) {
        t->known = true;
        bool is_new; /* it is as it was: nothing is wrong, nothing waits */
        return known.why[0] || known.waits ? followed_wrong(db, t->of->list, "", &is_new) : 0;
    }
    t->known = waits && !known.accepted;
    return 0;
}

static int step_read(struct task *t) {
    ssize_t n = pread(t->of->fd, t->piece, PIECE_BYTES, (off_t)t->of->at);
    if (n < 0)
        return -errno;
    t->piece_len = (size_t)n;
    return 0;
}

static int step_wrong(struct task *t, struct db *db) {
    bool is_new = false;
    int r = followed_wrong(db, t->of->list, t->why, &is_new);
    return r == 0 && is_new ? tell(t, db, "source-broken", t->why, "") : r;
}

static int step_waits(struct task *t, struct db *db) {
    bool is_new = false;
    char removed[24], members[24];
    int r = followed_waits(db, t->of->list, t->of->digest, t->removed, t->members, &is_new);
    (void)snprintf(removed, sizeof removed, "%" PRIu64, t->removed); /* numbers fit */
    (void)snprintf(members, sizeof members, "%" PRIu64, t->members);
    return r == 0 && is_new ? tell(t, db, "source-waits", removed, members) : r;
}

static int step(struct store_job *job, struct db *db) {
    struct task *t = (struct task *)job;
    switch (t->kind) {
    case ASK: return step_ask(t, db);
    case READ: return step_read(t);
    case TAKEN: return followed_taken(db, t->of->list, t->of->digest, clock_now_usec());
    case WAITS: return step_waits(t, db);
    case WRONG: return step_wrong(t, db);
    }
    return -EINVAL;
}

static void on_step_done(struct store_job *job, int result) {
    struct task *t = (struct task *)job;
    struct follower *w = t->of;
    w->reading = false;
    bool go_on = result == 0 && !w->gone;
    if (t->told && result == 0 && !w->follow->freed)
        dispatch_notices(w->follow->parts.dispatch);
    if (t->kind == READ && !w->import)
        go_on_after(w);
    else if (t->kind == READ) {
        if (result < 0 || w->gone)
            import_abort(w->import); /* on_gone() rests */
        else if (t->piece_len == 0)
            import_finish(w->import);
        else {
            w->at += t->piece_len;
            if (import_feed(w->import, view_make(t->piece, t->piece_len)) < 0)
                import_abort(w->import);
        }
    } else if (t->kind == ASK && go_on && !t->known)
        import_it(w, t->accepted);
    else
        rest(w, result < 0 ? again_usec : 0);
    (void)conf_unref(t->conf);
    free(t);
}

/* NULL when memory runs out: then it rests, and is tried again. */
static struct task *task_new(struct follower *w, int kind) {
    struct task *t = calloc(1, sizeof *t + (kind == READ ? PIECE_BYTES : 0));
    if (!t) {
        log_error("out-of-memory");
        return NULL;
    }
    t->kind = kind;
    t->of = w;
    t->conf = conf_ref(w->follow->conf);
    t->job = (struct store_job){.lane = STORE_BULK, .step = step, .done = on_step_done};
    return t;
}

static void submit(struct follower *w, struct task *t) {
    if (t)
        store_submit(w->follow->parts.store, &t->job);
    else
        rest(w, again_usec);
}

static void go_on_after(struct follower *w) {
    struct task *t = w->after;
    w->after = NULL;
    if (t)
        submit(w, t);
    else
        rest(w, w->after_usec);
}

static struct task *wrong(struct follower *w, const char *why) {
    struct task *t = task_new(w, WRONG);
    log_warning("source-broken", LOG_TEXT("list", name_of(w)), LOG_TEXT("reason", why));
    if (t)
        (void)snprintf(t->why, sizeof t->why, "%s", why); /* cut is fine: for reading */
    return t;
}

/* ---- the import --------------------------------------------------------------------------------------------------- */

static void read_piece(struct follower *w) {
    struct task *t = task_new(w, READ);
    if (!t) {
        import_abort(w->import);
        return;
    }
    w->reading = true;
    submit(w, t);
}

static void on_more(void *user) {
    read_piece(user);
}

static void say_faults(const struct import_result *r, struct buf *to) {
    unsigned shown = 0;
    buf_puts(to, r->why.what[0] ? r->why.what : "some rows are bad");
    for (size_t i = 0; i < r->problem_count && shown < FAULTS_SHOWN; i++)
        if (r->problems[i].bad && ++shown)
            buf_printf(to, "\n    line %u: %s", r->problems[i].line, r->problems[i].text);
}

static void log_taken(const struct follower *w, const struct import_result *r) {
    log_info("source-followed", LOG_TEXT("list", name_of(w)), LOG_NUM("rows", r->rows), LOG_NUM("added", r->added),
             LOG_NUM("changed", r->changed), LOG_NUM("removed", r->removed), LOG_NUM("known", r->known),
             LOG_NUM("left-out", r->left_out));
}

static void on_imported(void *user, int result, const struct import_result *r) {
    struct follower *w = user;
    struct follow *f = w->follow;
    AUTOBUF struct buf why = BUF_INIT(64 * 1024);
    struct task *t = NULL;
    if (result == 0) {
        log_taken(w, r);
        if (r->added && !f->freed)
            presign_list(f->parts.store, f->parts.keys, w->list);
        t = task_new(w, TAKEN);
    } else if (r->waits && (t = task_new(w, WAITS))) {
        log_warning("source-waits", LOG_TEXT("list", name_of(w)), LOG_NUM("removed", r->removed),
                    LOG_NUM("members", r->members), LOG_TEXT("todo", "rundbrief import --accept LIST"));
        t->removed = r->removed;
        t->members = r->members;
        (void)snprintf(t->why, sizeof t->why, "%s. If that is meant: rundbrief import --accept %s", r->why.what,
                       name_of(w)); /* cut is fine: for reading */
    }
    if (result == -EINVAL && !r->waits)
        say_faults(r, &why);
    bool is_wrong = why.len > 0;
    w->import = import_free(w->import);
    api_languages_done(&w->languages);
    w->after = is_wrong ? wrong(w, buf_str(&why)) : t;
    w->after_usec = result == -EBUSY ? busy_usec : again_usec;
    if (!w->reading)
        go_on_after(w);
}

static void on_gone(void *user) {
    struct follower *w = user;
    w->import = NULL;
    api_languages_done(&w->languages);
    rest(w, again_usec);
}

static void import_it(struct follower *w, bool accepted) {
    static const struct import_handlers handlers = {on_more, on_imported, on_gone};
    const struct conf *conf = w->follow->conf;
    const struct conf_list *list = list_of(conf, w);
    struct why why = {0};
    char folder[PATH_MAX];
    int r = list ? api_languages_load(conf, &w->languages, &why) : -ENOENT;
    if (r == 0 && snprintf(folder, sizeof folder, "%s/tmp", w->follow->parts.spool->path) >= (int)sizeof folder) {
        api_languages_done(&w->languages);
        r = -ENAMETOOLONG;
    }
    if (r == 0) {
        const struct import_options options = {
            .list = list->id,
            .by = "source",
            .file = strrchr(w->path, '/') + 1,
            .basis = list->basis,
            .evidence = list->evidence,
            .timezone = list->timezone[0] ? list->timezone : conf->timezone,
            .folder = folder,
            .whole = true,
            .accepted = accepted,
            .words = (const struct words *const *)w->languages.items,
            .words_count = w->languages.count,
            .keys = w->follow->parts.keys,
        };
        w->at = 0;
        r = import_new(w->follow->parts.store, &options, &handlers, w, &why, &w->import);
        if (r < 0)
            api_languages_done(&w->languages);
    }
    if (r == -EINVAL)
        submit(w, wrong(w, why.what));
    else if (r < 0)
        rest(w, again_usec);
}

/* ---- copies ------------------------------------------------------------------------------------------------------- */

static void next_turn(struct follow *f) {
    struct follower *ready = NULL;
    for (struct follower *w = f->followers; w; w = w->next) {
        if (w->state == WORKING)
            return;
        if (w->state == READY && !ready)
            ready = w;
    }
    if (!ready || f->freed)
        return;
    ready->state = WORKING;
    submit(ready, task_new(ready, ASK));
}

static void say_error(int error, struct buf *to) {
    switch (error) {
    case -ENOENT: buf_puts(to, "the file is not there"); break;
    case -EACCES:
    case -EPERM: buf_puts(to, "the daemon's user may not read the file"); break;
    case -EISDIR: buf_puts(to, "this is a folder, not a file"); break;
    case -EINVAL: buf_puts(to, "this is no plain file"); break;
    case -EFBIG: buf_puts(to, "the file is larger than 1 GB"); break;
    default: buf_printf(to, "the file cannot be read: %s", strerror(-error)); break;
    }
}

static void on_copied(void *user, const struct snapshot_result *r) {
    struct follower *w = user;
    AUTOBUF struct buf why = BUF_INIT(1024);
    w->wanted |= watch(w, r);
    int error = r->error;
    bool ours = error < 0 && r->ours;
    w->fd = r->fd;
    memcpy(w->digest, r->digest, sizeof w->digest);
    w->snapshot = snapshot_free(w->snapshot);
    if (error == -EAGAIN) {
        w->wanted = false; /* later is soon enough for both */
        rest(w, quiet_usec);
    } else if (ours || error == -ENOMEM || error == -EMFILE || error == -ENFILE) {
        log_warning("source-not-copied", LOG_TEXT("list", name_of(w)), LOG_TEXT("reason", strerror(-error)));
        rest(w, again_usec);
    } else if (error < 0) {
        say_error(error, &why);
        submit(w, wrong(w, buf_str(&why)));
    } else {
        w->state = READY;
        next_turn(w->follow);
    }
}

static void look(struct follower *w) {
    struct follow *f = w->follow;
    char tmp[PATH_MAX];
    w->wanted = w->state != QUIET;
    if (w->wanted || w->gone)
        return;
    int r = snprintf(tmp, sizeof tmp, "%s/tmp", f->parts.spool->path) >= (int)sizeof tmp ? -ENAMETOOLONG : 0;
    if (r == 0)
        r = snapshot_take(f->parts.loop, tmp, w->path, on_copied, w, &w->snapshot);
    if (r == 0)
        w->state = COPYING;
    else
        look_in(w, again_usec);
}

/* ---- from outside ------------------------------------------------------------------------------------------------- */

static struct follower *find(const struct follow *f, const struct conf_list *list) {
    for (struct follower *w = f->followers; w; w = w->next)
        if (!w->gone && w->list == list->id && strcmp(w->path, list->source) == 0)
            return w;
    return NULL;
}

static void add(struct follow *f, const struct conf_list *list) {
    struct follower *w = calloc(1, sizeof *w);
    if (!w || loop_add_timer(f->parts.loop, on_timer, w, &w->timer) < 0) {
        free(w);
        log_error("out-of-memory");
        return;
    }
    w->follow = f;
    w->list = list->id;
    w->fd = -1;
    (void)snprintf(w->path, sizeof w->path, "%s", list->source); /* the option's bound is shorter */
    w->next = f->followers;
    f->followers = w;
}

static void let_go(struct follower *w) {
    w->gone = true;
    loop_unset_timer(w->timer);
    unwatch(w);
    if (w->state == COPYING || w->state == READY || w->state == QUIET)
        follower_free(w);
    else if (w->import && !w->reading)
        import_abort(w->import);
}

void follow_set_conf(struct follow *f, struct conf *conf) {
    struct conf *before = f->conf;
    f->conf = conf_ref(conf);
    (void)conf_unref(before);
    for (struct follower *w = f->followers, *next; w; w = next) {
        next = w->next;
        const struct conf_list *list = conf_find_list_id(conf, w->list);
        if (!w->gone && (!list || strcmp(list->source, w->path) != 0))
            let_go(w);
    }
    for (size_t i = 0; i < conf->list_count; i++)
        if (conf->lists[i].source[0] && !find(f, &conf->lists[i]))
            add(f, &conf->lists[i]);
    for (struct follower *w = f->followers; w; w = w->next)
        look(w);
}

void follow_look(struct follow *f, uint32_t list) {
    for (struct follower *w = f->followers; w; w = w->next)
        if (w->list == list && !w->gone) {
            look(w);
            return;
        }
}

struct follow *follow_new(const struct follow_parts *parts, struct conf *conf) {
    struct follow *f = calloc(1, sizeof *f);
    if (!f)
        return NULL;
    f->parts = *parts;
    follow_set_conf(f, conf);
    return f;
}

struct follow *follow_free(struct follow *f) {
    if (!f)
        return NULL;
    bool none = !f->followers;
    f->freed = true;
    for (struct follower *w = f->followers, *next; w; w = next) {
        next = w->next;
        if (!w->gone)
            let_go(w);
    }
    if (none) {
        (void)conf_unref(f->conf);
        free(f);
    }
    return NULL;
}
