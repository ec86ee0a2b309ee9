/* Why a mail came back, from codes, commands, phrases and destinations (MAIL-RULES of the project; RFC 3463, RFC 5248,
 * RFC 7372, RFC 7505 and what large receivers document). */
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "mail/bounce_inside.h"

#include "base/banned.h"

#define R(name) BOUNCE_REASON_##name

enum { SAID_MAX_BYTES = 6000, COMMANDS_MAX_BYTES = 20000 };

static const struct {
    const char *word;
    enum bounce_class class;
    enum bounce_action action;
} reasons[] = {
#define X(name, word, class, action) [R(name)] = {word, BOUNCE_##class, BOUNCE_##action},
    BOUNCE_REASONS(X)
#undef X
};

const char *bounce_reason_name(enum bounce_reason r) {
    return reasons[r].word;
}

const char *bounce_class_name(enum bounce_class c) {
    switch (c) {
    case BOUNCE_HARD: return "hard";
    case BOUNCE_SOFT: return "soft";
    case BOUNCE_COMPLAINT: return "complaint";
    case BOUNCE_AUTO_REPLY: return "auto-reply";
    case BOUNCE_IGNORE: return "ignore";
    }
    return "";
}

const char *bounce_action_name(enum bounce_action a) {
    switch (a) {
    case BOUNCE_NOTHING: return "none";
    case BOUNCE_SUPPRESS: return "suppress";
    case BOUNCE_SUPPRESS_AGAIN: return "suppress-if-again";
    case BOUNCE_SCORE: return "score";
    case BOUNCE_SLOW: return "slow-destination";
    case BOUNCE_PAUSE: return "pause-destination";
    case BOUNCE_STOP: return "alert-sender";
    case BOUNCE_HOLD: return "hold-announcement";
    case BOUNCE_OPT_OUT: return "opt-out";
    }
    return "";
}

bool bounce_find_action(struct view name, enum bounce_action *ret) {
    for (enum bounce_action a = BOUNCE_NOTHING; a <= BOUNCE_OPT_OUT; a++)
        if (view_eq_str(name, bounce_action_name(a))) {
            *ret = a;
            return true;
        }
    return false;
}

void bounce_set_reason(struct bounce_report *report, enum bounce_reason reason) {
    report->reason = reason;
    report->class = reasons[reason].class;
    report->action = report->delayed ? BOUNCE_NOTHING : reasons[reason].action;
}

/* ---- enhanced status codes ---- */

