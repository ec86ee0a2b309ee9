/* Announcements checked whole: everything wrong with its file and line, or the facts. */
#include "intake_helper.h"

#include "announce/draft.h"
#include "mail/merge.h"

/* Rows of the tables leave out what is usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum { FILES = 4 };

struct a_case {
    const char *name;
    struct intake_file files[FILES];
    const char *want;
    const char *list; /* NULL: twins; "": from the file */
    int64_t send_at;
    bool allow_past;
};

static void expect(const struct a_case *c) {
    struct intake_made m;
    AUTOBUF struct buf got = BUF_INIT(1 << 20);
    const struct intake_options options = {.lists = !c->list     ? "twins"
                                                    : c->list[0] ? c->list
                                                                 : NULL,
                                           .send_at_usec = c->send_at,
                                           .allow_past = c->allow_past};
    intake_make(&m, c->files, FILES, &options, "");
    intake_show(&m.problems, &got);
    unit_str(c->name, buf_str(&got), c->want);
    unit_int(c->name, m.error, m.problems.errors ? -EINVAL : 0);
    unit_int(c->name, m.result.bundle.count > 0, m.error == 0);
    intake_made_done(&m);
}

#define HI "\n{{salutation}},\n\ntext\n"
#define SUBJECT "[announcement]\nsubject = x\n"
#define ONE(text)                                                                                                      \
    {                                                                                                                  \
        { "a.md", TEXT(text) }                                                                                         \
    }

