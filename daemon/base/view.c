#include "base/view.h"

#include <stdlib.h>
#include <strings.h>

bool view_eq(struct view a, struct view b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool view_eq_str(struct view a, const char *b) {
    return view_eq(a, view_of(b));
}

bool view_eq_nocase(struct view a, const char *b) {
    size_t len = strlen(b);
    return a.len == len && (len == 0 || strncasecmp(a.ptr, b, len) == 0);
}

bool view_starts(struct view a, const char *prefix) {
    size_t len = strlen(prefix);
    return a.len >= len && (len == 0 || memcmp(a.ptr, prefix, len) == 0);
}

bool view_ends(struct view a, const char *suffix) {
    size_t len = strlen(suffix);
    return a.len >= len && (len == 0 || memcmp(a.ptr + a.len - len, suffix, len) == 0);
}

int view_cmp(struct view a, struct view b) {
    size_t len = a.len < b.len ? a.len : b.len;
    int r = len ? memcmp(a.ptr, b.ptr, len) : 0;
    return r ? r : (a.len > b.len) - (a.len < b.len);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct view view_trim(struct view a) {
    while (a.len && is_blank(a.ptr[0]))
        a.ptr++, a.len--;
    while (a.len && is_blank(a.ptr[a.len - 1]))
        a.len--;
    return a;
}

size_t view_find(struct view a, char c) {
    const char *p = a.len ? memchr(a.ptr, c, a.len) : NULL;
    return p ? (size_t)(p - a.ptr) : a.len;
}

size_t view_search(struct view a, struct view needle) {
    const char *p = a.len ? memmem(a.ptr, a.len, needle.ptr, needle.len) : NULL;
    return p ? (size_t)(p - a.ptr) : a.len;
}

bool view_split(struct view *rest, char sep, struct view *ret) {
    if (!rest->ptr)
        return false;
    size_t at = view_find(*rest, sep);
    *ret = view_slice(*rest, 0, at);
    *rest = at < rest->len ? view_slice(*rest, at + 1, rest->len) : (struct view){0};
    return true;
}

bool view_take(struct view *rest, char sep, struct view *ret) {
    size_t at = view_find(*rest, sep);
    if (at == rest->len)
        return false;
    *ret = view_slice(*rest, 0, at);
    *rest = view_slice(*rest, at + 1, rest->len);
    return true;
}

bool view_line(struct view *rest, struct view *ret) {
    if (!rest->ptr || rest->len == 0)
        return false;
    size_t at = view_find(*rest, '\n');
    *ret = view_slice(*rest, 0, at);
    if (ret->len && ret->ptr[ret->len - 1] == '\r')
        ret->len--;
    *rest = view_slice(*rest, at < rest->len ? at + 1 : at, rest->len);
    return true;
}

char *view_dup(struct view a) {
    char *copy = malloc(a.len + 1);
    if (!copy)
        return NULL;
    if (a.len)
        memcpy(copy, a.ptr, a.len);
    copy[a.len] = '\0';
    return copy;
}
