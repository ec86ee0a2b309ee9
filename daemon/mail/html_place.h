/* Where in an HTML document the next byte would stand: so that a value is escaped for its place. Follows the HTML
 * standard's tokenizer as far as templates need it; the document is fed as it is written out, in pieces cut anywhere.
 *
 * STATES
 *   TEXT --<--> OPEN --letter--> TAG_NAME --blank--> TAG --name--> ATTRIBUTE --=--> BEFORE_VALUE
 *     ^          |                  |                 ^                                |    |
 *     |          +--!--> MARKUP     +-----> on > -----|---------------+                |    +-> UNQUOTED
 *     |                   |   \                       |               v                v
 *     +---------<---------+    +--> COMMENT           +----<---- closing quote <---- QUOTED
 *     +--- or RAW (script, style) or RCDATA (title, textarea) until their end tag
 *   A conditional comment (<!--[if mso]> ... <![endif]-->) is taken for the text that it is to the programs it is
 *   for. */
#pragma once
#include <stdbool.h>

#include "base/view.h"
#include "mail/merge.h"

enum html_state {
    HTML_TEXT,
    HTML_OPEN,
    HTML_MARKUP,
    HTML_COMMENT,
    HTML_TAG_NAME,
    HTML_TAG,
    HTML_ATTRIBUTE,
    HTML_BEFORE_VALUE,
    HTML_QUOTED,
    HTML_UNQUOTED,
    HTML_RAW,
    HTML_RCDATA,
};

enum { HTML_NAME_MAX = 16, HTML_URL_MAX = 8 };

struct html_place {
    enum html_state state;
    char quote;
    char tag[HTML_NAME_MAX], attribute[HTML_NAME_MAX]; /* lower case, cut */
    char tail[4];                                      /* the last bytes inside MARKUP, COMMENT, RAW, RCDATA */
    char end[HTML_NAME_MAX + 2];                       /* RAW, RCDATA: the end tag as far as it was seen */
    char url[HTML_URL_MAX + 1];                        /* QUOTED: how the value begins */
    bool is_start;                                     /* QUOTED: nothing stands before, or may be */
    bool is_end_tag;
};

void html_place_init(struct html_place *p);
void html_place_feed(struct html_place *p, struct view text);
/* A value whose text nobody knows stands here. */
void html_place_value(struct html_place *p);
/* In a quoted attribute that holds a URL (href, src, action …). */
bool html_place_is_url(const struct html_place *p);
/* What makes a recipient's field safe here; is_url for a whole URL of ours. */
enum merge_escape html_place_escape(const struct html_place *p, bool is_url);
/* A span between a and b may be left out: are both the same place? Then *b becomes the place after it, whether it
 * stands or not. */
bool html_place_join(const struct html_place *a, struct html_place *b);
