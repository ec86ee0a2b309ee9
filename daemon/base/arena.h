/* Memory that lives and dies together: strings and small structs of one configuration, one announcement.
 * Nothing is freed singly. Every function returns NULL when memory runs out and then keeps doing so, so that a
 * series may be checked once with arena_failed(). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

struct arena_chunk;
struct arena {
    struct arena_chunk *chunks;
    bool failed;
};

#define AUTOARENA __attribute__((cleanup(arena_done)))

void arena_init(struct arena *a);
void arena_done(struct arena *a);
/* Empty again, with memory kept for what comes next. */
void arena_clear(struct arena *a);
bool arena_failed(const struct arena *a);
/* As if one of its allocations had failed: memory beside it, of the same thing, could not be had. */
void arena_fail(struct arena *a);
/* Zeroed, aligned for anything. */
void *arena_alloc(struct arena *a, size_t size);
/* NUL-terminated copies. */
char *arena_dup(struct arena *a, struct view v);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A copy of count items with room for one more, zeroed: the way to grow an array now and then. */
void *arena_grow(struct arena *a, const void *items, size_t count, size_t item_size);
/* The same for one that grows often, and has one owner, who begins with none: twice the room whenever it is used up, else
 * the items themselves. */
void *arena_room(struct arena *a, void *items, size_t count, size_t item_size);
