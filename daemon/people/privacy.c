#include "people/privacy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/encode.h"
#include "mail/address.h"
#include "people/command_record.h"
#include "people/opt_outs.h"
#include "store/returned.h"
#include "store/suppression.h"
#include "trust/code.h"

#include "base/banned.h"

_Static_assert(ERASURE_HASH_BYTES == 32, "as code_address_hash() makes it");

static int store_failed(struct why *why, int error) {
    return why->what[0] ? error : why_set(why, error, "the store cannot be changed: %s", strerror(-error));
}

static int check(struct view written, const struct member_act *act, struct address *ret, struct why *why) {
    *why = (struct why){0};
    enum address_fault fault = address_parse_mailbox(written, ret, NULL);
    if (fault != ADDRESS_OK)
        return why_set(why, fault == ADDRESS_NO_MEMORY ? -ENOMEM : -EINVAL, "%s", address_fault_text(fault));
    struct view reason = view_trim(view_of(act->evidence ? act->evidence : ""));
    if (reason.len == 0) {
        (void)why_set(why, -EINVAL, "for what reason?");
        why_todo(why, "Give --reason TEXT; it is kept, so name nobody in it");
        return -EINVAL;
    }
    if (reason.len > PRIVACY_REASON_MAX_BYTES)
        return why_set(why, -EINVAL, "the reason has more than %d bytes", (int)PRIVACY_REASON_MAX_BYTES);
    return 0;
}

/* --- Erasure ------------------------------------------------------------------------------------------------- */

int privacy_erased(struct db *db, const struct keyring *keys, const char *address_key, struct arena *arena,
                   struct erasure *ret) {
    uint8_t hash[ERASURE_HASH_BYTES];
    code_address_hash(keys, view_of(address_key), hash);
    return erasure_get(db, hash, arena, ret);
}

int privacy_forget(struct db *db, const struct keyring *keys, const char *address_key) {
    uint8_t hash[ERASURE_HASH_BYTES];
    code_address_hash(keys, view_of(address_key), hash);
    return erasure_forget(db, hash);
}

/* Outside of the store only what tells nobody who it was. */
static int record_erasure(struct db *db, int64_t subscriber, const uint8_t hash[ERASURE_HASH_BYTES],
                          const struct member_act *act) {
    AUTOBUF struct buf hex = BUF_INIT(2 * ERASURE_HASH_BYTES + 1);
    char number[24];
    struct request q = {.verb = REQUEST_ERASE};
    encode_hex(&hex, hash, ERASURE_HASH_BYTES);
    (void)snprintf(number, sizeof number, "%lld", (long long)subscriber); /* fits */
    q.value[REQUEST_KEY_HASH] = buf_view(&hex);
    if (subscriber)
        q.value[REQUEST_KEY_SUBSCRIBER] = view_of(number);
    return command_record(db, act, &q);
}

/* Nobody needs to have it. */
static int record_suppression(struct db *db, enum request_verb verb, const char *address_key,
                              const struct member_act *act) {
    struct request q = {.verb = verb};
    q.value[REQUEST_KEY_ADDRESS] = view_of(address_key);
    return command_record(db, act, &q);
}

int privacy_erase(struct db *db, struct view address, const struct member_act *act, struct why *why) {
    AUTOARENA struct arena arena = {0};
    struct address a;
    struct person p = {0};
    bool any = false, opted_out = false;
    uint8_t hash[ERASURE_HASH_BYTES];
    int r = check(address, act, &a, why);
    if (r == 0 && (r = person_find(db, a.key, &arena, &p)) > 0)
        r = 0;
    if (r == 0)
        r = erasure_address(db, a.key, &any);
    if (r == 0) {
        code_address_hash(act->keys, view_of(a.key), hash);
        r = opt_out_forget_all(db, hash, &opted_out);
    }
    if (r == -EBUSY) {
        (void)why_set(why, r, "a mail to this address is on its way just now");
        why_todo(why, "Try again in a minute");
        return r;
    }
    if (r == 0 && !any && !opted_out)
        return why_set(why, -ENOENT, "nothing is held on this address");
    const struct erasure erasure = {.at_usec = act->now_usec, .by = act->by, .reason = act->evidence};
    if (r == 0)
        r = erasure_mark(db, hash, p.id, &erasure);
    if (r == 0)
        r = record_erasure(db, p.id, hash, act);
    return r < 0 ? store_failed(why, r) : 0;
}

/* --- Suppression --------------------------------------------------------------------------------------------- */

/* In the record of whoever has the address. */
static int note(struct db *db, const char *address_key, const char *what, const char *evidence,
                const struct member_act *act) {
    AUTOARENA struct arena arena = {0};
    struct person p;
    const struct consent consent = {.what = what, .how = "command", .origin = act->by, .evidence = evidence};
    int r = person_find(db, address_key, &arena, &p);
    return r == 1 ? consent_add(db, p.id, 0, act->now_usec, &consent) : r;
}

int privacy_suppress(struct db *db, struct view address, const struct member_act *act, struct why *why) {
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf detail = BUF_INIT(2 * PRIVACY_REASON_MAX_BYTES), date = BUF_INIT(64);
    struct address a;
    struct suppression before;
    int r = check(address, act, &a, why);
    if (r == 0)
        r = suppression_read(db, a.key, &arena, &before);
    if (r == 1) {
        clock_print_utc(&date, before.since_usec);
        return why_set(why, -ESTALE, "nothing is sent to this address since %.10s (%s)", buf_str(&date), before.reason);
    }
    buf_printf(&detail, "%s: %s", act->by, act->evidence);
    if (r == 0)
        r = suppression_set(db, a.key, "command", buf_str(&detail), act->now_usec);
    if (r == 0)
        r = note(db, a.key, "suppressed", act->evidence, act);
    if (r == 0)
        r = record_suppression(db, REQUEST_SUPPRESS, a.key, act);
    return r < 0 ? store_failed(why, r) : 0;
}

int privacy_unsuppress(struct db *db, struct view address, const struct member_act *act, struct why *why) {
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf evidence = BUF_INIT(8192);
    struct address a;
    struct suppression before;
    struct opt_out opt_out;
    bool was = false;
    int r = check(address, act, &a, why);
    if (r == 0)
        r = suppression_read(db, a.key, &arena, &before);
    if (r == 0 && (r = opt_outs_get(db, act->keys, a.key, OPT_OUT_EVERYTHING, &opt_out)) == 1)
        before.reason = opt_out.how;
    if (r < 0)
        return store_failed(why, r);
    if (r == 0)
        return why_set(why, -ESTALE, "this address is not suppressed");
    buf_printf(&evidence, "%s (was: %s)", act->evidence, before.reason);
    struct person p;
    r = suppression_clear(db, a.key, &was);
    if (r == 0)
        r = opt_outs_lift(db, act->keys, a.key, OPT_OUT_EVERYTHING, &was);
    if (r == 0 && (r = person_find(db, a.key, &arena, &p)) == 1)
        r = returned_forget_score(db, p.id);
    if (r == 0)
        r = note(db, a.key, "unsuppressed", buf_str(&evidence), act);
    if (r == 0)
        r = record_suppression(db, REQUEST_UNSUPPRESS, a.key, act);
    return r < 0 ? store_failed(why, r) : 0;
}
