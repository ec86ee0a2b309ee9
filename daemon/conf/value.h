/* Values of options: from the file's syntax into the structs, and back. `item` is the struct that the option's offset
 * counts from. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/view.h"
#include "base/why.h"
#include "conf/options.h"

/* Reads a value of any type but OPTION_SENDER and OPTION_LATER; `suffix` is what stands for * in the row's key.
 * -EINVAL with what is wrong, the bounds and what to do; -ENOMEM. */
int value_read(const struct option *o, struct view text, struct view suffix, struct arena *arena, void *item,
               struct why *why);
/* Appends the value as value_read() takes it. OPTION_TITLES prints whole lines, one for each language. */
void value_print(const struct option *o, const void *item, struct buf *to);
bool value_same(const struct option *o, const void *a, const void *b);
/* "1 to 100", "1s to 1h", "required, tls, none", or "" where there is nothing to say. */
void value_print_bounds(const struct option *o, struct buf *to);
