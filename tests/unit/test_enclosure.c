/* Attachments encoded once: the same octets as those that each message encodes by itself, and one copy for all. */
#include "unit.h"

#include "mail/base64.h"
#include "mail/enclosure.h"
#include "mail/message.h"

static struct message *make(struct part part) {
    struct message *m;
    const struct part again = {
        .kind = PART_BYTES, .type = "image/png", .bytes = part.bytes, .enclosure = part.enclosure};
    struct part parts[] = {part, again};
    const struct part root = {.kind = PART_MIXED, .children = parts, .child_count = COUNT_OF(parts)};
    assert_int_equal(message_new(&m), 0);
    assert_int_equal(message_header_text(m, "Subject", VIEW("enclosed")), 0);
    assert_int_equal(message_body(m, &root, "seed"), 0);
    return m;
}

static void the_same_octets(void **state) {
    (void)state;
    static char bytes[400];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 37);
    for (size_t len = 0; len < sizeof bytes; len++) {
        struct part part = {.kind = PART_BYTES,
                            .type = "application/pdf",
                            .bytes = view_make(bytes, len),
                            .filename = "Städte.pdf",
                            .content_id = "a@town.example",
                            .is_inline = len & 1};
        AUTOBUF struct buf own = BUF_INIT(1 << 20), shared = BUF_INIT(1 << 20), lines = BUF_INIT(1 << 20);
        struct message *m = make(part);
        assert_int_equal(message_fill(m, NULL, &own), 0);
        unit_int("none is enclosed", (int)message_enclosed_size(m), 0);
        size_t size = message_size(m);
        (void)message_free(m);

        struct enclosure *e;
        assert_int_equal(enclosure_new(part.bytes, &e), 0);
        base64_lines(&lines, part.bytes);
        size_t enclosed = enclosure_lines(e).len;
        assert_int_equal(enclosed, len ? lines.len - 2 : 0);
        part.enclosure = e;
        m = make(part);
        (void)enclosure_unref(e); /* the message has its own reference */
        assert_int_equal(message_fill(m, NULL, &shared), 0);
        assert_true(view_eq(buf_view(&own), buf_view(&shared)));
        assert_int_equal(message_size(m), size);
        assert_int_equal(message_enclosed_size(m), 2 * enclosed);
        (void)message_free(m);
    }
}

static void limits(void **state) {
    (void)state;
    enum { LEN = 8 << 20, FIT = 14 };
    AUTOFREE char *bytes = calloc(1, LEN);
    struct enclosure *e;
    assert_non_null(bytes);
    assert_int_equal(enclosure_new(view_make(bytes, LEN), &e), 0);
    struct part parts[FIT + 1];
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        parts[i] = (struct part){.kind = PART_BYTES, .type = "application/pdf", .enclosure = e};
    for (size_t count = FIT; count <= FIT + 1; count++) {
        struct message *m;
        const struct part root = {.kind = PART_MIXED, .children = parts, .child_count = count};
        assert_int_equal(message_new(&m), 0);
        unit_int("so large a message", message_body(m, &root, "seed"), count == FIT ? 0 : -EMSGSIZE);
        assert_true(message_size(m) <= MESSAGE_MAX_BYTES);
        (void)message_free(m);
    }
    struct message *m;
    const struct part inside = {
        .kind = PART_BYTES, .type = "message/rfc822", .bytes = VIEW("a: b\r\n"), .enclosure = e};
    assert_int_equal(message_new(&m), 0);
    unit_int("a message inside is not encoded", message_body(m, &inside, "seed"), -EINVAL);
    (void)message_free(m);
    assert_null(enclosure_unref(e));
    assert_null(enclosure_unref(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_same_octets), cmocka_unit_test(limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
