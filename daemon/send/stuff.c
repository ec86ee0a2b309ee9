#include "send/stuff.h"

#include <errno.h>

#include "base/banned.h"

/* Every octet of every message passes here on its way to a socket: the compiler makes vectors of the loop, of the
 * widest that the machine at hand has. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) &&               \
    !defined(__SANITIZE_THREAD__)
#define VECTORISED __attribute__((optimize("O3"), target_clones("avx2", "default")))
#else
#define VECTORISED
#endif

/* Most messages are plain: there is nothing to double, and no line is near the longest. Whether one is, octets tell,
 * beside those before each. */
enum { CHUNK = 480 };
_Static_assert(2 * CHUNK <= STUFF_LINE_MAX_BYTES, "a line that ends in each chunk is short enough");

VECTORISED static bool is_plain(struct view v) {
    uint8_t bad = 0;
    if (v.len == 0 || v.ptr[0] == '\n' || v.ptr[0] == '.' || v.ptr[v.len - 1] != '\n')
        return false;
    for (size_t at = 1; at < v.len; at += CHUNK) {
        const uint8_t *p = (const uint8_t *)v.ptr + at;
        size_t n = v.len - at < CHUNK ? v.len - at : CHUNK;
        uint8_t ends = 0;
        for (size_t i = 0; i < n; i++) {
            uint8_t end = p[i] == '\n';
            bad |= (uint8_t)(end ^ (p[i - 1] == '\r')) | (uint8_t)((p[i] == '.') & (p[i - 1] == '\n'));
            ends |= end;
        }
        if (!ends)
            return false;
    }
    return !bad;
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
