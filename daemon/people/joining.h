/* Joining by one's own act: a question by mail, and nothing before its answer (double opt-in). What sign-up form and
 * preferences have in common. On the store's thread. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "mail/address.h"
#include "people/requests_act.h"

struct conf_list;

/* Strings are never NULL. */
struct joining {
    const uint8_t *request;               /* its id: a restore, which repeats it, asks for the same answer */
    const struct conf_list *const *lists; /* of one sender; the first is that of the token */
    size_t count;                         /* 1 or more */
    bool moves;                           /* no list is joined: the address is to be the subscriber's */
    int64_t subscriber;                   /* 0: whoever has the address */
    const struct address *address;
    const char *given_name, *family_name, *language, *version, *wording, *source;
};
/* Asks by mail, as far as the limits of asking.h allow; *ret_result says what came of it. */
int joining_ask(struct request_act *a, const struct joining *j, const char **ret_result);

/* NULL where the configuration has none of that number. */
const struct conf_list *joining_list(const struct conf *conf, uint32_t id);
/* A value as a string for people: without control characters. "" where it is not there, or memory runs out. */
const char *joining_text(const struct request *q, enum request_key key, struct arena *arena);
