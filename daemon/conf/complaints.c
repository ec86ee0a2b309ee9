#include "conf/complaints.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/whole.h"

#include "base/banned.h"

struct complaint {
    unsigned line;
    size_t order;
    struct why why;
};

enum { PATH_SHOWN = 80, NAME_SHOWN = 40 };

static void set_where(struct why *why, const char *path, const struct place *place, unsigned line, const char *key) {
    size_t len = strlen(path);
    AUTOBUF struct buf where = BUF_INIT(4096);
    if (len > PATH_SHOWN)
        buf_printf(&where, "…%s", path + len - PATH_SHOWN);
    else
        buf_puts(&where, path);
    if (line)
        buf_printf(&where, ":%u", line);
    if (place) {
        buf_printf(&where, ": [%s", section_rows[place->section].word);
        if (place->name[0])
            buf_printf(&where, " %.*s%s", NAME_SHOWN, place->name, strlen(place->name) > NAME_SHOWN ? "…" : "");
        buf_puts(&where, "]");
    }
    if (key)
        buf_printf(&where, "%s %s", place ? "" : ":", key);
    why_where(why, "%s", buf_str(&where));
}

void complain(struct complaints *c, const struct place *place, unsigned line, const char *key, const struct why *why) {
    if (c->count == CONF_ERRORS_MAX) {
        c->beyond++;
        return;
    }
    if (c->count == c->room) {
        size_t room = c->room ? 2 * c->room : 16;
        struct complaint *items = reallocarray(c->items, room, sizeof *items);
        if (!items) {
            c->no_memory = true;
            return;
        }
        c->items = items;
        c->room = room;
    }
    struct complaint *item = &c->items[c->count];
    *item = (struct complaint){line ? line : place ? place->line : 0, c->count, *why};
    set_where(&item->why, c->path, place, item->line, key);
    c->count++;
}

void complain_once(struct complaints *c, const struct place *place, unsigned line, const char *key,
                   const struct why *why) {
    struct why here = *why;
    set_where(&here, c->path, place, line ? line : place ? place->line : 0, key);
    for (size_t i = 0; i < c->count; i++)
        if (strcmp(c->items[i].why.where, here.where) == 0)
            return;
    complain(c, place, line, key, why);
}

static int compare(const void *a, const void *b) {
    const struct complaint *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

int complaints_report(struct complaints *c, conf_on_error *on_error, void *user) {
    int r = c->no_memory ? -ENOMEM : c->count ? (c->trouble ? c->trouble : -EINVAL) : 0;
    if (c->count)
        qsort(c->items, c->count, sizeof *c->items, compare);
    for (size_t i = 0; i < c->count; i++)
        on_error(user, &c->items[i].why);
    struct why why;
    if (c->beyond) {
        (void)why_set(&why, r, "and %zu more", c->beyond);
        why_where(&why, "%s", c->path);
        on_error(user, &why);
    }
    if (c->no_memory) {
        (void)why_set(&why, r, "no memory for the configuration");
        why_where(&why, "%s", c->path);
        on_error(user, &why);
    }
    free(c->items);
    *c = (struct complaints){.path = c->path};
    return r;
}
