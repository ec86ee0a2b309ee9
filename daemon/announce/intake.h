/* Intake: from the files of an announcement to a checked bundle. Everything wrong is found at once, with file, line and
 * a hint. Pure but for reading templates; needs no store: check and preview use it without a daemon. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "announce/bundle.h"
#include "announce/occurrence.h"
#include "announce/problem.h"
#include "announce/source.h"
#include "mail/when.h"

struct conf;
struct conf_list;
struct filter;

enum { INTAKE_LOGO_MAX_BYTES = 200 * 1024 };

/* The recurring announcement that one of the same name and list takes the place of. */
struct intake_series {
    const char *uid; /* of its events, without the date */
    bool has_last;
    struct when last; /* the latest date that it made */
};

struct intake_options {
    const struct conf *conf;
    const char *lists;     /* from the command ("a, b"), or from the folder; NULL: from the file */
    bool lists_are_folder; /* the file may name others beside it, and their order */
    int64_t now_usec;
    int64_t send_at_usec; /* --at; 0: from the file */
    bool allow_past;      /* check and preview of old files */
    /* The event's UID and sequence are asked for once list and name are known; NULL for a new UID. */
    int (*find_event)(void *user, const struct conf_list *list, const char *name, struct arena *arena,
                      const char **ret_uid, unsigned *ret_sequence);
    /* Of one that recurs: 1 where one of that name does already. NULL: none does. */
    int (*find_series)(void *user, const struct conf_list *list, const char *name, struct arena *arena,
                       struct intake_series *ret);
    /* One date of a recurring announcement: that date; the series' UID. NULL: the series itself, shown by its next date. */
    const struct when *occurrence;
    const char *series_uid;
    /* How often an event of that UID was announced. NULL: never. */
    int (*count_uid)(void *user, const char *uid, unsigned *ret);
    void *user;
};

struct intake_result {
    struct bundle bundle;
    struct bundle_head head; /* in the bundle's arena */
    const struct conf_list
        *lists[BUNDLE_LISTS_MAX]; /* of options->conf, in the announcement's order, as in head.lists */
    size_t list_count;
    const char *subject;   /* of the first file, fields as written */
    const char *only;      /* its filter as written, or "" */
    struct filter *filter; /* as understood, or NULL */
    const char *only_file; /* where it is written */
    unsigned only_line, only_column;
    int64_t send_at_usec;    /* 0: at once */
    int64_t send_until_usec; /* 0: [retry] give-up after the start, at latest the event's end */
    bool has_event;
    struct when event_start, event_end; /* of one that recurs: of its date */
    const char *event_zone;
    int64_t event_end_usec;             /* 0: no event, or one that is over and goes out all the same */
    const struct occurrence_rule *rule; /* of one that recurs, in the bundle's arena; else NULL */
    const char *repeat;                 /* as the draft says it */
    struct occurrence occurrence;       /* the date that is shown, or made */
    bool is_series;                     /* it recurs, and no single date is meant */
};

/* The language codes that templates/ has, for source_read(). Free with files_free_names(). */
int intake_languages(const struct conf *conf, char ***ret, size_t *ret_count);

/* 0 with a result (warnings may be in problems); -EINVAL with errors in problems; or another errno. */
int intake_check(const struct source *source, const struct intake_options *options, struct problems *problems,
                 struct intake_result *ret);
void intake_result_done(struct intake_result *r);
/* At the filter, `column` characters into it. */
void intake_filter_problem(const struct intake_result *r, struct problems *problems, bool warning, unsigned column,
                           const char *problem, const char *a1, const char *near);
/* What will happen, in a language's words, for prompts and proofs: subject, event, filter, when it is sent. One fact a
 * line. */
void intake_say(const struct intake_result *r, const struct conf *conf, const struct words *words, struct buf *to);
