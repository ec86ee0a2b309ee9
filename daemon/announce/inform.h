/* What the daemon tells people by mail: proofs, rejections and results to the coordinators of its lists, alerts to the admin.
 * Composes the mails and puts them among the notices, in a step on the store's thread. A mail that cannot be composed
 * is logged and left out: nothing waits for it; what why_is_trouble() says is returned, and tried again by the caller. */
#pragma once
#include <stdint.h>

#include "announce/intake.h"
#include "base/view.h"
#include "store/subscription.h"

struct announcement_row;
struct conf;
struct conf_list;
struct conf_sender;
struct db;
struct keyring;
struct reach;
struct words;

struct inform {
    const struct conf *conf;
    const struct keyring *keys; /* for proofs and tests; else may be NULL */
    struct db *db;
    int64_t now_usec;
};

/* Everything a coordinator wants to know before it goes out: subject, dates in words, how many people in which
 * languages, who falls back to another language. Lines of text; also shown by `queue` and `check`. */
void inform_say_facts(const struct intake_result *r, const struct reach *reach, const struct conf *conf,
                      const struct words *words, struct buf *to);
/* A held announcement: the facts, the command that releases it and a link that does (once, for INFORM_RELEASE_USEC), and the mail itself in each language with a test
 * token. */
#define INFORM_RELEASE_USEC (INT64_C(30) * 24 * 3600 * 1000000)
int inform_proof(const struct inform *i, int64_t id, struct intake_result *r, const struct reach *reach);
/* One that recurs and was dropped: what was understood, and its next dates. */
int inform_recurring(const struct inform *i, int64_t id, const struct intake_result *r, const struct reach *reach);
/* To the coordinators of these lists (one or more): key is one of [notice], without -subject and -text, with {1} {2} {3}. */
int inform_coordinators(const struct inform *i, const struct conf_list *const *lists, size_t list_count, int64_t id,
                        const char *key, const char *a1, const char *a2, const char *a3);
/* The mail in each language (or in one) to one address, as `rundbrief test` asks. id 0: not taken in. */
int inform_test(const struct inform *i, struct intake_result *r, const char *language, const char *recipient,
                struct why *why);
/* A dropped announcement that could not be taken in; reason as in the .why. */
int inform_rejected(const struct inform *i, const struct conf_list *list, const char *file, struct view reason);
/* It is over, for the coordinators of these lists (one or more): counts, and the first of those who did not get it. */
int inform_finished(const struct inform *i, const struct conf_list *const *lists, size_t list_count,
                    const struct announcement_row *row, struct view not_delivered);
/* [daemon] alert: key is one of [notice] alert-…, with {1} and {2}. */
int inform_alert(const struct inform *i, const char *key, const char *a1, const char *a2);
