/* A growable, capped byte buffer with a sticky error.
 *
 * Append freely and look at buf_error() once at the end: after the first failure (-ENOMEM, or -EMSGSIZE at
 * the cap) nothing more is added. The bytes are always followed by a NUL that does not count.
 * buf_clear() keeps the memory for reuse; buf_done() frees it and leaves an empty buffer with the same cap. */
#pragma once
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/view.h"

struct buf {
    char *data; /* NULL while nothing was added */
    size_t len, cap, limit_bytes;
    int error;
};

/* For initialisers: struct buf b = BUF_INIT(64 * 1024); */
#define BUF_INIT(limit)                                                                                                \
    { .limit_bytes = (limit) }
#define AUTOBUF CLEANUP(buf_done)

void buf_init(struct buf *b, size_t limit_bytes);
void buf_done(struct buf *b);
void buf_clear(struct buf *b);
/* 0 or the first failure. */
static inline int buf_error(const struct buf *b) {
    return b->error;
}

void buf_add(struct buf *b, const void *data, size_t len);
static inline void buf_add_view(struct buf *b, struct view v) {
    buf_add(b, v.ptr, v.len);
}
static inline void buf_puts(struct buf *b, const char *s) {
    buf_add(b, s, strlen(s));
}
static inline void buf_putc(struct buf *b, char c);
/* A whole number in decimal digits. */
void buf_put_i64(struct buf *b, int64_t n);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* Makes room for len more bytes and returns where they go, or NULL with the error set; then buf_used(b, n). */
static inline char *buf_reserve(struct buf *b, size_t len);
static inline void buf_used(struct buf *b, size_t len) {
    b->len += len;
    b->data[b->len] = '\0';
}
/* Drops the first len bytes. */
void buf_consume(struct buf *b, size_t len);
/* Cuts to len bytes; a longer len changes nothing. */
void buf_truncate(struct buf *b, size_t len);

/* Borrowed; "" when empty. */
static inline const char *buf_str(const struct buf *b) {
    return b->data ? b->data : "";
}
static inline struct view buf_view(const struct buf *b) {
    return (struct view){buf_str(b), b->len};
}
/* Hands the bytes over (NUL-terminated, to be freed) and leaves the buffer empty; NULL on error. */
char *buf_steal(struct buf *b);

/* Where there is room already, which is nearly always, reserving takes no call. */
char *buf_grow(struct buf *b, size_t len);
static inline char *buf_reserve(struct buf *b, size_t len) {
    bool fits = b->error == 0 && len < b->cap - b->len && b->len + len <= b->limit_bytes;
    return fits ? b->data + b->len : buf_grow(b, len);
}
static inline void buf_putc(struct buf *b, char c) {
    char *to = buf_reserve(b, 1);
    if (to) {
        *to = c;
        buf_used(b, 1);
    }
}
