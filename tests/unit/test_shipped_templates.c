/* The shipped mail templates, through intake and compile as a real announcement goes, in every language: nothing of the
 * facts is missing in either part, nothing is asked from elsewhere, and what has no content leaves no trace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "announce/compile.h"
#include "announce/intake.h"
#include "base/cleanup.h"
#include "base/files.h"
#include "conf/conf.h"
#include "mail/words.h"

static const char settings[] =
    "[daemon]\ntemplates = %s/templates\nlocal-templates = /nonexistent\n"
    "timezone = Europe/Berlin\n"
    "[relay main]\nurl = smtp://127.0.0.1:2525\ntls = none\n"
    "[sender office]\nname = Koordinierungsstelle\naddress = office@partnerschaften.example\n"
    "public-url = https://rundbrief.partnerschaften.example\n"
    "organisation = Netzwerk <Städte & Dörfer>\n"
    "postal-address = Am Markt 1, 31134 Hildesheim\n"
    "imprint-url = https://partnerschaften.example/imprint\n"
    "privacy-url = https://partnerschaften.example/privacy\n%s"
    "[list twins]\nsender = office\ntitle = Städtepartnerschaften\nlanguages = %s\n";

static const char with_event[] = "[announcement]\nsubject = Der Betreff\n[event]\ntitle = Finanzierung \"<2025>\"\n"
                                 "start = 2.9.2025 10:00\nend = 2.9.2025 15:30\nlocation = Rathaus & Markt\n"
                                 "url = https://partnerschaften.example/funding?a=1&b=2\n"
                                 "[contact]\nname = Koordinierungsstelle\nphone = +49 511 000000\n"
                                 "mail = kontakt@partnerschaften.example\n---\n"
                                 "{{salutation}},\n\nder Text mit [einem Link](https://partnerschaften.example/x).\n";
static const char without_event[] = "[announcement]\nsubject = Der Betreff\n---\n{{salutation}},\n\nder Text.\n";

struct made {
    struct conf *conf;
    struct problems problems;
    struct intake_result result;
    struct compiled *compiled;
    struct buf html, plain;
};

static void on_error(void *user, const struct why *why) {
    (void)user;
    print_error("%s: %s\n", why->where, why->what);
}

static void make(struct made *m, const char *language, const char *text, const char *of_sender, bool preview) {
    *m = (struct made){.html = BUF_INIT(1 << 20), .plain = BUF_INIT(1 << 20)};
    AUTOBUF struct buf ini = BUF_INIT(1 << 16);
    AUTOFREE char *here = realpath(".", NULL);
    buf_printf(&ini, settings, here, of_sender, language);
    assert_int_equal(conf_parse(buf_view(&ini), "test.ini", on_error, NULL, &m->conf), 0);
    struct bundle files;
    bundle_init(&files);
    assert_int_equal(bundle_add(&files, "funding.md", view_of(text)), 0);
    struct source source;
    struct why why = {0};
    assert_int_equal(source_from(&files, "funding.md", &source, &why), 0);
    problems_init(&m->problems);
    const struct intake_options options = {
        .conf = m->conf, .lists = "twins", .now_usec = 1754000000000000, .allow_past = true};
    int r = intake_check(&source, &options, &m->problems, &m->result);
    source_done(&source);
    bundle_done(&files);
    const struct compile_options compiling = {.preview = preview, .problems = &m->problems};
    if (r == 0)
        r = compile(&m->result.bundle, language, &compiling, &why, &m->compiled);
    if (r != 0)
        fail_msg("%s: %d %s: %s, %s", language, r, why.where, why.what,
                 m->problems.count ? m->problems.items[0].key : "");
    const struct compose_recipient to = {
        .announcement = 7,
        .subscriber = 8,
        .address = VIEW("vera@verein.example"),
        .contact = {.form = VIEW("f"), .given_name = VIEW("Vera"), .family_name = VIEW("<Müller>")},
        .token = VIEW("TOKEN"),
        .message_id = VIEW("id"),
        .date_usec = 1754000000000000};
    assert_int_equal(compose_part(m->compiled, &to, true, &m->html), 0);
    assert_int_equal(compose_part(m->compiled, &to, false, &m->plain), 0);
}

static void done(struct made *m) {
    m->compiled = compiled_free(m->compiled);
    intake_result_done(&m->result);
    problems_done(&m->problems);
    m->conf = conf_unref(m->conf);
    buf_done(&m->html);
    buf_done(&m->plain);
}

static size_t occurrences(const struct buf *in, const char *what) {
    size_t n = 0;
    for (const char *at = buf_str(in); (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

static void has(const struct buf *in, const char *what) {
    if (!strstr(buf_str(in), what))
        fail_msg("“%s” is missing in:\n%s", what, buf_str(in));
}

static void has_not(const struct buf *in, const char *what) {
    if (strstr(buf_str(in), what))
        fail_msg("“%s” stands in:\n%s", what, buf_str(in));
}

typedef void check_one(const char *language, const struct words *words);

static void in_every_language(check_one *check) {
    char **codes;
    size_t count;
    assert_int_equal(words_languages("", "templates", &codes, &count), 0);
    assert_true(count >= 6);
    for (size_t i = 0; i < count; i++) {
        struct why why;
        struct words *words;
        assert_int_equal(words_load("", "templates", codes[i], &why, &words), 0);
        check(codes[i], words);
        words_free(words);
    }
    files_free_names(codes, count);
}

static void check_facts(const char *language, const struct words *words) {
    struct made m;
    make(&m, language, with_event, "", false);
    static const char *const in_both[] = {"Koordinierungsstelle",
                                          "+49 511 000000",
                                          "kontakt@partnerschaften.example",
                                          "Am Markt 1, 31134 Hildesheim",
                                          "https://partnerschaften.example/imprint",
                                          "https://partnerschaften.example/privacy",
                                          "vera@verein.example",
                                          "https://rundbrief.partnerschaften.example/u/TOKEN/7/",
                                          "https://partnerschaften.example/x"};
    static const char *const labels[] = {"mail.when",     "mail.where",       "mail.contact", "mail.more",
                                         "mail.calendar", "mail.unsubscribe", "mail.imprint", "mail.privacy"};
    AUTOBUF struct buf when = BUF_INIT(4096);
    when_say_range(words, &m.result.event_start, &m.result.event_end, &when);
    const struct buf *parts[] = {&m.html, &m.plain};
    for (size_t p = 0; p < COUNT_OF(parts); p++) {
        for (size_t i = 0; i < COUNT_OF(in_both); i++)
            has(parts[p], in_both[i]);
        for (size_t i = 0; i < COUNT_OF(labels); i++)
            has(parts[p], words_get(words, labels[i]));
        has(parts[p], buf_str(&when));
        has(parts[p], "Städtepartnerschaften"); /* the reason names the list */
        has_not(parts[p], "{{");
        has_not(parts[p], words_get(words, "mail.preview"));
    }
    has(&m.plain, "Finanzierung \"<2025>\"\n");
    has(&m.plain, "Rathaus & Markt\n");
    has(&m.plain, "Netzwerk <Städte & Dörfer>\n");
    has(&m.plain, "  https://partnerschaften.example/funding?a=1&b=2\n");
    has(&m.html, "Finanzierung &quot;&lt;2025&gt;&quot;</span></h1>");
    has(&m.html, "Rathaus &amp; Markt");
    has(&m.html, "Netzwerk &lt;Städte &amp; Dörfer&gt;");
    has(&m.html, "href=\"https://partnerschaften.example/funding?a=1&amp;b=2\"");
    has(&m.html, "href=\"tel:+49511000000\"");
    has(&m.html, "href=\"mailto:kontakt@partnerschaften.example\"");
    has_not(&m.plain, "\n\n\n");
    done(&m);
}

