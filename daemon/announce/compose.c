/* Filling a compiled announcement for one recipient. */
#include "announce/compiled.h"

#include <errno.h>

#include "base/number.h"
#include "conf/conf.h"
#include "mail/attributes.h"
#include "mail/base64.h"
#include "mail/header.h"

/* Values made of a recipient live in scratch, whose memory moves while it grows: their places are noted and turned into
 * views at the end. */
struct made {
    size_t from, to;
};

static void print_unsubscribe_url(const struct compiled *c, const struct compose_recipient *r, struct buf *to) {
    buf_puts(to, c->list->sender->public_url);
    buf_puts(to, "/u/");
    buf_add_view(to, r->token);
    buf_putc(to, '/');
    buf_put_i64(to, r->announcement);
    buf_putc(to, '/');
    buf_puts(to, words_language(c->words));
}

static void print_archive_url(const struct compiled *c, const struct compose_recipient *r, struct buf *to) {
    buf_puts(to, c->list->sender->public_url);
    buf_puts(to, "/a/");
    buf_put_i64(to, r->announcement);
    buf_putc(to, '/');
    buf_puts(to, words_language(c->words));
}

static void print_preferences_url(const struct compiled *c, const struct compose_recipient *r, struct buf *to) {
    buf_puts(to, c->list->sender->public_url);
    buf_puts(to, "/p/");
    buf_add_view(to, r->token);
}

/* People are claimed in blocks: many have the same second. */
static void print_date(struct compiled *c, int64_t usec, struct buf *to) {
    int64_t second = usec >= 0 ? usec / USEC_PER_SEC : -1 - (-1 - usec) / USEC_PER_SEC;
    if (c->date.len == 0 || c->date_second != second) {
        buf_clear(&c->date);
        when_print_rfc5322(usec, compiled_timezone(c), &c->date);
        c->date_second = second;
    }
    buf_add_view(to, buf_view(&c->date));
    if (buf_error(&c->date) && !to->error)
        to->error = buf_error(&c->date);
}

static void print_made(struct compiled *c, const struct compose_recipient *r, enum recipient_field field,
                       struct buf *to) {
    switch (field) {
    case FIELD_SALUTATION: salutation_say(c->words, c->formal, &r->contact, to); break;
    case FIELD_NAME: buf_add_view(to, buf_view(&c->name)); break;
    case FIELD_URL_UNSUBSCRIBE: print_unsubscribe_url(c, r, to); break;
    case FIELD_URL_PREFERENCES: print_preferences_url(c, r, to); break;
    case FIELD_URL_ARCHIVE: print_archive_url(c, r, to); break;
    case FIELD_TO:
        if (r->address.len) /* a page is for nobody */
            header_add_mailbox(to, buf_view(&c->name), r->address, sizeof "To: " - 1);
        break;
    case FIELD_DATE: print_date(c, r->date_usec, to); break;
    case FIELD_MESSAGE_ID:
        buf_putc(to, '<');
        buf_add_view(to, r->message_id);
        buf_putc(to, '@');
        buf_puts(to, c->domain);
        buf_putc(to, '>');
        break;
    case FIELD_LIST_UNSUBSCRIBE:
        buf_putc(to, '<');
        print_unsubscribe_url(c, r, to);
        buf_putc(to, '>');
        if (r->leave_mailbox.len) {
            buf_puts(to, ",\r\n <mailto:");
            buf_add_view(to, r->leave_mailbox);
            buf_puts(to, "?subject=unsubscribe>");
        }
        break;
    case FIELD_GIVEN_NAME:
    case FIELD_FAMILY_NAME:
    case FIELD_ORGANISATION:
    case FIELD_EMAIL:
    case FIELD_READER_TIME:
    case FIELD_COUNT: break;
    }
}

static int make_values(struct compiled *c, const struct compose_recipient *r, struct view values[MERGE_FIELDS_MAX]) {
    static const enum recipient_field fields[] = {
        FIELD_SALUTATION, FIELD_NAME, FIELD_URL_UNSUBSCRIBE, FIELD_URL_PREFERENCES, FIELD_URL_ARCHIVE,
        FIELD_TO,         FIELD_DATE, FIELD_MESSAGE_ID,      FIELD_LIST_UNSUBSCRIBE};
    struct made made[COUNT_OF(fields)];
    buf_clear(&c->scratch);
    buf_clear(&c->name);
    salutation_name(c->words, &r->contact, &c->name);
    if (buf_error(&c->name) == -ENOMEM)
        return -ENOMEM;
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        made[i].from = c->scratch.len;
        print_made(c, r, fields[i], &c->scratch);
        made[i].to = c->scratch.len;
    }
    if (buf_error(&c->scratch))
        return buf_error(&c->scratch);
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        values[fields[i]] = view_slice(buf_view(&c->scratch), made[i].from, made[i].to - made[i].from);
    values[FIELD_GIVEN_NAME] = r->contact.given_name;
    values[FIELD_FAMILY_NAME] = r->contact.family_name;
    values[FIELD_ORGANISATION] = r->contact.organisation;
    values[FIELD_EMAIL] = r->address;
    for (unsigned n = FIELD_COUNT; n < c->fields.count; n++)
        values[n] = attributes_get(r->attributes, view_of(c->attribute_names[n]));
    return reader_times_get(&c->reader_times, r->timezone, &values[FIELD_READER_TIME]);
}

int compose(struct compiled *c, const struct compose_recipient *r, struct buf *to) {
    struct view values[MERGE_FIELDS_MAX];
    int error = r->address.len ? make_values(c, r, values) : -EINVAL;
    return error < 0 ? error : message_fill(c->message, values, to);
}

int compose_part(struct compiled *c, const struct compose_recipient *r, bool html, struct buf *to) {
    struct view values[MERGE_FIELDS_MAX];
    int error = make_values(c, r, values);
    if (error < 0)
        return error;
    merge_fill(html ? &c->html : &c->plain, values, to);
    return buf_error(to);
}

static const struct picture *picture_at(const struct compiled *c, struct view v) {
    for (size_t i = 0; i < c->picture_count; i++)
        if (view_starts(v, c->pictures[i].content_id))
            return &c->pictures[i];
    return NULL;
}

int compose_page(struct compiled *c, const struct compose_recipient *r, struct buf *to) {
    AUTOBUF struct buf html = BUF_INIT(to->limit_bytes);
    int error = compose_part(c, r, true, &html);
    struct view rest = buf_view(&html);
    for (size_t at; error == 0 && (at = view_search(rest, VIEW("\"cid:"))) < rest.len;) {
        buf_add_view(to, view_slice(rest, 0, at + 1));
        rest = view_slice(rest, at + 1, rest.len);
        const struct picture *p = picture_at(c, view_slice(rest, 4, rest.len));
        if (!p)
            continue;
        buf_printf(to, "data:%s;base64,", p->type);
        base64_digits(to, p->bytes.ptr, p->bytes.len);
        rest = view_slice(rest, 4 + strlen(p->content_id), rest.len);
    }
    buf_add_view(to, rest);
    return error < 0 ? error : buf_error(to);
}
