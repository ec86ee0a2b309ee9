#include "mail/bounce.h"

#include "base/cleanup.h"
#include "mail/bounce_inside.h"
#include "mail/record.h"
#include "mail/unhtml.h"

#include "base/banned.h"

#define R(name) BOUNCE_REASON_##name

enum { FOLDED_MAX_BYTES = 4 * RECORD_VALUE_MAX_BYTES, TOKEN_LEN_MIN = 80, TOKEN_LEN_MAX = 200 };

struct bounce_report *bounce_add(struct bounce *b) {
    if (b->count == BOUNCE_REPORTS_MAX)
        return NULL;
    struct bounce_report *report = &b->reports[b->count++];
    *report = (struct bounce_report){.reason = R(UNDEFINED)};
    return report;
}

static void add_plain(struct bounce *b, enum bounce_reason reason) {
    struct bounce_report *report = bounce_add(b);
    if (report)
        bounce_set_reason(report, reason);
}

/* ---- what kind of mail it is ---- */

/* Folded; anywhere in From, in the subject, at the subject's beginning. */
static const char *const mailers[] = {
    "mailer-daemon", "mailerdaemon",         "mailer daemon",       "postmaster",         "post_master",
    "mail delivery", "maildelivery",         "mail deliver system", "double-bounce",      "mail administrator",
    "mdaemon@",      "system administrator", "mail system",         "delivery subsystem", "bounce@",
    "mail-daemon",   "noreply-bounce",       "content-filter",      "complaints@",        "mail-failure",
};
static const char *const failures[] = {
    "undeliver",
    "returned mail",
    "returned to sender",
    "delivery status notification",
    "delivery failure",
    "delivery failed",
    "delivery has failed",
    "failure notice",
    "failure delivery",
    "delivery notification",
    "mail failure",
    "mail delivery",
    "could not be delivered",
    "couldn't be delivered",
    "not delivered",
    "delivery status",
    "delivery report",
    "mail system error",
    "delivery problem",
    "could not send",
    "message rejected",
    "rejected message",
    "bounced mail",
    "message could not",
    "wasn't delivered",
    "delivery error",
    "non recapitabil",
    "mancata consegna",
    "unzustellbar",
    "nicht zugestellt",
    "nicht zustellbar",
    "konnte nicht zugestellt",
    "non remis",
    "non délivré",
    "échec de la remise",
    "échec de remise",
    "niedostarcz",
    "nie dostarczon",
    "nie można dostarczyć",
    "не доставлен",
    "недоставл",
    "не може бути доставлен",
    "no entregad",
    "no se pudo entregar",
    "não entregue",
    "onbestelbaar",
    "niet bezorgd",
    "配信できませんでした",
    "配信不能",
    "送信できませんでした",
    "エラーメール",
    "退信",
};
static const char *const absences[] = {
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "auto:",
    "automated reply",
    "automated response",
    "out of office",
    "out of the office",
    "on vacation",
    "vacation",
    "away from",
    "abwesenheit",
    "automatische antwort",
    "bin nicht im haus",
    "nicht im büro",
    "urlaub",
    "réponse automatique",
    "absence du bureau",
    "absent du bureau",
    "risposta automatica",
    "fuori sede",
    "fuori ufficio",
    "odpowiedź automatyczna",
    "automatyczna odpowiedź",
    "poza biurem",
    "автоответ",
    "автоматический ответ",
    "автоматична відповідь",
    "respuesta automática",
    "resposta automática",
    "automatisch antwoord",
    "不在",
    "自動返信",
    "自動応答",
};
static const char *const challenges[] = {
    "confirm your message",
    "please confirm your e",
    "confirm delivery of your message",
    "your message needs",
    "requires verification",
    "verify your message",
    "sender verification",
    "spam arrest",
    "spamarrest",
    "boxbe",
    "[challenge]",
    "challenge-response",
    "sender authentication required",
    "bitte bestätigen sie ihre nachricht",
    "anti-spam-abfrage",

    "mail approval",
    "awaiting approval",
    "needs your confirmation",
};
/* Complaints without a feedback report: providers' own forms. */
static const char *const complaints[] = {"complaint about message from", "email feedback report for ip", "abuse report",
                                         "spam report", "feedback loop report"};

