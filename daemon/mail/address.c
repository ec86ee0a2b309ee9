#include "mail/address.h"

#include <errno.h>
#include <idn2.h>
#include <stdint.h>

#include "base/text.h"

#include "base/banned.h"

enum { LABEL_MAX_BYTES = 63, DOMAIN_MAX_BYTES = 253 };

const char *address_fault_text(enum address_fault fault) {
    switch (fault) {
    case ADDRESS_OK: return "a good address";
    case ADDRESS_EMPTY: return "no address";
    case ADDRESS_NO_AT: return "no @ in the address";
    case ADDRESS_BAD_LOCAL: return "the part before the @ is not one that mail servers know";
    case ADDRESS_BAD_DOMAIN: return "the part behind the @ is not the name of a domain";
    case ADDRESS_TOO_LONG: return "the address is too long";
    case ADDRESS_NOT_UTF8: return "the address is not UTF-8";
    case ADDRESS_CONTROL: return "control characters in the address";
    case ADDRESS_SEVERAL: return "more than one address";
    case ADDRESS_NO_MEMORY: return "out of memory";
    }
    return "";
}

/* Blanks beyond ASCII, characters that show nothing, and those that no text should hold. Two addresses that differ in
 * these alone look the same; the mapping of IDNA would drop some of them and hand back another domain. */
static bool is_hidden(uint32_t c) {
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0x00A0, 0x00A0}, {0x00AD, 0x00AD},   {0x034F, 0x034F}, {0x115F, 0x1160}, {0x1680, 0x1680},
                  {0x17B4, 0x17B5}, {0x180B, 0x180F},   {0x2000, 0x200B}, {0x202F, 0x202F}, {0x205F, 0x2065},
                  {0x3000, 0x3000}, {0x3164, 0x3164},   {0xE000, 0xF8FF}, {0xFE00, 0xFE0F}, {0xFFA0, 0xFFA0},
                  {0xFFF0, 0xFFFF}, {0xE0000, 0x10FFFF}};
    for (size_t i = 0; i < COUNT_OF(ranges); i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

static bool has_hidden(struct view v) {
    for (size_t at = 0, n; at < v.len; at += n)
        if (is_hidden(text_decode(view_slice(v, at, v.len), &n)))
            return true;
    return false;
}

/* Domains */

static bool is_ldh(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

/* Lower-case letters, digits and hyphens in labels of good lengths. */
static bool is_host_name(struct view domain) {
    if (domain.len == 0 || domain.len > DOMAIN_MAX_BYTES)
        return false;
    struct view label;
    while (view_split(&domain, '.', &label)) {
        if (label.len == 0 || label.len > LABEL_MAX_BYTES || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_ldh(label.ptr[i]))
                return false;
    }
    return true;
}

/* Without IDN2_USE_STD3_ASCII_RULES, which deletes what it does not like: is_host_name() judges the result. */
static int to_a_labels(const char *domain, char lower[static DOMAIN_MAX_BYTES + 1]) {
    uint8_t *labels = NULL;
    int r = idn2_lookup_u8((const uint8_t *)domain, &labels, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
    if (r == IDN2_MALLOC)
        return -ENOMEM;
    if (r != IDN2_OK)
        return -EINVAL;
    struct view v = view_of((const char *)labels);
    if (v.len <= DOMAIN_MAX_BYTES)
        memcpy(lower, v.ptr, v.len + 1);
    else
        r = -EINVAL;
    idn2_free(labels);
    return r;
}

static void copy_lower(char *to, const char *from, size_t len) {
    for (size_t i = 0; i < len; i++)
        to[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] - 'A' + 'a') : from[i];
    to[len] = '\0';
}

int address_domain_ascii(struct view domain, struct buf *to) {
    char given[ADDRESS_INPUT_MAX_BYTES + 1], lower[DOMAIN_MAX_BYTES + 1];
    if (domain.len == 0 || domain.len > ADDRESS_INPUT_MAX_BYTES || !text_is_utf8(domain) || text_has_control(domain) ||
        has_hidden(domain))
        return -EINVAL;
    copy_lower(given, domain.ptr, domain.len);
    /* A-labels given as such are checked too; all other ASCII names need no mapping. */
    struct view name = view_make(given, domain.len);
    if (!text_is_ascii(name) || view_search(name, VIEW("xn--")) < name.len) {
        int r = to_a_labels(given, lower);
        if (r < 0)
            return r;
        name = view_of(lower);
    }
    if (!is_host_name(name))
        return -EINVAL;
    buf_add_view(to, name);
    return buf_error(to);
}

/* A domain that can have mailboxes in the Internet's mail: at least two labels, the last no number. */
static bool is_mail_domain(struct view domain) {
    struct view label = {0};
    size_t labels = 0;
    while (view_split(&domain, '.', &label))
        labels++;
    for (size_t i = 0; i < label.len; i++)
        if (label.ptr[i] < '0' || label.ptr[i] > '9')
            return labels > 1;
    return false;
}

/* Local parts */

static bool is_atext(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           (c && strchr("!#$%&'*+/=?^`{|}~", c));
}

/* Dot-atom (RFC 5322 §3.2.3) with characters beyond ASCII (RFC 6532 §3.2). */
static bool is_local_part(struct view local) {
    struct view atom;
    while (view_split(&local, '.', &atom)) {
        if (atom.len == 0 || has_hidden(atom))
            return false;
        for (size_t i = 0; i < atom.len; i++)
            if ((unsigned char)atom.ptr[i] < 0x80 && !is_atext(atom.ptr[i]))
                return false;
    }
    return true;
}

/* Addresses */

static struct view trim_blanks(struct view v) {
    while (v.len && (v.ptr[0] == ' ' || v.ptr[0] == '\t'))
        v = view_slice(v, 1, v.len);
    while (v.len && (v.ptr[v.len - 1] == ' ' || v.ptr[v.len - 1] == '\t'))
        v.len--;
    return v;
}

static bool has_any(struct view v, const char *set) {
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] && strchr(set, v.ptr[i]))
            return true;
    return false;
}

