#include "mail/countries.h"

#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/ini.h"
#include "base/text.h"
#include "mail/words.h"

#include "base/banned.h"

enum { FOLDED_MAX_BYTES = 4096 };

static int add(struct countries *c, const char *code, struct view name) {
    AUTOBUF struct buf folded = BUF_INIT(FOLDED_MAX_BYTES);
    name = view_trim(name);
    if (name.len == 0 || text_has_control(name) || text_fold(name, &folded) < 0)
        return 0;
    if (c->count == COUNTRIES_NAMES_MAX)
        return -E2BIG;
    if ((c->count & (c->count - 1)) == 0) {
        struct country_name *more = arena_alloc(&c->arena, (c->count ? c->count * 2 : 1) * sizeof *more);
        if (!more)
            return -ENOMEM;
        if (c->count)
            memcpy(more, c->names, c->count * sizeof *more);
        c->names = more;
    }
    const char *kept = arena_dup(&c->arena, buf_view(&folded));
    c->names[c->count++] = (struct country_name){code, kept};
    return kept ? 0 : -ENOMEM;
}

static int on_item(void *user, const struct ini_item *item) {
    struct countries *c = user;
    if (item->fault != INI_OK || !item->key || strcmp(item->section, "countries") != 0)
        return 0;
    const char *code = arena_strdup(&c->arena, item->key);
    int r = code ? 0 : -ENOMEM;
    for (struct view rest = view_of(item->value), name; r == 0 && view_split(&rest, ';', &name);)
        r = add(c, code, name);
    return r;
}

static int load_one(struct countries *c, const char *folder, const char *language) {
    AUTOBUF struct buf path = BUF_INIT(4096), text = BUF_INIT(INI_FILE_MAX);
    buf_printf(&path, "%s/%s/countries.ini", folder, language);
    int r = folder[0] ? files_read(AT_FDCWD, buf_str(&path), &text) : -ENOENT;
    if (r == -ENOENT || r == -ENOTDIR)
        return 0;
    return r < 0 ? r : ini_read(buf_view(&text), on_item, c);
}

int countries_load(struct countries *c, const char *local_dir, const char *shipped_dir) {
    char **codes = NULL;
    size_t count = 0;
    int r = words_languages(local_dir, shipped_dir, &codes, &count);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count && r == 0; i++)
        if ((r = load_one(c, shipped_dir, codes[i])) == 0)
            r = load_one(c, local_dir, codes[i]);
    files_free_names(codes, count);
    return r;
}

void countries_done(struct countries *c) {
    arena_done(&c->arena);
    *c = (struct countries){0};
}

const char *countries_code(const struct countries *c, struct view written) {
    AUTOBUF struct buf folded = BUF_INIT(FOLDED_MAX_BYTES);
    if (text_fold(view_trim(written), &folded) < 0)
        return NULL;
    for (size_t i = 0; i < c->count; i++)
        if (view_eq_str(buf_view(&folded), c->names[i].folded))
            return c->names[i].code;
    return NULL;
}
