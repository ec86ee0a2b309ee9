#include "mail/message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/octets.h"
#include "base/text.h"
#include "mail/base64.h"
#include "mail/enclosure.h"
#include "mail/encoding.h"
#include "mail/header.h"

#include "base/banned.h"

enum op_kind {
    OP_RAW,       /* bytes that are the same for all */
    OP_FIELD,     /* a header field's whole value */
    OP_TEXT,      /* a header field's unstructured text with merge fields */
    OP_BODY,      /* a text part */
    OP_ENCLOSURE, /* encoded once, for this message and others */
    OP_LINE_END,  /* where the line before has none */
};

struct op {
    enum op_kind kind;
    size_t from, len; /* OP_RAW: in raw */
    unsigned field;   /* OP_FIELD */
    bool utf8;
    size_t column;      /* OP_FIELD, OP_TEXT: where the value begins */
    struct merge *text; /* OP_TEXT */
    struct encoding *body;
    struct enclosure *enclosure;
};

struct message {
    struct buf raw;
    size_t flushed; /* of raw: what stands in operations already */
    struct op *ops;
    size_t count, room, size, enclosed;
    struct buf names; /* of the fields so far, in lower case, each between line ends */
    bool has_body;
};

int message_new(struct message **ret) {
    struct message *m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    buf_init(&m->raw, MESSAGE_MAX_BYTES);
    buf_init(&m->names, 64 * 1024);
    *ret = m;
    return 0;
}

static void free_text(struct merge *text) {
    if (text)
        merge_done(text);
    free(text);
}

struct message *message_free(struct message *m) {
    if (!m)
        return NULL;
    for (size_t i = 0; i < m->count; i++) {
        free_text(m->ops[i].text);
        (void)encoding_free(m->ops[i].body);
        (void)enclosure_unref(m->ops[i].enclosure);
    }
    free(m->ops);
    buf_done(&m->raw);
    buf_done(&m->names);
    free(m);
    return NULL;
}

/* Building */

static int append_op(struct message *m, struct op op) {
    if (m->count == m->room) {
        size_t room = m->room ? m->room * 2 : 16;
        struct op *more = reallocarray(m->ops, room, sizeof *more);
        if (!more)
            return -ENOMEM;
        m->ops = more;
        m->room = room;
    }
    m->ops[m->count++] = op;
    return 0;
}

/* What of raw is not yet an operation becomes one. */
static int flush_raw(struct message *m) {
    size_t len = m->raw.len - m->flushed;
    int r = buf_error(&m->raw);
    if (r == 0 && len)
        r = append_op(m, (struct op){.kind = OP_RAW, .from = m->flushed, .len = len});
    m->flushed = m->raw.len;
    m->size += len;
    return r;
}

static int add_op(struct message *m, struct op op) {
    int r = flush_raw(m);
    return r < 0 ? r : append_op(m, op);
}

/* Header fields */

/* The name is fit and new; *ret_column is where the value begins. */
static int begin_field(struct message *m, const char *name, size_t *ret_column) {
    if (m->has_body || !header_is_name(name))
        return -EINVAL;
    char key[64] = "\n";
    size_t len = 1;
    for (const char *p = name; *p; p++)
        key[len++] = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
    key[len++] = '\n';
    if (view_search(buf_view(&m->names), view_make(key, len)) < m->names.len)
        return -EEXIST;
    buf_add(&m->names, key, len);
    *ret_column = len;
    return buf_error(&m->names);
}

static void write_name(struct message *m, const char *name) {
    buf_printf(&m->raw, "%s: ", name);
}

static bool has_break(struct view v) {
    return view_find(v, '\r') < v.len || view_find(v, '\n') < v.len || view_find(v, '\0') < v.len;
}

int message_header_text(struct message *m, const char *name, struct view text) {
    size_t column;
    if (has_break(text))
        return -EINVAL;
    int r = begin_field(m, name, &column);
    if (r < 0)
        return r;
    write_name(m, name);
    header_add_text(&m->raw, text, column);
    buf_puts(&m->raw, "\r\n");
    return buf_error(&m->raw);
}

