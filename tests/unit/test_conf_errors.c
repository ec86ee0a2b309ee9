#include "conf_unit.h"

/* A configuration without its first lines, which MINIMAL has: line 1 of `text` is line 7. */
struct error_case {
    struct view text;
    const char *errors;
};

static void check(const char *before, const struct error_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        AUTOBUF struct buf text = BUF_INIT(200000), errors = BUF_INIT(1 << 20);
        buf_puts(&text, before);
        buf_add_view(&text, cases[i].text);
        AUTOCONF struct conf *c = conf_unit_read(buf_view(&text), &errors);
        unit_str(cases[i].text.ptr, buf_str(&errors), cases[i].errors);
    }
}

static void heads(void **state) {
    (void)state;
    static const struct error_case cases[] = {
        {VIEW("[relya x]\nurl = nonsense\n"), "t.ini:7: there is no section [relya]. Did you mean [relay]?\n"},
        {VIEW("[Daemon]\n"), "t.ini:7: there is no section [Daemon]. Did you mean [daemon]?\n"},
        {VIEW("[zzzzzzzzzzzz]\n"), "t.ini:7: there is no section [zzzzzzzzzzzz]\n"},
        {VIEW("[]\nx = 1\n"), "t.ini:7: this section has no name. Write it as [daemon] or [list NAME]\n"},
        {VIEW("[daemon x]\n"), "t.ini:7: [daemon]: this section takes no name. Write [daemon]\n"},
        {VIEW("[list]\n"), "t.ini:7: [list]: this section needs a name. Write [list NAME]\n"},
        {VIEW("[destination]\n"), "t.ini:7: [destination]: this section needs a name. Write [destination DOMAIN]\n"},
        {VIEW("[daemon\nlanguage = x\n"),
         "t.ini:7: the line of a section must end with ]\n"
         "t.ini:8: [daemon] language: “x” is not a language code. Write it as de, fr or pt-BR\n"},
        {VIEW("[daemon]\n[list a]\n[daemon]\n[list a]\n"),
         "t.ini:9: [daemon]: this section is there twice; the first is in line 7. Put all its keys into one\n"
         "t.ini:10: [list a]: this section is there twice; the first is in line 8. Put all its keys into one\n"},
        {VIEW("[destination A.example]\n[destination a.example]\n"),
         "t.ini:8: [destination a.example]: this section is there twice; the first is in line 7. Put all its keys into "
         "one\n"},
        {VIEW("[list A]\n"),
         "t.ini:7: [list A]: “A” is not the name of a list. Use at most 48 lower-case letters, digits "
         "and hyphens\n"},
        {VIEW("[destination localhost]\n"),
         "t.ini:7: [destination localhost]: “localhost” is not a mail domain. Write it as domain.example, an "
         "international name as its xn-- form\n"},
        {VIEW("[retention]\nnotices = 29d\nrejected = 36501d\n"),
         "t.ini:8: [retention] notices: “29d” is out of bounds. Give 30d to 36500d\n"
         "t.ini:9: [retention] rejected: “36501d” is out of bounds. Give 30d to 36500d\n"},
        {VIEW("[sender a b]\nname = X\naddress = x@partner.example\npublic-url = https://a.example\n"),
         "t.ini:7: [sender a b]: “a b” is not a name. Use at most 60 letters, digits, dots, hyphens and underscores\n"},
    };
    check(MINIMAL, cases, COUNT_OF(cases));
}

static void lines(void **state) {
    (void)state;
    static const struct error_case cases[] = {
        {VIEW("x = 1\n" MINIMAL),
         "t.ini:1: this stands before the first section. Put it below a line such as [daemon]\n"},
        {VIEW(MINIMAL "just words\n"),
         "t.ini:7: this line is neither [section] nor key = value. Begin it with # where it "
         "is a comment; a value must stand on one line\n"},
        {VIEW(MINIMAL "= x\n"), "t.ini:7: nothing stands before the =. Write key = value\n"},
        {VIEW(MINIMAL "[daemon]\nalert = B\xFCro\n"), "t.ini:8: this line is not UTF-8. Save the file as UTF-8\n"},
        {VIEW(MINIMAL "[daemon]\nlanguage = d\0e\n"), "t.ini:8: this line is not UTF-8. Save the file as UTF-8\n"},
        {VIEW(MINIMAL_RELAY "[sender o]\nname = A\xE2\x80\xAE"
                            "B\naddress = a@partner.example\n"
                            "public-url = https://a.example\n"),
         "t.ini:4: [sender o] name: the value has control characters in it\n"},
        {VIEW("\xFF\xFE[\0d\0"), "t.ini: there is no [sender NAME], so nobody could write\n"
                                 "t.ini: there is no [relay NAME], so nothing could be sent\n"
                                 "t.ini:1: the file is UTF-16. Save it as UTF-8\n"},
        {VIEW(""), "t.ini: there is no [sender NAME], so nobody could write\n"
                   "t.ini: there is no [relay NAME], so nothing could be sent\n"},
    };
    check("", cases, COUNT_OF(cases));
}

