#include "mail/merge.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/octets.h"
#include "base/text.h"

#include "base/banned.h"

void merge_fields_init(struct merge_fields *f) {
    *f = (struct merge_fields){0};
    arena_init(&f->arena);
}

void merge_fields_done(struct merge_fields *f) {
    arena_done(&f->arena);
    f->count = 0;
}

int merge_fields_number(struct merge_fields *f, struct view name) {
    for (unsigned i = 0; i < f->count; i++)
        if (view_eq_str(name, f->names[i]))
            return (int)i;
    if (f->count == MERGE_FIELDS_MAX)
        return -ENOSPC;
    const char *copy = arena_dup(&f->arena, name);
    if (!copy)
        return -ENOMEM;
    f->names[f->count] = copy;
    return (int)f->count++;
}

void merge_init(struct merge *m) {
    *m = (struct merge){.pending = BUF_INIT(MERGE_TEXT_MAX_BYTES)};
    arena_init(&m->arena);
}

void merge_done(struct merge *m) {
    free(m->ops);
    buf_done(&m->pending);
    arena_done(&m->arena);
    merge_init(m);
}

static void fail(struct merge *m, int error) {
    if (m->error == 0)
        m->error = error;
}

static void add_op(struct merge *m, struct merge_op op) {
    if (m->error)
        return;
    if (m->count == MERGE_OPS_MAX) {
        fail(m, -EMSGSIZE);
        return;
    }
    if (m->count == m->room) {
        size_t room = m->room ? m->room * 2 : 16;
        struct merge_op *more = reallocarray(m->ops, room, sizeof *more);
        if (!more) {
            fail(m, -ENOMEM);
            return;
        }
        m->ops = more;
        m->room = room;
    }
    m->ops[m->count++] = op;
}

static void flush_text(struct merge *m) {
    if (m->pending.len == 0)
        return;
    const char *copy = arena_dup(&m->arena, buf_view(&m->pending));
    if (copy)
        add_op(m, (struct merge_op){.kind = MERGE_TEXT, .text = view_make(copy, m->pending.len)});
    else
        fail(m, -ENOMEM);
    buf_clear(&m->pending);
}

void merge_text(struct merge *m, struct view text) {
    if (text.len > MERGE_TEXT_MAX_BYTES - m->text_bytes) {
        fail(m, -EMSGSIZE);
        return;
    }
    buf_add_view(&m->pending, text);
    m->text_bytes += text.len;
    if (buf_error(&m->pending))
        fail(m, buf_error(&m->pending));
}

void merge_field(struct merge *m, unsigned field, enum merge_escape escape) {
    flush_text(m);
    if (field >= MERGE_FIELDS_MAX)
        fail(m, -EINVAL);
    add_op(m, (struct merge_op){.kind = MERGE_FIELD, .field = field, .escape = escape});
}

void merge_if(struct merge *m, unsigned field, bool inverted) {
    flush_text(m);
    if (field >= MERGE_FIELDS_MAX)
        fail(m, -EINVAL);
    if (m->depth == MERGE_DEPTH_MAX) {
        fail(m, -EMSGSIZE);
        return;
    }
    m->open[m->depth++] = (unsigned)m->count;
    add_op(m, (struct merge_op){.kind = inverted ? MERGE_UNLESS : MERGE_IF, .field = field});
}

void merge_end(struct merge *m) {
    flush_text(m);
    if (m->depth == 0) {
        fail(m, -EINVAL);
        return;
    }
    m->depth--;
    if (m->error == 0)
        m->ops[m->open[m->depth]].jump = (unsigned)m->count;
    add_op(m, (struct merge_op){.kind = MERGE_END});
}

void merge_append(struct merge *m, const struct merge *part) {
    for (size_t i = 0; i < part->count; i++) {
        const struct merge_op *op = &part->ops[i];
        switch (op->kind) {
        case MERGE_TEXT: merge_text(m, op->text); break;
        case MERGE_FIELD: merge_field(m, op->field, op->escape); break;
        case MERGE_IF:
        case MERGE_UNLESS: merge_if(m, op->field, op->kind == MERGE_UNLESS); break;
        case MERGE_END: merge_end(m); break;
        }
    }
}

int merge_seal(struct merge *m) {
    flush_text(m);
    if (m->depth)
        fail(m, -EINVAL);
    return m->error;
}

/* Escaping */

enum { SAFE_PLAIN = 1, SAFE_HTML = 2, SAFE_URL = 4 };

/* For each byte, the targets where it stands as it is. */
static const uint8_t safe[256] = {
    [' ' ... '!'] = 3, ['"'] = 1, ['#' ... '%'] = 3, ['&' ... '\''] = 1, ['(' ... ','] = 3,
    ['-' ... '.'] = 7, ['/'] = 3, ['0' ... '9'] = 7, [':' ... ';'] = 3,  ['<'] = 1,
    ['='] = 3,         ['>'] = 1, ['?' ... '@'] = 3, ['A' ... 'Z'] = 7,  ['[' ... '^'] = 3,
    ['_'] = 7,         ['`'] = 3, ['a' ... 'z'] = 7, ['{' ... '}'] = 3,  ['~'] = 7,
};

