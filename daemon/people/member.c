#include "people/member.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "mail/address.h"
#include "mail/tags.h"
#include "people/command_record.h"
#include "people/member_fields.h"
#include "people/opt_outs.h"
#include "people/privacy.h"
#include "store/forget.h"
#include "store/suppression.h"
#include "trust/code.h"

#include "base/banned.h"

enum { EVIDENCE_MAX_BYTES = 8192 };

/* What the record says of a command. */
static struct consent command(const char *what, const struct member_act *act) {
    return (struct consent){
        .what = what, .how = "command", .origin = act->by, .basis = act->basis, .evidence = act->evidence};
}

static int store_failed(struct why *why, int error) {
    return why->what[0] ? error : why_set(why, error, "the store cannot be changed: %s", strerror(-error));
}

static int parse(struct view written, struct address *ret, struct why *why) {
    enum address_fault fault = address_parse_mailbox(written, ret, NULL);
    return fault == ADDRESS_OK
               ? 0
               : why_set(why, fault == ADDRESS_NO_MEMORY ? -ENOMEM : -EINVAL, "%s", address_fault_text(fault));
}

int member_find(struct db *db, struct view address, struct arena *arena, struct person *ret, struct why *why) {
    *why = (struct why){0};
    struct address a;
    int r = parse(address, &a, why);
    if (r < 0)
        return r;
    r = person_find(db, a.key, arena, ret);
    if (r == 0)
        return why_set(why, -ENOENT, "nobody has this address");
    return r < 0 ? store_failed(why, r) : 0;
}

/* --- Joining -------------------------------------------------------------------------------------------------- */

static int check_act(const struct member_act *act, struct why *why) {
    static const char *const bases[] = {"consent", "membership", "public-task", "other"};
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(bases); i++)
        known |= act->basis && strcmp(act->basis, bases[i]) == 0;
    if (known && act->evidence && act->evidence[0])
        return 0;
    (void)why_set(why, -EINVAL, "why may this person be written to, and where does it show?");
    why_todo(why, "Give --basis consent|membership|public-task|other and --evidence TEXT");
    return -EINVAL;
}

static int check_suppression(struct db *db, const struct address *a, const struct member_act *act, struct arena *arena,
                             struct why *why) {
    const char *reason;
    struct opt_out opt_out;
    int r = suppression_get(db, a->key, arena, &reason);
    if (r == 0 && (r = opt_outs_get(db, act->keys, a->key, OPT_OUT_EVERYTHING, &opt_out)) == 1)
        reason = opt_out.how;
    if (r <= 0)
        return r;
    (void)why_set(why, -ESTALE, "nothing is sent to this address any more (%s)", reason);
    why_todo(why, "If that is over: rundbrief unsuppress ADDRESS");
    return -ESTALE;
}

/* Whoever was erased comes back only as somebody new, who asks for it. */
static int check_erased(struct db *db, const struct address *a, bool again, const struct member_act *act,
                        struct arena *arena, struct why *why) {
    struct erasure erasure;
    int r = act->keys ? privacy_erased(db, act->keys, a->key, arena, &erasure) : 0;
    if (r <= 0)
        return r;
    if (again)
        return privacy_forget(db, act->keys, a->key);
    AUTOBUF struct buf date = BUF_INIT(64);
    clock_print_utc(&date, erasure.at_usec);
    (void)why_set(why, -ESTALE, "what was held on this address was erased on %.10s", buf_str(&date));
    why_todo(why, "If they asked to be taken in anew: rundbrief subscriber add --again");
    return -ESTALE;
}

static int refuse_left(int64_t left_usec, struct why *why) {
    AUTOBUF struct buf date = BUF_INIT(64);
    clock_print_utc(&date, left_usec);
    (void)why_set(why, -ESTALE, "this person left the list on %.10s", buf_str(&date));
    why_todo(why, "If they asked to come back: rundbrief subscriber add --again");
    return -ESTALE;
}

/* Who left before the store knew them on the list. */
static int check_opt_out(struct db *db, uint32_t list, const struct address *a, bool again,
                         const struct member_act *act, struct why *why) {
    struct opt_out opt_out;
    bool was;
    int r = opt_outs_get(db, act->keys, a->key, list, &opt_out);
    if (r <= 0)
        return r;
    return again ? opt_outs_lift(db, act->keys, a->key, list, &was) : refuse_left(opt_out.at_usec, why);
}