/* One line end in front of so many of the blanks of v that no line is longer than it must. */
static void add_folded(struct buf *to, struct view v, size_t column) {
    while (v.len) {
        size_t blanks = 0;
        while (v.ptr[blanks] == ' ' || v.ptr[blanks] == '\t') /* the value ends in none */
            blanks++;
        size_t len = blanks;
        while (len < v.len && v.ptr[len] != ' ' && v.ptr[len] != '\t')
            len++;
        if (blanks && column + len > HEADER_LINE_MAX) {
            buf_puts(to, "\r\n");
            column = 0;
        }
        buf_add(to, v.ptr, len);
        column += len;
        v = view_slice(v, len, v.len);
    }
}

/* No line over 998 octets, folds with something behind them, nothing else below the blank; ASCII, or UTF-8. */
static bool is_fit_value(struct view v, size_t column, bool utf8) {
    bool shown = false;
    for (size_t i = 0; i < v.len; i++) {
        size_t begin = i;
        while (v.len - i >= OCTETS && !octets_any(~octets_between(octets_at(v.ptr + i), '!', '~')))
            i += OCTETS;
        while (i < v.len && v.ptr[i] > ' ' && v.ptr[i] <= '~')
            i++;
        shown = shown || i > begin;
        if ((column += i - begin) > MESSAGE_LINE_MAX)
            return false;
        if (i == v.len)
            break;
        unsigned char c = (unsigned char)v.ptr[i];
        if (c == '\r') {
            if (!shown || i + 2 >= v.len || v.ptr[i + 1] != '\n' || (v.ptr[i + 2] != ' ' && v.ptr[i + 2] != '\t'))
                return false;
            i++;
            column = 0;
            shown = false;
            continue;
        }
        if ((c < ' ' && c != '\t') || c == 0x7F || (c > 0x7F && !utf8) || ++column > MESSAGE_LINE_MAX)
            return false;
        shown = shown || (c != ' ' && c != '\t');
    }
    return shown && (!utf8 || text_is_utf8(v));
}

int message_header_raw(struct message *m, const char *name, struct view value) {
    size_t column;
    value = view_trim(value);
    if (has_break(value) || value.len > MESSAGE_MAX_BYTES)
        return -EINVAL;
    AUTOBUF struct buf folded = BUF_INIT(2 * value.len + 16);
    add_folded(&folded, value, strlen(name) + 2);
    if (buf_error(&folded))
        return buf_error(&folded);
    if (!is_fit_value(buf_view(&folded), strlen(name) + 2, false))
        return -EINVAL;
    int r = begin_field(m, name, &column);
    if (r < 0)
        return r;
    write_name(m, name);
    buf_add_view(&m->raw, buf_view(&folded));
    buf_puts(&m->raw, "\r\n");
    return buf_error(&m->raw);
}

int message_header_mailbox(struct message *m, const char *name, struct view display, struct view address) {
    size_t column;
    AUTOBUF struct buf value = BUF_INIT(16 * 1024);
    if (has_break(display))
        return -EINVAL;
    header_add_mailbox(&value, display, address, strlen(name) + 2);
    if (buf_error(&value))
        return buf_error(&value);
    int r = begin_field(m, name, &column);
    if (r < 0)
        return r;
    write_name(m, name);
    buf_add_view(&m->raw, buf_view(&value));
    buf_puts(&m->raw, "\r\n");
    return buf_error(&m->raw);
}

