/* The SMTP dialogue behind a session, without its socket: messages and replies go in, octets for the relay and outcomes
 * come out. Pure but for memory; the rules on the wire are those of send/session.h. Callbacks come from inside
 * dialogue_feed(), dialogue_pump() and dialogue_lost(); messages may be given from inside them.
 *
 * STATES  of a message
 *           WAITING --MAIL--> ENVELOPE --354, body--> CONTENT --reply--> DONE
 *           WAITING --MAIL RCPT BDAT, octets--> CONTENT          (CHUNKING)
 *           ENVELOPE --refused--> DONE
 *           WAITING --refused by ourselves--> DONE               (SMTPUTF8 or size not offered)
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "send/connect.h"
#include "send/session.h"

struct dialogue_handlers {
    void (*on_outcome)(void *user, uint64_t cookie, const struct outcome *outcome);
    void (*on_unsent)(void *user, uint64_t cookie);
};

struct dialogue;

/* After the last EHLO. limit_bytes: of one message. */
int dialogue_new(const struct capabilities *offers, unsigned in_flight, size_t limit_bytes,
                 const struct dialogue_handlers *handlers, void *user, struct dialogue **ret);
struct dialogue *dialogue_free(struct dialogue *d);

unsigned dialogue_room(const struct dialogue *d);
unsigned dialogue_in_flight(const struct dialogue *d);
/* As session_send(). */
int dialogue_send(struct dialogue *d, const struct envelope *envelope, struct view message, uint64_t cookie);
/* Says what may be said now. */
void dialogue_pump(struct dialogue *d);
/* QUIT; only with nothing in flight. */
void dialogue_quit(struct dialogue *d);
bool dialogue_has_quit(const struct dialogue *d); /* answered */
/* The relay takes no more messages on this connection: QUIT, and another connection may go on. */
bool dialogue_is_retired(const struct dialogue *d);
/* Nothing more can be said: the connection is to be closed; dialogue_fault() says why, but after QUIT. */
bool dialogue_is_over(const struct dialogue *d);

/* What is to be sent next, "" where nothing is: the same octets at the same place until dialogue_handed(). */
struct view dialogue_output(struct dialogue *d);
void dialogue_handed(struct dialogue *d, size_t len);
/* Octets of the relay. -EPROTO where the connection must be closed; dialogue_fault() says why. */
int dialogue_feed(struct dialogue *d, struct view bytes);
const struct outcome *dialogue_fault(const struct dialogue *d);
/* How many replies came. */
unsigned dialogue_replies(const struct dialogue *d);
/* Whether a reply is due to something that was sent whole, and to what. */
bool dialogue_awaits(const struct dialogue *d, enum reply_stage *ret_stage);
/* The relay has closed the connection. Then dialogue_lost(). */
void dialogue_ended(struct dialogue *d);
/* The connection is gone: answers every message. text is why, for the one whose turn it was. */
void dialogue_lost(struct dialogue *d, const char *text);
