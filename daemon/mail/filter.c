#include "mail/filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "mail/attributes.h"
#include "mail/filter_inside.h"
#include "mail/when.h"

#include "base/banned.h"

enum { VALUE_FOLDED_MAX_BYTES = 16 * 1024, INTEGER_DIGITS_MAX = 12, FRACTION_DIGITS_MAX = 6 };

static const char *const field_names[FILTER_FIELDS] = {
    [FILTER_EMAIL] = "email",
    [FILTER_LANGUAGE] = "language",
    [FILTER_FORM] = "form",
    [FILTER_TITLE] = "title",
    [FILTER_GIVEN_NAME] = "given_name",
    [FILTER_FAMILY_NAME] = "family_name",
    [FILTER_NAME] = "name",
    [FILTER_ORGANISATION] = "organisation",
    [FILTER_TIMEZONE] = "timezone",
    [FILTER_JOINED] = "joined",
    [FILTER_TAG] = "tag",
    [FILTER_ATTRIBUTE] = "attribute",
};

static const char *const op_names[FILTER_OPS] = {"=", "!=", "<", "<=", ">", ">=", "has"};

const char *filter_field_name(enum filter_field field) {
    return field_names[field];
}

const char *filter_op_name(enum filter_op op) {
    return op_names[op];
}

/* --- Making --------------------------------------------------------------------------------------------------- */

struct filter *filter_new(void) {
    struct filter *f = calloc(1, sizeof *f);
    if (f) {
        arena_init(&f->arena);
        buf_init(&f->folded, VALUE_FOLDED_MAX_BYTES);
    }
    return f;
}

struct filter *filter_free(struct filter *f) {
    if (!f)
        return NULL;
    arena_done(&f->arena);
    buf_done(&f->folded);
    free(f);
    return NULL;
}

int filter_add_node(struct filter *f, enum filter_kind kind, size_t left, size_t right, struct filter_test *test) {
    if (f->node_count == FILTER_NODES_MAX)
        return -EMSGSIZE;
    f->nodes[f->node_count++] = (struct filter_node){kind, left, right, test};
    return 0;
}

struct filter_value *filter_add_value(struct filter *f, struct filter_test *t) {
    struct filter_value *more =
        f->value_count < FILTER_VALUES_MAX ? arena_room(&f->arena, t->values, t->value_count, sizeof *t->values) : NULL;
    if (!more)
        return NULL;
    t->values = more;
    f->value_count++;
    t->values[t->value_count] = (struct filter_value){.text = VIEW("")};
    return &t->values[t->value_count++];
}

int filter_add_name(struct filter *f, struct filter_test *t, struct view name) {
    for (size_t i = 0; i < t->name_count; i++)
        if (view_eq_str(name, t->names[i]))
            return 0;
    const char **more = arena_room(&f->arena, t->names, t->name_count, sizeof *t->names);
    const char *kept = arena_dup(&f->arena, name);
    if (!more || !kept)
        return -ENOMEM;
    t->names = more;
    t->names[t->name_count++] = kept;
    return 0;
}

/* --- Values --------------------------------------------------------------------------------------------------- */

struct view filter_fold(struct view v, struct buf *to) {
    v = view_trim(v);
    buf_clear(to);
    if (text_is_ascii(v)) {
        char *at = buf_reserve(to, v.len);
        for (size_t i = 0; at && i < v.len; i++)
            at[i] = v.ptr[i] >= 'A' && v.ptr[i] <= 'Z' ? (char)(v.ptr[i] + ('a' - 'A')) : v.ptr[i];
        if (at)
            buf_used(to, v.len);
    } else
        (void)text_fold(v, to); /* what is no text is empty, and asked for below */
    return buf_view(to);
}

