/* A message of any texts and values is fit for the wire, and its text reads back as what merge_fill() gives.
 * Input: a byte of flags; FIELDS values, each a byte of length and the bytes; the rest is the text, where 0xF8 to 0xFB
 * are a field, a span, an inverted span and an end, the next byte the field's number and escape. */
#include <errno.h>
#include <stdint.h>

#include "../unit/decode.h"

#include "base/text.h"
#include "mail/encoding.h"
#include "mail/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FIELDS = 4, LIMIT = 1 << 22 };

static void read_values(struct view *input, struct view values[static FIELDS]) {
    for (size_t i = 0; i < FIELDS; i++) {
        size_t len = input->len ? (unsigned char)input->ptr[0] : 0;
        *input = view_slice(*input, 1, input->len);
        values[i] = view_slice(*input, 0, len);
        *input = view_slice(*input, len, input->len);
    }
}

static void build(struct merge *m, struct view program) {
    unsigned depth = 0;
    merge_init(m);
    for (size_t i = 0; i < program.len; i++) {
        unsigned char c = (unsigned char)program.ptr[i];
        if (c < 0xF8 || c > 0xFB || i + 1 == program.len) {
            merge_text(m, view_make(program.ptr + i, 1));
            continue;
        }
        unsigned char how = (unsigned char)program.ptr[++i];
        if (c == 0xF8)
            merge_field(m, how % FIELDS, (enum merge_escape)(how / FIELDS % 4));
        else if (c == 0xFB && depth)
            merge_end(m), depth--;
        else if (depth < MERGE_DEPTH_MAX)
            merge_if(m, how % FIELDS, c == 0xFA), depth++;
    }
    while (depth--)
        merge_end(m);
}

static void check_encoding(const struct merge *m, const struct view *values, enum encoding_kind kind,
                           const struct buf *expected) {
    AUTOBUF struct buf body = BUF_INIT(LIMIT), decoded = BUF_INIT(LIMIT);
    struct encoding *e;
    assert(encoding_new(m, kind, &e) == 0);
    encoding_fill(e, values, &body);
    if (kind == ENCODING_BASE64)
        decode_base64(buf_view(&body), &decoded);
    else
        decode_quoted_printable(buf_view(&body), &decoded);
    (void)encoding_free(e);
    assert(view_eq(buf_view(&decoded), buf_view(expected)));
}

static void check_message(const struct merge *text, const struct view *values, unsigned flags) {
    AUTOBUF struct buf to = BUF_INIT(LIMIT);
    struct part parts[] = {{.kind = PART_TEXT, .type = "text/plain", .text = text},
                           {.kind = PART_BYTES, .type = "image/png", .bytes = values[0], .filename = "x.png"}};
    struct part root = {.kind = PART_MIXED, .children = parts, .child_count = 2};
    struct message *m;
    assert(message_new(&m) == 0);
    (void)message_header_text(m, "X-Text", values[1]); /* may be refused */
    (void)message_header_raw(m, "X-Raw", values[2]);
    (void)message_header_mailbox(m, "From", values[3], VIEW("a@x.example"));
    (void)message_header_merge(m, "Subject", text);
    if (flags & 1)
        assert(message_header_field(m, "To", 0) == 0);
    assert(message_body(m, flags & 2 ? &parts[0] : &root, "seed") == 0);
    int r = message_fill(m, values, &to);
    (void)message_free(m);
    assert(r == 0 || (r == -EINVAL && flags & 1 && to.len == 0));
    if (r < 0)
        return;
    expect_wire_lines(buf_view(&to), MESSAGE_LINE_MAX);
    assert(view_ends(buf_view(&to), "\r\n"));
    struct view header = view_slice(buf_view(&to), 0, view_search(buf_view(&to), VIEW("\r\n\r\n"))), line;
    while (view_line(&header, &line)) /* nothing but our own fields and their folds */
        assert(line.ptr[0] == ' ' || line.ptr[0] == '\t' || view_starts(line, "X-Text: ") ||
               view_starts(line, "X-Raw: ") || view_starts(line, "From: ") || view_starts(line, "Subject: ") ||
               view_starts(line, "To: ") || view_starts(line, "MIME-Version: ") || view_starts(line, "Content-"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct view input = view_make(data + 1, size - 1), values[FIELDS];
    struct merge m;
    AUTOBUF struct buf filled = BUF_INIT(LIMIT), expected = BUF_INIT(LIMIT);
    read_values(&input, values);
    build(&m, input);
    if (merge_seal(&m) == 0) {
        merge_fill(&m, values, &filled);
        canonical_text(buf_view(&filled), &expected);
        check_encoding(&m, values, ENCODING_QUOTED_PRINTABLE, &expected);
        check_encoding(&m, values, ENCODING_BASE64, &expected);
        check_message(&m, values, data[0]);
    }
    merge_done(&m);
    return 0;
}
