/* Whole mails: composed in every language, with friendly and with hostile content, read again and compared. What is
 * composed here is kept in build/mails for the judges of tests/flow/10-mails. */
#include "intake_helper.h"
#include "mime.h"

#include "base/clock.h"

/* Rows of the tables leave out what is usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define URL "https://rundbrief.partnerschaften.example/u/TOKEN/7/"

struct mail {
    struct intake_made made;
    struct compiled *compiled;
    struct buf text, plain, html;
};

static void compose_mail(struct mail *m, const struct intake_file *files, size_t count, const char *language,
                         const struct compose_recipient *to, bool preview, const char *of_sender) {
    const struct intake_options options = {.lists = "twins", .allow_past = true};
    const struct compile_options compiling = {.preview = preview};
    struct why why = {0};
    intake_make(&m->made, files, count, &options, of_sender);
    AUTOBUF struct buf problems = BUF_INIT(10000);
    intake_show(&m->made.problems, &problems);
    if (m->made.error < 0 || compile(&m->made.result.bundle, language, &compiling, &why, &m->compiled) < 0)
        fail_msg("%s: %s %s %s", language, buf_str(&problems), why.where, why.what);
    m->text = (struct buf)BUF_INIT(8 << 20);
    m->plain = (struct buf)BUF_INIT(1 << 20);
    m->html = (struct buf)BUF_INIT(1 << 20);
    if (compose(m->compiled, to, &m->text) < 0)
        fail_msg("%s: cannot be composed", language);
    assert_int_equal(compose_part(m->compiled, to, false, &m->plain), 0);
    assert_int_equal(compose_part(m->compiled, to, true, &m->html), 0);
    expect_wire_lines(buf_view(&m->text), 998);
    assert_true(view_ends(buf_view(&m->text), "\r\n"));
}

static void mail_done(struct mail *m) {
    m->compiled = compiled_free(m->compiled);
    buf_done(&m->text);
    buf_done(&m->plain);
    buf_done(&m->html);
    intake_made_done(&m->made);
}

static void expect_field(const struct mail *m, const char *name, const char *want) {
    AUTOBUF struct buf got = BUF_INIT(100000);
    mime_field(buf_view(&m->text), name, &got);
    unit_str(name, buf_str(&got), want);
}

static void expect_text_field(const struct mail *m, const char *name, const char *want) {
    AUTOBUF struct buf got = BUF_INIT(100000);
    mime_text_field(buf_view(&m->text), name, &got);
    unit_str(name, buf_str(&got), want);
}

static void expect_tree(const struct mail *m, const char *want) {
    AUTOBUF struct buf got = BUF_INIT(10000);
    mime_show_tree(buf_view(&m->text), &got);
    unit_str("tree", buf_str(&got), want);
}

/* Both texts come out of the message as they were rendered. */
static void expect_texts(const struct mail *m) {
    static const char *const types[] = {"text/plain", "text/html"};
    const struct buf *texts[] = {&m->plain, &m->html};
    for (size_t i = 0; i < 2; i++) {
        struct view part;
        AUTOBUF struct buf got = BUF_INIT(4 << 20), want = BUF_INIT(4 << 20);
        assert_int_equal(mime_find(buf_view(&m->text), types[i], &part), 1);
        mime_decode(part, &got);
        canonical_text(buf_view(texts[i]), &want);
        unit_str(types[i], buf_str(&got), buf_str(&want));
        assert_true(text_is_utf8(buf_view(&got)));
    }
}

static void has(const struct buf *in, const char *what) {
    if (!strstr(buf_str(in), what))
        fail_msg("“%s” is missing in:\n%s", what, buf_str(in));
}

static void has_not(const struct buf *in, const char *what) {
    if (strstr(buf_str(in), what))
        fail_msg("“%s” stands in:\n%s", what, buf_str(in));
}

#define FIELDS                                                                                                         \
    "From To Subject Date Message-ID Reply-To List-Id List-Unsubscribe List-Unsubscribe-Post List-Owner List-Help "    \
    "Precedence X-Auto-Response-Suppress MIME-Version Content-Type "

static void expect_usual_header(const struct mail *m, const char *language) {
    AUTOBUF struct buf names = BUF_INIT(10000), want = BUF_INIT(1000);
    mime_names(buf_view(&m->text), &names);
    unit_str(language, buf_str(&names), FIELDS);
    expect_field(m, "To", "=?UTF-8?Q?Vera_M=C3=BCller?= <vera.mueller@verein.example>");
    expect_field(m, "Date", "Mon, 04 Aug 2025 10:00:00 +0200");
    expect_field(m, "Message-ID", "<abcdefghijklmnopqrstuvwxyz@partnerschaften.example>");
    expect_field(m, "Reply-To", "kontakt@partnerschaften.example");
    expect_field(m, "List-Unsubscribe-Post", "List-Unsubscribe=One-Click");
    expect_field(m, "List-Owner", "<mailto:kontakt@partnerschaften.example>");
    expect_field(m, "List-Help", "<https://partnerschaften.example/impressum>");
    expect_field(m, "Precedence", "bulk");
    expect_field(m, "X-Auto-Response-Suppress", "OOF, AutoReply");
    expect_text_field(m, "From", "Koordinierungsstelle Städtepartnerschaften <rundbrief@partnerschaften.example>");
    expect_text_field(m, "List-Id", "Städtepartnerschaften <twins.partnerschaften.example>");
    buf_printf(&want, "<" URL "%s>, <mailto:bounce+uxyz@partnerschaften.example?subject=unsubscribe>", language);
    expect_field(m, "List-Unsubscribe", buf_str(&want));
}

