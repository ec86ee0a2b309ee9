/* One announcement file: what is read of it, and every fault of its form with its line. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>

#include "announce/draft.h"
#include "base/files.h"

/* "LINE:KEY(ARGUMENTS)?NEAR", warnings with a ! before, one after the other. */
static void show_problems(const struct problems *p, struct buf *to) {
    for (size_t i = 0; i < p->count; i++) {
        const struct problem *o = &p->items[i];
        buf_printf(to, "%s%s%u:%s", i ? " " : "", o->warning ? "!" : "", o->line, o->key);
        if (o->args[0][0])
            buf_printf(to, "(%s%s%s)", o->args[0], o->args[1][0] ? "|" : "", o->args[1]);
        if (o->args[2][0])
            buf_printf(to, "?%s", o->args[2]);
    }
}

static struct problems problems;

static int read_as(const char *file, struct view text, bool translation, struct draft *ret) {
    problems_init(&problems);
    return draft_read(file, text, translation, "Europe/Berlin", &problems, ret);
}

static void faults_of_form(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *want;
    } cases[] = {
        {"fine", "[announcement]\nsubject = x\n---\nbody\n", ""},
        {"a typo", "[event]\n\nstrat = 2.9.2025\n---\n", "3:unknown-key(strat)?start"},
        {"another typo", "[announcement]\nsubjct = x\n---\n", "2:unknown-key(subjct)?subject"},
        {"capital", "[announcement]\nSubject = x\n---\n", "2:unknown-key(Subject)?subject"},
        {"nothing near", "[event]\nzzz = 1\n---\n", "2:unknown-key(zzz)"},
        {"a key of another section", "[announcement]\nstart = x\n---\n", "2:key-elsewhere(start|event)"},
        {"a filter", "[announcement]\nonly = country = \"FR\"\n---\n", ""},
        {"a filter of nobody", "[announcement]\nonly =\n---\n", "2:filter-empty"},
        {"recurring", "[announcement]\nsend-before = 14d\n[event]\nrepeat = yearly\n---\n", ""},
        {"unknown section", "[anouncement]\nsubject = x\n---\n", "1:unknown-section(anouncement)?announcement"},
        {"of an unknown section nothing is said", "[foo]\nx = 1\ny\n---\n", "1:unknown-section(foo) 3:not-a-pair(y)"},
        {"no section", "subject = x\n---\n", "1:no-section(subject)"},
        {"not a pair", "[announcement]\nsubject\n---\n", "2:not-a-pair(subject)"},
        {"unclosed", "[announcement\nsubject = x\n---\n", "1:unclosed-section(announcement)"},
        {"empty name", "[announcement]\n= x\n---\n", "2:empty-name"},
        {"empty section", "[]\n---\n", "1:empty-name"},
        {"twice", "[announcement]\nsubject = x\nsubject = y\n---\n", "3:duplicate-key(subject)"},
        {"all at once", "[announcement]\nlits = a\nsubject = x\nsubject = y\n[event]\nstrat = 1\nfoo\n---\n",
         "2:unknown-key(lits)?list 4:duplicate-key(subject) 6:unknown-key(strat)?start 7:not-a-pair(foo)"},
        {"no separator", "[announcement]\nsubject = x\n\nbody\n", "0:no-separator"},
        {"empty file", "", "0:no-separator"},
        {"only a separator", "---\n", "0:no-separator"},
        {"control characters",
         "[announcement]\nsubject = a\x01"
         "b\n---\n",
         "2:control-characters(subject)"},
        {"bidi",
         "[announcement]\nsubject = a\u202e"
         "b\n---\n",
         "2:control-characters(subject)"},
        {"a leading line", "---\n[announcement]\nsubjct = x\n---\nbody\n", "3:unknown-key(subjct)?subject"},
        {"and blank lines", "\n\n---\n\n[announcement]\nsubjct = x\n---\n", "6:unknown-key(subjct)?subject"},
        {"CR LF", "[announcement]\r\nsubjct = x\r\n---\r\n", "2:unknown-key(subjct)?subject"},
        {"comments", "; a\n[announcement]\n# b\nsubject = x ; not one\n  ---  \n", ""},
        {"windows-1252", "[announcement]\nsubjct = F\xf6rderung\n---\n",
         "!0:read-as-windows-1252 2:unknown-key(subjct)?subject"},
        {"a NUL", "\xff\xfe\x01", "0:not-text"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct draft d;
        AUTOBUF struct buf got = BUF_INIT(10000);
        int r = read_as("a.md", view_of(cases[i].text), false, &d);
        show_problems(&problems, &got);
        unit_str(cases[i].name, buf_str(&got), cases[i].want);
        unit_int(cases[i].name, r, problems.errors ? -EINVAL : 0);
        draft_done(&d);
        problems_done(&problems);
    }
}

