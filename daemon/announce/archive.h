/* The public page of an announcement: what its mails say, with nothing of a person, for lists that are marked archive
 * (compiled_has_page()). Written before the first mail that links to it; read by the web door.
 *
 * FILES   spool/public/archive/ID/LANGUAGE.html  a page that stands alone: styles and pictures are in it
 *         spool/public/archive/ID/LANGUAGE.ics   its event, where there is one
 *         The folder appears whole, and is never changed; who removes it takes the page back.
 *
 * Attachments are not published. Who is addressed is nobody: the salutation is that of people without a name. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

struct bundle;
struct bundle_head;
struct spool;

enum { ARCHIVE_FILE_MAX_BYTES = 128 << 20 };

/* Begin with it zeroed. */
struct archiving {
    char *folder; /* below tmp */
    unsigned done;
    bool over;
};

/* Makes the pages, a language a call; 1 while there is more to do. Nothing happens where they are there already. What a crash leaves in tmp is swept at the next start. */
int archive_publish(struct archiving *a, struct spool *spool, int64_t id, struct bundle *bundle,
                    const struct bundle_head *head, struct why *why);
void archiving_done(struct archiving *a);
