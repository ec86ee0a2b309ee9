#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/text.h"
#include "mail/reply.h"

static int feed_by(struct reply *r, struct view bytes, size_t step, size_t *ret_taken) {
    size_t total = 0, taken;
    int error = 0;
    while (error == 0 && total < bytes.len && !r->complete) {
        error = reply_feed(r, view_slice(bytes, total, step), &taken);
        if (error == 0)
            total += taken;
    }
    *ret_taken = total;
    return error;
}

static void test_read(void **state) {
    (void)state;
    static const struct {
        struct view bytes;
        unsigned code, lines;
        const char *status, *text;
        size_t left; /* bytes behind the reply */
    } cases[] = {
        {VIEW("250 ok\r\n"), 250, 1, "", "ok", 0},
        {VIEW("250 ok\n"), 250, 1, "", "ok", 0},
        {VIEW("250\r\n"), 250, 1, "", "", 0},
        {VIEW("250 \r\n"), 250, 1, "", "", 0},
        {VIEW("250 2.0.0 Ok: queued as 4F\r\n"), 250, 1, "2.0.0", "Ok: queued as 4F", 0},
        {VIEW("250 2.1.0\r\n"), 250, 1, "2.1.0", "", 0},
        {VIEW("250-one\r\n250-two\r\n250 three\r\n"), 250, 3, "", "one two three", 0},
        {VIEW("250-\r\n250-\r\n250 three\r\n"), 250, 3, "", "three", 0},
        {VIEW("550-5.1.1 No such\r\n550 5.1.1 user\r\n"), 550, 2, "5.1.1", "No such user", 0},
        {VIEW("550-5.1.1 No such\r\n550 5.2.2 full\r\n"), 550, 2, "5.1.1", "No such 5.2.2 full", 0},
        {VIEW("550-gone\r\n550 5.1.6 moved\r\n"), 550, 2, "5.1.6", "gone moved", 0},
        {VIEW("354 go\r\n250 ok\r\n"), 354, 1, "", "go", 8},
        {VIEW("550 4.7.1 other class\r\n"), 550, 1, "", "4.7.1 other class", 0},
        {VIEW("550 5.1.1234 x\r\n"), 550, 1, "", "5.1.1234 x", 0},
        {VIEW("550 5.1 x\r\n"), 550, 1, "", "5.1 x", 0},
        {VIEW("550 5.1.\r\n"), 550, 1, "", "5.1.", 0},
        {VIEW("550 5.1.1: x\r\n"), 550, 1, "", "5.1.1: x", 0},
        {VIEW("550 5.7.999 x\r\n"), 550, 1, "5.7.999", "x", 0},
        {VIEW("599 5.123.456\r\n"), 599, 1, "5.123.456", "", 0},
        {VIEW("250 a\rb\0c\x1B[2Jd\te\r\n"), 250, 1, "", "a?b?c?[2Jd e", 0},
        {VIEW("250 gr\xC3\xBC\xC3\x9F\x65 \xFF\xC2\x9B\r\n"), 250, 1, "", "grüße ???", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t step = 1; step <= cases[i].bytes.len; step += step < 4 ? 1 : 13) {
            struct reply r;
            size_t taken;
            reply_init(&r);
            assert_int_equal(feed_by(&r, cases[i].bytes, step, &taken), 0);
            assert_true(r.complete);
            assert_int_equal(taken, cases[i].bytes.len - cases[i].left);
            assert_int_equal(r.code, cases[i].code);
            assert_int_equal(r.lines, cases[i].lines);
            assert_string_equal(r.status, cases[i].status);
            assert_string_equal(r.text, cases[i].text);
            assert_int_equal(reply_feed(&r, VIEW("250 next\r\n"), &taken),
                             0); /* nothing behind a whole reply is taken */
            assert_int_equal(taken, 0);
        }
}

static void test_garbage(void **state) {
    (void)state;
    static const struct view cases[] = {
        VIEW("\r\n"),
        VIEW("\n"),
        VIEW("ok\r\n"),
        VIEW("25\r\n"),
        VIEW("2500 ok\r\n"),
        VIEW("25x ok\r\n"),
        VIEW("150 ok\r\n"),
        VIEW("600 ok\r\n"),
        VIEW("050 ok\r\n"),
        VIEW(" 250 ok\r\n"),
        VIEW("+250 ok\r\n"),
        VIEW("250_ok\r\n"),
        VIEW("250\tok\r\n"),
        VIEW("250.ok\r\n"),
        VIEW("250\0ok\r\n"),
        VIEW("250-one\r\n251 two\r\n"),
        VIEW("250-one\r\n550 two\r\n"),
        VIEW("250-one\r\n\r\n"),
        VIEW("250-one\r\ntwo\r\n"),
        VIEW("\0\0\0\r\n"),
        VIEW("\x1B[2J250 ok\r\n"),
        VIEW("HTTP/1.1 400 Bad Request\r\n"),
        VIEW("\x15\x03\x01\x00\x02\x02\x46\n"),
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t step = 1; step <= cases[i].len; step++) {
            struct reply r;
            size_t taken;
            reply_init(&r);
            assert_int_equal(feed_by(&r, cases[i], step, &taken), -EPROTO);
            assert_false(r.complete);
        }
}

static void test_incomplete(void **state) {
    (void)state;
    static const struct view cases[] = {VIEW(""),         VIEW("2"),          VIEW("250 ok"),
                                        VIEW("250 ok\r"), VIEW("250-ok\r\n"), VIEW("250-ok\r\n250")};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reply r;
        size_t taken = 99;
        reply_init(&r);
        assert_int_equal(reply_feed(&r, cases[i], &taken), 0);
        assert_int_equal(taken, cases[i].len);
        assert_false(r.complete);
    }
}

