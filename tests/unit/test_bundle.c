/* Bundles in memory and on disk, and their head. */
#include "unit.h"

#include "announce/bundle.h"

static void paths(void **state) {
    (void)state;
    AUTOBUF struct buf longest = BUF_INIT(10000), part = BUF_INIT(10000);
    buf_puts(&longest, "files/");
    while (longest.len < 512)
        buf_puts(&longest, longest.len % 255 == 254 ? "/" : "x");
    for (int i = 0; i < 256; i++)
        buf_putc(&part, 'x');
    const struct {
        const char *path;
        int want;
    } cases[] = {
        {"bundle.ini", 0},
        {"files/a b.md", 0},
        {"files/Städte.md", 0},
        {"files/..x", 0},
        {"a/b/c/d", 0},
        {buf_str(&longest), 0},
        {"", -EINVAL},
        {"/etc/passwd", -EINVAL},
        {"files/../../x", -EINVAL},
        {"files/./x", -EINVAL},
        {"files//x", -EINVAL},
        {"files/", -EINVAL},
        {"..", -EINVAL},
        {"a\nb", -EINVAL},
        {"a\u202e"
         "b",
         -EINVAL},
        {"a\xff", -EINVAL},
        {buf_str(&part), -EINVAL}, /* a name of 256 bytes */
    };
    struct bundle b;
    bundle_init(&b);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unit_int(cases[i].path, bundle_add(&b, cases[i].path, VIEW("x")), cases[i].want);
        unit_int(cases[i].path, bundle_add(&b, cases[i].path, VIEW("y")), cases[i].want ? cases[i].want : -EEXIST);
        unit_int(cases[i].path, bundle_get(&b, cases[i].path).ptr != NULL, cases[i].want == 0);
    }
    buf_putc(&longest, 'x');
    assert_int_equal(bundle_add(&b, buf_str(&longest), VIEW("x")), -EINVAL);
    assert_true(view_eq_str(bundle_get(&b, "bundle.ini"), "x"));
    assert_null(bundle_get(&b, "none").ptr);
    assert_int_equal(bundle_add(&b, "empty", VIEW("")), 0);
    assert_non_null(bundle_get(&b, "empty").ptr); /* there, and empty */
    bundle_done(&b);
}

static void what_is_added_is_copied(void **state) {
    (void)state;
    struct bundle b;
    char path[] = "files/a", content[] = "one";
    bundle_init(&b);
    assert_int_equal(bundle_add(&b, path, view_of(content)), 0);
    path[6] = content[0] = 'z';
    assert_true(view_eq_str(bundle_get(&b, "files/a"), "one"));
    bundle_done(&b);
    bundle_done(&b); /* may be done twice */
}

static void caps_on_both_sides(void **state) {
    (void)state;
    struct bundle b;
    char name[32];
    bundle_init(&b);
    for (int i = 0; i < BUNDLE_FILES_MAX; i++) {
        (void)snprintf(name, sizeof name, "files/%d", i);
        assert_int_equal(bundle_add(&b, name, VIEW("")), 0);
    }
    assert_int_equal(bundle_add(&b, "one more", VIEW("")), -E2BIG);
    bundle_done(&b);
    AUTOFREE char *big = calloc(1, BUNDLE_MAX_BYTES);
    assert_non_null(big);
    assert_int_equal(bundle_add(&b, "small", VIEW("x")), 0);
    assert_int_equal(bundle_add(&b, "too big", view_make(big, BUNDLE_MAX_BYTES)), -E2BIG);
    assert_int_equal(bundle_add(&b, "fits", view_make(big, BUNDLE_MAX_BYTES - 1)), 0);
    assert_int_equal(bundle_add(&b, "too much", VIEW("x")), -E2BIG);
    bundle_done(&b);
}

