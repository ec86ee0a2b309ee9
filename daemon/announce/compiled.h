/* The inside of a compiled announcement, for compile.c, compile_message.c and compose.c alone. */
#pragma once
#include "announce/compile.h"
#include "announce/draft.h"
#include "announce/fields.h"
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
    struct words *words;
    bool formal;
    struct draft first, draft;
    struct fields_event event;
    struct merge_fields fields;
    const char *attribute_names[MERGE_FIELDS_MAX]; /* of the fields from FIELD_COUNT on, as they are stored */
    struct markdown body;
    struct merge subject, html, plain, word_merges[WORD_MERGES_MAX];
    size_t word_merge_count;
    struct message *message;
    struct buf scratch; /* a recipient's derived values while one message is filled */
};

/* What compiling needs besides and leaves behind. */
struct compiling {
    struct compiled *c;
    const struct compile_options *options;
    struct why *why;
    const char *language, *file; /* of the text in this language */
    struct value root, html_root, plain_root;
};

/* The draft in force: the first file's own where there is no translation. */
const struct draft *compiled_draft(const struct compiled *c);
const char *compiled_timezone(const struct compiled *c);
/* Behind the @ of the sender's address: of Message-IDs and Content-IDs. */
const char *compiled_domain(const struct compiled *c);

/* Header fields and MIME parts, once all texts are rendered. */
int compile_message(struct compiling *g);
