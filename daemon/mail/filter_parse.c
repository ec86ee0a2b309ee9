/* The text of a filter to its tests, as written: filter_parse() of mail/filter_inside.h. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "mail/filter_inside.h"

#include "base/banned.h"

enum token { TOKEN_END, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA, TOKEN_OP, TOKEN_TEXT, TOKEN_WORD, TOKEN_OTHER };

struct parsing {
    struct filter *filter;
    struct filter_fault *fault;
    struct view text;
    size_t at; /* behind the token */
    /* the token */
    enum token token;
    size_t start;
    struct view written; /* of it, with its marks */
    struct view value;   /* TOKEN_TEXT and TOKEN_WORD; in the arena */
    enum filter_op op;
    unsigned depth;
};

static unsigned column_of(const struct parsing *k, size_t at) {
    unsigned column = 1;
    for (size_t i = 0, n; i < at; i += n, column++)
        (void)text_decode(view_slice(k->text, i, k->text.len), &n);
    return column;
}

static int fail_at(struct parsing *k, const char *key, size_t at, struct view text, const char *near) {
    return filter_fail(k->fault, key, column_of(k, at), text, near);
}

/* --- Tokens --------------------------------------------------------------------------------------------------- */

static bool is_blank(uint32_t c) {
    return c == ' ' || c == '\t' || c == 0xA0 || c == 0x202F;
}

static bool is_double_mark(uint32_t c) {
    return c == 0x201C || c == 0x201D || c == 0x201E || c == 0x201F || c == 0xAB || c == 0xBB;
}

static bool is_single_mark(uint32_t c) {
    return c == 0x2018 || c == 0x2019 || c == 0x201A || c == 0x201B || c == 0x2039 || c == 0x203A;
}

/* What opens a text; word processors set typographic marks by themselves, and sometimes only one of the two. */
static bool closes(uint32_t opened, uint32_t c) {
    if (opened == '"' || opened == '\'')
        return c == opened;
    return is_double_mark(opened) ? is_double_mark(c) || c == '"' : is_single_mark(c) || c == '\'';
}

static bool opens(uint32_t c) {
    return c == '"' || c == '\'' || is_double_mark(c) || is_single_mark(c);
}

static bool is_in_word(uint32_t c) {
    if (c >= 0x80)
        return !is_blank(c) && !opens(c) && c != 0x2260 && c != 0x2264 && c != 0x2265;
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || strchr("_-.@/+:*%#", (int)c);
}

static uint32_t char_at(const struct parsing *k, size_t at, size_t *ret_len) {
    *ret_len = 0;
    return at < k->text.len ? text_decode(view_slice(k->text, at, k->text.len), ret_len) : 0;
}

static int keep_value(struct parsing *k, struct view v) {
    const char *kept = arena_dup(&k->filter->arena, v);
    k->value = view_make(kept, v.len);
    return kept ? 0 : -ENOMEM;
}

static int read_text(struct parsing *k, uint32_t opened) {
    AUTOBUF struct buf value = BUF_INIT(FILTER_MAX_BYTES + 1);
    for (size_t n; k->at < k->text.len; k->at += n) {
        uint32_t c = char_at(k, k->at, &n);
        if (closes(opened, c)) {
            k->at += n;
            k->token = TOKEN_TEXT;
            return keep_value(k, buf_view(&value));
        }
        size_t next;
        uint32_t after = char_at(k, k->at + n, &next);
        if (c == '\\' && next && (after == '\\' || closes(opened, after))) {
            k->at += n;
            n = next;
        }
        buf_add(&value, k->text.ptr + k->at, n);
    }
    return fail_at(k, "filter-quote", k->start, VIEW(""), NULL);
}

static void read_word(struct parsing *k) {
    size_t n;
    while (k->at < k->text.len && is_in_word(char_at(k, k->at, &n)))
        k->at += n;
    k->token = TOKEN_WORD;
}

