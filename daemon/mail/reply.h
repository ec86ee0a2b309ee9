/* SMTP replies and what they mean for a message (RFC 5321 §4.2, RFC 3463, RFC 2034). Replies are hostile input:
 * lines at most 2048 bytes before their LF, at most 128 lines; text is kept cleaned and cut. What means what is one
 * table in reply.c, each row with its reason.
 *
 * An enhanced status code counts only where its class is the first digit of the reply's code (RFC 2034 §4). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

enum outcome_class {
    OUTCOME_DELIVERED,
    OUTCOME_DEFERRED,
    OUTCOME_REFUSED,
    OUTCOME_IN_DOUBT,
};
const char *outcome_class_name(enum outcome_class c);

/* Whom a failure speaks of. */
enum outcome_subject {
    OUTCOME_OF_RECIPIENT,
    OUTCOME_OF_SENDER,      /* our address, account or policy: pause the relay, refuse nobody */
    OUTCOME_OF_DESTINATION, /* the receiver wants fewer: slow down */
    OUTCOME_OF_MESSAGE,     /* size, content: hold the announcement */
    OUTCOME_OF_CONNECTION,
};

enum { OUTCOME_TEXT_MAX = 240 };

struct outcome {
    enum outcome_class class;
    enum outcome_subject subject;
    uint16_t code;   /* 0 where no reply came */
    char status[12]; /* enhanced, "5.1.1", or "" */
    char text[OUTCOME_TEXT_MAX + 1];
};

enum reply_stage {
    REPLY_GREETING,
    REPLY_EHLO,
    REPLY_STARTTLS,
    REPLY_AUTH,
    REPLY_MAIL,
    REPLY_RCPT,
    REPLY_DATA, /* the 354 */
    REPLY_END,  /* the final dot or BDAT LAST */
    REPLY_RSET,
    REPLY_QUIT,
};

enum { REPLY_LINE_MAX_BYTES = 2048, REPLY_LINES_MAX = 128 };

struct reply {
    uint16_t code;
    char status[12];
    char text[OUTCOME_TEXT_MAX + 1]; /* all lines joined by blanks, without the status */
    unsigned lines;
    bool complete;
    /* reading state */
    char line[REPLY_LINE_MAX_BYTES];
    unsigned line_len;
};

void reply_init(struct reply *r);
/* Feeds bytes; returns how many were taken (up to and including the end of one reply). r->complete tells when it is
 * whole; then reply_init() for the next. -EPROTO on garbage, differing codes, lines or replies too long: the dialogue
 * cannot be followed any more. */
int reply_feed(struct reply *r, struct view bytes, size_t *ret_taken);
/* What a complete reply to a command means. A 2xx to REPLY_END is DELIVERED; 2xx and 3xx elsewhere leave *ret as
 * DELIVERED too: the caller goes on. A 3xx to REPLY_END is IN_DOUBT. An unknown code counts by its first digit (RFC
 * 5321 §4.3.2). */
void reply_outcome(const struct reply *r, enum reply_stage stage, struct outcome *ret);
/* That the server takes no more on this connection, as its limit of messages for each or its own end will have it. */
bool reply_ends_session(const struct reply *r);
/* An outcome without a reply. */
void outcome_set(struct outcome *o, enum outcome_class c, enum outcome_subject subject, const char *text);
