#include "net/remote.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/number.h"

#include "base/banned.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_v4(const struct remote *r) {
    return !r->is_unix && memcmp(r->ip, mapped_prefix, sizeof mapped_prefix) == 0;
}

struct remote remote_of_socket(const struct sockaddr *address, size_t len) {
    struct remote r = {0};
    if (len >= sizeof(struct sockaddr_in) && address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof in);
        memcpy(r.ip, mapped_prefix, sizeof mapped_prefix);
        memcpy(r.ip + 12, &in.sin_addr, 4);
    } else if (len >= sizeof(struct sockaddr_in6) && address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof in6);
        memcpy(r.ip, &in6.sin6_addr, 16);
    } else {
        r.is_unix = true;
    }
    return r;
}

/* Without a port, if there is one. An IPv6 address is in brackets where it has a port. */
static struct view without_port(struct view text) {
    if (view_starts(text, "["))
        return view_slice(text, 1, view_find(text, ']') - 1);
    size_t colon = view_find(text, ':');
    bool one_colon = colon < text.len && view_find(view_slice(text, colon + 1, text.len), ':') == text.len - colon - 1;
    return one_colon ? view_slice(text, 0, colon) : text;
}

int remote_parse(struct view text, struct remote *ret) {
    text = without_port(view_trim(text));
    char plain[INET6_ADDRSTRLEN + 1];
    if (text.len == 0 || text.len >= sizeof plain || memchr(text.ptr, '\0', text.len))
        return -EINVAL;
    memcpy(plain, text.ptr, text.len);
    plain[text.len] = '\0';
    struct remote r = {0};
    if (inet_pton(AF_INET, plain, r.ip + 12) == 1)
        memcpy(r.ip, mapped_prefix, sizeof mapped_prefix);
    else if (inet_pton(AF_INET6, plain, r.ip) != 1)
        return -EINVAL;
    *ret = r;
    return 0;
}

int remote_parse_net(struct view text, struct remote_net *ret) {
    struct remote_net net = {.bits = 128};
    text = view_trim(text);
    if (view_eq_nocase(text, "unix")) {
        net.base.is_unix = true;
        *ret = net;
        return 0;
    }
    size_t slash = view_find(text, '/');
    int r = remote_parse(view_slice(text, 0, slash), &net.base);
    if (r < 0)
        return r;
    if (slash < text.len) {
        uint64_t bits, most = is_v4(&net.base) ? 32 : 128;
        r = number_parse_u64(view_slice(text, slash + 1, text.len), most, &bits);
        if (r < 0)
            return -EINVAL;
        net.bits = (uint8_t)(128 - most + bits);
    }
    *ret = net;
    return 0;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned bits) {
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0;
}

bool remote_is_in(const struct remote *r, const struct remote_net *nets, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (r->is_unix == nets[i].base.is_unix && (r->is_unix || same_bits(r->ip, nets[i].base.ip, nets[i].bits)))
            return true;
    return false;
}

bool remote_is_same_source(const struct remote *a, const struct remote *b) {
    return a->is_unix == b->is_unix && (a->is_unix || same_bits(a->ip, b->ip, is_v4(a) ? 128 : 64));
}

struct remote remote_behind(struct remote peer, struct view forwarded, const struct remote_net *nets, size_t count) {
    while (forwarded.len && remote_is_in(&peer, nets, count)) {
        size_t start = forwarded.len;
        while (start && forwarded.ptr[start - 1] != ',')
            start--;
        struct remote before;
        if (remote_parse(view_slice(forwarded, start, forwarded.len), &before) < 0)
            break;
        peer = before;
        forwarded = view_slice(forwarded, 0, start ? start - 1 : 0);
    }
    return peer;
}

void remote_print(const struct remote *r, char *to, size_t size) {
    char text[INET6_ADDRSTRLEN];
    const char *shown = r->is_unix ? "unix"
                        : is_v4(r) ? inet_ntop(AF_INET, r->ip + 12, text, sizeof text)
                                   : inet_ntop(AF_INET6, r->ip, text, sizeof text);
    (void)snprintf(to, size, "%s", shown ? shown : "");
}
