#include "api/people_documents.h"

#include <errno.h>

#include "api/call.h"
#include "api/json_of.h"
#include "conf/conf.h"
#include "mail/attributes.h"
#include "mail/tags.h"
#include "store/dossier.h"

static json_t *attributes_document(const char *attributes) {
    json_t *o = json_object();
    struct view rest = view_of(attributes), name, value;
    while (attributes_next(&rest, &name, &value)) {
        AUTOFREE char *key = view_dup(name);
        if (key)
            (void)json_object_set_new(o, key, json_stringn(value.ptr, value.len));
    }
    return o;
}

json_t *people_document(const struct person *p) {
    json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o}", "id", (json_int_t)p->id, "address",
                          p->address, "language", p->language, "form", p->form, "title", p->title, "given_name",
                          p->given_name, "family_name", p->family_name, "salutation", p->salutation, "organisation",
                          p->organisation, "timezone", p->timezone, "attributes", attributes_document(p->attributes));
    if (o) {
        json_set_moment(o, "created", p->created_usec);
        json_set_moment(o, "changed", p->changed_usec);
    }
    return o;
}

bool people_may_see(const struct call *c, const struct member_record *m) {
    if (c->rights.all)
        return true;
    for (size_t i = 0; i < m->subscription_count; i++) {
        const struct conf_list *list = conf_find_list_id(c->conf, m->subscriptions[i].list);
        if (list && rights_on_list(&c->rights, list))
            return true;
    }
    return false;
}

const char *people_list(const struct call *c, uint32_t id) {
    const struct conf_list *list = conf_find_list_id(c->conf, id);
    if (!list)
        return c->rights.all ? "" : NULL;
    return rights_on_list(&c->rights, list) ? list->name : NULL;
}

static json_t *tags_document(const char *tags) {
    json_t *list = json_array();
    struct view rest = view_of(tags), tag;
    while (tags_next(&rest, &tag))
        (void)json_array_append_new(list, json_stringn(tag.ptr, tag.len));
    return list;
}

json_t *people_record(const struct call *c, const struct member_record *m) {
    json_t *o = people_document(&m->person), *subscriptions = json_array(), *record = json_array();
    for (size_t i = 0; i < m->subscription_count; i++) {
        const struct subscription *s = &m->subscriptions[i];
        const char *name = people_list(c, s->list);
        json_t *one = name ? json_pack("{s:s, s:s}", "list", name, "state", subscription_state_name(s->state)) : NULL;
        if (!one)
            continue;
        json_set_moment(one, "since", s->since_usec);
        (void)json_object_set_new(one, "tags", tags_document(m->tags[i]));
        (void)json_array_append_new(subscriptions, one);
    }
    for (size_t i = 0; i < m->consent_count; i++) {
        const struct consent_row *row = &m->consents[i];
        const char *name = row->list ? people_list(c, row->list) : "";
        json_t *one = name ? json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "list", name, "what", row->what, "how",
                                       row->how, "origin", row->origin, "basis", row->basis, "evidence", row->evidence)
                           : NULL;
        if (!one)
            continue;
        json_set_moment(one, "at", row->at_usec);
        (void)json_array_append_new(record, one);
    }
    (void)json_object_set_new(o, "suppressed", m->suppressed ? json_string(m->suppressed) : json_null());
    (void)json_object_set_new(o, "subscriptions", subscriptions);
    (void)json_object_set_new(o, "record", record);
    return o;
}

struct signing_up {
    const struct call *call;
    json_t *to; /* an array */
};

static int add_sign_up(void *user, const struct dossier_sign_up *s) {
    const struct signing_up *u = user;
    const char *list = s->list || !u->call->rights.all ? people_list(u->call, s->list) : "";
    if (!list)
        return 0;
    json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "list", list, "address", s->address, "language",
                          s->language, "given_name", s->given_name, "family_name", s->family_name, "source", s->source,
                          "version", s->version, "wording", s->wording);
    if (!o)
        return -ENOMEM;
    json_set_moment(o, "at", s->at_usec);
    json_set_moment(o, "expires", s->expires_usec);
    return json_array_append_new(u->to, o) < 0 ? -ENOMEM : 0;
}

json_t *people_sign_ups(const struct call *c, struct db *db, const char *address_key, int64_t subscriber) {
    struct signing_up u = {c, json_array()};
    if (u.to && dossier_sign_ups(db, address_key, subscriber, add_sign_up, &u) == 0)
        return u.to;
    json_decref(u.to);
    return NULL;
}
