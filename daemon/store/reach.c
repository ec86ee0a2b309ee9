#include "store/reach.h"

#include <errno.h>
#include <string.h>

#include "mail/attributes.h"
#include "mail/filter.h"
#include "mail/tags.h"
#include "store/db.h"
#include "store/members.h"
#include "store/store.h"

#include "base/banned.h"

static void keep_name(struct reach *r, const char **names, size_t *count, struct view name) {
    for (size_t i = 0; i < *count; i++)
        if (view_eq_str(name, names[i]))
            return;
    if (*count < REACH_NAMES_MAX && (names[*count] = arena_dup(&r->arena, name)))
        ++*count;
}

static void keep_names(struct reach *r, struct view attributes, struct view tags) {
    struct view name, value;
    while (attributes_next(&attributes, &name, &value))
        keep_name(r, r->fields, &r->field_count, name);
    while (tags_next(&tags, &name))
        keep_name(r, r->tags, &r->tag_count, name);
}

static void look(struct reach *r, struct filter *only, const struct members *m, size_t list_count) {
    struct view attributes, tags;
    for (size_t i = 0; i < list_count; i++)
        if (members_look(m, i, &attributes, &tags)) {
            filter_look(only, attributes, tags);
            keep_names(r, attributes, tags);
        }
}

static void count_person(struct reach *r, const struct member *p) {
    char language[sizeof r->census.languages[0].code + 1];
    size_t len = p->language.len < sizeof language ? p->language.len : sizeof language - 1;
    r->members += p->active > 0;
    r->several += p->meant > 1;
    if (!p->meant)
        return;
    memcpy(language, p->language.ptr, len);
    language[len] = '\0';
    subscription_census_add(&r->census, language);
}

int reach_count(struct db *db, const uint32_t *lists, size_t list_count, struct filter *only, struct reach *r) {
    if (!only && list_count == 1) {
        int e = subscription_census(db, lists[0], true, &r->census);
        r->members = r->census.active;
        return e;
    }
    struct members_query query = {.lists = lists,
                                  .list_count = list_count,
                                  .after = r->census.cursor,
                                  .at_usec = INT64_MAX,
                                  .only = only,
                                  .looking = only && filter_is_looking(only)};
    struct members *m = NULL;
    struct member p;
    int e = members_open(db, &query, &m);
    while (e == 0 && (e = members_next(m, &p)) == 1) {
        r->census.cursor = p.subscriber;
        count_person(r, &p);
        if (query.looking && filter_is_looking(only))
            look(r, only, m, list_count);
        e = 0;
        if (db_slice_over(db)) { /* a long filter on long texts takes its time at each */
            e = STORE_MORE;
            break;
        }
    }
    (void)members_close(m);
    return e == 0 && arena_failed(&r->arena) ? -ENOMEM : e;
}

void reach_done(struct reach *r) {
    arena_done(&r->arena);
    *r = (struct reach){.members = 0};
}
