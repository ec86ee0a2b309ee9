#include "announce/series.h"

#include <errno.h>

#include "store/announcement.h"

#include "base/banned.h"

enum { DATE_MAX_BYTES = 64 };

int series_rule(const struct series_row *row, struct occurrence_rule *ret, struct why *why) {
    struct when start;
    *ret = (struct occurrence_rule){.zone = row->zone, .before_days = row->before_days};
    if (when_parse(view_of(row->start), &start) != WHEN_OK || when_parse(view_of(row->end), &ret->end) != WHEN_OK)
        return why_set(why, -EINVAL, "the dates of a recurring announcement are damaged");
    return recur_read(view_of(row->repeat), &start, row->zone, &ret->recurrence, why);
}

bool series_next(const struct occurrence_rule *rule, const struct series_row *row, struct occurrence *ret) {
    struct when next;
    return when_parse(view_of(row->next), &next) == WHEN_OK && occurrence_at(rule, &next, ret);
}

static const char *print(const struct when *w, struct buf *to) {
    buf_clear(to);
    occurrence_print(w, to);
    return buf_str(to);
}

int series_take_in(struct db *db, int64_t announcement, const struct intake_result *r, int64_t replaced,
                   int64_t now_usec) {
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf start = BUF_INIT(DATE_MAX_BYTES), end = BUF_INIT(DATE_MAX_BYTES),
                       next = BUF_INIT(DATE_MAX_BYTES);
    const struct occurrence_rule *rule = r->rule;
    struct occurrence o = r->occurrence;
    struct series_row before = {.base = ""};
    const char *made = "";
    struct when base;
    int e = replaced ? series_get(db, replaced, &arena, &before) : 0;
    if (e >= 0 && replaced)
        e = series_last_made(db, replaced, &arena, &made);
    if (e < 0)
        return e;
    if (strcmp(made, before.base) < 0)
        made = before.base;
    bool any = true; /* a date may have been made since the files were checked */
    if (when_parse(view_of(made), &base) == WHEN_OK && when_cmp(&o.start, &base) <= 0)
        any = occurrence_next(rule, &base, now_usec, true, &o);
    struct series_row row = {
        .announcement = announcement,
        .repeat = r->repeat,
        .start = print(&rule->recurrence.start, &start),
        .end = print(&rule->end, &end),
        .zone = rule->zone,
        .base = made,
        .next = any ? print(&o.start, &next) : "",
        .before_days = rule->before_days,
        .due_usec = any ? o.held_at_usec : 0,
    };
    e = series_insert(db, &row);
    return e < 0 || any ? e : series_move_on(db, announcement, "", 0, now_usec);
}

int series_step(struct db *db, const struct series_row *row, const struct occurrence_rule *rule,
                const struct when *done, int64_t now_usec) {
    AUTOBUF struct buf next = BUF_INIT(DATE_MAX_BYTES);
    struct occurrence o;
    bool any = occurrence_list(rule, done, &o, 1) == 1;
    return series_move_on(db, row->announcement, any ? print(&o.start, &next) : "", any ? o.held_at_usec : 0, now_usec);
}

int series_find(struct db *db, uint32_t list, const char *name, struct arena *arena, struct intake_series *ret) {
    struct announcement_row announcement;
    struct series_row row;
    const char *made = "";
    int64_t id;
    int r = announcement_find_recurring(db, list, name, &id);
    if (r == 1)
        r = announcement_get(db, id, arena, &announcement);
    if (r == 1)
        r = series_get(db, id, arena, &row);
    if (r <= 0)
        return r;
    r = series_last_made(db, id, arena, &made);
    if (r < 0)
        return r;
    *ret = (struct intake_series){.uid = announcement.event_uid};
    ret->has_last = when_parse(view_of(strcmp(made, row.base) > 0 ? made : row.base), &ret->last) == WHEN_OK;
    return 1;
}
