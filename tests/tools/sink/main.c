/* sink: an SMTP server for tests. It takes mail at full speed, writes down what it accepted, holds the client to the
 * protocol, and misbehaves as told. One process, one thread, epoll. `sink --help` says all.
 *
 * What a client does wrong is counted as a violation and said on standard error; the test decides what follows. */
#include "conn.h"
#include "input.h"
#include "message.h"
#include "rules.h"
#include "tls.h"
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: sink [OPTION]...\n"
    "An SMTP server for tests. Prints \"port N\" when it listens, and its counts as JSON at SIGTERM (and at SIGUSR1).\n"
    "last_usec is when it took the last message (CLOCK_MONOTONIC), cpu_usec its own processor time. round_trips counts "
    "what a\n"
    "client waited for: a command is of one round more than the latest reply that was written before it came.\n"
    "\n"
    "  --listen ADDRESS     default 127.0.0.1\n"
    "  --port N             default 0: a free one\n"
    "  --port-file FILE     the port, written when it listens\n"
    "  --name NAME          in greeting and EHLO (sink.test)\n"
    "  --ehlo LIST          capabilities, comma-separated, instead of\n"
    "                       PIPELINING,CHUNKING,8BITMIME,SMTPUTF8,ENHANCEDSTATUSCODES,SIZE 31457280\n"
    "  --cert FILE --key FILE   offers STARTTLS\n"
    "  --make-cert DIR      makes DIR/ca.pem, DIR/cert.pem and DIR/key.pem for localhost and 127.0.0.1, and ends\n"
    "  --smtps              TLS from the first octet\n"
    "  --require-tls        530 to MAIL before it\n"
    "  --user NAME --password TEXT   offers AUTH PLAIN (under TLS only, where there is TLS)\n"
    "  --require-auth       530 to MAIL before it\n"
    "  --delay MS           before each reply: a relay that far away\n"
    "  --lenient-data       354 to DATA even without a valid recipient\n"
    "  --ledger FILE        appends a line for each accepted recipient: number, sender, recipient, size, Message-ID,\n"
    "                       number of the connection, when MAIL came and when it was accepted (monotonic\n"
    "                       microseconds); separated by tabs; written before the 250\n"
    "  --ledger-fsync       and synced before the 250\n"
    "  --count              only counts messages: what they hold is neither looked at nor kept\n"
    "  --quickack           acknowledges segments at once: a client that writes twice before it reads, without "
    "TCP_NODELAY,\n"
    "                       waits 40 ms each time else\n"
    "  --mail DIR           stores each accepted message as DIR/NUMBER.eml\n"
    "  --on RULE            misbehaves; may be given again and again, the first rule that fits counts\n"
    "  --rules FILE         rules, one a line, # comments\n"
    "  --die-with-parent    ends when the process that started it does\n"
    "\n"
    "RULE: STAGE [to=GLOB] [nth=A[-B]] [after=N] [bytes=N] ACTION\n"
    "  STAGE   greeting ehlo helo starttls auth mail rcpt data body end rset quit\n"
    "          (body: message octets are arriving; end: the final dot or BDAT LAST)\n"
    "  to=     the recipient (at mail the sender) fits the pattern\n"
    "  nth=    only the A'th to B'th time that the rest of the rule fits; \"3-\" from the third on\n"
    "  after=  only when the connection has had N messages accepted\n"
    "  bytes=  at body: when so many octets have come\n"
    "  ACTION  NNN TEXT     replies with that; a 421 closes; 2xx and 3xx go on as if all were well\n"
    "          say TEXT     writes just that, with \\r \\n \\xHH; at body it reads no more then\n"
    "          extra TEXT   the normal reply, and then that in the same packet\n"
    "          delay MS     the normal reply, later\n"
    "          split        the normal reply, octet by octet\n"
    "          stall        never answers again, but reads on\n"
    "          close        closes; last NNN TEXT: replies and closes\n"
    "          reset        closes with RST\n"
    "          half-close   closes its own direction, reads on\n"
    "          accept-close accept-reset accept-stall   at end: takes the message, and never says so\n"
    "          garbage huge-line endless   what no server says\n";

struct sink_options opt = {
    .listen = "127.0.0.1",
    .name = "sink.test",
    .ehlo = "PIPELINING,CHUNKING,8BITMIME,SMTPUTF8,ENHANCEDSTATUSCODES,SIZE 31457280",
};
struct sink_counts counts;
int64_t now;

void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("sink: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(64);
}

void *need(void *p) {
    if (!p)
        die("out of memory");
    return p;
}