static void facts_are_in_both_parts(void **state) {
    (void)state;
    in_every_language(check_facts);
}

static void check_html_rules(const char *language, const struct words *words) {
    struct made m;
    make(&m, language, with_event, "", false);
    AUTOBUF struct buf tag = BUF_INIT(256);
    buf_printf(&tag, "<!DOCTYPE html>\n<html lang=\"%s\" dir=\"%s\">\n", language, words_dir(words));
    assert_true(view_starts(buf_view(&m.html), buf_str(&tag)));
    assert_int_equal(occurrences(&m.html, "<h1"), 1);
    assert_int_equal(occurrences(&m.html, "<table"), occurrences(&m.html, "<table role=\"presentation\""));
    assert_int_equal(occurrences(&m.html, "<table"), occurrences(&m.html, "</table>"));
    static const char *const never[] = {"<script", "<form",      "<iframe", "<img", "<link",
                                        "@import", "@font-face", "url(",    "src="};
    for (size_t i = 0; i < COUNT_OF(never); i++)
        has_not(&m.html, never[i]);
    assert_true(m.html.len < 20000); /* of the 100 KB that Gmail shows; the rest is for the text */
    done(&m);
}

static void html_keeps_the_rules(void **state) {
    (void)state;
    in_every_language(check_html_rules);
}

