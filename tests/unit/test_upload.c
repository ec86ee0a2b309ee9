/* An announcement's files on their way from the command line to the daemon. */
#include "unit.h"

#include "announce/upload.h"

static void there_and_back(void **state) {
    (void)state;
    struct bundle files;
    struct source s, got;
    struct why why = {0};
    AUTOBUF struct buf body = BUF_INIT(10000), again = BUF_INIT(10000);
    bundle_init(&files);
    assert_int_equal(bundle_add(&files, "a.pdf", view_make("%PDF\0\n1 2\n", 10)), 0);
    assert_int_equal(bundle_add(&files, "Städte für alle.md", VIEW("[announcement]\n---\n")), 0);
    assert_int_equal(bundle_add(&files, "empty", VIEW("")), 0);
    assert_int_equal(source_from(&files, "Städte für alle.md", &s, &why), 0);
    upload_print(&s, &body);
    assert_int_equal(buf_error(&body), 0);
    assert_int_equal(upload_read(buf_view(&body), &got, &why), 0);
    assert_string_equal(got.first, "Städte für alle.md");
    assert_string_equal(got.stem, "Städte für alle");
    assert_int_equal(got.files.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(view_eq(bundle_get(&got.files, files.files[i].path), files.files[i].content));
    upload_print(&got, &again);
    assert_true(view_eq(buf_view(&body), buf_view(&again)));
    source_done(&got);
    source_done(&s);
    bundle_done(&files);
}

#define HEAD "rundbrief-upload 1\n"

static void what_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        int want;
    } cases[] = {
        {"fine", HEAD "4 1\na.mdx", 0},
        {"nothing", "", -EINVAL},
        {"another version", "rundbrief-upload 2\n4 1\na.mdx", -EINVAL},
        {"no file", HEAD, -EINVAL},
        {"no line end", HEAD "4 1", -EINVAL},
        {"cut off in the name", HEAD "4 1\na.m", -EINVAL},
        {"cut off in the content", HEAD "4 2\na.mdx", -EINVAL},
        {"more behind", HEAD "4 1\na.mdxy", -EINVAL},
        {"one number", HEAD "4\na.mdx", -EINVAL},
        {"three numbers", HEAD "4 1 1\na.mdx", -EINVAL},
        {"two blanks", HEAD "4  1\na.mdx", -EINVAL},
        {"negative", HEAD "-4 1\na.mdx", -EINVAL},
        {"overflow", HEAD "4 18446744073709551615\na.mdx", -EINVAL},
        {"overflow of the sum", HEAD "512 67108864\na.mdx", -EINVAL},
        {"a long name", HEAD "513 1\na.mdx", -EINVAL},
        {"not a number", HEAD "x 1\na.mdx", -EINVAL},
        {"no name", HEAD "0 1\nx", -EINVAL},
        {"a folder", HEAD "6 1\nb/a.mdx", -EINVAL},
        {"upwards", HEAD "7 1\n../a.mdx", -EINVAL},
        {"a dot file", HEAD "5 1\n.a.mdx", -EINVAL},
        {"not UTF-8", HEAD "4 1\n\xff.mdx", -EINVAL},
        {"the same twice", HEAD "4 1\na.mdx4 1\na.mdy", -EEXIST},
        {"a first that is none", HEAD "5 1\na.pdfx", -EINVAL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct source s;
        struct why why = {0};
        int r = upload_read(view_of(cases[i].text), &s, &why);
        unit_int(cases[i].name, r, cases[i].want);
        if (r == 0)
            source_done(&s);
        else
            assert_true(why.what[0] != '\0');
    }
    struct source s;
    struct why why;
    assert_int_equal(upload_read(view_make(HEAD "5 1\na\0.mdx", sizeof HEAD "5 1\na\0.mdx" - 1), &s, &why), -EINVAL);
}

static void too_many_files(void **state) {
    (void)state;
    AUTOBUF struct buf body = BUF_INIT(100000);
    struct source s;
    struct why why;
    buf_puts(&body, HEAD "4 0\na.md");
    for (int i = 1; i < BUNDLE_FILES_MAX; i++)
        buf_printf(&body, "5 0\nx%04d", i);
    assert_int_equal(upload_read(buf_view(&body), &s, &why), 0);
    assert_int_equal(s.files.count, BUNDLE_FILES_MAX);
    source_done(&s);
    buf_puts(&body, "4 0\nmore");
    assert_int_equal(upload_read(buf_view(&body), &s, &why), -E2BIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(too_many_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
