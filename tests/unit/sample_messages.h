/* Messages of all shapes that we send, for the tests that read them back and for the judges that nobody of us wrote. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mail/header.h"
#include "mail/message.h"

enum sample_field { SAMPLE_TO, SAMPLE_DATE, SAMPLE_ID, SAMPLE_LIST, SAMPLE_SALUTATION, SAMPLE_CITY, SAMPLE_FIELDS };
enum sample_shape {
    SAMPLE_PLAIN,
    SAMPLE_ALTERNATIVE,
    SAMPLE_RELATED,
    SAMPLE_MIXED,
    SAMPLE_CALENDAR,
    SAMPLE_PROOF,
    SAMPLE_SHAPES
};
enum { SAMPLE_LIMIT = 1 << 22, SAMPLE_PEOPLE = 6 };

static const char *const sample_shape_names[SAMPLE_SHAPES] = {"plain", "alternative", "related",
                                                              "mixed", "calendar",    "proof"};

/* "…{n}…" with {?n …} spans; fields escaped for HTML where html is set. */
static inline void sample_merge(struct merge *m, const char *program, bool html) {
    merge_init(m);
    while (*program) {
        size_t text = strcspn(program, "{}");
        merge_text(m, view_make(program, text));
        program += text;
        if (*program == '}') {
            merge_end(m);
            program++;
        } else if (*program && program[1] == '?') {
            merge_if(m, (unsigned)(program[2] - '0'), false);
            program += 3;
        } else if (*program) {
            merge_field(m, (unsigned)(program[1] - '0'), html ? MERGE_HTML : MERGE_PLAIN);
            program += 3;
        }
    }
    assert_int_equal(merge_seal(m), 0);
}

#define SAMPLE_TEXT                                                                                                        \
    "{4},\n\nwir freuen uns auf den nächsten Workshop \"Finanzierungsmöglichkeiten für Städtepartnerschaften\"{?5 in " \
    "{5}}.\n\n.\nFrom here on = it goes on \n\nhttps://partnerschaften.example/funding?a=1&b=2\n\n-- \nIhre "              \
    "Koordinierungsstelle\n"
#define SAMPLE_HTML                                                                                                                                    \
    "<!DOCTYPE html>\n<html lang=\"uk\"><body>\n<p>{4},</p>\n<p>запрошуємо вас на наступний семінар{?5 у місті "  \
    "<b>{5}</b>}: можливості фінансування міст-побратимів.</p>\n<p><img src=\"cid:img1@partnerschaften.example\" " \
    "alt=\"\"></p></body></html>\n"

static const char sample_png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\b\6\0\0\0\x1f\x15\xc4\x89";
static const char sample_ics[] = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//rundbrief//EN\r\nMETHOD:PUBLISH\r\n"
                                 "BEGIN:VEVENT\r\nUID:1@partnerschaften.example\r\nDTSTAMP:20250801T080000Z\r\n"
                                 "DTSTART:20250902T080000Z\r\nSUMMARY:Städtepartnerschaften\r\nEND:VEVENT\r\n"
                                 "END:VCALENDAR\r\n";

/* The values of a person, in memory that the next call uses again. */
static inline const struct view *sample_values(size_t person) {
    static const char *const people[SAMPLE_PEOPLE][4] = {
        {"Vera Müller", "vera@office.example", "Guten Tag Vera Müller", "Hildesheim"},
        {"", "info@verein.example", "Sehr geehrte Damen und Herren", ""},
        {"Ніна Ковальчук-Шевченко з Харківського міського управління", "nina@xn--80a1acn3a.example", "Шановна Ніно",
         "Харків"},
        {"\"Dr.\" O'Neill, <b>", "o'neill@x.example", "Dear <script>alert('&')</script>", "a\r\nb\tc"},
        {"x\r\nBcc: b@y.example", "v@x.example", "\r\n.\r\nFrom x\0\xFF\x1B[2J", "\xC3"},
        {"Office of a rather long name for International Relations, Twinning and Cooperation (the town)",
         "a-very-long-local-part-of-an-address@international-relations.municipality.example", "Hello ", " "},
    };
    static struct buf to = BUF_INIT(64 * 1024);
    static struct view values[SAMPLE_FIELDS];
    static char long_salutation[100 * 1024];
    buf_clear(&to);
    header_add_mailbox(&to, view_of(people[person][0]), view_of(people[person][1]), 4);
    assert_int_equal(buf_error(&to), 0);
    values[SAMPLE_TO] = buf_view(&to);
    values[SAMPLE_DATE] = VIEW("Tue, 02 Sep 2025 10:00:00 +0200");
    values[SAMPLE_ID] = VIEW("<k2j3h4k5j6h7k8j9@partnerschaften.example>");
    values[SAMPLE_LIST] = VIEW(
        "<https://partnerschaften.example/u/AQEBAAAAAQAAAAAAAAABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE"
        "BAQEBAQEBAQEBAQEB/17/de>,\r\n <mailto:rundbrief+uabcdefgh234567@partnerschaften.example>");
    values[SAMPLE_SALUTATION] = view_of(people[person][2]);
    values[SAMPLE_CITY] = view_of(people[person][3]);
    if (person == 5) {
        memset(long_salutation, 'x', sizeof long_salutation);
        values[SAMPLE_SALUTATION] = view_make(long_salutation, sizeof long_salutation);
    }
    return values;
}

