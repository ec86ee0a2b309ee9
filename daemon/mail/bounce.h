/* What came back, understood: from the record of a mail (mail/record.h) to reports, one for each recipient it speaks of.
 *
 * Delivery reports (RFC 3464, RFC 6533), the many forms that are not, complaints (RFC 5965), answers of machines (RFC
 * 3834), and whatever else a return path gets. Pure; the mail is hostile. What means what stands in tables:
 * bounce_phrases.c (the order of precedence) and bounce_phrases_*.c (a phrase a row), bounce_combinations.c (what is said
 * of whom), bounce_reason.c (codes, commands, destinations), bounce_text.c (forms) and bounce_kind.c (subjects, senders).
 *
 * class is the coarse reading. action is what follows, whether or not the report proves whom it speaks of: that is for
 * the daemon to see. A delay has its class and no action: only what failed counts (RFC 3464 §2.3.3). */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/view.h"

struct record;

enum bounce_class { BOUNCE_HARD, BOUNCE_SOFT, BOUNCE_COMPLAINT, BOUNCE_AUTO_REPLY, BOUNCE_IGNORE };
const char *bounce_class_name(enum bounce_class c); /* "hard", "soft", "complaint", "auto-reply", "ignore" */

enum bounce_action {
    BOUNCE_NOTHING,
    BOUNCE_SUPPRESS,       /* at once */
    BOUNCE_SUPPRESS_AGAIN, /* at the second time, at least three days later: the name service may have failed */
    BOUNCE_SCORE,          /* one more; suppressed when there are too many */
    BOUNCE_SLOW,           /* the destination wants fewer */
    BOUNCE_PAUSE,          /* the destination refuses us, not the person: the admin must look */
    BOUNCE_STOP,           /* our sender address is refused */
    BOUNCE_HOLD,           /* the message is refused: the announcement waits for somebody to look */
    BOUNCE_OPT_OUT,        /* the person complained */
};
/* "none", "suppress", "suppress-if-again", "score", "slow-destination", "pause-destination", "alert-sender",
 * "hold-announcement", "opt-out" */
const char *bounce_action_name(enum bounce_action a);

/* The words are those of Sisimai's vocabulary, which other tools speak, too. */
#define BOUNCE_REASONS(X)                                                                                              \
    X(USER_UNKNOWN, "userunknown", HARD, SUPPRESS)                                                                     \
    X(HAS_MOVED, "hasmoved", HARD, SUPPRESS)                                                                           \
    X(HOST_UNKNOWN, "hostunknown", HARD, SUPPRESS_AGAIN)                                                               \
    X(NOT_ACCEPT, "notaccept", HARD, SUPPRESS_AGAIN) /* the domain says that it takes no mail (RFC 7505) */            \
    X(SUSPENDED, "suspend", SOFT, SUPPRESS)                                                                            \
    X(MAILBOX_FULL, "mailboxfull", SOFT, SCORE)                                                                        \
    X(FILTERED, "filtered", SOFT, SCORE) /* "unknown" only after the message was seen, or by the recipient's wish */   \
    X(EXPIRED, "expired", SOFT, SCORE)                                                                                 \
    X(NETWORK, "networkerror", SOFT, SCORE)                                                                            \
    X(SYSTEM, "systemerror", SOFT, SCORE)                                                                              \
    X(MAILER, "mailererror", SOFT, SCORE)                                                                              \
    X(ON_HOLD, "onhold", SOFT, SCORE)                                                                                  \
    X(UNDEFINED, "undefined", SOFT, SCORE)                                                                             \
    X(SYNTAX, "syntaxerror", SOFT, SCORE)                                                                              \
    X(TOO_FAST, "toomanyconn", SOFT, SLOW)                                                                             \
    X(BLOCKED, "blocked", SOFT, PAUSE)                                                                                 \
    X(REPUTATION, "badreputation", SOFT, PAUSE)                                                                        \
    X(POINTER, "requireptr", SOFT, PAUSE)                                                                              \
    X(AUTHENTICATION, "authfailure", SOFT, PAUSE)                                                                      \
    X(POLICY, "policyviolation", SOFT, PAUSE)                                                                          \
    X(SECURITY, "securityerror", SOFT, PAUSE)                                                                          \
    X(SPAM, "spamdetected", SOFT, PAUSE)                                                                               \
    X(VIRUS, "virusdetected", SOFT, PAUSE)                                                                             \
    X(RELAYING, "norelaying", SOFT, PAUSE)                                                                             \
    X(REJECTED, "rejected", SOFT, STOP)                                                                                \
    X(CLOSED, "filtered", SOFT, SCORE) /* the recipient or group takes mail from few */                                \
    X(FORM, "notcompliantrfc", SOFT, HOLD)                                                                             \
    X(CONTENT, "contenterror", SOFT, HOLD)                                                                             \
    X(TOO_BIG, "mesgtoobig", SOFT, HOLD)                                                                               \
    X(OVER_LIMIT, "exceedlimit", SOFT, HOLD)                                                                           \
    X(FEEDBACK, "feedback", COMPLAINT, OPT_OUT)                                                                        \
    X(OTHER_FEEDBACK, "feedback", IGNORE, NOTHING) /* a failed authentication, a report that it was no spam */         \
    X(VACATION, "vacation", AUTO_REPLY, NOTHING)                                                                       \
    X(CHALLENGE, "challenge", AUTO_REPLY, NOTHING)                                                                     \
    X(DELIVERED, "delivered", IGNORE, NOTHING)                                                                         \
    X(LOOP, "loop", IGNORE, NOTHING)                                                                                   \
    X(NO_REPORT, "noreport", IGNORE, NOTHING)

enum bounce_reason {
#define X(name, word, class, action) BOUNCE_REASON_##name,
    BOUNCE_REASONS(X)
#undef X
};
const char *bounce_reason_name(enum bounce_reason r);
/* The action of that name; false for none. */
bool bounce_find_action(struct view name, enum bounce_action *ret);

enum {
    BOUNCE_REPORTS_MAX = 50,
    BOUNCE_RECIPIENT_MAX_BYTES = 320,
    BOUNCE_TEXT_MAX_BYTES = 240,
    BOUNCE_STATUS_MAX_BYTES = 12,
};

struct bounce_report {
    enum bounce_class class;
    enum bounce_reason reason;
    enum bounce_action action;
    bool delayed;                                   /* it is still tried */
    char status[BOUNCE_STATUS_MAX_BYTES];           /* "5.1.1", or "" */
    char recipient[BOUNCE_RECIPIENT_MAX_BYTES + 1]; /* as the report names it, or "" */
    char text[BOUNCE_TEXT_MAX_BYTES + 1];           /* what was said, in one line; "" */
};

struct bounce {
    struct bounce_report reports[BOUNCE_REPORTS_MAX];
    size_t count; /* at least 1 */
};

void bounce_read(const struct record *record, struct bounce *ret);

/* Of several reports to one return path (an alias that leads to many) the one that counts: what is milder stands
 * before what is hard, and whatever says something before what says nothing. */
const struct bounce_report *bounce_mildest(const struct bounce *b);

/* The next thing that looks like the token of our List-Unsubscribe in the headers that were returned (never in those of
 * the mail itself, which anybody can write): begin with *cursor = 0. An absent view at the end. The token proves the
 * person only when its signature is good. *ret_announcement is the number behind it in the link, which nothing proves, or
 * an empty view. */
struct view bounce_next_token(const struct record *record, size_t *cursor, struct view *ret_announcement);
