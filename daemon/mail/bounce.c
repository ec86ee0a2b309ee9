#include "mail/bounce.h"

#include "base/cleanup.h"
#include "mail/bounce_inside.h"
#include "mail/record.h"
#include "mail/unhtml.h"

#include "base/banned.h"

#define R(name) BOUNCE_REASON_##name

enum { TOKEN_LEN_MIN = 80, TOKEN_LEN_MAX = 200 };

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
    struct buf recipient, original, action, status, diagnostic, category;
};

static void read_group(struct view block, struct group *g) {
    (void)(field_of(block, "Final-Recipient", &g->recipient)); /* each of these may be missing */
    (void)field_of(block, "Original-Recipient", &g->original);
    (void)field_of(block, "Action", &g->action);
    (void)field_of(block, "Status", &g->status);
    (void)field_of(block, "Diagnostic-Code", &g->diagnostic);
    (void)field_of(block, "X-PowerMTA-BounceCategory", &g->category);
}

static void group_done(struct group *g) {
    buf_done(&g->recipient);
    buf_done(&g->original);
    buf_done(&g->action);
    buf_done(&g->status);
    buf_done(&g->diagnostic);
    buf_done(&g->category);
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
                                     .category = buf_view(&g->category),
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
                          BUF_INIT(RECORD_TEXT_MAX_BYTES), BUF_INIT(RECORD_TEXT_MAX_BYTES)};
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
    switch (bounce_kind(r, text)) {
    case BOUNCE_KIND_REPORT: bounce_read_text(r, text, true, ret); break;
    case BOUNCE_KIND_UNSURE: bounce_read_text(r, text, false, ret); break;
    case BOUNCE_KIND_COMPLAINT: add_plain(ret, R(FEEDBACK)); break;
    case BOUNCE_KIND_CHALLENGE: add_plain(ret, R(CHALLENGE)); break;
    case BOUNCE_KIND_ABSENCE: add_plain(ret, R(VACATION)); break;
    case BOUNCE_KIND_LOOP: add_plain(ret, R(LOOP)); break;
    case BOUNCE_KIND_OTHER: break;
    }
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
