/* System mail: confirmations, proofs, alerts, "finished". Plain text from [notice] of a language's words and
 * templates/common/notice.txt, with Auto-Submitted: auto-generated. */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

struct conf;
struct conf_sender;
struct words;

struct notice_mail {
    const struct conf_sender *sender;
    const char *recipient;
    const char *subject;    /* UTF-8 */
    struct view text;       /* UTF-8, LF */
    const char *message_id; /* left part */
    int64_t date_usec;
};
/* Appends the left part of a Message-ID: of these 16 bytes, or with NULL of random ones. */
void notice_mail_id(const uint8_t *nonce, struct buf *to);
/* Appends the whole message with CRLF. -EINVAL where subject or address cannot stand in a header, -ENOENT without
 * notice.txt. */
int notice_mail_compose(const struct conf *conf, const struct words *words, const struct notice_mail *n,
                        struct buf *to);
