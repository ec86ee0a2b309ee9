/* A view: borrowed bytes with a length. Never owns, never ends with a promised NUL.
 * Functions return views into what they were given; an absent thing is a view with ptr NULL. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct view {
    const char *ptr;
    size_t len;
};

#define VIEW(literal) ((struct view){"" literal, sizeof(literal) - 1})

static inline struct view view_of(const char *s) {
    return (struct view){s, s ? strlen(s) : 0};
}
static inline struct view view_make(const void *ptr, size_t len) {
    return (struct view){ptr, len};
}
bool view_eq(struct view a, struct view b);
bool view_eq_str(struct view a, const char *b);
/* ASCII case only. */
bool view_eq_nocase(struct view a, const char *b);
bool view_starts(struct view a, const char *prefix);
bool view_ends(struct view a, const char *suffix);
/* Order of bytes, shorter first where one begins the other. */
int view_cmp(struct view a, struct view b);
/* Without ASCII blanks (space, tab, CR, LF) at both ends. */
struct view view_trim(struct view a);
static inline struct view view_slice(struct view a, size_t from, size_t len) {
    if (from > a.len)
        from = a.len;
    if (len > a.len - from)
        len = a.len - from;
    return (struct view){a.ptr ? a.ptr + from : NULL, len};
}
/* Index of the first c, or a.len where there is none. */
size_t view_find(struct view a, char c);
/* Index of the first occurrence of needle, or a.len. */
size_t view_search(struct view a, struct view needle);
/* Takes the part before the first sep off *rest and returns it; false when *rest is used up.
 * "a,b" yields "a","b"; "" yields "" once; "a," yields "a","". Begin with *rest as the whole. */
bool view_split(struct view *rest, char sep, struct view *ret);
/* Takes the part before the first sep and sep itself off *rest; false where there is none, and nothing is taken. */
bool view_take(struct view *rest, char sep, struct view *ret);
/* Takes a line off *rest, without its LF or CR LF; false at the end. */
bool view_line(struct view *rest, struct view *ret);
/* A fresh NUL-terminated copy, owned by the caller; NULL when memory runs out. */
char *view_dup(struct view a);
