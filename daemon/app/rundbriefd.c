/* rundbriefd: the daemon. Wiring only: which part knows which, what starts in which order, what ends in which.
 *
 * ORDER   configuration, clock, spool, keys, store (opened and migrated); recovery in the store (what was cut off is
 * undone, what was on the wire is in doubt); waiting requests applied; then dispatch, drop folders, API;
 * READY. SIGHUP  reads the configuration again; a broken one changes nothing and every error is logged. SIGTERM drains:
 * no further claims, what is on the wire gets its reply (at most [timeouts] stop), then everything closes. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "announce/admit.h"
#include "announce/compile.h"
#include "api/api.h"
#include "api/asked.h"
#include "app/follow.h"
#include "app/incoming.h"
#include "app/informing.h"
#include "app/recurring.h"
#include "app/requests_watch.h"
#include "app/restore.h"
#include "app/retention_watch.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/number.h"
#include "base/users.h"
#include "conf/conf.h"
#include "door/lists.h"
#include "mail/when.h"
#include "net/loop.h"
#include "people/import.h"
#include "send/dispatch.h"
#include "spool/spool.h"
#include "store/delivery.h"
#include "store/list_pin.h"
#include "store/notice.h"
#include "store/store.h"
#include "trust/keys.h"

#include "base/banned.h"

struct daemon {
    const char *config_path;
    struct conf *conf;
    struct loop *loop;
    struct spool *spool;
    struct keyring *keys;
    struct store *store;
    struct dispatch *dispatch;
    struct incoming *incoming;
    struct requests_watch *requests;
    struct retention_watch *retention;
    struct recurring *recurring;
    struct follow *follow;
    struct api *api;
    struct asked *asked;
    struct loop_source *store_wake, *signals[3];
    bool stopping;
    int exit_code;
};

static void print_error(void *user, const struct why *why) {
    char memory[2048] = ""; /* not of the heap: the reason may be that there is no memory; three texts and points fit */
    struct buf line = {.data = memory, .cap = sizeof memory, .limit_bytes = sizeof memory - 1};
    (void)user;
    why_print(why, &line);
    (void)fprintf(stderr, "%s\n", buf_str(&line));
}

static void log_conf_error(void *user, const struct why *why) {
    (void)user;
    log_why(LOG_ERR, "configuration-error", why);
}

static void log_restart(void *user, const struct why *why) {
    (void)user;
    log_why(LOG_WARNING, "restart-needed", why);
}

/* Of a start that failed. systemd tries again, but not after EX_CONFIG: that waits for a person. */
static int exit_code_of(int error) {
    if (error == -EBUSY)
        return EX_TEMPFAIL;
    if (error == -EUCLEAN || error == -ENOSPC || error == -EDQUOT || error == -EIO || error == -EROFS)
        return EX_IOERR;
    return why_is_trouble(error) ? EX_OSERR : EX_CONFIG;
}

static void fail(struct daemon *d, const struct why *why, int code) {
    log_why(LOG_ERR, "start-failed", why);
    d->stopping = true;
    d->exit_code = code;
    loop_stop(d->loop, code);
}

/* ---- what dispatch reports ----------------------------------------------------------------------------------- */

static void on_finished(void *user, int64_t announcement) {
    struct daemon *d = user;
    (void)announcement;
    dispatch_notices(d->dispatch);
}

static void on_alert(void *user, const char *key, const char *a1, const char *a2) {
    const struct daemon *d = user;
    const struct informing i = {d->store, d->conf, d->keys, d->dispatch};
    informing_alert(&i, key, a1, a2);
}

static void on_accepted(void *user, uint32_t list) {
    struct daemon *d = user;
    if (d->follow)
        follow_look(d->follow, list);
}

static void on_erased(void *user) {
    struct daemon *d = user;
    if (d->retention)
        retention_watch_forget(d->retention);
}

static void on_recurring(void *user) {
    struct daemon *d = user;
    recurring_look(d->recurring);
}

/* ---- starting ------------------------------------------------------------------------------------------------ */

