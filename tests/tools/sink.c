/* sink: an SMTP server for tests. It takes mail at full speed, writes down what it accepted, holds the client to the
 * protocol, and misbehaves as told. One process, one thread, epoll. `sink --help` says all.
 *
 * What a client does wrong is counted as a violation and said on standard error; the test decides what follows. */
// pkg-config: openssl
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
    "usage: sink [OPTION]...\n"
    "An SMTP server for tests. Prints \"port N\" when it listens, and its counts as JSON at SIGTERM (and at SIGUSR1).\n"
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
    "          say TEXT     writes just that, with \\r \\n \\xHH\n"
    "          extra TEXT   the normal reply, and then that in the same packet\n"
    "          delay MS     the normal reply, later\n"
    "          split        the normal reply, octet by octet\n"
    "          stall        never answers again, but reads on\n"
    "          close        closes; last NNN TEXT: replies and closes\n"
    "          reset        closes with RST\n"
    "          half-close   closes its own direction, reads on\n"
    "          accept-close accept-reset accept-stall   at end: takes the message, and never says so\n"
    "          garbage huge-line endless   what no server says\n";

/* ---- rules ---- */

#define STAGES(X) X(greeting) X(ehlo) X(helo) X(starttls) X(auth) X(mail) X(rcpt) X(data) X(body) X(end) X(rset) X(quit)
#define ACTIONS(X)                                                                                                     \
    X(say)                                                                                                             \
    X(extra)                                                                                                           \
    X(delay)                                                                                                           \
    X(split)                                                                                                           \
    X(stall)                                                                                                           \
    X(close)                                                                                                           \
    X(last) X(reset) X(half_close) X(accept_close) X(accept_reset) X(accept_stall) X(garbage) X(huge_line) X(endless)
#define AS_STAGE(n) STAGE_##n,
#define AS_ACTION(n) ACTION_##n,
#define AS_NAME(n) #n,
enum stage { STAGES(AS_STAGE) STAGE_COUNT };
enum action { ACTIONS(AS_ACTION) ACTION_COUNT, ACTION_reply };
static const char *const stage_names[] = {STAGES(AS_NAME)};
static const char *const action_names[] = {ACTIONS(AS_NAME)};

struct rule {
    struct rule *next;
    enum stage stage;
    enum action action;
    char *to, *text;
    size_t text_len;
    unsigned long first, last, after, bytes, seen;
};

static struct {
    const char *listen, *name, *ehlo, *cert, *key, *user, *password, *ledger, *mail, *port_file;
    int port, delay_msec;
    bool smtps, require_tls, require_auth, fsync, lenient_data, die_with_parent;
    int64_t delay_usec;
} opt = {
    .listen = "127.0.0.1",
    .name = "sink.test",
    .ehlo = "PIPELINING,CHUNKING,8BITMIME,SMTPUTF8,ENHANCEDSTATUSCODES,SIZE 31457280",
};
static struct rule *rules, **rules_end = &rules;

static struct {
    unsigned long connections, messages, recipients, refused, commands, round_trips, bytes, violations, tls, auth;
    unsigned long open, most_open; /* connections at once */
    char first[200];
} counts;

static int64_t now;

