#include "store/filter_query.h"

#include <errno.h>
#include <stdlib.h>

#include "mail/filter_inside.h"
#include "store/visible.h"

#include "base/banned.h"

enum { SQL_MAX_BYTES = 512 * 1024, OPEN_ENDS_MAX = 60 };

struct writing {
    struct filter_query *query;
    const struct filter *filter;
    size_t first;
    bool failed;
};

/* --- Values --------------------------------------------------------------------------------------------------- */

static void put_value(struct writing *k, struct db_value value) {
    struct filter_query *q = k->query;
    if (q->count == q->room) {
        size_t room = q->room ? q->room * 2 : 16;
        struct db_value *more = reallocarray(q->values, room, sizeof *more);
        if (!more) {
            k->failed = true;
            return;
        }
        q->values = more;
        q->room = room;
    }
    q->values[q->count++] = value;
    buf_printf(&q->sql, "?%zu", k->first + q->count - 1);
}

static void put_text(struct writing *k, struct view text) {
    put_value(k, (struct db_value){.is_text = true, .text = text});
}

static void put_number(struct writing *k, int64_t number) {
    put_value(k, (struct db_value){.number = number});
}

/* What a value is compared as. */
enum kind { KIND_TEXT, KIND_NUMBER, KIND_DAY, KIND_MOMENT, KINDS };

static enum kind kind_of(const struct filter_value *v) {
    if (v->is_number)
        return KIND_NUMBER;
    return !v->is_date ? KIND_TEXT : v->has_time ? KIND_MOMENT : KIND_DAY;
}

static void put_wanted(struct writing *k, const struct filter_value *v) {
    switch (kind_of(v)) {
    case KIND_TEXT: put_text(k, v->text); break;
    case KIND_NUMBER: put_number(k, v->micro); break;
    case KIND_DAY: put_number(k, v->moment / FILTER_MOMENTS_A_DAY); break;
    case KIND_MOMENT: put_number(k, v->moment); break;
    case KINDS: break;
    }
}

/* The person's value, as SQL, as something of that kind: NULL where it is none. */
static void put_as(struct writing *k, enum kind kind, const char *x) {
    static const char *const before[KINDS] = {"folded(", "number_of(folded(", "moment_of(folded(", "moment_of(folded("},
                             *const behind[KINDS] = {")", "))", "))/100000", "))"};
    _Static_assert(FILTER_MOMENTS_A_DAY == 100000, "the days of moment_of()");
    buf_printf(&k->query->sql, "%s%s%s", before[kind], x, behind[kind]);
}

/* --- Tests ---------------------------------------------------------------------------------------------------- */

/* Any of the values: those of a kind are one set. */
static void put_equals(struct writing *k, const struct filter_test *t, const char *x) {
    bool any = false;
    for (int kind = 0; kind < KINDS; kind++) {
        bool open = false;
        for (size_t i = 0; i < t->value_count; i++) {
            if ((int)kind_of(&t->values[i]) != kind)
                continue;
            if (!open) {
                buf_puts(&k->query->sql, any ? " OR " : "");
                put_as(k, (enum kind)kind, x);
            }
            buf_puts(&k->query->sql, open ? "," : " IN (");
            put_wanted(k, &t->values[i]);
            any = open = true;
        }
        buf_puts(&k->query->sql, open ? ")" : "");
    }
}

/* The texts of a test as one value, a line each: as many as there are, no expression grows deep with them. */
static void put_lines(struct writing *k, const struct filter_test *t, bool names) {
    AUTOBUF struct buf lines = BUF_INIT(FILTER_FROZEN_MAX_BYTES);
    for (size_t i = 0; i < (names ? t->name_count : t->value_count); i++) {
        buf_add_view(&lines, names ? view_of(t->names[i]) : t->values[i].text);
        buf_putc(&lines, '\n');
    }
    const char *kept = buf_error(&lines) ? NULL : arena_dup(&k->query->arena, buf_view(&lines));
    k->failed |= !kept;
    put_text(k, view_make(kept ? kept : "", kept ? lines.len : 0));
}

