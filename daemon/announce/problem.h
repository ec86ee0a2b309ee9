/* What is wrong (or doubtful) in an announcement, in the coordinator's language: file, line, sentence, hint.
 * The sentences stand in templates/<code>/words.ini under [problem], with {1} {2} {3} for the arguments; their names
 * are the list in templates/en/words.ini; tests hold that every language has every one that the code uses. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/why.h"

struct words;

struct problem {
    bool warning;
    const char *file;    /* name as the coordinator knows it, or "" */
    unsigned line;       /* 0: none */
    unsigned column;     /* in characters, from 1; 0: none */
    const char *key;     /* of [problem] */
    const char *args[3]; /* {1}, {2}; the third is a near name: "Did you mean …?" */
};

enum { PROBLEMS_MAX = 100 };

struct problems {
    struct arena arena;
    struct problem items[PROBLEMS_MAX];
    size_t count, errors; /* errors are counted beyond PROBLEMS_MAX too */
};

void problems_init(struct problems *p);
void problems_done(struct problems *p);
/* What is there already is not told twice. */
void problem_add(struct problems *p, bool warning, const char *file, unsigned line, const char *key, const char *a1,
                 const char *a2, const char *a3);
/* The same at a place within the line. */
void problem_add_at(struct problems *p, bool warning, const char *file, unsigned line, unsigned column, const char *key,
                    const char *a1, const char *a2, const char *a3);
/* "funding.md, Zeile 7: „strat“ kenne ich nicht. Meinten Sie „start“?" one a line. */
void problems_print(const struct problems *p, const struct words *words, struct buf *to);
/* A reason in one line: by its key in [problem] and the file that it names, or as it is where it has no key. */
void problem_print_why(const struct why *why, const struct words *words, struct buf *to);
