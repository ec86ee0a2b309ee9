/* What the fields and values of a filter mean in people's words: filter_resolve() of mail/filter_inside.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/address.h"
#include "mail/attributes.h"
#include "mail/countries.h"
#include "mail/filter_inside.h"
#include "mail/salutation.h"
#include "mail/tags.h"
#include "mail/when.h"
#include "mail/words.h"

#include "base/banned.h"

enum { NAME_MAX_BYTES = 4 * FILTER_MAX_BYTES, VOCABULARY_MAX = 512 };

struct resolving {
    struct filter *filter;
    const struct filter_language *language;
    struct countries countries; /* once one is asked for */
    struct filter_fault *fault;
    const char *attribute; /* what [attributes] calls the test's field, or NULL */
};

static const char *find(const struct resolving *k, const char *section, struct view written) {
    for (size_t i = 0; i < k->language->words_count; i++) {
        const char *meaning = words_find(k->language->words[i], section, written);
        if (meaning)
            return meaning;
    }
    return NULL;
}

/* --- Fields --------------------------------------------------------------------------------------------------- */

/* Our own names, tags and e-mail as people say them, then columns in any language: an enum filter_field, or -ENOMEM. */
static int contact_field(const struct resolving *k, struct view written) {
    AUTOBUF struct buf name = BUF_INIT(NAME_MAX_BYTES);
    int r = attributes_name(written, &name); /* "Given-Name" is given_name */
    if (r < 0)
        return r;
    const char *column = find(k, "columns", written);
    const struct view tries[] = {buf_view(&name), view_of(column ? column : "")};
    for (size_t i = 0; i < COUNT_OF(tries); i++) {
        for (int f = 0; f < FILTER_ATTRIBUTE; f++)
            if (view_eq_str(tries[i], filter_field_name((enum filter_field)f)))
                return f;
        if (view_eq_str(tries[i], "tags"))
            return FILTER_TAG;
    }
    return FILTER_ATTRIBUTE;
}

static int add_attribute(struct resolving *k, struct filter_test *t, struct view written) {
    AUTOBUF struct buf name = BUF_INIT(NAME_MAX_BYTES);
    int r = attributes_name(written, &name);
    if (r < 0)
        return r;
    return name.len ? filter_add_name(k->filter, t, buf_view(&name)) : 0;
}

/* Under whatever name a file's column brought it. */
static int add_synonyms(struct resolving *k, struct filter_test *t) {
    AUTOBUF struct buf key = BUF_INIT(NAME_MAX_BYTES);
    buf_printf(&key, "attributes.%s", k->attribute);
    if (buf_error(&key) < 0)
        return buf_error(&key);
    int r = add_attribute(k, t, view_of(k->attribute));
    for (size_t i = 0; i < k->language->words_count && r == 0; i++) {
        const char *known = words_known(k->language->words[i], buf_str(&key));
        struct view rest = view_of(known ? known : ""), one;
        while (r == 0 && view_split(&rest, ';', &one))
            r = add_attribute(k, t, one);
    }
    return r;
}

struct vocabulary {
    const char *names[VOCABULARY_MAX];
    size_t count;
};

static void add_word(void *user, const char *key, const char *value) {
    (void)value;
    struct vocabulary *v = user;
    if (v->count < VOCABULARY_MAX)
        v->names[v->count++] = key;
}

/* What may have been meant by a field that nobody may have. */
static const char *nearest_field(const struct resolving *k, struct view written) {
    struct vocabulary v = {.count = 0};
    for (int f = 0; f < FILTER_ATTRIBUTE; f++)
        add_word(&v, filter_field_name((enum filter_field)f), "");
    for (size_t i = 0; i < k->language->words_count; i++)
        words_each(k->language->words[i], "attributes", add_word, &v);
    const char *near = text_nearest(written, v.names, v.count);
    return near ? arena_strdup(&k->filter->arena, near) : NULL;
}

static int resolve_field(struct resolving *k, struct filter_test *t) {
    struct view written = view_trim(view_of(t->written));
    bool own = written.len > 5 && view_eq_nocase(view_slice(written, 0, 5), "attr.");
    if (own)
        written = view_slice(written, 5, written.len);
    int field = own ? FILTER_ATTRIBUTE : contact_field(k, written);
    if (field < 0)
        return field;
    t->field = (enum filter_field)field;
    k->attribute = NULL;
    if (t->field != FILTER_ATTRIBUTE)
        return 0;
    k->attribute = find(k, "attributes", written);
    int r = add_attribute(k, t, written);
    if (r == 0 && k->attribute)
        r = add_synonyms(k, t);
    else if (r == 0)
        t->near = nearest_field(k, written);
    if (r == 0 && t->name_count == 0)
        return filter_fail(k->fault, "filter-field", t->column, view_of(t->written), NULL);
    return r;
}

/* --- Values --------------------------------------------------------------------------------------------------- */

static int unknown_value(struct resolving *k, const struct filter_value *v, const char *key) {
    return filter_fail(k->fault, key, v->column, view_of(v->written), NULL);
}

