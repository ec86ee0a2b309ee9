/* A message ready to be filled: header and MIME parts encoded once, cut at the merge fields (RFC 5322, 2045 to 2047,
 * 2231). Filling strings the pieces together: no parsing, no second encoding, no allocation beyond the target buffer.
 * The result has CRLF line ends only, ends in one, is 7-bit, has no line over 998 octets, and is not dot-stuffed (SMTP
 * does that). The one exception from 7-bit are addresses with a local part beyond ASCII (RFC 6532), in the fields that
 * say so.
 *
 * MIME-Version and the Content- fields are added by message_body(). */
#pragma once
#include "mail/merge.h"

struct enclosure;

enum {
    MESSAGE_LINE_MAX = 998,
    MESSAGE_PARTS_DEPTH_MAX = 8,
    MESSAGE_MAX_BYTES = 160 * 1024 * 1024, /* without the fields' values; -EMSGSIZE beyond */
};

enum part_kind {
    PART_TEXT,  /* merge, charset UTF-8 */
    PART_BYTES, /* bytes as they are, base64; a message/rfc822 is neither encoded nor changed (RFC 2046 §5.2.1) and
                   must be fit for the wire */
    PART_ALTERNATIVE, /* children */
    PART_RELATED,
    PART_MIXED,
};

struct part {
    enum part_kind kind;
    const char *type; /* "text/plain", "text/html", "image/png", "text/calendar; method=PUBLISH; component=VEVENT" */
    const struct merge *text;    /* PART_TEXT: LF line ends inside; borrowed while building */
    struct view bytes;           /* PART_BYTES; borrowed while building */
    struct enclosure *enclosure; /* PART_BYTES: the bytes, encoded already: the message takes a reference; or NULL */
    const char *filename;   /* UTF-8, or NULL; becomes Content-Disposition with RFC 2231 and, as Content-Type's name, an
                               ASCII fallback */
    const char *content_id; /* "img1@domain", or NULL */
    bool is_inline;
    const char *language; /* Content-Language, or NULL */
    struct part *children;
    size_t child_count;
};

struct message;

int message_new(struct message **ret);
struct message *message_free(struct message *m);

/* Header fields in the order added; name without colon. Values are folded at 78, encoded words where not ASCII; a value
 * with CR, LF or NUL is refused (-EINVAL) whatever it came from, and so is a name that was added before (-EEXIST). */
int message_header_text(struct message *m, const char *name, struct view text); /* unstructured: Subject */
int message_header_raw(struct message *m, const char *name, struct view value); /* structured, ASCII, ours */
/* The address may have a local part beyond ASCII. */
int message_header_mailbox(struct message *m, const char *name, struct view display, struct view address);
/* Unstructured text with merge fields: encoded word by word when filled. What is no text in a recipient's value is
 * cleaned as header_add_text() does; in the literals it is refused. The merge is copied. */
int message_header_merge(struct message *m, const char *name, const struct merge *text);
/* A field whose whole value comes with each recipient, made with header_* functions of mail/header.h: Date, Message-ID,
 * To … The value must be ASCII without CR or LF other than folds; checked when filled. */
int message_header_field(struct message *m, const char *name, unsigned field);
/* The same, where the value may hold an address beyond ASCII: To. */
int message_header_field_utf8(struct message *m, const char *name, unsigned field);
/* The body; call once, after all header fields. Boundary strings come from seed (unique for each announcement and
 * language). -EINVAL where a type, language or content id is not fit for its field, or a message/rfc822 not for the
 * wire. */
int message_body(struct message *m, const struct part *root, const char *seed);

/* Appends the whole message. -EINVAL where a header value is not fit: then nothing was appended. Or the buffer's
 * error. */
int message_fill(const struct message *m, const struct view *values, struct buf *to);
/* An upper bound of the encoded size without the fields' values. */
size_t message_size(const struct message *m);
/* What of it are enclosures. */
size_t message_enclosed_size(const struct message *m);
