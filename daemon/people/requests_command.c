/* Commands that are repeated after a restore (people/command_record.h): what they ask for may be so already, or be of
 * somebody whom the restored store does not know. */
#include <errno.h>

#include "base/cleanup.h"
#include "base/encode.h"
#include "people/member.h"
#include "people/privacy.h"
#include "people/requests_act.h"
#include "store/db.h"
#include "store/sign_up.h"
#include "store/suppression.h"
#include "trust/code.h"

#include "base/banned.h"

/* Texts of the act live in the arena. */
static struct member_act act_of(const struct request_act *a, const struct request *q, struct arena *arena) {
    return (struct member_act){
        .by = arena_dup(arena, request_get(q, REQUEST_KEY_BY)),
        .evidence = arena_dup(arena, request_get(q, REQUEST_KEY_REASON)),
        .now_usec = a->at_usec,
        .keys = a->keys,
    };
}

/* There is nothing to be done: not an error here. */
static int settle(int error, const char *done, const char **ret_result) {
    bool nothing = error == -ENOENT || error == -ESTALE || error == -EINVAL;
    *ret_result = nothing ? "nothing" : done;
    return nothing ? 0 : error;
}

/* The address of whom the record is about: as it stands there, or that of the person with the number. */
static int address_of(struct request_act *a, const struct request *q, struct arena *arena, struct view *ret) {
    struct person p;
    *ret = request_get(q, REQUEST_KEY_ADDRESS);
    if (ret->len)
        return 1;
    int r = person_get(a->db, request_number(q, REQUEST_KEY_SUBSCRIBER), arena, &p);
    if (r == 1)
        *ret = view_of(p.address_key);
    return r;
}

/* What an earlier record suppressed, of an address that is known by its hash only. */
static int unsuppress_hash(struct request_act *a, const uint8_t hash[ERASURE_HASH_BYTES]) {
    AUTOARENA struct arena arena = {0};
    uint8_t other[ERASURE_HASH_BYTES];
    const char *key = "";
    bool was;
    int r;
    while ((r = suppression_next(a->db, key, &arena, &key)) == 1) {
        code_address_hash(a->keys, view_of(key), other);
        if (memcmp(other, hash, sizeof other) == 0)
            return suppression_clear(a->db, key, &was);
    }
    return r;
}

/* What an earlier record asked for to that address, which waits to be confirmed. */
static int forget_sign_ups(struct request_act *a, const uint8_t hash[ERASURE_HASH_BYTES]) {
    AUTOARENA struct arena arena = {0};
    uint8_t other[ERASURE_HASH_BYTES];
    const char *key = "";
    bool any = false;
    int r;
    while ((r = sign_up_next(a->db, key, &arena, &key)) == 1) {
        code_address_hash(a->keys, view_of(key), other);
        if (memcmp(other, hash, sizeof other) == 0)
            return sign_up_remove(a->db, key, &any);
    }
    return r;
}

int requests_erase(struct request_act *a, const struct request *q, const char **ret_result) {
    AUTOARENA struct arena arena = {0};
    const struct member_act act = act_of(a, q, &arena);
    const struct erasure erasure = {.at_usec = a->at_usec, .by = act.by, .reason = act.evidence};
    uint8_t hash[ERASURE_HASH_BYTES];
    struct view address;
    struct why why;
    if (arena_failed(&arena))
        return -ENOMEM;
    int r = address_of(a, q, &arena, &address);
    if (r == 1)
        r = settle(privacy_erase(a->db, address, &act, &why), "erased", ret_result);
    *ret_result = "erased";
    if (r == 0 && decode_hex(request_get(q, REQUEST_KEY_HASH), hash, sizeof hash) == 0) {
        r = erasure_mark(a->db, hash, request_number(q, REQUEST_KEY_SUBSCRIBER), &erasure);
        if (r == 0)
            r = unsuppress_hash(a, hash);
        if (r == 0)
            r = forget_sign_ups(a, hash);
    }
    return r;
}

static int suppress(struct request_act *a, const struct request *q, bool on, const char **ret_result) {
    AUTOARENA struct arena arena = {0};
    const struct member_act act = act_of(a, q, &arena);
    struct view address = request_get(q, REQUEST_KEY_ADDRESS);
    struct why why;
    if (arena_failed(&arena))
        return -ENOMEM;
    return on ? settle(privacy_suppress(a->db, address, &act, &why), "suppressed", ret_result)
              : settle(privacy_unsuppress(a->db, address, &act, &why), "unsuppressed", ret_result);
}

int requests_suppress(struct request_act *a, const struct request *q, const char **ret_result) {
    return suppress(a, q, true, ret_result);
}

int requests_unsuppress(struct request_act *a, const struct request *q, const char **ret_result) {
    return suppress(a, q, false, ret_result);
}

int requests_command_leave(struct request_act *a, const struct request *q, const char **ret_result) {
    AUTOARENA struct arena arena = {0};
    const struct member_act act = act_of(a, q, &arena);
    const char *how = arena_dup(&arena, request_get(q, REQUEST_KEY_HOW));
    uint32_t list = (uint32_t)request_number(q, REQUEST_KEY_LIST);
    struct view address;
    struct why why;
    if (arena_failed(&arena))
        return -ENOMEM;
    *ret_result = "nothing";
    int r = address_of(a, q, &arena, &address);
    if (r <= 0)
        return r;
    if (strcmp(how, "removed") == 0)
        return settle(member_remove(a->db, list, address, &act, &why), "removed", ret_result);
    if (strcmp(how, "restored") == 0)
        return settle(member_restore(a->db, list, address, &act, &why), "restored", ret_result);
    return settle(member_leave(a->db, list, address, how, &act, &why), "left", ret_result);
}
