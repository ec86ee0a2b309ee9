#include "announce/inform.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "announce/compile.h"
#include "announce/notice_mail.h"
#include "base/log.h"
#include "base/text.h"
#include "conf/conf.h"
#include "mail/when.h"
#include "mail/words.h"
#include "store/announcement.h"
#include "store/reach.h"
#include "trust/token.h"

enum { TEXT_MAX_BYTES = 256 * 1024, MAIL_MAX_BYTES = 64 << 20 };

static void print_count(struct buf *to, uint64_t n) {
    buf_printf(to, "%llu", (unsigned long long)n);
}

/* 0 without words where there are none: what they were for is left out. */
static int words_of(const struct conf *conf, const char *language, struct words **ret) {
    struct why why;
    int r = words_load(conf->templates_local, conf->templates, language, &why, ret);
    if (r < 0 && !why_is_trouble(r)) {
        log_why(LOG_ERR, "words-missing", &why);
        r = 0;
    }
    return r;
}

static bool is_in(const struct intake_result *r, const char *code) {
    for (size_t i = 0; i < r->head.language_count; i++)
        if (strcmp(r->head.languages[i], code) == 0)
            return true;
    return false;
}

static void say_audience(const struct intake_result *r, const struct reach *reach, const struct words *words,
                         struct buf *to) {
    AUTOBUF struct buf name = BUF_INIT(256), fallback = BUF_INIT(256), number = BUF_INIT(32);
    const struct subscription_census *census = &reach->census;
    if (census->active)
        words_plural(words, "notice.fact-people", census->active, to);
    else
        buf_puts(to, words_get(words, "notice.fact-nobody"));
    buf_putc(to, '\n');
    if (r->only[0]) {
        print_count(&number, reach->members);
        words_format(words, r->list_count > 1 ? "notice.fact-all-lists" : "notice.fact-all", buf_str(&number), NULL,
                     NULL, to);
        buf_putc(to, '\n');
    }
    if (reach->several) {
        words_plural(words, "notice.fact-several", reach->several, to);
        buf_putc(to, '\n');
    }
    words_say_language(words, r->head.languages[0], &fallback);
    for (size_t i = 0; i < census->language_count; i++) {
        buf_clear(&name);
        buf_clear(&number);
        print_count(&number, census->languages[i].count);
        bool without = census->languages[i].code[0] == '\0';
        words_say_language(words, census->languages[i].code, &name);
        if (is_in(r, census->languages[i].code))
            words_format(words, "notice.fact-language", buf_str(&number), buf_str(&name), NULL, to);
        else if (without)
            words_format(words, "notice.fact-no-language", buf_str(&number), buf_str(&fallback), NULL, to);
        else
            words_format(words, "notice.fact-fallback", buf_str(&number), buf_str(&name), buf_str(&fallback), to);
        buf_putc(to, '\n');
    }
}

void inform_say_facts(const struct intake_result *r, const struct reach *reach, const struct conf *conf,
                      const struct words *words, struct buf *to) {
    intake_say(r, conf, words, to);
    if (reach)
        say_audience(r, reach, words, to);
}

static int add_text(const struct inform *i, const char *kind, int64_t announcement, const struct conf_sender *sender,
                    const struct conf_list *list, const char *recipient, const struct words *words, const char *subject,
                    struct view text) {
    AUTOFREE char *clean = strdup(subject); /* a file's name may stand in it */
    if (!clean)
        return -ENOMEM;
    text_cut_clean(clean);
    const struct notice_mail n = {
        .sender = sender, .recipient = recipient, .subject = clean, .text = text, .date_usec = i->now_usec};
    const struct notice_way way = {.db = i->db,
                                   .kind = kind,
                                   .announcement = announcement,
                                   .relays = list ? &list->relays : &sender->relays,
                                   .now_usec = i->now_usec};
    int r = notice_mail_add(i->conf, words, &n, &way);
    return r < 0 ? r : 0;
}