int message_header_merge(struct message *m, const char *name, const struct merge *text) {
    size_t column;
    if (text->count == 0 || (text->count == 1 && text->ops[0].kind == MERGE_TEXT)) /* the same for all */
        return message_header_text(m, name, text->count ? text->ops[0].text : VIEW(""));
    for (size_t i = 0; i < text->count; i++)
        if (text->ops[i].kind == MERGE_TEXT && has_break(text->ops[i].text))
            return -EINVAL;
    int r = begin_field(m, name, &column);
    if (r < 0)
        return r;
    write_name(m, name);
    struct merge *copy = malloc(sizeof *copy);
    if (!copy)
        return -ENOMEM;
    merge_init(copy);
    merge_append(copy, text);
    r = merge_seal(copy);
    if (r == 0)
        r = add_op(m, (struct op){.kind = OP_TEXT, .text = copy, .column = column});
    if (r < 0) {
        free_text(copy);
        return r;
    }
    m->size += copy->text_bytes * 4 + 64;
    buf_puts(&m->raw, "\r\n");
    return buf_error(&m->raw);
}

static int add_field(struct message *m, const char *name, unsigned field, bool utf8) {
    size_t column;
    int r = field < MERGE_FIELDS_MAX ? begin_field(m, name, &column) : -EINVAL;
    if (r < 0)
        return r;
    write_name(m, name);
    r = add_op(m, (struct op){.kind = OP_FIELD, .field = field, .utf8 = utf8, .column = column});
    buf_puts(&m->raw, "\r\n");
    return r < 0 ? r : buf_error(&m->raw);
}

int message_header_field(struct message *m, const char *name, unsigned field) {
    return add_field(m, name, field, false);
}

int message_header_field_utf8(struct message *m, const char *name, unsigned field) {
    return add_field(m, name, field, true);
}

/* Parts */

enum { SEED_MAX = 40, BOUNDARY_SIZE = SEED_MAX + 24 }; /* with "=_", "_" and a number; RFC 2046 allows 70 */

struct building {
    struct message *m;
    char seed[SEED_MAX + 1];
    unsigned boundaries;
};

/* The value of a Content- field that others gave: printable ASCII that fits on its line. */
static bool is_fit_content(const char *s, const char *without) {
    size_t len = strlen(s);
    for (size_t i = 0; i < len; i++)
        if (s[i] < ' ' || s[i] > '~' || strchr(without, s[i]))
            return false;
    return len > 0 && len < 500;
}

static bool is_message_type(const struct part *p) {
    return p->kind == PART_BYTES && view_eq_nocase(view_slice(view_of(p->type), 0, 14), "message/rfc822");
}

/* As another message's body, a message stays as it is: 7-bit lines that end in CRLF, none too long. */
static bool is_fit_message(struct view v) {
    size_t column = 0;
    for (size_t i = 0; i < v.len; i++) {
        unsigned char c = (unsigned char)v.ptr[i];
        if (c == '\r' && i + 1 < v.len && v.ptr[i + 1] == '\n') {
            column = 0;
            i++;
        } else if (c == 0 || c == '\r' || c == '\n' || c > 0x7F || ++column > MESSAGE_LINE_MAX) {
            return false;
        }
    }
    return true;
}

static int write_fields(struct message *m, const struct part *p) {
    if (p->language) {
        if (!is_fit_content(p->language, " \"()<>@;:\\"))
            return -EINVAL;
        buf_printf(&m->raw, "Content-Language: %s\r\n", p->language);
    }
    if (p->content_id) {
        if (!is_fit_content(p->content_id, " \"()<>\\"))
            return -EINVAL;
        buf_printf(&m->raw, "Content-ID: <%s>\r\n", p->content_id);
    }
    if (p->filename || p->is_inline || p->kind == PART_BYTES) {
        buf_printf(&m->raw, "Content-Disposition: %s", p->is_inline ? "inline" : "attachment");
        if (p->filename)
            header_add_parameter(&m->raw, "filename", view_of(p->filename));
        buf_puts(&m->raw, "\r\n");
    }
    return 0;
}

