/* Makes the dates of recurring announcements as their time comes: one job on the store's thread makes at most one held
 * announcement (scheduled, where the list's section says release = direct), of the files in the series' bundle and the
 * templates and settings in force.
 *
 * STATES  expire -> look -> (nothing is due)
 *         look -> admit -> made            row and bundle as announce/admit.h has them; the series moves on to its next
 *                                          date in the same transaction, so a date is made once, whatever comes between
 *         look -> left out                 what is too late (announce/occurrence.h) is told to the coordinators, all dates
 *                                          of one series in one mail
 *         admit -> put off                 what cannot be made for its files or settings is told once, and tried again
 *                                          each day until it is too late
 *         expire                           a held date that nobody released while its event lasted is stopped, and told */
#pragma once
#include "announce/admit.h"
#include "announce/series.h"

struct occurring {
    struct admit admit; /* first; set admit.job.done */
    void *user;
    /* out */
    bool made;  /* admit.id is a new announcement */
    bool again; /* something else may be due */
    bool told;  /* mails were written */
    /* its own */
    int (*admit_step)(struct store_job *, struct db *);
    int phase;
    struct arena arena;
    struct series_row row;
    struct occurrence_rule rule;
    struct occurrence date;
    struct when next;
    char *list, *by, *uid;
};

/* NULL when memory runs out. conf is referenced, the others are borrowed. */
struct occurring *occurring_new(struct conf *conf, struct spool *spool, const struct keyring *keys);
struct occurring *occurring_free(struct occurring *o); /* NULL is fine */