/* All signs in a row, so that == is one. */
static void read_signs(struct parsing *k) {
    static const struct {
        const char *sign;
        enum filter_op op;
    } known[] = {{"=", FILTER_EQ},  {"!=", FILTER_NE}, {"<", FILTER_LT}, {"<=", FILTER_LE}, {">", FILTER_GT},
                 {">=", FILTER_GE}, {"≠", FILTER_NE},  {"≤", FILTER_LE}, {"≥", FILTER_GE}};
    size_t n;
    for (uint32_t c = char_at(k, k->at, &n); n; c = char_at(k, k->at, &n)) {
        bool sign = c == 0x2260 || c == 0x2264 || c == 0x2265 || (c < 0x80 && c && strchr("=!<>&|~^", (int)c));
        if (!sign)
            break;
        k->at += n;
    }
    struct view signs = view_slice(k->text, k->start, k->at - k->start);
    k->token = TOKEN_OTHER;
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (view_eq_str(signs, known[i].sign)) {
            k->token = TOKEN_OP;
            k->op = known[i].op;
        }
}

static int next(struct parsing *k) {
    size_t n;
    uint32_t c = char_at(k, k->at, &n);
    while (n && is_blank(c)) {
        k->at += n;
        c = char_at(k, k->at, &n);
    }
    k->start = k->at;
    int r = 0;
    if (n == 0)
        k->token = TOKEN_END;
    else if (c == '(' || c == ')' || c == ',') {
        k->at += n;
        k->token = c == '(' ? TOKEN_OPEN : c == ')' ? TOKEN_CLOSE : TOKEN_COMMA;
    } else if (opens(c)) {
        k->at += n;
        r = read_text(k, c);
    } else if (is_in_word(c))
        read_word(k);
    else {
        read_signs(k);
        if (k->at == k->start)
            k->at += n;
    }
    k->written = view_slice(k->text, k->start, k->at - k->start);
    if (r == 0 && k->token == TOKEN_WORD) {
        r = keep_value(k, k->written);
        if (view_eq_nocase(k->written, "has")) {
            k->token = TOKEN_OP;
            k->op = FILTER_HAS;
        }
    }
    return r;
}

static bool is_word(const struct parsing *k, const char *word) {
    return k->token == TOKEN_WORD && view_eq_nocase(k->written, word);
}

static bool is_keyword(const struct parsing *k) {
    return is_word(k, "and") || is_word(k, "or") || is_word(k, "not");
}

/* What is meant by the signs of other languages. */
static const char *near_sign(struct view written) {
    static const char *const pairs[][2] = {
        {"==", "="},   {"===", "="},  {"<>", "!="},  {"!==", "!="},    {"=<", "<="},  {"=>", ">="},
        {"&&", "and"}, {"&", "and"},  {"||", "or"},  {"|", "or"},      {"!", "not"},  {"und", "and"},
        {"et", "and"}, {"e", "and"},  {"i", "and"},  {"oder", "or"},   {"ou", "or"},  {"o", "or"},
        {"lub", "or"}, {"або", "or"}, {"та", "and"}, {"nicht", "not"}, {"hat", "has"}};
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        if (view_eq_nocase(written, pairs[i][0]))
            return pairs[i][1];
    return NULL;
}

/* --- Tests ---------------------------------------------------------------------------------------------------- */

static int read_values(struct parsing *k, struct filter_test *t, struct view behind) {
    for (;;) {
        if ((k->token != TOKEN_TEXT && k->token != TOKEN_WORD) || is_keyword(k))
            return fail_at(k, "filter-value", k->start, behind, NULL);
        struct filter_value *v = filter_add_value(k->filter, t);
        if (!v)
            return -ENOMEM; /* a text of FILTER_MAX_BYTES has no room for too many */
        v->text = view_trim(k->value);
        v->written = k->value.ptr;
        v->column = column_of(k, k->start);
        int r = next(k);
        if (r < 0 || k->token != TOKEN_COMMA)
            return r;
        if (t->op != FILTER_EQ && t->op != FILTER_NE && t->op != FILTER_HAS)
            return fail_at(k, "filter-several", k->start, VIEW(""), NULL);
        behind = k->written;
        if ((r = next(k)) < 0)
            return r;
    }
}

