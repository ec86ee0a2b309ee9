/* Connections to relays: libcurl does addresses, TCP, greeting, EHLO, STARTTLS or TLS, and AUTH, and then hands an open
 * connection over (CURLOPT_CONNECT_ONLY). The only file that sends with libcurl.
 *
 * TLS     Certificates are verified against ca-file alone where it is given, else against the system's. Opportunistic
 *         TLS without ca-file and user name is not verified: whoever could forge the certificate could as well take
 *         STARTTLS away. With a user name TLS is required unless tls = none: a password never crosses the net because
 *         someone took STARTTLS away.
 * SECRET  The first line of password-file is read for each connection and wiped; where systemd's
 *         $CREDENTIALS_DIRECTORY holds a file of the same name, that one.
 * TURNS   Of a name's addresses each is tried in turn; one that swallows packets has half of the time that is left, the
 *         last one all of it. A connection that memory fails is given up alone: each has a multi handle of its own.
 * LIMITS  Name and TCP have [timeouts] connect, the greeting (of smtps:// with TLS before it) has greeting, and each
 *         step after that command; an EHLO reply of more than HELLO_LINES_MAX lines is refused. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "mail/reply.h"
#include "send/hello.h"

struct conf;
struct conf_relay;
struct connection;
struct connector;
struct loop;

int connector_new(struct loop *loop, struct connector **ret);
/* After all its connections are gone. */
struct connector *connector_free(struct connector *k);

/* From the loop, once: connected where why is NULL, else not (DEFERRED; of SENDER for a wrong password, an untrusted
 * certificate or missing TLS, of CONNECTION otherwise). Free the connection then, or later. */
typedef void connection_on_done(void *user, struct connection *c, const struct outcome *why);
/* Begins to connect. conf lives until on_done. Fails only where memory runs out. */
int connection_new(struct connector *k, const struct conf *conf, const struct conf_relay *relay,
                   connection_on_done *on_done, void *user, struct connection **ret);
/* Closes at once, in whatever state; stop watching its socket before. NULL is fine. */
struct connection *connection_free(struct connection *c);

/* After it is connected: */
int connection_fd(const struct connection *c);
bool connection_is_tls(const struct connection *c);
const struct capabilities *connection_capabilities(const struct connection *c);
/* Octets sent, at least 1; -EAGAIN; another errno where the connection is gone. Nothing of a call that failed has been
 * read by the relay: a call sends at most one TLS record. After -EAGAIN the next call must begin with the same octets
 * at the same place, and at least as many. */
ssize_t connection_send(struct connection *c, const char *data, size_t len);
/* Octets received; 0 at the end of the stream; -EAGAIN; another errno. Call it until -EAGAIN: TLS keeps octets that the
 * socket does not show. */
ssize_t connection_recv(struct connection *c, char *data, size_t len);
