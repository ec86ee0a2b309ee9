#include "announce/fields.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "mail/attributes.h"
#include "mail/colour.h"
#include "mail/recur.h"
#include "mail/words.h"

static const char *const names[FIELD_COUNT] = {
    [FIELD_SALUTATION] = "salutation",
    [FIELD_NAME] = "name",
    [FIELD_GIVEN_NAME] = "given_name",
    [FIELD_FAMILY_NAME] = "family_name",
    [FIELD_ORGANISATION] = "organisation",
    [FIELD_EMAIL] = "email",
    [FIELD_URL_UNSUBSCRIBE] = "url.unsubscribe",
    [FIELD_URL_PREFERENCES] = "url.preferences",
    [FIELD_URL_ARCHIVE] = "url.archive",
    [FIELD_TO] = "@to",
    [FIELD_DATE] = "@date",
    [FIELD_MESSAGE_ID] = "@message-id",
    [FIELD_LIST_UNSUBSCRIBE] = "@list-unsubscribe",
    [FIELD_READER_TIME] = "event.reader_time",
};

static const char *const not_served[] = {"url.rsvp"};

int fields_register(struct merge_fields *registry) {
    for (unsigned i = 0; i < FIELD_COUNT; i++) {
        int number = merge_fields_number(registry, view_of(names[i]));
        if (number != (int)i)
            return number < 0 ? number : -EINVAL;
    }
    return 0;
}

bool fields_of_recurring(const char *name) {
    return strcmp(name, "event.years") == 0 || strcmp(name, "event.years_text") == 0 ||
           strcmp(name, "event.first") == 0;
}

bool fields_not_served(const char *name) {
    for (size_t i = 0; i < COUNT_OF(not_served); i++)
        if (strcmp(not_served[i], name) == 0)
            return true;
    return false;
}

int fields_add_attributes(struct view source, struct arena *a, struct merge_fields *registry, struct value *attr) {
    static const char mark[] = "attr.";
    for (size_t at; (at = view_search(source, VIEW("attr."))) < source.len;) {
        source = view_slice(source, at + sizeof mark - 1, source.len);
        size_t end = 0;
        while (end < source.len && !memchr("{} \t\r\n.", source.ptr[end], 7))
            end++;
        struct view name = view_slice(source, 0, end);
        if (name.len == 0 || name.len > ATTRIBUTE_NAME_MAX)
            continue;
        const char *full = arena_printf(a, "attr.%.*s", (int)name.len, name.ptr);
        int number = full ? merge_fields_number(registry, view_of(full)) : -ENOMEM;
        if (number < 0)
            return number;
        int r = value_set(a, attr, full + sizeof mark - 1, value_field((unsigned)number));
        if (r < 0)
            return r;
    }
    return 0;
}

/* value_set() failures (no memory) are sticky in the arena; they are asked for once at the end. */
static void set_text(struct arena *a, struct value *map, const char *key, const char *text) {
    (void)value_set(a, map, key, value_text(text ? text : ""));
}

static const char *said(struct arena *a, struct buf *text) {
    const char *kept = arena_dup(a, buf_view(text));
    if (buf_error(text) == -ENOMEM)
        arena_fail(a);
    buf_clear(text);
    return kept ? kept : "";
}

/* The leaf of a calendar: weekday, day and month of the start, in short. */
static void set_leaf(struct arena *a, struct value *map, const struct words *words, const struct when *start) {
    set_text(a, map, "day", arena_printf(a, "%d", start->day));
    const char *month = arena_printf(a, "months-short.%d", start->month),
               *weekday = arena_printf(a, "weekdays-short.%d", when_weekday(start));
    set_text(a, map, "month", month ? words_get(words, month) : "");
    set_text(a, map, "weekday", weekday ? words_get(words, weekday) : "");
}

/* What counts from the first date on. */
static void set_years(struct arena *a, struct value *map, const struct words *words, const struct fields_event *event) {
    AUTOBUF struct buf text = BUF_INIT(4096);
    int years = recur_years(&event->first, &event->start);
    uint64_t n = years > 0 ? (uint64_t)years : 0;
    struct when first = event->first;
    first.has_time = false;
    set_text(a, map, "years", arena_printf(a, "%llu", (unsigned long long)n));
    words_plural(words, "dates.years", n, &text);
    set_text(a, map, "years_text", said(a, &text));
    when_say(words, &first, &text);
    set_text(a, map, "first", said(a, &text));
}

static struct value event_map(const struct draft *d, const struct fields_event *event, const struct words *words,
                              const char *list_timezone, struct arena *a) {
    struct value map = value_map();
    AUTOBUF struct buf text = BUF_INIT(4096);
    const struct when *s = &event->start, *e = &event->end;
    struct when date = *s;
    date.has_time = false;
    set_text(a, &map, "title", draft_event_title(d));
    set_text(a, &map, "location", draft_text(d, DRAFT_LOCATION));
    set_text(a, &map, "url", draft_text(d, DRAFT_URL));
    when_say_range(words, s, e, &text);
    set_text(a, &map, "when", said(a, &text));
    when_say(words, &date, &text);
    set_text(a, &map, "date", said(a, &text));
    when_say(words, s, &text);
    set_text(a, &map, "start", said(a, &text));
    when_say(words, e, &text);
    set_text(a, &map, "end", said(a, &text));
    set_leaf(a, &map, words, s);
    int64_t at;
    int minutes;
    char abbreviation[16];
    if (s->has_time && when_to_usec(s, event->zone, &at) == WHEN_OK &&
        when_offset(at, event->zone, &minutes, abbreviation) == 0)
        buf_printf(&text, "%s, UTC%c%02d:%02d", event->zone, minutes < 0 ? '-' : '+', abs(minutes) / 60,
                   abs(minutes) % 60);
    const char *zone = said(a, &text);
    set_text(a, &map, "zone", zone);
    /* It is said to all where it is not the one that the list's readers take for granted. */
    set_text(a, &map, "zone_note", strcmp(event->zone, list_timezone) != 0 ? zone : "");
    (void)value_set(a, &map, "reader_time", value_field(FIELD_READER_TIME));
    if (event->recurs)
        set_years(a, &map, words, event);
    return map;
}

