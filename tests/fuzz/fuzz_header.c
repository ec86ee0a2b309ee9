/* Whatever a value holds, what is written stays one field: ASCII lines of bounded length, each folded one with more
 * than blanks on it. First byte: the column. */
#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "base/text.h"
#include "mail/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LIMIT = 1 << 20 };

static void check_field(const struct buf *b, size_t column, bool ascii) {
    struct view v = buf_view(b), line;
    assert(buf_error(b) == 0);
    assert(ascii ? text_is_ascii(v) : text_is_utf8(v));
    assert(v.len == 0 || v.ptr[v.len - 1] != '\n');
    for (size_t i = 0; i < v.len; i++) {
        assert(v.ptr[i] != 0 && (v.ptr[i] != '\n' || (i > 0 && v.ptr[i - 1] == '\r')));
        assert(v.ptr[i] != '\r' || (i + 2 < v.len && v.ptr[i + 1] == '\n' && v.ptr[i + 2] == ' '));
    }
    for (bool first = true; view_line(&v, &line); first = false) {
        assert(line.len + (first ? column : 0) <= 998);
        assert(first || view_trim(line).len > 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    size_t column = data[0] % 76;
    struct view v = view_make(data + 1, size - 1);
    AUTOBUF struct buf text = BUF_INIT(LIMIT), mailbox = BUF_INIT(LIMIT), file = BUF_INIT(LIMIT),
                       ascii = BUF_INIT(LIMIT), address = BUF_INIT(LIMIT);
    header_add_text(&text, v, column);
    check_field(&text, column, true);
    header_add_mailbox(&mailbox, v, VIEW("vera@x.example"), column);
    check_field(&mailbox, column, true);
    assert(view_ends(buf_view(&mailbox), "vera@x.example>") || mailbox.len == 14);
    header_add_parameter(&file, "filename", v);
    check_field(&file, 0, true);
    header_add_parameter_ascii(&ascii, "name", v);
    check_field(&ascii, 0, true);
    assert(view_find(buf_view(&ascii), '*') == ascii.len);
    header_add_mailbox(&address, VIEW("Vera"), v, column);
    if (buf_error(&address))
        assert(buf_error(&address) == -EINVAL && address.len == 0);
    else
        check_field(&address, column, false);
    return 0;
}
