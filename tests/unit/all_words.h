/* The shipped words of all languages, for the length of a group of tests. */
#pragma once
#include "mail/words.h"
#include "unit.h"

static struct words *all_words[16];
static size_t all_words_count;
#define ALL_WORDS (const struct words *const *)all_words, all_words_count

/* As group_setup and group_teardown. */
static inline int load_all_words(void **state) {
    (void)state;
    char **codes;
    size_t n;
    struct why why;
    if (words_languages("", "templates", &codes, &n) < 0 || n > COUNT_OF(all_words))
        return -1;
    for (; all_words_count < n; all_words_count++)
        if (words_load("", "templates", codes[all_words_count], &why, &all_words[all_words_count]) < 0)
            return -1;
    files_free_names(codes, n);
    return 0;
}

static inline int free_all_words(void **state) {
    (void)state;
    for (; all_words_count; all_words_count--)
        (void)words_free(all_words[all_words_count - 1]);
    return 0;
}
