#include "mail/salutation.h"

#include <stdio.h>

#include "base/text.h"
#include "mail/words.h"

#include "base/banned.h"

enum { KEY_MAX_BYTES = 64, SAID_MAX_BYTES = 64 * 1024 };

struct person {
    struct view form, title, given_name, family_name;
};

struct people {
    struct person one[2];
    size_t count;
    bool family_shared;
};

struct piece {
    const char *name; /* with its braces */
    struct view text;
};

static size_t split(struct view v, struct view parts[2]) {
    struct view and = VIEW(SALUTATION_AND);
    size_t at = view_find(v, '&') < v.len ? view_search(v, and) : v.len;
    parts[0] = view_trim(view_slice(v, 0, at));
    parts[1] = at < v.len ? view_trim(view_slice(v, at + and.len, v.len)) : (struct view){0};
    return at < v.len ? 2 : 1;
}

static struct people people_of(const struct contact *c) {
    struct view form[2], title[2], given[2], family[2];
    size_t forms = split(c->form, form), titles = split(c->title, title), givens = split(c->given_name, given),
           families = split(c->family_name, family);
    struct people p = {.count = forms == 2 || givens == 2 || families == 2 ? 2 : 1};
    p.family_shared = p.count == 2 && families == 1;
    for (size_t i = 0; i < p.count; i++)
        p.one[i] = (struct person){
            .form = forms == p.count ? form[i] : (struct view){0}, /* one form and two people: whose is it? */
            .title = titles == p.count ? title[i] : (struct view){0},
            .given_name = given[i],
            .family_name = p.family_shared ? family[0] : family[i],
        };
    return p;
}

static const struct piece *find_piece(const char *at, const struct piece *pieces, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strncmp(at, pieces[i].name, strlen(pieces[i].name)) == 0)
            return &pieces[i];
    return NULL;
}

/* Adds the pattern with its pieces; nothing and false where a piece that it names is empty. */
static bool expand(const char *pattern, const struct piece *pieces, size_t count, struct buf *to) {
    size_t before = to->len;
    while (*pattern) {
        const struct piece *p = find_piece(pattern, pieces, count);
        if (p && p->text.len == 0) {
            buf_truncate(to, before);
            return false;
        }
        size_t len = p ? strlen(p->name) : 1 + strcspn(pattern + 1, "{");
        buf_add_view(to, p ? p->text : view_make(pattern, len));
        pattern += len;
    }
    return true;
}

static bool join(const struct words *words, const char *key, struct view a, struct view b, struct buf *to) {
    const struct piece pieces[] = {{"{1}", a}, {"{2}", b}};
    return expand(words_get(words, key), pieces, COUNT_OF(pieces), to);
}

static void add_name(const struct person *p, struct buf *to) {
    buf_add_view(to, p->given_name);
    if (p->given_name.len && p->family_name.len)
        buf_putc(to, ' ');
    buf_add_view(to, p->family_name);
}

/* Both people's given names, or the one that is known. */
static void add_given_names(const struct words *words, const struct people *p, struct buf *to) {
    struct view a = p->one[0].given_name, b = p->one[1].given_name;
    if (!join(words, "salutation.and", a, b, to))
        buf_add_view(to, a.len ? a : b);
}

static void add_names(const struct words *words, const struct people *p, struct buf *to) {
    if (p->count == 1) {
        add_name(&p->one[0], to);
        return;
    }
    AUTOBUF struct buf a = BUF_INIT(SAID_MAX_BYTES), b = BUF_INIT(SAID_MAX_BYTES);
    if (p->family_shared) {
        add_given_names(words, p, &a);
        add_name(&(struct person){.given_name = buf_view(&a), .family_name = p->one[0].family_name}, to);
        return;
    }
    add_name(&p->one[0], &a);
    add_name(&p->one[1], &b);
    if (!join(words, "salutation.and", buf_view(&a), buf_view(&b), to))
        buf_add_view(to, a.len ? buf_view(&a) : buf_view(&b));
}

/* Says the pattern [salutation] TONE-WHAT SUFFIX if there is one and all it names is known. */
static bool say(const struct words *words, const char *tone, struct view what, const char *suffix,
                const struct person *p, struct buf *to) {
    const struct view parts[] = {VIEW("salutation."), view_of(tone), VIEW("-"), view_slice(what, 0, 32),
                                 view_of(suffix)};
    char key[KEY_MAX_BYTES];
    size_t len = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++) { /* for each mail: a format would take longer than all the rest */
        if (parts[i].len >= sizeof key - len)
            return false;
        if (parts[i].len)
            memcpy(key + len, parts[i].ptr, parts[i].len);
        len += parts[i].len;
    }
    key[len] = '\0';
    const char *pattern = words_known(words, key);
    if (!pattern)
        return false;
    const struct piece pieces[] = {
        {"{family_name}", p->family_name}, {"{given_name}", p->given_name}, {"{title}", p->title}};
    return expand(pattern, pieces, COUNT_OF(pieces), to);
}