static enum address_fault check_text(struct view v) {
    if (v.len == 0)
        return ADDRESS_EMPTY;
    if (v.len > ADDRESS_INPUT_MAX_BYTES)
        return ADDRESS_TOO_LONG;
    if (text_has_control(v))
        return ADDRESS_CONTROL;
    return text_is_utf8(v) ? ADDRESS_OK : ADDRESS_NOT_UTF8;
}

/* Where the address is cut, in *ret_at. */
static enum address_fault find_at(struct view v, size_t *ret_at) {
    size_t at = view_find(v, '@');
    if (at == v.len)
        return ADDRESS_NO_AT;
    struct view behind = view_slice(v, at + 1, v.len);
    size_t second = view_find(behind, '@');
    *ret_at = at;
    if (second == behind.len)
        return ADDRESS_OK;
    return has_any(view_slice(behind, 0, second), ",; \t") ? ADDRESS_SEVERAL : ADDRESS_BAD_LOCAL;
}

/* The common case, without normal forms and mappings: ASCII, a bare address, nothing wrong with it, no A-label. false
 * says nothing. */
static bool parse_plain(struct view v, struct address *ret) {
    size_t at = view_find(v, '@');
    if (v.len > ADDRESS_MAX_BYTES || at == 0 || at > ADDRESS_LOCAL_MAX_BYTES || at == v.len)
        return false;
    size_t atom = 0;
    for (size_t i = 0; i <= at; i++)
        if (v.ptr[i] == '.' || i == at) {
            if (i == atom)
                return false;
            atom = i + 1;
        } else if (!is_atext(v.ptr[i]))
            return false;
    char lower[ADDRESS_MAX_BYTES + 1];
    copy_lower(lower, v.ptr, v.len);
    struct view domain = view_make(lower + at + 1, v.len - at - 1);
    if (!is_host_name(domain) || !is_mail_domain(domain) || view_search(domain, VIEW("xn--")) < domain.len)
        return false;
    memcpy(ret->key, lower, v.len + 1);
    memcpy(ret->spelled, v.ptr, at + 1);
    memcpy(ret->spelled + at + 1, domain.ptr, domain.len + 1);
    ret->at = at;
    ret->needs_smtputf8 = false;
    return true;
}

enum address_fault address_parse(struct view v, struct address *ret) {
    v = trim_blanks(v);
    if (parse_plain(v, ret))
        return ADDRESS_OK;
    size_t at = 0;
    enum address_fault fault = check_text(v);
    if (fault == ADDRESS_OK)
        fault = find_at(v, &at);
    if (fault != ADDRESS_OK)
        return fault;

    AUTOBUF struct buf local = BUF_INIT(8 * ADDRESS_INPUT_MAX_BYTES);
    int r = at ? text_nfc(view_slice(v, 0, at), &local) : -EINVAL;
    if (r == -ENOMEM || buf_error(&local) == -ENOMEM)
        return ADDRESS_NO_MEMORY;
    if (r < 0 || !is_local_part(buf_view(&local)))
        return ADDRESS_BAD_LOCAL;
    if (local.len > ADDRESS_LOCAL_MAX_BYTES)
        return ADDRESS_TOO_LONG;
    AUTOBUF struct buf domain = BUF_INIT(DOMAIN_MAX_BYTES);
    r = address_domain_ascii(view_slice(v, at + 1, v.len), &domain);
    if (r == -ENOMEM || buf_error(&domain) == -ENOMEM)
        return ADDRESS_NO_MEMORY;
    if (r < 0 || !is_mail_domain(buf_view(&domain)))
        return ADDRESS_BAD_DOMAIN;
    if (local.len + 1 + domain.len > ADDRESS_MAX_BYTES)
        return ADDRESS_TOO_LONG;

