#include "announce/intake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "announce/compile.h"
#include "announce/draft.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/files.h"
#include "base/number.h"
#include "base/text.h"
#include "conf/conf.h"
#include "mail/address.h"
#include "mail/template_file.h"
#include "mail/words.h"
#include "trust/code.h"

/* Types that the big receivers refuse to take in, whatever stands in them. */
static const char *const blocked_endings[] = {
    ".exe", ".bat", ".cmd", ".com", ".scr", ".pif", ".js",  ".jse", ".vbs", ".vbe", ".wsf", ".wsh",
    ".hta", ".jar", ".msi", ".lnk", ".ps1", ".reg", ".cpl", ".dll", ".iso", ".img", ".apk",
};

enum { SUBJECT_MAX_BYTES = 400, HTML_CLIP_BYTES = 100 * 1024 };

struct checking {
    const struct source *source;
    const struct intake_options *options;
    struct problems *problems;
    struct intake_result *result;
    struct languages languages;
    struct draft drafts[BUNDLE_LANGUAGES_MAX]; /* in the order of head.languages, translations overlaid */
    size_t draft_count;
};

int intake_languages(const struct conf *conf, char ***ret, size_t *ret_count) {
    return words_languages(conf->templates_local, conf->templates, ret, ret_count);
}

static const struct draft *first(const struct checking *k) {
    return &k->drafts[0];
}

static void complain(const struct checking *k, enum draft_key key, const char *problem, const char *a1, const char *a2,
                     const char *near) {
    draft_problem(first(k), key, k->problems, problem, a1, a2, near);
}

static char *own(struct checking *k, const char *s) {
    return arena_strdup(&k->result->bundle.arena, s);
}

static const char *zone_of(const struct checking *k) {
    const struct conf_list *l = k->result->list;
    return l && l->timezone[0] ? l->timezone : k->options->conf->timezone;
}

static int read_first(struct checking *k) {
    const char *name = k->source->first;
    int r = draft_read(name, bundle_get(&k->source->files, name), false, k->options->conf->timezone, k->problems,
                       &k->drafts[0]);
    k->draft_count = r == 0 || r == -EINVAL;
    return r;
}

static void check_list(struct checking *k) {
    const struct conf *conf = k->options->conf;
    const char *named = draft_has(first(k), DRAFT_LIST) ? draft_text(first(k), DRAFT_LIST) : NULL;
    const char *wanted = k->options->list ? k->options->list : named;
    if (named && strchr(named, ',')) {
        complain(k, DRAFT_LIST, "several-lists", NULL, NULL, NULL);
        return;
    }
    if (!wanted) {
        complain(k, DRAFT_LIST, "no-list", NULL, NULL, NULL);
        return;
    }
    if (named && strcmp(named, wanted) != 0)
        complain(k, DRAFT_LIST, "other-list", named, wanted, NULL);
    k->result->list = conf_find_list(conf, view_of(wanted));
    if (!k->result->list) {
        const char **names = calloc(conf->list_count + 1, sizeof *names);
        for (size_t i = 0; names && i < conf->list_count; i++)
            names[i] = conf->lists[i].name;
        complain(k, DRAFT_LIST, "unknown-list", wanted, NULL,
                 names ? text_nearest(view_of(wanted), names, conf->list_count) : NULL);
        free(names);
    }
}

static int read_translations(struct checking *k) {
    const struct conf_list *list = k->result->list;
    struct bundle_head *head = &k->result->head;
    head->languages[0] = own(k, list ? list->languages.items[0] : k->options->conf->language);
    head->texts[0] = own(k, k->source->first);
    head->language_count = 1;
    for (size_t i = 0; i < k->source->files.count; i++) {
        const char *name = k->source->files.files[i].path;
        const char *language = source_translation(name, k->source->stem, &k->languages);
        if (language[0] == '\0')
            continue;
        if (strcmp(language, head->languages[0]) == 0 || head->language_count == BUNDLE_LANGUAGES_MAX) {
            problem_add(k->problems, false, name, 0, "translation-twice", language, NULL, NULL);
            continue;
        }
        if (list && !conf_list_has_language(list, language))
            problem_add(k->problems, false, name, 0, "translation-not-listed", language, list->name, NULL);
        struct draft *d = &k->drafts[k->draft_count];
        int r = draft_read(name, k->source->files.files[i].content, true, zone_of(k), k->problems, d);
        if (r < 0 && r != -EINVAL)
            return r;
        k->draft_count++;
        draft_overlay(d, first(k));
        head->languages[head->language_count] = own(k, language);
        head->texts[head->language_count++] = own(k, name);
    }
    return 0;
}

