/* HTML of calendars' descriptions to plain text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mail/unhtml.h"

static void makes_text(void **state) {
    (void)state;
    static const struct {
        const char *html, *want;
    } cases[] = {
        {"a<br>b", "a\nb"},
        {"a<br/>b<BR />c", "a\nb\nc"},
        {"a<br>\nb", "a\nb"},
        {"a\nb <b>c</b>", "a\nb c"},
        {"<p>a</p><p>b</p>", "a\n\nb\n\n"},
        {"<p class=\"x\">a</p>\n<p>b", "a\n\nb"},
        {"<div>a</div><div>b</div>", "a\nb\n"},
        {"<ul><li>a</li><li>b</li></ul>c", "- a\n- b\nc"},
        {"<table><tr><td>a</td><td>b</td></tr></table>", " a  b \n\n"},
        {"<a href=\"https://a.example/x?b=1&amp;c=2\">here</a>", "here (https://a.example/x?b=1&c=2)"},
        {"<a href='https://a.example/'>https://a.example/</a>!", "https://a.example/!"},
        {"<a href=\"https://a.example/\"></a>", "https://a.example/"},
        {"<a href=\"mailto:a@b.example\">a@b.example</a>", "a@b.example"},
        {"<a href=\"javascript:alert(1)\">x</a>", "x"},
        {"<a name=\"y\">x</a>", "x"},
        {"<a href=\"https://a.example/1\">x<a href=\"https://a.example/2\">y",
         "x (https://a.example/1)y (https://a.example/2)"},
        {"<script>alert('<br>')</script>a", "a"},
        {"<style type=x>p{}</style>a<style>", "a"},
        {"<!-- x --><!--[if mso]>y<![endif]-->a<![if !mso]>b<![endif]>", "ab"},
        {"<!DOCTYPE html><html><head><title>t</title></head><body>a</body></html>", "a\n"},
        {"a<!-- no end", "a"},
        {"&lt;b&gt; &amp;amp; &quot;&nbsp;&#228;&#xE4;&euro;", "<b> &amp; \"\302\240ää€"},
        {"&#0;&#xd800;&#x110000;", "\uFFFD\uFFFD\uFFFD"},
        {"&unknown; &; & &#; &#x; &#99999999999;", "&unknown; &; & &#; &#x; &#99999999999;"},
        {"a < b > c <br>", "a < b > c \n"},
        {"<3 <unknown> <b>x", "<3 <unknown> x"},
        {"<b", "<b"},
        {"", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf text = BUF_INIT(4096);
        unhtml(view_of(cases[i].html), &text);
        assert_string_equal(buf_str(&text), cases[i].want);
    }
}

static void tells_html_from_text(void **state) {
    (void)state;
    static const char *const html[] = {"a<br>b", "<P>", "x</div>", "a&nbsp;b", "&amp;", "&#228;", "<a href=\"x\">"};
    static const char *const text[] = {
        "",         "a < b > c", "R&D", "<name@verein.example>", "<https://a.example/>", "<>", "<unknown>", "<b",
        "a & b; c", "</",        "<"};
    for (size_t i = 0; i < COUNT_OF(html); i++)
        if (!unhtml_is_html(view_of(html[i])))
            fail_msg("“%s” is text", html[i]);
    for (size_t i = 0; i < COUNT_OF(text); i++)
        if (unhtml_is_html(view_of(text[i])))
            fail_msg("“%s” is HTML", text[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_text),
        cmocka_unit_test(tells_html_from_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
