#include "mail/link.h"

#include <strings.h>

#include "mail/merge.h"

#include "base/banned.h"

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_unreserved(char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

static bool starts_nocase(struct view v, const char *prefix) {
    size_t len = strlen(prefix);
    return v.len >= len && strncasecmp(v.ptr, prefix, len) == 0;
}

bool link_has_scheme(struct view url) {
    size_t n = 0;
    while (n < url.len && (is_letter(url.ptr[n]) || (n && (is_unreserved(url.ptr[n]) || url.ptr[n] == '+'))))
        n++;
    return n > 0 && n < url.len && url.ptr[n] == ':';
}

bool link_is_allowed(struct view url) {
    static const char *const schemes[] = {"http://", "https://", "mailto:", "tel:"};
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] < 0x20 || url.ptr[i] == 0x7F)
            return false;
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (starts_nocase(url, schemes[i]) && url.len > strlen(schemes[i]))
            return true;
    return false;
}

void link_add_html(struct buf *to, struct view url) {
    for (size_t i = 0; i < url.len; i++) {
        char c = url.ptr[i];
        if (c == '&')
            buf_puts(to, "&amp;");
        else if (c == '\'')
            buf_puts(to, "&#39;");
        else if (is_unreserved(c) || (c && strchr("%:/?#[]@!$()*+,;=", c)))
            buf_putc(to, c);
        else
            buf_printf(to, "%%%02X", (unsigned char)c);
    }
}

void link_add_plain(struct buf *to, struct view url) {
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] <= 0x20 || url.ptr[i] == 0x7F)
            buf_printf(to, "%%%02X", (unsigned char)url.ptr[i]);
        else
            buf_putc(to, url.ptr[i]);
}

void link_add_part(struct buf *to, struct view before, struct view value) {
    bool mail = starts_nocase(before, "mailto:"), phone = starts_nocase(before, "tel:");
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        if (phone && (c == ' ' || c == '\t'))
            continue;
        if (is_unreserved(c) || (mail && c == '@') || ((mail || phone) && c == '+'))
            buf_putc(to, c);
        else
            buf_printf(to, "%%%02X", (unsigned char)c);
    }
}
