#include "mail/tags.h"

#include <errno.h>

#include "base/text.h"

#include "base/banned.h"

enum { FOLDED_MAX_BYTES = 8 * TAG_MAX_BYTES };

bool tags_next(struct view *rest, struct view *ret) {
    return view_line(rest, ret);
}

/* Whether the tag folds to what is folded already: 1, 0 or -ENOMEM. */
static int is_same(struct view tag, struct view folded) {
    AUTOBUF struct buf own = BUF_INIT(FOLDED_MAX_BYTES);
    if (view_eq(tag, folded))
        return 1;
    int r = text_fold(tag, &own);
    return r == 0 ? view_eq(buf_view(&own), folded) : r == -ENOMEM ? r : 0;
}

int tags_have(struct view tags, struct view folded) {
    struct view tag;
    int r = 0;
    while (r == 0 && tags_next(&tags, &tag))
        r = is_same(tag, folded);
    return r;
}

static bool take_sign(struct view *tag) {
    bool away = view_starts(*tag, "-");
    if (away || view_starts(*tag, "+"))
        *tag = view_trim(view_slice(*tag, 1, tag->len));
    return away;
}

static bool is_good(struct view tag) {
    return tag.len > 0 && tag.len <= TAG_MAX_BYTES && tag.ptr[0] != '-' && tag.ptr[0] != '+' && text_is_utf8(tag) &&
           !text_has_control(tag);
}

int tags_read(struct view written, struct buf *to, struct view *ret_bad) {
    size_t count = 0;
    while (written.len) {
        size_t end = 0;
        while (end < written.len && !strchr(",;\n", written.ptr[end]))
            end++;
        struct view tag = view_trim(view_slice(written, 0, end));
        written = view_slice(written, end + 1, written.len);
        if (tag.len == 0)
            continue;
        *ret_bad = tag;
        AUTOBUF struct buf nfc = BUF_INIT(FOLDED_MAX_BYTES);
        bool away = take_sign(&tag);
        if (!is_good(tag) || text_nfc(tag, &nfc) < 0)
            return -EINVAL;
        if (++count > TAGS_MAX)
            return -E2BIG;
        buf_putc(to, away ? '-' : '+');
        buf_add_view(to, buf_view(&nfc));
        buf_putc(to, '\n');
    }
    return buf_error(to);
}

/* tags without the one that folds so, and with it in its place where it is to be there. */
static int set(struct view tags, struct view tag, bool away, struct buf *to) {
    AUTOBUF struct buf folded = BUF_INIT(FOLDED_MAX_BYTES), other = BUF_INIT(FOLDED_MAX_BYTES);
    int r = text_fold(tag, &folded);
    if (r < 0)
        return r;
    int is_there = tags_have(tags, buf_view(&folded));
    if (is_there < 0)
        return is_there;
    bool written = away || is_there; /* the spelling that is there stays */
    struct view at;
    while (tags_next(&tags, &at)) {
        buf_clear(&other);
        if ((r = text_fold(at, &other)) < 0)
            return r;
        int order = view_cmp(buf_view(&other), buf_view(&folded));
        if (order > 0 && !written) {
            buf_add_view(to, tag);
            buf_putc(to, '\n');
            written = true;
        }
        if (order == 0 && away)
            continue;
        buf_add_view(to, at);
        buf_putc(to, '\n');
    }
    if (!written) {
        buf_add_view(to, tag);
        buf_putc(to, '\n');
    }
    return buf_error(to);
}

int tags_apply(struct view tags, struct view change, struct buf *to, bool *ret_changed) {
    AUTOBUF struct buf a = BUF_INIT(2 * TAGS_MAX_BYTES), b = BUF_INIT(2 * TAGS_MAX_BYTES);
    struct buf *from = &a, *into = &b;
    struct view tag;
    buf_add_view(from, tags);
    if (buf_error(from) < 0)
        return buf_error(from) == -EMSGSIZE ? -E2BIG : buf_error(from);
    while (tags_next(&change, &tag)) {
        bool away = take_sign(&tag);
        if (tag.len == 0)
            continue;
        buf_clear(into);
        int r = set(buf_view(from), tag, away, into);
        if (r < 0)
            return r == -EMSGSIZE ? -E2BIG : r;
        struct buf *turn = from;
        from = into;
        into = turn;
    }
    size_t count = 0;
    for (struct view rest = buf_view(from); tags_next(&rest, &tag);)
        count++;
    if (count > TAGS_MAX)
        return -E2BIG;
    if (ret_changed)
        *ret_changed = !view_eq(buf_view(from), tags);
    buf_add_view(to, buf_view(from));
    return buf_error(to);
}
