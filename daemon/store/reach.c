#include "store/reach.h"

#include <errno.h>
#include <string.h>

#include "mail/attributes.h"
#include "mail/filter.h"
#include "mail/tags.h"
#include "store/db.h"
#include "store/filtered.h"
#include "store/store.h"
#include "store/visible.h"

#include "base/banned.h"

enum { PAGE = 256 };

static void keep_name(struct reach *r, const char **names, size_t *count, struct view name) {
    for (size_t i = 0; i < *count; i++)
        if (view_eq_str(name, names[i]))
            return;
    if (*count < REACH_NAMES_MAX && (names[*count] = arena_dup(&r->arena, name)))
        ++*count;
}

static void keep_names(struct reach *r, const struct filter_person *p) {
    struct view rest = p->attributes, name, value;
    while (attributes_next(&rest, &name, &value))
        keep_name(r, r->fields, &r->field_count, name);
    for (rest = p->tags; tags_next(&rest, &name);)
        keep_name(r, r->tags, &r->tag_count, name);
}

static void count_member(struct reach *r, struct filter *only, const struct row *row) {
    struct filter_person p;
    filtered_person(row, 2, &p);
    r->members++;
    if (filter_is_looking(only)) {
        filter_look(only, &p);
        keep_names(r, &p);
    }
    if (filter_matches(only, &p)) {
        AUTOFREE char *language = view_dup(p.language);
        subscription_census_add(&r->census, language ? language : "");
    }
}

/* Looks at every member of a range of keys, meant or not, so that a page is bounded. */
static int count_page(struct db *db, uint32_t list, struct filter *only, struct reach *r, bool *ret_more) {
    struct row *row = NULL;
    int e = db_query(db,
                     "SELECT u.subscriber, u.state, " FILTERED_COLUMNS
                     " FROM subscription u CROSS JOIN subscriber s ON s.id = u.subscriber WHERE u.list = ? AND "
                     "u.subscriber > ? AND " VISIBLE_IMPORT("u.import") " ORDER BY u.subscriber LIMIT ?",
                     &row, "iid", (int64_t)list, r->census.cursor, PAGE);
    int count = 0;
    bool over = false; /* asked at each row: a long filter on long texts takes its time */
    for (; e == 0 && !over && (e = db_next(row)) == 1; count++, e = 0) {
        r->census.cursor = row_int(row, 0);
        if (row_int(row, 1) == SUBSCRIPTION_ACTIVE)
            count_member(r, only, row);
        over = db_slice_over(db);
    }
    if (over)
        db_end(row);
    *ret_more = over || count == PAGE;
    return e < 0 ? e : arena_failed(&r->arena) ? -ENOMEM : 0;
}

int reach_count(struct db *db, uint32_t list, struct filter *only, struct reach *r) {
    if (!only) {
        int e = subscription_census(db, list, true, &r->census);
        r->members = r->census.active;
        return e;
    }
    bool more = true;
    int e;
    do
        e = count_page(db, list, only, r, &more);
    while (e == 0 && more && !db_slice_over(db));
    return e < 0 ? e : more ? STORE_MORE : STORE_DONE;
}

void reach_done(struct reach *r) {
    arena_done(&r->arena);
    *r = (struct reach){.members = 0};
}
