/* The spool folder: what lies where, and the durable moves between its parts. spool/README.md is the contract for
 * people.
 *
 *   incoming/<list>/        coordinators drop announcements here
 *   announcements/<id>/     bundles, immutable: everything that shapes a mail
 *   rejected/<list>/        what could not be taken in, with a .why beside it; rejected/ itself: of no list
 *   requests/web/           written by the web door; requests/mail/ by the mail door
 *   applied/                requests that were applied, 90 days
 *   public/                 read-only to the doors: keys/, lists
 *   tmp/                    being written; swept at start */
#pragma once
#include <sys/types.h>

#include "base/view.h"
#include "base/why.h"

struct spool {
    int dirfd;
    char *path;
};

/* Opens; makes missing folders (with the rights of the contract). */
int spool_open(const char *path, struct why *why, struct spool **ret);
struct spool *spool_close(struct spool *s);

/* A fresh folder tmp/<random>; its name relative to the spool in *ret_path (owned). */
int spool_make_tmp(struct spool *s, char **ret_path);
/* fsyncs the tree at from and renames it to `to`, fsyncs both parents. Paths relative to the spool. -EEXIST where `to`
 * exists. */
int spool_publish_tree(struct spool *s, const char *from, const char *to);
/* A file of public/, replaced durably. */
int spool_publish(struct spool *s, const char *name, struct view content);
/* Moves an entry (file or folder, path relative to the spool) to rejected/LIST/TIME-NAME, with .why beside it; what was
 * rejected before stays. list NULL: to rejected/ itself, for admins. The list's folder is made where it is not there, and
 * is its drop folder's group's: who may not drop for it may not read it. Where it cannot be moved nothing is left in rejected/. 0 where it is gone. */
int spool_reject(struct spool *s, const char *list, const char *path, struct view reason);
/* The folder of what was rejected of the list, if it is there, becomes its drop folder's group's; else nobody's. */
int spool_share_rejected(struct spool *s, const char *list);
int spool_sweep_tmp(struct spool *s);
