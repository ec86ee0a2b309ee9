/* Whole announcements from anywhere: a text (or a calendar), its translation and a picture, parted by the byte 1C. What
 * passes intake is composed for a reader whose record is hostile too, and the mail keeps the rules of the wire and has
 * the fields that it always has. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/apart_here.h"
#include "announce/compile.h"
#include "announce/intake.h"
#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char settings[] =
    "[daemon]\ntemplates = %s/templates\nlocal-templates = /nonexistent\ntimezone = Europe/Berlin\n"
    "[relay main]\nurl = smtp://127.0.0.1:2525\ntls = none\n"
    "[sender office]\nname = Büro\naddress = office@partnerschaften.example\n"
    "public-url = https://rundbrief.partnerschaften.example\nreply-to = a@partnerschaften.example\n"
    "[list twins]\nsender = office\ntitle = Städte\nlanguages = en, fr\n";

static void expect(bool truth) {
    if (!truth)
        abort();
}

static void on_error(void *user, const struct why *why) {
    (void)user;
    (void)fprintf(stderr, "%s: %s\n", why->where, why->what);
}

static struct conf *configuration(void) {
    static struct conf *conf; /* for the life of the program */
    if (!conf) {
        AUTOFREE char *here = realpath(".", NULL);
        AUTOBUF struct buf ini = BUF_INIT(10000);
        buf_printf(&ini, settings, here);
        expect(conf_parse(buf_view(&ini), "fuzz.ini", on_error, NULL, &conf) == 0);
    }
    return conf;
}

static bool read_source(struct view rest, struct source *ret) {
    static const char *const names[] = {NULL, "a.fr.md", "b.png"};
    struct bundle files;
    struct why why;
    struct view part;
    const char *first = view_starts(rest, "BEGIN:") ? "a.ics" : "a.md";
    bundle_init(&files);
    for (size_t i = 0; i < COUNT_OF(names) && view_split(&rest, '\x1c', &part); i++)
        expect(bundle_add(&files, i ? names[i] : first, part) == 0);
    bool ok = source_from(&files, first, ret, &why) == 0;
    bundle_done(&files);
    return ok;
}

static void check_header(struct view head) {
    static const char *const known[] = {"From",
                                        "To",
                                        "Subject",
                                        "Date",
                                        "Message-ID",
                                        "Reply-To",
                                        "List-Id",
                                        "List-Unsubscribe",
                                        "List-Owner",
                                        "List-Help",
                                        "Precedence",
                                        "List-Unsubscribe-Post",
                                        "Content-Type",
                                        "MIME-Version",
                                        "X-Auto-Response-Suppress"};
    struct view line;
    while (view_line(&head, &line)) {
        if (view_starts(line, " ") || view_starts(line, "\t"))
            continue;
        bool found = false;
        for (size_t i = 0; i < COUNT_OF(known); i++)
            found = found || view_eq_str(view_slice(line, 0, view_find(line, ':')), known[i]);
        expect(found);
    }
}

static void check_mail(struct view mail) {
    size_t column = 0;
    for (size_t i = 0; i < mail.len; i++) {
        unsigned char c = (unsigned char)mail.ptr[i];
        expect(c > 0 && c < 0x80);
        expect(c != '\r' || (i + 1 < mail.len && mail.ptr[i + 1] == '\n'));
        expect(c != '\n' || (i > 0 && mail.ptr[i - 1] == '\r'));
        column = c == '\n' ? 0 : column + 1;
        expect(column <= 999); /* with the CR */
    }
    check_header(view_slice(mail, 0, view_search(mail, VIEW("\r\n\r\n"))));
}

#define EVIL "\r\nBcc: x@town.example\r\n\r\n<script>"

static void compose_it(struct intake_result *r, const char *language) {
    static const struct compose_recipient to = {
        .announcement = 1,
        .address = VIEW("a@town.example"),
        .contact = {.form = VIEW("f"), .given_name = VIEW("V" EVIL), .family_name = VIEW("\xff=?UTF-8?Q?=0A?=")},
        .attributes = VIEW("ort\t<b>" EVIL "\n"),
        .token = VIEW("TOKEN"),
        .message_id = VIEW("id"),
        .leave_mailbox = VIEW("u@partnerschaften.example"),
    };
    const struct compile_options options = {.preview = language[0] == 'f'};
    struct compiled *c;
    struct why why;
    AUTOBUF struct buf mail = BUF_INIT(64 << 20), html = BUF_INIT(64 << 20);
    expect(compile(&r->bundle, language, &options, &why, &c) == 0); /* intake has tried it */
    expect(compose(c, &to, &mail) == 0);
    check_mail(buf_view(&mail));
    expect(compose_part(c, &to, true, &html) == 0);
    expect(view_search(buf_view(&html), VIEW("<script")) == html.len);
    (void)compiled_free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct problems problems;
    struct source source;
    struct intake_result result;
    const struct intake_options options = {
        .conf = configuration(), .lists = "twins", .now_usec = INT64_C(1754294400000000), .allow_past = true};
    if (!read_source(view_make(data, size), &source))
        return 0;
    problems_init(&problems);
    int r = intake_check(&source, &options, &problems, &result);
    expect((r == 0) == (problems.errors == 0) && (r == 0 || r == -EINVAL));
    if (r == 0) {
        for (size_t i = 0; i < result.head.language_count; i++)
            compose_it(&result, result.head.languages[i]);
        intake_result_done(&result);
    }
    problems_done(&problems);
    source_done(&source);
    return 0;
}
