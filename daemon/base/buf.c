#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void buf_init(struct buf *b, size_t limit_bytes) {
    *b = (struct buf)BUF_INIT(limit_bytes);
}

void buf_done(struct buf *b) {
    free(b->data);
    buf_init(b, b->limit_bytes);
}

void buf_clear(struct buf *b) {
    b->len = 0;
    b->error = 0;
    if (b->data)
        b->data[0] = '\0';
}

char *buf_grow(struct buf *b, size_t len) {
    if (b->error)
        return NULL;
    if (len > b->limit_bytes || b->len > b->limit_bytes - len) {
        b->error = -EMSGSIZE;
        return NULL;
    }
    size_t need = b->len + len + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < need)
            cap += cap / 2 + 1;
        char *data = realloc(b->data, cap);
        if (!data) {
            b->error = -ENOMEM;
            memory_failed();
            return NULL;
        }
        b->data = data;
        b->cap = cap;
        data[b->len] = '\0'; /* also when nothing is used of what was reserved */
    }
    return b->data + b->len;
}

void buf_add(struct buf *b, const void *data, size_t len) {
    if (len == 0)
        return;
    char *to = buf_reserve(b, len);
    if (!to)
        return;
    memcpy(to, data, len);
    buf_used(b, len);
}

void buf_put_i64(struct buf *b, int64_t n) {
    char digits[20]; /* of INT64_MIN, with its sign */
    size_t at = sizeof digits;
    uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
    do
        digits[--at] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (n < 0)
        digits[--at] = '-';
    buf_add(b, digits + at, sizeof digits - at);
}

void buf_vprintf(struct buf *b, const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    char small[256];
    int n = vsnprintf(small, sizeof small, format, args);
    if (n < 0) {
        if (!b->error)
            b->error = -EINVAL;
    } else if ((size_t)n < sizeof small) {
        buf_add(b, small, (size_t)n);
    } else {
        char *to = buf_reserve(b, (size_t)n);
        if (to) {
            (void)vsnprintf(to, (size_t)n + 1, format, again); /* measured above */
            buf_used(b, (size_t)n);
        }
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_consume(struct buf *b, size_t len) {
    if (len >= b->len) {
        b->len = 0;
        if (b->data)
            b->data[0] = '\0';
        return;
    }
    memmove(b->data, b->data + len, b->len - len + 1);
    b->len -= len;
}

void buf_truncate(struct buf *b, size_t len) {
    if (len < b->len) {
        b->len = len;
        b->data[len] = '\0';
    }
}

char *buf_steal(struct buf *b) {
    if (b->error)
        return NULL;
    char *data = b->data ? b->data : calloc(1, 1);
    b->data = NULL;
    b->len = b->cap = 0;
    return data;
}
