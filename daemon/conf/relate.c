/* Relations between options: references, collisions, what rules out what; and what follows from others. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "conf/complaints.h"
#include "conf/shape.h"
#include "conf/whole.h"
#include "trust/code.h"

#include "base/banned.h"

static_assert(CONF_RETURN_PATH_LOCAL_MAX + 1 + CODE_TEXT_MAX <= 64);

/* A complaint about a key of an item, or about its section where the key is not given. */
static void complain_of(const struct whole *whole, struct complaints *c, const void *item, const char *key,
                        const struct why *why) {
    const struct place *place = place_of(whole, item);
    complain(c, place, place ? place_line(place, key) : 0, key, why);
}

static void relate_daemon(struct whole *whole, struct complaints *c) {
    const struct conf *conf = &whole->conf;
    const struct place *daemon = place_alone(whole, SECTION_DAEMON), *retry = place_alone(whole, SECTION_RETRY);
    struct why why;
    /* base64 in lines of 76, and room for the texts */
    uint64_t grown = conf->attachment_limit_bytes / 57 * 78 + (64 << 10);
    if (grown > conf->message_limit_bytes) {
        const char *key = place_line(daemon, "attachment-limit") ? "attachment-limit" : "message-limit";
        (void)why_set(&why, -EINVAL,
                      "attachments of attachment-limit grow to %llu MB in a mail, and that is more than "
                      "message-limit",
                      (unsigned long long)((grown + (1 << 20) - 1) >> 20));
        why_todo(&why, "Lower attachment-limit or raise message-limit");
        complain(c, daemon, place_line(daemon, key), key, &why);
    }
    if (conf->retry_first_usec > conf->retry_give_up_usec) {
        const char *key = place_line(retry, "give-up") ? "give-up" : "first";
        (void)why_set(&why, -EINVAL, "give-up comes before the first retry");
        why_todo(&why, "Give a give-up that is longer than first");
        complain(c, retry, place_line(retry, key), key, &why);
    }
}

/* item: the list or sender that names them. */
static void find_relays(const struct whole *whole, const void *item, const struct conf_strings *named,
                        struct complaints *c) {
    const struct conf *conf = &whole->conf;
    for (size_t i = 0; i < named->count; i++) {
        const char *ids[CONF_RELAYS_MAX], *name = named->items[i];
        bool found = false;
        for (size_t k = 0; k < conf->relay_count; k++) {
            ids[k] = conf->relays[k].id;
            found |= strcmp(ids[k], name) == 0;
        }
        if (found)
            continue;
        struct why why;
        const char *near = text_nearest(view_of(name), ids, conf->relay_count);
        (void)why_set(&why, -EINVAL, "there is no [relay %.60s]", name);
        if (near)
            why_todo(&why, "Did you mean %s?", near);
        complain_of(whole, c, item, "relay", &why);
    }
}

static void relate_sender(struct whole *whole, struct conf_sender *sender, enum reading reading, struct complaints *c) {
    struct view url = view_of(sender->public_url);
    while (view_ends(url, "/"))
        url.len--;
    sender->public_url = arena_dup(&whole->arena, url);
    if (reading != READ_FROZEN)
        find_relays(whole, sender, &sender->relays, c);
}

static void relate_login(const struct whole *whole, const struct conf_relay *relay, struct complaints *c) {
    struct why why;
    bool name = relay->username[0], password = relay->password_file[0];
    if (name != password) {
        (void)why_set(&why, -EINVAL, "%s is given without %s", name ? "username" : "password-file",
                      name ? "password-file" : "username");
        why_todo(&why, "Give both, or none where the server wants no login");
        complain_of(whole, c, relay, name ? "username" : "password-file", &why);
    }
    if ((name || password) && relay->tls != CONF_TLS_REQUIRED && !shape_is_loopback(view_of(relay->host))) {
        (void)why_set(&why, -EINVAL, "the password might cross the network in the clear");
        why_todo(&why, "Give tls = required, or no username");
        complain_of(whole, c, relay, "tls", &why);
    }
}

static void relate_relay(const struct whole *whole, struct conf_relay *relay, struct arena *arena,
                         struct complaints *c) {
    struct shape_url url;
    if (shape_split_url(view_of(relay->url), &url) < 0)
        return; /* missing or wrong, and said already */
    char *host = arena_dup(arena, url.host);
    for (char *h = host; h && *h; h++)
        if (*h >= 'A' && *h <= 'Z')
            *h = (char)(*h - 'A' + 'a');
    relay->host = host;
    relay->implicit_tls = view_eq_str(url.scheme, "smtps");
    relay->port = url.port ? url.port : relay->implicit_tls ? 465 : 587;
    if (!host)
        return;
    relate_login(whole, relay, c);
    if (relay->implicit_tls && relay->tls != CONF_TLS_REQUIRED) {
        struct why why;
        (void)why_set(&why, -EINVAL, "smtps:// is TLS from the first byte, so nothing else can be");
        why_todo(&why, "Give tls = required, or smtp:// in url");
        complain_of(whole, c, relay, "tls", &why);
    }
}

