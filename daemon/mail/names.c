#include "mail/names.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/text.h"

#include "base/banned.h"

enum { FOLDED_MAX_BYTES = 4 * NAMES_MAX_BYTES };

/* No-break spaces, typographic apostrophes, dashes and quotes are typed for the plain ones. */
static bool is_mark(uint32_t c) {
    if (c < 0x80)
        return !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
    return c == 0xA0 || c == 0x202F || c == 0x2BC || (c >= 0x2010 && c <= 0x201F) || text_is_control(c);
}

static void fold(struct view written, struct buf *to) {
    AUTOBUF struct buf folded = BUF_INIT(FOLDED_MAX_BYTES);
    if (written.len > NAMES_MAX_BYTES || text_fold(written, &folded) < 0)
        return;
    struct view v = buf_view(&folded);
    for (size_t at = 0, n; at < v.len; at += n)
        if (!is_mark(text_decode(view_slice(v, at, v.len), &n)))
            buf_add(to, v.ptr + at, n);
}

static struct name *add(struct names *n, struct arena *a) {
    if (n->count == n->room) {
        size_t room = n->room ? 2 * n->room : 128;
        struct name *more = arena_alloc(a, room * sizeof *more);
        if (!more)
            return NULL;
        if (n->count)
            memcpy(more, n->items, n->count * sizeof *more);
        n->items = more;
        n->room = room;
    }
    return &n->items[n->count++];
}

int names_add(struct names *n, struct arena *a, const char *section, const char *meaning, const char *list,
              unsigned layer, unsigned line) {
    for (struct view rest = view_of(list), written; view_split(&rest, ';', &written);) {
        AUTOBUF struct buf folded = BUF_INIT(FOLDED_MAX_BYTES);
        fold(written, &folded);
        if (folded.len == 0)
            continue;
        const char *copy = arena_dup(a, buf_view(&folded));
        struct name *name = copy ? add(n, a) : NULL;
        if (!name)
            return -ENOMEM;
        *name = (struct name){section, copy, meaning, layer, line};
    }
    return 0;
}

static int cmp_text(const struct name *a, const struct name *b) {
    int r = strcmp(a->section, b->section);
    return r ? r : strcmp(a->folded, b->folded);
}

static int cmp(const void *a, const void *b) {
    const struct name *x = a, *y = b;
    int r = cmp_text(x, y);
    if (r == 0)
        r = (x->layer > y->layer) - (x->layer < y->layer);
    return r ? r : (x->line > y->line) - (x->line < y->line);
}

int names_seal(struct names *n, const struct name **ret_first, const struct name **ret_second) {
    if (n->count)
        qsort(n->items, n->count, sizeof *n->items, cmp);
    for (size_t i = 1; i < n->count; i++) {
        const struct name *a = &n->items[i - 1], *b = &n->items[i];
        if (cmp_text(a, b) == 0 && a->layer == b->layer && strcmp(a->meaning, b->meaning) != 0) {
            *ret_first = a;
            *ret_second = b;
            return -EEXIST;
        }
    }
    return 0;
}

const char *names_find(const struct names *n, const char *section, struct view written) {
    AUTOBUF struct buf folded = BUF_INIT(FOLDED_MAX_BYTES);
    fold(written, &folded);
    if (folded.len == 0)
        return NULL;
    struct name wanted = {.section = section, .folded = buf_str(&folded)};
    size_t low = 0, high = n->count;
    while (low < high) { /* to the first that is not below: of its likes, the one of the topmost layer */
        size_t middle = low + (high - low) / 2;
        if (cmp(&n->items[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n->count && cmp_text(&n->items[low], &wanted) == 0 ? n->items[low].meaning : NULL;
}
