#include <errno.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "decode.h"
#include "sample_messages.h"

#include "base/text.h"
#include "mail/encoding.h"

/* Reading messages back: fields as written, unfolded only where asked for. */

struct entity {
    struct view header, body;
};

static struct entity split_entity(struct view v) {
    size_t at = view_search(v, VIEW("\r\n\r\n"));
    assert_true(at < v.len);
    return (struct entity){view_slice(v, 0, at + 2), view_slice(v, at + 4, v.len)};
}

/* The value of a field, still folded; ptr NULL where there is none. Fails where there are two. */
static struct view field_of(struct view header, const char *name) {
    struct view line, found = {0};
    size_t len = strlen(name);
    while (view_line(&header, &line)) {
        if (line.len <= len || !view_eq_nocase(view_slice(line, 0, len), name) || line.ptr[len] != ':')
            continue;
        assert_null(found.ptr);
        while (header.len && (header.ptr[0] == ' ' || header.ptr[0] == '\t')) {
            struct view more;
            assert_true(view_line(&header, &more));
            line.len = (size_t)(more.ptr + more.len - line.ptr);
        }
        found = view_trim(view_slice(line, len + 1, line.len));
    }
    return found;
}

static bool contains(struct view v, const char *needle) {
    return view_search(v, view_of(needle)) < v.len;
}

static struct view boundary_of(struct view type) {
    size_t at = view_search(type, VIEW("boundary=\""));
    assert_true(at < type.len);
    struct view rest = view_slice(type, at + 10, type.len);
    return view_slice(rest, 0, view_find(rest, '"'));
}

/* Part n of a multipart's body. Fails where a boundary is missing. */
static struct entity part_of(struct entity e, size_t n) {
    AUTOBUF struct buf mark = BUF_INIT(256);
    buf_printf(&mark, "--%.*s", (int)boundary_of(field_of(e.header, "Content-Type")).len,
               boundary_of(field_of(e.header, "Content-Type")).ptr);
    assert_true(view_starts(e.body, buf_str(&mark)));
    struct view rest = view_slice(e.body, mark.len + 2, e.body.len);
    buf_clear(&mark);
    buf_printf(&mark, "\r\n--%.*s", (int)boundary_of(field_of(e.header, "Content-Type")).len,
               boundary_of(field_of(e.header, "Content-Type")).ptr);
    for (;; n--) {
        size_t at = view_search(rest, buf_view(&mark));
        assert_true(at < rest.len);
        if (n == 0)
            return split_entity(view_slice(rest, 0, at));
        rest = view_slice(rest, at + mark.len, rest.len);
        assert_true(view_starts(rest, "\r\n")); /* not yet the last */
        rest = view_slice(rest, 2, rest.len);
    }
}

static void decode_part(struct entity e, struct buf *to) {
    struct view encoding = field_of(e.header, "Content-Transfer-Encoding");
    if (view_eq_str(encoding, "base64"))
        decode_base64(e.body, to);
    else if (view_eq_str(encoding, "quoted-printable"))
        decode_quoted_printable(e.body, to);
    else
        fail_msg("an encoding that we do not use");
}

static void expect_text(struct entity e, const struct merge *m, const struct view *values, bool alone) {
    AUTOBUF struct buf filled = BUF_INIT(SAMPLE_LIMIT), expected = BUF_INIT(SAMPLE_LIMIT),
                       decoded = BUF_INIT(SAMPLE_LIMIT);
    merge_fill(m, values, &filled);
    canonical_text(buf_view(&filled), &expected);
    if (alone && !view_ends(buf_view(&expected), "\r\n"))
        buf_puts(&expected, "\r\n");
    decode_part(e, &decoded);
    assert_string_equal(buf_str(&decoded), buf_str(&expected));
}

/* All shapes for all people */

struct shaped {
    struct merge plain, html;
    struct message *message;
    struct buf text, proof;
};

static void make_shape(struct shaped *s, enum sample_shape shape, size_t person) {
    *s = (struct shaped){.text = BUF_INIT(SAMPLE_LIMIT), .proof = BUF_INIT(SAMPLE_LIMIT)};
    if (shape == SAMPLE_PROOF) {
        struct merge plain, html;
        struct message *m = sample_message(SAMPLE_MIXED, &plain, &html, (struct view){0});
        assert_int_equal(message_fill(m, sample_values(person), &s->proof), 0);
        (void)message_free(m);
        merge_done(&plain);
        merge_done(&html);
    }
    s->message = sample_message(shape, &s->plain, &s->html, buf_view(&s->proof));
    assert_int_equal(message_fill(s->message, sample_values(person), &s->text), 0);
}

