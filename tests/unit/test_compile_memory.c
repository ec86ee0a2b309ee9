/* Whichever allocation fails while an announcement is compiled and composed, it is told, and no mail lacks a line. */
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

static const struct compose_recipient vera = {
    .announcement = 7,
    .subscriber = 8,
    .address = VIEW("vera.mueller@verein.example"),
    .contact = {.form = VIEW("f"), .title = VIEW("Dr."), .given_name = VIEW("Vera"), .family_name = VIEW("Müller")},
    .attributes = VIEW("ort\tHildesheim\n"),
    .timezone = VIEW("Europe/London"),
    .token = VIEW("TOKEN"),
    .message_id = VIEW("abcdefghijklmnopqrstuvwxyz"),
    .date_usec = INTAKE_NOW,
    .leave_mailbox = VIEW("bounce+uxyz@partnerschaften.example"),
};

static int compose_all(struct bundle *bundle, const char *language, struct buf *to) {
    const struct compile_options options = {0};
    struct compiled *c = NULL;
    struct why why;
    int r = compile(bundle, language, &options, &why, &c);
    if (r == 0)
        r = compose(c, &vera, to);
    if (r == 0)
        r = compose_part(c, &vera, false, to);
    if (r == 0)
        r = compose_page(c, &vera, to);
    (void)compiled_free(c);
    return r;
}

static void test_compile(void **state) {
    struct intake_made *made = *state;
    for (size_t i = 0; i < COUNT_OF(languages); i++) {
        AUTOBUF struct buf expected = BUF_INIT(1 << 20);
        assert_int_equal(compose_all(&made->result.bundle, languages[i], &expected), 0);
        for (long n = 0;; n++) {
            AUTOBUF struct buf to = BUF_INIT(1 << 20);
            has_failed = false;
            left = n;
            int r = compose_all(&made->result.bundle, languages[i], &to);
            left = -1;
            if (r != -ENOMEM && (r != 0 || strcmp(buf_str(&to), buf_str(&expected)) != 0))
                fail_msg("%s: allocation %ld: %d", languages[i], n, r);
            if (!has_failed) {
                assert_true(n > 300);
                break;
            }
        }
    }
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
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
