/* rundbrief-web: the web door. Stands behind nginx or Caddy on a socket that systemd hands over (or [web] listen),
 * reads spool/public and the templates, writes spool/requests/web, and needs nothing else: no store, no secret, no
 * password.
 *
 *   rundbrief-web --config FILE
 *
 * SIGHUP reads words, templates and keys again; SIGTERM and SIGINT end it after the answers in hand. Exit codes are
 * those of sysexits.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/log.h"
#include "base/number.h"

#include "conf/conf.h"
#include "door/web.h"
#include "net/loop.h"

#include "base/banned.h"

enum { BACKLOG = 512 };

struct program {
    struct loop *loop;
    struct web *web;
    struct loop_source *term, *interrupt, *hup;
};

static void usage(FILE *to) {
    (void)fprintf(to, "usage: rundbrief-web --config FILE\n"); /* nowhere to say that this failed */
}

static void on_conf_error(void *user, const struct why *why) {
    (void)user;
    AUTOBUF struct buf line = BUF_INIT(2048);
    why_print(why, &line);
    (void)fprintf(stderr, "%s\n", buf_str(&line)); /* the same */
}

/* ---- signals ---- */

static void on_drained(void *user) {
    struct program *p = user;
    loop_stop(p->loop, EX_OK);
}

static void on_end(void *user, int signal) {
    (void)signal;
    struct program *p = user;
    loop_notify("STOPPING=1");
    web_drain(p->web, on_drained, p);
}

static void on_hup(void *user, int signal) {
    (void)signal;
    struct program *p = user;
    struct why why;
    loop_notify("RELOADING=1");
    if (web_reload(p->web, &why) < 0)
        log_why(LOG_ERR, "reload-failed", &why);
    else
        log_info("reloaded");
    loop_notify("READY=1");
}

/* ---- sockets ---- */

/* [web] listen: "127.0.0.1:8025" or "[::1]:8025"; its form was checked by the configuration. */
static int listen_on(const char *where, struct why *why) {
    struct view text = view_of(where);
    size_t colon = text.len;
    while (colon && text.ptr[colon - 1] != ':')
        colon--;
    struct view host = view_slice(text, 0, colon ? colon - 1 : 0);
    uint64_t port = 0;
    bool six = view_starts(host, "[") && view_ends(host, "]");
    AUTOFREE char *plain = view_dup(six ? view_slice(host, 1, host.len - 2) : host);
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (!plain || number_parse_u64(view_slice(text, colon, text.len), UINT16_MAX, &port) < 0 ||
        inet_pton(six ? AF_INET6 : AF_INET, plain, six ? (void *)&in6.sin6_addr : (void *)&in.sin_addr) != 1)
        return why_set(why, -EINVAL, "[web] listen is no address: %s", where);
    in.sin_port = in6.sin6_port = htons((uint16_t)port);
    const struct sockaddr *address = six ? (const void *)&in6 : (const void *)&in;
    AUTOCLOSE int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, address, six ? sizeof in6 : sizeof in) < 0 || listen(fd, BACKLOG) < 0) {
        int error = -errno;
        (void)why_set(why, error, "cannot listen on %s: %s", where, strerror(-error));
        return error;
    }
    int listening = fd;
    fd = -1;
    return listening;
}

static int serve(struct program *p, const struct conf *conf, int first, int handed, struct why *why) {
    if (handed <= 0) {
        if (strcmp(conf->web_listen, "systemd") == 0) {
            (void)why_set(why, -ENOTCONN, "[web] listen = systemd, but systemd handed no socket over");
            why_todo(why, "Start rundbrief-web.socket, or write an address such as 127.0.0.1:8025");
            return -ENOTCONN;
        }
        first = listen_on(conf->web_listen, why);
        if (first < 0)
            return first;
        handed = 1;
    }
    for (int i = 0; i < handed; i++) {
        int r = web_listen(p->web, first + i);
        if (r < 0)
            return why_set(why, r, "socket %d cannot be served: %s", i + 1, strerror(-r));
    }
    return 0;
}

/* ---- */

static int start(struct program *p, const struct conf *conf, int first, int handed, struct why *why) {
    int r = loop_new(&p->loop);
    /* Before the door's thread starts: it must not take the signals. */
    if (r == 0)
        r = loop_add_signal(p->loop, SIGTERM, on_end, p, &p->term);
    if (r == 0)
        r = loop_add_signal(p->loop, SIGINT, on_end, p, &p->interrupt);
    if (r == 0)
        r = loop_add_signal(p->loop, SIGHUP, on_hup, p, &p->hup);
    if (r == 0)
        r = loop_watchdog(p->loop);
    if (r < 0)
        return why_set(why, r, "cannot start: %s", strerror(-r));
    r = web_new(p->loop, conf, why, &p->web);
    return r < 0 ? r : serve(p, conf, first, handed, why);
}

static int run(const struct conf *conf, int first, int handed) {
    struct program p = {0};
    struct why why;
    int code = start(&p, conf, first, handed, &why);
    if (code < 0) {
        log_why(LOG_ERR, "not-started", &why);
        code = EX_UNAVAILABLE;
    } else {
        loop_notify("READY=1");
        log_info("started");
        code = loop_run(p.loop);
        log_info("stopped");
    }
    (void)web_free(p.web);
    (void)loop_remove(p.term);
    (void)loop_remove(p.interrupt);
    (void)loop_remove(p.hup);
    (void)loop_free(p.loop);
    return code < 0 ? EX_OSERR : code;
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    const char *config = NULL;
    files_guard_standard();
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'c') {
            config = optarg;
        } else {
            usage(c == 'h' ? stdout : stderr);
            return c == 'h' ? EX_OK : EX_USAGE;
        }
    }
    if (!config || optind != argc) {
        usage(stderr);
        return EX_USAGE;
    }
    /* Nothing stays open but the standard streams and the sockets that are meant for us. */
    int first, handed = loop_listen_fds(&first);
    (void)close_range((unsigned)(first + (handed > 0 ? handed : 0)), ~0U, 0); /* an old kernel: they stay */
    (void)signal(SIGPIPE, SIG_IGN);                                           /* cannot fail for a signal that exists */

    struct conf *conf;
    if (conf_load_for_door(config, on_conf_error, NULL, &conf) < 0)
        return EX_CONFIG;
    int code = run(conf, first, handed);
    (void)conf_unref(conf);
    return code;
}
