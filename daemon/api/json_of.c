#include "api/json_of.h"

#include "announce/series.h"
#include "api/call.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "store/announcement.h"
#include "store/delivery.h"
#include "store/returned.h"

enum { DATES_SHOWN = 3 };

void json_set_moment(json_t *object, const char *key, int64_t usec) {
    AUTOBUF struct buf text = BUF_INIT(64);
    clock_print_utc(&text, usec);
    (void)json_object_set_new(object, key,
                              usec ? json_string(buf_str(&text)) : json_null()); /* no memory: the key is missing */
}

/* Of one that is gone from the configuration, as it was called then: for whoever may do everything. */
json_t *json_of_lists(const struct announcement_row *row, const struct call *c) {
    json_t *lists = json_array();
    struct view names = view_of(row->list_names), name;
    for (size_t i = 0; i < row->lists.count; i++) {
        const struct conf_list *list = conf_find_list_id(c->conf, row->lists.ids[i]);
        (void)view_split(&names, ',', &name);
        name = list ? view_of(list->name) : view_trim(name);
        if (list ? rights_on_list(&c->rights, list) : c->rights.all)
            (void)json_array_append_new(lists, json_stringn(name.ptr, name.len)); /* no memory: it is missing */
    }
    return lists;
}

json_t *json_of_names(const json_t *lists) {
    AUTOBUF struct buf names = BUF_INIT(4096);
    for (size_t i = 0; i < json_array_size(lists); i++)
        buf_printf(&names, "%s%s", i ? ", " : "", json_string_value(json_array_get(lists, i)));
    return json_string(buf_str(&names));
}

json_t *json_of_announcement(const struct announcement_row *row, const struct call *c) {
    json_t *lists = json_of_lists(row, c);
    json_t *o = json_pack("{s:I, s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:s}", "id", (json_int_t)row->id, "name", row->name,
                          "list", json_of_names(lists), "lists", lists, "state", announcement_state_name(row->state),
                          "why", row->why, "subject", row->subject, "only", row->only, "by", row->by);
    if (!o)
        return NULL;
    const struct {
        const char *key;
        uint64_t n;
    } counts[] = {{"total", row->total},       {"pending", row->pending}, {"delivered", row->delivered},
                  {"deferred", row->deferred}, {"refused", row->refused}, {"in_doubt", row->in_doubt},
                  {"left_out", row->left_out}};
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        (void)json_object_set_new(o, counts[i].key, json_integer((json_int_t)counts[i].n));
    json_set_moment(o, "created", row->created_usec);
    json_set_moment(o, "send_at", row->send_at_usec);
    json_set_moment(o, "send_until", row->send_until_usec);
    json_set_moment(o, "released", row->released_usec);
    json_set_moment(o, "started", row->started_usec);
    json_set_moment(o, "finished", row->finished_usec);
    json_set_moment(o, "purged", row->purged_usec);
    if (row->series) {
        (void)json_object_set_new(o, "series", json_integer(row->series));
        (void)json_object_set_new(o, "occurrence", json_string(row->occurrence));
    }
    return o;
}

static json_t *date_document(const struct occurrence *date) {
    AUTOBUF struct buf said = BUF_INIT(64);
    occurrence_print(&date->start, &said);
    json_t *o = json_pack("{s:s}", "date", buf_str(&said));
    if (o) {
        json_set_moment(o, "held_at", date->held_at_usec);
        json_set_moment(o, "send_at", date->send_at_usec);
    }
    return o;
}

json_t *json_of_dates(const struct series_row *row) {
    struct occurrence_rule rule;
    struct occurrence dates[DATES_SHOWN];
    struct why why;
    json_t *array = json_array();
    if (series_rule(row, &rule, &why) == 0 && series_next(&rule, row, &dates[0])) {
        size_t n = 1 + occurrence_list(&rule, &dates[0].start, &dates[1], DATES_SHOWN - 1);
        for (size_t i = 0; i < n; i++)
            (void)json_array_append_new(array, date_document(&dates[i]));
    }
    return array;
}

json_t *json_of_delivery(const struct delivery_row *row, const char *list) {
    json_t *o =
        json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:s}", "subscriber", (json_int_t)row->subscriber,
                  "address", row->address, "name", row->name, "list", list, "language", row->language, "state",
                  delivery_state_name(row->state), "attempts", (int)row->attempts, "code", (int)row->code, "status",
                  row->status, "text", row->text, "relay", row->relay);
    if (o)
        json_set_moment(o, "at", row->at_usec);
    return o;
}

json_t *json_of_returned(const struct returned *r) {
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:b}", "class", r->class, "reason", r->reason, "status", r->status,
                          "text", r->text, "held", r->held);
    if (o)
        json_set_moment(o, "at", r->at_usec);
    return o;
}
