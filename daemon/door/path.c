#include "door/path.h"

#include <stdio.h>

#include "base/number.h"

#include "mail/colour.h"
#include "mail/words.h"

#include "base/banned.h"

static void read_leave(struct view rest, struct path *ret) {
    struct view announcement = {0}, language = {0}, more = {0};
    uint64_t number;
    if (!view_split(&rest, '/', &ret->token) || ret->token.len == 0)
        return;
    if (view_split(&rest, '/', &announcement) && view_split(&rest, '/', &language) && view_split(&rest, '/', &more) &&
        ((more.len > 0 && !view_starts(more, "left-")) || rest.ptr))
        return; /* too deep to be a damaged link of ours */
    if (more.len > 0 && number_parse_u64(view_slice(more, strlen("left-"), more.len), INT64_MAX, &number) == 0)
        ret->left_sec = (int64_t)number;
    ret->place = PATH_LEAVE;
    if (number_parse_u64(announcement, INT64_MAX, &number) == 0)
        ret->announcement = (int64_t)number;
    if (words_is_code(language))
        ret->language = language;
}

static void read_release(struct view rest, struct path *ret) {
    struct view language = {0};
    if (!view_split(&rest, '/', &ret->token) || ret->token.len == 0)
        return;
    ret->place = PATH_RELEASE;
    if (view_split(&rest, '/', &language) && !rest.ptr && words_is_code(language))
        ret->language = language;
}

static void read_archive(struct view rest, struct path *ret) {
    struct view announcement = {0}, language = {0};
    uint64_t number;
    if (!view_split(&rest, '/', &announcement) || number_parse_u64(announcement, INT64_MAX, &number) < 0 || number == 0)
        return;
    ret->place = PATH_ARCHIVE;
    ret->announcement = (int64_t)number;
    if (!view_split(&rest, '/', &language) || rest.ptr)
        return;
    bool is_calendar = view_ends(language, ".ics");
    if (is_calendar)
        language = view_slice(language, 0, language.len - 4);
    if (!words_is_code(language))
        return;
    ret->place = is_calendar ? PATH_CALENDAR : PATH_ARCHIVE;
    ret->language = language;
}

/* TOKEN, and what mail programs may have put behind it. */
static void read_token(struct view rest, enum path_place place, struct path *ret) {
    struct view language = {0};
    if (!view_split(&rest, '/', &ret->token) || ret->token.len == 0)
        return;
    ret->place = place;
    if (view_split(&rest, '/', &language) && words_is_code(language))
        ret->language = language;
}

static void read_colour(struct view v, struct path *ret) {
    struct view digits = view_slice(v, strlen("/colour-"), 6);
    char colour[COLOUR_SIZE];
    if (digits.len != 6 || v.len != strlen("/colour-RRGGBB.css") || !view_ends(v, ".css"))
        return;
    (void)snprintf(colour, sizeof colour, "#%.6s", digits.ptr); /* fits */
    if (!colour_is_valid(colour))
        return;
    ret->place = PATH_COLOUR;
    ret->token = digits;
}

void path_read(const char *path, struct path *ret) {
    *ret = (struct path){.place = PATH_NOT_FOUND, .language = VIEW("")};
    struct view v = view_of(path);
    for (size_t i = 1; i < v.len; i++)
        ret->depth += v.ptr[i] == '/';
    if (view_starts(v, "/u/"))
        read_leave(view_slice(v, 3, v.len), ret);
    else if (view_starts(v, "/r/"))
        read_release(view_slice(v, 3, v.len), ret);
    else if (view_starts(v, "/a/"))
        read_archive(view_slice(v, 3, v.len), ret);
    else if (view_starts(v, "/p/"))
        read_token(view_slice(v, 3, v.len), PATH_PREFERENCES, ret);
    else if (view_starts(v, "/c/"))
        read_token(view_slice(v, 3, v.len), PATH_CONFIRM, ret);
    else if (view_starts(v, "/s/"))
        read_token(view_slice(v, 3, v.len), PATH_SIGN_UP, ret);
    else if (view_starts(v, "/colour-"))
        read_colour(v, ret);
    else if (view_eq_str(v, "/l") || view_eq_str(v, "/l/"))
        ret->place = PATH_LINK;
    else if (view_eq_str(v, "/healthz"))
        ret->place = PATH_HEALTH;
    else if (view_eq_str(v, "/style.css"))
        ret->place = PATH_STYLE;
}
