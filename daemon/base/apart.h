/* A function in a process of its own, for a library that takes its process down where memory ends: libical 3 does not
 * look whether it got any. What becomes of the child, the caller has a result or an error and goes on.
 *
 * The child is a fork(2) that lives for this one call: it sees all that the caller sees, changes nothing but *out, has
 * no open file, and ends with the calling thread or after APART_SECONDS_MAX. Of the process's threads it has only this
 * one: run must not ask for anything that another may have locked at that moment. Memory is safe (glibc sees to that);
 * logging, stdio and time zones of the C library are not.
 *
 * It costs about a millisecond: for what happens once for each announcement, not for each mail. */
#pragma once
#include <stddef.h>

enum { APART_SECONDS_MAX = 30 };

/* out holds out_bytes and no memory that belongs to it: as it is, it goes into the child, and comes back as run left it.
 * 0, or -ENOMEM with out as it was: the child could not be made, or did not come to the end of run. */
int apart_run(void (*run)(const void *in, void *out), const void *in, void *out, size_t out_bytes);
