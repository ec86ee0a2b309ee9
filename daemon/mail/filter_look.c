/* What nobody has of what a filter asks for: filter_look() and its kin of mail/filter.h. */
#include "mail/attributes.h"
#include "mail/filter_inside.h"
#include "mail/tags.h"

#include "base/banned.h"

static void look_at_attribute(struct filter_test *t, struct view attributes) {
    for (size_t i = 0; i < t->name_count && !t->seen; i++)
        t->seen = attributes_get(attributes, view_of(t->names[i])).len > 0;
}

void filter_look(struct filter *f, struct view attributes, struct view tags) {
    for (size_t n = 0; n < f->node_count; n++) {
        struct filter_test *t = f->nodes[n].test;
        if (t && t->field == FILTER_ATTRIBUTE && !t->seen)
            look_at_attribute(t, attributes);
        for (size_t i = 0; t && t->field == FILTER_TAG && tags.len && i < t->value_count; i++)
            t->values[i].seen = t->values[i].seen || tags_have(tags, t->values[i].text) == 1;
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
