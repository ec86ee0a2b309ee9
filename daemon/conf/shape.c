#include "conf/shape.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "conf/conf.h"

#include "base/banned.h"

enum { ADDRESS_MAX = 254, LOCAL_MAX = 64, DOMAIN_MAX = 253, LABEL_MAX = 63, NAME_MAX_BYTES = 60, GROUP_MAX = 32 };

#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool only(struct view v, const char *allowed) {
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] == '\0' || !strchr(allowed, v.ptr[i]))
            return false;
    return true;
}

/* For messages: enough of it to be found again. */
#define SHOWN(v) ((int)((v).len < 80 ? (v).len : 80)), (v).ptr

static int is_not(struct why *why, struct view v, const char *what, const char *todo) {
    (void)why_set(why, -EINVAL, "“%.*s” is not %s", SHOWN(v), what);
    why_todo(why, "%s", todo);
    return -EINVAL;
}

/* Labels of letters, digits and inner hyphens; bytes of other scripts where they are allowed. The number of labels, 0
 * where it is no domain. */
static size_t count_labels(struct view domain, bool ascii) {
    struct view rest = domain, label;
    size_t count = 0;
    if (domain.len == 0 || domain.len > DOMAIN_MAX)
        return 0;
    while (view_split(&rest, '.', &label)) {
        if (label.len == 0 || label.len > LABEL_MAX || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
            return 0;
        for (size_t i = 0; i < label.len; i++)
            if ((unsigned char)label.ptr[i] >= 0x80 ? ascii : !only(view_slice(label, i, 1), LOWER UPPER DIGITS "-"))
                return 0;
        count++;
    }
    return count;
}

static bool is_local_part(struct view local) {
    struct view rest = local, atom;
    if (local.len > LOCAL_MAX)
        return false;
    while (view_split(&rest, '.', &atom)) {
        if (atom.len == 0)
            return false;
        for (size_t i = 0; i < atom.len; i++)
            if ((unsigned char)atom.ptr[i] < 0x80 &&
                !only(view_slice(atom, i, 1), LOWER UPPER DIGITS "!#$%&'*+-/=?^_`{|}~"))
                return false;
    }
    return true;
}

int shape_address(struct view v, struct why *why) {
    size_t at = view_find(v, '@');
    struct view local = view_slice(v, 0, at), domain = view_slice(v, at + 1, v.len);
    size_t labels = count_labels(domain, false);
    if (at < v.len && v.len <= ADDRESS_MAX && is_local_part(local) && (labels > 1 || view_eq_str(domain, "localhost")))
        return 0;
    return is_not(why, v, "a mail address", "Write it as name@domain.example, without a name or angle brackets");
}

int shape_return_path(struct view v, struct why *why) {
    int r = shape_address(v, why);
    if (r < 0)
        return r;
    size_t at = view_find(v, '@');
    if (!text_is_ascii(v))
        return is_not(why, v, "written in ASCII", "Use an address of plain letters; a domain as its xn-- form");
    if (at > CONF_RETURN_PATH_LOCAL_MAX) {
        (void)why_set(why, -EINVAL, "“%.*s” before the @ leaves no room for the code of a message", (int)at, v.ptr);
        why_todo(why,
                 "Use at most %d characters before the @; + and a code of up to 48 follow it, and all must fit "
                 "into 64",
                 CONF_RETURN_PATH_LOCAL_MAX);
        return -EINVAL;
    }
    if (view_find(v, '+') < at)
        return is_not(why, v, "free of +, which parts address and code", "Use an address without +");
    return 0;
}

int shape_path(struct view v, struct why *why) {
    struct view rest = v, part;
    bool plain = view_starts(v, "/");
    while (plain && view_split(&rest, '/', &part))
        plain = !view_eq_str(part, ".") && !view_eq_str(part, "..");
    return plain ? 0 : is_not(why, v, "an absolute path", "Write the whole path, beginning with /, without . and ..");
}

int shape_language(struct view v, struct why *why) {
    struct view rest = v, part;
    bool first = true, ok = true;
    while (ok && view_split(&rest, '-', &part)) {
        ok = first ? (part.len == 2 || part.len == 3) && only(part, LOWER)
                   : part.len >= 2 && part.len <= 8 && only(part, LOWER UPPER DIGITS);
        first = false;
    }
    return ok && v.len <= 16 ? 0 : is_not(why, v, "a language code", "Write it as de, fr or pt-BR");
}

int shape_zone(struct view v, struct why *why) {
    struct view rest = v, part;
    bool ok = v.len <= 64 && only(v, LOWER UPPER DIGITS "/_+-");
    while (ok && view_split(&rest, '/', &part))
        ok = part.len > 0;
    return ok ? 0 : is_not(why, v, "a time zone", "Write it as Europe/Berlin");
}

int shape_colour(struct view v, struct why *why) {
    if (v.len == 7 && v.ptr[0] == '#' && only(view_slice(v, 1, 6), DIGITS "abcdefABCDEF"))
        return 0;
    return is_not(why, v, "a colour", "Write it as #rrggbb, six hexadecimal digits");
}

int shape_group(struct view v, struct why *why) {
    if (v.len <= GROUP_MAX && only(view_slice(v, 0, 1), LOWER "_") && only(v, LOWER DIGITS "_-"))
        return 0;
    return is_not(why, v, "the name of a group", "Name a Unix group of this machine");
}

static bool is_ip(struct view v, int family) {
    char text[64];
    uint8_t bytes[16];
    if (v.len >= sizeof text)
        return false;
    memcpy(text, v.ptr, v.len);
    text[v.len] = '\0';
    return inet_pton(family, text, bytes) == 1;
}

int shape_host(struct view v, struct why *why) {
    if (count_labels(v, true) > 0)
        return 0;
    return is_not(why, v, "a host name", "Write it in ASCII, an international name as its xn-- form");
}

int shape_domain(struct view v, struct why *why) {
    if (count_labels(v, true) > 1)
        return 0;
    return is_not(why, v, "a mail domain", "Write it as domain.example, an international name as its xn-- form");
}

static bool split_port(struct view v, uint16_t *ret) {
    uint64_t port;
    if (number_parse_u64(v, UINT16_MAX, &port) < 0 || port == 0)
        return false;
    *ret = (uint16_t)port;
    return true;
}

int shape_listen(struct view v, struct why *why) {
    size_t colon = v.len;
    while (colon && v.ptr[colon - 1] != ':')
        colon--;
    struct view host = view_slice(v, 0, colon ? colon - 1 : 0);
    uint16_t port;
    bool bracketed = view_starts(host, "[") && view_ends(host, "]");
    if (view_eq_str(v, "systemd"))
        return 0;
    if (colon && split_port(view_slice(v, colon, v.len), &port) &&
        (bracketed ? is_ip(view_slice(host, 1, host.len - 2), AF_INET6) : is_ip(host, AF_INET)))
        return 0;
    return is_not(why, v, "an address to listen on", "Write 127.0.0.1:8025, [::1]:8025, or systemd for a socket unit");
}

int shape_proxy(struct view v, struct why *why) {
    size_t slash = view_find(v, '/');
    struct view ip = view_slice(v, 0, slash), bits = view_slice(v, slash + 1, v.len);
    bool four = is_ip(ip, AF_INET), six = !four && is_ip(ip, AF_INET6);
    uint64_t n;
    if (view_eq_str(v, "unix"))
        return 0;
    if ((four || six) && (slash == v.len || number_parse_u64(bits, four ? 32 : 128, &n) == 0))
        return 0;
    return is_not(why, v, "an IP address or network", "Write it as 127.0.0.1, ::1 or 10.0.0.0/8, or unix");
}

int shape_split_url(struct view v, struct shape_url *ret) {
    size_t at = view_search(v, VIEW("://"));
    struct shape_url url = {.scheme = view_slice(v, 0, at)};
    struct view rest = view_slice(v, at + 3, v.len);
    size_t end = 0;
    while (end < rest.len && !strchr("/?#", rest.ptr[end]))
        end++;
    struct view where = view_slice(rest, 0, end);
    url.rest = view_slice(rest, end, rest.len);
    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)v.ptr[i] <= ' ' || strchr("\"<>\\^`{|}\x7F", v.ptr[i]))
            return -EINVAL;
    if (at == v.len || view_find(where, '@') < where.len)
        return -EINVAL;
    size_t host_end;
    if (view_starts(where, "[")) {
        host_end = view_find(where, ']');
        url.host = view_slice(where, 1, host_end - 1);
        if (host_end == where.len || !is_ip(url.host, AF_INET6))
            return -EINVAL;
        host_end++;
    } else {
        host_end = view_find(where, ':');
        url.host = view_slice(where, 0, host_end);
        if (count_labels(url.host, false) == 0)
            return -EINVAL;
    }
    if (host_end < where.len &&
        (where.ptr[host_end] != ':' || !split_port(view_slice(where, host_end + 1, where.len), &url.port)))
        return -EINVAL;
    *ret = url;
    return 0;
}

