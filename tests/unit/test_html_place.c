#include "unit.h"

#include "mail/html_place.h"

/* p: only what can do no harm stays (MERGE_URL); h: text; w: a whole URL of ours. First for a field of the person,
 * then for a URL of ours. */
static const struct {
    const char *before, *escapes;
} cases[] = {
    {"", "hw"},
    {"<p>a", "hw"},
    {"a < b", "hw"},
    {"<", "pp"},
    {"<<", "pp"},
    {"<3", "hw"},
    {"<p", "pp"},
    {"<p ", "pp"},
    {"</p ", "pp"},
    {"<p title", "pp"},
    {"<p title=", "pp"},
    {"<p title= ", "pp"},
    {"<p title=x", "pp"},
    {"<p title=x y='", "hw"},
    {"<p title=\"", "hw"},
    {"<p title = \"a", "hw"},
    {"<p title=\"a'b>", "hw"},
    {"<p title=\"a\"", "pp"},
    {"<p title=\"a\">", "hw"},
    {"<p title='\"", "hw"},
    {"<a href=\"", "pw"},
    {"<a HREF='", "pw"},
    {"<a href=\" ", "pw"},
    {"<a class=x href=\"", "pw"},
    {"<a href=\"https://x.example/", "pp"},
    {"<img src='", "pw"},
    {"<form action=\"", "pw"},
    {"<td background=\"", "pw"},
    {"<a href=", "pp"},
    {"<a onclick=\"", "pp"},
    {"<a style=\"color:", "pp"},
    {"<iframe srcdoc=\"", "pp"},
    {"<br/>", "hw"},
    {"<a/href=\"", "pw"},
    {"<script>", "pp"},
    {"<script>var a = '</p>", "pp"},
    {"<SCRIPT type=\"x\">a</script", "pp"},
    {"<script>a</scripts>", "pp"},
    {"<script>a</SCRIPT>", "hw"},
    {"<script>a</script >", "hw"},
    {"<script>a<</script>", "hw"},
    {"<style>a{", "pp"},
    {"<style></style>", "hw"},
    {"<title>", "hw"},
    {"<title><a href=\"", "hw"},
    {"<title></title><a href=\"", "pw"},
    {"</script>", "hw"},
    {"<!DOCTYPE html", "pp"},
    {"<!DOCTYPE html>", "hw"},
    {"<?xml", "pp"},
    {"<!-- a", "pp"},
    {"<!-- a -->", "hw"},
    {"<!-- a --", "pp"},
    {"<!-- a - -> b", "pp"},
    {"<!-- a > b", "pp"},
    {"<!---->", "hw"},
    {"<!-->", "hw"},
    {"<!--a--->", "hw"},
    {"<!-- <a href=\"", "pp"},
    {"<!--[if mso]>", "hw"},
    {"<!--[if mso]><a href=\"", "pw"},
    {"<!--[if mso]><p><![endif]-->", "hw"},
    {"<!--[if !mso]><!--><p><!--<![endif]--><a href=\"", "pw"},
};

static void check(const struct html_place *p, size_t i) {
    static const char letters[] = {[MERGE_PLAIN] = '?', [MERGE_HTML] = 'h', [MERGE_URL] = 'p', [MERGE_URL_HTML] = 'w'};
    char got[3] = {letters[html_place_escape(p, false)], letters[html_place_escape(p, true)], '\0'};
    if (strcmp(got, cases[i].escapes) != 0)
        fail_msg("%s: %s", cases[i].before, got);
}

static void the_escape_follows_the_place(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct html_place whole, bytewise;
        html_place_init(&whole);
        html_place_feed(&whole, view_of(cases[i].before));
        check(&whole, i);
        html_place_init(&bytewise);
        for (const char *s = cases[i].before; *s; s++)
            html_place_feed(&bytewise, view_make(s, 1));
        check(&bytewise, i);
    }
}

static void a_value_is_not_at_the_start(void **state) {
    (void)state;
    struct html_place p;
    html_place_init(&p);
    html_place_feed(&p, VIEW("<a href=\""));
    html_place_value(&p);
    assert_int_equal(html_place_escape(&p, true), MERGE_URL);
    html_place_feed(&p, VIEW("\" title="));
    html_place_value(&p);
    assert_int_equal(p.state, HTML_UNQUOTED);
}

static void long_names_are_cut(void **state) {
    (void)state;
    struct html_place p;
    html_place_init(&p);
    html_place_feed(&p, VIEW("<abcdefghijklmnopqrstuvwxyz abcdefghijklmnopqrstuvwxyz=\"abcdefghijklmnopqrstuvwxyz"));
    assert_string_equal(p.tag, "abcdefghijklmno");
    assert_string_equal(p.attribute, "abcdefghijklmno");
    assert_string_equal(p.url, "abcdefgh");
    html_place_feed(&p, VIEW("\">"));
    assert_int_equal(p.state, HTML_TEXT);
}

static void spans_join_where_both_ends_are_one_place(void **state) {
    (void)state;
    static const struct {
        const char *before, *span;
        bool joins;
    } spans[] = {
        {"<p>", "a<b>c</b>", true},
        {"<p>", "a<b", false},
        {"<p>", "<a href=\"", false},
        {"<p", " class=\"x\"", true},
        {"<p ", "class=\"x\" ", true},
        {"<p ", "><p ", true},
        {"<p ", "><b ", false},
        {"<p title=\"a", " b", true},
        {"<p title=\"a", "\" lang=\"b", false},
        {"<p title=\"a", "\" title='b", false},
        {"<p>", "<style>", false},
        {"<style>", "a", true},
        {"<style>", "</style><script>", false},
        {"<!-- ", "x", true},
        {"<!-- ", "-->", false},
    };
    for (size_t i = 0; i < COUNT_OF(spans); i++) {
        struct html_place a, b;
        html_place_init(&a);
        html_place_feed(&a, view_of(spans[i].before));
        b = a;
        html_place_feed(&b, view_of(spans[i].span));
        if (html_place_join(&a, &b) != spans[i].joins)
            fail_msg("%s|%s", spans[i].before, spans[i].span);
    }
    struct html_place a, b;
    html_place_init(&a);
    html_place_feed(&a, VIEW("<a href=\""));
    b = a;
    html_place_feed(&b, VIEW("https://x.example/"));
    assert_true(html_place_join(&a, &b));
    assert_int_equal(html_place_escape(&b, true), MERGE_URL_HTML); /* the span may be left out */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_escape_follows_the_place),
        cmocka_unit_test(a_value_is_not_at_the_start),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(spans_join_where_both_ends_are_one_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
