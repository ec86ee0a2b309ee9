#include "mail/enclosure.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "mail/base64.h"
#include "mail/message.h"

#include "base/banned.h"

struct enclosure {
    atomic_uint references;
    struct buf lines;
};

int enclosure_new(struct view bytes, struct enclosure **ret) {
    struct enclosure *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    atomic_init(&e->references, 1);
    buf_init(&e->lines, MESSAGE_MAX_BYTES);
    base64_lines(&e->lines, bytes);
    int r = buf_error(&e->lines);
    if (r < 0) {
        (void)enclosure_unref(e);
        return r;
    }
    if (bytes.len)
        buf_truncate(&e->lines, e->lines.len - 2);
    *ret = e;
    return 0;
}

struct enclosure *enclosure_ref(struct enclosure *e) {
    atomic_fetch_add(&e->references, 1);
    return e;
}

struct enclosure *enclosure_unref(struct enclosure *e) {
    if (e && atomic_fetch_sub(&e->references, 1) == 1) {
        buf_done(&e->lines);
        free(e);
    }
    return NULL;
}

struct view enclosure_lines(const struct enclosure *e) {
    return buf_view(&e->lines);
}
