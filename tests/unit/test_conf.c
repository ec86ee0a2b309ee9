#include "conf_unit.h"

#include "base/number.h"
#include "prefix.h"

static void defaults(void **state) {
    (void)state;
    AUTOCONF struct conf *c = conf_unit_read(VIEW(MINIMAL "[list news]\n"), NULL);
    assert_string_equal(c->path, "t.ini");
    assert_string_equal(c->state_dir, "/var/lib/rundbrief");
    assert_string_equal(c->spool_dir, "/var/spool/rundbrief");
    assert_string_equal(c->templates, RUNDBRIEF_DATA_DIR "/templates");
    assert_string_equal(c->templates_local, "/etc/rundbrief/templates");
    assert_string_equal(c->socket, "/run/rundbrief/api.sock");
    assert_string_equal(c->group, "rundbrief");
    assert_string_equal(c->language, "en");
    assert_string_equal(c->timezone, "");
    assert_int_equal(c->alert.count, 0);
    assert_int_equal(c->in_doubt, CONF_IN_DOUBT_RESEND);
    assert_int_equal(c->attachment_limit_bytes, 10 << 20);
    assert_int_equal(c->message_limit_bytes, 25 << 20);
    assert_int_equal(c->retry_first_usec, 30 * USEC_PER_MIN);
    assert_int_equal(c->retry_then_usec, 2 * USEC_PER_HOUR);
    assert_int_equal(c->retry_give_up_usec, 4 * USEC_PER_DAY);
    assert_int_equal(c->timeout_greeting_usec, 5 * USEC_PER_MIN);
    assert_int_equal(c->timeout_command_usec, 5 * USEC_PER_MIN);
    assert_int_equal(c->timeout_data_usec, 2 * USEC_PER_MIN);
    assert_int_equal(c->timeout_block_usec, 3 * USEC_PER_MIN);
    assert_int_equal(c->timeout_end_usec, 10 * USEC_PER_MIN);
    assert_true(c->timeout_connect_usec > 0 && c->timeout_stop_usec > 0);
    assert_string_equal(c->web_listen, "systemd");
    assert_int_equal(c->web_proxies.count, 3);
    assert_string_equal(c->return_path, "");

    const struct conf_relay *relay = &c->relays[0];
    assert_string_equal(relay->id, "main");
    assert_string_equal(relay->host, "mail.partner.example");
    assert_true(relay->port == 587 && !relay->implicit_tls && relay->tls == CONF_TLS_REQUIRED);
    assert_true(relay->connections == 2 && relay->in_flight == 4 && relay->pipelining == CONF_PIPELINING_OFFERED);
    assert_true(relay->rate.count == 0 && relay->daily_limit == 0);
    assert_string_equal(relay->username, "");

    const struct conf_list *list = &c->lists[0];
    assert_ptr_equal(list->sender, &c->senders[0]); /* the only one */
    assert_string_equal(list->title, "news");
    assert_int_equal(list->languages.count, 1);
    assert_string_equal(list->languages.items[0], "en");
    assert_int_equal(list->tone, CONF_TONE_FORMAL);
    assert_int_equal(list->release, CONF_RELEASE_HOLD);
    assert_int_equal(list->relays.count, 0);
    assert_int_equal(c->destination_count, 0);
}