static void drop_shape(struct shaped *s) {
    (void)message_free(s->message);
    merge_done(&s->plain);
    merge_done(&s->html);
    buf_done(&s->text);
    buf_done(&s->proof);
}

static void test_wire(void **state) {
    (void)state;
    for (int shape = 0; shape < SAMPLE_SHAPES; shape++)
        for (size_t person = 0; person < SAMPLE_PEOPLE; person++) {
            struct shaped s;
            make_shape(&s, (enum sample_shape)shape, person);
            struct view whole = buf_view(&s.text), header = split_entity(whole).header;
            expect_wire_lines(whole, MESSAGE_LINE_MAX);
            expect_wire_lines(header, 260); /* the List-Unsubscribe of one token */
            assert_true(view_ends(whole, "\r\n"));
            static const char *const once[] = {"From",        "To",      "Subject",      "Date",
                                               "Message-ID",  "List-Id", "MIME-Version", "List-Unsubscribe",
                                               "Content-Type"};
            for (size_t i = 0; i < COUNT_OF(once); i++)
                assert_non_null(field_of(header, once[i]).ptr);
            assert_null(field_of(header, "Bcc").ptr);
            drop_shape(&s);
        }
}

static void test_texts(void **state) {
    (void)state;
    for (size_t person = 0; person < SAMPLE_PEOPLE; person++) {
        const struct view *values;
        struct shaped s;
        make_shape(&s, SAMPLE_PLAIN, person);
        values = sample_values(person);
        expect_text(split_entity(buf_view(&s.text)), &s.plain, values, true);
        drop_shape(&s);

        make_shape(&s, SAMPLE_MIXED, person);
        values = sample_values(person);
        struct entity alternative = part_of(split_entity(buf_view(&s.text)), 0);
        struct entity related = part_of(alternative, 1);
        expect_text(part_of(alternative, 0), &s.plain, values, false);
        expect_text(part_of(related, 0), &s.html, values, false);
        drop_shape(&s);
    }
}

static void test_structure(void **state) {
    (void)state;
    struct shaped s;
    make_shape(&s, SAMPLE_MIXED, 0);
    struct entity root = split_entity(buf_view(&s.text)), alternative = part_of(root, 0),
                  related = part_of(alternative, 1), image = part_of(related, 1), pdf = part_of(root, 1),
                  ics = part_of(root, 2), empty = part_of(root, 3);
    assert_true(view_starts(field_of(root.header, "Content-Type"), "multipart/mixed;"));
    assert_true(view_starts(field_of(alternative.header, "Content-Type"), "multipart/alternative;"));
    assert_true(view_starts(field_of(related.header, "Content-Type"), "multipart/related; type=\"text/html\";"));
    assert_true(view_eq_str(field_of(part_of(alternative, 0).header, "Content-Type"), "text/plain; charset=UTF-8"));
    assert_true(view_eq_str(field_of(part_of(alternative, 0).header, "Content-Language"), "de"));
    assert_true(view_eq_str(field_of(image.header, "Content-ID"), "<img1@partnerschaften.example>"));
    assert_true(view_eq_str(field_of(image.header, "Content-Disposition"), "inline;\r\n filename=\"Logo.png\""));
    assert_true(
        view_eq_str(field_of(pdf.header, "Content-Type"), "application/pdf;\r\n name=\"_ _ _ _ _ _2025_.pdf\""));
    struct view disposition = field_of(pdf.header, "Content-Disposition");
    assert_true(view_starts(disposition, "attachment;\r\n filename*0*=UTF-8''%D0%9F%D1%80"));
    assert_true(view_ends(disposition, ".pdf"));
    assert_false(contains(disposition, "/") || contains(disposition, "%2F"));
    assert_true(contains(field_of(ics.header, "Content-Type"), "method=PUBLISH"));

    AUTOBUF struct buf bytes = BUF_INIT(SAMPLE_LIMIT), calendar = BUF_INIT(SAMPLE_LIMIT), none = BUF_INIT(SAMPLE_LIMIT);
    decode_part(image, &bytes);
    assert_int_equal(bytes.len, sizeof sample_png - 1);
    assert_memory_equal(buf_str(&bytes), sample_png, bytes.len);
    decode_part(ics, &calendar);
    assert_string_equal(buf_str(&calendar), sample_ics);
    decode_part(empty, &none);
    assert_int_equal(none.len, 0);
    drop_shape(&s);

    make_shape(&s, SAMPLE_CALENDAR, 0);
    struct entity last = part_of(split_entity(buf_view(&s.text)), 2);
    assert_true(view_eq_str(field_of(last.header, "Content-Type"),
                            "text/calendar; method=PUBLISH; component=VEVENT; charset=UTF-8"));
    assert_null(field_of(last.header, "Content-Disposition").ptr);
    drop_shape(&s);
}

