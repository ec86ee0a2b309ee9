/* What the daemon tells people by mail, in every language. What is composed here is kept in build/mails for the judges
 * of tests/flow/10-mails. */
#include "fixed_keys.h"
#include "intake_helper.h"
#include "mime.h"

#include "announce/inform.h"
#include "announce/notice_mail.h"
#include "base/log.h"
#include "mail/words.h"
#include "store/announcement.h"
#include "store/db.h"
#include "store/notice.h"
#include "store/reach.h"
#include "trust/token.h"

static const char *const languages[] = {"de", "ar", "en", "fr", "he", "it", "pl", "uk"};

struct house {
    char *folder;
    struct keyring *keys;
    struct conf *conf;
    struct db *db;
    struct inform inform;
};

static int setup(void **state) {
    struct house *h = calloc(1, sizeof *h);
    struct why why;
    void *folder;
    if (!h || unit_folder(&folder) < 0)
        return -1;
    h->folder = folder;
    log_set_level(LOG_CRIT);
    AUTOFREE char *path = unit_path(h->folder, "store.db");
    h->keys = fixed_keys();
    h->conf = intake_conf("");
    if (db_open(path, &why, &h->db) < 0)
        return -1;
    h->inform = (struct inform){h->conf, h->keys, h->db, INTAKE_NOW};
    *state = h;
    return 0;
}

static int teardown(void **state) {
    struct house *h = *state;
    void *folder = h->folder;
    (void)db_close(h->db);
    h->keys = keyring_free(h->keys);
    h->conf = conf_unref(h->conf);
    int r = unit_folder_gone(&folder);
    free(h);
    return r;
}

#define HOUSE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The list's own language becomes this one. */
static void speak(struct house *h, const char *language) {
    struct conf_strings *l = &h->conf->lists[0].languages;
    size_t i = 0;
    while (strcmp(l->items[i], language) != 0)
        i++;
    const char *first = l->items[0];
    l->items[0] = l->items[i];
    l->items[i] = first;
    h->conf->language = language;
}

/* The next notice, kept under its name; 0 where there is none. */
static int next(struct house *h, const char *kind, const char *language, struct buf *mail, struct buf *recipient) {
    struct notice n;
    AUTOBUF struct buf name = BUF_INIT(200);
    buf_clear(mail);
    buf_clear(recipient);
    int r = notice_claim(h->db, INTAKE_NOW, &n);
    assert_true(r >= 0);
    if (r == 0)
        return 0;
    assert_string_equal(n.sender, "office");
    buf_add_view(mail, n.message);
    buf_puts(recipient, n.recipient);
    buf_printf(&name, "%s.%s", kind, language);
    notice_done(&n);
    expect_wire_lines(buf_view(mail), 998);
    mime_keep(buf_str(&name), buf_view(mail));
    return 1;
}

static void text_of(const struct buf *mail, struct buf *to) {
    struct view part;
    AUTOBUF struct buf crlf = BUF_INIT(1 << 20);
    buf_clear(to);
    assert_int_equal(mime_find(buf_view(mail), "text/plain", &part), 1);
    mime_decode(part, &crlf);
    for (size_t i = 0; i < crlf.len; i++)
        if (crlf.data[i] != '\r')
            buf_putc(to, crlf.data[i]);
}

static void expect_notice(const struct buf *mail, const char *language) {
    AUTOBUF struct buf names = BUF_INIT(1000), value = BUF_INIT(1000);
    mime_names(buf_view(mail), &names);
    unit_str(language, buf_str(&names),
             "From To Subject Date Message-ID Auto-Submitted X-Auto-Response-Suppress MIME-Version Content-Type "
             "Content-Transfer-Encoding Content-Language ");
    mime_field(buf_view(mail), "Auto-Submitted", &value);
    assert_string_equal(buf_str(&value), "auto-generated");
    buf_clear(&value);
    mime_field(buf_view(mail), "Content-Language", &value);
    assert_string_equal(buf_str(&value), language);
}