static const char everything[] =
    "[daemon]\nstate-dir = /s\nspool-dir = /p\ntemplates = /t\nlocal-templates = /l\nsocket = /r/s\ngroup = mail\n"
    "language = de\ntimezone = Europe/Berlin\nalert = a@partner.example, b@partner.example\nin-doubt = hold\n"
    "attachment-limit = 1 MB\nmessage-limit = 2 MB\n"
    "[sender office]\nname = Büro; Europa #1\naddress = news@partner.example\nreply-to = office@partner.example\n"
    "organisation = Region\npostal-address = Street 1, City\nimprint-url = https://partner.example/imprint\n"
    "privacy-url = http://partner.example/privacy?x=1\nlogo = /etc/logo.png\ncolour = #00aAff\n"
    "public-url = https://news.partner.example:8443/r//\nrelay = slow\ngroup = office\n"
    "[sender other]\nname = Other\naddress = other@partner.example\npublic-url = http://[::1]:8025\n"
    "[relay slow]\nurl = smtps://Mail.Provider.example\nca-file = /etc/ca.pem\nusername = u;#x\n"
    "password-file = /etc/secret\nehlo = host.partner.example\nconnections = 10\nin-flight = 20\nrate = 3000/h\n"
    "daily-limit = 10000\npriority = 20\n"
    "[relay fast]\nurl = smtp://127.0.0.1:2525/\ntls = none\npriority = 5\n"
    "[relay also]\nurl = smtp://[::1]\ntls = opportunistic\npipelining = none\npriority = 20\n"
    "[destination z.example]\nrate = 20/s\n[destination B.example]\nconnections = 1\n[destination a.example]\n"
    "[list news]\nid = 77\nsender = other\ntitle = News\ntitle.fr = Nouvelles\ntitle.uk = Новини\nlanguages = de, "
    "fr,uk\n"
    "tone = informal\nfrom-name = We\nreply-to = r@partner.example\ntimezone = Europe/Warsaw\nrelay = fast, slow\n"
    "coordinators = c@partner.example\nrelease = direct\ngroup = coords\nreason = because\n"
    "[list more]\nsender = office\n"
    "[web]\nlisten = 127.0.0.1:8025\nproxies = 10.0.0.0/8\n[bounce]\nreturn-path = rueckweg@partner.example\n"
    "[retry]\nfirst = 1h30m\nthen = 3h\ngive-up = 2d\n"
    "[timeouts]\nconnect = 1s\ngreeting = 2s\ncommand = 3s\ndata = 4s\nblock = 5s\nend = 6s\nstop = 7s\n";

static void every_option_arrives(void **state) {
    (void)state;
    AUTOCONF struct conf *c = conf_unit_read(view_of(everything), NULL);
    assert_string_equal(c->state_dir, "/s");
    assert_string_equal(c->spool_dir, "/p");
    assert_string_equal(c->templates, "/t");
    assert_string_equal(c->templates_local, "/l");
    assert_string_equal(c->socket, "/r/s");
    assert_string_equal(c->group, "mail");
    assert_string_equal(c->language, "de");
    assert_string_equal(c->timezone, "Europe/Berlin");
    assert_int_equal(c->alert.count, 2);
    assert_string_equal(c->alert.items[1], "b@partner.example");
    assert_int_equal(c->in_doubt, CONF_IN_DOUBT_HOLD);
    assert_int_equal(c->attachment_limit_bytes, 1 << 20);
    assert_int_equal(c->message_limit_bytes, 2 << 20);
    assert_int_equal(c->retry_first_usec, 90 * USEC_PER_MIN);
    assert_int_equal(c->retry_then_usec, 3 * USEC_PER_HOUR);
    assert_int_equal(c->retry_give_up_usec, 2 * USEC_PER_DAY);
    const int64_t timeouts[] = {c->timeout_connect_usec, c->timeout_greeting_usec, c->timeout_command_usec,
                                c->timeout_data_usec,    c->timeout_block_usec,    c->timeout_end_usec,
                                c->timeout_stop_usec};
    for (size_t i = 0; i < COUNT_OF(timeouts); i++)
        assert_int_equal(timeouts[i], (int64_t)(i + 1) * USEC_PER_SEC);
    assert_string_equal(c->web_listen, "127.0.0.1:8025");
    assert_int_equal(c->web_proxies.count, 1);
    assert_string_equal(c->return_path, "rueckweg@partner.example");

    const struct conf_sender *office = conf_find_sender(c, VIEW("office"));
    assert_string_equal(office->name, "Büro; Europa #1");
    assert_string_equal(office->reply_to, "office@partner.example");
    assert_string_equal(office->organisation, "Region");
    assert_string_equal(office->postal_address, "Street 1, City");
    assert_string_equal(office->imprint_url, "https://partner.example/imprint");
    assert_string_equal(office->privacy_url, "http://partner.example/privacy?x=1");
    assert_string_equal(office->logo, "/etc/logo.png");
    assert_string_equal(office->colour, "#00aAff");
    assert_string_equal(office->public_url, "https://news.partner.example:8443/r");
    assert_string_equal(office->group, "office");
    assert_string_equal(conf_find_sender(c, VIEW("other"))->public_url, "http://[::1]:8025");
    assert_null(conf_find_sender(c, VIEW("offic")));
}

