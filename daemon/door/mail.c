#include "door/mail.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "conf/conf.h"
#include "door/committer.h"
#include "inbound/reader.h"
#include "mail/bounce.h"
#include "mail/leaving.h"
#include "mail/record.h"
#include "mail/words.h"
#include "spool/request.h"
#include "trust/keys.h"
#include "trust/token.h"

#include "base/banned.h"

struct mail_door {
    struct view prefix, domain; /* of the return path; empty where there is none */
    struct keyring *keys;       /* NULL: none there */
    struct reader *reader;
    struct committer *committer;
    char *return_path;
    const struct conf *conf;
    struct leave_words words; /* loaded for the first mail that is no report */
    bool has_words;
};

int mail_door_new(const struct conf *conf, struct reader *reader, struct committer *committer, struct why *why,
                  struct mail_door **ret) {
    AUTOBUF struct buf keys = BUF_INIT(PATH_MAX);
    struct why ignored;
    struct mail_door *d = calloc(1, sizeof *d);
    if (!d || !(d->return_path = strdup(conf->return_path))) {
        free(d);
        return why_set(why, -ENOMEM, "out of memory");
    }
    struct view whole = view_of(d->return_path);
    size_t at = view_find(whole, '@');
    if (at < whole.len) {
        d->prefix = view_slice(whole, 0, at);
        d->domain = view_slice(whole, at + 1, whole.len);
    }
    keyring_public_dir(conf->spool_dir, &keys);
    if (keyring_load_public(buf_str(&keys), &ignored, &d->keys) < 0)
        d->keys = NULL; /* the codes of return paths need none */
    d->reader = reader;
    d->committer = committer;
    d->conf = conf;
    *ret = d;
    return 0;
}

struct mail_door *mail_door_free(struct mail_door *d) {
    if (!d)
        return NULL;
    d->keys = keyring_free(d->keys);
    leave_words_done(&d->words);
    free(d->return_path);
    free(d);
    return NULL;
}

/* ---- whom it came to ---- */

static bool same_nocase(struct view a, struct view b) {
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++) {
        char x = a.ptr[i], y = b.ptr[i];
        x = x >= 'A' && x <= 'Z' ? (char)(x | 0x20) : x;
        y = y >= 'A' && y <= 'Z' ? (char)(y | 0x20) : y;
        if (x != y)
            return false;
    }
    return true;
}

/* What stands behind PREFIX+ in the address; an absent view where it is not ours, an empty one where nothing does. */
static struct view extension(const struct mail_door *d, struct view address) {
    size_t at = address.len;
    while (at && address.ptr[at - 1] != '@')
        at--;
    if (at == 0 || d->prefix.len == 0 || !same_nocase(view_slice(address, at, address.len), d->domain))
        return (struct view){0};
    struct view local = view_slice(address, 0, at - 1);
    if (!same_nocase(view_slice(local, 0, d->prefix.len), d->prefix))
        return (struct view){0};
    struct view rest = view_slice(local, d->prefix.len, local.len);
    if (rest.len == 0)
        return VIEW("");
    return rest.ptr[0] == '+' ? view_slice(rest, 1, rest.len) : (struct view){0};
}

bool mail_door_is_ours(const struct mail_door *d, struct view address) {
    return extension(d, address).ptr != NULL;
}

static bool is_address_char(char c) {
    return c > ' ' && c != '<' && c != '>' && c != ',' && c != ';' && c != ':' && c != '"' && c != '(' && c != ')';
}

/* The first extension of an address of ours in a header field. */
static struct view extension_in(const struct mail_door *d, struct view field) {
    for (size_t i = 0; i < field.len;) {
        size_t len = 0;
        while (i + len < field.len && is_address_char(field.ptr[i + len]))
            len++;
        struct view found = len ? extension(d, view_slice(field, i, len)) : (struct view){0};
        if (found.len)
            return found;
        i += len + 1;
    }
    return VIEW("");
}

static struct view find_code(const struct mail_door *d, struct view recipient, const struct record *r) {
    static const char *const fields[] = {"delivered-to", "x-original-to", "envelope-to", "to"};
    struct view code = recipient.len ? extension(d, recipient) : VIEW("");
    for (size_t i = 0; i < r->field_count && code.len == 0; i++)
        for (size_t k = 0; k < COUNT_OF(fields) && code.len == 0; k++)
            if (view_eq_str(r->fields[i].name, fields[k]))
                code = extension_in(d, r->fields[i].value);
    return request_is_value(REQUEST_KEY_CODE, code) ? code : VIEW("");
}

/* ---- what it says ---- */

