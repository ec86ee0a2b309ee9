/* A reply reads the same however it is cut, and nothing of it reaches a log unclean. First byte: size of the pieces. */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "mail/reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_by(struct reply *r, struct view bytes, size_t step, size_t *ret_total) {
    size_t total = 0, taken;
    int error = 0;
    reply_init(r);
    while (error == 0 && total < bytes.len && !r->complete) {
        error = reply_feed(r, view_slice(bytes, total, step), &taken);
        if (error == 0)
            total += taken;
    }
    *ret_total = total;
    return error;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    struct view bytes = view_make(data + 1, size - 1);
    struct reply whole, cut;
    size_t total, cut_total;
    int error = read_by(&whole, bytes, bytes.len, &total);
    assert(read_by(&cut, bytes, data[0] % 64 + 1, &cut_total) == error);
    if (error < 0 || !whole.complete)
        return 0;
    assert(cut.complete && cut_total == total && cut.code == whole.code && cut.lines == whole.lines);
    assert(strcmp(cut.text, whole.text) == 0 && strcmp(cut.status, whole.status) == 0);
    assert(whole.code >= 200 && whole.code < 600 && whole.lines >= 1 && whole.lines <= REPLY_LINES_MAX);
    assert(text_is_utf8(view_of(whole.text)) && !text_has_control(view_of(whole.text)));
    for (int stage = REPLY_GREETING; stage <= REPLY_QUIT; stage++) {
        struct outcome o;
        reply_outcome(&whole, (enum reply_stage)stage, &o);
        assert(o.class != OUTCOME_REFUSED || (whole.code >= 500 && stage >= REPLY_RCPT && stage <= REPLY_END));
        assert((o.class == OUTCOME_DELIVERED) <= (whole.code < 400));
    }
    return 0;
}
