#include "door/path.h"

#include "unit.h"

static void a_path_says_when_they_left(void **state) {
    (void)state;
    static const struct {
        const char *path;
        int64_t left_sec;
    } cases[] = {{"/u/T/7/de/left-1751356800", 1751356800},
                 {"/u/T/0/de/left-1", 1},
                 {"/u/T/7/de/left--1", 0},
                 {"/u/T/7/de/left-", 0},
                 {"/u/T/7/de", 0},
                 {"/u/T/7/de/left-9223372036854775808", 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct path path;
        path_read(cases[i].path, &path);
        assert_int_equal(path.place, PATH_LEAVE);
        assert_int_equal(path.left_sec, cases[i].left_sec);
    }
}

static void paths_mean_places(void **state) {
    (void)state;
    static const struct {
        const char *path;
        enum path_place place;
        const char *token, *language;
        int64_t announcement;
        unsigned depth;
    } cases[] = {
        {"/u/T", PATH_LEAVE, "T", "", 0, 1},
        {"/u/T/", PATH_LEAVE, "T", "", 0, 2},
        {"/u/T/7", PATH_LEAVE, "T", "", 7, 2},
        {"/u/T/7/", PATH_LEAVE, "T", "", 7, 3},
        {"/u/T/7/de", PATH_LEAVE, "T", "de", 7, 3},
        {"/u/T/7/pt-BR/", PATH_LEAVE, "T", "pt-BR", 7, 4},
        {"/u/T/9223372036854775807/de", PATH_LEAVE, "T", "de", INT64_MAX, 3},
        /* a damaged rest is absent, and what is left of it counts */
        {"/u/T/9223372036854775808/de", PATH_LEAVE, "T", "de", 0, 3},
        {"/u/T/x/de", PATH_LEAVE, "T", "de", 0, 3},
        {"/u/T//de", PATH_LEAVE, "T", "de", 0, 3},
        {"/u/T/-7/de", PATH_LEAVE, "T", "de", 0, 3},
        {"/u/T/7/d", PATH_LEAVE, "T", "", 7, 3},
        {"/u/T/7/de.", PATH_LEAVE, "T", "", 7, 3},
        {"/u/T/7/../../x", PATH_NOT_FOUND, NULL, "", 0, 5},
        {"/u/T/7/\xc3\xbc", PATH_LEAVE, "T", "", 7, 3},
        {"/u/a b<", PATH_LEAVE, "a b<", "", 0, 1}, /* verifying is not done here */
        {"/u/T/7/de/left-1751356800", PATH_LEAVE, "T", "de", 7, 4},
        {"/u/T/7/de/left-1/x", PATH_NOT_FOUND, NULL, "", 0, 5},
        {"/u/T/7/de/x", PATH_NOT_FOUND, NULL, "", 0, 4},
        {"/u/T/7/de//", PATH_NOT_FOUND, NULL, "", 0, 5},
        {"/u/", PATH_NOT_FOUND, NULL, "", 0, 1},
        {"/u//7", PATH_NOT_FOUND, NULL, "", 0, 2},
        {"/u", PATH_NOT_FOUND, NULL, "", 0, 0},
        {"/U/T", PATH_NOT_FOUND, NULL, "", 0, 1},
        {"//u/T", PATH_NOT_FOUND, NULL, "", 0, 2},
        {"/", PATH_NOT_FOUND, NULL, "", 0, 0},
        {"/p/T", PATH_PREFERENCES, "T", "", 0, 1},
        {"/p/T/de", PATH_PREFERENCES, "T", "de", 0, 2},
        {"/p/T/../x", PATH_PREFERENCES, "T", "", 0, 3},
        {"/p/", PATH_NOT_FOUND, NULL, "", 0, 1},
        {"/c/T", PATH_CONFIRM, "T", "", 0, 1},
        {"/c/T/he", PATH_CONFIRM, "T", "he", 0, 2},
        {"/c/T/h/x", PATH_CONFIRM, "T", "", 0, 3},
        {"/s/partners", PATH_SIGN_UP, "partners", "", 0, 1},
        {"/s//x", PATH_NOT_FOUND, NULL, "", 0, 2},
        {"/l", PATH_LINK, NULL, "", 0, 0},
        {"/l/", PATH_LINK, NULL, "", 0, 1},
        {"/l/x", PATH_NOT_FOUND, NULL, "", 0, 1},
        {"/colour-1f4e79.css", PATH_COLOUR, "1f4e79", "", 0, 0},
        {"/colour-1f4e7.css", PATH_NOT_FOUND, NULL, "", 0, 0},
        {"/colour-1f4e7g.css", PATH_NOT_FOUND, NULL, "", 0, 0},
        {"/colour-1f4e79.css/", PATH_NOT_FOUND, NULL, "", 0, 1},
        {"/r/T", PATH_RELEASE, "T", "", 0, 1},
        {"/r/T/de", PATH_RELEASE, "T", "de", 0, 2},
        {"/r/T/de/x", PATH_RELEASE, "T", "", 0, 3},
        {"/r/T/7", PATH_RELEASE, "T", "", 0, 2},
        {"/r/", PATH_NOT_FOUND, NULL, "", 0, 1},
        {"/a/7", PATH_ARCHIVE, NULL, "", 7, 1},
        {"/a/7/", PATH_ARCHIVE, NULL, "", 7, 2},
        {"/a/7/de", PATH_ARCHIVE, NULL, "de", 7, 2},
        {"/a/7/pt-BR", PATH_ARCHIVE, NULL, "pt-BR", 7, 2},
        {"/a/7/de.ics", PATH_CALENDAR, NULL, "de", 7, 2},
        /* a damaged rest is absent */
        {"/a/7/de/", PATH_ARCHIVE, NULL, "", 7, 3},
        {"/a/7/de.", PATH_ARCHIVE, NULL, "", 7, 2},
        {"/a/7/..", PATH_ARCHIVE, NULL, "", 7, 2},
        {"/a/7/.ics", PATH_ARCHIVE, NULL, "", 7, 2},
        {"/a/7/de/../../x", PATH_ARCHIVE, NULL, "", 7, 5},
        {"/a/0/de", PATH_NOT_FOUND, NULL, "", 0, 2},
        {"/a/-1/de", PATH_NOT_FOUND, NULL, "", 0, 2},
        {"/a/../de", PATH_NOT_FOUND, NULL, "", 0, 2},
        {"/a/9223372036854775808", PATH_NOT_FOUND, NULL, "", 0, 1},
        {"/a/", PATH_NOT_FOUND, NULL, "", 0, 1},
        {"/a", PATH_NOT_FOUND, NULL, "", 0, 0},
        {"/healthz", PATH_HEALTH, NULL, "", 0, 0},
        {"/healthz/", PATH_NOT_FOUND, NULL, "", 0, 1},
        {"/style.css", PATH_STYLE, NULL, "", 0, 0},
        {"/style.css/x", PATH_NOT_FOUND, NULL, "", 0, 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct path path;
        path_read(cases[i].path, &path);
        unit_int(cases[i].path, path.place, cases[i].place);
        unit_int(cases[i].path, path.depth, cases[i].depth);
        if (cases[i].token)
            unit_int(cases[i].path, view_eq_str(path.token, cases[i].token), true);
        unit_int(cases[i].path, view_eq_str(path.language, cases[i].language), true);
        unit_int(cases[i].path, path.announcement, cases[i].announcement);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_path_says_when_they_left),
                                       cmocka_unit_test(paths_mean_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
