/* What a relay says of itself while a connection is made (RFC 5321 §4.3.2): greeting, EHLO, STARTTLS (RFC 3207), AUTH
 * (RFC 4954). Pure; fed line by line. What was offered before a 220 counts no longer: the greeting's follows, or that of
 * STARTTLS, where somebody may have spoken for the relay before. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"
#include "mail/reply.h"

enum { HELLO_LINES_MAX = 200 };

/* What the relay said in its last EHLO reply; nothing where it only knows HELO. */
struct capabilities {
    bool pipelining, chunking, eightbit, smtputf8, enhanced;
    bool size;           /* SIZE is offered */
    uint64_t size_bytes; /* its number; 0: none given */
};

struct hello {
    struct capabilities offers;
    bool authenticated;
    unsigned lines;     /* of 250 since the last 220 */
    unsigned replies;   /* since the last 220, whole ones: the first answers EHLO */
    struct reply reply; /* the last one */
    struct reply ehlo;  /* the one to EHLO, where it was no 2xx; libcurl goes on with HELO then */
};

void hello_init(struct hello *h);
/* A line, or part of one. False where an EHLO reply has more than HELLO_LINES_MAX lines. */
bool hello_feed(struct hello *h, struct view line);

/* What the last reply was. */
bool hello_refused_for_now(const struct hello *h);
bool hello_refused_for_good(const struct hello *h);
/* What the relay offers is not known: EHLO was answered with anything but 2xx and 5xx. */
bool hello_is_missing(const struct hello *h);
/* STARTTLS or AUTH was answered with what is no answer to it: nor 4xx, nor 5xx. */
bool hello_is_confused(const struct hello *h);
/* DEFERRED, for this reason and with the reply's own words, whose code and status the outcome takes on. */
void hello_fail(const struct reply *r, struct outcome *o, enum outcome_subject subject, const char *what);
