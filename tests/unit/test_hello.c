/* What a relay offers, line by line, and what it says when it does not want us. */
#include "send/hello.h"

#include "unit.h"

static const struct {
    const char *name, *said; /* lines */
    const char *offers;      /* p c 8 u e, and s with the number */
    bool authenticated;
} cases[] = {
    {"nothing", "220 a\r\n250 a\r\n", "", false},
    {"all",
     "220 a\r\n250-a\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-SIZE 1000\r\n"
     "250 ENHANCEDSTATUSCODES\r\n",
     "pc8ues1000", false},
    {"in any case, and what is unknown", "220 a\r\n250-a\r\n250-Pipelining\r\n250-XYZ\r\n250 help\r\n", "p", false},
    {"the first line is the relay's name", "220 a\r\n250-PIPELINING\r\n250 HELP\r\n", "", false},
    {"a longer word is another one", "220 a\r\n250-a\r\n250-PIPELININGS\r\n250 CHUNKINGS\r\n", "", false},
    {"SIZE without a number", "220 a\r\n250-a\r\n250 SIZE\r\n", "s0", false},
    {"SIZE without sense", "220 a\r\n250-a\r\n250 SIZE -1\r\n", "s0", false},
    {"what was said before TLS",
     "220 a\r\n250-a\r\n250-CHUNKING\r\n250 STARTTLS\r\n220 go\r\n250-a\r\n250 PIPELINING\r\n", "p", false},
    {"a login", "220 a\r\n250-a\r\n250 AUTH PLAIN\r\n235 2.7.0 welcome\r\n", "", true},
    {"a login refused", "220 a\r\n250-a\r\n250 AUTH PLAIN\r\n535 5.7.8 no\r\n", "", false},
};

/* Lines as libcurl hands them over. */
static bool feed_lines(struct hello *h, const char *text) {
    bool fits = true;
    while (*text) {
        size_t len = strcspn(text, "\n") + 1;
        fits = hello_feed(h, view_make(text, len));
        text += len;
    }
    return fits;
}

static void test_offers(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct hello h;
        AUTOBUF struct buf got = BUF_INIT(100);
        hello_init(&h);
        assert_true(feed_lines(&h, cases[i].said));
        buf_printf(&got, "%s%s%s%s%s", h.offers.pipelining ? "p" : "", h.offers.chunking ? "c" : "",
                   h.offers.eightbit ? "8" : "", h.offers.smtputf8 ? "u" : "", h.offers.enhanced ? "e" : "");
        if (h.offers.size)
            buf_printf(&got, "s%llu", (unsigned long long)h.offers.size_bytes);
        unit_str(cases[i].name, buf_str(&got), cases[i].offers);
        unit_int(cases[i].name, h.authenticated, cases[i].authenticated);
    }
}

static void test_the_cap(void **state) {
    (void)state;
    struct hello h;
    hello_init(&h);
    assert_true(hello_feed(&h, VIEW("220 a\r\n")));
    for (int i = 0; i < HELLO_LINES_MAX; i++)
        assert_true(hello_feed(&h, VIEW("250-X\r\n")));
    assert_false(hello_feed(&h, VIEW("250-X\r\n")));
}

static void test_failures(void **state) {
    (void)state;
    static const struct {
        const char *said, *text;
        unsigned code;
        bool for_now, for_good;
    } failures[] = {
        {"", "what", 0, false, false},
        {"421 4.3.2 too busy\r\n", "what (421 4.3.2 too busy)", 421, true, false},
        {"554 go away\r\n", "what (554 go away)", 554, false, true},
        {"554-go\r\n554 away\r\n", "what (554 go away)", 554, false, true},
    };
    for (size_t i = 0; i < COUNT_OF(failures); i++) {
        struct hello h;
        struct outcome o;
        hello_init(&h);
        (void)feed_lines(&h, failures[i].said);
        hello_fail(&h.reply, &o, OUTCOME_OF_CONNECTION, "what");
        unit_str(failures[i].said, o.text, failures[i].text);
        unit_int(failures[i].said, o.code, failures[i].code);
        unit_int(failures[i].said, o.class, OUTCOME_DEFERRED);
        unit_int(failures[i].said, hello_refused_for_now(&h), failures[i].for_now);
        unit_int(failures[i].said, hello_refused_for_good(&h), failures[i].for_good);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offers),
        cmocka_unit_test(test_the_cap),
        cmocka_unit_test(test_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
