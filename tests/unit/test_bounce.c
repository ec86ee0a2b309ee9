/* Samples are written for these tests; what real systems say is judged by tests/flow/44-bounce. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "mail/bounce.h"
#include "mail/record.h"

enum { FIELDS = 5, PARTS = 4 };

struct sample {
    const char *fields[FIELDS][2];
    const char *parts[PARTS][2]; /* type, text */
    const char *expected;        /* "class status recipient reason action" of each report, joined by ", " */
};

#define DSN(text)                                                                                                      \
    { "message/delivery-status", "Reporting-MTA: dns; mx.example\n\n" text }
#define FROM_DAEMON                                                                                                    \
    { "from", "MAILER-DAEMON@mx.example" }

static const struct sample samples[] = {
    /* RFC 3464 */
    {{FROM_DAEMON},
     {DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n"
          "Diagnostic-Code: smtp; 550 5.1.1 <a@b.example>: User\n unknown in table\n")},
     "hard 5.1.1 a@b.example userunknown suppress"},
    {{FROM_DAEMON},
     {DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.2.2\n\n"
          "Final-Recipient: rfc822; c@b.example\nAction: delayed\nStatus: 4.4.1\n\n"
          "Final-Recipient: rfc822; d@b.example\nAction: delivered\nStatus: 2.0.0\n")},
     "soft 5.2.2 a@b.example mailboxfull score, soft 4.4.1 c@b.example expired none, "
     "ignore 2.0.0 d@b.example delivered none"},
    /* Status says little, the reply more; the reply contradicts the status. */
    {{FROM_DAEMON},
     {DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.0.0\n"
          "Diagnostic-Code: smtp; 550 5.2.1 The account is disabled\n")},
     "soft 5.2.1 a@b.example suspend suppress"},
    {{FROM_DAEMON},
     {DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.1\n"
          "Diagnostic-Code: smtp; 550 5.7.1 IP address blacklisted by recipient\n")},
     "soft 5.7.1 a@b.example blocked pause-destination"},
    /* Only codes. */
    {{FROM_DAEMON},
     {DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.2\n")},
     "hard 5.1.2 a@b.example hostunknown suppress-if-again"},
    {{FROM_DAEMON},
     {DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.1.8\n")},
     "soft 5.1.8 a@b.example rejected alert-sender"},
    {{FROM_DAEMON},
     {DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.3.4\n")},
     "soft 5.3.4 a@b.example mesgtoobig hold-announcement"},
    {{FROM_DAEMON},
     {DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.7.28\n")},
     "soft 5.7.28 a@b.example toomanyconn slow-destination"},
    {{FROM_DAEMON},
     {DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.0.0\n"
          "Diagnostic-Code: smtp; 556 no\n")},
     "hard 5.0.0 a@b.example notaccept suppress-if-again"},
    /* Before RCPT nothing speaks of the recipient; after the message "unknown" may be a filter. */
    {{FROM_DAEMON},
     {{"text/plain", "<a@b.example>: host mx said: 550 user unknown (in reply to MAIL FROM command)\n"},
      DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.0.0\n"
          "Diagnostic-Code: smtp; 550 user unknown\n")},
     "soft 5.0.0 a@b.example undefined score"},
    {{FROM_DAEMON},
     {{"text/plain", ">>> DATA\n<<< 550 user unknown\n"},
      DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 5.0.0\n"
          "Diagnostic-Code: smtp; 550 user unknown\n")},
     "soft 5.0.0 a@b.example filtered score"},
    /* A temporary code is no end of an address. */
    {{FROM_DAEMON},
     {DSN("Final-Recipient: rfc822; a@b.example\nAction: failed\nStatus: 4.1.1\n"
          "Diagnostic-Code: smtp; 450 4.1.1 user unknown\n")},
     "soft 4.1.1 a@b.example onhold score"},
    /* RFC 6533 */
    {{FROM_DAEMON},
     {{"message/global-delivery-status",
       "Reporting-MTA: dns; mx.example\n\nFinal-Recipient: utf-8; vera@bücher.example\n"
       "Action: failed\nStatus: 5.1.1\n"}},
     "hard 5.1.1 vera@bücher.example userunknown suppress"},
    /* Words */
    {{FROM_DAEMON, {"subject", "failure notice"}},
     {{"text/plain",
       "Hi. This is the qmail-send program.\n\n<a@b.example>:\n192.0.2.1 does not like recipient.\n"
       "Remote host said: 550 5.1.1 no such user\nGiving up.\n\n<c@b.example>:\nmailbox is full\n\n"
       "--- Below this line is a copy of the message.\n\nTo: <x@y.example>\n<z@b.example>: no such user\n"}},
     "hard 5.1.1 a@b.example userunknown suppress, soft  c@b.example mailboxfull score"},
    {{{"from", "Mail Delivery System <postmaster@b.example>"}, {"x-failed-recipients", "a@b.example"}},
     {{"text/plain", "failed:\n\n  a@b.example\n    Unrouteable address\n\n"
                     "------ This is a copy of the message, including all the headers. ------\n"}},
     "hard  a@b.example userunknown suppress"},
    {{FROM_DAEMON},
     {{"text/plain",
       "   ----- Transcript of session follows -----\nWhile talking to b.example:\n>>> MAIL From:<us@o.example>\n"
       "<<< 501 <us@o.example>... we do not know you\n554 <a@b.example>... Remote protocol error\n"
       "554 <c@d.example>... 550 Host unknown\n   ----- Unsent message follows -----\nTo: x\n"}},
     "soft  a@b.example undefined score, hard  c@d.example hostunknown suppress-if-again"},
    {{{"from", "postmaster@b.example"}, {"subject", "Unzustellbar: Rundbrief"}},
     {{"text/plain", "Ihre Nachricht konnte nicht zugestellt werden.\nEmpfänger: a@b.example\n"
                     "Das Postfach ist voll.\n"}},
     "soft  a@b.example mailboxfull score"},
    {{{"from", "no-reply@b.example"}, {"subject", "メールエラー通知"}},
     {{"text/plain",
       "送信先のメールボックスが一杯のため、送信できませんでした。\nCould not be delivered to: <a@b.example>\n"}},
     "soft  a@b.example mailboxfull score"},
    {{FROM_DAEMON, {"subject", "Undelivered"}},
     {{"text/html", "<p>&lt;a@b.example&gt;: <b>550</b> No such user</p>"}},
     "hard  a@b.example userunknown suppress"},
    {{FROM_DAEMON}, {{"text/plain", "something happened"}}, "soft   undefined score"},
    /* RFC 5965 */
    {{{"from", "fbl@big.example"}},
     {{"text/plain", "an abuse report"},
      {"message/feedback-report", "Feedback-Type: abuse\nVersion: 1\nOriginal-Rcpt-To: <a@b.example>\n"}},
     "complaint  a@b.example feedback opt-out"},
    {{{"from", "fbl@big.example"}},
     {{"message/feedback-report", "Feedback-Type: auth-failure\n"}},
     "ignore   feedback none"},
    {{{"from", "fbl@big.example"}},
     {{"message/feedback-report", "Feedback-Type: not-spam\n"}},
     "ignore   feedback none"},
    /* Machines that answer for people; what is none of all that. */
    {{{"from", "a@b.example"}, {"auto-submitted", "auto-replied"}},
     {{"text/plain", "I am away."}},
     "auto-reply   vacation none"},
    {{{"from", "a@b.example"}, {"subject", "Abwesenheitsnotiz: Rundbrief"}},
     {{"text/plain", "Ich bin im Urlaub."}},
     "auto-reply   vacation none"},
    {{{"from", "a@b.example"}, {"subject", "Please confirm your message"}},
     {{"text/plain", "Click"}},
     "auto-reply   challenge none"},
    {{{"from", "office@o.example"}, {"list-id", "<council.o.example>"}, {"subject", "Workshop"}},
     {{"text/plain", "Guten Tag"}},
     "ignore   loop none"},
    {{{"from", "a@b.example"}, {"auto-submitted", "no"}, {"subject", "Re: Workshop"}},
     {{"text/plain", "My new address is c@d.example, the old one is no longer valid."}},
     "ignore   noreport none"},
    {{{"from", "a@b.example"}, {"subject", "Re: Workshop"}}, {{"text/plain", ""}}, "ignore   noreport none"},
};

