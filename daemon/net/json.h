/* JSON with jansson behind the few calls we need. json.h is the only header that names it: the API's bodies are json_t.
 */
#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

/* Once, before documents are made: what a document lacks for want of memory is noted (base/memory.h). */
void json_note_memory(void);
/* NULL on anything but one whole, valid object or array in UTF-8, without duplicate keys, nested no deeper than
 * jansson's limit of 2048. The caller bounds the text. */
json_t *json_read(struct view text);
/* Compact, keys in the order set, one line. -EINVAL for what is no object or array, -ENOMEM, or the buffer's error. */
int json_print(const json_t *value, struct buf *to);
const char *json_text(const json_t *object, const char *key); /* "" where absent or no string */
int64_t json_number(const json_t *object, const char *key, int64_t fallback);
bool json_flag(const json_t *object, const char *key);
