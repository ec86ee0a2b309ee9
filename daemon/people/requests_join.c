#include "people/requests_act.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "conf/conf.h"
#include "people/asking.h"
#include "people/joining.h"
#include "people/letters.h"
#include "people/privacy.h"
#include "store/applied.h"
#include "store/epoch.h"
#include "store/forget.h"
#include "store/person.h"
#include "store/sign_up.h"
#include "store/subscription.h"
#include "store/suppression.h"
#include "trust/code.h"
#include "trust/token.h"

#include "base/banned.h"

enum { TAKE_BACK_DAYS = 30 };
#define TAKES_BACK "back" /* as the version of a sign-up that moves: there is no text to be agreed to */

const struct conf_list *joining_list(const struct conf *conf, uint32_t id) {
    for (size_t i = 0; conf && i < conf->list_count; i++)
        if (conf->lists[i].id == id)
            return &conf->lists[i];
    return NULL;
}

/* ---- asking ---- */

int joining_ask(struct request_act *a, const struct joining *j, const char **ret_result) {
    AUTOBUF struct buf token = BUF_INIT(TOKEN_TEXT_MAX), titles = BUF_INIT(64 * 1024), id = BUF_INIT(512);
    uint8_t nonce[SIGN_UP_NONCE_BYTES];
    int64_t due;
    int r = asking_admit(a, "confirm", j->address, j->lists[0]->id, view_of(j->source), &due, ret_result);
    if (r <= 0)
        return r;
    code_nonce(a->keys, j->request, j->moves, nonce);
    const int64_t expires = due + (int64_t)a->conf->confirm_days * USEC_PER_DAY;
    struct token t = {.purpose = TOKEN_CONFIRM, .list = j->lists[0]->id, .expires_usec = expires};
    memcpy(t.nonce, nonce, sizeof nonce);
    r = token_sign(a->keys, &t, &token);
    for (size_t i = 0; i < j->count && !j->moves; i++)
        buf_printf(&titles, "%s    %s", i ? "\n" : "", letters_title(j->lists[i], j->language));
    const struct letters l = {
        .db = a->db, .conf = a->conf, .keys = a->keys, .now_usec = a->now_usec, .mute = a->replayed};
    if (r == 0)
        r = letters_confirm(&l, j->lists[0], j->language, j->address->spelled, buf_view(&titles), buf_view(&token), due,
                            nonce, &id);
    for (size_t i = 0; r == 0 && i < j->count; i++) {
        const struct sign_up s = {.nonce = nonce,
                                  .list = j->lists[i]->id,
                                  .moves = j->moves,
                                  .token_list = j->lists[0]->id,
                                  .subscriber = j->subscriber,
                                  .address_key = j->address->key,
                                  .address = j->address->spelled,
                                  .given_name = j->given_name,
                                  .family_name = j->family_name,
                                  .language = j->language,
                                  .version = j->version,
                                  .wording = j->wording,
                                  .source = j->source,
                                  .at_usec = a->at_usec,
                                  .expires_usec = expires,
                                  .message_id = buf_str(&id),
                                  .request = j->request};
        r = sign_up_add(a->db, &s);
    }
    if (r == 0) {
        a->notices = true;
        *ret_result = "asked";
    }
    return r;
}

/* Whether the person is active on the list: 1 or 0. */
static int is_active(struct db *db, uint32_t list, int64_t subscriber) {
    struct subscription s;
    int r = subscription_get(db, list, subscriber, &s);
    return r == 1 ? s.state == SUBSCRIPTION_ACTIVE : r;
}

/* One who is there already gets the links, not a question. */
static int remind(struct request_act *a, const struct conf_list *list, const struct person *p,
                  const struct address *address, struct view source, const char **ret_result) {
    const struct letters l = {
        .db = a->db, .conf = a->conf, .keys = a->keys, .now_usec = a->now_usec, .mute = a->replayed};
    int64_t due;
    int r = asking_admit(a, "link", address, list->id, source, &due, ret_result);
    if (r <= 0)
        return r;
    r = letters_links(&l, &list, 1, p->id, p->language, p->address[0] ? p->address : p->address_key, due);
    a->notices = true;
    *ret_result = "reminded";
    return r;
}

