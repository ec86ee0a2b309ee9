#include "people/requests_act.h"

#include <errno.h>

#include "base/number.h"
#include "conf/conf.h"
#include "people/joining.h"
#include "people/requests.h"
#include "store/announcement.h"
#include "store/delivery.h"
#include "store/subscription.h"
#include "trust/token.h"

#include "base/banned.h"

static const char undone[] = "undone";

static int leave_list(struct request_act *a, const struct request *q, uint32_t list, int64_t subscriber, bool *did) {
    struct subscription s;
    int found = subscription_get(a->db, list, subscriber, &s);
    if (found <= 0)
        return found;
    bool by_mail = q->verb == REQUEST_MAIL_LEAVE;
    const struct consent consent = {
        .what = "left",
        .how = by_mail                                                     ? "mail"
               : view_eq_str(request_get(q, REQUEST_KEY_HOW), "one-click") ? "one-click"
                                                                           : "link",
        .origin = by_mail ? "mail" : "web",
        .request = q->id,
    };
    int error = subscription_set(a->db, list, subscriber, SUBSCRIPTION_LEFT, a->at_usec, &consent);
    if (error == 0)
        *did = true;
    return error == -ESTALE ? 0 : error;
}

/* What that mail leaves: the token's list and all lists of the announcement, if it is one that the person got, or that
 * the token's list is among. What follows the token in a link is not signed: a number of anything else means nothing. */
static int lists_of(struct request_act *a, int64_t announcement, const struct token *t,
                    struct announcement_lists *ret) {
    uint32_t through = t->list;
    int r = announcement ? announcement_get_lists(a->db, announcement, ret) : 0;
    if (r == 1 && !announcement_lists_have(ret, t->list))
        r = delivery_list_of(a->db, announcement, (int64_t)t->subscriber, &through);
    if (r < 0)
        return r;
    if (r == 0)
        ret->count = 0;
    if (!announcement_lists_have(ret, t->list) && ret->count < ANNOUNCEMENT_LISTS_MAX)
        ret->ids[ret->count++] = t->list;
    return 0;
}

/* 1: a recipient's; 0 else, with the result. */
static int admit(struct request_act *a, const struct request *q, struct token *ret, const char **ret_result) {
    *ret_result = REQUEST_REFUSED;
    if (token_verify(a->keys, request_get(q, REQUEST_KEY_TOKEN), ret) < 0)
        return 0;
    if (ret->purpose == TOKEN_TEST)
        *ret_result = "test";
    return ret->purpose == TOKEN_RECIPIENT;
}

int requests_keep_who(struct request_act *a, int64_t subscriber, enum subscription_state state, const uint32_t *lists,
                      size_t count) {
    return a->replayed ? 0 : opt_outs_who(a->db, a->keys, subscriber, state, lists, count, &a->who);
}

int requests_leave_proved(struct request_act *a, const struct request *q, const struct token *t, int64_t announcement,
                          struct announcement_lists *ret_left) {
    struct announcement_lists lists;
    ret_left->count = 0;
    int error = lists_of(a, announcement, t, &lists);
    for (size_t i = 0; error == 0 && i < lists.count; i++) {
        bool did = false;
        error = leave_list(a, q, lists.ids[i], (int64_t)t->subscriber, &did);
        if (did)
            ret_left->ids[ret_left->count++] = lists.ids[i];
    }
    return error < 0 ? error : requests_keep_who(a, (int64_t)t->subscriber, SUBSCRIPTION_LEFT, lists.ids, lists.count);
}

int requests_leave(struct request_act *a, const struct request *q, const char **ret_result) {
    struct token t;
    struct announcement_lists left;
    if (!admit(a, q, &t, ret_result))
        return 0;
    int error = requests_leave_proved(a, q, &t, request_number(q, REQUEST_KEY_ANNOUNCEMENT), &left);
    *ret_result = left.count ? "left" : "nothing";
    return error;
}

/* When the last of these lists was left: what was left earlier was another mail's doing. */
static int last_leave(struct request_act *a, const struct announcement_lists *lists, int64_t subscriber,
                      int64_t *ret_usec) {
    *ret_usec = 0;
    for (size_t i = 0; i < lists->count; i++) {
        struct subscription s;
        int r = subscription_get(a->db, lists->ids[i], subscriber, &s);
        if (r < 0)
            return r;
        if (r == 1 && s.state == SUBSCRIPTION_LEFT && s.since_usec > *ret_usec)
            *ret_usec = s.since_usec;
    }
    return 0;
}

