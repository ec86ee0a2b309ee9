/* Whether a person is meant: filter_matches() and filter_look() of mail/filter.h. */
#include <string.h>

#include "mail/attributes.h"
#include "mail/filter_inside.h"
#include "mail/tags.h"

#include "base/banned.h"

/* --- One value of a person ------------------------------------------------------------------------------------ */

/* By the day alone where the filter says no time. */
static int compare_dates(struct when person, const struct when *wanted) {
    person.has_time = person.has_time && wanted->has_time;
    if (!person.has_time)
        person.hour = person.minute = person.second = 0;
    return when_cmp(&person, wanted);
}

/* Negative, 0 or positive in *ret; false where the two have no order. */
static bool compare(struct view folded, const struct filter_value *wanted, int *ret) {
    int64_t micro;
    struct when date;
    if (wanted->is_number && filter_number(folded, &micro)) {
        *ret = (micro > wanted->micro) - (micro < wanted->micro);
        return true;
    }
    if (wanted->is_date && when_parse(folded, &date) == WHEN_OK) {
        *ret = compare_dates(date, &wanted->date);
        return true;
    }
    *ret = view_cmp(folded, wanted->text);
    return *ret == 0 || (folded.len && !wanted->is_number && !wanted->is_date);
}

static bool holds(enum filter_op op, struct view folded, const struct filter_value *wanted) {
    int order;
    if (op == FILTER_HAS)
        return view_search(folded, wanted->text) < folded.len;
    if (!compare(folded, wanted, &order))
        return false;
    bool is_missing = folded.len == 0 && op != FILTER_EQ && op != FILTER_NE;
    switch (op) {
    case FILTER_EQ:
    case FILTER_NE: return order == 0;
    case FILTER_LT: return order < 0 && !is_missing;
    case FILTER_LE: return order <= 0 && !is_missing;
    case FILTER_GT: return order > 0 && !is_missing;
    case FILTER_GE: return order >= 0 && !is_missing;
    case FILTER_HAS:
    case FILTER_OPS: break;
    }
    return false;
}

/* Whether any of the test's values holds of this value of the person. */
static bool any_holds(struct filter *f, const struct filter_test *t, struct view value) {
    struct view folded = filter_fold(value, &f->folded);
    f->failed = f->failed || buf_error(&f->folded);
    for (size_t i = 0; i < t->value_count; i++)
        if (holds(t->op, folded, &t->values[i]))
            return true;
    return false;
}

/* --- Fields --------------------------------------------------------------------------------------------------- */

/* Any of the attributes' names; where the person has none of them, the empty text. */
static bool attribute_holds(struct filter *f, const struct filter_test *t, const struct filter_person *p) {
    struct view rest = p->attributes, name, value;
    bool any = false;
    while (attributes_next(&rest, &name, &value))
        for (size_t i = 0; i < t->name_count; i++)
            if (view_eq_str(name, t->names[i])) {
                if (any_holds(f, t, value))
                    return true;
                any = true;
            }
    return !any && any_holds(f, t, VIEW(""));
}

static bool name_holds(struct filter *f, const struct filter_test *t, const struct filter_person *p) {
    buf_clear(&f->joined);
    buf_add_view(&f->joined, p->given_name);
    if (p->given_name.len && p->family_name.len)
        buf_putc(&f->joined, ' ');
    buf_add_view(&f->joined, p->family_name);
    f->failed = f->failed || buf_error(&f->joined);
    return any_holds(f, t, buf_view(&f->joined));
}

static bool joined_holds(const struct filter_test *t, int64_t at) {
    for (size_t i = 0; i < t->value_count; i++) {
        const struct filter_value *v = &t->values[i];
        bool on_day = v->from <= at && at < v->until;
        if (((t->op == FILTER_EQ || t->op == FILTER_NE) && on_day) || (t->op == FILTER_LT && at < v->from) ||
            (t->op == FILTER_LE && at < v->until) || (t->op == FILTER_GT && at >= v->until) ||
            (t->op == FILTER_GE && at >= v->from))
            return true;
    }
    return false;
}

