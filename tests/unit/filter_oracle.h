/* Whom a filter means, said once more and another way: person by person, in C, with nothing of SQL. Tests compare. */
#pragma once
#include <string.h>

#include "mail/attributes.h"
#include "mail/filter_inside.h"
#include "mail/tags.h"
#include "mail/when.h"
#include "unit.h"

struct oracle_person {
    struct view email, email_key, language, form, title, given_name, family_name, organisation, timezone;
    struct view attributes; /* mail/attributes.h */
    struct view tags;       /* mail/tags.h */
    int64_t joined_usec;
};

/* ---- One value of a person ---- */

/* By the day alone where the filter says no time. */
static inline int oracle_compare_dates(struct when person, const struct when *wanted) {
    person.has_time = person.has_time && wanted->has_time;
    if (!person.has_time)
        person.hour = person.minute = person.second = 0;
    return when_cmp(&person, wanted);
}

/* Negative, 0 or positive in *ret; false where the two have no order. */
static inline bool oracle_compare(struct view folded, const struct filter_value *wanted, int *ret) {
    int64_t micro;
    struct when date, wanted_date;
    if (wanted->is_number && filter_number(folded, &micro)) {
        *ret = (micro > wanted->micro) - (micro < wanted->micro);
        return true;
    }
    if (wanted->is_date && when_parse(wanted->text, &wanted_date) == WHEN_OK && when_parse(folded, &date) == WHEN_OK) {
        *ret = oracle_compare_dates(date, &wanted_date);
        return true;
    }
    *ret = view_cmp(folded, wanted->text);
    return *ret == 0 || (folded.len && !wanted->is_number && !wanted->is_date);
}

static inline bool oracle_holds(enum filter_op op, struct view folded, const struct filter_value *wanted) {
    int order;
    if (op == FILTER_HAS)
        return view_search(folded, wanted->text) < folded.len;
    if (!oracle_compare(folded, wanted, &order))
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
static inline bool oracle_any_holds(struct filter *f, const struct filter_test *t, struct view value) {
    struct view folded = filter_fold(value, &f->folded);
    assert_int_equal(buf_error(&f->folded), 0);
    for (size_t i = 0; i < t->value_count; i++)
        if (oracle_holds(t->op, folded, &t->values[i]))
            return true;
    return false;
}

/* ---- Fields ---- */

/* Any of the attributes' names; where the person has none of them, the empty text. */
static inline bool oracle_attribute_holds(struct filter *f, const struct filter_test *t,
                                          const struct oracle_person *p) {
    struct view rest = p->attributes, name, value;
    bool any = false;
    while (attributes_next(&rest, &name, &value))
        for (size_t i = 0; i < t->name_count; i++)
            if (view_eq_str(name, t->names[i])) {
                if (oracle_any_holds(f, t, value))
                    return true;
                any = true;
            }
    return !any && oracle_any_holds(f, t, VIEW(""));
}

static inline bool oracle_name_holds(struct filter *f, const struct filter_test *t, const struct oracle_person *p) {
    AUTOBUF struct buf joined = BUF_INIT(4096);
    buf_add_view(&joined, p->given_name);
    if (p->given_name.len && p->family_name.len)
        buf_putc(&joined, ' ');
    buf_add_view(&joined, p->family_name);
    return oracle_any_holds(f, t, buf_view(&joined));
}

static inline bool oracle_joined_holds(const struct filter_test *t, int64_t at) {
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

static inline bool oracle_tag_holds(const struct filter_test *t, struct view tags) {
    for (size_t i = 0; i < t->value_count; i++)
        if (tags_have(tags, t->values[i].text) == 1)
            return true;
    return false;
}

static inline bool oracle_field_holds(struct filter *f, const struct filter_test *t, const struct oracle_person *p) {
    switch (t->field) {
    case FILTER_EMAIL: return oracle_any_holds(f, t, p->email) || oracle_any_holds(f, t, p->email_key);
    case FILTER_LANGUAGE: return oracle_any_holds(f, t, p->language);
    case FILTER_FORM: return oracle_any_holds(f, t, p->form);
    case FILTER_TITLE: return oracle_any_holds(f, t, p->title);
    case FILTER_GIVEN_NAME: return oracle_any_holds(f, t, p->given_name);
    case FILTER_FAMILY_NAME: return oracle_any_holds(f, t, p->family_name);
    case FILTER_NAME: return oracle_name_holds(f, t, p);
    case FILTER_ORGANISATION: return oracle_any_holds(f, t, p->organisation);
    case FILTER_TIMEZONE: return oracle_any_holds(f, t, p->timezone);
    case FILTER_JOINED: return oracle_joined_holds(t, p->joined_usec);
    case FILTER_TAG: return oracle_tag_holds(t, p->tags);
    case FILTER_ATTRIBUTE: return oracle_attribute_holds(f, t, p);
    case FILTER_FIELDS: break;
    }
    return false;
}

static inline bool oracle_test_holds(struct filter *f, const struct filter_test *t, const struct oracle_person *p) {
    return oracle_field_holds(f, t, p) != (t->op == FILTER_NE);
}

/* Depth is bounded by the nodes. */
static inline bool oracle_node_holds(struct filter *f, size_t at, const struct oracle_person *p) {
    const struct filter_node *n = &f->nodes[at];
    switch (n->kind) {
    case FILTER_AND: return oracle_node_holds(f, n->left, p) && oracle_node_holds(f, n->right, p);
    case FILTER_OR: return oracle_node_holds(f, n->left, p) || oracle_node_holds(f, n->right, p);
    case FILTER_NOT: return !oracle_node_holds(f, n->left, p);
    case FILTER_TEST: return oracle_test_holds(f, n->test, p);
    }
    return false;
}

static inline bool oracle_means(struct filter *f, const struct oracle_person *p) {
    return oracle_node_holds(f, f->node_count - 1, p);
}
