#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/ini.h"
#include "base/text.h"
#include "conf/complaints.h"
#include "conf/machine.h"
#include "conf/value.h"
#include "conf/whole.h"

#include "base/banned.h"

static_assert((int)CONF_FILE_MAX == (int)INI_FILE_MAX);

/* Reading is one pass: each head makes a place with an item that has the defaults, each pair goes into the item of the
 * last place. At the end the items are put into the arrays that struct conf shows. */
struct loading {
    struct whole *whole;
    struct complaints complaints;
    size_t room; /* for places */
    size_t counts[SECTION_COUNT];
    size_t current; /* place that pairs go into, or one of the two below */
};
#define BEFORE_ANY SIZE_MAX
#define SKIPPED (SIZE_MAX - 1)

static void complain_at(struct loading *l, unsigned line, int error, const char *what, const char *todo) {
    struct why why;
    (void)why_set(&why, error, "%s", what);
    why_todo(&why, "%s", todo);
    complain(&l->complaints, NULL, line, NULL, &why);
}

static void *new_item(struct arena *arena, enum section section, const char *name, struct whole *whole) {
    switch (section) {
    case SECTION_SENDER: {
        struct conf_sender *sender = arena_alloc(arena, sizeof *sender);
        if (sender)
            sender->id = name;
        return sender;
    }
    case SECTION_RELAY: {
        struct conf_relay *relay = arena_alloc(arena, sizeof *relay);
        if (relay) {
            relay->id = name;
            relay->host = "";
        }
        return relay;
    }
    case SECTION_DESTINATION: {
        struct conf_destination *destination = arena_alloc(arena, sizeof *destination);
        if (destination)
            destination->domain = name;
        return destination;
    }
    case SECTION_LIST: {
        struct conf_list *list = arena_alloc(arena, sizeof *list);
        if (list)
            list->name = name;
        return list;
    }
    case SECTION_DAEMON:
    case SECTION_WEB:
    case SECTION_BOUNCE:
    case SECTION_RETRY:
    case SECTION_TIMEOUTS:
    case SECTION_RETENTION:
    case SECTION_COUNT: break;
    }
    return &whole->conf;
}

static bool set_defaults(struct place *place, struct arena *arena) {
    size_t count;
    const struct option *rows = options_of(place->section, &count);
    for (size_t i = 0; i < count; i++) {
        struct why why;
        if (rows[i].type == OPTION_TITLES)
            continue;
        int r = value_read(&rows[i], view_of(rows[i].fallback), (struct view){0}, arena, place->item, &why);
        assert(r != -EINVAL);
        if (r < 0)
            return false;
    }
    return true;
}

/* Adds a place with the defaults; NULL when memory runs out. */
static struct place *add_place(struct loading *l, enum section section, const char *name, unsigned line) {
    struct whole *whole = l->whole;
    if (whole->place_count == l->room) {
        size_t room = l->room ? 2 * l->room : 32;
        struct place *places = arena_alloc(&whole->arena, room * sizeof *places);
        if (!places)
            return NULL;
        if (whole->place_count)
            memcpy(places, whole->places, whole->place_count * sizeof *places);
        whole->places = places;
        l->room = room;
    }
    size_t keys;
    (void)options_of(section, &keys);
    struct place place = {.section = section,
                          .name = name,
                          .line = line,
                          .item = new_item(&whole->arena, section, name, whole),
                          .key_lines = arena_alloc(&whole->arena, keys * sizeof *place.key_lines)};
    if (!name || !place.item || !place.key_lines || !set_defaults(&place, &whole->arena))
        return NULL;
    whole->places[whole->place_count] = place;
    return &whole->places[whole->place_count++];
}

static void unknown_section(struct loading *l, unsigned line, struct view word) {
    const char *words[SECTION_COUNT];
    struct why why;
    for (size_t i = 0; i < SECTION_COUNT; i++)
        words[i] = section_rows[i].word;
    const char *near = text_nearest(word, words, SECTION_COUNT);
    (void)why_set(&why, -EINVAL, "there is no section [%.*s]", (int)(word.len < 60 ? word.len : 60), word.ptr);
    if (near)
        why_todo(&why, "Did you mean [%s]?", near);
    complain(&l->complaints, NULL, line, NULL, &why);
}

