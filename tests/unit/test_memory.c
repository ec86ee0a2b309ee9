/* Whichever allocation fails while a message is built and filled, its text is rendered, or an announcement's files are
 * gathered, the caller is told, and nothing leaks. */
#include "unit.h"

#include "announce/source.h"
#include "failing.h"
#include "mail/address.h"
#include "mail/markdown.h"
#include "mail/message.h"
#include "mail/tags.h"
#include "mail/when.h"

static int build_texts(struct merge *text, struct merge *subject) {
    merge_init(text);
    merge_init(subject);
    for (int i = 0; i < 20; i++) {
        merge_text(text, VIEW("Шановні колеги, запрошуємо вас на наступний семінар"));
        merge_if(text, 1, false);
        merge_field(text, 0, MERGE_HTML);
        merge_end(text);
    }
    merge_text(subject, VIEW("für "));
    merge_field(subject, 0, MERGE_PLAIN);
    int r = merge_seal(text);
    return r < 0 ? r : merge_seal(subject);
}

static int build_message(struct message *m, const struct merge *text, const struct merge *subject) {
    struct part parts[] = {{.kind = PART_TEXT, .type = "text/plain", .text = text},
                           {.kind = PART_BYTES, .type = "image/png", .bytes = VIEW("xxxx"), .filename = "Програма.png"},
                           {.kind = PART_BYTES, .type = "message/rfc822", .bytes = VIEW("From: a@x.example\r\n\r\n")}};
    struct part root = {.kind = PART_MIXED, .children = parts, .child_count = COUNT_OF(parts)};
    int r = message_header_mailbox(m, "From", VIEW("Müller"), VIEW("a@x.example"));
    if (r == 0)
        r = message_header_raw(m, "Precedence", VIEW("bulk"));
    if (r == 0)
        r = message_header_merge(m, "Subject", subject);
    if (r == 0)
        r = message_header_field(m, "To", 1);
    return r < 0 ? r : message_body(m, &root, "seed");
}

static int send_one(struct buf *to) {
    const struct view values[] = {VIEW("Vera"), VIEW("b@x.example")};
    CLEANUP(merge_done) struct merge text;
    CLEANUP(merge_done) struct merge subject;
    struct message *m = NULL;
    int r = build_texts(&text, &subject);
    if (r == 0)
        r = message_new(&m);
    if (r == 0)
        r = build_message(m, &text, &subject);
    if (r == 0)
        r = message_fill(m, values, to);
    (void)message_free(m);
    return r;
}

static void test_message(void **state) {
    (void)state;
    AUTOBUF struct buf expected = BUF_INIT(1 << 20);
    assert_int_equal(send_one(&expected), 0);
    for (long n = 0;; n++) {
        AUTOBUF struct buf to = BUF_INIT(1 << 20);
        has_failed = false;
        left = n;
        int r = send_one(&to);
        left = -1;
        if (!has_failed) {
            assert_int_equal(r, 0);
            assert_string_equal(buf_str(&to), buf_str(&expected));
            assert_true(n > 50);
            return;
        }
        assert_int_equal(r, -ENOMEM);
    }
}

static int render(struct buf *to) {
    static const char text[] =
        "# Head\n\n{{salutation}}, *come* to [us](https://x.example/?a={{salutation}})\n\n{{#yes}}\n* "
        "![a](b.png)\n{{/yes}}\n\n"
        "> quoted\n\n    {{salutation}}\n\n3. [r] `c`\n4. [r][] <tel:+491>\n\n{{#salutation}}[a](mailto:a@b.example)"
        "{{/salutation}} [q](http://y.example/)\n\n[r]: https://a.long.name.of.somebody.example/ 'title'\n";
    AUTOARENA struct arena arena;
    arena_init(&arena);
    struct value root = value_map();
    struct markdown m;
    struct template_fault fault;
    int r = value_set(&arena, &root, "salutation", value_field(0));
    if (r == 0)
        r = value_set(&arena, &root, "yes", (struct value){.kind = VALUE_BOOL, .truth = true});
    if (r == 0)
        r = markdown_render(view_of(text), &root, &(struct markdown_options){.links_title = "Links:"}, &m, &fault);
    if (r < 0)
        return r;
    const struct view values[] = {VIEW("Vera")};
    merge_fill(&m.html, values, to);
    merge_fill(&m.plain, values, to);
    markdown_done(&m);
    return buf_error(to);
}

static void test_markdown(void **state) {
    (void)state;
    AUTOBUF struct buf expected = BUF_INIT(1 << 20);
    assert_int_equal(render(&expected), 0);
    for (long n = 0;; n++) {
        AUTOBUF struct buf to = BUF_INIT(1 << 20);
        has_failed = false;
        left = n;
        int r = render(&to);
        left = -1;
        if (!has_failed) {
            assert_int_equal(r, 0);
            assert_string_equal(buf_str(&to), buf_str(&expected));
            assert_true(n > 100);
            return;
        }
        assert_int_equal(r, -ENOMEM);
    }
}

