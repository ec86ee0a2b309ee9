#include "people/letters.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "announce/notice_mail.h"
#include "base/arena.h"
#include "base/log.h"
#include "conf/conf.h"
#include "mail/template.h"
#include "mail/template_file.h"
#include "mail/words.h"
#include "trust/token.h"

#include "base/banned.h"

enum { TEXT_MAX_BYTES = 256 * 1024, LINK_MAX_BYTES = 4096 };

const char *letters_title(const struct conf_list *list, const char *language) {
    for (size_t i = 0; i < list->title_count; i++)
        if (strcmp(list->titles[i].language, language) == 0)
            return list->titles[i].title;
    return list->title;
}

static const char *organisation(const struct conf_sender *sender) {
    return sender->organisation[0] ? sender->organisation : sender->name;
}

/* 0 without words where there are none at all. */
static int words_of(const struct letters *l, const char *language, struct words **ret) {
    struct why why;
    int r = language[0] ? words_load(l->conf->templates_local, l->conf->templates, language, &why, ret) : -ENOENT;
    if (r < 0 && !why_is_trouble(r))
        r = words_load(l->conf->templates_local, l->conf->templates, l->conf->language, &why, ret);
    if (r < 0 && !why_is_trouble(r)) {
        log_why(LOG_ERR, "words-missing", &why);
        r = 0;
    }
    return r;
}

static int add(const struct letters *l, const char *kind, const struct conf_list *list, const struct words *words,
               const char *recipient, const char *subject, struct view text, int64_t due_usec, const uint8_t nonce[16],
               struct buf *ret_message_id) {
    const struct notice_mail n = {.sender = list->sender,
                                  .recipient = recipient,
                                  .subject = subject,
                                  .text = text,
                                  .nonce = nonce,
                                  .date_usec = due_usec};
    const struct notice_way way = {
        .db = l->mute ? NULL : l->db, .kind = kind, .relays = &list->relays, .now_usec = l->now_usec};
    int r = notice_mail_add(l->conf, words, &n, &way);
    if (r == 1 && ret_message_id) {
        const char *at = strrchr(list->sender->address, '@');
        notice_mail_id(nonce, ret_message_id);
        buf_printf(ret_message_id, "@%s", at ? at + 1 : "localhost");
    }
    return r < 0 ? r : 0;
}

static int add_link(const struct letters *l, const struct conf_list *list, const char *path, int64_t subscriber,
                    struct buf *to) {
    struct token t = {.purpose = TOKEN_RECIPIENT, .list = list->id, .subscriber = (uint64_t)subscriber};
    buf_printf(to, "%s/%s/", list->sender->public_url, path);
    return token_sign(l->keys, &t, to);
}

int letters_confirm(const struct letters *l, const struct conf_list *list, const char *language, const char *recipient,
                    struct view titles, struct view token, int64_t due_usec, const uint8_t nonce[16],
                    struct buf *ret_message_id) {
    struct words *words = NULL;
    int r = words_of(l, language, &words);
    if (!words)
        return r;
    AUTOBUF struct buf subject = BUF_INIT(4096), text = BUF_INIT(TEXT_MAX_BYTES), link = BUF_INIT(LINK_MAX_BYTES),
                       names = BUF_INIT(TEXT_MAX_BYTES);
    buf_printf(&link, "%s/c/%.*s/%s", list->sender->public_url, (int)token.len, token.ptr, words_language(words));
    buf_add_view(&names, titles);
    const char *kind = titles.len ? "notice.confirm-text" : "notice.address-text";
    words_format(words, titles.len ? "notice.confirm-subject" : "notice.address-subject", organisation(list->sender),
                 NULL, NULL, &subject);
    words_format(words, kind, titles.len ? buf_str(&names) : organisation(list->sender), organisation(list->sender),
                 buf_str(&link), &text);
    r = add(l, "confirm", list, words, recipient, buf_str(&subject), buf_view(&text), due_usec, nonce, ret_message_id);
    (void)words_free(words);
    return r;
}

int letters_links(const struct letters *l, const struct conf_list *const lists[], size_t count, int64_t subscriber,
                  const char *language, const char *recipient, int64_t due_usec) {
    struct words *words = NULL;
    int r = words_of(l, language, &words);
    if (!words)
        return r;
    AUTOBUF struct buf subject = BUF_INIT(4096), text = BUF_INIT(TEXT_MAX_BYTES), lines = BUF_INIT(TEXT_MAX_BYTES);
    for (size_t i = 0; r == 0 && i < count; i++) {
        AUTOBUF struct buf leave = BUF_INIT(LINK_MAX_BYTES), choose = BUF_INIT(LINK_MAX_BYTES);
        r = add_link(l, lists[i], "p", subscriber, &choose);
        if (r == 0)
            r = add_link(l, lists[i], "u", subscriber, &leave);
        words_format(words, "notice.links-list", letters_title(lists[i], words_language(words)), buf_str(&choose),
                     buf_str(&leave), &lines);
        buf_puts(&lines, "\n\n");
    }
    words_format(words, "notice.links-subject", organisation(lists[0]->sender), NULL, NULL, &subject);
    words_format(words, "notice.links-text", organisation(lists[0]->sender), buf_str(&lines), NULL, &text);
    if (r == 0)
        r = add(l, "links", lists[0], words, recipient, buf_str(&subject), buf_view(&text), due_usec, NULL, NULL);
    (void)words_free(words);
    return r;
}

