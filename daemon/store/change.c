#include "store/change.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "mail/attributes.h"
#include "mail/salutation.h"
#include "mail/tags.h"

#include "base/banned.h"

static bool is_set(const char *value) {
    return value && value[0];
}

static struct view attributes_of(const struct person *p) {
    return p->attributes ? view_of(p->attributes) : VIEW("");
}

static int keep(struct buf *text, struct arena *arena, const char **ret) {
    if (buf_error(text))
        return buf_error(text);
    *ret = arena_dup(arena, buf_view(text));
    return *ret ? 0 : -ENOMEM;
}

/* --- Differences --------------------------------------------------------------------------------------------- */

static int attributes_between(const struct person *base, const struct person *p, struct arena *arena,
                              const char **ret) {
    AUTOBUF struct buf changed = BUF_INIT(ATTRIBUTES_MAX_BYTES);
    struct view rest = attributes_of(p), name, value;
    while (attributes_next(&rest, &name, &value))
        if (value.len && !view_eq(attributes_get(attributes_of(base), name), value)) {
            buf_add_view(&changed, name);
            buf_putc(&changed, '\t');
            buf_add_view(&changed, value);
            buf_putc(&changed, '\n');
        }
    return changed.len || buf_error(&changed) ? keep(&changed, arena, ret) : 0;
}

/* What is there already, or not there to be taken away, changes nothing. */
static int tags_between(const struct person *base, const struct person *p, const char **ret) {
    AUTOBUF struct buf then = BUF_INIT(2 * TAGS_MAX_BYTES);
    bool changed = false;
    if (!is_set(p->tags))
        return 0;
    int r = tags_apply(view_of(base->tags ? base->tags : ""), view_of(p->tags), &then, &changed);
    if (r == 0 && changed)
        *ret = p->tags;
    return r == -E2BIG ? 0 : r; /* too many: those that are there stay */
}

int change_between(const struct person *base, const struct person *p, struct arena *arena, struct person *ret,
                   bool *ret_any) {
    *ret = (struct person){0};
    *ret_any = false;
    for (size_t i = 0; i < PERSON_FIELDS; i++) {
        const char *value = person_field_get(p, i), *before = person_field_get(base, i);
        if (is_set(value) && strcmp(value, before ? before : "") != 0) {
            *person_field(ret, i) = value;
            *ret_any = true;
        }
    }
    int r = tags_between(base, p, &ret->tags);
    if (r < 0)
        return r;
    *ret_any |= ret->tags != NULL;
    if (!is_set(p->attributes) || (base->attributes && strcmp(p->attributes, base->attributes) == 0))
        return 0;
    r = attributes_between(base, p, arena, &ret->attributes);
    *ret_any |= ret->attributes != NULL;
    return r;
}

static int merge_attributes(struct view base, struct view change, struct arena *arena, const char **ret) {
    AUTOBUF struct buf a = BUF_INIT(ATTRIBUTES_MAX_BYTES), b = BUF_INIT(ATTRIBUTES_MAX_BYTES);
    struct buf *from = &a, *to = &b;
    buf_add_view(from, base);
    struct view name, value;
    while (attributes_next(&change, &name, &value)) {
        buf_clear(to);
        int r = attributes_set(buf_view(from), name, value, to);
        if (r < 0)
            return r;
        struct buf *turn = from;
        from = to;
        to = turn;
    }
    return keep(from, arena, ret);
}

int change_overlay(const struct person *base, const struct person *change, struct arena *arena, struct person *ret) {
    *ret = *base;
    for (size_t i = 0; i < PERSON_FIELDS; i++)
        if (person_field_get(change, i))
            *person_field(ret, i) = person_field_get(change, i);
    return is_set(change->attributes)
               ? merge_attributes(attributes_of(base), attributes_of(change), arena, &ret->attributes)
               : 0;
}

/* --- Text ---------------------------------------------------------------------------------------------------- */

/* A change of tags has lines of its own, and stands on one here. */
static void turn(char *text, size_t len, char from, char into) {
    for (size_t i = 0; i < len; i++)
        if (text[i] == from)
            text[i] = into;
}

static void print_line(struct buf *to, const char *prefix, struct view name, struct view value) {
    buf_puts(to, prefix);
    buf_add_view(to, name);
    buf_putc(to, '\t');
    buf_add_view(to, value);
    buf_putc(to, '\n');
}

