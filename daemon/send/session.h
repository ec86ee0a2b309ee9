/* One SMTP session with a relay: libcurl makes the connection (send/connect.h), our dialogue speaks over it.
 *
 * A session is handed messages and hands back what became of them, one answer for each message, in the order given. How
 * many may be in flight at once is its own affair: session_room() says how many more it takes now. Callbacks come from
 * the loop, never from inside session_* calls; session_send() may be called from inside callbacks.
 *
 * WIRE    (RFC 5321) What the relay offers, and [relay] pipelining lets it, decides:
 *           nothing                    MAIL, RCPT, DATA, body and dot: one command, one reply
 *           PIPELINING                 MAIL RCPT DATA in one group, and behind a body the next message's (RFC 2920)
 *           PIPELINING and CHUNKING    MAIL RCPT BDAT LAST and the octets, as many messages as [relay] in-flight allows
 *                                      (RFC 3030)
 *         After a transaction that failed comes RSET. SIZE= where it is offered. A message must be lines of at most 998
 *         octets that end with CRLF, without any other CR or LF.
 * LOST    When a connection ends, a message whose last octet was handed to the socket and that has no reply is IN_DOUBT
 *         (RFC 1047); the one whose turn it was is DEFERRED, and later ones of which no octet was sent are given back
 *         (on_unsent). A relay that answers what nobody asked, or before it was asked, has lost count: the connection
 *         is closed. 421 closes it as well.
 * ENOUGH  A relay that has served a message and then answers MAIL with 421, or says that this connection has had its
 *         share (reply_ends_session()), refuses nobody: that message is given back, the session ends, the next goes on.
 * LIMITS  Each reply has its deadline ([timeouts] command, data, end), each block of output that of block; QUIT has
 *         SESSION_QUIT_USEC. SESSION_IN_FLIGHT_MAX messages at once. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/number.h"
#include "base/view.h"
#include "mail/reply.h"

struct loop;
struct conf;
struct conf_relay;
struct connector; /* the libcurl multi handle, send/connect.h */
struct session;

enum { SESSION_IN_FLIGHT_MAX = 100 };
#define SESSION_QUIT_USEC (5 * USEC_PER_SEC)

struct envelope {
    struct view return_path; /* "" for the null return path */
    struct view recipient;
    bool needs_smtputf8;
};

struct session_handlers {
    /* Connected, authenticated: session_room() is positive. */
    void (*on_ready)(void *user, struct session *s);
    /* The outcome of the message given with this cookie. */
    void (*on_outcome)(void *user, struct session *s, uint64_t cookie, const struct outcome *outcome);
    /* Instead of an outcome: the session ends and nothing of the message has been said to the relay, or nothing that
     * counts. */
    void (*on_unsent)(void *user, struct session *s, uint64_t cookie);
    /* The session is over (could not connect, or closed later); every message has had its answer. why is DEFERRED, of
     * the connection or of the sender (wrong password, untrusted certificate …); NULL where session_quit() or
     * session_abort() asked for it. Free it now or later. */
    void (*on_closed)(void *user, struct session *s, const struct outcome *why);
};

/* Starts connecting. conf is kept (conf_ref); relay is one of its. */
int session_new(struct loop *loop, struct connector *connector, const struct conf *conf, const struct conf_relay *relay,
                const struct session_handlers *handlers, void *user, struct session **ret);
/* Closes the connection without a word, wherever it stands; messages in flight get no answer any more. Not from inside
 * a callback but on_closed. NULL is fine. */
struct session *session_free(struct session *s);

/* How many messages it takes now; 0 while connecting, busy or closing. */
unsigned session_room(const struct session *s);
/* Gives it a message (not dot-stuffed; copied into its output). Only while session_room() > 0. -EINVAL for an envelope,
 * -EBADMSG for a message that must not go out; -ENOMEM. */
int session_send(struct session *s, const struct envelope *envelope, struct view message, uint64_t cookie);
/* QUIT after what is in flight. */
void session_quit(struct session *s);
/* Closes the connection now; every message gets its answer. */
void session_abort(struct session *s);
unsigned session_in_flight(const struct session *s);
bool session_is_ready(const struct session *s);
