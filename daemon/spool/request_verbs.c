#include "spool/request.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "base/text.h"

#include "base/banned.h"

/* ---- keys ---- */

static bool is_of(struct view v, const char *also) {
    for (size_t i = 0; i < v.len; i++) {
        char c = v.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && (c == '\0' || !strchr(also, c)))
            return false;
    }
    return true;
}

static bool is_token(struct view v) {
    return is_of(v, "_-");
}

static bool is_language(struct view v) {
    return is_of(v, "-") && v.ptr[0] != '-';
}

static bool is_word(struct view v) {
    return is_of(v, "-._");
}

/* As it is printed: no leading zeros, no sign. */
static bool is_plain(struct view v, uint64_t max, uint64_t *ret) {
    return number_parse_u64(v, max, ret) == 0 && (v.ptr[0] != '0' || v.len == 1);
}

static bool is_number(struct view v) {
    uint64_t number;
    return is_plain(v, INT64_MAX, &number) && number > 0;
}

static bool is_list(struct view v) {
    uint64_t number;
    return is_plain(v, UINT32_MAX, &number);
}

static bool is_lists(struct view v) {
    struct view one;
    size_t count = 0;
    while (view_split(&v, ',', &one))
        if (++count > REQUEST_LISTS_MAX || !is_list(one))
            return false;
    return count > 0;
}

/* Whatever somebody typed; the daemon reads it. */
static bool is_address(struct view v) {
    return text_is_utf8(v) && view_find(v, '@') < v.len;
}

static bool is_text(struct view v) {
    return text_is_utf8(v);
}

