/* Routes about single subscribers. What a caller sees and changes is bounded by the lists they may use: a person on
 * none of them is as unknown as one who is not there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/json_of.h"
#include "api/languages.h"
#include "api/people_documents.h"
#include "api/route.h"
#include "base/clock.h"
#include "conf/conf.h"
#include "mail/address.h"
#include "mail/tags.h"
#include "people/member.h"

enum { FOUND_MAX = 200, FIELDS_MAX = 64, TAGS_TEXT_MAX_BYTES = 4 * TAGS_MAX_BYTES };

/* The ids of the lists that the caller may use. */
static size_t lists_of(const struct call *c, uint32_t *ids) {
    size_t count = 0;
    for (size_t i = 0; i < c->conf->list_count; i++)
        if (rights_on_list(&c->rights, &c->conf->lists[i]))
            ids[count++] = c->conf->lists[i].id;
    return count;
}

struct finding {
    const char *text;
    uint32_t *lists;
    size_t list_count;
    int64_t cursor;
};

static void finding_free(void *state) {
    struct finding *f = state;
    free(f->lists);
    free(f);
}

static int on_person(void *user, const struct person *p) {
    struct call *c = user;
    json_t *found = json_object_get(c->result, "subscribers");
    (void)json_array_append_new(found, people_document(p));
    return json_array_size(found) >= FOUND_MAX ? 2 : 0;
}

static int step_find(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct finding *f = c->state;
    int r = person_search(db, view_of(f->text), f->lists, f->list_count, &f->cursor, on_person, c);
    if (r == 2)
        (void)json_object_set_new(c->result, "more", json_true());
    return r == 2 ? STORE_DONE : r;
}

void route_subscribers(struct call *c) {
    const char *text = http_query(c->http, "find");
    struct finding *f = calloc(1, sizeof *f);
    uint32_t *lists = calloc(c->conf->list_count + 1, sizeof *lists);
    c->result = json_pack("{s:[], s:b}", "subscribers", "more", 0);
    if (!f || !lists || !c->result) {
        free(f);
        free(lists);
        call_refuse(c, 503, "out of memory", NULL);
        return;
    }
    f->text = call_keep(c, text);
    f->lists = lists;
    f->list_count = c->rights.all ? 0 : lists_of(c, lists);
    c->state = f;
    c->free_state = finding_free;
    if (!c->rights.all && f->list_count == 0)
        call_refuse(c, 403, "you may not see the subscribers of any list",
                    "Ask the admin to put you into a list's group");
    else
        call_run(c, STORE_NORMAL, step_find);
}

static int show(struct call *c, struct db *db, struct view address) {
    struct member_record m;
    int r = member_show(db, address, &c->arena, &m, &c->job.why);
    if (r == 0 && !people_may_see(c, &m))
        r = why_set(&c->job.why, -ENOENT, "nobody has this address");
    if (r == 0) {
        json_decref(c->result);
        c->result = people_record(c, &m);
    }
    return r;
}

/* Nobody yet, but somebody asked to be: that is said, and where it stands. */
static int say_sign_up(struct call *c, struct db *db, const char *address_key) {
    json_t *waiting = people_sign_ups(c, db, address_key, 0), *first = json_array_get(waiting, 0);
    if (first) {
        (void)why_set(&c->job.why, -ENOENT,
                      "nobody has this address yet: it was to join %s at %s, which is not confirmed",
                      json_text(first, "list"), json_text(first, "at"));
        why_todo(&c->job.why, "`rundbrief subscriber export` prints what is held until %s",
                 json_text(first, "expires"));
    }
    json_decref(waiting);
    return -ENOENT;
}

static int step_show(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct address a;
    int r = show(c, db, view_of(c->argument));
    if (address_parse_mailbox(view_of(c->argument), &a, NULL) != ADDRESS_OK)
        return r;
    if (r == -ENOENT)
        return say_sign_up(c, db, a.key);
    json_t *waiting = r == 0 ? people_sign_ups(c, db, a.key, (int64_t)json_number(c->result, "id", 0)) : NULL;
    if (r == 0 && (!waiting || json_object_set_new(c->result, "sign_ups", waiting) < 0))
        return -ENOMEM;
    return r;
}

