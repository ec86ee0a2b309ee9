#include "people/returns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "announce/inform.h"
#include "base/arena.h"
#include "conf/conf.h"
#include "mail/bounce.h"
#include "people/requests_act.h"
#include "store/announcement.h"
#include "store/delivery.h"
#include "store/person.h"
#include "store/returned.h"
#include "store/store.h"
#include "store/subscription.h"
#include "store/suppression.h"
#include "trust/code.h"
#include "trust/token.h"

#include "base/banned.h"

enum { SAID_MAX_BYTES = 1100 };

/* Of whom a report speaks. */
struct about {
    int64_t announcement, subscriber;
    uint32_t list;
    struct person person;
    const char *domain;
};

static const char *dup_value(struct arena *arena, const struct request *q, enum request_key key) {
    const char *text = arena_dup(arena, request_get(q, key));
    return text ? text : "";
}

/* ---- who it is ---- */

/* The announcement and the subscriber that are proved; false where nothing is. */
static bool identify(struct request_act *a, const struct request *q, struct about *ret) {
    enum code_purpose purpose;
    uint64_t announcement, subscriber;
    struct token t;
    if (request_get(q, REQUEST_KEY_CODE).len) {
        if (code_check(a->keys, request_get(q, REQUEST_KEY_CODE), &purpose, &announcement, &subscriber) < 0 ||
            purpose != CODE_BOUNCE)
            return false;
        *ret = (struct about){.announcement = (int64_t)announcement, .subscriber = (int64_t)subscriber};
        return true;
    }
    if (token_verify(a->keys, request_get(q, REQUEST_KEY_TOKEN), &t) < 0 || t.purpose != TOKEN_RECIPIENT)
        return false;
    *ret = (struct about){.announcement = request_number(q, REQUEST_KEY_ANNOUNCEMENT),
                          .subscriber = (int64_t)t.subscriber,
                          .list = t.list};
    return true;
}

/* 1 with all about them; 0 where it proves nothing, counted, and *ret_result says how; or an error. */
static int find(struct request_act *a, const struct request *q, bool needs_delivery, struct arena *arena,
                struct about *ret, const char **ret_result) {
    struct returned_delivery d = {0};
    *ret_result = REQUEST_REFUSED;
    if (!identify(a, q, ret))
        return returned_count(a->db, "forged");
    int r = returned_delivery(a->db, ret->announcement, ret->subscriber, &d);
    if (r == 0) {
        /* A relay may report before its answer to us is written down. */
        d.at_usec = a->at_usec;
        r = delivery_list_of(a->db, ret->announcement, ret->subscriber, &d.list);
    }
    if (r < 0)
        return r;
    if (r == 0 && needs_delivery)
        return returned_count(a->db, "unknown");
    if (r == 1 && a->at_usec - d.at_usec > RETURNS_WINDOW_USEC)
        return returned_count(a->db, "late");
    if (r == 1)
        ret->list = d.list;
    r = person_get(a->db, ret->subscriber, arena, &ret->person);
    if (r <= 0) {
        *ret_result = "nothing";
        return r < 0 ? r : returned_count(a->db, "unknown");
    }
    const char *at = strrchr(ret->person.address_key, '@');
    ret->domain = at ? at + 1 : "";
    return 1;
}

/* ---- what follows ---- */

static int tell(struct request_act *a, const char *key, const char *a1, const char *a2) {
    if (!a->conf || a->replayed) /* it was told when it happened */
        return 0;
    const struct inform i = {.conf = a->conf, .keys = a->keys, .db = a->db, .now_usec = a->now_usec};
    a->notices = true;
    return inform_alert(&i, key, a1, a2);
}

/* At most once a day of each kind for each destination. */
static int tell_of_destination(struct request_act *a, const char *key, const char *domain, const char *said) {
    char about[320];
    (void)snprintf(about, sizeof about, "%s %s", domain, key); /* a domain fits */
    int r = returned_tell(a->db, about, a->now_usec);
    return r <= 0 ? r : tell(a, key, domain, said);
}