/* A message within a message is not changed, and no boundary of the outer one stands in it, though both have one seed.
 */
static void test_proof(void **state) {
    (void)state;
    struct shaped s;
    make_shape(&s, SAMPLE_PROOF, 0);
    struct entity root = split_entity(buf_view(&s.text)), proof = part_of(root, 1);
    assert_true(view_eq(proof.body, buf_view(&s.proof)));
    assert_true(view_eq_str(field_of(proof.header, "Content-Transfer-Encoding"), "7bit"));
    struct view boundary = boundary_of(field_of(root.header, "Content-Type"));
    assert_true(view_search(buf_view(&s.proof), boundary) == s.proof.len);
    drop_shape(&s);

    static const struct view bad[] = {VIEW("a\nb"), VIEW("a\rb"), VIEW("a\0b"), VIEW("\xC3\xBC\r\n"), VIEW("a\r")};
    char line[MESSAGE_LINE_MAX + 1];
    memset(line, 'x', sizeof line);
    for (size_t i = 0; i < COUNT_OF(bad) + 2; i++) {
        struct part part = {.kind = PART_BYTES, .type = "message/rfc822"};
        part.bytes = i < COUNT_OF(bad) ? bad[i] : view_make(line, MESSAGE_LINE_MAX + i - COUNT_OF(bad));
        struct message *m;
        assert_int_equal(message_new(&m), 0);
        assert_int_equal(message_body(m, &part, "seed"), i == COUNT_OF(bad) ? 0 : -EINVAL);
        (void)message_free(m);
    }
}

/* Text parts stand alone or not, with or without a line end at the end. */
static void test_ends(void **state) {
    (void)state;
    static const char *const programs[] = {"", "x", "x\n", "x {4}", "{4}", "Ніна {4}", "Ніна\n", " ", "x \n"};
    for (size_t i = 0; i < COUNT_OF(programs); i++)
        for (size_t person = 0; person < SAMPLE_PEOPLE; person++)
            for (int alone = 0; alone < 2; alone++) {
                CLEANUP(merge_done) struct merge text;
                sample_merge(&text, programs[i], false);
                struct part part = {.kind = PART_TEXT, .type = "text/plain", .text = &text};
                struct part root = {.kind = PART_MIXED, .children = &part, .child_count = 1};
                const struct view *values = sample_values(person);
                AUTOBUF struct buf to = BUF_INIT(SAMPLE_LIMIT);
                struct message *m;
                assert_int_equal(message_new(&m), 0);
                assert_int_equal(message_body(m, alone ? &part : &root, ""), 0);
                assert_int_equal(message_fill(m, values, &to), 0);
                expect_wire_lines(buf_view(&to), 78);
                struct entity e = split_entity(buf_view(&to));
                bool base64 = view_eq_str(field_of(e.header, "Content-Transfer-Encoding"), "base64");
                expect_text(alone ? e : part_of(e, 0), &text, values, alone && !base64 && e.body.len);
                (void)message_free(m);
            }
}