static int listen_on(const char *path, struct why *why) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return why_set(why, -ENAMETOOLONG, "[daemon] socket is too long a path");
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return why_set(why, -errno, "cannot make a socket: %s", strerror(errno));
    /* The store's lock says that no other daemon is there: an old socket is left over. Rights follow from the peer, so
     * that everybody may connect. */
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
        (void)unlink(path); /* bind() says what is wrong */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || chmod(path, 0666) < 0 || listen(fd, 64) < 0) {
        int error = -errno;
        (void)close(fd);
        (void)why_set(why, error, "cannot listen: %s", strerror(-error));
        why_where(why, "%s", path);
        why_todo(why, "Let the daemon's user write the folder, or set [daemon] socket to another path");
        return error;
    }
    return fd;
}

static int publish_lists(struct daemon *d, struct why *why) {
    AUTOBUF struct buf text = BUF_INIT(LISTS_FILE_MAX_BYTES);
    int r = public_lists_print(d->conf, &text);
    if (r == 0)
        r = spool_publish(d->spool, "lists", buf_view(&text));
    return r < 0 ? why_set(why, r, "cannot publish the lists for the doors: %s", strerror(-r)) : 0;
}

static int open_parts(struct daemon *d, struct why *why) {
    AUTOBUF struct buf secret = BUF_INIT(4096), public = BUF_INIT(4096);
    int r = spool_open(d->conf->spool_dir, why, &d->spool);
    if (r == 0 && (r = files_make_dirs(d->conf->state_dir, 0700)) < 0) {
        (void)why_set(why, r, "cannot make the state folder: %s", strerror(-r));
        why_where(why, "%s", d->conf->state_dir);
    }
    if (r < 0)
        return r;
    keyring_secret_dir(d->conf->state_dir, &secret);
    keyring_public_dir(d->conf->spool_dir, &public);
    if (buf_error(&secret) || buf_error(&public))
        return why_set(why, -ENOMEM, "out of memory");
    r = keyring_load(buf_str(&secret), buf_str(&public), why, &d->keys);
    if (r == 0)
        r = publish_lists(d, why);
    return r;
}

static void on_store_wake(void *user) {
    struct daemon *d = user;
    loop_wake(d->store_wake);
}

static void on_store_results(void *user) {
    struct daemon *d = user;
    store_dispatch(d->store);
}

static void begin_serving(struct daemon *d) {
    struct why why;
    const struct incoming_parts incoming = {d->loop, d->store, d->spool, d->keys, d->dispatch};
    const struct api_parts api = {d->loop,     d->store,  d->spool, d->dispatch, d->keys, d->conf,
                                  on_accepted, on_erased, d};
    int r = incoming_new(&incoming, d->conf, &why, &d->incoming);
    int fd = r == 0 ? listen_on(d->conf->socket, &why) : r;
    if (fd >= 0)
        fd = api_new(&api, fd, &why, &d->api);
    if (fd >= 0)
        fd = asked_new(&api, &why, &d->asked);
    const struct retention_watch_parts retention = {d->loop, d->store, d->spool, d->keys, &d->conf, d->requests};
    if (fd >= 0 && (fd = retention_watch_new(&retention, &d->retention)) < 0)
        (void)why_set(&why, fd, "cannot set a timer: %s", strerror(-fd));
    const struct recurring_parts recurring = {d->loop, d->store, d->spool, d->keys, d->dispatch, &d->conf};
    if (fd >= 0 && (fd = recurring_new(&recurring, &d->recurring)) < 0)
        (void)why_set(&why, fd, "cannot set a timer: %s", strerror(-fd));
    if (fd < 0) {
        fail(d, &why, EX_OSERR);
        return;
    }
    const struct follow_parts follow = {d->loop, d->store, d->spool, d->keys, d->dispatch};
    if (!(d->follow = follow_new(&follow, d->conf)))
        log_error("out-of-memory");
    dispatch_start(d->dispatch);
    log_info("ready", LOG_NUM("lists", d->conf->list_count), LOG_NUM("relays", d->conf->relay_count));
    loop_notify("READY=1\nSTATUS=Ready");
}

/* The requests that waited are applied before anything is claimed. */
static void on_requests_applied(void *user, int result) {
    struct daemon *d = user;
    struct why why;
    if (d->stopping)
        return;
    if (result < 0) {
        (void)why_set(&why, result, "waiting requests could not be applied: %s", strerror(-result));
        why_where(&why, "%s/requests", d->spool->path);
        fail(d, &why, EX_IOERR);
        return;
    }
    begin_serving(d);
}

