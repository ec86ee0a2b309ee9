#include "store/reach.h"

#include <errno.h>
#include <stdlib.h>
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

/* ---- walking several lists at once, in order of ids ---- */

struct page {
    uint32_t list;
    struct {
        int64_t subscriber;
        bool active;
    } members[PAGE];
    int count, at;
};

static int fill(struct db *db, struct page *p, int64_t cursor) {
    struct row *row = NULL;
    int e = db_query(
        db,
        "SELECT subscriber, state = ? AND " VISIBLE_IMPORT("import") " FROM subscription WHERE list = ? AND "
                                                                     "subscriber > ? ORDER BY subscriber LIMIT ?",
        &row, "diid", (int)SUBSCRIPTION_ACTIVE, (int64_t)p->list, cursor, PAGE);
    p->count = p->at = 0;
    while (e == 0 && (e = db_next(row)) == 1) {
        p->members[p->count].subscriber = row_int(row, 0);
        p->members[p->count++].active = row_int(row, 1);
        e = 0;
    }
    return e;
}

/* The next person who is active on one of the lists, and on which; 0 at the end. */
static int next_person(struct db *db, struct page *pages, size_t count, int64_t *cursor, bool *ret_on) {
    for (;;) {
        int64_t least = INT64_MAX;
        bool active = false;
        for (size_t i = 0; i < count; i++) {
            struct page *p = &pages[i];
            int e = p->at == p->count && p->count == PAGE ? fill(db, p, p->members[PAGE - 1].subscriber) : 0;
            if (e < 0)
                return e;
            if (p->at < p->count && p->members[p->at].subscriber < least)
                least = p->members[p->at].subscriber;
        }
        if (least == INT64_MAX)
            return 0;
        for (size_t i = 0; i < count; i++) {
            struct page *p = &pages[i];
            bool is_on = p->at < p->count && p->members[p->at].subscriber == least;
            ret_on[i] = is_on && p->members[p->at].active;
            active |= ret_on[i];
            p->at += is_on;
        }
        *cursor = least;
        if (active)
            return 1;
    }
}

/* ---- counting ---- */

/* Whether the filter means this member, whose language comes back. */
static int look_at(struct db *db, uint32_t list, int64_t subscriber, struct filter *only, struct reach *r,
                   bool *ret_meant, struct buf *language) {
    struct row *row = NULL;
    struct filter_person p;
    int e = db_query(db,
                     "SELECT " FILTERED_COLUMNS " FROM subscription u CROSS JOIN subscriber s ON s.id = u.subscriber "
                     "WHERE u.list = ? AND u.subscriber = ?",
                     &row, "ii", (int64_t)list, subscriber);
    if (e < 0 || (e = db_next(row)) <= 0)
        return e;
    filtered_person(row, 0, &p);
    if (filter_is_looking(only)) {
        filter_look(only, &p);
        keep_names(r, &p);
    }
    *ret_meant = filter_matches(only, &p);
    buf_clear(language);
    buf_add_view(language, p.language);
    db_end(row);
    return 0;
}

static int read_language(struct db *db, int64_t subscriber, struct buf *to) {
    struct row *row = NULL;
    int e = db_query(db, "SELECT language FROM subscriber WHERE id = ?", &row, "i", subscriber);
    if (e < 0 || (e = db_next(row)) <= 0)
        return e;
    buf_clear(to);
    buf_add_view(to, row_view(row, 0));
    db_end(row);
    return 0;
}

static int count_person(struct db *db, const struct page *pages, size_t count, const bool *on, struct filter *only,
                        struct reach *r) {
    AUTOBUF struct buf language = BUF_INIT(4096);
    unsigned lists = 0;
    int e = only ? 0 : read_language(db, r->census.cursor, &language);
    for (size_t i = 0; e == 0 && i < count; i++) {
        bool meant = on[i];
        if (on[i] && only)
            e = look_at(db, pages[i].list, r->census.cursor, only, r, &meant, &language);
        lists += meant;
    }
    r->members++;
    r->several += lists > 1;
    if (e == 0 && lists)
        subscription_census_add(&r->census, buf_str(&language));
    return e;
}

/* Goes on behind the cursor, until the slice is over or all are counted. */
static int count_all(struct db *db, struct page *pages, size_t count, struct filter *only, struct reach *r) {
    bool on[REACH_LISTS_MAX];
    int64_t cursor = r->census.cursor;
    int e = 0;
    for (size_t i = 0; e == 0 && i < count; i++)
        e = fill(db, &pages[i], cursor);
    while (e == 0 && (e = next_person(db, pages, count, &cursor, on)) == 1) {
        r->census.cursor = cursor;
        e = count_person(db, pages, count, on, only, r);
        if (e == 0 && db_slice_over(db)) /* a long filter on long texts takes its time */
            return STORE_MORE;
    }
    return e < 0 ? e : arena_failed(&r->arena) ? -ENOMEM : STORE_DONE;
}

int reach_count(struct db *db, const uint32_t *lists, size_t list_count, struct filter *only, struct reach *r) {
    if (!only && list_count == 1) {
        int e = subscription_census(db, lists[0], true, &r->census);
        r->members = r->census.active;
        return e;
    }
    struct page *pages = list_count <= REACH_LISTS_MAX ? calloc(list_count, sizeof *pages) : NULL;
    if (!pages)
        return list_count <= REACH_LISTS_MAX ? -ENOMEM : -E2BIG;
    for (size_t i = 0; i < list_count; i++)
        pages[i].list = lists[i];
    int e = count_all(db, pages, list_count, only, r);
    free(pages);
    return e;
}

void reach_done(struct reach *r) {
    arena_done(&r->arena);
    *r = (struct reach){.members = 0};
}
