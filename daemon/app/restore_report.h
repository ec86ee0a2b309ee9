/* What a restore asks before it begins, and says when it is done. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/kept.h"

/* Of announcements, as many as there are. */
struct restore_numbers {
    int64_t *items;
    size_t count, room;
};
int restore_numbers_add(struct restore_numbers *n, int64_t number); /* -ENOMEM */

struct restore_report {
    const char *state_dir;                   /* borrowed */
    bool had_store;                          /* which is kept as: */
    char kept[KEPT_NAME_MAX];                /* relative to state_dir */
    int64_t made_usec, people, epoch;        /* made_usec: 0 where it is not known */
    uint64_t paused, dropped, requests;      /* announcements; notices; files */
    struct restore_numbers unknown, missing; /* bundles that the backup does not know; that the spool does not have */
};
void restore_report_done(struct restore_report *r);

/* 0 for yes, else the exit code; that nothing was restored is said. */
int restore_ask(const struct restore_report *r, bool yes);
/* An exit code. */
int restore_say(const struct restore_report *r, bool json);