static void check_subject(struct checking *k) {
    for (size_t i = 0; i < k->draft_count; i++) {
        const struct draft *d = &k->drafts[i];
        if (!draft_has(d, DRAFT_SUBJECT))
            draft_problem(d, DRAFT_SUBJECT, k->problems, "subject-missing", NULL, NULL, NULL);
        else if (strlen(draft_text(d, DRAFT_SUBJECT)) > SUBJECT_MAX_BYTES)
            draft_problem(d, DRAFT_SUBJECT, k->problems, "subject-too-long", NULL, NULL, NULL);
    }
    k->result->subject = own(k, draft_text(first(k), DRAFT_SUBJECT));
}

static bool parse_when(struct checking *k, enum draft_key key, struct when *ret) {
    const char *text = draft_text(first(k), key);
    switch (when_parse(view_of(text), ret)) {
    case WHEN_OK: return true;
    case WHEN_NOT_A_DATE: complain(k, key, "not-a-date", text, NULL, NULL); break;
    case WHEN_NO_SUCH_DAY: complain(k, key, "no-such-day", text, NULL, NULL); break;
    case WHEN_NO_SUCH_TIME: complain(k, key, "no-such-time", text, NULL, NULL); break;
    case WHEN_BAD_ZONE: complain(k, key, "bad-zone", text, NULL, NULL); break;
    }
    return false;
}

static bool to_usec(struct checking *k, enum draft_key key, const struct when *w, const char *zone, int64_t *ret) {
    enum when_fault fault = when_to_usec(w, zone, ret);
    if (fault == WHEN_NO_SUCH_TIME)
        complain(k, key, "clock-change", draft_text(first(k), key), zone, NULL);
    return fault == WHEN_OK;
}

static bool allows_past(const struct checking *k) {
    bool late = false;
    return k->options->allow_past || (number_parse_bool(view_of(draft_text(first(k), DRAFT_LATE)), &late) == 0 && late);
}

static void check_event(struct checking *k) {
    const struct draft *d = first(k);
    struct intake_result *r = k->result;
    bool any = draft_has(d, DRAFT_TITLE) || draft_has(d, DRAFT_START) || draft_has(d, DRAFT_END) ||
               draft_has(d, DRAFT_LOCATION) || draft_has(d, DRAFT_URL) || draft_has(d, DRAFT_TIMEZONE);
    if (!any)
        return;
    if (!draft_has(d, DRAFT_START)) {
        complain(k, DRAFT_START, "start-missing", NULL, NULL, NULL);
        return;
    }
    r->event_zone = own(k, draft_has(d, DRAFT_TIMEZONE) ? draft_text(d, DRAFT_TIMEZONE) : zone_of(k));
    if (!when_zone_exists(r->event_zone)) {
        complain(k, DRAFT_TIMEZONE, "bad-zone", r->event_zone, NULL, NULL);
        return;
    }
    if (!parse_when(k, DRAFT_START, &r->event_start))
        return;
    r->event_end = r->event_start;
    if (draft_has(d, DRAFT_END)) {
        const char *text = draft_text(d, DRAFT_END);
        struct when time;
        if (r->event_start.has_time && when_parse_time(view_of(text), &time) == WHEN_OK) {
            complain(k, DRAFT_END, "end-without-date", text, NULL, NULL);
            return;
        }
        if (!parse_when(k, DRAFT_END, &r->event_end))
            return;
    }
    int64_t start, end;
    if (r->event_end.has_time != r->event_start.has_time) {
        complain(k, DRAFT_END, "end-of-other-kind", NULL, NULL, NULL);
        return;
    }
    if (!to_usec(k, DRAFT_START, &r->event_start, r->event_zone, &start))
        return;
    struct when last = r->event_end;
    if (!last.has_time)
        when_add_days(&last, 1);
    if (!to_usec(k, DRAFT_END, &last, r->event_zone, &end))
        return;
    if (end < start)
        complain(k, DRAFT_END, "end-before-start", NULL, NULL, NULL);
    else if (end <= k->options->now_usec && !allows_past(k))
        complain(k, DRAFT_START, "event-past", draft_text(d, DRAFT_START), NULL, NULL);
    r->event_end_usec = end;
    r->has_event = true;
}