static void has(const struct buf *in, const char *what) {
    if (!strstr(buf_str(in), what))
        fail_msg("“%s” is missing in:\n%s", what, buf_str(in));
}

static void has_not(const struct buf *in, const char *what) {
    if (strstr(buf_str(in), what))
        fail_msg("“%s” stands in:\n%s", what, buf_str(in));
}

static void proofs(void **state) {
    struct house *h = *state;
    const struct intake_file files[] = {
        {"a.md", VIEW("[announcement]\nsubject = Fest & mehr\nsend-at = 5.8.2025\n[event]\nstart = 2.9.2025\n"
                      "---\n{{salutation}},\n\ntext\n")},
        {"a.uk.md", VIEW("[event]\n---\n{{salutation}},\n\nтекст\n")}};
    const struct reach reach = {.census = {.active = 409,
                                           .all = 409,
                                           .languages = {{"de", 400}, {"uk", 5}, {"cs", 3}, {"", 1}},
                                           .language_count = 4},
                                .members = 412};
    const struct intake_options options = {.lists = "twins"};
    struct intake_made m;
    AUTOBUF struct buf mail = BUF_INIT(1 << 20), to = BUF_INIT(1000), text = BUF_INIT(1 << 20),
                       subject = BUF_INIT(1000);
    intake_make(&m, files, 2, &options, "");
    assert_int_equal(m.error, 0);
    assert_int_equal(inform_proof(&h->inform, 12, &m.result, &reach), 0);
    assert_int_equal(next(h, "proof", "de", &mail, &to), 1);
    assert_string_equal(buf_str(&to), "vera@coordinators.example");
    expect_notice(&mail, "de");
    mime_text_field(buf_view(&mail), "Subject", &subject);
    assert_string_equal(buf_str(&subject), "Zur Freigabe: Fest & mehr");
    text_of(&mail, &text);
    has(&text, "Betreff: Fest & mehr\nVeranstaltung: Dienstag, 2. September 2025\n"
               "Versand: Dienstag, 5. August 2025, 9:00 Uhr\n"
               "Wiederholungsversuche bis: Samstag, 9. August 2025, 9:00 Uhr\nAn 409 Personen\n"
               "  400 in ihrer Sprache: Deutsch\n  5 in ihrer Sprache: Ukrainisch\n"
               "  3 mit der Sprache Tschechisch erhalten sie in dieser: Deutsch\n"
               "  1 ohne angegebene Sprache: Deutsch\n");
    has(&text, "\n    rundbrief release 12\n");
    has(&text, "\n    rundbrief stop 12\n");
    has(&text, "\nNetzwerk Städtepartnerschaften\nRathausplatz 1, 31134 Hildesheim\n");
    has_not(&text, "\n\n\n");

    /* The mail itself, in each language, with a token that changes nothing. */
    for (int i = 0; i < 2; i++) {
        struct token t;
        AUTOBUF struct buf unsubscribe = BUF_INIT(1000);
        assert_int_equal(next(h, "proof-mail", i ? "uk" : "de", &mail, &to), 1);
        assert_string_equal(buf_str(&to), "vera@coordinators.example");
        mime_field(buf_view(&mail), "List-Unsubscribe", &unsubscribe);
        struct view url = buf_view(&unsubscribe);
        url = view_slice(url, view_search(url, VIEW("/u/")) + 3, url.len);
        assert_int_equal(token_verify(h->keys, view_slice(url, 0, view_find(url, '/')), &t), 0);
        assert_int_equal(t.purpose, TOKEN_TEST);
        assert_true(t.list == m.result.lists[0]->id);
        assert_non_null(strstr(buf_str(&unsubscribe), i ? "/12/uk>" : "/12/de>"));
    }
    assert_int_equal(next(h, "none", "de", &mail, &to), 0);

    struct why why;
    assert_int_equal(inform_test(&h->inform, &m.result, NULL, "a@town.example", &why), 0);
    assert_int_equal(next(h, "test", "de", &mail, &to), 1);
    assert_string_equal(buf_str(&to), "a@town.example");
    assert_int_equal(next(h, "test", "uk", &mail, &to), 1);
    assert_int_equal(inform_test(&h->inform, &m.result, "uk", "a@town.example", &why), 0);
    assert_int_equal(next(h, "test", "uk", &mail, &to), 1);
    assert_int_equal(inform_test(&h->inform, &m.result, "fr", "a@town.example", &why), -EINVAL);
    assert_int_equal(next(h, "none", "de", &mail, &to), 0);
    intake_made_done(&m);
}

