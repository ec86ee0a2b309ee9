#include "door/pages.h"

#include "base/log.h"
#include "door/lists.h"
#include "door/release.h"

#include "unit.h"

static const struct public_list_title titles[] = {{"de", "St\xc3\xa4"
                                                         "dte \"<&>\""}};
static const struct public_list list = {.id = 7,
                                        .name = "partners",
                                        .title = "Partners {1} {{title}}",
                                        .organisation = "Amt <b>",
                                        .imprint_url = "https://partner.example/?a=1&b=\"2\"",
                                        .privacy_url = "",
                                        .colour = "#1f4e79",
                                        .logo = "https://partner.example/logo.png",
                                        .sender = "office",
                                        .language = "de",
                                        .titles = (struct public_list_title *)(uintptr_t)titles,
                                        .title_count = 1};

static struct pages *load(const char *local) {
    struct pages *pages = NULL;
    struct why why = {0};
    if (pages_load(local, "templates", &why, &pages) < 0)
        fail_msg("%s: %s", why.where, why.what);
    return pages;
}

static void every_page_is_shown_in_every_language(void **state) {
    (void)state;
    static const char *const languages[] = {"de", "ar", "en", "fr", "he", "it", "pl", "uk"};
    struct pages *pages = load("");
    for (size_t i = 0; i < COUNT_OF(languages); i++)
        for (enum page_kind kind = 0; kind < PAGE_KINDS; kind++)
            for (int named = 0; named <= 1; named++) {
                AUTOBUF struct buf html = BUF_INIT(PAGE_MAX_BYTES), name = BUF_INIT(100), expected = BUF_INIT(100);
                const struct release release = {.held = true, .subject = "<Thema>", .total = 3};
                const struct page page = {.kind = kind,
                                          .release = kind == PAGE_RELEASE ? &release : NULL,
                                          .language = languages[i],
                                          .list = named ? &list : NULL,
                                          .root = "../",
                                          .action = "u/T",
                                          .fields = {{"action", "x\"<"}}};
                buf_printf(&name, "%s %d %d", languages[i], (int)kind, named);
                const char *n = buf_str(&name);
                unit_int(n, pages_render(pages, &page, &html), 0);
                bool rtl = strcmp(languages[i], "ar") == 0 || strcmp(languages[i], "he") == 0;
                buf_printf(&expected, "<html lang=\"%s\" dir=\"%s\">", languages[i], rtl ? "rtl" : "ltr");
                unit_int(n, strstr(buf_str(&html), buf_str(&expected)) != NULL, true);
                bool form = kind == PAGE_ASK || kind == PAGE_DONE || kind == PAGE_DONE_ALL ||
                            kind == PAGE_UNAVAILABLE || kind == PAGE_CONFIRM || kind == PAGE_AWAY ||
                            kind == PAGE_GONE || kind == PAGE_RELEASE;
                bool typed = kind == PAGE_SIGN_UP || kind == PAGE_LINK || kind == PAGE_PREFERENCES;
                bool helps = kind == PAGE_INVALID || kind == PAGE_NOT_FOUND || kind == PAGE_EXPIRED;
                unit_int(n, strstr(buf_str(&html), "<form method=\"post\" action=\"../u/T\">") != NULL, form);
                unit_int(n, strstr(buf_str(&html), "<form method=\"post\" action=\"../u/T\" novalidate>") != NULL,
                         typed);
                unit_int(n, strstr(buf_str(&html), "value=\"x&quot;&lt;\"") != NULL, form);
                unit_int(n, strstr(buf_str(&html), "checked") != NULL, false); /* nothing is ticked beforehand */
                unit_int(n, strstr(buf_str(&html), "<footer>") != NULL, named || helps);
                unit_int(n, strstr(buf_str(&html), "href=\"../l\"") != NULL, named || helps);
                unit_int(n, strstr(buf_str(&html), "Amt &lt;b&gt;") != NULL, named);
                unit_int(n, strstr(buf_str(&html), "&lt;Thema&gt;") != NULL, kind == PAGE_RELEASE);
                bool names_list = named && (kind == PAGE_ASK || kind == PAGE_DONE || kind == PAGE_UNDONE ||
                                            kind == PAGE_SIGN_UP || kind == PAGE_CONFIRM);
                const char *title = i == 0 ? "dte &quot;&lt;&amp;&gt;&quot;" : "Partners {1} {{title}}";
                unit_int(n, strstr(buf_str(&html), title) != NULL, names_list);
                unit_int(n, strstr(buf_str(&html), "page.") != NULL, false); /* a word that is missing */
                unit_int(n, strstr(buf_str(&html), "{1}") != NULL, names_list && i != 0);
            }
    (void)pages_free(pages);
}

