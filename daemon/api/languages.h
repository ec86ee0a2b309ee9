/* The words of every language that templates/ has: what people call columns, forms of address and languages. */
#pragma once
#include <stddef.h>

#include "base/why.h"

struct conf;
struct words;

struct api_languages {
    struct words **items;
    size_t count;
};

/* -ENOENT … with the reason. A language that cannot be read is the admin's to mend: it is an error here too. */
int api_languages_load(const struct conf *conf, struct api_languages *ret, struct why *why);
void api_languages_done(struct api_languages *l);