static void keys(void **state) {
    (void)state;
    static const struct error_case cases[] = {
        {VIEW("[daemon]\ntimezon = Europe/Berlin\n"),
         "t.ini:8: [daemon] timezon: there is no such key in this section. Did you mean timezone?\n"},
        {VIEW("[daemon]\nlisten = systemd\n"),
         "t.ini:8: [daemon] listen: there is no such key in this section. It belongs into [web]\n"},
        {VIEW("[web]\nurl = x\n"),
         "t.ini:8: [web] url: there is no such key in this section. It belongs into [relay NAME]\n"},
        {VIEW("[daemon]\nzzzzzzzz = 1\n"), "t.ini:8: [daemon] zzzzzzzz: there is no such key in this section\n"},
        {VIEW("[daemon]\nlanguage = de\nlanguage = de\nlanguage = xxxx\n"),
         "t.ini:9: [daemon] language: this key is there twice; the first is in line 8. Leave one of them\n"
         "t.ini:10: [daemon] language: this key is there twice; the first is in line 8. Leave one of them\n"},
        {VIEW("[daemon]\nstate-dir =\n"), "t.ini:8: [daemon] state-dir: nothing stands behind the =. Give a value, or "
                                          "leave the key out for the default, "
                                          "which is /var/lib/rundbrief\n"},
        {VIEW("[daemon]\nalert =\ntimezone =\n[bounce]\nreturn-path =\n"), ""}, /* as if not given */
        {VIEW("[list a]\nopen = maybe\n"),
         "t.ini:8: [list a] open: “maybe” is none of the words that may stand here. Give no or yes\n"},
        {VIEW("[list a]\nsource = /srv/a.csv\nbasis = consent\nevidence = y\n"), ""},
        {VIEW("[list a]\nsource = /srv/a.csv\nevidence = y\n"),
         "t.ini:8: [list a] source: source is given without basis. Say why its people may be written to: basis = "
         "consent, membership, public-task or other\n"},
        {VIEW("[list a]\nsource = /srv/a.csv\nbasis = other\n"),
         "t.ini:8: [list a] source: source is given without evidence. Say in words what shows it: evidence = the "
         "association's register\n"},
        {VIEW("[list a]\nsource = /srv/a.csv\nbasis = hope\nevidence = y\n"),
         "t.ini:9: [list a] basis: this is not a basis. Write consent, membership, public-task or other\n"},
        {VIEW("[web]\nconfirm-days = 15\n[bounce]\nsoft-limit = 0\nimap-url = x\n"),
         "t.ini:8: [web] confirm-days: “15” is out of bounds. Give 1 to 14\nt.ini:10: [bounce] soft-limit: “0” is out "
         "of bounds. Give 1 "
         "to 1000\n"
         "t.ini:11: [bounce] imap-url: “x” is not the address of a mailbox. Write imaps://HOST/INBOX or "
         "imap://HOST:PORT/INBOX\n"},
        {VIEW("[sender b]\nname =\n"),
         "t.ini:7: [sender b] address: this key is missing. For example: address = rundbrief@partnerschaften.example\n"
         "t.ini:7: [sender b] public-url: this key is missing. For example: public-url = "
         "https://rundbrief.partnerschaften.example\n"
         "t.ini:8: [sender b] name: this must be filled in. For example: name = Koordinierungsstelle "
         "Städtepartnerschaften\n"},
        {VIEW("[relay b]\n"), "t.ini:7: [relay b] url: this key is missing. For example: url = "
                              "smtp://mail.partnerschaften.example\n"},
        {VIEW("[relay b]\nurl = smtp://m\xFCller.example\n"), /* is there, in another encoding */
         "t.ini:8: this line is not UTF-8. Save the file as UTF-8\n"},
    };
    check(MINIMAL, cases, COUNT_OF(cases));
}

