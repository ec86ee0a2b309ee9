/* Mail addresses: RFC 5321 §4.1.2 mailboxes as people use them, with international domains (IDNA2008) and local parts
 * (RFC 6531). Quoted local parts, domain literals, comments, names of one label and numbers as the last label are
 * refused, and so are blanks beyond ASCII and characters that show nothing. Longer input than ADDRESS_INPUT_MAX_BYTES
 * is not looked at. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

enum { ADDRESS_MAX_BYTES = 254, ADDRESS_LOCAL_MAX_BYTES = 64, ADDRESS_INPUT_MAX_BYTES = 1000 };

struct address {
    /* local@domain as it goes on the wire: local part as spelled (NFC), domain in lower-case A-labels */
    char spelled[ADDRESS_MAX_BYTES + 1];
    /* the person: the whole folded (Unicode case folding, NFC), domain in A-labels */
    char key[ADDRESS_MAX_BYTES * 3 + 1];
    size_t at; /* index of @ in spelled */
    bool needs_smtputf8;
};

/* The fault of an address, for messages in any language. */
enum address_fault {
    ADDRESS_OK,
    ADDRESS_EMPTY,
    ADDRESS_NO_AT,
    ADDRESS_BAD_LOCAL,
    ADDRESS_BAD_DOMAIN,
    ADDRESS_TOO_LONG,
    ADDRESS_NOT_UTF8,
    ADDRESS_CONTROL,   /* control characters, CR, LF */
    ADDRESS_SEVERAL,   /* more than one address */
    ADDRESS_NO_MEMORY, /* nothing is said of the address: refuse nobody for it */
};
const char *address_fault_text(enum address_fault fault); /* English */

/* Blanks and tabs around are skipped. *ret is set on ADDRESS_OK only. */
enum address_fault address_parse(struct view v, struct address *ret);
/* `Name <a@b>`, `"Name, X" <a@b>`, `a@b (Name)`, `<a@b>`, mailto:a@b, or a bare address; a comma or semicolon behind is
 * skipped. The name (without the quotes around it, trimmed, a view into v or empty; quoted pairs stay as written) may
 * be NULL. */
enum address_fault address_parse_mailbox(struct view v, struct address *ret, struct view *ret_name);
static inline const char *address_domain(const struct address *a) {
    return a->spelled + a->at + 1;
}
/* A domain name to lower-case A-labels (IDNA2008 non-transitional, LDH, lengths). -EINVAL, -ENOMEM. */
int address_domain_ascii(struct view domain, struct buf *to);
/* For people: a***@office.example, never the whole. */
void address_print_masked(const struct address *a, struct buf *to);