static void what_is_read(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *subject, *body;
        unsigned line, body_line; /* of the subject, of the body */
    } cases[] = {
        {"plain", "[announcement]\nsubject = Fördern\n---\nDer Text.\n", "Fördern", "Der Text.\n", 2, 4},
        {"a BOM", "\xef\xbb\xbf[announcement]\nsubject = x\n---\nT\n", "x", "T\n", 2, 4},
        {"CR LF", "[announcement]\r\nsubject = x \r\n---\r\nT\r\nU\r\n", "x", "T\r\nU\r\n", 2, 4},
        {"a leading line", "\n---\n[announcement]\nsubject = x\n---\nT", "x", "T", 4, 6},
        {"decomposed", "[announcement]\nsubject = Fo\u0308rdern\n---\n", "Fördern", "", 2, 4},
        {"windows-1252", "[announcement]\nsubject = F\xf6rdern \x84x\x93\n---\n\xdc\n", "Fördern „x“", "Ü\n", 2, 4},
        {"blanks", "[announcement]\n   subject   =   a  b\t\n--- \n T\n", "a  b", " T\n", 2, 4},
        {"a colon parts too", "[announcement]\nsubject: x = y; z # w\n---\n", "x = y; z # w", "", 2, 4},
        {"rules in the body", "[announcement]\nsubject = x\n---\na\n---\nb\n", "x", "a\n---\nb\n", 2, 4},
        {"an empty value is none", "[announcement]\nsubject =\nsubject = x\n---\n", "x", "", 3, 5},
        {"UTF-16", NULL, "ä", "T\n", 2, 4},
    };
    static const char utf16[] =
        "\xff\xfe[\0a\0n\0n\0o\0u\0n\0c\0e\0m\0e\0n\0t\0]\0\n\0s\0u\0b\0j\0e\0c\0t\0=\0\xe4\0\n\0"
        "-\0-\0-\0\n\0T\0\n";
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct draft d;
        struct view text = cases[i].text ? view_of(cases[i].text) : view_make(utf16, sizeof utf16);
        unit_int(cases[i].name, read_as("a.md", text, false, &d), 0);
        unit_str(cases[i].name, draft_text(&d, DRAFT_SUBJECT), cases[i].subject);
        unit_int(cases[i].name, d.values[DRAFT_SUBJECT].line, cases[i].line);
        AUTOFREE char *body = view_dup(d.body);
        unit_str(cases[i].name, body, cases[i].body);
        unit_int(cases[i].name, d.body_line, cases[i].body_line);
        assert_false(draft_is_literal(&d, DRAFT_SUBJECT));
        draft_done(&d);
        problems_done(&problems);
    }
}

static void every_key_is_read(void **state) {
    (void)state;
    AUTOBUF struct buf text = BUF_INIT(10000);
    char section[32] = "";
    for (enum draft_key k = 0; k < DRAFT_KEYS; k++) {
        const char *name = draft_key_name(k), *end = strchr(name, ']');
        assert_non_null(end);
        if (strncmp(section, name, (size_t)(end - name)) != 0 || !section[0]) {
            (void)snprintf(section, sizeof section, "%.*s", (int)(end - name), name);
            buf_printf(&text, "%s]\n", section);
        }
        buf_printf(&text, "%s = value %d\n", end + 2, (int)k);
    }
    buf_puts(&text, "---\n");
    struct draft d;
    assert_int_equal(read_as("a.md", buf_view(&text), false, &d), 0);
    for (enum draft_key k = 0; k < DRAFT_KEYS; k++) {
        char want[32];
        (void)snprintf(want, sizeof want, "value %d", (int)k);
        unit_str(draft_key_name(k), draft_text(&d, k), want);
    }
    draft_done(&d);
    problems_done(&problems);

    /* What a translation must not say, and what it may. */
    static const char *const may[] = {"[announcement] subject", "[announcement] attach", "[announcement] from-name",
                                      "[event] title",          "[event] location",      "[event] url",
                                      "[contact] name",         "[contact] phone",       "[contact] mail"};
    assert_int_equal(read_as("a.fr.md", buf_view(&text), true, &d), -EINVAL);
    for (enum draft_key k = 0; k < DRAFT_KEYS; k++) {
        bool allowed = false;
        for (size_t i = 0; i < COUNT_OF(may); i++)
            allowed = allowed || strcmp(may[i], draft_key_name(k)) == 0;
        unit_int(draft_key_name(k), draft_has(&d, k), allowed);
    }
    assert_int_equal(problems.count, DRAFT_KEYS - COUNT_OF(may));
    for (size_t i = 0; i < problems.count; i++)
        assert_string_equal(problems.items[i].key, "translation-key");
    draft_done(&d);
    problems_done(&problems);
}

