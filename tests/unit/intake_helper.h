/* What the tests of announcements share: a configuration, files given as pairs, and what intake says of them. */
#pragma once
#include <stdio.h>

#include "announce/compile.h"
#include "announce/intake.h"
#include "conf/conf.h"
#include "mail/words.h"
#include "unit.h"

/* Monday, 4 August 2025, 10:00 in Berlin. */
#define INTAKE_NOW (INT64_C(1754294400) * 1000000)

static const char intake_settings[] =
    "[daemon]\ntemplates = templates\nlocal-templates = /nonexistent\nlanguage = en\n"
    "timezone = Europe/Berlin\nattachment-limit = 100 KB\nmessage-limit = 500 KB\n"
    "[relay main]\nurl = smtp://127.0.0.1:2525\ntls = none\n"
    "[sender office]\nname = Koordinierungsstelle Städtepartnerschaften\naddress = rundbrief@partnerschaften.example\n"
    "reply-to = kontakt@partnerschaften.example\npublic-url = https://rundbrief.partnerschaften.example\n"
    "organisation = Netzwerk Städtepartnerschaften\npostal-address = Rathausplatz 1, 31134 Hildesheim\n"
    "imprint-url = https://partnerschaften.example/impressum\n"
    "privacy-url = https://partnerschaften.example/datenschutz\n"
    "[list twins]\nsender = office\ntitle = Städtepartnerschaften\nlanguages = de, ar, en, fr, he, it, pl, uk\n"
    "coordinators = vera@coordinators.example\n"
    "[list lisbon]\nsender = office\ntitle = Lissabon\nlanguages = de\ntimezone = Europe/Lisbon\ntone = informal\n"
    "coordinators = vera@coordinators.example, jo@coordinators.example\n"
    "[list donors]\nsender = office\ntitle = Spenden\nlanguages = de, nl\nrelay = main\nfrom-name = Spenderkreis\n"
    "[sender club]\nname = Club\naddress = club@club.example\npublic-url = https://club.example\n"
    "organisation = Club\n"
    "[list club]\nsender = club\ntitle = Club\nlanguages = de\n";

static inline void intake_on_error(void *user, const struct why *why) {
    (void)user;
    print_error("%s: %s\n", why->where, why->what);
}

/* settings, with of_sender among the sender's. */
static inline struct conf *intake_conf(const char *of_sender) {
    AUTOFREE char *here = realpath(".", NULL);
    AUTOBUF struct buf ini = BUF_INIT(100000);
    struct view rest = view_of(intake_settings);
    size_t at = view_search(rest, VIEW("templates\n"));
    buf_add_view(&ini, view_slice(rest, 0, at));
    buf_printf(&ini, "%s/", here);
    rest = view_slice(rest, at, rest.len);
    at = view_search(rest, VIEW("[list twins]"));
    buf_add_view(&ini, view_slice(rest, 0, at));
    buf_printf(&ini, "%s\n", of_sender);
    buf_add_view(&ini, view_slice(rest, at, rest.len));
    struct conf *conf = NULL;
    assert_int_equal(conf_parse(buf_view(&ini), "test.ini", intake_on_error, NULL, &conf), 0);
    return conf;
}

struct intake_file {
    const char *name;
    struct view content;
};

#define PNG "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
#define TEXT(literal) VIEW(literal)

struct intake_made {
    struct conf *conf;
    struct source source;
    struct problems problems;
    struct intake_result result;
    int error;
};

/* The first of the files is the announcement's first. */
static inline void intake_make(struct intake_made *m, const struct intake_file *files, size_t count,
                               const struct intake_options *options, const char *of_sender) {
    struct bundle b;
    struct why why = {0};
    *m = (struct intake_made){.conf = intake_conf(of_sender)};
    bundle_init(&b);
    for (size_t i = 0; i < count && files[i].name; i++)
        assert_int_equal(bundle_add(&b, files[i].name, files[i].content), 0);
    if (source_from(&b, files[0].name, &m->source, &why) < 0)
        fail_msg("%s: %s", files[0].name, why.what);
    bundle_done(&b);
    struct intake_options o = *options;
    o.conf = m->conf;
    if (!o.now_usec)
        o.now_usec = INTAKE_NOW;
    problems_init(&m->problems);
    m->error = intake_check(&m->source, &o, &m->problems, &m->result);
}

static inline void intake_made_done(struct intake_made *m) {
    intake_result_done(&m->result);
    problems_done(&m->problems);
    source_done(&m->source);
    m->conf = conf_unref(m->conf);
}

/* Who gets what is composed. */
static const struct compose_recipient vera = {
    .announcement = 7,
    .subscriber = 8,
    .address = VIEW("vera.mueller@verein.example"),
    .contact = {.form = VIEW("f"), .title = VIEW("Dr."), .given_name = VIEW("Vera"), .family_name = VIEW("Müller")},
    .attributes = VIEW("ort\tHildesheim\n"),
    .token = VIEW("TOKEN"),
    .message_id = VIEW("abcdefghijklmnopqrstuvwxyz"),
    .date_usec = INTAKE_NOW,
    .leave_mailbox = VIEW("bounce+uxyz@partnerschaften.example"),
};

/* "FILE:LINE:COLUMN:KEY(ARGUMENTS)?NEAR", warnings with a ! before; one after the other. */
static inline void intake_show(const struct problems *p, struct buf *to) {
    for (size_t i = 0; i < p->count; i++) {
        const struct problem *o = &p->items[i];
        buf_printf(to, "%s%s%s%s", i ? " " : "", o->warning ? "!" : "", o->file, o->file[0] ? ":" : "");
        if (o->line)
            buf_printf(to, "%u:", o->line);
        if (o->column)
            buf_printf(to, "%u:", o->column);
        buf_puts(to, o->key);
        if (o->args[0][0] || o->args[1][0])
            buf_printf(to, "(%s%s%s)", o->args[0], o->args[1][0] ? "|" : "", o->args[1]);
        if (o->args[2][0])
            buf_printf(to, "?%s", o->args[2]);
    }
}
