/* A bundle: everything that shapes the mails of one announcement, frozen. In memory while it is checked, previewed or
 * compiled; in spool/announcements/<id>/ once it is taken in. Compiling reads a bundle and nothing else, so a preview
 * is the mail.
 *
 * FILES   bundle.ini        what struct bundle_head says, format 2: `list` names one or more, parted by commas; format 1,
 *                           which knew one only, is still read
 *         settings.ini      [daemon], [list]s, [sender] as conf_dump_lists() writes them
 *         filter            whom of the lists it is for (mail/filter.h, frozen), where it is not for all
 *         files/<name>      the announcement's own files: the first, translations, attachments, images
 *         logo              the sender's logo, where it is a file
 *         templates/<code>/ of each language: words.ini (all its layers), mail.html, mail.txt: the files in force at
 *                           intake, wherever they came from */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/view.h"
#include "base/why.h"

struct conf;
struct enclosure;
struct filter;
struct words;

struct bundle_file {
    const char *path;
    struct view content;
    /* What all mails of the bundle share, made when the first of them asks; or NULL. */
    struct enclosure *enclosure;
    struct words *words;
};

struct bundle {
    struct arena arena; /* owns paths and contents */
    struct bundle_file *files;
    size_t count;
    struct conf *settings; /* shared as well */
};

enum { BUNDLE_FILES_MAX = 512, BUNDLE_MAX_BYTES = 64 << 20 };

void bundle_init(struct bundle *b);
void bundle_done(struct bundle *b);
/* Copies; -EEXIST for a path already there, -E2BIG, -ENOMEM; paths with "..", leading "/" or control characters:
 * -EINVAL. */
int bundle_add(struct bundle *b, const char *path, struct view content);
/* A view with ptr NULL where absent. */
struct view bundle_get(const struct bundle *b, const char *path);
/* What its files say, read once for all mails. *ret is a reference, the caller's. -EINVAL with a reason where the file is
 * damaged, -ENOMEM. */
int bundle_settings(struct bundle *b, struct why *why, struct conf **ret);
int bundle_words(struct bundle *b, const char *language, struct why *why, struct words **ret);
/* One of its files (a view that bundle_get() gave), encoded once for all mails. *ret is borrowed. */
int bundle_enclosure(struct bundle *b, struct view content, struct enclosure **ret);
/* Octets of all that was encoded so far. */
size_t bundle_enclosed_size(const struct bundle *b);
/* Writes all files below dirfd (no sync; spool_publish_tree does that). */
int bundle_write(const struct bundle *b, int dirfd);
int bundle_read(struct bundle *b, int dirfd, struct why *why);

enum { BUNDLE_LANGUAGES_MAX = 16, BUNDLE_LISTS_MAX = 32 };

struct bundle_head {
    const char *name, *first;            /* announcement, name of the first file */
    const char *lists[BUNDLE_LISTS_MAX]; /* in the order in which it names them; one or more */
    size_t list_count;
    const char *languages[BUNDLE_LANGUAGES_MAX];
    const char *texts[BUNDLE_LANGUAGES_MAX]; /* the file of each language */
    size_t language_count;
    const char *template;   /* "workshop": what mail.html and mail.txt were called */
    const char *uid;        /* of the event, "" without one */
    const char *occurrence; /* of an event that recurs: the date that is meant, "2026-11-01 10:00"; else "" */
    unsigned sequence;
    int64_t created_usec;
    uint8_t identity[32];
};
void bundle_head_print(const struct bundle_head *h, struct buf *to);
/* The filter, or NULL where there is none. -EINVAL where it is damaged. */
int bundle_filter(const struct bundle *b, struct filter **ret, struct why *why);
/* Reads bundle.ini of b; strings live in b's arena. -EINVAL for another format or a damaged file. */
int bundle_head_read(struct bundle *b, struct bundle_head *ret, struct why *why);