static void caps_on_both_sides(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t value, body;
        const char *want;
    } cases[] = {
        {"value", DRAFT_VALUE_MAX_BYTES, 10, ""},
        {"value", DRAFT_VALUE_MAX_BYTES + 1, 10, "2:value-too-long(subject)"},
        {"line", 70000, 10, "2:line-too-long"},
        {"body", 10, DRAFT_BODY_MAX_BYTES, ""},
        {"body", 10, DRAFT_BODY_MAX_BYTES + 1, "4:body-too-long"},
        {"file", 10, DRAFT_FILE_MAX_BYTES, "0:file-too-long"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf text = BUF_INIT(1 << 20), got = BUF_INIT(1000);
        struct draft d;
        buf_puts(&text, "[announcement]\nsubject = ");
        for (size_t n = 0; n < cases[i].value; n++)
            buf_putc(&text, 'x');
        buf_puts(&text, "\n---\n");
        for (size_t n = 0; n < cases[i].body; n++)
            buf_putc(&text, 'y');
        (void)read_as("a.md", buf_view(&text), false, &d); /* the problems say it */
        show_problems(&problems, &got);
        unit_str(cases[i].name, buf_str(&got), cases[i].want);
        draft_done(&d);
        problems_done(&problems);
    }
}

static void a_translation_lies_over_the_first(void **state) {
    (void)state;
    struct draft first, french;
    assert_int_equal(read_as("a.md",
                             VIEW("[announcement]\nsubject = Eins\n[event]\ntitle = Titel\nstart = 2.9.2025\n---\n"),
                             false, &first),
                     0);
    problems_done(&problems);
    assert_int_equal(read_as("a.fr.md", VIEW("[event]\n\ntitle = Titre\n---\nCorps"), true, &french), 0);
    problems_done(&problems);
    assert_true(draft_has_event(&french) && draft_has_event(&first));
    draft_overlay(&french, &first);
    assert_string_equal(draft_text(&french, DRAFT_SUBJECT), "Eins");
    assert_string_equal(draft_text(&french, DRAFT_TITLE), "Titre");
    assert_string_equal(draft_text(&french, DRAFT_START), "2.9.2025");
    assert_true(view_eq_str(french.body, "Corps"));
    assert_string_equal(draft_event_title(&french), "Titre");
    /* Problems are told where the value stands. */
    problems_init(&problems);
    draft_problem(&french, DRAFT_TITLE, &problems, "x", NULL, NULL, NULL);
    draft_problem(&french, DRAFT_START, &problems, "x", NULL, NULL, NULL);
    draft_problem(&french, DRAFT_LIST, &problems, "x", NULL, NULL, NULL);
    assert_string_equal(problems.items[0].file, "a.fr.md");
    assert_int_equal(problems.items[0].line, 3);
    assert_string_equal(problems.items[1].file, "a.md");
    assert_int_equal(problems.items[1].line, 5);
    assert_string_equal(problems.items[2].file, "a.fr.md");
    assert_int_equal(problems.items[2].line, 0);
    problems_done(&problems);
    draft_done(&french);
    draft_done(&first);
}

#define ICS(event)                                                                                                     \
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20250101T000000Z\r\n"    \
    "DTSTART;TZID=Europe/Berlin:20250902T100000\r\n" event "END:VEVENT\r\nEND:VCALENDAR\r\n"

