/* Reading mails in tests: written without a look at the writers, and strict. Fails the test on what it does not know. */
#pragma once
#include <stdio.h>
#include <strings.h>

#include "base/text.h"
#include "decode.h"
#include "unit.h"

/* The header and the body of an entity. */
static inline struct view mime_head(struct view entity) {
    if (view_starts(entity, "\r\n"))
        return view_slice(entity, 0, 0);
    size_t at = view_search(entity, VIEW("\r\n\r\n"));
    assert_true(at < entity.len);
    return view_slice(entity, 0, at + 2);
}

static inline struct view mime_body(struct view entity) {
    size_t head = mime_head(entity).len;
    return view_slice(entity, head + 2, entity.len);
}

/* Takes one field, with its folds, off a header; false at the end. */
static inline bool mime_next_field(struct view *head, struct view *ret_name, struct view *ret_value) {
    if (head->len == 0)
        return false;
    size_t end = 0;
    do {
        end += view_search(view_slice(*head, end, head->len), VIEW("\r\n")) + 2;
        assert_true(end <= head->len);
    } while (end < head->len && (head->ptr[end] == ' ' || head->ptr[end] == '\t'));
    struct view field = view_slice(*head, 0, end - 2);
    size_t colon = view_find(field, ':');
    assert_true(colon > 0 && colon < field.len);
    *ret_name = view_slice(field, 0, colon);
    for (size_t i = 0; i < colon; i++)
        assert_true(field.ptr[i] > ' ' && field.ptr[i] < 0x7f);
    *ret_value = view_slice(field, colon + 1, field.len);
    *head = view_slice(*head, end, head->len);
    return true;
}

/* The names of all fields, in their order, with a blank behind each. */
static inline void mime_names(struct view entity, struct buf *to) {
    struct view head = mime_head(entity), name, value;
    while (mime_next_field(&head, &name, &value)) {
        buf_add_view(to, name);
        buf_putc(to, ' ');
    }
}

/* The one field of that name, unfolded (RFC 5322 §2.2.3); "" where there is none, a failure where there are two. */
static inline void mime_field(struct view entity, const char *wanted, struct buf *to) {
    struct view head = mime_head(entity), name, value;
    bool found = false;
    while (mime_next_field(&head, &name, &value))
        if (view_eq_nocase(name, wanted)) {
            assert_false(found);
            found = true;
            value = view_trim(value);
            for (size_t i = 0; i < value.len; i++)
                if (value.ptr[i] != '\r' && value.ptr[i] != '\n')
                    buf_putc(to, value.ptr[i]);
        }
}

static inline void mime_decode_q(struct view v, struct buf *to) {
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] == '_')
            buf_putc(to, ' ');
        else if (v.ptr[i] == '=') {
            assert_true(i + 2 < v.len);
            buf_putc(to, (char)(decode_nibble(v.ptr[i + 1]) << 4 | decode_nibble(v.ptr[i + 2])));
            i += 2;
        } else
            buf_putc(to, v.ptr[i]);
}

/* A whole word =?UTF-8?q?...?= or the like to UTF-8; false where it is none. */
static inline bool mime_decode_word(struct view word, struct buf *to) {
    if (word.len < 12 || !view_starts(word, "=?") || !view_ends(word, "?="))
        return false;
    assert_true(word.len <= 75);
    struct view rest = view_slice(word, 2, word.len - 4), charset, kind;
    assert_true(view_split(&rest, '?', &charset));
    assert_true(view_split(&rest, '?', &kind));
    assert_true(view_eq_nocase(charset, "utf-8"));
    size_t before = to->len;
    if (view_eq_nocase(kind, "q"))
        mime_decode_q(rest, to);
    else
        decode_base64(rest, to);
    assert_true(text_is_utf8(view_slice(buf_view(to), before, to->len))); /* no character is split */
    return true;
}

/* Unstructured text with encoded words (RFC 2047): blanks between two of them go. */
static inline void mime_decode_text(struct view v, struct buf *to) {
    bool after_encoded = false;
    struct view word;
    for (bool first = true; view_split(&v, ' ', &word); first = false) {
        AUTOBUF struct buf decoded = BUF_INIT(100000);
        bool encoded = mime_decode_word(word, &decoded);
        if (!first && !(encoded && after_encoded))
            buf_putc(to, ' ');
        if (encoded)
            buf_add_view(to, buf_view(&decoded));
        else
            buf_add_view(to, word);
        after_encoded = encoded;
    }
}

static inline void mime_text_field(struct view entity, const char *name, struct buf *to) {
    AUTOBUF struct buf raw = BUF_INIT(100000);
    mime_field(entity, name, &raw);
    mime_decode_text(buf_view(&raw), to);
}