static int suppress(struct request_act *a, const struct request *q, const struct about *who, const char *reason,
                    const char *said, const char **ret_result) {
    const struct consent consent = {
        .what = "suppressed", .how = "mail", .origin = "report", .evidence = said, .request = q->id};
    struct suppression before;
    AUTOARENA struct arena arena = {0};
    int r = suppression_read(a->db, who->person.address_key, &arena, &before);
    if (r != 0) {
        *ret_result = "nothing";
        return r < 0 ? r : 0;
    }
    *ret_result = "suppressed";
    r = suppression_set(a->db, who->person.address_key, reason, said, a->now_usec);
    return r < 0 ? r : consent_add(a->db, who->subscriber, 0, a->now_usec, &consent);
}

static bool is_too_many(int64_t hard, int64_t size) {
    return hard >= RETURNS_HARD_MIN && hard * 100 > size * RETURNS_HARD_PERCENT;
}

/* Before a hard one is kept: how large the run is, where that will decide whether the breaker opens. By now it may be larger
 * than it was. */
static int look_at_run(struct request_act *a, const struct about *who) {
    struct returned_run run;
    int r = returned_is_there(a->db, who->announcement, who->subscriber, "hard");
    if (r != 0)
        return r < 0 ? r : 0;
    r = returned_run_get(a->db, who->announcement, who->domain, &run);
    if (r < 0 || run.held || !is_too_many(run.hard + 1, run.size))
        return r;
    r = returned_run_size(a->db, who->announcement, who->domain, a->sample);
    a->more = r == STORE_MORE;
    return r < 0 ? r : 0;
}

/* The breaker, which may open now. *ret_held: it is open. */
static int breaker(struct request_act *a, const struct about *who, const char *said, bool *ret_held) {
    int64_t held = 0;
    struct returned_run run = {0};
    char counts[64];
    int r = returned_run_add(a->db, who->announcement, who->domain, &run);
    *ret_held = run.held;
    if (r < 0 || run.held || !is_too_many(run.hard, run.size))
        return r;
    *ret_held = true;
    r = returned_hold(a->db, who->announcement, who->domain, a->now_usec, &held);
    if (r < 0)
        return r;
    (void)snprintf(counts, sizeof counts, "%lld / %lld: ", (long long)run.hard, (long long)run.size); /* fits */
    AUTOBUF struct buf text = BUF_INIT(SAID_MAX_BYTES + sizeof counts);
    buf_puts(&text, counts);
    buf_puts(&text, said);
    return tell(a, "alert-returns-held", who->domain, buf_str(&text));
}

static int hard(struct request_act *a, const struct request *q, const struct about *who, const char *said,
                const char **ret_result) {
    bool held = false;
    int r = breaker(a, who, said, &held);
    if (r < 0)
        return r;
    if (!held)
        return suppress(a, q, who, "hard-bounce", said, ret_result);
    *ret_result = "held";
    r = returned_mark_held(a->db, who->announcement, who->subscriber);
    if (r == 0)
        r = returned_take_back(a->db); /* the rest, if any, with the next one */
    return r < 0 ? r : 0;
}

static int again(struct request_act *a, const struct request *q, const struct about *who, const char *said,
                 const char **ret_result) {
    int64_t since = 0;
    int r = returned_unknown(a->db, who->subscriber, who->person.address_key, a->at_usec, RETURNS_QUIET_USEC, &since);
    *ret_result = "noted";
    return r < 0 || since < RETURNS_AGAIN_USEC ? r : hard(a, q, who, said, ret_result);
}

static int score(struct request_act *a, const struct request *q, const struct about *who, const char *said,
                 const char **ret_result) {
    int64_t count = 0, limit = a->conf ? a->conf->soft_limit : INT64_MAX;
    int r = returned_score(a->db, who->subscriber, who->person.address_key, a->at_usec, RETURNS_QUIET_USEC, &count);
    *ret_result = "scored";
    return r < 0 || count <= limit ? r : suppress(a, q, who, "soft-bounces", said, ret_result);
}

static int hold(struct request_act *a, const struct about *who, const char *said, const char **ret_result) {
    char number[32];
    struct why why;
    int r = announcement_pause(a->db, who->announcement, said, &why);
    *ret_result = r == 0 ? "paused" : "noted";
    if (r < 0) /* over, or paused already: the report stays beside the delivery */
        return why_is_trouble(r) ? r : 0;
    (void)snprintf(number, sizeof number, "%lld", (long long)who->announcement); /* fits */
    return tell(a, "alert-announcement-held", number, said);
}

