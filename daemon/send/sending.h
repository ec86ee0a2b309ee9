/* One announcement while it is being sent: its compiled mails, the recipients claimed and waiting for a session, and
 * what is on its way. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "announce/bundle.h"
#include "announce/compile.h"
#include "base/why.h"
#include "store/announcement.h"
#include "store/delivery.h"
#include "store/notice.h"

struct conf;
struct keyring;
struct spool;

/* A message on its way: of a recipient, or a notice. */
struct item {
    struct item *next;
    struct sending *sending; /* NULL: a notice */
    struct claim claim;
    struct notice notice;
    char domain[256];
    struct outcome outcome; /* withheld refusals */
};
struct item *item_of_claim(struct sending *s, struct claim *claim); /* takes what the claim owns */
struct item *item_of_notice(struct notice *notice);
struct item *item_free(struct item *i);

struct items {
    struct item *first, **last;
    unsigned count;
};
void items_init(struct items *q);
void items_push(struct items *q, struct item *i);
void items_push_front(struct items *q, struct item *i);
struct item *items_pop(struct items *q);

struct sending_mail {
    char language[16];
    struct compiled *compiled;
};

struct sending {
    struct sending *next;
    int64_t id;
    uint32_t list;
    char *relays; /* names, comma-separated; "" for all */
    int64_t send_until_usec, started_usec;
    struct sending_mail mails[BUNDLE_LANGUAGES_MAX];
    size_t mail_count;
    bool loading, loaded, claiming, settling;
    bool active;    /* its row says sending */
    bool exhausted; /* the last claim found nothing more */
    bool settled;   /* asked since then whether it is over: it is not yet */
    bool failed;    /* could not be loaded: paused with the reason */
    struct items waiting;
    unsigned on_wire, recording;
};

struct sending *sending_new(const struct announcement_row *row);
struct sending *sending_free(struct sending *s);
/* Reads and compiles the bundle; on the store's thread, while nobody else touches s. */
int sending_load(struct sending *s, struct spool *spool, struct why *why);
struct compiled *sending_mail(const struct sending *s, const char *language);
/* There may be more to claim. */
void sending_reopen(struct sending *s);
/* Nothing of it is claimed. */
bool sending_is_quiet(const struct sending *s);

/* The languages of an announcement's bundle, the first is the fallback. In the arena. */
int sending_languages(struct spool *spool, int64_t id, struct arena *arena, const char *ret[BUNDLE_LANGUAGES_MAX],
                      size_t *ret_count, struct why *why);
