#include "send/stuff.h"

#include <errno.h>

#include "base/octets.h"

#include "base/banned.h"

/* Every octet of every message passes here on its way to a socket. Most messages are plain: there is nothing to double,
 * and no line is near the longest. Whether one is, octets tell, beside those before each. */
enum { CHUNK = 30 * OCTETS };
_Static_assert(2 * CHUNK <= STUFF_LINE_MAX_BYTES, "a line that ends in each chunk is short enough");

/* What speaks against it, and where lines end; what stands for true is all ones. */
struct seen {
    octets bad, ends;
};

static inline void look(struct seen *s, const char *p) {
    octets now = octets_at(p), before = octets_at(p - 1), lf = (octets)(now == '\n');
    s->bad |= (lf ^ (octets)(before == '\r')) | ((octets)(now == '.') & (octets)(before == '\n'));
    s->ends |= lf;
}

static bool is_plain(struct view v) {
    struct seen seen = {0};
    size_t at = 1;
    if (v.len <= OCTETS || v.ptr[0] == '\n' || v.ptr[0] == '.' || v.ptr[v.len - 1] != '\n')
        return false;
    for (; v.len - at >= CHUNK; at += CHUNK) {
        seen.ends = (octets){0};
        for (size_t i = 0; i < CHUNK; i += OCTETS)
            look(&seen, v.ptr + at + i);
        if (!octets_any(seen.ends))
            return false;
    }
    for (; v.len - at >= OCTETS; at += OCTETS)
        look(&seen, v.ptr + at);
    look(&seen, v.ptr + v.len - OCTETS);
    return !octets_any(seen.bad);
}

/* Line by line; to: NULL where it is only looked at. */
static bool walk(struct view rest, struct buf *to) {
    if (rest.len == 0)
        return false;
    while (rest.len) {
        size_t end = view_find(rest, '\n');
        if (end == rest.len || end == 0 || view_find(rest, '\r') != end - 1 || end - 1 > STUFF_LINE_MAX_BYTES)
            return false;
        if (to && rest.ptr[0] == '.')
            buf_putc(to, '.');
        if (to)
            buf_add(to, rest.ptr, end + 1);
        rest = view_slice(rest, end + 1, rest.len);
    }
    return true;
}

bool stuff_is_clean(struct view message) {
    return is_plain(message) || walk(message, NULL);
}

int stuff(struct view message, struct buf *to) {
    if (is_plain(message))
        buf_add_view(to, message);
    else if (!walk(message, to))
        return -EBADMSG;
    buf_puts(to, ".\r\n");
    return buf_error(to);
}