static void relays_stand_by_priority(void **state) {
    (void)state;
    AUTOCONF struct conf *c = conf_unit_read(view_of(everything), NULL);
    assert_int_equal(c->relay_count, 3);
    assert_string_equal(c->relays[0].id, "fast");
    assert_string_equal(c->relays[1].id, "slow"); /* same number: as in the file */
    assert_string_equal(c->relays[2].id, "also");
    const struct conf_relay *slow = &c->relays[1];
    assert_string_equal(slow->host, "mail.provider.example");
    assert_true(slow->port == 465 && slow->implicit_tls && slow->tls == CONF_TLS_REQUIRED);
    assert_true(slow->connections == 10 && slow->in_flight == 20 && slow->priority == 20);
    assert_true(slow->rate.count == 3000 && slow->rate.per_usec == USEC_PER_HOUR && slow->daily_limit == 10000);
    assert_string_equal(slow->ca_file, "/etc/ca.pem");
    assert_string_equal(slow->username, "u;#x");
    assert_string_equal(slow->password_file, "/etc/secret");
    assert_string_equal(slow->ehlo, "host.partner.example");
    assert_true(c->relays[0].port == 2525 && c->relays[0].tls == CONF_TLS_NONE);
    assert_true(c->relays[2].port == 587 && c->relays[2].tls == CONF_TLS_OPPORTUNISTIC);
    assert_string_equal(c->relays[2].host, "::1");
}

static void lists_and_destinations(void **state) {
    (void)state;
    AUTOCONF struct conf *c = conf_unit_read(view_of(everything), NULL);
    const struct conf_list *news = conf_find_list(c, VIEW("news")), *more = conf_find_list(c, VIEW("more"));
    assert_ptr_equal(conf_find_list_id(c, 77), news);
    assert_null(conf_find_list_id(c, 78));
    assert_null(conf_find_list(c, VIEW("new")));
    assert_string_equal(news->sender->id, "other");
    assert_string_equal(more->sender->id, "office");
    assert_string_equal(conf_list_title(news, "de"), "News");
    assert_string_equal(conf_list_title(news, "fr"), "Nouvelles");
    assert_string_equal(conf_list_title(news, "uk"), "Новини");
    assert_string_equal(conf_list_title(more, "fr"), "more");
    assert_true(conf_list_has_language(news, "uk") && !conf_list_has_language(news, "en"));
    assert_true(conf_list_has_language(more, "de"));
    assert_int_equal(news->tone, CONF_TONE_INFORMAL);
    assert_int_equal(news->release, CONF_RELEASE_DIRECT);
    assert_string_equal(news->from_name, "We");
    assert_string_equal(news->reply_to, "r@partner.example");
    assert_string_equal(news->timezone, "Europe/Warsaw");
    assert_string_equal(more->timezone, "Europe/Berlin");
    assert_int_equal(news->relays.count, 2);
    assert_string_equal(news->relays.items[0], "fast");
    assert_int_equal(conf_find_list(c, VIEW("more"))->relays.count, 1); /* its sender's */
    assert_string_equal(conf_find_list(c, VIEW("more"))->relays.items[0], "slow");
    assert_string_equal(news->coordinators.items[0], "c@partner.example");
    assert_string_equal(news->group, "coords");
    assert_string_equal(news->reason, "because");

    assert_int_equal(c->destination_count, 3);
    const struct conf_destination *a = conf_find_destination(c, VIEW("a.example")),
                                  *b = conf_find_destination(c, VIEW("b.example")),
                                  *z = conf_find_destination(c, VIEW("z.example"));
    assert_true(a && b && z);
    assert_true(a->rate.count == 0 && a->connections == 0);
    assert_true(b->connections == 1 && z->rate.count == 20 && z->rate.per_usec == USEC_PER_SEC);
    assert_null(conf_find_destination(c, VIEW("c.example")));
    assert_null(conf_find_destination(c, VIEW("")));
}

static void list_ids_follow_from_names(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint32_t id;
    } cases[] = {/* hashlib.blake2b(name, digest_size=32).digest()[:4] */
                 {"news", 0x3d0d3f97},
                 {"partnerschaften", 0x55cb9f24}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf text = BUF_INIT(2000);
        buf_printf(&text, MINIMAL "[list %s]\n", cases[i].name);
        AUTOCONF struct conf *c = conf_unit_read(buf_view(&text), NULL);
        assert_int_equal(c->lists[0].id, cases[i].id);
    }
}