struct recovery {
    struct store_job job; /* first */
    struct daemon *d;
    struct conf *conf; /* a reload may come meanwhile */
    int phase;
};

static int pin_lists(const struct conf *conf, struct db *db, struct why *why) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < conf->list_count; i++) {
        AUTOBUF struct buf id = BUF_INIT(1024);
        r = compile_list_id(&conf->lists[i], &id);
        r = r < 0 ? r : list_pin(db, conf->lists[i].id, conf->lists[i].name, buf_str(&id), why);
    }
    return r;
}

static int step_recover(struct store_job *job, struct db *db) {
    struct recovery *v = (struct recovery *)job;
    struct spool *spool = v->d->spool;
    uint64_t in_doubt = 0;
    int r;
    switch (v->phase) {
    case 0:
        r = users_warm_up(); /* for this thread */
        r = r < 0 ? r : pin_lists(v->conf, db, &job->why);
        break;
    case 1: r = spool_sweep_tmp(spool); break;
    case 2: r = admit_recover(db, spool); break;
    case 3:
        r = delivery_recover(db, clock_now_usec(), v->conf->in_doubt == CONF_IN_DOUBT_RESEND, &in_doubt);
        if (in_doubt)
            log_warning("in-doubt", LOG_NUM("messages", in_doubt));
        if (r == STORE_MORE)
            return r;
        break;
    case 4: r = notice_recover(db, clock_now_usec()); break;
    case 5:
        r = import_recover(db);
        if (r == STORE_MORE)
            return r;
        break;
    default: return STORE_DONE;
    }
    v->phase++;
    return r < 0 ? r : STORE_MORE;
}

static void on_recovered(struct store_job *job, int result) {
    struct recovery *v = (struct recovery *)job;
    struct daemon *d = v->d;
    struct why why = job->why;
    (void)conf_unref(v->conf);
    free(v);
    if (d->stopping)
        return;
    if (result < 0) {
        if (!why.what[0])
            (void)why_set(&why, result, "the store could not be recovered: %s", strerror(-result));
        fail(d, &why, EX_IOERR);
        return;
    }
    const struct requests_watch_parts parts = {d->loop, d->store, d->spool, d->keys, &d->conf, d->dispatch};
    int r = requests_watch_new(&parts, on_requests_applied, d, &why, &d->requests);
    if (r < 0)
        fail(d, &why, EX_OSERR);
}

static int recover(struct daemon *d) {
    struct recovery *v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    v->job = (struct store_job){.lane = STORE_NORMAL, .step = step_recover, .done = on_recovered};
    v->d = d;
    v->conf = conf_ref(d->conf);
    store_submit(d->store, &v->job);
    return 0;
}

/* ---- reloading and stopping ----------------------------------------------------------------------------------- */

static void reload_keys(struct daemon *d) {
    AUTOBUF struct buf secret = BUF_INIT(4096), public = BUF_INIT(4096);
    struct why why;
    keyring_secret_dir(d->conf->state_dir, &secret);
    keyring_public_dir(d->conf->spool_dir, &public);
    int r = keyring_reload(d->keys, buf_str(&secret), buf_str(&public), &why);
    if (r < 0)
        log_why(LOG_ERR, "keys-not-reloaded", &why);
    else if (r > 0)
        log_info("keys-reloaded", LOG_NUM("signs", keyring_active_id(d->keys)));
}

static void reload(struct daemon *d) {
    struct conf *conf = NULL;
    struct why why;
    loop_notify("RELOADING=1");
    reload_keys(d);
    int r = conf_load_for_machine(d->config_path, log_conf_error, NULL, &conf);
    if (r == 0)
        conf_needs_restart(d->conf, conf, log_restart, NULL);
    if (r < 0)
        log_error("reload-refused", LOG_TEXT("what", "the running configuration stays in force"));
    else {
        struct conf *before = d->conf;
        d->conf = conf;
        dispatch_set_conf(d->dispatch, conf);
        if (d->api)
            api_set_conf(d->api, conf);
        if (d->asked)
            asked_set_conf(d->asked, conf);
        if (d->incoming && (r = incoming_set_conf(d->incoming, conf)) < 0)
            log_error("drop-folders-not-watched", LOG_TEXT("reason", strerror(-r)));
        if (d->follow)
            follow_set_conf(d->follow, conf);
        if (publish_lists(d, &why) < 0)
            log_why(LOG_ERR, "lists-not-published", &why);
        (void)conf_unref(before);
        log_info("reloaded", LOG_NUM("lists", conf->list_count), LOG_NUM("relays", conf->relay_count));
    }
    loop_notify("READY=1");
}

