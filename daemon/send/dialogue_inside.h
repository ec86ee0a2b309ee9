/* The inside of a dialogue, for dialogue*.c alone. */
#pragma once
#include "send/dialogue.h"
#include "send/outbox.h"

#define LETTER_STATES(X) X(WAITING) X(ENVELOPE) X(CONTENT) X(DONE)
#define AS_STATE(name) LETTER_##name,
enum letter_state { LETTER_STATES(AS_STATE) };

struct letter {
    uint64_t cookie;
    enum letter_state state;
    bool heard;  /* a reply to one of its commands came */
    bool failed; /* and this is its outcome, once the replies that remain are in */
    bool late;   /* too late for this connection, and no more than that: it is given back instead */
    struct outcome outcome;
    uint64_t end_at; /* where in the output its last octet stands; 0: not yet there */
    size_t mail_len, rcpt_end;
    struct buf envelope; /* MAIL and RCPT, and under CHUNKING BDAT */
    struct buf body;     /* with its dot; unused under CHUNKING */
};

enum mode { MODE_STEPS, MODE_GROUPS, MODE_CHUNKS };

struct expected {
    enum reply_stage stage;
    struct letter *letter; /* NULL: RSET, QUIT */
    uint64_t from, at;     /* where in the output the command stands */
};

enum { EXPECTED_MAX = 4 * SESSION_IN_FLIGHT_MAX + 2 };

struct dialogue {
    const struct dialogue_handlers *handlers;
    void *user;
    struct capabilities offers;
    enum mode mode;
    unsigned most;   /* letters at once */
    unsigned window; /* as many of these as were taken before, and one: a relay that takes none has few in doubt */

    struct letter *letters; /* a ring of `most` */
    unsigned first, count;
    unsigned live;        /* of these, not DONE */
    bool data_open;       /* GROUPS: DATA was said, what follows hangs on its reply */
    bool needs_rset;      /* before the next MAIL */
    bool answered;        /* a message */
    bool served;          /* MAIL was taken and RCPT answered: the connection was good for something */
    bool retired;         /* it takes no more messages on this connection */
    bool quitting, quit;  /* QUIT was said; answered */
    bool over;            /* nothing more is said or heard */
    bool hung_up;         /* by 421: what was not answered was not taken either, if it closes now without a word */
    bool ended;           /* the relay closed the connection */
    struct outcome fault; /* why */

    struct expected expected[EXPECTED_MAX];
    unsigned expected_first, expected_count;
    struct reply reply;
    unsigned replies;

    struct outbox out;
    uint64_t asked; /* of what was queued there, what belongs to commands that are expected */
};

/* send/dialogue.c. The i-th of the letters, in the order given. */
struct letter *dialogue_letter(const struct dialogue *d, unsigned i);
/* Its slot is free for another before the handler is told. */
void dialogue_finish(struct dialogue *d, struct letter *l, const struct outcome *outcome);
void dialogue_give_back(struct dialogue *d, struct letter *l);
/* Commands, each with the reply that it expects. */
void dialogue_say_rcpt(struct dialogue *d, struct letter *l);
void dialogue_say_data(struct dialogue *d, struct letter *l);
void dialogue_say_body(struct dialogue *d, struct letter *l);
/* Octets that belong to the next dialogue_expect_end(): the content of the letter. */
void dialogue_say(struct dialogue *d, struct view text);
void dialogue_expect_end(struct dialogue *d, struct letter *l);
/* Lets large memory go. */
void dialogue_clear(struct buf *b);
