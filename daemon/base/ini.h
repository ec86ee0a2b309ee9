/* INI files as people write them, read with inih: `[section]`, `key = value`, lines that begin with ; or #.
 * No inline comments and no multi-line values: a value is all behind the first = or :, trimmed, so a password may hold
 * ; and #. A BOM and CRLF are fine; lines up to 64 KiB, files up to 1 MiB; a section name is taken whole however long.
 *
 * The reader calls back for each section and pair with its line. Faults of the form are items too, with fault set, so
 * that the caller can list everything wrong at once; their value is the beginning of the line where that helps. A head
 * that is at fault still begins a section, so that its pairs are not taken for the section's above. Whether pairs
 * before the first head are right is the caller's to say. */
#pragma once
#include <stdbool.h>

#include "base/view.h"

enum { INI_FILE_MAX = 1 << 20, INI_LINE_MAX = 64 * 1024 };

enum ini_fault {
    INI_OK,
    INI_NOT_A_PAIR,       /* no =, or control characters in the key */
    INI_UNCLOSED_SECTION, /* no ], or something behind it */
    INI_EMPTY_NAME,       /* [] or "= value" */
    INI_LINE_TOO_LONG,
    INI_NOT_UTF8,
};

struct ini_item {
    unsigned line;
    const char *section; /* "" before the first */
    const char *key;     /* NULL where the section's head itself is reported */
    const char *value;
    enum ini_fault fault;
};

/* The strings of an item live until on_item returns. A non-zero answer ends the reading and is returned. */
typedef int ini_on_item(void *user, const struct ini_item *item);
/* 0, what on_item answered, -ENOMEM, or -EMSGSIZE beyond 1 MiB. */
int ini_read(struct view text, ini_on_item *on_item, void *user);