static int add_composed(const struct inform *i, const char *kind, int64_t announcement, const struct conf_list *list,
                        struct compiled *c, struct view token, const char *recipient) {
    AUTOBUF struct buf mail = BUF_INIT(MAIL_MAX_BYTES), id = BUF_INIT(64);
    notice_mail_id(NULL, &id);
    if (buf_error(&id))
        return buf_error(&id);
    const struct compose_recipient to = {.announcement = announcement,
                                         .address = view_of(recipient),
                                         .token = token,
                                         .message_id = buf_view(&id),
                                         .date_usec = i->now_usec};
    const struct notice_way way = {
        .db = i->db, .kind = kind, .announcement = announcement, .relays = &list->relays, .now_usec = i->now_usec};
    int r = compose(c, &to, &mail);
    return r < 0 ? r : notice_mail_add_whole(&way, list->sender, recipient, buf_view(&mail));
}

/* The notice of that key: its subject and text with {1} {2} {3}. */
static void say(const struct words *words, const char *key, const char *const a[3], struct buf *subject,
                struct buf *text) {
    AUTOBUF struct buf name = BUF_INIT(128);
    buf_printf(&name, "notice.%s-subject", key);
    words_format(words, buf_str(&name), a[0], a[1], a[2], subject);
    buf_clear(&name);
    buf_printf(&name, "notice.%s-text", key);
    words_format(words, buf_str(&name), a[0], a[1], a[2], text);
}

/* Whoever looks after several of the lists is told once. The array is the caller's to free, the strings are the
 * configuration's. NULL without memory. */
static const char **coordinators_of(const struct conf_list *const *lists, size_t list_count, size_t *ret_count) {
    size_t room = 1, count = 0;
    for (size_t l = 0; l < list_count; l++)
        room += lists[l]->coordinators.count;
    const char **all = calloc(room, sizeof *all);
    for (size_t l = 0; all && l < list_count; l++)
        for (size_t c = 0; c < lists[l]->coordinators.count; c++) {
            const char *one = lists[l]->coordinators.items[c];
            size_t at = 0;
            while (at < count && strcmp(all[at], one) != 0)
                at++;
            all[at] = one;
            count += at == count;
        }
    *ret_count = count;
    return all;
}

static bool looks_after_all(const struct conf_list *const *lists, size_t list_count, const char *coordinator) {
    for (size_t l = 0; l < list_count; l++) {
        size_t c = 0;
        while (c < lists[l]->coordinators.count && strcmp(lists[l]->coordinators.items[c], coordinator) != 0)
            c++;
        if (c == lists[l]->coordinators.count)
            return false;
    }
    return true;
}

/* The mail as it will be sent, but for the token, the subject's mark and the person. */
static int add_previews(const struct inform *i, const char *kind, int64_t announcement, struct intake_result *r,
                        const char *language, const char *const *recipients, size_t count, struct why *why) {
    const struct compile_options options = {.preview = true};
    struct compiled *c = NULL;
    AUTOBUF struct buf token = BUF_INIT(256);
    struct token t = {.purpose = TOKEN_TEST, .list = r->lists[0]->id};
    int error = compile(&r->bundle, language, &options, why, &c);
    if (error < 0)
        return error;
    error = token_sign(i->keys, &t, &token);
    for (size_t n = 0; error == 0 && n < count; n++)
        error = add_composed(i, kind, announcement, r->lists[0], c, buf_view(&token), recipients[n]);
    (void)compiled_free(c);
    return error < 0 ? why_set(why, error, "cannot compose the mail: %s", strerror(-error)) : 0;
}

/* The page that releases it, where there is a web door. */
static int say_release_link(const struct inform *i, int64_t id, const struct intake_result *r,
                            const struct words *words, struct buf *to) {
    const char *public_url = r->lists[0]->sender->public_url;
    struct token t = {
        .purpose = TOKEN_RELEASE, .announcement = (uint64_t)id, .expires_usec = i->now_usec + INFORM_RELEASE_USEC};
    AUTOBUF struct buf url = BUF_INIT(4096), until = BUF_INIT(256);
    struct when day;
    if (!public_url[0])
        return 0;
    buf_printf(&url, "%s/r/", public_url);
    int error = token_sign(i->keys, &t, &url);
    if (error < 0)
        return error;
    buf_printf(&url, "/%s", words_language(words));
    const char *zone = r->lists[0]->timezone[0] ? r->lists[0]->timezone : i->conf->timezone;
    if (when_from_usec(t.expires_usec, zone, &day) == 0) {
        day.has_time = false;
        when_say(words, &day, &until);
    }
    buf_puts(to, "\n\n");
    words_format(words, "notice.proof-link", buf_str(&url), buf_str(&until), NULL, to);
    return buf_error(&url);
}

