#include "mail/calendar_apart.h"

#include <errno.h>

#include "base/apart.h"

#include "base/banned.h"

int calendar_apart(const char *name, void (*run)(const void *in, void *out), const void *in, void *out,
                   size_t out_bytes, struct why *why) {
    int r = apart_run(name, run, in, out, out_bytes);
    if (r != -ENOTRECOVERABLE)
        return r;
    (void)why_set(why, -EINVAL, "the library for calendars (libical) crashes at this event");
    why_todo(why, "Change its times, or write it as text (.md)");
    why->key = "calendar-crash";
    return -EINVAL;
}
