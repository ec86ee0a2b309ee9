#include "send/letter.h"

#include <errno.h>

#include "announce/compile.h"
#include "base/text.h"
#include "conf/conf.h"
#include "send/sending.h"
#include "trust/code.h"
#include "trust/keys.h"
#include "trust/token.h"

#include "base/banned.h"

enum { RETURN_PATH_MAX_BYTES = 512, LOCAL_PART_MAX_BYTES = 64, MESSAGE_ID_MAX_BYTES = 128, MAIL_SLACK_BYTES = 1 << 20 };

void letters_init(struct letters *l, const struct conf *conf, const struct keyring *keys) {
    *l = (struct letters){.keys = keys,
                          .token = BUF_INIT(2 * TOKEN_TEXT_MAX),
                          .message_id = BUF_INIT(MESSAGE_ID_MAX_BYTES),
                          .return_path = BUF_INIT(RETURN_PATH_MAX_BYTES),
                          .leave_mailbox = BUF_INIT(RETURN_PATH_MAX_BYTES)};
    letters_set_conf(l, conf);
}

void letters_done(struct letters *l) {
    buf_done(&l->token);
    buf_done(&l->message_id);
    buf_done(&l->return_path);
    buf_done(&l->leave_mailbox);
    buf_done(&l->mail);
}

void letters_set_conf(struct letters *l, const struct conf *conf) {
    l->conf = conf;
    l->mail.limit_bytes = conf->message_limit_bytes + MAIL_SLACK_BYTES;
}

static int print_token(struct letters *l, struct item *item) {
    struct claim *c = &item->claim;
    if (c->key_id == 0) {
        int r = token_sign_recipient(l->keys, c->list, (uint64_t)c->subscriber, &c->key_id, c->signature);
        if (r < 0)
            return r;
        item->signed_now = true;
    }
    token_print_recipient(c->key_id, c->list, (uint64_t)c->subscriber, c->signature, &l->token);
    return buf_error(&l->token);
}

/* PREFIX+CODE@DOMAIN, or without [bounce] the plain address. */
static void print_return_path(struct letters *l, const struct claim *c, const char *plain) {
    struct buf *to = &l->return_path;
    struct view base = view_of(l->conf->return_path);
    size_t at = view_find(base, '@');
    if (at == base.len) {
        buf_puts(to, plain);
        return;
    }
    buf_add_view(to, view_slice(base, 0, at));
    buf_putc(to, '+');
    code_make(l->keys, CODE_BOUNCE, (uint64_t)c->announcement, (uint64_t)c->subscriber, to);
    buf_add_view(to, view_slice(base, at, base.len));
}

/* PREFIX+uCODE-ANNOUNCEMENT@DOMAIN, or nothing without [bounce]: nobody would read it. The announcement is not signed: it
 * only helps, and is left out where the address would be too long (RFC 5321 section 4.5.3.1.1). */
static void print_leave_mailbox(struct letters *l, const struct claim *c) {
    struct buf *to = &l->leave_mailbox;
    struct view base = view_of(l->conf->return_path);
    size_t at = view_find(base, '@');
    if (at == base.len)
        return;
    buf_add_view(to, view_slice(base, 0, at));
    buf_puts(to, "+u");
    code_make(l->keys, CODE_LEAVE, c->list, (uint64_t)c->subscriber, to);
    size_t without = to->len;
    buf_printf(to, "-%lld", (long long)c->announcement);
    if (to->len > LOCAL_PART_MAX_BYTES)
        buf_truncate(to, without);
    buf_add_view(to, view_slice(base, at, base.len));
}

static int write_to_recipient(struct letters *l, struct item *item) {
    const struct claim *c = &item->claim;
    struct compiled *compiled = sending_mail(item->sending, c->list, c->language);
    int r = compiled ? print_token(l, item) : -ENOENT;
    if (r < 0)
        return r;
    print_leave_mailbox(l, c);
    code_message_id(l->keys, (uint64_t)c->announcement, (uint64_t)c->subscriber, &l->message_id);
    const struct compose_recipient recipient = {
        .announcement = c->announcement,
        .subscriber = c->subscriber,
        .address = c->address,
        .contact = {.own_salutation = c->salutation,
                    .form = c->form,
                    .title = c->title,
                    .given_name = c->given_name,
                    .family_name = c->family_name,
                    .organisation = c->organisation},
        .attributes = c->attributes,
        .timezone = c->timezone,
        .token = buf_view(&l->token),
        .message_id = buf_view(&l->message_id),
        .date_usec = c->first_claim_usec,
        .leave_mailbox = buf_view(&l->leave_mailbox),
    };
    print_return_path(l, c, compiled_sender_address(compiled));
    return compose(compiled, &recipient, &l->mail);
}

static const char *address_of_sender(const struct conf *conf, const char *name) {
    const struct conf_sender *s = conf_find_sender(conf, view_of(name));
    return s ? s->address : conf->sender_count ? conf->senders[0].address : "";
}

int letter_write(struct letters *l, struct item *item, struct envelope *ret_envelope, struct view *ret_message) {
    int r = 0;
    buf_clear(&l->token);
    buf_clear(&l->message_id);
    buf_clear(&l->return_path);
    buf_clear(&l->leave_mailbox);
    buf_clear(&l->mail);
    if (item->sending)
        r = write_to_recipient(l, item);
    else
        buf_puts(&l->return_path, address_of_sender(l->conf, item->notice.sender));
    if (r == 0)
        r = buf_error(&l->return_path);
    if (r == 0)
        r = buf_error(&l->leave_mailbox);
    if (r < 0)
        return r;
    struct view recipient = item_recipient(item);
    *ret_envelope = (struct envelope){buf_view(&l->return_path), recipient, !text_is_ascii(recipient)};
    *ret_message = item->sending ? buf_view(&l->mail) : item->notice.message;
    return 0;
}