int64_t read_clock(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void print_counts(void) {
    printf("{\"connections\":%lu,\"open\":%lu,\"most_open\":%lu,\"tls\":%lu,\"auth\":%lu,\"messages\":%lu,"
           "\"recipients\":%lu,\"refused\":%lu,"
           "\"commands\":%lu,\"round_trips\":%lu,\"bytes\":%lu,\"violations\":%lu,\"last_usec\":%" PRId64
           ",\"cpu_usec\":%" PRId64 ",\"first_violation\":\"%s\"}\n",
           counts.connections, counts.open, counts.most_open, counts.tls, counts.auth, counts.messages,
           counts.recipients, counts.refused, counts.commands, counts.round_trips, counts.bytes, counts.violations,
           counts.last_usec, read_clock(CLOCK_PROCESS_CPUTIME_ID), counts.first);
    fflush(stdout);
}

/* Milliseconds would be too coarse for delays: a timer says when the next one is over. */
static void set_timer(int fd, int64_t when) {
    static int64_t set = -1;
    if (when == set)
        return;
    set = when;
    struct itimerspec at = {.it_value = {.tv_sec = when / 1000000, .tv_nsec = when % 1000000 * 1000}};
    if (when < 0)
        at = (struct itimerspec){0};
    (void)timerfd_settime(fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static int start_listening(void) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port)};
    socklen_t len = sizeof a;
    if (inet_pton(AF_INET, opt.listen, &a.sin_addr) != 1)
        die("not an IPv4 address: %s", opt.listen);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        die("cannot listen on %s port %d: %s", opt.listen, opt.port, strerror(errno));
    printf("port %d\n", ntohs(a.sin_port));
    fflush(stdout);
    if (opt.port_file) {
        char tmp[4096];
        snprintf(tmp, sizeof tmp, "%s.tmp", opt.port_file);
        FILE *f = fopen(tmp, "we");
        if (!f || fprintf(f, "%d\n", ntohs(a.sin_port)) < 0 || fclose(f) != 0 || rename(tmp, opt.port_file) < 0)
            die("%s: %s", opt.port_file, strerror(errno));
    }
    return fd;
}

/* One row for each option: where its text, number or flag goes. */
static const struct {
    const char *name;
    const char **text;
    int *number;
    bool *flag;
    void (*call)(const char *);
} table[] = {
    {"listen", .text = &opt.listen},
    {"port", .number = &opt.port},
    {"port-file", .text = &opt.port_file},
    {"name", .text = &opt.name},
    {"ehlo", .text = &opt.ehlo},
    {"cert", .text = &opt.cert},
    {"key", .text = &opt.key},
    {"smtps", .flag = &opt.smtps},
    {"make-cert", .call = tls_make_cert},
    {"require-tls", .flag = &opt.require_tls},
    {"user", .text = &opt.user},
    {"password", .text = &opt.password},
    {"require-auth", .flag = &opt.require_auth},
    {"delay", .number = &opt.delay_msec},
    {"lenient-data", .flag = &opt.lenient_data},
    {"ledger", .text = &opt.ledger},
    {"ledger-fsync", .flag = &opt.fsync},
    {"mail", .text = &opt.mail},
    {"count", .flag = &opt.count},
    {"quickack", .flag = &opt.quickack},
    {"on", .call = rule_add},
    {"rules", .call = rule_add_file},
    {"die-with-parent", .flag = &opt.die_with_parent},
};
enum { OPTIONS = sizeof table / sizeof table[0] };

static void options(int argc, char **argv) {
    struct option names[OPTIONS + 2] = {[OPTIONS] = {.name = "help", .val = OPTIONS}};
    for (int i = 0; i < OPTIONS; i++)
        names[i] = (struct option){.name = table[i].name, .has_arg = !table[i].flag, .val = i};
    for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (o == OPTIONS)
            fputs(help, stdout), exit(0);
        if (o < 0 || o > OPTIONS)
            exit(64);
        if (table[o].text)
            *table[o].text = optarg;
        else if (table[o].number)
            *table[o].number = (int)strtoul(optarg, NULL, 10);
        else if (table[o].flag)
            *table[o].flag = true;
        else
            table[o].call(optarg);
    }
    if (optind < argc)
        die("what is \"%s\"? See --help", argv[optind]);
    if (opt.user && !opt.password)
        die("--user needs --password");
    if (opt.smtps && (!opt.cert || !opt.key))
        die("--smtps needs --cert and --key");
    if (opt.count && (opt.ledger || opt.mail))
        die("--count keeps nothing: no --ledger, no --mail");
    opt.delay_usec = opt.delay_msec * INT64_C(1000);
}

int main(int argc, char **argv) {
    options(argc, argv);
    if (opt.die_with_parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    tls_start();
    message_open_ledger();
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    epfd = epoll_create1(EPOLL_CLOEXEC);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), listen_fd = start_listening();
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    epoll_ctl(epfd, EPOLL_CTL_ADD, signal_fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &signal_fd});
    epoll_ctl(epfd, EPOLL_CTL_ADD, listen_fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &listen_fd});
    epoll_ctl(epfd, EPOLL_CTL_ADD, timer_fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &timer_fd});
    for (;;) {
        struct epoll_event events[256];
        now = read_clock(CLOCK_MONOTONIC);
        (void)conn_wake_due();
        conn_flush_all();
        set_timer(timer_fd, conn_wake_due());
        int n = epoll_wait(epfd, events, 256, -1);
        now = read_clock(CLOCK_MONOTONIC);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &signal_fd) {
                struct signalfd_siginfo info;
                while (read(signal_fd, &info, sizeof info) == sizeof info) {
                    print_counts();
                    if (info.ssi_signo != SIGUSR1)
                        return 0;
                }
            } else if (events[i].data.ptr == &timer_fd) {
                uint64_t times;
                (void)!read(timer_fd, &times, sizeof times);
            } else if (events[i].data.ptr == &listen_fd) {
                for (int fd; (fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;)
                    conn_open(fd);
            } else {
                struct conn *c = events[i].data.ptr;
                if (events[i].events & EPOLLOUT)
                    conn_wake(c);
                if (events[i].events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                    input_read(c);
            }
        }
        conn_flush_all();
    }
}
