/* Intake: from files as coordinators make them to a checked bundle. Everything wrong is found at once.
 * Needs no store; check and preview use it without a daemon. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "announce/bundle.h"
#include "announce/problem.h"
#include "mail/when.h"

struct conf;
struct conf_list;

/* The files of one announcement, by name, as they were dropped or uploaded. */
struct intake_source {
    struct bundle files; /* paths are bare names; the main file is found by its name */
};
/* Reads a file and what lies beside it that belongs to it (translations, attachments and images it names), or a folder.
 * Only regular files; a link is followed by nobody. -errno with why where it cannot be read. */
int intake_read(int dirfd, const char *path, struct intake_source *ret, struct why *why);
void intake_source_done(struct intake_source *s);
/* Dot files, ~, .part, .filepart, .tmp, Thumbs.db, desktop.ini … */
bool intake_ignores(const char *name);

struct intake_options {
    const struct conf *conf;
    const char *list; /* from the folder or the command; NULL: from the file */
    int64_t now_usec;
    int64_t send_at_usec;  /* --at; 0: from the file */
    const char *event_uid; /* reused UID, or NULL for a new one */
    unsigned event_sequence;
    bool allow_past; /* check and preview of old files */
};

/* What the daemon and the coordinator need to know of a checked announcement. */
struct intake_result {
    struct bundle bundle;
    const struct conf_list *list;
    const char *name, *subject; /* in the bundle's arena */
    const char *languages[16];  /* that it is in; the first is the list's */
    size_t language_count;
    uint8_t identity[32];
    int64_t send_at_usec;    /* 0: at once */
    int64_t send_until_usec; /* 0: [retry] give-up after the start */
    bool has_event;
    struct when event_start, event_end;
    const char *event_zone, *event_uid;
    int64_t event_end_usec;
};

/* 0 with a result (warnings may be in problems), -EINVAL with errors in problems, or another errno. */
int intake_check(const struct intake_source *source, const struct intake_options *options, struct problems *problems,
                 struct intake_result *ret);
void intake_result_done(struct intake_result *r);
