#include "base/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"

struct arena_chunk {
    struct arena_chunk *next;
    size_t used, size;
    alignas(max_align_t) char data[];
};

enum { CHUNK = 4096 };

void arena_init(struct arena *a) {
    *a = (struct arena){0};
}

void arena_done(struct arena *a) {
    while (a->chunks) {
        struct arena_chunk *next = a->chunks->next;
        free(a->chunks);
        a->chunks = next;
    }
    a->failed = false;
}

void arena_clear(struct arena *a) {
    struct arena_chunk *kept = a->chunks;
    if (kept) {
        a->chunks = kept->next;
        kept->next = NULL;
    }
    arena_done(a);
    if (kept && kept->size == CHUNK) {
        memset(kept->data, 0, kept->used);
        kept->used = 0;
        a->chunks = kept;
    } else {
        free(kept);
    }
}

void arena_fail(struct arena *a) {
    a->failed = true;
    memory_failed();
}

bool arena_failed(const struct arena *a) {
    return a->failed;
}

void *arena_alloc(struct arena *a, size_t size) {
    if (a->failed || size > SIZE_MAX / 2) {
        a->failed = true;
        return NULL;
    }
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (size == 0)
        size = alignof(max_align_t);
    if (!a->chunks || a->chunks->size - a->chunks->used < size) {
        size_t room = size > CHUNK ? size : CHUNK;
        struct arena_chunk *chunk = calloc(1, sizeof *chunk + room);
        if (!chunk) {
            arena_fail(a);
            return NULL;
        }
        chunk->size = room;
        chunk->next = a->chunks;
        a->chunks = chunk;
    }
    void *p = a->chunks->data + a->chunks->used;
    a->chunks->used += size;
    return p;
}

char *arena_dup(struct arena *a, struct view v) {
    char *copy = arena_alloc(a, v.len + 1);
    if (copy && v.len)
        memcpy(copy, v.ptr, v.len);
    return copy;
}

char *arena_strdup(struct arena *a, const char *s) {
    return arena_dup(a, view_of(s));
}

char *arena_printf(struct arena *a, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *text = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (text)
        (void)vsnprintf(text, (size_t)n + 1, format, again); /* measured above */
    va_end(again);
    va_end(args);
    return text;
}

void *arena_grow(struct arena *a, const void *items, size_t count, size_t item_size) {
    char *more = arena_alloc(a, (count + 1) * item_size);
    if (more && count)
        memcpy(more, items, count * item_size);
    return more;
}

void *arena_room(struct arena *a, void *items, size_t count, size_t item_size) {
    if (count & (count - 1))
        return items;
    char *more = arena_alloc(a, (count ? count * 2 : 1) * item_size);
    if (more && count)
        memcpy(more, items, count * item_size);
    return more;
}
