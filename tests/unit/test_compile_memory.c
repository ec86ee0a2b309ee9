/* Whichever allocation fails while an announcement is compiled and composed, it is told, and no mail lacks a line; and what
 * the mails of an announcement have in common is there once. */
#include "intake_helper.h"

#include "apart_here.h"
#include "failing.h"

static const struct intake_file files[] = {
    {"Workshop.md",
     TEXT("[announcement]\nsubject = Workshop für {{name}}\nattach = Programm.pdf\nonly = country = \"DE\" or tag has "
          "\"funding\"\n"
          "[event]\ntitle = Förderung & mehr\nstart = 2.9.2025 10:00\nend = 2.9.2025 15:30\nlocation = Hildesheim\n"
          "url = https://partnerschaften.example/funding\n[contact]\nname = Städte\nphone = +49 511 000000\n"
          "mail = kontakt@partnerschaften.example\n---\n{{salutation}},\n\n# Am {{event.date}}\n\n"
          "[mehr](https://partnerschaften.example/?a={{attr.ort}})\n\n{{#attr.ort}}\n* in "
          "{{attr.ort}}\n{{/attr.ort}}\n\n"
          "![Bühne](buehne.png)\n")},
    {"Workshop.fr.md",
     TEXT("[announcement]\nsubject = Atelier\n---\n{{salutation}},\n\n*{{event.when}}*, {{event.zone}}\n")},
    {"Programm.pdf", TEXT("%PDF-1.4 something")},
    {"buehne.png", TEXT(PNG)},
};
static const char *const languages[] = {"de", "fr"};

/* Vera, who reads in another zone than the event's: its times are said twice. */
static struct compose_recipient reader(void) {
    struct compose_recipient r = vera;
    r.timezone = VIEW("Europe/London");
    return r;
}

static int compose_all(struct bundle *bundle, const char *language, struct buf *to) {
    const struct compile_options options = {0};
    const struct compose_recipient to_whom = reader();
    struct compiled *c = NULL;
    struct why why;
    int r = compile(bundle, language, &options, &why, &c);
    if (r == 0)
        r = compose(c, &to_whom, to);
    if (r == 0)
        r = compose_part(c, &to_whom, false, to);
    if (r == 0)
        r = compose_page(c, &to_whom, to);
    (void)compiled_free(c);
    return r;
}

/* As a daemon reads it, with nothing compiled of it yet. */
static void copy_bundle(const struct bundle *from, struct view programme, struct bundle *to) {
    bundle_init(to);
    for (size_t i = 0; i < from->count; i++) {
        bool is_programme = strcmp(from->files[i].path, "files/Programm.pdf") == 0;
        assert_int_equal(bundle_add(to, from->files[i].path, is_programme ? programme : from->files[i].content), 0);
    }
}

static void test_compile(void **state) {
    struct intake_made *made = *state;
    for (size_t i = 0; i < COUNT_OF(languages); i++) {
        AUTOBUF struct buf expected = BUF_INIT(1 << 20);
        assert_int_equal(compose_all(&made->result.bundle, languages[i], &expected), 0);
        for (long n = 0;; n++) {
            AUTOBUF struct buf to = BUF_INIT(1 << 20);
            struct bundle bundle;
            copy_bundle(&made->result.bundle, VIEW("%PDF-1.4 something"), &bundle);
            has_failed = false;
            left = n;
            int r = compose_all(&bundle, languages[i], &to);
            left = -1;
            bundle_done(&bundle);
            if (r != -ENOMEM && (r != 0 || strcmp(buf_str(&to), buf_str(&expected)) != 0))
                fail_msg("%s: allocation %ld: %d", languages[i], n, r);
            if (!has_failed) {
                assert_true(n > 300);
                break;
            }
        }
    }
}

/* Each further mail takes little memory, in whatever language, however large what is attached; and outlives the bundle. */
static void test_shared(void **state) {
    struct intake_made *made = *state;
    enum { LEN = 4 << 20, LITTLE = 1 << 20 };
    AUTOFREE char *programme = calloc(1, LEN);
    assert_non_null(programme);
    struct compiled *mails[4];
    struct why why;
    struct bundle bundle;
    copy_bundle(&made->result.bundle, view_make(programme, LEN), &bundle);
    const struct compile_options options = {.mail_only = true};
    for (size_t i = 0; i < COUNT_OF(mails); i++) {
        size_t before = asked_bytes;
        assert_int_equal(compile(&bundle, languages[i % COUNT_OF(languages)], &options, &why, &mails[i]), 0);
        size_t asked = asked_bytes - before;
        if (i == 0 ? asked < LEN : asked > LITTLE)
            fail_msg("mail %zu: %zu bytes", i, asked);
        assert_true(compiled_enclosed_size(mails[i]) > LEN &&
                    compiled_size(mails[i]) > compiled_enclosed_size(mails[i]));
    }
    size_t enclosed = bundle_enclosed_size(&bundle);
    unit_int("two files", enclosed == compiled_enclosed_size(mails[0]), true);
    bundle_done(&bundle);
    const struct compose_recipient to_whom = reader();
    struct buf to[COUNT_OF(mails)] = {BUF_INIT(16 << 20), BUF_INIT(16 << 20), BUF_INIT(16 << 20), BUF_INIT(16 << 20)};
    for (size_t i = 0; i < COUNT_OF(mails); i++) {
        assert_int_equal(compose(mails[i], &to_whom, &to[i]), 0);
        assert_true(to[i].len > enclosed);
        mails[i] = compiled_free(mails[i]);
    }
    for (size_t i = 0; i < COUNT_OF(languages); i++)
        assert_true(view_eq(buf_view(&to[i]), buf_view(&to[i + COUNT_OF(languages)])));
    for (size_t i = 0; i < COUNT_OF(mails); i++)
        buf_done(&to[i]);
}

static int setup(void **state) {
    static struct intake_made made;
    const struct intake_options options = {.lists = "twins", .allow_past = true};
    intake_make(&made, files, COUNT_OF(files), &options, "");
    AUTOBUF struct buf problems = BUF_INIT(10000);
    intake_show(&made.problems, &problems);
    if (made.error < 0)
        print_error("%d %s\n", made.error, buf_str(&problems));
    *state = &made;
    return made.error;
}

static int teardown(void **state) {
    intake_made_done(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compile),
        cmocka_unit_test(test_shared),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