/* A recipient's token of ours in what came back, with the announcement of its link. */
static bool find_token(const struct mail_door *d, const struct record *r, struct request *q) {
    struct view token, announcement;
    size_t cursor = 0;
    struct token t;
    while (d->keys && (token = bounce_next_token(r, &cursor, &announcement)).ptr)
        if (token_verify(d->keys, token, &t) == 0 && t.purpose == TOKEN_RECIPIENT) {
            q->value[REQUEST_KEY_TOKEN] = token;
            if (request_is_value(REQUEST_KEY_ANNOUNCEMENT, announcement))
                q->value[REQUEST_KEY_ANNOUNCEMENT] = announcement;
            return true;
        }
    return false;
}

/* Of every language that there is: people write in theirs, whatever the list's is. One that cannot be read is left out. */
static int load_words(struct mail_door *d, struct why *why) {
    char **codes = NULL;
    size_t count = 0;
    if (d->has_words)
        return 0;
    int r = words_languages(d->conf->templates_local, d->conf->templates, &codes, &count);
    if (r < 0)
        return why_is_trouble(r) ? why_set(why, r, "the words cannot be read: %s", strerror(-r)) : 0;
    leave_words_done(&d->words); /* of a mail for which the memory was too small */
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct words *words = NULL;
        int error = words_load(d->conf->templates_local, d->conf->templates, codes[i], why, &words);
        if (error == 0)
            leave_words_add(&d->words, words);
        else if (why_is_trouble(error))
            r = error;
        (void)words_free(words);
    }
    files_free_names(codes, count);
    if (r == 0 && leave_words_error(&d->words) < 0)
        r = why_set(why, leave_words_error(&d->words), "out of memory");
    d->has_words = r == 0;
    return r;
}

static bool is_our_address(const struct mail_door *d, struct view address) {
    if (mail_door_is_ours(d, address))
        return true;
    for (size_t i = 0; i < d->conf->sender_count; i++)
        if (same_nocase(address, view_of(d->conf->senders[i].address)))
            return true;
    return false;
}

/* What an answer needs that asks to leave: how it proves the person, and who wrote it. */
struct answer {
    struct leaving leaving;
    struct buf messages;
};

static void answer_done(struct answer *a) {
    leaving_done(&a->leaving);
    buf_done(&a->messages);
}

/* The first token of a link of ours in it, of whatever mail they quote. */
static void add_quoted_token(const struct mail_door *d, const struct record *r, struct request *q) {
    struct view token, announcement;
    size_t cursor = 0;
    struct token t;
    while (d->keys && (token = leaving_next_token(r, &cursor, &announcement)).ptr)
        if (token_verify(d->keys, token, &t) == 0 && t.purpose == TOKEN_RECIPIENT) {
            q->value[REQUEST_KEY_TOKEN] = token;
            if (request_is_value(REQUEST_KEY_ANNOUNCEMENT, announcement))
                q->value[REQUEST_KEY_ANNOUNCEMENT] = announcement;
            return;
        }
}

/* Whether a person says in it that they want to leave: then *q is that. */
static bool find_leaving(const struct mail_door *d, const struct record *r, struct view code, struct answer *a,
                         struct request *q) {
    if (!leaving_read(r, &d->words, &a->leaving) || is_our_address(d, a->leaving.address))
        return false;
    for (size_t i = 0; i < a->leaving.message_count; i++) {
        buf_puts(&a->messages, i ? "," : "");
        buf_add_view(&a->messages, a->leaving.messages[i]);
    }
    *q = (struct request){.verb = REQUEST_MAIL_LEAVE};
    q->value[REQUEST_KEY_CODE] = code;
    add_quoted_token(d, r, q);
    if (request_is_value(REQUEST_KEY_ADDRESS, a->leaving.address))
        q->value[REQUEST_KEY_ADDRESS] = a->leaving.address;
    if (request_is_value(REQUEST_KEY_MESSAGES, buf_view(&a->messages)))
        q->value[REQUEST_KEY_MESSAGES] = buf_view(&a->messages);
    return request_is_whole(q);
}

static void set_report(struct request *q, const struct bounce_report *report) {
    q->verb = REQUEST_BOUNCE;
    q->value[REQUEST_KEY_CLASS] = view_of(bounce_class_name(report->class));
    q->value[REQUEST_KEY_REASON] = view_of(bounce_reason_name(report->reason));
    q->value[REQUEST_KEY_ACTION] = view_of(bounce_action_name(report->action));
    q->value[REQUEST_KEY_STATUS] = view_of(report->status);
    q->value[REQUEST_KEY_SAID] = view_of(report->text);
}

/* To an opt-out address a person's program may write by itself, at the press of a button (RFC 3834 section 5: generated);
 * answers and reports of programs go elsewhere. */