bool filter_number(struct view v, int64_t *ret_micro) {
    bool negative = v.len && v.ptr[0] == '-';
    size_t at = negative, digits = 0, fraction = 0;
    int64_t micro = 0;
    for (; at < v.len && v.ptr[at] >= '0' && v.ptr[at] <= '9'; at++, digits++)
        if (digits < INTEGER_DIGITS_MAX)
            micro = micro * 10 + (v.ptr[at] - '0');
    if (digits == 0 || digits > INTEGER_DIGITS_MAX || (digits > 1 && v.ptr[negative] == '0'))
        return false;
    bool has_fraction = at < v.len && (v.ptr[at] == '.' || v.ptr[at] == ',');
    at += has_fraction;
    for (; at < v.len && v.ptr[at] >= '0' && v.ptr[at] <= '9' && fraction < FRACTION_DIGITS_MAX; at++, fraction++)
        micro = micro * 10 + (v.ptr[at] - '0');
    if (at < v.len || (has_fraction && fraction == 0))
        return false;
    for (; fraction < FRACTION_DIGITS_MAX; fraction++)
        micro *= 10;
    *ret_micro = negative ? -micro : micro;
    return true;
}

/* Every month has 31 days here, so that no calendar is needed to compare. */
static int64_t moment_of(const struct when *w) {
    int64_t days = ((int64_t)w->year * 12 + w->month) * 31 + w->day;
    return days * FILTER_MOMENTS_A_DAY + (w->has_time ? 1 + (w->hour * 60 + w->minute) * 60 + w->second : 0);
}

bool filter_moment(struct view v, int64_t *ret) {
    struct when w;
    if (when_parse(v, &w) != WHEN_OK)
        return false;
    *ret = moment_of(&w);
    return true;
}

int filter_set_value(struct filter *f, struct filter_value *value, struct view text) {
    struct view folded = filter_fold(text, &f->folded);
    const char *kept = arena_dup(&f->arena, folded);
    if (!kept || buf_error(&f->folded))
        return -ENOMEM;
    value->text = view_make(kept, folded.len);
    value->is_number = filter_number(value->text, &value->micro);
    struct when w;
    value->is_date = !value->is_number && when_parse(value->text, &w) == WHEN_OK;
    if (value->is_date) {
        value->moment = moment_of(&w);
        value->has_time = w.has_time;
    }
    return 0;
}

int filter_read(struct view text, const struct filter_language *language, struct filter **ret,
                struct filter_fault *fault) {
    struct filter *f = filter_new();
    if (!f)
        return -ENOMEM;
    *fault = (struct filter_fault){.key = ""};
    int r = filter_parse(f, text, fault);
    if (r == 0)
        r = filter_resolve(f, language, fault);
    if (r < 0)
        (void)filter_free(f);
    else
        *ret = f;
    return r;
}

int filter_fail(struct filter_fault *fault, const char *key, unsigned column, struct view text, const char *near) {
    *fault = (struct filter_fault){.key = key, .column = column};
    size_t len = text.len < sizeof fault->text ? text.len : sizeof fault->text - 1;
    memcpy(fault->text, text.len ? text.ptr : "", len);
    text_cut_clean(fault->text);
    len = near ? strlen(near) : 0;
    if (len && len < sizeof fault->near)
        memcpy(fault->near, near, len);
    return -EINVAL;
}

/* --- Frozen --------------------------------------------------------------------------------------------------- */

static void freeze_test(const struct filter_test *t, struct buf *to) {
    buf_printf(to, "test %s %s\n", field_names[t->field], op_names[t->op]);
    for (size_t i = 0; i < t->name_count; i++)
        buf_printf(to, "name %s\n", t->names[i]);
    for (size_t i = 0; i < t->value_count; i++) {
        const struct filter_value *v = &t->values[i];
        if (t->field == FILTER_JOINED)
            buf_printf(to, "range %lld %lld\n", (long long)v->from, (long long)v->until);
        else {
            buf_puts(to, "value ");
            buf_add_view(to, v->text);
            buf_putc(to, '\n');
        }
    }
}

/* The left side stands wherever it was put: postfix order is found anew. Depth is bounded by the nodes. */
static void freeze_node(const struct filter *f, size_t at, struct buf *to) {
    const struct filter_node *n = &f->nodes[at];
    if (n->kind == FILTER_TEST) {
        freeze_test(n->test, to);
        return;
    }
    freeze_node(f, n->left, to);
    if (n->kind != FILTER_NOT)
        freeze_node(f, n->right, to);
    buf_puts(to, n->kind == FILTER_AND ? "and\n" : n->kind == FILTER_OR ? "or\n" : "not\n");
}

void filter_freeze(const struct filter *f, struct buf *to) {
    buf_puts(to, "filter 1\n");
    freeze_node(f, f->node_count - 1, to);
}