static int set_language(struct resolving *k, struct filter_value *v) {
    AUTOBUF struct buf folded = BUF_INIT(NAME_MAX_BYTES);
    const char *code = words_find_language(k->language->words, k->language->words_count, v->text);
    struct view code_view = code ? view_of(code) : filter_fold(v->text, &folded);
    if (!code && code_view.len && !words_is_code(code_view))
        return unknown_value(k, v, "filter-language");
    return filter_set_value(k->filter, v, code_view);
}

static int set_form(struct resolving *k, struct filter_value *v) {
    const char *form = v->text.len ? salutation_form(k->language->words, k->language->words_count, v->text) : "";
    return form ? filter_set_value(k->filter, v, view_of(form)) : unknown_value(k, v, "filter-form");
}

static int set_day(struct resolving *k, struct filter_value *v) {
    struct when day, after;
    if (when_parse(v->text, &day) != WHEN_OK)
        return unknown_value(k, v, "not-a-date");
    day.has_time = false;
    day.hour = day.minute = day.second = 0;
    after = day;
    when_add_days(&after, 1);
    if (when_to_usec(&day, k->language->zone, &v->from) != WHEN_OK ||
        when_to_usec(&after, k->language->zone, &v->until) != WHEN_OK)
        return unknown_value(k, v, "not-a-date");
    return 0;
}

static int set_email(struct resolving *k, struct filter_value *v) {
    struct address address;
    enum address_fault fault = address_parse(v->text, &address);
    if (fault == ADDRESS_NO_MEMORY)
        return -ENOMEM;
    return filter_set_value(k->filter, v, fault == ADDRESS_OK ? view_of(address.key) : v->text);
}

/* One more text that is meant, unless it is there already. */
static int add_text(struct resolving *k, struct filter_test *t, struct view text) {
    if (text_has_control(text))
        return 0;
    struct filter_value *v = filter_add_value(k->filter, t);
    int r = v ? filter_set_value(k->filter, v, text) : -EMSGSIZE;
    for (size_t i = 0; r == 0 && &t->values[i] < v; i++)
        if (view_eq(t->values[i].text, v->text)) {
            t->value_count--;
            k->filter->value_count--;
            break;
        }
    return r;
}

/* The country's code and its names in every language, beside the value as written. */
static int add_country(struct resolving *k, struct filter_test *t, size_t at) {
    int r = filter_set_value(k->filter, &t->values[at], t->values[at].text);
    if (r == 0 && k->countries.count == 0)
        r = countries_load(&k->countries, k->language->templates_local, k->language->templates);
    const char *code = r == 0 ? countries_code(&k->countries, t->values[at].text) : NULL;
    for (size_t i = 0; code && i < k->countries.count && r == 0; i++)
        if (strcmp(k->countries.names[i].code, code) == 0)
            r = add_text(k, t, view_of(k->countries.names[i].folded));
    return r;
}

static int resolve_value(struct resolving *k, struct filter_test *t, size_t at) {
    struct filter_value *v = &t->values[at];
    bool is_country = k->attribute && strcmp(k->attribute, "country") == 0 && t->op <= FILTER_NE;
    if (t->op == FILTER_HAS && v->text.len == 0)
        return filter_fail(k->fault, "filter-value", v->column, view_of(filter_op_name(t->op)), NULL);
    switch (t->field) {
    case FILTER_LANGUAGE: return t->op == FILTER_HAS ? filter_set_value(k->filter, v, v->text) : set_language(k, v);
    case FILTER_FORM: return t->op == FILTER_HAS ? filter_set_value(k->filter, v, v->text) : set_form(k, v);
    case FILTER_JOINED: return set_day(k, v);
    case FILTER_EMAIL: return t->op == FILTER_HAS ? filter_set_value(k->filter, v, v->text) : set_email(k, v);
    case FILTER_ATTRIBUTE: return is_country ? add_country(k, t, at) : filter_set_value(k->filter, v, v->text);
    case FILTER_TITLE:
    case FILTER_GIVEN_NAME:
    case FILTER_FAMILY_NAME:
    case FILTER_NAME:
    case FILTER_ORGANISATION:
    case FILTER_TIMEZONE:
    case FILTER_TAG:
    case FILTER_FIELDS: break;
    }
    return filter_set_value(k->filter, v, v->text);
}

static int resolve_test(struct resolving *k, struct filter_test *t) {
    int r = resolve_field(k, t);
    if (r < 0)
        return r;
    if (t->field == FILTER_TAG && t->op != FILTER_HAS)
        return filter_fail(k->fault, "filter-tag", t->column, t->values[0].text, NULL);
    if (t->field == FILTER_JOINED && t->op == FILTER_HAS)
        return filter_fail(k->fault, "filter-has-date", t->column, view_of(t->written), NULL);
    size_t written = t->value_count; /* names of countries are added behind */
    for (size_t i = 0; i < written && r == 0; i++)
        r = resolve_value(k, t, i);
    return r == -EMSGSIZE ? filter_fail(k->fault, "filter-too-long", t->column, VIEW(""), NULL) : r;
}

int filter_resolve(struct filter *f, const struct filter_language *language, struct filter_fault *fault) {
    struct resolving k = {.filter = f, .language = language, .fault = fault};
    int r = 0;
    for (size_t i = 0; i < f->node_count && r == 0; i++)
        if (f->nodes[i].test)
            r = resolve_test(&k, f->nodes[i].test);
    countries_done(&k.countries);
    return r;
}
