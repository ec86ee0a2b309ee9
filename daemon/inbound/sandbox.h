/* The sandbox of the process that takes hostile mail apart: after sandbox_enter() it can read what is open, write to
 * what is open, ask for memory, and end. No file, no network, no process: every other system call ends it, and those
 * that libraries try and do without (opening a file) fail. seccomp(2), through libseccomp, and limits (setrlimit(2)):
 *
 *   SANDBOX_MEMORY_BYTES of address space, SANDBOX_CPU_SECONDS, SANDBOX_OUTPUT_BYTES in a file, no core.
 *
 * It is made once, and entered by each child that the maker forks. */
#pragma once
#include <stddef.h>

enum { SANDBOX_CPU_SECONDS = 3, SANDBOX_MEMORY_BYTES = 384 << 20, SANDBOX_OUTPUT_BYTES = 4 << 20 };

struct sandbox {
    void *rules; /* for the kernel, of the heap */
    size_t count;
};

/* Both: 0 or a negative errno, and then nothing hostile may be read. */
int sandbox_make(struct sandbox *ret);
int sandbox_enter(const struct sandbox *s);
void sandbox_done(struct sandbox *s);
