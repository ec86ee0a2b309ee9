/* What each verb of a request does (spool/request.h): functions over the store, called in a step on its thread, once
 * for each record. Tokens and codes are checked here again: what a door says proves nothing.
 *
 * Each sets *ret_result, a word that stays with the record's id ("left", "nothing" …), and returns 0; REQUEST_REFUSED
 * where the request may not do that. Only what keeps the store from working is an error, and then nothing of the record
 * happened. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "people/opt_outs.h"
#include "spool/request.h"

struct announcement_lists;
struct buf;
struct conf;
struct db;
struct keyring;
struct returned_sample;
struct token;

#define REQUEST_REFUSED "refused"
/* What becomes of a record whose question was answered: a sign-up, a new address. Until then, and otherwise, it has no
 * effect that a restore would repeat (people/forgetting.h). */
#define REQUEST_CONFIRMED "confirmed"
#define REQUEST_MOVED "moved"

struct request_act {
    struct db *db;
    struct buf *also; /* out: records of what a restore is to know besides this one; NULL: nothing is kept for it */
    const struct keyring *keys;
    const struct conf *conf; /* NULL: nothing that needs it is done */
    int64_t now_usec;
    int64_t at_usec;         /* when the door accepted it; one of the future counts as made now */
    bool replayed;           /* once more, after a restore: it is done, and what it wrote by mail was written then */
    bool notices;            /* out: mails were written (store/notice.h) */
    int64_t released;        /* out: an announcement that was held */
    struct opt_outs_who who; /* out: for applied/, whose opt-out it was, or undo */
    struct returned_sample *sample; /* between the calls of one record */
    bool more;      /* out: the slice is over and nothing happened yet: the same record is to be given once more */
    char slow[256]; /* out: a destination that wants fewer mails; "" for none */
};
typedef int request_do(struct request_act *a, const struct request *q, const char **ret_result);

/* requests_leave.c: with a recipient's token, also of a list that is gone.
 * leave  the token's list, and all lists of the announcement that follows the token; idempotent
 * undo   of the last such leave, at most an hour old (both by the records' own times) */
request_do requests_leave, requests_undo;
/* The same for whoever is proved otherwise: of the token list and subscriber count. *ret_left: lists that were left now. */
int requests_leave_proved(struct request_act *a, const struct request *q, const struct token *t, int64_t announcement,
                          struct announcement_lists *ret_left);
/* Who it was that left, or came back: those of the lists that are in that state now. For applied/. */
int requests_keep_who(struct request_act *a, int64_t subscriber, enum subscription_state state, const uint32_t *lists,
                      size_t count);
/* leave-all, undo-all: the same of every list of the sender whose list the token names */
request_do requests_leave_all, requests_undo_all;
/* requests_join.c: nobody is in the store before the answer to a mail; see joining.h, asking.h.
 * sign-up  to an open list; who is on it already gets their links
 * confirm  what was asked for joins, or moves, once, until it expires; who was erased is taken in anew; who left, or was
 *          removed, after they confirmed stays out */
request_do requests_sign_up, requests_confirm;
/* joined  for a restore: what a confirmation brought about, with the number that the person had */
request_do requests_joined;
/* requests_preferences.c: of the token's person, in the lists of the token's sender.
 * preferences  leaves at once, lists that are gone too, sets the language; joining and a new address are asked for by mail
 * link         to a known address, one a day */
request_do requests_preferences, requests_link;

/* requests_release.c: with a release token that has not expired, while the announcement is held */
request_do requests_release;

/* requests_command.c: commands, once more after a restore. */
request_do requests_erase, requests_suppress, requests_unsuppress, requests_command_leave;

/* returns.c: what came back by mail (people/returns.h) */
request_do requests_bounce, requests_complaint;

/* requests_mail_leave.c: who asked by mail leaves as by a link, where one of these proves the person; a mail confirms it,
 * with a link to the page that undoes it.
 *   code      of an opt-out address, or of the return path to which they wrote
 *   token     a recipient's, of a link in the mail; not where the address is another subscriber's
 *   messages  and address: one of them is the Message-ID of a mail of ours to the person of that address
 * Where nothing does, and the address is known, their links go to it, one such mail a day (asking.h). */
request_do requests_mail_leave;
