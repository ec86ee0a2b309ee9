#include "announce/notice_mail.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/encode.h"
#include "base/log.h"
#include "conf/conf.h"
#include "mail/header.h"
#include "mail/message.h"
#include "mail/template.h"
#include "mail/template_file.h"
#include "mail/when.h"
#include "mail/words.h"
#include "store/notice.h"

enum { MAIL_MAX_BYTES = 64 << 20 };

/* The text in its frame: templates/common/notice.txt with {{text}}, {{sender.*}} and a few words. */
static int render_text(const struct conf *conf, const struct words *words, const struct notice_mail *n,
                       struct merge *m) {
    struct arena arena AUTOARENA = {0};
    AUTOBUF struct buf source = BUF_INIT(TEMPLATE_FILE_MAX_BYTES + 1);
    struct value root = value_map(), sender = value_map(), all = value_map(), mail = value_map();
    struct template_fault fault = {0};
    int r = template_file_read(conf->templates_local, conf->templates, words_language(words), "notice.txt", &source);
    if (r < 0)
        return r;
    /* The frame has the blank line behind it. */
    struct view text = n->text;
    while (view_ends(text, "\n"))
        text = view_slice(text, 0, text.len - 1);
    const char *organisation = n->sender->organisation[0] ? n->sender->organisation : n->sender->name;
    (void)value_set(&arena, &sender, "name", value_text(n->sender->name));
    (void)value_set(&arena, &sender, "organisation", value_text(organisation));
    (void)value_set(&arena, &sender, "address", value_text(n->sender->address));
    (void)value_set(&arena, &sender, "postal_address", value_text(n->sender->postal_address));
    (void)value_set(&arena, &sender, "imprint_url", value_text(n->sender->imprint_url));
    (void)value_set(&arena, &sender, "privacy_url", value_text(n->sender->privacy_url));
    (void)value_set(&arena, &root, "sender", sender);
    (void)value_set(&arena, &mail, "imprint", value_text(words_get(words, "mail.imprint")));
    (void)value_set(&arena, &mail, "privacy", value_text(words_get(words, "mail.privacy")));
    (void)value_set(&arena, &all, "mail", mail);
    (void)value_set(&arena, &root, "words", all);
    (void)value_set(&arena, &root, "subject", value_text(n->subject));
    (void)value_set(&arena, &root, "text", value_text(arena_dup(&arena, text)));
    if (arena_failed(&arena))
        return -ENOMEM;
    r = template_render(buf_view(&source), &root, TEMPLATE_PLAIN, false, m, &fault);
    return r == 0 ? merge_seal(m) : r;
}

void notice_mail_id(const uint8_t *nonce, struct buf *to) {
    uint8_t random[16] = {0};
    if (!nonce)
        (void)!getrandom(random, sizeof random, 0); /* 16 bytes always come at once */
    encode_base32(to, nonce ? nonce : random, sizeof random);
}

int notice_mail_compose(const struct conf *conf, const struct words *words, const struct notice_mail *n,
                        struct buf *to) {
    struct merge text;
    struct message *m = NULL;
    merge_init(&text);
    AUTOBUF struct buf date = BUF_INIT(64), left = BUF_INIT(64), id = BUF_INIT(512);
    when_print_rfc5322(n->date_usec, conf->timezone, &date);
    const char *at = strrchr(n->sender->address, '@');
    notice_mail_id(n->nonce, &left);
    buf_printf(&id, "<%s@%s>", buf_str(&left), at ? at + 1 : "localhost");
    int r = buf_error(&left) ? buf_error(&left) : render_text(conf, words, n, &text);
    if (r == 0)
        r = message_new(&m);
    if (r == 0) {
        const struct part part = {
            .kind = PART_TEXT, .type = "text/plain", .text = &text, .language = words_language(words)};
        const int steps[] = {
            message_header_mailbox(m, "From", view_of(n->sender->name), view_of(n->sender->address)),
            message_header_mailbox(m, "To", (struct view){0}, view_of(n->recipient)),
            message_header_text(m, "Subject", view_of(n->subject)),
            message_header_raw(m, "Date", buf_view(&date)),
            message_header_raw(m, "Message-ID", buf_view(&id)),
            message_header_raw(m, "Auto-Submitted", VIEW("auto-generated")),
            message_header_raw(m, "X-Auto-Response-Suppress", VIEW("OOF, AutoReply")),
            message_body(m, &part, buf_str(&left)),
        };
        for (size_t i = 0; i < COUNT_OF(steps) && r == 0; i++)
            r = steps[i];
    }
    if (r == 0)
        r = message_fill(m, NULL, to);
    (void)message_free(m);
    merge_done(&text);
    return r;
}

int notice_mail_add(const struct conf *conf, const struct words *words, const struct notice_mail *n,
                    const struct notice_way *way) {
    AUTOBUF struct buf mail = BUF_INIT(MAIL_MAX_BYTES);
    int r = notice_mail_compose(conf, words, n, &mail);
    if (r == 0)
        r = buf_error(&mail);
    if (r < 0 && !why_is_trouble(r)) {
        log_error("notice-not-composed", LOG_TEXT("kind", way->kind), LOG_TEXT("reason", strerror(-r)));
        return 0;
    }
    if (r == 0 && way->db)
        r = notice_mail_add_whole(way, n->sender, n->recipient, buf_view(&mail));
    if (r == 0 && way->db && n->date_usec > way->now_usec)
        r = notice_wait(way->db, n->date_usec);
    return r < 0 ? r : 1;
}

int notice_mail_add_whole(const struct notice_way *way, const struct conf_sender *sender, const char *recipient,
                          struct view message) {
    AUTOBUF struct buf relays = BUF_INIT(8192);
    conf_strings_join(way->relays, &relays);
    return buf_error(&relays) ? buf_error(&relays)
                              : notice_add(way->db, way->kind, way->announcement, sender->id, buf_str(&relays),
                                           recipient, message, way->now_usec);
}
