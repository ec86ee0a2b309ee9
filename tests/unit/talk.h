/* Conversations of a session with the tests' SMTP server, many beside one another in one loop: what a case says of the
 * server, and what must become of the messages. For the unit tests of sessions. */
#pragma once
#include "send/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "send/connect.h"
#include "sink.h"

enum { MESSAGES_MAX = 12, RULES_MAX = 3 };
/* More than the sockets hold: where the server reads no more, it is never whole. */
enum { HUGE_MESSAGE = 24 << 20 };

/* What became of a message, as one letter. */
#define DELIVERED 'D'
#define LATER 'L' /* DEFERRED */
#define REFUSED 'R'
#define DOUBT 'X'
#define UNSENT 'U'
#define NOTHING '-'

static const char *const modes[] = {
    "8BITMIME,SMTPUTF8,ENHANCEDSTATUSCODES,SIZE 31457280",
    "PIPELINING,8BITMIME,SMTPUTF8,ENHANCEDSTATUSCODES,SIZE 31457280",
    "PIPELINING,CHUNKING,8BITMIME,SMTPUTF8,ENHANCEDSTATUSCODES,SIZE 31457280",
};
enum { MODES = 3 };

struct dialogue_case {
    const char *name;
    const char *rules[RULES_MAX];
    const char *expected;           /* a letter for each message; "?" for L or X: who was faster */
    const char *expected_in[MODES]; /* where a mode differs; NULL: as above */
    const char *says;               /* in the text of the first outcome that is not DELIVERED, or of the end */
    enum outcome_subject subject;   /* of that outcome, where not DELIVERED; 0: of the recipient */
};

#define ANY OUTCOME_OF_RECIPIENT
#define CONNECTION OUTCOME_OF_CONNECTION

/* ---- one conversation ---- */

static struct loop *loop;
static struct connector *connector;
static unsigned running;

struct talk {
    struct session *session;
    unsigned count, given, answered;
    char became[MESSAGES_MAX + 1];
    size_t size; /* of each message */
    struct outcome first, end;
    bool has_first, closed, quiet, utf8, no_quit;
    const char *relay_text, *host;
    struct conf *conf; /* until it is connected */
    unsigned number;   /* tells its ledger from others */
    struct sink sink;
    const struct session_handlers *handlers;
    bool smtps;
};

static inline void message(struct buf *b, unsigned n, size_t size) {
    buf_printf(b, "From: a@sender.example\r\nMessage-ID: <%u@sender.example>\r\n\r\n.begins with a dot\r\n..\r\n", n);
    while (b->len < size)
        buf_puts(b, "Seventy characters and a few more, so that it is a line like many others.\r\n");
}

static inline void give(struct talk *t) {
    while (t->given < t->count && session_room(t->session) > 0) {
        AUTOBUF struct buf b = BUF_INIT(64 << 20);
        char recipient[64];
        message(&b, t->given + 1, t->size);
        int n = snprintf(recipient, sizeof recipient, "r%u@people.example", t->given + 1);
        struct envelope e = {VIEW("bounce@sender.example"), view_make(recipient, (size_t)n), t->utf8};
        assert_int_equal(session_send(t->session, &e, buf_view(&b), t->given), 0);
        t->given++;
    }
}

static inline void took(struct talk *t, uint64_t cookie, char what) {
    assert_true(cookie < t->given);
    assert_int_equal(t->became[cookie], NOTHING);
    t->became[cookie] = what;
    t->answered++;
}

static inline void on_ready(void *user, struct session *s) {
    struct talk *t = user;
    assert_ptr_equal(s, t->session);
    assert_true(session_room(s) > 0);
    give(t);
    if (t->count == 0)
        session_quit(s);
}

static inline void on_outcome(void *user, struct session *s, uint64_t cookie, const struct outcome *o) {
    static const char letters[] = {[OUTCOME_DELIVERED] = DELIVERED,
                                   [OUTCOME_DEFERRED] = LATER,
                                   [OUTCOME_REFUSED] = REFUSED,
                                   [OUTCOME_IN_DOUBT] = DOUBT};
    struct talk *t = user;
    took(t, cookie, letters[o->class]);
    if (o->class != OUTCOME_DELIVERED && !t->has_first) {
        t->has_first = true;
        t->first = *o;
    }
    give(t);
    if (t->answered == t->count && !t->no_quit)
        session_quit(s);
}

