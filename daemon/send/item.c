#include "send/item.h"

#include <stdlib.h>

#include "send/claimer.h"

struct view item_domain_of(struct view address) {
    size_t at = address.len;
    while (at > 0 && address.ptr[at - 1] != '@')
        at--;
    return view_slice(address, at, address.len);
}

static void take_domain(struct item *i) {
    i->domain = item_domain_of(item_recipient(i));
}

void item_of_claim(struct item *i, struct sending *s, const struct claim *claim, struct block *block) {
    *i = (struct item){.sending = s, .block = block, .claim = *claim};
    take_domain(i);
}

struct item *item_of_notice(struct notice *notice) {
    struct item *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    i->notice = *notice;
    *notice = (struct notice){0};
    take_domain(i);
    return i;
}

struct item *item_free(struct item *i) {
    if (i && i->block) {
        block_let_go(i->block);
    } else if (i) {
        notice_done(&i->notice);
        free(i);
    }
    return NULL;
}

struct view item_recipient(const struct item *i) {
    return i->sending ? i->claim.address : view_of(i->notice.recipient);
}

void items_init(struct items *q) {
    *q = (struct items){.last = &q->first};
}

void items_push(struct items *q, struct item *i) {
    i->next = NULL;
    *q->last = i;
    q->last = &i->next;
    q->count++;
}

struct item *items_take(struct items *q, struct item **at) {
    struct item *i = *at;
    *at = i->next;
    if (!i->next)
        q->last = at;
    i->next = NULL;
    q->count--;
    return i;
}

struct item *items_pop(struct items *q) {
    return q->first ? items_take(q, &q->first) : NULL;
}

void items_free(struct items *q) {
    for (struct item *i; (i = items_pop(q));)
        (void)item_free(i);
}