static bool say_form(const struct words *words, const char *tone, const struct person *p, bool second, struct buf *to) {
    if (p->form.len == 0)
        return false;
    return (p->title.len && say(words, tone, p->form, second ? "-title-and" : "-title", p, to)) ||
           say(words, tone, p->form, second ? "-and" : "", p, to);
}

static bool is_same(struct view a, struct view b) {
    AUTOBUF struct buf x = BUF_INIT(SAID_MAX_BYTES), y = BUF_INIT(SAID_MAX_BYTES);
    return text_fold(a, &x) == 0 && text_fold(b, &y) == 0 && view_eq(buf_view(&x), buf_view(&y));
}

static bool say_both(const struct words *words, const char *tone, const struct people *p, struct buf *to) {
    AUTOBUF struct buf a = BUF_INIT(SAID_MAX_BYTES), b = BUF_INIT(SAID_MAX_BYTES);
    if (!say_form(words, tone, &p->one[0], false, &a) || !say_form(words, tone, &p->one[1], true, &b))
        return false;
    if (buf_error(&a) || buf_error(&b) || is_same(buf_view(&a), buf_view(&b))) /* "Madame, Madame" */
        return false;
    if (b.len == 0)
        buf_add_view(to, buf_view(&a));
    else
        (void)join(words, "salutation.both", buf_view(&a), buf_view(&b), to);
    return true;
}

static bool say_names(const struct words *words, const char *tone, const struct people *p, struct buf *to) {
    char key[KEY_MAX_BYTES];
    AUTOBUF struct buf given = BUF_INIT(SAID_MAX_BYTES), names = BUF_INIT(SAID_MAX_BYTES);
    (void)snprintf(key, sizeof key, "salutation.%s-names", tone); /* fits */
    add_given_names(words, p, &given);
    add_names(words, p, &names);
    const struct piece pieces[] = {{"{name}", buf_view(&names)}, {"{given_name}", buf_view(&given)}};
    const char *pattern = words_known(words, key);
    return !buf_error(&given) && !buf_error(&names) && pattern && expand(pattern, pieces, COUNT_OF(pieces), to);
}

static bool say_name(const struct words *words, const char *tone, const struct person *p, struct buf *to) {
    if (p->given_name.len + p->family_name.len == 0)
        return false;
    return (p->title.len && say(words, tone, VIEW("name"), "-title", p, to)) ||
           say(words, tone, VIEW("name"), "", p, to);
}

/* "Liebe Vera," is followed by the text's own comma. */
static struct view without_end_mark(struct view v) {
    v = view_trim(v);
    while (v.len && memchr(",;:!", v.ptr[v.len - 1], 4))
        v = view_trim(view_slice(v, 0, v.len - 1));
    return v;
}

void salutation_say(const struct words *words, bool formal, const struct contact *c, struct buf *to) {
    const char *tone = formal ? "formal" : "informal";
    struct view own = without_end_mark(c->own_salutation);
    if (own.len) {
        buf_add_view(to, own);
        return;
    }
    struct people p = people_of(c);
    const struct person *first = &p.one[0];
    /* "Frau und Herr Müller": one form for both. */
    struct person couple = {.form = p.family_shared ? view_trim(c->form) : (struct view){0},
                            .family_name = first->family_name};
    bool said = p.count == 2 ? say_both(words, tone, &p, to) || say_form(words, tone, &couple, false, to) ||
                                   say_names(words, tone, &p, to)
                             : say_form(words, tone, first, false, to) || say_name(words, tone, first, to);
    if (!said)
        (void)say(words, tone, VIEW("nobody"), "", first, to); /* names nothing: always applies where it is a word */
}

void salutation_name(const struct words *words, const struct contact *c, struct buf *to) {
    struct people p = people_of(c);
    add_names(words, &p, to);
}

const char *salutation_form(const struct words *const *all, size_t count, struct view written) {
    if (view_trim(written).len == 0)
        return "";
    for (size_t i = 0; i < count; i++) {
        const char *form = words_find(all[i], "forms", written);
        if (form)
            return view_eq_str(view_of(form), "none") ? "" : form;
    }
    return NULL;
}