void route_subscriber(struct call *c) {
    call_run(c, STORE_NORMAL, step_show);
}

/* Another address takes the mail of every list with it: those lists must be the caller's too. */
static int check_other_lists(struct call *c, struct db *db, struct view address) {
    struct member_record m;
    if (c->rights.all)
        return 0;
    int r = member_show(db, address, &c->arena, &m, &c->job.why);
    for (size_t i = 0; r == 0 && i < m.subscription_count; i++) {
        const struct subscription *s = &m.subscriptions[i];
        bool lives = s->state == SUBSCRIPTION_ACTIVE || s->state == SUBSCRIPTION_PENDING;
        const struct conf_list *list = conf_find_list_id(c->conf, s->list);
        if (!lives || !list || rights_on_list(&c->rights, list))
            continue;
        (void)why_set(&c->job.why, -EACCES, "this person is on other lists too, and would get their mail elsewhere");
        why_todo(&c->job.why, "Ask the admin to change the address");
        return -EACCES;
    }
    return r;
}

/* A change: what the body says, read before the job runs. */
struct changing {
    json_t *body;
    uint32_t list;
    struct api_languages languages;
    struct member_field fields[FIELDS_MAX];
    size_t field_count;
    struct buf tags; /* the change, one a line */
};

static void changing_free(void *state) {
    struct changing *m = state;
    json_decref(m->body);
    api_languages_done(&m->languages);
    buf_done(&m->tags);
    free(m);
}

/* The list whose tags are meant: the one that was named, or the only one of theirs that the caller may see. */
static int tagged_list(struct call *c, struct db *db, struct view address, uint32_t named, uint32_t *ret) {
    struct member_record r;
    struct why *why = &c->job.why;
    size_t seen = 0;
    *ret = named;
    int e = named ? 0 : member_show(db, address, &c->arena, &r, why);
    for (size_t i = 0; e == 0 && !named && i < r.subscription_count; i++)
        if (people_list(c, r.subscriptions[i].list)) {
            *ret = r.subscriptions[i].list;
            seen++;
        }
    if (e < 0 || named || seen == 1)
        return e;
    (void)why_set(why, -EINVAL,
                  seen ? "tags are a list's own, and this person is on several" : "this person is on no list");
    why_todo(why, "Say which with --list LIST");
    return -EINVAL;
}

/* Fields, tags, or both. */
static int change(struct call *c, struct db *db, const struct changing *m, struct view address,
                  const struct member_act *act) {
    const struct words *const *words = (const struct words *const *)m->languages.items;
    uint32_t list = 0;
    int r = 0;
    if (m->field_count || m->tags.len == 0)
        r = member_change(db, address, m->fields, m->field_count, words, m->languages.count, act, &c->job.why);
    if (r == 0 && m->tags.len)
        r = tagged_list(c, db, address, m->list, &list);
    return r < 0 || m->tags.len == 0 ? r : member_tag(db, list, address, buf_view(&m->tags), act, &c->job.why);
}

/* Who comes back may have them already. */
static int tag_added(struct db *db, const struct changing *m, struct view address, const struct member_act *act,
                     struct why *why) {
    int r = member_tag(db, m->list, address, buf_view(&m->tags), act, why);
    return r == -ESTALE ? 0 : r;
}

