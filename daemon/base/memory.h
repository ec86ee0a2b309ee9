/* Memory that ran out, noted where it happens: texts (base/buf.h), arenas and documents (net/json.h) then hold a part, or
 * nothing. Each tells whoever asks it. But what comes of many of them, a step of the store or an answer, is asked for
 * here, once, by whoever makes it count: what was made from a part is not handed on as if it were whole.
 *
 * Each thread has its own. */
#pragma once
#include <stdbool.h>

void memory_failed(void);
/* Whether it failed since memory_forget(). */
bool memory_was_short(void);
void memory_forget(void);
