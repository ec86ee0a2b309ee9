/* Whether a relay would take mail from us, without sending any: connects as the daemon does (send/connect.h: addresses,
 * greeting, EHLO, STARTTLS or TLS with the certificate, AUTH), says QUIT, and goes. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/number.h"
#include "mail/reply.h"

struct conf;
struct conf_relay;
struct connector;
struct loop;
struct relay_check;

#define RELAY_CHECK_USEC (20 * USEC_PER_SEC) /* of all of it, whatever [timeouts] allow */

struct relay_check_result {
    const struct conf_relay *relay;
    bool good, tls; /* tls: the connection ended up with it */
    int64_t took_usec;
    struct outcome why; /* where it is not good */
};

/* From the loop, once; r is borrowed. */
typedef void relay_check_on_done(void *user, const struct relay_check_result *r);
/* conf lives until it is freed. Fails only where memory runs out. */
int relay_check_new(struct loop *loop, struct connector *k, const struct conf *conf, const struct conf_relay *relay,
                    relay_check_on_done *on_done, void *user, struct relay_check **ret);
/* Wherever it stands, also inside on_done. NULL is fine. */
struct relay_check *relay_check_free(struct relay_check *c);
