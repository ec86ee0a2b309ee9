/* An announcement's files as one body, from the command line to the daemon.
 *
 * FORMAT  "rundbrief-upload 1\n", then for each file "NAME-BYTES CONTENT-BYTES\n", its name and its content, without
 * anything between. The first file is the announcement's first. At most BUNDLE_FILES_MAX files, BUNDLE_MAX_BYTES in
 * all. */
#pragma once
#include "announce/source.h"
#include "base/buf.h"

void upload_print(const struct source *source, struct buf *to);
/* -EINVAL with a reason for anything else. */
int upload_read(struct view body, struct source *ret, struct why *why);
