/* The files of one announcement as coordinators make them: one text with its translations, attachments and images
 * beside it, or one calendar event. Read into memory once; only regular files, no link is followed.
 *
 * NAMES   NAME.md, NAME.md.txt, NAME.txt or NAME.ics is the first file; NAME.<code>.md a translation where
 * templates/<code> exists; whatever those texts name, of the files beside them, is an attachment or image. A folder is
 * taken whole; a text in it that another one names as its attachment is one. Names are compared and kept in NFC,
 * without blanks at their ends.
 *
 * LIMITS  BUNDLE_FILES_MAX files of BUNDLE_MAX_BYTES in all; a folder of SOURCE_NEIGHBOURS_MAX entries. */
#pragma once
#include <stdbool.h>

#include "announce/bundle.h"
#include "base/why.h"

enum { SOURCE_NEIGHBOURS_MAX = 10000 };

struct source {
    struct bundle files; /* paths are bare names */
    const char *first;   /* its name among them */
    const char *stem;    /* its name without ending: the announcement's name */
    const char **names;  /* as they stand on disk, of every file taken, relative to the folder read; none of uploads */
    size_t name_count;
};

struct languages {
    char *const *codes; /* folders of templates/ */
    size_t count;
};

/* Dot files, backups, partial uploads, and what file managers leave behind. */
bool source_ignores(const char *name);
/* 1 where name is the first file of an announcement of its own (not a translation of another one in names), else 0; or
 * -ENOMEM: nobody knows. */
int source_is_first(const char *name, char *const *names, size_t count, const struct languages *languages);
/* The language of a translation of stem, or "" where name is none; static, or languages' own. -ENOMEM: nobody knows. */
int source_translation(const char *name, const char *stem, const struct languages *languages, const char **ret);

/* Reads path (relative to dirfd): a file with what belongs to it, or a folder. -ENOENT …, with why. */
int source_read(int dirfd, const char *path, const struct languages *languages, struct source *ret, struct why *why);
/* From files that came by other ways (an upload). `first` names the first file. */
int source_from(const struct bundle *files, const char *first, struct source *ret, struct why *why);
void source_done(struct source *s);