static inline bool mime_parameter(struct view entity, const char *field, const char *name, struct buf *to) {
    AUTOBUF struct buf value = BUF_INIT(100000), sought = BUF_INIT(100);
    mime_field(entity, field, &value);
    buf_printf(&sought, "%s=", name);
    size_t at = view_search(buf_view(&value), buf_view(&sought));
    if (at == value.len)
        return false;
    struct view rest = view_slice(buf_view(&value), at + sought.len, value.len);
    if (view_starts(rest, "\"")) {
        for (size_t i = 1; i < rest.len && rest.ptr[i] != '"'; i++) {
            if (rest.ptr[i] == '\\')
                i++;
            buf_putc(to, rest.ptr[i]);
        }
    } else {
        buf_add_view(to, view_trim(view_slice(rest, 0, view_find(rest, ';'))));
    }
    return true;
}

/* The type without its parameters. */
static inline void mime_type(struct view entity, struct buf *to) {
    AUTOBUF struct buf value = BUF_INIT(100000);
    mime_field(entity, "Content-Type", &value);
    struct view v = buf_view(&value);
    buf_add_view(to, view_trim(view_slice(v, 0, view_find(v, ';'))));
}

typedef void mime_on_part(void *user, struct view entity, unsigned depth);

/* Calls for each entity, the outermost first. */
static inline void mime_walk(struct view entity, unsigned depth, mime_on_part *on_part, void *user) {
    AUTOBUF struct buf type = BUF_INIT(1000), boundary = BUF_INIT(1000), delimiter = BUF_INIT(1000);
    mime_type(entity, &type);
    on_part(user, entity, depth);
    if (!view_starts(buf_view(&type), "multipart/"))
        return;
    assert_true(mime_parameter(entity, "Content-Type", "boundary", &boundary));
    buf_printf(&delimiter, "\r\n--%s", buf_str(&boundary));
    struct view body = mime_body(entity);
    assert_true(view_starts(body, buf_str(&delimiter) + 2)); /* no preamble */
    body = view_slice(body, delimiter.len - 2, body.len);
    while (!view_starts(body, "--")) {
        assert_true(view_starts(body, "\r\n"));
        size_t end = view_search(body, buf_view(&delimiter));
        assert_true(end < body.len);
        mime_walk(view_slice(body, 2, end - 2), depth + 1, on_part, user);
        body = view_slice(body, end + delimiter.len, body.len);
    }
}

/* The content of an entity that is no multipart. */
static inline void mime_decode(struct view entity, struct buf *to) {
    AUTOBUF struct buf encoding = BUF_INIT(1000);
    mime_field(entity, "Content-Transfer-Encoding", &encoding);
    if (strcasecmp(buf_str(&encoding), "base64") == 0)
        decode_base64(mime_body(entity), to);
    else if (strcasecmp(buf_str(&encoding), "quoted-printable") == 0)
        decode_quoted_printable(mime_body(entity), to);
    else
        fail_msg("unknown encoding %s", buf_str(&encoding));
}

struct mime_sought {
    const char *type;
    struct view found;
    unsigned count;
};

static inline void mime_on_sought(void *user, struct view entity, unsigned depth) {
    struct mime_sought *s = user;
    AUTOBUF struct buf type = BUF_INIT(1000);
    (void)depth;
    mime_type(entity, &type);
    if (strcmp(buf_str(&type), s->type) == 0 && s->count++ == 0)
        s->found = entity;
}

/* The first part of that type; how many there are. */
static inline unsigned mime_find(struct view message, const char *type, struct view *ret) {
    struct mime_sought s = {.type = type};
    mime_walk(message, 0, mime_on_sought, &s);
    if (ret)
        *ret = s.found;
    return s.count;
}

/* The tree as "mixed(alternative(plain related(html png)) calendar)". */
struct mime_tree {
    struct buf *to;
    unsigned depth;
};

static inline void mime_on_tree(void *user, struct view entity, unsigned depth) {
    struct mime_tree *t = user;
    AUTOBUF struct buf type = BUF_INIT(1000);
    mime_type(entity, &type);
    for (; t->depth > depth; t->depth--)
        buf_putc(t->to, ')');
    if (t->to->len && t->to->data[t->to->len - 1] != '(')
        buf_putc(t->to, ' ');
    buf_puts(t->to, strchr(buf_str(&type), '/') + 1);
    if (view_starts(buf_view(&type), "multipart/")) {
        buf_putc(t->to, '(');
        t->depth++;
    }
}

static inline void mime_show_tree(struct view message, struct buf *to) {
    struct mime_tree t = {.to = to};
    mime_walk(message, 0, mime_on_tree, &t);
    for (; t.depth; t.depth--)
        buf_putc(to, ')');
}

/* Whole mails are kept for judges that are not ours: tests/flow/10-mails. */
static inline void mime_keep(const char *name, struct view mail) {
    AUTOBUF struct buf path = BUF_INIT(1000);
    buf_printf(&path, "build/mails/%s.eml", name);
    assert_int_equal(files_make_dirs("build/mails", 0755), 0);
    (void)unlink(buf_str(&path)); /* of an earlier run */
    assert_int_equal(files_write_new(AT_FDCWD, buf_str(&path), mail, 0644), 0);
}
