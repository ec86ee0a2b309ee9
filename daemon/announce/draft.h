/* A draft: what one announcement file says, in one language. Front matter (INI), a line ---, a Markdown body; or an
 * .ics file with one event. A translation's draft holds only what differs; draft_overlay() puts it over the first
 * file's.
 *
 * Reading reports everything wrong with the form of the file, with its line. What the values mean is intake's to judge.
 */
#pragma once
#include <stdbool.h>

#include "announce/problem.h"
#include "base/arena.h"
#include "base/view.h"

enum draft_key {
    DRAFT_LIST,
    DRAFT_SUBJECT,
    DRAFT_TEMPLATE,
    DRAFT_SEND_AT,
    DRAFT_SEND_BEFORE,
    DRAFT_SEND_UNTIL,
    DRAFT_ATTACH,
    DRAFT_FROM_NAME,
    DRAFT_REPLY_TO,
    DRAFT_ONLY,
    DRAFT_LATE,
    DRAFT_TITLE,
    DRAFT_START,
    DRAFT_END,
    DRAFT_LOCATION,
    DRAFT_URL,
    DRAFT_TIMEZONE,
    DRAFT_REPEAT,
    DRAFT_CONTACT_NAME,
    DRAFT_CONTACT_PHONE,
    DRAFT_CONTACT_MAIL,
    DRAFT_KEYS
};

struct draft_value {
    const char *text; /* NULL where not given */
    const char *file;
    unsigned line;   /* 0: of a calendar file */
    unsigned column; /* of the value, in characters, from 1 */
};

enum { DRAFT_FILE_MAX_BYTES = 256 * 1024, DRAFT_BODY_MAX_BYTES = 64 * 1024, DRAFT_VALUE_MAX_BYTES = 1000 };

struct draft {
    struct arena arena;
    struct draft_value values[DRAFT_KEYS];
    const char *file;
    struct view body;
    unsigned body_line; /* of the body's first line in the file */
    bool from_calendar;
};

/* "[event] start" in the words of the file. */
const char *draft_key_name(enum draft_key key);

/* Reads one file. Problems are added; the draft holds what could be read. translation: keys that belong into the first
 * file only are problems. -EINVAL after errors, -ENOMEM. */
int draft_read(const char *file, struct view content, bool translation, const char *default_zone,
               struct problems *problems, struct draft *ret);
void draft_done(struct draft *d);
/* What the translation leaves out is taken from the first file (borrowed: first must outlive d). */
void draft_overlay(struct draft *d, const struct draft *first);

static inline const char *draft_text(const struct draft *d, enum draft_key key) {
    return d->values[key].text ? d->values[key].text : "";
}
static inline bool draft_has(const struct draft *d, enum draft_key key) {
    return d->values[key].text != NULL;
}
/* True for what a calendar file says: text, never a template. */
bool draft_is_literal(const struct draft *d, enum draft_key key);
/* True where anything is said of an event. */
bool draft_has_event(const struct draft *d);
/* What the event is called: its title, or the subject. */
const char *draft_event_title(const struct draft *d);
/* A problem at the place where the key was given (or at the file where it is missing). */
void draft_problem(const struct draft *d, enum draft_key key, struct problems *problems, const char *problem,
                   const char *a1, const char *a2, const char *near);
