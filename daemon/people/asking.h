/* Mails that somebody else may have asked for: how many, and to whom. On the store's thread.
 *
 * LIMITS  to one address: one such mail in ten minutes (a later one waits for its turn), three confirmations and one mail
 *         of links in a day, one confirmation for the same list in an hour; from one network (IPv4 /24, IPv6 /48) and for
 *         one list what [web] sign-ups-source and sign-ups-list say. Beyond, nothing is sent.
 * MAILBOX One address is, for the limits alone, one mailbox: what follows a + in the local part does not count (RFC 5233
 *         §1; nearly every provider with sub-addresses has +), nor do dots at Google's and Proton's, nor which of their
 *         domains it is. A - does count: anna-maria@ is another person than anna@ almost everywhere.
 * BLOCKS  a complaint, or a "never again" told to us, keeps every such mail away. Mail that came back does not: whoever
 *         confirms shows that the address lives. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "mail/address.h"
#include "people/requests_act.h"

#define ASKING_GAP_USEC (10 * INT64_C(60) * 1000000)
enum { ASKING_CONFIRMATIONS_A_DAY = 3, ASKING_LINKS_A_DAY = 1 };

/* 1: it may be sent, at *ret_due_usec, and is counted; 0: not, and *ret_result says why ("limited", "blocked"). what:
 * "confirm" or "link". What a restore repeats is within the limits, and no mail (letters.h). */
int asking_admit(struct request_act *a, const char *what, const struct address *address, uint32_t list,
                 struct view source, int64_t *ret_due_usec, const char **ret_result);
/* Whether the address is blocked: 1 or 0. */
int asking_blocked(struct request_act *a, const char *address_key);
/* The mailbox behind an address's key, as far as its spelling tells. For limits, never for who somebody is. */
void asking_mailbox(struct view address_key, struct buf *to);
/* The network of an IP address, as text. "" where it is none. */
void asking_network(struct view source, struct buf *to);