int requests_sign_up(struct request_act *a, const struct request *q, const char **ret_result) {
    AUTOARENA struct arena arena = {0};
    struct address address;
    struct person p = {0};
    const struct conf_list *list = joining_list(a->conf, (uint32_t)request_number(q, REQUEST_KEY_LIST));
    *ret_result = REQUEST_REFUSED;
    if (!list || list->open != CONF_YES)
        return 0;
    *ret_result = "nothing";
    enum address_fault fault = address_parse(request_get(q, REQUEST_KEY_ADDRESS), &address);
    if (fault != ADDRESS_OK)
        return fault == ADDRESS_NO_MEMORY ? -ENOMEM : 0;
    int r = person_find(a->db, address.key, &arena, &p);
    if (r == 1)
        r = is_active(a->db, list->id, p.id);
    if (r < 0)
        return r;
    struct view source = request_get(q, REQUEST_KEY_SOURCE);
    if (r == 1)
        return remind(a, list, &p, &address, source, ret_result);
    const struct joining j = {
        .request = q->id,
        .lists = &list,
        .count = 1,
        .address = &address,
        .given_name = joining_text(q, REQUEST_KEY_GIVEN_NAME, &arena),
        .family_name = joining_text(q, REQUEST_KEY_FAMILY_NAME, &arena),
        .language = joining_text(q, REQUEST_KEY_LANGUAGE, &arena),
        .version = joining_text(q, REQUEST_KEY_CONSENT, &arena),
        .wording = joining_text(q, REQUEST_KEY_WORDING, &arena),
        .source = joining_text(q, REQUEST_KEY_SOURCE, &arena),
    };
    return arena_failed(&arena) ? -ENOMEM : joining_ask(a, &j, ret_result);
}

const char *joining_text(const struct request *q, enum request_key key, struct arena *arena) {
    struct view v = request_get(q, key);
    char *text = arena_dup(arena, v.len ? v : VIEW(""));
    if (text)
        text_cut_clean(text);
    return text ? text : "";
}

/* ---- confirming ---- */

/* The person that the sign-up is of: 1 or 0. */
static int find(struct request_act *a, const struct sign_up *s, struct arena *arena, struct person *ret) {
    return s->subscriber ? person_get(a->db, s->subscriber, arena, ret)
                         : person_find(a->db, s->address_key, arena, ret);
}

/* Made where nobody has the address, with that number if there is one. Their id. */
static int find_or_make(struct request_act *a, const struct sign_up *s, int64_t number, struct arena *arena,
                        int64_t *ret_id) {
    struct person p = {0};
    bool is_new;
    int r = find(a, s, arena, &p);
    if (r < 0)
        return r;
    if (r == 1) {
        *ret_id = p.id;
        return 0;
    }
    const struct person made = {.id = number,
                                .address_key = s->address_key,
                                .address = s->address,
                                .language = s->language,
                                .given_name = s->given_name,
                                .family_name = s->family_name};
    if (!number)
        return person_save(a->db, &made, a->at_usec, ret_id, &is_new);
    *ret_id = number;
    return person_bring_back(a->db, &made, a->at_usec);
}

static void say_proof(const struct sign_up *s, struct buf *to) {
    buf_printf(to, "answer to the mail <%s>, which was asked for at ", s->message_id);
    clock_print_utc(to, s->at_usec);
}

static void say_origin(const struct request *q, struct buf *to) {
    struct view source = request_get(q, REQUEST_KEY_SOURCE);
    buf_printf(to, "web%s%.*s", source.len ? ", " : "", (int)source.len, source.ptr ? source.ptr : "");
}

/* Whether that was after they said yes: a leave may come by a shorter way. Seconds are written; within one, what comes
 * later is later. */
static bool is_later(const struct request_act *a, int64_t left_usec) {
    return left_usec / USEC_PER_SEC > a->at_usec / USEC_PER_SEC;
}

/* Of a membership that a restored store does not know: 1 or 0. */
static int left_later(struct request_act *a, const struct sign_up *s) {
    struct opt_out left;
    int r = s->moves ? 0 : opt_outs_get(a->db, a->keys, s->address_key, s->list, &left);
    return r == 1 ? is_later(a, left.at_usec) : r;
}

/* Whether they are not on the list, and did not leave it later: 1 or 0. */
static int may_join(struct request_act *a, uint32_t list, int64_t subscriber) {
    struct subscription s;
    int r = subscription_get(a->db, list, subscriber, &s);
    if (r <= 0)
        return r < 0 ? r : 1;
    return s.state != SUBSCRIPTION_ACTIVE && !is_later(a, s.since_usec);
}