static bool tag_holds(const struct filter_test *t, struct view tags) {
    for (size_t i = 0; i < t->value_count; i++)
        if (tags_have(tags, t->values[i].text))
            return true;
    return false;
}

static bool field_holds(struct filter *f, const struct filter_test *t, const struct filter_person *p) {
    switch (t->field) {
    case FILTER_EMAIL: return any_holds(f, t, p->email) || any_holds(f, t, p->email_key);
    case FILTER_LANGUAGE: return any_holds(f, t, p->language);
    case FILTER_FORM: return any_holds(f, t, p->form);
    case FILTER_TITLE: return any_holds(f, t, p->title);
    case FILTER_GIVEN_NAME: return any_holds(f, t, p->given_name);
    case FILTER_FAMILY_NAME: return any_holds(f, t, p->family_name);
    case FILTER_NAME: return name_holds(f, t, p);
    case FILTER_ORGANISATION: return any_holds(f, t, p->organisation);
    case FILTER_TIMEZONE: return any_holds(f, t, p->timezone);
    case FILTER_JOINED: return joined_holds(t, p->joined_usec);
    case FILTER_TAG: return tag_holds(t, p->tags);
    case FILTER_ATTRIBUTE: return attribute_holds(f, t, p);
    case FILTER_FIELDS: break;
    }
    return false;
}

static bool test_holds(struct filter *f, const struct filter_test *t, const struct filter_person *p) {
    return field_holds(f, t, p) != (t->op == FILTER_NE);
}

/* Depth is bounded by the nodes. */
static bool node_holds(struct filter *f, size_t at, const struct filter_person *p) {
    const struct filter_node *n = &f->nodes[at];
    switch (n->kind) {
    case FILTER_AND: return node_holds(f, n->left, p) && node_holds(f, n->right, p);
    case FILTER_OR: return node_holds(f, n->left, p) || node_holds(f, n->right, p);
    case FILTER_NOT: return !node_holds(f, n->left, p);
    case FILTER_TEST: return test_holds(f, n->test, p);
    }
    return false;
}

bool filter_matches(struct filter *f, const struct filter_person *p) {
    bool matches = node_holds(f, f->node_count - 1, p);
    return matches && !f->failed;
}

/* --- What nobody has ------------------------------------------------------------------------------------------ */

static void look_at_attribute(struct filter_test *t, const struct filter_person *p) {
    for (size_t i = 0; i < t->name_count && !t->seen; i++)
        t->seen = attributes_get(p->attributes, view_of(t->names[i])).len > 0;
}

void filter_look(struct filter *f, const struct filter_person *p) {
    for (size_t n = 0; n < f->node_count; n++) {
        struct filter_test *t = f->nodes[n].test;
        if (t && t->field == FILTER_ATTRIBUTE && !t->seen)
            look_at_attribute(t, p);
        for (size_t i = 0; t && t->field == FILTER_TAG && p->tags.len && i < t->value_count; i++)
            t->values[i].seen = t->values[i].seen || tags_have(p->tags, t->values[i].text);
    }
}

bool filter_next_unseen(const struct filter *f, size_t *at, struct filter_unseen *ret) {
    size_t number = 0;
    for (size_t n = 0; n < f->node_count; n++) {
        const struct filter_test *t = f->nodes[n].test;
        if (t && t->field == FILTER_ATTRIBUTE && !t->seen && number++ == *at) {
            ++*at;
            *ret = (struct filter_unseen){
                .name = t->written ? t->written : t->names[0], .near = t->near, .column = t->column};
            return true;
        }
        for (size_t i = 0; t && t->field == FILTER_TAG && i < t->value_count; i++) {
            const struct filter_value *v = &t->values[i];
            if (v->seen || number++ != *at)
                continue;
            ++*at;
            *ret = (struct filter_unseen){
                .is_tag = true, .name = v->written ? v->written : v->text.ptr, .column = v->column};
            return true;
        }
    }
    return false;
}

bool filter_is_looking(const struct filter *f) {
    size_t at = 0;
    struct filter_unseen ignored;
    return filter_next_unseen(f, &at, &ignored);
}
