#include "mail/wrap.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/text.h"

#include "base/banned.h"

enum atom_kind { ATOM_WORD, ATOM_BLANK, ATOM_CHANCE, ATOM_BREAK, ATOM_FIELD, ATOM_IF, ATOM_END };

struct wrap_atom {
    enum atom_kind kind;
    struct view text; /* ATOM_WORD */
    size_t columns;
    unsigned field; /* ATOM_FIELD, ATOM_IF */
    enum merge_escape escape;
    bool inverted;
};

void wrap_init(struct wrap *w) {
    *w = (struct wrap){.is_blank = true};
}

void wrap_done(struct wrap *w) {
    free(w->atoms);
    wrap_init(w);
}

bool wrap_is_empty(const struct wrap *w) {
    return w->count == 0;
}

static void add(struct wrap *w, struct wrap_atom atom) {
    if (w->count == w->room) {
        size_t room = w->room ? w->room * 2 : 64;
        struct wrap_atom *more = reallocarray(w->atoms, room, sizeof *more);
        if (!more) {
            w->failed = true;
            return;
        }
        w->atoms = more;
        w->room = room;
    }
    w->atoms[w->count++] = atom;
}

static bool is_east_asian(uint32_t c) {
    return (c >= 0x2E80 && c <= 0x33FF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0xA4CF) ||
           (c >= 0xF900 && c <= 0xFAFF) || (c >= 0xFF01 && c <= 0xFF9F) || (c >= 0x20000 && c <= 0x3FFFD);
}

static bool is_among(uint32_t c, const uint32_t *list) {
    while (*list && *list != c)
        list++;
    return *list != 0;
}

/* Characters that never begin or end a line (the usual East Asian rules, as UAX #14 has them). */
static bool is_closing(uint32_t c) {
    static const uint32_t list[] = {
        0x3001, 0x3002, 0x3005, 0x3009, 0x300B, 0x300D, 0x300F, 0x3011, 0x3015, 0x3017, 0x3019, 0x301B, 0x301C,
        0x301E, 0x301F, 0x303B, 0x3041, 0x3043, 0x3045, 0x3047, 0x3049, 0x3063, 0x3083, 0x3085, 0x3087, 0x308E,
        0x309B, 0x309C, 0x309D, 0x309E, 0x30A0, 0x30A1, 0x30A3, 0x30A5, 0x30A7, 0x30A9, 0x30C3, 0x30E3, 0x30E5,
        0x30E7, 0x30EE, 0x30F5, 0x30F6, 0x30FB, 0x30FC, 0x30FD, 0x30FE, 0xFF01, 0xFF05, 0xFF09, 0xFF0C, 0xFF0E,
        0xFF1A, 0xFF1B, 0xFF1F, 0xFF3D, 0xFF5D, 0xFF60, 0xFF61, 0xFF63, 0xFF64, 0xFF65, 0};
    return is_among(c, list);
}

static bool is_opening(uint32_t c) {
    static const uint32_t list[] = {0x3008, 0x300A, 0x300C, 0x300E, 0x3010, 0x3014, 0x3016, 0x3018, 0x301A,
                                    0x301D, 0xFF04, 0xFF08, 0xFF3B, 0xFF5B, 0xFF5F, 0xFF62, 0xFFE5, 0};
    return is_among(c, list);
}

static bool is_plain_letter(uint32_t c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= 0xC0 && c < 0x2000);
}

static bool may_break(uint32_t before, uint32_t after) {
    bool first = is_east_asian(before), second = is_east_asian(after);
    if (is_closing(after) || is_opening(before))
        return false;
    return (first && second) || (first && is_plain_letter(after)) || (second && is_plain_letter(before));
}

static void add_word(struct wrap *w, struct view text) {
    if (text.len)
        add(w, (struct wrap_atom){.kind = ATOM_WORD, .text = text, .columns = text_width(text)});
}