static void die(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("sink: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    exit(64);
}

static void *need(void *p) {
    if (!p)
        die("out of memory");
    return p;
}

/* \r \n \t \\ \xHH in place; the length. */
static size_t unescape(char *s) {
    char *to = s;
    for (char *p = s; *p;) {
        unsigned x;
        int n;
        if (p[0] != '\\') {
            *to++ = *p++;
        } else if (p[1] == 'x' && sscanf(p + 2, "%2x%n", &x, &n) == 1) {
            *to++ = (char)x;
            p += 2 + n;
        } else {
            *to++ = p[1] == 'r' ? '\r' : p[1] == 'n' ? '\n' : p[1] == 't' ? '\t' : p[1];
            p += p[1] ? 2 : 1;
        }
    }
    *to = '\0';
    return (size_t)(to - s);
}

static bool is_name(const char *word, const char *name) {
    for (; *word && (*word == *name || (*word == '-' && *name == '_')); word++, name++)
        ;
    return *word == *name;
}

static void add_rule(const char *line) {
    char *copy = need(strdup(line)), *rest = copy, *word;
    struct rule *r = need(calloc(1, sizeof *r));
    r->first = 1;
    r->last = (unsigned long)-1;
    if (!(word = strsep(&rest, " ")))
        die("empty rule");
    for (r->stage = 0; r->stage < STAGE_COUNT && !is_name(word, stage_names[r->stage]); r->stage++)
        ;
    if (r->stage == STAGE_COUNT)
        die("no stage \"%s\" in rule: %s", word, line);
    while (rest) {
        char *begin = rest;
        word = strsep(&rest, " ");
        if (strncmp(word, "to=", 3) == 0) {
            r->to = need(strdup(word + 3));
        } else if (strncmp(word, "nth=", 4) == 0) {
            char *end;
            r->first = r->last = strtoul(word + 4, &end, 10);
            if (*end == '-')
                r->last = end[1] ? strtoul(end + 1, NULL, 10) : (unsigned long)-1;
        } else if (strncmp(word, "after=", 6) == 0) {
            r->after = strtoul(word + 6, NULL, 10);
        } else if (strncmp(word, "bytes=", 6) == 0) {
            r->bytes = strtoul(word + 6, NULL, 10);
        } else {
            r->action = ACTION_reply;
            r->text = rest ? rest : "";
            if (word[0] >= '2' && word[0] <= '5') {
                if (rest)
                    rest[-1] = ' '; /* the code belongs to the text */
                r->text = begin;
            } else {
                for (r->action = 0; r->action < ACTION_COUNT && !is_name(word, action_names[r->action]); r->action++)
                    ;
                if (r->action == ACTION_COUNT)
                    die("no action \"%s\" in rule: %s", word, line);
            }
            r->text = need(strdup(r->text));
            r->text_len = unescape(r->text);
            break;
        }
    }
    if (!r->text)
        die("no action in rule: %s", line);
    free(copy);
    *rules_end = r;
    rules_end = &r->next;
}

static void add_rules(const char *path) {
    FILE *f = fopen(path, "re");
    char line[4096];
    if (!f)
        die("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] && line[0] != '#')
            add_rule(line);
    }
    fclose(f);
}

/* ---- connections ---- */

struct bytes {
    char *p;
    size_t len, cap, off;
};

static void add(struct bytes *b, const void *p, size_t len) {
    if (b->off == b->len)
        b->off = b->len = 0;
    if (b->len + len > b->cap) {
        b->cap = (b->len + len) * 2;
        b->p = need(realloc(b->p, b->cap));
    }
    if (len)
        memcpy(b->p + b->len, p, len);
    b->len += len;
}

enum after { AFTER_NOTHING, AFTER_CLOSE, AFTER_RESET, AFTER_HALF_CLOSE, AFTER_TLS };

/* A part of the output that may be written from a moment on. */
struct chunk {
    int64_t due;
    size_t len;
    enum after after;
};

enum mode { MODE_COMMAND, MODE_AUTH, MODE_DATA, MODE_BDAT, MODE_DEAF };

struct conn {
    struct conn *prev, *next, *next_active;
    int fd;
    unsigned long number, accepted;
    SSL *ssl;
    bool handshake, active, dead, endless, tls, authenticated, greeted, has_mail, bdat_last, bdat_failed, body_ruled;
    uint32_t events;
    enum mode mode;
    struct bytes in, out;
    size_t scanned; /* of the message in `in` */
    struct chunk *chunks;
    size_t chunk_count, chunk_room, chunk_first;
    int64_t extra_usec, mail_usec;
    char from[400], to[100][330], first_to[330];
    unsigned to_count;
    size_t bdat_left;
    struct bytes bdat;
};

static struct conn *conns, *active;
static int epfd;
static SSL_CTX *tls;
static int ledger_fd = -1;
static struct bytes ledger;

static void violation(const struct conn *c, const char *what) {
    if (counts.violations++ == 0)
        snprintf(counts.first, sizeof counts.first, "%s", what);
    if (counts.violations <= 100)
        fprintf(stderr, "sink: connection %lu: violation: %s\n", c->number, what);
}

static void wake(struct conn *c) {
    if (!c->active) {
        c->active = true;
        c->next_active = active;
        active = c;
    }
}

static void put_at(struct conn *c, int64_t due, const void *p, size_t len, enum after after) {
    struct chunk *last = c->chunk_count > c->chunk_first ? &c->chunks[c->chunk_count - 1] : NULL;
    if (last && due < last->due)
        due = last->due;
    add(&c->out, p, len);
    if (last && last->due == due && last->after == AFTER_NOTHING) {
        last->len += len;
        last->after = after;
    } else {
        if (c->chunk_first == c->chunk_count)
            c->chunk_first = c->chunk_count = 0;
        if (c->chunk_count == c->chunk_room) {
            c->chunk_room = c->chunk_room ? c->chunk_room * 2 : 4;
            c->chunks = need(realloc(c->chunks, c->chunk_room * sizeof *c->chunks));
        }
        c->chunks[c->chunk_count++] = (struct chunk){due, len, after};
    }
    wake(c);
}

static void put(struct conn *c, const void *p, size_t len, enum after after) {
    put_at(c, now + opt.delay_usec + c->extra_usec, p, len, after);
}

static void put_line(struct conn *c, const char *text, enum after after) {
    char line[1200];
    put(c, line, (size_t)snprintf(line, sizeof line, "%.1000s\r\n", text), after);
}

/* One octet each two milliseconds. */
static void put_split(struct conn *c, const char *text) {
    char line[1200];
    int len = snprintf(line, sizeof line, "%.1000s\r\n", text);
    for (int i = 0; i < len; i++)
        put_at(c, now + opt.delay_usec + i * 2000, line + i, 1, AFTER_NOTHING);
}

static void hang_up(struct conn *c, enum after after) {
    c->mode = MODE_DEAF;
    put(c, "", 0, after);
}

/* The first rule that fits; every rule counts how often it would have. */
static struct rule *rule_for(struct conn *c, enum stage stage, size_t bytes) {
    const char *who = stage == STAGE_mail ? c->from : c->first_to;
    struct rule *found = NULL;
    for (struct rule *r = rules; r; r = r->next)
        if (r->stage == stage && c->accepted >= r->after && bytes >= r->bytes &&
            (!r->to || fnmatch(r->to, who, FNM_CASEFOLD) == 0)) {
            r->seen++;
            if (!found && r->seen >= r->first && r->seen <= r->last)
                found = r;
        }
    return found;
}

/* Answers as a rule says, or else normally. The first digit of what was said; 0 where nothing is to follow. */
static int obey(struct conn *c, const struct rule *r, const char *normal) {
    if (!r) {
        put_line(c, normal, AFTER_NOTHING);
        return normal[0] - '0';
    }
    switch (r->action) {
    case ACTION_COUNT:
    case ACTION_reply:
        put_line(c, r->text, strncmp(r->text, "421", 3) == 0 ? AFTER_CLOSE : AFTER_NOTHING);
        if (strncmp(r->text, "421", 3) == 0)
            c->mode = MODE_DEAF;
        return r->text[0] - '0';
    case ACTION_say: put(c, r->text, r->text_len, AFTER_NOTHING); return r->text[0] - '0';
    case ACTION_extra:
        put_line(c, normal, AFTER_NOTHING);
        put(c, r->text, r->text_len, AFTER_NOTHING);
        return normal[0] - '0';
    case ACTION_delay:
        c->extra_usec = (int64_t)strtoul(r->text, NULL, 10) * 1000;
        put_line(c, normal, AFTER_NOTHING);
        c->extra_usec = 0;
        return normal[0] - '0';
    case ACTION_split: put_split(c, normal); return normal[0] - '0';
    case ACTION_stall: c->mode = MODE_DEAF; return 0;
    case ACTION_close: hang_up(c, AFTER_CLOSE); return 0;
    case ACTION_last:
        put_line(c, r->text, AFTER_CLOSE);
        c->mode = MODE_DEAF;
        return 0;
    case ACTION_reset: hang_up(c, AFTER_RESET); return 0;
    case ACTION_half_close: hang_up(c, AFTER_HALF_CLOSE); return 0;
    case ACTION_accept_close: hang_up(c, AFTER_CLOSE); return 2;
    case ACTION_accept_reset: hang_up(c, AFTER_RESET); return 2;
    case ACTION_accept_stall: c->mode = MODE_DEAF; return 2;
    case ACTION_garbage: put(c, "\0\377\200 nonsense\r\n\r\n", 16, AFTER_NOTHING); return 0;
    case ACTION_huge_line: {
        static char line[100000];
        memset(line, 'x', sizeof line);
        memcpy(line, "250 ", 4);
        put(c, line, sizeof line, AFTER_NOTHING);
        return 0;
    }
    case ACTION_endless:
        c->endless = true;
        c->mode = MODE_DEAF;
        wake(c);
        return 0;
    }
    return 0;
}

static int answer(struct conn *c, enum stage stage, const char *normal) {
    return obey(c, rule_for(c, stage, 0), normal);
}

/* ---- messages ---- */

static void reset_transaction(struct conn *c) {
    c->from[0] = c->first_to[0] = '\0';
    c->has_mail = c->bdat_failed = c->body_ruled = false;
    c->to_count = 0;
    c->bdat.len = 0;
}

/* The value of Message-ID among the header's lines. */
static int message_id(const char *p, size_t len, const char **ret) {
    const char *end = p + len;
    for (const char *line = p; line < end && *line != '\r';) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = stop ? (size_t)(stop - line) : (size_t)(end - line);
        if (n > 11 && strncasecmp(line, "message-id:", 11) == 0) {
            const char *from = line + 11;
            size_t left = n - 11;
            while (left && (*from == ' ' || *from == '\t'))
                from++, left--;
            while (left && (from[left - 1] == '\r' || from[left - 1] == ' '))
                left--;
            *ret = from;
            return (int)left;
        }
        if (!stop)
            break;
        line = stop + 1;
    }
    *ret = "-";
    return 1;
}

