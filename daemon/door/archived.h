/* Pages of the archive as the daemon published them (announce/archive.h), for whoever asks. Looked for at each request:
 * one that was taken back is gone at once. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

/* A descriptor of the page, or of its event as a calendar file; -ENOENT. archive: the folder. language must be a code
 * (words_is_code()). */
int archived_open(const char *archive, int64_t announcement, struct view language, bool calendar);
/* Of the languages that the announcement has a page in: the one that Accept-Language prefers (may be NULL), English,
 * any. -ENOENT where it has none. */
enum { ARCHIVED_LANGUAGE_SIZE = 17 };
int archived_language(const char *archive, int64_t announcement, const char *accept, char ret[ARCHIVED_LANGUAGE_SIZE]);