static void read_sample(const struct sample *s, struct buf *text, struct record *r) {
    record_print_head(text);
    for (size_t i = 0; i < FIELDS && s->fields[i][0]; i++)
        record_print_field(text, view_of(s->fields[i][0]), view_of(s->fields[i][1]));
    for (size_t i = 0; i < PARTS && s->parts[i][0]; i++)
        record_print_part(text, 0, view_of(s->parts[i][0]), view_of(s->parts[i][1]));
    record_print_end(text);
    assert_int_equal(buf_error(text), 0);
    assert_int_equal(record_read(buf_view(text), r), 0);
}

static void test_samples(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        AUTOBUF struct buf text = BUF_INIT(RECORD_MAX_BYTES), got = BUF_INIT(8192);
        struct record r;
        struct bounce b;
        read_sample(&samples[i], &text, &r);
        bounce_read(&r, &b);
        for (size_t k = 0; k < b.count; k++)
            buf_printf(&got, "%s%s %s %s %s %s", k ? ", " : "", bounce_class_name(b.reports[k].class),
                       b.reports[k].status, b.reports[k].recipient, bounce_reason_name(b.reports[k].reason),
                       bounce_action_name(b.reports[k].action));
        if (strcmp(buf_str(&got), samples[i].expected) != 0)
            fail_msg("sample %zu: %s, should be %s", i, buf_str(&got), samples[i].expected);
    }
}

