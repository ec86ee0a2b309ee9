/* Whatever a mail is, its record can be read; and reports come out of it. */
#include <assert.h>
#include <stdint.h>

#include "inbound/mime.h"
#include "mail/bounce.h"
#include "mail/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct mime_converters converters;
    static bool begun;
    if (!begun)
        mime_begin(&converters);
    begun = true;
    AUTOBUF struct buf text = BUF_INIT(2 * RECORD_MAX_BYTES);
    struct record r;
    struct bounce b;
    mime_print_record(view_make(data, size), &text);
    assert(buf_error(&text) == 0);
    assert(record_read(buf_view(&text), &r) == 0);
    bounce_read(&r, &b);
    assert(b.count > 0);
    return 0;
}