static void put_has(struct writing *k, const struct filter_test *t, const char *x) {
    buf_printf(&k->query->sql, "contains(folded(%s),", x);
    put_lines(k, t, false);
    buf_putc(&k->query->sql, ')');
}

/* Nothing is before or behind the empty text. */
static void put_order(struct writing *k, const struct filter_test *t, const char *x) {
    static const char *const signs[FILTER_OPS] = {
        [FILTER_LT] = "<", [FILTER_LE] = "<=", [FILTER_GT] = ">", [FILTER_GE] = ">="};
    const struct filter_value *v = &t->values[0];
    enum kind kind = kind_of(v);
    buf_puts(&k->query->sql, kind == KIND_TEXT ? "nullif(" : "");
    put_as(k, kind, x);
    buf_printf(&k->query->sql, "%s%s", kind == KIND_TEXT ? ",'')" : "", signs[t->op]);
    put_wanted(k, v);
}

/* Whether the test (but for !=, its contrary) holds of x. NULL counts as no. */
static void put_test_of(struct writing *k, const struct filter_test *t, const char *x) {
    buf_putc(&k->query->sql, '(');
    switch (t->op) {
    case FILTER_EQ:
    case FILTER_NE: put_equals(k, t, x); break;
    case FILTER_HAS: put_has(k, t, x); break;
    case FILTER_LT:
    case FILTER_LE:
    case FILTER_GT:
    case FILTER_GE: put_order(k, t, x); break;
    case FILTER_OPS: break;
    }
    buf_puts(&k->query->sql, ") IS TRUE");
}

static bool asks_for_nothing(const struct filter_test *t) {
    for (size_t i = 0; i < t->value_count; i++)
        if ((t->op == FILTER_EQ || t->op == FILTER_NE) && t->values[i].text.len == 0)
            return true;
    return false;
}

/* Any attribute of these names; where the person has none of them, the empty text. */
static void put_attribute(struct writing *k, const struct filter_test *t) {
    struct buf *to = &k->query->sql;
    const char *from = "EXISTS (SELECT 1 FROM attributes_of(s.attributes,";
    buf_puts(to, from);
    put_lines(k, t, true);
    buf_puts(to, ") WHERE ");
    put_test_of(k, t, "value");
    buf_putc(to, ')');
    if (!asks_for_nothing(t))
        return;
    buf_printf(to, " OR NOT %s", from);
    put_lines(k, t, true);
    buf_puts(to, "))");
}

static void put_tag(struct writing *k, const struct filter_test *t) {
    buf_puts(&k->query->sql, "tagged(u.tags,");
    put_lines(k, t, false);
    buf_putc(&k->query->sql, ')');
}

static void put_joined(struct writing *k, const struct filter_test *t) {
    struct buf *to = &k->query->sql;
    for (size_t i = 0; i < t->value_count; i++) {
        const struct filter_value *v = &t->values[i];
        bool on_day = t->op == FILTER_EQ || t->op == FILTER_NE;
        buf_puts(to, i ? " OR " : "");
        if (on_day || t->op == FILTER_GE || t->op == FILTER_LT) {
            buf_printf(to, "u.since%s", t->op == FILTER_LT ? "<" : ">=");
            put_number(k, v->from);
        }
        buf_puts(to, on_day ? " AND " : "");
        if (on_day || t->op == FILTER_LE || t->op == FILTER_GT) {
            buf_printf(to, "u.since%s", t->op == FILTER_GT ? ">=" : "<");
            put_number(k, v->until);
        }
    }
}