static void on_stopped(void *user) {
    struct daemon *d = user;
    loop_stop(d->loop, d->exit_code);
}

static void stop(struct daemon *d) {
    if (d->stopping)
        return;
    d->stopping = true;
    loop_notify("STOPPING=1\nSTATUS=Finishing what is on the wire");
    log_info("stopping");
    d->api = api_free(d->api);
    d->asked = asked_free(d->asked);
    if (d->incoming)
        incoming_stop(d->incoming);
    dispatch_stop(d->dispatch, clock_mono_usec() + d->conf->timeout_stop_usec, on_stopped, d);
}

static void on_signal(void *user, int signal) {
    struct daemon *d = user;
    if (signal != SIGHUP)
        stop(d);
    else if (!d->stopping)
        reload(d);
}

static int prepare(struct daemon *d, struct why *why) {
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    static const struct dispatch_handlers handlers = {on_finished, on_alert, on_recurring};
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for this signal */
    int r = loop_new(&d->loop);
    for (size_t i = 0; r == 0 && i < COUNT_OF(signals); i++)
        r = loop_add_signal(d->loop, signals[i], on_signal, d, &d->signals[i]);
    if (r == 0)
        r = loop_add_wake(d->loop, on_store_results, d, &d->store_wake);
    if (r == 0)
        r = loop_watchdog(d->loop);
    if (r < 0)
        return why_set(why, r, "cannot prepare the event loop: %s", strerror(-r));
    r = open_parts(d, why);
    loop_notify("EXTEND_TIMEOUT_USEC=3600000000"); /* a big store is copied and brought to a new version here */
    if (r == 0)
        r = store_open(d->conf->state_dir, on_store_wake, d, why, &d->store);
    if (r == 0)
        r = dispatch_new(d->loop, d->store, d->conf, d->keys, d->spool, &handlers, d, why, &d->dispatch);
    if (r == 0 && (r = recover(d)) < 0)
        (void)why_set(why, r, "out of memory");
    return r;
}

static void close_parts(struct daemon *d) {
    d->api = api_free(d->api);
    d->asked = asked_free(d->asked);
    d->retention = retention_watch_free(d->retention);
    d->recurring = recurring_free(d->recurring);
    d->follow = follow_free(d->follow);
    d->requests = requests_watch_free(d->requests);
    if (d->incoming)
        incoming_stop(d->incoming);
    /* Jobs still hold on to dispatch and incoming: their callbacks run here. */
    d->store = store_close(d->store);
    d->incoming = incoming_free(d->incoming);
    d->dispatch = dispatch_free(d->dispatch);
    d->keys = keyring_free(d->keys);
    d->spool = spool_close(d->spool);
    for (size_t i = 0; i < COUNT_OF(d->signals); i++)
        d->signals[i] = loop_remove(d->signals[i]);
    d->store_wake = loop_remove(d->store_wake);
    d->loop = loop_free(d->loop);
    d->conf = conf_unref(d->conf);
}

static int run(struct daemon *d) {
    struct why why = {0};
    int r = prepare(d, &why);
    if (r < 0) {
        print_error(NULL, &why);
        d->exit_code = exit_code_of(r);
    } else {
        r = loop_run(d->loop);
        if (r < 0)
            d->exit_code = EX_OSERR;
    }
    close_parts(d);
    log_info("stopped");
    return d->exit_code;
}

/* ---- the command line ----------------------------------------------------------------------------------------- */

static const char help[] =
    "rundbriefd [--config FILE] [--check-config | --dump-config] [--clock TIME]\n"
    "\n"
    "  --config FILE    the configuration (/etc/rundbrief/rundbrief.ini)\n"
    "  --check-config   report everything that is wrong with it, and end (status 78 if anything is)\n"
    "  --dump-config    print every option with the value in force, and end\n"
    "  --sample-config  print a commented configuration to begin with, and end\n"
    "  --restore FILE   let a backup take the place of the store, and end; --yes does not ask, --json prints a "
    "document\n"
    "  --clock TIME     start the clock elsewhere, for rehearsals: 2025-07-01T08:00:00Z or \"2025-07-01 10:00\"\n"
    "  --debug          log more\n"
    "  --help           this\n";