/* The samples of the demo, as they lie there. */
static size_t demo_files(struct buf contents[8], struct intake_file files[8]) {
    static const char *const names[] = {"funding-workshop.md",    "funding-workshop.en.md", "funding-workshop.fr.md",
                                        "funding-workshop.it.md", "funding-workshop.pl.md", "funding-workshop.uk.md"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        AUTOFREE char *path = unit_path("tests/data/demo", names[i]);
        contents[i] = (struct buf)BUF_INIT(1 << 20);
        assert_int_equal(files_read(AT_FDCWD, path, &contents[i]), 0);
        files[i] = (struct intake_file){names[i], buf_view(&contents[i])};
    }
    return COUNT_OF(names);
}

static void expect_calendar(const struct mail *m, const char *const *lines, size_t count) {
    struct view part;
    AUTOBUF struct buf ics = BUF_INIT(100000), unfolded = BUF_INIT(100000), method = BUF_INIT(100);
    assert_int_equal(mime_find(buf_view(&m->text), "text/calendar", &part), 1);
    assert_true(mime_parameter(part, "Content-Type", "method", &method));
    assert_string_equal(buf_str(&method), "PUBLISH");
    mime_decode(part, &ics);
    expect_wire_lines(view_make("", 0), 75);
    for (size_t i = 0; i < ics.len; i++)
        if (i + 2 < ics.len && memcmp(ics.data + i, "\r\n ", 3) == 0)
            i += 2;
        else
            buf_putc(&unfolded, ics.data[i]);
    for (size_t i = 0; i < count; i++)
        has(&unfolded, lines[i]);
    has_not(&unfolded, "ATTENDEE");
}

static void the_demo_in_every_language(void **state) {
    (void)state;
    static const struct {
        const char *language, *subject, *salutation, *when;
    } cases[] = {
        {"de", "Workshop: Finanzierungsmöglichkeiten für Städtepartnerschaften", "Sehr geehrte Frau Dr. Müller,",
         "Dienstag, 2. September 2025, 10:00 bis 15:30 Uhr"},
        {"en", "Workshop: funding for town twinning", "Dear Dr. Müller,", "Tuesday, 2 September 2025, 10:00 to 15:30"},
        {"fr", "Atelier : financer les jumelages", "Madame,", "mardi 2 septembre 2025"},
        {"it", "Laboratorio: finanziare i gemellaggi", "Gentile ", "martedì 2 settembre 2025"},
        {"pl", "Warsztaty: finansowanie partnerstw miast", "Szanowna Pani,", "wtorek, 2 września 2025"},
        {"uk", "Семінар: фінансування партнерства міст", "Шановна пані,", "2 вересня 2025"},
    };
    struct buf contents[8];
    struct intake_file files[8];
    size_t count = demo_files(contents, files);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mail m;
        AUTOBUF struct buf name = BUF_INIT(100), language = BUF_INIT(100);
        compose_mail(&m, files, count, cases[i].language, &vera, false, "");
        expect_usual_header(&m, cases[i].language);
        expect_text_field(&m, "Subject", cases[i].subject);
        expect_tree(&m, "mixed(alternative(plain html) calendar)");
        expect_texts(&m);
        has(&m.plain, cases[i].salutation);
        has(&m.html, cases[i].salutation);
        has(&m.plain, cases[i].when);
        has(&m.html, cases[i].when);
        has(&m.plain, "https://partnerschaften.example/funding");
        has(&m.plain, "+49 511 000000");
        has(&m.plain, URL);
        has_not(&m.plain, "{{");
        has_not(&m.html, "{{");
        assert_int_equal(strstr(buf_str(&m.plain), "Hildesheim anreist") != NULL, strcmp(cases[i].language, "de") == 0);
        struct view part;
        (void)mime_find(buf_view(&m.text), "text/html", &part);
        mime_field(part, "Content-Language", &language);
        assert_string_equal(buf_str(&language), cases[i].language);
        static const char *const lines[] = {"METHOD:PUBLISH\r\n",
                                            "DTSTART;TZID=Europe/Berlin:20250902T100000\r\n",
                                            "DTEND;TZID=Europe/Berlin:20250902T153000\r\n",
                                            "SEQUENCE:0\r\n",
                                            "URL:https://partnerschaften.example/funding\r\n",
                                            "mailto:kontakt@partnerschaften.example\r\n"};
        expect_calendar(&m, lines, COUNT_OF(lines));
        buf_printf(&name, "workshop.%s", cases[i].language);
        mime_keep(buf_str(&name), buf_view(&m.text));
        mail_done(&m);
    }
    for (size_t i = 0; i < count; i++)
        buf_done(&contents[i]);
}

/* A real picture of one pixel. */
#define PIXEL                                                                                                          \
    "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\6\0\0\0\x1f\x15\xc4\x89\0\0\0\rIDATx\xda"                       \
    "cd`\xf8_\x0f\0\2\x87\1\x80\xebG\xba\x92\0\0\0\0IEND\xae"                                                          \
    "B`\x82"