static void check_sending(struct checking *k) {
    const struct draft *d = first(k);
    struct intake_result *r = k->result;
    int64_t now = k->options->now_usec;
    bool late;
    if (draft_has(d, DRAFT_LATE) && number_parse_bool(view_of(draft_text(d, DRAFT_LATE)), &late) < 0)
        complain(k, DRAFT_LATE, "not-yes-or-no", draft_text(d, DRAFT_LATE), NULL, NULL);
    if (k->options->send_at_usec)
        r->send_at_usec = k->options->send_at_usec;
    else if (draft_has(d, DRAFT_SEND_AT)) {
        struct when at;
        if (!parse_when(k, DRAFT_SEND_AT, &at))
            return;
        if (!at.has_time) {
            at.has_time = true;
            at.hour = 9;
        }
        if (!to_usec(k, DRAFT_SEND_AT, &at, zone_of(k), &r->send_at_usec))
            return;
        if (r->send_at_usec < now - USEC_PER_MIN && !allows_past(k))
            complain(k, DRAFT_SEND_AT, "send-at-past", draft_text(d, DRAFT_SEND_AT), NULL, NULL);
    }
    int64_t start = r->send_at_usec ? r->send_at_usec : now;
    int64_t until = start + k->options->conf->retry_give_up_usec;
    if (draft_has(d, DRAFT_SEND_UNTIL)) {
        struct when w;
        if (!parse_when(k, DRAFT_SEND_UNTIL, &w))
            return;
        if (!w.has_time)
            when_add_days(&w, 1);
        if (!to_usec(k, DRAFT_SEND_UNTIL, &w, zone_of(k), &until))
            return;
        if (until <= start)
            complain(k, DRAFT_SEND_UNTIL, "send-until-early", NULL, NULL, NULL);
    }
    if (r->has_event && until > r->event_end_usec && r->event_end_usec > now)
        until = r->event_end_usec;
    if (r->has_event && r->event_end_usec <= start && r->event_end_usec > now)
        complain(k, DRAFT_SEND_AT, "send-after-event", NULL, NULL, NULL);
    r->send_until_usec = until;
}

static bool is_web_url(struct view v) {
    size_t host = view_starts(v, "https://") ? 8 : view_starts(v, "http://") ? 7 : 0;
    if (host == 0 || v.len == host || v.len > 900 || text_has_control(v))
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (strchr(" <>\"`{}|\\^", v.ptr[i]))
            return false;
    return true;
}

static bool is_allowed(const char *text, const char *const *allowed, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (allowed[i][0] && strcasecmp(allowed[i], text) == 0)
            return true;
    return false;
}

static void check_people(struct checking *k) {
    const struct conf_list *l = k->result->list;
    for (size_t i = 0; i < k->draft_count; i++) {
        const struct draft *d = &k->drafts[i];
        struct address address;
        if (draft_has(d, DRAFT_CONTACT_MAIL) &&
            (address_parse(view_of(draft_text(d, DRAFT_CONTACT_MAIL)), &address) != ADDRESS_OK ||
             address.needs_smtputf8))
            draft_problem(d, DRAFT_CONTACT_MAIL, k->problems, "bad-address", draft_text(d, DRAFT_CONTACT_MAIL), NULL,
                          NULL);
        if (draft_has(d, DRAFT_URL) && !is_web_url(view_of(draft_text(d, DRAFT_URL))))
            draft_problem(d, DRAFT_URL, k->problems, "bad-url", draft_text(d, DRAFT_URL), NULL, NULL);
        if (!l)
            continue;
        const char *const names[] = {l->from_name, l->sender->name, l->sender->organisation, l->title};
        if (draft_has(d, DRAFT_FROM_NAME) && !is_allowed(draft_text(d, DRAFT_FROM_NAME), names, COUNT_OF(names)))
            draft_problem(d, DRAFT_FROM_NAME, k->problems, "from-name-not-allowed", draft_text(d, DRAFT_FROM_NAME),
                          l->from_name[0] ? l->from_name : l->sender->name, NULL);
        const char *const replies[] = {l->reply_to, l->sender->reply_to, l->sender->address,
                                       draft_text(d, DRAFT_CONTACT_MAIL)};
        bool fits = is_allowed(draft_text(d, DRAFT_REPLY_TO), replies, COUNT_OF(replies)) ||
                    is_allowed(draft_text(d, DRAFT_REPLY_TO), l->coordinators.items, l->coordinators.count);
        if (draft_has(d, DRAFT_REPLY_TO) && !fits)
            draft_problem(d, DRAFT_REPLY_TO, k->problems, "reply-to-not-allowed", draft_text(d, DRAFT_REPLY_TO), NULL,
                          NULL);
    }
}

