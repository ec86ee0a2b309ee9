/* A file that is read, printed again, says the same. */
#include <assert.h>
#include <stdint.h>

#include "spool/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int print_again(struct view file, struct buf *to) {
    struct request_reader reader = {0};
    struct request r;
    unsigned line = 0;
    int error = request_reader_open(&reader, file, REQUEST_ANY_DOOR, &line);
    assert(error == 0 || line > 0);
    buf_puts(to, "rundbrief-requests 2\n");
    while (error == 0 && request_reader_next(&reader, &r) == 1)
        request_print(to, &r);
    buf_puts(to, "end\n");
    assert(buf_error(to) == 0);
    request_reader_done(&reader);
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTOBUF struct buf once = BUF_INIT(2 * REQUEST_FILE_MAX_BYTES), twice = BUF_INIT(2 * REQUEST_FILE_MAX_BYTES);
    struct view file = view_make(data, size);
    if (print_again(file, &once) < 0)
        return 0;
    assert(print_again(buf_view(&once), &twice) == 0);
    assert(view_eq(buf_view(&once), buf_view(&twice)));
    return 0;
}