/* Where no phrase said more. The first row that fits; '*' is any number. */
static const struct {
    const char *status;
    enum bounce_reason reason;
} statuses[] = {
    {"*.1.0", R(USER_UNKNOWN)},    {"*.1.1", R(USER_UNKNOWN)},    {"*.1.2", R(HOST_UNKNOWN)},
    {"*.1.3", R(USER_UNKNOWN)},    {"*.1.6", R(HAS_MOVED)},       {"*.1.7", R(REJECTED)},
    {"*.1.8", R(REJECTED)},        {"*.1.9", R(EXPIRED)},         {"*.1.10", R(NOT_ACCEPT)},
    {"*.1.90", R(TOO_FAST)},       {"*.1.351", R(FILTERED)},      {"*.2.1", R(SUSPENDED)},
    {"*.2.2", R(MAILBOX_FULL)},    {"*.2.3", R(OVER_LIMIT)},      {"*.3.1", R(SYSTEM)},
    {"*.3.2", R(SYSTEM)},          {"*.3.3", R(SYSTEM)},          {"*.3.4", R(TOO_BIG)},
    {"*.3.5", R(SYSTEM)},          {"*.3.*", R(SYSTEM)},          {"*.4.1", R(EXPIRED)},
    {"*.4.2", R(NETWORK)},         {"*.4.310", R(HOST_UNKNOWN)},  {"*.4.4", R(HOST_UNKNOWN)},
    {"*.4.7", R(EXPIRED)},         {"*.4.*", R(NETWORK)},         {"*.5.3", R(TOO_FAST)},
    {"*.5.*", R(SYNTAX)},          {"*.6.*", R(CONTENT)},         {"*.7.13", R(SUSPENDED)},
    {"*.7.17", R(HAS_MOVED)},      {"*.7.18", R(HOST_UNKNOWN)},   {"*.7.20", R(AUTHENTICATION)},
    {"*.7.21", R(AUTHENTICATION)}, {"*.7.22", R(AUTHENTICATION)}, {"*.7.23", R(AUTHENTICATION)},
    {"*.7.24", R(AUTHENTICATION)}, {"*.7.25", R(POINTER)},        {"*.7.26", R(AUTHENTICATION)},
    {"*.7.27", R(AUTHENTICATION)}, {"*.7.28", R(TOO_FAST)},       {"*.7.509", R(AUTHENTICATION)},
    {"*.7.6*", R(BLOCKED)},        {"*.7.7*", R(BLOCKED)},        {"*.7.*", R(SECURITY)},
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Length of the status code that begins v, or 0. */
static size_t status_len(struct view v) {
    size_t at = 0;
    for (unsigned part = 0; part < 3; part++) {
        size_t digits = 0;
        while (at + digits < v.len && is_digit(v.ptr[at + digits]))
            digits++;
        if (digits < 1 || digits > 3 || (part == 0 && (digits != 1 || !strchr("245", v.ptr[at]))))
            return 0;
        at += digits;
        if (part < 2 && (at >= v.len || v.ptr[at++] != '.'))
            return 0;
    }
    bool ends =
        at == v.len || !(is_digit(v.ptr[at]) || (v.ptr[at] == '.' && at + 1 < v.len && is_digit(v.ptr[at + 1])));
    return ends ? at : 0;
}

static bool is_vague(struct view status) {
    return status.len == 0 || view_ends(status, ".0.0") || view_ends(status, ".5.0") || view_ends(status, ".3.0") ||
           view_ends(status, ".2.0") || view_ends(status, ".4.7");
}

/* The first status code in a text that stands as servers write it: at a beginning or behind one of " -(#:'<". Those
 * that say something before those that do not. */
static struct view status_in(struct view text) {
    struct view vague = {0};
    for (size_t i = 0; i < text.len; i++) {
        if (i && !strchr(" -(#:'<;\n\t=", text.ptr[i - 1]))
            continue;
        struct view status = view_slice(text, i, status_len(view_slice(text, i, text.len)));
        if (status.len && !is_vague(status) && status.ptr[0] != '2')
            return status;
        if (status.len && !vague.len)
            vague = status;
    }
    return vague;
}

static bool fits(const char *pattern, struct view status) {
    size_t at = 0;
    for (const char *p = pattern; *p; p++) {
        if (*p == '*') {
            size_t from = at;
            while (at < status.len && is_digit(status.ptr[at]))
                at++;
            if (at == from)
                return false;
        } else if (at == status.len || status.ptr[at++] != *p) {
            return false;
        }
    }
    return at == status.len;
}

/* Replies' codes, where nothing else was said (RFC 5321 §4.2.3, RFC 7504; 542 is Symantec's). */
static const struct {
    const char *code;
    enum bounce_reason reason;
} codes[] = {
    {"521", R(NOT_ACCEPT)},   {"525", R(SUSPENDED)},  {"542", R(USER_UNKNOWN)}, {"551", R(HAS_MOVED)},
    {"552", R(MAILBOX_FULL)}, {"556", R(NOT_ACCEPT)}, {"421", R(EXPIRED)},      {"535", R(SECURITY)},
};

static int reason_of_code(struct view text) {
    struct view v = view_trim(text);
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        if (view_starts(v, codes[i].code) && v.len > 3 && strchr(" -", v.ptr[3]))
            return (int)codes[i].reason;
    return -1;
}

static int reason_of_status(struct view status) {
    for (size_t i = 0; i < COUNT_OF(statuses); i++)
        if (fits(statuses[i].status, status))
            return (int)statuses[i].reason;
    return -1;
}

/* ---- commands ---- */

/* What was being said when the refusal came, as many systems write it. Folded. */
static const struct {
    const char *phrase;
    enum bounce_command command;
} commands[] = {
    {"in reply to end of data", BOUNCE_AT_DATA},
    {"in reply to data command", BOUNCE_AT_DATA},
    {"in reply to rcpt to", BOUNCE_AT_RCPT},
    {"in reply to mail from", BOUNCE_AT_MAIL},
    {"in reply to ehlo", BOUNCE_AT_CONNECT},
    {"in reply to helo", BOUNCE_AT_CONNECT},
    {"refused to talk to me", BOUNCE_AT_CONNECT},
    {"while performing the ehlo", BOUNCE_AT_CONNECT},
    {"after end of data", BOUNCE_AT_DATA},
    {"after end-of-data", BOUNCE_AT_DATA},
    {"after data", BOUNCE_AT_DATA},
    {"after pipelined data", BOUNCE_AT_DATA},
    {"after rcpt", BOUNCE_AT_RCPT},
    {"after pipelined rcpt", BOUNCE_AT_RCPT},
    {"after mail from", BOUNCE_AT_MAIL},
    {"after pipelined mail", BOUNCE_AT_MAIL},
    {"after initial connection", BOUNCE_AT_CONNECT},
    {"after ehlo", BOUNCE_AT_CONNECT},
    {"after helo", BOUNCE_AT_CONNECT},
    {"did not like our final data", BOUNCE_AT_DATA},
    {"did not like our data", BOUNCE_AT_DATA},
    {"did not like our rcpt", BOUNCE_AT_RCPT},
    {"did not like our mail from", BOUNCE_AT_MAIL},
    {"did not like our ehlo", BOUNCE_AT_CONNECT},
    {"failed after i sent the message", BOUNCE_AT_DATA},
    {"does not like recipient", BOUNCE_AT_RCPT},
    {"but sender was rejected", BOUNCE_AT_MAIL},
    {"but greeting failed", BOUNCE_AT_CONNECT},
    {"but my name was rejected", BOUNCE_AT_CONNECT},
    {"failed on data command", BOUNCE_AT_DATA},
    {"[rcpt_to]", BOUNCE_AT_RCPT},
    {"[mail_from]", BOUNCE_AT_MAIL},
    {"[data]", BOUNCE_AT_DATA},
    {"[connect]", BOUNCE_AT_CONNECT},
    {"smtp command data", BOUNCE_AT_DATA},
    {"smtp command rcpt", BOUNCE_AT_RCPT},
    {"smtp command mail", BOUNCE_AT_MAIL},
    {"response to data", BOUNCE_AT_DATA},
    {"response to rcpt", BOUNCE_AT_RCPT},
    {"response to mail from", BOUNCE_AT_MAIL},
    {"(state 9)", BOUNCE_AT_CONNECT}, /* Google's states */
    {"(state 12)", BOUNCE_AT_MAIL},
    {"(state 13)", BOUNCE_AT_RCPT},
    {"(state 14)", BOUNCE_AT_RCPT},
    {"(state 15)", BOUNCE_AT_DATA},
    {"(state 17)", BOUNCE_AT_DATA},
    {"(state 18)", BOUNCE_AT_DATA},
};

static enum bounce_command command_word(struct view line) {
    if (view_starts(line, "data") || view_starts(line, "bdat") || view_starts(line, ".") || view_starts(line, "eom"))
        return BOUNCE_AT_DATA;
    return view_starts(line, "rcpt")                                ? BOUNCE_AT_RCPT
           : view_starts(line, "mail")                              ? BOUNCE_AT_MAIL
           : view_starts(line, "helo") || view_starts(line, "ehlo") ? BOUNCE_AT_CONNECT
                                                                    : BOUNCE_SAID_NOT;
}

/* A transcript, ">>> DATA <<< 550 no": the command before the first refusal. Folded. */
static enum bounce_command in_transcript(struct view text) {
    size_t answer = view_search(text, VIEW("<<< 5"));
    if (answer == text.len)
        answer = view_search(text, VIEW("<<< 4"));
    struct view before = view_slice(text, 0, answer);
    enum bounce_command command = BOUNCE_SAID_NOT;
    for (size_t at; answer < text.len && (at = view_search(before, VIEW(">>> "))) < before.len;) {
        before = view_slice(before, at + 4, before.len);
        command = command_word(before);
    }
    return command;
}

static enum bounce_command command_in(struct view folded) {
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (view_search(folded, view_of(commands[i].phrase)) < folded.len)
            return commands[i].command;
    return in_transcript(folded);
}

/* ---- judging ---- */

/* A reply's code in front of each line of it: "550-5.7.1 ", "550 5.7.1 ". */
static size_t reply_mark_len(struct view v) {
    if (v.len < 4 || !strchr("45", v.ptr[0]) || !is_digit(v.ptr[1]) || !is_digit(v.ptr[2]) || v.ptr[3] != '-')
        return 0;
    return 4 + status_len(view_slice(v, 4, v.len));
}

/* What folding makes of U+00E0 to U+017F, letter by letter without its mark: many systems write none. */
static const char plain_letters[] = "aaaaaaaceeeeiiiidnooooo/ouuuuyty"                                  /* U+00E0 */
                                    "aaaaaaccccccccddddeeeeeeeeeegggggggghhhhiiiiiiiiiiiijjkkklllllll"  /* U+0100 */
                                    "lllnnnnnnnnnoooooooorrrrrrssssssssttttttuuuuuuuuuuuuwwyyyzzzzzzs"; /* U+0140 */

/* The letter that the two bytes at v stand for, or '\0'. */
static char plain_letter(struct view v) {
    unsigned char first = v.len > 1 ? (unsigned char)v.ptr[0] : 0, second = v.len > 1 ? (unsigned char)v.ptr[1] : 0;
    if (first < 0xC3 || first > 0xC5 || (second & 0xC0) != 0x80)
        return '\0';
    size_t c = (size_t)(first & 0x1F) << 6 | (second & 0x3F);
    return c < 0xE0 ? '\0' : plain_letters[c - 0xE0];
}

void bounce_fold(struct view text, struct buf *to) {
    AUTOBUF struct buf folded = BUF_INIT(4 * SAID_MAX_BYTES + COMMANDS_MAX_BYTES * 4);
    if (text_fold(text, &folded) < 0) { /* not UTF-8, which a record is */
        buf_clear(&folded);
        buf_add_view(&folded, text);
    }
    struct view v = buf_view(&folded);
    buf_putc(to, ' ');
    for (size_t i = 0; i < v.len; i++) {
        char c = v.ptr[i];
        bool blank = c == ' ' || c == '\t' || c == '\n';
        bool after_blank = to->len && to->data[to->len - 1] == ' ';
        size_t mark = after_blank ? reply_mark_len(view_slice(v, i, v.len)) : 0;
        char letter = plain_letter(view_slice(v, i, v.len));
        if (mark) {
            i += mark - 1;
        } else if (letter) {
            buf_putc(to, letter);
            i++;
        } else if (!blank)
            buf_putc(to, c);
        else if (!after_blank)
            buf_putc(to, ' ');
    }
}

/* Who calls what is filtered unknown: of a destination, its word at that command counts no more than this. */
static const struct {
    const char *domain;
    enum bounce_reason instead;
} destinations[] = {
    {"docomo.ne.jp", R(FILTERED)},
};

static bool in_domain(struct view address, const char *domain) {
    size_t at = view_find(address, '@');
    struct view host = view_slice(address, at + 1, address.len), of = view_of(domain);
    if (at >= address.len || host.len < of.len)
        return false;
    bool ends = view_eq_nocase(view_slice(host, host.len - of.len, of.len), domain);
    return ends && (host.len == of.len || host.ptr[host.len - of.len - 1] == '.');
}

static int refine(const struct bounce_said *said, int reason, enum bounce_command command, struct view status) {
    if (reason != R(USER_UNKNOWN))
        return reason;
    bool certain = fits("*.1.1", status) || fits("*.1.10", status) || fits("*.1.6", status);
    if (command == BOUNCE_AT_DATA && !certain)
        return R(FILTERED);
    if (said->doubtful && !certain)
        return R(FILTERED);
    for (size_t i = 0; i < COUNT_OF(destinations) && !certain; i++)
        if (in_domain(said->recipient, destinations[i].domain))
            return (int)destinations[i].instead;
    return reason;
}

static void keep(char *to, size_t size, struct view v) {
    size_t len = v.len < size - 1 ? v.len : size - 1;
    memcpy(to, v.ptr ? v.ptr : "", len);
    to[len] = '\0';
    text_cut_clean(to);
}

static void keep_text(struct bounce_report *report, const struct bounce_said *said) {
    struct view from = view_trim(said->diagnostic.len ? said->diagnostic
                                 : said->segment.len  ? said->segment
                                                      : said->whole);
    AUTOBUF struct buf line = BUF_INIT(4 * BOUNCE_TEXT_MAX_BYTES);
    for (size_t i = 0; i < from.len && line.len < 2 * BOUNCE_TEXT_MAX_BYTES; i++) {
        char c = from.ptr[i] == '\n' || from.ptr[i] == '\t' ? ' ' : from.ptr[i];
        if (c != ' ' || (line.len && line.data[line.len - 1] != ' '))
            buf_putc(&line, c);
    }
    keep(report->text, sizeof report->text, view_trim(buf_view(&line)));
}

/* The phrases of one text, in the light of the command that was refused: before RCPT nothing speaks of a recipient. */
static int by_phrase(const struct bounce_said *said, struct view text, enum bounce_command command, struct view status,
                     int (*phrase)(struct view folded, bool of_recipient)) {
    AUTOBUF struct buf folded = BUF_INIT(4 * SAID_MAX_BYTES);
    bounce_fold(view_slice(text, 0, SAID_MAX_BYTES), &folded);
    bool early = command == BOUNCE_AT_CONNECT || command == BOUNCE_AT_MAIL;
    return refine(said, phrase(buf_view(&folded), !early), command, status);
}

/* What the status code says, if the reply that was given does not speak of something else. */
static int by_status(const struct bounce_said *said, struct view status) {
    AUTOBUF struct buf folded = BUF_INIT(4 * SAID_MAX_BYTES), reply = BUF_INIT(SAID_MAX_BYTES);
    int reason = reason_of_status(status);
    struct view rest = view_slice(said->diagnostic, 0, SAID_MAX_BYTES), address;
    if (reason != R(USER_UNKNOWN) && reason != R(HOST_UNKNOWN))
        return reason;
    for (size_t at = 0, from = 0; from < rest.len; from = at) { /* addresses say nothing */
        bool more = bounce_next_address(rest, &at, &address);
        size_t to = more ? (size_t)(address.ptr - rest.ptr) : rest.len;
        buf_add_view(&reply, view_slice(rest, from, to));
        if (!more)
            break;
    }
    bounce_fold(buf_view(&reply), &folded);
    return bounce_fits_status(buf_view(&folded), (enum bounce_reason)reason) ? reason : -1;
}

static enum bounce_command command_of(const struct bounce_said *said) {
    const struct view texts[] = {said->diagnostic, said->segment, said->whole, said->transcript};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTOBUF struct buf folded = BUF_INIT(4 * COMMANDS_MAX_BYTES);
        bounce_fold(view_slice(texts[i], 0, COMMANDS_MAX_BYTES), &folded);
        enum bounce_command command = command_in(buf_view(&folded));
        if (command != BOUNCE_SAID_NOT)
            return command;
    }
    return BOUNCE_SAID_NOT;
}