static int render_welcome(const struct letters *l, const struct conf_list *list, int64_t subscriber,
                          const struct words *words, struct view source, struct buf *to) {
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf leave = BUF_INIT(LINK_MAX_BYTES), choose = BUF_INIT(LINK_MAX_BYTES);
    struct value root = value_map(), url = value_map(), of_list = value_map(), sender = value_map();
    struct template_fault fault = {0};
    struct merge merge;
    int r = add_link(l, list, "p", subscriber, &choose);
    if (r == 0)
        r = add_link(l, list, "u", subscriber, &leave);
    if (r < 0)
        return r;
    (void)value_set(&arena, &url, "preferences", value_text(buf_str(&choose)));
    (void)value_set(&arena, &url, "unsubscribe", value_text(buf_str(&leave)));
    (void)value_set(&arena, &of_list, "title", value_text(letters_title(list, words_language(words))));
    (void)value_set(&arena, &sender, "organisation", value_text(organisation(list->sender)));
    (void)value_set(&arena, &sender, "name", value_text(list->sender->name));
    (void)value_set(&arena, &root, "url", url);
    (void)value_set(&arena, &root, "list", of_list);
    (void)value_set(&arena, &root, "sender", sender);
    if (arena_failed(&arena))
        return -ENOMEM;
    merge_init(&merge);
    r = template_render(source, &root, TEMPLATE_PLAIN, true, &merge, &fault);
    if (r == 0)
        r = merge_seal(&merge);
    if (r == 0)
        merge_fill(&merge, NULL, to); /* there are no recipient's fields in it */
    merge_done(&merge);
    if (r == -EINVAL)
        log_error("welcome-not-rendered", LOG_NUM("line", fault.line), LOG_TEXT("name", fault.name));
    return r == -EINVAL ? -ENOENT : r;
}

int letters_welcome(const struct letters *l, const struct conf_list *list, int64_t subscriber, const char *language,
                    const char *recipient, bool *ret_sent) {
    AUTOBUF struct buf source = BUF_INIT(TEMPLATE_FILE_MAX_BYTES), text = BUF_INIT(TEXT_MAX_BYTES),
                       subject = BUF_INIT(4096);
    struct words *words = NULL;
    char name[80];
    int r = words_of(l, language, &words);
    if (!words)
        return r;
    const char *code = words_language(words);
    (void)snprintf(name, sizeof name, "welcome-%s.txt", list->name); /* names have at most 48 characters */
    r = template_file_read(l->conf->templates_local, l->conf->templates, code, name, &source);
    if (r == -ENOENT)
        r = template_file_read(l->conf->templates_local, l->conf->templates, code, "welcome.txt", &source);
    if (r == 0)
        r = render_welcome(l, list, subscriber, words, buf_view(&source), &text);
    if (r == 0) {
        words_format(words, "notice.welcome-subject", letters_title(list, code), NULL, NULL, &subject);
        r = add(l, "welcome", list, words, recipient, buf_str(&subject), buf_view(&text), l->now_usec, NULL, NULL);
        *ret_sent = true;
    }
    (void)words_free(words);
    return why_is_trouble(r) ? r : 0; /* none, or one that cannot be read: there is no welcome */
}

int letters_moved(const struct letters *l, const struct conf_list *list, const char *language, const char *recipient,
                  struct view token) {
    if (token.len == 0)
        return 0; /* whoever it was taken from needs no way back, and no hint */
    struct words *words = NULL;
    int r = words_of(l, language, &words);
    if (!words)
        return r;
    AUTOBUF struct buf subject = BUF_INIT(4096), text = BUF_INIT(TEXT_MAX_BYTES), link = BUF_INIT(LINK_MAX_BYTES);
    buf_printf(&link, "%s/c/%.*s/%s", list->sender->public_url, (int)token.len, token.ptr, words_language(words));
    words_format(words, "notice.moved-subject", organisation(list->sender), NULL, NULL, &subject);
    words_format(words, "notice.moved-text", organisation(list->sender), buf_str(&link), NULL, &text);
    r = add(l, "moved", list, words, recipient, buf_str(&subject), buf_view(&text), l->now_usec, NULL, NULL);
    (void)words_free(words);
    return r;
}

int letters_left(const struct letters *l, const struct conf_list *const lists[], size_t count, const char *language,
                 const char *recipient, const char *undo_url) {
    struct words *words = NULL;
    int r = words_of(l, language, &words);
    if (!words)
        return r;
    AUTOBUF struct buf subject = BUF_INIT(4096), text = BUF_INIT(TEXT_MAX_BYTES), titles = BUF_INIT(TEXT_MAX_BYTES);
    for (size_t i = 0; i < count; i++)
        buf_printf(&titles, "%s    %s", i ? "\n" : "", letters_title(lists[i], words_language(words)));
    words_format(words, "notice.left-subject", organisation(lists[0]->sender), NULL, NULL, &subject);
    words_format(words, "notice.left-text", buf_str(&titles), NULL, NULL, &text);
    if (undo_url[0]) {
        buf_puts(&text, "\n\n");
        words_format(words, "notice.left-undo", undo_url, NULL, NULL, &text);
    }
    r = add(l, "left", lists[0], words, recipient, buf_str(&subject), buf_view(&text), l->now_usec, NULL, NULL);
    (void)words_free(words);
    return r;
}