static inline void sample_headers(struct message *m) {
    CLEANUP(merge_done) struct merge subject;
    sample_merge(&subject, "Workshop: Finanzierungsmöglichkeiten für {?5{5} und }Städtepartnerschaften", false);
    assert_int_equal(message_header_mailbox(m, "From", VIEW("Koordinierungsstelle Städtepartnerschaften"),
                                            VIEW("kontakt@partnerschaften.example")),
                     0);
    assert_int_equal(message_header_field(m, "To", SAMPLE_TO), 0);
    assert_int_equal(message_header_merge(m, "Subject", &subject), 0);
    assert_int_equal(message_header_field(m, "Date", SAMPLE_DATE), 0);
    assert_int_equal(message_header_field(m, "Message-ID", SAMPLE_ID), 0);
    assert_int_equal(message_header_mailbox(m, "List-Id", VIEW("Förderung"), VIEW("funding.partnerschaften.example")),
                     0);
    assert_int_equal(message_header_field(m, "List-Unsubscribe", SAMPLE_LIST), 0);
    assert_int_equal(message_header_raw(m, "List-Unsubscribe-Post", VIEW("List-Unsubscribe=One-Click")), 0);
    assert_int_equal(message_header_raw(m, "Precedence", VIEW("bulk")), 0);
}

/* The message of a shape; the merges of its texts are handed out where asked for. */
static inline struct message *sample_message(enum sample_shape shape, struct merge *plain, struct merge *html,
                                             struct view proof) {
    struct message *m;
    sample_merge(plain, SAMPLE_TEXT, false);
    sample_merge(html, SAMPLE_HTML, true);
    struct part related[] = {
        {.kind = PART_TEXT, .type = "text/html", .text = html, .language = "uk"},
        {.kind = PART_BYTES,
         .type = "image/png",
         .bytes = {sample_png, sizeof sample_png - 1},
         .filename = "Logo.png",
         .content_id = "img1@partnerschaften.example",
         .is_inline = true},
    };
    struct part alternative[] = {
        {.kind = PART_TEXT, .type = "text/plain", .text = plain, .language = "de"},
        {.kind = PART_RELATED, .children = related, .child_count = 2},
        {.kind = PART_TEXT, .type = "text/calendar; method=PUBLISH; component=VEVENT", .text = plain},
    };
    struct part mixed[] = {
        {.kind = PART_ALTERNATIVE, .children = alternative, .child_count = 2},
        {.kind = PART_BYTES,
         .type = "application/pdf",
         .bytes = VIEW("%PDF-1.4\n%\xE2\xE3\xCF\xD3\n"),
         .filename = "../Програма наступного семінару у Харкові «2025».pdf"},
        {.kind = PART_BYTES,
         .type = "text/calendar; method=PUBLISH; charset=UTF-8; component=vevent",
         .bytes = {sample_ics, sizeof sample_ics - 1},
         .filename = "Einladung.ics"},
        {.kind = PART_BYTES, .type = "application/octet-stream", .filename = "leer \"x\".bin"},
    };
    struct part proofs[] = {alternative[0],
                            {.kind = PART_BYTES, .type = "message/rfc822", .bytes = proof, .filename = "Grüße.eml"}};
    struct part root = {0};
    switch (shape) {
    case SAMPLE_PLAIN: root = alternative[0]; break;
    case SAMPLE_ALTERNATIVE:
        alternative[1] = related[0];
        root = mixed[0];
        break;
    case SAMPLE_RELATED: root = mixed[0]; break;
    case SAMPLE_MIXED: root = (struct part){.kind = PART_MIXED, .children = mixed, .child_count = 4}; break;
    case SAMPLE_CALENDAR:
        root = (struct part){.kind = PART_ALTERNATIVE, .children = alternative, .child_count = 3};
        break;
    case SAMPLE_PROOF: root = (struct part){.kind = PART_MIXED, .children = proofs, .child_count = 2}; break;
    case SAMPLE_SHAPES: fail(); break;
    }
    assert_int_equal(message_new(&m), 0);
    sample_headers(m);
    assert_int_equal(message_body(m, &root, "0123456789abcdef-de"), 0);
    return m;
}
