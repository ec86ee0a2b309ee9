/* Whether a file or folder is still what was read: looked at when somebody asks, at most once a second, without timers.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct fresh {
    int64_t looked_mono_usec;
    bool looked, exists, unsettled;
    struct stat st;
};

/* True the first time, and when the path was replaced, written, made or removed since the last true. Also where it was
 * written so shortly before that look that a further write could bear the same time. */
bool fresh_changed(struct fresh *f, const char *path);
