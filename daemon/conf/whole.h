/* The inside of a configuration, for conf/ alone: what struct conf shows, where in the file each of it stands, and the
 * memory of both. */
#pragma once
#include <stdatomic.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "conf/options.h"

struct complaints;

/* A section as it stands in the file. */
struct place {
    enum section section;
    const char *name;                         /* "" for one that stands alone */
    unsigned line;                            /* of its head; 0: not in the file */
    bool unread;                              /* a line of it could not be read, so a key may only seem to be missing */
    void *item;                               /* struct conf_sender and its like, or the struct conf */
    unsigned *key_lines;                      /* by row of the section; 0: not given */
    const char *sender;                       /* of a list: what it says, until it is looked up */
    unsigned title_lines[CONF_LANGUAGES_MAX]; /* of a list, beside its titles */
};

struct whole {
    struct conf conf; /* first, so that one is the other */
    atomic_uint references;
    struct arena arena;
    struct place *places;
    size_t place_count;
};

/* Line of an option in the file, 0 where it is not given. */
unsigned place_line(const struct place *place, const char *key);
const struct place *place_of(const struct whole *whole, const void *item);
/* The place of a section that stands alone. */
const struct place *place_alone(const struct whole *whole, enum section section);

/* Who reads, and so what must be there. */
enum reading {
    READ_TEXT,
    READ_FROZEN,      /* a bundle's settings: no relay */
    READ_FOR_MACHINE, /* with what only the machine knows */
    READ_FOR_DOOR,    /* a host that only has a door: neither sender nor relay */
};

/* Relations between options: references, collisions, what rules out what. Fills in what follows from others.
 * -ENOMEM. */
int relate(struct whole *whole, enum reading reading, struct complaints *c);
