/* A function in a process of its own, for a library that takes its process down where memory ends: libical 3 does not
 * look whether it got any. What becomes of the child, the caller has a result or an error and goes on.
 *
 * The child is a fork(2) that lives for this one call: it sees all that the caller sees, changes nothing but *out, has
 * no open file, and ends with the calling thread. Of the process's threads it has only this one: run must not ask for
 * anything that another may have locked at that moment. Memory is safe (glibc sees to that); logging, stdio and time
 * zones of the C library are not.
 *
 * A crash is taken for want of memory where the caller has none either: APART_PROBE_BYTES and what the child had needed
 * until then. Where there is some, it is tried once more: memory may have ended for a moment alone. What crashes then
 * as well does so by itself, and would for ever.
 *
 * LIMITS  APART_CPU_MSEC_MAX of a processor, and APART_SECONDS_MAX by the clock, for what waits or does not get a
 *         processor. The caller waits: a call that is never done costs it twice the first.
 *
 * It costs about a millisecond: for what happens once for each announcement, not for each mail. */
#pragma once
#include <stddef.h>

enum { APART_CPU_MSEC_MAX = 500, APART_SECONDS_MAX = 10, APART_PROBE_BYTES = 64 * 1024 };

/* out holds out_bytes and no memory that belongs to it: as it is, it goes into the child, and comes back as run left it.
 * 0; else out is as it was. -ENOMEM: the machine has no memory, no process or no time for it, the same may go well
 * later. -ENOTRECOVERABLE: run crashes at this input, or comes to no end; that is logged, with the name of the call. */
int apart_run(const char *name, void (*run)(const void *in, void *out), const void *in, void *out, size_t out_bytes);
