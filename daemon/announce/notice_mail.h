/* System mail: confirmations, proofs, alerts, "finished". Plain text from [notice] of a language's words and
 * templates/common/notice.txt, with Auto-Submitted: auto-generated. */
#pragma once
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

struct conf;
struct conf_sender;
struct conf_strings;
struct db;
struct words;

struct notice_mail {
    const struct conf_sender *sender;
    const char *recipient;
    const char *subject;  /* UTF-8 */
    struct view text;     /* UTF-8, LF */
    const uint8_t *nonce; /* 16 bytes that its Message-ID is of; NULL: random ones */
    int64_t date_usec;
};
/* Appends the left part of a Message-ID: of these 16 bytes, or with NULL of random ones. */
void notice_mail_id(const uint8_t *nonce, struct buf *to);
/* Appends the whole message with CRLF. -EINVAL where subject or address cannot stand in a header, -ENOENT without
 * notice.txt. */
int notice_mail_compose(const struct conf *conf, const struct words *words, const struct notice_mail *n,
                        struct buf *to);

/* How one comes among the notices (store/notice.h). */
struct notice_way {
    struct db *db; /* NULL: it does not, and all the rest is done */
    const char *kind;
    int64_t announcement; /* 0: of none */
    const struct conf_strings *relays;
    int64_t now_usec;
};
/* Composes it and adds it, to be sent at its date where that is still to come. 1; 0 where it cannot be composed, which is
 * logged: nothing waits for it. Else what why_is_trouble() says. On the store's thread, as the next. */
int notice_mail_add(const struct conf *conf, const struct words *words, const struct notice_mail *n,
                    const struct notice_way *way);
/* Adds a message that is whole already, to be sent at once. */
int notice_mail_add_whole(const struct notice_way *way, const struct conf_sender *sender, const char *recipient,
                          struct view message);
