#include "base/text.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>
#include <uniwidth.h>

#include "base/octets.h"

/* How many octets from the first on lie between these. */
static inline size_t run_between(struct view v, unsigned char first, unsigned char last) {
    size_t n = 0;
    while (v.len - n >= OCTETS && !octets_any(~octets_between(octets_at(v.ptr + n), first, last)))
        n += OCTETS;
    while (n < v.len && (unsigned char)v.ptr[n] >= first && (unsigned char)v.ptr[n] <= last)
        n++;
    return n;
}

bool text_is_utf8(struct view v) {
    size_t ascii = run_between(v, 1, 0x7F);
    struct view rest = view_slice(v, ascii, v.len);
    return rest.len == 0 || (!memchr(rest.ptr, 0, rest.len) && !u8_check((const uint8_t *)rest.ptr, rest.len));
}

bool text_is_ascii(struct view v) {
    return run_between(v, 0, 0x7F) == v.len;
}

bool text_is_printable(struct view v) {
    return run_between(v, ' ', '~') == v.len;
}

uint32_t text_decode(struct view v, size_t *ret_len) {
    unsigned char first = (unsigned char)v.ptr[0];
    if (first < 0x80) {
        *ret_len = 1;
        return first;
    }
    ucs4_t c = 0;
    int n = u8_mbtoucr(&c, (const uint8_t *)v.ptr, v.len);
    if (n <= 0) {
        *ret_len = 1;
        return 0xFFFD;
    }
    *ret_len = (size_t)n;
    return c;
}

void text_encode(struct buf *to, uint32_t c) {
    uint8_t bytes[6];
    int n = u8_uctomb(bytes, c, sizeof bytes);
    if (n > 0)
        buf_add(to, bytes, (size_t)n);
    else if (!to->error)
        to->error = -EILSEQ;
}

bool text_is_control(uint32_t c) {
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x061C || c == 0x200E || c == 0x200F ||
           (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029 || c == 0xFEFF ||
           (c >= 0xE0000 && c <= 0xE007F) || (c >= 0xFFF9 && c <= 0xFFFB);
}

bool text_is_direction_mark(uint32_t c) {
    return c == 0x200E || c == 0x200F || c == 0x061C;
}

bool text_has_control(struct view v) {
    if (text_is_printable(v))
        return false;
    for (size_t at = 0, n; at < v.len; at += n)
        if (text_is_control(text_decode(view_slice(v, at, v.len), &n)))
            return true;
    return false;
}

static int add_owned(struct buf *to, uint8_t *bytes, size_t len) {
    if (!bytes)
        return errno ? -errno : -ENOMEM;
    buf_add(to, bytes, len);
    free(bytes);
    return buf_error(to);
}

int text_nfc(struct view v, struct buf *to) {
    if (v.len == 0)
        return 0;
    if (!text_is_utf8(v))
        return -EILSEQ;
    size_t len = 0;
    uint8_t *out = u8_normalize(UNINORM_NFC, (const uint8_t *)v.ptr, v.len, NULL, &len);
    return add_owned(to, out, len);
}

int text_fold(struct view v, struct buf *to) {
    if (v.len == 0)
        return 0;
    if (!text_is_utf8(v))
        return -EILSEQ;
    size_t len = 0;
    uint8_t *out = u8_casefold((const uint8_t *)v.ptr, v.len, NULL, UNINORM_NFC, NULL, &len);
    return add_owned(to, out, len);
}

int text_convert(struct view v, const char *charset, struct buf *to) {
    iconv_t cd = iconv_open("UTF-8", charset);
    if (cd == (iconv_t)-1)
        return -errno;
    char *in = (char *)v.ptr;
    size_t left = v.len;
    int r = 0;
    while (left) {
        char chunk[4096], *out = chunk;
        size_t room = sizeof chunk;
        size_t n = iconv(cd, &in, &left, &out, &room);
        buf_add(to, chunk, (size_t)(out - chunk));
        if (n == (size_t)-1 && errno != E2BIG) {
            r = -EILSEQ;
            break;
        }
        if (buf_error(to))
            break;
    }
    (void)iconv_close(cd);
    return r ? r : buf_error(to);
}

/* A text file has no NUL; UTF-16 without its BOM has many. */
static int convert_text(struct view v, const char *charset, struct buf *to) {
    size_t before = to->len;
    int r = text_convert(v, charset, to);
    return r == 0 && to->len > before && memchr(to->data + before, 0, to->len - before) ? -EILSEQ : r;
}

int text_read(struct view v, struct buf *to, const char **ret_charset) {
    if (view_starts(v, "\xEF\xBB\xBF"))
        v = view_slice(v, 3, v.len);
    else if (view_starts(v, "\xFF\xFE") || view_starts(v, "\xFE\xFF")) {
        int r = convert_text(v, "UTF-16", to);
        if (r == 0)
            *ret_charset = "UTF-16";
        return r;
    }
    if (text_is_utf8(v)) {
        buf_add_view(to, v);
        *ret_charset = "UTF-8";
        return buf_error(to);
    }
    int r = convert_text(v, "WINDOWS-1252", to);
    if (r == 0)
        *ret_charset = "windows-1252";
    return r;
}

/* The first bytes of a character of which the rest is missing. */
static bool is_cut_off(struct view v) {
    unsigned char first = (unsigned char)v.ptr[0];
    size_t whole = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || v.len >= whole)
        return false;
    for (size_t i = 1; i < v.len; i++)
        if (((unsigned char)v.ptr[i] & 0xC0) != 0x80)
            return false;
    return true;
}

void text_cut_clean(char *s) {
    size_t len = strlen(s);
    if (text_is_printable(view_make(s, len)))
        return;
    for (size_t at = 0; at < len;) {
        size_t n;
        uint32_t c = text_decode(view_make(s + at, len - at), &n);
        if (c == 0xFFFD && n == 1) {
            if (is_cut_off(view_make(s + at, len - at))) {
                s[at] = '\0';
                return;
            }
            s[at] = '?';
        } else if (text_is_control(c))
            memset(s + at, '?', n);
        at += n;
    }
}

void text_add_safe(struct buf *to, struct view v) {
    for (size_t at = 0, n; at < v.len; at += n) {
        uint32_t c = text_decode(view_slice(v, at, v.len), &n);
        if (text_is_control(c) || (c == 0xFFFD && n == 1))
            for (size_t i = 0; i < n; i++)
                buf_printf(to, "\\x%02x", (unsigned char)v.ptr[at + i]);
        else
            buf_add(to, v.ptr + at, n);
    }
}

size_t text_width(struct view v) {
    size_t columns = 0;
    for (size_t at = 0, n; at < v.len; at += n) {
        int w = uc_width(text_decode(view_slice(v, at, v.len), &n), "UTF-8");
        columns += w > 0 ? (size_t)w : 0;
    }
    return columns;
}

enum { NEAREST_MAX = 64 };

static size_t distance(struct view a, struct view b) {
    size_t row[NEAREST_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = above;
            row[j] = best;
        }
    }
    return row[b.len];
}

const char *text_nearest(struct view typed, const char *const *names, size_t count) {
    if (typed.len > NEAREST_MAX)
        return NULL;
    const char *best = NULL;
    size_t least = typed.len / 3 + 2; /* a name of three letters may differ in two, such as "strat" */
    for (size_t i = 0; i < count; i++) {
        struct view name = view_of(names[i]);
        if (name.len > NEAREST_MAX)
            continue;
        size_t d = distance(typed, name);
        if (d < least && d < name.len) {
            least = d;
            best = names[i];
        }
    }
    return best;
}
