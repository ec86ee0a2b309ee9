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

static int print_token(const struct letter_parts *parts, struct item *item, struct buf *to) {
    struct claim *c = &item->claim;
    if (c->key_id == 0) {
        int r = token_sign_recipient(parts->keys, c->list, (uint64_t)c->subscriber, &c->key_id, c->signature);
        if (r < 0)
            return r;
        item->signed_now = true;
    }
    token_print_recipient(c->key_id, c->list, (uint64_t)c->subscriber, c->signature, to);
    return buf_error(to);
}

/* PREFIX+CODE@DOMAIN, or without [bounce] the plain address. */
static void print_return_path(const struct letter_parts *parts, const struct claim *c, const char *plain,
                              struct buf *to) {
    struct view base = view_of(parts->conf->return_path);
    size_t at = view_find(base, '@');
    if (at == base.len) {
        buf_puts(to, plain);
        return;
    }
    buf_add_view(to, view_slice(base, 0, at));
    buf_putc(to, '+');
    code_make(parts->keys, CODE_BOUNCE, (uint64_t)c->announcement, (uint64_t)c->subscriber, to);
    buf_add_view(to, view_slice(base, at, base.len));
}

static int write_to_recipient(const struct letter_parts *parts, struct item *item, struct buf *return_path,
                              struct buf *mail) {
    const struct claim *c = &item->claim;
    struct compiled *compiled = sending_mail(item->sending, c->language);
    AUTOBUF struct buf token = BUF_INIT(2 * TOKEN_TEXT_MAX), message_id = BUF_INIT(128);
    int r = compiled ? print_token(parts, item, &token) : -ENOENT;
    if (r < 0)
        return r;
    code_message_id(parts->keys, (uint64_t)c->announcement, (uint64_t)c->subscriber, &message_id);
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
        .token = buf_view(&token),
        .message_id = buf_view(&message_id),
        .date_usec = c->first_claim_usec,
    };
    print_return_path(parts, c, compiled_sender_address(compiled), return_path);
    return compose(compiled, &recipient, mail);
}

static const char *address_of_sender(const struct conf *conf, const char *name) {
    const struct conf_sender *s = conf_find_sender(conf, view_of(name));
    return s ? s->address : conf->sender_count ? conf->senders[0].address : "";
}

int letter_write(const struct letter_parts *parts, struct item *item, struct buf *return_path, struct buf *mail,
                 struct envelope *ret_envelope, struct view *ret_message) {
    int r = 0;
    buf_clear(return_path);
    buf_clear(mail);
    if (item->sending)
        r = write_to_recipient(parts, item, return_path, mail);
    else
        buf_puts(return_path, address_of_sender(parts->conf, item->notice.sender));
    if (r == 0)
        r = buf_error(return_path);
    if (r < 0)
        return r;
    struct view recipient = item_recipient(item);
    *ret_envelope = (struct envelope){buf_view(return_path), recipient, !text_is_ascii(recipient)};
    *ret_message = item->sending ? buf_view(mail) : item->notice.message;
    return 0;
}
