/* A set of ids of the store (1 and above), for remembering whom a long work has met: a bit each, in pages that are made
 * where an id falls. A million people who were added one after the other take 140 KB, ids far apart 270 octets each. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct id_set;

/* NULL when memory runs out. */
struct id_set *id_set_new(void);
struct id_set *id_set_free(struct id_set *s);
/* -ENOMEM. */
int id_set_add(struct id_set *s, int64_t id);
bool id_set_has(const struct id_set *s, int64_t id);
