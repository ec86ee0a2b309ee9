/* libical in a process of its own (base/apart.h), for mail/calendar.h alone. */
#pragma once
#include <stddef.h>

#include "base/why.h"

/* As apart_run(). -ENOMEM; -EINVAL with a reason where libical crashes at this event, in whatever way: nothing but another
 * event helps. */
int calendar_apart(const char *name, void (*run)(const void *in, void *out), const void *in, void *out,
                   size_t out_bytes, struct why *why);