static void check_attachments_of(struct checking *k, const struct draft *d, uint64_t *total) {
    struct view rest = view_of(draft_text(d, DRAFT_ATTACH)), item;
    const char *names[BUNDLE_FILES_MAX];
    for (size_t i = 0; i < k->source->files.count; i++)
        names[i] = k->source->files.files[i].path;
    while (view_split(&rest, ',', &item)) {
        item = view_trim(item);
        AUTOFREE char *name = view_dup(item);
        if (item.len == 0 || !name)
            continue;
        struct view content = bundle_get(&k->source->files, name);
        if (!content.ptr) {
            draft_problem(d, DRAFT_ATTACH, k->problems, "attachment-missing", name, NULL,
                          text_nearest(item, names, k->source->files.count));
            continue;
        }
        *total += content.len;
        for (size_t i = 0; i < COUNT_OF(blocked_endings); i++) {
            size_t len = strlen(blocked_endings[i]);
            if (item.len > len && view_eq_nocase(view_slice(item, item.len - len, len), blocked_endings[i]))
                draft_problem(d, DRAFT_ATTACH, k->problems, "attachment-blocked", name, NULL, NULL);
        }
    }
}

static void check_attachments(struct checking *k) {
    uint64_t limit = k->options->conf->attachment_limit_bytes;
    for (size_t i = 0; i < k->draft_count; i++) {
        uint64_t total = 0;
        check_attachments_of(k, &k->drafts[i], &total);
        if (total > limit) {
            char is[32], may[32];
            (void)snprintf(is, sizeof is, "%.1f", (double)total / (1 << 20));
            (void)snprintf(may, sizeof may, "%.1f", (double)limit / (1 << 20));
            draft_problem(&k->drafts[i], DRAFT_ATTACH, k->problems, "attachments-too-big", is, may, NULL);
        }
    }
}

/* Everything that shapes the mails goes in: coordinators' files, settings, and of each language the words and templates
 * in force. */
static int add_templates(struct checking *k, const char *language) {
    const struct conf *conf = k->options->conf;
    struct bundle *b = &k->result->bundle;
    const char *chosen = draft_has(first(k), DRAFT_TEMPLATE) ? draft_text(first(k), DRAFT_TEMPLATE)
                         : k->result->has_event              ? "workshop"
                                                             : "announcement";
    struct words *words = NULL;
    struct why why;
    int r = words_load(conf->templates_local, conf->templates, language, &why, &words);
    if (r < 0) {
        problem_add(k->problems, false, "", 0, "no-words", language, why.what, NULL);
        return r == -ENOMEM ? r : -EINVAL;
    }
    AUTOBUF struct buf text = BUF_INIT(1 << 20), path = BUF_INIT(256);
    buf_printf(&path, "templates/%s/words.ini", language);
    words_print(words, &text);
    r = buf_error(&text) ? buf_error(&text) : bundle_add(b, buf_str(&path), buf_view(&text));
    static const char *const endings[] = {"html", "txt"};
    for (size_t i = 0; r == 0 && i < COUNT_OF(endings); i++) {
        AUTOBUF struct buf name = BUF_INIT(256);
        buf_printf(&name, "%s.%s", chosen, endings[i]);
        buf_clear(&text);
        buf_clear(&path);
        buf_printf(&path, "templates/%s/mail.%s", language, endings[i]);
        r = template_file_read(conf->templates_local, conf->templates, language, buf_str(&name), &text);
        if (r == 0)
            r = bundle_add(b, buf_str(&path), buf_view(&text));
        else if (r != -ENOMEM) {
            complain(k, DRAFT_TEMPLATE, "no-template", buf_str(&name), language, NULL);
            r = -EINVAL;
        }
    }
    (void)words_free(words);
    return r;
}