/* The longest line and the most lines that are read, and one more of each. */
static void test_caps(void **state) {
    (void)state;
    AUTOBUF struct buf line = BUF_INIT(4096);
    buf_puts(&line, "250 ");
    while (line.len < REPLY_LINE_MAX_BYTES)
        buf_putc(&line, 'x');
    for (size_t extra = 0; extra < 2; extra++) {
        struct reply r;
        size_t taken;
        AUTOBUF struct buf whole = BUF_INIT(4096);
        buf_add_view(&whole, buf_view(&line));
        buf_puts(&whole, extra ? "x\n" : "\n");
        for (size_t step = 1; step < 4096; step += 700) {
            reply_init(&r);
            assert_int_equal(feed_by(&r, buf_view(&whole), step, &taken), extra ? -EPROTO : 0);
        }
        if (extra == 0)
            assert_int_equal(strlen(r.text), OUTCOME_TEXT_MAX);
    }
    for (size_t lines = REPLY_LINES_MAX; lines <= REPLY_LINES_MAX + 1; lines++) {
        struct reply r;
        size_t taken;
        AUTOBUF struct buf whole = BUF_INIT(1 << 20);
        for (size_t i = 1; i < lines; i++)
            buf_puts(&whole, "250-x\r\n");
        buf_puts(&whole, "250 x\r\n");
        reply_init(&r);
        assert_int_equal(reply_feed(&r, buf_view(&whole), &taken), lines <= REPLY_LINES_MAX ? 0 : -EPROTO);
    }
}

/* A line of 1 MB ends the reading after 2 KB of it. */
static void test_endless(void **state) {
    (void)state;
    struct reply r;
    size_t taken, fed = 0;
    char chunk[512];
    memset(chunk, '2', sizeof chunk);
    reply_init(&r);
    while (reply_feed(&r, view_make(chunk, sizeof chunk), &taken) == 0)
        fed += taken;
    assert_true(fed <= REPLY_LINE_MAX_BYTES);
    reply_init(&r);
    fed = 0;
    while (reply_feed(&r, VIEW("250-again\r\n"), &taken) == 0)
        fed++;
    assert_int_equal(fed, REPLY_LINES_MAX - 1);
}