static unsigned safe_mask(enum merge_escape escape) {
    switch (escape) {
    case MERGE_PLAIN: return SAFE_PLAIN;
    case MERGE_HTML:
    case MERGE_URL_HTML: return SAFE_HTML;
    case MERGE_URL: return SAFE_URL;
    }
    return 0;
}

/* How many octets from the first on stand as they are. */
static size_t safe_run(const char *p, size_t len, unsigned mask) {
    size_t n = 0;
    while (mask != SAFE_URL && len - n >= OCTETS) {
        octets o = octets_at(p + n), fit = octets_between(o, ' ', '~');
        if (mask == SAFE_HTML)
            fit &=
                (octets)(o != '&') & (octets)(o != '<') & (octets)(o != '>') & (octets)(o != '"') & (octets)(o != '\'');
        if (octets_any(~fit))
            break;
        n += OCTETS;
    }
    while (n < len && safe[(unsigned char)p[n]] & mask)
        n++;
    return n;
}

static const char *entity(char c) {
    switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    }
    return "";
}

/* A tab or a line end, which *ret_len covers whole; 0 where it is neither. */
static char white(struct view rest, uint32_t c, size_t *ret_len) {
    if (c == '\r' && rest.len > 1 && rest.ptr[1] == '\n')
        *ret_len = 2;
    if (c == '\t')
        return '\t';
    return c == '\n' || c == '\r' || c == 0x2028 || c == 0x2029 ? '\n' : 0;
}

static bool is_dropped(uint32_t c) {
    return text_is_control(c) && !text_is_direction_mark(c);
}

/* Writes the bytes in their percent-encoding, or as they are. */
static size_t put(char *to, const char *bytes, size_t len, bool percent) {
    static const char digits[] = "0123456789ABCDEF";
    if (!percent) {
        memcpy(to, bytes, len);
        return len;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        *to++ = '%';
        *to++ = digits[byte >> 4];
        *to++ = digits[byte & 15];
    }
    return len * 3;
}

/* Escapes the character at the front, which is none that stands as it is. At most MERGE_ESCAPE_ROOM bytes. */
static size_t escape_one(struct view rest, enum merge_escape escape, char *to, size_t *ret_taken) {
    bool percent = escape == MERGE_URL;
    size_t len;
    uint32_t c = text_decode(rest, &len);
    *ret_taken = len;
    char blank = white(rest, c, ret_taken);
    if (blank && percent)
        return put(to, " ", 1, true);
    if (blank)
        return put(to, &blank, escape != MERGE_URL_HTML, false);
    if (is_dropped(c))
        return 0;
    if (c == 0xFFFD) /* an invalid byte too */
        return put(to, "\xEF\xBF\xBD", 3, percent);
    if (len == 1 && !percent)
        return put(to, entity((char)c), strlen(entity((char)c)), false);
    return put(to, rest.ptr, len, percent);
}

size_t merge_escape_some(struct view *rest, enum merge_escape escape, char *to, size_t room) {
    assert(room >= MERGE_ESCAPE_ROOM);
    unsigned mask = safe_mask(escape);
    size_t done = 0;
    while (rest->len) {
        size_t most = rest->len < room - done ? rest->len : room - done, n = safe_run(rest->ptr, most, mask);
        memcpy(to + done, rest->ptr, n);
        done += n;
        if (n == most || room - done < MERGE_ESCAPE_ROOM) {
            *rest = view_slice(*rest, n, rest->len);
            break;
        }
        size_t taken;
        done += escape_one(view_slice(*rest, n, rest->len), escape, to + done, &taken);
        *rest = view_slice(*rest, n + taken, rest->len);
    }
    return done;
}

void merge_escape(struct view value, enum merge_escape escape, struct buf *to) {
    while (value.len) {
        char chunk[512];
        buf_add(to, chunk, merge_escape_some(&value, escape, chunk, sizeof chunk));
    }
}

/* Filling */

const struct merge_op *merge_next(const struct merge *m, const struct view *values, size_t *index) {
    while (*index < m->count) {
        const struct merge_op *op = &m->ops[(*index)++];
        switch (op->kind) {
        case MERGE_TEXT:
        case MERGE_FIELD: return op;
        case MERGE_IF:
        case MERGE_UNLESS:
            if ((values[op->field].len == 0) == (op->kind == MERGE_IF))
                *index = op->jump + 1;
            break;
        case MERGE_END: break;
        }
    }
    return NULL;
}

void merge_fill(const struct merge *m, const struct view *values, struct buf *to) {
    size_t index = 0;
    for (const struct merge_op *op; (op = merge_next(m, values, &index));) {
        if (op->kind == MERGE_TEXT)
            buf_add_view(to, op->text);
        else
            merge_escape(values[op->field], op->escape, to);
    }
}
