/* Requests: what the doors ask the daemon to do. One file holds 1..N records.
 *
 * FORMAT  line 1: "rundbrief-requests 1"; then one line a record, fields separated by one TAB, all present:
 *           id            32 hex digits, random
 *           at            2025-09-02T10:00:00Z
 *           verb          leave | undo
 *           token         as in the link: 1 to 200 of A-Z a-z 0-9 _ -
 *           announcement  number, or 0
 *           how           link | one-click
 *           language      code (letters, digits and -, at most 16), or -
 *         and a last line "end". A file without it was cut off and is not applied (a door says yes only after its
 *         fsync).
 *
 * NAME    <UTC time with microseconds>-<32 hex>.req, as 20250902T100000.000000Z-0123….req: sorted names are in the
 *         order in which a door wrote them. Files being written end in .tmp
 *
 * STATES  spool/requests/DOOR/NAME.tmp  being written by the door; the daemon removes those older than a day
 *         spool/requests/DOOR/NAME.req  accepted: the door has said yes, or is about to
 *         spool/applied/NAME.req        applied; kept for 90 days
 *         spool/rejected/NAME.req       not of this format; kept with a .why */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

enum request_verb { REQUEST_LEAVE, REQUEST_UNDO };
enum request_how { REQUEST_BY_LINK, REQUEST_ONE_CLICK };
enum { REQUEST_FILE_MAX_BYTES = 1 << 20, REQUEST_TOKEN_MAX = 200, REQUEST_LANGUAGE_MAX = 16 };

struct request {
    uint8_t id[16];
    int64_t at_usec;
    enum request_verb verb;
    struct view token;
    int64_t announcement;
    enum request_how how;
    struct view language; /* "" where unknown */
};

/* Whether a text may stand in a record as token, as language. What is printed must pass; what is read has. */
bool request_is_token(struct view token);
bool request_is_language(struct view language);

void request_print_head(struct buf *to);
void request_print(struct buf *to, const struct request *r);
void request_print_end(struct buf *to);

/* Reads a whole file; calls on_request for each record once the whole file is known to be well-formed. -EBADMSG else,
 * with the line in *ret_line. A non-zero answer of on_request ends it and is returned. */
typedef int request_on_record(void *user, const struct request *r);
int request_read(struct view file, request_on_record *on_request, void *user, unsigned *ret_line);

/* For a door: writes the records (1 or more) durably into spool/requests/<door>/ and returns 0 only when they outlive a
 * power cut. dirfd is that folder. -EMSGSIZE beyond REQUEST_FILE_MAX_BYTES: REQUEST_HAND_OVER_MAX records always fit.
 */
enum { REQUEST_HAND_OVER_MAX = 2048 };
int request_hand_over(int dirfd, const struct request *records, size_t count);