static void calendar_files(void **state) {
    (void)state;
    struct draft d;
    assert_int_equal(read_as("Termin.ICS",
                             VIEW(ICS("DTEND;TZID=Europe/Berlin:20250902T153000\r\nSUMMARY:Fördern {{name}}\r\n"
                                      "LOCATION:Hildesheim\r\nURL:https://partner.example/x\r\n"
                                      "ATTENDEE:mailto:a@town.example\r\nORGANIZER:mailto:b@town.example\r\n")),
                             false, &d),
                     0);
    assert_true(d.from_calendar);
    assert_string_equal(draft_text(&d, DRAFT_SUBJECT), "Fördern {{name}}");
    assert_string_equal(draft_text(&d, DRAFT_TITLE), "Fördern {{name}}");
    assert_true(draft_is_literal(&d, DRAFT_SUBJECT));
    assert_false(draft_is_literal(&d, DRAFT_LIST));
    assert_string_equal(draft_text(&d, DRAFT_START), "2025-09-02 10:00");
    assert_string_equal(draft_text(&d, DRAFT_END), "2025-09-02 15:30");
    assert_string_equal(draft_text(&d, DRAFT_TIMEZONE), "Europe/Berlin");
    assert_string_equal(draft_text(&d, DRAFT_LOCATION), "Hildesheim");
    assert_string_equal(draft_text(&d, DRAFT_URL), "https://partner.example/x");
    assert_string_equal(draft_text(&d, DRAFT_CONTACT_MAIL), "");
    assert_true(view_eq_str(d.body, "{{salutation}},\n\n"));
    draft_done(&d);
    problems_done(&problems);

    static const struct {
        const char *name, *text, *want;
    } bad[] = {
        {"repeats too often", ICS("RRULE:FREQ=SECONDLY\r\n"), "0:bad-calendar"},
        {"not one", "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n", "0:bad-calendar"},
        {"a text", "[announcement]\nsubject = x\n---\n", "0:bad-calendar"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTOBUF struct buf got = BUF_INIT(1000);
        unit_int(bad[i].name, read_as("a.ics", view_of(bad[i].text), false, &d), -EINVAL);
        show_problems(&problems, &got);
        if (strncmp(buf_str(&got), bad[i].want, strlen(bad[i].want)) != 0)
            fail_msg("%s: got %s", bad[i].name, buf_str(&got));
        draft_done(&d);
        problems_done(&problems);
    }
}

static void descriptions_are_text(void **state) {
    (void)state;
    static const struct {
        const char *name, *description, *want; /* as it stands in the file; the body behind the salutation */
    } cases[] = {
        {"marks", "*a* _b_ # `c` [d](e) {{f}} <g>", "\\*a\\* \\_b\\_ \\# \\`c\\` \\[d\\]\\(e\\) \\{\\{f\\}\\} \\<g\\>"},
        {"a list", "- a\\n+ b\\n1. c\\n2) d", "\\- a\\\n\\+ b\\\n1\\. c\\\n2\\) d"},
        {"a heading", "# a\\nb\\n===\\nc\\n---", "\\# a\\\nb\\\n\\=\\=\\=\\\nc\\\n\\---"},
        {"code", "    a\\n\\tb", "a\\\nb"},
        {"paragraphs", "a\\n\\nb\\n\\n\\nc", "a\n\nb\n\nc"},
        {"an address", "see https://partner.example/a_b?c=d&e. Or\\nhttp://x.example",
         "see <https://partner.example/a_b?c=d&e>. Or\\\n<http://x.example>"},
        {"in brackets", "(https://x.example/a) <https://x.example>",
         "\\(<https://x.example/a>\\) \\<<https://x.example>\\>"},
        {"no address", "https:// xhttps://a http:/a", "https:// xhttps://a http:/a"},
        {"braces end it", "https://x.example/{{name}}", "<https://x.example/>\\{\\{name\\}\\}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf text = BUF_INIT(10000);
        struct draft d;
        buf_puts(&text, "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20250101T000000Z\n"
                        "DTSTART:20250902T100000Z\nSUMMARY:x\nDESCRIPTION:");
        for (const char *p = cases[i].description; *p; p++)
            if (strcmp(cases[i].name, "code") == 0 && p[0] == '\\' && p[1] == 't')
                buf_putc(&text, '\t'), p++;
            else
                buf_putc(&text, *p);
        buf_puts(&text, "\nEND:VEVENT\nEND:VCALENDAR\n");
        unit_int(cases[i].name, read_as("a.ics", buf_view(&text), false, &d), 0);
        AUTOFREE char *body = view_dup(view_slice(d.body, sizeof "{{salutation}},\n\n" - 1, d.body.len));
        unit_str(cases[i].name, body, cases[i].want);
        draft_done(&d);
        problems_done(&problems);
    }
}

/* Folds within a character are undone before it is decided what charset the file is in. */
static void charsets_of_calendars(void **state) {
    (void)state;
    static const struct {
        const char *file;
        size_t notes;
    } cases[] = {{"fold-in-character.ics", 0}, {"bom.ics", 0}, {"utf-16.ics", 0}, {"windows-1252.ics", 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf path = BUF_INIT(200), file = BUF_INIT(65536);
        struct draft d;
        buf_printf(&path, "tests/data/ics/%s", cases[i].file);
        assert_int_equal(files_read(AT_FDCWD, buf_str(&path), &file), 0);
        unit_int(cases[i].file, read_as(cases[i].file, buf_view(&file), false, &d), 0);
        unit_str(cases[i].file, draft_text(&d, DRAFT_SUBJECT), "Grüße");
        unit_int(cases[i].file, (int)problems.count, (int)cases[i].notes);
        draft_done(&d);
        problems_done(&problems);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_of_form),     cmocka_unit_test(charsets_of_calendars),
        cmocka_unit_test(what_is_read),       cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(caps_on_both_sides), cmocka_unit_test(a_translation_lies_over_the_first),
        cmocka_unit_test(calendar_files),     cmocka_unit_test(descriptions_are_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
