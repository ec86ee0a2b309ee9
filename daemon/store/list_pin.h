/* What a list's section must go on meaning: tokens name the list's id, mail programs its List-Id. */
#pragma once
#include <stdint.h>

#include "base/why.h"

struct db;

/* Pins id and List-Id to the section's name. -EEXIST with a reason where id or name is pinned otherwise. */
int list_pin(struct db *db, uint32_t id, const char *name, const char *list_id, struct why *why);