int change_print(const struct person *change, struct buf *to) {
    for (size_t i = 0; i < PERSON_FIELDS; i++)
        if (person_field_get(change, i))
            print_line(to, "", view_of(person_field_name(i)), view_of(person_field_get(change, i)));
    struct view rest = attributes_of(change), name, value;
    while (attributes_next(&rest, &name, &value))
        print_line(to, "attr.", name, value);
    if (is_set(change->tags)) {
        size_t start = to->len;
        print_line(to, "", VIEW("tags"), view_trim(view_of(change->tags)));
        if (buf_error(to) == 0)
            turn(to->data + start, to->len - start - 1, '\n', ',');
    }
    return buf_error(to);
}

int change_read(struct view text, struct arena *arena, struct person *ret) {
    *ret = (struct person){0};
    AUTOBUF struct buf attributes = BUF_INIT(ATTRIBUTES_MAX_BYTES);
    struct view name, value;
    while (attributes_next(&text, &name, &value)) { /* the same form of lines */
        if (view_eq_str(name, "tags")) {
            char *lines = arena_printf(arena, "%.*s\n", (int)value.len, value.ptr);
            if (lines)
                turn(lines, value.len, ',', '\n');
            ret->tags = lines;
        }
        if (view_starts(name, "attr."))
            print_line(&attributes, "", view_slice(name, 5, name.len), value);
        for (size_t i = 0; i < PERSON_FIELDS; i++)
            if (view_eq_str(name, person_field_name(i)))
                *person_field(ret, i) = arena_dup(arena, value);
    }
    int r = attributes.len ? keep(&attributes, arena, &ret->attributes) : 0;
    return r < 0 ? r : arena_failed(arena) ? -ENOMEM : 0;
}

/* --- Couples ------------------------------------------------------------------------------------------------- */

/* The parts before and behind SALUTATION_AND. */
static size_t split(const char *value, struct view parts[2]) {
    struct view v = view_of(value ? value : ""), and = VIEW(SALUTATION_AND);
    size_t at = view_search(v, and);
    parts[0] = view_trim(view_slice(v, 0, at));
    parts[1] = at < v.len ? view_trim(view_slice(v, at + and.len, v.len)) : (struct view){0};
    return at < v.len ? 2 : 1;
}

static bool same(struct view a, struct view b) {
    if (view_eq(a, b))
        return true;
    AUTOBUF struct buf x = BUF_INIT(CHANGE_MAX_BYTES), y = BUF_INIT(CHANGE_MAX_BYTES);
    return text_fold(a, &x) == 0 && text_fold(b, &y) == 0 && view_eq(buf_view(&x), buf_view(&y));
}

enum change_names change_compare_names(const struct person *first, const struct person *second) {
    struct view given = view_of(second->given_name ? second->given_name : ""),
                family = view_of(second->family_name ? second->family_name : "");
    if (given.len == 0 && family.len == 0)
        return CHANGE_SAME_NAME; /* a row without a name says nothing against it */
    struct view givens[2], families[2];
    size_t given_count = split(first->given_name, givens), family_count = split(first->family_name, families);
    size_t people = given_count == 2 || family_count == 2 ? 2 : 1;
    if (people == 1 && givens[0].len == 0 && families[0].len == 0)
        return CHANGE_SAME_NAME;
    for (size_t i = 0; i < people; i++)
        if (same(givens[i], given) && same(families[family_count == 2 ? i : 0], family))
            return CHANGE_SAME_NAME;
    return people == 2 ? CHANGE_THIRD_NAME : CHANGE_TWO_NAMES;
}

/* "a & b"; "" where neither is set. */
static const char *join(struct arena *arena, const char *a, const char *b) {
    if (!is_set(a) && !is_set(b))
        return "";
    return arena_printf(arena, "%s" SALUTATION_AND "%s", a ? a : "", b ? b : "");
}

int change_join(const struct person *first, const struct person *second, struct arena *arena, struct person *ret) {
    *ret = *first;
    ret->form = join(arena, first->form, second->form);
    ret->title = join(arena, first->title, second->title);
    ret->given_name = join(arena, first->given_name, second->given_name);
    const char *a = first->family_name ? first->family_name : "", *b = second->family_name ? second->family_name : "";
    ret->family_name = same(view_of(a), view_of(b)) ? a : join(arena, a, b);
    if (!is_set(ret->organisation))
        ret->organisation = second->organisation;
    ret->salutation = ""; /* one person's own salutation is not the couple's */
    return arena_failed(arena) ? -ENOMEM : 0;
}
