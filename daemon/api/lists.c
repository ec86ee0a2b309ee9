/* The lists as configured, with how many people they reach. */
#include <errno.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/json_of.h"
#include "api/route.h"
#include "base/log.h"
#include "conf/conf.h"
#include "store/followed.h"
#include "store/subscription.h"

struct counting {
    size_t list;
    struct subscription_census census;
};

static json_t *strings(const struct conf_strings *s) {
    json_t *array = json_array();
    for (size_t i = 0; i < s->count; i++)
        (void)json_array_append_new(array, json_string(s->items[i]));
    return array;
}

/* How a list stands to the file that it follows; NULL where it follows none. */
static json_t *source_document(const struct conf_list *l, const struct followed *f) {
    if (!l->source[0])
        return NULL;
    json_t *o = json_pack("{s:s, s:s, s:s}", "file", l->source, "state",
                          f->why[0]       ? "broken"
                          : f->waits      ? "waits"
                          : f->has_digest ? "follows"
                                          : "unread",
                          "why", f->why);
    if (!o)
        return NULL;
    json_set_moment(o, "taken", f->at_usec);
    if (f->waits) {
        (void)json_object_set_new(o, "would_remove", json_integer((json_int_t)f->would_remove));
        (void)json_object_set_new(o, "of", json_integer((json_int_t)f->members));
    }
    return o;
}

int lists_add_sources(struct call *c, struct db *db, json_t *to) {
    for (size_t i = 0; i < c->conf->list_count; i++) {
        const struct conf_list *l = &c->conf->lists[i];
        struct followed f;
        if (!l->source[0] || !rights_on_list(&c->rights, l))
            continue;
        int r = followed_get(db, l->id, &c->arena, &f);
        if (r < 0)
            return r;
        json_t *o = source_document(l, &f);
        (void)json_object_set_new(o, "list", json_string(l->name));
        (void)json_array_append_new(to, o);
    }
    return 0;
}

static int step_accept(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    const struct conf_list *l = conf_find_list(c->conf, view_of(c->argument));
    struct followed f;
    int r = followed_get(db, l->id, &c->arena, &f);
    if (r == 0)
        r = followed_accept(db, l->id);
    if (r == 0) {
        (void)why_set(&job->why, -ESTALE, "nothing waits to be accepted on the list %s", l->name);
        why_todo(&job->why,
                 l->source[0] ? "`rundbrief list` says how it stands to its file" : "The list follows no file");
        return -ESTALE;
    }
    if (r < 0)
        return r;
    c->result = json_pack("{s:s, s:I, s:I}", "list", l->name, "would_remove", (json_int_t)f.would_remove, "of",
                          (json_int_t)f.members);
    return 0;
}

static void on_accepted(struct store_job *job, int result) {
    struct call *c = (struct call *)job;
    const struct conf_list *l = conf_find_list(c->conf, view_of(c->argument));
    if (result == 0) {
        log_info("source-accepted", LOG_TEXT("list", l->name), LOG_TEXT("by", c->rights.name));
        if (c->parts.on_accepted)
            c->parts.on_accepted(c->parts.user, l->id);
    }
    call_finish(c, result);
}

void route_accept(struct call *c) {
    if (call_list(c, c->argument))
        call_run_with(c, STORE_NORMAL, step_accept, on_accepted);
}

static json_t *list_document(const struct conf_list *l, const struct subscription_census *census) {
    return json_pack("{s:s, s:I, s:s, s:s, s:o, s:o, s:I, s:I}", "name", l->name, "id", (json_int_t)l->id, "title",
                     l->title, "sender", l->sender->id, "languages", strings(&l->languages), "coordinators",
                     strings(&l->coordinators), "active", (json_int_t)census->active, "all", (json_int_t)census->all);
}

static int step(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct counting *n = c->state;
    while (n->list < c->conf->list_count) {
        const struct conf_list *l = &c->conf->lists[n->list];
        if (rights_on_list(&c->rights, l)) {
            int r = subscription_census(db, l->id, false, &n->census);
            if (r != STORE_DONE)
                return r;
            struct followed f;
            if ((r = followed_get(db, l->id, &c->arena, &f)) < 0)
                return r;
            json_t *o = list_document(l, &n->census), *source = source_document(l, &f);
            if (source)
                (void)json_object_set_new(o, "source", source);
            (void)json_array_append_new(json_object_get(c->result, "lists"), o);
        }
        n->census = (struct subscription_census){0};
        n->list++;
    }
    return STORE_DONE;
}

void route_lists(struct call *c) {
    c->state = calloc(1, sizeof(struct counting));
    c->free_state = free;
    c->result = json_pack("{s:[]}", "lists");
    if (!c->state || !c->result)
        call_refuse(c, 503, "out of memory", NULL);
    else
        call_run(c, STORE_NORMAL, step);
}
