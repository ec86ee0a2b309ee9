#include "mail/reply.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

#include "base/banned.h"

const char *outcome_class_name(enum outcome_class c) {
    switch (c) {
    case OUTCOME_DELIVERED: return "delivered";
    case OUTCOME_DEFERRED: return "deferred";
    case OUTCOME_REFUSED: return "refused";
    case OUTCOME_IN_DOUBT: return "in-doubt";
    }
    return "";
}

void outcome_set(struct outcome *o, enum outcome_class c, enum outcome_subject subject, const char *text) {
    o->class = c;
    o->subject = subject;
    o->code = 0;
    o->status[0] = '\0';
    size_t len = strnlen(text, sizeof o->text - 1); /* cut is fine: cleaned next */
    memcpy(o->text, text, len);
    o->text[len] = '\0';
    text_cut_clean(o->text);
}

/* Reading */

void reply_init(struct reply *r) {
    r->code = 0;
    r->status[0] = r->text[0] = '\0';
    r->lines = r->line_len = 0;
    r->complete = false;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static size_t digits_at(struct view v, size_t at) {
    size_t n = 0;
    while (at + n < v.len && is_digit(v.ptr[at + n]))
        n++;
    return n;
}

/* Length of the enhanced status code (RFC 3463 §2) that begins v, or 0. */
static size_t status_len(struct view v, char class) {
    if (v.len < 5 || v.ptr[0] != class || v.ptr[1] != '.')
        return 0;
    size_t subject = digits_at(v, 2);
    if (subject < 1 || subject > 3 || 2 + subject >= v.len || v.ptr[2 + subject] != '.')
        return 0;
    size_t detail = digits_at(v, 3 + subject), len = 3 + subject + detail;
    if (detail < 1 || detail > 3 || (len < v.len && v.ptr[len] != ' '))
        return 0;
    return len;
}

static void add_text(struct reply *r, struct view text) {
    size_t len = strlen(r->text);
    if (len && text.len && len < OUTCOME_TEXT_MAX)
        r->text[len++] = ' ';
    for (size_t i = 0; i < text.len && len < OUTCOME_TEXT_MAX; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        r->text[len++] = c == '\t' ? ' ' : c < 0x20 || c == 0x7F ? '?' : (char)c;
    }
    r->text[len] = '\0';
}

/* Takes the line that was read; 0 or -EPROTO. */
static int end_line(struct reply *r) {
    struct view line = view_make(r->line, r->line_len);
    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (line.len < 3 || line.ptr[0] < '2' || line.ptr[0] > '5' || !is_digit(line.ptr[1]) || !is_digit(line.ptr[2]))
        return -EPROTO;
    if (line.len > 3 && line.ptr[3] != ' ' && line.ptr[3] != '-')
        return -EPROTO;
    unsigned code =
        (unsigned)(line.ptr[0] - '0') * 100 + (unsigned)(line.ptr[1] - '0') * 10 + (unsigned)(line.ptr[2] - '0');
    if (r->lines && code != r->code)
        return -EPROTO;
    bool last = line.len == 3 || line.ptr[3] == ' ';
    if (++r->lines == REPLY_LINES_MAX && !last)
        return -EPROTO;
    r->code = (uint16_t)code;

    struct view text = view_trim(view_slice(line, 4, line.len));
    size_t status = status_len(text, line.ptr[0]);
    if (status && !r->status[0]) {
        memcpy(r->status, text.ptr, status);
        r->status[status] = '\0';
    }
    if (status && view_eq_str(view_slice(text, 0, status), r->status))
        text = view_trim(view_slice(text, status, text.len));
    add_text(r, text);
    r->line_len = 0;
    if (last) {
        text_cut_clean(r->text);
        r->complete = true;
    }
    return 0;
}

int reply_feed(struct reply *r, struct view bytes, size_t *ret_taken) {
    size_t taken = 0;
    while (!r->complete && taken < bytes.len) {
        struct view rest = view_slice(bytes, taken, bytes.len);
        size_t end = view_find(rest, '\n');
        if (end > REPLY_LINE_MAX_BYTES - r->line_len)
            return -EPROTO;
        memcpy(r->line + r->line_len, rest.ptr, end);
        r->line_len += (unsigned)end;
        taken += end;
        if (end == rest.len)
            break;
        taken++;
        int error = end_line(r);
        if (error < 0)
            return error;
    }
    *ret_taken = taken;
    return 0;
}

/* Meaning */

#define ON(stage) (1u << (stage))

enum {
    BEFORE_MAIL = ON(REPLY_GREETING) | ON(REPLY_EHLO) | ON(REPLY_STARTTLS),
    VERDICT = ON(REPLY_RCPT) | ON(REPLY_DATA) | ON(REPLY_END), /* where a recipient and a message are known */
    TALK = ON(REPLY_MAIL) | VERDICT,
};

/* One row: at these stages, a code of this form ('.' is any digit), with one of these enhanced codes ('*' is any
 * number, "-" none), with one of these phrases in the text. NULL asks for nothing. Alternatives are parted by '|'. */
struct rule {
    unsigned stages;
    const char *code, *status, *phrases;
    enum outcome_class class;
    enum outcome_subject subject;
};

#define UNSAID "-|*.0.0|*.3.0|*.5.0" /* no enhanced code, or one that says nothing: the text may */

/* That there is no such user; strong enough to stand against a policy code of the receivers. */
#define USER_UNKNOWN                                                                                                   \
    "user unknown|unknown user|no such user|user not found|user does not exist|user doesn't exist|unknown recipient|"  \
    "recipient unknown|no such recipient|recipient not found|recipient does not exist|invalid recipient|"              \
    "no such mailbox|mailbox not found|mailbox does not exist|mailbox doesn't exist|no mailbox here|"                  \
    "account does not exist|account that you tried to reach does not exist|no such account|address does not exist|"    \
    "no such person|not a valid mailbox|unknown local part|unknown or illegal alias|account has been disabled|"        \
    "account is disabled|mailbox disabled|mailbox is disabled|user is inactive"

/* That our sender address or our account is not welcome, said late. */
#define OUR_SENDER                                                                                                     \
    "sender address rejected|sender rejected|sender address denied|sender not allowed|not authorized to send|"         \
    "not permitted to send|relay access denied|relaying denied|relaying not allowed|unable to relay|relay not "        \
    "permitted"

/* The account with the relay has sent its share. */
#define SENDING_LIMIT                                                                                                  \
    "sending limit|sending quota|sending rate|relay limit|relay quota|outgoing message limit|sender throttled|"        \
    "submission quota|hourly limit|daily limit|messages per hour|messages per day"

/* The receiver wants fewer, with whatever code: Gmail's "receiving mail at a rate" comes with 550 too. */
#define TOO_FAST                                                                                                       \
    "receiving mail at a rate|receiving mail too quickly|rate limit|ratelimit|rate-limit|unusual rate|throttl|"        \
    "frequency limited|too many messages|too many connections|too many concurrent|too many simultaneous|too many "     \
    "sessions|too fast|"                                                                                               \
    "temporarily deferred due to|temporarily rate|[ts|tss0|(rp-00"

/* The connection has had its share (Exim, OpenSMTPD, Yahoo), or the server goes: another connection may do at once. */
#define SESSION_ENDS                                                                                                   \
    "in this connection|in this session|on this connection|for this connection|for this session|per connection|"       \
    "per session|too many messages sent|too many errors|shutting down|shutdown|going down|restarting"

#define TOO_LARGE                                                                                                      \
    "too large|too big|message size|size limit|maximum size|fixed limit|exceeds the maximum|exceeds maximum"

/* Verdicts on us where no enhanced code says so. */
#define POLICY                                                                                                         \
    "relay access denied|relaying denied|relay denied|relay not permitted|relaying not|not permitted to relay|"        \
    "unable to relay|authentication required|not authenticated|spam|blacklist|black list|blocklist|block list|"        \
    "blocked|dnsbl| rbl |rbl.|.rbl|spamhaus|spamcop|reputation|dmarc|dkim|spf|policy|not authorized|unauthorized|"     \
    "not allowed to send|content rejected|message rejected|junk|virus|sender rejected|sender address rejected|"        \
    "sender verify|sender denied|unauthenticated|client ip|ptr record|reverse dns"

/* What a reply means. The first row that fits is taken; the last rows fit whatever came. */
static const struct rule rules[] = {
    /* 421 while there is no transaction, and all else before MAIL. A refusal of ourselves is for the admin. */
    {BEFORE_MAIL | ON(REPLY_AUTH), "4..", NULL, NULL, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION},
    {BEFORE_MAIL | ON(REPLY_AUTH), "5..", NULL, NULL, OUTCOME_DEFERRED, OUTCOME_OF_SENDER},
    /* Nothing hangs on these two but the connection. */
    {ON(REPLY_RSET) | ON(REPLY_QUIT), "...", NULL, NULL, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION},

    /* Our account: the relay asks for a login (RFC 4954 §6), or it has had enough of us today. */
    {TALK, "530", NULL, NULL, OUTCOME_DEFERRED, OUTCOME_OF_SENDER},
    {TALK, "53[458]", NULL, NULL, OUTCOME_DEFERRED, OUTCOME_OF_SENDER},
    {TALK, "...", "*.2.251|*.2.252|*.2.253|*.2.254|*.2.255", NULL, OUTCOME_DEFERRED, OUTCOME_OF_SENDER},
    {TALK, "...", NULL, SENDING_LIMIT, OUTCOME_DEFERRED, OUTCOME_OF_SENDER},

    /* Slow down (§2). Greylisting is for one recipient and asks for nothing but time. A server that goes down or whose
     * line broke is no matter of speed. */
    {TALK, "4..", NULL, "greylist|graylist|grey-list|gray-list", OUTCOME_DEFERRED, OUTCOME_OF_RECIPIENT},
    {TALK, "...", "*.7.28", NULL, OUTCOME_DEFERRED, OUTCOME_OF_DESTINATION},
    {TALK, "421", NULL, SESSION_ENDS, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION},
    {ON(REPLY_MAIL), "4..", NULL, SESSION_ENDS, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION},
    {TALK, "...", NULL, TOO_FAST, OUTCOME_DEFERRED, OUTCOME_OF_DESTINATION},
    {TALK, "421", "4.3.2|4.4.2", NULL, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION},
    {TALK, "421", NULL, NULL, OUTCOME_DEFERRED, OUTCOME_OF_DESTINATION},
    {TALK, "4..", "4.7.*", NULL, OUTCOME_DEFERRED, OUTCOME_OF_DESTINATION},

    /* All other temporary answers. A full disk or a closed door (4.3.1, 4.3.2) concerns everyone at that destination;
     * what MAIL is told, the relay that we speak with. */
    {ON(REPLY_MAIL), "4..", NULL, NULL, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION},
    {TALK, "4..", "4.3.1|4.3.2", NULL, OUTCOME_DEFERRED, OUTCOME_OF_DESTINATION},
    {VERDICT, "4..", NULL, NULL, OUTCOME_DEFERRED, OUTCOME_OF_RECIPIENT},

    /* A permanent answer to MAIL refuses nobody: it speaks of us, or of the size that we announced (RFC 1870 §6.1). */
    {ON(REPLY_MAIL), "5..", "5.2.3|5.3.4|5.6.*", NULL, OUTCOME_DEFERRED, OUTCOME_OF_MESSAGE},
    {ON(REPLY_MAIL), "552", NULL, TOO_LARGE, OUTCOME_DEFERRED, OUTCOME_OF_MESSAGE},
    {ON(REPLY_MAIL), "5..", NULL, NULL, OUTCOME_DEFERRED, OUTCOME_OF_SENDER},

    /* 552 was the code for too many recipients before 452 was (RFC 5321 §4.5.3.1.10). */
    {VERDICT, "5..", "5.5.3", NULL, OUTCOME_DEFERRED, OUTCOME_OF_RECIPIENT},
    {VERDICT, "5..", NULL, "too many recipients", OUTCOME_DEFERRED, OUTCOME_OF_RECIPIENT},

    /* Our sender address is wrong. */
    {VERDICT, "5..", "5.1.7|5.1.8", NULL, OUTCOME_DEFERRED, OUTCOME_OF_SENDER},
    {VERDICT, "5..", "5.1.0", "sender rejected|sender address rejected|sender denied|sender domain", OUTCOME_DEFERRED,
     OUTCOME_OF_SENDER},

    /* The message: the answer is permanent for this recipient, the announcement is held for the others. An address
     * beyond ASCII that is not taken (RFC 6531 §3.5) is the recipient's own affair. */
    {VERDICT, "5..", "5.6.7|5.6.9|5.6.10", NULL, OUTCOME_REFUSED, OUTCOME_OF_RECIPIENT},
    {VERDICT, "5..", "5.2.3|5.3.4|5.6.*", NULL, OUTCOME_REFUSED, OUTCOME_OF_MESSAGE},
    {VERDICT, "552", UNSAID, TOO_LARGE, OUTCOME_REFUSED, OUTCOME_OF_MESSAGE},

    /* Policy. 5.7.13, .17 and .18 (RFC 7293 and the registry: account disabled, owner changed), 5.7.2 (a mailing list)
     * and Exchange's 5.7.124 to .136 or RESOLVER.RST (a group that takes mail from few) speak of the recipient after
     * all. */
    {VERDICT, "5..", "5.7.13|5.7.17|5.7.18|5.7.2", NULL, OUTCOME_REFUSED, OUTCOME_OF_RECIPIENT},
    {VERDICT, "5..", "5.7.124|5.7.129|5.7.133|5.7.134|5.7.135|5.7.136", NULL, OUTCOME_REFUSED, OUTCOME_OF_RECIPIENT},
    {VERDICT, "5..", "5.7.*", "resolver.rst.", OUTCOME_REFUSED, OUTCOME_OF_RECIPIENT},
    {VERDICT, "5..", "5.7.*", USER_UNKNOWN, OUTCOME_REFUSED, OUTCOME_OF_RECIPIENT},
    /* Many servers say what they think of MAIL only when RCPT comes. */
    {VERDICT, "5..", "5.7.*", OUR_SENDER, OUTCOME_DEFERRED, OUTCOME_OF_SENDER},
    {VERDICT, "5..", "5.7.*", NULL, OUTCOME_DEFERRED, OUTCOME_OF_DESTINATION},

    /* No enhanced code that says anything: the text decides. */
    {VERDICT, "5..", UNSAID, USER_UNKNOWN, OUTCOME_REFUSED, OUTCOME_OF_RECIPIENT},
    {VERDICT, "5..", UNSAID, POLICY, OUTCOME_DEFERRED, OUTCOME_OF_SENDER},

    /* The dialogue went wrong: commands not known or out of order. A new connection may do better. */
    {VERDICT, "50[0234]", UNSAID "|5.5.1|5.5.2|5.5.4", NULL, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION},
    {VERDICT, "555", UNSAID "|5.5.4", NULL, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION},

    /* Permanent, and of this recipient: no such user, mailbox full, no such host, unknown codes. */
    {VERDICT, "5..", NULL, NULL, OUTCOME_REFUSED, OUTCOME_OF_RECIPIENT},
};

/* '.' is any digit, [abc] one of these. */
static bool code_fits(const char *pattern, unsigned code) {
    char digits[4] = {(char)('0' + code / 100 % 10), (char)('0' + code / 10 % 10), (char)('0' + code % 10)};
    const char *p = pattern;
    for (size_t i = 0; i < 3; i++, p++) {
        if (*p == '[') {
            const char *close = strchr(p, ']');
            if (!memchr(p, digits[i], (size_t)(close - p)))
                return false;
            p = close;
        } else if (*p != '.' && *p != digits[i]) {
            return false;
        }
    }
    return true;
}

static bool status_fits(struct view pattern, struct view status) {
    size_t at = 0;
    for (size_t i = 0; i < pattern.len; i++) {
        size_t n = pattern.ptr[i] == '*' ? digits_at(status, at) : at < status.len && status.ptr[at] == pattern.ptr[i];
        if (n == 0)
            return false;
        at += n;
    }
    return at == status.len;
}

static bool one_status_fits(const char *patterns, struct view status) {
    struct view rest = view_of(patterns), pattern;
    while (view_split(&rest, '|', &pattern))
        if (view_eq_str(pattern, "-") ? status.len == 0 : status_fits(pattern, status))
            return true;
    return false;
}

static bool one_phrase_fits(const char *phrases, struct view text) {
    struct view rest = view_of(phrases), phrase;
    while (view_split(&rest, '|', &phrase))
        if (view_search(text, phrase) < text.len)
            return true;
    return false;
}

/* The text in lower case without the words that are addresses: whoever is called spam@ or blocked@ is no verdict. */
static size_t searchable(const char *text, char *to) {
    size_t len = 0;
    for (struct view rest = view_of(text), word; view_split(&rest, ' ', &word);) {
        if (view_find(word, '@') < word.len)
            continue;
        for (size_t i = 0; i < word.len; i++)
            to[len++] = word.ptr[i] >= 'A' && word.ptr[i] <= 'Z' ? (char)(word.ptr[i] - 'A' + 'a') : word.ptr[i];
        if (rest.ptr)
            to[len++] = ' ';
    }
    return len;
}

static const struct rule *find_rule(const struct reply *r, enum reply_stage stage) {
    char text[sizeof r->text];
    struct view lower = view_make(text, searchable(r->text, text));
    for (const struct rule *rule = rules; rule < rules + COUNT_OF(rules); rule++)
        if (rule->stages & ON(stage) && code_fits(rule->code, r->code) &&
            (!rule->status || one_status_fits(rule->status, view_of(r->status))) &&
            (!rule->phrases || one_phrase_fits(rule->phrases, lower)))
            return rule;
    return NULL;
}

bool reply_ends_session(const struct reply *r) {
    char text[sizeof r->text];
    return r->code / 100 == 4 && one_phrase_fits(SESSION_ENDS, view_make(text, searchable(r->text, text)));
}

void reply_outcome(const struct reply *r, enum reply_stage stage, struct outcome *ret) {
    unsigned first = r->code / 100;
    outcome_set(ret, OUTCOME_DELIVERED, OUTCOME_OF_RECIPIENT, r->text);
    ret->code = r->code;
    memcpy(ret->status, r->status, sizeof ret->status);
    if (first == 2 || (first == 3 && stage != REPLY_END))
        return;
    const struct rule *rule = first == 3 ? NULL : find_rule(r, stage);
    /* A 3xx after the whole message, or no code at all: nobody can say what became of it. */
    ret->class = rule ? rule->class : stage == REPLY_END ? OUTCOME_IN_DOUBT : OUTCOME_DEFERRED;
    ret->subject = rule ? rule->subject : OUTCOME_OF_CONNECTION;
}
