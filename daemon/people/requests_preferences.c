#include "people/requests_act.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "conf/conf.h"
#include "mail/words.h"
#include "people/asking.h"
#include "people/joining.h"
#include "people/letters.h"
#include "store/person.h"
#include "store/subscription.h"
#include "trust/token.h"

#include "base/banned.h"

struct changing {
    struct request_act *a;
    const struct request *q;
    const struct conf_list *list; /* the token's; NULL: it is gone */
    struct person person;
    const char *language;
    struct arena *arena;
    bool did;
};

static int leave_one(struct changing *c, uint32_t list) {
    struct subscription s;
    int r = subscription_get(c->a->db, list, c->person.id, &s);
    if (r <= 0 || s.state != SUBSCRIPTION_ACTIVE)
        return r < 0 ? r : 0;
    const struct consent left = {.what = "left", .how = "preferences", .origin = "web", .request = c->q->id};
    r = subscription_set(c->a->db, list, c->person.id, SUBSCRIPTION_LEFT, c->a->at_usec, &left);
    c->did |= r == 0;
    return r;
}

/* Whose a list was that is gone, nobody knows: leaving it counts all the same, as it may come back. */
static int leave(struct changing *c) {
    struct view rest = request_get(c->q, REQUEST_KEY_LEAVE);
    uint32_t lists[REQUEST_LISTS_MAX];
    size_t count = 0;
    int r = 0;
    while (r == 0 && count < COUNT_OF(lists) && request_next_list(&rest, &lists[count])) {
        const struct conf_list *of = joining_list(c->a->conf, lists[count]);
        if (of && (!c->list || of->sender != c->list->sender))
            continue;
        r = leave_one(c, lists[count++]);
    }
    return r < 0 ? r : requests_keep_who(c->a, c->person.id, SUBSCRIPTION_LEFT, lists, count);
}

/* One mail for all of them. */
static int join(struct changing *c, const char **ret_result) {
    const struct conf_list *lists[REQUEST_LISTS_MAX];
    struct view rest = request_get(c->q, REQUEST_KEY_JOIN);
    struct address address;
    struct subscription s;
    size_t count = 0;
    uint32_t id;
    while (request_next_list(&rest, &id)) {
        const struct conf_list *list = joining_list(c->a->conf, id);
        if (!list || list->open != CONF_YES || list->sender != c->list->sender)
            continue;
        int r = subscription_get(c->a->db, id, c->person.id, &s);
        if (r < 0)
            return r;
        bool known = r == 1 && s.state == SUBSCRIPTION_ACTIVE;
        for (size_t i = 0; i < count; i++)
            known |= lists[i] == list;
        if (!known)
            lists[count++] = list;
    }
    const char *spelled = c->person.address[0] ? c->person.address : c->person.address_key;
    enum address_fault fault = count ? address_parse(view_of(spelled), &address) : ADDRESS_EMPTY;
    if (fault != ADDRESS_OK)
        return fault == ADDRESS_NO_MEMORY ? -ENOMEM : 0;
    const struct joining j = {.request = c->q->id,
                              .lists = lists,
                              .count = count,
                              .subscriber = c->person.id,
                              .address = &address,
                              .given_name = "",
                              .family_name = "",
                              .language = c->language,
                              .version = joining_text(c->q, REQUEST_KEY_CONSENT, c->arena),
                              .wording = joining_text(c->q, REQUEST_KEY_WORDING, c->arena),
                              .source = joining_text(c->q, REQUEST_KEY_SOURCE, c->arena)};
    return arena_failed(c->arena) ? -ENOMEM : joining_ask(c->a, &j, ret_result);
}

static int move(struct changing *c, const char **ret_result) {
    struct address address;
    struct person other;
    struct view written = request_get(c->q, REQUEST_KEY_NEW_ADDRESS);
    enum address_fault fault = address_parse(written, &address);
    if (fault != ADDRESS_OK || strcmp(address.key, c->person.address_key) == 0)
        return fault == ADDRESS_NO_MEMORY ? -ENOMEM : 0;
    int r = person_find(c->a->db, address.key, c->arena, &other);
    if (r != 0)
        return r < 0 ? r : 0; /* somebody's already: nobody is told whose */
    const struct joining j = {.request = c->q->id,
                              .lists = &c->list,
                              .count = 1,
                              .moves = true,
                              .subscriber = c->person.id,
                              .address = &address,
                              .given_name = "",
                              .family_name = "",
                              .language = c->language,
                              .version = "",
                              .wording = "",
                              .source = joining_text(c->q, REQUEST_KEY_SOURCE, c->arena)};
    return arena_failed(c->arena) ? -ENOMEM : joining_ask(c->a, &j, ret_result);
}

