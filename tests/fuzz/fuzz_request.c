/* A file that is read, printed again, says the same. */
#include <assert.h>
#include <stdint.h>

#include "spool/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_record(void *user, const struct request *r) {
    request_print(user, r);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTOBUF struct buf once = BUF_INIT(2 * REQUEST_FILE_MAX_BYTES), twice = BUF_INIT(2 * REQUEST_FILE_MAX_BYTES);
    unsigned line = 0;
    request_print_head(&once);
    if (request_read(view_make(data, size), on_record, &once, &line) < 0) {
        assert(line > 0);
        return 0;
    }
    request_print_end(&once);
    assert(buf_error(&once) == 0);
    request_print_head(&twice);
    assert(request_read(buf_view(&once), on_record, &twice, &line) == 0);
    request_print_end(&twice);
    assert(view_eq(buf_view(&once), buf_view(&twice)));
    return 0;
}
