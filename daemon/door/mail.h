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
 *   ignored     everything else; it is counted, and nothing of it kept
 *
 * Nothing is ever sent back: no bounce of a bounce, no answer to a machine. A mail that cannot be read is taken and
 * ignored; only trouble of the machine is an error, and then the mail system tries again. */
#pragma once
#include "base/view.h"
#include "base/why.h"

struct conf;
struct mail_door;

/* Opens the folder of requests and reads the public keys; none are needed where no token is to be checked.
 * conf must outlive the door. */
int mail_door_new(const struct conf *conf, struct why *why, struct mail_door **ret);
struct mail_door *mail_door_free(struct mail_door *d);
/* Whether mail to this address is for the door: PREFIX@DOMAIN or PREFIX+…@DOMAIN. */
bool mail_door_is_ours(const struct mail_door *d, struct view address);
/* recipient: of the envelope, or an empty view where the mail system did not say: then the fields that mail systems add
 * (Delivered-To, X-Original-To, Envelope-To) and To are looked at. *ret_verb: what it became, static. 0, or what the
 * machine lacks. */
int mail_door_take(struct mail_door *d, struct view mail, struct view recipient, struct why *why,
                   const char **ret_verb);
