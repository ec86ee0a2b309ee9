#include "door/archived.h"

#include <errno.h>
#include <sys/stat.h>

#include "unit.h"

static void lay(const char *folder, const char *name) {
    AUTOFREE char *path = unit_path(folder, name);
    assert_int_equal(files_write_new(AT_FDCWD, path, VIEW("x"), 0644), 0);
}

static int opened(const char *folder, int64_t id, const char *language, bool calendar) {
    int fd = archived_open(folder, id, view_of(language), calendar);
    if (fd >= 0)
        (void)close(fd);
    return fd >= 0 ? 0 : fd;
}

static void only_published_pages_are_opened(void **state) {
    const char *folder = *state;
    AUTOFREE char *seven = unit_path(folder, "7"), *link = unit_path(folder, "7/fr.html");
    assert_int_equal(mkdir(seven, 0755), 0);
    lay(folder, "7/de.html");
    lay(folder, "7/de.ics");
    lay(folder, "secret");
    assert_int_equal(symlink("../secret", link), 0);
    static const struct {
        int64_t id;
        const char *language;
        bool calendar;
        int want;
    } cases
        [] =
            {
                {7, "de", false, 0},      {7, "de", true, 0},        {7, "en", false, -ENOENT},
                {7, "en", true, -ENOENT}, {8, "de", false, -ENOENT}, {-7, "de", false, -ENOENT},
                {7, "fr", false, -ELOOP}, /* nothing but a file that lies there itself */
            };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(opened(folder, cases[i].id, cases[i].language, cases[i].calendar), cases[i].want);
}

static void the_language_is_the_readers_where_it_can_be(void **state) {
    const char *folder = *state;
    char language[ARCHIVED_LANGUAGE_SIZE];
    static const char *const names[] = {"7", "8", "9"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTOFREE char *path = unit_path(folder, names[i]);
        assert_int_equal(mkdir(path, 0755), 0);
    }
    static const char *const files[] = {"7/de.html", "7/en.html",  "7/he.html", "7/fr.ics",
                                        "8/uk.html", "8/x.y.html", "9/de.ics"};
    for (size_t i = 0; i < COUNT_OF(files); i++)
        lay(folder, files[i]);
    static const struct {
        int64_t id;
        const char *accept, *want; /* NULL: none */
    } cases[] = {
        {7, "he", "he"}, {7, "fr, de;q=0.5", "de"}, {7, "fr", "en"}, {7, NULL, "en"},
        {8, "de", "uk"}, {9, "de", NULL},           {5, "de", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int r = archived_language(folder, cases[i].id, cases[i].accept, language);
        assert_int_equal(r, cases[i].want ? 0 : -ENOENT);
        if (cases[i].want)
            assert_string_equal(language, cases[i].want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_published_pages_are_opened, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(the_language_is_the_readers_where_it_can_be, unit_folder, unit_folder_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