static inline void on_unsent(void *user, struct session *s, uint64_t cookie) {
    (void)s;
    took(user, cookie, UNSENT);
}

static inline void on_closed(void *user, struct session *s, const struct outcome *why) {
    struct talk *t = user;
    assert_ptr_equal(s, t->session);
    assert_int_equal(session_room(s), 0);
    assert_int_equal(session_in_flight(s), 0);
    t->closed = true;
    t->quiet = why == NULL;
    if (why)
        t->end = *why;
    if (--running == 0)
        loop_stop(loop, 0);
}

static const struct session_handlers handlers = {on_ready, on_outcome, on_unsent, on_closed};

static inline void on_too_long(void *user) {
    (void)user;
    fail_msg("the conversation does not end");
}

static inline void talk_init(struct talk *t, unsigned count) {
    *t = (struct talk){
        .count = count, .size = 3000, .relay_text = "tls = none\n", .host = "127.0.0.1", .handlers = &handlers};
    memset(t->became, NOTHING, count);
}

static inline void on_conf_error(void *user, const struct why *why) {
    (void)user;
    fail_msg("%s %s", why->where, why->what);
}

static inline struct conf *read_conf(const struct talk *t, uint16_t port) {
    AUTOBUF struct buf text = BUF_INIT(10000);
    struct conf *conf = NULL;
    buf_printf(&text,
               "[sender s]\nname = S\naddress = s@sender.example\npublic-url = https://s.example\n"
               "[relay main]\nurl = %s://%s:%u\nehlo = client.example\nconnections = 1\n"
               "in-flight = 4\n%s",
               t->smtps ? "smtps" : "smtp", t->host, port, t->relay_text);
    assert_int_equal(conf_parse(buf_view(&text), "t.ini", on_conf_error, NULL, &conf), 0);
    /* Shorter than the option table allows. */
    conf->timeout_connect_usec = conf->timeout_greeting_usec = 4 * USEC_PER_SEC;
    conf->timeout_command_usec = conf->timeout_data_usec = conf->timeout_block_usec = conf->timeout_end_usec =
        t->size < HUGE_MESSAGE ? USEC_PER_SEC : 4 * USEC_PER_SEC; /* which takes its time */
    return conf;
}

static inline const char *ledger_of(const struct talk *t);

/* Conversations beside one another in one loop. */
static inline void begin_talks(void) {
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(connector_new(loop, &connector), 0);
}

static inline void begin_talk(struct talk *t, const char *const *sink_args) {
    const char *args[SINK_ARGS_MAX] = {"--ledger", strdup(ledger_of(t))};
    for (unsigned i = 0; sink_args[i]; i++)
        args[i + 2] = sink_args[i];
    (void)unlink(args[1]);
    sink_start(&t->sink, args);
    free((void *)(uintptr_t)args[1]);
    t->conf = read_conf(t, t->sink.port);
}

/* When all servers are there: their times run from here. */
static inline void connect_talks(struct talk *talks, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        struct talk *t = &talks[i];
        assert_int_equal(session_new(loop, connector, t->conf, &t->conf->relays[0], t->handlers, t, &t->session), 0);
        assert_int_equal(session_room(t->session), 0);
        t->conf = conf_unref(t->conf);
        running++;
    }
}

static inline void end_talks(struct talk *talks, unsigned count) {
    struct loop_source *timer;
    connect_talks(talks, count);
    assert_int_equal(loop_add_timer(loop, on_too_long, NULL, &timer), 0);
    loop_set_timer(timer, clock_mono_usec() + 60 * USEC_PER_SEC);
    assert_int_equal(loop_run(loop), 0);
    for (unsigned i = 0; i < count; i++) {
        talks[i].session = session_free(talks[i].session);
        sink_stop(&talks[i].sink);
    }
    connector_free(connector);
    loop_remove(timer);
    loop_free(loop);
}