static struct view best_status(const struct bounce_said *said) {
    const struct view candidates[] = {status_in(said->diagnostic), status_in(said->segment), status_in(said->status)};
    for (size_t i = 0; i < COUNT_OF(candidates); i++)
        if (!is_vague(candidates[i]))
            return candidates[i];
    for (size_t i = COUNT_OF(candidates); i-- > 0;)
        if (candidates[i].len)
            return candidates[i];
    return status_in(said->whole);
}

/* By the reply that was given, or else by the status. */
static bool is_temporary(struct view diagnostic, struct view status) {
    struct view v = view_trim(diagnostic);
    bool replied = v.len > 3 && is_digit(v.ptr[1]) && is_digit(v.ptr[2]) && strchr(" -", v.ptr[3]);
    return (status.len && status.ptr[0] == '4') || (replied && v.ptr[0] == '4');
}

static int for_now(int reason, struct view status) {
    return reason == R(USER_UNKNOWN) || reason == R(HAS_MOVED)                           ? R(ON_HOLD)
           : (reason == R(HOST_UNKNOWN) || reason == R(NOT_ACCEPT)) && !is_vague(status) ? R(NETWORK)
                                                                                         : reason;
}

void bounce_judge(const struct bounce_said *said, struct bounce_report *report) {
    struct view status = best_status(said);
    enum bounce_command command = command_of(said);
    bool early = command == BOUNCE_AT_CONNECT || command == BOUNCE_AT_MAIL;
    keep(report->status, sizeof report->status, status);
    keep(report->recipient, sizeof report->recipient, said->recipient);
    keep_text(report, said);

    const struct view texts[] = {said->diagnostic, said->segment, said->whole};
    int reason = -1;
    for (size_t i = 0; reason < 0 && i < COUNT_OF(texts); i++) {
        if (i == 2 && !is_vague(status))
            reason = by_status(said, status);
        if (reason < 0)
            reason = by_phrase(said, texts[i], command, status, bounce_phrase);
        if (reason < 0)
            reason = by_phrase(said, texts[i], command, status, bounce_combination);
    }
    for (size_t i = 0; reason < 0 && i < COUNT_OF(texts); i++)
        reason = by_phrase(said, texts[i], command, status, bounce_weak_phrase);
    if (reason < 0)
        reason = by_phrase(said, said->category, command, status, bounce_phrase);
    if (reason < 0)
        reason = reason_of_code(said->diagnostic);
    if (reason < 0 && status.len)
        reason = by_status(said, status);
    if (early && (reason == R(USER_UNKNOWN) || reason == R(HOST_UNKNOWN)))
        reason = R(REJECTED);
    /* What is temporary is never the end of an address, whatever is said. */
    if (report->delayed || is_temporary(said->diagnostic, status))
        reason = for_now(reason, status);
    bounce_set_reason(report, reason < 0 ? R(UNDEFINED) : (enum bounce_reason)reason);
}
