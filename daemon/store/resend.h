/* Sending again: an announcement that is over goes to those who did not get it, and to nobody else. On the store's thread.
 *
 * WHO     deferred      till its end
 *         in doubt      nobody knows whether they got it: they may get it twice
 *         late          its time was over before it was their turn
 *         corrected     refused for good, and the address was changed since
 *         unsuppressed  left out as suppressed, which they are no more
 *         named         refused for good, and asked for by name
 * Nobody of them who left, was removed, erased or is suppressed; who was refused for good is never written to again for
 * no reason. What goes out has the Message-ID and Date that it had. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/why.h"

struct db;

enum resend_reason {
    RESEND_DEFERRED,
    RESEND_IN_DOUBT,
    RESEND_LATE,
    RESEND_CORRECTED,
    RESEND_UNSUPPRESSED,
    RESEND_NAMED,
    RESEND_NOT_REFUSED, /* from here on: not written to again. Refused for good, and nothing has changed */
    RESEND_NOT_GONE,    /* left, removed, erased, or suppressed */
    RESEND_REASONS,
};
const char *resend_reason_name(enum resend_reason reason); /* "deferred", "in_doubt" … */

struct resend_row {
    int64_t subscriber;
    enum resend_reason reason;
    const char *address; /* "" where the person is gone */
    unsigned code;
    const char *status, *text; /* the last reply, or why left out */
};
typedef int resend_on_row(void *user, const struct resend_row *row);

/* Begin with it zeroed but for the first members. */
struct resend {
    int64_t announcement;
    bool only_given, deferred, in_doubt,
        refused;          /* only_given: of the reasons those alone; late is deferred, and corrected
                                                     and unsuppressed are refused */
    const int64_t *named; /* subscribers, NULL: none */
    size_t named_count;
    bool change; /* else it is only counted */
    resend_on_row *on_row;
    void *user;
    uint64_t counts[RESEND_REASONS];
    int64_t cursor;
};
/* STORE_MORE until all were looked at, a slice at a time. Those to be written to are deferred and due, in `change`, and
 * nothing of them happens before resend_begin(). -ESTALE, and why, where the announcement is done no more: somebody else
 * was faster, or its rows went. */
int resend_step(struct db *db, struct resend *r, int64_t now_usec, struct why *why);
/* The announcement is sending again, until send_until_usec (0: as it was). -ESTALE, and why, where it is not done, its
 * rows are purged, or its time is over. With check alone nothing changes. */
int resend_begin(struct db *db, int64_t announcement, int64_t send_until_usec, bool check, int64_t now_usec,
                 struct why *why);
