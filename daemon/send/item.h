/* A message on its way, from its claim until its outcome is durable: to a recipient of an announcement, or a notice;
 * and queues of them. */
#pragma once
#include <stdbool.h>

#include "mail/reply.h"
#include "store/delivery.h"
#include "store/notice.h"

struct block;
struct sending;
enum { ITEM_RELAY_MAX = 64 };

struct item {
    struct item *next;
    struct sending *sending; /* NULL: a notice */
    struct block *block;     /* whose memory this is; NULL of a notice */
    struct claim claim;
    struct notice notice;
    uint64_t relays;        /* bits of the relays that may carry a notice */
    bool signed_now;        /* its signature is new and to be kept */
    bool is_aside;          /* waits in hand for its destination */
    bool is_counted;        /* for its relay's daily limit, already */
    int64_t taken_usec;     /* when it was handed to a session */
    struct view domain;     /* of the recipient, in its memory */
    struct outcome outcome; /* of a refusal that is held back, or that waits for memory to be recorded in */
    struct item_record {    /* the recorder's, meanwhile */
        int act;
        int64_t now_usec, when_usec;
        char relay[ITEM_RELAY_MAX];
    } record;
};

/* In the block's memory, where the texts of the claim stay too. */
void item_of_claim(struct item *i, struct sending *s, const struct claim *claim, struct block *block);
/* Takes what the notice owns, and leaves it empty; NULL where memory runs out. */
struct item *item_of_notice(struct notice *notice);
struct item *item_free(struct item *i);
struct view item_recipient(const struct item *i);
/* What stands behind the last @. */
struct view item_domain_of(struct view address);

struct items {
    struct item *first, **last;
    unsigned count;
};
void items_init(struct items *q);
void items_push(struct items *q, struct item *i);
struct item *items_pop(struct items *q);
/* Takes the item that *at points to out of the middle; at is q->first's or a next's address. */
struct item *items_take(struct items *q, struct item **at);
void items_free(struct items *q);
