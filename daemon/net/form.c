#include "net/form.h"

#include <errno.h>
#include <string.h>

#include "base/banned.h"

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Decoding never makes text longer: the copy has the size of v, and a NUL behind it. */
static int decode(struct view v, bool plus_is_blank, struct arena *arena, struct view *ret) {
    char *to = arena_alloc(arena, v.len + 1);
    if (!to)
        return -ENOMEM;
    size_t len = 0;
    for (size_t i = 0; i < v.len; i++) {
        char c = v.ptr[i];
        if (c == '%') {
            int high = i + 2 < v.len ? hex_digit(v.ptr[i + 1]) : -1;
            int low = i + 2 < v.len ? hex_digit(v.ptr[i + 2]) : -1;
            if (high < 0 || low < 0)
                return -EBADMSG;
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        to[len++] = c;
    }
    *ret = view_make(to, len);
    return 0;
}

static int add_field(struct form *form, struct arena *arena, struct form_field field) {
    if (memchr(field.name.ptr, '\0', field.name.len))
        return -EBADMSG;
    if (form->count == FORM_FIELDS_MAX)
        return -E2BIG;
    if (!form->fields)
        form->fields = arena_alloc(arena, FORM_FIELDS_MAX * sizeof *form->fields);
    if (!form->fields)
        return -ENOMEM;
    form->fields[form->count++] = field;
    return 0;
}

int form_read_urlencoded(struct view body, struct arena *arena, struct form *ret) {
    struct form form = {0};
    struct view pair;
    while (view_split(&body, '&', &pair)) {
        if (pair.len == 0)
            continue;
        size_t equals = view_find(pair, '=');
        struct form_field field;
        int r = decode(view_slice(pair, 0, equals), true, arena, &field.name);
        if (r == 0)
            r = decode(view_slice(pair, equals + (equals < pair.len), pair.len), true, arena, &field.value);
        if (r == 0)
            r = add_field(&form, arena, field);
        if (r < 0)
            return r;
    }
    *ret = form;
    return 0;
}

/* The value of a parameter (`; name=value` or `; name="value"`) behind the first word of a header field; ptr NULL where
 * absent. Escapes in a quoted value are refused: neither boundaries nor the names that we ask for hold any. */
static struct view parameter(struct view header, const char *name) {
    struct view rest = view_slice(header, view_find(header, ';') + 1, header.len);
    while (rest.len) {
        size_t end = 0;
        for (bool quoted = false; end < rest.len && (quoted || rest.ptr[end] != ';'); end++)
            if (rest.ptr[end] == '"')
                quoted = !quoted;
        struct view one = view_slice(rest, 0, end);
        rest = view_slice(rest, end + 1, rest.len);
        size_t equals = view_find(one, '=');
        if (equals == one.len || !view_eq_nocase(view_trim(view_slice(one, 0, equals)), name))
            continue;
        struct view value = view_trim(view_slice(one, equals + 1, one.len));
        if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
            value = view_slice(value, 1, value.len - 2);
        bool odd = view_find(value, '"') < value.len || view_find(value, '\\') < value.len;
        return odd ? (struct view){0} : value;
    }
    return (struct view){0};
}

/* The name of a part from its header fields; ptr NULL where it has none. */
static struct view part_name(struct view head) {
    struct view line;
    while (view_line(&head, &line)) {
        size_t colon = view_find(line, ':');
        if (view_eq_nocase(view_slice(line, 0, colon), "Content-Disposition")) {
            struct view value = view_trim(view_slice(line, colon + 1, line.len));
            if (view_eq_nocase(view_trim(view_slice(value, 0, view_find(value, ';'))), "form-data"))
                return parameter(value, "name");
        }
    }
    return (struct view){0};
}

/* What follows a delimiter on its line, without blanks (RFC 2046 §5.1.1): CRLF, or "--" at the end of all. */
enum after { AFTER_PART, AFTER_END, AFTER_BAD };
static enum after after_delimiter(struct view *rest) {
    if (view_starts(*rest, "--"))
        return AFTER_END;
    size_t i = 0;
    while (i < rest->len && (rest->ptr[i] == ' ' || rest->ptr[i] == '\t'))
        i++;
    if (!view_starts(view_slice(*rest, i, rest->len), "\r\n"))
        return AFTER_BAD;
    *rest = view_slice(*rest, i + 2, rest->len);
    return AFTER_PART;
}

int form_read_multipart(struct view body, const char *content_type, struct arena *arena, struct form *ret) {
    struct view boundary = parameter(view_of(content_type), "boundary");
    char delimiter[4 + 70 + 1] = "\r\n--";
    if (boundary.len == 0 || boundary.len > 70)
        return -EBADMSG;
    memcpy(delimiter + 4, boundary.ptr, boundary.len);
    struct view needle = view_make(delimiter, boundary.len + 4);

    /* The first delimiter may stand at the very beginning, without the CRLF. */
    struct view rest = body;
    struct view first = view_slice(needle, 2, needle.len);
    if (view_eq(view_slice(rest, 0, first.len), first)) {
        rest = view_slice(rest, first.len, rest.len);
    } else {
        size_t at = view_search(rest, needle);
        if (at == rest.len)
            return -EBADMSG;
        rest = view_slice(rest, at + needle.len, rest.len);
    }
    struct form form = {0};
    for (;;) {
        enum after after = after_delimiter(&rest);
        if (after == AFTER_END)
            break;
        size_t end = view_search(rest, needle);
        if (after == AFTER_BAD || end == rest.len)
            return -EBADMSG;
        struct view part = view_slice(rest, 0, end);
        rest = view_slice(rest, end + needle.len, rest.len);
        size_t blank = view_starts(part, "\r\n") ? 0 : view_search(part, VIEW("\r\n\r\n"));
        if (blank == part.len)
            return -EBADMSG;
        struct form_field field = {.name = part_name(view_slice(part, 0, blank)),
                                   .value = view_slice(part, blank + (blank ? 4 : 2), part.len)};
        if (field.name.ptr) {
            int r = add_field(&form, arena, field);
            if (r < 0)
                return r;
        }
    }
    *ret = form;
    return 0;
}

int form_read(struct view body, const char *content_type, struct arena *arena, struct form *ret) {
    struct view type = view_of(content_type);
    if (view_eq_nocase(view_trim(view_slice(type, 0, view_find(type, ';'))), "multipart/form-data"))
        return form_read_multipart(body, content_type, arena, ret);
    return form_read_urlencoded(body, arena, ret);
}

struct view form_get(const struct form *form, const char *name) {
    for (size_t i = 0; i < form->count; i++)
        if (view_eq_str(form->fields[i].name, name))
            return form->fields[i].value;
    return (struct view){0};
}

int form_read_path(struct view raw, struct arena *arena, const char **ret) {
    if (raw.len == 0 || raw.ptr[0] != '/')
        return -EBADMSG;
    for (size_t i = 0; i < raw.len; i++)
        if (raw.ptr[i] <= ' ' || raw.ptr[i] > '~')
            return -EBADMSG;
    struct view decoded;
    int r = decode(raw, false, arena, &decoded);
    if (r < 0)
        return r;
    if (memchr(decoded.ptr, '\0', decoded.len))
        return -EBADMSG;
    *ret = decoded.ptr;
    return 0;
}
