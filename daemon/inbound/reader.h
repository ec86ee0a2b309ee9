/* Has mails from outside taken apart by rundbrief-mime, a program of its own that is started once and has for each mail a
 * child behind a sandbox (inbound/sandbox.h), which hands a record back over a pipe. Whatever the mail does to it (a crash,
 * a loop, garbage, too much of everything), the caller gets an error and goes on, and no other mail is touched: a program
 * one of whose children was ended by a signal is replaced, so that nobody finds out by trying where things lie in it.
 *
 * Thread-safe: READER_AT_ONCE_MAX mails at a time, and no more than there are processors; whoever comes then waits. The
 * program is started with the first mail, so a reader must not be made where SIGCHLD is ignored.
 *
 * The mail lies in memory: READER_MAIL_MAX_BYTES of its beginning are looked at, which is more than reports have before
 * they return what could not be delivered. */
#pragma once
#include "base/buf.h"
#include "base/view.h"
#include "base/why.h"
#include "mail/record.h"

enum { READER_MAIL_MAX_BYTES = 4 << 20, READER_SECONDS_MAX = 60, READER_AT_ONCE_MAX = 2 };

struct reader;

int reader_new(struct reader **ret); /* -ENOMEM */
/* Nobody may be reading any more. */
struct reader *reader_free(struct reader *r);

/* record's views are into *text, which must be empty and have a cap of RECORD_MAX_BYTES.
 * -EBADMSG: it could not be read, and will not be another time. Else the machine lacks something (-ETIMEDOUT too:
 * the time is in hand many times over): the same may go well later. */
int reader_read(struct reader *r, struct view mail, struct buf *text, struct record *ret, struct why *why);

/* Reads what is open to its end; keeps the beginning, as much as mail's cap allows. *ret_bytes counts all of it.
 * Negative errno where it cannot be read. */
int reader_gather(int fd, struct buf *mail, uint64_t *ret_bytes);