#define HEAD "[announcement]\nsubject = Neues aus den Städten\n"
#define BODY "---\n{{salutation}},\n\nder Text.\n"

static void kinds_of_mails(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        struct intake_file others[2];
        const char *tree;
    } cases[] = {
        {"announcement", HEAD BODY, {{0}}, "alternative(plain html)"},
        {"contact",
         HEAD "[contact]\nname = Büro\nmail = a@partner.example\nphone = +49 511 1\n" BODY,
         {{0}},
         "alternative(plain html)"},
        {"attachment",
         HEAD "attach = Programm für Städte.pdf, b.docx\n" BODY,
         {{"Programm für Städte.pdf", VIEW("%PDF-1.7\nx")}, {"b.docx", VIEW("PK")}},
         "mixed(alternative(plain html) pdf vnd.openxmlformats-officedocument.wordprocessingml.document)"},
        {"image",
         HEAD BODY "\n![Der Plan](Plan%20der%20Stadt.png)\n",
         {{"Plan der Stadt.png", VIEW(PIXEL)}},
         "alternative(plain related(html png))"},
        {"image-and-attachment",
         HEAD "attach = b.pdf\n" BODY "\n![Der Plan](a.png) und noch einmal ![](a.png)\n",
         {{"a.png", VIEW(PIXEL)}, {"b.pdf", VIEW("%PDF-1.7\n")}},
         "mixed(alternative(plain related(html png)) pdf)"},
        {"all-day",
         HEAD "[event]\ntitle = Städtefest\nstart = 30.8.2025\nend = 1.9.2025\n" BODY,
         {{0}},
         "mixed(alternative(plain html) calendar)"},
        {"event-elsewhere",
         HEAD "[event]\nstart = 2.9.2025 10:00\ntimezone = Europe/Lisbon\nlocation = Câmara Municipal\n" BODY,
         {{0}},
         "mixed(alternative(plain html) calendar)"},
        {"everything",
         HEAD "attach = b.pdf\n[event]\ntitle = Fest\nstart = 2.9.2025 10:00\nurl = https://a.example/x?y=1&z=2\n"
              "[contact]\nname = B\n" BODY
              "![x](a.png)\n\n- eins\n- [zwei](https://b.example)\n\n> Zitat\n\n    Code\n",
         {{"a.png", VIEW(PIXEL)}, {"b.pdf", VIEW("%PDF-1.7\n")}},
         "mixed(alternative(plain related(html png)) calendar pdf)"},
    };
    static const char *const languages[] = {"de", "ar", "en", "fr", "he", "it", "pl", "uk"};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (size_t l = 0; l < COUNT_OF(languages); l++)
            for (int preview = 0; preview < 2; preview++) {
                struct mail m;
                AUTOBUF struct buf name = BUF_INIT(100), other = BUF_INIT(100);
                struct intake_file files[4] = {{"a.md", view_of(cases[i].text)}};
                size_t count = 1;
                for (size_t n = 0; n < 2 && cases[i].others[n].name; n++)
                    files[count++] = cases[i].others[n];
                buf_printf(&other, "a.%s.md", languages[l]);
                if (l) /* the same text serves as its own translation */
                    files[count++] = (struct intake_file){
                        buf_str(&other), strstr(cases[i].text, "attach") && strstr(cases[i].text, "a.png")
                                             ? VIEW("[contact]\n" BODY "![x](a.png)\n")
                                         : strstr(cases[i].text, "png)")
                                             ? VIEW("[contact]\n" BODY "![x](Plan%20der%20Stadt.png)\n")
                                             : VIEW("[contact]\n" BODY)};
                compose_mail(&m, files, count, languages[l], &vera, preview, "");
                expect_tree(&m, cases[i].tree);
                expect_texts(&m);
                expect_text_field(&m, "From",
                                  "Koordinierungsstelle Städtepartnerschaften <rundbrief@partnerschaften.example>");
                buf_printf(&name, "%s%s.%s", cases[i].name, preview ? ".preview" : "", languages[l]);
                mime_keep(buf_str(&name), buf_view(&m.text));
                mail_done(&m);
            }
}

static void attachments_keep_names_and_bytes(void **state) {
    (void)state;
    const struct intake_file files[] = {
        {"a.md", VIEW(HEAD "attach = Programm für Städte.pdf\n" BODY "![Plan](b.png)\n")},
        {"Programm für Städte.pdf", VIEW("%PDF-1.7\n\0\xff\r\n.\r\nFrom x")},
        {"b.png", VIEW(PIXEL)},
    };
    struct mail m;
    struct view part;
    compose_mail(&m, files, 3, "de", &vera, false, "");
    AUTOBUF struct buf pdf = BUF_INIT(1000), name = BUF_INIT(1000), png = BUF_INIT(1000), id = BUF_INIT(100),
                       disposition = BUF_INIT(1000);
    assert_int_equal(mime_find(buf_view(&m.text), "application/pdf", &part), 1);
    mime_decode(part, &pdf);
    assert_true(view_eq(buf_view(&pdf), files[1].content));
    mime_field(part, "Content-Disposition", &disposition);
    assert_string_equal(buf_str(&disposition), "attachment; filename*=UTF-8''Programm%20f%C3%BCr%20St%C3%A4dte.pdf");
    assert_true(mime_parameter(part, "Content-Type", "name", &name));
    assert_string_equal(buf_str(&name), "Programm f_r St_dte.pdf");

    assert_int_equal(mime_find(buf_view(&m.text), "image/png", &part), 1);
    mime_decode(part, &png);
    assert_true(view_eq(buf_view(&png), files[2].content));
    mime_field(part, "Content-ID", &id);
    assert_string_equal(buf_str(&id), "<img1@partnerschaften.example>");
    has(&m.html, "src=\"cid:img1@partnerschaften.example\"");
    has(&m.html, "alt=\"Plan\"");
    has(&m.plain, "Plan");
    mail_done(&m);
}

