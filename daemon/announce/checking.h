/* The inside of intake, for intake*.c alone: one announcement while it is checked. */
#pragma once
#include "announce/draft.h"
#include "announce/intake.h"

struct checking {
    const struct source *source;
    const struct intake_options *options;
    struct problems *problems;
    struct intake_result *result;
    struct languages languages;
    struct draft drafts[BUNDLE_LANGUAGES_MAX]; /* in the order of head.languages, translations overlaid */
    size_t draft_count;
    const char *series_uid; /* of the one that a recurring one takes the place of, or NULL */
};

const struct draft *checking_first(const struct checking *k);
/* At the place of the first file where the key stands. */
void checking_complain(const struct checking *k, enum draft_key key, const char *problem, const char *a1,
                       const char *a2, const char *near);
/* A copy in the result's arena. */
char *checking_own(struct checking *k, const char *s);
/* The first list; NULL where there is none that is known. */
const struct conf_list *checking_list(const struct checking *k);
/* The first list's time zone, or the daemon's. */
const char *checking_zone(const struct checking *k);

/* What the values mean: subject, event, times of sending, people, attachments, filter. Negative only where reading them failed. */
int intake_check_values(struct checking *k);
/* A value that is a date, or a moment; false with a problem. */
bool checking_when(const struct checking *k, enum draft_key key, struct when *ret);
bool checking_usec(const struct checking *k, enum draft_key key, const struct when *w, const char *zone, int64_t *ret);
bool checking_allows_past(const struct checking *k);
/* What recurs: result->event_* become those of the date that is shown, or made. Negative only where that failed. */
int intake_check_repeat(struct checking *k);
/* When an announcement goes out that says so by its event, or recurs. */
void intake_check_send_before(struct checking *k);
/* The bundle, of drafts that may have errors. */
int intake_make_bundle(struct checking *k);
