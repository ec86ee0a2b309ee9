/* The INI reader: whatever the bytes, items come in the order of lines, their strings are text of this line's size, and
 * reading the same again says the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ini.h"
#include "base/text.h"

struct tally {
    size_t items, bytes;
    unsigned line;
};

static int on_item(void *user, const struct ini_item *item) {
    struct tally *t = user;
    if (item->line < t->line || !item->value || !item->section)
        abort();
    if (!item->fault && item->key && (!*item->key || !text_is_utf8(view_of(item->value))))
        abort();
    t->line = item->line;
    t->items++;
    t->bytes += strlen(item->value) + strlen(item->section) + (item->key ? strlen(item->key) : 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tally first = {0}, again = {0};
    int r = ini_read(view_make(data, size), on_item, &first);
    if (r != ini_read(view_make(data, size), on_item, &again) || memcmp(&first, &again, sizeof first) != 0)
        abort();
    return 0;
}
