/* Compiling: a bundle in one language to a message with holes, once for each announcement and language; and the values
 * that fill it for one recipient. compose is a pure function of (compiled, recipient, token, date). */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "announce/bundle.h"
#include "base/buf.h"
#include "mail/salutation.h"

struct compiled;

struct compile_options {
    bool preview; /* test tokens, "[Test]" before the subject */
};

/* Reads settings.ini, templates and files from the bundle. -EINVAL with a reason where the bundle is damaged. */
int compile(const struct bundle *bundle, const char *language, const struct compile_options *options, struct why *why,
            struct compiled **ret);
struct compiled *compiled_free(struct compiled *c);

struct compose_recipient {
    int64_t announcement, subscriber;
    struct view address; /* as sent */
    bool needs_smtputf8;
    struct contact contact;
    struct view attributes; /* lines "name<TAB>value" */
    struct view timezone;
    struct view token;         /* of this list and person */
    struct view message_id;    /* left part, of trust/code.h */
    int64_t date_usec;         /* the first claim */
    struct view leave_mailbox; /* "prefix+ucode@domain" for List-Unsubscribe's mailto, or "" */
};

/* Appends the whole message. 0, or -EINVAL where a value cannot stand in a header. */
int compose(const struct compiled *c, const struct compose_recipient *r, struct buf *to);
/* The text alternatives alone, for previews. */
int compose_part(const struct compiled *c, const struct compose_recipient *r, bool html, struct buf *to);
/* An upper bound of a message's size without the person's fields. */
size_t compiled_size(const struct compiled *c);
