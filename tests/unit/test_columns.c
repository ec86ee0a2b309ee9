#include "all_words.h"

#include <stdio.h>

#include "people/columns.h"

static struct columns_reader reader;

static int load(void **state) {
    int r = load_all_words(state);
    reader = (struct columns_reader){
        .words = (const struct words *const *)all_words, .words_count = all_words_count, .timezone = "Europe/Berlin"};
    return r;
}

/* A row from "a|b|c". */
struct cells {
    struct view views[CSV_COLUMNS_MAX];
    struct csv_row row;
};
static const struct csv_row *row_of(struct cells *c, const char *text) {
    struct view rest = view_of(text);
    size_t n = 0;
    while (view_split(&rest, '|', &c->views[n]))
        n++;
    c->row = (struct csv_row){.line = 3, .cells = c->views, .count = n};
    return &c->row;
}

static void heads(void **state) {
    (void)state;
    static const struct {
        const char *head, *what; /* what: the refusal, or attributes */
        int result;
    } cases[] = {
        {"E-Mail|Vorname|Nachname", "", 0},
        {"email|prénom|NOM|Teilnahme 2024|Ort||tags", "ort teilnahme_2024 ", 0},
        {"E-Mail|Vorname|given name", "the columns “Vorname” and “given name” mean the same", -EINVAL},
        {"E-Mail|Mein Feld|mein-feld", "the columns “Mein Feld” and “mein-feld” mean the same", -EINVAL},
        {"Vorname|Nachname", "no column is called “E-Mail”", -EINVAL},
        {"vera@town.example|Vera", "the first line has no names of columns, but an address", -EINVAL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct columns c;
        struct cells cells;
        struct why why = {0};
        columns_init(&c);
        unit_int(cases[i].head, columns_read(&c, &reader, row_of(&cells, cases[i].head), &why), cases[i].result);
        AUTOBUF struct buf attributes = BUF_INIT(4096);
        for (size_t n = 0; n < c.attribute_count; n++)
            buf_printf(&attributes, "%s ", c.attributes[n].name);
        unit_str(cases[i].head, cases[i].result ? why.what : buf_str(&attributes), cases[i].what);
        if (cases[i].result)
            unit_str(cases[i].head, why.where, "line 3");
        columns_done(&c);
    }
}

static void names_are_split(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"", "", ""},
        {"Müller", "", "Müller"},
        {"Vera Müller", "Vera", "Müller"},
        {"Müller, Vera", "Vera", "Müller"},
        {"Vera Maria Müller-Lüdenscheidt", "Vera Maria", "Müller-Lüdenscheidt"},
        {"Ludwig van Beethoven", "Ludwig", "van Beethoven"},
        {"Anna von der Heide", "Anna", "von der Heide"},
        {"Олена Коваль", "Олена", "Коваль"},
        {"de la Cruz", "", "de la Cruz"},
        {"  Vera   Müller  ", "Vera", "Müller"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct view given, family;
        columns_split_name(view_of(cases[i][0]), &given, &family);
        AUTOFREE char *g = view_dup(given), *f = view_dup(family);
        unit_str(cases[i][0], g, cases[i][1]);
        unit_str(cases[i][0], f, cases[i][2]);
    }
}

static const char *text(const char *s) {
    return s ? s : "-";
}

/* All of a person in one line. */
static void print(const struct columns_person *p, struct buf *to) {
    const struct person *q = &p->person;
    buf_printf(to, "%s %s/%s %s %s %s [%s]", q->address, text(q->given_name), text(q->family_name), text(q->form),
               text(q->title), text(q->language), q->attributes ? q->attributes : "");
    if (p->consent)
        buf_printf(to, " consent %s %lld", p->consent, (long long)(p->consent_usec / 1000000));
}