static int set_clock(const char *text, const char *zone) {
    int64_t usec;
    struct when w;
    if (clock_parse_utc(view_of(text), &usec) < 0 &&
        (when_parse(view_of(text), &w) != WHEN_OK || when_to_usec(&w, zone, &usec) != WHEN_OK))
        return -EINVAL;
    clock_start_at(usec);
    return 0;
}

/* What was printed has arrived, or the exit code that says it has not. */
static int printed(void) {
    bool written = !ferror(stdout);
    return fflush(stdout) == EOF || !written ? EX_IOERR : EX_OK;
}

static int check_config(struct daemon *d, bool dump) {
    int r = (dump ? conf_load : conf_load_for_machine)(d->config_path, print_error, NULL, &d->conf);
    if (r == 0 && dump) {
        AUTOBUF struct buf text = BUF_INIT(4 << 20);
        conf_dump(d->conf, &text);
        (void)fputs(buf_str(&text), stdout); /* asked below */
    } else if (r == 0)
        (void)printf("%s: all is well\n", d->config_path);
    d->conf = conf_unref(d->conf);
    return r < 0 ? EX_CONFIG : printed();
}

int main(int argc, char **argv) {
    enum { CONFIG = 1000, CHECK, DUMP, SAMPLE, RESTORE, YES, JSON, CLOCK, DEBUG, HELP };
    static const struct option options[] = {
        {"config", required_argument, NULL, CONFIG},
        {"check-config", no_argument, NULL, CHECK},
        {"dump-config", no_argument, NULL, DUMP},
        {"sample-config", no_argument, NULL, SAMPLE},
        {"restore", required_argument, NULL, RESTORE},
        {"yes", no_argument, NULL, YES},
        {"json", no_argument, NULL, JSON},
        {"clock", required_argument, NULL, CLOCK},
        {"debug", no_argument, NULL, DEBUG},
        {"help", no_argument, NULL, HELP},
        {0},
    };
    struct daemon d = {.config_path = "/etc/rundbrief/rundbrief.ini"};
    const char *clock_text = NULL;
    struct restore_wish wish = {0};
    bool check = false, dump = false;
    files_guard_standard();
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        switch (c) {
        case CONFIG: d.config_path = optarg; break;
        case CHECK: check = true; break;
        case DUMP: dump = true; break;
        case RESTORE: wish.file = optarg; break;
        case YES: wish.yes = true; break;
        case JSON: wish.json = true; break;
        case CLOCK: clock_text = optarg; break;
        case DEBUG: log_set_level(LOG_DEBUG); break;
        case SAMPLE: {
            AUTOBUF struct buf text = BUF_INIT(1 << 20);
            conf_print_sample(&text);
            (void)fputs(buf_str(&text), stdout);
            return printed();
        }
        case HELP: (void)fputs(help, stdout); return printed();
        default: (void)fputs(help, stderr); return EX_USAGE;
        }
    if (optind < argc) {
        (void)fprintf(stderr, "rundbriefd: I do not know what to do with \"%s\"\n%s", argv[optind], help);
        return EX_USAGE;
    }
    if (check || dump)
        return check_config(&d, dump);
    int r = users_warm_up();
    if (r < 0) {
        (void)fputs("rundbriefd: out of memory\n", stderr);
        return exit_code_of(r);
    }
    r = conf_load_for_machine(d.config_path, print_error, NULL, &d.conf);
    if (r < 0)
        return exit_code_of(r);
    if (clock_text && set_clock(clock_text, d.conf->timezone) < 0) {
        (void)fprintf(stderr, "rundbriefd: --clock: \"%s\" is not a moment; write 2025-07-01T08:00:00Z\n", clock_text);
        (void)conf_unref(d.conf);
        return EX_USAGE;
    }
    if (!wish.file)
        return run(&d);
    int code = restore_run(d.conf, &wish);
    d.conf = conf_unref(d.conf);
    return code;
}
