#include "people/opt_outs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/encode.h"
#include "base/number.h"
#include "people/requests.h"
#include "people/requests_act.h"
#include "store/person.h"
#include "store/suppression.h"
#include "trust/code.h"

#include "base/banned.h"

/* ---- what is kept ---- */

/* "7,12"; -E2BIG beyond REQUEST_LISTS_MAX. */
static int print_lists(struct db *db, int64_t subscriber, enum subscription_state state, const uint32_t *lists,
                       size_t count, struct buf *to) {
    size_t printed = 0;
    for (size_t i = 0; i < count; i++) {
        struct subscription s = {.state = state};
        int r = lists[i] == OPT_OUT_EVERYTHING ? 1 : subscription_get(db, lists[i], subscriber, &s);
        if (r < 0)
            return r;
        if (r == 0 || s.state != state)
            continue;
        if (printed++ == REQUEST_LISTS_MAX)
            return -E2BIG;
        buf_printf(to, "%s%u", to->len ? "," : "", (unsigned)lists[i]);
    }
    return buf_error(to);
}

int opt_outs_who(struct db *db, const struct keyring *keys, int64_t subscriber, enum subscription_state state,
                 const uint32_t *lists, size_t count, struct opt_outs_who *ret) {
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf hex = BUF_INIT(sizeof ret->hash), text = BUF_INIT(sizeof ret->lists);
    uint8_t hash[OPT_OUT_HASH_BYTES];
    struct person p;
    int r = keys ? person_get(db, subscriber, &arena, &p) : 0;
    if (r == 1)
        r = print_lists(db, subscriber, state, lists, count, &text);
    if (r < 0 || text.len == 0)
        return r == -E2BIG || r > 0 ? 0 : r;
    code_address_hash(keys, view_of(p.address_key), hash);
    encode_hex(&hex, hash, sizeof hash);
    (void)snprintf(ret->hash, sizeof ret->hash, "%s", buf_str(&hex));                       /* fits */
    (void)snprintf(ret->subscriber, sizeof ret->subscriber, "%lld", (long long)subscriber); /* the same */
    (void)snprintf(ret->lists, sizeof ret->lists, "%s", buf_str(&text));                    /* the same */
    return buf_error(&hex);
}

void opt_outs_put(const struct opt_outs_who *who, struct request *q) {
    if (!who->hash[0])
        return;
    q->value[REQUEST_KEY_HASH] = view_of(who->hash);
    q->value[REQUEST_KEY_SUBSCRIBER] = view_of(who->subscriber);
    q->value[REQUEST_KEY_LEAVE] = view_of(who->lists);
}

/* ---- once more ---- */

struct repeating {
    struct request_act *a;
    const struct request *q;
    int64_t subscriber;
    uint8_t hash[OPT_OUT_HASH_BYTES];
    const char *how;
};

static bool is_by_mail(const struct request *q) {
    return q->verb == REQUEST_MAIL_LEAVE || q->verb == REQUEST_COMPLAINT;
}

static const char *way_of(const struct request *q, struct arena *arena) {
    struct view how = request_get(q, REQUEST_KEY_HOW);
    if (is_by_mail(q))
        return q->verb == REQUEST_COMPLAINT ? "complaint" : "mail";
    return how.len ? arena_dup(arena, how) : "preferences";
}

/* 1 where the person still has that address: then its suppression is as good as ever. */
static int suppress_known(struct repeating *k) {
    AUTOARENA struct arena arena = {0};
    uint8_t hash[OPT_OUT_HASH_BYTES];
    const char *reason;
    struct person p;
    int r = person_get(k->a->db, k->subscriber, &arena, &p);
    if (r <= 0)
        return r;
    code_address_hash(k->a->keys, view_of(p.address_key), hash);
    if (memcmp(hash, k->hash, sizeof hash) != 0)
        return 0;
    r = suppression_get(k->a->db, p.address_key, &arena, &reason);
    if (r != 0)
        return r;
    const struct consent consent = {
        .what = "suppressed", .how = "mail", .origin = "report", .evidence = "feedback report", .request = k->q->id};
    r = suppression_set(k->a->db, p.address_key, k->how, consent.evidence, k->a->at_usec);
    if (r == 0)
        r = consent_add(k->a->db, p.id, 0, k->a->at_usec, &consent);
    return r < 0 ? r : 1;
}