static bool has(struct view text, const char *const *words, size_t count) {
    AUTOBUF struct buf folded = BUF_INIT(FOLDED_MAX_BYTES);
    bounce_fold(view_slice(text, 0, RECORD_VALUE_MAX_BYTES), &folded);
    for (size_t i = 0; i < count; i++)
        if (view_search(buf_view(&folded), view_of(words[i])) < folded.len)
            return true;
    return false;
}

/* Says so in a header field (RFC 3834 §5), or in what only such programs set. */
static bool is_automatic(const struct record *r) {
    struct view submitted = record_field(r, "auto-submitted"), precedence = record_field(r, "precedence");
    return (submitted.len && !view_eq_nocase(submitted, "no")) || view_eq_nocase(precedence, "auto_reply") ||
           record_field(r, "x-autoreply").ptr || record_field(r, "x-autorespond").ptr ||
           record_field(r, "x-autoreply-from").ptr || record_field(r, "x-autogenerated").ptr;
}

static bool is_sent_by_mailer(const struct record *r) {
    struct view from = record_field(r, "from"), type = record_field(r, "content-type");
    return has(from, mailers, COUNT_OF(mailers)) || has(record_field(r, "subject"), failures, COUNT_OF(failures)) ||
           record_field(r, "x-failed-recipients").len > 0 ||
           has(type, (const char *const[]){"report-type=delivery-status", "report-type=\"delivery-status"}, 2);
}

static bool is_from_nobody(const struct record *r) {
    struct view from = view_trim(record_field(r, "from"));
    /* Reports have a null return path (RFC 5321 §4.5.5). */
    return from.len == 0 || view_eq_str(from, "<>") || view_eq_str(view_trim(record_field(r, "return-path")), "<>");
}

/* ---- the fields of reports ---- */

/* The field's value in a block of fields, unfolded and appended; false where there is none. */
static bool field_of(struct view block, const char *name, struct buf *to) {
    struct view rest = block, line;
    bool found = false;
    while (view_line(&rest, &line)) {
        bool more = line.len && strchr(" \t", line.ptr[0]);
        if (found && more) {
            buf_putc(to, ' ');
            buf_add_view(to, view_trim(line));
            continue;
        }
        if (found)
            return true;
        size_t colon = view_find(line, ':');
        if (!more && colon < line.len && view_eq_nocase(view_trim(view_slice(line, 0, colon)), name)) {
            buf_add_view(to, view_trim(view_slice(line, colon + 1, line.len)));
            found = true;
        }
    }
    return found;
}

/* Behind a type such as "rfc822;", "smtp;". */
static struct view untyped(struct view value) {
    size_t at = view_find(value, ';');
    return view_trim(at < value.len && at < 20 ? view_slice(value, at + 1, value.len) : value);
}

static struct view bare(struct view address) {
    struct view found;
    size_t at = 0;
    return bounce_next_address(address, &at, &found) ? found : address;
}

static bool is_blank(struct view line) {
    return view_trim(line).len == 0;
}

/* Takes a group of fields, which blank lines part, off *rest. */
static bool next_group(struct view *rest, struct view *ret) {
    struct view line;
    while (rest->len) {
        struct view group = *rest;
        size_t len = 0;
        while (view_line(rest, &line) && !is_blank(line))
            len = (size_t)(line.ptr + line.len - group.ptr);
        *ret = view_slice(group, 0, len);
        if (len)
            return true;
    }
    return false;
}

/* ---- RFC 3464, RFC 6533 ---- */

struct group {
    struct buf recipient, original, action, status, diagnostic;
};

static void read_group(struct view block, struct group *g) {
    (void)(field_of(block, "Final-Recipient", &g->recipient)); /* each of these may be missing */
    (void)field_of(block, "Original-Recipient", &g->original);
    (void)field_of(block, "Action", &g->action);
    (void)field_of(block, "Status", &g->status);
    (void)field_of(block, "Diagnostic-Code", &g->diagnostic);
}

static void group_done(struct group *g) {
    buf_done(&g->recipient);
    buf_done(&g->original);
    buf_done(&g->action);
    buf_done(&g->status);
    buf_done(&g->diagnostic);
}

static struct view first_word(struct view v) {
    return view_slice(v, 0, view_find(v, ' '));
}

