#include "net/form.h"

#include "unit.h"

struct form_case {
    const char *name, *type, *body;
    int result;
    const char *shown; /* name=value; of each field */
};

#define MULTI "multipart/form-data; boundary=B"
#define PART(disposition, value) "Content-Disposition: " disposition "\r\n\r\n" value

static const struct form_case cases[] = {
    {"one click", "application/x-www-form-urlencoded", "List-Unsubscribe=One-Click", 0, "List-Unsubscribe=One-Click;"},
    {"no type", NULL, "a=b", 0, "a=b;"},
    {"another type", "text/plain; charset=x", "a=b", 0, "a=b;"},
    {"empty", NULL, "", 0, ""},
    {"fields", NULL, "a=1&b=&c&&=d&a=2", 0, "a=1;b=;c=;=d;a=2;"},
    {"escapes", NULL, "a%3D=%26+%2b&b=%c3%BC", 0, "a==& +;b=\xc3\xbc;"},
    {"escape at the end", NULL, "a=%20", 0, "a= ;"},
    {"second equals", NULL, "a=b=c", 0, "a=b=c;"},
    {"cut escape", NULL, "a=%2", -EBADMSG, NULL},
    {"lone percent", NULL, "a=%", -EBADMSG, NULL},
    {"bad escape", NULL, "a=%g0", -EBADMSG, NULL},
    {"NUL in a name", NULL, "a%00=b", -EBADMSG, NULL},
    {"multipart", MULTI, "--B\r\n" PART("form-data; name=\"a\"", "1") "\r\n--B--\r\n", 0, "a=1;"},
    {"type in capitals", "Multipart/Form-Data; Boundary=\"B\"; x=y",
     "--B\r\n" PART("form-data; name=\"a\"", "1") "\r\n--B--", 0, "a=1;"},
    {"two parts, preamble, blanks", MULTI,
     "hi\r\n--B \t\r\n" PART("form-data; name=a; filename=\"x;y\"",
                             "1\r\n2") "\r\n--B\r\nContent-Type: text/plain\r\n" PART("FORM-DATA ; x; NAME = \"b c\"",
                                                                                      "") "\r\n--B--bye",
     0, "a=1\r\n2;b c=;"},
    {"boundary inside a value", MULTI, "--B\r\n" PART("form-data; name=a", "x--B--y\r\n-B") "\r\n--B--", 0,
     "a=x--B--y\r\n-B;"},
    {"no name", MULTI, "--B\r\n" PART("form-data", "1") "\r\n--B\r\n\r\nx\r\n--B--", 0, ""},
    {"another disposition", MULTI, "--B\r\n" PART("attachment; name=a", "1") "\r\n--B--", 0, ""},
    {"escaped quote", MULTI, "--B\r\n" PART("form-data; name=\"a\\\"b\"", "1") "\r\n--B--", 0, ""},
    {"empty multipart", MULTI, "--B--", 0, ""},
    {"cut off", MULTI, "--B\r\n" PART("form-data; name=a", "1"), -EBADMSG, NULL},
    {"no end", MULTI, "--B\r\n" PART("form-data; name=a", "1") "\r\n--B\r\n", -EBADMSG, NULL},
    {"no header end", MULTI, "--B\r\nContent-Disposition: form-data; name=a\r\n--B--", -EBADMSG, NULL},
    {"not the boundary", MULTI, "--C\r\n" PART("form-data; name=a", "1") "\r\n--C--", -EBADMSG, NULL},
    {"boundary goes on", MULTI, "--Bx\r\n" PART("form-data; name=a", "1") "\r\n--B--", -EBADMSG, NULL},
    {"no boundary", "multipart/form-data", "--B--", -EBADMSG, NULL},
    {"empty boundary", "multipart/form-data; boundary=\"\"", "----", -EBADMSG, NULL},
    {"empty body", MULTI, "", -EBADMSG, NULL},
};

