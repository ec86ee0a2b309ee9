/* The shapes of values: what looks like an address, a URL, a path. Strict and small; whether the thing exists is not
 * asked here. Each returns 0, or -EINVAL with what is wrong and what to do (no place; the caller knows it). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"
#include "base/why.h"

int shape_address(struct view v, struct why *why);
/* An ASCII address that leaves room for "+" and a code: CONF_RETURN_PATH_LOCAL_MAX bytes before the @, no + among them.
 */
int shape_basis(struct view v, struct why *why); /* of people/import.h */
int shape_return_path(struct view v, struct why *why);
int shape_path(struct view v, struct why *why);     /* absolute, without . and .. */
int shape_language(struct view v, struct why *why); /* "de", "pt-BR" */
int shape_zone(struct view v, struct why *why);     /* "Europe/Berlin" */
int shape_colour(struct view v, struct why *why);   /* "#rrggbb" */
int shape_group(struct view v, struct why *why);
int shape_host(struct view v, struct why *why);       /* a host name, ASCII */
int shape_domain(struct view v, struct why *why);     /* at least two labels */
int shape_listen(struct view v, struct why *why);     /* "systemd", "127.0.0.1:8025", "[::1]:8025" */
int shape_proxy(struct view v, struct why *why);      /* an IP address or network, or "unix" */
int shape_web_url(struct view v, struct why *why);    /* http:// or https:// */
int shape_public_url(struct view v, struct why *why); /* https://, or http:// on loopback; no query */
int shape_logo(struct view v, struct why *why);       /* https:// or an absolute path */
int shape_relay_url(struct view v, struct why *why);  /* smtp:// or smtps://, host, port */
int shape_imap_url(struct view v, struct why *why);   /* imap:// or imaps://, host, port, mailbox */
int shape_name(struct view v, struct why *why);       /* of a sender or relay: letters, digits, . _ - */
int shape_list_name(struct view v, struct why *why);  /* [a-z0-9-]{1,48} */

struct shape_url {
    struct view scheme, host; /* host without brackets */
    uint16_t port;            /* 0: none given */
    struct view rest;         /* from the first / ? or # on */
};
/* scheme://host[:port][rest]; no user, no blanks. -EINVAL. */
int shape_split_url(struct view v, struct shape_url *ret);
bool shape_is_loopback(struct view host);
