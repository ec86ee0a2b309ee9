/* Writing one message: token, Message-ID, return path, and the mail itself. */
#pragma once
#include "base/buf.h"
#include "send/item.h"
#include "send/session.h"

struct conf;
struct keyring;

struct letter_parts {
    const struct conf *conf;
    const struct keyring *keys;
};

/* Fills return_path and mail (both cleared before) and an envelope whose views point to them and to the item. A token's
 * signature that is not kept yet is made, and marked to be kept. -EINVAL where a field of the person cannot stand in a
 * mail, -EMSGSIZE beyond the caps, -ENOKEY without a signing key, -ENOENT where nothing is compiled, -ENOMEM. */
int letter_write(const struct letter_parts *parts, struct item *item, struct buf *return_path, struct buf *mail,
                 struct envelope *ret_envelope, struct view *ret_message);