static void test_header_values(void **state) {
    (void)state;
    static const struct view broken[] = {VIEW("a\r\nBcc: b@y.example"), VIEW("a\nb"), VIEW("a\rb"), VIEW("a\0b"),
                                         VIEW("a\r\n b")};
    CLEANUP(merge_done) struct merge good;
    struct message *m;
    sample_merge(&good, "x{4}", false);
    assert_int_equal(message_new(&m), 0);
    for (size_t i = 0; i < COUNT_OF(broken); i++) {
        CLEANUP(merge_done) struct merge text;
        merge_init(&text);
        merge_text(&text, broken[i]);
        assert_int_equal(merge_seal(&text), 0);
        assert_int_equal(message_header_text(m, "Subject", broken[i]), -EINVAL);
        assert_int_equal(message_header_raw(m, "Subject", broken[i]), -EINVAL);
        assert_int_equal(message_header_mailbox(m, "Subject", broken[i], VIEW("a@x.example")), -EINVAL);
        assert_int_equal(message_header_mailbox(m, "Subject", VIEW("a"), broken[i]), -EINVAL);
        assert_int_equal(message_header_merge(m, "Subject", &text), -EINVAL);
    }
    static const struct view not_raw[] = {VIEW(""), VIEW("  "), VIEW("ü"), VIEW("a\x7F"), VIEW("a\x1B")};
    for (size_t i = 0; i < COUNT_OF(not_raw); i++)
        assert_int_equal(message_header_raw(m, "X", not_raw[i]), -EINVAL);
    char line[MESSAGE_LINE_MAX];
    memset(line, 'x', sizeof line);
    assert_int_equal(message_header_raw(m, "X", view_make(line, MESSAGE_LINE_MAX - 3)), 0);
    assert_int_equal(message_header_raw(m, "Y", view_make(line, MESSAGE_LINE_MAX - 2)), -EINVAL);
    static const char *const names[] = {"", "Sub ject", "Subject:", "Sub\r\nject", "Betreff\xC3\xBC"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        assert_int_equal(message_header_text(m, names[i], VIEW("x")), -EINVAL);
        assert_int_equal(message_header_raw(m, names[i], VIEW("x")), -EINVAL);
        assert_int_equal(message_header_merge(m, names[i], &good), -EINVAL);
        assert_int_equal(message_header_field(m, names[i], 0), -EINVAL);
        assert_int_equal(message_header_mailbox(m, names[i], VIEW(""), VIEW("a@x.example")), -EINVAL);
    }
    assert_int_equal(message_header_text(m, "Subject", VIEW("one")), 0);
    assert_int_equal(message_header_text(m, "subject", VIEW("two")), -EEXIST);
    assert_int_equal(message_header_merge(m, "SUBJECT", &good), -EEXIST);
    assert_int_equal(message_header_text(m, "Sub", VIEW("another")), 0);
    assert_int_equal(message_header_field(m, "To", MERGE_FIELDS_MAX), -EINVAL);
    (void)message_free(m);
}

/* Values that come when filled: whole fields and texts. */
static void test_filled_values(void **state) {
    (void)state;
    static char line[MESSAGE_LINE_MAX];
    memset(line, 'x', sizeof line);
    const struct {
        struct view value;
        bool good, good_utf8;
    } cases[] = {
        {VIEW("a@x.example"), true, true},
        {VIEW("a,\r\n b"), true, true},
        {VIEW("a,\r\n\tb"), true, true},
        {VIEW("\xC3\xBC@x.example"), false, true},
        {VIEW(""), false, false},
        {{NULL, 0}, false, false},
        {VIEW(" "), false, false},
        {VIEW("a\r\n"), false, false},
        {VIEW("a\r\nb"), false, false},
        {VIEW("a\r\n "), false, false},
        {VIEW("a\r\n \r\n b"), false, false},
        {VIEW("\r\n a"), false, false},
        {VIEW("a\r\nBcc: b@y.example"), false, false},
        {VIEW("a\nb"), false, false},
        {VIEW("a\n b"), false, false},
        {VIEW("a\rb"), false, false},
        {VIEW("a\r b"), false, false},
        {VIEW("a\0b"), false, false},
        {VIEW("a\x1B"), false, false},
        {VIEW("a\x7F"), false, false},
        {VIEW("a\xFF"), false, false},
        {{line, MESSAGE_LINE_MAX - 4}, true, true},
        {{line, MESSAGE_LINE_MAX - 3}, false, false},
    };
    CLEANUP(merge_done) struct merge text;
    sample_merge(&text, "x", false);
    const struct part part = {.kind = PART_TEXT, .type = "text/plain", .text = &text};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int utf8 = 0; utf8 < 2; utf8++) {
            struct message *m;
            AUTOBUF struct buf to = BUF_INIT(SAMPLE_LIMIT);
            buf_puts(&to, "before\r\n");
            assert_int_equal(message_new(&m), 0);
            assert_int_equal(utf8 ? message_header_field_utf8(m, "To", 0) : message_header_field(m, "To", 0), 0);
            assert_int_equal(message_body(m, &part, "seed"), 0);
            bool good = utf8 ? cases[i].good_utf8 : cases[i].good;
            if (message_fill(m, &cases[i].value, &to) != (good ? 0 : -EINVAL))
                fail_msg("case %zu, utf8 %d", i, utf8);
            assert_int_equal(to.len == 8, !good);
            (void)message_free(m);
        }
}

