/* Templates are checked as they are used: by making mails of them. */
#include <errno.h>
#include <string.h>

#include "announce/checkup.h"
#include "announce/compile.h"
#include "announce/intake.h"
#include "announce/notice_mail.h"
#include "base/clock.h"
#include "base/number.h"
#include "conf/conf.h"
#include "mail/words.h"

enum { DAYS_AHEAD = 30 };

static const char text_below[] = "---\n{{salutation}},\n\nText.\n";

/* An announcement, or an invitation: each has its template. */
static void print_draft(bool is_event, struct buf *to) {
    int year, month, day;
    clock_civil_from_days(clock_now_usec() / USEC_PER_DAY + DAYS_AHEAD, &year, &month, &day);
    buf_puts(to, "[announcement]\nsubject = Test\n");
    if (is_event)
        buf_printf(to,
                   "[event]\ntitle = Test\nstart = %04d-%02d-%02d 10:00\nend = %04d-%02d-%02d 15:30\nlocation = Test\n",
                   year, month, day, year, month, day);
    buf_puts(to, text_below);
}

/* With a translation into each language of the list: else only its first is used. */
static int make_files(const struct conf_list *list, bool is_event, struct bundle *ret) {
    AUTOBUF struct buf text = BUF_INIT(4096);
    print_draft(is_event, &text);
    bundle_init(ret);
    int r = bundle_add(ret, "check.md", buf_view(&text));
    buf_clear(&text);
    buf_printf(&text, "[announcement]\nsubject = Test\n%s", text_below);
    for (size_t i = 1; r == 0 && i < list->languages.count; i++) {
        AUTOBUF struct buf name = BUF_INIT(64);
        buf_printf(&name, "check.%s.md", list->languages.items[i]);
        r = bundle_add(ret, buf_str(&name), buf_view(&text));
    }
    return r;
}

static const char matters[] = "Announcements in this language are refused, or do not look as they should";

/* English where it can be had: so speaks the rest. */
static void say_problems(struct checkup *k, const struct conf *conf, const struct conf_list *list,
                         const struct problems *problems) {
    AUTOBUF struct buf text = BUF_INIT(64 * 1024), about = BUF_INIT(256);
    struct words *words = NULL;
    struct why why;
    buf_printf(&about, "list %s", list->name);
    if (words_load(conf->templates_local, conf->templates, "en", &why, &words) < 0 &&
        words_load(conf->templates_local, conf->templates, conf->language, &why, &words) < 0) {
        checkup_say(k, CHECKUP_WRONG, "templates", why.where, matters, why.todo, "%s", why.what);
        return;
    }
    problems_print(problems, words, &text);
    struct view rest = buf_view(&text), line;
    while (view_line(&rest, &line))
        if (line.len)
            checkup_say(k, CHECKUP_WRONG, "templates", buf_str(&about), matters,
                        "Mend the file; what is shipped is right as it is, so look at your own templates first", "%.*s",
                        (int)line.len, line.ptr);
    (void)words_free(words);
}

static void check_draft(struct checkup *k, const struct conf *conf, const struct conf_list *list, bool is_event) {
    struct bundle files;
    struct source source;
    struct intake_result result;
    struct problems problems;
    struct why why;
    problems_init(&problems);
    int r = make_files(list, is_event, &files);
    if (r == 0)
        r = source_from(&files, "check.md", &source, &why);
    bundle_done(&files);
    if (r == 0) {
        const struct intake_options options = {.conf = conf, .lists = list->name, .now_usec = clock_now_usec()};
        r = intake_check(&source, &options, &problems, &result);
        if (r == 0)
            intake_result_done(&result);
        source_done(&source);
    }
    if (r == -EINVAL && problems.errors)
        say_problems(k, conf, list, &problems);
    else if (r < 0)
        checkup_say(k, CHECKUP_WRONG, "templates", list->name, matters, "See to what is said of the machine",
                    "they could not be tried: %s", strerror(-r));
    problems_done(&problems);
}

static void check_notice(struct checkup *k, const struct conf *conf, const char *language) {
    AUTOBUF struct buf message = BUF_INIT(1 << 20);
    struct words *words = NULL;
    struct why why;
    if (words_load(conf->templates_local, conf->templates, language, &why, &words) < 0) {
        checkup_say(k, CHECKUP_WRONG, "templates", why.where[0] ? why.where : language, matters, why.todo, "%s",
                    why.what);
        return;
    }
    const struct notice_mail mail = {.sender = &conf->senders[0],
                                     .recipient = "test@example.invalid",
                                     .subject = "Test",
                                     .text = VIEW("Test\n"),
                                     .date_usec = clock_now_usec()};
    int r = conf->sender_count ? notice_mail_compose(conf, words, &mail, &message) : 0;
    if (r < 0)
        checkup_say(k, CHECKUP_WRONG, "templates", "notice.txt", "Nobody gets proofs, results and alerts",
                    "Bring back common/notice.txt of the shipped templates", "no system mail can be made in %s: %s",
                    language, strerror(-r));
    (void)words_free(words);
}

/* Whether a list before this one has all of its languages, and its tone. */
static bool is_covered(const struct conf *conf, size_t list) {
    const struct conf_list *l = &conf->lists[list];
    for (size_t i = 0; i < list; i++) {
        size_t n = 0;
        while (n < l->languages.count && conf_list_has_language(&conf->lists[i], l->languages.items[n]))
            n++;
        if (n == l->languages.count && conf->lists[i].tone == l->tone && conf->lists[i].sender == l->sender)
            return true;
    }
    return false;
}

/* Words and system mail of the languages that no list before this one has. */
static void check_languages(struct checkup *k, const struct conf *conf, size_t list) {
    const struct conf_strings *languages = &conf->lists[list].languages;
    for (size_t l = 0; l < languages->count; l++) {
        bool seen = strcmp(languages->items[l], conf->language) == 0;
        for (size_t i = 0; i < list; i++)
            seen |= conf_list_has_language(&conf->lists[i], languages->items[l]);
        if (!seen)
            check_notice(k, conf, languages->items[l]);
    }
}

void checkup_templates(struct checkup *k, const struct conf *conf) {
    size_t tried = 0;
    k->troubled = false;
    check_notice(k, conf, conf->language);
    for (size_t i = 0; i < conf->list_count; i++)
        check_languages(k, conf, i);
    bool speaks = !k->troubled; /* else each mail would say the same again */
    for (size_t i = 0; i < conf->list_count && speaks; i++) {
        if (is_covered(conf, i))
            continue;
        check_draft(k, conf, &conf->lists[i], false);
        check_draft(k, conf, &conf->lists[i], true);
        tried++;
    }
    if (!k->troubled)
        checkup_say(k, CHECKUP_OK, "templates", conf->templates, "", "",
                    "make mails in every language of every list (tried with %zu of %zu lists, which cover all)", tried,
                    conf->list_count);
}