static void the_first_language_there_is_counts(void **state) {
    (void)state;
    struct pages *pages = load("");
    static const struct {
        const char *named, *accept, *list, *language;
    } cases[] = {
        {"de", "fr", "it", "de"}, {"xx", "fr", "it", "fr"}, {"", "xx", "it", "it"},
        {"", NULL, "xx", "en"},   {"", NULL, "", "en"},     {"", "*", "uk", "uk"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(pages_language(pages, view_of(cases[i].named), cases[i].accept, cases[i].list),
                            cases[i].language);
    assert_true(view_search(pages_style(pages), VIEW("color-scheme")) < pages_style(pages).len);
    const struct page page = {.kind = PAGE_ASK, .language = "xx", .root = "./", .action = ""};
    AUTOBUF struct buf html = BUF_INIT(PAGE_MAX_BYTES);
    assert_int_equal(pages_render(pages, &page, &html), -ENOENT);
    (void)pages_free(pages);
}

static void write_local(const char *folder, const char *language, const char *name, const char *text) {
    AUTOBUF struct buf path = BUF_INIT(4096);
    buf_printf(&path, "%s/%s", folder, language);
    assert_int_equal(files_make_dirs(buf_str(&path), 0700), 0);
    buf_printf(&path, "/%s", name);
    assert_int_equal(files_write_durable(AT_FDCWD, buf_str(&path), view_of(text), 0600), 0);
}

static void an_admins_files_come_first_and_broken_ones_are_left_out(void **state) {
    const char *local = *state;
    struct why why = {0};
    log_set_level(LOG_CRIT); /* it is said in the log, on purpose here */
    write_local(local, "fr", "page.html", "<p>{{heading}} {{#footer}}{{footer.organisation}}{{/footer}}</p>");
    write_local(local, "it", "page.html", "<p>{{heeding}}</p>");
    write_local(local, "pl", "words.ini", "[page]\nask-title = A\nask-title = B\n");
    struct pages *pages = load(local);
    static const struct {
        const char *asked, *given;
    } cases[] = {{"de", "de"}, {"fr", "fr"}, {"it", "en"}, {"pl", "en"}, {"uk", "uk"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_string_equal(pages_language(pages, view_of(cases[i].asked), NULL, ""), cases[i].given);
    AUTOBUF struct buf html = BUF_INIT(PAGE_MAX_BYTES);
    const struct page page = {.kind = PAGE_ASK, .language = "fr", .list = &list, .root = "./", .action = ""};
    assert_int_equal(pages_render(pages, &page, &html), 0);
    assert_string_equal(buf_str(&html), "<p>Se d\xc3\xa9"
                                        "sinscrire Amt &lt;b&gt;</p>");
    (void)pages_free(pages);

    write_local(local, "common", "page.html", "{{#heading}}");
    write_local(local, "fr", "page.html", "{{>partial}}");
    assert_int_equal(pages_load(local, "templates", &why, &pages), -EINVAL);
    assert_non_null(strstr(why.what, "page.html"));
    assert_int_equal(pages_load("", local, &why, &pages), -ENOENT); /* no style there */
    assert_true(pages_load("", "/nonexistent", &why, &pages) < 0);
    log_set_level(LOG_INFO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_is_shown_in_every_language),
        cmocka_unit_test(the_first_language_there_is_counts),
        cmocka_unit_test_setup_teardown(an_admins_files_come_first_and_broken_ones_are_left_out, unit_folder,
                                        unit_folder_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