static void test_subject(void **state) {
    (void)state;
    static const struct {
        const char *program;
        struct view value;
        const char *subject;
    } cases[] = {
        {"plain", VIEW(""), "plain"},
        {"für {4}", VIEW("Vera"), "=?UTF-8?Q?f=C3=BCr?= Vera"},
        {"for {4}", VIEW("Müller"), "for =?UTF-8?Q?M=C3=BCller?="},
        {"for {4}!", VIEW("x\r\nBcc: b@y.example"), "for x Bcc: b@y.example!"},
        {"for {4}!", VIEW("x\0\x1B\xFFy"), "for =?UTF-8?B?eO+/vXkh?="},
        {"a{?4 {4}}b", VIEW(""), "ab"},
        {"{4}", VIEW("=?UTF-8?Q?x?="), "=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?="},
        {"{4}", VIEW("\r\n"), ""},
    };
    CLEANUP(merge_done) struct merge body;
    sample_merge(&body, "x", false);
    const struct part part = {.kind = PART_TEXT, .type = "text/plain", .text = &body};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CLEANUP(merge_done) struct merge text;
        struct view values[SAMPLE_FIELDS] = {0};
        struct message *m;
        AUTOBUF struct buf to = BUF_INIT(SAMPLE_LIMIT);
        sample_merge(&text, cases[i].program, false);
        values[4] = cases[i].value;
        assert_int_equal(message_new(&m), 0);
        assert_int_equal(message_header_merge(m, "Subject", &text), 0);
        merge_done(&text); /* it was copied */
        assert_int_equal(message_body(m, &part, "seed"), 0);
        assert_int_equal(message_fill(m, values, &to), 0);
        struct view subject = field_of(split_entity(buf_view(&to)).header, "Subject");
        assert_int_equal(subject.len, strlen(cases[i].subject));
        assert_true(view_eq_str(subject, cases[i].subject));
        (void)message_free(m);
    }
}

static void test_long_subject(void **state) {
    (void)state;
    static char value[100 * 1024];
    for (size_t i = 0; i + 1 < sizeof value; i += 2)
        memcpy(value + i, "ü", 2);
    CLEANUP(merge_done) struct merge text;
    sample_merge(&text, "für {4} {4} und {4}", false);
    struct view values[SAMPLE_FIELDS] = {0};
    const struct part part = {.kind = PART_TEXT, .type = "text/plain", .text = &text};
    for (size_t len = 0; len < sizeof value; len = len * 3 / 2 + 1) {
        struct message *m;
        AUTOBUF struct buf to = BUF_INIT(SAMPLE_LIMIT);
        values[4] = view_make(value, len);
        assert_int_equal(message_new(&m), 0);
        assert_int_equal(message_header_merge(m, "Subject", &text), 0);
        assert_int_equal(message_body(m, &part, "seed"), 0);
        assert_int_equal(message_fill(m, values, &to), 0);
        expect_wire_lines(buf_view(&to), 76);
        assert_true(split_entity(buf_view(&to)).header.len < 4 * HEADER_TEXT_MAX_BYTES);
        (void)message_free(m);
    }
}

static void test_raw_folds(void **state) {
    (void)state;
    struct message *m;
    AUTOBUF struct buf to = BUF_INIT(SAMPLE_LIMIT);
    CLEANUP(merge_done) struct merge text;
    sample_merge(&text, "x", false);
    const struct part part = {.kind = PART_TEXT, .type = "text/plain", .text = &text};
    assert_int_equal(message_new(&m), 0);
    assert_int_equal(message_header_raw(m, "List-Help",
                                        VIEW(" <https://partnerschaften.example/a-rather-long-path>, "
                                             "<mailto:help@partnerschaften.example> ")),
                     0);
    assert_int_equal(message_body(m, &part, "seed"), 0);
    assert_int_equal(message_body(m, &part, "seed"), -EINVAL); /* once */
    assert_int_equal(message_header_text(m, "Subject", VIEW("late")), -EINVAL);
    assert_int_equal(message_fill(m, NULL, &to), 0);
    assert_true(view_starts(buf_view(&to), "List-Help: <https://partnerschaften.example/a-rather-long-path>,\r\n "
                                           "<mailto:help@partnerschaften.example>\r\nMIME-Version: 1.0\r\n"));
    (void)message_free(m);
}