static int join(struct db *db, uint32_t list, int64_t id, bool again, const struct member_act *act, struct why *why) {
    struct subscription s = {0};
    int r = subscription_get(db, list, id, &s);
    if (r < 0)
        return r;
    if (r == 1 && s.state == SUBSCRIPTION_ACTIVE)
        return why_set(why, -ESTALE, "this person is on the list already");
    if (r == 1 && s.state == SUBSCRIPTION_LEFT && !again)
        return refuse_left(s.since_usec, why);
    struct consent consent = command(r == 1 && s.state == SUBSCRIPTION_REMOVED ? "restored" : "subscribed", act);
    return subscription_set(db, list, id, SUBSCRIPTION_ACTIVE, act->now_usec, &consent);
}

int member_add(struct db *db, uint32_t list, struct view address, const struct member_field *fields, size_t count,
               const struct words *const *words, size_t words_count, bool again, const struct member_act *act,
               struct why *why, bool *ret_new) {
    *why = (struct why){0};
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf changed = BUF_INIT(EVIDENCE_MAX_BYTES);
    struct address a;
    struct person base = {0}, p;
    int64_t id;
    int r = check_act(act, why);
    if (r == 0)
        r = parse(address, &a, why);
    if (r == 0)
        r = check_suppression(db, &a, act, &arena, why);
    if (r == 0)
        r = check_erased(db, &a, again, act, &arena, why);
    if (r == 0)
        r = check_opt_out(db, list, &a, again, act, why);
    if (r == 0 && (r = person_find(db, a.key, &arena, &base)) >= 0)
        r = member_read_fields(&base, fields, count, words, words_count, &arena, &p, &changed, why);
    if (r < 0)
        return store_failed(why, r);
    p.address_key = a.key;
    p.address = base.id ? NULL : a.spelled;
    r = person_save(db, &p, act->now_usec, &id, ret_new);
    if (r == 0)
        r = join(db, list, id, again, act, why);
    return r < 0 ? store_failed(why, r) : 0;
}

/* --- Changes -------------------------------------------------------------------------------------------------- */

int member_change(struct db *db, struct view address, const struct member_field *fields, size_t count,
                  const struct words *const *words, size_t words_count, const struct member_act *act, struct why *why) {
    *why = (struct why){0};
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf changed = BUF_INIT(EVIDENCE_MAX_BYTES);
    struct person base, p;
    bool is_new;
    int64_t id;
    int r = member_find(db, address, &arena, &base, why);
    if (r == 0)
        r = member_read_fields(&base, fields, count, words, words_count, &arena, &p, &changed, why);
    if (r < 0)
        return store_failed(why, r);
    if (changed.len == 0)
        return why_set(why, -ESTALE, "this changes nothing");
    p.address_key = base.address_key;
    r = person_save(db, &p, act->now_usec, &id, &is_new);
    struct consent consent = command("changed", act);
    consent.evidence = buf_str(&changed);
    if (r == 0)
        r = consent_add(db, base.id, 0, act->now_usec, &consent);
    return r < 0 ? store_failed(why, r) : 0;
}

/* Nothing is sent to an address that is known by its hash as one of that kind: nor now that it is known by itself. */
static int suppress_by_address(struct db *db, const struct address *a, const struct member_act *act) {
    struct opt_out opt_out;
    bool was;
    int r = opt_outs_get(db, act->keys, a->key, OPT_OUT_EVERYTHING, &opt_out);
    if (r == 1)
        r = suppression_set(db, a->key, opt_out.how, "", opt_out.at_usec);
    return r < 0 ? r : opt_outs_lift(db, act->keys, a->key, OPT_OUT_EVERYTHING, &was);
}

int member_change_address(struct db *db, struct view old_address, struct view new_address, const struct member_act *act,
                          struct why *why) {
    *why = (struct why){0};
    AUTOARENA struct arena arena = {0};
    struct address a;
    struct person p;
    int r = member_find(db, old_address, &arena, &p, why);
    if (r == 0)
        r = parse(new_address, &a, why);
    if (r < 0)
        return r;
    if (strcmp(p.address, a.spelled) == 0)
        return why_set(why, -ESTALE, "this is the address already");
    if ((r = check_erased(db, &a, false, act, &arena, why)) < 0)
        return store_failed(why, r);
    if ((r = suppress_by_address(db, &a, act)) < 0)
        return store_failed(why, r);
    r = person_change_address(db, p.id, a.key, a.spelled, act->now_usec);
    if (r == -EEXIST) {
        (void)why_set(why, r, "somebody else has the new address");
        why_todo(why, "If it is the same person, remove one of the two");
        return r;
    }
    if (r == 0 && act->keys) {
        uint8_t hash[FORGET_HASH_BYTES];
        code_address_hash(act->keys, view_of(p.address_key), hash);
        r = former_address_keep(db, p.id, hash, act->now_usec);
    }
    AUTOBUF struct buf evidence = BUF_INIT(EVIDENCE_MAX_BYTES);
    buf_printf(&evidence, "address: %s, before %s", a.spelled, p.address);
    struct consent consent = command("changed", act);
    consent.evidence = buf_str(&evidence);
    if (r == 0)
        r = consent_add(db, p.id, 0, act->now_usec, &consent);
    return r < 0 ? store_failed(why, r) : 0;
}