bool shape_is_loopback(struct view host) {
    return view_eq_nocase(host, "localhost") || view_eq_str(host, "::1") ||
           (view_starts(host, "127.") && is_ip(host, AF_INET));
}

static bool is_scheme(const struct shape_url *url, const char *a, const char *b) {
    return view_eq_str(url->scheme, a) || view_eq_str(url->scheme, b);
}

int shape_web_url(struct view v, struct why *why) {
    struct shape_url url;
    if (shape_split_url(v, &url) == 0 && is_scheme(&url, "https", "http"))
        return 0;
    return is_not(why, v, "a web address", "Write it whole, as https://partner.example/page");
}

int shape_public_url(struct view v, struct why *why) {
    struct shape_url url;
    int r = shape_web_url(v, why);
    if (r < 0)
        return r;
    (void)shape_split_url(v, &url); /* it is one, as the line above found */
    if (view_find(url.rest, '?') < url.rest.len || view_find(url.rest, '#') < url.rest.len)
        return is_not(why, v, "free of ? and #", "Write the address under which the web door is reached");
    if (view_eq_str(url.scheme, "http") && !shape_is_loopback(url.host))
        return is_not(why, v, "https",
                      "Use https://, as mail programs ask for opt-out links; http:// is for loopback only");
    return 0;
}

