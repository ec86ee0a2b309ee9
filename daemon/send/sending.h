/* One announcement while it is being sent: its compiled mails, the recipients claimed and waiting for a line, and how
 * many are on their way. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "announce/archive.h"
#include "announce/bundle.h"
#include "base/arena.h"
#include "base/why.h"
#include "send/item.h"
#include "store/announcement.h"

struct compiled;
struct spool;

struct sending_mail {
    uint32_t list;
    char language[16];
    struct compiled *compiled;
};

struct sending {
    struct sending *next;
    int64_t id;
    uint32_t list;
    uint64_t relays; /* bits of those that may carry it */
    int64_t send_until_usec;
    struct sending_mail *mails; /* of each list in each language */
    size_t mail_count, bytes;   /* of memory, about, once all are compiled */
    int64_t loaded_usec;

    bool gathering; /* its audience is being written */
    bool active;    /* its row says sending */
    bool loading, loaded, claiming, settling;
    bool failed;    /* could not be loaded: held, with the reason */
    bool exhausted; /* the last claim found nothing more to claim now */
    bool reopened;  /* since that claim was asked for: it may not have seen all that there is */
    bool settled;   /* asked since then whether it is over */
    bool resting;   /* its mails make room for another's: nothing is claimed until they are gone */

    struct items waiting;
    unsigned asked; /* at most so many are being claimed */
    unsigned on_wire, held, recording;
    unsigned answered; /* since what became of messages went to the store last */
    unsigned aside;    /* of those waiting: for their destination */
};

struct sending *sending_new(const struct announcement_row *row);
struct sending *sending_free(struct sending *s);
/* Reads the bundle, compiles it for each list in each language, and publishes its page where it gets one, one a call;
 * STORE_MORE until all are. On the store's thread, while nobody else touches s. Begin with a zeroed loading. */
struct sending_loading {
    bool is_open;
    struct bundle bundle;
    struct bundle_head head;
    struct archiving archiving;
};
int sending_load(struct sending *s, struct spool *spool, struct sending_loading *l, struct why *why);
void sending_loading_done(struct sending_loading *l);
/* Lets the compiled mails go. */
void sending_unload(struct sending *s);
/* Of this list in this language, or else in the first; NULL where none is loaded. */
struct compiled *sending_mail(const struct sending *s, uint32_t list, const char *language);
/* There may be more to claim. */
void sending_reopen(struct sending *s);
/* Claimed and not yet recorded. */
unsigned sending_claimed(const struct sending *s);
/* Nothing of it is claimed or being claimed. */
bool sending_is_quiet(const struct sending *s);

/* Whom an announcement's bundle is for: its languages, the first is the fallback, in the arena; the filter, or NULL,
 * the caller's. */
int sending_audience(struct spool *spool, int64_t id, struct arena *arena, const char *ret[BUNDLE_LANGUAGES_MAX],
                     size_t *ret_count, struct filter **ret_only, struct why *why);
