/* Delivery reports in words: qmail, Exim, old sendmail, and what providers write for people. What they share: somewhere
 * stands an address, near it the reason, and behind all that the message that came back. */
#include "base/cleanup.h"
#include "mail/bounce_inside.h"
#include "mail/record.h"

#include "base/banned.h"

enum { FOLDED_LINE_MAX_BYTES = 4000, SEPARATOR_LINE_MAX_BYTES = 120, SEGMENT_MAX_BYTES = 4000 };

/* Lines behind which the returned message stands; folded, anywhere in a short line. */
static const char *const separators[] = {
    "below this line is a copy of",
    "enclosed is a copy of the message",
    "this is a copy of the message",
    "this is a copy of your message",
    "--- original message",
    "original message follows",
    "unsent message follows",
    "message headers follow",
    "message header follows",
    "returned message ---",
    "header of the original message",
    "headers of the original message",
    "below is a copy of the original",
    "included is a copy of the message",
    "---original mail info",
    "original mail headers",
    "---undelivered message",
    "--- undelivered message",
    "--- message header",
    "your original message follows",
    "message text follows",
    "the body of your message",
    "copy of the original message",
    "--- the original message",
    "--- returned mail",
    "start of returned message",
    "---- message contents",
    "original message headers:",
    "*** message truncated",
    "--- body of message",
    "--- ursprungliche nachricht",
    "--- message d'origine",
    "--- messaggio originale",
    "--- oryginalna wiadomosc",
    "--- исходное сообщение",
    "---- original",
    "copy of your message, including",
    "message you sent:",
    "--- header of message",
    "--- headers only",
    "returned headers",
    "the original message:",
    "original message:",
};

/* Fields with which a returned message begins, where nothing stands before it. */
static const char *const first_fields[] = {
    "received:", "return-path:", "dkim-signature:", "x-original-to:", "x-apparently-to:", "x-originating-ip:"};

/* Lines whose addresses are not those of the failed recipient. Folded. */
static const char *const others[] = {
    "from:",         "mail from",        "sender",      "return-path",    "message-id", "contact",       "assistance",
    "generated",     "expanded from",    "mta:",        "http",           "reply-to",   "originator",    "please",
    "administrator", "your message was", "postmaster@", "mailer-daemon@", "subject:",   "envelope-from", "queue",
    "support@",      "abuse@",           "helo=",       "authenticated",
};

/* What may stand before the address of a line that begins to speak of a recipient. Folded. */
static const char *const introductions[] = {
    "recipient:",
    "recipient address:",
    "recipient(s):",
    "final-recipient: rfc822;",
    "original-recipient: rfc822;",
    "failed recipient:",
    "rcpt to:",
    "address:",
    "e-mail address:",
    "email address:",
    "addressee:",
    "destination:",
    "user:",
    "empfanger:",
    "adressat:",
    "destinataire :",
    "destinataire:",
    "destinatario:",
    "adresat:",
    "получатель:",
    "宛先:",
    "送信先:",
    "delivery to:",
};

/* Forms of systems that call unknown whom they filter. Folded, anywhere in the text. */
static const char *const doubtful[] = {
    "unable to deliver message to the following address(es)",
    "---the following addresses had delivery errors---",
    "a message that you have sent could not be delivered to one or more",
    "invalid address, error_code :",
    "delivery failed for the following reason:",
    "failed to send to identified host",
};

static bool has_one(struct view folded, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_search(folded, view_of(words[i])) < folded.len)
            return true;
    return false;
}

/* ---- addresses ---- */

static bool is_atom(char c) {
    return (unsigned char)c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~.", c));
}

static bool is_host(char c) {
    return (unsigned char)c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           c == '-' || c == '.';
}

bool bounce_next_address(struct view line, size_t *at, struct view *ret) {
    for (size_t i = *at; i < line.len; i++) {
        if (line.ptr[i] != '@')
            continue;
        size_t from = i, to = i + 1;
        if (from > *at && line.ptr[from - 1] == '"') { /* a quoted local part */
            size_t open = from - 1;
            while (open > *at && line.ptr[open - 1] != '"')
                open--;
            from = open > *at ? open - 1 : from;
        }
        while (from > *at && is_atom(line.ptr[from - 1]))
            from--;
        while (to < line.len && is_host(line.ptr[to]))
            to++;
        while (to > i + 1 && (line.ptr[to - 1] == '.' || line.ptr[to - 1] == '-'))
            to--;
        if (from == i || to == i + 1 || to - from > BOUNCE_RECIPIENT_MAX_BYTES)
            continue;
        *ret = view_slice(line, from, to - from);
        *at = to;
        return true;
    }
    return false;
}

