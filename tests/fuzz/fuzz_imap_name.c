/* A mailbox's name that is printed is a quoted string that any IMAP server takes, and another decoder reads the same out of it. */
#include <assert.h>
#include <iconv.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"
#include "net/imap_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view name = view_make(data, size);
    AUTOBUF struct buf printed = BUF_INIT(1 << 20), bare = BUF_INIT(1 << 20), back = BUF_INIT(1 << 20);
    int r = imap_name_print(name, &printed);
    assert((r == 0) == (size > 0 && text_is_utf8(name) && !text_has_control(name)));
    if (r < 0) {
        assert(printed.len == 0);
        return 0;
    }
    assert(printed.len >= 2 && printed.data[0] == '"' && printed.data[printed.len - 1] == '"');
    for (size_t i = 1; i + 1 < printed.len; i++) {
        assert(printed.data[i] >= ' ' && printed.data[i] <= '~' && printed.data[i] != '"');
        if (printed.data[i] == '\\') {
            i++;
            assert(printed.data[i] == '"' || printed.data[i] == '\\');
        }
        buf_putc(&bare, printed.data[i]);
    }
    static iconv_t decoder;
    if (!decoder)
        decoder = iconv_open("UTF-8", "UTF-7-IMAP");
    if (decoder == (iconv_t)-1)
        return 0; /* an older C library */
    char *in = bare.data, *out = buf_reserve(&back, size + 1);
    size_t in_left = bare.len, out_left = size + 1;
    assert(iconv(decoder, &in, &in_left, &out, &out_left) != (size_t)-1 && in_left == 0);
    assert(size + 1 - out_left == size && memcmp(back.data, data, size) == 0);
    return 0;
}
