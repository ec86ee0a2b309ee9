/* The mail door: one mail that came to our return path becomes a request (spool/request.h), durable before the answer.
 *
 * Whom it came to tells whom it is about: PREFIX+<code>@DOMAIN a delivery, PREFIX+u<code>[-<announcement>]@DOMAIN an
 * opt-out. The code is passed on as it is, only the daemon can check it. Where there is none the signed token of our
 * List-Unsubscribe in what came back serves, which the door checks with the public keys.
 *
 *   bounce      a report of a code or token
 *   complaint   the same
 *   mail-leave  a mail to an opt-out address that is no answer of a machine; and one, to whatever address of ours, in
 *               which a person says that they want to leave (mail/leaving.h), with what it brings to prove who that is: the
 *               code, a token of a link that it quotes, its sender's address and the Message-IDs that it answers
 * Everything else is ignored: counted (spool/ignored.h), and nothing of it kept.
 *
 * Nothing is ever sent back: no bounce of a bounce, no answer to a machine. A mail that cannot be read is taken and
 * ignored; only trouble of the machine is an error, and then the mail system tries again.
 *
 * A door is one thread's; reader and committer may be shared by many. */
#pragma once
#include "base/view.h"
#include "base/why.h"

struct committer;
struct conf;
struct mail_door;
struct reader;

/* Reads the public keys; none are needed where no token is to be checked. All that is given must outlive the door. */
int mail_door_new(const struct conf *conf, struct reader *reader, struct committer *committer, struct why *why,
                  struct mail_door **ret);
struct mail_door *mail_door_free(struct mail_door *d);
/* Whether mail to this address is for the door: PREFIX@DOMAIN or PREFIX+…@DOMAIN. */
bool mail_door_is_ours(const struct mail_door *d, struct view address);

/* What became of a mail; both static. */
struct mail_taken {
    const char *as; /* the verb of its request (of the first, where recipients ask for several things), or "ignored" */
    const char *reason; /* what bounce_read() says of it, or "unreadable" */
};

/* recipients: of the envelope, each with a request of its own, all durable together; the mail is read once. None of them
 * where the mail system did not say: then the fields that mail systems add (Delivered-To, X-Original-To, Envelope-To) and
 * To are looked at. 0, or what the machine lacks. */
int mail_door_take(struct mail_door *d, struct view mail, const struct view *recipients, size_t count, struct why *why,
                   struct mail_taken *ret);
