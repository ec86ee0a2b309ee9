#include "mail/words.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/ini.h"
#include "base/memory.h"
#include "mail/names.h"
#include "mail/plural.h"

#include "base/banned.h"

struct pair {
    const char *section, *key, *value;
    const char *full; /* "section.key" */
    unsigned layer, line;
    bool hidden; /* a layer above has the same */
};

static const char *const name_sections[] = {"columns", "attributes", "forms", "language-names", "answers"};

enum { LAYERS_MAX = 2 * WORDS_CHAIN_MAX, FILE_MAX_BYTES = 1 << 20, LANGUAGES_MAX = 1000 };

struct words {
    atomic_uint references;
    struct arena arena;
    const char *language, *dir;
    enum plural plural;
    struct pair *pairs; /* in the order of the layers and files */
    size_t count, room;
    const struct pair **sorted; /* by full key, without the hidden ones */
    size_t sorted_count;
    struct names names;
    const char *files[LAYERS_MAX]; /* of each layer, for messages */
    unsigned layers;
    struct why *why;  /* while reading */
    bool own;         /* the layer being read is of the language itself */
    const char *next; /* its fallback, where it names one */
};

static int refuse(struct words *w, unsigned layer, unsigned line) {
    why_where(w->why, "%s:%u", w->files[layer], line);
    return -EINVAL;
}

static int no_memory(struct why *why) {
    memory_failed();
    return why_set(why, -ENOMEM, "out of memory");
}

static struct pair *pairs_add(struct words *w) {
    if (w->count == w->room) {
        size_t room = w->room ? 2 * w->room : 256;
        struct pair *more = arena_alloc(&w->arena, room * sizeof *more);
        if (!more)
            return NULL;
        if (w->count)
            memcpy(more, w->pairs, w->count * sizeof *more);
        w->pairs = more;
        w->room = room;
    }
    return &w->pairs[w->count++];
}

static char escaped(char c) {
    return c == 'n' ? '\n' : c == 's' ? ' ' : c == '\\' ? '\\' : '\0';
}

static char *unescape(struct arena *a, const char *value) {
    char *copy = arena_strdup(a, value), *to = copy;
    if (!copy)
        return NULL;
    for (const char *from = value; *from; from++, to++) {
        *to = *from == '\\' ? escaped(from[1]) : '\0';
        if (*to)
            from++;
        else
            *to = *from;
    }
    *to = '\0';
    return copy;
}

static const char *fault_text(enum ini_fault fault) {
    switch (fault) {
    case INI_OK: break;
    case INI_NOT_A_PAIR: return "neither `key = value` nor [section]";
    case INI_UNCLOSED_SECTION: return "the section's name does not end with ]";
    case INI_EMPTY_NAME: return "a name is missing";
    case INI_LINE_TOO_LONG: return "the line is too long";
    case INI_NOT_UTF8: return "the text is not UTF-8";
    }
    return "";
}

static int on_item(void *user, const struct ini_item *item) {
    struct words *w = user;
    unsigned layer = w->layers;
    if (item->fault != INI_OK) {
        (void)why_set(w->why, 0, "%s", fault_text(item->fault));
        return refuse(w, layer, item->line);
    }
    if (!item->key)
        return 0;
    if (item->section[0] == '\0') {
        (void)why_set(w->why, 0, "“%s” stands before the first [section]", item->key);
        return refuse(w, layer, item->line);
    }
    bool language = view_eq_str(view_of(item->section), "language");
    if (language && !w->next && view_eq_str(view_of(item->key), "fallback"))
        w->next = arena_strdup(&w->arena, item->value);
    if (language && !w->own)
        return 0;
    if (w->count == WORDS_PAIRS_MAX) {
        (void)why_set(w->why, 0, "more than %d words", WORDS_PAIRS_MAX);
        return refuse(w, layer, item->line);
    }
    struct pair *p = pairs_add(w);
    if (!p)
        return no_memory(w->why);
    *p = (struct pair){.layer = layer,
                       .line = item->line,
                       .section = arena_strdup(&w->arena, item->section),
                       .key = arena_strdup(&w->arena, item->key),
                       .value = unescape(&w->arena, item->value),
                       .full = arena_printf(&w->arena, "%s.%s", item->section, item->key)};
    return arena_failed(&w->arena) ? no_memory(w->why) : 0;
}

static int add_layer(struct words *w, struct view text, const char *file, bool own) {
    w->files[w->layers] = arena_strdup(&w->arena, file);
    if (!w->files[w->layers])
        return no_memory(w->why);
    w->own = own;
    int r = ini_read(text, on_item, w);
    if (r == -EMSGSIZE) {
        (void)why_set(w->why, 0, "longer than 1 MiB");
        why_where(w->why, "%s", file);
    } else if (r == -ENOMEM)
        (void)no_memory(w->why);
    w->layers++;
    return r;
}

