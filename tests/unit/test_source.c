/* Which files make one announcement, as they lie in folders. */
#include "unit.h"

#include <sys/stat.h>

#include "announce/source.h"

static const char *const codes[] = {"de", "en", "fr", "pt-BR"};
static const struct languages languages = {(char *const *)codes, COUNT_OF(codes)};

static void write_file(const char *folder, const char *name, const char *content) {
    AUTOFREE char *path = unit_path(folder, name);
    if (strchr(name, '/')) {
        AUTOFREE char *parent = unit_path(folder, name);
        *strrchr(parent, '/') = '\0';
        assert_int_equal(files_make_dir(AT_FDCWD, parent, 0700), 0);
    }
    assert_int_equal(files_write_new(AT_FDCWD, path, view_of(content), 0600), 0);
}

static void what_is_ignored(void **state) {
    (void)state;
    static const char *const ignored[] = {".funding.md", ".DS_Store",        "funding.md~",  "funding.md.part",
                                          "a.filepart",  "x.md.crdownload",  "Thumbs.db",    "THUMBS.DB",
                                          "desktop.ini", "~$Einladung.docx", ".#funding.md", "funding.md.swp",
                                          "funding.bak", " .hidden",         "funding.md~ ", "funding.md.tmp"};
    static const char *const taken[] = {"funding.md", "~funding.md", "part.md", "Thumbs.db.md", "$x.md", "a b.md"};
    for (size_t i = 0; i < COUNT_OF(ignored); i++)
        unit_int(ignored[i], source_ignores(ignored[i]), true);
    for (size_t i = 0; i < COUNT_OF(taken); i++)
        unit_int(taken[i], source_ignores(taken[i]), false);
}

#define NFD_STADTE "Sta\u0308dte" /* as macOS writes it */

static void translations_by_name(void **state) {
    (void)state;
    static const struct {
        const char *name, *stem, *want;
    } cases[] = {
        {"funding.fr.md", "funding", "fr"},    {"funding.fr.md.txt", "funding", "fr"},
        {"funding.FR.TXT", "funding", "fr"},   {"funding.pt-br.md", "funding", "pt-BR"},
        {"funding.es.md", "funding", ""}, /* no such language */
        {"funding.md", "funding", ""},         {"funding..md", "funding", ""},
        {"funding.fr.ics", "funding", ""},     {"funding.fr.pdf", "funding", ""},
        {"fundings.fr.md", "funding", ""},     {"Funding.fr.md", "funding", ""},
        {"funding.de.fr.md", "funding", ""},   {"funding.de.fr.md", "funding.de", "fr"},
        {NFD_STADTE ".fr.md", "Städte", "fr"}, {"Städte.fr.md", NFD_STADTE, "fr"},
        {" funding.fr.md ", "funding", "fr"},  {"fund\xfc.fr.md", "fund\xfc", ""}, /* not UTF-8 */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *got = NULL;
        unit_int(cases[i].name, source_translation(cases[i].name, cases[i].stem, &languages, &got), 0);
        unit_str(cases[i].name, got, cases[i].want);
    }
}