/* What the record keeps of a double opt-in: the question with its exact text, and the answer to the mail. */
static int join(struct request_act *a, const struct request *q, const struct sign_up *s, int64_t subscriber,
                bool *ret_did) {
    AUTOBUF struct buf wording = BUF_INIT(2 * REQUEST_TEXT_MAX), proof = BUF_INIT(2048), from = BUF_INIT(256),
                       by = BUF_INIT(256);
    bool was;
    int r = may_join(a, s->list, subscriber);
    if (r <= 0)
        return r;
    buf_printf(&wording, "%s (%s)", s->wording, s->version);
    buf_printf(&from, "%s%s%s", s->subscriber ? "preferences" : "sign-up form", s->source[0] ? ", " : "", s->source);
    say_proof(s, &proof);
    say_origin(q, &by);
    const struct consent asked = {
        .what = "asked", .how = "form", .origin = buf_str(&from), .basis = "consent", .evidence = buf_str(&wording)};
    const struct consent joined = {.what = "subscribed",
                                   .how = "confirmed",
                                   .origin = buf_str(&by),
                                   .basis = "consent",
                                   .evidence = buf_str(&proof),
                                   .request = q->id};
    r = consent_add(a->db, subscriber, s->list, s->at_usec, &asked);
    if (r == 0)
        r = subscription_set(a->db, s->list, subscriber, SUBSCRIPTION_ACTIVE, a->at_usec, &joined);
    if (r == 0)
        r = opt_outs_lift(a->db, a->keys, s->address_key, s->list, &was);
    *ret_did |= r == 0;
    return r;
}

static int welcome(struct request_act *a, const struct sign_up *s, int64_t subscriber) {
    const struct letters l = {
        .db = a->db, .conf = a->conf, .keys = a->keys, .now_usec = a->now_usec, .mute = a->replayed};
    const struct conf_list *list = joining_list(a->conf, s->list);
    bool sent = false;
    int r = list ? letters_welcome(&l, list, subscriber, s->language, s->address, &sent) : 0;
    a->notices |= sent;
    return r;
}

/* The way back, for whoever reads the old address: a change of address like any other, which waits to be confirmed by the
 * link in the mail that tells of this one. */
static int offer_back(struct request_act *a, const struct request *q, const struct sign_up *s, const struct person *p,
                      struct buf *token) {
    uint8_t nonce[SIGN_UP_NONCE_BYTES];
    const char *address = p->address[0] ? p->address : p->address_key;
    code_nonce(a->keys, q->id, true, nonce);
    struct token t = {
        .purpose = TOKEN_CONFIRM, .list = s->token_list, .expires_usec = a->now_usec + TAKE_BACK_DAYS * USEC_PER_DAY};
    memcpy(t.nonce, nonce, sizeof nonce);
    const struct sign_up back = {.nonce = nonce,
                                 .moves = true,
                                 .token_list = s->token_list,
                                 .subscriber = p->id,
                                 .address_key = p->address_key,
                                 .address = address,
                                 .given_name = "",
                                 .family_name = "",
                                 .language = p->language,
                                 .version = TAKES_BACK,
                                 .wording = "",
                                 .source = "",
                                 .at_usec = a->at_usec,
                                 .expires_usec = t.expires_usec,
                                 .message_id = "",
                                 .request = q->id};
    int r = token_sign(a->keys, &t, token);
    return r < 0 ? r : sign_up_add(a->db, &back);
}

static int move(struct request_act *a, const struct request *q, const struct sign_up *s, struct arena *arena,
                bool *ret_did) {
    const struct letters l = {
        .db = a->db, .conf = a->conf, .keys = a->keys, .now_usec = a->now_usec, .mute = a->replayed};
    const struct conf_list *list = joining_list(a->conf, s->token_list);
    AUTOBUF struct buf proof = BUF_INIT(2048), by = BUF_INIT(256), back = BUF_INIT(TOKEN_TEXT_MAX);
    struct person p;
    uint8_t hash[FORGET_HASH_BYTES];
    int r = person_get(a->db, s->subscriber, arena, &p);
    if (r <= 0)
        return r;
    code_address_hash(a->keys, view_of(p.address_key), hash);
    r = person_change_address(a->db, p.id, s->address_key, s->address, a->at_usec);
    if (r == -EEXIST || r == -ENOENT)
        return 0;
    buf_puts(&proof, "address; ");
    say_proof(s, &proof);
    say_origin(q, &by);
    /* The old address itself is not kept: it may be somebody else's by now. */
    const struct consent changed = {
        .what = "changed", .how = "confirmed", .origin = buf_str(&by), .evidence = buf_str(&proof), .request = q->id};
    if (r == 0)
        r = consent_add(a->db, p.id, 0, a->at_usec, &changed);
    if (r == 0)
        r = former_address_keep(a->db, p.id, hash, a->now_usec);
    if (r == 0 && strcmp(s->version, TAKES_BACK) == 0)
        r = sign_up_remove_moves(a->db, p.id, s->at_usec); /* whoever asked for it asks for no more by it */
    else if (r == 0)
        r = offer_back(a, q, s, &p, &back);
    if (r == 0 && list)
        r = letters_moved(&l, list, p.language, p.address[0] ? p.address : p.address_key, buf_view(&back));
    a->notices = true;
    *ret_did |= r == 0;
    return r;
}