static bool is_network(struct view v) {
    char text[INET6_ADDRSTRLEN];
    uint8_t address[16];
    if (v.len >= sizeof text || memchr(v.ptr, '\0', v.len))
        return false;
    (void)snprintf(text, sizeof text, "%.*s", (int)v.len, v.ptr); /* fits */
    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

static bool is_hash(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if (!((v.ptr[i] >= '0' && v.ptr[i] <= '9') || (v.ptr[i] >= 'a' && v.ptr[i] <= 'f')))
            return false;
    return v.len == 64;
}

/* As trust/code.h makes them. */
static bool is_messages(struct view v) {
    struct view one;
    while (view_split(&v, ',', &one))
        if (one.len != REQUEST_MESSAGE_LEN || !is_of(one, ""))
            return false;
    return true;
}

static const struct key {
    const char *name;
    bool (*is)(struct view v); /* of at least one byte */
    size_t max_bytes;
} keys[REQUEST_KEYS] = {
    [REQUEST_KEY_TOKEN] = {"token", is_token, REQUEST_TOKEN_MAX},
    [REQUEST_KEY_ANNOUNCEMENT] = {"announcement", is_number, 19},
    [REQUEST_KEY_HOW] = {"how", is_word, REQUEST_WORD_MAX},
    [REQUEST_KEY_LANGUAGE] = {"language", is_language, REQUEST_LANGUAGE_MAX},
    [REQUEST_KEY_LIST] = {"list", is_list, 10},
    [REQUEST_KEY_ADDRESS] = {"address", is_address, REQUEST_ADDRESS_MAX},
    [REQUEST_KEY_GIVEN_NAME] = {"given-name", is_text, REQUEST_NAME_MAX},
    [REQUEST_KEY_FAMILY_NAME] = {"family-name", is_text, REQUEST_NAME_MAX},
    [REQUEST_KEY_CONSENT] = {"consent", is_word, REQUEST_WORD_MAX},
    [REQUEST_KEY_WORDING] = {"wording", is_text, REQUEST_TEXT_MAX},
    [REQUEST_KEY_SOURCE] = {"source", is_network, INET6_ADDRSTRLEN - 1},
    [REQUEST_KEY_JOIN] = {"join", is_lists, REQUEST_LISTS_MAX * 11},
    [REQUEST_KEY_LEAVE] = {"leave", is_lists, REQUEST_LISTS_MAX * 11},
    [REQUEST_KEY_NEW_LANGUAGE] = {"new-language", is_language, REQUEST_LANGUAGE_MAX},
    [REQUEST_KEY_NEW_ADDRESS] = {"new-address", is_address, REQUEST_ADDRESS_MAX},
    [REQUEST_KEY_CODE] = {"code", is_word, 64},
    [REQUEST_KEY_CLASS] = {"class", is_word, REQUEST_WORD_MAX},
    [REQUEST_KEY_STATUS] = {"status", is_word, 16},
    [REQUEST_KEY_ACTION] = {"action", is_word, REQUEST_WORD_MAX},
    [REQUEST_KEY_SAID] = {"said", is_text, 1000},
    [REQUEST_KEY_BY] = {"by", is_text, REQUEST_NAME_MAX},
    [REQUEST_KEY_REASON] = {"reason", is_text, REQUEST_TEXT_MAX},
    [REQUEST_KEY_HASH] = {"hash", is_hash, 64},
    [REQUEST_KEY_SUBSCRIBER] = {"subscriber", is_number, 19},
    [REQUEST_KEY_MESSAGES] = {"messages", is_messages, REQUEST_MESSAGES_MAX *(REQUEST_MESSAGE_LEN + 1)},
};

const char *request_key_name(enum request_key key) {
    return keys[key].name;
}

bool request_is_value(enum request_key key, struct view value) {
    return value.len > 0 && value.len <= keys[key].max_bytes && keys[key].is(value);
}

int64_t request_number(const struct request *r, enum request_key key) {
    uint64_t number = 0;
    (void)is_plain(r->value[key], INT64_MAX, &number); /* else it stays 0 */
    return (int64_t)number;
}

bool request_next_list(struct view *rest, uint32_t *ret) {
    struct view one;
    uint64_t number;
    if (rest->len == 0 || !view_split(rest, ',', &one) || !is_plain(one, UINT32_MAX, &number))
        return false;
    *ret = (uint32_t)number;
    return true;
}

/* ---- verbs ---- */

#define K(name) (UINT32_C(1) << REQUEST_KEY_##name)
#define WHO (K(HASH) | K(SUBSCRIBER) | K(LEAVE))

static const struct verb {
    const char *name;
    enum request_door door;
    uint32_t must, one_of, may; /* of one_of at least one; 0: none needed */
    uint32_t kept;              /* only in the daemon's own copy */
} verbs[REQUEST_VERBS] = {
    [REQUEST_LEAVE] = {"leave", REQUEST_WEB, K(TOKEN) | K(HOW), 0, K(ANNOUNCEMENT) | K(LANGUAGE), WHO},
    [REQUEST_UNDO] = {"undo", REQUEST_WEB, K(TOKEN) | K(HOW), 0, K(ANNOUNCEMENT) | K(LANGUAGE), WHO},
    [REQUEST_LEAVE_ALL] = {"leave-all", REQUEST_WEB, K(TOKEN) | K(HOW), 0, K(ANNOUNCEMENT) | K(LANGUAGE), WHO},
    [REQUEST_UNDO_ALL] = {"undo-all", REQUEST_WEB, K(TOKEN) | K(HOW), 0, K(ANNOUNCEMENT) | K(LANGUAGE), WHO},
    [REQUEST_SIGN_UP] = {"sign-up", REQUEST_WEB, K(LIST) | K(ADDRESS) | K(LANGUAGE) | K(CONSENT) | K(WORDING), 0,
                         K(GIVEN_NAME) | K(FAMILY_NAME) | K(SOURCE)},
    [REQUEST_CONFIRM] = {"confirm", REQUEST_WEB, K(TOKEN), 0, K(LANGUAGE) | K(SOURCE), WHO},
    [REQUEST_LINK] = {"link", REQUEST_WEB, K(ADDRESS), 0, K(LANGUAGE) | K(SOURCE)},
    [REQUEST_PREFERENCES] = {"preferences", REQUEST_WEB, K(TOKEN),
                             K(JOIN) | K(LEAVE) | K(NEW_LANGUAGE) | K(NEW_ADDRESS),
                             K(LANGUAGE) | K(CONSENT) | K(WORDING) | K(SOURCE), WHO},
    [REQUEST_RELEASE] = {"release", REQUEST_WEB, K(TOKEN), 0, K(LANGUAGE) | K(SOURCE)},
    [REQUEST_BOUNCE] = {"bounce", REQUEST_MAIL, K(CLASS) | K(ACTION) | K(REASON), K(TOKEN) | K(CODE),
                        K(ANNOUNCEMENT) | K(STATUS) | K(SAID)},
    [REQUEST_COMPLAINT] = {"complaint", REQUEST_MAIL, 0, K(TOKEN) | K(CODE), K(ANNOUNCEMENT) | K(REASON), WHO},
    [REQUEST_MAIL_LEAVE] = {"mail-leave", REQUEST_MAIL, 0, K(TOKEN) | K(CODE) | K(ADDRESS),
                            K(ANNOUNCEMENT) | K(MESSAGES), WHO},
    [REQUEST_ERASE] = {"erase", REQUEST_COMMAND, K(BY) | K(REASON), K(ADDRESS) | K(HASH) | K(SUBSCRIBER), 0},
    [REQUEST_SUPPRESS] = {"suppress", REQUEST_COMMAND, K(ADDRESS) | K(BY) | K(REASON), 0, 0},
    [REQUEST_UNSUPPRESS] = {"unsuppress", REQUEST_COMMAND, K(ADDRESS) | K(BY) | K(REASON), 0, 0},
    [REQUEST_COMMAND_LEAVE] = {"command-leave", REQUEST_COMMAND, K(BY) | K(REASON) | K(HOW), K(ADDRESS) | K(SUBSCRIBER),
                               K(LIST), WHO},
    [REQUEST_JOINED] = {"joined", REQUEST_COMMAND, K(TOKEN) | K(SUBSCRIBER), 0, K(SOURCE)},
};

const char *request_verb_name(enum request_verb verb) {
    return verbs[verb].name;
}

enum request_door request_verb_door(enum request_verb verb) {
    return verbs[verb].door;
}

static uint32_t keys_of(const struct request *r) {
    uint32_t there = 0;
    for (enum request_key key = 0; key < REQUEST_KEYS; key++)
        there |= r->value[key].len ? UINT32_C(1) << key : 0;
    return there;
}

bool request_is_of(const struct request *r, enum request_door doors) {
    const struct verb *verb = &verbs[r->verb];
    bool plain = (keys_of(r) & verb->kept & ~(verb->must | verb->one_of | verb->may)) == 0;
    return (verb->door & doors) && (plain || (doors & REQUEST_COMMAND));
}

bool request_is_whole(const struct request *r) {
    const struct verb *verb = &verbs[r->verb];
    uint32_t there = keys_of(r);
    for (enum request_key key = 0; key < REQUEST_KEYS; key++)
        if (r->value[key].len && !request_is_value(key, r->value[key]))
            return false;
    return (there & verb->must) == verb->must && (!verb->one_of || (there & verb->one_of)) &&
           (there & ~(verb->must | verb->one_of | verb->may | verb->kept)) == 0;
}