/* A word, with chances to break it between East Asian characters. */
static void add_words(struct wrap *w, struct view text) {
    size_t from = 0, url = view_search(text, VIEW("://"));
    uint32_t before = 0;
    for (size_t at = 0, n; at < text.len; at += n) {
        uint32_t c = text_decode(view_slice(text, at, text.len), &n);
        w->is_url = w->is_url || at >= url;
        if (at > 0 && !w->is_url && may_break(before, c)) {
            add_word(w, view_slice(text, from, at - from));
            add(w, (struct wrap_atom){.kind = ATOM_CHANCE});
            from = at;
        }
        before = c;
    }
    add_word(w, view_slice(text, from, text.len));
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void wrap_text(struct wrap *w, struct view text) {
    for (size_t at = 0; at < text.len;) {
        size_t end = at;
        if (is_blank(text.ptr[at])) {
            if (!w->is_blank)
                add(w, (struct wrap_atom){.kind = ATOM_BLANK, .columns = 1});
            w->is_blank = true;
            w->is_url = false;
            at++;
            continue;
        }
        while (end < text.len && !is_blank(text.ptr[end]))
            end++;
        add_words(w, view_slice(text, at, end - at));
        w->is_blank = false;
        at = end;
    }
}

void wrap_solid(struct wrap *w, struct view text) {
    add_word(w, text);
    w->is_blank = w->is_blank && text.len == 0;
}

void wrap_field(struct wrap *w, unsigned field, enum merge_escape escape, size_t columns) {
    add(w, (struct wrap_atom){.kind = ATOM_FIELD, .field = field, .escape = escape, .columns = columns});
    w->is_blank = false;
}

void wrap_if(struct wrap *w, unsigned field, bool inverted) {
    add(w, (struct wrap_atom){.kind = ATOM_IF, .field = field, .inverted = inverted});
    w->is_blank = w->count == 1;
}

void wrap_end(struct wrap *w) {
    add(w, (struct wrap_atom){.kind = ATOM_END});
    w->is_blank = false;
}

void wrap_break(struct wrap *w) {
    if (w->count && w->atoms[w->count - 1].kind == ATOM_BLANK)
        w->count--;
    add(w, (struct wrap_atom){.kind = ATOM_BREAK});
    w->is_blank = true;
    w->is_url = false;
}

/* Columns of what cannot be parted from the atom before it. */
static size_t run_columns(const struct wrap *w, size_t at) {
    size_t columns = 0;
    for (; at < w->count; at++)
        switch (w->atoms[at].kind) {
        case ATOM_WORD:
        case ATOM_FIELD: columns += w->atoms[at].columns; break;
        case ATOM_IF:
        case ATOM_END: break;
        case ATOM_BLANK:
        case ATOM_CHANCE:
        case ATOM_BREAK: return columns;
        }
    return columns;
}

struct layout {
    struct merge *to;
    struct view other;
    size_t room; /* columns besides the prefix */
    size_t column, widest;
    size_t open[MERGE_DEPTH_MAX]; /* the column before each open span */
    unsigned depth;
};

static void new_line(struct layout *l) {
    merge_text(l->to, VIEW("\n"));
    merge_text(l->to, l->other);
    l->column = 0;
}

static void lay_out(struct layout *l, const struct wrap *w, size_t i) {
    const struct wrap_atom *atom = &w->atoms[i];
    switch (atom->kind) {
    case ATOM_WORD: merge_text(l->to, atom->text); break;
    case ATOM_FIELD: merge_field(l->to, atom->field, atom->escape); break;
    case ATOM_BREAK: new_line(l); break;
    case ATOM_BLANK:
    case ATOM_CHANCE:
        if (l->column + atom->columns + run_columns(w, i + 1) > l->room) {
            new_line(l);
            return;
        }
        if (atom->kind == ATOM_BLANK)
            merge_text(l->to, VIEW(" "));
        break;
    case ATOM_IF:
        merge_if(l->to, atom->field, atom->inverted);
        if (l->depth < MERGE_DEPTH_MAX)
            l->open[l->depth++] = l->column;
        break;
    case ATOM_END:
        merge_end(l->to);
        if (l->depth && l->open[--l->depth] > l->column)
            l->column = l->open[l->depth];
        break;
    }
    l->column += atom->columns;
    if (l->column > l->widest)
        l->widest = l->column;
}

size_t wrap_flush(struct wrap *w, struct view first, struct view other, struct merge *to) {
    size_t prefix = text_width(other);
    struct layout l = {.to = to, .other = other, .room = prefix < WRAP_COLUMNS ? WRAP_COLUMNS - prefix : 0};
    if (w->count && w->atoms[w->count - 1].kind == ATOM_BLANK)
        w->count--;
    merge_text(to, first);
    for (size_t i = 0; i < w->count; i++)
        lay_out(&l, w, i);
    merge_text(to, VIEW("\n"));
    if (w->failed && to->error == 0)
        to->error = -ENOMEM;
    w->count = 0;
    w->is_blank = true;
    w->is_url = false;
    return l.widest;
}
