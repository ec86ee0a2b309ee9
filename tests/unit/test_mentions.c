/* What a text names, found without reading it as Markdown or INI. */
#include "unit.h"

#include "announce/mentions.h"

static int on_name(void *user, const struct mention *m) {
    buf_printf(user, "%s%c%u:%.*s", ((struct buf *)user)->len ? " " : "", "ail"[m->kind], m -> line, (int)m -> name.len,
               m->name.ptr);
    return 0;
}

static void names_are_found(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *want; /* KIND LINE:NAME; a attachment, i image, l link or definition */
    } cases[] = {
        {"nothing", "", ""},
        {"one attachment", "attach = a.pdf\n---\n", "a1:a.pdf"},
        {"several", "[announcement]\n attach : a.pdf , b c.pdf,,\n---\n", "a2:a.pdf a2:b c.pdf"},
        {"CR LF", "attach=a.pdf\r\n---\r\n![x](b.png)\r\n", "a1:a.pdf i3:b.png"},
        {"another key", "attachment = a.pdf\nattach a.pdf\n;attach = b.pdf\n---\n", ""},
        {"in the body it is text", "x = y\n---\nattach = a.pdf\n", ""},
        {"a leading line", "\n---\nattach = a.pdf\n---\nattach = b.pdf\n![x](c.png)", "a3:a.pdf i6:c.png"},
        {"a rule in the body", "---\n---\n---\nattach = b.pdf\n", ""},
        {"an image", "x = y\n---\n![x](<b c.png> \"title\")\n", "i3:b c.png"},
        {"no head", "![x](b.png)", ""},
    };
    static const struct {
        const char *name, *line, *want; /* a line of the body */
    } lines[] = {
        {"title", "![x](b.png \"title\")", "i3:b.png"},
        {"percent", "![x](b%20c%C3%A4.png)", "i3:b cä.png"},
        {"percent that is none", "![x](100%.png) ![x](%zz%4)", "i3:100%.png i3:%zz%4"},
        {"escaped", "![x](b\\(1\\).png)", "i3:b(1).png"},
        {"brackets in brackets", "![x](b(1).png)", "i3:b(1).png"},
        {"two on a line", "a ![x](b.png) b [y](c.pdf)![](d.png)", "i3:b.png l3:c.pdf i3:d.png"},
        {"brackets in the label", "![see [1]](b.png)", "i3:b.png"},
        {"an image in a link", "[![x](b.png)](https://a.example)", "i3:b.png l3:https://a.example"},
        {"the label began above", "of it](b.png)", "l3:b.png"},
        {"definition", "  [plan]: b.png 'title'", "l3:b.png"},
        {"empty", "![x]() ![x](<>) [x]:", ""},
        {"cut off", "![x](b.png", "i3:b.png"},
        {"not closed", "![x](<b.png", "i3:b.png"},
        {"a backslash at the end", "![x](b\\", "i3:b\\"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf got = BUF_INIT(10000);
        unit_int(cases[i].name, mentions_each(view_of(cases[i].text), on_name, &got), 0);
        unit_str(cases[i].name, buf_str(&got), cases[i].want);
    }
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        AUTOBUF struct buf got = BUF_INIT(10000), text = BUF_INIT(10000);
        buf_printf(&text, "---\n---\n%s\n", lines[i].line);
        unit_int(lines[i].name, mentions_each(buf_view(&text), on_name, &got), 0);
        unit_str(lines[i].name, buf_str(&got), lines[i].want);
    }
}

static int stop(void *user, const struct mention *m) {
    (void)m;
    return ++*(int *)user == 2 ? 7 : 0;
}

static void an_answer_ends_the_reading(void **state) {
    (void)state;
    int count = 0;
    assert_int_equal(mentions_each(VIEW("attach = a, b, c\n---\n![x](d)"), stop, &count), 7);
    assert_int_equal(count, 2);
}

static int count_name(void *user, const struct mention *m) {
    assert_true(m->name.len <= 1000);
    ++*(size_t *)user;
    return 0;
}

static void long_texts_take_no_long_time(void **state) {
    (void)state;
    static const char *const pieces[] = {"](", "[", "![x](a)", "](((((", "]:", "]\\(", "![](<"};
    for (size_t i = 0; i < COUNT_OF(pieces); i++) {
        AUTOBUF struct buf text = BUF_INIT(300 * 1024);
        buf_puts(&text, "x\n---\n");
        while (text.len < 256 * 1024)
            buf_puts(&text, pieces[i]);
        size_t count = 0;
        assert_int_equal(mentions_each(buf_view(&text), count_name, &count), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(an_answer_ends_the_reading),
        cmocka_unit_test(long_texts_take_no_long_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