/* --- Tags ----------------------------------------------------------------------------------------------------- */

static int read_tags(struct view written, struct buf *to, struct why *why) {
    struct view bad = VIEW("");
    int r = tags_read(written, to, &bad);
    if (r == -E2BIG)
        return why_set(why, -EINVAL, "there are more than %d tags", (int)TAGS_MAX);
    if (r < 0) {
        (void)why_set(why, r, "this is no tag: “%.*s”", (int)(bad.len < 80 ? bad.len : 80), bad.ptr);
        why_todo(why, "A tag is a word or a few, of at most %d bytes, without commas", (int)TAG_MAX_BYTES);
    }
    return r;
}

/* "+funding, -board", for the record. */
static void say_tags(struct view change, struct buf *to) {
    struct view tag;
    buf_puts(to, "tags:");
    while (tags_next(&change, &tag)) {
        buf_puts(to, to->len > 5 ? ", " : " ");
        buf_add_view(to, tag);
    }
}

int member_tag(struct db *db, uint32_t list, struct view address, struct view written, const struct member_act *act,
               struct why *why) {
    *why = (struct why){0};
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf change = BUF_INIT(2 * TAGS_MAX_BYTES), evidence = BUF_INIT(EVIDENCE_MAX_BYTES);
    struct person p;
    struct subscription s = {0};
    int r = read_tags(written, &change, why);
    if (r == 0)
        r = member_find(db, address, &arena, &p, why);
    if (r < 0)
        return r;
    r = subscription_get(db, list, p.id, &s);
    if (r == 0)
        return why_set(why, -ENOENT, "this person is not on the list");
    if (r == 1)
        r = subscription_change_tags(db, list, p.id, buf_view(&change));
    if (r == -ESTALE)
        return why_set(why, r, "this changes nothing");
    if (r == -E2BIG)
        return why_set(why, -EINVAL, "there would be more than %d tags", (int)TAGS_MAX);
    struct consent consent = command("changed", act);
    say_tags(buf_view(&change), &evidence);
    consent.evidence = buf_str(&evidence);
    if (r == 0)
        r = consent_add(db, p.id, list, act->now_usec, &consent);
    return r < 0 ? store_failed(why, r) : 0;
}

/* --- Leaving and coming back ---------------------------------------------------------------------------------- */

static int not_on_list(struct why *why) {
    return why_set(why, -ENOENT, "this person is not on the list");
}

/* The subscription of whoever has the address. */
static int find_member(struct db *db, uint32_t list, struct view address, struct subscription *ret, struct why *why) {
    AUTOARENA struct arena arena = {0};
    struct person p;
    int r = member_find(db, address, &arena, &p, why);
    if (r == 0 && (r = subscription_get(db, list, p.id, ret)) == 0)
        return not_on_list(why);
    return r < 0 ? store_failed(why, r) : 0;
}

static int set(struct db *db, const struct subscription *s, enum subscription_state state,
               const struct consent *consent, const char *how, const struct member_act *act, struct why *why) {
    int r = subscription_set(db, s->list, s->subscriber, state, act->now_usec, consent);
    if (r == 0)
        r = command_record_member(db, act, s->list, s->subscriber, how);
    return r < 0 ? store_failed(why, r) : 0;
}

enum { LISTS_MAX = 256 };
struct lists {
    uint32_t items[LISTS_MAX];
    size_t count;
};

static int collect_list(void *user, const struct subscription *s) {
    struct lists *lists = user;
    if (s->state != SUBSCRIPTION_LEFT && lists->count < LISTS_MAX)
        lists->items[lists->count++] = s->list;
    return 0;
}

static int leave_all(struct db *db, struct view address, const struct consent *consent, const struct member_act *act,
                     struct why *why) {
    AUTOARENA struct arena arena = {0};
    struct person p;
    struct lists lists = {.count = 0};
    int r = member_find(db, address, &arena, &p, why);
    if (r == 0)
        r = subscription_each_of(db, p.id, collect_list, &lists);
    for (size_t i = 0; i < lists.count && r == 0; i++)
        r = subscription_set(db, lists.items[i], p.id, SUBSCRIPTION_LEFT, act->now_usec, consent);
    if (r == 0 && lists.count == 0)
        return why_set(why, -ESTALE, "this person is on no list");
    if (r == 0)
        r = command_record_member(db, act, 0, p.id, consent->how);
    return r < 0 ? store_failed(why, r) : 0;
}