static void first_files(void **state) {
    (void)state;
    static const char *const names[] = {
        "funding.md", "funding.fr.md", "alone.fr.md", "event.ics", "event.de.md",      "programme.pdf",
        "plain.txt",  ".hidden.md",    ".md",         "LOUD.MD",   NFD_STADTE ".md",   "Städte.fr.md",
        "draft.md~",  "draft.en.md",   "x.markdown",  "noending",  "funding.de.md.txt"};
    static const struct {
        const char *name;
        bool first;
    } cases[] = {
        {"funding.md", true},     {"funding.fr.md", false}, {"alone.fr.md", true},
        {"event.ics", true},      {"event.de.md", false},   {"programme.pdf", false},
        {"plain.txt", true},      {".md", false},           {"LOUD.MD", true},
        {NFD_STADTE ".md", true}, {"Städte.fr.md", false},  {"draft.en.md", true}, /* draft.md~ is nobody's first */
        {"x.markdown", true},     {"noending", false},      {"funding.de.md.txt", false},
        {"bad\xff.md", true}, /* so that somebody is told */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        unit_int(cases[i].name, source_is_first(cases[i].name, (char *const *)names, COUNT_OF(names), &languages),
                 cases[i].first);
}

/* The files taken, in their order, then the first in brackets. */
static void show(const struct source *s, struct buf *to) {
    for (size_t i = 0; i < s->files.count; i++)
        buf_printf(to, "%s%s", i ? " " : "", s->files.files[i].path);
    buf_printf(to, " [%s|%s]", s->first, s->stem);
}

static void expect_read(const char *folder, const char *path, const char *want) {
    AUTOFREE char *full = unit_path(folder, path);
    struct source s;
    struct why why = {0};
    AUTOBUF struct buf got = BUF_INIT(10000);
    int r = source_read(AT_FDCWD, full, &languages, &s, &why);
    if (r < 0) {
        buf_printf(&got, "%s", why.what);
    } else {
        show(&s, &got);
        unit_int(path, s.name_count, s.files.count);
        source_done(&s);
    }
    unit_str(path, buf_str(&got), want);
}

static void a_text_with_what_belongs_to_it(void **state) {
    const char *folder = *state;
    write_file(folder, "funding.md",
               "[announcement]\nattach = programme.pdf, My Plan.pdf, agenda.txt\n---\n![map](map%20of%20town.png) and "
               "other.md, [link](linked.pdf)\n");
    write_file(folder, "funding.fr.md", "[announcement]\nattach = programme.fr.pdf\n---\n![x](<Plan\u0308e.png>)\n");
    write_file(folder, "funding.xx.md", "no language\n---\n");
    write_file(folder, "other.md", "another one\n---\n");
    write_file(folder, "agenda.txt", "a text that is attached: attach = not-this.pdf");
    static const char *const beside[] = {"programme.pdf",    "My Plan.pdf",     "map of town.png",
                                         "programme.fr.pdf", "Plan\u0308e.png", "unrelated.pdf",
                                         "linked.pdf",       "not-this.pdf",    "and",
                                         "programme.pdf~"};
    for (size_t i = 0; i < COUNT_OF(beside); i++)
        write_file(folder, beside[i], "x");
    expect_read(folder, "funding.md",
                "funding.md funding.fr.md My Plan.pdf Plan\u0308e.png agenda.txt linked.pdf map of town.png "
                "programme.fr.pdf programme.pdf [funding.md|funding]");
    expect_read(folder, "funding.fr.md", "funding.fr.md Plan\u0308e.png programme.fr.pdf [funding.fr.md|funding.fr]");
    expect_read(folder, "other.md", "other.md [other.md|other]");
    expect_read(folder, "programme.pdf", "this is neither a text (.md) nor a calendar event (.ics)");
    expect_read(folder, "missing.md", "cannot take this file: No such file or directory");
    expect_read(folder, "missing/x.md", "cannot open the folder: No such file or directory");
}

static void decomposed_names_are_one_name(void **state) {
    const char *folder = *state;
    write_file(folder, NFD_STADTE ".md", "attach = Pla\u0308ne.pdf\n---\n![x](Bu\u0308hne.png)\n");
    write_file(folder, NFD_STADTE ".fr.md", "x\n---\n");
    write_file(folder, "Pläne.pdf", "x");
    write_file(folder, "Bu\u0308hne.png", "x");
    AUTOFREE char *path = unit_path(folder, NFD_STADTE ".md");
    expect_read(folder, NFD_STADTE ".md", "Städte.md Städte.fr.md Bühne.png Pläne.pdf [Städte.md|Städte]");
    struct source s;
    struct why why;
    assert_int_equal(source_read(AT_FDCWD, path, &languages, &s, &why), 0);
    assert_string_equal(s.names[0], NFD_STADTE ".md"); /* to be removed by the name it has */
    assert_string_equal(s.names[2], "Bu\u0308hne.png");
    source_done(&s);
}

static void blanks_around_names_do_not_count(void **state) {
    const char *folder = *state;
    write_file(folder, " funding .md", "attach = plan.pdf\n---\n");
    write_file(folder, "plan.pdf ", "x");
    expect_read(folder, " funding .md", "funding .md plan.pdf [funding .md|funding]");
}

static void a_folder_is_taken_whole(void **state) {
    const char *folder = *state;
    write_file(folder, "one/funding.md", "attach = agenda.txt, next.ics\n---\n");
    write_file(folder, "one/agenda.txt", "x");
    write_file(folder, "one/next.ics", "x");
    write_file(folder, "one/funding.de.md", "x\n---\n");
    write_file(folder, "one/unnamed.pdf", "x");
    write_file(folder, "one/.DS_Store", "x");
    expect_read(folder, "one", "agenda.txt funding.de.md funding.md next.ics unnamed.pdf [funding.md|funding]");
    expect_read(folder, "one///", "agenda.txt funding.de.md funding.md next.ics unnamed.pdf [funding.md|funding]");
    write_file(folder, "two/a.md", "x");
    write_file(folder, "two/b.md", "x");
    expect_read(folder, "two", "the folder holds more than one announcement");
    write_file(folder, "none/a.pdf", "x");
    expect_read(folder, "none", "the folder holds no announcement (.md or .ics)");
    write_file(folder, "deep/a.md", "x");
    write_file(folder, "deep/below/b.pdf", "x");
    expect_read(folder, "deep", "this is not a plain file");
    write_file(folder, "twins/a.md", "x");
    write_file(folder, "twins/Pläne.pdf", "x");
    write_file(folder, "twins/Pla\u0308ne.pdf", "x");
    expect_read(folder, "twins", "another file has the same name");
    write_file(folder, "latin/a.md", "x");
    write_file(folder, "latin/Pl\xe4ne.pdf", "x");
    expect_read(folder, "latin", "the name of this file is not in UTF-8");
}

static void links_are_not_followed(void **state) {
    const char *folder = *state;
    write_file(folder, "secret.md", "x\n---\n");
    write_file(folder, "real/funding.md", "attach = plan.pdf\n---\n");
    AUTOFREE char *link_path = unit_path(folder, "link.md"), *folder_link = unit_path(folder, "folder"),
                  *plan = unit_path(folder, "real/plan.pdf"), *pipe_path = unit_path(folder, "pipe.md");
    assert_int_equal(symlink("secret.md", link_path), 0);
    assert_int_equal(symlink("real", folder_link), 0);
    assert_int_equal(symlink("/etc/passwd", plan), 0);
    assert_int_equal(mkfifo(pipe_path, 0600), 0);
    expect_read(folder, "link.md", "this is not a plain file");
    expect_read(folder, "folder", "this is not a plain file");
    expect_read(folder, "real/funding.md", "this is not a plain file");
    expect_read(folder, "pipe.md", "this is not a plain file");
}

static void sizes_are_bounded(void **state) {
    const char *folder = *state;
    write_file(folder, "many/a.md", "x");
    for (int i = 1; i < BUNDLE_FILES_MAX; i++) {
        AUTOBUF struct buf name = BUF_INIT(100);
        buf_printf(&name, "many/%d.pdf", i);
        write_file(folder, buf_str(&name), "");
    }
    AUTOFREE char *path = unit_path(folder, "many");
    struct source s;
    struct why why;
    assert_int_equal(source_read(AT_FDCWD, path, &languages, &s, &why), 0);
    assert_int_equal(s.files.count, BUNDLE_FILES_MAX);
    source_done(&s);
    write_file(folder, "many/one more.pdf", "");
    expect_read(folder, "many", "the files are too large together, or too many");

    write_file(folder, "big.md", "attach = big.bin\n---\n");
    AUTOFREE char *big = unit_path(folder, "big.bin");
    int fd = open(big, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, BUNDLE_MAX_BYTES + 1), 0);
    expect_read(folder, "big.md", "the files are too large together, or too many");
    assert_int_equal(ftruncate(fd, BUNDLE_MAX_BYTES - 20), 0);
    assert_int_equal(close(fd), 0);
    expect_read(folder, "big.md", "the files are too large together, or too many");
    assert_int_equal(truncate(big, BUNDLE_MAX_BYTES - 21), 0);
    expect_read(folder, "big.md", "big.md big.bin [big.md|big]");
}

