#include "unit.h"

#include "conf/conf.h"
#include "conf/shape.h"

typedef int shape(struct view v, struct why *why);

#define T50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *name;
    shape *check;
    const char *right[16], *wrong[32];
} shapes[] = {
    {"address",
     shape_address,
     {"a@b.example", "first.last+tag@sub.partner.example", "büro@münchen.example", "root@localhost", "o'neil@b.example",
      T50 "aaaaaaaaaaaaaa@b.example"},
     {"a",
      "@b.example",
      "a@",
      "a@b",
      "a b@c.example",
      "a@b@c.example",
      ".a@b.example",
      "a.@b.example",
      "a..b@c.example",
      "\"a b\"@c.example",
      "a@[127.0.0.1]",
      "A <a@b.example>",
      "<a@b.example>",
      "a@-b.example",
      "a@b-.example",
      "a@b..example",
      "a@.b.example",
      "a@b.example.",
      "a,b@c.example",
      "a@b_c.example",
      T50 "aaaaaaaaaaaaaaa@b.example",
      "a@" T50 "aaaaaaaaaaaaaa.example"}},
    {"return path",
     shape_return_path,
     {"bounce@b.example", "aaaaaaaaaaaaaaa@b.example"},
     {"aaaaaaaaaaaaaaaa@b.example", "a+b@c.example", "rückweg@b.example", "a@münchen.example", "x"}},
    {"path", shape_path, {"/", "/a", "/a/b.c/..d", "/a/"}, {"a", "./a", "/a/../b", "/a/.", "/./a", "~/a", ".."}},
    {"language",
     shape_language,
     {"de", "fil", "pt-BR", "zh-Hant-TW"},
     {"d", "DE", "deutsch", "de-", "de_DE", "-de", "de-x", "../x", "de/", "pt-BR-aaaaaaaaaaaa", "d1"}},
    {"zone",
     shape_zone,
     {"Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+1"},
     {"/etc/passwd", "../x", "Europe//Berlin", "Europe/", "Europe Berlin", "Europe/Z\xC3\xBCrich", ".."}},
    {"colour", shape_colour, {"#000000", "#aAfF09"}, {"red", "#fff", "#gggggg", "000000", "#0000000", "#00000"}},
    {"group", shape_group, {"a", "_x-1"}, {"1a", "A", "a b", "-a", T50}},
    {"host",
     shape_host,
     {"localhost", "a.example", "A-1.example", "192.0.2.1"},
     {"a b", "a_b", "-a", "münchen.example", "a."}},
    {"domain", shape_domain, {"a.example", "xn--mnchen-3ya.example"}, {"a", "münchen.example", "a..b", ".a"}},
    {"listen",
     shape_listen,
     {"systemd", "127.0.0.1:8025", "[::1]:8025", "0.0.0.0:1", "[::]:65535"},
     {"8025", ":8025", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "::1:8025", "localhost:8025", "[::1]", "[]:1",
      "[127.0.0.1]:1", "127.0.0.1:", "127.0.0.1:80x"}},
    {"proxy",
     shape_proxy,
     {"unix", "127.0.0.1", "::1", "10.0.0.0/8", "2001:db8::/32", "0.0.0.0/0"},
     {"localhost", "10.0.0.0/33", "::1/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/-1", "[::1]"}},
    {"web URL",
     shape_web_url,
     {"https://a.example", "http://a.example/x?y=1#z", "https://münchen.example/", "https://[2001:db8::1]:1/"},
     {"a.example", "ftp://a.example", "https://", "https:///x", "https://a b.example", "https://u@a.example",
      "https://a.example:0", "https://a.example:99999", "https://a.example:", "HTTPS://a.example",
      "javascript:alert(1)", "https://a.example/\"x", "https://a.example/<x>", "https://[::1", "https://[a]/",
      "https://[::1]x/", "https://a..b/"}},
    {"public URL",
     shape_public_url,
     {"https://a.example", "https://a.example/x/", "http://localhost:1", "http://127.0.0.1", "http://127.8.8.8:1/x",
      "http://[::1]:8025"},
     {"http://a.example", "http://localhost.a.example", "http://127.a.example", "http://10.0.0.1", "http://[::2]/",
      "https://a.example?x", "https://a.example/#x", "http://0.0.0.0"}},
    {"logo", shape_logo, {"https://a.example/l.png", "/etc/l.png"}, {"http://a.example/l.png", "l.png", "/../l.png"}},
    {"relay URL",
     shape_relay_url,
     {"smtp://a.example", "smtps://a.example:465", "smtp://192.0.2.1:25", "smtp://[::1]:25/", "smtp://localhost"},
     {"a.example", "smtp://", "http://a.example", "smtp://u:p@a.example", "smtp://a.example/x", "smtp://a.example:x",
      "smtp://münchen.example", "smtp://a.example?x", "SMTP://a.example"}},
    {"name", shape_name, {"a", "Main.relay_1-x", T50 "aaaaaaaaaa"}, {"-a", "a b", "ä", "a,b", "a]", T50 "aaaaaaaaaaa"}},
    {"list name",
     shape_list_name,
     {"a", "news-1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
     {"A", "a_b", "a.b", "a b", "ä", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}},
};

static void right_and_wrong(void **state) {
    (void)state;
    for (size_t s = 0; s < COUNT_OF(shapes); s++) {
        struct why why;
        for (size_t i = 0; shapes[s].right[i]; i++)
            if (shapes[s].check(view_of(shapes[s].right[i]), &why) != 0)
                fail_msg("%s: \"%s\" is refused", shapes[s].name, shapes[s].right[i]);
        for (size_t i = 0; shapes[s].wrong[i]; i++) {
            why = (struct why){0};
            if (shapes[s].check(view_of(shapes[s].wrong[i]), &why) != -EINVAL)
                fail_msg("%s: \"%s\" is taken", shapes[s].name, shapes[s].wrong[i]);
            if (!why.what[0] || !why.todo[0])
                fail_msg("%s: \"%s\" is refused without a reason or a hint", shapes[s].name, shapes[s].wrong[i]);
        }
    }
}

static void urls_are_taken_apart(void **state) {
    (void)state;
    static const struct {
        const char *url, *scheme, *host;
        unsigned port;
        const char *rest;
    } cases[] = {
        {"https://a.example", "https", "a.example", 0, ""},
        {"smtp://a.example:25", "smtp", "a.example", 25, ""},
        {"http://[2001:db8::1]:8025/x?y", "http", "2001:db8::1", 8025, "/x?y"},
        {"http://a.example?y/z", "http", "a.example", 0, "?y/z"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct shape_url url;
        assert_int_equal(shape_split_url(view_of(cases[i].url), &url), 0);
        assert_true(view_eq_str(url.scheme, cases[i].scheme) && view_eq_str(url.host, cases[i].host));
        assert_true(url.port == cases[i].port && view_eq_str(url.rest, cases[i].rest));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_and_wrong),
        cmocka_unit_test(urls_are_taken_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