int shape_logo(struct view v, struct why *why) {
    struct shape_url url;
    struct why ignored;
    if ((shape_split_url(v, &url) == 0 && view_eq_str(url.scheme, "https")) || shape_path(v, &ignored) == 0)
        return 0;
    return is_not(why, v, "an https address or a path",
                  "Write https://partner.example/logo.png or /etc/rundbrief/logo.png");
}

int shape_relay_url(struct view v, struct why *why) {
    struct shape_url url;
    if (shape_split_url(v, &url) < 0 || !is_scheme(&url, "smtp", "smtps") ||
        !(url.rest.len == 0 || view_eq_str(url.rest, "/")))
        return is_not(why, v, "the address of a mail server", "Write smtp://HOST, smtp://HOST:PORT or smtps://HOST");
    if (!text_is_ascii(url.host))
        return is_not(why, url.host, "written in ASCII", "Write an international name as its xn-- form");
    return 0;
}

int shape_imap_url(struct view v, struct why *why) {
    struct shape_url url;
    if (shape_split_url(v, &url) < 0 || !is_scheme(&url, "imap", "imaps") || view_find(v, ';') < v.len)
        return is_not(why, v, "the address of a mailbox", "Write imaps://HOST/INBOX or imap://HOST:PORT/INBOX");
    return 0;
}

int shape_name(struct view v, struct why *why) {
    if (v.len <= NAME_MAX_BYTES && only(view_slice(v, 0, 1), LOWER UPPER DIGITS) && only(v, LOWER UPPER DIGITS "._-"))
        return 0;
    (void)is_not(why, v, "a name", "");
    why_todo(why, "Use at most %d letters, digits, dots, hyphens and underscores", NAME_MAX_BYTES);
    return -EINVAL;
}

int shape_list_name(struct view v, struct why *why) {
    if (v.len <= CONF_LIST_NAME_MAX && only(v, LOWER DIGITS "-"))
        return 0;
    (void)is_not(why, v, "the name of a list", "");
    why_todo(why, "Use at most %d lower-case letters, digits and hyphens", CONF_LIST_NAME_MAX);
    return -EINVAL;
}

int shape_basis(struct view v, struct why *why) {
    static const char *const bases[] = {"consent", "membership", "public-task", "other"};
    for (size_t i = 0; i < COUNT_OF(bases); i++)
        if (view_eq_str(v, bases[i]))
            return 0;
    (void)why_set(why, -EINVAL, "this is not a basis");
    why_todo(why, "Write consent, membership, public-task or other");
    return -EINVAL;
}