static void fields_are_read(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOARENA struct arena arena = {0};
        struct form form = {0};
        AUTOBUF struct buf shown = BUF_INIT(10000);
        /* An exact copy, so that a sanitizer sees the first byte too many. */
        AUTOFREE char *exact = malloc(strlen(cases[i].body) + 1);
        assert_non_null(exact);
        memcpy(exact, cases[i].body, strlen(cases[i].body) + 1);
        unit_int(cases[i].name, form_read(view_make(exact, strlen(exact)), cases[i].type, &arena, &form),
                 cases[i].result);
        for (size_t n = 0; n < form.count; n++) {
            buf_add_view(&shown, form.fields[n].name);
            buf_putc(&shown, '=');
            buf_add_view(&shown, form.fields[n].value);
            buf_putc(&shown, ';');
        }
        unit_str(cases[i].name, buf_str(&shown), cases[i].shown ? cases[i].shown : "");
    }
}

static void every_cut_of_a_multipart_body_is_refused(void **state) {
    (void)state;
    const char *whole = "--B\r\n" PART("form-data; name=\"a\"", "1") "\r\n--B--";
    for (size_t len = 0; len < strlen(whole); len++) {
        AUTOARENA struct arena arena = {0};
        struct form form;
        assert_int_equal(form_read(view_make(whole, len), MULTI, &arena, &form), -EBADMSG);
    }
}

static void the_number_of_fields_is_capped(void **state) {
    (void)state;
    for (int over = 0; over <= 1; over++) {
        AUTOARENA struct arena arena = {0};
        AUTOBUF struct buf body = BUF_INIT(10000);
        struct form form;
        for (int i = 0; i < FORM_FIELDS_MAX + over; i++)
            buf_printf(&body, "f%d=%d&", i, i);
        assert_int_equal(form_read(buf_view(&body), NULL, &arena, &form), over ? -E2BIG : 0);
        if (!over)
            assert_true(view_eq_str(form_get(&form, "f63"), "63"));
    }
    for (int over = 0; over <= 1; over++) {
        AUTOARENA struct arena arena = {0};
        AUTOBUF struct buf type = BUF_INIT(1000), body = BUF_INIT(1000);
        struct form form;
        buf_puts(&type, "multipart/form-data; boundary=");
        buf_puts(&body, "--");
        for (int i = 0; i < 70 + over; i++) {
            buf_putc(&type, 'b');
            buf_putc(&body, 'b');
        }
        buf_puts(&body, "--");
        assert_int_equal(form_read(buf_view(&body), buf_str(&type), &arena, &form), over ? -EBADMSG : 0);
    }
}

static void the_first_field_of_a_name_counts(void **state) {
    (void)state;
    AUTOARENA struct arena arena = {0};
    struct form form;
    assert_int_equal(form_read_urlencoded(VIEW("a=1&b=2&a=3&c="), &arena, &form), 0);
    assert_true(view_eq_str(form_get(&form, "a"), "1"));
    assert_non_null(form_get(&form, "c").ptr);
    assert_int_equal(form_get(&form, "c").len, 0);
    assert_null(form_get(&form, "d").ptr);
    assert_null(form_get(&form, "A").ptr);
}

static void paths_are_read(void **state) {
    (void)state;
    static const struct {
        const char *raw, *path; /* NULL: refused */
    } paths[] = {
        {"/", "/"},       {"/a/b", "/a/b"},    {"/%41%2F%c3%bc", "/A/\xc3\xbc"},
        {"/a+b", "/a+b"}, {"/..", "/.."},      {"/%2e%2E/", "/../"},
        {"", NULL},       {"a", NULL},         {"*", NULL},
        {"/%", NULL},     {"/%4", NULL},       {"/%4x", NULL},
        {"/%00", NULL},   {"/a b", NULL},      {"/\t", NULL},
        {"/\x7f", NULL},  {"/\xc3\xbc", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        AUTOARENA struct arena arena = {0};
        const char *path = NULL;
        unit_int(paths[i].raw, form_read_path(view_of(paths[i].raw), &arena, &path), paths[i].path ? 0 : -EBADMSG);
        unit_str(paths[i].raw, path, paths[i].path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_read),
        cmocka_unit_test(every_cut_of_a_multipart_body_is_refused),
        cmocka_unit_test(the_number_of_fields_is_capped),
        cmocka_unit_test(the_first_field_of_a_name_counts),
        cmocka_unit_test(paths_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
