/* Names as people write them, and what they mean: heads of columns ("Vorname", "prénom"), forms of address ("Frau",
 * "Mme"), languages ("Deutsch", "ua"). Case, blanks and punctuation do not count: "E-Mail" is "email", "Mr." is "mr".
 *
 * Filled once with names_add(), closed with names_seal(), then only read. Everything lives in the caller's arena, the
 * strings handed in too. A name of a lower layer number wins; a name that one layer gives two meanings is refused. */
#pragma once
#include <stddef.h>

#include "base/arena.h"
#include "base/view.h"

enum { NAMES_MAX_BYTES = 256 }; /* a longer name matches nothing */

struct name {
    const char *section, *folded, *meaning;
    unsigned layer, line;
};

struct names {
    struct name *items;
    size_t count, room;
};

/* Adds each of "Name1; Name2". 0 or -ENOMEM. */
int names_add(struct names *n, struct arena *a, const char *section, const char *meaning, const char *list,
              unsigned layer, unsigned line);
/* 0, or -EEXIST with the two that contradict each other. */
int names_seal(struct names *n, const struct name **ret_first, const struct name **ret_second);
/* The meaning, or NULL. */
const char *names_find(const struct names *n, const char *section, struct view written);