static int cmp_pairs(const void *a, const void *b) {
    const struct pair *x = *(const struct pair *const *)a, *y = *(const struct pair *const *)b;
    int r = strcmp(x->full, y->full);
    if (r == 0)
        r = (x->layer > y->layer) - (x->layer < y->layer);
    return r ? r : (x > y) - (x < y);
}

/* Sorts the pairs and hides those that a layer above has too. */
static int index_pairs(struct words *w) {
    w->sorted = arena_alloc(&w->arena, (w->count + 1) * sizeof(const struct pair *));
    if (!w->sorted)
        return no_memory(w->why);
    for (size_t i = 0; i < w->count; i++)
        w->sorted[i] = &w->pairs[i];
    qsort(w->sorted, w->count, sizeof(const struct pair *), cmp_pairs);
    const struct pair *before = NULL;
    for (size_t i = 0; i < w->count; i++) {
        struct pair *p = &w->pairs[w->sorted[i] - w->pairs];
        bool same = before && view_eq_str(view_of(p->full), before->full);
        if (same && p->layer == before->layer) {
            (void)why_set(w->why, 0, "[%s] %s stands here twice, first in line %u", p->section, p->key, before->line);
            return refuse(w, p->layer, p->line);
        }
        p->hidden = same;
        if (!same)
            w->sorted[w->sorted_count++] = p;
        before = p;
    }
    return 0;
}