int member_leave(struct db *db, uint32_t list, struct view address, const char *how, const struct member_act *act,
                 struct why *why) {
    *why = (struct why){0};
    struct consent consent = command("left", act);
    consent.how = how;
    if (strcmp(how, "phone") != 0 && strcmp(how, "letter") != 0 && strcmp(how, "mail") != 0) {
        (void)why_set(why, -EINVAL, "how did they tell us?");
        why_todo(why, "Give --by phone, letter or mail; use “remove” where it is our decision");
        return -EINVAL;
    }
    if (list == 0)
        return leave_all(db, address, &consent, act, why);
    struct subscription s = {0};
    int r = find_member(db, list, address, &s, why);
    if (r < 0)
        return r;
    if (s.state == SUBSCRIPTION_LEFT)
        return why_set(why, -ESTALE, "this person has left the list already");
    return set(db, &s, SUBSCRIPTION_LEFT, &consent, how, act, why);
}

int member_remove(struct db *db, uint32_t list, struct view address, const struct member_act *act, struct why *why) {
    *why = (struct why){0};
    struct consent consent = command("removed", act);
    struct subscription s = {0};
    int r = find_member(db, list, address, &s, why);
    if (r < 0)
        return r;
    if (s.state == SUBSCRIPTION_LEFT || s.state == SUBSCRIPTION_REMOVED)
        return why_set(why, -ESTALE, "this person %s already",
                       s.state == SUBSCRIPTION_LEFT ? "has left the list" : "was removed");
    return set(db, &s, SUBSCRIPTION_REMOVED, &consent, "removed", act, why);
}

int member_restore(struct db *db, uint32_t list, struct view address, const struct member_act *act, struct why *why) {
    *why = (struct why){0};
    struct consent consent = command("restored", act);
    struct subscription s = {0};
    int r = find_member(db, list, address, &s, why);
    if (r < 0)
        return r;
    if (s.state == SUBSCRIPTION_LEFT)
        return refuse_left(s.since_usec, why);
    if (s.state != SUBSCRIPTION_REMOVED)
        return why_set(why, -ESTALE, "this person was not removed");
    return set(db, &s, SUBSCRIPTION_ACTIVE, &consent, "restored", act, why);
}

/* --- Showing -------------------------------------------------------------------------------------------------- */

struct showing {
    struct db *db;
    struct arena *arena;
    struct member_record *to;
};

static int add_subscription(void *user, const struct subscription *s) {
    struct showing *k = user;
    struct subscription *more =
        arena_room(k->arena, k->to->subscriptions, k->to->subscription_count, sizeof *k->to->subscriptions);
    if (!more)
        return -ENOMEM;
    AUTOBUF struct buf tags = BUF_INIT(2 * TAGS_MAX_BYTES);
    const char **kept = arena_room(k->arena, k->to->tags, k->to->subscription_count, sizeof *k->to->tags);
    int r = kept ? subscription_tags(k->db, s->list, s->subscriber, &tags) : -ENOMEM;
    if (r < 0)
        return r;
    k->to->tags = kept;
    k->to->tags[k->to->subscription_count] = arena_dup(k->arena, buf_view(&tags));
    more[k->to->subscription_count++] = *s;
    k->to->subscriptions = more;
    return arena_failed(k->arena) ? -ENOMEM : 0;
}

static int add_consent(void *user, const struct consent_row *row) {
    struct showing *k = user;
    struct consent_row kept = *row,
                       *more = arena_room(k->arena, k->to->consents, k->to->consent_count, sizeof *k->to->consents);
    const char **const strings[] = {&kept.what, &kept.how, &kept.origin, &kept.basis, &kept.evidence};
    for (size_t i = 0; i < COUNT_OF(strings); i++)
        *strings[i] = arena_strdup(k->arena, *strings[i]);
    if (!more || arena_failed(k->arena))
        return -ENOMEM;
    more[k->to->consent_count++] = kept;
    k->to->consents = more;
    return 0;
}

int member_show(struct db *db, struct view address, struct arena *arena, struct member_record *ret, struct why *why) {
    *why = (struct why){0};
    *ret = (struct member_record){0};
    struct showing k = {.db = db, .arena = arena, .to = ret};
    int r = member_find(db, address, arena, &ret->person, why);
    if (r < 0)
        return r;
    r = suppression_get(db, ret->person.address_key, arena, &ret->suppressed);
    if (r >= 0)
        r = subscription_each_of(db, ret->person.id, add_subscription, &k);
    if (r == 0)
        r = consent_each(db, ret->person.id, add_consent, &k);
    return r < 0 ? store_failed(why, r) : 0;
}