static void report_group(const struct group *g, struct view own, bool alone, struct bounce *ret) {
    struct view recipient = bare(untyped(buf_view(g->recipient.len ? &g->recipient : &g->original)));
    struct view action = first_word(buf_view(&g->action)), status = buf_view(&g->status);
    struct bounce_report *report = bounce_add(ret);
    if (!report)
        return;
    report->delayed = view_eq_nocase(action, "delayed");
    const struct bounce_said said = {.status = status,
                                     .diagnostic = untyped(buf_view(&g->diagnostic)),
                                     .segment = bounce_segment(own, recipient),
                                     .whole = alone ? own : VIEW(""),
                                     .transcript = own,
                                     .doubtful = bounce_is_doubtful(own),
                                     .recipient = recipient};
    bounce_judge(&said, report);
    bool failed = view_eq_nocase(action, "failed") || report->delayed || action.len == 0;
    if (!failed && (view_starts(status, "2") || action.len))
        bounce_set_reason(report, R(DELIVERED));
}

static bool is_recipient_group(struct view block) {
    AUTOBUF struct buf value = BUF_INIT(RECORD_TEXT_MAX_BYTES);
    return field_of(block, "Final-Recipient", &value) || field_of(block, "Original-Recipient", &value) ||
           field_of(block, "Action", &value) || field_of(block, "Diagnostic-Code", &value);
}

static void read_status_part(struct view text, struct view own, struct bounce *ret) {
    struct view rest = text, block;
    size_t groups = 0;
    while (next_group(&rest, &block))
        groups += is_recipient_group(block);
    rest = text;
    while (next_group(&rest, &block)) {
        if (!is_recipient_group(block))
            continue;
        struct group g = {BUF_INIT(RECORD_TEXT_MAX_BYTES), BUF_INIT(RECORD_TEXT_MAX_BYTES),
                          BUF_INIT(RECORD_TEXT_MAX_BYTES), BUF_INIT(RECORD_TEXT_MAX_BYTES),
                          BUF_INIT(RECORD_TEXT_MAX_BYTES)};
        read_group(block, &g);
        report_group(&g, own, groups == 1, ret);
        group_done(&g);
    }
}

/* ---- RFC 5965 ---- */

static void read_feedback(struct view text, struct bounce *ret) {
    AUTOBUF struct buf type = BUF_INIT(RECORD_TEXT_MAX_BYTES), recipient = BUF_INIT(RECORD_TEXT_MAX_BYTES);
    (void)field_of(text, "Feedback-Type", &type); /* without one it is abuse */
    if (!field_of(text, "Original-Rcpt-To", &recipient))
        (void)field_of(text, "Removal-Recipient", &recipient); /* they need not say */
    struct bounce_report *report = bounce_add(ret);
    if (!report)
        return;
    struct view address = bare(buf_view(&recipient));
    size_t len = address.len < BOUNCE_RECIPIENT_MAX_BYTES ? address.len : BOUNCE_RECIPIENT_MAX_BYTES;
    memcpy(report->recipient, address.ptr ? address.ptr : "", len);
    report->recipient[len] = '\0';
    bool other = view_eq_nocase(buf_view(&type), "auth-failure") || view_eq_nocase(buf_view(&type), "not-spam") ||
                 view_eq_nocase(buf_view(&type), "dmarc");
    bounce_set_reason(report, other ? R(OTHER_FEEDBACK) : R(FEEDBACK));
}

/* ---- the whole ---- */

static bool is_returned(struct view type) {
    static const char *const types[] = {"message/rfc822",     "message/global",         "text/rfc822-headers",
                                        "text/rfc822-header", "message/global-headers", "message/rfc822-headers",
                                        "message/partial"};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (view_eq_str(type, types[i]))
            return true;
    return false;
}

/* The first text of the mail itself that is for people; of HTML what it says. */
static struct view first_text(const struct record *r, struct buf *html) {
    for (size_t i = 0; i < r->part_count; i++)
        if (r->parts[i].level == 0 && view_eq_str(r->parts[i].type, "text/plain") && !is_blank(r->parts[i].text))
            return r->parts[i].text;
    for (size_t i = 0; i < r->part_count; i++)
        if (r->parts[i].level == 0 && view_eq_str(r->parts[i].type, "text/html")) {
            unhtml(r->parts[i].text, html);
            return buf_view(html);
        }
    return VIEW("");
}

static bool has_part(const struct record *r, const char *ending, size_t *ret) {
    for (size_t i = 0; i < r->part_count; i++)
        if (view_starts(r->parts[i].type, "message/") && view_ends(r->parts[i].type, ending)) {
            *ret = i;
            return true;
        }
    return false;
}

