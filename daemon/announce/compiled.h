/* The inside of a compiled announcement, for compile*.c and compose.c alone. */
#pragma once
#include "announce/compile.h"
#include "announce/draft.h"
#include "announce/fields.h"
#include "announce/reader_time.h"
#include "mail/markdown.h"
#include "mail/merge.h"
#include "mail/message.h"
#include "mail/words.h"

enum { WORD_MERGES_MAX = 256 };

struct compiled {
    struct arena arena;
    struct bundle *bundle; /* borrowed while compiling */
    struct bundle_head head;
    struct conf *settings;
    const struct conf_list *list;
    const char *event_zone; /* where the event names none: the first list's, through whichever it comes */
    const char *domain;     /* in A-labels, behind the @ of the sender's address: of Message-IDs and Content-IDs */
    struct words *words;
    bool formal, has_page;
    struct draft first, draft;
    struct fields_event event;
    struct merge_fields fields;
    const char *attribute_names[MERGE_FIELDS_MAX]; /* of the fields from FIELD_COUNT on, as they are stored */
    struct merge html, plain;                      /* empty with options.mail_only */
    struct message *message;
    struct view calendar; /* of an archive's page only */
    struct picture {
        const char *content_id, *type;
        struct view bytes;
    } pictures[MARKDOWN_IMAGES_MAX + 1];
    size_t picture_count; /* of a preview and an archive's page only */
    struct buf scratch;   /* a recipient's derived values while one message is filled */
    struct buf name;      /* of the one that is written to */
    struct buf date;      /* the Date of date_second; empty while there was none */
    int64_t date_second;
    struct reader_times reader_times;
};

/* What compiling needs besides; it goes when that is done. */
struct compiling {
    struct compiled *c;
    struct arena *arena; /* for what c does not keep */
    const struct compile_options *options;
    struct why *why;
    const char *language, *file; /* of the text in this language */
    struct value root;           /* of the subject; then of the body */
    struct markdown body;
    struct merge subject; /* of the header, with a preview's mark */
    struct merge subject_html, subject_plain, word_merges[WORD_MERGES_MAX];
    size_t word_merge_count;
    struct view logo; /* a picture of the bundle; ptr NULL without one */
};

/* The draft in force: the first file's own where there is no translation. */
const struct draft *compiled_draft(const struct compiled *c);
const char *compiled_timezone(const struct compiled *c);
/* One of the announcement's files, by the name that a text uses; ptr NULL where there is none. Where
 * memory ends, ptr is NULL, too, and g->arena has failed. */
struct view compiled_file(const struct compiling *g, const char *name);
/* The width of an image in pixels, at most COMPILED_IMAGE_WIDTH: Outlook shows it as wide as it is else, whatever the
 * style says. 0 where it cannot be told. For markdown_options; user is a struct compiling. */
enum { COMPILED_IMAGE_WIDTH = 520 };
unsigned compiled_image_width(void *user, const char *name);
/* Content-ID of the logo, without the angle brackets. */
const char *compiled_logo_id(const struct compiling *g);

/* Subject, body and templates to merges. */
int compile_text(struct compiling *g);
/* Whether the files that the text shows and attaches are there and fit; what links and pictures get lost. */
int compile_check_files(const struct compiling *g);
/* Header fields and MIME parts, once all texts are rendered. */
int compile_message(struct compiling *g);
