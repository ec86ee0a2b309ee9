#include "net/json.h"

#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"

#include "base/banned.h"

static void *allocate(size_t size) {
    void *p = malloc(size);
    if (!p)
        memory_failed();
    return p;
}

void json_note_memory(void) {
    json_set_alloc_funcs(allocate, free);
}

json_t *json_read(struct view text) {
    return json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, NULL);
}

static int on_dump(const char *data, size_t len, void *user) {
    struct buf *to = user;
    buf_add(to, data, len);
    return buf_error(to) < 0 ? -1 : 0;
}

int json_print(const json_t *value, struct buf *to) {
    if (json_dump_callback(value, on_dump, to, JSON_COMPACT) == 0)
        return 0;
    return buf_error(to) < 0 ? buf_error(to) : json_is_object(value) || json_is_array(value) ? -ENOMEM : -EINVAL;
}

const char *json_text(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

int64_t json_number(const json_t *object, const char *key, int64_t fallback) {
    const json_t *number = json_object_get(object, key);
    return json_is_integer(number) ? json_integer_value(number) : fallback;
}

bool json_flag(const json_t *object, const char *key) {
    return json_is_true(json_object_get(object, key));
}
