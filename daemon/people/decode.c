#include "people/decode.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text_stream.h"

#include "base/banned.h"

enum state { AT_START, ALL_ASCII, IN_UTF8, IN_STREAM };
static const char bom[] = "\xEF\xBB\xBF";

struct decode {
    enum state state;
    char *given;         /* charset, or NULL */
    const char *charset; /* as found */
    bool guessed;
    char held[4]; /* what may be a BOM, or the beginning of a character */
    size_t held_len;
    struct text_stream *stream;
    struct buf converted; /* of a stream's beginning, to look for a BOM */
    bool stream_begun;
};

int decode_new(const char *charset, struct decode **ret) {
    struct decode *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    d->charset = "UTF-8";
    buf_init(&d->converted, SIZE_MAX / 4); /* as long as the pieces */
    if (charset) {
        d->given = strdup(charset);
        int r = d->given ? text_stream_new(charset, &d->stream) : -ENOMEM;
        if (r < 0) {
            (void)decode_free(d);
            return r;
        }
        d->charset = d->given;
    }
    *ret = d;
    return 0;
}

struct decode *decode_free(struct decode *d) {
    if (!d)
        return NULL;
    (void)text_stream_free(d->stream);
    buf_done(&d->converted);
    free(d->given);
    free(d);
    return NULL;
}

const char *decode_charset(const struct decode *d) {
    return d->charset;
}

bool decode_guessed(const struct decode *d) {
    return d->guessed;
}

/* --- UTF-8 --------------------------------------------------------------------------------------------------- */

enum { INVALID = 0, INCOMPLETE = -1 };

/* The length of the character at p, INVALID, or INCOMPLETE (RFC 3629 §4). */
static int character(const uint8_t *p, size_t n) {
    if (p[0] < 0x80)
        return 1;
    int len = p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : p[0] < 0xF5 ? 4 : 0;
    if (len == 0)
        return INVALID;
    uint8_t low = p[0] == 0xE0 ? 0xA0 : p[0] == 0xF0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xED ? 0x9F : p[0] == 0xF4 ? 0x8F : 0xBF;
    for (int i = 1; i < len; i++, low = 0x80, high = 0xBF) {
        if ((size_t)i == n)
            return INCOMPLETE;
        if (p[i] < low || p[i] > high)
            return INVALID;
    }
    return len;
}

static int become_stream(struct decode *d, const char *iconv_name, const char *name) {
    d->stream = text_stream_free(d->stream);
    d->state = IN_STREAM;
    d->charset = name;
    return text_stream_new(iconv_name, &d->stream);
}

static int feed_stream(struct decode *d, struct view v, struct buf *to) {
    if (d->stream_begun)
        return text_stream_feed(d->stream, v, to);
    int r = text_stream_feed(d->stream, v, &d->converted);
    struct view text = buf_view(&d->converted);
    if (r < 0 || text.len == 0)
        return r;
    buf_add_view(to, view_starts(text, bom) ? view_slice(text, 3, text.len) : text);
    buf_done(&d->converted);
    d->stream_begun = true;
    return buf_error(to);
}

/* Takes characters off *v as long as they are UTF-8. 1: the rest is windows-1252; what is INCOMPLETE stays in *v. */
static int feed_utf8(struct decode *d, struct view *v, struct buf *to) {
    const uint8_t *p = (const uint8_t *)v->ptr;
    size_t good = 0;
    while (good < v->len) {
        int n = character(p + good, v->len - good);
        if (n == INCOMPLETE)
            break;
        if (n == INVALID) {
            buf_add(to, v->ptr, good);
            *v = view_slice(*v, good, v->len);
            if (d->state == ALL_ASCII)
                return 1;
            buf_puts(to, "\xEF\xBF\xBD");
            *v = view_slice(*v, 1, v->len);
            p = (const uint8_t *)v->ptr;
            good = 0;
            continue;
        }
        if (n > 1)
            d->state = IN_UTF8;
        good += (size_t)n;
    }
    buf_add(to, v->ptr, good);
    *v = view_slice(*v, good, v->len);
    return buf_error(to);
}

static int feed_known(struct decode *d, struct view v, struct buf *to) {
    if (d->state == IN_STREAM)
        return feed_stream(d, v, to);
    AUTOBUF struct buf joined = BUF_INIT(SIZE_MAX / 4);
    if (d->held_len) {
        buf_add(&joined, d->held, d->held_len);
        buf_add_view(&joined, v);
        if (buf_error(&joined))
            return buf_error(&joined);
        v = buf_view(&joined);
        d->held_len = 0;
    }
    int r = feed_utf8(d, &v, to);
    if (r == 1) {
        d->guessed = true;
        d->stream_begun = true;
        r = become_stream(d, "WINDOWS-1252", "windows-1252");
        return r < 0 ? r : text_stream_feed(d->stream, v, to);
    }
    memcpy(d->held, v.ptr, v.len); /* less than a character */
    d->held_len = v.len;
    return r;
}

/* --- The beginning ------------------------------------------------------------------------------------------- */

/* Decides by the first bytes; v is all of them so far. */
static int begin(struct decode *d, struct view *v) {
    if (view_starts(*v, bom)) {
        *v = view_slice(*v, 3, v->len);
        d->stream = text_stream_free(d->stream);
        d->state = IN_UTF8;
        d->charset = "UTF-8";
        return 0;
    }
    bool little = view_starts(*v, "\xFF\xFE"), big = view_starts(*v, "\xFE\xFF");
    if (little || big) {
        *v = view_slice(*v, 2, v->len);
        return become_stream(d, little ? "UTF-16LE" : "UTF-16BE", "UTF-16");
    }
    d->state = d->stream ? IN_STREAM : ALL_ASCII;
    return 0;
}

int decode_feed(struct decode *d, struct view piece, struct buf *to) {
    if (d->state != AT_START)
        return feed_known(d, piece, to);
    if (d->held_len + piece.len < 3) { /* a BOM may still come */
        memcpy(d->held + d->held_len, piece.ptr, piece.len);
        d->held_len += piece.len;
        return 0;
    }
    AUTOBUF struct buf all = BUF_INIT(SIZE_MAX / 4);
    buf_add(&all, d->held, d->held_len);
    buf_add_view(&all, piece);
    d->held_len = 0;
    if (buf_error(&all))
        return buf_error(&all);
    struct view v = buf_view(&all);
    int r = begin(d, &v);
    return r < 0 ? r : feed_known(d, v, to);
}

int decode_end(struct decode *d, struct buf *to) {
    int r = 0;
    if (d->state == AT_START) {
        char held[4];
        memcpy(held, d->held, d->held_len);
        struct view v = view_make(held, d->held_len);
        d->held_len = 0;
        r = begin(d, &v);
        if (r == 0)
            r = feed_known(d, v, to);
    }
    if (r == 0 && d->held_len && d->state == ALL_ASCII) { /* cut off in the middle: never UTF-8 then */
        struct view v = view_make(d->held, d->held_len);
        d->guessed = true;
        d->stream_begun = true;
        r = become_stream(d, "WINDOWS-1252", "windows-1252");
        if (r == 0)
            r = text_stream_feed(d->stream, v, to);
    } else if (r == 0 && d->held_len)
        buf_puts(to, "\xEF\xBF\xBD");
    d->held_len = 0;
    if (r == 0 && d->state == IN_STREAM)
        r = text_stream_end(d->stream, to);
    return r < 0 ? r : buf_error(to);
}