static struct value list_map(const struct conf_list *list, const char *language, struct arena *a) {
    struct value map = value_map();
    set_text(a, &map, "name", list->name);
    set_text(a, &map, "title", conf_list_title(list, language));
    set_text(a, &map, "reason", list->reason);
    return map;
}

static struct value sender_map(const struct conf_list *list, const char *logo, struct arena *a) {
    struct value map = value_map();
    const struct conf_sender *s = list->sender;
    const char *colour = colour_is_valid(s->colour) ? s->colour : COLOUR_DEFAULT;
    char dark[COLOUR_SIZE], light[COLOUR_SIZE];
    colour_readable(colour, COLOUR_GROUND, dark);
    colour_readable(colour, COLOUR_GROUND_DARK, light);
    const struct {
        const char *key, *text;
    } texts[] = {
        {"name", list->from_name[0] ? list->from_name : s->name},
        {"organisation", s->organisation[0] ? s->organisation : s->name},
        {"address", s->address},
        {"postal_address", s->postal_address},
        {"imprint_url", s->imprint_url},
        {"privacy_url", s->privacy_url},
        {"logo", logo},
        {"colour", colour},
        {"colour_ink", colour_ink(colour)},
        {"colour_text", arena_strdup(a, dark)},
        {"colour_light", arena_strdup(a, light)},
        {"public_url", s->public_url},
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        set_text(a, &map, texts[i].key, texts[i].text);
    return map;
}

static struct value contact_map(const struct draft *d, struct arena *a) {
    struct value map = value_map();
    set_text(a, &map, "name", draft_text(d, DRAFT_CONTACT_NAME));
    set_text(a, &map, "phone", draft_text(d, DRAFT_CONTACT_PHONE));
    set_text(a, &map, "mail", draft_text(d, DRAFT_CONTACT_MAIL));
    return map;
}

/* The calendar stands beside the page. */
static struct value archive_map(const struct words *words, struct arena *a) {
    struct value map = value_map();
    set_text(a, &map, "calendar", arena_printf(a, "%s.ics", words_language(words)));
    return map;
}

/* "" where nobody signs up by themselves. */
static const char *sign_up_url(const struct conf_list *list, struct arena *a) {
    bool open = list->open == CONF_YES && list->sender->public_url[0];
    return open ? arena_printf(a, "%s/s/%s", list->sender->public_url, list->name) : "";
}

int fields_tree(const struct fields_given *g, struct arena *a, struct value *ret) {
    const struct draft *d = g->draft;
    struct value root = value_map(), url = value_map(), none = {.kind = VALUE_NULL};
    bool has_contact =
        draft_has(d, DRAFT_CONTACT_NAME) || draft_has(d, DRAFT_CONTACT_PHONE) || draft_has(d, DRAFT_CONTACT_MAIL);
    for (unsigned i = 0; i < FIELD_COUNT; i++)
        if (names[i][0] != '@' && !strchr(names[i], '.'))
            (void)value_set(a, &root, names[i], value_field(i));
    (void)value_set(a, &url, "unsubscribe", value_field(FIELD_URL_UNSUBSCRIBE));
    (void)value_set(a, &url, "preferences",
                    g->list->sender->public_url[0] && !g->archive ? value_field(FIELD_URL_PREFERENCES)
                                                                  : value_text(""));
    set_text(a, &url, "sign_up", sign_up_url(g->list, a));
    (void)value_set(a, &url, "archive", g->has_page ? value_field(FIELD_URL_ARCHIVE) : value_text(""));
    (void)value_set(a, &root, "url", url);
    (void)value_set(a, &root, "attr", *g->attr);
    set_text(a, &root, "language", words_language(g->words));
    set_text(a, &root, "dir", words_dir(g->words));
    (void)value_set(a, &root, "right_to_left",
                    (struct value){.kind = VALUE_BOOL, .truth = words_dir(g->words)[0] == 'r'});
    (void)value_set(a, &root, "preview", (struct value){.kind = VALUE_BOOL, .truth = g->preview});
    (void)value_set(a, &root, "archive", g->archive ? archive_map(g->words, a) : none);
    (void)value_set(a, &root, "list", list_map(g->list, words_language(g->words), a));
    (void)value_set(a, &root, "sender", sender_map(g->list, g->logo, a));
    (void)value_set(a, &root, "contact", has_contact ? contact_map(d, a) : none);
    (void)value_set(a, &root, "event", g->event->zone ? event_map(d, g->event, g->words, g->timezone, a) : none);
    if (arena_failed(a))
        return -ENOMEM;
    *ret = root;
    return 0;
}
