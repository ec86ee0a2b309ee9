/* Whether a file or folder is still what was read: looked at when somebody asks, without timers. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct fresh {
    int64_t read_mono_usec; /* when it last said true */
    bool looked, exists, unsettled;
    struct stat st;
};

/* True the first time, and when the path was replaced, written, made or removed since the last true. Also, a
 * second later, where it was written so shortly before that look that a further write could bear the same time. */
bool fresh_changed(struct fresh *f, const char *path);