static int write_type(struct message *m, const struct part *p) {
    if (!p->type || !is_fit_content(p->type, "") || !strchr(p->type, '/'))
        return -EINVAL;
    buf_printf(&m->raw, "Content-Type: %s", p->type);
    if (p->kind == PART_TEXT)
        buf_puts(&m->raw, "; charset=UTF-8");
    if (p->filename && !is_message_type(p))
        header_add_parameter_ascii(&m->raw, "name", view_of(p->filename));
    buf_puts(&m->raw, "\r\n");
    return 0;
}

static int write_text(struct message *m, const struct part *p) {
    struct encoding *body;
    int r = encoding_new(p->text, ENCODING_SMALLER, &body);
    if (r < 0)
        return r;
    buf_printf(&m->raw, "Content-Transfer-Encoding: %s\r\n", encoding_name(body));
    r = write_fields(m, p);
    buf_puts(&m->raw, "\r\n");
    m->size += encoding_size(body);
    if (r == 0)
        r = add_op(m, (struct op){.kind = OP_BODY, .body = body});
    if (r < 0)
        (void)encoding_free(body);
    return r;
}

static int write_enclosure(struct message *m, struct enclosure *enclosure) {
    size_t len = enclosure_lines(enclosure).len;
    if (m->size + len > MESSAGE_MAX_BYTES)
        return -EMSGSIZE;
    int r = add_op(m, (struct op){.kind = OP_ENCLOSURE, .enclosure = enclosure});
    if (r < 0)
        return r;
    (void)enclosure_ref(enclosure);
    m->size += len;
    m->enclosed += len;
    return 0;
}

static int write_bytes(struct message *m, const struct part *p) {
    bool as_is = is_message_type(p);
    if (as_is && (p->enclosure || !is_fit_message(p->bytes)))
        return -EINVAL;
    buf_printf(&m->raw, "Content-Transfer-Encoding: %s\r\n", as_is ? "7bit" : "base64");
    int r = write_fields(m, p);
    buf_puts(&m->raw, "\r\n");
    if (p->enclosure)
        return r < 0 ? r : write_enclosure(m, p->enclosure);
    if (as_is)
        buf_add_view(&m->raw, p->bytes);
    else
        base64_lines(&m->raw, p->bytes);
    if (!as_is && p->bytes.len && !buf_error(&m->raw))
        buf_truncate(&m->raw, m->raw.len - 2); /* the line end before a boundary is the boundary's */
    return r;
}

/* True where a message inside holds the boundary. In encoded parts none can stand: "=_" is neither quoted-printable nor
 * base64 (RFC 2045 §6.7). */
static bool holds(const struct part *p, struct view boundary) {
    if (is_message_type(p))
        return view_search(p->bytes, boundary) < p->bytes.len;
    for (size_t i = 0; i < p->child_count; i++)
        if (holds(&p->children[i], boundary))
            return true;
    return false;
}

static void make_boundary(struct building *b, const struct part *p, char to[static BOUNDARY_SIZE]) {
    do
        (void)snprintf(to, BOUNDARY_SIZE, "=_%s_%u", b->seed, ++b->boundaries); /* never cut: see BOUNDARY_SIZE */
    while (holds(p, view_of(to)));
}

static int write_part(struct building *b, const struct part *p, unsigned depth);

static int write_children(struct building *b, const struct part *p, const char *subtype, unsigned depth) {
    char boundary[BOUNDARY_SIZE];
    struct buf *raw = &b->m->raw;
    if (p->child_count == 0 || depth == MESSAGE_PARTS_DEPTH_MAX)
        return -EINVAL;
    make_boundary(b, p, boundary);
    buf_printf(raw, "Content-Type: multipart/%s;", subtype);
    if (p->kind == PART_RELATED) { /* RFC 2387 §3.1 */
        const char *type = p->children[0].kind == PART_ALTERNATIVE ? "multipart/alternative" : p->children[0].type;
        if (!type || !is_fit_content(type, "\"\\"))
            return -EINVAL;
        buf_printf(raw, " type=\"%.*s\";", (int)strcspn(type, "; "), type);
    }
    buf_printf(raw, "\r\n boundary=\"%s\"\r\n\r\n", boundary);
    for (size_t i = 0; i < p->child_count; i++) {
        buf_printf(raw, "--%s\r\n", boundary);
        int r = write_part(b, &p->children[i], depth + 1);
        if (r < 0)
            return r;
        buf_puts(raw, "\r\n");
    }
    buf_printf(raw, "--%s--", boundary);
    return buf_error(raw);
}