static bool is_opt_out(const struct record *r, const struct bounce_report *report) {
    return report->reason == BOUNCE_REASON_NO_REPORT ||
           (report->reason == BOUNCE_REASON_VACATION &&
            view_eq_nocase(view_trim(record_field(r, "auto-submitted")), "auto-generated"));
}

/* What is asked for by this mail, with views into the record and the reports; false where it is nothing. */
static bool understand(const struct mail_door *d, const struct record *r, struct view recipient,
                       const struct bounce *bounce, struct answer *answer, struct request *q) {
    const struct bounce_report *report = bounce_mildest(bounce);
    struct view code = find_code(d, recipient, r);
    bool leaves = code.len > 1 && (code.ptr[0] == 'u' || code.ptr[0] == 'U');
    *q = (struct request){.verb = REQUEST_MAIL_LEAVE};
    if (leaves && is_opt_out(r, report)) {
        struct view rest = view_slice(code, 1, code.len);
        (void)view_split(&rest, '-', &q->value[REQUEST_KEY_CODE]); /* there is one */
        if (request_is_value(REQUEST_KEY_ANNOUNCEMENT, rest))
            q->value[REQUEST_KEY_ANNOUNCEMENT] = rest;
        return true;
    }
    if (report->reason == BOUNCE_REASON_NO_REPORT && find_leaving(d, r, code, answer, q))
        return true;
    *q = (struct request){.verb = REQUEST_BOUNCE};
    bool counts = report->class == BOUNCE_HARD || report->class == BOUNCE_SOFT || report->class == BOUNCE_COMPLAINT;
    if (counts && !leaves && code.len)
        q->value[REQUEST_KEY_CODE] = code;
    else if (!counts || !find_token(d, r, q))
        return false;
    if (report->class != BOUNCE_COMPLAINT) {
        set_report(q, report);
    } else {
        q->verb = REQUEST_COMPLAINT;
        q->value[REQUEST_KEY_REASON] = view_of(bounce_reason_name(report->reason));
    }
    return true;
}

/* Adds the request of one recipient, or counts one mail more that asks for nothing. */
static int add_request(const struct mail_door *d, const struct record *record, const struct bounce *bounce,
                       struct view recipient, struct buf *records, const char **ret_verb) {
    CLEANUP(answer_done)
    struct answer answer = {.messages = BUF_INIT(REQUEST_LINE_MAX_BYTES)};
    struct request q;
    if (!understand(d, record, recipient, bounce, &answer, &q))
        return 0;
    int r = request_print_new(records, &q);
    if (r == -EINVAL) /* what the mail says does not fit the form: it is no less taken */
        return 0;
    *ret_verb = request_verb_name(q.verb);
    return r;
}

/* One mail asks for something or not, however many it came to. */
static int hand_over(const struct mail_door *d, struct view records, struct why *why) {
    if (records.len == 0) {
        committer_ignored(d->committer);
        return 0;
    }
    int r = committer_put(d->committer, records);
    return r < 0 ? why_set(why, r, "a request cannot be written to %s/requests/mail: %s", d->conf->spool_dir,
                           strerror(-r))
                 : 0;
}

int mail_door_take(struct mail_door *d, struct view mail, const struct view *recipients, size_t count, struct why *why,
                   struct mail_taken *ret) {
    AUTOBUF struct buf text = BUF_INIT(RECORD_MAX_BYTES), records = BUF_INIT(REQUEST_RECORDS_MAX_BYTES);
    AUTOFREE struct record *record = malloc(sizeof *record);
    AUTOFREE struct bounce *bounce = malloc(sizeof *bounce);
    static const struct view nobody = {0};
    struct mail_taken taken = {"ignored", "unreadable"};
    if (!record || !bounce)
        return why_set(why, -ENOMEM, "out of memory");
    int r = reader_read(d->reader, mail, &text, record, why);
    if (r < 0 && r != -EBADMSG)
        return r;
    if (r == 0) {
        bounce_read(record, bounce);
        taken.reason = bounce_reason_name(bounce_mildest(bounce)->reason);
        if (bounce_mildest(bounce)->reason == BOUNCE_REASON_NO_REPORT && (r = load_words(d, why)) < 0)
            return r;
        for (size_t i = 0; r == 0 && i < (count ? count : 1); i++)
            r = add_request(d, record, bounce, count ? recipients[i] : nobody, &records, &taken.as);
        if (r < 0)
            return why_set(why, r, "a request cannot be made: %s", strerror(-r));
    }
    r = hand_over(d, buf_view(&records), why);
    if (r == 0)
        *ret = taken;
    return r;
}
