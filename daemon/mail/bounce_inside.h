/* What the parts of mail/bounce.h share. */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "mail/bounce.h"

/* The command that was refused, as far as a report tells. */
enum bounce_command { BOUNCE_SAID_NOT, BOUNCE_AT_CONNECT, BOUNCE_AT_MAIL, BOUNCE_AT_RCPT, BOUNCE_AT_DATA };

/* What is known of one failure. Texts as they came. */
struct bounce_said {
    struct view status;     /* of the field Status, or "" */
    struct view diagnostic; /* of the field Diagnostic-Code, or "" */
    struct view segment;    /* what a text says of this recipient, or "" */
    struct view whole;      /* all that the text says, where it speaks of this one alone, or "" */
    struct view transcript; /* the same, for the command that was refused alone */
    struct view category;   /* of the field X-PowerMTA-BounceCategory, or "" */
    struct view recipient;
    bool doubtful; /* a form that calls filtered ones unknown */
};

/* Reason, status and text of *report. */
void bounce_judge(const struct bounce_said *said, struct bounce_report *report);

/* A mail without a part that machines read (bounce_kind.c). */
enum bounce_kind {
    BOUNCE_KIND_REPORT, /* a mailer wrote it */
    BOUNCE_KIND_UNSURE, /* it may be one: only what is clear counts */
    BOUNCE_KIND_COMPLAINT,
    BOUNCE_KIND_CHALLENGE,
    BOUNCE_KIND_ABSENCE,
    BOUNCE_KIND_LOOP,
    BOUNCE_KIND_OTHER,
};
enum bounce_kind bounce_kind(const struct record *r, struct view text);

struct bounce_phrase {
    enum bounce_reason reason;
    const char *text; /* as the head of bounce_phrases.c says */
};
struct bounce_phrases {
    const struct bounce_phrase *rows;
    size_t count;
};
extern const struct bounce_phrases bounce_phrases_sender, bounce_phrases_mailbox, bounce_phrases_wish,
    bounce_phrases_early, bounce_phrases_user, bounce_phrases_user_abroad, bounce_phrases_host, bounce_phrases_refused;

/* The reason that the first fitting phrase of bounce_phrases.c gives to a folded text with single blanks; -1 for none.
 * of_recipient: what says that a recipient or host is unknown counts. */
int bounce_phrase(struct view folded, bool of_recipient);
/* The same with words that say little, for where neither those nor a status code said more. */
int bounce_weak_phrase(struct view folded, bool of_recipient);

/* The same for things and states that stand beside each other (bounce_combinations.c). */
int bounce_combination(struct view folded, bool of_recipient);
/* Whether a reply may mean what its status code says: one that calls people gone must speak of them, if it says anything. */
bool bounce_fits_status(struct view folded, enum bounce_reason reason);

/* Reports in a text that is none of RFC 3464. said: what comes with it (known recipients). Appends to *ret. */
void bounce_read_text(const struct record *record, struct view text, bool sure, struct bounce *ret);
/* The text before the returned message, whose beginning is in *ret_returned. */
struct view bounce_own_text(struct view text, struct view *ret_returned);
/* A form of those that call unknown whom they filter. */
bool bounce_is_doubtful(struct view text);
/* The part of the text that speaks of the recipient, "" where none does. */
struct view bounce_segment(struct view text, struct view recipient);
/* An address that begins at or behind *at in the line; false where none does. *at moves behind it. */
bool bounce_next_address(struct view line, size_t *at, struct view *ret);

/* What looks like a token in a link /u/TOKEN at or behind *at, which moves to it; and the number behind it in the link. */
struct view bounce_token_in(struct view text, size_t *at, struct view *ret_announcement);

/* Class and action with it; report->delayed before. */
void bounce_set_reason(struct bounce_report *report, enum bounce_reason reason);

/* A fresh report, or NULL at the limit. */
struct bounce_report *bounce_add(struct bounce *b);
/* Folded, blanks single, without what marks continued replies; appended. */
void bounce_fold(struct view text, struct buf *to);