static int leave_everything(struct repeating *k) {
    int r = suppress_known(k);
    return r == 0 ? opt_out_note(k->a->db, k->hash, OPT_OUT_EVERYTHING, k->a->at_usec, k->how) : r < 0 ? r : 0;
}

static int leave(struct repeating *k, uint32_t list) {
    struct subscription s;
    if (list == OPT_OUT_EVERYTHING)
        return leave_everything(k);
    int r = subscription_get(k->a->db, list, k->subscriber, &s);
    if (r < 0 || (r == 1 && s.state == SUBSCRIPTION_LEFT))
        return r < 0 ? r : 0;
    if (r == 0)
        return opt_out_note(k->a->db, k->hash, list, k->a->at_usec, k->how);
    const struct consent consent = {
        .what = "left", .how = k->how, .origin = is_by_mail(k->q) ? "mail" : "web", .request = k->q->id};
    return subscription_set(k->a->db, list, k->subscriber, SUBSCRIPTION_LEFT, k->a->at_usec, &consent);
}

static int come_back(struct repeating *k, uint32_t list) {
    const struct consent consent = {.what = "undone", .how = "link", .origin = "web", .request = k->q->id};
    struct subscription s;
    bool was;
    int r = opt_out_forget(k->a->db, k->hash, list, &was);
    if (r < 0 || k->q->verb == REQUEST_CONFIRM) /* whom the store knows has joined by the verb */
        return r;
    r = subscription_get(k->a->db, list, k->subscriber, &s);
    if (r <= 0 || s.state != SUBSCRIPTION_LEFT || s.since_usec > k->a->at_usec + USEC_PER_MIN)
        return r < 0 ? r : 0;
    r = subscription_undo_leave(k->a->db, list, k->subscriber, k->a->at_usec, REQUESTS_UNDO_USEC, &consent);
    return r == -ETIME ? 0 : r;
}

int opt_outs_repeat(struct request_act *a, const struct request *q) {
    AUTOARENA struct arena arena = {0};
    struct repeating k = {
        .a = a, .q = q, .subscriber = request_number(q, REQUEST_KEY_SUBSCRIBER), .how = way_of(q, &arena)};
    struct view rest = request_get(q, REQUEST_KEY_LEAVE);
    bool comes_back = q->verb == REQUEST_UNDO || q->verb == REQUEST_UNDO_ALL || q->verb == REQUEST_CONFIRM;
    uint32_t list;
    int r = 0;
    if (q->verb == REQUEST_ERASE || decode_hex(request_get(q, REQUEST_KEY_HASH), k.hash, sizeof k.hash) < 0)
        return 0;
    if (!k.how)
        return -ENOMEM;
    while (r == 0 && request_next_list(&rest, &list))
        r = comes_back ? come_back(&k, list) : leave(&k, list);
    return r;
}

/* ---- who asks ---- */

int opt_outs_get(struct db *db, const struct keyring *keys, const char *address_key, uint32_t list,
                 struct opt_out *ret) {
    uint8_t hash[OPT_OUT_HASH_BYTES];
    if (!keys)
        return 0;
    code_address_hash(keys, view_of(address_key), hash);
    return opt_out_get(db, hash, list, ret);
}

int opt_outs_lift(struct db *db, const struct keyring *keys, const char *address_key, uint32_t list, bool *ret_was) {
    uint8_t hash[OPT_OUT_HASH_BYTES];
    *ret_was = false;
    if (!keys)
        return 0;
    code_address_hash(keys, view_of(address_key), hash);
    return opt_out_forget(db, hash, list, ret_was);
}