/* Outlook shows an image as wide as it is, unless the attribute says otherwise. */
static void images_have_a_width(void **state) {
    (void)state;
    static const struct {
        const char *name;
        struct view bytes;
        const char *want; /* NULL: no attribute */
    } cases[] = {
        {"a pixel", VIEW(PIXEL), " width=\"1\""},
        {"a wide PNG", VIEW("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x0f\xa0\0\0\1\0"), " width=\"520\""},
        {"a very wide PNG", VIEW("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\0\1\0"), " width=\"520\""},
        {"a GIF", VIEW("GIF89a\x2c\1\x10\0"), " width=\"300\""},
        {"a JPEG", VIEW("\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0\xff\xc2\0\x11\x08\0\x20\1\x2c\3\1\x22\0"),
         " width=\"300\""},
        {"a JPEG with fill bytes", VIEW("\xff\xd8\xff\xff\xff\xc0\0\x11\x08\0\x20\1\x2c\3\1\x22\0"), " width=\"300\""},
        {"a cut JPEG", VIEW("\xff\xd8\xff\xe0\0\x10JFIF"), NULL},
        {"a JPEG of nonsense", VIEW("\xff\xd8\xff\xe0\0\0\xff\xe0\0\0\xff\xe0\0\0\xff\xe0\0\0"), NULL},
        {"a cut PNG", VIEW("\x89PNG\r\n\x1a\n"), NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mail m;
        const struct intake_file files[] = {{"a.md", VIEW(HEAD BODY "![x](b)\n")}, {"b", cases[i].bytes}};
        compose_mail(&m, files, 2, "de", &vera, false, "");
        const char *image = strstr(buf_str(&m.html), "<img src=\"cid:img1@");
        assert_non_null(image);
        AUTOFREE char *tag = view_dup(view_make(image, strcspn(image, ">")));
        const char *width = strstr(tag, " width=");
        unit_int(cases[i].name, width != NULL, cases[i].want != NULL);
        if (width)
            unit_int(cases[i].name, strncmp(width, cases[i].want, strlen(cases[i].want)), 0);
        mail_done(&m);
    }
}

static void logos(void **state) {
    AUTOFREE char *path = unit_path(*state, "logo.png");
    assert_int_equal(files_write_new(AT_FDCWD, path, VIEW(PIXEL), 0600), 0);
    const struct {
        const char *name, *logo, *src, *tree;
    } cases[] = {
        {"a file", path, "src=\"cid:logo@partnerschaften.example\"", "alternative(plain related(html png))"},
        {"a link", "https://partnerschaften.example/l.png?a=1&b=2",
         "src=\"https://partnerschaften.example/l.png?a=1&amp;b=2\"", "alternative(plain html)"},
        {"a file that is missing", "/nonexistent/logo.png", NULL, "alternative(plain html)"},
    };
    const struct intake_file file = {"a.md", VIEW(HEAD BODY)};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mail m;
        AUTOBUF struct buf setting = BUF_INIT(1000);
        buf_printf(&setting, "logo = %s", cases[i].logo);
        compose_mail(&m, &file, 1, "de", &vera, false, buf_str(&setting));
        expect_tree(&m, cases[i].tree);
        if (cases[i].src)
            has(&m.html, cases[i].src);
        else
            has_not(&m.html, "<img");
        has(&m.html, "Netzwerk Städtepartnerschaften"); /* also as the alternative text */
        has_not(&m.html, "/nonexistent");
        if (i == 0)
            mime_keep("logo.de", buf_view(&m.text));
        mail_done(&m);
    }
}

#define EVIL "\r\nBcc: victim@town.example\r\n\r\n<script>alert(1)</script>"

