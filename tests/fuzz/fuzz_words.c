/* words.ini from anywhere: an own layer and a fallback, cut at the first NUL; then every reading call. */
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "mail/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_pair(void *user, const char *key, const char *value) {
    buf_printf(user, "%s%s", key, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view all = view_make(data, size), own = view_slice(all, 0, view_find(all, '\0'));
    struct view fallback = view_slice(all, own.len + 1, all.len);
    struct why why;
    struct words *w, *again;
    if (words_parse(own, fallback, "xx", &why, &w) < 0)
        return 0;
    AUTOBUF struct buf text = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
    words_print(w, &text);
    words_each(w, "mail", on_pair, &out);
    words_format(w, "mail.a", "1", "2", NULL, &out);
    words_plural(w, "mail.a", size, &out);
    (void)words_find(w, "columns", view_slice(all, 0, 40)); /* the answer does not matter */
    /* What was printed reads as the same, unless it outgrew the cap by being escaped. */
    if (buf_error(&text) == 0 && text.len < 1 << 19) {
        if (words_parse(buf_view(&text), view_of(""), "xx", &why, &again) < 0)
            abort();
        AUTOBUF struct buf twice = BUF_INIT(1 << 20);
        words_print(again, &twice);
        if (!view_eq(buf_view(&text), buf_view(&twice)))
            abort();
        words_free(again);
    }
    words_free(w);
    return 0;
}