static void inspect(struct conn *c, const char *p, size_t len, bool stuffed) {
    const char *end = p + len;
    bool eight = false;
    while (p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        size_t n = lf ? (size_t)(lf - p) + 1 : (size_t)(end - p);
        const char *cr = memchr(p, '\r', n);
        if (lf && (cr != lf - 1))
            violation(c, cr ? "a bare CR in the message" : "a bare LF in the message");
        else if (!lf)
            violation(c, "the message does not end with CRLF");
        if (n > 1000)
            violation(c, "a line of more than 998 octets");
        if (stuffed && *p == '.' && p[1] != '.')
            violation(c, "a line begins with a dot that is not stuffed");
        for (size_t i = 0; i < n && !eight; i += 8) { /* eight at a time, and the rest of the line */
            uint64_t w = 0;
            memcpy(&w, p + i, n - i < 8 ? n - i : 8);
            eight = (w & UINT64_C(0x8080808080808080)) != 0;
        }
        p += n;
    }
    if (eight && !strstr(opt.ehlo, "8BITMIME"))
        violation(c, "8-bit octets without 8BITMIME");
}

static void store(unsigned long number, const char *p, size_t len, bool stuffed) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%08lu.eml", opt.mail, number);
    FILE *f = fopen(path, "we");
    if (!f)
        die("%s: %s", path, strerror(errno));
    for (const char *end = p + len; p < end;) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        size_t n = lf ? (size_t)(lf - p) + 1 : (size_t)(end - p);
        size_t skip = stuffed && *p == '.';
        fwrite(p + skip, 1, n - skip, f);
        p += n;
    }
    if (fclose(f) != 0)
        die("%s: %s", path, strerror(errno));
}

