#include "people/member_fields.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "mail/attributes.h"
#include "mail/when.h"
#include "mail/words.h"
#include "people/columns.h"

#include "base/banned.h"

enum { VALUE_MAX_BYTES = 500 };

static const char *value_of(const struct person *p, size_t field) {
    const char *value = person_field_get(p, field);
    return value ? value : "";
}

/* Our own name of a field, with either kind of dash, or a column's name in any language; -1 for none. */
static int find_field(const char *written, const struct words *const *words, size_t words_count) {
    for (size_t pass = 0; pass <= words_count; pass++) {
        const char *name = pass == 0 ? written : words_find(words[pass - 1], "columns", view_of(written));
        for (size_t i = 0; name && i < PERSON_FIELDS; i++) {
            size_t n = 0;
            while (name[n] &&
                   (name[n] == person_field_name(i)[n] || (name[n] == '-' && person_field_name(i)[n] == '_')))
                n++;
            if (name[n] == '\0' && person_field_name(i)[n] == '\0')
                return (int)i;
        }
    }
    return -1;
}

static int refuse(struct why *why, const struct member_field *f, const char *what) {
    return why_set(why, -EINVAL, "%s: %s", f->name, what);
}

static int check_text(const struct member_field *f, struct why *why) {
    struct view v = view_of(f->value);
    if (v.len > VALUE_MAX_BYTES)
        return refuse(why, f, "the value is longer than 500 bytes");
    if (!text_is_utf8(v))
        return refuse(why, f, "the value is not UTF-8");
    for (size_t at = 0, n; at < v.len; at += n) {
        uint32_t c = text_decode(view_slice(v, at, v.len), &n);
        if (text_is_control(c) && !text_is_direction_mark(c))
            return refuse(why, f, "the value holds characters that cannot be shown");
    }
    return 0;
}

/* What a value means: languages and forms by what people call them. NULL where nobody knows it. */
static const char *read_value(size_t field, const char *written, const struct columns_reader *reader) {
    if (strcmp(person_field_name((size_t)field), "language") == 0)
        return columns_language(reader, view_of(written));
    if (strcmp(person_field_name((size_t)field), "form") == 0)
        return columns_form(reader, view_of(written));
    if (strcmp(person_field_name((size_t)field), "timezone") == 0 && written[0] && !when_zone_exists(written))
        return NULL;
    return written;
}

static void note(struct buf *changed, const char *name) {
    buf_printf(changed, "%s%s", changed->len ? ", " : "", name);
}

static int set_attribute(const struct person *base, const struct member_field *f, struct arena *arena,
                         struct person *ret, struct buf *changed, struct why *why) {
    AUTOBUF struct buf name = BUF_INIT(ATTRIBUTE_NAME_MAX + 16), text = BUF_INIT(ATTRIBUTES_MAX_BYTES);
    int r = attributes_name(view_of(f->name + 5), &name);
    if (r < 0)
        return r;
    const char *before = ret->attributes ? ret->attributes : base->attributes ? base->attributes : "";
    struct view old = attributes_get(view_of(before), buf_view(&name));
    r = attributes_set(view_of(before), buf_view(&name), view_of(f->value), &text);
    if (r == -EINVAL)
        return refuse(why, f, "this is no name for a field of your own");
    if (r < 0)
        return why_set(why, -EINVAL, "%s: there are too many fields", f->name);
    if (!view_eq_str(old, f->value))
        note(changed, f->name);
    ret->attributes = arena_dup(arena, buf_view(&text));
    return ret->attributes ? 0 : -ENOMEM;
}

static int set_field(const struct person *base, const struct member_field *f, const struct columns_reader *reader,
                     struct arena *arena, struct person *ret, struct buf *changed, struct why *why) {
    int r = check_text(f, why);
    if (r < 0)
        return r;
    if (strncmp(f->name, "attr.", 5) == 0)
        return set_attribute(base, f, arena, ret, changed, why);
    int field = find_field(f->name, reader->words, reader->words_count);
    if (field < 0) {
        (void)refuse(why, f, "there is no such field");
        why_todo(why, "Fields are language, form, title, given_name, family_name, salutation, organisation, timezone, "
                      "and attr.NAME for your own");
        return -EINVAL;
    }
    const char *value = read_value((size_t)field, f->value, reader);
    if (!value)
        return why_set(why, -EINVAL, "%s: “%s” is not known", f->name, f->value);
    *person_field(ret, (size_t)field) = arena_strdup(arena, value);
    if (strcmp(value, value_of(base, (size_t)field)) != 0)
        note(changed, person_field_name((size_t)field));
    return arena_failed(arena) ? -ENOMEM : 0;
}

int member_read_fields(const struct person *base, const struct member_field *fields, size_t count,
                       const struct words *const *words, size_t words_count, struct arena *arena, struct person *ret,
                       struct buf *changed, struct why *why) {
    const struct columns_reader reader = {.words = words, .words_count = words_count, .timezone = "UTC"};
    int r = 0;
    *ret = (struct person){0};
    for (size_t i = 0; i < count && r == 0; i++)
        r = set_field(base, &fields[i], &reader, arena, ret, changed, why);
    return r;
}