static void values(void **state) {
    (void)state;
    static const struct error_case cases[] = {
        {VIEW("[relay b]\nurl = smtp://b.example\nconnections = 0\nin-flight = 101\npriority = -1\nrate = 0/s\n"
              "daily-limit = 1.5\n"),
         "t.ini:9: [relay b] connections: “0” is out of bounds. Give 1 to 100\n"
         "t.ini:10: [relay b] in-flight: “101” is out of bounds. Give 1 to 100\n"
         "t.ini:11: [relay b] priority: “-1” is not a whole number. Give 0 to 1000\n"
         "t.ini:12: [relay b] rate: “0/s” is out of bounds. Give 1 to 1000000 for each s, m, h or d, as 100/s, or "
         "none\n"
         "t.ini:13: [relay b] daily-limit: “1.5” is not a whole number. Give 1 to 1000000000, or none\n"},
        {VIEW("[relay b]\nurl = smtp://b.example\nrate = 100\ntls = requird\n"),
         "t.ini:9: [relay b] rate: “100” is not a rate. Give 1 to 1000000 for each s, m, h or d, as 100/s, or none\n"
         "t.ini:10: [relay b] tls: “requird” is none of the words that may stand here. Did you mean required?\n"},
        {VIEW("[daemon]\nin-doubt = perhaps\nattachment-limit = 1\nmessage-limit = 1 TB\n"),
         "t.ini:8: [daemon] in-doubt: “perhaps” is none of the words that may stand here. Give resend or hold\n"
         "t.ini:9: [daemon] attachment-limit: “1” is out of bounds. Give 1 KB to 48 MB\n"
         "t.ini:10: [daemon] message-limit: “1 TB” is not a size such as 500 KB or 10 MB. Give 64 KB to 100 MB\n"},
        {VIEW("[retry]\nfirst = 0s\nthen = 25h\ngive-up = 4\n"),
         "t.ini:8: [retry] first: “0s” is out of bounds. Give 1s to 1d\n"
         "t.ini:9: [retry] then: “25h” is out of bounds. Give 1s to 1d\n"
         "t.ini:10: [retry] give-up: “4” is not a time such as 90s, 30m, 2h, 4d or 1h30m. Give 1s to 30d\n"},
        {VIEW("[daemon]\nalert = a@partner.example,\n"), "t.ini:8: [daemon] alert: nothing stands between two commas. "
                                                         "Put one comma between two values, and none at the "
                                                         "end\n"},
        {VIEW("[daemon]\nalert = a@partner.example, a@partner.example\n"),
         "t.ini:8: [daemon] alert: “a@partner.example” is named twice\n"},
        {VIEW("[list a]\nid = 0\n[list b]\nid = 4294967296\n[list c]\nid = 4294967295\n"),
         "t.ini:8: [list a] id: “0” is out of bounds. Give 1 to 4294967295\n"
         "t.ini:10: [list b] id: “4294967296” is out of bounds. Give 1 to 4294967295\n"},
        {VIEW("[list a]\nlanguages = de, fr\ntitle.fr = x\ntitle.fr = y\ntitle. = z\ntitle.de = t\n"),
         "t.ini:10: [list a] title.fr: the title in this language is there twice\n"
         "t.ini:11: [list a] title.: “” is not a language code. Write it as de, fr or pt-BR\n"},
    };
    check(MINIMAL, cases, COUNT_OF(cases));
}