static void rejections(void **state) {
    struct house *h = *state;
    AUTOBUF struct buf mail = BUF_INIT(1 << 20), to = BUF_INIT(1000), text = BUF_INIT(1 << 20);
    for (size_t l = 0; l < COUNT_OF(languages); l++) {
        speak(h, languages[l]);
        assert_int_equal(inform_rejected(&h->inform, &h->conf->lists[0], "Städte.md",
                                         VIEW("Städte.md, 7: {{x}} <y>\nStädte.md: z\n")),
                         0);
        assert_int_equal(next(h, "rejected", languages[l], &mail, &to), 1);
        expect_notice(&mail, languages[l]);
        text_of(&mail, &text);
        has(&text, "Städte.md, 7: {{x}} <y>\nStädte.md: z\n");
        has(&text, "Städte.md"); /* and the file's name in the sentence */
        has_not(&text, "{1}");
        has_not(&text, "\n\n\n");
    }
    /* Names are whatever people can type. */
    static const char *const names[] = {"a\nBcc: x@town.example\n\nb.md", "\xff\xfe.md", "\r\n.\r\n.md",
                                        "\u202egnp.md"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTOBUF struct buf subject = BUF_INIT(1000);
        assert_int_equal(inform_rejected(&h->inform, &h->conf->lists[0], names[i], VIEW("x\xff\n")), 0);
        assert_int_equal(next(h, "rejected-hostile", "uk", &mail, &to), 1);
        expect_notice(&mail, "uk");
        mime_text_field(buf_view(&mail), "Subject", &subject);
        assert_non_null(strstr(buf_str(&subject), ".md"));
    }
}

static void results(void **state) {
    struct house *h = *state;
    const struct announcement_row row = {.id = 12,
                                         .subject = "Fest & mehr",
                                         .only = "tag has fest",
                                         .total = 412,
                                         .delivered = 409,
                                         .refused = 2,
                                         .left_out = 1};
    AUTOBUF struct buf mail = BUF_INIT(1 << 20), to = BUF_INIT(1000), text = BUF_INIT(1 << 20);
    for (size_t l = 0; l < COUNT_OF(languages); l++) {
        AUTOBUF struct buf subject = BUF_INIT(1000);
        speak(h, languages[l]);
        const struct conf_list *list = &h->conf->lists[0];
        assert_int_equal(inform_finished(&h->inform, &list, 1, &row,
                                         l % 2 ? VIEW("") : VIEW("  a@town.example: 550 no such user\n")),
                         0);
        assert_int_equal(next(h, "finished", languages[l], &mail, &to), 1);
        expect_notice(&mail, languages[l]);
        mime_text_field(buf_view(&mail), "Subject", &subject);
        has(&subject, "Fest & mehr");
        has(&subject, "409");
        has(&subject, "412");
        text_of(&mail, &text);
        has(&text, "\n    rundbrief report 12\n");
        has(&text, "409 ");
        has(&text, " tag has fest\n");
        assert_int_equal(strstr(buf_str(&text), "a@town.example") != NULL, l % 2 == 0);
        has_not(&text, "\n0 ");
        has_not(&text, "{");
        has_not(&text, "\n\n\n");
    }
}

