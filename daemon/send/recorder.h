/* What became of messages goes to the store, in batches, each an urgent job. A batch waits a moment, for the next claim or
 * until RECORDER_WAIT_USEC have passed: each commit has its price, whatever it carries. The items belong to the recorder
 * until their batch is durable; those of one that waits are in doubt where the daemon dies. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "mail/reply.h"
#include "send/item.h"

struct recorder;
struct works;

enum { RECORDER_WAIT_USEC = 5000, RECORDER_BATCH = 256, RECORDER_LATE_USEC = 1000000 };

/* For each item, once its record is durable; the item is freed afterwards. */
typedef void recorder_on_recorded(void *user, struct item *item);

int recorder_new(struct works *works, recorder_on_recorded *on_recorded, void *user, struct recorder **ret);
/* After its last job. NULL is fine. */
struct recorder *recorder_free(struct recorder *r);

/* An outcome. retry_usec: when it is tried again, 0 for never. relay: its name where it was handed to one, which
 * counts against that relay's day, or "". */
void recorder_outcome(struct recorder *r, struct item *item, const struct outcome *outcome, int64_t retry_usec,
                      const char *relay);
/* Not sent: as it was before the claim, no attempt counted. */
void recorder_give_back(struct recorder *r, struct item *item);
/* Not sent, and not to be claimed before due_usec. */
void recorder_put_off(struct recorder *r, struct item *item, int64_t due_usec, const char *why);
/* When (monotonic) what has come is to be submitted at the latest: RECORDER_WAIT_USEC after the first, at once where there
 * are RECORDER_BATCH; RECORDER_LATE_USEC later where memory ran out for them. 0 where nothing has. */
int64_t recorder_due(const struct recorder *r);
/* Whether something has come that the next flush does not submit, as memory ran out. */
bool recorder_is_late(const struct recorder *r);
/* Submits what has come. */
void recorder_flush(struct recorder *r);