static int digest_files(struct checking *k) {
    AUTOBUF struct buf all = BUF_INIT(BUNDLE_FILES_MAX * 64);
    /* Order of names, so that the folder's order does not matter. */
    const struct bundle *files = &k->source->files;
    size_t order[BUNDLE_FILES_MAX];
    for (size_t i = 0; i < files->count; i++) {
        size_t j = i;
        for (; j > 0 && strcmp(files->files[order[j - 1]].path, files->files[i].path) > 0; j--)
            order[j] = order[j - 1];
        order[j] = i;
    }
    for (size_t i = 0; i < files->count; i++) {
        uint8_t digest[32];
        code_digest(view_of(files->files[order[i]].path), digest);
        buf_add(&all, digest, sizeof digest);
        code_digest(files->files[order[i]].content, digest);
        buf_add(&all, digest, sizeof digest);
    }
    code_digest(buf_view(&all), k->result->head.identity);
    return buf_error(&all);
}

static int choose_event_identity(struct checking *k) {
    struct bundle_head *head = &k->result->head;
    head->uid = "";
    if (!k->result->has_event)
        return 0;
    if (k->options->find_event) {
        int r = k->options->find_event(k->options->user, k->result->list, head->name, &k->result->bundle.arena,
                                       &head->uid, &head->sequence);
        if (r < 0)
            return r;
        if (r == 1) {
            head->sequence++;
            return 0;
        }
    }
    uint8_t random[16];
    AUTOBUF struct buf uid = BUF_INIT(256);
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return -EIO;
    encode_hex(&uid, random, sizeof random);
    const char *at = strrchr(k->result->list->sender->address, '@');
    buf_printf(&uid, "@%s", at ? at + 1 : "localhost");
    head->uid = own(k, buf_str(&uid));
    head->sequence = 0;
    return head->uid ? 0 : -ENOMEM;
}

static int make_bundle(struct checking *k) {
    struct intake_result *r = k->result;
    struct bundle *b = &r->bundle;
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    r->head.name = own(k, k->source->stem);
    r->head.list = own(k, r->list->name);
    r->head.first = own(k, k->source->first);
    r->head.created_usec = k->options->now_usec;
    int error = digest_files(k);
    if (error == 0)
        error = choose_event_identity(k);
    if (error == 0) {
        bundle_head_print(&r->head, &text);
        error = bundle_add(b, "bundle.ini", buf_view(&text));
    }
    if (error == 0) {
        buf_clear(&text);
        conf_dump_list(k->options->conf, r->list, &text);
        error = buf_error(&text) ? buf_error(&text) : bundle_add(b, "settings.ini", buf_view(&text));
    }
    for (size_t i = 0; error == 0 && i < k->source->files.count; i++) {
        buf_clear(&text);
        buf_printf(&text, "files/%s", k->source->files.files[i].path);
        error = bundle_add(b, buf_str(&text), k->source->files.files[i].content);
    }
    for (size_t i = 0; error == 0 && i < r->head.language_count; i++)
        error = add_templates(k, r->head.languages[i]);
    return error;
}

static void check_salutation(struct checking *k, size_t i, const struct words *words) {
    const struct draft *d = &k->drafts[i];
    bool has_field = view_search(d->body, VIEW("{{salutation}}")) < d->body.len;
    if (!has_field)
        problem_add(k->problems, true, d->file, d->body_line, "salutation-missing", NULL, NULL, NULL);
    struct view openings = view_of(words_get(words, "salutation.openings")), opening, rest = d->body, line;
    /* The first lines: "Sehr geehrte …" written by hand beside the field would greet twice. */
    for (int n = 0; n < 4 && view_line(&rest, &line);) {
        line = view_trim(line);
        if (line.len == 0)
            continue;
        n++;
        for (struct view o = openings; view_split(&o, ';', &opening);) {
            opening = view_trim(opening);
            if (has_field && opening.len && line.len >= opening.len &&
                view_eq(view_slice(line, 0, opening.len), opening))
                problem_add(k->problems, true, d->file, d->body_line, "salutation-twice", NULL, NULL, NULL);
        }
    }
}

static void check_size(struct checking *k, size_t i, struct compiled *c) {
    uint64_t limit = k->options->conf->message_limit_bytes;
    if (compiled_size(c) > limit) {
        char is[32], may[32];
        (void)snprintf(is, sizeof is, "%.1f", (double)compiled_size(c) / (1 << 20));
        (void)snprintf(may, sizeof may, "%.1f", (double)limit / (1 << 20));
        problem_add(k->problems, false, k->drafts[i].file, 0, "message-too-big", is, may, NULL);
    }
    AUTOBUF struct buf html = BUF_INIT(8 << 20);
    const struct compose_recipient nobody = {.token = VIEW("x")};
    if (compose_part(c, &nobody, true, &html) == 0 && html.len > HTML_CLIP_BYTES)
        problem_add(k->problems, true, k->drafts[i].file, 0, "html-clipped", NULL, NULL, NULL);
}