static void alerts(void **state) {
    struct house *h = *state;
    static const char *const keys[] = {"alert-relay-paused",  "alert-destination-paused", "alert-relay-down",
                                       "alert-store-trouble", "alert-announcement-held",  "alert-sender-refused"};
    static const char *admins[] = {"admin@town.example", "other@town.example"};
    AUTOBUF struct buf mail = BUF_INIT(1 << 20), to = BUF_INIT(1000), text = BUF_INIT(1 << 20);
    assert_int_equal(inform_alert(&h->inform, keys[0], "main", "x"), 0); /* nobody is named: nobody is told */
    assert_int_equal(next(h, "none", "de", &mail, &to), 0);
    h->conf->alert = (struct conf_strings){admins, 2};
    for (size_t k = 0; k < COUNT_OF(keys); k++)
        for (size_t l = 0; l < COUNT_OF(languages); l++) {
            speak(h, languages[l]);
            assert_int_equal(inform_alert(&h->inform, keys[k], "main \"1\"", "550 5.7.1 <no>"), 0);
            for (size_t a = 0; a < 2; a++) {
                assert_int_equal(next(h, keys[k], languages[l], &mail, &to), 1);
                assert_string_equal(buf_str(&to), admins[a]);
                expect_notice(&mail, languages[l]);
                text_of(&mail, &text);
                has(&text, "main \"1\"");
                has_not(&text, keys[k]);
                has_not(&text, "{");
            }
        }
    h->conf->alert = (struct conf_strings){0};
}

/* What all of them come by, and the letters of the doors, too. */
static void one_by_itself(void **state) {
    struct house *h = *state;
    static const char *relays[] = {"second", "main"};
    const struct conf_strings by = {relays, 2};
    const uint8_t nonce[16] = {1, 2, 3};
    struct words *words = NULL;
    struct why why;
    assert_int_equal(words_load(h->conf->templates_local, h->conf->templates, "de", &why, &words), 0);
    struct notice_mail mail = {.sender = &h->conf->senders[0],
                               .recipient = "a@town.example",
                               .subject = "Bitte bestätigen",
                               .text = VIEW("x\n"),
                               .nonce = nonce,
                               .date_usec = INTAKE_NOW + 5};
    struct notice_way way = {.db = NULL, .kind = "test", .announcement = 7, .relays = &by, .now_usec = INTAKE_NOW};
    struct notice n;
    assert_int_equal(notice_mail_add(h->conf, words, &mail, &way), 1);
    assert_int_equal(notice_claim(h->db, INT64_MAX, &n), 0); /* it is composed, and goes nowhere */
    way.db = h->db;
    assert_int_equal(notice_mail_add(h->conf, words, &mail, &way), 1);
    mail.recipient = "a\r\nBcc: b@town.example";
    assert_int_equal(notice_mail_add(h->conf, words, &mail, &way), 0);
    assert_int_equal(notice_claim(h->db, INTAKE_NOW + 4, &n), 0);
    assert_int_equal(notice_claim(h->db, INTAKE_NOW + 5, &n), 1);
    assert_string_equal(n.recipient, "a@town.example");
    assert_string_equal(n.relays, "second,main");
    assert_string_equal(n.sender, h->conf->senders[0].id);
    AUTOBUF struct buf id = BUF_INIT(64), line = BUF_INIT(100), message = BUF_INIT(1 << 20);
    notice_mail_id(nonce, &id);
    buf_printf(&line, "\r\nMessage-ID: <%s@", buf_str(&id));
    buf_add_view(&message, n.message);
    has(&message, buf_str(&line));
    notice_done(&n);
    assert_int_equal(notice_claim(h->db, INT64_MAX, &n), 0);
    int64_t of = 0;
    assert_int_equal(db_get_int(h->db, "SELECT announcement FROM notice WHERE kind = 'test'", &of, ""), 1);
    assert_int_equal(of, 7);
    (void)words_free(words);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(proofs), HOUSE_TEST(rejections), HOUSE_TEST(results), HOUSE_TEST(alerts), HOUSE_TEST(one_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