static void forms_of_the_file(void **state) {
    (void)state;
    static const struct view cases[] = {
        VIEW("\xEF\xBB\xBF[sender office]\r\nname = Office\r\naddress = news@partner.example\r\n"
             "public-url = https://news.partner.example\r\n\r\n[relay main]\r\nurl = smtp://mail.partner.example\r\n"),
        VIEW("; c\n# d\n[ sender   office ] ; e\n  name: Office\n\taddress=news@partner.example\n"
             "public-url =https://news.partner.example\n[relay\tmain]\nurl = smtp://mail.partner.example"),
        VIEW(MINIMAL_RELAY MINIMAL_SENDER),
    };
    AUTOBUF struct buf want = BUF_INIT(10000);
    AUTOCONF struct conf *plain = conf_unit_read(VIEW(MINIMAL), NULL);
    conf_dump(plain, &want);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf got = BUF_INIT(10000);
        AUTOCONF struct conf *c = conf_unit_read(cases[i], NULL);
        conf_dump(c, &got);
        assert_string_equal(buf_str(&got), buf_str(&want));
    }
}

/* inih alone would cut section names at 49 bytes and lines at 199. */
static void long_names_and_lines(void **state) {
    (void)state;
    static const char sixty[] = "a23456789-123456789-123456789-123456789-123456789-1234567890";
    static const char other[] = "a23456789-123456789-123456789-123456789-123456789-123456789X";
    char value[401];
    memset(value, 'n', 400);
    value[400] = '\0';
    AUTOBUF struct buf text = BUF_INIT(10000);
    buf_printf(&text, "[sender %s]\nname = %s\naddress = a@partner.example\npublic-url = https://a.example\n", sixty,
               value);
    buf_printf(&text, "[sender %s]\nname = B\naddress = b@partner.example\npublic-url = https://b.example\n", other);
    buf_printf(&text, MINIMAL_RELAY "[list news]\nsender = %s\n", other);
    AUTOCONF struct conf *c = conf_unit_read(buf_view(&text), NULL);
    assert_string_equal(conf_find_sender(c, view_of(sixty))->name, value);
    assert_string_equal(c->lists[0].sender->name, "B");
}

static void references_keep_it(void **state) {
    (void)state;
    AUTOCONF struct conf *c = conf_unit_read(VIEW(MINIMAL), NULL);
    struct conf *second = conf_ref(c);
    assert_ptr_equal(second, c);
    assert_null(conf_unref(second));
    assert_string_equal(c->senders[0].id, "office");
    assert_null(conf_unref(NULL));
}

static void files_are_read(void **state) {
    AUTOFREE char *path = unit_path(*state, "rundbrief.ini");
    AUTOBUF struct buf errors = BUF_INIT(10000);
    struct conf *c = NULL;
    assert_int_equal(conf_load(path, conf_unit_on_error, &errors, &c), -ENOENT);
    assert_non_null(strstr(buf_str(&errors), "rundbrief.ini: cannot read the configuration: No such file"));
    assert_null(c);
    AUTOBUF struct buf big = BUF_INIT(CONF_FILE_MAX + 1);
    buf_puts(&big, MINIMAL);
    while (big.len < CONF_FILE_MAX)
        buf_puts(&big, big.len % 80 == 79 ? "\n" : "#");
    assert_int_equal(files_write_durable(AT_FDCWD, path, buf_view(&big), 0644), 0);
    assert_int_equal(conf_load(path, conf_unit_on_error, &errors, &c), 0);
    c = conf_unref(c);
    buf_putc(&big, '\n');
    assert_int_equal(files_write_durable(AT_FDCWD, path, buf_view(&big), 0644), 0);
    assert_int_equal(conf_load(path, conf_unit_on_error, &errors, &c), -EMSGSIZE);
    assert_non_null(strstr(buf_str(&errors), "larger than 1 MiB"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_option_arrives),
        cmocka_unit_test(relays_stand_by_priority),
        cmocka_unit_test(lists_and_destinations),
        cmocka_unit_test(list_ids_follow_from_names),
        cmocka_unit_test(forms_of_the_file),
        cmocka_unit_test(long_names_and_lines),
        cmocka_unit_test(references_keep_it),
        cmocka_unit_test_setup_teardown(files_are_read, unit_folder, unit_folder_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