static void relations(void **state) {
    (void)state;
    static const struct error_case cases[] = {
        {VIEW("[list a]\nsender = ofice\nrelay = main, mian\n"),
         "t.ini:8: [list a] sender: there is no [sender ofice]. Did you mean office?\n"
         "t.ini:9: [list a] relay: there is no [relay mian]. Did you mean main?\n"},
        {VIEW("[sender b]\nname = B\naddress = b@partner.example\npublic-url = https://b.example\n[list a]\n"),
         "t.ini:11: [list a] sender: this key is missing, and there are several senders. For example: sender = "
         "office\n"},
        {VIEW("[sender b]\nname = B\naddress = b@partner.example\npublic-url = https://b.example\nrelay = mian\n"
              "[list a]\nsender = b\n[list b]\nsender = b\nrelay = main\n"),
         "t.ini:11: [sender b] relay: there is no [relay mian]. Did you mean main?\n"},
        {VIEW("[list a]\nlanguages = de, fr\ntitle.pl = x\n"),
         "t.ini:9: [list a] title: there is a title in pl, but that is none of the list's languages. Add it to "
         "languages, or leave the title out\n"},
        {VIEW("[list list-49195]\n[list list-119712]\n"),
         "t.ini:8: [list list-119712] id: the id 1021719026 is that of [list list-49195] too. Give the list that is "
         "newer "
         "another, which no list ever had: id = 1, or another number\n"},
        {VIEW("[list list-49195]\n[list list-119712]\nid = 1\n"), ""},
        {VIEW("[list a]\nid = 5\n[list b]\n[list c]\nid = 5\n"),
         "t.ini:11: [list c] id: the id 5 is that of [list a] too. Give the list that is newer another, which no list "
         "ever had: id = 1, or another number\n"},
        {VIEW("[relay b]\nurl = smtp://b.example\nusername = u\n"),
         "t.ini:9: [relay b] username: username is given without password-file. Give both, or none where the server "
         "wants no login\n"},
        {VIEW("[relay b]\nurl = smtp://b.example\npassword-file = /p\n"),
         "t.ini:9: [relay b] password-file: password-file is given without username. Give both, or none where the "
         "server "
         "wants no login\n"},
        {VIEW("[relay b]\nurl = smtp://b.example\ntls = none\nusername = u\npassword-file = /p\n"),
         "t.ini:9: [relay b] tls: the password might cross the network in the clear. Give tls = required, or no "
         "username\n"},
        {VIEW("[relay b]\nurl = smtp://b.example\ntls = opportunistic\nusername = u\npassword-file = /p\n"),
         "t.ini:9: [relay b] tls: the password might cross the network in the clear. Give tls = required, or no "
         "username\n"},
        {VIEW("[relay b]\nurl = smtp://localhost:2525\ntls = none\nusername = u\npassword-file = /p\n"), ""},
        {VIEW("[relay b]\nurl = smtps://b.example\ntls = none\n"),
         "t.ini:9: [relay b] tls: smtps:// is TLS from the first byte, so nothing else can be. Give tls = required, or "
         "smtp:// in url\n"},
        {VIEW("[daemon]\nattachment-limit = 18 MB\n"), ""},
        {VIEW("[daemon]\nattachment-limit = 19 MB\n"),
         "t.ini:8: [daemon] attachment-limit: attachments of attachment-limit grow to 27 MB in a mail, and that is "
         "more "
         "than message-limit. Lower attachment-limit or raise message-limit\n"},
        {VIEW("[daemon]\nmessage-limit = 10 MB\n"), "t.ini:8: [daemon] message-limit: attachments of attachment-limit "
                                                    "grow to 14 MB in a mail, and that is more than "
                                                    "message-limit. Lower attachment-limit or raise message-limit\n"},
        {VIEW("[retry]\ngive-up = 10m\n"),
         "t.ini:8: [retry] give-up: give-up comes before the first retry. Give a give-up that is longer than first\n"},
    };
    check(MINIMAL, cases, COUNT_OF(cases));
}

static void everything_is_said_in_the_order_of_lines(void **state) {
    (void)state;
    static const struct error_case cases[] = {
        {VIEW("[list a]\nsender = x\ntone = rude\n[daemon]\nnonsense\ncolour = red\n[relay r]\ntls = none\n"
              "url = http://r.example\n"),
         "t.ini: there is no [sender NAME], so nobody could write\n"
         "t.ini:2: [list a] sender: there is no [sender x]\n"
         "t.ini:3: [list a] tone: “rude” is none of the words that may stand here. Give formal or informal\n"
         "t.ini:5: this line is neither [section] nor key = value. Begin it with # where it is a comment; a value must "
         "stand on one line\n"
         "t.ini:6: [daemon] colour: there is no such key in this section. It belongs into [sender NAME]\n"
         "t.ini:9: [relay r] url: “http://r.example” is not the address of a mail server. Write smtp://HOST, "
         "smtp://HOST:PORT or smtps://HOST\n"},
    };
    check("", cases, COUNT_OF(cases));
}

