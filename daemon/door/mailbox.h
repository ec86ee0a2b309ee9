/* A mailbox on another server as a way into the mail door: for return paths at a provider, where no mail system of ours
 * could hand reports over.
 *
 * A mail that becomes a request is taken away, into another folder or for good, once its request is durable; so one is
 * taken twice rather than never, and the daemon counts it once. What is no report is marked as seen and stays, for
 * whoever looks after the mailbox. */
#pragma once
#include <stdint.h>

#include "base/why.h"

struct imap;
struct mail_door;

struct mailbox_counts {
    uint64_t taken, left;
};

/* All that is unseen. folder: where what was taken goes, "" for nowhere. Stops at the first failure: what was not looked
 * at is there the next time. */
int mailbox_empty(struct imap *mailbox, struct mail_door *door, const char *folder, struct why *why,
                  struct mailbox_counts *ret);
