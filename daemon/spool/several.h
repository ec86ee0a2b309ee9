/* Through which lists an announcement came, where they are several: what the web door's pages name, as all of them are
 * left. Published when the announcement is taken in, and kept: links work for ever.
 *
 * FORMAT  spool/public/several/ID: a line "rundbrief-several 1", then the lists' numbers, one a line, in the order in
 *         which the announcement names them
 * LIMITS  SEVERAL_MAX lists */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct spool;

enum { SEVERAL_MAX = 32 };

int several_publish(struct spool *spool, int64_t announcement, const uint32_t *lists, size_t count);
/* folder: public/several, wherever it is. The number of lists; 0 where there is no such file, or none of this format. */
size_t several_read(const char *folder, int64_t announcement, uint32_t ret[SEVERAL_MAX]);
