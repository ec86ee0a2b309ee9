/* Where a request comes from: addresses of sockets and of X-Forwarded-For, and which of them are our proxies.
 * A proxy is written as an address, a network ("10.0.0.0/8", "2001:db8::/32"), or "unix" for peers on a Unix socket. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"

struct sockaddr;

enum { REMOTE_TEXT_MAX = 48 };

struct remote {
    bool is_unix;
    uint8_t ip[16]; /* IPv4 as ::ffff:a.b.c.d */
};
struct remote_net {
    struct remote base;
    uint8_t bits; /* of the 128 */
};

/* What is neither IP nor Unix counts as Unix: local. */
struct remote remote_of_socket(const struct sockaddr *address, size_t len);
/* An address, also with a port behind it as some proxies write it ("192.0.2.1:1234", "[2001:db8::1]:1234"). -EINVAL. */
int remote_parse(struct view text, struct remote *ret);
int remote_parse_net(struct view text, struct remote_net *ret);
bool remote_is_in(const struct remote *r, const struct remote_net *nets, size_t count);
/* Whether two count as one source: the same IPv4 address, the same IPv6 /64. */
bool remote_is_same_source(const struct remote *a, const struct remote *b);
/* The last address of X-Forwarded-For (all its fields joined by commas) that is no proxy, going back from the peer;
 * the nearest proxy where the field ends or holds something else. */
struct remote remote_behind(struct remote peer, struct view forwarded, const struct remote_net *nets, size_t count);
/* "unix", "192.0.2.1", "2001:db8::1". */
void remote_print(const struct remote *r, char *to, size_t size);