static int step_change(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct changing *m = c->state;
    const char *what = json_text(m->body, "do");
    struct view address = view_of(json_text(m->body, "address"));
    const struct words *const *words = (const struct words *const *)m->languages.items;
    const struct member_act act = {
        .by = c->rights.name,
        .basis = json_text(m->body, "basis"),
        .evidence = json_text(m->body, "evidence"),
        .now_usec = clock_now_usec(),
        .spool = c->parts.spool,
        .keys = c->parts.keys,
    };
    int r = 0;
    bool is_new;
    /* Whoever is to be changed must be somebody that the caller may see. */
    if (strcmp(what, "add") != 0)
        r = show(c, db, address);
    if (r == 0 && strcmp(what, "change-address") == 0)
        r = check_other_lists(c, db, address);
    if (r < 0)
        return r;
    if (strcmp(what, "add") == 0) {
        r = member_add(db, m->list, address, m->fields, m->field_count, words, m->languages.count,
                       json_flag(m->body, "again"), &act, &job->why, &is_new);
        if (r == 0 && m->tags.len)
            r = tag_added(db, m, address, &act, &job->why);
    } else if (strcmp(what, "change") == 0)
        r = change(c, db, m, address, &act);
    else if (strcmp(what, "change-address") == 0) {
        r = member_change_address(db, address, view_of(json_text(m->body, "new_address")), &act, &job->why);
        address = view_of(json_text(m->body, "new_address"));
    } else if (strcmp(what, "leave") == 0)
        r = member_leave(db, m->list, address, json_text(m->body, "how"), &act, &job->why);
    else if (strcmp(what, "remove") == 0)
        r = member_remove(db, m->list, address, &act, &job->why);
    else
        r = member_restore(db, m->list, address, &act, &job->why);
    return r < 0 ? r : show(c, db, address);
}

static bool take_fields(struct call *c, struct changing *m) {
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(m->body, "fields"), key, value) {
        if (m->field_count == FIELDS_MAX || !json_is_string(value)) {
            call_refuse(c, 400, "the fields are not texts, or too many", NULL);
            return false;
        }
        m->fields[m->field_count++] = (struct member_field){key, json_string_value(value)};
    }
    return true;
}

static bool take_tags(struct call *c, struct changing *m) {
    json_t *tag;
    size_t i;
    json_array_foreach(json_object_get(m->body, "tags"), i, tag) {
        buf_puts(&m->tags, json_is_string(tag) ? json_string_value(tag) : "");
        buf_putc(&m->tags, '\n');
    }
    if (buf_error(&m->tags) == 0)
        return true;
    call_refuse(c, 400, "there are too many tags", NULL);
    return false;
}

static bool take_list(struct call *c, struct changing *m) {
    const char *what = json_text(m->body, "do"), *name = json_text(m->body, "list");
    bool needs = strcmp(what, "change") != 0 && strcmp(what, "change-address") != 0;
    bool may_do_without = strcmp(what, "leave") == 0 && c->rights.all;
    if (strcmp(what, "change") == 0 && name[0])
        needs = true;
    if (!needs || (may_do_without && name[0] == '\0'))
        return true;
    const struct conf_list *list = call_list(c, name);
    if (list)
        m->list = list->id;
    return list != NULL;
}

void route_change_subscriber(struct call *c) {
    static const char *const known[] = {"add", "change", "change-address", "leave", "remove", "restore"};
    struct changing *m = calloc(1, sizeof *m);
    struct why why;
    if (!m) {
        call_refuse(c, 503, "out of memory", NULL);
        return;
    }
    buf_init(&m->tags, TAGS_TEXT_MAX_BYTES);
    c->state = m;
    c->free_state = changing_free;
    m->body = json_read(http_body(c->http));
    bool is_known = false;
    int r;
    for (size_t i = 0; m->body && i < COUNT_OF(known); i++)
        is_known |= strcmp(json_text(m->body, "do"), known[i]) == 0;
    if (!is_known)
        call_refuse(c, 400, "the body does not say what to do", NULL);
    else if (!take_list(c, m) || !take_fields(c, m) || !take_tags(c, m))
        return;
    else if ((r = api_languages_load(c->conf, &m->languages, &why)) < 0)
        call_fail(c, why_is_trouble(r) ? 503 : 500, &why);
    else
        call_run(c, STORE_NORMAL, step_change);
}
