/* Dialogues with a real server that misbehaves as told, each with what must become of the messages. Every case runs
 * three times: against a relay that offers nothing, one with PIPELINING, one with CHUNKING too. */
#include "send/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/text.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "send/connect.h"
#include "sink.h"

enum { MESSAGES_MAX = 12, RULES_MAX = 3, EXTRA_MAX = 6 };

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
    const char *expected;           /* a letter for each message */
    const char *expected_in[MODES]; /* where a mode differs; NULL: as above */
    const char *says;               /* in the text of the first outcome that is not DELIVERED, or of the end */
    enum outcome_subject subject;   /* of that outcome, where not DELIVERED; 0: of the recipient */
};

#define ANY OUTCOME_OF_RECIPIENT
#define CONNECTION OUTCOME_OF_CONNECTION

static const struct dialogue_case cases[] = {
    /* all is well */
    {"one message", {0}, "D", {0}, 0, ANY},
    {"several messages", {0}, "DDDDDDDDDD", {0}, 0, ANY},
    {"replies octet by octet", {"mail split", "rcpt split", "end split"}, "DDD", {0}, 0, ANY},
    {"replies of several lines",
     {"rcpt say 250-2.1.5 yes\\r\\n250-2.1.5 and\\r\\n250 2.1.5 ok\\r\\n"},
     "DDD",
     {0},
     0,
     ANY},
    {"a reply without text", {"end say 250\\r\\n"}, "DDD", {0}, 0, ANY},
    {"an unknown 2xx to RCPT", {"rcpt 251 2.1.5 will forward"}, "DDD", {0}, 0, ANY},
    {"a slow relay within its time", {"end nth=2 delay 200"}, "DDD", {0}, 0, ANY},
    /* refusals */
    {"RCPT refused", {"rcpt to=r2@* 550 5.1.1 no such user"}, "DRD", {0}, "no such user", ANY},
    {"first RCPT refused", {"rcpt to=r1@* 550 5.1.1 no such user"}, "RDD", {0}, "no such user", ANY},
    {"all RCPT refused", {"rcpt 550 5.1.1 no such user"}, "RRRR", {0}, "no such user", ANY},
    {"RCPT deferred", {"rcpt to=r2@* 450 4.2.0 greylisted"}, "DLD", {0}, "greylisted", ANY},
    {"mailbox full", {"rcpt to=r2@* 452 4.2.2 mailbox full"}, "DLD", {0}, "mailbox full", ANY},
    {"an unknown 5xx code", {"rcpt to=r2@* 599 whatever"}, "DRD", {0}, "whatever", ANY},
    {"an unknown 4xx code", {"rcpt to=r2@* 499 whatever"}, "DLD", {0}, "whatever", ANY},
    {"MAIL deferred", {"mail nth=2 451 4.3.0 later"}, "DLD", {0}, "later", CONNECTION},
    {"MAIL refused for good", {"mail nth=2 550 5.7.1 not you"}, "DLD", {0}, "not you", OUTCOME_OF_SENDER},
    {"DATA refused", {"data nth=2 554 5.7.0 no data"}, "DLD", {NULL, NULL, "DDD"}, NULL, OUTCOME_OF_DESTINATION},
    {"DATA deferred", {"data nth=2 451 4.3.0 later"}, "DLD", {NULL, NULL, "DDD"}, NULL, ANY},
    {"a policy against us", {"rcpt to=r2@* 550 5.7.1 not welcome"}, "DLD", {0}, "not welcome", OUTCOME_OF_DESTINATION},
    {"our address is wrong", {"rcpt to=r2@* 550 5.1.8 bad sender"}, "DLD", {0}, "bad sender", OUTCOME_OF_SENDER},
    {"the message refused", {"end to=r2@* 550 5.2.2 too full"}, "DRD", {0}, "too full", ANY},
    {"the message deferred", {"end to=r2@* 452 4.3.1 disk full"}, "DLD", {0}, "disk full", OUTCOME_OF_DESTINATION},
    {"content refused", {"end to=r2@* 554 5.6.0 malformed"}, "DRD", {0}, "malformed", OUTCOME_OF_MESSAGE},
    {"refused twice in a row", {"rcpt to=r2@* 550 5.1.1 no", "end to=r3@* 550 5.2.0 no"}, "DRRD", {0}, "no", ANY},
    {"too fast", {"rcpt to=r2@* 450 4.7.28 too fast"}, "DLD", {0}, "too fast", OUTCOME_OF_DESTINATION},
    /* 421: the connection goes, the recipient stays */
    {"421 to the first MAIL", {"mail 421 4.3.2 busy"}, "L--!", {NULL, NULL, NULL}, "busy", CONNECTION},
    {"421 to MAIL", {"mail nth=2 421 4.3.2 busy"}, "DUU!", {"DU-!", NULL, NULL}, "busy", CONNECTION},
    {"421 to RCPT", {"rcpt nth=2 421 4.3.2 busy"}, "DLU!", {"DL-!", NULL, NULL}, "busy", CONNECTION},
    {"421 to the message", {"end nth=2 421 4.3.2 busy"}, "DLU!", {"DL-!", NULL, NULL}, "busy", CONNECTION},
    {"421 that slows down",
     {"mail nth=2 421 4.7.0 too many connections"},
     "DLU!",
     {"DL-!", NULL, NULL},
     "too many",
     OUTCOME_OF_DESTINATION},
    {"enough on this connection",
     {"mail nth=3- 452 4.5.3 Too many messages sent"},
     "DDUU",
     {"DDU-", NULL, "DDUU"},
     NULL,
     CONNECTION},
    {"enough at once", {"mail 452 4.5.3 Too many messages sent"}, "LLLL", {0}, "sent", CONNECTION},
    {"refused, then 421",
     {"rcpt nth=1 550 5.1.1 no", "rcpt nth=2 421 4.3.2 busy"},
     "RL-!",
     {NULL, NULL, NULL},
     "no",
     ANY},
    {"421 unasked", {"end nth=1 extra 421 4.3.2 going down\\r\\n"}, "DUU!", {"DU-!", NULL, NULL}, "421", CONNECTION},
    /* lost connections */
    {"closed at MAIL", {"mail nth=2 close"}, "DUU!", {"DU-!", NULL, "DXX!"}, NULL, CONNECTION},
    {"closed at the first MAIL", {"mail close"}, "L--!", {NULL, NULL, "X--!"}, "closed", CONNECTION},
    {"closed at RCPT", {"rcpt nth=2 close"}, "DLU!", {"DL-!", NULL, "DXX!"}, "clos", CONNECTION},
    {"closed at DATA", {"data nth=2 close"}, "DLU!", {"DL-!", NULL, "DDD"}, NULL, CONNECTION},
    {"closed at the dot", {"end nth=2 close"}, "DXX!", {"DX-!", "DXU!", "DXX!"}, "nobody knows", CONNECTION},
    {"closed after taking it",
     {"end nth=2 accept-close"},
     "DXX!",
     {"DX-!", "DXU!", "DXX!"},
     "nobody knows",
     CONNECTION},
    {"reset at the dot", {"end nth=2 reset"}, "DXX!", {"DX-!", "DXU!", "DXX!"}, "nobody knows", CONNECTION},
    {"reset after taking it", {"end nth=2 accept-reset"}, "DXX!", {"DX-!", "DXU!", "DXX!"}, "nobody knows", CONNECTION},
    {"reset at RCPT", {"rcpt nth=2 reset"}, "DLU!", {"DL-!", NULL, "DXX!"}, NULL, CONNECTION},
    {"half closed at MAIL", {"mail nth=2 half-close"}, "DUU!", {"DU-!", NULL, "DXX!"}, NULL, CONNECTION},
    {"half closed at the dot", {"end nth=2 half-close"}, "DXX!", {"DX-!", "DXU!", "DXX!"}, "nobody knows", CONNECTION},
    {"refused, then closed", {"rcpt nth=2 550 5.1.1 no", "rcpt nth=3 close"}, "DRL!", {NULL, NULL, "DRX!"}, "no", ANY},
    {"closed in the message", {"body nth=1 bytes=2000 close"}, "L!", {NULL, NULL, NULL}, NULL, CONNECTION},
    /* silence */
    {"no answer to MAIL", {"mail nth=2 stall"}, "DUU!", {"DU-!", NULL, "DXX!"}, NULL, CONNECTION},
    {"no answer to the first MAIL", {"mail stall"}, "L--!", {NULL, NULL, "X--!"}, "in time", CONNECTION},
    {"no answer to RCPT", {"rcpt nth=2 stall"}, "DLU!", {"DL-!", NULL, "DXX!"}, "in time", CONNECTION},
    {"no answer to DATA", {"data nth=2 stall"}, "DLU!", {"DL-!", NULL, "DDD"}, NULL, CONNECTION},
    {"no answer to the dot", {"end nth=2 stall"}, "DXX!", {"DX-!", "DXU!", "DXX!"}, "nobody knows", CONNECTION},
    {"taken, and no answer", {"end nth=2 accept-stall"}, "DXX!", {"DX-!", "DXU!", "DXX!"}, "nobody knows", CONNECTION},
    {"answers too late", {"end nth=2 delay 4000"}, "DXX!", {"DX-!", "DXU!", "DXX!"}, "nobody knows", CONNECTION},
    {"no answer to QUIT", {"quit stall"}, "DDD", {0}, 0, ANY},
    {"QUIT refused", {"quit 500 what"}, "DDD", {0}, 0, ANY},
    {"closed at QUIT", {"quit close"}, "DDD", {0}, 0, ANY},
    /* what no relay says */
    {"garbage to RCPT", {"rcpt nth=2 garbage"}, "DLU!", {"DL-!", NULL, "DXX!"}, "protocol", CONNECTION},
    {"garbage to the dot", {"end nth=2 garbage"}, "DXX!", {"DX-!", "DXU!", "DXX!"}, "nobody knows", CONNECTION},
    {"a huge line", {"rcpt nth=2 huge-line"}, "DLU!", {"DL-!", NULL, "DXX!"}, "protocol", CONNECTION},
    {"a reply without end", {"rcpt nth=2 endless"}, "DLU!", {"DL-!", NULL, "DXX!"}, "protocol", CONNECTION},
    {"a reply without end to the dot",
     {"end nth=2 endless"},
     "DXX!",
     {"DX-!", "DXU!", "DXX!"},
     "nobody knows",
     CONNECTION},
    {"354 to MAIL", {"mail nth=2 354 go on"}, "DLU!", {"DL-!", NULL, "DXX!"}, "protocol", CONNECTION},
    {"354 to RCPT", {"rcpt nth=2 354 go on"}, "DLU!", {"DL-!", NULL, "DXX!"}, "protocol", CONNECTION},
    {"250 to DATA", {"data nth=2 250 ok"}, "DLU!", {"DL-!", NULL, "DDD"}, NULL, CONNECTION},
    {"354 to the dot", {"end nth=2 354 go on"}, "DXU!", {"DX-!", NULL, "DXX!"}, "go on", CONNECTION},
    {"1xx to RCPT", {"rcpt nth=2 say 150 wait\\r\\n"}, "DLU!", {"DL-!", NULL, "DXX!"}, "protocol", CONNECTION},
    {"two codes in one reply",
     {"rcpt nth=2 say 250-yes\\r\\n550 no\\r\\n"},
     "DLU!",
     {"DL-!", NULL, "DXX!"},
     "protocol",
     CONNECTION},
    {"an extra reply", {"end nth=2 extra 250 2.0.0 and more\\r\\n"}, "DDL!", {"DDU!", NULL, "DDD!"}, NULL, CONNECTION},
    {"the message answered before it was whole",
     {"body nth=1 bytes=2000 say 250 2.0.0 early\\r\\n"},
     "L!",
     {NULL, NULL, NULL},
     "before",
     CONNECTION},
    {"refused before it was whole",
     {"body nth=1 bytes=2000 say 552 5.3.4 too big\\r\\n"},
     "R!",
     {NULL, NULL, NULL},
     "too big",
     OUTCOME_OF_MESSAGE},
    {"RSET refused", {"rcpt nth=1 550 5.1.1 no", "rset last 500 what"}, "RU!", {NULL, "RL!", "RX!"}, "no", ANY},
}; /* ---- one conversation ---- */

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