/* The proof of the pudding: each language is compiled as it will be sent. */
static int compile_each(struct checking *k) {
    struct intake_result *r = k->result;
    for (size_t i = 0; i < r->head.language_count; i++) {
        struct compiled *c = NULL;
        struct words *words = NULL;
        struct why why = {0};
        size_t errors = k->problems->errors;
        const struct compile_options options = {.problems = k->problems};
        int error = words_load(k->options->conf->templates_local, k->options->conf->templates, r->head.languages[i],
                               &why, &words);
        if (error == 0)
            error = compile(&r->bundle, r->head.languages[i], &options, &why, &c);
        if (error == 0) {
            check_salutation(k, i, words);
            check_size(k, i, c);
        } else if (error == -EINVAL && k->problems->errors == errors)
            problem_add(k->problems, false, k->drafts[i].file, 0, "cannot-compile", why.what, NULL, NULL);
        (void)compiled_free(c);
        (void)words_free(words);
        if (error < 0 && error != -EINVAL)
            return error;
    }
    return 0;
}

static int check_steps(struct checking *k) {
    int r = read_first(k);
    if (r < 0 && r != -EINVAL)
        return r;
    check_list(k);
    r = read_translations(k);
    if (r < 0)
        return r;
    for (size_t i = 0; i < k->draft_count; i++)
        if (view_trim(k->drafts[i].body).len == 0 && k->problems->errors == 0)
            problem_add(k->problems, false, k->drafts[i].file, 0, "body-empty", NULL, NULL, NULL);
    check_subject(k);
    check_event(k);
    check_sending(k);
    check_people(k);
    check_attachments(k);
    if (k->problems->errors == 0) {
        r = make_bundle(k);
        if (r == 0)
            r = compile_each(k);
    }
    return r;
}

int intake_check(const struct source *source, const struct intake_options *options, struct problems *problems,
                 struct intake_result *ret) {
    struct checking *k = calloc(1, sizeof *k);
    if (!k)
        return -ENOMEM;
    *ret = (struct intake_result){0};
    bundle_init(&ret->bundle);
    k->source = source;
    k->options = options;
    k->problems = problems;
    k->result = ret;
    char **codes = NULL;
    int r = intake_languages(options->conf, &codes, &k->languages.count);
    k->languages.codes = codes;
    if (r == 0)
        r = check_steps(k);
    files_free_names(codes, k->languages.count);
    for (size_t i = 0; i < k->draft_count; i++)
        draft_done(&k->drafts[i]);
    free(k);
    if (r == 0 && problems->errors)
        r = -EINVAL;
    if (r < 0)
        intake_result_done(ret);
    return r;
}

void intake_result_done(struct intake_result *r) {
    bundle_done(&r->bundle);
    *r = (struct intake_result){0};
}

static void say_moment(const struct words *words, int64_t usec, const char *zone, struct buf *to) {
    struct when w;
    if (when_from_usec(usec, zone, &w) == 0)
        when_say(words, &w, to);
}

void intake_say(const struct intake_result *r, const struct conf *conf, const struct words *words, struct buf *to) {
    const char *zone = r->list->timezone[0] ? r->list->timezone : conf->timezone;
    AUTOBUF struct buf moment = BUF_INIT(1024);
    words_format(words, "notice.fact-subject", r->subject, NULL, NULL, to);
    buf_putc(to, '\n');
    if (r->has_event) {
        when_say_range(words, &r->event_start, &r->event_end, &moment);
        words_format(words, "notice.fact-event", buf_str(&moment), NULL, NULL, to);
        buf_putc(to, '\n');
        buf_clear(&moment);
    }
    if (r->send_at_usec) {
        say_moment(words, r->send_at_usec, zone, &moment);
        words_format(words, "notice.fact-send-at", buf_str(&moment), NULL, NULL, to);
    } else
        buf_puts(to, words_get(words, "notice.fact-send-now"));
    buf_putc(to, '\n');
    buf_clear(&moment);
    say_moment(words, r->send_until_usec, zone, &moment);
    words_format(words, "notice.fact-send-until", buf_str(&moment), NULL, NULL, to);
    buf_putc(to, '\n');
}