static void heads(void **state) {
    (void)state;
    static const struct a_case cases[] = {
        {"fine", ONE(SUBJECT "---" HI), ""},
        {"a typo", ONE(SUBJECT "[event]\nstrat = 2.9.2025\n---" HI), "a.md:4:unknown-key(strat)?start"},
        {"recurring", ONE(SUBJECT "send-before = 14d\n[event]\nstart = 2.9.1995\nrepeat = yearly\n---" HI), ""},
        {"recurring, over", ONE(SUBJECT "[event]\nstart = 2.9.1995\nrepeat = FREQ=YEARLY;COUNT=3\n---" HI),
         "a.md:5:repeat-over(FREQ=YEARLY;COUNT=3)"},
        {"recurring too often", ONE(SUBJECT "[event]\nstart = 2.9.2025\nrepeat = FREQ=SECONDLY\n---" HI),
         "a.md:5:bad-repeat(FREQ=SECONDLY|the repetition's FREQ=SECONDLY is not served)"},
        {"recurring, with moments of one date",
         ONE(SUBJECT "send-at = 1.9.2025\nsend-until = 3.9.2025\n[event]\nstart = 2.9.2025\nrepeat = weekly\n---" HI),
         "a.md:3:not-with-repeat([announcement] send-at) a.md:4:not-with-repeat([announcement] send-until)"},
        {"recurring from no date", ONE(SUBJECT "[event]\nrepeat = weekly\n---" HI), "a.md:start-missing"},
        {"days before", ONE(SUBJECT "send-before = 2w\n[event]\nstart = 2.9.2025\n---" HI), ""},
        {"days before, passed", ONE(SUBJECT "send-before = 14d\n[event]\nstart = 9.8.2025\n---" HI),
         "a.md:3:send-before-past(14d)"},
        {"days before, passed and so meant",
         ONE(SUBJECT "late = yes\nsend-before = 14d\n[event]\nstart = 9.8.2025\n---" HI), ""},
        {"hours before", ONE(SUBJECT "send-before = 36h\n[event]\nstart = 2.9.2025\n---" HI), "a.md:3:bad-days(36h)"},
        {"too many days before", ONE(SUBJECT "send-before = 367d\n[event]\nstart = 2.9.2027\n---" HI),
         "a.md:3:bad-days(367d)"},
        {"days before nothing", ONE(SUBJECT "send-before = 14d\n---" HI), "a.md:3:send-before-no-event"},
        {"days before, and a moment",
         ONE(SUBJECT "send-before = 14d\nsend-at = 20.8.2025\n[event]\nstart = 2.9.2025\n---" HI),
         "a.md:3:send-before-and-at"},
        {"a filter", ONE(SUBJECT "only = country = \"FR\" or tag has \"funding\"\n---" HI), ""},
        {"a filter with a fault", ONE("---\n" SUBJECT "only  =\tcountry == \"FR\"\n---" HI),
         "a.md:4:17:filter-operator(country)?="},
        {"behind letters of two bytes", ONE(SUBJECT "only = ö = ü u = x\n---" HI), "a.md:3:14:filter-join(u)"},
        {"a filter in a translation",
         {{"a.md", TEXT(SUBJECT "---" HI)}, {"a.uk.md", TEXT("[announcement]\nonly = a = b\n---" HI)}},
         "a.uk.md:2:translation-key(only)"},
        {"a filter and other faults", ONE("[announcement]\nonly = (a = b\nsend-at = soon\n---" HI),
         "a.md:subject-missing a.md:3:not-a-date(soon) a.md:2:8:filter-bracket-open"},
        {"a language of a filter", ONE(SUBJECT "only = language = \"Klingonisch!\"\n---" HI),
         "a.md:3:19:filter-language(Klingonisch!)"},
        {"no subject", ONE("[announcement]\nlate = no\n---" HI), "a.md:subject-missing"},
        {"no body", ONE(SUBJECT "---\n \n"), "a.md:4:body-empty !a.md:4:salutation-missing"},
        {"no list", ONE(SUBJECT "---" HI), "a.md:no-list", ""},
        {"list of the file", ONE(SUBJECT "list = twins\n---" HI), "", ""},
        {"unknown list", ONE(SUBJECT "list = twin\n---" HI), "a.md:3:unknown-list(twin)?twins", ""},
        {"several lists", ONE(SUBJECT "list = twins, lisbon\n---" HI), "", ""},
        {"as the command says", ONE(SUBJECT "list = twins, lisbon\n---" HI), "", "lisbon,twins"},
        {"fewer than the command says", ONE(SUBJECT "list = twins\n---" HI), "a.md:3:other-list(twins|lisbon, twins)",
         "lisbon, twins"},
        {"more", ONE(SUBJECT "list = twins, lisbon\n---" HI), "a.md:3:other-list(twins, lisbon|twins)"},
        {"twice", ONE(SUBJECT "list = twins, lisbon,twins\n---" HI), "a.md:3:list-twice(twins)", ""},
        {"one is unknown", ONE(SUBJECT "list = twins, lisbn\n---" HI), "a.md:3:unknown-list(lisbn)?lisbon", ""},
        {"none between commas", ONE(SUBJECT "list = twins,, lisbon\n---" HI), "a.md:3:no-list", ""},
        {"of two senders", ONE(SUBJECT "---" HI), "a.md:lists-of-senders(twins|club)", "twins, club"},
        {"by two relays", ONE(SUBJECT "---" HI), "a.md:lists-of-relays(twins|donors)", "twins,donors"},
        {"a name that each must allow", ONE(SUBJECT "list = twins, lisbon\nfrom-name = Lissabon\n---" HI),
         "a.md:4:from-name-not-allowed(Lissabon|Koordinierungsstelle Städtepartnerschaften)", ""},
        {"of another list", ONE(SUBJECT "list = lisbon\n---" HI), "a.md:3:other-list(lisbon|twins)"},
        {"the same list", ONE(SUBJECT "list = twins\n---" HI), ""},
        {"template", ONE(SUBJECT "template = workshop\n---" HI), ""},
        {"no such template", ONE(SUBJECT "template = gala\n---" HI), "a.md:3:no-template(gala.html|de)"},
        {"a template elsewhere", ONE(SUBJECT "template = ../de/x\n---" HI), "a.md:3:no-template(../de/x.html|de)"},
        {"late is yes or no", ONE(SUBJECT "late = perhaps\n---" HI), "a.md:3:not-yes-or-no(perhaps)"},
        {"no greeting", ONE(SUBJECT "---\ntext\n"), "!a.md:4:salutation-missing"},
        {"a greeting with blanks", ONE(SUBJECT "---\n{{ salutation }},\n"), ""},
        {"a greeting in three braces", ONE(SUBJECT "---\n{{{salutation}}},\n"), ""},
        {"greeted twice", ONE(SUBJECT "---\n\nSehr geehrte Damen und Herren,\n\n{{salutation}},\n"),
         "!a.md:5:salutation-twice"},
        {"a word that begins like a greeting", ONE(SUBJECT "---\n{{salutation}},\n\nLieblingsbücher sind\n"), ""},
        {"windows-1252", ONE("[announcement]\nsubject = F\xf6rderung\n---" HI), "!a.md:read-as-windows-1252"},
        {"CR LF and BOM", ONE("\xef\xbb\xbf[announcement]\r\nsubject = x\r\n---\r\n{{salutation}},\r\n"), ""},
        {"a leading line", ONE("---\n" SUBJECT "---" HI), ""},
        {"not a text", ONE("\0\0\0"), "a.md:not-text a.md:subject-missing"},
        {"a .md.txt", {{"a.md.txt", TEXT(SUBJECT "---" HI)}}, ""},
        {"a .txt", {{"A.TXT", TEXT(SUBJECT "---" HI)}}, ""},
        {"many at once",
         ONE("[announcement]\nsubject = {{nam}}\nsend-at = 31.2.2026\nfoo = x\n[event]\nstart = soon\nurl = www.x\n"
             "[contact]\nmail = nobody\n---\n{{salutaton}} {{event.plac}} {{event.start}}\n"),
         "a.md:4:unknown-key(foo) a.md:title-missing a.md:6:not-a-date(soon) a.md:3:no-such-day(31.2.2026) "
         "a.md:9:bad-address(nobody) a.md:7:bad-url(www.x) a.md:2:unknown-field(nam)?name "
         "a.md:11:unknown-field(salutaton)?salutation a.md:11:unknown-field(event.plac)"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect(&cases[i]);
}

static void fields(void **state) {
    (void)state;
    static const struct a_case cases[] = {
        {"of every kind",
         ONE(SUBJECT
             "[contact]\nname = y\n---\n{{salutation}} {{name}} {{given_name}} {{family_name}} {{organisation}} "
             "{{email}} {{language}} {{attr.ort}} {{list.title}} {{subject}} {{contact.name}} {{sender.name}} "
             "{{url.unsubscribe}} {{#attr.ort}}x{{/attr.ort}}\n"),
         ""},
        {"of the event", ONE(SUBJECT "[event]\nstart = 2.9.2025 10:00\n---\n{{salutation}} {{event.when}}\n"), ""},
        {"near names", ONE(SUBJECT "---\n{{salutation}}\n{{salutatoin}}\n{{sender.nam}}\n{{x}}\n"),
         "a.md:5:unknown-field(salutatoin)?salutation a.md:6:unknown-field(sender.nam)?sender.name "
         "a.md:7:unknown-field(x)"},
        {"not served", ONE(SUBJECT "---\n{{salutation}} {{url.rsvp}} {{event.years}}\n"),
         "a.md:4:field-not-served(url.rsvp) a.md:4:field-needs-repeat(event.years)"},
        {"of a list without an archive", ONE(SUBJECT "---\n{{salutation}} {{url.archive}}\n"), ""},
        {"in the subject", ONE("[announcement]\nsubject = Für {{name}} in {{ort}}\n---" HI),
         "a.md:2:unknown-field(ort)"},
        {"the subject in itself", ONE("[announcement]\nsubject = {{subject}}\n---" HI),
         "a.md:2:unknown-field(subject)"},
        {"unclosed", ONE(SUBJECT "---\n{{salutation}}\n\n{{name\n"), "a.md:6:unclosed-tag"},
        {"unclosed section", ONE(SUBJECT "---\n{{salutation}}\n{{#name}}x\n"), "a.md:5:unclosed-field-section(name)"},
        {"unopened section", ONE(SUBJECT "---\n{{salutation}}\nx{{/name}}\n"), "a.md:5:unopened-field-section(name)"},
        {"wrong end", ONE(SUBJECT "---\n{{salutation}}\n{{#name}}x{{/email}}\n"), "a.md:5:wrong-field-end(email)"},
        {"crossing", ONE(SUBJECT "---\n{{salutation}}\n\na {{#name}} b\n\nc {{/name}} d\n"),
         "a.md:6:section-crossing(name)"},
        {"a partial", ONE(SUBJECT "---\n{{salutation}}\n{{> footer}}\n"), "a.md:5:tag-not-served(footer)"},
        {"the words of templates", ONE(SUBJECT "---\n{{salutation}} {{words.mail.when}}\n"),
         "a.md:4:unknown-field(words.mail.when)"},
        {"the text in itself", ONE(SUBJECT "---\n{{salutation}} {{{body}}}\n"), "a.md:4:unknown-field(body)"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect(&cases[i]);
}

static void events(void **state) {
    (void)state;
#define EVENT(keys) ONE(SUBJECT "[event]\n" keys "---" HI)
    static const struct a_case cases[] = {
        {"fine", EVENT("start = 2.9.2025 10:00\nend = 2.9.2025 15:30\n"), ""},
        {"no end", EVENT("start = 2025-09-02 10:00\n"), ""},
        {"all day", EVENT("start = 2.9.2025\nend = 4.9.2025\n"), ""},
        {"no start", EVENT("location = Hildesheim\n"), "a.md:start-missing"},
        {"not a date", EVENT("start = next week\n"), "a.md:4:not-a-date(next week)"},
        {"ambiguous", EVENT("start = 2/9/2025\n"), "a.md:4:not-a-date(2/9/2025)"},
        {"no such day", EVENT("start = 31.9.2025\n"), "a.md:4:no-such-day(31.9.2025)"},
        {"no such time", EVENT("start = 2.9.2025 25:00\n"), "a.md:4:no-such-time(2.9.2025 25:00)"},
        {"in the gap", EVENT("start = 29.3.2026 02:30\n"), "a.md:4:clock-change(29.3.2026 02:30|Europe/Berlin)"},
        {"an end in the gap", EVENT("start = 28.3.2026 02:30\nend = 29.3.2026 02:30\n"),
         "a.md:5:clock-change(29.3.2026 02:30|Europe/Berlin)"},
        {"in the overlap", EVENT("start = 25.10.2026 02:30\n"), ""},
        {"no gap there", EVENT("start = 29.3.2026 02:30\ntimezone = Asia/Tokyo\n"), ""},
        {"the list's zone has its own gap", EVENT("start = 29.3.2026 01:30\n"),
         "a.md:4:clock-change(29.3.2026 01:30|Europe/Lisbon)", "lisbon"},
        {"bad zone", EVENT("start = 2.9.2025\ntimezone = Berlin\n"), "a.md:5:bad-zone(Berlin)"},
        {"end before start", EVENT("start = 2.9.2025 10:00\nend = 2.9.2025 09:59\n"), "a.md:5:end-before-start"},
        {"end is start", EVENT("start = 2.9.2025 10:00\nend = 2.9.2025 10:00\n"), ""},
        {"last day before the first", EVENT("start = 3.9.2025\nend = 1.9.2025\n"), "a.md:5:end-before-start"},
        {"one day", EVENT("start = 3.9.2025\nend = 3.9.2025\n"), ""},
        {"a time alone", EVENT("start = 2.9.2025 10:00\nend = 15:30\n"), "a.md:5:end-without-date(15:30)"},
        {"of two kinds", EVENT("start = 2.9.2025 10:00\nend = 3.9.2025\n"), "a.md:5:end-of-other-kind"},
        {"past", EVENT("start = 4.8.2025 08:00\nend = 4.8.2025 10:00\n"), "a.md:4:event-past(4.8.2025 08:00)"},
        {"going on", EVENT("start = 4.8.2025 08:00\nend = 4.8.2025 10:01\n"), ""},
        {"today", EVENT("start = 4.8.2025\n"), ""},
        {"yesterday", EVENT("start = 3.8.2025\n"), "a.md:4:event-past(3.8.2025)"},
        {"yesterday, for a look", EVENT("start = 3.8.2025\n"), "", .allow_past = true},
        {"past, and meant", ONE(SUBJECT "late = yes\n[event]\nstart = 3.8.2025\n---" HI), ""},
        {"past, and not meant", ONE(SUBJECT "late = no\n[event]\nstart = 3.8.2025\n---" HI),
         "a.md:5:event-past(3.8.2025)"},
        {"url", EVENT("start = 2.9.2025\nurl = partner.example\n"), "a.md:5:bad-url(partner.example)"},
        {"script", EVENT("start = 2.9.2025\nurl = javascript:alert(1)\n"), "a.md:5:bad-url(javascript:alert(1))"},
        {"url with blanks", EVENT("start = 2.9.2025\nurl = https://a.example/x y\n"),
         "a.md:5:bad-url(https://a.example/x y)"},
        {"no title, and a subject with fields",
         ONE("[announcement]\nsubject = Für {{name}}\n[event]\nstart = 2.9.2025\n---" HI), "a.md:title-missing"},
        {"a title, and a subject with fields",
         ONE("[announcement]\nsubject = Für {{name}}\n[event]\ntitle = x\nstart = 2.9.2025\n---" HI), ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect(&cases[i]);
}

static void sending(void **state) {
    (void)state;
    static const struct a_case cases[] = {
        {"later", ONE(SUBJECT "send-at = 5.8.2025 09:00\n---" HI), ""},
        {"a date alone", ONE(SUBJECT "send-at = 5.8.2025\n---" HI), ""},
        {"past", ONE(SUBJECT "send-at = 4.8.2025 09:58\n---" HI), "a.md:3:send-at-past(4.8.2025 09:58)"},
        {"this minute", ONE(SUBJECT "send-at = 4.8.2025 09:59\n---" HI), ""},
        {"past, and meant", ONE(SUBJECT "late = yes\nsend-at = 4.8.2025 09:00\n---" HI), ""},
        {"past, but the command says when", ONE(SUBJECT "send-at = 4.8.2025 09:00\n---" HI), "",
         .send_at = INTAKE_NOW + 1},
        {"no date", ONE(SUBJECT "send-at = tomorrow\n---" HI), "a.md:3:not-a-date(tomorrow)"},
        {"in the gap", ONE(SUBJECT "send-at = 29.3.2026 02:30\n---" HI),
         "a.md:3:clock-change(29.3.2026 02:30|Europe/Berlin)"},
        {"until before at", ONE(SUBJECT "send-at = 5.8.2025\nsend-until = 4.8.2025\n---" HI),
         "a.md:4:send-until-early"},
        {"until the end of the day", ONE(SUBJECT "send-at = 5.8.2025\nsend-until = 5.8.2025\n---" HI), ""},
        {"until in the past, late or not", ONE(SUBJECT "late = yes\nsend-until = 3.8.2025\n---" HI),
         "a.md:4:send-until-early"},
        {"after the event", ONE(SUBJECT "send-at = 3.9.2025\n[event]\nstart = 2.9.2025\n---" HI),
         "a.md:3:send-after-event"},
        {"after the event by command", ONE(SUBJECT "[event]\nstart = 5.8.2025\n---" HI), "a.md:send-after-event",
         .send_at = INTAKE_NOW + INT64_C(10) * 86400 * 1000000},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect(&cases[i]);
}

static void people(void **state) {
    (void)state;
    static const struct a_case cases[] = {
        {"contact", ONE(SUBJECT "[contact]\nname = A\nphone = +49 511 000000\nmail = a@partner.example\n---" HI), ""},
        {"international domain", ONE(SUBJECT "[contact]\nmail = a@städte.example\n---" HI), ""},
        {"bad address", ONE(SUBJECT "[contact]\nmail = a@@partner.example\n---" HI),
         "a.md:4:bad-address(a@@partner.example)"},
        {"not for everyone", ONE(SUBJECT "[contact]\nmail = ä@partner.example\n---" HI),
         "a.md:4:bad-address(ä@partner.example)"},
        {"sender's name", ONE(SUBJECT "from-name = Netzwerk Städtepartnerschaften\n---" HI), ""},
        {"the list's title", ONE(SUBJECT "from-name = Städtepartnerschaften\n---" HI), ""},
        {"another name", ONE(SUBJECT "from-name = Der Papst\n---" HI),
         "a.md:3:from-name-not-allowed(Der Papst|Koordinierungsstelle Städtepartnerschaften)"},
        {"answers to the sender", ONE(SUBJECT "reply-to = Kontakt@partnerschaften.example\n---" HI), ""},
        {"answers to a coordinator", ONE(SUBJECT "reply-to = vera@coordinators.example\n---" HI), ""},
        {"answers to the contact",
         ONE(SUBJECT "reply-to = a@partner.example\n[contact]\nmail = a@partner.example\n---" HI), ""},
        {"answers to others", ONE(SUBJECT "reply-to = a@other.example\n---" HI),
         "a.md:3:reply-to-not-allowed(a@other.example)"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect(&cases[i]);
}

static void translations(void **state) {
    (void)state;
#define FIRST                                                                                                          \
    { "a.md", TEXT(SUBJECT "[event]\nstart = 2.9.2025\n---" HI) }
    static const struct a_case cases[] = {
        {"fine", {FIRST, {"a.fr.md", TEXT("[announcement]\nsubject = y\n---\n{{salutation}},\n")}}, ""},
        {"nothing differs but the text", {FIRST, {"a.fr.md", TEXT("[event]\n---\n{{salutation}},\n")}}, ""},
        {"forbidden keys",
         {FIRST,
          {"a.fr.md", TEXT("[announcement]\nsend-at = 5.8.2025\nlist = x\n[event]\nstart = 3.9.2025\n"
                           "timezone = UTC\n---\n{{salutation}},\n")}},
         "a.fr.md:2:translation-key(send-at) a.fr.md:3:translation-key(list) a.fr.md:5:translation-key(start) "
         "a.fr.md:6:translation-key(timezone)"},
        {"of the list's own language",
         {FIRST, {"a.de.md", TEXT("[event]\n---\nx\n")}},
         "a.de.md:translation-twice(de)"},
        {"not a language of the list",
         {{"a.md", TEXT(SUBJECT "---" HI)}, {"a.fr.md", TEXT("[event]\n---" HI)}},
         "a.fr.md:translation-not-listed(fr|lisbon)",
         "lisbon"},
        {"without a text",
         {FIRST, {"a.fr.md", TEXT("[announcement]\nsubject = y\n---\n")}},
         "a.fr.md:4:body-empty !a.fr.md:4:salutation-missing"},
        {"each fault in its file",
         {FIRST,
          {"a.fr.md", TEXT("[event]\nurl = x\n---\n{{salutation}} {{nom}}\n")},
          {"a.pl.md", TEXT("[contact]\nmail = x\n---\ntext\n")}},
         "a.fr.md:2:bad-url(x) a.pl.md:2:bad-address(x) a.fr.md:4:unknown-field(nom)?name "
         "!a.pl.md:4:salutation-missing"},
        {"its own attachment",
         {FIRST,
          {"a.fr.md", TEXT("[announcement]\nattach = b.pdf, c.pdf\n---\n{{salutation}}\n")},
          {"b.pdf", TEXT("x")}},
         "a.fr.md:2:attachment-missing(c.pdf)?b.pdf"},
        {"greeted twice in French",
         {FIRST, {"a.fr.md", TEXT("[event]\n---\nMesdames, Messieurs,\n{{salutation}},\n")}},
         "!a.fr.md:3:salutation-twice"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect(&cases[i]);
}

static void attachments_and_images(void **state) {
    (void)state;
    static const struct a_case cases[] = {
        {"there", {{"a.md", TEXT(SUBJECT "attach = b.pdf\n---" HI)}, {"b.pdf", TEXT("%PDF-")}}, ""},
        {"missing",
         {{"a.md", TEXT(SUBJECT "attach = programe.pdf\n---" HI)}, {"programme.pdf", TEXT("%PDF-")}},
         "a.md:3:attachment-missing(programe.pdf)?programme.pdf"},
        {"missing once for all languages",
         {{"a.md", TEXT(SUBJECT "attach = zzz\n---" HI)}, {"a.fr.md", TEXT("[event]\n---" HI)}},
         "a.md:3:attachment-missing(zzz)"},
        {"blocked",
         {{"a.md", TEXT(SUBJECT "attach = b.EXE, c.js\n---" HI)}, {"b.EXE", TEXT("MZ")}, {"c.js", TEXT("x")}},
         "a.md:3:attachment-blocked(b.EXE) a.md:3:attachment-blocked(c.js)"},
        {"decomposed",
         {{"a.md", TEXT(SUBJECT "attach = Plan\u0308e.pdf\n---" HI)}, {"Plan\u0308e.pdf", TEXT("x")}},
         ""},
        {"composed", {{"a.md", TEXT(SUBJECT "attach = Pla\u0308ne.pdf\n---" HI)}, {"Pläne.pdf", TEXT("x")}}, ""},
        {"an image", {{"a.md", TEXT(SUBJECT "---" HI "![Karte](b.png)\n")}, {"b.png", TEXT(PNG)}}, ""},
        {"an image decomposed",
         {{"a.md", TEXT(SUBJECT "---" HI "![x](Bu\u0308ro.png)\n")}, {"Büro.png", TEXT(PNG)}},
         ""},
        {"an image with blanks", {{"a.md", TEXT(SUBJECT "---" HI "![x](a%20b.png)\n")}, {"a b.png", TEXT(PNG)}}, ""},
        {"a missing image",
         {{"a.md", TEXT(SUBJECT "---" HI "\n![Karte](mpa.png)\n")}, {"map.png", TEXT(PNG)}},
         "a.md:8:image-missing(mpa.png)?map.png"},
        {"missing in both texts",
         {{"a.md", TEXT(SUBJECT "---" HI "![x](b.png)\n")}, {"a.fr.md", TEXT("[event]\n---" HI "![y](b.png)\n")}},
         "a.md:7:image-missing(b.png) a.fr.md:6:image-missing(b.png)"},
        {"not an image",
         {{"a.md", TEXT(SUBJECT "---" HI "![x](b.png)\n")}, {"b.png", TEXT("<svg>")}},
         "a.md:7:image-type(b.png)"},
        {"elsewhere", ONE(SUBJECT "---" HI "![x](https://a.example/b.png) ![y](maps/b.png) ![z](./c.png)\n"),
         "!a.md:7:image-elsewhere(https://a.example/b.png) !a.md:7:image-elsewhere(maps/b.png) "
         "!a.md:7:image-elsewhere(./c.png)"},
        {"links",
         ONE(SUBJECT "---" HI "[a](https://a.example/%0A) [b](mailto:a@b.example) [c]({{url.unsubscribe}})\n"
                     "[d](b.pdf)\n[e](javascript:x)\n"),
         "!a.md:8:link-dropped(b.pdf) !a.md:9:link-dropped(javascript:x)"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect(&cases[i]);
}

static void sizes(void **state) {
    (void)state;
    AUTOBUF struct buf bytes = BUF_INIT(200 * 1024), body = BUF_INIT(100 * 1024), attach = BUF_INIT(10000);
    buf_add(&bytes, PNG, sizeof PNG - 1);
    while (bytes.len < 100 * 1024 + 1)
        buf_putc(&bytes, 'x');
    struct view all = buf_view(&bytes), most = view_slice(all, 0, 100 * 1024), half = view_slice(all, 0, 50 * 1024);
    struct a_case cases[] = {
        {"as much as may be", {{"a.md", TEXT(SUBJECT "attach = b\n---" HI)}, {"b", most}}, ""},
        {"a byte more",
         {{"a.md", TEXT(SUBJECT "attach = b\n---" HI)}, {"b", all}},
         "a.md:3:attachments-too-big(0.1|0.1)"},
        {"both count",
         {{"a.md", TEXT(SUBJECT "attach = b\n---" HI "![x](c.png)\n")}, {"b", half}, {"c.png", half}},
         ""},
        {"images count",
         {{"a.md", TEXT(SUBJECT "attach = b\n---" HI "![x](c.png)\n")}, {"b", half}, {"c.png", most}},
         "a.md:3:attachments-too-big(0.1|0.1)"},
        {"what is not sent does not count", {{"a.md", TEXT(SUBJECT "---" HI)}, {"b", all}}, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect(&cases[i]);

    /* 60 KB of text are fine, though Gmail will not show them all as HTML. */
    buf_puts(&body, SUBJECT "---" HI);
    while (body.len < 60 * 1024)
        buf_puts(&body, "Ein Absatz mit *Text* & noch mehr Text.\n\n");
    struct a_case big = {"60 KB", {{"a.md", buf_view(&body)}}, "!a.md:html-clipped"};
    expect(&big);
    while (body.len < 65 * 1024)
        buf_puts(&body, "x\n\n");
    big.files[0].content = buf_view(&body);
    big.want = "a.md:4:body-too-long";
    expect(&big);

    buf_puts(&attach, SUBJECT "attach = ");
    for (int i = 0; i < COMPILE_ATTACHMENTS_MAX; i++)
        buf_puts(&attach, "b,");
    AUTOBUF struct buf more = BUF_INIT(10000);
    buf_printf(&more, "%s, b\n---" HI, buf_str(&attach));
    buf_puts(&attach, "\n---" HI);
    struct a_case many = {"50 attachments", {{"a.md", buf_view(&attach)}, {"b", TEXT("x")}}, ""};
    expect(&many);
    many.files[0].content = buf_view(&more);
    many.want = "a.md:3:too-many-attachments(51|50)";
    expect(&many);

    AUTOBUF struct buf fields_text = BUF_INIT(10000);
    buf_puts(&fields_text, SUBJECT "---" HI);
    for (int i = 0; i < MERGE_FIELDS_MAX; i++)
        buf_printf(&fields_text, "{{attr.x%d}}", i);
    struct a_case too_many = {"fields", {{"a.md", buf_view(&fields_text)}}, "a.md:too-many-fields"};
    expect(&too_many);

    AUTOBUF struct buf subject = BUF_INIT(10000);
    buf_puts(&subject, "[announcement]\nsubject = ");
    for (int i = 0; i < 400; i++)
        buf_putc(&subject, 'x');
    AUTOBUF struct buf longer = BUF_INIT(10000);
    buf_printf(&longer, "%sx\n---" HI, buf_str(&subject));
    buf_puts(&subject, "\n---" HI);
    struct a_case long_subject = {"400 bytes", {{"a.md", buf_view(&subject)}}, ""};
    expect(&long_subject);
    long_subject.files[0].content = buf_view(&longer);
    long_subject.want = "a.md:2:subject-too-long";
    expect(&long_subject);
}

#define ICS(more)                                                                                                      \
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//y//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20250101T000000Z\r\n"    \
    "SUMMARY:Treffen {{name}}\r\n" more "END:VEVENT\r\nEND:VCALENDAR\r\n"

static void calendar_files(void **state) {
    (void)state;
    static const struct a_case cases[] = {
        {"fine", {{"a.ics", TEXT(ICS("DTSTART:20250902T080000Z\r\nDESCRIPTION:{{x}} https://a.example\r\n"))}}, ""},
        {"with a translation",
         {{"a.ics", TEXT(ICS("DTSTART:20250902T080000Z\r\n"))},
          {"a.fr.md", TEXT("[announcement]\nsubject = y\n---\n{{salutation}},\n")}},
         ""},
        {"past", {{"a.ics", TEXT(ICS("DTSTART:20240902T080000Z\r\n"))}}, "a.ics:event-past(2024-09-02 10:00)"},
        {"repeats", {{"a.ics", TEXT(ICS("DTSTART:20250902T080000Z\r\nRRULE:FREQ=YEARLY\r\n"))}}, ""},
        {"without a list", {{"a.ics", TEXT(ICS("DTSTART:20250902T080000Z\r\n"))}}, "a.ics:no-list", ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        expect(&cases[i]);
    /* A time without a zone is the list's. */
    struct intake_made m;
    const struct intake_file floating = {"a.ics", TEXT(ICS("DTSTART:20250902T100000\r\n"))};
    const struct intake_options options = {.lists = "lisbon"};
    intake_make(&m, &floating, 1, &options, "");
    assert_int_equal(m.error, 0);
    assert_string_equal(m.result.event_zone, "Europe/Lisbon");
    intake_made_done(&m);
}

static void say(const struct intake_made *m, const char *language, struct buf *to) {
    struct words *words;
    struct why why;
    assert_int_equal(words_load("", "templates", language, &why, &words), 0);
    intake_say(&m->result, m->conf, words, to);
    (void)words_free(words);
}

static void facts(void **state) {
    (void)state;
    static const struct {
        const char *name, *head, *list, *language, *want;
    } cases[] = {
        {"at once", "", "twins", "de", "Betreff: Fördern\nVersand: sofort nach der Freigabe\n"},
        {"with an event", "[event]\nstart = 2.9.2025 10:00\nend = 2.9.2025 15:30\n", "twins", "de",
         "Betreff: Fördern\nVeranstaltung: Dienstag, 2. September 2025, 10:00 bis 15:30 Uhr\n"
         "Versand: sofort nach der Freigabe\nWiederholungsversuche bis: Dienstag, 2. September 2025, 15:30 Uhr\n"},
        {"scheduled", "send-at = 5.8.2025\n", "twins", "en",
         "Subject: Fördern\nGoes out: Tuesday, 5 August 2025, 9:00\nRetried until: Saturday, 9 August 2025, 9:00\n"},
        {"the event ends it", "send-at = 5.8.2025\n[event]\nstart = 6.8.2025\n", "twins", "en",
         "Subject: Fördern\nEvent: Wednesday, 6 August 2025\nGoes out: Tuesday, 5 August 2025, 9:00\n"
         "Retried until: Thursday, 7 August 2025, 0:00\n"},
        {"until", "send-until = 10.8.2025 12:00\n", "twins", "en",
         "Subject: Fördern\nGoes out: at once after release\nRetried until: Sunday, 10 August 2025, 12:00\n"},
        {"until, and the event ends it", "send-until = 10.8.2025 12:00\n[event]\nstart = 6.8.2025 10:00\n", "twins",
         "en",
         "Subject: Fördern\nEvent: Wednesday, 6 August 2025, 10:00\nGoes out: at once after release\n"
         "Retried until: Wednesday, 6 August 2025, 10:00\n"},
        {"past", "late = yes\n[event]\nstart = 6.8.2024\n", "twins", "en",
         "Subject: Fördern\nEvent: Tuesday, 6 August 2024\nGoes out: at once after release\n"},
        {"in another zone", "send-at = 5.8.2025 10:00\n[event]\nstart = 2.9.2025 10:00\ntimezone = Asia/Tokyo\n",
         "lisbon", "en",
         "Subject: Fördern\nEvent: Tuesday, 2 September 2025, 10:00 (Asia/Tokyo); in your time zone: Tuesday, 2 "
         "September 2025, 2:00 (Europe/Lisbon)\n"
         "Goes out: Tuesday, 5 August 2025, 10:00\nRetried until: Saturday, 9 August 2025, 10:00\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct intake_made m;
        AUTOBUF struct buf text = BUF_INIT(10000), got = BUF_INIT(10000);
        buf_printf(&text, "[announcement]\nsubject = Fördern\n%s---" HI, cases[i].head);
        const struct intake_file file = {"a.md", buf_view(&text)};
        const struct intake_options options = {.lists = cases[i].list};
        intake_make(&m, &file, 1, &options, "");
        intake_show(&m.problems, &got);
        unit_str(cases[i].name, buf_str(&got), "");
        say(&m, cases[i].language, &got);
        unit_str(cases[i].name, buf_str(&got), cases[i].want);
        intake_made_done(&m);
    }
}

static void templates_faults_name_the_template(void **state) {
    const char *folder = *state;
    AUTOFREE char *common = unit_path(folder, "common"), *html = unit_path(folder, "common/announcement.html"),
                  *txt = unit_path(folder, "fr"), *french = unit_path(folder, "fr/announcement.txt"),
                  *de = unit_path(folder, "de"), *words = unit_path(folder, "de/words.ini");
    assert_int_equal(files_make_dir(AT_FDCWD, common, 0700), 0);
    assert_int_equal(files_make_dir(AT_FDCWD, txt, 0700), 0);
    assert_int_equal(files_make_dir(AT_FDCWD, de, 0700), 0);
    assert_int_equal(files_write_new(AT_FDCWD, html, VIEW("<p>\n{{{body}}} {{foo}}\n"), 0600), 0);
    assert_int_equal(files_write_new(AT_FDCWD, french, VIEW("{{{body}}}\n{{#x}}\n"), 0600), 0);
    assert_int_equal(files_write_new(AT_FDCWD, words, VIEW("[mail]\nreason = {{list.tilte}}\n"), 0600), 0);
    AUTOBUF struct buf got = BUF_INIT(10000);
    struct conf *conf = intake_conf("");
    /* Only the folder differs. */
    struct conf changed = *conf;
    changed.templates_local = folder;
    struct bundle b;
    struct source source;
    struct why why;
    static struct problems p;
    struct intake_result result;
    bundle_init(&b);
    assert_int_equal(bundle_add(&b, "a.md", VIEW(SUBJECT "---" HI)), 0);
    assert_int_equal(bundle_add(&b, "a.fr.md", VIEW("[event]\n---" HI)), 0);
    assert_int_equal(source_from(&b, "a.md", &source, &why), 0);
    const struct intake_options options = {.conf = &changed, .lists = "twins", .now_usec = INTAKE_NOW};
    problems_init(&p);
    assert_int_equal(intake_check(&source, &options, &p, &result), -EINVAL);
    intake_show(&p, &got);
    assert_string_equal(buf_str(&got), "words.ini (de), [mail] reason:unknown-field(list.tilte)?list.title "
                                       "announcement.html:2:unknown-field(foo) "
                                       "announcement.txt:2:unclosed-field-section(x)");
    problems_done(&p);
    source_done(&source);
    bundle_done(&b);
    (void)conf_unref(conf);
}

static void logos(void **state) {
    const char *folder = *state;
    AUTOFREE char *png = unit_path(folder, "logo.png"), *text = unit_path(folder, "logo.txt"),
                  *none = unit_path(folder, "none.png"), *big = unit_path(folder, "big.png");
    AUTOBUF struct buf picture = BUF_INIT(1 << 20);
    buf_add(&picture, PNG, sizeof PNG - 1);
    assert_int_equal(files_write_new(AT_FDCWD, png, buf_view(&picture), 0600), 0);
    assert_int_equal(files_write_new(AT_FDCWD, text, VIEW("not a picture"), 0600), 0);
    while (picture.len <= INTAKE_LOGO_MAX_BYTES)
        buf_putc(&picture, 'x');
    assert_int_equal(files_write_new(AT_FDCWD, big, buf_view(&picture), 0600), 0);
    const struct {
        const char *logo;
        bool bundled, warned;
    } cases[] = {{png, true, false},
                 {text, false, true},
                 {none, false, true},
                 {big, false, true},
                 {"https://partnerschaften.example/logo.png", false, false},
                 {"", false, false}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct intake_made m;
        AUTOBUF struct buf setting = BUF_INIT(10000), got = BUF_INIT(10000), want = BUF_INIT(10000);
        const struct intake_file file = {"a.md", TEXT(SUBJECT "---" HI)};
        const struct intake_options options = {.lists = "twins"};
        if (cases[i].logo[0])
            buf_printf(&setting, "logo = %s", cases[i].logo);
        intake_make(&m, &file, 1, &options, buf_str(&setting));
        intake_show(&m.problems, &got);
        if (cases[i].warned)
            buf_printf(&want, "!logo-unusable(%s)", cases[i].logo);
        unit_str(cases[i].logo, buf_str(&got), buf_str(&want));
        unit_int(cases[i].logo, m.error, 0);
        unit_int(cases[i].logo, bundle_get(&m.result.bundle, "logo").ptr != NULL, cases[i].bundled);
        intake_made_done(&m);
    }
}

static int earlier_event(void *user, const struct conf_list *list, const char *name, struct arena *arena,
                         const char **ret_uid, unsigned *ret_sequence) {
    assert_string_equal(list->name, "twins");
    assert_string_equal(name, "a");
    *ret_uid = arena_strdup(arena, "earlier@x.example");
    *ret_sequence = 4;
    return *(int *)user;
}

/* A folder's list is one of those that the file names; theirs is the order, and the first one's the zone and language. */
static void lists_of_a_folder(void **state) {
    (void)state;
    const struct intake_file file = {"a.md",
                                     TEXT(SUBJECT "list = lisbon, twins\n[event]\nstart = 2.9.2025 10:00\n---" HI)};
    struct intake_options options = {.lists = "twins", .lists_are_folder = true};
    struct intake_made m;
    struct why why;
    intake_make(&m, &file, 1, &options, "");
    assert_int_equal(m.error, 0);
    assert_int_equal(m.result.list_count, 2);
    assert_string_equal(m.result.lists[0]->name, "lisbon");
    assert_string_equal(m.result.event_zone, "Europe/Lisbon");
    AUTOBUF struct buf said = BUF_INIT(10000);
    say(&m, "en", &said);
    assert_non_null(strstr(buf_str(&said), "Lists: lisbon, twins\n"));
    /* Through either: its own List-Id and tone, but one event. */
    static const struct {
        const char *list, *id, *zone;
    } cases[] = {{"lisbon", "<lisbon.partnerschaften.example>", NULL},
                 {"twins", "<twins.partnerschaften.example>", "Europe/Lisbon, UTC+01:00"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const struct compile_options through = {.list = cases[i].list};
        const struct compose_recipient somebody = {.address = VIEW("a@town.example"), .token = VIEW("x")};
        AUTOBUF struct buf mail = BUF_INIT(1 << 20), text = BUF_INIT(1 << 20);
        struct compiled *c = NULL;
        assert_int_equal(compile(&m.result.bundle, "de", &through, &why, &c), 0);
        assert_true(compiled_list(c) == m.result.lists[i]->id);
        assert_int_equal(compose(c, &somebody, &mail), 0);
        assert_int_equal(compose_part(c, &somebody, false, &text), 0);
        assert_non_null(strstr(buf_str(&mail), cases[i].id));
        unit_int(cases[i].list, strstr(buf_str(&text), "Europe/Lisbon") != NULL, cases[i].zone != NULL);
        assert_null(compiled_free(c));
    }
    intake_made_done(&m);
    const struct intake_file other = {"a.md", TEXT(SUBJECT "list = lisbon\n---" HI)};
    intake_make(&m, &other, 1, &options, "");
    assert_int_equal(m.error, -EINVAL);
    intake_made_done(&m);
}

static void what_the_bundle_holds(void **state) {
    (void)state;
    struct intake_made m, other;
    struct bundle_head head;
    struct why why;
    const struct intake_file files[] = {
        {"a.md", TEXT(SUBJECT "attach = b.pdf\n[event]\nstart = 2.9.2025\n---" HI)},
        {"a.fr.md", TEXT("[event]\n---" HI)},
        {"b.pdf", TEXT("%PDF-")},
    };
    const struct intake_file shuffled[] = {files[0], files[2], files[1]};
    int found = 1;
    struct intake_options options = {.lists = "twins", .find_event = earlier_event, .user = &found};
    intake_make(&m, files, 3, &options, "");
    assert_int_equal(m.error, 0);
    static const char *const paths[] = {"bundle.ini",
                                        "settings.ini",
                                        "files/a.md",
                                        "files/a.fr.md",
                                        "files/b.pdf",
                                        "templates/de/words.ini",
                                        "templates/de/mail.html",
                                        "templates/de/mail.txt",
                                        "templates/fr/words.ini",
                                        "templates/fr/mail.html",
                                        "templates/fr/mail.txt"};
    assert_int_equal(m.result.bundle.count, COUNT_OF(paths));
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        unit_int(paths[i], bundle_get(&m.result.bundle, paths[i]).len > 0, true);
    assert_int_equal(bundle_head_read(&m.result.bundle, &head, &why), 0);
    assert_string_equal(head.name, "a");
    assert_string_equal(head.lists[0], "twins");
    assert_string_equal(head.first, "a.md");
    assert_string_equal(head.template, "workshop");
    assert_string_equal(head.uid, "earlier@x.example");
    assert_int_equal(head.sequence, 5);
    assert_int_equal(head.language_count, 2);
    assert_string_equal(head.texts[1], "a.fr.md");
    assert_true(head.created_usec == INTAKE_NOW);

    /* The identity is that of the files, whatever their order and the moment. */
    found = 0;
    options.now_usec = INTAKE_NOW + 1000000;
    intake_make(&other, shuffled, 3, &options, "");
    assert_memory_equal(other.result.head.identity, m.result.head.identity, 32);
    assert_int_equal(other.result.head.sequence, 0);
    assert_true(view_ends(view_of(other.result.head.uid), "@partnerschaften.example"));
    intake_made_done(&other);
    intake_make(&other, files, 2, &options, "");
    intake_made_done(&other);
    const struct intake_file renamed[] = {{"b.md", files[0].content}, {"b.fr.md", files[1].content}, files[2]};
    options.find_event = NULL;
    intake_make(&other, renamed, 3, &options, "");
    assert_memory_not_equal(other.result.head.identity, m.result.head.identity, 32);
    intake_made_done(&other);
    intake_made_done(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),
        cmocka_unit_test(fields),
        cmocka_unit_test(events),
        cmocka_unit_test(sending),
        cmocka_unit_test(people),
        cmocka_unit_test(translations),
        cmocka_unit_test(attachments_and_images),
        cmocka_unit_test(sizes),
        cmocka_unit_test(calendar_files),
        cmocka_unit_test(facts),
        cmocka_unit_test_setup_teardown(templates_faults_name_the_template, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(logos, unit_folder, unit_folder_gone),
        cmocka_unit_test(lists_of_a_folder),
        cmocka_unit_test(what_the_bundle_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