static int64_t read_clock(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void accept_message(struct conn *c, const char *p, size_t len, bool stuffed) {
    const char *id;
    int id_len = message_id(p, len, &id);
    int64_t accepted_usec = read_clock();
    c->accepted++;
    counts.messages++;
    for (unsigned i = 0; i < c->to_count; i++) {
        char line[2048];
        counts.recipients++;
        add(&ledger, line,
            (size_t)snprintf(line, sizeof line, "%lu\t%s\t%s\t%zu\t%.*s\t%lu\t%" PRId64 "\t%" PRId64 "\n",
                             counts.messages, c->from, c->to[i], len, id_len > 300 ? 300 : id_len, id, c->number,
                             c->mail_usec, accepted_usec));
    }
    if (opt.mail)
        store(counts.messages, p, len, stuffed);
}

static void end_of_message(struct conn *c, const char *p, size_t len, bool stuffed) {
    char normal[64];
    counts.bytes += len;
    inspect(c, p, len, stuffed);
    c->mode = MODE_COMMAND;
    snprintf(normal, sizeof normal, "250 2.0.0 taken as %lu", counts.messages + 1);
    int said = c->to_count || c->bdat_failed
                   ? answer(c, STAGE_end, c->to_count ? normal : "554 5.5.1 nobody to send to")
                   : (put_line(c, "554 5.5.1 nobody to send to", AFTER_NOTHING), 5);
    if (said == 2 && c->to_count)
        accept_message(c, p, len, stuffed);
    else
        counts.refused++;
    reset_transaction(c);
}

static void ledger_flush(void) {
    if (ledger_fd >= 0)
        for (size_t at = 0; at < ledger.len;) {
            ssize_t n = write(ledger_fd, ledger.p + at, ledger.len - at);
            if (n < 0 && errno != EINTR)
                die("%s: %s", opt.ledger, strerror(errno));
            at += n > 0 ? (size_t)n : 0;
        }
    if (ledger.len && opt.fsync && fdatasync(ledger_fd) < 0)
        die("%s: %s", opt.ledger, strerror(errno));
    ledger.len = 0;
}

/* ---- commands ---- */

static bool offers(const char *keyword) {
    size_t n = strlen(keyword);
    for (const char *p = opt.ehlo; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncasecmp(p, keyword, n) == 0 && (p[n] == '\0' || p[n] == ',' || p[n] == ' '))
            return true;
    return false;
}

static void on_ehlo(struct conn *c, bool helo) {
    char text[2000];
    reset_transaction(c);
    c->greeted = true;
    if (helo) {
        snprintf(text, sizeof text, "250 %s", opt.name);
        answer(c, STAGE_helo, text);
        return;
    }
    struct rule *r = rule_for(c, STAGE_ehlo, 0);
    if (r && r->action != ACTION_extra && r->action != ACTION_delay && r->action != ACTION_split) {
        obey(c, r, "250 hello");
        return;
    }
    char all[1500];
    bool can_auth = opt.user && (!tls || c->tls);
    snprintf(all, sizeof all, "%s%s%s", opt.ehlo, tls && !c->tls ? ",STARTTLS" : "", can_auth ? ",AUTH PLAIN" : "");
    size_t at = (size_t)snprintf(text, sizeof text, "250%c%s", all[0] ? '-' : ' ', opt.name);
    for (char *rest = all[0] == ',' ? all + 1 : all, *word; (word = strsep(&rest, ","));)
        if (word[0] || !rest)
            at += (size_t)snprintf(text + at, sizeof text - at, "\r\n250%c%s", rest ? '-' : ' ', word);
    if (r)
        obey(c, r, text);
    else
        put_line(c, text, AFTER_NOTHING);
}

static void on_auth(struct conn *c, const char *response) {
    unsigned char plain[800] = {0};
    size_t len = strlen(response);
    char expected[400];
    c->mode = MODE_COMMAND;
    bool good = false;
    if (len % 4 == 0 && len <= 1000 && EVP_DecodeBlock(plain, (const unsigned char *)response, (int)len) >= 0) {
        int n = snprintf(expected, sizeof expected, "%c%s%c%s", 0, opt.user, 0, opt.password);
        good = memcmp(plain, expected, (size_t)n + 1) == 0;
    }
    if (answer(c, STAGE_auth, good ? "235 2.7.0 welcome" : "535 5.7.8 user name or password is wrong") == 2) {
        c->authenticated = true;
        counts.auth++;
    }
}

/* The path between < and >; false where it is not one. */
static bool path(const char *args, const char *keyword, char *to, size_t size, const char **ret_params) {
    size_t n = strlen(keyword);
    if (strncasecmp(args, keyword, n) != 0 || args[n] != '<')
        return false;
    const char *end = strchr(args + n, '>');
    if (!end || (size_t)(end - args) - n >= size)
        return false;
    snprintf(to, size, "%.*s", (int)(end - args - (ptrdiff_t)n - 1), args + n + 1);
    *ret_params = end + 1;
    return end[1] == '\0' || end[1] == ' ';
}

static bool is_ascii(const char *s) {
    for (; *s; s++)
        if (*s & 0x80)
            return false;
    return true;
}

static void on_mail(struct conn *c, const char *args) {
    const char *params, *size;
    char from[sizeof c->from];
    if (opt.require_tls && !c->tls) {
        put_line(c, "530 5.7.0 STARTTLS first", AFTER_NOTHING);
    } else if (opt.require_auth && !c->authenticated) {
        put_line(c, "530 5.7.0 AUTH first", AFTER_NOTHING);
    } else if (!path(args, "FROM:", from, sizeof from, &params)) {
        violation(c, "a malformed MAIL");
        put_line(c, "501 5.5.4 MAIL FROM:<address>", AFTER_NOTHING);
    } else if (c->has_mail) {
        violation(c, "MAIL within a transaction");
        put_line(c, "503 5.5.1 nested MAIL", AFTER_NOTHING);
    } else {
        if (!is_ascii(from) && !strstr(params, "SMTPUTF8"))
            violation(c, "a sender that is not ASCII without SMTPUTF8");
        if ((strstr(params, "SMTPUTF8") && !offers("SMTPUTF8")) || (strstr(params, "SIZE=") && !offers("SIZE")) ||
            (strstr(params, "BODY=") && !offers("8BITMIME")))
            violation(c, "a parameter of MAIL that was not offered");
        size = strstr(params, "SIZE=");
        const char *most = strstr(opt.ehlo, "SIZE ");
        snprintf(c->from, sizeof c->from, "%s", from);
        c->mail_usec = read_clock();
        if (size && most && strtoul(size + 5, NULL, 10) > strtoul(most + 5, NULL, 10))
            put_line(c, "552 5.3.4 too big", AFTER_NOTHING);
        else
            c->has_mail = answer(c, STAGE_mail, "250 2.1.0 ok") == 2;
    }
}

static void on_rcpt(struct conn *c, const char *args) {
    const char *params;
    char to[sizeof c->to[0]];
    if (!path(args, "TO:", to, sizeof to, &params) || !to[0]) {
        violation(c, "a malformed RCPT");
        put_line(c, "501 5.5.4 RCPT TO:<address>", AFTER_NOTHING);
    } else if (!c->has_mail) {
        put_line(c, "503 5.5.1 MAIL first", AFTER_NOTHING);
    } else if (c->to_count == sizeof c->to / sizeof c->to[0]) {
        put_line(c, "452 4.5.3 too many recipients", AFTER_NOTHING);
    } else {
        snprintf(c->first_to, sizeof c->first_to, "%s", to);
        if (answer(c, STAGE_rcpt, "250 2.1.5 ok") == 2)
            snprintf(c->to[c->to_count++], sizeof c->to[0], "%s", to);
    }
}

static void on_data(struct conn *c) {
    if (!c->has_mail)
        put_line(c, "503 5.5.1 MAIL first", AFTER_NOTHING);
    else if (!c->to_count && !opt.lenient_data)
        put_line(c, "554 5.5.1 no valid recipients", AFTER_NOTHING);
    else if (c->bdat.len)
        violation(c, "DATA within BDAT"), put_line(c, "503 5.5.1 BDAT has begun", AFTER_NOTHING);
    else if (answer(c, STAGE_data, "354 go on") == 3)
        c->mode = c->mode == MODE_COMMAND ? MODE_DATA : c->mode, c->scanned = 0;
}

static void on_bdat(struct conn *c, const char *args) {
    char *end;
    c->bdat_left = strtoul(args, &end, 10);
    c->bdat_last = strcasecmp(end, " LAST") == 0;
    c->bdat_failed |= !c->has_mail || !c->to_count;
    if (end == args || (*end && !c->bdat_last))
        violation(c, "a malformed BDAT");
    c->mode = MODE_BDAT;
}

static void on_command(struct conn *c, char *line) {
    counts.commands++;
    char *args = strchr(line, ' ');
    size_t n = args ? (size_t)(args - line) : strlen(line);
    args = args ? args + 1 : line + n;
#define IS(name) (n == sizeof name - 1 && strncasecmp(line, name, n) == 0)
    if (IS("EHLO")) {
        on_ehlo(c, false);
    } else if (IS("HELO")) {
        on_ehlo(c, true);
    } else if (IS("STARTTLS") && tls && !c->tls) {
        if (c->in.len > c->in.off)
            violation(c, "octets behind STARTTLS");
        if (answer(c, STAGE_starttls, "220 2.0.0 go on") == 2)
            put(c, "", 0, AFTER_TLS);
        c->greeted = false;
    } else if (IS("AUTH") && opt.user && (!tls || c->tls) && strncasecmp(args, "PLAIN", 5) == 0) {
        if (args[5])
            on_auth(c, args + 6);
        else
            put_line(c, "334 ", AFTER_NOTHING), c->mode = MODE_AUTH;
    } else if (!c->greeted) {
        violation(c, "a command before EHLO");
        put_line(c, "503 5.5.1 EHLO first", AFTER_NOTHING);
    } else if (IS("MAIL")) {
        on_mail(c, args);
    } else if (IS("RCPT")) {
        on_rcpt(c, args);
    } else if (IS("DATA")) {
        on_data(c);
    } else if (IS("BDAT") && offers("CHUNKING")) {
        on_bdat(c, args);
    } else if (IS("RSET")) {
        if (answer(c, STAGE_rset, "250 2.0.0 ok") == 2)
            reset_transaction(c);
    } else if (IS("NOOP")) {
        put_line(c, "250 2.0.0 ok", AFTER_NOTHING);
    } else if (IS("QUIT")) {
        if (answer(c, STAGE_quit, "221 2.0.0 bye"))
            hang_up(c, AFTER_CLOSE);
    } else {
        violation(c, "an unknown command");
        put_line(c, "500 5.5.2 what?", AFTER_NOTHING);
    }
}

/* ---- input ---- */

static bool body_rule(struct conn *c, size_t bytes) {
    if (c->body_ruled || bytes == 0)
        return false;
    struct rule *r = rule_for(c, STAGE_body, bytes);
    if (!r)
        return false;
    c->body_ruled = true;
    obey(c, r, "250 2.0.0 early");
    return c->mode == MODE_DEAF;
}

/* Where the message ends (at its final dot), or NULL. */
static const char *find_end(struct conn *c, const char *p, size_t len) {
    if (len >= 3 && memcmp(p, ".\r\n", 3) == 0)
        return p;
    size_t from = c->scanned > 4 ? c->scanned - 4 : 0;
    const char *end = memmem(p + from, len - from, "\r\n.\r\n", 5);
    c->scanned = len;
    return end ? end + 2 : NULL;
}

/* True where something was taken. */
static bool take(struct conn *c) {
    char *p = c->in.p + c->in.off;
    size_t len = c->in.len - c->in.off;
    if (len == 0)
        return false;
    switch (c->mode) {
    case MODE_DEAF: c->in.off = c->in.len; return false;
    case MODE_DATA: {
        if (body_rule(c, len))
            return false;
        const char *end = find_end(c, p, len);
        if (!end)
            return false;
        end_of_message(c, p, (size_t)(end - p), true);
        c->in.off += (size_t)(end - p) + 3;
        return true;
    }
    case MODE_BDAT: {
        size_t n = len < c->bdat_left ? len : c->bdat_left;
        if (body_rule(c, c->bdat.len + n))
            return false;
        if (!c->bdat_failed)
            add(&c->bdat, p, n);
        c->in.off += n;
        c->bdat_left -= n;
        if (c->bdat_left == 0) {
            c->mode = MODE_COMMAND;
            if (c->bdat_failed) {
                put_line(c, "503 5.5.1 no valid recipients", AFTER_NOTHING);
                counts.refused++;
                reset_transaction(c);
            } else if (c->bdat_last) {
                end_of_message(c, c->bdat.p, c->bdat.len, false);
            } else {
                put_line(c, "250 2.0.0 go on", AFTER_NOTHING);
            }
        }
        return true;
    }
    case MODE_COMMAND:
    case MODE_AUTH: {
        char *lf = memchr(p, '\n', len);
        if (!lf) {
            if (len > 4096)
                violation(c, "an endless command"), hang_up(c, AFTER_CLOSE);
            return false;
        }
        size_t n = (size_t)(lf - p) + 1;
        if (n < 2 || lf[-1] != '\r')
            violation(c, "a command that ends with a bare LF");
        lf[n >= 2 && lf[-1] == '\r' ? -1 : 0] = '\0';
        if (n > 1000)
            violation(c, "a long command");
        c->in.off += n;
        bool group_ends = strncasecmp(p, "DATA", 4) == 0 || strncasecmp(p, "EHLO", 4) == 0 ||
                          strncasecmp(p, "QUIT", 4) == 0 || strncasecmp(p, "NOOP", 4) == 0;
        bool is_bdat = strncasecmp(p, "BDAT", 4) == 0;
        if (c->mode == MODE_AUTH)
            on_auth(c, p);
        else
            on_command(c, p);
        if (c->in.off < c->in.len && c->mode == MODE_COMMAND && !is_bdat) {
            if (group_ends)
                violation(c, "octets behind a command that ends a group");
            else if (!offers("PIPELINING"))
                violation(c, "pipelining that was not offered");
        }
        if (c->in.off < c->in.len && c->mode == MODE_DATA)
            violation(c, "message octets before the 354");
        return true;
    }
    }
    return false;
}

static void on_bytes(struct conn *c) {
    while (!c->dead && take(c))
        ;
    if (c->in.off == c->in.len) {
        c->in.off = c->in.len = 0;
    } else if (c->in.off > c->in.len / 2) {
        memmove(c->in.p, c->in.p + c->in.off, c->in.len - c->in.off);
        c->in.len -= c->in.off;
        c->in.off = 0;
    }
}

static void watch(struct conn *c, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    if (c->events != events && epoll_ctl(epfd, c->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, c->fd, &e) < 0)
        die("epoll: %s", strerror(errno));
    c->events = events;
}

static void drop(struct conn *c) {
    c->dead = true;
    wake(c);
}

static bool tls_wants(struct conn *c, int r) {
    int e = SSL_get_error(c->ssl, r);
    ERR_clear_error();
    if (e == SSL_ERROR_WANT_WRITE)
        watch(c, EPOLLIN | EPOLLOUT);
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static void tls_begin(struct conn *c) {
    c->ssl = need(SSL_new(tls));
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_accept_state(c->ssl);
    c->handshake = true;
    c->in.off = c->in.len = 0;
}

static void greet(struct conn *c) {
    char text[300];
    snprintf(text, sizeof text, "220 %s ESMTP sink", opt.name);
    answer(c, STAGE_greeting, text);
}

static void tls_step(struct conn *c) {
    int r = SSL_accept(c->ssl);
    if (r == 1) {
        c->handshake = false;
        c->tls = true;
        counts.tls++;
        if (opt.smtps)
            greet(c);
    } else if (!tls_wants(c, r)) {
        drop(c);
    }
}

/* 1 read, 0 nothing more now, -1 over. */
static int pull(struct conn *c) {
    char chunk[65536];
    ssize_t n;
    if (c->ssl) {
        n = SSL_read(c->ssl, chunk, sizeof chunk);
        if (n <= 0)
            return tls_wants(c, (int)n) ? 0 : -1;
    } else {
        n = recv(c->fd, chunk, sizeof chunk, 0);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -1;
        if (n == 0)
            return -1;
    }
    add(&c->in, chunk, (size_t)n);
    on_bytes(c);
    return n == sizeof chunk || c->ssl ? 1 : 0;
}

static void on_readable(struct conn *c) {
    if (c->handshake)
        tls_step(c);
    while (!c->dead && !c->handshake) {
        int r = pull(c);
        if (r < 0)
            drop(c);
        if (r <= 0)
            break;
    }
}

/* ---- output ---- */

/* Octets written; 0 where the socket is full; -1 where the connection is gone. */
static ssize_t push(struct conn *c, const char *p, size_t len) {
    if (c->ssl && !c->handshake) {
        int n = SSL_write(c->ssl, p, (int)len);
        return n > 0 ? n : tls_wants(c, n) ? 0 : -1;
    }
    ssize_t n = send(c->fd, p, len, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

static void finish_chunk(struct conn *c, enum after after) {
    switch (after) {
    case AFTER_NOTHING: break;
    case AFTER_TLS: tls_begin(c); break;
    case AFTER_CLOSE: drop(c); break;
    case AFTER_HALF_CLOSE: (void)shutdown(c->fd, SHUT_WR); break;
    case AFTER_RESET: {
        struct linger hard = {.l_onoff = 1};
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        drop(c);
        break;
    }
    }
}

static void flush(struct conn *c) {
    bool wrote = false;
    if (c->endless && c->chunk_first == c->chunk_count)
        for (int i = 0; i < 500; i++)
            put_line(c, "250-and so on", AFTER_NOTHING);
    while (!c->dead && c->chunk_first < c->chunk_count && c->chunks[c->chunk_first].due <= now) {
        struct chunk *k = &c->chunks[c->chunk_first];
        while (k->len) {
            ssize_t n = push(c, c->out.p + c->out.off, k->len);
            if (n < 0)
                drop(c);
            if (n <= 0) {
                watch(c, EPOLLIN | EPOLLOUT);
                counts.round_trips += wrote;
                return;
            }
            wrote = true;
            c->out.off += (size_t)n;
            k->len -= (size_t)n;
        }
        c->chunk_first++;
        finish_chunk(c, k->after);
    }
    counts.round_trips += wrote;
    watch(c, c->endless ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

static void conn_free(struct conn *c) {
    if (c->prev)
        c->prev->next = c->next;
    else
        conns = c->next;
    if (c->next)
        c->next->prev = c->prev;
    counts.open--;
    SSL_free(c->ssl);
    close(c->fd);
    free(c->in.p);
    free(c->out.p);
    free(c->bdat.p);
    free(c->chunks);
    free(c);
}

/* Writes what may be written now, after the ledger has it. */
static void flush_all(void) {
    while (active) {
        ledger_flush();
        struct conn *list = active;
        active = NULL;
        while (list) {
            struct conn *c = list;
            list = c->next_active;
            c->active = false;
            if (!c->dead)
                flush(c);
            if (c->dead && !c->active)
                conn_free(c);
        }
    }
}

static void on_connection(int fd) {
    struct conn *c = need(calloc(1, sizeof *c));
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->fd = fd;
    c->number = ++counts.connections;
    if (++counts.open > counts.most_open)
        counts.most_open = counts.open;
    c->next = conns;
    if (conns)
        conns->prev = c;
    conns = c;
    watch(c, EPOLLIN);
    if (opt.smtps)
        tls_begin(c);
    else
        greet(c);
}

/* ---- the program ---- */

static void print_counts(void) {
    printf("{\"connections\":%lu,\"most_open\":%lu,\"tls\":%lu,\"auth\":%lu,\"messages\":%lu,\"recipients\":%lu,"
           "\"refused\":%lu,"
           "\"commands\":%lu,\"round_trips\":%lu,\"bytes\":%lu,\"violations\":%lu,\"first_violation\":\"%s\"}\n",
           counts.connections, counts.most_open, counts.tls, counts.auth, counts.messages, counts.recipients,
           counts.refused, counts.commands, counts.round_trips, counts.bytes, counts.violations, counts.first);
    fflush(stdout);
}

static void tick(void) {
    now = read_clock();
}

/* Wakes what is due; milliseconds until the next, -1 for never. */
static int wake_due(void) {
    int64_t next = -1;
    for (struct conn *c = conns; c; c = c->next)
        if (c->chunk_first < c->chunk_count) {
            int64_t due = c->chunks[c->chunk_first].due;
            if (due <= now && !(c->events & EPOLLOUT))
                wake(c);
            else if (due > now && (next < 0 || due < next))
                next = due;
        }
    return next < 0 ? -1 : (int)((next - now + 999) / 1000);
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

static void write_pem(const char *dir, const char *name, EVP_PKEY *key, X509 *cert) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    if (!f || (key ? PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) : PEM_write_X509(f, cert)) != 1 ||
        fclose(f) != 0)
        die("%s: %s", path, strerror(errno));
}

static X509 *make_x509(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key, int nid,
                       const char *value) {
    X509 *x = need(X509_new());
    X509_NAME *subject = X509_get_subject_name(x);
    X509V3_CTX context;
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), issuer ? 2 : 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -86400);
    X509_gmtime_adj(X509_getm_notAfter(x), 30 * 86400L);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject);
    X509_set_pubkey(x, key);
    X509V3_set_ctx(&context, issuer ? issuer : x, x, NULL, NULL, 0);
    X509_EXTENSION *e = need(X509V3_EXT_conf_nid(NULL, &context, nid, value));
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    if (!X509_sign(x, issuer_key, EVP_sha256()))
        die("cannot sign a certificate");
    return x;
}

static void make_cert(const char *dir) {
    EVP_PKEY *ca_key = need(EVP_EC_gen("P-256")), *key = need(EVP_EC_gen("P-256"));
    X509 *ca = make_x509("Test CA", ca_key, NULL, ca_key, NID_basic_constraints, "critical,CA:TRUE");
    X509 *cert = make_x509("localhost", key, ca, ca_key, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    write_pem(dir, "ca.pem", NULL, ca);
    write_pem(dir, "cert.pem", NULL, cert);
    write_pem(dir, "key.pem", key, NULL);
    exit(0);
}

static void start_tls(void) {
    if (!opt.cert || !opt.key)
        return;
    tls = need(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (SSL_CTX_use_certificate_chain_file(tls, opt.cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, opt.key, SSL_FILETYPE_PEM) != 1)
        die("cannot use %s and %s", opt.cert, opt.key);
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
    {"make-cert", .call = make_cert},
    {"require-tls", .flag = &opt.require_tls},
    {"user", .text = &opt.user},
    {"password", .text = &opt.password},
    {"require-auth", .flag = &opt.require_auth},
    {"delay", .number = &opt.delay_msec},
    {"lenient-data", .flag = &opt.lenient_data},
    {"ledger", .text = &opt.ledger},
    {"ledger-fsync", .flag = &opt.fsync},
    {"mail", .text = &opt.mail},
    {"on", .call = add_rule},
    {"rules", .call = add_rules},
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
    opt.delay_usec = opt.delay_msec * INT64_C(1000);
}

int main(int argc, char **argv) {
    options(argc, argv);
    if (opt.die_with_parent)
        prctl(PR_SET_PDEATHSIG, SIGTERM);
    start_tls();
    if (opt.ledger && (ledger_fd = open(opt.ledger, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
        die("%s: %s", opt.ledger, strerror(errno));
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    epfd = epoll_create1(EPOLL_CLOEXEC);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK), listen_fd = start_listening();
    epoll_ctl(epfd, EPOLL_CTL_ADD, signal_fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &signal_fd});
    epoll_ctl(epfd, EPOLL_CTL_ADD, listen_fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &listen_fd});
    for (;;) {
        struct epoll_event events[256];
        tick();
        (void)wake_due();
        flush_all();
        int n = epoll_wait(epfd, events, 256, wake_due());
        tick();
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr == &signal_fd) {
                struct signalfd_siginfo info;
                while (read(signal_fd, &info, sizeof info) == sizeof info) {
                    print_counts();
                    if (info.ssi_signo != SIGUSR1)
                        return 0;
                }
            } else if (events[i].data.ptr == &listen_fd) {
                for (int fd; (fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;)
                    on_connection(fd);
            } else {
                struct conn *c = events[i].data.ptr;
                if (events[i].events & EPOLLOUT)
                    wake(c);
                if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
                    on_readable(c);
            }
        }
        flush_all();
    }
}
