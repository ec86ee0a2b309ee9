/* Cleanup attributes: release what a scope owns however it is left. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void cleanup_freep(void *p) {
    free(*(void **)p);
}
static inline void cleanup_closep(int *fd) {
    if (*fd >= 0)
        (void)close(*fd); /* read side, or already synced: nothing left to report */
}
static inline void cleanup_fclosep(FILE **f) {
    if (*f)
        (void)fclose(*f);
}

#define AUTOFREE CLEANUP(cleanup_freep)
#define AUTOCLOSE CLEANUP(cleanup_closep)
#define AUTOFCLOSE CLEANUP(cleanup_fclosep)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