/* The text is cut at a whole character. */
static void test_text_cut(void **state) {
    (void)state;
    for (size_t ascii = 0; ascii < 3; ascii++) {
        struct reply r;
        size_t taken;
        AUTOBUF struct buf line = BUF_INIT(4096);
        buf_puts(&line, "550 ");
        for (size_t i = 0; i < ascii; i++)
            buf_putc(&line, 'x');
        for (size_t i = 0; i < 200; i++)
            buf_puts(&line, "€");
        buf_puts(&line, "\r\n");
        reply_init(&r);
        assert_int_equal(reply_feed(&r, buf_view(&line), &taken), 0);
        assert_true(text_is_utf8(view_of(r.text)));
        assert_int_equal(strlen(r.text), ascii + (OUTCOME_TEXT_MAX - ascii) / 3 * 3);
    }
}

static void test_outcome(void **state) {
    (void)state;
    enum { D = OUTCOME_DEFERRED, R = OUTCOME_REFUSED, OK = OUTCOME_DELIVERED };
    enum {
        RECIPIENT = OUTCOME_OF_RECIPIENT,
        SENDER = OUTCOME_OF_SENDER,
        DESTINATION = OUTCOME_OF_DESTINATION,
        MESSAGE = OUTCOME_OF_MESSAGE,
        CONNECTION = OUTCOME_OF_CONNECTION
    };
    static const struct {
        const char *reply;
        enum reply_stage stage;
        int class, subject;
    } cases[] = {
        /* good ones */
        {"220 mx.example ESMTP", REPLY_GREETING, OK, RECIPIENT},
        {"235 2.7.0 welcome", REPLY_AUTH, OK, RECIPIENT},
        {"334 VXNlcm5hbWU6", REPLY_AUTH, OK, RECIPIENT},
        {"250 2.1.0 Ok", REPLY_MAIL, OK, RECIPIENT},
        {"250 2.1.5 Ok", REPLY_RCPT, OK, RECIPIENT},
        {"251 will forward", REPLY_RCPT, OK, RECIPIENT},
        {"252 cannot verify", REPLY_RCPT, OK, RECIPIENT},
        {"354 go ahead", REPLY_DATA, OK, RECIPIENT},
        {"250 2.0.0 Ok: queued", REPLY_END, OK, RECIPIENT},
        {"299 unknown but good", REPLY_END, OK, RECIPIENT},
        {"250 ok", REPLY_RSET, OK, RECIPIENT},
        {"221 bye", REPLY_QUIT, OK, RECIPIENT},
        /* neither good nor bad, behind the whole message */
        {"354 go ahead", REPLY_END, OUTCOME_IN_DOUBT, CONNECTION},
        /* before MAIL */
        {"421 4.3.2 not now", REPLY_GREETING, D, CONNECTION},
        {"554 5.7.1 no SMTP for you", REPLY_GREETING, D, SENDER},
        {"521 no mail here", REPLY_GREETING, D, SENDER},
        {"451 try later", REPLY_EHLO, D, CONNECTION},
        {"550 5.7.1 bad name", REPLY_EHLO, D, SENDER},
        {"454 4.7.0 TLS not available", REPLY_STARTTLS, D, CONNECTION},
        {"502 5.5.1 not known", REPLY_STARTTLS, D, SENDER},
        {"454 4.7.0 later", REPLY_AUTH, D, CONNECTION},
        {"535 5.7.8 wrong password", REPLY_AUTH, D, SENDER},
        {"500 5.5.6 line too long", REPLY_AUTH, D, SENDER},
        /* MAIL: refuses nobody */
        {"550 5.1.0 rejected", REPLY_MAIL, D, SENDER},
        {"550 5.1.1 user unknown", REPLY_MAIL, D, SENDER},
        {"553 5.1.7 bad sender", REPLY_MAIL, D, SENDER},
        {"550 5.7.1 no", REPLY_MAIL, D, SENDER},
        {"530 5.7.0 Must issue STARTTLS first", REPLY_MAIL, D, SENDER},
        {"530 5.7.1 Authentication required", REPLY_MAIL, D, SENDER},
        {"503 5.5.1 nested MAIL", REPLY_MAIL, D, SENDER},
        {"599 whatever", REPLY_MAIL, D, SENDER},
        {"552 5.3.4 Message size exceeds fixed limit", REPLY_MAIL, D, MESSAGE},
        {"552 Message size exceeds fixed limit", REPLY_MAIL, D, MESSAGE},
        {"421 4.7.0 too many", REPLY_MAIL, D, DESTINATION},
        {"451 4.7.1 slow", REPLY_MAIL, D, DESTINATION},
        {"452 4.3.1 Insufficient system storage", REPLY_MAIL, D, CONNECTION},
        {"450 4.1.8 Sender address rejected: Domain not found", REPLY_MAIL, D, CONNECTION},
        {"451 local error", REPLY_MAIL, D, CONNECTION},
        /* RCPT: the person */
        {"550 5.1.1 no such user", REPLY_RCPT, R, RECIPIENT},
        {"550 5.1.0 rejected", REPLY_RCPT, R, RECIPIENT},
        {"550 5.1.2 bad host", REPLY_RCPT, R, RECIPIENT},
        {"501 5.1.3 bad syntax", REPLY_RCPT, R, RECIPIENT},
        {"550 5.1.6 moved", REPLY_RCPT, R, RECIPIENT},
        {"556 5.1.10 domain takes no mail", REPLY_RCPT, R, RECIPIENT},
        {"550 5.2.1 mailbox disabled", REPLY_RCPT, R, RECIPIENT},
        {"552 5.2.2 mailbox full", REPLY_RCPT, R, RECIPIENT},
        {"552 quota exceeded", REPLY_RCPT, R, RECIPIENT},
        {"550 5.4.1 Recipient address rejected: Access denied", REPLY_RCPT, R, RECIPIENT},
        {"550 5.4.4 unable to route", REPLY_RCPT, R, RECIPIENT},
        {"550 user unknown", REPLY_RCPT, R, RECIPIENT},
        {"550 Requested action not taken: mailbox unavailable", REPLY_RCPT, R, RECIPIENT},
        {"550 5.5.0 Requested action not taken: mailbox unavailable", REPLY_RCPT, R, RECIPIENT},
        {"551 not local", REPLY_RCPT, R, RECIPIENT},
        {"553 mailbox name not allowed", REPLY_RCPT, R, RECIPIENT},
        {"501 bad address", REPLY_RCPT, R, RECIPIENT},
        {"554 no", REPLY_RCPT, R, RECIPIENT},
        {"577 unknown code", REPLY_RCPT, R, RECIPIENT},
        {"550 <spam.blocked@x.example>: no", REPLY_RCPT, R, RECIPIENT},
        {"550 5.6.7 non-ASCII address", REPLY_RCPT, R, RECIPIENT},
        {"553 5.6.10 non-ASCII address", REPLY_RCPT, R, RECIPIENT},
        {"550 5.7.13 account disabled", REPLY_RCPT, R, RECIPIENT},
        {"550 5.7.17 owner has changed", REPLY_RCPT, R, RECIPIENT},
        {"550 5.7.18 domain owner has changed", REPLY_RCPT, R, RECIPIENT},
        {"550 5.7.2 list expansion prohibited", REPLY_RCPT, R, RECIPIENT},
        {"550 5.7.133 sender not authenticated for group", REPLY_RCPT, R, RECIPIENT},
        {"550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", REPLY_RCPT, R, RECIPIENT},
        {"550 5.7.1 Recipient address rejected: User unknown", REPLY_RCPT, R, RECIPIENT},
        {"550 5.7.1 The account that you tried to reach does not exist", REPLY_END, R, RECIPIENT},
        {"450 4.2.0 Greylisted", REPLY_RCPT, D, RECIPIENT},
        {"451 4.7.1 Greylisting in action", REPLY_RCPT, D, RECIPIENT},
        {"450 4.2.2 mailbox full", REPLY_RCPT, D, RECIPIENT},
        {"450 mailbox busy", REPLY_RCPT, D, RECIPIENT},
        {"452 4.5.3 Too many recipients", REPLY_RCPT, D, RECIPIENT},
        {"452 too many recipients", REPLY_RCPT, D, RECIPIENT},
        {"552 too many recipients", REPLY_RCPT, D, RECIPIENT},
        {"550 5.5.3 Too many recipients", REPLY_RCPT, D, RECIPIENT},
        {"499 unknown code", REPLY_RCPT, D, RECIPIENT},
        {"451 4.4.1 no route", REPLY_END, D, RECIPIENT},
        {"451 local error", REPLY_END, D, RECIPIENT},
        /* policy, and our account */
        {"553 5.7.1 <office@x.example>: Sender address rejected: not yours", REPLY_RCPT, D, SENDER},
        {"550 5.7.1 blocked", REPLY_RCPT, D, DESTINATION},
        {"554 5.7.1 <v@x.example>: Relay access denied", REPLY_RCPT, D, SENDER},
        {"550 5.7.26 unauthenticated mail", REPLY_END, D, DESTINATION},
        {"554 5.7.0 looks like spam", REPLY_END, D, DESTINATION},
        {"550 Relaying denied", REPLY_RCPT, D, SENDER},
        {"554 Message rejected as spam", REPLY_END, D, SENDER},
        {"554 5.0.0 blocked using zen.spamhaus.example", REPLY_RCPT, D, SENDER},
        {"550 Unauthenticated senders not allowed", REPLY_RCPT, D, SENDER},
        {"550 5.1.7 bad sender", REPLY_RCPT, D, SENDER},
        {"550 5.1.8 bad sender domain", REPLY_RCPT, D, SENDER},
        {"550 5.1.0 <n@x.example> sender rejected", REPLY_RCPT, D, SENDER},
        {"530 5.7.0 authentication required", REPLY_RCPT, D, SENDER},
        {"535 no", REPLY_RCPT, D, SENDER},
        {"550 5.2.251 throttled", REPLY_END, D, SENDER},
        {"550 5.2.255 throttled", REPLY_END, D, SENDER},
        {"550 5.4.5 Daily SMTP relay limit exceeded", REPLY_RCPT, D, SENDER},
        {"451 4.3.0 hourly sending quota reached", REPLY_END, D, SENDER},
        /* slow down */
        {"421 4.7.28 unusual rate", REPLY_END, D, DESTINATION},
        {"550 5.7.28 unusual rate", REPLY_END, D, DESTINATION},
        {"421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred", REPLY_MAIL, D, DESTINATION},
        {"421 RP-001 (RP-001) Unfortunately", REPLY_MAIL, D, DESTINATION},
        {"550 5.2.1 The user you are trying to contact is receiving mail at a rate that", REPLY_RCPT, D, DESTINATION},
        {"450 4.2.1 The user you are trying to contact is receiving mail too quickly", REPLY_RCPT, D, DESTINATION},
        {"452 4.3.1 Insufficient system storage", REPLY_RCPT, D, DESTINATION},
        {"451 4.3.0 not now", REPLY_RCPT, D, RECIPIENT},
        {"451 4.7.0 try again", REPLY_RCPT, D, DESTINATION},
        {"421 closing", REPLY_RCPT, D, DESTINATION},
        {"421 4.4.2 timeout", REPLY_DATA, D, CONNECTION},
        {"421 4.3.2 shutting down", REPLY_END, D, CONNECTION},
        {"421 Server shutting down", REPLY_RCPT, D, CONNECTION},
        {"421 4.5.0 Too many errors, bye", REPLY_RCPT, D, CONNECTION},
        {"421 4.7.0 relay.test Error: too many errors", REPLY_RCPT, D, CONNECTION},
        {"421 too many messages in this connection", REPLY_MAIL, D, CONNECTION},
        {"452 4.5.3 Too many messages sent", REPLY_MAIL, D, CONNECTION},
        {"452 4.5.3 Too many messages sent", REPLY_RCPT, D, DESTINATION},
        {"421 4.7.28 too many messages in this session", REPLY_MAIL, D, DESTINATION},
        {"550 Ip frequency limited [Blocked IP 192.0.2.22]", REPLY_RCPT, D, DESTINATION},
        {"554 too many connections", REPLY_RCPT, D, DESTINATION},
        /* the message */
        {"552 5.3.4 too big", REPLY_RCPT, R, MESSAGE},
        {"552 5.2.3 too big", REPLY_END, R, MESSAGE},
        {"552 message exceeds fixed limit", REPLY_END, R, MESSAGE},
        {"554 5.6.0 malformed", REPLY_END, R, MESSAGE},
        {"554 5.6.1 media not supported", REPLY_END, R, MESSAGE},
        /* the dialogue */
        {"503 5.5.1 need RCPT", REPLY_DATA, D, CONNECTION},
        {"500 unknown command", REPLY_RCPT, D, CONNECTION},
        {"502 5.5.2 not implemented", REPLY_END, D, CONNECTION},
        {"555 5.5.4 unsupported parameter", REPLY_RCPT, D, CONNECTION},
        {"451 whatever", REPLY_RSET, D, CONNECTION},
        {"550 whatever", REPLY_RSET, D, CONNECTION},
        {"550 whatever", REPLY_QUIT, D, CONNECTION},
        /* behind DATA the same verdicts */
        {"550 5.1.1 no such user", REPLY_DATA, R, RECIPIENT},
        {"550 5.1.1 no such user", REPLY_END, R, RECIPIENT},
        {"554 transaction failed", REPLY_END, R, RECIPIENT},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct reply r;
        struct outcome o;
        size_t taken;
        AUTOBUF struct buf line = BUF_INIT(4096);
        buf_printf(&line, "%s\r\n", cases[i].reply);
        reply_init(&r);
        assert_int_equal(reply_feed(&r, buf_view(&line), &taken), 0);
        assert_true(r.complete);
        reply_outcome(&r, cases[i].stage, &o);
        if ((int)o.class != cases[i].class || (int)o.subject != cases[i].subject)
            fail_msg("%s at %d: %s of %d", cases[i].reply, (int)cases[i].stage, outcome_class_name(o.class),
                     (int)o.subject);
        assert_int_equal(o.code, r.code);
        assert_string_equal(o.status, r.status);
        assert_string_equal(o.text, r.text);
    }
}

