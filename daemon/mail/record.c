#include "mail/record.h"

#include <errno.h>

#include "base/number.h"
#include "base/text.h"

#include "base/banned.h"

static const char head_line[] = "rundbrief-record 1", end_line[] = "end";

static bool is_name_char(char c, bool slash) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c != '\0' && strchr("-_.+", c)) || (slash && c == '/');
}

static bool is_name(struct view v, bool slash) {
    if (v.len == 0 || v.len > RECORD_NAME_MAX_BYTES)
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (!is_name_char(v.ptr[i], slash))
            return false;
    return true;
}

/* ---- printing ---- */

void record_print_head(struct buf *to) {
    buf_printf(to, "%s\n", head_line);
}

void record_print_end(struct buf *to) {
    buf_printf(to, "%s\n", end_line);
}

/* What may stand in a value: control characters become a blank there, in a text they go. CR LF is LF. */
static void clean(struct buf *to, struct view v, bool lines, size_t max) {
    size_t begin = to->len;
    while (v.len) {
        size_t len;
        uint32_t c = text_decode(v, &len);
        size_t bytes = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (to->len - begin + bytes > max)
            return;
        if (lines && (c == '\n' || c == '\t'))
            buf_putc(to, (char)c);
        else if (!text_is_control(c))
            text_encode(to, c);
        else if (!lines && !text_is_direction_mark(c))
            buf_putc(to, ' ');
        v = view_slice(v, len, v.len);
    }
}

static void print_item(struct buf *to, const struct buf *text) {
    buf_printf(to, " %zu\n", text->len);
    buf_add_view(to, buf_view(text));
    buf_putc(to, '\n');
    if (buf_error(text) < 0 && !to->error)
        to->error = buf_error(text);
}

void record_print_field(struct buf *to, struct view name, struct view value) {
    AUTOBUF struct buf text = BUF_INIT(RECORD_VALUE_MAX_BYTES);
    if (!is_name(name, false))
        return;
    clean(&text, value, false, RECORD_VALUE_MAX_BYTES);
    buf_puts(to, "field ");
    buf_add_view(to, name);
    print_item(to, &text);
}

void record_print_part(struct buf *to, unsigned level, struct view type, struct view text) {
    AUTOBUF struct buf cleaned = BUF_INIT(RECORD_TEXT_MAX_BYTES);
    if (level > RECORD_LEVELS_MAX)
        return;
    clean(&cleaned, text, true, RECORD_TEXT_MAX_BYTES);
    buf_printf(to, "part %u ", level);
    buf_add_view(to, is_name(type, true) ? type : VIEW("application/octet-stream"));
    print_item(to, &cleaned);
}

/* ---- reading ---- */

static bool is_clean(struct view v, bool lines) {
    if (!text_is_utf8(v))
        return false;
    while (v.len) {
        size_t len;
        uint32_t c = text_decode(v, &len);
        if (text_is_control(c) && !(lines && (c == '\n' || c == '\t')))
            return false;
        v = view_slice(v, len, v.len);
    }
    return true;
}

/* As it is printed: there is one way to write a record. */
static bool is_number(struct view v, uint64_t max, uint64_t *ret) {
    return number_parse_u64(v, max, ret) == 0 && (v.ptr[0] != '0' || v.len == 1);
}

/* The line and the bytes that follow it, with their LF, off *rest. */
static int take_bytes(struct view *rest, struct view length, size_t max, bool lines, struct view *ret) {
    uint64_t len;
    if (!is_number(length, max, &len) || len >= rest->len || rest->ptr[len] != '\n')
        return -EBADMSG;
    *ret = view_slice(*rest, 0, len);
    *rest = view_slice(*rest, len + 1, rest->len);
    return is_clean(*ret, lines) ? 0 : -EBADMSG;
}

static int read_field(struct view line, struct view *rest, struct record *r) {
    struct view name, value;
    if (r->field_count == RECORD_FIELDS_MAX || r->part_count || !view_split(&line, ' ', &name) ||
        !is_name(name, false) || take_bytes(rest, line, RECORD_VALUE_MAX_BYTES, false, &value) < 0)
        return -EBADMSG;
    r->fields[r->field_count++] = (struct record_field){name, value};
    return 0;
}

static int read_part(struct view line, struct view *rest, struct record *r) {
    struct view level_text, type, text;
    uint64_t level;
    if (r->part_count == RECORD_PARTS_MAX || !view_split(&line, ' ', &level_text) || !view_split(&line, ' ', &type) ||
        !is_number(level_text, RECORD_LEVELS_MAX, &level) || !is_name(type, true) ||
        take_bytes(rest, line, RECORD_TEXT_MAX_BYTES, true, &text) < 0)
        return -EBADMSG;
    r->parts[r->part_count++] = (struct record_part){(unsigned)level, type, text};
    return 0;
}

int record_read(struct view text, struct record *ret) {
    struct view rest = text, line, word;
    ret->field_count = ret->part_count = 0;
    if (text.len > RECORD_MAX_BYTES || !view_take(&rest, '\n', &line) || !view_eq_str(line, head_line))
        return -EBADMSG;
    while (view_take(&rest, '\n', &line)) {
        if (view_eq_str(line, end_line))
            return rest.len == 0 ? 0 : -EBADMSG;
        int r = -EBADMSG;
        if (view_split(&line, ' ', &word))
            r = view_eq_str(word, "field")  ? read_field(line, &rest, ret)
                : view_eq_str(word, "part") ? read_part(line, &rest, ret)
                                            : -EBADMSG;
        if (r < 0)
            return r;
    }
    return -EBADMSG;
}

struct view record_field(const struct record *r, const char *name) {
    for (size_t i = 0; i < r->field_count; i++)
        if (view_eq_str(r->fields[i].name, name))
            return r->fields[i].value;
    return (struct view){0};
}
