#include "mail/base64.h"

#include <errno.h>

#include "base/banned.h"

enum { LINE_BYTES = BASE64_LINE_MAX / 4 * 3, CUT_MIN_BYTES = 24 };

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void encode_group(char to[static 4], const unsigned char bytes[static 3]) {
    unsigned v = (unsigned)bytes[0] << 16 | (unsigned)bytes[1] << 8 | bytes[2];
    to[0] = digits[v >> 18];
    to[1] = digits[v >> 12 & 63];
    to[2] = digits[v >> 6 & 63];
    to[3] = digits[v & 63];
}

/* Writes the digits of len bytes and returns where they end. */
static char *encode(char *to, const unsigned char *bytes, size_t len) {
    for (; len >= 3; bytes += 3, len -= 3, to += 4)
        encode_group(to, bytes);
    if (len) {
        unsigned char last[3] = {bytes[0], len > 1 ? bytes[1] : 0, 0};
        encode_group(to, last);
        to[3] = '=';
        if (len == 1)
            to[2] = '=';
        to += 4;
    }
    return to;
}

void base64_digits(struct buf *to, const void *bytes, size_t len) {
    char *room = buf_reserve(to, len / 3 * 4 + 4);
    if (room)
        buf_used(to, (size_t)(encode(room, bytes, len) - room));
}

void base64_lines(struct buf *to, struct view bytes) {
    while (bytes.len) {
        struct view line = view_slice(bytes, 0, LINE_BYTES);
        base64_digits(to, line.ptr, line.len);
        buf_add(to, "\r\n", 2);
        bytes = view_slice(bytes, line.len, bytes.len);
    }
}

int base64_cut(struct view bytes, unsigned carried, struct arena *arena, struct base64_cut *ret) {
    *ret = (struct base64_cut){.head = bytes};
    if (bytes.len < CUT_MIN_BYTES)
        return 0;
    size_t head = (3 - carried) % 3, whole = (bytes.len - head) / 3 * 3;
    struct buf lines = BUF_INIT(2 * whole + 16);
    base64_lines(&lines, view_slice(bytes, head, whole));
    if (lines.len)
        buf_truncate(&lines, lines.len - 2);
    const char *copy = buf_error(&lines) ? NULL : arena_dup(arena, buf_view(&lines));
    ret->head = view_slice(bytes, 0, head);
    ret->lines = view_make(copy, lines.len);
    ret->tail = view_slice(bytes, head + whole, bytes.len);
    ret->column = (unsigned)(((whole - 3) % LINE_BYTES + 3) / 3 * 4);
    buf_done(&lines);
    return copy ? 0 : -ENOMEM;
}

/* Filling */

static void add_bytes(struct base64 *b, const char *bytes, size_t len) {
    char *start = buf_reserve(b->to, len / 3 * 4 + 8 + 2 * (len / LINE_BYTES + 2)), *out = start;
    if (!start)
        return;
    for (size_t i = 0; i < len; i++) {
        b->carry[b->carried++] = (unsigned char)bytes[i];
        if (b->carried < 3)
            continue;
        if (b->column == BASE64_LINE_MAX) {
            *out++ = '\r';
            *out++ = '\n';
            b->column = 0;
        }
        encode_group(out, b->carry);
        out += 4;
        b->column += 4;
        b->carried = 0;
    }
    buf_used(b->to, (size_t)(out - start));
}

void base64_add_cut(struct base64 *b, const struct base64_cut *cut) {
    add_bytes(b, cut->head.ptr, cut->head.len);
    if (cut->lines.len == 0)
        return;
    char *out = buf_reserve(b->to, cut->lines.len + 2);
    if (!out)
        return;
    size_t broken = b->column ? 2 : 0;
    memcpy(out, "\r\n", broken);
    memcpy(out + broken, cut->lines.ptr, cut->lines.len);
    buf_used(b->to, cut->lines.len + broken);
    b->column = cut->column;
    for (size_t i = 0; i < cut->tail.len; i++)
        b->carry[b->carried++] = (unsigned char)cut->tail.ptr[i];
}

void base64_add_value(struct base64 *b, struct view value, enum merge_escape escape) {
    while (value.len) {
        char chunk[512], canonical[2 * sizeof chunk];
        size_t n = merge_escape_some(&value, escape, chunk, sizeof chunk), len = 0;
        for (size_t i = 0; i < n; i++) {
            if (chunk[i] == '\n')
                canonical[len++] = '\r';
            canonical[len++] = chunk[i];
        }
        add_bytes(b, canonical, len);
    }
}

void base64_end(struct base64 *b) {
    if (b->carried == 0)
        return;
    if (b->column == BASE64_LINE_MAX)
        buf_add(b->to, "\r\n", 2);
    base64_digits(b->to, b->carry, b->carried);
    b->carried = b->column = 0;
}
