/* Allocations that fail: the one after the next `left`, once, and by malloc() what is longer than `most_bytes`. For tests
 * that are linked with --wrap for the allocating functions (Makefile); what shared libraries allocate by themselves is not
 * seen. */
#pragma once
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t count, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t count, size_t size);

static long left = -1; /* allocations until the one that fails; below 0: none does */
static size_t most_bytes = SIZE_MAX;
static bool has_failed;
static size_t asked_bytes; /* for, by all allocations so far */

static bool fails(size_t size) {
    asked_bytes += size;
    if (left < 0 || left-- > 0)
        return false;
    has_failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size) {
    return fails(size) || size > most_bytes ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return fails(count * size) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size) {
    return fails(size) ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t count, size_t size) {
    return fails(count * size) ? NULL : __real_reallocarray(p, count, size);
}
