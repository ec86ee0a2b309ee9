#include "door/lists.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/files.h"
#include "base/log.h"

#include "conf/conf.h"
#include "mail/base64.h"
#include "net/json.h"

#include "base/banned.h"

enum { FORMAT = 1 };

/* ---- printing ---- */

static bool is_web(const char *url) {
    struct view v = view_of(url);
    return view_starts(v, "https://") || view_starts(v, "http://");
}

/* jansson's _new functions fail for want of memory only, and take a failed value before as a failure of their own. */
static json_t *list_json(const struct conf_list *list) {
    json_t *languages = json_array(), *titles = json_object();
    int failed = 0;
    for (size_t i = 0; i < list->languages.count; i++)
        failed |= json_array_append_new(languages, json_string(list->languages.items[i]));
    for (size_t i = 0; i < list->title_count; i++)
        failed |= json_object_set_new(titles, list->titles[i].language, json_string(list->titles[i].title));
    const struct conf_sender *sender = list->sender;
    json_t *o = json_object();
    failed |= json_object_set_new(o, "id", json_integer((json_int_t)list->id));
    failed |= json_object_set_new(o, "name", json_string(list->name));
    failed |= json_object_set_new(o, "languages", languages);
    failed |= json_object_set_new(o, "titles", titles);
    failed |= json_object_set_new(o, "title", json_string(list->title));
    failed |= json_object_set_new(o, "organisation", json_string(sender->organisation));
    failed |= json_object_set_new(o, "imprint_url", json_string(sender->imprint_url));
    failed |= json_object_set_new(o, "privacy_url", json_string(sender->privacy_url));
    failed |= json_object_set_new(o, "colour", json_string(sender->colour));
    failed |= json_object_set_new(o, "sender", json_string(sender->id));
    failed |= json_object_set_new(o, "open", json_boolean(list->open == CONF_YES));
    failed |= json_object_set_new(o, "logo", json_string(is_web(sender->logo) ? sender->logo : ""));
    if (failed) {
        json_decref(o);
        return NULL;
    }
    return o;
}

/* A picture as a web address that holds it; "" where it is none that pages may show. */
static void add_picture(const char *path, struct buf *to) {
    static const struct {
        struct view magic;
        const char *type;
    } kinds[] = {{{"\x89PNG\r\n\x1a\n", 8}, "png"}, {{"\xFF\xD8\xFF", 3}, "jpeg"}, {{"GIF8", 4}, "gif"}};
    AUTOBUF struct buf picture = BUF_INIT(LISTS_LOGO_MAX_BYTES);
    int r = files_read(AT_FDCWD, path, &picture);
    struct view v = buf_view(&picture);
    for (size_t i = 0; r == 0 && i < COUNT_OF(kinds); i++)
        if (v.len > kinds[i].magic.len && view_eq(view_slice(v, 0, kinds[i].magic.len), kinds[i].magic)) {
            buf_printf(to, "data:image/%s;base64,", kinds[i].type);
            base64_digits(to, v.ptr, v.len);
            return;
        }
    log_warning("logo-not-shown", LOG_TEXT("file", path),
                LOG_TEXT("reason", r < 0 ? strerror(-r) : "neither PNG nor JPEG nor GIF"));
}

static json_t *logos_json(const struct conf *conf) {
    json_t *logos = json_object();
    size_t room = LISTS_LOGOS_MAX_BYTES;
    for (size_t i = 0; logos && i < conf->sender_count; i++) {
        const struct conf_sender *sender = &conf->senders[i];
        AUTOBUF struct buf text = BUF_INIT(2 * LISTS_LOGO_MAX_BYTES);
        if (sender->logo[0] == '/')
            add_picture(sender->logo, &text);
        if (text.len == 0 || text.len > room)
            continue;
        room -= text.len;
        if (buf_error(&text) < 0 || json_object_set_new(logos, sender->id, json_string(buf_str(&text))) < 0) {
            json_decref(logos);
            return NULL;
        }
    }
    return logos;
}

