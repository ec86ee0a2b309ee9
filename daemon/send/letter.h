/* Writing messages, one after the other: token, Message-ID, return path, mailbox for opt-outs, and the mail itself, in memory that is used
 * again for the next. */
#pragma once
#include "base/buf.h"
#include "send/item.h"
#include "send/session.h"

struct conf;
struct keyring;

struct letters {
    const struct conf *conf;
    const struct keyring *keys;
    struct buf token, message_id, return_path, leave_mailbox, mail;
};

/* conf and keys are borrowed; letters_set_conf() changes the conf. */
void letters_init(struct letters *l, const struct conf *conf, const struct keyring *keys);
void letters_done(struct letters *l);
void letters_set_conf(struct letters *l, const struct conf *conf);

/* The envelope and message point to the item and to l, until the next call. A token's signature that is not kept yet is
 * made, and marked to be kept. -EINVAL where a field of the person cannot stand in a mail, -EMSGSIZE beyond the caps,
 * -ENOKEY without a signing key, -ENOENT where nothing is compiled, -ENOMEM. */
int letter_write(struct letters *l, struct item *item, struct envelope *ret_envelope, struct view *ret_message);