static int follow(struct request_act *a, const struct request *q, const struct about *who, enum bounce_action action,
                  const char *said, const char **ret_result) {
    switch (action) {
    case BOUNCE_NOTHING:
    case BOUNCE_OPT_OUT: *ret_result = "noted"; return 0;
    case BOUNCE_SUPPRESS: return hard(a, q, who, said, ret_result);
    case BOUNCE_SUPPRESS_AGAIN: return again(a, q, who, said, ret_result);
    case BOUNCE_SCORE: return score(a, q, who, said, ret_result);
    case BOUNCE_SLOW:
    case BOUNCE_PAUSE:
        *ret_result = "slowed";
        (void)snprintf(a->slow, sizeof a->slow, "%s", who->domain); /* a domain fits */
        return action == BOUNCE_SLOW ? 0 : tell_of_destination(a, "alert-destination-paused", who->domain, said);
    case BOUNCE_STOP: *ret_result = "told"; return tell_of_destination(a, "alert-sender-refused", who->domain, said);
    case BOUNCE_HOLD: return hold(a, who, said, ret_result);
    }
    return 0;
}

/* ---- the verbs ---- */

int requests_bounce(struct request_act *a, const struct request *q, const char **ret_result) {
    AUTOARENA struct arena arena = {0};
    struct about who;
    enum bounce_action action;
    int r = find(a, q, true, &arena, &who, ret_result);
    if (r <= 0)
        return r;
    const struct returned report = {.at_usec = a->at_usec,
                                    .class = dup_value(&arena, q, REQUEST_KEY_CLASS),
                                    .reason = dup_value(&arena, q, REQUEST_KEY_REASON),
                                    .status = dup_value(&arena, q, REQUEST_KEY_STATUS),
                                    .text = dup_value(&arena, q, REQUEST_KEY_SAID)};
    bool counts = strcmp(report.class, "hard") == 0 || strcmp(report.class, "soft") == 0;
    if (arena_failed(&arena))
        return -ENOMEM;
    *ret_result = "nothing";
    if (!counts || !bounce_find_action(request_get(q, REQUEST_KEY_ACTION), &action))
        return returned_count(a->db, "ignored");
    r = action == BOUNCE_SUPPRESS || action == BOUNCE_SUPPRESS_AGAIN ? look_at_run(a, &who) : 0;
    if (r < 0 || a->more)
        return r;
    r = returned_keep(a->db, who.announcement, who.subscriber, &report);
    if (r <= 0)
        return r < 0 ? r : returned_count(a->db, "replayed");
    r = returned_count(a->db, report.class);
    return r < 0 ? r : follow(a, q, &who, action, report.text[0] ? report.text : report.reason, ret_result);
}

static int leave(struct request_act *a, const struct request *q, const struct about *who, const char *how, bool *did) {
    const struct consent consent = {.what = "left", .how = how, .origin = "mail", .request = q->id};
    struct subscription s;
    int r = subscription_get(a->db, who->list, who->subscriber, &s);
    if (r <= 0)
        return r;
    r = subscription_set(a->db, who->list, who->subscriber, SUBSCRIPTION_LEFT, a->at_usec, &consent);
    *did = r == 0;
    return r == -ESTALE ? 0 : r;
}

int requests_complaint(struct request_act *a, const struct request *q, const char **ret_result) {
    AUTOARENA struct arena arena = {0};
    struct about who;
    bool left = false;
    /* A token proves the person whatever became of the delivery: the list that it names is left. */
    int r = find(a, q, request_get(q, REQUEST_KEY_CODE).len > 0, &arena, &who, ret_result);
    if (r <= 0)
        return r;
    const struct returned report = {
        .at_usec = a->at_usec, .class = "complaint", .reason = "feedback", .status = "", .text = ""};
    r = returned_count(a->db, "complaint");
    if (r == 0 && who.announcement > 0)
        r = returned_keep(a->db, who.announcement, who.subscriber, &report);
    if (r >= 0)
        r = leave(a, q, &who, "complaint", &left);
    if (r >= 0)
        r = suppress(a, q, &who, "complaint", "feedback report", ret_result);
    const uint32_t lists[] = {OPT_OUT_EVERYTHING, who.list};
    return r < 0 ? r : requests_keep_who(a, who.subscriber, SUBSCRIPTION_LEFT, lists, who.list ? COUNT_OF(lists) : 1);
}
