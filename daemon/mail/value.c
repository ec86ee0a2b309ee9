#include "mail/value.h"

#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "mail/merge.h"

#include "base/banned.h"

struct value value_text(const char *s) {
    return (struct value){.kind = VALUE_TEXT, .text = view_of(s)};
}

struct value value_map(void) {
    return (struct value){.kind = VALUE_MAP};
}

struct value value_list(void) {
    return (struct value){.kind = VALUE_LIST};
}

struct value value_field(unsigned number) {
    return (struct value){.kind = VALUE_FIELD, .field = number};
}

static const struct value *map_get(const struct value *map, struct view key) {
    for (size_t i = 0; map->kind == VALUE_MAP && i < map->count; i++)
        if (view_eq_str(key, map->keys[i]))
            return &map->items[i];
    return NULL;
}

int value_set(struct arena *a, struct value *map, const char *key, struct value v) {
    struct value *there = (struct value *)map_get(map, view_of(key)); /* the map is ours to change */
    if (there) {
        *there = v;
        return 0;
    }
    struct value *items = arena_grow(a, map->items, map->count, sizeof *items);
    const char **keys = arena_grow(a, map->keys, map->count, sizeof *keys);
    const char *copy = arena_strdup(a, key);
    if (!items || !keys || !copy)
        return -ENOMEM;
    items[map->count] = v;
    keys[map->count] = copy;
    map->items = items;
    map->keys = keys;
    map->count++;
    return 0;
}

int value_append(struct arena *a, struct value *list, struct value v) {
    struct value *items = arena_grow(a, list->items, list->count, sizeof *items);
    if (!items)
        return -ENOMEM;
    items[list->count++] = v;
    list->items = items;
    return 0;
}

bool value_is_true(const struct value *v) {
    switch (v->kind) {
    case VALUE_NULL: return false;
    case VALUE_BOOL: return v->truth;
    case VALUE_TEXT: return v->part ? v->part->count > 0 : v->text.len > 0;
    case VALUE_LIST: return v->count > 0;
    case VALUE_MAP: return true;
    case VALUE_FIELD: return true;
    }
    return false;
}

void scope_init(struct scope *s, const struct value *root) {
    s->depth = 0;
    (void)scope_push(s, root, false); /* the first always fits */
}

bool scope_push(struct scope *s, const struct value *value, bool is_url) {
    if (s->depth == SCOPE_DEPTH_MAX)
        return false;
    s->frames[s->depth].value = value;
    s->frames[s->depth++].is_url = is_url;
    return true;
}

void scope_pop(struct scope *s) {
    s->depth--;
}

static struct found find_first(const struct scope *s, struct view part) {
    for (unsigned i = s->depth; i-- > 0;) {
        const struct value *v = map_get(s->frames[i].value, part);
        if (v)
            return (struct found){.value = v, .is_url = s->frames[i].is_url || (i == 0 && view_eq_str(part, "url"))};
    }
    return (struct found){0};
}

struct found scope_find(const struct scope *s, struct view name) {
    if (view_eq_str(name, "."))
        return (struct found){.value = s->frames[s->depth - 1].value, .is_url = s->frames[s->depth - 1].is_url};
    struct view rest = name, part;
    if (!view_split(&rest, '.', &part))
        return (struct found){0};
    struct found f = find_first(s, part);
    while (f.value && view_split(&rest, '.', &part)) {
        const struct value *outer = f.value;
        f.value = map_get(outer, part);
        if (!f.value)
            return (struct found){.after_null = outer->kind == VALUE_NULL, .after_field = outer->kind == VALUE_FIELD};
    }
    return f;
}

struct names {
    struct arena arena;
    const char *list[SCOPE_NAMES_MAX];
    size_t count;
};

enum { NAME_PARTS_MAX = 4 };

static void collect(struct names *n, const struct value *map, const char *prefix, unsigned parts) {
    for (size_t i = 0; map->kind == VALUE_MAP && i < map->count && n->count < SCOPE_NAMES_MAX; i++) {
        const char *name = arena_printf(&n->arena, "%s%s%s", prefix, *prefix ? "." : "", map->keys[i]);
        if (!name)
            return;
        if (map->items[i].kind == VALUE_MAP && parts < NAME_PARTS_MAX)
            collect(n, &map->items[i], name, parts + 1);
        else
            n->list[n->count++] = name;
    }
}

void scope_nearest(const struct scope *s, struct view name, char *ret, size_t size) {
    struct names *n = malloc(sizeof *n);
    const char *best = NULL;
    if (n) {
        arena_init(&n->arena);
        n->count = 0;
        if (s->depth > 1)
            collect(n, s->frames[s->depth - 1].value, "", 1);
        collect(n, s->frames[0].value, "", 1);
        best = text_nearest(name, n->list, n->count);
    }
    (void)snprintf(ret, size, "%s",
                   best ? best : ""); /* a longer name is no use as a hint, but a cut one does no harm */
    text_cut_clean(ret);
    if (n)
        arena_done(&n->arena);
    free(n);
}