/* Behind blanks, marks and a reply's code: "554 <", "  * ". */
static struct view without_marks(struct view line) {
    size_t i = 0;
    while (i < line.len && strchr(" \t<>*-\"('", line.ptr[i]))
        i++;
    struct view rest = view_slice(line, i, line.len);
    bool code = rest.len > 4 && strchr("45", rest.ptr[0]) && rest.ptr[1] >= '0' && rest.ptr[1] <= '9' &&
                rest.ptr[2] >= '0' && rest.ptr[2] <= '9' && strchr(" -", rest.ptr[3]);
    if (!code)
        return rest;
    i = 4;
    while (i < rest.len && strchr("0123456789. <", rest.ptr[i]))
        i++;
    return view_slice(rest, i, rest.len);
}

static bool fold_line(struct view line, struct buf *to) {
    buf_clear(to);
    bounce_fold(view_slice(line, 0, FOLDED_LINE_MAX_BYTES), to);
    return buf_error(to) == 0;
}

/* The recipient of whom a line begins to speak. */
static bool begins_with(struct view line, struct buf *folded, struct view *ret) {
    struct view rest = without_marks(line);
    size_t at = 0;
    if (bounce_next_address(rest, &at, ret) && ret->ptr == rest.ptr)
        return true;
    if (!fold_line(line, folded))
        return false;
    struct view text = view_trim(buf_view(folded));
    for (size_t i = 0; i < COUNT_OF(introductions); i++) {
        at = 0;
        if (view_starts(text, introductions[i]) && bounce_next_address(line, &at, ret))
            return true;
    }
    return false;
}

static bool same(struct view a, struct view b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if ((a.ptr[i] | 0x20) != (b.ptr[i] | 0x20))
            return false;
    return true;
}

/* ---- parts of a text ---- */

struct view bounce_own_text(struct view text, struct view *ret_returned) {
    struct view rest = text, line;
    AUTOBUF struct buf folded = BUF_INIT(4 * FOLDED_LINE_MAX_BYTES);
    *ret_returned = view_slice(text, text.len, 0);
    while (view_line(&rest, &line)) {
        if (line.len > SEPARATOR_LINE_MAX_BYTES && !strchr("RrDdXx", line.ptr[0]))
            continue;
        if (!fold_line(line, &folded))
            break;
        struct view words = view_trim(buf_view(&folded));
        bool field = false;
        for (size_t i = 0; i < COUNT_OF(first_fields); i++)
            field |= line.len && line.ptr[0] != ' ' && view_starts(words, first_fields[i]);
        if (!field && (line.len > SEPARATOR_LINE_MAX_BYTES || !has_one(words, separators, COUNT_OF(separators))))
            continue;
        size_t at = (size_t)(line.ptr - text.ptr);
        *ret_returned = view_slice(text, field ? at : at + line.len, text.len);
        return view_slice(text, 0, at);
    }
    return text;
}

/* "554 <a@b>... no": what led to it stands before, as old sendmail writes. */
static bool is_verdict(struct view line) {
    return line.len > 4 && strchr("45", line.ptr[0]) && strchr("0123456789", line.ptr[1]) &&
           strchr("0123456789", line.ptr[2]) && line.ptr[3] == ' ';
}

static bool is_dialogue(struct view line) {
    return view_starts(view_trim(line), "<<<") || view_starts(view_trim(line), ">>>");
}

static bool names(struct view line, struct view recipient) {
    struct view address;
    size_t at = 0;
    while (bounce_next_address(line, &at, &address))
        if (same(address, recipient))
            return true;
    return false;
}

struct view bounce_segment(struct view text, struct view recipient) {
    struct view rest = text, line, address;
    AUTOBUF struct buf folded = BUF_INIT(4 * FOLDED_LINE_MAX_BYTES);
    size_t from = text.len, to = text.len, behind_verdict = 0;
    if (recipient.len == 0)
        return view_slice(text, text.len, 0);
    while (view_line(&rest, &line)) {
        size_t at = (size_t)(line.ptr - text.ptr);
        bool begins = !is_dialogue(line) && begins_with(line, &folded, &address);
        if (from == text.len && names(line, recipient) && !is_dialogue(line)) {
            from = at;
            if (begins && is_verdict(line)) {
                from = behind_verdict;
                to = at + line.len;
                break;
            }
        } else if (from < text.len && begins && !same(address, recipient)) {
            to = at;
            break;
        }
        if (begins && is_verdict(line))
            behind_verdict = at + line.len;
    }
    struct view segment = view_slice(text, from, to - from);
    return view_slice(segment, 0, SEGMENT_MAX_BYTES);
}