static int write_part(struct building *b, const struct part *p, unsigned depth) {
    int r = 0;
    switch (p->kind) {
    case PART_TEXT: r = write_type(b->m, p); return r < 0 ? r : write_text(b->m, p);
    case PART_BYTES: r = write_type(b->m, p); return r < 0 ? r : write_bytes(b->m, p);
    case PART_ALTERNATIVE: return write_children(b, p, "alternative", depth);
    case PART_RELATED: return write_children(b, p, "related", depth);
    case PART_MIXED: return write_children(b, p, "mixed", depth);
    }
    return -EINVAL;
}

int message_body(struct message *m, const struct part *root, const char *seed) {
    struct building b = {.m = m};
    size_t column, len = 0;
    int r = begin_field(m, "MIME-Version", &column);
    if (r < 0)
        return r;
    for (; *seed && len < sizeof b.seed - 1; seed++)
        if ((*seed >= '0' && *seed <= '9') || (*seed >= 'A' && *seed <= 'Z') || (*seed >= 'a' && *seed <= 'z'))
            b.seed[len++] = *seed;
    m->has_body = true;
    buf_puts(&m->raw, "MIME-Version: 1.0\r\n");
    r = write_part(&b, root, 0);
    return r < 0 ? r : add_op(m, (struct op){.kind = OP_LINE_END});
}

size_t message_size(const struct message *m) {
    return m->size + 2;
}

size_t message_enclosed_size(const struct message *m) {
    return m->enclosed;
}

/* Filling */

/* The text with its values, cut where it fills the room, at a whole character. */
static size_t fill_text(const struct merge *text, const struct view *values, char *to, size_t room) {
    size_t len = 0, index = 0;
    for (const struct merge_op *op; room - len >= MERGE_ESCAPE_ROOM && (op = merge_next(text, values, &index));) {
        struct view rest = op->kind == MERGE_TEXT ? op->text : values[op->field];
        len += merge_escape_some(&rest, op->kind == MERGE_TEXT ? MERGE_PLAIN : op->escape, to + len, room - len);
    }
    return len;
}

static int fill_op(const struct message *m, const struct op *op, const struct view *values, struct buf *to) {
    switch (op->kind) {
    case OP_RAW: buf_add(to, m->raw.data + op->from, op->len); break;
    case OP_FIELD:
        if (!is_fit_value(values[op->field], op->column, op->utf8))
            return -EINVAL;
        buf_add_view(to, values[op->field]);
        break;
    case OP_TEXT: {
        char text[HEADER_TEXT_MAX_BYTES + MERGE_ESCAPE_ROOM];
        header_add_text(to, view_make(text, fill_text(op->text, values, text, sizeof text)), op->column);
        break;
    }
    case OP_BODY: encoding_fill(op->body, values, to); break;
    case OP_ENCLOSURE: buf_add_view(to, enclosure_lines(op->enclosure)); break;
    case OP_LINE_END:
        if (!view_ends(buf_view(to), "\r\n"))
            buf_add(to, "\r\n", 2);
        break;
    }
    return 0;
}

int message_fill(const struct message *m, const struct view *values, struct buf *to) {
    size_t before = to->len;
    if (!m->has_body)
        return -EINVAL;
    for (size_t i = 0; i < m->count; i++)
        if (fill_op(m, &m->ops[i], values, to) < 0) {
            buf_truncate(to, before);
            return -EINVAL;
        }
    return buf_error(to);
}