static void put_test(struct writing *k, const struct filter_test *t, bool negated) {
    static const char *const columns[FILTER_FIELDS] = {
        [FILTER_EMAIL] = "s.address_key",
        [FILTER_LANGUAGE] = "s.language",
        [FILTER_FORM] = "s.form",
        [FILTER_TITLE] = "s.title",
        [FILTER_GIVEN_NAME] = "s.given_name",
        [FILTER_FAMILY_NAME] = "s.family_name",
        [FILTER_NAME] = "s.given_name||' '||s.family_name",
        [FILTER_ORGANISATION] = "s.organisation",
        [FILTER_TIMEZONE] = "s.timezone",
    };
    struct buf *to = &k->query->sql;
    buf_puts(to, negated != (t->op == FILTER_NE) ? "NOT (" : "(");
    switch (t->field) {
    case FILTER_EMAIL:
        put_test_of(k, t, columns[t->field]);
        buf_puts(to, " OR (s.address<>'' AND ");
        put_test_of(k, t, "s.address");
        buf_putc(to, ')');
        break;
    case FILTER_LANGUAGE:
    case FILTER_FORM:
    case FILTER_TITLE:
    case FILTER_GIVEN_NAME:
    case FILTER_FAMILY_NAME:
    case FILTER_NAME:
    case FILTER_ORGANISATION:
    case FILTER_TIMEZONE: put_test_of(k, t, columns[t->field]); break;
    case FILTER_ATTRIBUTE: put_attribute(k, t); break;
    case FILTER_TAG: put_tag(k, t); break;
    case FILTER_JOINED: put_joined(k, t); break;
    case FILTER_FIELDS: break;
    }
    buf_putc(to, ')');
}

/* --- The tree ------------------------------------------------------------------------------------------------- */

static bool is_and(const struct filter_node *n, bool negated) {
    return (n->kind == FILTER_AND) != negated;
}

/* How many ends are open at most in the parser while it reads the node; in_and: what it stands in binds tighter. */
static unsigned open_ends(const struct filter *f, size_t at, bool negated, bool in_and) {
    const struct filter_node *n = &f->nodes[at];
    if (n->kind == FILTER_TEST)
        return 1;
    if (n->kind == FILTER_NOT)
        return open_ends(f, n->left, !negated, in_and);
    bool here = is_and(n, negated);
    unsigned left = open_ends(f, n->left, negated, here), right = open_ends(f, n->right, negated, here);
    unsigned more = left < right ? right : left, less = left < right ? left : right;
    return (in_and && !here) + (more > less + 2 ? more : less + 2);
}

/* Depth is bounded by the nodes, here and above. */
static void put_node(struct writing *k, size_t at, bool negated, bool in_and) {
    const struct filter_node *n = &k->filter->nodes[at];
    struct buf *to = &k->query->sql;
    if (n->kind == FILTER_TEST) {
        put_test(k, n->test, negated);
        return;
    }
    if (n->kind == FILTER_NOT) {
        put_node(k, n->left, !negated, in_and);
        return;
    }
    bool here = is_and(n, negated), brackets = in_and && !here;
    bool left_first = open_ends(k->filter, n->left, negated, here) >= open_ends(k->filter, n->right, negated, here);
    buf_puts(to, brackets ? "(" : "");
    put_node(k, left_first ? n->left : n->right, negated, here);
    buf_puts(to, here ? " AND " : " OR ");
    put_node(k, left_first ? n->right : n->left, negated, here);
    buf_puts(to, brackets ? ")" : "");
}

int filter_query_init(struct filter_query *q, const struct filter *f, size_t first) {
    *q = (struct filter_query){.sql = BUF_INIT(SQL_MAX_BYTES)};
    arena_init(&q->arena);
    struct writing k = {.query = q, .filter = f, .first = first};
    if (open_ends(f, f->node_count - 1, false, false) > OPEN_ENDS_MAX)
        return -EINVAL;
    put_node(&k, f->node_count - 1, false, false);
    if (k.failed)
        return -ENOMEM;
    return buf_error(&q->sql) == -EMSGSIZE ? -EINVAL : buf_error(&q->sql);
}

void filter_query_done(struct filter_query *q) {
    buf_done(&q->sql);
    arena_done(&q->arena);
    free(q->values);
    *q = (struct filter_query){.count = 0};
}
