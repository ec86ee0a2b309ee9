/* What is said of whom, in whatever words: one of the things that a system may name beside one of the states that it may
 * be in, "the mailbox of that person could not be found". Languages vary such sentences more than a table of phrases
 * can hold. This stands behind that table, and what would be worse to get wrong stands first. */
#include "base/cleanup.h"
#include "mail/bounce_inside.h"

#include "base/banned.h"

#define R(name) BOUNCE_REASON_##name

enum { COMBINATION_GAP = 60, WORDS_MAX = 48, SAYS_SOMETHING_LETTERS = 8 };

/* Where one of `not_with` stands anywhere in the text, nothing is said of the recipient. Folded; NULL ends a list. */
struct combination {
    enum bounce_reason reason;
    bool any_order; /* the state may stand before the thing, too */
    const char *things[WORDS_MAX], *states[WORDS_MAX], *not_with[WORDS_MAX];
};

#define OF_US                                                                                                          \
    "sender", "mail from", "from address", "return address", "return path", "return-path", "originator",               \
        "your address", "your email", "your e-mail", "your account", "your domain", "your host", "your server",        \
        "your ip", "helo", "ehlo", "client", "header", "relay", "absender", "expéditeur", "mittente", "nadawc",        \
        "отправител", "відправник", "発信者", "差出人"
#define PEOPLE                                                                                                         \
    "user", "mailbox", "mail box", "mail-box", "account", "recipient", "rcpt", "address", "addressee", "alias",        \
        "person", "local part", "local-part", "localpart", "customer", "subscriber", "member", "inbox", "userid",      \
        "destination", "employee", "contact you", "e-mail", "email"

static const struct combination combinations[] = {
    {R(MAILBOX_FULL),
     true,
     {"mailbox", "mail box", "inbox", "maildir", "mail folder", "mail spool", "account", "quota", "storage", "disk",
      "user's box", "recipient"},
     {"is full",           "are full",         " full.",          " full)",
      "exceeded",          "exceeds",          "exhausted",       "reached the limit",
      "reached its limit", "over limit",       "over the limit",  "no space",
      "no room",           "not enough space", "not enough room", "insufficient space",
      "out of space",      "limit of",         "overflow",        "cannot hold",
      "can't hold"},
     {OF_US, "per hour", "per minute", "per day", "connection", "rate", "recipients", "recipient limit", "sending",
      "message size", "size limit", "hop", "attachment"}},
    {R(SUSPENDED),
     false,
     {"account", "mailbox", "inbox", "user", "recipient", "customer", "domain is", "domain has"},
     {"disabled", "suspended", "deactivated", "inactive", "locked", "frozen", "expired", "closed", "terminated",
      "cancelled", "canceled", "discontinued", "not active", "no longer active", "retired", "dormant", "archived",
      "account blocked", "been blocked"},
     {OF_US, "spam", "content", "attachment", "list", "connection", "policy", "virus"}},
    {R(USER_UNKNOWN),
     false,
     {PEOPLE},
     {" unknown",
      "not known",
      "n't known",
      "not found",
      "n't found",
      "not be found",
      "n't be found",
      "cannot be found",
      "not exist",
      "n't exist",
      "no longer exist",
      "nonexistent",
      "non-existent",
      "non existent",
      "not present",
      "not listed",
      "n't listed",
      " invalid",
      "not valid",
      "n't valid",
      "no longer valid",
      "no longer in use",
      "no longer on ",
      "no longer available",
      "no longer at ",
      "not recogni",
      "not registered",
      "not in my",
      "not in our",
      "not defined",
      "not local",
      "not hosted",
      "is wrong",
      "was deleted",
      "been deleted",
      "been removed",
      "cannot be verified",
      "does not have an account",
      "n't have an account",
      "has no mailbox",
      "has no account"},
     {OF_US, "temporar", "try again", "timeout", "later", "message-id", "syntax", "lookup", "dns"}},
    {R(USER_UNKNOWN),
     false,
     {"no such",     "unknown",         "invalid",     "nonexistent",      "non-existent", "non existent",
      "not a valid", "not an existing", "not a known", "not a registered", "no valid",     "wrong",
      "incorrect",   "undefined",       "no person",   "nobody",           "no user",      "no mailbox",
      "no account",  "there is no",     "there's no",  "unrecogni",        "illegal"},
     {PEOPLE, "by this name", "by that name", "of that name", "with that name", "here"},
     {OF_US, "domain", "temporar", "try again", "timeout", "later", "message-id", "syntax", "lookup", "dns",
      "recipients specified"}},
    {R(HOST_UNKNOWN),
     false,
     {"domain", "hostname", "host name", "mail host", "host"},
     {" unknown", "not known", "not found", "not be found", "n't be found", "not exist", "n't exist", "no longer exist",
      "nonexistent", "non-existent", "not registered", "expired and", "no mail server"},
     {OF_US, "temporar", "try again", "timeout", "timed out", "later", "failure", "retry", "complete", "mailbox",
      "said:", "user", "recipient"}},
};

/* The word at or behind *at, whose end *at becomes. */
static bool next_of(struct view text, const char *word, size_t *at) {
    size_t place = view_search(view_slice(text, *at, text.len), view_of(word));
    if (*at + place >= text.len)
        return false;
    *at += place + strlen(word);
    return true;
}

static bool has_any(struct view text, const char *const words[WORDS_MAX]) {
    size_t at = 0;
    for (size_t i = 0; i < WORDS_MAX && words[i]; i++, at = 0)
        if (next_of(text, words[i], &at))
            return true;
    return false;
}

/* One of `first`, and one of `then` near behind it. */
static bool beside(struct view text, const char *const first[WORDS_MAX], const char *const then[WORDS_MAX]) {
    for (size_t i = 0; i < WORDS_MAX && first[i]; i++)
        for (size_t at = 0; next_of(text, first[i], &at);)
            if (has_any(view_slice(text, at, at + COMBINATION_GAP), then))
                return true;
    return false;
}

int bounce_combination(struct view folded, bool of_recipient) {
    for (size_t i = 0; of_recipient && i < sizeof combinations / sizeof combinations[0]; i++) {
        const struct combination *c = &combinations[i];
        if (!has_any(folded, c->not_with) &&
            (beside(folded, c->things, c->states) || (c->any_order && beside(folded, c->states, c->things))))
            return (int)c->reason;
    }
    return -1;
}

/* What a reply must speak of, if its status code is to mean that there is no such person, or no such host. */
static const char *const of_people[WORDS_MAX] = {PEOPLE,     "recip",  "addr",    "mbox",      "usr",      "unknown",
                                                 "no such",  "nosuch", "exist",   "not found", "reject",   "adress",
                                                 "destinat", "utilis", "usuario", "utente",    "benutzer", "empf"};
static const char *const of_hosts[WORDS_MAX] = {"domain", "host", "mx",    "dns",  "name",    "address",
                                                "rout",   "site", "exist", "dom ", "unknown", "not found"};
static const char *const of_us[WORDS_MAX] = {OF_US};

bool bounce_fits_status(struct view folded, enum bounce_reason reason) {
    size_t letters = 0;
    for (size_t i = 0; i < folded.len; i++) {
        unsigned char c = (unsigned char)folded.ptr[i];
        if (c >= 0x80) /* in a language of which these words are none */
            return true;
        letters += c >= 'a' && c <= 'z';
    }
    if (letters < SAYS_SOMETHING_LETTERS)
        return true;
    if (reason == R(USER_UNKNOWN))
        return has_any(folded, of_people) && !has_any(folded, of_us);
    return reason != R(HOST_UNKNOWN) || has_any(folded, of_hosts);
}
