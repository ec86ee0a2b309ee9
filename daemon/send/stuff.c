#include "send/stuff.h"

#include <errno.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/banned.h"

/* Every octet of every message passes here on its way to a socket, so the message is looked at in blocks of 64, each
 * octet of which is a bit of a word. */
enum { BLOCK = 64 };

/* Which octets of the block are c. */
#ifdef __SSE2__
static inline uint64_t where_16(const char *octets, char c) {
    __m128i equal = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)octets), _mm_set1_epi8(c));
    return (unsigned)_mm_movemask_epi8(equal);
}

static inline uint64_t where(const char *block, char c) {
    return where_16(block, c) | where_16(block + 16, c) << 16 | where_16(block + 32, c) << 32 |
           where_16(block + 48, c) << 48;
}
#else
static uint64_t where(const char *block, char c) {
    uint64_t bits = 0;
    for (unsigned i = 0; i < BLOCK; i++)
        bits |= (uint64_t)(block[i] == c) << i;
    return bits;
}
#endif

struct walk {
    struct view message;
    struct buf *to;     /* NULL: only looked at */
    size_t copied;      /* of the message */
    size_t line;        /* where the line begins */
    bool after_cr, new; /* the octet before was CR; was LF, or there was none */
};

/* Doubles the dots at these octets of the block at `at`. */
static void double_dots(struct walk *w, const char *block, size_t at, uint64_t starts) {
    for (; starts; starts &= starts - 1) {
        unsigned i = (unsigned)__builtin_ctzll(starts);
        if (block[i] != '.')
            continue;
        buf_add_view(w->to, view_slice(w->message, w->copied, at + i + 1 - w->copied));
        w->copied = at + i;
    }
}

/* The octets at `at`, padded with NULs at the end of the message. False where something is not clean. */
static inline bool take_block(struct walk *w, const char *block, size_t at) {
    uint64_t cr = where(block, '\r'), lf = where(block, '\n');
    if (lf != (cr << 1 | w->after_cr))
        return false;
    if (w->to)
        double_dots(w, block, at, lf << 1 | w->new);
    w->after_cr = cr >> (BLOCK - 1);
    w->new = lf >> (BLOCK - 1);
    if (!lf)
        return true;
    /* Only the first line that ends here can be too long. */
    bool fits = at + (size_t)__builtin_ctzll(lf) - w->line <= STUFF_LINE_MAX_BYTES + 1;
    w->line = at + BLOCK - (size_t)__builtin_clzll(lf);
    return fits;
}

static bool walk(struct walk *w) {
    size_t at = 0;
    for (; w->message.len - at >= BLOCK; at += BLOCK)
        if (!take_block(w, w->message.ptr + at, at))
            return false;
    if (at < w->message.len) {
        char last[BLOCK] = {0};
        memcpy(last, w->message.ptr + at, w->message.len - at);
        if (!take_block(w, last, at))
            return false;
    }
    return w->message.len > 0 && w->line == w->message.len;
}

bool stuff_is_clean(struct view message) {
    return walk(&(struct walk){.message = message, .new = true});
}

int stuff(struct view message, struct buf *to) {
    struct walk w = {.message = message, .to = to, .new = true};
    if (!walk(&w))
        return -EBADMSG;
    buf_add_view(to, view_slice(message, w.copied, message.len));
    buf_puts(to, ".\r\n");
    return buf_error(to);
}
