/* Makes requests durable without holding up the loop: one small thread writes and fsyncs them (spool/request.h).
 * Group commit: what is added while a file is being synced goes into the next file together, as much as a file holds.
 *
 * A request is copied when it is added; its answer comes from the loop, never from inside writer_add(), and 0 means
 * that it outlives a power cut. The folder is opened for each file, so that it may come later or be replaced.
 *
 * Limits: WRITER_WAITING_MAX requests of WRITER_WAITING_MAX_BYTES wait; beyond, writer_add() refuses with -EBUSY. */
#pragma once
#include <stddef.h>

#include "spool/request.h"

struct loop;
struct writer;
struct writer_job;

enum { WRITER_WAITING_MAX = 4096, WRITER_WAITING_MAX_BYTES = 2 * REQUEST_RECORDS_MAX_BYTES };

typedef void writer_on_done(void *user, int result);

int writer_new(struct loop *loop, const char *folder, struct writer **ret);
/* Waits for the file at hand; what still waits behind it is not written and not answered. */
struct writer *writer_free(struct writer *w);
/* The record's id and time are set here. *ret_job is for writer_forget() only. -EBUSY, -ENOMEM, -EIO (no random bits),
 * -EINVAL for one that is not whole. */
int writer_add(struct writer *w, struct request *request, writer_on_done *on_done, void *user,
               struct writer_job **ret_job);
/* Nobody waits for the answer any more; the request is written all the same. Not after on_done. */
void writer_forget(struct writer_job *job);
/* Files written so far, for tests. */
size_t writer_files(const struct writer *w);
