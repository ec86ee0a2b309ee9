/* The lists as configured, with how many people they reach. */
#include <errno.h>
#include <stdlib.h>

#include "api/call.h"
#include "api/route.h"
#include "conf/conf.h"
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
            (void)json_array_append_new(json_object_get(c->result, "lists"), list_document(l, &n->census));
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
        call_refuse(c, 500, "out of memory", NULL);
    else
        call_run(c, STORE_NORMAL, step);
}
