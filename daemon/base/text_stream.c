#include "base/text_stream.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

enum { HELD_MAX = 16, NAME_MAX_BYTES = 40 };
static const char replacement[] = "\xEF\xBF\xBD";

struct text_stream {
    iconv_t cd;
    size_t unit;         /* what a bad character skips */
    char held[HELD_MAX]; /* the beginning of a character */
    size_t held_len;
};

int text_stream_new(const char *charset, struct text_stream **ret) {
    size_t len = strlen(charset);
    if (len == 0 || len > NAME_MAX_BYTES ||
        strspn(charset, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-") != len)
        return -EINVAL;
    iconv_t cd = iconv_open("UTF-8", charset);
    if (cd == (iconv_t)-1)
        return errno == ENOMEM ? -ENOMEM : -EINVAL;
    struct text_stream *s = calloc(1, sizeof *s);
    if (!s) {
        (void)iconv_close(cd); /* cannot fail on what iconv_open gave */
        return -ENOMEM;
    }
    s->cd = cd;
    s->unit = strncasecmp(charset, "UTF-16", 6) == 0 || strncasecmp(charset, "UCS-2", 5) == 0 ? 2 : 1;
    *ret = s;
    return 0;
}

struct text_stream *text_stream_free(struct text_stream *s) {
    if (s)
        (void)iconv_close(s->cd); /* cannot fail on what iconv_open gave */
    free(s);
    return NULL;
}

/* Converts what it can; what is left of *v is the beginning of a character. */
static int convert(struct text_stream *s, struct view *v, struct buf *to) {
    while (v->len) {
        char chunk[4096], *in = (char *)v->ptr, *out = chunk;
        size_t left = v->len, room = sizeof chunk;
        size_t n = iconv(s->cd, &in, &left, &out, &room);
        int error = n == (size_t)-1 ? errno : 0;
        buf_add(to, chunk, (size_t)(out - chunk));
        *v = view_make(in, left);
        if (error == EILSEQ) {
            buf_puts(to, replacement);
            *v = view_slice(*v, s->unit, v->len);
        } else if (error == EINVAL && v->len < HELD_MAX)
            break;
        else if (error == EINVAL) { /* no charset has characters as long as this */
            buf_puts(to, replacement);
            *v = view_slice(*v, s->unit, v->len);
        }
        if (buf_error(to))
            break;
    }
    return buf_error(to);
}

/* Completes the held character with as many bytes of the piece as that takes. */
static int feed_held(struct text_stream *s, struct view *piece, struct buf *to) {
    while (s->held_len && piece->len) {
        s->held[s->held_len++] = *piece->ptr;
        *piece = view_slice(*piece, 1, piece->len);
        struct view rest = view_make(s->held, s->held_len);
        int r = convert(s, &rest, to);
        if (r < 0)
            return r;
        memmove(s->held, rest.ptr, rest.len);
        s->held_len = rest.len;
    }
    return 0;
}

int text_stream_feed(struct text_stream *s, struct view piece, struct buf *to) {
    int r = feed_held(s, &piece, to);
    if (r == 0)
        r = convert(s, &piece, to);
    if (r < 0 || piece.len == 0)
        return r;
    memcpy(s->held, piece.ptr, piece.len);
    s->held_len = piece.len;
    return 0;
}

int text_stream_end(struct text_stream *s, struct buf *to) {
    if (s->held_len)
        buf_puts(to, replacement);
    s->held_len = 0;
    char chunk[64], *out = chunk;
    size_t room = sizeof chunk;
    if (iconv(s->cd, NULL, NULL, &out, &room) != (size_t)-1) /* back to the initial state, with what that writes */
        buf_add(to, chunk, (size_t)(out - chunk));
    return buf_error(to);
}
