/* A filter from its text, which must be right. */
#pragma once
#include "mail/filter.h"
#include "unit.h"

static inline struct filter *filter_of(const char *text) {
    static const struct filter_language language = {.templates_local = "", .templates = "", .zone = "UTC"};
    struct filter *f;
    struct filter_fault fault;
    if (filter_read(view_of(text), &language, &f, &fault) < 0)
        fail_msg("%s: %s", text, fault.key);
    return f;
}