static void test_bad_parts(void **state) {
    (void)state;
    CLEANUP(merge_done) struct merge text;
    sample_merge(&text, "x", false);
    struct part deep[MESSAGE_PARTS_DEPTH_MAX + 2];
    for (size_t i = 0; i < COUNT_OF(deep); i++)
        deep[i] = (struct part){.kind = PART_MIXED, .children = deep + i + 1, .child_count = 1};
    struct part leaf = {.kind = PART_TEXT, .type = "text/plain", .text = &text};
    const struct part bad[] = {
        {.kind = PART_TEXT, .type = NULL, .text = &text},
        {.kind = PART_TEXT, .type = "", .text = &text},
        {.kind = PART_TEXT, .type = "text", .text = &text},
        {.kind = PART_TEXT, .type = "text/plain\r\nX: y", .text = &text},
        {.kind = PART_TEXT, .type = "text/pl\xC3\xBC", .text = &text},
        {.kind = PART_TEXT, .type = "text/plain", .text = &text, .language = "de\r\nX: y"},
        {.kind = PART_TEXT, .type = "text/plain", .text = &text, .language = ""},
        {.kind = PART_BYTES, .type = "image/png", .content_id = "a>\r\nX: y"},
        {.kind = PART_BYTES, .type = "image/png", .content_id = "a b"},
        {.kind = PART_MIXED},
        {.kind = PART_ALTERNATIVE, .children = &leaf},
    };
    struct message *m;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(message_new(&m), 0);
        assert_int_equal(message_body(m, &bad[i], "seed"), -EINVAL);
        (void)message_free(m);
    }
    for (size_t depth = MESSAGE_PARTS_DEPTH_MAX; depth <= MESSAGE_PARTS_DEPTH_MAX + 1; depth++) {
        struct part kept = deep[depth];
        deep[depth] = leaf;
        assert_int_equal(message_new(&m), 0);
        assert_int_equal(message_body(m, deep, "seed"), depth == MESSAGE_PARTS_DEPTH_MAX ? 0 : -EINVAL);
        (void)message_free(m);
        deep[depth] = kept;
    }
    AUTOBUF struct buf to = BUF_INIT(SAMPLE_LIMIT);
    assert_int_equal(message_new(&m), 0);
    assert_int_equal(message_fill(m, NULL, &to), -EINVAL); /* no body yet */
    (void)message_free(m);
}

/* The bound holds where the values are empty, and the cap of the target is an error. */
static void test_size(void **state) {
    (void)state;
    for (int shape = 0; shape < SAMPLE_SHAPES; shape++) {
        struct shaped s;
        make_shape(&s, (enum sample_shape)shape, 0);
        struct view values[SAMPLE_FIELDS];
        memcpy(values, sample_values(0), sizeof values);
        size_t fields = 0;
        for (size_t i = SAMPLE_TO; i <= SAMPLE_LIST; i++)
            fields += values[i].len;
        values[SAMPLE_CITY] = values[SAMPLE_SALUTATION] = (struct view){0};
        buf_clear(&s.text);
        assert_int_equal(message_fill(s.message, values, &s.text), 0);
        assert_true(s.text.len <= message_size(s.message) + fields);
        assert_true(s.text.len * 2 > message_size(s.message));
        AUTOBUF struct buf small = BUF_INIT(s.text.len - 1);
        (void)message_fill(s.message, values, &small);
        assert_int_equal(buf_error(&small), -EMSGSIZE);
        drop_shape(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire),          cmocka_unit_test(test_texts),     cmocka_unit_test(test_structure),
        cmocka_unit_test(test_proof),         cmocka_unit_test(test_ends),      cmocka_unit_test(test_header_values),
        cmocka_unit_test(test_filled_values), cmocka_unit_test(test_subject),   cmocka_unit_test(test_long_subject),
        cmocka_unit_test(test_raw_folds),     cmocka_unit_test(test_bad_parts), cmocka_unit_test(test_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