int public_lists_print(const struct conf *conf, struct buf *to) {
    json_t *lists = json_array(), *root = json_object();
    int failed = 0;
    for (size_t i = 0; i < conf->list_count; i++)
        failed |= json_array_append_new(lists, list_json(&conf->lists[i]));
    failed |= json_object_set_new(root, "format", json_integer(FORMAT));
    failed |= json_object_set_new(root, "lists", lists);
    failed |= json_object_set_new(root, "logos", logos_json(conf));
    int r = failed ? -ENOMEM : json_print(root, to);
    json_decref(root);
    if (r == 0)
        buf_putc(to, '\n');
    return r < 0 ? r : buf_error(to);
}

/* ---- reading ---- */

struct public_lists {
    json_t *root; /* owns the strings */
    struct arena arena;
    struct public_list *lists;
    size_t count;
};

static const char *web_text(const json_t *o, const char *key) {
    const char *url = json_text(o, key);
    return is_web(url) ? url : "";
}

static int read_list(json_t *o, const json_t *logos, struct arena *arena, struct public_list *ret) {
    json_int_t id = json_number(o, "id", -1);
    if (id < 0 || id > UINT32_MAX)
        return -EBADMSG;
    const char *language = json_string_value(json_array_get(json_object_get(o, "languages"), 0));
    struct public_list list = {
        .id = (uint32_t)id,
        .name = json_text(o, "name"),
        .title = json_text(o, "title"),
        .organisation = json_text(o, "organisation"),
        .imprint_url = web_text(o, "imprint_url"),
        .privacy_url = web_text(o, "privacy_url"),
        .colour = json_text(o, "colour"),
        .logo = web_text(o, "logo"),
        .sender = json_text(o, "sender"),
        .open = json_flag(o, "open"),
        .language = language ? language : "",
    };
    const char *picture = json_text(logos, list.sender);
    if (!list.logo[0] && view_starts(view_of(picture), "data:image/"))
        list.logo = picture;
    json_t *titles = json_object_get(o, "titles"), *title;
    const char *key;
    list.titles = arena_alloc(arena, (json_object_size(titles) + 1) * sizeof *list.titles);
    if (!list.titles)
        return -ENOMEM;
    json_object_foreach(titles, key, title) {
        if (json_string_value(title))
            list.titles[list.title_count++] = (struct public_list_title){key, json_string_value(title)};
    }
    *ret = list;
    return 0;
}

int public_lists_read(struct view text, struct public_lists **ret) {
    if (text.len > LISTS_FILE_MAX_BYTES)
        return -EBADMSG;
    struct public_lists *lists = calloc(1, sizeof *lists);
    if (!lists)
        return -ENOMEM;
    lists->root = json_read(text);
    json_t *array = json_object_get(lists->root, "lists");
    int r = json_number(lists->root, "format", 0) == FORMAT && json_is_array(array) ? 0 : -EBADMSG;
    size_t count = r == 0 ? json_array_size(array) : 0;
    lists->lists = arena_alloc(&lists->arena, (count + 1) * sizeof *lists->lists);
    if (r == 0 && !lists->lists)
        r = -ENOMEM;
    for (size_t i = 0; i < count && r == 0; i++) {
        r = read_list(json_array_get(array, i), json_object_get(lists->root, "logos"), &lists->arena, &lists->lists[i]);
        lists->count++;
    }
    if (r < 0) {
        (void)public_lists_free(lists);
        return r;
    }
    *ret = lists;
    return 0;
}

struct public_lists *public_lists_free(struct public_lists *lists) {
    if (lists) {
        json_decref(lists->root);
        arena_done(&lists->arena);
        free(lists);
    }
    return NULL;
}

const struct public_list *public_lists_find(const struct public_lists *lists, uint32_t id) {
    for (size_t i = 0; lists && i < lists->count; i++)
        if (lists->lists[i].id == id)
            return &lists->lists[i];
    return NULL;
}

const struct public_list *public_lists_at(const struct public_lists *lists, size_t i) {
    return lists && i < lists->count ? &lists->lists[i] : NULL;
}

const struct public_list *public_lists_named(const struct public_lists *lists, struct view name) {
    for (size_t i = 0; lists && i < lists->count; i++)
        if (view_eq_str(name, lists->lists[i].name))
            return &lists->lists[i];
    return NULL;
}

const char *public_list_title(const struct public_list *list, const char *language) {
    if (!list)
        return "";
    for (size_t i = 0; i < list->title_count; i++)
        if (strcmp(list->titles[i].language, language) == 0)
            return list->titles[i].title;
    return list->title;
}
