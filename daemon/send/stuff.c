#include "send/stuff.h"

#include <errno.h>
#include <stdint.h>

#include "base/banned.h"

/* Every octet of every message passes here on its way to a socket. Most messages are plain: there is nothing to double,
 * and no line is near the longest. Whether one is, rows of octets tell, beside those one octet before them. */
enum { ROW = 16, CHUNK_ROWS = 30 };
typedef uint8_t row __attribute__((vector_size(ROW)));
_Static_assert(2 * CHUNK_ROWS * ROW <= STUFF_LINE_MAX_BYTES, "a line that ends in each chunk is short enough");

static inline row row_at(const char *p) {
    row r;
    memcpy(&r, p, sizeof r);
    return r;
}

static inline bool is_any(row r) {
    uint64_t halves[2];
    memcpy(halves, &r, sizeof halves);
    return halves[0] | halves[1];
}

/* What speaks against it, and where lines end; what stands for true is all ones. */
struct seen {
    row bad, ends;
};

static inline void look(struct seen *s, const char *p) {
    row now = row_at(p), before = row_at(p - 1), lf = (row)(now == '\n');
    s->bad |= (lf ^ (row)(before == '\r')) | ((row)(now == '.') & (row)(before == '\n'));
    s->ends |= lf;
}

static bool is_plain(struct view v) {
    struct seen seen = {0};
    size_t at = 1;
    if (v.len <= ROW || v.ptr[0] == '\n' || v.ptr[0] == '.' || v.ptr[v.len - 1] != '\n')
        return false;
    for (; v.len - at >= CHUNK_ROWS * ROW; at += CHUNK_ROWS * ROW) {
        seen.ends = (row){0};
        for (size_t i = 0; i < CHUNK_ROWS * ROW; i += ROW)
            look(&seen, v.ptr + at + i);
        if (!is_any(seen.ends))
            return false;
    }
    for (; v.len - at >= ROW; at += ROW)
        look(&seen, v.ptr + at);
    look(&seen, v.ptr + v.len - ROW);
    return !is_any(seen.bad);
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
