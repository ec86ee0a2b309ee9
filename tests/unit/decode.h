/* Decoders for tests only, unit tests and fuzz targets: strict, and written without a look at the encoders. They abort
 * on what RFC 2045 does not allow. */
#pragma once
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* ASCII, CRLF only, no line over max. */
static inline void expect_wire_lines(struct view v, size_t max) {
    size_t column = 0;
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        assert(c < 0x80 && c != 0);
        if (c == '\r') {
            assert(i + 1 < v.len && v.ptr[i + 1] == '\n');
        } else if (c == '\n') {
            assert(i > 0 && v.ptr[i - 1] == '\r');
            column = 0;
        } else {
            assert(++column <= max);
        }
    }
}

static inline int decode_nibble(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    assert(c >= 'A' && c <= 'F'); /* RFC 2045: upper case */
    return c - 'A' + 10;
}

static inline void decode_quoted_printable(struct view v, struct buf *to) {
    expect_wire_lines(v, 76);
    struct view line;
    while (view_line(&v, &line)) {
        bool hard = v.len > 0 || line.ptr + line.len + 2 == v.ptr;
        assert(line.len == 0 || (line.ptr[line.len - 1] != ' ' && line.ptr[line.len - 1] != '\t'));
        assert(!(line.len && line.ptr[0] == '.'));
        assert(!(line.len >= 5 && memcmp(line.ptr, "From ", 5) == 0));
        for (size_t i = 0; i < line.len; i++) {
            if (line.ptr[i] != '=') {
                assert(line.ptr[i] == '\t' || (line.ptr[i] >= ' ' && line.ptr[i] <= '~'));
                buf_putc(to, line.ptr[i]);
            } else if (i + 1 == line.len) {
                assert(v.len > 0); /* a soft break never ends the body */
                hard = false;
            } else {
                assert(i + 2 < line.len);
                buf_putc(to, (char)(decode_nibble(line.ptr[i + 1]) << 4 | decode_nibble(line.ptr[i + 2])));
                i += 2;
            }
        }
        if (hard)
            buf_puts(to, "\r\n");
    }
}

static inline void decode_base64(struct view v, struct buf *to) {
    expect_wire_lines(v, 76);
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned value = 0, have = 0, padding = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '\r' || v.ptr[i] == '\n')
            continue;
        if (v.ptr[i] == '=') {
            assert(have >= 2 && ++padding <= 4 - have);
            continue;
        }
        assert(padding == 0);
        const char *digit = strchr(digits, v.ptr[i]);
        assert(digit);
        value = value << 6 | (unsigned)(digit - digits);
        if (++have < 4)
            continue;
        char bytes[3] = {(char)(value >> 16), (char)(value >> 8), (char)value};
        buf_add(to, bytes, 3);
        value = have = 0;
    }
    if (have == 0)
        return;
    assert(have + padding == 4);
    value <<= 6 * padding;
    char bytes[2] = {(char)(value >> 16), (char)(value >> 8)};
    buf_add(to, bytes, have - 1);
}

/* LF to CR LF, CRs of their own dropped. */
static inline void canonical_text(struct view v, struct buf *to) {
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] == '\n')
            buf_puts(to, "\r\n");
        else if (v.ptr[i] != '\r')
            buf_putc(to, v.ptr[i]);
}
