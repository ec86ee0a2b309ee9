/* Makes requests of several threads durable together (group commit): what comes while a file of spool/request.h is being
 * synced goes into the next one, as much as a file holds, and each caller waits until its own is on the disk. Whoever comes
 * first writes for all: there is no thread of its own. For the loop of the web door there is door/writer.h.
 *
 * The folder is opened for each file, so that it may come later or be replaced. */
#pragma once
#include "base/view.h"

struct committer;

int committer_new(const char *folder, struct committer **ret); /* -ENOMEM */
/* Nobody may be waiting any more. */
struct committer *committer_free(struct committer *c);
/* Records as request_print_new() prints them, at most REQUEST_RECORDS_MAX_BYTES. 0 when they outlive a power cut; a negative
 * errno where they may not. */
int committer_put(struct committer *c, struct view records);
/* A mail asked for nothing (spool/ignored.h). That one is not counted matters less than that it is taken. */
void committer_ignored(struct committer *c);
/* Files written so far, for tests. */
size_t committer_files(const struct committer *c);