/* Whatever the code, each stage has its answer, and MAIL and what stands before it refuse nobody. */
static void test_every_code(void **state) {
    (void)state;
    for (unsigned code = 200; code < 600; code++)
        for (enum reply_stage stage = REPLY_GREETING; stage <= REPLY_QUIT; stage++) {
            struct reply r;
            struct outcome o;
            reply_init(&r);
            r.code = (uint16_t)code;
            r.complete = true;
            reply_outcome(&r, stage, &o);
            bool in_doubt = stage == REPLY_END && code / 100 == 3;
            assert_int_equal(o.class == OUTCOME_DELIVERED, code < 400 && !in_doubt);
            assert_int_equal(o.class == OUTCOME_IN_DOUBT, in_doubt);
            if (o.class == OUTCOME_REFUSED)
                assert_true(code >= 500 && stage >= REPLY_RCPT && stage <= REPLY_END);
            if (code / 100 == 4)
                assert_int_equal(o.class, OUTCOME_DEFERRED);
        }
}

static void test_outcome_set(void **state) {
    (void)state;
    struct outcome o;
    memset(&o, 0x55, sizeof o);
    outcome_set(&o, OUTCOME_IN_DOUBT, OUTCOME_OF_CONNECTION, "lost\r\nafter the \x1B dot");
    assert_int_equal(o.class, OUTCOME_IN_DOUBT);
    assert_int_equal(o.subject, OUTCOME_OF_CONNECTION);
    assert_int_equal(o.code, 0);
    assert_string_equal(o.status, "");
    assert_string_equal(o.text, "lost??after the ? dot");
    assert_string_equal(outcome_class_name(OUTCOME_DELIVERED), "delivered");
    assert_string_equal(outcome_class_name(OUTCOME_DEFERRED), "deferred");
    assert_string_equal(outcome_class_name(OUTCOME_REFUSED), "refused");
    assert_string_equal(outcome_class_name(OUTCOME_IN_DOUBT), "in-doubt");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),    cmocka_unit_test(test_garbage),    cmocka_unit_test(test_incomplete),
        cmocka_unit_test(test_caps),    cmocka_unit_test(test_endless),    cmocka_unit_test(test_text_cut),
        cmocka_unit_test(test_outcome), cmocka_unit_test(test_every_code), cmocka_unit_test(test_outcome_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
