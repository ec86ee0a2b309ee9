/* What the doors may show of the lists: spool/public/lists, written by the daemon, read by the web door.
 *
 * FORMAT  JSON, UTF-8:
 * {"format":1,"lists":[{"id":N,"name":"..","languages":["de",..],"titles":{"de":".."},"title":"..",
 *         "organisation":"..","imprint_url":"..","privacy_url":"..","colour":"#…","logo":"..","sender":"..","open":true}]}
 *         id is the list's number in tokens; title is for languages without one of their own; "" where nothing is set;
 *         sender: its section's name, the same for all lists of one; open: whether people may sign up by themselves.
 *         logo only where it is a web address. Members that a reader does not know it passes over.
 *         Beside "lists" stands "logos":{SENDER:"data:image/png;base64,…"} for those that are files: PNG, JPEG or GIF.
 * LIMITS  files of LISTS_FILE_MAX_BYTES. A logo's file of LISTS_LOGO_MAX_BYTES, LISTS_LOGOS_MAX_BYTES as text in all:
 *         beyond, pages go without it. Titles are shown as text; addresses are kept only where they are http(s). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

struct conf;
struct public_lists;

enum {
    LISTS_FILE_MAX_BYTES = 4 * 1024 * 1024,
    LISTS_LOGO_MAX_BYTES = 128 * 1024,
    LISTS_LOGOS_MAX_BYTES = 2 * 1024 * 1024,
};

/* Strings belong to the whole. */
struct public_list {
    uint32_t id;
    const char *name, *title, *organisation, *imprint_url, *privacy_url, *colour, *logo, *sender; /* "" where not set */
    bool open;
    const char *language; /* the list's: the first of its languages, or "" */
    struct public_list_title {
        const char *language, *title;
    } * titles;
    size_t title_count;
};

/* What the daemon publishes. */
int public_lists_print(const struct conf *conf, struct buf *to);

/* -EBADMSG for another format. */
int public_lists_read(struct view text, struct public_lists **ret);
struct public_lists *public_lists_free(struct public_lists *lists);
/* NULL where there is none; lists may be NULL. */
/* By its number among them; NULL behind the last. */
const struct public_list *public_lists_at(const struct public_lists *lists, size_t i);
const struct public_list *public_lists_named(const struct public_lists *lists, struct view name);
const struct public_list *public_lists_find(const struct public_lists *lists, uint32_t id);
/* In a language, else the default title; "" where list is NULL. */
const char *public_list_title(const struct public_list *list, const char *language);