/* Mirrored where the language runs from right to left; numbers and addresses run from left to right in it. */
static void right_to_left(void **state) {
    (void)state;
    static const char *const languages[] = {"ar", "he", "de"};
    for (size_t i = 0; i < COUNT_OF(languages); i++) {
        struct made m;
        make(&m, languages[i], with_event, "", false);
        bool rtl = i < 2;
        assert_int_equal(occurrences(&m.html, rtl ? "dir=\"rtl\"" : "dir=\"ltr\""), rtl ? 3 : 5);
        has(&m.html,
            rtl ? "class=\"leaf\" width=\"72\" valign=\"top\" aria-hidden=\"true\" style=\"padding:20px 20px 20px 0;\""
                : "class=\"leaf\" width=\"72\" valign=\"top\" aria-hidden=\"true\" style=\"padding:20px 0 20px "
                  "20px;\"");
        has(&m.html, "<a dir=\"ltr\" href=\"tel:");
        has(&m.html, "<a dir=\"ltr\" href=\"mailto:");
        assert_int_equal(occurrences(&m.plain, "\n  \u200e+49 511 000000\n"), rtl);
        assert_int_equal(occurrences(&m.plain, "\u200evera@verein.example\u200e"), rtl);
        static const char *const overrides[] = {"\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068"};
        for (size_t k = 0; k < COUNT_OF(overrides); k++) {
            has_not(&m.plain, overrides[k]);
            has_not(&m.html, overrides[k]);
        }
        done(&m);
    }
}

static void what_is_absent_leaves_no_trace(void **state) {
    (void)state;
    struct made m;
    make(&m, "de", without_event, "", false);
    has(&m.html, "Der Betreff</span></h1>");
    static const char *const labels[] = {"Wann", "Wo\n", "Kontakt", "Mehr dazu", "Kalenderdatei"};
    for (size_t i = 0; i < COUNT_OF(labels); i++) {
        has_not(&m.html, labels[i]);
        has_not(&m.plain, labels[i]);
    }
    assert_true(view_starts(buf_view(&m.plain), "Sehr geehrte Frau <Müller>,\n\nder Text.\n\n---"));
    has(&m.html, "Sehr geehrte Frau &lt;Müller&gt;,");
    has_not(&m.plain, "\n\n\n");
    done(&m);
}

static void contact_without_event_follows_the_text(void **state) {
    (void)state;
    struct made m;
    make(&m, "de", "[announcement]\nsubject = S\n[contact]\nname = Anna\n---\n{{salutation}},\n\nT.\n", "", false);
    has(&m.plain, "T.\n\nKontakt\n  Anna\n\n---");
    has(&m.html, "Kontakt</span><br><span dir=\"auto\">Anna</span></p>");
    has_not(&m.html, "tel:");
    has_not(&m.html, "mailto:");
    done(&m);
}

static void colour_and_logo_come_from_the_sender(void **state) {
    (void)state;
    struct made m;
    make(&m, "de", with_event, "colour = #ffcc00\nlogo = https://partnerschaften.example/logo.png\n", false);
    has(&m.html, "background-color:#ffcc00;color:#000000;"); /* black on yellow */
    has_not(&m.html, "style=\"color:#ffcc00");               /* yellow text on white cannot be read */
    has(&m.html, "<img class=\"logo\" src=\"https://partnerschaften.example/logo.png\" alt=\"Netzwerk &lt;Städte");
    assert_int_equal(occurrences(&m.html, "src="), 1);
    done(&m);
}

static void previews_say_so(void **state) {
    (void)state;
    struct made m;
    make(&m, "de", with_event, "", true);
    has(&m.html, "Probeexemplar");
    assert_true(view_starts(buf_view(&m.plain), "[Probeexemplar"));
    done(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_in_both_parts),
        cmocka_unit_test(html_keeps_the_rules),
        cmocka_unit_test(right_to_left),
        cmocka_unit_test(what_is_absent_leaves_no_trace),
        cmocka_unit_test(contact_without_event_follows_the_text),
        cmocka_unit_test(colour_and_logo_come_from_the_sender),
        cmocka_unit_test(previews_say_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
