/* One SMTP session with a relay: libcurl makes the connection (addresses, TLS, STARTTLS, AUTH), our dialogue speaks
 * over it.
 *
 * A session is handed messages and hands back outcomes, one for each message, in any order. How many may be in flight
 * at once is its own affair: session_room() says how many more it takes now. Callbacks come from the loop, never from
 * inside session_* calls. A message whose last octet was never handed to the socket is DEFERRED when the connection is
 * lost, all others IN_DOUBT (RFC 1047). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"
#include "mail/reply.h"

struct loop;
struct conf;
struct conf_relay;
struct connector; /* the libcurl multi handle, send/connect.h */
struct session;

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
    /* The session is over (could not connect, or closed later); every message has had its outcome. why is DEFERRED of
     * connection, or of sender (wrong password, untrusted certificate …). Free it now or later. */
    void (*on_closed)(void *user, struct session *s, const struct outcome *why);
};

/* Starts connecting. conf is kept (conf_ref). */
int session_new(struct loop *loop, struct connector *connector, const struct conf *conf, const struct conf_relay *relay,
                const struct session_handlers *handlers, void *user, struct session **ret);
struct session *session_free(struct session *s);

/* How many messages it takes now; 0 while connecting, busy or closing. */
unsigned session_room(const struct session *s);
/* Gives it a message (not dot-stuffed; copied into its output). Only while session_room() > 0. */
int session_send(struct session *s, const struct envelope *envelope, struct view message, uint64_t cookie);
/* QUIT after what is in flight. */
void session_quit(struct session *s);
unsigned session_in_flight(const struct session *s);
const struct conf_relay *session_relay(const struct session *s);
bool session_offers_smtputf8(const struct session *s);