/* An address is not taken for another one, nor for a good one. */
static void test_address(void **state) {
    (void)state;
    for (long n = 0;; n++) {
        struct address a;
        has_failed = false;
        left = n;
        enum address_fault fault = address_parse_mailbox(VIEW("Ü <ü@müller.example>"), &a, NULL);
        left = -1;
        if (!has_failed) {
            assert_int_equal(fault, ADDRESS_OK);
            return;
        }
        assert_int_not_equal(fault, ADDRESS_OK);
    }
}

/* Nobody's address and no zone counts as wrong for it. The zone is one that nobody here has read before. */
static void test_nobody_is_blamed(void **state) {
    (void)state;
    static const struct view written = VIEW("Jörg@Bücher.example");
    struct address address;
    for (int i = 0; i < 2; i++) {
        long failures = 0;
        for (has_failed = true; has_failed; failures++) {
            has_failed = false;
            left = failures;
            enum address_fault fault = i ? ADDRESS_OK : address_parse(written, &address);
            bool good = i ? when_zone_exists("Pacific/Chatham") : fault == ADDRESS_OK;
            int error = i ? errno : (int)fault;
            left = -1;
            assert_true(good || has_failed);
            if (good)
                continue;
            assert_int_equal(error, i ? ENOMEM : ADDRESS_NO_MEMORY);
        }
        assert_true(failures > 2);
    }
}

static const char *const codes[] = {"de", "fr"};
static const struct languages languages = {(char *const *)codes, COUNT_OF(codes)};

/* What a name is, as one word: an error is no answer. */
static int ask_name(const char *name, char *const *names, size_t count) {
    const char *language = NULL;
    int first = source_is_first(name, names, count, &languages);
    int r = first < 0 ? first : source_translation(name, "Städte", &languages, &language);
    return r < 0 ? r : first << 1 | (language[0] != '\0');
}

/* No name is taken for a file that means nothing, nor for one that it does not belong to. */
static void test_names(void **state) {
    (void)state;
    enum { FIRST = 2, TRANSLATION = 1 };
    static const char *const names[] = {"Sta\u0308dte.md", "Städte.fr.md", "plan.pdf"};
    static const int want[] = {FIRST, TRANSLATION, 0};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        for (long n = 0;; n++) {
            has_failed = false;
            left = n;
            int got = ask_name(names[i], (char *const *)names, COUNT_OF(names));
            left = -1;
            unit_int(names[i], got, has_failed ? -ENOMEM : want[i]);
            if (!has_failed) {
                unit_int(names[i], n > 0, true);
                break;
            }
        }
}

static int read_source(const char *path, const char *want_files) {
    struct source s;
    struct why why;
    int r = source_read(AT_FDCWD, path, &languages, &s, &why);
    if (r < 0)
        return r;
    long failing = left;
    left = -1;
    AUTOBUF struct buf got = BUF_INIT(1000);
    for (size_t i = 0; i < s.files.count; i++)
        buf_printf(&got, "%s ", s.files.files[i].path);
    unit_str(path, buf_str(&got), want_files);
    source_done(&s);
    left = failing;
    return 0;
}

/* Nothing that belongs to an announcement is left out, whether it lies beside it or in its folder. */
static void test_tags(void **state) {
    (void)state;
    const struct view tags = VIEW("Brückenbau\nFörderung\n");
    for (long n = 0;; n++) {
        AUTOBUF struct buf to = BUF_INIT(TAGS_MAX_BYTES);
        left = n;
        has_failed = false;
        int found = tags_have(tags, VIEW("förderung")), none = tags_have(tags, VIEW("chor"));
        int applied = tags_apply(tags, VIEW("+förderung\n"), &to, NULL);
        left = -1;
        assert_true(found == 1 || (found == -ENOMEM && has_failed));
        assert_true(none == 0 || (none == -ENOMEM && has_failed));
        assert_true(applied == -ENOMEM ? has_failed : applied == 0 && view_eq(buf_view(&to), tags));
        if (!has_failed)
            return;
    }
}

static void test_source(void **state) {
    const char *folder = *state;
    static const struct {
        const char *name, *content;
    } files[] = {{"Sta\u0308dte.md", "attach = plan.pdf\n---\n![x](Bu\u0308hne.png)\n"},
                 {"Städte.fr.md", "attach = plan\xe9.pdf\n---\nx\n"}, /* windows-1252 */
                 {"plan.pdf", "x"},
                 {"plané.pdf", "x"},
                 {"Bu\u0308hne.png", "x"}};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        AUTOFREE char *path = unit_path(folder, files[i].name);
        assert_int_equal(files_write_new(AT_FDCWD, path, view_of(files[i].content), 0600), 0);
    }
    AUTOFREE char *text = unit_path(folder, files[0].name);
    const char *const paths[] = {text, folder};
    static const char *const want[] = {"Städte.md Städte.fr.md Bühne.png plan.pdf plané.pdf ",
                                       "Bühne.png Städte.md Städte.fr.md plan.pdf plané.pdf "};
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        for (long n = 0;; n++) {
            has_failed = false;
            left = n;
            int r = read_source(paths[i], want[i]);
            left = -1;
            unit_int(paths[i], r, has_failed ? -ENOMEM : 0);
            if (!has_failed) {
                assert_true(n > 20);
                break;
            }
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_nobody_is_blamed),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_tags),
        cmocka_unit_test_setup_teardown(test_source, unit_folder, unit_folder_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