static int read_test(struct parsing *k) {
    if (k->token == TOKEN_END)
        return fail_at(k, "filter-ends", k->start, VIEW(""), NULL);
    if ((k->token != TOKEN_WORD && k->token != TOKEN_TEXT) || is_keyword(k))
        return fail_at(k, "filter-field", k->start, k->written, near_sign(k->written));
    struct filter_test *t = arena_alloc(&k->filter->arena, sizeof *t);
    if (!t)
        return -ENOMEM;
    struct view field = k->written;
    t->written = k->value.ptr;
    t->column = column_of(k, k->start);
    int r = next(k);
    if (r < 0)
        return r;
    if (k->token != TOKEN_OP)
        return fail_at(k, "filter-operator", k->start, field, near_sign(k->written));
    t->op = k->op;
    struct view op = k->written;
    if ((r = next(k)) < 0)
        return r;
    r = read_values(k, t, op);
    if (r == 0 && (r = filter_add_node(k->filter, FILTER_TEST, 0, 0, t)) < 0)
        return fail_at(k, "filter-too-long", k->start, VIEW(""), NULL);
    return r;
}

static int read_or(struct parsing *k);

static int read_brackets(struct parsing *k) {
    size_t opened = k->start;
    int r = next(k);
    if (r == 0)
        r = read_or(k);
    if (r < 0)
        return r;
    if (k->token == TOKEN_END)
        return fail_at(k, "filter-bracket-open", opened, VIEW(""), NULL);
    if (k->token != TOKEN_CLOSE)
        return fail_at(k, "filter-join", k->start, k->written, near_sign(k->written));
    return next(k);
}

static int read_part(struct parsing *k) {
    bool is_not = is_word(k, "not");
    if (!is_not && k->token != TOKEN_OPEN)
        return read_test(k);
    if (k->depth == FILTER_DEPTH_MAX)
        return fail_at(k, "filter-too-deep", k->start, VIEW(""), NULL);
    k->depth++;
    int r;
    if (!is_not)
        r = read_brackets(k);
    else if ((r = next(k)) == 0 && (r = read_part(k)) == 0 &&
             (r = filter_add_node(k->filter, FILTER_NOT, k->filter->node_count - 1, 0, NULL)) < 0)
        r = fail_at(k, "filter-too-long", k->start, VIEW(""), NULL);
    k->depth--;
    return r;
}

/* Parts that one word joins, from the left. */
static int read_joined(struct parsing *k, enum filter_kind kind, int (*read)(struct parsing *)) {
    int r = read(k);
    while (r == 0 && is_word(k, kind == FILTER_AND ? "and" : "or")) {
        size_t left = k->filter->node_count - 1;
        if ((r = next(k)) == 0 && (r = read(k)) == 0 &&
            (r = filter_add_node(k->filter, kind, left, k->filter->node_count - 1, NULL)) < 0)
            r = fail_at(k, "filter-too-long", k->start, VIEW(""), NULL);
    }
    return r;
}

static int read_and(struct parsing *k) {
    return read_joined(k, FILTER_AND, read_part);
}

static int read_or(struct parsing *k) {
    return read_joined(k, FILTER_OR, read_and);
}

int filter_parse(struct filter *f, struct view text, struct filter_fault *fault) {
    struct parsing k = {.filter = f, .fault = fault, .text = text};
    if (text.len > FILTER_MAX_BYTES || !text_is_utf8(text) || text_has_control(text))
        return filter_fail(fault, "filter-too-long", 1, VIEW(""), NULL);
    int r = next(&k);
    if (r == 0)
        r = read_or(&k);
    if (r < 0 || k.token == TOKEN_END)
        return r;
    if (k.token == TOKEN_CLOSE)
        return fail_at(&k, "filter-bracket-close", k.start, VIEW(""), NULL);
    return fail_at(&k, "filter-join", k.start, k.written, near_sign(k.written));
}