/* Nothing that a reader's record holds adds a field, a line or an element. */
static void hostile_people(void **state) {
    (void)state;
    AUTOBUF struct buf huge = BUF_INIT(20000), attribute = BUF_INIT(10000);
    while (huge.len < 9000)
        buf_puts(&huge, "Ünendlich ");
    buf_puts(&attribute, "ort\t\xff\xfe<b>\"'&" EVIL "\n");
    const struct contact people[] = {
        {.form = VIEW("f"), .family_name = VIEW("Müller" EVIL), .given_name = VIEW("Vera" EVIL)},
        {.form = VIEW("f"),
         .family_name = VIEW("=?UTF-8?Q?x=0D=0ABcc:_a@b?="),
         .given_name = VIEW("\"; <a@b.example>")},
        {.form = VIEW("f"), .family_name = VIEW("a\\\"b,c;d(e)f:g@h"), .given_name = VIEW("\u202e\u2066x")},
        {.form = VIEW("f"), .family_name = VIEW("\xff\xc3\x28\xed\xa0\x80"), .given_name = VIEW("\0\1\2\x7f")},
        {.form = VIEW("f"), .family_name = buf_view(&huge), .given_name = buf_view(&huge)},
        {.own_salutation = VIEW("Hallo" EVIL), .organisation = VIEW("O" EVIL)},
        {.form = VIEW("zzz" EVIL), .title = VIEW("Dr." EVIL), .family_name = VIEW("x")},
        {.own_salutation = VIEW("{{email}} {{{url.unsubscribe}}} *x* [y](javascript:z)")},
    };
    const struct intake_file file = {
        "a.md", VIEW("[announcement]\nsubject = Für {{name}} ({{organisation}}) aus {{attr.ort}}\n---\n"
                     "{{salutation}}, {{name}} {{organisation}} {{attr.ort}}\n\n"
                     "{{#attr.ort}}[{{attr.ort}}](https://a.example/?q={{attr.ort}}){{/attr.ort}}\n")};
    for (size_t i = 0; i < COUNT_OF(people); i++) {
        struct mail m;
        AUTOBUF struct buf names = BUF_INIT(10000), name = BUF_INIT(100), subject = BUF_INIT(100000);
        struct compose_recipient to = vera;
        to.contact = people[i];
        to.attributes = buf_view(&attribute);
        compose_mail(&m, &file, 1, "de", &to, false, "");
        mime_names(buf_view(&m.text), &names);
        unit_str("fields", buf_str(&names), FIELDS);
        expect_tree(&m, "alternative(plain html)");
        expect_texts(&m);
        mime_text_field(buf_view(&m.text), "Subject", &subject);
        assert_true(text_is_utf8(buf_view(&subject)) && !strchr(buf_str(&subject), '\n'));
        has_not(&m.html, "<script");
        has_not(&m.html, "<b>");
        has_not(&m.html, "href=\"javascript");
        buf_printf(&name, "hostile-person-%zu.de", i);
        mime_keep(buf_str(&name), buf_view(&m.text));
        mail_done(&m);
    }
}

