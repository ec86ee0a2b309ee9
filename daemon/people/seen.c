#include "people/seen.h"

#include <errno.h>
#include <stdlib.h>

#include "base/banned.h"

struct seen_entry {
    uint64_t address; /* 0: free */
    uint32_t names[2];
};

/* FNV-1a. */
static uint64_t hash(uint64_t h, const char *s) {
    for (; s && *s; s++)
        h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    return (h ^ 0xff) * UINT64_C(0x100000001b3);
}
#define HASH_START UINT64_C(0xcbf29ce484222325)

void seen_done(struct seen *s) {
    free(s->entries);
    *s = (struct seen){0};
}

static struct seen_entry *find(struct seen_entry *entries, size_t room, uint64_t address) {
    size_t i = address & (room - 1);
    while (entries[i].address && entries[i].address != address)
        i = (i + 1) & (room - 1);
    return &entries[i];
}

static int grow(struct seen *s) {
    size_t room = s->room ? s->room * 2 : 1024;
    struct seen_entry *entries = calloc(room, sizeof *entries);
    if (!entries)
        return -ENOMEM;
    for (size_t i = 0; i < s->room; i++)
        if (s->entries[i].address)
            *find(entries, room, s->entries[i].address) = s->entries[i];
    free(s->entries);
    s->entries = entries;
    s->room = room;
    return 0;
}

int seen_add(struct seen *s, const char *address_key, const char *given_name, const char *family_name) {
    uint64_t address = hash(HASH_START, address_key) | 1;
    uint32_t name = (uint32_t)(hash(hash(HASH_START, given_name), family_name) >> 16) | 1;
    if (s->count * 2 >= s->room && s->room < SEEN_MAX && grow(s) < 0)
        return -ENOMEM;
    struct seen_entry *e = find(s->entries, s->room, address);
    if (!e->address) {
        if (s->count < SEEN_MAX / 4 * 3) { /* never full: every search ends */
            *e = (struct seen_entry){address, {name, 0}};
            s->count++;
        }
        return SEEN_FIRST;
    }
    if (e->names[0] == name || e->names[1] == name)
        return SEEN_SAME_NAME;
    if (e->names[1])
        return SEEN_THIRD_NAME;
    e->names[1] = name;
    return SEEN_SECOND_NAME;
}