/* N sections, the first `fine` of which are accepted. */
static void count_sections(const char *format, size_t fine) {
    for (size_t n = fine; n <= fine + 2; n++) {
        AUTOBUF struct buf text = BUF_INIT(1 << 20), errors = BUF_INIT(1 << 20);
        buf_puts(&text, MINIMAL);
        for (size_t i = 0; i < n; i++) {
            AUTOBUF struct buf name = BUF_INIT(100), section = BUF_INIT(1000);
            buf_printf(&name, "n%zu", i);
            for (const char *c = format; *c; c++)
                if (*c == '$')
                    buf_puts(&section, buf_str(&name));
                else
                    buf_putc(&section, *c);
            buf_add_view(&text, buf_view(&section));
        }
        AUTOCONF struct conf *c = conf_unit_read(buf_view(&text), &errors);
        if (n == fine)
            unit_str(format, buf_str(&errors), "");
        else
            assert_non_null(strstr(buf_str(&errors), "there are more than "));
        struct view rest = buf_view(&errors), line;
        size_t lines_count = 0;
        while (view_line(&rest, &line))
            lines_count++;
        unit_int(format, lines_count, n > fine);
    }
}

static void numbers_of_sections_are_capped(void **state) {
    (void)state;
    count_sections("[sender $]\nname=n\naddress=a@b.example\npublic-url=https://a.example\n", CONF_SENDERS_MAX - 1);
    count_sections("[relay $]\nurl=smtp://a.example\n", CONF_RELAYS_MAX - 1);
    count_sections("[list $]\nsender=office\n", CONF_LISTS_MAX);
    count_sections("[destination $.example]\n", CONF_DESTINATIONS_MAX);
}

static void errors_are_capped_but_counted(void **state) {
    (void)state;
    for (size_t n = CONF_ERRORS_MAX - 1; n <= CONF_ERRORS_MAX + 2; n++) {
        AUTOBUF struct buf text = BUF_INIT(1 << 20), errors = BUF_INIT(1 << 20);
        buf_puts(&text, MINIMAL);
        for (size_t i = 0; i < n; i++)
            buf_puts(&text, "nonsense\n");
        AUTOCONF struct conf *c = conf_unit_read(buf_view(&text), &errors);
        const char *more = n == CONF_ERRORS_MAX + 1   ? "t.ini: and 1 more\n"
                           : n == CONF_ERRORS_MAX + 2 ? "t.ini: and 2 more\n"
                                                      : NULL;
        if (more)
            assert_true(view_ends(buf_view(&errors), more));
        else
            assert_null(strstr(buf_str(&errors), "more\n"));
    }
}

static void long_things_are_shown_short(void **state) {
    (void)state;
    AUTOBUF struct buf text = BUF_INIT(1 << 20), errors = BUF_INIT(1 << 20), path = BUF_INIT(1000);
    buf_puts(&text, MINIMAL "[sender ");
    for (int i = 0; i < 60000; i++)
        buf_putc(&text, 'x');
    buf_puts(&text, "]\nnam = y\n[daemon]\ngroup = ");
    for (int i = 0; i < 60000; i++)
        buf_putc(&text, 'g');
    for (int i = 0; i < 300; i++)
        buf_puts(&path, "p/");
    buf_puts(&path, "end.ini");
    struct conf *c = NULL;
    assert_int_equal(conf_parse(buf_view(&text), buf_str(&path), conf_unit_on_error, &errors, &c), -EINVAL);
    assert_non_null(strstr(buf_str(&errors),
                           "/end.ini:8: [sender xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…] nam: there "
                           "is no such key in this section. Did you mean name?"));
    assert_non_null(strstr(buf_str(&errors), "is too long. Give at most 32 bytes"));
    assert_true(errors.len < 3000);
}

static void frozen_settings_need_no_relay(void **state) {
    (void)state;
    static const char text[] = MINIMAL_SENDER "[list a]\nrelay = gone\n";
    AUTOBUF struct buf errors = BUF_INIT(10000);
    struct conf *c = NULL;
    assert_int_equal(conf_parse_frozen(view_of(text), "t.ini", conf_unit_on_error, &errors, &c), 0);
    assert_string_equal(c->lists[0].relays.items[0], "gone");
    c = conf_unref(c);
    assert_int_equal(conf_parse_frozen(VIEW(MINIMAL_SENDER), "t.ini", conf_unit_on_error, &errors, &c), -EINVAL);
    assert_string_equal(buf_str(&errors), "t.ini: there is no [list NAME]\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),
        cmocka_unit_test(lines),
        cmocka_unit_test(keys),
        cmocka_unit_test(values),
        cmocka_unit_test(relations),
        cmocka_unit_test(everything_is_said_in_the_order_of_lines),
        cmocka_unit_test(numbers_of_sections_are_capped),
        cmocka_unit_test(errors_are_capped_but_counted),
        cmocka_unit_test(long_things_are_shown_short),
        cmocka_unit_test(frozen_settings_need_no_relay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
