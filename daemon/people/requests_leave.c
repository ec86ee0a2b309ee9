#include "people/requests_act.h"

#include <errno.h>

#include "base/number.h"
#include "people/requests.h"
#include "store/delivery.h"
#include "store/subscription.h"
#include "trust/token.h"

#include "base/banned.h"

static int leave_list(struct request_act *a, const struct request *q, uint32_t list, int64_t subscriber, bool *did) {
    struct subscription s;
    int found = subscription_get(a->db, list, subscriber, &s);
    if (found <= 0)
        return found;
    const struct consent consent = {
        .what = "left",
        .how = view_eq_str(request_get(q, REQUEST_KEY_HOW), "one-click") ? "one-click" : "link",
        .origin = "web",
        .request = q->id,
    };
    int error = subscription_set(a->db, list, subscriber, SUBSCRIPTION_LEFT, a->at_usec, &consent);
    if (error == 0)
        *did = true;
    return error == -ESTALE ? 0 : error;
}

/* The list through which the announcement came, where it is not the token's own. */
static int list_of_delivery(struct request_act *a, const struct request *q, int64_t subscriber, uint32_t *ret_list) {
    int64_t announcement = request_number(q, REQUEST_KEY_ANNOUNCEMENT);
    return announcement == 0 ? 0 : delivery_list_of(a->db, announcement, subscriber, ret_list);
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

int requests_leave(struct request_act *a, const struct request *q, const char **ret_result) {
    struct token t;
    if (!admit(a, q, &t, ret_result))
        return 0;
    uint32_t list = t.list;
    int64_t subscriber = (int64_t)t.subscriber;
    bool did = false;
    int error = leave_list(a, q, t.list, subscriber, &did);
    if (error == 0)
        error = list_of_delivery(a, q, subscriber, &list);
    if (error >= 0 && list != t.list)
        error = leave_list(a, q, list, subscriber, &did);
    *ret_result = did ? "left" : "nothing";
    return error < 0 ? error : 0;
}

int requests_undo(struct request_act *a, const struct request *q, const char **ret_result) {
    struct token t;
    if (!admit(a, q, &t, ret_result))
        return 0;
    uint32_t lists[2] = {t.list, t.list};
    int64_t subscriber = (int64_t)t.subscriber;
    const struct consent consent = {.what = "undone", .how = "link", .origin = "web", .request = q->id};
    int error = list_of_delivery(a, q, subscriber, &lists[1]);
    if (error < 0)
        return error;
    *ret_result = "nothing";
    for (size_t i = 0; i < (lists[0] == lists[1] ? 1 : 2); i++) {
        error = subscription_undo_leave(a->db, lists[i], subscriber, a->at_usec, REQUESTS_UNDO_USEC, &consent);
        if (error == 0)
            *ret_result = "undone";
        else if (error != -ESTALE && error != -ETIME && error != -ENOENT)
            return error;
    }
    return 0;
}