    AUTOBUF struct buf key = BUF_INIT(sizeof ret->key - 1);
    r = text_fold(buf_view(&local), &key);
    if (r < 0)
        return r == -ENOMEM ? ADDRESS_NO_MEMORY : ADDRESS_BAD_LOCAL;
    buf_putc(&key, '@');
    buf_add_view(&key, buf_view(&domain));
    if (buf_error(&key))
        return buf_error(&key) == -ENOMEM ? ADDRESS_NO_MEMORY : ADDRESS_TOO_LONG;
    memcpy(ret->spelled, buf_str(&local), local.len);
    ret->spelled[local.len] = '@';
    memcpy(ret->spelled + local.len + 1, buf_str(&domain), domain.len + 1);
    memcpy(ret->key, buf_str(&key), key.len + 1);
    ret->at = local.len;
    ret->needs_smtputf8 = !text_is_ascii(buf_view(&local));
    return ADDRESS_OK;
}

/* Mailboxes */

static int hex_value(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The address of a mailto: URL (RFC 6068), percent-decoded. */
static enum address_fault parse_mailto(struct view v, struct address *ret) {
    char decoded[ADDRESS_INPUT_MAX_BYTES];
    size_t len = 0;
    v = view_slice(v, 0, view_find(v, '?'));
    for (size_t i = 0; i < v.len; i++) {
        char c = v.ptr[i];
        if (c == '%' && i + 2 < v.len && hex_value(v.ptr[i + 1]) >= 0 && hex_value(v.ptr[i + 2]) >= 0) {
            c = (char)(hex_value(v.ptr[i + 1]) << 4 | hex_value(v.ptr[i + 2]));
            i += 2;
        }
        decoded[len++] = c;
    }
    return address_parse(view_make(decoded, len), ret);
}

/* Index of the first c that is not inside a quoted string, or v.len; SIZE_MAX where a quoted string does not end. */
static size_t find_unquoted(struct view v, char c) {
    bool quoted = false;
    size_t found = v.len;
    for (size_t i = 0; i < v.len; i++) {
        if (quoted && v.ptr[i] == '\\' && i + 1 < v.len)
            i++;
        else if (v.ptr[i] == '"')
            quoted = !quoted;
        else if (!quoted && v.ptr[i] == c)
            return i;
    }
    return quoted ? SIZE_MAX : found;
}

static struct view strip_quotes(struct view name, char quote) {
    if (name.len >= 2 && name.ptr[0] == quote && name.ptr[name.len - 1] == quote)
        name = trim_blanks(view_slice(name, 1, name.len - 2));
    return name;
}

enum address_fault address_parse_mailbox(struct view v, struct address *ret, struct view *ret_name) {
    if (parse_plain(v, ret)) {
        if (ret_name)
            *ret_name = VIEW("");
        return ADDRESS_OK;
    }
    enum address_fault fault = check_text(v);
    if (fault != ADDRESS_OK)
        return fault;
    v = trim_blanks(v);
    while (v.len && strchr(",; \t", v.ptr[v.len - 1])) /* as copied out of a list */
        v.len--;
    struct view name = VIEW(""), address = v;
    size_t open = find_unquoted(v, '<');
    if (v.len >= 7 && view_eq_nocase(view_slice(v, 0, 7), "mailto:")) {
        fault = parse_mailto(view_slice(v, 7, v.len), ret);
    } else if (open == SIZE_MAX) {
        fault = ADDRESS_BAD_LOCAL;
    } else if (open < v.len) {
        struct view behind = view_slice(v, open + 1, v.len);
        size_t close = view_find(behind, '>');
        name = trim_blanks(view_slice(v, 0, open));
        address = view_slice(behind, 0, close);
        behind = view_slice(behind, close + 1, behind.len);
        bool several = has_any(behind, "@") || (name.len && name.ptr[0] != '"' && name.ptr[0] != '\'' &&
                                                has_any(name, "@") && has_any(name, ",;"));
        if (several)
            fault = ADDRESS_SEVERAL;
        else if (close == v.len - open - 1 || behind.len)
            fault = ADDRESS_BAD_DOMAIN;
        else
            fault = address_parse(address, ret);
        name = strip_quotes(strip_quotes(name, '"'), '\'');
    } else if (v.len && v.ptr[v.len - 1] == ')' && (open = view_find(v, '(')) < v.len) {
        name = trim_blanks(view_slice(v, open + 1, v.len - open - 2));
        fault = address_parse(view_slice(v, 0, open), ret);
    } else {
        fault = address_parse(address, ret);
    }
    if (fault == ADDRESS_OK && ret_name)
        *ret_name = name;
    return fault;
}

void address_print_masked(const struct address *a, struct buf *to) {
    size_t first;
    (void)text_decode(view_of(a->spelled), &first); /* its length is what counts */
    buf_add(to, a->spelled, first);
    buf_printf(to, "***@%s", address_domain(a));
}
