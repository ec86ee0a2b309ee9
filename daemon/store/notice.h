/* Notices: system mail, whole messages waiting to be sent. On the store's thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"
#include "mail/reply.h"

struct db;

int notice_add(struct db *db, const char *kind, int64_t announcement, const char *sender, const char *relays,
               const char *recipient, struct view message, int64_t now_usec);

/* The notice that was added last is sent at that time, not before. */
int notice_wait(struct db *db, int64_t due_usec);

struct notice {
    int64_t id;
    unsigned attempts;
    char *sender, *relays, *recipient;
    struct view message;
    char *memory;
};
void notice_done(struct notice *n);
/* Claims the next that is due: 1 and the notice, 0 none. */
int notice_claim(struct db *db, int64_t now_usec, struct notice *ret);
int notice_unclaim(struct db *db, int64_t id, int64_t now_usec);
int notice_record(struct db *db, int64_t id, const struct outcome *outcome, int64_t now_usec, int64_t retry_usec,
                  const char *relay);
int notice_recover(struct db *db, int64_t now_usec); /* claimed at start: due again */
/* For a restore: nothing that waits is sent any more; it may have been. */
int notice_drop_waiting(struct db *db, uint64_t *ret_count);
int notice_next_due(struct db *db, int64_t *ret_usec);
/* Whether a recipient, as it was written, is the address of that compared form. */
bool notice_is_to(const char *recipient, const char *address_key);