static int find_name(struct view v, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_eq_str(v, names[i]))
            return (int)i;
    return -1;
}

static int thaw_test(struct filter *f, struct view line, struct filter_test **ret) {
    struct view field;
    (void)view_split(&line, ' ', &field);
    int k = find_name(field, field_names, FILTER_FIELDS), op = find_name(line, op_names, FILTER_OPS);
    struct filter_test *t = arena_alloc(&f->arena, sizeof *t);
    if (!t || k < 0 || op < 0)
        return t ? -EINVAL : -ENOMEM;
    t->field = (enum filter_field)k;
    t->op = (enum filter_op)op;
    *ret = t;
    return filter_add_node(f, FILTER_TEST, 0, 0, t);
}

static int thaw_range(struct filter *f, struct filter_test *t, struct view line) {
    struct view from;
    struct filter_value *v = filter_add_value(f, t);
    (void)view_split(&line, ' ', &from);
    if (!v)
        return -EINVAL;
    return number_parse_i64(from, &v->from) < 0 || number_parse_i64(line, &v->until) < 0 ? -EINVAL : 0;
}

/* The places of nodes that nothing has taken yet. */
struct thawing {
    struct filter *filter;
    size_t stack[FILTER_NODES_MAX], depth;
    struct filter_test *test;
};

static int thaw_join(struct thawing *k, enum filter_kind kind) {
    size_t needs = kind == FILTER_NOT ? 1 : 2;
    if (k->depth < needs)
        return -EINVAL;
    k->depth -= needs;
    int r = filter_add_node(k->filter, kind, k->stack[k->depth], k->stack[k->depth + needs - 1], NULL);
    k->test = NULL;
    if (r == 0)
        k->stack[k->depth++] = k->filter->node_count - 1;
    return r;
}

static int thaw_line(struct thawing *k, struct view line) {
    struct filter *f = k->filter;
    if (view_eq_str(line, "and"))
        return thaw_join(k, FILTER_AND);
    if (view_eq_str(line, "or"))
        return thaw_join(k, FILTER_OR);
    if (view_eq_str(line, "not"))
        return thaw_join(k, FILTER_NOT);
    if (view_starts(line, "test ")) {
        int r = thaw_test(f, view_slice(line, 5, line.len), &k->test);
        if (r == 0)
            k->stack[k->depth++] = f->node_count - 1;
        return r;
    }
    if (k->test && k->test->field == FILTER_ATTRIBUTE && view_starts(line, "name "))
        return filter_add_name(f, k->test, view_slice(line, 5, line.len));
    if (k->test && k->test->field == FILTER_JOINED && view_starts(line, "range "))
        return thaw_range(f, k->test, view_slice(line, 6, line.len));
    if (!k->test || k->test->field == FILTER_JOINED || !view_starts(line, "value "))
        return -EINVAL;
    struct filter_value *v = filter_add_value(f, k->test);
    return v ? filter_set_value(f, v, view_slice(line, 6, line.len)) : -EINVAL;
}

static bool is_whole(const struct thawing *k) {
    for (size_t i = 0; i < k->filter->node_count; i++) {
        const struct filter_test *t = k->filter->nodes[i].test;
        if (t && (t->value_count == 0 || (t->field == FILTER_ATTRIBUTE && t->name_count == 0)))
            return false;
    }
    return k->depth == 1;
}

int filter_thaw(struct view frozen, struct filter **ret) {
    struct thawing *k = calloc(1, sizeof *k);
    struct view line;
    if (!k || !(k->filter = filter_new())) {
        free(k);
        return -ENOMEM;
    }
    bool begins = frozen.len <= FILTER_FROZEN_MAX_BYTES && text_is_utf8(frozen) && view_line(&frozen, &line) &&
                  view_eq_str(line, "filter 1");
    int r = begins ? 0 : -EINVAL;
    while (r == 0 && view_line(&frozen, &line))
        r = thaw_line(k, line);
    if (r == 0 && !is_whole(k))
        r = -EINVAL;
    if (r == 0)
        *ret = k->filter;
    else
        (void)filter_free(k->filter);
    free(k);
    return r == -ENOMEM ? r : r < 0 ? -EINVAL : 0;
}