static void message(struct buf *b, unsigned n, size_t size) {
    buf_printf(b, "From: a@sender.example\r\nMessage-ID: <%u@sender.example>\r\n\r\n.begins with a dot\r\n..\r\n", n);
    while (b->len < size)
        buf_puts(b, "Seventy characters and a few more, so that it is a line like many others.\r\n");
}

static void give(struct talk *t) {
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

static void took(struct talk *t, uint64_t cookie, char what) {
    assert_true(cookie < t->given);
    assert_int_equal(t->became[cookie], NOTHING);
    t->became[cookie] = what;
    t->answered++;
}

static void on_ready(void *user, struct session *s) {
    struct talk *t = user;
    assert_ptr_equal(s, t->session);
    assert_true(session_room(s) > 0);
    give(t);
    if (t->count == 0)
        session_quit(s);
}

static void on_outcome(void *user, struct session *s, uint64_t cookie, const struct outcome *o) {
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

static void on_unsent(void *user, struct session *s, uint64_t cookie) {
    (void)s;
    took(user, cookie, UNSENT);
}

static void on_closed(void *user, struct session *s, const struct outcome *why) {
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

static void on_too_long(void *user) {
    (void)user;
    fail_msg("the conversation does not end");
}

static void talk_init(struct talk *t, unsigned count) {
    *t = (struct talk){
        .count = count, .size = 3000, .relay_text = "tls = none\n", .host = "127.0.0.1", .handlers = &handlers};
    memset(t->became, NOTHING, count);
}

static void on_conf_error(void *user, const struct why *why) {
    (void)user;
    fail_msg("%s %s", why->where, why->what);
}

static struct conf *read_conf(const struct talk *t, uint16_t port) {
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
        USEC_PER_SEC;
    return conf;
}

static const char *ledger_of(const struct talk *t);

/* Conversations beside one another in one loop. */
static void begin_talks(void) {
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(connector_new(loop, &connector), 0);
}

static void begin_talk(struct talk *t, const char *const *sink_args) {
    const char *args[SINK_ARGS_MAX] = {"--ledger", strdup(ledger_of(t))};
    for (unsigned i = 0; sink_args[i]; i++)
        args[i + 2] = sink_args[i];
    (void)unlink(args[1]);
    sink_start(&t->sink, args);
    free((void *)(uintptr_t)args[1]);
    t->conf = read_conf(t, t->sink.port);
}

/* When all servers are there: their times run from here. */
static void connect_talks(struct talk *talks, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        struct talk *t = &talks[i];
        assert_int_equal(session_new(loop, connector, t->conf, &t->conf->relays[0], t->handlers, t, &t->session), 0);
        assert_int_equal(session_room(t->session), 0);
        t->conf = conf_unref(t->conf);
        running++;
    }
}

static void end_talks(struct talk *talks, unsigned count) {
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

static const char *in_folder(const char *name) {
    static char paths[4][256];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *ledger_of(const struct talk *t) {
    char name[32];
    (void)snprintf(name, sizeof name, "ledger-%u", t->number);
    return in_folder(name);
}

/* How often the ledger names the recipient of message n. */
static unsigned in_ledger(const struct talk *t, unsigned n) {
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

static void check(const struct dialogue_case *c, unsigned mode, const struct talk *t) {
    const char *expected = c->expected_in[mode] ? c->expected_in[mode] : c->expected;
    bool closed = strchr(expected, '!') != NULL;
    if (strncmp(t->became, expected, t->count) != 0 || t->quiet == closed)
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

static void begin_case(const struct dialogue_case *c, unsigned mode, unsigned number, struct talk *t) {
    const char *args[SINK_ARGS_MAX] = {"--ehlo", modes[mode]};
    unsigned n = 2;
    for (unsigned i = 0; i < RULES_MAX && c->rules[i]; i++) {
        args[n++] = "--on";
        args[n++] = c->rules[i];
    }
    talk_init(t, (unsigned)strcspn(c->expected_in[mode] ? c->expected_in[mode] : c->expected, "!"));
    t->number = number;
    if (strstr(c->name, "whole") || strstr(c->name, "in the message"))
        t->size = 24 << 20; /* more than the sockets hold: where the relay reads no more, this is never whole */
    begin_talk(t, args);
}

/* All of them beside one another, once in each mode. */
static void hold_dialogues(const struct dialogue_case *list, unsigned count) {
    struct talk *talks = calloc(count, sizeof *talks);
    complaints = 0;
    assert_non_null(talks);
    for (unsigned mode = 0; mode < MODES; mode++) {
        begin_talks();
        for (unsigned i = 0; i < count; i++)
            begin_case(&list[i], mode, i, &talks[i]);
        end_talks(talks, count);
        for (unsigned i = 0; i < count; i++)
            check(&list[i], mode, &talks[i]);
    }
    free(talks);
    assert_int_equal(complaints, 0);
}

static void test_dialogues(void **state) {
    (void)state;
    hold_dialogues(cases, sizeof cases / sizeof cases[0]);
}

/* ---- every state and everything that ends a connection there ---- */

/* What becomes of three messages when the connection is lost at the second's command: one command at a time, in groups,
 * in chunks. Only what was sent whole and not answered is in doubt; in chunks nobody says DATA. */
static const struct {
    const char *stage, *expected[MODES];
} lost_at[] = {
    {"mail", {"DU-!", "DUU!", "DXX!"}},
    {"rcpt", {"DL-!", "DLU!", "DXX!"}},
    {"data", {"DL-!", "DLU!", "DDD"}},
    {"end", {"DX-!", "DXU!", "DXX!"}},
};
static const char *const losses[] = {
    "close",                                 /* with FIN */
    "reset",                                 /* with RST */
    "half-close",                            /* its own direction only */
    "stall",                                 /* past the deadline */
    "garbage",                               /* NUL, octets beyond ASCII, an empty line */
    "huge-line",                             /* a megabyte without an end */
    "endless",                               /* 250- for ever */
    "say 250-one\\r\\n251 two\\r\\n",        /* two codes in one reply */
    "say 2x0 nonsense\\r\\n",                /* no code */
    "say \\x1b[2J\\x1b]0;250 ok\\x07\\r\\n", /* orders to a terminal */
};
enum { STAGES = sizeof lost_at / sizeof lost_at[0], LOSSES = sizeof losses / sizeof losses[0] };

static void test_lost_anywhere(void **state) {
    (void)state;
    struct dialogue_case list[STAGES * LOSSES];
    char texts[STAGES * LOSSES][96];
    for (unsigned i = 0; i < STAGES * LOSSES; i++) {
        const char *stage = lost_at[i / LOSSES].stage;
        (void)snprintf(texts[i], sizeof texts[i], "%s nth=2 %s", stage, losses[i % LOSSES]);
        list[i] = (struct dialogue_case){
            .name = texts[i], .rules = {texts[i]}, .expected = lost_at[i / LOSSES].expected[1], .subject = CONNECTION};
        memcpy(list[i].expected_in, lost_at[i / LOSSES].expected, sizeof list[i].expected_in);
    }
    hold_dialogues(list, STAGES * LOSSES);
}

/* ---- what a relay says reaches nobody raw ---- */

static void test_no_control_octet_gets_through(void **state) {
    (void)state;
    static const char *const stages[] = {"mail", "rcpt", "end"};
    for (unsigned i = 0; i < 3; i++)
        for (unsigned mode = 0; mode < MODES; mode++) {
            struct talk t;
            char rule[128];
            (void)snprintf(
                rule, sizeof rule,
                "%s say 550-5.1.1 a\\x1b[31mb\\x07c\\x00d\\x7fe\\r\\n550 5.1.1 \\x9b2Jf\\xe2\\x80\\xaeg\\xff\\r\\n",
                stages[i]);
            talk_init(&t, 1);
            begin_talks();
            begin_talk(&t, (const char *const[]){"--ehlo", modes[mode], "--on", rule, NULL});
            end_talks(&t, 1);
            assert_true(t.has_first && strlen(t.first.text) > 5);
            assert_true(text_is_utf8(view_of(t.first.text)));
            for (const unsigned char *p = (const unsigned char *)t.first.text; *p; p++)
                if (*p < 0x20 || *p == 0x7F || (*p == 0xC2 && p[1] < 0xA0) ||
                    (*p == 0xE2 && p[1] == 0x80 && p[2] == 0xAE))
                    fail_msg("octet %02x in \"%s\"", *p, t.first.text);
        }
}

/* ---- connecting ---- */

struct connect_case {
    const char *name;
    const char *args[8]; /* for the sink; CERT stands for --cert and --key */
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

static const struct connect_case connects[] = {
    {.name = "without TLS", .args = {0}, .relay = "tls = none\n"},
    {.name = "STARTTLS", .args = {CERT, "--require-tls"}, .relay = "tls = required\n" TRUST, .tls = true},
    {.name = "STARTTLS by name", .args = {CERT}, .relay = "tls = required\n" TRUST, .host = "localhost", .tls = true},
    {.name = "TLS from the first octet", .args = {CERT, "--smtps"}, .relay = TRUST, .smtps = true, .tls = true},
    {.name = "STARTTLS is not offered",
     .args = {0},
     .relay = "tls = required\n" TRUST,
     .says = "does not offer TLS",
     .subject = SENDER},
    {"STARTTLS is refused for now",
     {CERT, "--on", "starttls 454 4.7.0 not now"},
     "tls = required\n" TRUST,
     .says = "cannot begin TLS now (454 4.7.0 not now)",
     .subject = CONNECTION,
     .code = 454},
    {"STARTTLS is refused",
     {CERT, "--on", "starttls 554 5.7.0 never"},
     "tls = required\n" TRUST,
     .says = "refuses TLS, which is required (554 5.7.0 never)",
     .subject = SENDER,
     .code = 554},
    {.name = "an unknown issuer",
     .args = {CERT},
     .relay = "tls = required\n",
     .says = "certificate is not trusted",
     .subject = SENDER},
    {"an unknown issuer from the first octet",
     {CERT, "--smtps"},
     "",
     .smtps = true,
     .says = "certificate is not trusted",
     .subject = SENDER},
    {"a certificate for another name",
     {CERT, "--listen", "127.0.0.2"},
     "tls = required\n" TRUST,
     .host = "127.0.0.2",
     .says = "certificate is not trusted",
     .subject = SENDER},
    {"a ca-file that is none",
     {CERT},
     "tls = required\nca-file = FOLDER/password\n",
     .says = "ca-file cannot be used",
     .subject = SENDER},
    {.name = "opportunistic, not offered", .args = {0}, .relay = "tls = opportunistic\n"},
    {.name = "opportunistic, unknown issuer", .args = {CERT}, .relay = "tls = opportunistic\n", .tls = true},
    {.name = "opportunistic, known issuer", .args = {CERT}, .relay = "tls = opportunistic\n" TRUST, .tls = true},
    {"opportunistic, another name",
     {CERT, "--listen", "127.0.0.2"},
     "tls = opportunistic\n" TRUST,
     .host = "127.0.0.2",
     .says = "certificate is not trusted",
     .subject = SENDER},
    {"octets behind STARTTLS",
     {CERT, "--on", "starttls extra 250-sink.test\\r\\n250 PIPELINING\\r\\n"},
     "tls = required\n" TRUST,
     .says = "",
     .subject = CONNECTION},

    {.name = "login",
     .args = {CERT, "--require-auth", LOGIN},
     .relay = "tls = required\n" TRUST AS_US,
     .tls = true,
     .login = true},
    {.name = "login from the first octet",
     .args = {CERT, "--smtps", LOGIN},
     .relay = TRUST AS_US,
     .smtps = true,
     .tls = true,
     .login = true},
    {.name = "login on loopback without TLS", .args = {LOGIN}, .relay = "tls = none\n" AS_US, .login = true},
    {"a password, and STARTTLS was taken away",
     {LOGIN},
     "tls = opportunistic\n" AS_US,
     .says = "does not offer TLS",
     .subject = SENDER},
    {"a wrong password",
     {CERT, "--user", "us", "--password", "other"},
     "tls = required\n" TRUST AS_US,
     .says = "the relay refused user name or password (535 5.7.8 user name or password is wrong)",
     .subject = SENDER,
     .code = 535},
    {"the password cannot be checked",
     {CERT, LOGIN, "--on", "auth 454 4.7.0 later"},
     "tls = required\n" TRUST AS_US,
     .says = "cannot check user name and password now (454",
     .subject = CONNECTION,
     .code = 454},
    {.name = "no login is offered",
     .args = {CERT},
     .relay = "tls = required\n" TRUST AS_US,
     .says = "no way to log in",
     .subject = SENDER},
    {.name = "closed at the password",
     .args = {LOGIN, "--on", "auth close"},
     .relay = "tls = none\n" AS_US,
     .says = "",
     .subject = CONNECTION},
    {"no password file",
     {LOGIN},
     "tls = none\nusername = us\npassword-file = FOLDER/nothing\n",
     .says = "cannot read the secret",
     .subject = SENDER},
    {"a password for all to read",
     {LOGIN},
     "tls = none\nusername = us\npassword-file = FOLDER/ca.pem\n",
     .says = "others may read",
     .subject = SENDER},

    {"turned away for good",
     {"--on", "greeting last 554 5.7.1 no service for you"},
     "tls = none\n",
     .says = "refuses the connection (554 5.7.1 no service for you)",
     .subject = CONNECTION,
     .code = 554},
    {"turned away for now",
     {"--on", "greeting 421 4.3.2 too busy"},
     "tls = none\n",
     .says = "refuses the connection (421 4.3.2 too busy)",
     .subject = CONNECTION,
     .code = 421},
    {.name = "no greeting",
     .args = {"--on", "greeting stall"},
     .relay = "tls = none\n",
     .says = "took too long",
     .subject = CONNECTION},
    {.name = "closed at once",
     .args = {"--on", "greeting close"},
     .relay = "tls = none\n",
     .says = "",
     .subject = CONNECTION},
    {.name = "reset at once",
     .args = {"--on", "greeting reset"},
     .relay = "tls = none\n",
     .says = "",
     .subject = CONNECTION},
    {.name = "a greeting of nonsense",
     .args = {"--on", "greeting garbage"},
     .relay = "tls = none\n",
     .says = "",
     .subject = CONNECTION},
    {.name = "a greeting without end",
     .args = {"--on", "greeting endless"},
     .relay = "tls = none\n",
     .says = "",
     .subject = CONNECTION},
    {.name = "a greeting in one line",
     .args = {"--on", "greeting huge-line"},
     .relay = "tls = none\n",
     .says = "",
     .subject = CONNECTION},
    {.name = "a slow greeting", .args = {"--on", "greeting delay 200"}, .relay = "tls = none\n"},
    {.name = "a greeting octet by octet", .args = {"--on", "greeting split"}, .relay = "tls = none\n"},
    {.name = "HELO only", .args = {"--on", "ehlo 500 5.5.2 what"}, .relay = "tls = none\n"},
    {"EHLO refused, HELO too",
     {"--on", "ehlo 500 what", "--on", "helo 550 no"},
     "tls = none\n",
     .says = "refuses the connection (550 no)",
     .subject = CONNECTION,
     .code = 550},
    {.name = "no answer to EHLO",
     .args = {"--on", "ehlo stall"},
     .relay = "tls = none\n",
     .says = "took too long",
     .subject = CONNECTION},
    {.name = "an EHLO reply without end",
     .args = {"--on", "ehlo endless"},
     .relay = "tls = none\n",
     .says = "",
     .subject = CONNECTION},
    {"plain to a port that speaks TLS",
     {CERT, "--smtps"},
     "tls = none\n",
     .says = "took too long",
     .subject = CONNECTION},
    {"TLS to a port that speaks plain",
     {0},
     TRUST,
     .smtps = true,
     .says = "TLS with the relay failed",
     .subject = CONNECTION},
    {.name = "nobody listens",
     .relay = "tls = none\n",
     .host = "127.0.0.3", /* where no other test does either */
     .says = "cannot connect",
     .subject = CONNECTION},

    /* What was offered before TLS counts no longer, and what is offered after it does. */
    {"capabilities before TLS",
     {CERT, "--on", "ehlo nth=1 say 250-sink.test\\r\\n250-SIZE 10\\r\\n250 STARTTLS\\r\\n"},
     "tls = required\n" TRUST,
     .tls = true},
};

/* The relay's section, with the folder's name in it. */
static char *relay_text(const char *text) {
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

static void begin_connect(const struct connect_case *c, struct talk *t, unsigned number) {
    const char *args[SINK_ARGS_MAX] = {0};
    unsigned n = 0;
    for (unsigned i = 0; i < 8 && c->args[i]; i++) {
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

static void check_connect(const struct connect_case *c, const struct talk *t) {
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

static void connect_all(const struct connect_case *list, unsigned count) {
    struct talk talks[64];
    assert_in_range(count, 1, 64);
    complaints = 0;
    begin_talks();
    for (unsigned i = 0; i < count; i++)
        begin_connect(&list[i], &talks[i], i);
    end_talks(talks, count);
    for (unsigned i = 0; i < count; i++)
        check_connect(&list[i], &talks[i]);
    assert_int_equal(complaints, 0);
}

static int make_secrets(void **state) {
    (void)state;
    AUTOBUF struct buf command = BUF_INIT(8192);
    buf_printf(&command, "%s --make-cert %s", sink_path(), folder);
    return system(buf_str(&command)) == 0
               ? files_write_new(AT_FDCWD, in_folder("password"), VIEW("pass;#word\nnot this line\n"), 0600)
               : -1;
}

static void test_connecting(void **state) {
    (void)state;
    connect_all(connects, sizeof connects / sizeof connects[0]);
}

static void test_a_credential_of_systemd_goes_first(void **state) {
    (void)state;
    static const struct connect_case c = {.name = "credential",
                                          .args = {LOGIN},
                                          .relay = "tls = none\nusername = us\npassword-file = /nonexistent/password\n",
                                          .login = true};
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
    connect_all(&c, 1);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

/* ---- what the relay cannot take, and what must not go out ---- */

static void talk_with(struct talk *t, const char *const *args) {
    begin_talks();
    begin_talk(t, args);
    end_talks(t, 1);
    if (sink_count(&t->sink, "violations") != 0)
        fail_msg("%s", t->sink.counts);
}

static void test_what_is_not_offered(void **state) {
    (void)state;
    static const char *const without[] = {"SIZE 1000000", "PIPELINING,SIZE 1000000",
                                          "PIPELINING,CHUNKING,SIZE 1000000"};
    struct talk t;
    for (unsigned mode = 0; mode < MODES; mode++) {
        talk_init(&t, 3);
        t.utf8 = true;
        talk_with(&t, (const char *const[]){"--ehlo", without[mode], NULL});
        assert_string_equal(t.became, "RRR");
        assert_int_equal(t.first.subject, OUTCOME_OF_RECIPIENT);
        assert_string_equal(t.first.text, "the relay does not offer SMTPUTF8, which this address needs");
        assert_true(t.quiet);

        talk_init(&t, 2);
        t.size = 1000001;
        talk_with(&t, (const char *const[]){"--ehlo", without[mode], NULL});
        assert_string_equal(t.became, "RR");
        assert_int_equal(t.first.subject, OUTCOME_OF_MESSAGE);

        talk_init(&t, 3);
        t.utf8 = true;
        talk_with(&t, (const char *const[]){"--ehlo", modes[mode], NULL});
        assert_string_equal(t.became, "DDD");
    }
}

/* One command at a time, where the configuration says so. */
static void test_pipelining_not_wanted(void **state) {
    (void)state;
    for (unsigned mode = 0; mode < MODES; mode++) {
        struct talk t;
        talk_init(&t, 3);
        t.relay_text = "tls = none\npipelining = none\n";
        talk_with(&t, (const char *const[]){"--ehlo", modes[mode], NULL});
        assert_string_equal(t.became, "DDD");
        assert_int_equal(sink_count(&t.sink, "commands"), 1 + 3 * 3 + 1); /* and no BDAT */
        assert_int_equal(sink_count(&t.sink, "round_trips"), 1 + 3 * 4 + 1);
    }
}

static void on_ready_to_err(void *user, struct session *s) {
    static const struct {
        const char *from, *to, *message;
        int result;
    } faults[] = {
        {"a@b.example", "c@d.example\r\nDATA", "x\r\n", -EINVAL},
        {"a@b.example", "c@d.example>", "x\r\n", -EINVAL},
        {"a@b.example", "c d@d.example", "x\r\n", -EINVAL},
        {"a@b.example", "", "x\r\n", -EINVAL},
        {"<a@b.example", "c@d.example", "x\r\n", -EINVAL},
        {"a@b.example\n", "c@d.example", "x\r\n", -EINVAL},
        {"a@b.example", "c@d.example", "", -EBADMSG},
        {"a@b.example", "c@d.example", "x", -EBADMSG},
        {"a@b.example", "c@d.example", "x\n", -EBADMSG},
        {"a@b.example", "c@d.example", "x\r", -EBADMSG},
        {"a@b.example", "c@d.example", "x\ry\r\n", -EBADMSG},
        {"a@b.example", "c@d.example", "x\ny\r\n", -EBADMSG},
        {"a@b.example", "c@d.example", "x\r\n.\n.\r\n", -EBADMSG},
        {"a@b.example", "c@d.example", "x\r\r\n", -EBADMSG},
        {"a@b.example", "c@d.example", "x\n\r\n", -EBADMSG},
    };
    struct talk *t = user;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        struct envelope e = {view_of(faults[i].from), view_of(faults[i].to), false};
        assert_int_equal(session_send(s, &e, view_of(faults[i].message), 99), faults[i].result);
        assert_int_equal(session_in_flight(s), 0);
    }
    give(t); /* and nothing of these has gone out */
}

static void test_what_must_not_go_out(void **state) {
    (void)state;
    static const struct session_handlers to_err = {on_ready_to_err, on_outcome, on_unsent, on_closed};
    for (unsigned mode = 0; mode < MODES; mode++) {
        struct talk t;
        talk_init(&t, 2);
        t.handlers = &to_err;
        talk_with(&t, (const char *const[]){"--ehlo", modes[mode], NULL});
        assert_string_equal(t.became, "DD");
    }
}

/* ---- size ---- */

static void test_large_messages(void **state) {
    (void)state;
    for (unsigned mode = 0; mode < MODES; mode++)
        for (unsigned tls = 0; tls < 2; tls++) {
            struct talk t;
            AUTOBUF struct buf relay = BUF_INIT(4096);
            talk_init(&t, 4);
            t.size = 9 << 20;
            buf_printf(&relay, "tls = %s\nca-file = %s/ca.pem\n", tls ? "required" : "none", folder);
            t.relay_text = buf_str(&relay);
            talk_with(&t, (const char *const[]){"--ehlo", modes[mode], "--cert", in_folder("cert.pem"), "--key",
                                                in_folder("key.pem"), NULL});
            assert_string_equal(t.became, "DDDD");
        }
}

/* The relay stops reading: the block's deadline ends it, and nothing is in doubt. */
static void on_ready_frozen(void *user, struct session *s) {
    struct talk *t = user;
    (void)s;
    kill(t->sink.pid, SIGSTOP);
    give(t);
}

static void on_closed_frozen(void *user, struct session *s, const struct outcome *why) {
    struct talk *t = user;
    kill(t->sink.pid, SIGCONT);
    on_closed(t, s, why);
}

static void test_a_relay_that_does_not_read(void **state) {
    (void)state;
    static const struct session_handlers freeze = {on_ready_frozen, on_outcome, on_unsent, on_closed_frozen};
    struct talk t;
    talk_init(&t, 1);
    t.size = 30 << 20;
    t.handlers = &freeze;
    talk_with(&t, (const char *const[]){"--ehlo", "PIPELINING,CHUNKING", NULL});
    assert_string_equal(t.became, "L");
    assert_non_null(strstr(t.first.text, "in time"));
}

/* ---- lives ---- */

static void on_ready_quit(void *user, struct session *s) {
    give(user);
    session_quit(s);
    assert_int_equal(session_room(s), 0);
}

static void on_ready_abort(void *user, struct session *s) {
    give(user);
    session_abort(s);
}

static void test_ends(void **state) {
    (void)state;
    static const struct session_handlers quit = {on_ready_quit, on_outcome, on_unsent, on_closed},
                                         aborting = {on_ready_abort, on_outcome, on_unsent, on_closed};
    for (unsigned mode = 0; mode < MODES; mode++) {
        struct talk t;
        talk_init(&t, 1);
        t.handlers = &quit;
        t.no_quit = true;
        talk_with(&t, (const char *const[]){"--ehlo", modes[mode], NULL});
        assert_string_equal(t.became, "D"); /* what was given goes out first */
        assert_true(t.quiet);

        talk_init(&t, 1);
        t.handlers = &aborting;
        talk_with(&t, (const char *const[]){"--ehlo", modes[mode], NULL});
        assert_true(t.became[0] == UNSENT || t.became[0] == LATER || t.became[0] == DOUBT);
        assert_true(t.quiet);
        assert_true(t.became[0] == DOUBT || in_ledger(&t, 1) == 0);

        talk_init(&t, 0); /* QUIT at once */
        talk_with(&t, (const char *const[]){"--ehlo", modes[mode], NULL});
        assert_true(t.quiet);
    }
}

static void on_stop(void *user) {
    (void)user;
    loop_stop(loop, 0);
}

/* Freed in every state, with nothing left behind (the sanitizers tell). */
static void test_freed_at_any_moment(void **state) {
    (void)state;
    for (int64_t usec = 0; usec < 12000; usec += 700) {
        struct talk t;
        struct loop_source *timer;
        talk_init(&t, 10);
        t.no_quit = true;
        begin_talks();
        begin_talk(&t, (const char *const[]){"--delay", "1", NULL});
        connect_talks(&t, 1);
        assert_int_equal(loop_add_timer(loop, on_stop, NULL, &timer), 0);
        loop_set_timer(timer, clock_mono_usec() + usec);
        assert_int_equal(loop_run(loop), 0);
        session_free(t.session);
        connector_free(connector);
        loop_remove(timer);
        loop_free(loop);
        sink_stop(&t.sink);
        running = 0;
    }
}

/* Many at one relay: no finished connection is taken for an idle one and closed while others connect. */
enum { SESSIONS = 20 };

static void test_many_sessions(void **state) {
    (void)state;
    struct talk talks[SESSIONS];
    char *text = relay_text("tls = required\nca-file = FOLDER/ca.pem\n");
    begin_talks();
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct talk *t = &talks[i];
        talk_init(t, MESSAGES_MAX);
        t->relay_text = text;
        if (i == 0) {
            begin_talk(t, (const char *const[]){"--cert", in_folder("cert.pem"), "--key", in_folder("key.pem"),
                                                "--delay", "3", NULL});
            continue;
        }
        t->sink.pid = 0;
        t->conf = read_conf(t, talks[0].sink.port);
    }
    end_talks(talks, SESSIONS);
    free(text);
    for (unsigned i = 0; i < SESSIONS; i++) {
        assert_string_equal(talks[i].became, "DDDDDDDDDDDD");
        assert_true(talks[i].quiet);
    }
    const struct sink *sink = &talks[0].sink;
    assert_int_equal(sink_count(sink, "messages"), SESSIONS * MESSAGES_MAX);
    assert_int_equal(sink_count(sink, "connections"), SESSIONS);
    assert_int_equal(sink_count(sink, "violations"), 0);
}

static int make_folder(void **state) {
    return mkdtemp(folder) ? make_secrets(state) : -1;
}

static int remove_folder(void **state) {
    (void)state;
    return files_remove_tree(AT_FDCWD, folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test(test_lost_anywhere),
        cmocka_unit_test(test_no_control_octet_gets_through),
        cmocka_unit_test(test_connecting),
        cmocka_unit_test(test_a_credential_of_systemd_goes_first),
        cmocka_unit_test(test_what_is_not_offered),
        cmocka_unit_test(test_pipelining_not_wanted),
        cmocka_unit_test(test_what_must_not_go_out),
        cmocka_unit_test(test_large_messages),
        cmocka_unit_test(test_a_relay_that_does_not_read),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_freed_at_any_moment),
        cmocka_unit_test(test_many_sessions),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