static void rows(void **state) {
    (void)state;
    static const struct {
        const char *head, *row, *what;
        int result;
    } cases[] = {
        {"E-Mail|Vorname|Nachname|Anrede|Titel|Sprache|Ort", "Vera@Town.example|Vera|Müller|Frau|Dr.|Deutsch|Bonn",
         "Vera@town.example Vera/Müller f Dr. de [ort\tBonn\n]", COLUMNS_PERSON},
        {"E-Mail|Vorname|Name", "a@town.example|Vera|van Beek", "a@town.example Vera/van Beek - - - []",
         COLUMNS_PERSON},
        {"E-Mail|Name", "a@town.example|Vera van Beek", "a@town.example Vera/van Beek - - - []", COLUMNS_PERSON},
        {"E-Mail|Name", "Hans <a@town.example>|", "a@town.example -/- - - - []", COLUMNS_PERSON},
        {"E-Mail", "Hans Groß <a@town.example>", "a@town.example Hans/Groß - - - []", COLUMNS_PERSON},
        {"E-Mail|Sprache", "a@town.example|ua", "a@town.example -/- - - uk []", COLUMNS_PERSON},
        {"E-Mail|b|a", "a@town.example|2|1", "a@town.example -/- - - - [a\t1\nb\t2\n]", COLUMNS_PERSON},
        {"E-Mail|b|a", "a@town.example|two\nlines", "a@town.example -/- - - - [b\ttwo lines\n]", COLUMNS_PERSON},
        {"E-Mail|b", "a@town.example|x||", "a@town.example -/- - - - [b\tx\n]", COLUMNS_PERSON},
        {"E-Mail|Einwilligung|Einwilligung am", "a@town.example|Formular 7|2.9.2025",
         "a@town.example -/- - - - [] consent Formular 7 1756764000", COLUMNS_PERSON},
        {"E-Mail|Einwilligung|Einwilligung am", "a@town.example||2025-09-02",
         "a@town.example -/- - - - [] consent 2025-09-02 1756764000", COLUMNS_PERSON},
        {"E-Mail|Einwilligung", "a@town.example|Nein", "", COLUMNS_NO_CONSENT},
        {"E-Mail|Consentement", "a@town.example|retiré", "", COLUMNS_NO_CONSENT},
        {"E-Mail|Name", "|Vera", "", COLUMNS_NO_ADDRESS},
        {"E-Mail|Einwilligung am", "a@town.example|1/2/2025",
         "the date of the consent is not understood (write 2025-09-02 or 2.9.2025): “1/2/2025”", COLUMNS_BAD},
        {"E-Mail|Sprache", "a@town.example|Klingonisch", "the language is not known: “Klingonisch”", COLUMNS_BAD},
        {"E-Mail|Anrede", "a@town.example|Hochwürden", "the form of address is not known: “Hochwürden”", COLUMNS_BAD},
        {"E-Mail|Zeitzone", "a@town.example|Berlin", "the time zone is not known: “Berlin”", COLUMNS_BAD},
        {"E-Mail|b", "a@town.example|x|y", "the row has more cells than the head: “y”", COLUMNS_BAD},
        {"E-Mail|Name", "a@town.example|Ve\x1bra", "a cell holds characters that cannot be shown: “Ve?ra”",
         COLUMNS_BAD},
        {"E-Mail|Name", "nobody|Vera", NULL, COLUMNS_BAD},
        {"E-Mail|Name", "a@town.example, b@town.example|Vera", NULL, COLUMNS_BAD},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct columns c;
        struct cells cells;
        struct why why = {0};
        struct columns_person p;
        AUTOARENA struct arena arena = {0};
        AUTOBUF struct buf what = BUF_INIT(4096);
        columns_init(&c);
        unit_int(cases[i].head, columns_read(&c, &reader, row_of(&cells, cases[i].head), &why), 0);
        unit_int(cases[i].row, columns_person(&c, &reader, row_of(&cells, cases[i].row), &arena, &p, &what),
                 cases[i].result);
        if (cases[i].result == COLUMNS_PERSON)
            print(&p, &what);
        if (cases[i].what)
            unit_str(cases[i].row, buf_str(&what), cases[i].what);
        else
            assert_true(what.len > 0);
        columns_done(&c);
    }
}

/* A row that the reader found damaged, and cells at their limit. */
static void damaged_rows(void **state) {
    (void)state;
    struct columns c;
    struct cells cells;
    struct why why;
    struct columns_person p;
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf what = BUF_INIT(4096), long_cell = BUF_INIT(4096);
    columns_init(&c);
    assert_int_equal(columns_read(&c, &reader, row_of(&cells, "E-Mail|x"), &why), 0);
    (void)row_of(&cells, "");
    cells.row.fault = "a quote is not closed";
    assert_int_equal(columns_person(&c, &reader, &cells.row, &arena, &p, &what), COLUMNS_BAD);
    assert_string_equal(buf_str(&what), "a quote is not closed");
    for (int more = 0; more < 2; more++) {
        buf_clear(&long_cell);
        buf_puts(&long_cell, "a@town.example|");
        for (int i = 0; i < 500 + more; i++)
            buf_putc(&long_cell, 'x');
        assert_int_equal(columns_person(&c, &reader, row_of(&cells, buf_str(&long_cell)), &arena, &p, &what),
                         more ? COLUMNS_BAD : COLUMNS_PERSON);
    }
    columns_done(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),
        cmocka_unit_test(names_are_split),
        cmocka_unit_test(rows),
        cmocka_unit_test(damaged_rows),
    };
    return cmocka_run_group_tests(tests, load, free_all_words);
}