int inform_proof(const struct inform *i, int64_t id, struct intake_result *r, const struct reach *reach) {
    size_t count = 0;
    const struct conf_list *list = r->lists[0];
    struct words *words = NULL;
    AUTOFREE const char **coordinators = coordinators_of(r->lists, r->list_count, &count);
    int error = !coordinators ? -ENOMEM : count ? words_of(i->conf, r->head.languages[0], &words) : 0;
    if (!words)
        return error;
    AUTOBUF struct buf subject = BUF_INIT(4096), text = BUF_INIT(TEXT_MAX_BYTES), facts = BUF_INIT(TEXT_MAX_BYTES),
                       number = BUF_INIT(32);
    buf_printf(&number, "%lld", (long long)id);
    words_format(words, "notice.proof-subject", r->subject, buf_str(&number), NULL, &subject);
    inform_say_facts(r, reach, i->conf, words, &facts);
    words_format(words, "notice.proof-text", buf_str(&facts), buf_str(&number), NULL, &text);
    /* The link is for whoever looks after all of its lists. */
    AUTOBUF struct buf with_link = BUF_INIT(TEXT_MAX_BYTES);
    buf_add_view(&with_link, buf_view(&text));
    error = say_release_link(i, id, r, words, &with_link);
    for (size_t c = 0; error == 0 && c < count; c++)
        error = add_text(i, "proof", id, list->sender, list, coordinators[c], words, buf_str(&subject),
                         buf_view(looks_after_all(r->lists, r->list_count, coordinators[c]) ? &with_link : &text));
    for (size_t l = 0; error == 0 && l < r->head.language_count; l++) {
        struct why why = {0};
        error = add_previews(i, "proof", id, r, r->head.languages[l], coordinators, count, &why);
        if (error == -EINVAL) {
            log_why(LOG_ERR, "proof-not-composed", &why);
            error = 0;
        }
    }
    (void)words_free(words);
    return error;
}

int inform_test(const struct inform *i, struct intake_result *r, const char *language, const char *recipient,
                struct why *why) {
    int error = 0;
    if (language && !is_in(r, language))
        return why_set(why, -EINVAL, "the announcement has no text in this language: %s", language);
    for (size_t l = 0; error == 0 && l < r->head.language_count; l++)
        if (!language || strcmp(language, r->head.languages[l]) == 0)
            error = add_previews(i, "test", 0, r, r->head.languages[l], &recipient, 1, why);
    return error;
}

/* names: what only those may read who look after all of the lists, as it names their people; added to the text. */
static int tell_coordinators(const struct inform *i, const char *kind, int64_t id, const struct conf_list *const *lists,
                             size_t list_count, const struct words *words, const char *subject, struct view text,
                             struct view names) {
    size_t count = 0;
    AUTOFREE const char **coordinators = coordinators_of(lists, list_count, &count);
    AUTOBUF struct buf whole = BUF_INIT(2 * TEXT_MAX_BYTES);
    int r = coordinators ? 0 : -ENOMEM;
    buf_add_view(&whole, text);
    buf_add_view(&whole, names);
    for (size_t c = 0; r == 0 && c < count; c++)
        r = add_text(i, kind, id, lists[0]->sender, lists[0], coordinators[c], words, subject,
                     looks_after_all(lists, list_count, coordinators[c]) ? buf_view(&whole) : text);
    return r;
}

int inform_coordinators(const struct inform *i, const struct conf_list *const *lists, size_t list_count, int64_t id,
                        const char *key, const char *a1, const char *a2, const char *a3) {
    struct words *words = NULL;
    int r = words_of(i->conf, lists[0]->languages.items[0], &words);
    if (!words)
        return r;
    AUTOBUF struct buf subject = BUF_INIT(4096), text = BUF_INIT(TEXT_MAX_BYTES);
    say(words, key, (const char *const[]){a1, a2, a3}, &subject, &text);
    r = tell_coordinators(i, key, id, lists, list_count, words, buf_str(&subject), buf_view(&text), VIEW(""));
    (void)words_free(words);
    return r;
}

