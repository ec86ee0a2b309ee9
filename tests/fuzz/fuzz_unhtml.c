/* HTML, and a rule of repetition: the first is made text, the second taken or refused, and taken again in its form. */
#include <stdint.h>
#include <stdlib.h>

#include "mail/repeat.h"
#include "mail/unhtml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view v = view_make(data, size);
    AUTOBUF struct buf text = BUF_INIT(1 << 20), rule = BUF_INIT(1024), again = BUF_INIT(1024);
    unhtml(v, &text);
    if (!unhtml_is_html(v) && view_search(v, VIEW("<!")) == v.len && !view_eq(v, buf_view(&text)))
        abort();
    struct why why;
    if (repeat_parse(v, &rule, &why) == 0 &&
        (repeat_parse(buf_view(&rule), &again, &why) < 0 || !view_eq(buf_view(&rule), buf_view(&again))))
        abort();
    return 0;
}
