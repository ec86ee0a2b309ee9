#define CMARK_NO_SHORT_NAMES
#include "unit.h"

#include <cmark.h>

#include "failing.h"
#include "mail/markdown_parse.h"

/* What cmark takes memory for: blocks, inlines, definitions, links, entities, and texts that grow. */
static const char everything[] =
    "# Head\n\nHead\n====\n\n* a\n* b\n\n  1. c\n\n> quote\n> > twice\n\n    code\n\n```x\nfenced\n```\n\n"
    "<div>\nraw\n</div>\n\n---\n\n[a *b* **c** `d`](https://x.example/?a=1 \"title\") ![i](j.png)  \n"
    "[ref] [REF][] [x][ref] &uuml;&#8364; \\* <https://y.example/> <b> *a **b* c** [no](\n\n"
    "[ref]: https://z.example/ 'a title'\n[ref]: https://unused.example/\n";

static void put_text(cmark_node *n, struct buf *to) {
    const char *literal = cmark_node_get_literal(n), *url = cmark_node_get_url(n);
    buf_printf(to, "%s %s %s\n", cmark_node_get_type_string(n), literal ? literal : "", url ? url : "");
    for (cmark_node *child = cmark_node_first_child(n); child; child = cmark_node_next(child))
        put_text(child, to);
}

static void test_every_allocation(void **state) {
    (void)state;
    AUTOBUF struct buf text = BUF_INIT(1 << 20), expected = BUF_INIT(1 << 20);
    cmark_node *plain = cmark_parse_document(everything, strlen(everything), CMARK_OPT_VALIDATE_UTF8);
    put_text(plain, &expected);
    cmark_node_free(plain);
    for (long n = 0;; n++) {
        struct markdown_parsed parsed;
        has_failed = false;
        left = n;
        int r = markdown_parse(everything, strlen(everything), &parsed);
        left = -1;
        if (!has_failed) {
            assert_int_equal(r, 0);
            put_text(parsed.document, &text);
            assert_string_equal(buf_str(&text), buf_str(&expected));
            markdown_parsed_done(&parsed);
            assert_null(parsed.document);
            assert_true(n > 100);
            return;
        }
        assert_int_equal(r, -ENOMEM);
    }
}

static void test_several_trees(void **state) {
    (void)state;
    struct markdown_parsed a, b, none;
    assert_int_equal(markdown_parse("one", 3, &a), 0);
    assert_int_equal(markdown_parse("*two*", 5, &b), 0);
    assert_int_equal(markdown_parse("", 0, &none), 0);
    markdown_parsed_done(&a);
    assert_null(cmark_node_first_child(none.document));
    AUTOBUF struct buf text = BUF_INIT(1000);
    put_text(b.document, &text);
    assert_string_equal(buf_str(&text), "document  \nparagraph  \nemph  \ntext two \n");
    markdown_parsed_done(&b);
    markdown_parsed_done(&none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_allocation),
        cmocka_unit_test(test_several_trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
