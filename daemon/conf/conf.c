#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

#include "conf/whole.h"

#include "base/banned.h"

struct conf *conf_ref(const struct conf *conf) {
    struct whole *whole = (struct whole *)conf; /* only the count changes */
    atomic_fetch_add(&whole->references, 1);
    return &whole->conf;
}

struct conf *conf_unref(struct conf *conf) {
    struct whole *whole = (struct whole *)conf;
    if (whole && atomic_fetch_sub(&whole->references, 1) == 1) {
        arena_done(&whole->arena);
        free(whole);
    }
    return NULL;
}

const struct conf_list *conf_find_list(const struct conf *conf, struct view name) {
    for (size_t i = 0; i < conf->list_count; i++)
        if (view_eq_str(name, conf->lists[i].name))
            return &conf->lists[i];
    return NULL;
}

const struct conf_list *conf_find_list_id(const struct conf *conf, uint32_t id) {
    for (size_t i = 0; i < conf->list_count; i++)
        if (conf->lists[i].id == id)
            return &conf->lists[i];
    return NULL;
}

const struct conf_sender *conf_find_sender(const struct conf *conf, struct view id) {
    for (size_t i = 0; i < conf->sender_count; i++)
        if (view_eq_str(id, conf->senders[i].id))
            return &conf->senders[i];
    return NULL;
}

/* Asked for every recipient: by bisection, as they stand by domain. */
const struct conf_destination *conf_find_destination(const struct conf *conf, struct view domain) {
    size_t from = 0, to = conf->destination_count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        int c = view_cmp(domain, view_of(conf->destinations[middle].domain));
        if (c == 0)
            return &conf->destinations[middle];
        if (c < 0)
            to = middle;
        else
            from = middle + 1;
    }
    return NULL;
}

const char *conf_list_title(const struct conf_list *list, const char *language) {
    for (size_t i = 0; i < list->title_count; i++)
        if (strcmp(list->titles[i].language, language) == 0)
            return list->titles[i].title;
    return list->title;
}

void conf_strings_join(const struct conf_strings *strings, struct buf *to) {
    for (size_t i = 0; i < strings->count; i++)
        buf_printf(to, "%s%s", i ? "," : "", strings->items[i]);
}

bool conf_list_has_language(const struct conf_list *list, const char *language) {
    for (size_t i = 0; i < list->languages.count; i++)
        if (strcmp(list->languages.items[i], language) == 0)
            return true;
    return false;
}

unsigned place_line(const struct place *place, const char *key) {
    size_t count;
    const struct option *rows = options_of(place->section, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].key, key) == 0)
            return place->key_lines[i];
    return 0;
}

const struct place *place_of(const struct whole *whole, const void *item) {
    for (size_t i = 0; i < whole->place_count; i++)
        if (whole->places[i].item == item)
            return &whole->places[i];
    return NULL;
}

const struct place *place_alone(const struct whole *whole, enum section section) {
    for (size_t i = 0; i < whole->place_count; i++)
        if (whole->places[i].section == section)
            return &whole->places[i];
    return NULL;
}

void conf_door_socket(const struct conf *conf, struct buf *to) {
    const char *slash = strrchr(conf->socket, '/');
    buf_add(to, conf->socket, slash ? (size_t)(slash - conf->socket) + 1 : 0);
    buf_puts(to, "door.sock");
}