/* What stands behind the address in the line that begins to speak of it. */
static struct view rest_of_line(struct view segment, struct view recipient) {
    struct view line, address;
    while (view_line(&segment, &line)) {
        size_t at = 0;
        if (is_dialogue(line) || !names(line, recipient) || !bounce_next_address(line, &at, &address))
            continue;
        struct view rest = view_trim(view_slice(line, at, line.len));
        while (rest.len && strchr(">:.)\"", rest.ptr[0]))
            rest = view_trim(view_slice(rest, 1, rest.len));
        return rest;
    }
    return VIEW("");
}

/* ---- reports ---- */

enum { RECIPIENTS_MAX = BOUNCE_REPORTS_MAX };

struct recipients {
    struct view items[RECIPIENTS_MAX];
    size_t count;
};

static bool is_of_others(struct view folded) {
    return has_one(folded, others, COUNT_OF(others)) || view_starts(view_trim(folded), "to:");
}

static void add_recipient(struct recipients *r, struct view address) {
    for (size_t i = 0; i < r->count; i++)
        if (same(r->items[i], address))
            return;
    if (r->count < RECIPIENTS_MAX)
        r->items[r->count++] = address;
}

static void find_recipients(struct view text, struct recipients *r) {
    struct view rest = text, line, address;
    AUTOBUF struct buf folded = BUF_INIT(4 * FOLDED_LINE_MAX_BYTES);
    while (view_line(&rest, &line))
        if (view_find(line, '@') < line.len && !is_dialogue(line) && fold_line(line, &folded) &&
            !is_of_others(buf_view(&folded)) && begins_with(line, &folded, &address))
            add_recipient(r, address);
    rest = text;
    while (r->count == 0 && view_line(&rest, &line)) {
        size_t at = 0;
        if (bounce_next_address(line, &at, &address) && fold_line(line, &folded) && !is_of_others(buf_view(&folded)))
            add_recipient(r, address);
    }
}

static void known_recipients(const struct record *record, struct recipients *r) {
    struct view field = record_field(record, "x-failed-recipients"), address;
    size_t at = 0;
    while (field.len && bounce_next_address(field, &at, &address))
        add_recipient(r, address);
}

bool bounce_is_doubtful(struct view text) {
    AUTOBUF struct buf folded = BUF_INIT(4 * FOLDED_LINE_MAX_BYTES);
    bounce_fold(view_slice(text, 0, FOLDED_LINE_MAX_BYTES), &folded);
    return has_one(buf_view(&folded), doubtful, COUNT_OF(doubtful));
}

static bool is_delay(struct view folded) {
    static const char *const words[] = {"has been delayed",       "this is a warning message only",
                                        "will be retried",        "delivery attempts will continue",
                                        "not yet been delivered", "could not be delivered yet",
                                        "will continue to try",   "noch nicht zugestellt"};
    return has_one(folded, words, COUNT_OF(words));
}

void bounce_read_text(const struct record *record, struct view text, bool sure, struct bounce *ret) {
    struct view returned, own = bounce_own_text(text, &returned);
    struct recipients recipients = {.count = 0};
    AUTOBUF struct buf folded = BUF_INIT(4 * RECORD_TEXT_MAX_BYTES);
    if (view_trim(own).len == 0)
        own = text;
    bounce_fold(view_slice(own, 0, FOLDED_LINE_MAX_BYTES), &folded);
    bool is_doubtful = bounce_is_doubtful(own);
    known_recipients(record, &recipients);
    if (recipients.count == 0)
        find_recipients(own, &recipients);
    if (recipients.count == 0)
        add_recipient(&recipients, view_slice(own, 0, 0));
    for (size_t i = 0; i < recipients.count; i++) {
        struct bounce_report *report = bounce_add(ret);
        if (!report)
            return;
        struct view segment = bounce_segment(own, recipients.items[i]);
        const struct bounce_said said = {.segment = segment,
                                         .whole = recipients.count == 1 ? own : VIEW(""),
                                         .status = VIEW(""),
                                         .diagnostic = rest_of_line(segment, recipients.items[i]),
                                         .recipient = recipients.items[i],
                                         .doubtful = is_doubtful};
        report->delayed = is_delay(buf_view(&folded));
        bounce_judge(&said, report);
        if (!sure && (report->reason == BOUNCE_REASON_UNDEFINED || recipients.items[i].len == 0))
            bounce_set_reason(report, BOUNCE_REASON_NO_REPORT);
    }
}
