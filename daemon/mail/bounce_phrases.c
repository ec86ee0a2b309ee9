/* What mail systems say, and what they mean by it. The first phrase that is found in a text counts, so what is more
 * certain stands above, and the tables of bounce_phrases_*.c stand in the order below. A phrase is written folded
 * (lower case, ss for ß, Latin letters without their marks), with single blanks; " * " is anything of at
 * most PHRASE_GAP bytes in the same text.
 *
 * PRECEDENCE  To call a person gone who is there is worse than to write once more to one who is not. So, for each text:
 *   1. what says in plain words whom or what it means, whatever the status code says: our address, in words that would
 *      also fit an unknown user; full and closed mailboxes; the recipient's own wish; unknown users and hosts; then
 *      what is said of us, of the message, of time and network;
 *   2. words that suffice to see that it is not the recipient who is missing (the end of the table): before any code,
 *      as many systems send 5.1.1 with whatever they refuse;
 *   3. what is said of whom (bounce_combinations.c): "mailbox … not found";
 *   4. the status code; words and reply codes that say little.
 * Before RCPT nothing speaks of a recipient; after the message "unknown" is what filters say; and what is temporary is
 * never the end of an address (bounce_reason.c). */
#include "base/cleanup.h"
#include "mail/bounce_inside.h"

#include "base/banned.h"

enum { PHRASE_GAP = 90 };

#define R(name) BOUNCE_REASON_##name

static const struct bounce_phrases *const order[] = {
    &bounce_phrases_sender, &bounce_phrases_mailbox,     &bounce_phrases_wish, &bounce_phrases_early,
    &bounce_phrases_user,   &bounce_phrases_user_abroad, &bounce_phrases_host, &bounce_phrases_refused};

/* Where no phrase above and no status code said more. */
static const struct bounce_phrase weak_phrases[] = {
    {R(USER_UNKNOWN), "mailbox unavailable"},
    {R(USER_UNKNOWN), "mailbox is unavailable"},
    {R(USER_UNKNOWN), "mailbox not available"},
    {R(USER_UNKNOWN), "mailbox is not available"},
    {R(USER_UNKNOWN), "recipient address rejected: undeliverable"}, /* Postfix's verify(8), in front of the reason */
    {R(USER_UNKNOWN), "address is correct"},
    {R(USER_UNKNOWN), "does not exist"},
    {R(USER_UNKNOWN), "doesn't exist"},
    {R(USER_UNKNOWN), "not exist"},
};

/* What stands near words that speak of an unknown person or host, if these are of us or of our message. */
static const char *const of_us[] = {
    "your domain", "your address", "your server", "your host",     "your ip",     "sender",        "return address",
    "return path", "return-path",  "originator",  "absender",      "mittente",    "remitente",     "remetente",
    "expediteur",  "nadawc",       "отправител",  "відправник",    " helo",       " ehlo",         " ptr",
    "header",      "adresse ip",   "ip-adress",   "votre domaine", "in the body", "configuration",
};

enum { NEAR_BEFORE = 40, NEAR_BEHIND = 16 };

/* The next place of the pattern's pieces, which " * " and "*" part; from there to *ret_end. The text's length for none. */
static size_t found(struct view text, const char *pattern, size_t *ret_end) {
    struct view rest = view_of(pattern), piece;
    size_t at = 0, start = 0;
    for (bool first = true; view_split(&rest, '*', &piece); first = false) {
        struct view behind = view_slice(text, at, first ? text.len : piece.len + PHRASE_GAP);
        size_t place = view_search(behind, piece);
        if (place == behind.len && piece.len)
            return text.len;
        start = first ? place : start;
        at += place + piece.len;
    }
    *ret_end = at;
    return start;
}

static bool is_of_us(struct view text, size_t start, size_t end) {
    size_t from = start > NEAR_BEFORE ? start - NEAR_BEFORE : 0;
    struct view near = view_slice(text, from, end - from + NEAR_BEHIND);
    for (size_t i = 0; i < COUNT_OF(of_us); i++)
        if (view_search(near, view_of(of_us[i])) < near.len)
            return true;
    return false;
}

static bool is_of_recipient(enum bounce_reason r) {
    return r == R(USER_UNKNOWN) || r == R(HOST_UNKNOWN) || r == R(NOT_ACCEPT) || r == R(HAS_MOVED) ||
           r == R(SUSPENDED) || r == R(MAILBOX_FULL);
}

static int first_found(const struct bounce_phrase *rows, size_t count, struct view folded, bool of_recipient) {
    for (size_t i = 0; i < count; i++) {
        enum bounce_reason reason = rows[i].reason;
        size_t end, start = folded.len;
        if (of_recipient || !is_of_recipient(reason))
            start = found(folded, rows[i].text, &end);
        if (start < folded.len &&
            !((reason == R(USER_UNKNOWN) || reason == R(HOST_UNKNOWN)) && is_of_us(folded, start, end)))
            return (int)reason;
    }
    return -1;
}

int bounce_phrase(struct view folded, bool of_recipient) {
    int reason = -1;
    for (size_t i = 0; reason < 0 && i < COUNT_OF(order); i++)
        reason = first_found(order[i]->rows, order[i]->count, folded, of_recipient);
    return reason;
}

int bounce_weak_phrase(struct view folded, bool of_recipient) {
    return first_found(weak_phrases, COUNT_OF(weak_phrases), folded, of_recipient);
}
