#include "mail/encoding.h"

#include <errno.h>
#include <stdlib.h>

#include "mail/base64.h"
#include "mail/qp.h"

#include "base/banned.h"

enum { PHASES = 3 };

/* What one literal became. */
struct literal {
    struct view quoted;             /* quoted-printable */
    struct base64_cut cuts[PHASES]; /* base64, for each number of bytes that the open group may have */
};

struct encoding {
    enum encoding_kind kind;
    struct merge shape;       /* the merge's operations without their texts */
    struct literal *literals; /* one for each operation */
    size_t size;
    struct arena arena;
};

static size_t canonical_len(struct view text) {
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++)
        len += text.ptr[i] == '\n' ? 2 : text.ptr[i] != '\r';
    return len;
}

static struct view canonical(struct view text, struct arena *arena) {
    char *copy = arena_alloc(arena, canonical_len(text) + 1), *out = copy;
    for (size_t i = 0; copy && i < text.len; i++) {
        if (text.ptr[i] == '\r')
            continue;
        if (text.ptr[i] == '\n')
            *out++ = '\r';
        *out++ = text.ptr[i];
    }
    return view_make(copy, copy ? (size_t)(out - copy) : 0);
}

static int cut_literal(struct encoding *e, struct literal *literal, struct view bytes, unsigned phases) {
    for (unsigned phase = 0; phase < phases; phase++) {
        int r = base64_cut(bytes, phase, &e->arena, &literal->cuts[phase]);
        if (r < 0)
            return r;
    }
    e->size += bytes.len * 4 / 3 + bytes.len / 57 * 2 + 16;
    return 0;
}

static int quote_literal(struct encoding *e, struct literal *literal, struct view bytes) {
    struct buf quoted = BUF_INIT(4 * MERGE_TEXT_MAX_BYTES + 1024);
    qp_encode(&quoted, bytes);
    const char *copy = buf_error(&quoted) ? NULL : arena_dup(&e->arena, buf_view(&quoted));
    literal->quoted = view_make(copy, quoted.len);
    e->size += quoted.len + 3;
    buf_done(&quoted);
    return copy ? 0 : -ENOMEM;
}

static int encode_literals(struct encoding *e, const struct merge *text) {
    for (size_t i = 0; i < text->count; i++) {
        const struct merge_op *op = &text->ops[i];
        e->shape.ops[i] = *op;
        e->shape.ops[i].text = (struct view){0};
        e->size += 8; /* soft breaks, an open group */
        if (op->kind != MERGE_TEXT)
            continue;
        struct view bytes = canonical(op->text, &e->arena);
        /* What stands first begins at a place that is known: one cut is enough. */
        int r = !bytes.ptr                   ? -ENOMEM
                : e->kind == ENCODING_BASE64 ? cut_literal(e, &e->literals[i], bytes, i ? PHASES : 1)
                                             : quote_literal(e, &e->literals[i], bytes);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Counts as the encoders write, but for line ends in base64. */
static enum encoding_kind smaller(const struct merge *text) {
    size_t quoted = 0, bytes = 0;
    for (size_t i = 0; i < text->count; i++) {
        struct view v = text->ops[i].kind == MERGE_TEXT ? text->ops[i].text : VIEW("");
        bytes += canonical_len(v);
        for (size_t at = 0; at < v.len; at++) {
            unsigned char c = (unsigned char)v.ptr[at];
            quoted += c == '\n' ? 2 : c == '=' || c >= 0x7F ? 3 : 1;
        }
    }
    return quoted + quoted / 75 * 3 > bytes * 4 / 3 + bytes / 57 * 2 ? ENCODING_BASE64 : ENCODING_QUOTED_PRINTABLE;
}

int encoding_new(const struct merge *text, enum encoding_kind kind, struct encoding **ret) {
    struct encoding *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    arena_init(&e->arena);
    e->kind = kind == ENCODING_SMALLER ? smaller(text) : kind;
    e->size = 16;
    size_t room = text->count ? text->count : 1;
    e->shape.count = text->count;
    e->shape.ops = calloc(room, sizeof *e->shape.ops);
    e->literals = calloc(room, sizeof *e->literals);
    int r = e->shape.ops && e->literals ? encode_literals(e, text) : -ENOMEM;
    if (r < 0) {
        (void)encoding_free(e);
        return r;
    }
    *ret = e;
    return 0;
}

struct encoding *encoding_free(struct encoding *e) {
    if (e) {
        free(e->shape.ops);
        free(e->literals);
        arena_done(&e->arena);
        free(e);
    }
    return NULL;
}

const char *encoding_name(const struct encoding *e) {
    return e->kind == ENCODING_BASE64 ? "base64" : "quoted-printable";
}

size_t encoding_size(const struct encoding *e) {
    return e->size;
}

void encoding_fill(const struct encoding *e, const struct view *values, struct buf *to) {
    size_t index = 0;
    const struct merge_op *op;
    if (e->kind == ENCODING_BASE64) {
        struct base64 b = {.to = to};
        while ((op = merge_next(&e->shape, values, &index)))
            if (op->kind == MERGE_TEXT)
                base64_add_cut(&b, &e->literals[index - 1].cuts[b.carried]);
            else
                base64_add_value(&b, values[op->field], op->escape);
        base64_end(&b);
    } else {
        struct qp q = {.to = to};
        while ((op = merge_next(&e->shape, values, &index)))
            if (op->kind == MERGE_TEXT)
                qp_add_encoded(&q, e->literals[index - 1].quoted);
            else
                qp_add_value(&q, values[op->field], op->escape);
        qp_end(&q);
    }
}