static int speak(struct changing *c) {
    struct view code = request_get(c->q, REQUEST_KEY_NEW_LANGUAGE);
    bool is_new;
    int64_t id;
    if (code.len == 0 || !words_is_code(code) || view_eq_str(code, c->person.language))
        return 0;
    const char *language = joining_text(c->q, REQUEST_KEY_NEW_LANGUAGE, c->arena);
    const struct person p = {.address_key = c->person.address_key, .language = language};
    if (arena_failed(c->arena))
        return -ENOMEM;
    const struct consent changed = {
        .what = "changed", .how = "preferences", .origin = "web", .evidence = "language", .request = c->q->id};
    int r = person_save(c->a->db, &p, c->a->at_usec, &id, &is_new);
    c->language = language;
    c->did |= r == 0;
    return r < 0 ? r : consent_add(c->a->db, c->person.id, 0, c->a->at_usec, &changed);
}

int requests_preferences(struct request_act *a, const struct request *q, const char **ret_result) {
    AUTOARENA struct arena arena = {0};
    struct changing c = {.a = a, .q = q, .arena = &arena};
    struct token t;
    const char *asked = "nothing", *moved = "nothing";
    *ret_result = REQUEST_REFUSED;
    if (token_verify(a->keys, request_get(q, REQUEST_KEY_TOKEN), &t) < 0 || t.purpose != TOKEN_RECIPIENT)
        return 0;
    *ret_result = "nothing";
    c.list = joining_list(a->conf, t.list);
    int r = a->conf ? person_get(a->db, (int64_t)t.subscriber, &arena, &c.person) : 0;
    if (r <= 0)
        return r;
    c.language = c.person.language[0] ? c.person.language : joining_text(q, REQUEST_KEY_LANGUAGE, &arena);
    r = speak(&c);
    if (r == 0)
        r = leave(&c);
    if (r == 0 && c.list)
        r = join(&c, &asked);
    if (r == 0 && c.list)
        r = move(&c, &moved);
    *ret_result = c.did ? "changed" : strcmp(moved, "nothing") != 0 ? moved : asked;
    return r;
}

/* ---- an address asks for its links ---- */

struct gathering {
    const struct conf *conf;
    const struct conf_list *lists[CONF_LISTS_MAX];
    size_t count;
};

static int on_subscription(void *user, const struct subscription *s) {
    struct gathering *g = user;
    const struct conf_list *list = joining_list(g->conf, s->list);
    if (list && s->state == SUBSCRIPTION_ACTIVE && g->count < COUNT_OF(g->lists))
        g->lists[g->count++] = list;
    return 0;
}

/* One mail from each sender. */
static int send_links(struct request_act *a, struct gathering *g, const struct person *p, int64_t due) {
    const struct letters l = {
        .db = a->db, .conf = a->conf, .keys = a->keys, .now_usec = a->now_usec, .mute = a->replayed};
    const struct conf_list **of = calloc(g->count, sizeof *of);
    int r = of ? 0 : -ENOMEM;
    for (size_t first = 0; r == 0 && first < g->count; first++) {
        size_t count = 0;
        const struct conf_list *head = g->lists[first];
        for (size_t i = first; head && i < g->count; i++)
            if (g->lists[i] && g->lists[i]->sender == head->sender) {
                of[count++] = g->lists[i];
                g->lists[i] = NULL;
            }
        if (count)
            r = letters_links(&l, of, count, p->id, p->language, p->address[0] ? p->address : p->address_key, due);
    }
    free(of);
    return r;
}

int requests_link(struct request_act *a, const struct request *q, const char **ret_result) {
    AUTOARENA struct arena arena = {0};
    struct address address;
    struct person p;
    int64_t due;
    *ret_result = "nothing";
    enum address_fault fault = a->conf ? address_parse(request_get(q, REQUEST_KEY_ADDRESS), &address) : ADDRESS_EMPTY;
    if (fault != ADDRESS_OK)
        return fault == ADDRESS_NO_MEMORY ? -ENOMEM : 0;
    int r = person_find(a->db, address.key, &arena, &p);
    struct gathering *g = r == 1 ? arena_alloc(&arena, sizeof *g) : NULL;
    if (r <= 0 || !g)
        return r <= 0 ? r : -ENOMEM;
    g->conf = a->conf;
    r = subscription_each_of(a->db, p.id, on_subscription, g);
    if (r < 0 || g->count == 0)
        return r;
    r = asking_admit(a, "link", &address, 0, request_get(q, REQUEST_KEY_SOURCE), &due, ret_result);
    if (r <= 0)
        return r;
    a->notices = true;
    *ret_result = "sent";
    return send_links(a, g, &p, due);
}
