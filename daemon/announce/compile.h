/* Compiling: a bundle in one language for one of its lists to a message with holes, once for each; and filling it for one
 * recipient. compose() depends on its arguments only: the same ones give the same octets. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "announce/bundle.h"
#include "announce/problem.h"
#include "base/buf.h"
#include "mail/salutation.h"

struct conf_list;
struct compiled;

enum { COMPILE_ATTACHMENTS_MAX = 50 };

struct compile_options {
    const char *list; /* through which it comes: title, List-Id, tone … are its own; NULL: the bundle's first */
    bool preview;     /* says in the subject and the mail that this is a test */
    bool archive;     /* for the public page: compose_page() only, of nobody */
    bool mail_only;   /* for sending: compose() only, and only the message is kept */
    /* Faults of texts, templates and files go here with file and line, and what is doubtful; NULL: into why. */
    struct problems *problems;
    uint64_t attachment_limit_bytes; /* of attachments and images together; 0: none */
    /* For faults only, where drafts have errors already: what cannot be read is left out, and nothing is returned. */
    bool faults_only;
};

/* Reads the bundle and nothing else. -EINVAL with a reason where it is damaged, or with problems. The bundle may go
 * afterwards; what it holds that is the same in all its mails (encoded attachments and pictures, settings, words) they
 * share, and it goes with the last of them. *ret is NULL with faults_only. */
int compile(struct bundle *bundle, const char *language, const struct compile_options *options, struct why *why,
            struct compiled **ret);
struct compiled *compiled_free(struct compiled *c);

struct compose_recipient {
    int64_t announcement, subscriber;
    struct view address; /* as sent */
    struct contact contact;
    struct view attributes;    /* see mail/attributes.h */
    struct view timezone;      /* the list's where it is empty, or not known here */
    struct view token;         /* of this list and person */
    struct view message_id;    /* left part, of trust/code.h */
    int64_t date_usec;         /* the first claim */
    struct view leave_mailbox; /* for List-Unsubscribe's mailto, or "" */
};

/* Appends the whole message. -EINVAL where a value cannot stand in a header; -EMSGSIZE at the buffer's cap. c's scratch
 * memory is used: one thread at a time. */
int compose(struct compiled *c, const struct compose_recipient *r, struct buf *to);
/* One text alternative alone, for previews. */
int compose_part(struct compiled *c, const struct compose_recipient *r, bool html, struct buf *to);
/* The HTML alternative of a preview, or for the archive, as a page that a browser shows: its pictures stand in it. */
int compose_page(struct compiled *c, const struct compose_recipient *r, struct buf *to);
/* Whether the announcement gets a public page: its list is marked archive, and it is for all of the list. */
bool compiled_has_page(const struct compiled *c);
/* The event as a calendar file, for the archive; empty without one. */
struct view compiled_calendar(const struct compiled *c);
/* An upper bound of a message's size without the person's fields. */
size_t compiled_size(const struct compiled *c);
/* What of that is attachments and pictures, which all that is compiled of one bundle shares. */
size_t compiled_enclosed_size(const struct compiled *c);
/* The subject with its fields left out, for lists and logs of coordinators. */
const char *compiled_subject(const struct compiled *c);

/* The list through which it comes. */
uint32_t compiled_list(const struct compiled *c);
/* The sender's address as the bundle froze it: the plain return path. */
const char *compiled_sender_address(const struct compiled *c);

/* List-Id's identifier (RFC 2919): name.domain-of-the-sender. -ENOMEM. */
int compile_list_id(const struct conf_list *list, struct buf *to);
/* "image/png", "image/jpeg" or "image/gif", whatever the name says; NULL for what not every mail program shows. */
const char *compile_picture_type(struct view bytes);
