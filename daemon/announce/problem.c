#include "announce/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/words.h"

void problems_init(struct problems *p) {
    *p = (struct problems){0};
}

void problems_done(struct problems *p) {
    arena_done(&p->arena);
    problems_init(p);
}

static const char *keep(struct problems *p, const char *s) {
    char *copy = s ? arena_strdup(&p->arena, s) : NULL;
    if (copy)
        text_cut_clean(copy);
    return copy ? copy : "";
}

static bool is_same(const char *kept, const char *s) {
    return strcmp(kept, s ? s : "") == 0;
}

/* A template's fault is found once for each language. */
static bool is_there(const struct problems *p, const char *file, unsigned line, unsigned column, const char *key,
                     const char *a1, const char *a2) {
    for (size_t i = 0; i < p->count; i++) {
        const struct problem *o = &p->items[i];
        if (o->line == line && o->column == column && is_same(o->key, key) && is_same(o->file, file) &&
            is_same(o->args[0], a1) && is_same(o->args[1], a2))
            return true;
    }
    return false;
}

void problem_add(struct problems *p, bool warning, const char *file, unsigned line, const char *key, const char *a1,
                 const char *a2, const char *a3) {
    problem_add_at(p, warning, file, line, 0, key, a1, a2, a3);
}

void problem_add_at(struct problems *p, bool warning, const char *file, unsigned line, unsigned column, const char *key,
                    const char *a1, const char *a2, const char *a3) {
    if (!warning)
        p->errors++;
    if (is_there(p, file, line, column, key, a1, a2))
        return;
    if (p->count == PROBLEMS_MAX)
        return;
    p->items[p->count++] =
        (struct problem){warning, keep(p, file), line, column, keep(p, key), {keep(p, a1), keep(p, a2), keep(p, a3)}};
}

static void print_one(const struct problem *p, const struct words *words, struct buf *to) {
    char line[16], column[16];
    (void)snprintf(line, sizeof line, "%u", p->line); /* fit: numbers */
    (void)snprintf(column, sizeof column, "%u", p->column);
    AUTOBUF struct buf key = BUF_INIT(128);
    if (p->file[0])
        words_format(words,
                     p->line && p->column ? "problem.at-column"
                     : p->line            ? "problem.at-line"
                                          : "problem.at-file",
                     p->file, line, column, to);
    if (p->file[0])
        buf_putc(to, ' ');
    if (p->warning)
        buf_printf(to, "%s ", words_get(words, "problem.warning"));
    buf_printf(&key, "problem.%s", p->key);
    words_format(words, buf_str(&key), p->args[0], p->args[1], p->args[2], to);
    if (p->args[2][0]) {
        buf_putc(to, ' ');
        words_format(words, "problem.did-you-mean", p->args[2], NULL, NULL, to);
    }
    buf_putc(to, '\n');
}

void problems_print(const struct problems *p, const struct words *words, struct buf *to) {
    for (size_t i = 0; i < p->count; i++)
        print_one(&p->items[i], words, to);
}

void problem_print_why(const struct why *why, const struct words *words, struct buf *to) {
    if (why->key) {
        const struct problem p = {.file = why->where, .key = why->key, .args = {"", "", ""}};
        print_one(&p, words, to);
        return;
    }
    why_print(why, to);
    buf_putc(to, '\n');
}
