/* Requests: what the doors, and commands that a restore must repeat, ask the daemon to do. One file holds 1..N records.
 *
 * FORMAT  version 2, UTF-8.
 *         line 1: "rundbrief-requests 2"; then one line a record, fields separated by one TAB:
 *           id         32 hex digits, random
 *           at         2025-09-02T10:00:00Z
 *           verb       one of those in request_verbs.c
 *           KEY=VALUE  any number, each key at most once, in the order of enum request_key; a value is never empty.
 *                      Control characters, DEL and % are written as %XX (upper case), and nothing else is.
 *         and a last line "end". A file without it was cut off and is not applied (a door says yes only after its
 *         fsync). So there is one way to write a record, and what is read is printed the same.
 *         Each verb has keys that must be there, of which at least one must, and that may, and some that only the daemon's
 *         own copy has; each key has its form and bounds (request_verbs.c; spool/README.md has them as tables). Anything
 *         else is not of this format.
 *
 *         version 1, which is read too: "rundbrief-requests 1", the verbs leave and undo only, and as fields
 *           id, at, verb, token, announcement (0: none), how (link, one-click), language (-: none)
 *
 *         A file of a later version is left where it is, for the daemon that is to come.
 *
 * NAME    <UTC time with microseconds>-<32 hex>.req, as 20250902T100000.000000Z-0123….req: sorted names are in the
 *         order in which a door wrote them. Files being written end in .tmp
 *
 * STATES  spool/requests/DOOR/NAME.tmp  being written by the door; the daemon removes those older than a day
 *         spool/requests/DOOR/NAME.req  accepted: the door has said yes, or is about to
 *         spool/applied/NAME.req        what was applied, and by commands, in files that the daemon wrote; kept for 90 days
 *         spool/rejected/NAME.req       not of this format; kept with a .why */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

/* A verb is a row in request_verbs.c, and in people/requests.c a function that does it. */
enum request_verb {
    /* the web door's */
    REQUEST_LEAVE,
    REQUEST_UNDO,
    REQUEST_LEAVE_ALL,
    REQUEST_UNDO_ALL,
    REQUEST_SIGN_UP,
    REQUEST_CONFIRM,
    REQUEST_LINK,
    REQUEST_PREFERENCES,
    REQUEST_RELEASE,
    /* the mail door's */
    REQUEST_BOUNCE,
    REQUEST_COMPLAINT,
    REQUEST_MAIL_LEAVE,
    /* for a restore: commands; as whom somebody joined */
    REQUEST_ERASE,
    REQUEST_SUPPRESS,
    REQUEST_UNSUPPRESS,
    REQUEST_COMMAND_LEAVE,
    REQUEST_JOINED,
    REQUEST_VERBS,
};

enum request_key {
    REQUEST_KEY_TOKEN,
    REQUEST_KEY_ANNOUNCEMENT, /* through which the link came */
    REQUEST_KEY_HOW,          /* a word: link, one-click, form; phone, letter, mail */
    REQUEST_KEY_LANGUAGE,     /* of the page or mail */
    REQUEST_KEY_LIST,         /* a list's number in tokens */
    REQUEST_KEY_ADDRESS,      /* as it was typed */
    REQUEST_KEY_GIVEN_NAME,
    REQUEST_KEY_FAMILY_NAME,
    REQUEST_KEY_CONSENT, /* version of the text agreed to */
    REQUEST_KEY_WORDING, /* that text */
    REQUEST_KEY_SOURCE,  /* IP address from which it came */
    REQUEST_KEY_JOIN,    /* numbers of lists, comma-separated */
    REQUEST_KEY_LEAVE,
    REQUEST_KEY_NEW_LANGUAGE,
    REQUEST_KEY_NEW_ADDRESS,
    REQUEST_KEY_CODE,   /* of a return path, as it came: the daemon checks it */
    REQUEST_KEY_CLASS,  /* a word: hard, soft … */
    REQUEST_KEY_STATUS, /* enhanced status code */
    REQUEST_KEY_ACTION, /* a word: what the report asks for (mail/bounce.h) */
    REQUEST_KEY_SAID,   /* what the other mail system said */
    REQUEST_KEY_BY,     /* who gave the command */
    REQUEST_KEY_REASON, /* in words */
    REQUEST_KEY_HASH,   /* keyed hash of an address, where the address may not be kept */
    REQUEST_KEY_SUBSCRIBER,
    REQUEST_KEY_MESSAGES, /* left parts of Message-IDs that a mail answers, comma-separated: the daemon checks them */
    REQUEST_KEYS,
};

