/* Signatures made ahead: the token in a person's links is the same in every mail of a list, so it is signed once and
 * kept with the subscription. What is not there when a mail is written is signed then; after an import this makes them
 * before, while nobody waits. */
#pragma once
#include <stdint.h>

struct keyring;
struct store;

/* Makes those that the members of a list lack, page by page on the store's thread (lane BULK), each page a job of its
 * own, so that it goes when the store closes. Nothing says when it is done, and a failure ends it quietly: it is made
 * up for by whoever writes the mail. keys must outlive the store. On the loop. */
void presign_list(struct store *store, const struct keyring *keys, uint32_t list);