static void read_words(const struct record *r, struct view text, struct bounce *ret) {
    struct view subject = record_field(r, "subject");
    bool mailer = is_sent_by_mailer(r);
    if (has(subject, complaints, COUNT_OF(complaints)) && !mailer)
        add_plain(ret, R(FEEDBACK));
    else if (!mailer && has(subject, challenges, COUNT_OF(challenges)))
        add_plain(ret, R(CHALLENGE));
    else if (!mailer && (is_automatic(r) || has(subject, absences, COUNT_OF(absences))))
        add_plain(ret, R(VACATION));
    else if (!mailer && record_field(r, "list-id").len)
        add_plain(ret, R(LOOP));
    else if (mailer || is_from_nobody(r) || has(text, failures, COUNT_OF(failures)))
        bounce_read_text(r, text, mailer, ret);
}

void bounce_read(const struct record *record, struct bounce *ret) {
    AUTOBUF struct buf html = BUF_INIT(RECORD_MAX_BYTES);
    struct view text = first_text(record, &html), returned;
    size_t part;
    ret->count = 0;
    if (has_part(record, "/feedback-report", &part))
        read_feedback(record->parts[part].text, ret);
    else if (has_part(record, "delivery-status", &part))
        read_status_part(record->parts[part].text, bounce_own_text(text, &returned), ret);
    if (ret->count == 0)
        read_words(record, text, ret);
    if (ret->count == 0)
        add_plain(ret, R(NO_REPORT));
}

const struct bounce_report *bounce_mildest(const struct bounce *b) {
    static const int order[] = {
        [BOUNCE_COMPLAINT] = 0, [BOUNCE_SOFT] = 1, [BOUNCE_HARD] = 2, [BOUNCE_AUTO_REPLY] = 3, [BOUNCE_IGNORE] = 4};
    const struct bounce_report *best = &b->reports[0];
    for (size_t i = 1; i < b->count; i++)
        if (order[b->reports[i].class] < order[best->class])
            best = &b->reports[i];
    return best;
}

/* ---- our own token in what came back ---- */

static bool is_token_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* The token of a link /u/TOKEN at or behind *at. */
static struct view token_in(struct view text, size_t *at) {
    for (;;) {
        struct view rest = view_slice(text, *at, text.len);
        size_t place = view_search(rest, VIEW("/u/"));
        if (place == rest.len)
            return (struct view){0};
        *at += place + 3;
        size_t len = 0;
        while (*at + len < text.len && is_token_char(text.ptr[*at + len]))
            len++;
        if (len >= TOKEN_LEN_MIN && len <= TOKEN_LEN_MAX)
            return view_slice(text, *at, len);
    }
}

/* "/17" at that place: 17. */
static struct view number_at(struct view text, size_t at) {
    size_t len = 0;
    if (at >= text.len || text.ptr[at] != '/')
        return VIEW("");
    while (at + 1 + len < text.len && text.ptr[at + 1 + len] >= '0' && text.ptr[at + 1 + len] <= '9')
        len++;
    return view_slice(text, at + 1, len);
}

struct view bounce_token_in(struct view text, size_t *at, struct view *ret_announcement) {
    struct view token = token_in(text, at);
    if (token.ptr)
        *ret_announcement = number_at(text, *at + token.len);
    return token;
}

struct view bounce_next_token(const struct record *record, size_t *cursor, struct view *ret_announcement) {
    /* The part's number and the place in it are one number. */
    enum { PLACES = RECORD_TEXT_MAX_BYTES + 1 };
    for (size_t i = *cursor / PLACES; i < record->part_count; i++) {
        const struct record_part *p = &record->parts[i];
        struct view text = p->text;
        if (!is_returned(p->type) && p->level == 0 && view_starts(p->type, "text/"))
            (void)bounce_own_text(p->text, &text); /* what stands behind a separator */
        else if (!is_returned(p->type))
            continue;
        size_t skipped = (size_t)(text.ptr - p->text.ptr), at = *cursor > i * PLACES ? *cursor - i * PLACES : 0;
        at = at > skipped ? at - skipped : 0;
        struct view token = bounce_token_in(text, &at, ret_announcement);
        *cursor = token.ptr ? i * PLACES + skipped + at : (i + 1) * PLACES;
        if (token.ptr)
            return token;
    }
    return (struct view){0};
}
