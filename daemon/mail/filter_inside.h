/* The inside of filters, for filter*.c here and store/filter_query.c alone. */
#pragma once
#include "base/arena.h"
#include "mail/filter.h"

enum filter_field {
    FILTER_EMAIL,
    FILTER_LANGUAGE,
    FILTER_FORM,
    FILTER_TITLE,
    FILTER_GIVEN_NAME,
    FILTER_FAMILY_NAME,
    FILTER_NAME,
    FILTER_ORGANISATION,
    FILTER_TIMEZONE,
    FILTER_JOINED,
    FILTER_TAG,
    FILTER_ATTRIBUTE,
    FILTER_FIELDS
};
const char *filter_field_name(enum filter_field field);

enum filter_op { FILTER_EQ, FILTER_NE, FILTER_LT, FILTER_LE, FILTER_GT, FILTER_GE, FILTER_HAS, FILTER_OPS };
const char *filter_op_name(enum filter_op op);

struct filter_value {
    struct view text; /* as written, trimmed; folded once it is resolved */
    bool is_number, is_date;
    int64_t micro;       /* a number's millionths */
    int64_t moment;      /* of a date */
    bool has_time;       /* of a date: else its day is meant */
    int64_t from, until; /* of FILTER_JOINED: the day */
    const char *written;
    unsigned column;
    bool seen; /* of a tag */
};

struct filter_test {
    enum filter_field field;
    enum filter_op op;
    const char *written; /* the field; NULL in a thawed one */
    const char *near;    /* of a field that may be none: one that we know, or NULL */
    unsigned column;
    const char **names; /* of attributes */
    size_t name_count;
    struct filter_value *values;
    size_t value_count;
    bool seen;
};

enum filter_kind { FILTER_AND, FILTER_OR, FILTER_NOT, FILTER_TEST };
struct filter_node {
    enum filter_kind kind;
    size_t left, right; /* before it; of FILTER_NOT left alone */
    struct filter_test *test;
};

struct filter {
    struct arena arena;
    struct filter_node nodes[FILTER_NODES_MAX]; /* the last is the whole */
    size_t node_count, value_count;
    struct buf folded; /* room */
};

struct filter *filter_new(void);
/* -EMSGSIZE where there are too many. */
int filter_add_node(struct filter *f, enum filter_kind kind, size_t left, size_t right, struct filter_test *test);
/* A value to fill in; NULL where memory or room runs out. */
struct filter_value *filter_add_value(struct filter *f, struct filter_test *t);
int filter_add_name(struct filter *f, struct filter_test *t, struct view name);
/* Sets the folded text, and what it is besides. */
int filter_set_value(struct filter *f, struct filter_value *value, struct view text);

/* The text to tests with `written` and values as written. */
int filter_parse(struct filter *f, struct view text, struct filter_fault *fault);
int filter_resolve(struct filter *f, const struct filter_language *language, struct filter_fault *fault);
/* -EINVAL. */
int filter_fail(struct filter_fault *fault, const char *key, unsigned column, struct view text, const char *near);
