/* The option table: everything about a key of the configuration file stands in one row. The loader, --dump-config and
 * the sample file are made from it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"
#include "base/why.h"

struct conf;

enum section {
    SECTION_DAEMON,
    SECTION_SENDER,
    SECTION_RELAY,
    SECTION_LIST,
    SECTION_DESTINATION,
    SECTION_WEB,
    SECTION_BOUNCE,
    SECTION_RETRY,
    SECTION_TIMEOUTS,
    SECTION_RETENTION,
    SECTION_COUNT,
};

struct section_row {
    const char *word; /* [WORD] or [WORD NAME] */
    const char *name; /* what NAME is called: "NAME", "DOMAIN"; NULL: the section stands alone, and once */
    int (*check_name)(struct view name, struct why *why);
    size_t max;          /* how many of them */
    const char *example; /* a NAME for the sample */
    bool commented;      /* the sample shows it commented out as a whole */
    const char *help;    /* paragraphs for the sample, wrapped by the printer */
};

enum option_type {
    OPTION_TEXT,     /* const char * */
    OPTION_TEXTS,    /* struct conf_strings, comma-separated */
    OPTION_TITLES,   /* key.<language>, into struct conf_list */
    OPTION_SENDER,   /* the name of a section, into struct conf_list */
    OPTION_WORD,     /* an enum whose values are the indices of words */
    OPTION_COUNT,    /* unsigned */
    OPTION_COUNT64,  /* uint64_t */
    OPTION_ID,       /* uint32_t, empty: from the section's name */
    OPTION_RATE,     /* struct rate */
    OPTION_DURATION, /* int64_t, microseconds */
    OPTION_SIZE,     /* uint64_t, bytes */
    OPTION_LATER,    /* known, but nothing serves it yet */
};

struct option {
    enum section section;
    const char *key;
    enum option_type type;
    size_t offset; /* in struct conf, or in the struct of the section */
    /* Of a text, or of each of several. NULL: any. */
    int (*check)(struct view value, struct why *why);
    const char *const *words; /* of OPTION_WORD, NULL-terminated */
    /* Bounds. Texts: bytes; several texts: how many; durations: microseconds; rates: the count. */
    int64_t min, max;
    const char *zero;     /* the word for 0 of a count or rate, such as "none" */
    const char *fallback; /* in the file's own syntax; "" or NULL: not given */
    bool required;
    bool fill_in; /* marked in the sample as required ones are, although there is a fallback */
    bool restart; /* counts at the next start only, not after a reload */
    bool frozen;  /* of [daemon]: shapes a mail, so a bundle keeps it */
    const char *example;
    const char *help;
};

extern const struct section_row section_rows[SECTION_COUNT];
extern const struct option option_rows[];
extern const size_t option_count;

/* Rows of one section stand together: the first, and how many. */
const struct option *options_of(enum section section, size_t *ret_count);
/* The row of a key ("title.fr" finds "title.*"), or NULL. */
const struct option *option_find(enum section section, struct view key);