static void written_and_read_again(void **state) {
    static const struct {
        const char *path;
        struct view content;
    } files[] = {
        {"bundle.ini", VIEW("[bundle]\n")},
        {"files/a b.md", VIEW("text")},
        {"files/Städte.png", {"\0\xff\r\n", 4}},
        {"templates/de/words.ini", VIEW("")},
        {"logo", VIEW("x")},
    };
    struct bundle b, read;
    struct why why;
    bundle_init(&b);
    bundle_init(&read);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        assert_int_equal(bundle_add(&b, files[i].path, files[i].content), 0);
    AUTOCLOSE int fd = files_open_dir(AT_FDCWD, *state);
    assert_true(fd >= 0);
    assert_int_equal(bundle_write(&b, fd), 0);
    assert_int_equal(bundle_write(&b, fd), -EEXIST);
    assert_int_equal(bundle_read(&read, fd, &why), 0);
    assert_int_equal(read.count, COUNT_OF(files));
    for (size_t i = 0; i < COUNT_OF(files); i++)
        assert_true(view_eq(bundle_get(&read, files[i].path), files[i].content));
    bundle_done(&read);

    struct stat st;
    assert_int_equal(fstatat(fd, "files/a b.md", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(symlinkat("/etc/passwd", fd, "files/link"), 0);
    assert_true(bundle_read(&read, fd, &why) < 0); /* nothing but plain files */
    bundle_done(&read);
    bundle_done(&b);
}

static void head_as(struct bundle *b, const struct bundle_head *h) {
    AUTOBUF struct buf text = BUF_INIT(10000);
    bundle_head_print(h, &text);
    bundle_done(b);
    assert_int_equal(bundle_add(b, "bundle.ini", buf_view(&text)), 0);
}

static void heads(void **state) {
    (void)state;
    struct bundle b;
    struct why why;
    struct bundle_head got, h = {.name = "Städte; #1 = x",
                                 .lists = {"twins", "donors"},
                                 .list_count = 2,
                                 .first = "Städte; #1 = x.md",
                                 .template = "workshop",
                                 .uid = "abc@x.example",
                                 .sequence = 7,
                                 .created_usec = INT64_C(1754000000) * 1000000,
                                 .language_count = 2};
    h.languages[0] = "de", h.texts[0] = "Städte; #1 = x.md";
    h.languages[1] = "pt-BR", h.texts[1] = "[Städte].pt-BR.md";
    memset(h.identity, 0xA5, sizeof h.identity);
    bundle_init(&b);
    head_as(&b, &h);
    assert_int_equal(bundle_head_read(&b, &got, &why), 0);
    assert_string_equal(got.name, h.name);
    assert_int_equal(got.list_count, 2);
    assert_string_equal(got.lists[0], "twins");
    assert_string_equal(got.lists[1], "donors");
    assert_string_equal(got.first, h.first);
    assert_string_equal(got.template, h.template);
    assert_string_equal(got.uid, h.uid);
    assert_int_equal(got.sequence, 7);
    assert_true(got.created_usec == h.created_usec);
    assert_memory_equal(got.identity, h.identity, sizeof h.identity);
    assert_int_equal(got.language_count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(got.languages[i], h.languages[i]);
        assert_string_equal(got.texts[i], h.texts[i]);
    }
    h.uid = "";
    head_as(&b, &h);
    assert_int_equal(bundle_head_read(&b, &got, &why), 0);
    assert_string_equal(got.uid, "");
    bundle_done(&b);
}

static void damaged_heads(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        int want;
    } cases[] = {
        {"least", "[bundle]\nformat = 1\nlist = a\n[texts]\nde = a.md\n", 0},
        {"empty", "", -EINVAL},
        {"no list", "[bundle]\nformat = 2\n[texts]\nde = a.md\n", -EINVAL},
        {"another format", "[bundle]\nformat = 3\nlist = a\n[texts]\nde = a.md\n", -EINVAL},
        {"no format", "[bundle]\nname = x\n[texts]\nde = a.md\n", -EINVAL},
        {"no text", "[bundle]\nformat = 1\nlist = a\n", -EINVAL},
        {"broken", "[bundle\nformat = 1\nlist = a\n[texts]\nde = a.md\n", -EINVAL},
        {"identity", "[bundle]\nformat = 1\nlist = a\nidentity = 00\n[texts]\nde = a.md\n", -EINVAL},
        {"sequence", "[bundle]\nformat = 1\nlist = a\nsequence = -1\n[texts]\nde = a.md\n", -EINVAL},
        {"created", "[bundle]\nformat = 1\nlist = a\ncreated = now\n[texts]\nde = a.md\n", -EINVAL},
        {"a newer key is skipped", "[bundle]\nformat = 1\nlist = a\nfoo = x\n[texts]\nde = a.md\n", 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bundle b;
        struct bundle_head got;
        struct why why;
        bundle_init(&b);
        assert_int_equal(bundle_add(&b, "bundle.ini", view_of(cases[i].text)), 0);
        unit_int(cases[i].name, bundle_head_read(&b, &got, &why), cases[i].want);
        bundle_done(&b);
    }
    AUTOBUF struct buf many = BUF_INIT(10000);
    buf_puts(&many, "[bundle]\nformat = 1\nlist = a\n[texts]\n");
    for (int i = 0; i <= BUNDLE_LANGUAGES_MAX; i++) {
        struct bundle b;
        struct bundle_head got;
        struct why why;
        bundle_init(&b);
        buf_printf(&many, "l%c = x\n", 'a' + i);
        assert_int_equal(bundle_add(&b, "bundle.ini", buf_view(&many)), 0);
        assert_int_equal(bundle_head_read(&b, &got, &why), i < BUNDLE_LANGUAGES_MAX ? 0 : -EINVAL);
        bundle_done(&b);
    }
    struct bundle none;
    struct bundle_head got;
    struct why why;
    bundle_init(&none);
    assert_int_equal(bundle_head_read(&none, &got, &why), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(what_is_added_is_copied),
        cmocka_unit_test(caps_on_both_sides),
        cmocka_unit_test_setup_teardown(written_and_read_again, unit_folder, unit_folder_gone),
        cmocka_unit_test(heads),
        cmocka_unit_test(damaged_heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