static char folder[] = "/tmp/rundbrief-session-XXXXXX";

static inline const char *in_folder(const char *name) {
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline const char *ledger_of(const struct talk *t) {
    char name[32];
    (void)snprintf(name, sizeof name, "ledger-%u", t->number);
    return in_folder(name);
}

/* How often the ledger names the recipient of message n. */
static inline unsigned in_ledger(const struct talk *t, unsigned n) {
    AUTOBUF struct buf b = BUF_INIT(1 << 20);
    char name[64];
    unsigned times = 0;
    if (files_read(AT_FDCWD, ledger_of(t), &b) < 0)
        return 0;
    int len = snprintf(name, sizeof name, "\tr%u@people.example\t", n);
    for (struct view rest = buf_view(&b), line; view_line(&rest, &line);)
        times += view_search(line, view_make(name, (size_t)len)) < line.len;
    return times;
}

static unsigned complaints;

#define complain(...) (print_error(__VA_ARGS__), print_error("\n"), complaints++)

static inline bool became_as(const char *became, const char *expected, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (became[i] != expected[i] && !(expected[i] == '?' && strchr("LX", became[i])))
            return false;
    return true;
}

static inline void check(const struct dialogue_case *c, unsigned mode, const struct talk *t) {
    const char *expected = c->expected_in[mode] ? c->expected_in[mode] : c->expected;
    bool closed = strchr(expected, '!') != NULL;
    if (!became_as(t->became, expected, t->count) || t->quiet == closed)
        complain("%s, mode %u: %s%s, not %s; first \"%s\", end \"%s\"", c->name, mode, t->became, t->quiet ? "" : "!",
                 expected, t->first.text, t->end.text);
    if (c->says && !strstr(t->first.text, c->says) && !strstr(t->end.text, c->says))
        complain("%s, mode %u: \"%s\", \"%s\" do not say \"%s\"", c->name, mode, t->first.text, t->end.text, c->says);
    if (t->has_first && strchr("LRX", expected[strspn(expected, "DU-")]) && t->first.subject != c->subject)
        complain("%s, mode %u: subject %d of \"%s\"", c->name, mode, t->first.subject, t->first.text);
    if (closed && (t->end.class != OUTCOME_DEFERRED || t->end.subject != OUTCOME_OF_CONNECTION))
        complain("%s, mode %u: ends with class %d, subject %d", c->name, mode, t->end.class, t->end.subject);
    for (unsigned i = 0; i < t->count; i++) {
        unsigned times = in_ledger(t, i + 1);
        bool wrong = t->became[i] == DELIVERED ? times != 1 : t->became[i] != DOUBT ? times != 0 : times > 1;
        if (wrong)
            complain("%s, mode %u: message %u is %c, and in the ledger %u times", c->name, mode, i + 1, t->became[i],
                     times);
    }
    if (sink_count(&t->sink, "violations") != 0)
        complain("%s, mode %u: %s", c->name, mode, t->sink.counts);
}

static inline void begin_case(const struct dialogue_case *c, unsigned mode, unsigned number, size_t size,
                              struct talk *t) {
    const char *args[SINK_ARGS_MAX] = {"--ehlo", modes[mode]};
    unsigned n = 2;
    for (unsigned i = 0; i < RULES_MAX && c->rules[i]; i++) {
        args[n++] = "--on";
        args[n++] = c->rules[i];
    }
    talk_init(t, (unsigned)strcspn(c->expected_in[mode] ? c->expected_in[mode] : c->expected, "!"));
    t->number = number;
    t->size = size ? size : t->size;
    begin_talk(t, args);
}

/* All of them beside one another, once in each mode. size of each message; 0: small ones. */
static inline void hold_dialogues(const struct dialogue_case *list, unsigned count, size_t size) {
    struct talk *talks = calloc(count, sizeof *talks);
    complaints = 0;
    assert_non_null(talks);
    for (unsigned mode = 0; mode < MODES; mode++) {
        begin_talks();
        for (unsigned i = 0; i < count; i++)
            begin_case(&list[i], mode, i, size, &talks[i]);
        end_talks(talks, count);
        for (unsigned i = 0; i < count; i++)
            check(&list[i], mode, &talks[i]);
    }
    free(talks);
    assert_int_equal(complaints, 0);
}

/* ---- connecting ---- */

struct connect_case {
    const char *name;
    const char *args[12]; /* for the sink; CERT stands for --cert and --key */
    const char *relay;
    const char *host;
    const char *says; /* NULL: it connects, and a message is delivered */
    enum outcome_subject subject;
    unsigned code;
    bool smtps, tls, login; /* as the sink counts */
};

#define CERT "(cert)"
#define LOGIN "--user", "us", "--password", "pass;#word"
#define TRUST "ca-file = FOLDER/ca.pem\n"
#define AS_US "username = us\npassword-file = FOLDER/password\n"
#define SENDER OUTCOME_OF_SENDER

/* The relay's section, with the folder's name in it. */
static inline char *relay_text(const char *text) {
    struct buf b = BUF_INIT(4096);
    for (struct view rest = view_of(text); rest.len;) {
        size_t n = view_search(rest, VIEW("FOLDER"));
        buf_add_view(&b, view_slice(rest, 0, n));
        if (n < rest.len)
            buf_puts(&b, folder);
        rest = view_slice(rest, n + 6, SIZE_MAX);
    }
    return buf_steal(&b);
}

static inline void begin_connect(const struct connect_case *c, struct talk *t, unsigned number) {
    const char *args[SINK_ARGS_MAX] = {0};
    unsigned n = 0;
    for (unsigned i = 0; i < 12 && c->args[i]; i++) {
        bool cert = strcmp(c->args[i], CERT) == 0;
        if (cert) {
            args[n++] = "--cert";
            args[n++] = in_folder("cert.pem");
            args[n++] = "--key";
        }
        args[n++] = cert ? in_folder("key.pem") : c->args[i];
    }
    talk_init(t, 1);
    t->number = number;
    t->smtps = c->smtps;
    t->host = c->host ? c->host : t->host;
    char *text = relay_text(c->relay);
    t->relay_text = text;
    begin_talk(t, args);
    free(text);
}

static inline void check_connect(const struct connect_case *c, const struct talk *t) {
    if (!c->says) {
        if (!t->quiet || t->became[0] != DELIVERED || in_ledger(t, 1) != 1)
            complain("%s: not delivered: %s %s", c->name, t->first.text, t->end.text);
        if (sink_count(&t->sink, "tls") != c->tls || sink_count(&t->sink, "auth") != c->login)
            complain("%s: %s", c->name, t->sink.counts);
    } else if (t->quiet || t->became[0] != NOTHING || !strstr(t->end.text, c->says) || t->end.text[0] == '\0' ||
               t->end.class != OUTCOME_DEFERRED || t->end.subject != c->subject || t->end.code != c->code) {
        complain("%s: %s, subject %d, code %d: %s", c->name, t->quiet ? "connected" : "not connected", t->end.subject,
                 t->end.code, t->end.text);
    }
    if (!c->says && sink_count(&t->sink, "violations") != 0)
        complain("%s: %s", c->name, t->sink.counts);
}

static inline void connect_all(const struct connect_case *list, unsigned count) {
    struct talk talks[128];
    assert_in_range(count, 1, 128);
    complaints = 0;
    begin_talks();
    for (unsigned i = 0; i < count; i++)
        begin_connect(&list[i], &talks[i], i);
    end_talks(talks, count);
    for (unsigned i = 0; i < count; i++)
        check_connect(&list[i], &talks[i]);
    assert_int_equal(complaints, 0);
}

static inline int make_secrets(void **state) {
    (void)state;
    AUTOBUF struct buf command = BUF_INIT(8192);
    buf_printf(&command, "%s --make-cert %s", sink_path(), folder);
    return system(buf_str(&command)) == 0
               ? files_write_new(AT_FDCWD, in_folder("password"), VIEW("pass;#word\nnot this line\n"), 0600)
               : -1;
}

static inline int make_folder(void **state) {
    return mkdtemp(folder) ? make_secrets(state) : -1;
}

static inline int remove_folder(void **state) {
    (void)state;
    return files_remove_tree(AT_FDCWD, folder);
}
