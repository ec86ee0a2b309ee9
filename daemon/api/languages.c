#include "api/languages.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "conf/conf.h"
#include "mail/words.h"

int api_languages_load(const struct conf *conf, struct api_languages *ret, struct why *why) {
    char **codes;
    size_t count;
    int r = words_languages(conf->templates_local, conf->templates, &codes, &count);
    if (r < 0)
        return why_set(why, r, "cannot read the templates: %s", strerror(-r));
    struct api_languages l = {.items = calloc(count + 1, sizeof(struct words *))};
    if (!l.items)
        r = why_set(why, -ENOMEM, "out of memory");
    for (size_t i = 0; r == 0 && i < count; i++) {
        r = words_load(conf->templates_local, conf->templates, codes[i], why, &l.items[l.count]);
        l.count += r == 0;
    }
    files_free_names(codes, count);
    if (r < 0)
        api_languages_done(&l);
    else
        *ret = l;
    return r;
}

void api_languages_done(struct api_languages *l) {
    for (size_t i = 0; i < l->count; i++)
        (void)words_free(l->items[i]);
    free(l->items);
    *l = (struct api_languages){0};
}