static int undo_list(struct request_act *a, const struct request *q, uint32_t list, int64_t subscriber,
                     int64_t left_usec, const char **ret_result) {
    const struct consent consent = {.what = undone, .how = "link", .origin = "web", .request = q->id};
    struct subscription s;
    int r = subscription_get(a->db, list, subscriber, &s);
    /* Seconds are written, and clocks of two hosts differ a little. */
    if (r <= 0 || s.state != SUBSCRIPTION_LEFT || s.since_usec != left_usec || a->at_usec < left_usec - USEC_PER_MIN)
        return r < 0 ? r : 0;
    r = subscription_undo_leave(a->db, list, subscriber, a->at_usec, REQUESTS_UNDO_USEC, &consent);
    if (r == 0)
        *ret_result = undone;
    return r == -ESTALE || r == -ETIME || r == -ENOENT ? 0 : r;
}

int requests_undo(struct request_act *a, const struct request *q, const char **ret_result) {
    struct token t;
    struct announcement_lists lists;
    int64_t left_usec = 0;
    if (!admit(a, q, &t, ret_result))
        return 0;
    *ret_result = "nothing";
    int error = lists_of(a, request_number(q, REQUEST_KEY_ANNOUNCEMENT), &t, &lists);
    if (error == 0)
        error = last_leave(a, &lists, (int64_t)t.subscriber, &left_usec);
    for (size_t i = 0; error == 0 && i < lists.count; i++)
        error = undo_list(a, q, lists.ids[i], (int64_t)t.subscriber, left_usec, ret_result);
    return error < 0 || *ret_result != undone
               ? error
               : requests_keep_who(a, (int64_t)t.subscriber, SUBSCRIPTION_ACTIVE, lists.ids, lists.count);
}

/* ---- all lists of a sender ---- */

typedef int on_list(struct request_act *a, const struct request *q, uint32_t list, int64_t subscriber, void *user);

/* The lists of the token's list's sender, or that one alone where the configuration does not know it. */
static int each_list(struct request_act *a, const struct request *q, const struct token *t, on_list *one, void *user) {
    const struct conf_list *own = joining_list(a->conf, t->list);
    int64_t subscriber = (int64_t)t->subscriber;
    int r = own ? 0 : one(a, q, t->list, subscriber, user);
    for (size_t i = 0; own && r == 0 && i < a->conf->list_count; i++)
        if (a->conf->lists[i].sender == own->sender)
            r = one(a, q, a->conf->lists[i].id, subscriber, user);
    return r;
}

struct senders_lists {
    uint32_t ids[CONF_LISTS_MAX];
    size_t count;
};

static int collect(struct request_act *a, const struct request *q, uint32_t list, int64_t subscriber, void *user) {
    struct senders_lists *lists = user;
    (void)a, (void)q, (void)subscriber;
    lists->ids[lists->count++] = list; /* fits: there are no more */
    return 0;
}

static int keep_who(struct request_act *a, const struct request *q, const struct token *t,
                    enum subscription_state state) {
    struct senders_lists lists = {.count = 0};
    int r = each_list(a, q, t, collect, &lists);
    return r < 0 ? r : requests_keep_who(a, (int64_t)t->subscriber, state, lists.ids, lists.count);
}

static int leave_active(struct request_act *a, const struct request *q, uint32_t list, int64_t subscriber, void *did) {
    struct subscription s;
    int r = subscription_get(a->db, list, subscriber, &s);
    return r == 1 && s.state == SUBSCRIPTION_ACTIVE ? leave_list(a, q, list, subscriber, did) : r < 0 ? r : 0;
}

/* When the last of them was left. */
static int find_last(struct request_act *a, const struct request *q, uint32_t list, int64_t subscriber, void *usec) {
    struct subscription s;
    int64_t *last = usec;
    (void)q;
    int r = subscription_get(a->db, list, subscriber, &s);
    if (r == 1 && s.state == SUBSCRIPTION_LEFT && s.since_usec > *last)
        *last = s.since_usec;
    return r < 0 ? r : 0;
}

struct taking_back {
    int64_t left_usec;
    const char *result;
};

/* What was left together comes back together. */
static int take_back(struct request_act *a, const struct request *q, uint32_t list, int64_t subscriber, void *user) {
    struct taking_back *t = user;
    return undo_list(a, q, list, subscriber, t->left_usec, &t->result);
}

int requests_leave_all(struct request_act *a, const struct request *q, const char **ret_result) {
    struct token t;
    bool did = false;
    if (!admit(a, q, &t, ret_result))
        return 0;
    int r = each_list(a, q, &t, leave_active, &did);
    *ret_result = did ? "left" : "nothing";
    return r < 0 ? r : keep_who(a, q, &t, SUBSCRIPTION_LEFT);
}

int requests_undo_all(struct request_act *a, const struct request *q, const char **ret_result) {
    struct token t;
    struct taking_back back = {.result = "nothing"};
    if (!admit(a, q, &t, ret_result))
        return 0;
    int r = each_list(a, q, &t, find_last, &back.left_usec);
    if (r == 0)
        r = each_list(a, q, &t, take_back, &back);
    *ret_result = back.result;
    return r < 0 || back.result != undone ? r : keep_who(a, q, &t, SUBSCRIPTION_ACTIVE);
}
