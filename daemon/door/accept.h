/* Which of our languages a reader wants. Pure functions over hostile input. */
#pragma once
#include <stddef.h>

#include "base/view.h"

/* Index of the code that an Accept-Language header (RFC 9110 §12.5.4) prefers: by weight, then order; "de-AT" takes
 * "de", "pt" takes "pt-BR". -1 where none fits. header may be NULL. Looks at the first ACCEPT_RANGES_MAX ranges. */
enum { ACCEPT_RANGES_MAX = 32 };
int accept_best(const char *header, const char *const *codes, size_t count);
/* Index of the code that is named exactly, but for case; -1. */
int accept_named(struct view name, const char *const *codes, size_t count);
