/* Tables of people: the first byte says in which pieces the rest comes; rows are read as persons. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/words.h"
#include "people/columns.h"
#include "people/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct target {
    struct columns columns;
    struct columns_reader reader;
    bool has_head;
};

static void check(const char *text) {
    if (text && (!text_is_utf8(view_of(text)) || strpbrk(text, "\r\n\t")))
        abort();
}

static int on_row(void *user, const struct csv_row *row) {
    struct target *t = user;
    struct why why;
    for (size_t i = 0; i < row->count && !row->fault; i++)
        if (!text_is_utf8(row->cells[i]) && !memchr(row->cells[i].ptr, 0, row->cells[i].len))
            abort();
    if (!t->has_head) {
        t->has_head = true;
        return columns_read(&t->columns, &t->reader, row, &why);
    }
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf reason = BUF_INIT(4096);
    struct columns_person p;
    int r = columns_person(&t->columns, &t->reader, row, &arena, &p, &reason);
    if (r == COLUMNS_PERSON) {
        check(p.address.spelled);
        check(p.person.given_name);
        check(p.person.family_name);
        check(p.person.organisation);
        check(p.person.salutation);
        check(p.consent);
        if (p.person.attributes && !text_is_utf8(view_of(p.person.attributes)))
            abort();
    }
    return r < 0 ? r : 0;
}

static const char words_text[] = "[language]\nname = English\ndir = ltr\n[columns]\nemail = E-Mail\nname = Name\n"
                                 "given_name = Given\nfamily_name = Family\nform = Form\ntitle = Title\n"
                                 "language = Language\nconsent = Consent\nconsent_date = Date\ntimezone = Zone\n"
                                 "[forms]\nf = Ms\nm = Mr\n[language-names]\nde = German\n[answers]\nno = no\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct words *words;
    struct why why;
    if (size < 1 || (!words && words_parse(view_of(words_text), VIEW(""), "en", &why, &words) < 0))
        return 0;
    const struct words *const all[] = {words};
    struct target t = {.reader = {.words = all, .words_count = 1, .timezone = "Europe/Berlin"}};
    columns_init(&t.columns);
    struct csv_reader *c;
    if (csv_reader_new(data[0] & 0x80 ? "iso-8859-15" : NULL, on_row, &t, &c) < 0)
        return 0;
    size_t piece = (data[0] & 0x7F) + 1;
    struct view rest = view_make(data + 1, size - 1);
    int r = 0;
    for (; rest.len && r == 0; rest = view_slice(rest, piece, rest.len))
        r = csv_reader_feed(c, view_slice(rest, 0, piece), &why);
    if (r == 0)
        (void)csv_reader_end(c, &why);
    (void)csv_reader_free(c);
    columns_done(&t.columns);
    return 0;
}
