/* The mails that requests of the web door lead to: please confirm, here are your links, welcome, your address was
 * changed, you have left. Sober, plain text, in a language of the person's, from the list's sender, through the table of notices. On
 * the store's thread.
 *
 * A mail that cannot be composed is logged and left out; what why_is_trouble() says is returned. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

struct conf;
struct conf_list;
struct conf_sender;
struct db;
struct keyring;

struct letters {
    struct db *db;
    const struct conf *conf;
    const struct keyring *keys;
    int64_t now_usec;
    bool mute; /* all is done but the sending */
};

/* Asks to confirm. titles: of the lists that are to be joined, one a line; "" for a new address. *ret_message_id gets the
 * mail's id, which is the nonce's. Not before due_usec. */
int letters_confirm(const struct letters *l, const struct conf_list *list, const char *language, const char *recipient,
                    struct view titles, struct view token, int64_t due_usec, const uint8_t nonce[16],
                    struct buf *ret_message_id);
/* A person's links for each of these lists of one sender. */
int letters_links(const struct letters *l, const struct conf_list *const lists[], size_t count, int64_t subscriber,
                  const char *language, const char *recipient, int64_t due_usec);
/* welcome.txt of the list's templates (welcome-<list>.txt before it), where there is one; *ret_sent. */
int letters_welcome(const struct letters *l, const struct conf_list *list, int64_t subscriber, const char *language,
                    const char *recipient, bool *ret_sent);
/* To the old address: the mails go to another one from now on. token: of the link that takes it back; "": no
 * mail is written, as it was taken back just now. */
int letters_moved(const struct letters *l, const struct conf_list *list, const char *language, const char *recipient,
                  struct view token);
/* They have left these lists, which they were on. undo_url: of the page that takes it back; "" for none. */
int letters_left(const struct letters *l, const struct conf_list *const lists[], size_t count, const char *language,
                 const char *recipient, const char *undo_url);
/* The title in that language, else the default one. */
const char *letters_title(const struct conf_list *list, const char *language);
