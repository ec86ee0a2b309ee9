/* Dialogues with a real server that misbehaves as told, each with what must become of the messages. Every case runs
 * three times: against a relay that offers nothing, one with PIPELINING, one with CHUNKING too. */
#include "talk.h"

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
    {"RSET refused", {"rcpt nth=1 550 5.1.1 no", "rset last 500 what"}, "RU!", {NULL, "RL!", "RX!"}, "no", ANY},
};

static const struct dialogue_case huge_cases[] = {
    {"closed in the message", {"body nth=1 bytes=2000 close"}, "L!", {NULL, NULL, NULL}, NULL, CONNECTION},
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
};

static void test_dialogues(void **state) {
    (void)state;
    hold_dialogues(cases, sizeof cases / sizeof cases[0], 0);
    hold_dialogues(huge_cases, sizeof huge_cases / sizeof huge_cases[0], HUGE_MESSAGE);
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
        assert_true(t.became[0] && strchr((const char[]){UNSENT, LATER, DOUBT, DELIVERED, 0}, t.became[0]));
        assert_true(t.quiet);
        assert_true(t.became[0] == DOUBT ||
                    in_ledger(&t, 1) == (t.became[0] == DELIVERED)); /* if the relay was quicker */

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialogues),
        cmocka_unit_test(test_no_control_octet_gets_through),
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
