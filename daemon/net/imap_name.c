#include "net/imap_name.h"

#include <errno.h>
#include <stdint.h>

#include "base/text.h"

#include "base/banned.h"

/* Bits of UTF-16 on their way to base64, in which "," stands for "/". */
struct shift {
    uint32_t bits;
    unsigned count;
    bool on;
};

static void put_digit(struct buf *to, uint32_t six) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
    buf_putc(to, digits[six & 63]);
}

static void put_unit(struct shift *s, uint32_t unit, struct buf *to) {
    s->bits = s->bits << 16 | unit;
    for (s->count += 16; s->count >= 6; s->count -= 6)
        put_digit(to, s->bits >> (s->count - 6));
}

static void put_shifted(struct shift *s, uint32_t c, struct buf *to) {
    if (!s->on)
        buf_putc(to, '&');
    s->on = true;
    if (c >= 0x10000) {
        put_unit(s, 0xD800 + ((c - 0x10000) >> 10), to);
        c = 0xDC00 + ((c - 0x10000) & 0x3FF);
    }
    put_unit(s, c, to);
}

static void end_shift(struct shift *s, struct buf *to) {
    if (!s->on)
        return;
    if (s->count)
        put_digit(to, s->bits << (6 - s->count));
    buf_putc(to, '-');
    *s = (struct shift){.on = false};
}

int imap_name_print(struct view name, struct buf *to) {
    struct shift s = {.on = false};
    size_t before = to->len, len;
    if (name.len == 0 || !text_is_utf8(name) || text_has_control(name))
        return -EINVAL;
    buf_putc(to, '"');
    for (size_t i = 0; i < name.len; i += len) {
        uint32_t c = text_decode(view_slice(name, i, name.len), &len);
        if (c >= 0x80) {
            put_shifted(&s, c, to);
            continue;
        }
        end_shift(&s, to);
        if (c == '"' || c == '\\')
            buf_putc(to, '\\');
        buf_putc(to, (char)c);
        if (c == '&')
            buf_putc(to, '-');
    }
    end_shift(&s, to);
    buf_putc(to, '"');
    if (buf_error(to) < 0)
        buf_truncate(to, before);
    return buf_error(to);
}