/* Links in mails name the number: a restore, which makes people anew, must give them the same. */
static int keep_number(struct request_act *a, const struct request *q, int64_t subscriber) {
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)subscriber); /* fits */
    struct request joined = {.verb = REQUEST_JOINED, .at_usec = a->at_usec};
    if (!a->also)
        return 0;
    joined.value[REQUEST_KEY_TOKEN] = request_get(q, REQUEST_KEY_TOKEN);
    joined.value[REQUEST_KEY_SOURCE] = request_get(q, REQUEST_KEY_SOURCE);
    joined.value[REQUEST_KEY_SUBSCRIBER] = view_of(text);
    int r = request_print_new(a->also, &joined);
    return r < 0 ? r : applied_keep(a->db, joined.id, a->now_usec, request_verb_name(joined.verb));
}

/* number: of whom a restore brings back, or 0. */
static int confirm(struct request_act *a, const struct request *q, const struct sign_up *s, int64_t number,
                   struct arena *arena, bool *ret_did) {
    int64_t subscriber = 0;
    bool was, did = false;
    int r = asking_blocked(a, s->address_key);
    if (r == 0)
        r = left_later(a, s);
    if (r != 0)
        return r < 0 ? r : 0;
    r = suppression_clear(a->db, s->address_key, &was); /* mail that came back: it does not any more */
    if (r == 0)
        r = privacy_forget(a->db, a->keys, s->address_key);
    if (r == 0 && s->moves)
        return move(a, q, s, arena, ret_did);
    if (r == 0)
        r = find_or_make(a, s, number, arena, &subscriber);
    if (r == 0)
        r = join(a, q, s, subscriber, &did);
    if (r == 0 && did && !s->subscriber && !a->replayed)
        r = keep_number(a, q, subscriber);
    if (r == 0 && did)
        r = welcome(a, s, subscriber);
    *ret_did |= did;
    return r;
}

/* Whoever came after the backup would be given another number, and what they asked for since, to leave or to be erased,
 * and the links in their mails name the one they had: nobody is made without it. 1: they may join, 0: it waits, in case
 * that they follow their link once more, and for `joined`. */
static int may_repeat(struct request_act *a, struct sign_up *s, int64_t number, struct arena *arena) {
    struct person p;
    int r = find(a, s, arena, &p);
    if (r == 0 && number && number >> EPOCH_SHIFT <= EPOCH_MAX) {
        r = person_get(a->db, number, arena, &p); /* with another address, which was changed since */
        r = r < 0 ? r : r == 0;
    }
    if (r != 0)
        return r;
    s->answered_usec = a->at_usec;
    return sign_up_add(a->db, s);
}

/* A new address stays the most that came of a record that asked for several things. */
static int say_confirmed(struct request_act *a, const struct sign_up *s) {
    struct applied before = {0};
    int r = s->moves ? 0 : applied_get(a->db, s->request, &before);
    if (r < 0 || strcmp(before.result, REQUEST_MOVED) == 0)
        return r < 0 ? r : 0;
    return applied_say(a->db, s->request, s->moves ? REQUEST_MOVED : REQUEST_CONFIRMED);
}

static int answer(struct request_act *a, const struct request *q, int64_t number, const char **ret_result) {
    AUTOARENA struct arena arena = {0};
    struct sign_up s;
    struct token t;
    uint32_t lists[REQUEST_LISTS_MAX]; /* that a person of a known number joined */
    size_t count = 0;
    int64_t subscriber = 0;
    bool did = false, waits = false;
    int r = 0;
    *ret_result = REQUEST_REFUSED;
    if (!a->conf || token_verify(a->keys, request_get(q, REQUEST_KEY_TOKEN), &t) < 0 || t.purpose != TOKEN_CONFIRM)
        return 0;
    while (!waits && (r = sign_up_take(a->db, t.nonce, a->at_usec, &arena, &s)) == 1) {
        bool one = false;
        if (a->replayed) {
            r = may_repeat(a, &s, number, &arena);
            waits = r == 0;
        }
        if (r == 1)
            r = confirm(a, q, &s, number, &arena, &one);
        if (r >= 0 && one)
            r = say_confirmed(a, &s);
        if (r < 0)
            return r;
        if (one && s.subscriber && !s.moves && count < COUNT_OF(lists)) {
            subscriber = s.subscriber;
            lists[count++] = s.list;
        }
        did |= one;
    }
    *ret_result = did ? REQUEST_CONFIRMED : waits ? "waits" : "nothing";
    return r < 0 ? r : requests_keep_who(a, subscriber, SUBSCRIPTION_ACTIVE, lists, count);
}

int requests_confirm(struct request_act *a, const struct request *q, const char **ret_result) {
    return answer(a, q, 0, ret_result);
}

int requests_joined(struct request_act *a, const struct request *q, const char **ret_result) {
    return answer(a, q, request_number(q, REQUEST_KEY_SUBSCRIBER), ret_result);
}