/* Each has a word of its own for its class and action. */
static void test_names(void **state) {
    (void)state;
    static const char *const reasons[] = {
#define X(name, word, class, action) word,
        BOUNCE_REASONS(X)
#undef X
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        assert_string_equal(bounce_reason_name((enum bounce_reason)i), reasons[i]);
    for (int i = BOUNCE_HARD; i <= BOUNCE_IGNORE; i++)
        assert_true(bounce_class_name((enum bounce_class)i)[0]);
    for (int i = BOUNCE_NOTHING; i <= BOUNCE_OPT_OUT; i++)
        assert_true(bounce_action_name((enum bounce_action)i)[0]);
}

static void test_many(void **state) {
    (void)state;
    AUTOBUF struct buf dsn = BUF_INIT(RECORD_TEXT_MAX_BYTES), text = BUF_INIT(RECORD_MAX_BYTES);
    for (int i = 0; i < BOUNCE_REPORTS_MAX + 20; i++)
        buf_printf(&dsn, "Final-Recipient: rfc822; a%d@b.example\nAction: failed\nStatus: 5.1.1\n\n", i);
    const struct sample many = {{FROM_DAEMON}, {{"message/delivery-status", buf_str(&dsn)}}, ""};
    struct record r;
    struct bounce b;
    read_sample(&many, &text, &r);
    bounce_read(&r, &b);
    assert_int_equal(b.count, BOUNCE_REPORTS_MAX);
}

#define TOKEN                                                                                                          \
    "AQEBAAAAAQAAAAAAAAAB0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123456789abcdefghijklmn"

static void test_tokens(void **state) {
    (void)state;
    static const struct {
        struct sample sample;
        unsigned tokens;
    } cases[] = {
        {{{FROM_DAEMON},
          {{"message/rfc822", "Subject: x\nList-Unsubscribe: <https://o.example/u/" TOKEN ">, <mailto:x@o.example>\n"}},
          ""},
         1},
        {{{FROM_DAEMON},
          {{"text/rfc822-headers", "List-Unsubscribe: <https://o.example/u/" TOKEN "/17/de>\n"},
           {"message/rfc822", "X: /u/" TOKEN "\n"}},
          ""},
         2},
        {{{FROM_DAEMON},
          {{"text/plain",
            "/u/" TOKEN "\n--- Below this line is a copy of the message.\nList-Unsubscribe: </u/" TOKEN ">\n"}},
          ""},
         1},
        /* Not in what came back. */
        {{{FROM_DAEMON, {"list-unsubscribe", "<https://o.example/u/" TOKEN ">"}},
          {{"text/plain", "https://o.example/u/" TOKEN "\n"}},
          ""},
         0},
        {{{FROM_DAEMON}, {{"message/rfc822", "X: /u/short\nY: /u/" TOKEN TOKEN "\n"}}, ""}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        AUTOBUF struct buf text = BUF_INIT(RECORD_MAX_BYTES);
        struct record r;
        size_t cursor = 0;
        unsigned found = 0;
        struct view announcement;
        read_sample(&cases[i].sample, &text, &r);
        for (struct view token; (token = bounce_next_token(&r, &cursor, &announcement)).ptr; found++)
            assert_true(view_eq_str(token, TOKEN));
        if (found != cases[i].tokens)
            fail_msg("case %zu: %u tokens", i, found);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_samples), cmocka_unit_test(test_names),
                                       cmocka_unit_test(test_many), cmocka_unit_test(test_tokens)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
