#include "base/id_set.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/banned.h"

enum { PAGE_IDS = 2048, WORD_BITS = 64, ROOM_FIRST = 64 };

struct page {
    uint64_t number; /* of its first id, in pages */
    uint64_t bits[PAGE_IDS / WORD_BITS];
};

/* A hash table with linear probing, at most half full. */
struct id_set {
    struct page **pages;
    size_t count, room; /* room: a power of two */
};

struct id_set *id_set_new(void) {
    struct id_set *s = calloc(1, sizeof *s);
    struct page **pages = calloc(ROOM_FIRST, sizeof *pages);
    if (!s || !pages) {
        free(s);
        free(pages);
        return NULL;
    }
    s->pages = pages;
    s->room = ROOM_FIRST;
    return s;
}

struct id_set *id_set_free(struct id_set *s) {
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->room; i++)
        free(s->pages[i]);
    free(s->pages);
    free(s);
    return NULL;
}

/* Where the page is, or would be. Neighbours lie side by side. */
static struct page **find(struct page **pages, size_t room, uint64_t number) {
    size_t i = (size_t)number & (room - 1);
    while (pages[i] && pages[i]->number != number)
        i = (i + 1) & (room - 1);
    return &pages[i];
}

static int grow(struct id_set *s) {
    size_t room = s->room * 2;
    struct page **pages = calloc(room, sizeof(struct page *));
    if (!pages)
        return -ENOMEM;
    for (size_t i = 0; i < s->room; i++)
        if (s->pages[i])
            *find(pages, room, s->pages[i]->number) = s->pages[i];
    free(s->pages);
    s->pages = pages;
    s->room = room;
    return 0;
}

static uint64_t bit_of(int64_t id) {
    return UINT64_C(1) << ((uint64_t)id % WORD_BITS);
}

static size_t word_of(int64_t id) {
    return (size_t)((uint64_t)id % PAGE_IDS / WORD_BITS);
}

int id_set_add(struct id_set *s, int64_t id) {
    uint64_t number = (uint64_t)id / PAGE_IDS;
    struct page **at = find(s->pages, s->room, number);
    if (!*at) {
        if (s->count >= s->room / 2) {
            int r = grow(s);
            if (r < 0)
                return r;
            at = find(s->pages, s->room, number);
        }
        if (!(*at = calloc(1, sizeof **at)))
            return -ENOMEM;
        (*at)->number = number;
        s->count++;
    }
    (*at)->bits[word_of(id)] |= bit_of(id);
    return 0;
}

bool id_set_has(const struct id_set *s, int64_t id) {
    const struct page *page = *find(s->pages, s->room, (uint64_t)id / PAGE_IDS);
    return page && page->bits[word_of(id)] & bit_of(id);
}