int inform_recurring(const struct inform *i, int64_t id, const struct intake_result *r, const struct reach *reach) {
    struct words *words = NULL;
    int error = words_of(i->conf, r->head.languages[0], &words);
    if (!words)
        return error;
    AUTOBUF struct buf facts = BUF_INIT(TEXT_MAX_BYTES), number = BUF_INIT(32);
    buf_printf(&number, "%lld", (long long)id);
    inform_say_facts(r, reach, i->conf, words, &facts);
    error =
        inform_coordinators(i, r->lists, r->list_count, id, "recurring", r->subject, buf_str(&facts), buf_str(&number));
    (void)words_free(words);
    return error;
}

int inform_rejected(const struct inform *i, const struct conf_list *list, const char *file, struct view reason) {
    struct words *words = NULL;
    int r = words_of(i->conf, list->languages.items[0], &words);
    if (!words)
        return r;
    AUTOBUF struct buf subject = BUF_INIT(4096), text = BUF_INIT(TEXT_MAX_BYTES);
    AUTOFREE char *because = view_dup(reason);
    words_format(words, "notice.rejected-subject", file, NULL, NULL, &subject);
    words_format(words, "notice.rejected-text", file, because, NULL, &text);
    r = tell_coordinators(i, "rejected", 0, &list, 1, words, buf_str(&subject), buf_view(&text), VIEW(""));
    (void)words_free(words);
    return r;
}

int inform_finished(const struct inform *i, const struct conf_list *const *lists, size_t list_count,
                    const struct announcement_row *row, struct view not_delivered) {
    struct words *words = NULL;
    int r = words_of(i->conf, lists[0]->languages.items[0], &words);
    if (!words)
        return r;
    AUTOBUF struct buf subject = BUF_INIT(4096), text = BUF_INIT(TEXT_MAX_BYTES), got = BUF_INIT(32),
                       all = BUF_INIT(32), counts = BUF_INIT(4096), id = BUF_INIT(32);
    const struct {
        const char *key;
        uint64_t count;
    } rows[] = {{"notice.count-delivered", row->delivered}, {"notice.count-refused", row->refused},
                {"notice.count-deferred", row->deferred},   {"notice.count-in-doubt", row->in_doubt},
                {"notice.count-left-out", row->left_out},   {"notice.count-pending", row->pending}};
    print_count(&got, row->delivered);
    print_count(&all, row->total);
    buf_printf(&id, "%lld", (long long)row->id);
    for (size_t c = 0; c < COUNT_OF(rows); c++)
        if (rows[c].count || c == 0) {
            AUTOBUF struct buf n = BUF_INIT(32);
            print_count(&n, rows[c].count);
            words_format(words, rows[c].key, buf_str(&n), NULL, NULL, &counts);
            buf_putc(&counts, '\n');
        }
    if (row->only[0]) {
        words_format(words, "notice.fact-only", row->only, NULL, NULL, &counts);
        buf_putc(&counts, '\n');
    }
    words_format(words, "notice.finished-subject", row->subject, buf_str(&got), buf_str(&all), &subject);
    words_format(words, "notice.finished-text", row->subject, buf_str(&counts), buf_str(&id), &text);
    AUTOBUF struct buf who = BUF_INIT(TEXT_MAX_BYTES);
    if (not_delivered.len) {
        AUTOFREE char *names = view_dup(not_delivered);
        buf_puts(&who, "\n\n");
        words_format(words, "notice.finished-not", names, buf_str(&id), NULL, &who);
    }
    r = tell_coordinators(i, "finished", row->id, lists, list_count, words, buf_str(&subject), buf_view(&text),
                          buf_view(&who));
    (void)words_free(words);
    return r;
}

int inform_alert(const struct inform *i, const char *key, const char *a1, const char *a2) {
    if (i->conf->alert.count == 0 || i->conf->sender_count == 0)
        return 0;
    struct words *words = NULL;
    int r = words_of(i->conf, i->conf->language, &words);
    if (!words)
        return r;
    AUTOBUF struct buf subject = BUF_INIT(4096), text = BUF_INIT(TEXT_MAX_BYTES);
    say(words, key, (const char *const[]){a1, a2, NULL}, &subject, &text);
    for (size_t c = 0; r == 0 && c < i->conf->alert.count; c++)
        r = add_text(i, "alert", 0, &i->conf->senders[0], NULL, i->conf->alert.items[c], words, buf_str(&subject),
                     buf_view(&text));
    (void)words_free(words);
    return r;
}
