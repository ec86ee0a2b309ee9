/* The configuration: whatever the bytes, it is refused with reasons that have a place and no control characters, or its
 * dump reads back to the same dump, and what a bundle freezes of each list reads back too. */
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"
#include "conf/conf.h"

static void on_error(void *user, const struct why *why) {
    if (!why->where[0] || !why->what[0] || text_has_control(view_of(why->where)) ||
        text_has_control(view_of(why->what)))
        abort();
    ++*(size_t *)user;
}

static void must(bool holds) {
    if (!holds)
        abort();
}

static void freeze(const struct conf *conf, const struct conf_list *list) {
    AUTOBUF struct buf one = BUF_INIT(4 << 20), other = BUF_INIT(4 << 20);
    struct conf *frozen = NULL;
    size_t errors = 0;
    conf_dump_lists(conf, &list, 1, &one);
    must(conf_parse_frozen(buf_view(&one), "frozen", on_error, &errors, &frozen) == 0);
    list = conf_find_list(frozen, view_of(list->name));
    conf_dump_lists(frozen, &list, 1, &other);
    must(view_eq(buf_view(&one), buf_view(&other)));
    (void)conf_unref(frozen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct conf *conf = NULL, *again = NULL;
    size_t errors = 0;
    int r = conf_parse(view_make(data, size), "fuzz.ini", on_error, &errors, &conf);
    must((r == 0) == (errors == 0));
    if (r < 0)
        return 0;
    AUTOBUF struct buf one = BUF_INIT(64 << 20), other = BUF_INIT(64 << 20);
    conf_dump(conf, &one);
    must(one.len > CONF_FILE_MAX || conf_parse(buf_view(&one), "dump", on_error, &errors, &again) == 0);
    if (again) {
        conf_dump(again, &other);
        must(view_eq(buf_view(&one), buf_view(&other)));
    }
    for (size_t i = 0; i < conf->list_count && i < 4; i++)
        freeze(conf, &conf->lists[i]);
    (void)conf_unref(conf);
    (void)conf_unref(again);
    return 0;
}
