/* A merge as one line that a table of expectations can hold: [2h] is field 2 escaped as MERGE_HTML (p plain, h HTML,
 * u part of a URL, w whole URL), [?2 … ] a span that stands where field 2 is filled, [^2 … ] where it is empty. */
#pragma once
#include "base/buf.h"
#include "mail/merge.h"

static inline void merge_show(const struct merge *m, struct buf *to) {
    for (size_t i = 0; i < m->count; i++) {
        const struct merge_op *op = &m->ops[i];
        switch (op->kind) {
        case MERGE_TEXT: buf_add_view(to, op->text); break;
        case MERGE_FIELD: buf_printf(to, "[%u%c]", op->field, "phuw"[op->escape]); break;
        case MERGE_IF: buf_printf(to, "[?%u ", op->field); break;
        case MERGE_UNLESS: buf_printf(to, "[^%u ", op->field); break;
        case MERGE_END: buf_puts(to, "]"); break;
        }
    }
}