static void from_other_ways(void **state) {
    (void)state;
    static const struct {
        const char *name, *files[3], *first, *want;
    } cases[] = {
        {"as it should be", {"a.md", "b.pdf"}, "a.md", "a.md b.pdf [a.md|a]"},
        {"decomposed", {"Sta\u0308dte.md"}, "Sta\u0308dte.md", "Städte.md [Städte.md|Städte]"},
        {"no such first", {"a.md"}, "b.md", "the first file is missing"},
        {"a first that is none", {"a.pdf"}, "a.pdf", "this is neither a text (.md) nor a calendar event (.ics)"},
        {"a folder", {"a.md", "b/c.pdf"}, "a.md", "not a name of an announcement's file"},
        {"a dot file", {"a.md", ".htaccess"}, "a.md", "not a name of an announcement's file"},
        {"twice", {"a.md", "ä.pdf", "a\u0308.pdf"}, "a.md", "another file has the same name"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct bundle files;
        struct source s;
        struct why why = {0};
        AUTOBUF struct buf got = BUF_INIT(1000);
        bundle_init(&files);
        for (size_t f = 0; f < 3 && cases[i].files[f]; f++)
            assert_int_equal(bundle_add(&files, cases[i].files[f], VIEW("x")), 0);
        if (source_from(&files, cases[i].first, &s, &why) == 0) {
            show(&s, &got);
            unit_int(cases[i].name, s.name_count, 0);
            source_done(&s);
        } else {
            buf_puts(&got, why.what);
        }
        unit_str(cases[i].name, buf_str(&got), cases[i].want);
        bundle_done(&files);
    }
}

#define FOLDER_TEST(name) cmocka_unit_test_setup_teardown(name, unit_folder, unit_folder_gone)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_ignored),
        cmocka_unit_test(translations_by_name),
        cmocka_unit_test(first_files),
        FOLDER_TEST(a_text_with_what_belongs_to_it),
        FOLDER_TEST(decomposed_names_are_one_name),
        FOLDER_TEST(blanks_around_names_do_not_count),
        FOLDER_TEST(a_folder_is_taken_whole),
        FOLDER_TEST(links_are_not_followed),
        FOLDER_TEST(sizes_are_bounded),
        cmocka_unit_test(from_other_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