/* Who may ask: a file in requests/DOOR with a verb of another, or with a key of the daemon's, is not of this format. */
enum request_door { REQUEST_WEB = 1, REQUEST_MAIL = 2, REQUEST_COMMAND = 4, REQUEST_ANY_DOOR = 7 };

enum {
    REQUEST_FILE_MAX_BYTES = 4 << 20,
    REQUEST_LINE_MAX_BYTES = 24 * 1024, /* a record, as it is printed, whatever its values; they are bounded each */
    REQUEST_TOKEN_MAX = 200,
    REQUEST_LANGUAGE_MAX = 16,
    REQUEST_WORD_MAX = 32,
    REQUEST_LISTS_MAX = 64,
    REQUEST_MESSAGES_MAX = 10,
    REQUEST_MESSAGE_LEN = 26,
    REQUEST_ADDRESS_MAX = 320,
    REQUEST_NAME_MAX = 200,
    REQUEST_TEXT_MAX = 4000, /* wording, reason */
};

struct request {
    uint8_t id[16];
    int64_t at_usec; /* whole seconds are written */
    enum request_verb verb;
    struct view value[REQUEST_KEYS]; /* len 0: not there */
};

static inline struct view request_get(const struct request *r, enum request_key key) {
    return r->value[key];
}
/* Of numbers: 0 where it is not there. */
int64_t request_number(const struct request *r, enum request_key key);
/* Takes the next number off a value such as REQUEST_KEY_JOIN; false at its end. */
bool request_next_list(struct view *rest, uint32_t *ret);

const char *request_verb_name(enum request_verb verb);
enum request_door request_verb_door(enum request_verb verb);
/* Whether one of these doors may have written it. What commands may write may be the daemon's own copy. */
bool request_is_of(const struct request *r, enum request_door doors);
const char *request_key_name(enum request_key key);
/* Whether a value may stand under that key. */
bool request_is_value(enum request_key key, struct view value);
/* Whether it may be printed: its verb has all keys that it must have and no other, each with a good value. */
bool request_is_whole(const struct request *r);

/* One record's line, which must be whole. */
void request_print(struct buf *to, const struct request *r);
/* The same with an id of its own, and where it has no time the time of now: what a door does. -EIO without random bits, -EINVAL where it is not whole,
 * or the buffer's error; no part of it is added then. */
int request_print_new(struct buf *to, struct request *r);

/* Reads a file, record by record, once the whole of it is known to be well-formed. Begin with a zeroed struct. */
struct request_reader {
    struct view rest;
    size_t left; /* records */
    unsigned version;
    enum request_door doors;
    struct buf memory; /* of the values of one record */
};
/* doors: an or of those whose verbs may be there. file must stay as long as the reader. -EBADMSG for anything else,
 * with the line in *ret_line; -EPROTONOSUPPORT for a later version; -ENOMEM. */
int request_reader_open(struct request_reader *reader, struct view file, enum request_door doors, unsigned *ret_line);
/* 1 and the record, whose values last until the next call; 0 at the end; -ENOMEM. */
int request_reader_next(struct request_reader *reader, struct request *ret);
void request_reader_done(struct request_reader *reader);

/* For a door: writes the records (1 or more, as request_print() prints them) with head and end durably into
 * spool/requests/<door>/ and returns 0 only when they outlive a power cut. dirfd is that folder. -EMSGSIZE beyond
 * REQUEST_RECORDS_MAX_BYTES. */
enum { REQUEST_RECORDS_MAX_BYTES = REQUEST_FILE_MAX_BYTES - 64, REQUEST_FILE_NAME_BYTES = 100 };
int request_hand_over(int dirfd, struct view records);
/* The same, and the name of the file. */
int request_hand_over_as(int dirfd, struct view records, char ret_name[REQUEST_FILE_NAME_BYTES]);
/* A file that was applied is to hold these records from now on; without any it goes. After a power cut it is as before,
 * or so; it is so for good when the folder was synced. What a crash leaves of it ends in .tmp. */
int request_replace(int dirfd, const char *name, struct view records);