static void hostile_announcements(void **state) {
    (void)state;
    static const struct {
        const char *name, *text;
        struct intake_file other;
        const char *subject;
    } cases[] = {
        {"encoded words in the subject",
         "[announcement]\nsubject = =?UTF-8?Q?x=0D=0ABcc:_a@b?= <script>\n" BODY,
         {0},
         "=?UTF-8?Q?x=0D=0ABcc:_a@b?= <script>"},
        {"marks",
         "[announcement]\nsubject = \"; \\ , <a@b.example> & 'x' {{! nothing}}\n[event]\ntitle = </h1><script>\n"
         "start = 2.9.2025 10:00\nlocation = \\n;,\\\\ \"<b>\nurl = https://a.example/x'y&z\n[contact]\n"
         "name = <script>\nphone = +49\" onclick=\"x\nmail = o'neill+x?y&z%25@a.example\n" BODY,
         {0},
         "\"; \\ , <a@b.example> & 'x'"},
        {"a file name",
         HEAD "attach = a\"b;c\\d'%e.pdf\n" BODY,
         {"a\"b;c\\d'%e.pdf", VIEW("x")},
         "Neues aus den Städten"},
        {"a long file name",
         HEAD "attach = ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää.pdf\n" BODY,
         {"ääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää.pdf", VIEW("x")},
         "Neues aus den Städten"},
        {"other alphabets",
         "[announcement]\nsubject = Ελληνικά 中文字符 العربية 👩‍👩‍👧 "
         "Київ Київ Київ Київ Київ Київ Київ Київ\n"
         "---\n{{salutation}}, 👩‍👩‍👧\n",
         {0},
         "Ελληνικά 中文字符 العربية 👩‍👩‍👧 Київ Київ Київ Київ Київ "
         "Київ "
         "Київ "
         "Київ"},
        {"what mail servers misread",
         HEAD "---\n{{salutation}},\n\n.\n\nFrom here on\n\n.hidden\n\n--=_boundary\n",
         {0},
         "Neues aus den Städten"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mail m;
        AUTOBUF struct buf names = BUF_INIT(10000), name = BUF_INIT(100), subject = BUF_INIT(10000);
        const struct intake_file files[] = {{"a.md", view_of(cases[i].text)}, cases[i].other};
        compose_mail(&m, files, 2, "de", &vera, false, "");
        mime_names(buf_view(&m.text), &names);
        unit_str(cases[i].name, buf_str(&names), FIELDS);
        mime_text_field(buf_view(&m.text), "Subject", &subject);
        unit_str(cases[i].name, buf_str(&subject), cases[i].subject);
        expect_texts(&m);
        has_not(&m.html, "<script");
        has_not(&m.html, "<b>");
        has_not(&m.html, " onclick=\"");
        buf_printf(&name, "hostile-%zu.de", i);
        mime_keep(buf_str(&name), buf_view(&m.text));
        mail_done(&m);
    }
}

static void subjects_with_fields(void **state) {
    (void)state;
    static const struct {
        const char *name, *text, *subject, *heading;
        bool preview;
    } cases[] = {
        {"a field", "[announcement]\nsubject = Für {{name}} & alle\n" BODY, "Für Vera Müller & alle",
         ">Für Vera Müller &amp; alle</span></h1>"},
        {"a span", "[announcement]\nsubject = Treffen{{#attr.ort}} in {{attr.ort}}{{/attr.ort}}\n" BODY,
         "Treffen in Hildesheim", ">Treffen in Hildesheim</span></h1>"},
        {"a preview", "[announcement]\nsubject = Für {{name}}\n" BODY, "[Test] Für Vera Müller",
         ">Für Vera Müller</span></h1>", true},
        {"an event without a title", HEAD "[event]\nstart = 2.9.2025\n" BODY, "Neues aus den Städten",
         ">Neues aus den Städten</span></h1>"},
        {"said in the text", HEAD "---\n{{salutation}}, {{subject}}!\n", "Neues aus den Städten",
         "Neues aus den Städten!"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mail m;
        const struct intake_file file = {"a.md", view_of(cases[i].text)};
        compose_mail(&m, &file, 1, "de", &vera, cases[i].preview, "");
        expect_text_field(&m, "Subject", cases[i].subject);
        has(&m.html, cases[i].heading);
        has_not(&m.html, "{{");
        has_not(&m.plain, "{{");
        mail_done(&m);
    }
}

#define ICS                                                                                                            \
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Microsoft Corporation//Outlook 16.0 "                                 \
    "MIMEDIR//EN\r\nMETHOD:REQUEST\r\n"                                                                                \
    "BEGIN:VEVENT\r\nUID:040000008200E00074C5B7101A82E008\r\nDTSTAMP:20250101T000000Z\r\n"                             \
    "DTSTART;TZID=\"W. Europe Standard Time\":20250902T100000\r\n"                                                     \
    "DTEND;TZID=\"W. Europe Standard Time\":20250902T113000\r\nSUMMARY:Beirat {{name}} *Städte*\r\n"                  \
    "LOCATION:Rathaus\\, Saal 1\r\nORGANIZER;CN=Boss:mailto:boss@partner.example\r\n"                                  \
    "ATTENDEE;CN=Secret:mailto:secret@partner.example\r\n"                                                             \
    "DESCRIPTION:Wie besprochen:\\n- Haushalt\\n- https://meet.example/j/1?pwd=a_b\\n\\nBis bald\r\n"                  \
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:x\r\nEND:VALARM\r\n"                              \
    "END:VEVENT\r\nEND:VCALENDAR\r\n"

static void calendar_files(void **state) {
    (void)state;
    struct mail m;
    const struct intake_file files[] = {
        {"Beirat.ics", VIEW(ICS)},
        {"Beirat.fr.md", VIEW("[announcement]\nsubject = Conseil\n---\n{{salutation}},\n"
                              "voici.\n")}};
    compose_mail(&m, files, 2, "de", &vera, false, "");
    expect_text_field(&m, "Subject", "Beirat {{name}} *Städte*"); /* a calendar's text is no template */
    expect_tree(&m, "mixed(alternative(plain html) calendar)");
    expect_texts(&m);
    has(&m.plain, "Sehr geehrte Frau Dr. Müller,\n\nWie besprochen:\n- Haushalt\n- ");
    has(&m.plain, "https://meet.example/j/1?pwd=a_b");
    has(&m.html, "href=\"https://meet.example/j/1?pwd=a_b\"");
    has(&m.plain, "Rathaus, Saal 1");
    static const char *const gone[] = {"secret", "boss@", "VALARM", "040000008200E"};
    for (size_t i = 0; i < COUNT_OF(gone); i++)
        has_not(&m.text, gone[i]);
    static const char *const lines[] = {"DTSTART;TZID=Europe/Berlin:20250902T100000\r\n",
                                        "DTEND;TZID=Europe/Berlin:20250902T113000\r\n",
                                        "SUMMARY:Beirat {{name}} *Städte*\r\n", "LOCATION:Rathaus\\, Saal 1\r\n",
                                        "mailto:kontakt@partnerschaften.example\r\n"};
    expect_calendar(&m, lines, COUNT_OF(lines));
    mime_keep("calendar.de", buf_view(&m.text));
    mail_done(&m);
    compose_mail(&m, files, 2, "fr", &vera, false, "");
    expect_text_field(&m, "Subject", "Conseil");
    has(&m.plain, "Madame, voici.");
    mail_done(&m);
}

static void composing_is_a_function_of_its_arguments(void **state) {
    (void)state;
    const struct intake_file file = {"a.md", VIEW("[announcement]\nsubject = Für {{name}}\n---\n{{salutation}} "
                                                  "{{attr.ort}}\n")};
    struct mail m, again;
    AUTOBUF struct buf second = BUF_INIT(1 << 20), other = BUF_INIT(1 << 20);
    struct compose_recipient somebody = vera;
    somebody.address = VIEW("x@town.example");
    somebody.contact = (struct contact){0};
    somebody.leave_mailbox = (struct view){0};
    compose_mail(&m, &file, 1, "de", &vera, false, "");
    assert_int_equal(compose(m.compiled, &somebody, &other), 0);
    assert_true(compiled_size(m.compiled) + 2000 > other.len && compiled_size(m.compiled) < 2 * other.len);
    assert_int_equal(compose(m.compiled, &vera, &second), 0);
    assert_true(view_eq(buf_view(&m.text), buf_view(&second)));
    assert_false(view_eq(buf_view(&other), buf_view(&second)));
    compose_mail(&again, &file, 1, "de", &vera, false, "");
    assert_true(view_eq(buf_view(&m.text), buf_view(&again.text)));
    mail_done(&again);

    /* What is there already stays, what fails leaves nothing. */
    AUTOBUF struct buf behind = BUF_INIT(1 << 20), small = BUF_INIT(2000);
    buf_puts(&behind, "before");
    assert_int_equal(compose(m.compiled, &vera, &behind), 0);
    assert_int_equal(behind.len, 6 + m.text.len);
    somebody.address = VIEW("x y@town.example\r\nBcc: z@town.example");
    assert_int_equal(compose(m.compiled, &somebody, &behind), -EINVAL);
    somebody.address = VIEW("");
    assert_int_equal(compose(m.compiled, &somebody, &behind), -EINVAL);
    assert_int_equal(compose(m.compiled, &vera, &small), -EMSGSIZE);
    mail_done(&m);
}

static void bare_recipients(void **state) {
    (void)state;
    const struct intake_file file = {"a.md", VIEW(HEAD BODY)};
    struct compose_recipient nobody = vera;
    struct mail m;
    nobody.contact = (struct contact){0};
    nobody.attributes = nobody.leave_mailbox = (struct view){0};
    compose_mail(&m, &file, 1, "de", &nobody, false, "");
    expect_field(&m, "To", "vera.mueller@verein.example");
    expect_field(&m, "List-Unsubscribe", "<" URL "de>");
    has(&m.plain, "Sehr geehrte Damen und Herren,");
    mail_done(&m);
    /* A local part beyond ASCII stays (RFC 6532); all else is 7-bit. */
    nobody.address = VIEW("büro@xn--stdte-hra.example");
    compose_mail(&m, &file, 1, "de", &vera, false, "");
    AUTOBUF struct buf text = BUF_INIT(1 << 20), to = BUF_INIT(1000);
    assert_int_equal(compose(m.compiled, &nobody, &text), 0);
    mime_field(buf_view(&text), "To", &to);
    assert_string_equal(buf_str(&to), "büro@xn--stdte-hra.example");
    mail_done(&m);
}

static void international_senders(void **state) {
    (void)state;
    const struct intake_file plain = {
        "a.md", VIEW(HEAD "[event]\nstart = 2.9.2025\n[contact]\nmail = Kontakt+100%x@Städte.example\n" BODY)};
    struct mail m;
    struct conf *conf = intake_conf("");
    AUTOBUF struct buf id = BUF_INIT(1000);
    struct conf_sender sender = *conf->lists[0].sender;
    struct conf_list list = conf->lists[0];
    sender.address = "Rundbrief@Städte.example";
    list.sender = &sender;
    assert_int_equal(compile_list_id(&list, &id), 0);
    assert_string_equal(buf_str(&id), "twins.xn--stdte-hra.example");
    (void)conf_unref(conf);
    compose_mail(&m, &plain, 1, "de", &vera, false, "");
    expect_field(&m, "Reply-To", "Kontakt+100%x@xn--stdte-hra.example");
    expect_field(&m, "List-Owner", "<mailto:Kontakt+100%25x@xn--stdte-hra.example>");
    mail_done(&m);
}

/* Both alternatives say an event's time by the reader's clock, in the words of the mail. */
static void readers_clocks(void **state) {
    (void)state;
    static const struct {
        const char *zone, *of_event, *want;
    } cases[] = {
        {"Asia/Tokyo", "", "in Ihrer Zeitzone: Dienstag, 2. September 2025, 17:00 bis 18:30 Uhr (Asia/Tokyo)"},
        {"", "", NULL},
        {"Europe/Warsaw", "", NULL},
        {"Asia/Tokyo", "timezone = Asia/Tokyo\n", NULL},
        {"", "timezone = Asia/Tokyo\n",
         "in Ihrer Zeitzone: Dienstag, 2. September 2025, 3:00 bis 4:30 Uhr (Europe/Berlin)"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf text = BUF_INIT(1000);
        buf_printf(&text, HEAD "[event]\nstart = 2.9.2025 10:00\nend = 2.9.2025 11:30\n%s" BODY, cases[i].of_event);
        const struct intake_file file = {"a.md", buf_view(&text)};
        struct compose_recipient reader = vera;
        reader.timezone = view_of(cases[i].zone);
        struct mail m;
        compose_mail(&m, &file, 1, "de", &reader, false, "");
        expect_texts(&m);
        (cases[i].want ? has : has_not)(&m.plain, cases[i].want ? cases[i].want : "Zeitzone");
        (cases[i].want ? has : has_not)(&m.html, cases[i].want ? cases[i].want : "Zeitzone");
        bool zone_said = cases[i].want || cases[i].of_event[0];
        (zone_said ? has : has_not)(&m.plain,
                                    cases[i].of_event[0] ? "Asia/Tokyo, UTC+09:00" : "Europe/Berlin, UTC+02:00");
        if (i == 0)
            mime_keep("reader-clock.de", buf_view(&m.text));
        mail_done(&m);
    }
}

static void previews(void **state) {
    (void)state;
    static const struct {
        const char *language, *mark, *body;
    } cases[] = {{"de", "[Test] ", "Test"}, {"uk", "[Тест] ", "Тест"}};
    const struct intake_file files[] = {{"a.md", VIEW(HEAD BODY)}, {"a.uk.md", VIEW("[event]\n" BODY)}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct mail m, sent;
        AUTOBUF struct buf want = BUF_INIT(1000);
        compose_mail(&m, files, 2, cases[i].language, &vera, true, "");
        compose_mail(&sent, files, 2, cases[i].language, &vera, false, "");
        buf_printf(&want, "%sNeues aus den Städten", cases[i].mark);
        expect_text_field(&m, "Subject", buf_str(&want));
        struct why why;
        struct words *words;
        assert_int_equal(words_load("", "templates", cases[i].language, &why, &words), 0);
        has(&m.plain, words_get(words, "mail.preview"));
        has(&m.html, words_get(words, "mail.preview"));
        has_not(&sent.plain, words_get(words, "mail.preview"));
        has_not(&sent.html, words_get(words, "mail.preview"));
        (void)words_free(words);
        mail_done(&m);
        mail_done(&sent);
    }
}

static void pages_hold_their_pictures(void **state) {
    AUTOFREE char *path = unit_path(*state, "logo.png");
    assert_int_equal(files_write_new(AT_FDCWD, path, VIEW(PIXEL), 0600), 0);
    AUTOBUF struct buf setting = BUF_INIT(1000), page = BUF_INIT(1 << 20);
    buf_printf(&setting, "logo = %s", path);
    const struct intake_file files[] = {{"a.md", VIEW(HEAD BODY "![x](b.gif) \"cid:other@x\"\n")},
                                        {"b.gif", VIEW("GIF89a")}};
    struct mail m;
    compose_mail(&m, files, 2, "de", &vera, true, buf_str(&setting));
    assert_int_equal(compose_page(m.compiled, &vera, &page), 0);
    has(&page, "src=\"data:image/png;base64,iVBORw0KGgo");
    has(&page, "src=\"data:image/gif;base64,R0lGODlh\"");
    has(&page, "cid:other@x");
    has_not(&page, "cid:logo@");
    has_not(&page, "cid:img1@");
    AUTOBUF struct buf small = BUF_INIT(1000);
    assert_int_equal(compose_page(m.compiled, &vera, &small), -EMSGSIZE);
    mail_done(&m);
    /* Without pictures it is the part as it is sent. */
    const struct intake_file plain = {"a.md", VIEW(HEAD BODY)};
    compose_mail(&m, &plain, 1, "de", &vera, true, "");
    buf_clear(&page);
    assert_int_equal(compose_page(m.compiled, &vera, &page), 0);
    assert_true(view_eq(buf_view(&page), buf_view(&m.html)));
    mail_done(&m);
}

static void damaged_bundles(void **state) {
    (void)state;
    struct mail m;
    struct compiled *c = NULL;
    struct why why;
    const struct compile_options options = {0};
    const struct intake_file file = {"a.md", VIEW(HEAD "attach = b\n[event]\nstart = 2.9.2025\n" BODY "![x](c.png)\n")};
    const struct intake_file files[] = {file, {"b", VIEW("x")}, {"c.png", VIEW(PIXEL)}};
    compose_mail(&m, files, 3, "de", &vera, false, "");
    assert_int_equal(compile(&m.made.result.bundle, "fr", &options, &why, &c), -EINVAL);
    assert_non_null(strstr(why.what, "no text in this language"));
    /* Without any one of its files it is refused, or goes on; it never goes wrong. */
    for (size_t i = 0; i < m.made.result.bundle.count; i++) {
        struct bundle b;
        bundle_init(&b);
        for (size_t n = 0; n < m.made.result.bundle.count; n++)
            if (n != i)
                assert_int_equal(
                    bundle_add(&b, m.made.result.bundle.files[n].path, m.made.result.bundle.files[n].content), 0);
        const char *path = m.made.result.bundle.files[i].path;
        why = (struct why){0};
        int r = compile(&b, "de", &options, &why, &c);
        bool optional = view_ends(view_of(path), "mail.html") || view_ends(view_of(path), "mail.txt") ||
                        view_ends(view_of(path), "words.ini");
        if (!optional)
            unit_int(path, r, -EINVAL);
        unit_int(path, r == 0 || why.what[0], true);
        if (r == 0)
            c = compiled_free(c);
        bundle_done(&b);
    }
    mail_done(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_demo_in_every_language),
        cmocka_unit_test(kinds_of_mails),
        cmocka_unit_test(attachments_keep_names_and_bytes),
        cmocka_unit_test(images_have_a_width),
        cmocka_unit_test_setup_teardown(logos, unit_folder, unit_folder_gone),
        cmocka_unit_test(hostile_people),
        cmocka_unit_test(hostile_announcements),
        cmocka_unit_test(subjects_with_fields),
        cmocka_unit_test(calendar_files),
        cmocka_unit_test(composing_is_a_function_of_its_arguments),
        cmocka_unit_test(bare_recipients),
        cmocka_unit_test(international_senders),
        cmocka_unit_test(readers_clocks),
        cmocka_unit_test(previews),
        cmocka_unit_test_setup_teardown(pages_hold_their_pictures, unit_folder, unit_folder_gone),
        cmocka_unit_test(damaged_bundles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