static const struct pair *find(const struct words *w, const char *full) {
    size_t low = 0, high = w->sorted_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int r = strcmp(full, w->sorted[middle]->full);
        if (r == 0)
            return w->sorted[middle];
        if (r < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static bool has_names(const char *section) {
    for (size_t i = 0; i < COUNT_OF(name_sections); i++)
        if (view_eq_str(view_of(section), name_sections[i]))
            return true;
    return false;
}

static int index_names(struct words *w) {
    for (size_t i = 0; i < w->sorted_count; i++) {
        const struct pair *p = w->sorted[i];
        if (has_names(p->section) &&
            names_add(&w->names, &w->arena, p->section, p->key, p->value, p->layer, p->line) < 0)
            return no_memory(w->why);
    }
    const struct name *a, *b;
    if (names_seal(&w->names, &a, &b) == 0)
        return 0;
    (void)why_set(w->why, 0, "[%s] “%s” stands under %s and under %s", a->section, a->folded, a->meaning, b->meaning);
    return refuse(w, b->layer, b->line);
}

static int read_language(struct words *w) {
    w->dir = "ltr";
    const struct pair *dir = find(w, "language.dir"), *plural = find(w, "language.plural");
    if (dir) {
        if (!view_eq_str(view_of(dir->value), "ltr") && !view_eq_str(view_of(dir->value), "rtl")) {
            (void)why_set(w->why, 0, "dir is “%s”", dir->value);
            why_todo(w->why, "Write ltr or rtl");
            return refuse(w, dir->layer, dir->line);
        }
        w->dir = dir->value;
    }
    const char *near;
    if (!plural || plural_rule(view_of(plural->value), &w->plural, &near) == 0)
        return 0;
    (void)why_set(w->why, 0, "no plural rule is named “%s”", plural->value);
    if (near)
        why_todo(w->why, "Did you mean %s?", near);
    return refuse(w, plural->layer, plural->line);
}

static int begin(const char *language, struct why *why, struct words **ret) {
    if (!words_is_code(view_of(language)))
        return why_set(why, -EINVAL, "“%s” is not a language code such as de or pt-BR", language);
    struct words *w = calloc(1, sizeof *w);
    if (!w)
        return no_memory(why);
    atomic_init(&w->references, 1);
    arena_init(&w->arena);
    w->why = why;
    w->language = arena_strdup(&w->arena, language);
    *ret = w;
    return w->language ? 0 : no_memory(why);
}

static int finish(struct words *w) {
    int r = index_pairs(w);
    if (r == 0)
        r = read_language(w);
    if (r == 0)
        r = index_names(w);
    w->why = NULL; /* the caller's, and only for this call */
    return r;
}

static void freep(struct words **w) {
    words_free(*w);
}

static struct words *take(struct words **w) {
    struct words *taken = *w;
    *w = NULL;
    return taken;
}

int words_parse(struct view text, struct view fallback_text, const char *language, struct why *why,
                struct words **ret) {
    CLEANUP(freep) struct words *w = NULL;
    int r = begin(language, why, &w);
    if (r == 0)
        r = add_layer(w, text, "words.ini", true);
    if (r == 0 && fallback_text.len)
        r = add_layer(w, fallback_text, "words.ini of the fallback", false);
    if (r == 0)
        r = finish(w);
    if (r == 0)
        *ret = take(&w);
    return r;
}

/* Reads dir/code/words.ini as a layer: 1, 0 where there is none, or an error. */
static int load_file(struct words *w, const char *dir, const char *code, bool own) {
    if (dir[0] == '\0')
        return 0;
    char *path = arena_printf(&w->arena, "%s/%s/words.ini", dir, code);
    if (!path)
        return no_memory(w->why);
    AUTOBUF struct buf text = BUF_INIT(FILE_MAX_BYTES);
    int r = files_read(AT_FDCWD, path, &text);
    if (r == -ENOENT || r == -ENOTDIR)
        return 0;
    if (r < 0) {
        (void)why_set(w->why, r, "cannot be read: %s", strerror(-r));
        why_where(w->why, "%s", path);
        return r;
    }
    r = add_layer(w, buf_view(&text), path, own);
    return r < 0 ? r : 1;
}

static int load_chain(struct words *w, const char *local_dir, const char *shipped_dir) {
    const char *code = w->language, *chain[WORDS_CHAIN_MAX];
    bool named = true; /* not only implied */
    for (unsigned depth = 0; depth < WORDS_CHAIN_MAX; depth++) {
        chain[depth] = code;
        w->next = NULL;
        int local = load_file(w, local_dir, code, depth == 0);
        int shipped = local < 0 ? local : load_file(w, shipped_dir, code, depth == 0);
        if (shipped < 0)
            return shipped;
        if (local + shipped == 0)
            return !named ? 0
                          : why_set(w->why, depth ? -EINVAL : -ENOENT,
                                    "no texts for the language “%s”: no templates/%s/words.ini", code, code);
        named = w->next != NULL;
        code = named ? w->next : "en";
        for (unsigned i = 0; i <= depth; i++)
            if (view_eq_str(view_of(code), chain[i]))
                return 0;
        if (!words_is_code(view_of(code)))
            return why_set(w->why, -EINVAL, "the fallback “%s” is not a language code", code);
    }
    return why_set(w->why, -EINVAL, "more than %d languages fall back to each other", WORDS_CHAIN_MAX);
}

int words_load(const char *local_dir, const char *shipped_dir, const char *language, struct why *why,
               struct words **ret) {
    CLEANUP(freep) struct words *w = NULL;
    int r = begin(language, why, &w);
    if (r == 0)
        r = load_chain(w, local_dir, shipped_dir);
    if (r == 0)
        r = finish(w);
    if (r == 0)
        *ret = take(&w);
    return r;
}

struct words *words_ref(struct words *w) {
    atomic_fetch_add(&w->references, 1);
    return w;
}

struct words *words_free(struct words *w) {
    if (w && atomic_fetch_sub(&w->references, 1) == 1) {
        arena_done(&w->arena);
        free(w);
    }
    return NULL;
}

static void print_value(const char *value, struct buf *to) {
    for (const char *c = value; *c; c++)
        if (*c == '\n')
            buf_puts(to, "\\n");
        else if (*c == '\\')
            buf_puts(to, "\\\\");
        else if (*c == ' ' && (c == value || c[1] == '\0'))
            buf_puts(to, "\\s"); /* the reader trims blanks at the ends */
        else
            buf_putc(to, *c);
}

void words_print(const struct words *w, struct buf *to) {
    const char *section = "";
    for (size_t i = 0; i < w->count; i++) {
        const struct pair *p = &w->pairs[i];
        if (p->hidden || has_names(p->section))
            continue;
        if (!view_eq_str(view_of(p->section), section))
            buf_printf(to, "[%s]\n", p->section);
        section = p->section;
        buf_printf(to, "%s = ", p->key);
        print_value(p->value, to);
        buf_putc(to, '\n');
    }
}

const char *words_language(const struct words *w) {
    return w->language;
}

const char *words_dir(const struct words *w) {
    return w->dir;
}

const char *words_get(const struct words *w, const char *key) {
    const char *known = words_known(w, key);
    return known ? known : key;
}

const char *words_known(const struct words *w, const char *key) {
    const struct pair *p = find(w, key);
    return p ? p->value : NULL;
}

static void format(const char *pattern, const char *const args[3], struct buf *to) {
    for (const char *c = pattern; *c; c++)
        if (c[0] == '{' && c[1] >= '1' && c[1] <= '3' && c[2] == '}') {
            const char *arg = args[c[1] - '1'];
            buf_puts(to, arg ? arg : "");
            c += 2;
        } else
            buf_putc(to, *c);
}

void words_format(const struct words *w, const char *key, const char *a1, const char *a2, const char *a3,
                  struct buf *to) {
    format(words_get(w, key), (const char *const[]){a1, a2, a3}, to);
}

const char *words_plural_form(const struct words *w, uint64_t n) {
    return plural_form(w->plural, n);
}

void words_plural(const struct words *w, const char *key, uint64_t n, struct buf *to) {
    AUTOBUF struct buf full = BUF_INIT(4096), number = BUF_INIT(32);
    buf_printf(&full, "%s.%s", key, words_plural_form(w, n));
    const struct pair *p = find(w, buf_str(&full));
    if (!p) {
        buf_clear(&full);
        buf_printf(&full, "%s.other", key);
        p = find(w, buf_str(&full));
    }
    buf_printf(&number, "%llu", (unsigned long long)n);
    format(p ? p->value : key, (const char *const[]){buf_str(&number), NULL, NULL}, to);
}

void words_each(const struct words *w, const char *section, words_on_pair *on_pair, void *user) {
    for (size_t i = 0; i < w->count; i++)
        if (!w->pairs[i].hidden && view_eq_str(view_of(section), w->pairs[i].section))
            on_pair(user, w->pairs[i].key, w->pairs[i].value);
}

const char *words_find(const struct words *w, const char *section, struct view written) {
    return names_find(&w->names, section, written);
}

const char *words_find_language(const struct words *const *words, size_t count, struct view written) {
    const char *code = NULL;
    for (size_t i = 0; i < count && !code; i++)
        code = view_eq_nocase(written, words[i]->language) ? words[i]->language : NULL;
    for (size_t i = 0; i < count && !code; i++)
        code = words_find(words[i], "language-names", written);
    for (size_t i = 0; i < count && !code; i++)
        code = view_eq_nocase(written, words_get(words[i], "language.name")) ? words[i]->language : NULL;
    return code;
}

bool words_is_code(struct view v) {
    struct view part;
    for (bool first = true; view_split(&v, '-', &part); first = false) {
        if (part.len < 2 || part.len > (first ? 3 : 8))
            return false;
        for (size_t i = 0; i < part.len; i++) {
            char c = part.ptr[i];
            bool lower = c >= 'a' && c <= 'z', other = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            if (!lower && (first || !other))
                return false;
        }
    }
    return true;
}

/* Adds the languages below one folder to the list. */
static int add_languages(const char *dir, char ***names, size_t *count) {
    char **found;
    size_t found_count;
    int r = files_list(AT_FDCWD, dir, LANGUAGES_MAX, &found, &found_count);
    if (r < 0)
        return r == -ENOENT || r == -ENOTDIR ? 0 : r;
    for (size_t i = 0; i < found_count && r == 0; i++) {
        char path[PATH_MAX];
        if (!words_is_code(view_of(found[i])) ||
            snprintf(path, sizeof path, "%s/%s/words.ini", dir, found[i]) >= (int)sizeof path || access(path, R_OK) < 0)
            continue;
        bool known = false;
        for (size_t k = 0; k < *count; k++)
            known = known || view_eq_str(view_of((*names)[k]), found[i]);
        if (known)
            continue;
        char **more = reallocarray(*names, *count + 1, sizeof **names);
        if (more)
            *names = more;
        char *copy = more ? view_dup(view_of(found[i])) : NULL;
        if (copy)
            (*names)[(*count)++] = copy;
        else
            r = -ENOMEM;
    }
    files_free_names(found, found_count);
    return r;
}

static int cmp_codes(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int words_languages(const char *local_dir, const char *shipped_dir, char ***ret, size_t *ret_count) {
    char **names = NULL;
    size_t count = 0;
    int r = local_dir[0] ? add_languages(local_dir, &names, &count) : 0;
    if (r == 0)
        r = add_languages(shipped_dir, &names, &count);
    if (r < 0) {
        files_free_names(names, count);
        return r;
    }
    if (count)
        qsort(names, count, sizeof *names, cmp_codes);
    *ret = names;
    *ret_count = count;
    return 0;
}

void words_say_language(const struct words *w, const char *code, struct buf *to) {
    AUTOBUF struct buf key = BUF_INIT(64);
    buf_printf(&key, "language-names.%s", code);
    const char *known = words_known(w, buf_str(&key));
    if (known) {
        struct view names = view_of(known);
        buf_add_view(to, view_trim(view_slice(names, 0, view_find(names, ';'))));
    } else
        buf_puts(to, code[0] ? code : "–");
}