/* A domain's name counts in lower case. */
static const char *copy_name(struct arena *arena, enum section section, struct view name) {
    char *copy = arena_dup(arena, name);
    for (char *c = copy; c && *c && section == SECTION_DESTINATION; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

static struct place *find_place(struct whole *whole, enum section section, const char *name) {
    for (size_t i = 0; i < whole->place_count; i++)
        if (whole->places[i].section == section && strcmp(whole->places[i].name, name) == 0)
            return &whole->places[i];
    return NULL;
}

static void check_head(struct loading *l, const struct place *place, const struct place *before, bool surplus_name) {
    const struct section_row *row = &section_rows[place->section];
    struct why why;
    if (surplus_name) {
        (void)why_set(&why, -EINVAL, "this section takes no name");
        why_todo(&why, "Write [%s]", row->word);
    } else if (row->name && !place->name[0]) {
        (void)why_set(&why, -EINVAL, "this section needs a name");
        why_todo(&why, "Write [%s %s]", row->word, row->name);
    } else if (before && before->line) {
        (void)why_set(&why, -EINVAL, "this section is there twice; the first is in line %u", before->line);
        why_todo(&why, "Put all its keys into one");
    } else if (!row->check_name || row->check_name(view_of(place->name), &why) == 0)
        return;
    complain(&l->complaints, place, place->line, NULL, &why);
}

static int on_head(struct loading *l, unsigned line, struct view head) {
    size_t blank = 0;
    while (blank < head.len && head.ptr[blank] != ' ' && head.ptr[blank] != '\t')
        blank++;
    struct view word = view_slice(head, 0, blank), name = view_trim(view_slice(head, blank, head.len));
    unsigned section = 0;
    while (section < SECTION_COUNT && !view_eq_str(word, section_rows[section].word))
        section++;
    l->current = SKIPPED;
    if (section == SECTION_COUNT) {
        unknown_section(l, line, word);
        return 0;
    }
    const struct section_row *row = &section_rows[section];
    if (row->name && l->counts[section]++ >= row->max) {
        if (l->counts[section] == row->max + 1) {
            struct why why;
            (void)why_set(&why, -E2BIG, "there are more than %zu sections [%s %s]", row->max, row->word, row->name);
            complain(&l->complaints, NULL, line, NULL, &why);
        }
        return 0;
    }
    const char *copy = row->name ? copy_name(&l->whole->arena, section, name) : "";
    if (!copy)
        return -ENOMEM;
    struct place *before = find_place(l->whole, section, copy);
    if (before && !before->line && !row->name) { /* stands alone, and was not there yet */
        before->line = line;
        check_head(l, before, NULL, name.len > 0);
        l->current = (size_t)(before - l->whole->places);
        return 0;
    }
    size_t index_before = before ? (size_t)(before - l->whole->places) : 0;
    struct place *place = add_place(l, section, copy, line);
    if (!place)
        return -ENOMEM;
    check_head(l, place, before ? &l->whole->places[index_before] : NULL, !row->name && name.len > 0);
    l->current = (size_t)(place - l->whole->places);
    return 0;
}

static void unknown_key(struct loading *l, const struct place *place, unsigned line, const char *key) {
    const char *keys[64];
    size_t rows_count, count = 0;
    const struct option *rows = options_of(place->section, &rows_count);
    struct why why;
    for (size_t i = 0; i < rows_count && count < COUNT_OF(keys); i++)
        keys[count++] = rows[i].key;
    (void)why_set(&why, -EINVAL, "there is no such key in this section");
    const char *near = text_nearest(view_of(key), keys, count);
    if (near)
        why_todo(&why, "Did you mean %s?", near);
    for (unsigned s = 0; s < SECTION_COUNT && !near; s++)
        if (option_find(s, view_of(key))) {
            near = section_rows[s].word;
            why_todo(&why, "It belongs into [%s%s%s]", near, section_rows[s].name ? " " : "",
                     section_rows[s].name ? section_rows[s].name : "");
        }
    complain(&l->complaints, place, line, key, &why);
}

static int read_pair(struct loading *l, struct place *place, const struct option *o, const struct ini_item *item,
                     struct why *why) {
    struct view value = view_of(item->value), key = view_of(item->key);
    if (text_has_control(value))
        return why_set(why, -EINVAL, "the value has control characters in it");
    if (value.len == 0 && o->fallback && o->fallback[0]) {
        (void)why_set(why, -EINVAL, "nothing stands behind the =");
        why_todo(why, "Give a value, or leave the key out for the default, which is %s", o->fallback);
        return -EINVAL;
    }
    if (value.len == 0 && o->required) {
        (void)why_set(why, -EINVAL, "this must be filled in");
        why_todo(why, "For example: %s = %s", o->key, o->example);
        return -EINVAL;
    }
    if (o->type == OPTION_SENDER)
        return (place->sender = arena_dup(&l->whole->arena, value)) ? 0 : -ENOMEM;
    struct view suffix = view_slice(key, strlen(o->key) - (o->type == OPTION_TITLES), key.len);
    int r = value_read(o, value, suffix, &l->whole->arena, place->item, why);
    if (r == 0 && o->type == OPTION_TITLES)
        place->title_lines[((const struct conf_list *)place->item)->title_count - 1] = item->line;
    return r;
}

static int on_pair(struct loading *l, const struct ini_item *item) {
    if (l->current == SKIPPED)
        return 0;
    if (l->current == BEFORE_ANY) {
        complain_at(l, item->line, -EINVAL, "this stands before the first section",
                    "Put it below a line such as [daemon]");
        return 0;
    }
    struct place *place = &l->whole->places[l->current];
    const struct option *o = option_find(place->section, view_of(item->key));
    if (!o) {
        unknown_key(l, place, item->line, item->key);
        return 0;
    }
    size_t count;
    unsigned *line = &place->key_lines[o - options_of(place->section, &count)];
    struct why why;
    int r = 0;
    if (o->type == OPTION_LATER)
        r = why_set(&why, -EINVAL, "not supported yet");
    else if (*line && o->type != OPTION_TITLES) {
        r = why_set(&why, -EINVAL, "this key is there twice; the first is in line %u", *line);
        why_todo(&why, "Leave one of them");
    } else {
        *line = item->line;
        r = read_pair(l, place, o, item, &why);
    }
    if (r == -EINVAL)
        complain(&l->complaints, place, item->line, item->key, &why);
    return r == -EINVAL ? 0 : r;
}

static void set_unread(struct loading *l) {
    if (l->current != BEFORE_ANY && l->current != SKIPPED)
        l->whole->places[l->current].unread = true;
}

static int on_fault(struct loading *l, const struct ini_item *item) {
    struct why why;
    switch (item->fault) {
    case INI_OK: break;
    case INI_NOT_A_PAIR:
        complain_at(l, item->line, -EINVAL, "this line is neither [section] nor key = value",
                    "Begin it with # where it is a comment; a value must stand on one line");
        break;
    case INI_UNCLOSED_SECTION:
        (void)why_set(&why, -EINVAL, "the line of a section must end with ]");
        complain(&l->complaints, NULL, item->line, NULL, &why);
        return on_head(l, item->line, view_of(item->section));
    case INI_EMPTY_NAME:
        complain_at(l, item->line, -EINVAL, item->value[0] ? "nothing stands before the =" : "this section has no name",
                    item->value[0] ? "Write key = value" : "Write it as [daemon] or [list NAME]");
        if (!item->value[0])
            l->current = SKIPPED;
        break;
    case INI_LINE_TOO_LONG:
        complain_at(l, item->line, -EINVAL, "this line is longer than 64 KiB", "");
        set_unread(l);
        break;
    case INI_NOT_UTF8:
        complain_at(l, item->line, -EINVAL, "this line is not UTF-8", "Save the file as UTF-8");
        set_unread(l);
        break;
    }
    return 0;
}

static int on_item(void *user, const struct ini_item *item) {
    struct loading *l = user;
    if (item->fault)
        return on_fault(l, item);
    return item->key ? on_pair(l, item) : on_head(l, item->line, view_of(item->section));
}

static void find_missing(struct loading *l) {
    for (size_t p = 0; p < l->whole->place_count; p++) {
        const struct place *place = &l->whole->places[p];
        size_t count;
        const struct option *rows = options_of(place->section, &count);
        for (size_t i = 0; i < count && place->line && !place->unread; i++) {
            struct why why;
            if (!rows[i].required || place->key_lines[i])
                continue;
            (void)why_set(&why, -EINVAL, "this key is missing");
            why_todo(&why, "For example: %s = %s", rows[i].key, rows[i].example);
            complain(&l->complaints, place, place->line, rows[i].key, &why);
        }
    }
}

static int by_priority(const void *a, const void *b) {
    const struct place *const *x = a, *const *y = b;
    unsigned p = ((const struct conf_relay *)(*x)->item)->priority,
             q = ((const struct conf_relay *)(*y)->item)->priority;
    if (p != q)
        return p < q ? -1 : 1;
    return *x < *y ? -1 : 1; /* as in the file */
}

static int by_domain(const void *a, const void *b) {
    const struct place *const *x = a, *const *y = b;
    int c = strcmp((*x)->name, (*y)->name);
    return c ? c : *x < *y ? -1 : 1;
}

/* Puts the items of one section into one array, in order, and lets their places know. NULL for none. */
static void *gather(struct loading *l, enum section section, size_t size, int (*order)(const void *, const void *),
                    size_t *ret_count) {
    struct whole *whole = l->whole;
    struct place **places = arena_alloc(&whole->arena, whole->place_count * sizeof *places);
    size_t count = 0;
    for (size_t i = 0; places && i < whole->place_count; i++)
        if (whole->places[i].section == section)
            places[count++] = &whole->places[i];
    char *items = count ? arena_alloc(&whole->arena, count * size) : NULL;
    if (!items)
        return NULL;
    if (order)
        qsort(places, count, sizeof *places, order);
    for (size_t i = 0; i < count; i++)
        places[i]->item = memcpy(items + i * size, places[i]->item, size);
    *ret_count = count;
    return items;
}

static int gather_all(struct loading *l) {
    struct conf *conf = &l->whole->conf;
    conf->senders = gather(l, SECTION_SENDER, sizeof *conf->senders, NULL, &conf->sender_count);
    conf->relays = gather(l, SECTION_RELAY, sizeof *conf->relays, by_priority, &conf->relay_count);
    conf->lists = gather(l, SECTION_LIST, sizeof *conf->lists, NULL, &conf->list_count);
    conf->destinations =
        gather(l, SECTION_DESTINATION, sizeof *conf->destinations, by_domain, &conf->destination_count);
    return arena_failed(&l->whole->arena) ? -ENOMEM : 0;
}

static int begin(struct loading *l, const char *path) {
    l->whole = calloc(1, sizeof *l->whole);
    if (!l->whole)
        return -ENOMEM;
    atomic_init(&l->whole->references, 1);
    arena_init(&l->whole->arena);
    l->whole->conf.path = arena_strdup(&l->whole->arena, path);
    for (unsigned s = 0; s < SECTION_COUNT; s++)
        if (!section_rows[s].name && !add_place(l, s, "", 0))
            return -ENOMEM;
    return l->whole->conf.path ? 0 : -ENOMEM;
}

static int read_text(struct loading *l, struct view text) {
    if (view_starts(text, "\xFF\xFE") || view_starts(text, "\xFE\xFF")) {
        complain_at(l, 1, -EINVAL, "the file is UTF-16", "Save it as UTF-8");
        return 0;
    }
    int r = ini_read(text, on_item, l);
    if (r == -EMSGSIZE) {
        complain_at(l, 0, r, "the file is larger than 1 MiB", "");
        return 0;
    }
    return r;
}

/* zone: what counts where [daemon] timezone is not given. */
static int parse(struct view text, const char *path, const char *zone, enum reading reading, conf_on_error *on_error,
                 void *user, struct conf **ret) {
    struct loading l = {.complaints = {.path = path}, .current = BEFORE_ANY};
    int r = begin(&l, path);
    if (r == 0)
        r = read_text(&l, text);
    if (r == 0) {
        struct conf *conf = &l.whole->conf;
        find_missing(&l);
        r = gather_all(&l);
        if (r == 0 && !conf->timezone[0])
            conf->timezone = arena_strdup(&l.whole->arena, zone);
        if (r == 0)
            r = relate(l.whole, reading, &l.complaints);
        if (r == 0 && reading == READ_FOR_MACHINE)
            machine_check(l.whole, &l.complaints);
    }
    if (r == 0 && arena_failed(&l.whole->arena))
        r = -ENOMEM;
    if (r == -ENOMEM)
        l.complaints.no_memory = true;
    r = complaints_report(&l.complaints, on_error, user);
    if (r == 0)
        *ret = &l.whole->conf;
    else if (l.whole)
        (void)conf_unref(&l.whole->conf);
    return r;
}

int conf_parse(struct view text, const char *path, conf_on_error *on_error, void *user, struct conf **ret) {
    return parse(text, path, "", READ_TEXT, on_error, user, ret);
}

int conf_parse_frozen(struct view text, const char *path, conf_on_error *on_error, void *user, struct conf **ret) {
    return parse(text, path, "", READ_FROZEN, on_error, user, ret);
}

static int load(const char *path, enum reading reading, conf_on_error *on_error, void *user, struct conf **ret) {
    AUTOBUF struct buf text = BUF_INIT(CONF_FILE_MAX);
    char zone[MACHINE_ZONE_MAX + 1];
    int r = files_read(AT_FDCWD, path, &text);
    if (r < 0) {
        struct why why;
        (void)why_set(&why, r, "cannot read the configuration: %s",
                      r == -EMSGSIZE ? "the file is larger than 1 MiB" : strerror(-r));
        why_where(&why, "%s", path);
        on_error(user, &why);
        return r;
    }
    machine_zone(zone);
    return parse(buf_view(&text), path, zone, reading, on_error, user, ret);
}

int conf_load(const char *path, conf_on_error *on_error, void *user, struct conf **ret) {
    return load(path, READ_TEXT, on_error, user, ret);
}

int conf_load_for_machine(const char *path, conf_on_error *on_error, void *user, struct conf **ret) {
    return load(path, READ_FOR_MACHINE, on_error, user, ret);
}

int conf_load_for_door(const char *path, conf_on_error *on_error, void *user, struct conf **ret) {
    return load(path, READ_FOR_DOOR, on_error, user, ret);
}