static void choose_sender(const struct whole *whole, struct conf_list *list, const struct place *place,
                          struct complaints *c) {
    const struct conf *conf = &whole->conf;
    struct why why;
    if (place->sender && place->sender[0]) {
        const char *ids[CONF_SENDERS_MAX];
        for (size_t i = 0; i < conf->sender_count; i++)
            ids[i] = conf->senders[i].id;
        list->sender = conf_find_sender(conf, view_of(place->sender));
        if (list->sender)
            return;
        const char *near = text_nearest(view_of(place->sender), ids, conf->sender_count);
        (void)why_set(&why, -EINVAL, "there is no [sender %.60s]", place->sender);
        if (near)
            why_todo(&why, "Did you mean %s?", near);
    } else if (conf->sender_count == 1) {
        list->sender = &conf->senders[0];
        return;
    } else if (conf->sender_count == 0) {
        return; /* said once for all */
    } else {
        (void)why_set(&why, -EINVAL, "this key is missing, and there are several senders");
        why_todo(&why, "For example: sender = %s", conf->senders[0].id);
    }
    complain_of(whole, c, list, "sender", &why);
}

static void check_titles(const struct conf_list *list, const struct place *place, struct complaints *c) {
    for (size_t i = 0; i < list->title_count; i++) {
        struct why why;
        if (conf_list_has_language(list, list->titles[i].language))
            continue;
        (void)why_set(&why, -EINVAL, "there is a title in %s, but that is none of the list's languages",
                      list->titles[i].language);
        why_todo(&why, "Add it to languages, or leave the title out");
        complain(c, place, place->title_lines[i], "title", &why);
    }
}

static uint32_t id_of_name(const char *name) {
    uint8_t hash[32];
    code_digest(view_of(name), hash);
    return (uint32_t)hash[0] << 24 | (uint32_t)hash[1] << 16 | (uint32_t)hash[2] << 8 | hash[3];
}

/* What a list that follows a file must say of it. */
static void check_source(const struct whole *whole, const struct conf_list *list, struct complaints *c) {
    const struct place *place = place_of(whole, list);
    const char *missing = !list->basis[0] ? "basis" : !list->evidence[0] ? "evidence" : NULL;
    struct why why;
    if (!list->source[0] || !missing || (place && place_line(place, missing))) /* the last is told already */
        return;
    (void)why_set(&why, -EINVAL, "source is given without %s", missing);
    why_todo(&why, missing[0] == 'b' ? "Say why its people may be written to: basis = consent, membership, public-task "
                                       "or other"
                                     : "Say in words what shows it: evidence = the association's register");
    complain_of(whole, c, list, "source", &why);
}

static void relate_list(struct whole *whole, struct conf_list *list, enum reading reading, struct complaints *c) {
    const struct conf *conf = &whole->conf;
    const struct place *place = place_of(whole, list);
    choose_sender(whole, list, place, c);
    if (reading != READ_FROZEN)
        find_relays(whole, list, &list->relays, c);
    if (list->relays.count == 0 && list->sender)
        list->relays = list->sender->relays;
    if (!list->title[0])
        list->title = list->name;
    if (!list->timezone[0])
        list->timezone = conf->timezone;
    if (list->languages.count == 0) {
        list->languages.items = arena_alloc(&whole->arena, sizeof *list->languages.items);
        if (!list->languages.items)
            return;
        list->languages.items[list->languages.count++] = conf->language;
    }
    check_titles(list, place, c);
    check_source(whole, list, c);
    if (list->id == 0)
        list->id = id_of_name(list->name);
}

/* Two lists with one id, or a name that gives 0, which stands for all lists: both as rare as one in 2^32. */
static void check_ids(const struct whole *whole, struct complaints *c) {
    const struct conf *conf = &whole->conf;
    for (size_t i = 0; i < conf->list_count; i++) {
        const struct conf_list *list = &conf->lists[i], *other = conf_find_list_id(conf, list->id);
        struct why why;
        if (list->id != 0 && (other == list || strcmp(other->name, list->name) == 0))
            continue;
        if (list->id == 0)
            (void)why_set(&why, -EINVAL, "the id that the name gives cannot be used");
        else
            (void)why_set(&why, -EINVAL, "the id %lu is that of [list %s] too", (unsigned long)list->id, other->name);
        why_todo(&why, "Give the list that is newer another, which no list ever had: id = 1, or another number");
        complain_of(whole, c, list, "id", &why);
    }
}

static void check_counts(const struct conf *conf, enum reading reading, struct complaints *c) {
    struct why why;
    if (conf->sender_count == 0 && reading != READ_FOR_DOOR) {
        (void)why_set(&why, -EINVAL, "there is no [sender NAME], so nobody could write");
        complain(c, NULL, 0, NULL, &why);
    }
    if (conf->relay_count == 0 && reading != READ_FROZEN && reading != READ_FOR_DOOR) {
        (void)why_set(&why, -EINVAL, "there is no [relay NAME], so nothing could be sent");
        complain(c, NULL, 0, NULL, &why);
    }
    if (conf->list_count == 0 && reading == READ_FROZEN) {
        (void)why_set(&why, -EINVAL, "there is no [list NAME]");
        complain(c, NULL, 0, NULL, &why);
    }
}

int relate(struct whole *whole, enum reading reading, struct complaints *c) {
    struct conf *conf = &whole->conf;
    check_counts(conf, reading, c);
    relate_daemon(whole, c);
    for (size_t i = 0; i < conf->sender_count; i++)
        relate_sender(whole, &conf->senders[i], reading, c);
    for (size_t i = 0; i < conf->relay_count; i++)
        relate_relay(whole, &conf->relays[i], &whole->arena, c);
    for (size_t i = 0; i < conf->list_count; i++)
        relate_list(whole, &conf->lists[i], reading, c);
    check_ids(whole, c);
    return arena_failed(&whole->arena) ? -ENOMEM : 0;
}
