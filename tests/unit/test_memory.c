/* Whichever allocation fails while a message is built and filled, the caller is told, and nothing leaks.
 * Linked with --wrap for the allocating functions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mail/address.h"
#include "mail/message.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t count, size_t size);

static long left = -1; /* allocations until the one that fails; below 0: none does */
static bool has_failed;

static bool fails(void) {
    if (left < 0 || left-- > 0)
        return false;
    has_failed = true;
    return true;
}

void *__wrap_malloc(size_t size) {
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size) {
    return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t count, size_t size) {
    return fails() ? NULL : __real_reallocarray(p, count, size);
}

static int build_texts(struct merge *text, struct merge *subject) {
    merge_init(text);
    merge_init(subject);
    for (int i = 0; i < 20; i++) {
        merge_text(text, VIEW("Шановні колеги, запрошуємо вас на наступний семінар"));
        merge_if(text, 1, false);
        merge_field(text, 0, MERGE_HTML);
        merge_end(text);
    }
    merge_text(subject, VIEW("für "));
    merge_field(subject, 0, MERGE_PLAIN);
    int r = merge_seal(text);
    return r < 0 ? r : merge_seal(subject);
}

static int build_message(struct message *m, const struct merge *text, const struct merge *subject) {
    struct part parts[] = {{.kind = PART_TEXT, .type = "text/plain", .text = text},
                           {.kind = PART_BYTES, .type = "image/png", .bytes = VIEW("xxxx"), .filename = "Програма.png"},
                           {.kind = PART_BYTES, .type = "message/rfc822", .bytes = VIEW("From: a@x.example\r\n\r\n")}};
    struct part root = {.kind = PART_MIXED, .children = parts, .child_count = COUNT_OF(parts)};
    int r = message_header_mailbox(m, "From", VIEW("Müller"), VIEW("a@x.example"));
    if (r == 0)
        r = message_header_raw(m, "Precedence", VIEW("bulk"));
    if (r == 0)
        r = message_header_merge(m, "Subject", subject);
    if (r == 0)
        r = message_header_field(m, "To", 1);
    return r < 0 ? r : message_body(m, &root, "seed");
}

static int send_one(struct buf *to) {
    const struct view values[] = {VIEW("Vera"), VIEW("b@x.example")};
    CLEANUP(merge_done) struct merge text;
    CLEANUP(merge_done) struct merge subject;
    struct message *m = NULL;
    int r = build_texts(&text, &subject);
    if (r == 0)
        r = message_new(&m);
    if (r == 0)
        r = build_message(m, &text, &subject);
    if (r == 0)
        r = message_fill(m, values, to);
    (void)message_free(m);
    return r;
}

static void test_message(void **state) {
    (void)state;
    AUTOBUF struct buf expected = BUF_INIT(1 << 20);
    assert_int_equal(send_one(&expected), 0);
    for (long n = 0;; n++) {
        AUTOBUF struct buf to = BUF_INIT(1 << 20);
        has_failed = false;
        left = n;
        int r = send_one(&to);
        left = -1;
        if (!has_failed) {
            assert_int_equal(r, 0);
            assert_string_equal(buf_str(&to), buf_str(&expected));
            assert_true(n > 50);
            return;
        }
        assert_int_equal(r, -ENOMEM);
    }
}

/* An address is not taken for another one, nor for a good one. */
static void test_address(void **state) {
    (void)state;
    for (long n = 0;; n++) {
        struct address a;
        has_failed = false;
        left = n;
        enum address_fault fault = address_parse_mailbox(VIEW("Ü <ü@müller.example>"), &a, NULL);
        left = -1;
        if (!has_failed) {
            assert_int_equal(fault, ADDRESS_OK);
            return;
        }
        assert_int_not_equal(fault, ADDRESS_OK);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_message),
        cmocka_unit_test(test_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
