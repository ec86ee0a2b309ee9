#include "mail/qp.h"

#include "base/octets.h"

#include "base/banned.h"

enum { CONTENT_MAX = QP_LINE_MAX - 1 }; /* room for a soft break's "=" */

/* Octets that n bytes need at most: three for each, and three more for each 73 columns. */
#define ENCODED_MAX(n) (4 * (n) + 16)

/* What stands as it is amid a line. */
static const bool literal[256] = {['\t'] = true, [' ' ... '<'] = true, ['>' ... '~'] = true};

/* All of these but the tab. */
static inline octets is_literal(octets o) {
    return octets_between(o, ' ', '~') & (octets)(o != '=');
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static char *put_hex(char *out, unsigned char c) {
    static const char digits[] = "0123456789ABCDEF";
    *out++ = '=';
    *out++ = digits[c >> 4];
    *out++ = digits[c & 15];
    return out;
}

static char *put_soft_break(char *out) {
    memcpy(out, "=\r\n", 3);
    return out + 3;
}

/* What may not begin a line as it is. A "From " that is cut off counts: more may follow. */
static bool is_start_encoded(const char *p, size_t len) {
    return *p == '.' || (*p == 'F' && memcmp(p, "From ", len < 5 ? len : 5) == 0);
}

/* The blank at the end of a line of so many columns, encoded. */
static char *encode_last_blank(char *out, size_t column) {
    char blank = *--out;
    if (column - 1 + 3 > CONTENT_MAX)
        out = put_soft_break(out);
    return put_hex(out, (unsigned char)blank);
}

/* How many octets go on a line that was begun as they are. */
static size_t literal_run(const char *p, size_t len, size_t column) {
    size_t most = column == 0 ? 0 : CONTENT_MAX - column, n = 0;
    most = most < len ? most : len;
    while (most - n >= OCTETS && !octets_any(~is_literal(octets_at(p + n))))
        n += OCTETS;
    while (n < most && literal[(unsigned char)p[n]])
        n++;
    return n;
}

/* Encodes at *column, which it moves; returns where the encoded ends. */
static char *encode(char *out, const char *p, size_t len, size_t *column) {
    for (const char *end = p + len; p < end; p++) {
        size_t run = literal_run(p, (size_t)(end - p), *column);
        memcpy(out, p, run);
        out += run;
        *column += run;
        p += run;
        if (p == end)
            break;
        if (*p == '\r')
            continue;
        if (*p == '\n') {
            if (*column && is_blank(out[-1]))
                out = encode_last_blank(out, *column);
            memcpy(out, "\r\n", 2);
            out += 2;
            *column = 0;
            continue;
        }
        unsigned char c = (unsigned char)*p;
        size_t width = literal[c] ? 1 : 3;
        if (*column + width > CONTENT_MAX) {
            out = put_soft_break(out);
            *column = 0;
        }
        if (*column == 0 && is_start_encoded(p, (size_t)(end - p)))
            width = 3;
        if (width == 3)
            out = put_hex(out, c);
        else
            *out++ = (char)c;
        *column += width;
    }
    return out;
}

void qp_encode(struct buf *to, struct view text) {
    size_t column = 0;
    char *out = text.len ? buf_reserve(to, ENCODED_MAX(text.len)) : NULL;
    if (out)
        buf_used(to, (size_t)(encode(out, text.ptr, text.len, &column) - out));
}

/* Filling */

void qp_add_encoded(struct qp *q, struct view encoded) {
    char *out = encoded.len ? buf_reserve(q->to, encoded.len + 3) : NULL;
    if (!out)
        return;
    size_t broken = q->open ? 3 : 0;
    memcpy(out, "=\r\n", broken);
    memcpy(out + broken, encoded.ptr, encoded.len);
    buf_used(q->to, encoded.len + broken);
    q->open = encoded.ptr[encoded.len - 1] != '\n';
}

void qp_add_value(struct qp *q, struct view value, enum merge_escape escape) {
    size_t column = 0;
    bool broken = !q->open;
    while (value.len) {
        char chunk[512];
        size_t n = merge_escape_some(&value, escape, chunk, sizeof chunk);
        char *start = n ? buf_reserve(q->to, ENCODED_MAX(n) + 3) : NULL, *out = start;
        if (!out)
            continue;
        if (!broken)
            out = put_soft_break(out);
        broken = true;
        out = encode(out, chunk, n, &column);
        buf_used(q->to, (size_t)(out - start));
        q->open = column > 0;
    }
}

void qp_end(struct qp *q) {
    if (!q->open || !is_blank(q->to->data[q->to->len - 1]))
        return;
    char blank = q->to->data[q->to->len - 1], encoded[6];
    buf_truncate(q->to, q->to->len - 1);
    (void)put_hex(put_soft_break(encoded), (unsigned char)blank);
    buf_add(q->to, encoded, sizeof encoded);
}
