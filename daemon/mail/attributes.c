#include "mail/attributes.h"

#include <errno.h>

#include "base/text.h"

bool attributes_next(struct view *rest, struct view *ret_name, struct view *ret_value) {
    struct view line;
    if (!view_line(rest, &line))
        return false;
    size_t tab = view_find(line, '\t');
    *ret_name = view_slice(line, 0, tab);
    *ret_value = view_slice(line, tab + 1, line.len);
    return true;
}

struct view attributes_get(struct view attributes, struct view name) {
    struct view at, value;
    while (attributes_next(&attributes, &at, &value))
        if (view_eq(at, name))
            return value;
    return (struct view){0};
}

static void add(struct buf *to, struct view name, struct view value) {
    if (value.len == 0)
        return;
    buf_add_view(to, name);
    buf_putc(to, '\t');
    buf_add_view(to, value);
    buf_putc(to, '\n');
}

int attributes_set(struct view attributes, struct view name, struct view value, struct buf *to) {
    if (name.len == 0 || name.len > ATTRIBUTE_NAME_MAX || value.len > ATTRIBUTE_VALUE_MAX || text_has_control(name) ||
        text_has_control(value) || !text_is_utf8(name) || !text_is_utf8(value))
        return -EINVAL;
    struct view at, old;
    bool written = false;
    while (attributes_next(&attributes, &at, &old)) {
        int order = view_cmp(at, name);
        if (order >= 0 && !written) {
            add(to, name, value);
            written = true;
        }
        if (order != 0)
            add(to, at, old);
    }
    if (!written)
        add(to, name, value);
    return buf_error(to);
}

static bool is_separator(uint32_t c) {
    return c < 0x80 && !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
}

int attributes_name(struct view written, struct buf *to) {
    AUTOBUF struct buf folded = BUF_INIT(4096);
    int r = text_fold(view_slice(view_trim(written), 0, 512), &folded);
    if (r < 0)
        return r == -ENOMEM ? r : 0;
    struct view v = buf_view(&folded);
    size_t start = to->len;
    for (size_t at = 0, n; at < v.len; at += n) {
        uint32_t c = text_decode(view_slice(v, at, v.len), &n);
        if (to->len - start + n > ATTRIBUTE_NAME_MAX)
            break;
        if (text_is_control(c) || is_separator(c)) {
            if (to->len > start && to->data[to->len - 1] != '_')
                buf_putc(to, '_');
        } else
            buf_add(to, v.ptr + at, n);
    }
    while (to->len > start && to->data[to->len - 1] == '_')
        buf_truncate(to, to->len - 1);
    return buf_error(to) == -ENOMEM ? -ENOMEM : 0;
}
