/* Countries as people write them: templates/<code>/countries.ini of every language, `FR = France; FRA` under
 * [countries]. The admin's files add names to the shipped ones. Read only where a filter asks for a country.
 *
 * LIMITS  files as base/ini.h reads them; COUNTRIES_NAMES_MAX names in all. Lines that say nothing are passed over. */
#pragma once
#include <stddef.h>

#include "base/arena.h"
#include "base/view.h"

enum { COUNTRIES_NAMES_MAX = 20000 };

struct country_name {
    const char *code, *folded;
};
struct countries {
    struct arena arena;
    struct country_name *names; /* zeroed: none */
    size_t count;
};

/* From both folders, either may be "". -ENOMEM, -E2BIG or another errno; what is missing is nothing wrong. */
int countries_load(struct countries *c, const char *local_dir, const char *shipped_dir);
void countries_done(struct countries *c);
/* The code of what was written, or NULL. */
const char *countries_code(const struct countries *c, struct view written);
