/* Copies of the store that stay for a while, in STATE/kept (0700): what was there before a migration or a restore.
 *
 * FORMAT  <UTC time>-v<version>.db     before a migration: a store of that version, read through and found sound; the
 *                                      KEPT_MAX newest stay
 *         <UTC time>-replaced.db       what a restore replaced, with its log in -replaced.db-wal where it could not be
 *                                      written back
 *         .<name>                      being made; the next one removes it
 *
 * They hold everything that the store held, those who were erased since then too: kept_sweep() ends them after
 * KEPT_DAYS. Any of them can be restored (rundbrief restore). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

struct db;

#define KEPT_RESTORING "restoring"
enum { KEPT_MAX = 2, KEPT_DAYS = 30, KEPT_NAME_MAX = 64 };

/* What must stay free on a disk beside a copy: the daemon lives there, too. */
#define KEPT_SPARE_BYTES (UINT64_C(64) << 20)

/* Whether there is room for so many copies of the store (with its log) on the disk of `where`, and KEPT_SPARE_BYTES
 * more; else -ENOSPC. what: the sentence's beginning ("there is no room for a copy of the store"). */
int kept_check_room(const char *state_dir, const char *where, unsigned copies, const char *what, struct why *why);

/* A copy of the open store, which has that version and is about to be brought to the newest. Durable when it returns 0.
 * For db_open_with(). */
int kept_before_migration(const char *state_dir, struct db *db, int version, struct why *why);
/* Makes STATE/kept where it is missing, and a name in it: relative to the state folder. */
int kept_name(const char *state_dir, const char *ending, char ret[KEPT_NAME_MAX]);
/* Removes what is older than KEPT_DAYS, or was never whole, and what a restore that was cut off left in
 * STATE/KEPT_RESTORING: for whoever has the state folder locked. *ret_removed may be NULL. */
int kept_sweep(const char *state_dir, uint64_t *ret_removed);
