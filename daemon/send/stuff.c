#include "send/stuff.h"

#include <errno.h>

/* The length of the line that v begins with, CRLF included; 0 where it is not clean. */
static size_t line_len(struct view v) {
    size_t most = v.len < STUFF_LINE_MAX_BYTES + 2 ? v.len : STUFF_LINE_MAX_BYTES + 2;
    const char *cr = memchr(v.ptr, '\r', most);
    size_t n = cr ? (size_t)(cr - v.ptr) + 1 : 0;
    if (n == 0 || n >= most || v.ptr[n] != '\n' || memchr(v.ptr, '\n', n))
        return 0;
    return n + 1;
}

bool stuff_is_clean(struct view message) {
    for (size_t at = 0, n; at < message.len; at += n)
        if ((n = line_len(view_slice(message, at, message.len))) == 0)
            return false;
    return message.len > 0;
}

int stuff(struct view message, struct buf *to) {
    size_t from = 0;
    if (message.len == 0)
        return -EBADMSG;
    for (size_t at = 0, n; at < message.len; at += n) {
        if ((n = line_len(view_slice(message, at, message.len))) == 0)
            return -EBADMSG;
        if (message.ptr[at] == '.') {
            buf_add_view(to, view_slice(message, from, at - from));
            buf_putc(to, '.');
            from = at;
        }
    }
    buf_add_view(to, view_slice(message, from, message.len));
    buf_puts(to, ".\r\n");
    return buf_error(to);
}
