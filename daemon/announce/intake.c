#include "announce/intake.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announce/checking.h"
#include "announce/compile.h"
#include "announce/fields.h"
#include "announce/reader_time.h"
#include "base/files.h"
#include "base/text.h"
#include "conf/conf.h"
#include "mail/filter.h"
#include "mail/words.h"

enum { HTML_CLIP_BYTES = 100 * 1024 };

int intake_languages(const struct conf *conf, char ***ret, size_t *ret_count) {
    return words_languages(conf->templates_local, conf->templates, ret, ret_count);
}

const struct draft *checking_first(const struct checking *k) {
    return &k->drafts[0];
}

void checking_complain(const struct checking *k, enum draft_key key, const char *problem, const char *a1,
                       const char *a2, const char *near) {
    draft_problem(checking_first(k), key, k->problems, problem, a1, a2, near);
}

char *checking_own(struct checking *k, const char *s) {
    return arena_strdup(&k->result->bundle.arena, s);
}

const struct conf_list *checking_list(const struct checking *k) {
    return k->result->list_count ? k->result->lists[0] : NULL;
}

const char *checking_zone(const struct checking *k) {
    const struct conf_list *l = checking_list(k);
    return l && l->timezone[0] ? l->timezone : k->options->conf->timezone;
}

static int read_first(struct checking *k) {
    const char *name = k->source->first;
    /* A calendar file may leave the zone to the list, which only a text can name. */
    if (k->options->lists) {
        struct view rest = view_of(k->options->lists), first;
        k->result->lists[0] =
            view_split(&rest, ',', &first) ? conf_find_list(k->options->conf, view_trim(first)) : NULL;
        k->result->list_count = k->result->lists[0] != NULL;
    }
    int r = draft_read(name, bundle_get(&k->source->files, name), false, checking_zone(k), k->problems, &k->drafts[0]);
    k->draft_count = r == 0 || r == -EINVAL;
    return r;
}

static void complain_unknown(struct checking *k, const char *name) {
    const struct conf *conf = k->options->conf;
    const char **names = calloc(conf->list_count + 1, sizeof *names);
    for (size_t i = 0; names && i < conf->list_count; i++)
        names[i] = conf->lists[i].name;
    checking_complain(k, DRAFT_LIST, "unknown-list", name, NULL,
                      names ? text_nearest(view_of(name), names, conf->list_count) : NULL);
    free(names);
}

static bool same_relays(const struct conf_list *a, const struct conf_list *b) {
    bool same = a->relays.count == b->relays.count;
    for (size_t i = 0; same && i < a->relays.count; i++)
        same = strcmp(a->relays.items[i], b->relays.items[i]) == 0;
    return same;
}

/* Whom people hear from, and by which way, is one thing for all that get an announcement. */
static void add_list(struct checking *k, const char *name) {
    struct intake_result *r = k->result;
    const struct conf_list *list = conf_find_list(k->options->conf, view_of(name)), *first = checking_list(k);
    for (size_t i = 0; i < r->list_count; i++)
        if (r->lists[i] == list) {
            checking_complain(k, DRAFT_LIST, "list-twice", name, NULL, NULL);
            return;
        }
    if (!list)
        complain_unknown(k, name);
    else if (r->list_count == BUNDLE_LISTS_MAX)
        checking_complain(k, DRAFT_LIST, "too-many-lists", NULL, NULL, NULL);
    else if (first && first->sender != list->sender)
        checking_complain(k, DRAFT_LIST, "lists-of-senders", first->name, list->name, NULL);
    else if (first && !same_relays(first, list))
        checking_complain(k, DRAFT_LIST, "lists-of-relays", first->name, list->name, NULL);
    else
        r->lists[r->list_count++] = list;
}

static bool names_list(const char *lists, struct view name) {
    struct view rest = view_of(lists), one;
    while (view_split(&rest, ',', &one))
        if (view_eq(view_trim(one), name))
            return true;
    return false;
}

static bool names_all(const char *lists, const char *others) {
    struct view rest = view_of(others), one;
    while (view_split(&rest, ',', &one))
        if (!names_list(lists, view_trim(one)))
            return false;
    return true;
}

/* The file's own word counts, where the command or the folder does not say otherwise. */
static void check_lists(struct checking *k) {
    const char *named = draft_has(checking_first(k), DRAFT_LIST) ? draft_text(checking_first(k), DRAFT_LIST) : NULL;
    const char *wanted = k->options->lists, *lists = named ? named : wanted;
    struct view rest = view_of(lists ? lists : ""), one;
    k->result->list_count = 0;
    if (!lists)
        checking_complain(k, DRAFT_LIST, "no-list", NULL, NULL, NULL);
    else if (named && wanted &&
             (!names_all(named, wanted) || (!k->options->lists_are_folder && !names_all(wanted, named))))
        checking_complain(k, DRAFT_LIST, "other-list", named, wanted, NULL);
    while (lists && view_split(&rest, ',', &one)) {
        const char *name = arena_dup(&k->result->bundle.arena, view_trim(one));
        if (name && name[0] == '\0')
            checking_complain(k, DRAFT_LIST, "no-list", NULL, NULL, NULL);
        else if (name)
            add_list(k, name);
    }
    for (size_t i = 0; i < k->result->list_count; i++)
        k->result->head.lists[i] = checking_own(k, k->result->lists[i]->name);
    k->result->head.list_count = k->result->list_count;
}

static bool have_language(const struct intake_result *r, const char *language) {
    for (size_t i = 0; i < r->list_count; i++)
        if (conf_list_has_language(r->lists[i], language))
            return true;
    return r->list_count == 0;
}

static int read_translations(struct checking *k) {
    const struct conf_list *list = checking_list(k);
    struct bundle_head *head = &k->result->head;
    head->languages[0] = checking_own(k, list ? list->languages.items[0] : k->options->conf->language);
    head->texts[0] = checking_own(k, k->source->first);
    head->language_count = 1;
    if (arena_failed(&k->result->bundle.arena))
        return -ENOMEM;
    for (size_t i = 0; i < k->source->files.count; i++) {
        const char *name = k->source->files.files[i].path;
        const char *language;
        int r = source_translation(name, k->source->stem, &k->languages, &language);
        if (r < 0)
            return r;
        if (language[0] == '\0')
            continue;
        if (strcmp(language, head->languages[0]) == 0 || head->language_count == BUNDLE_LANGUAGES_MAX) {
            problem_add(k->problems, false, name, 0, "translation-twice", language, NULL, NULL);
            continue;
        }
        if (!have_language(k->result, language))
            problem_add(k->problems, false, name, 0, "translation-not-listed", language, list->name, NULL);
        struct draft *d = &k->drafts[k->draft_count];
        r = draft_read(name, k->source->files.files[i].content, true, checking_zone(k), k->problems, d);
        if (r < 0 && r != -EINVAL)
            return r;
        k->draft_count++;
        draft_overlay(d, checking_first(k));
        head->languages[head->language_count] = checking_own(k, language);
        head->texts[head->language_count++] = checking_own(k, name);
    }
    return 0;
}

/* True for the tag {{salutation}}, also with blanks or three braces, anywhere in v. */
static bool has_salutation(struct view v) {
    for (size_t at; (at = view_search(v, VIEW("{{"))) < v.len;) {
        v = view_slice(v, at + 2, v.len);
        struct view name = view_slice(v, 0, view_search(v, VIEW("}}")));
        if (view_starts(name, "{") || view_starts(name, "&"))
            name = view_slice(name, 1, name.len);
        if (view_eq_str(view_trim(name), "salutation"))
            return true;
    }
    return false;
}

static bool is_opening(struct view line, struct view openings) {
    struct view opening;
    while (view_split(&openings, ';', &opening)) {
        opening = view_trim(opening);
        /* A whole word: "Liebe", not "Lieblingsbuch". What is beyond ASCII counts as a letter. */
        if (opening.len && line.len >= opening.len && view_eq(view_slice(line, 0, opening.len), opening) &&
            (line.len == opening.len || (line.ptr[opening.len] > 0 && !isalpha(line.ptr[opening.len]))))
            return true;
    }
    return false;
}

static void check_salutation(struct checking *k, size_t i, const struct words *words) {
    const struct draft *d = &k->drafts[i];
    if (!d->body.ptr) /* not read: that is told already */
        return;
    if (!has_salutation(d->body)) {
        problem_add(k->problems, true, d->file, d->body_line, "salutation-missing", NULL, NULL, NULL);
        return;
    }
    /* The first lines: "Sehr geehrte …" written by hand beside the field would greet twice. */
    struct view rest = d->body, line;
    int filled = 0;
    for (unsigned n = 0; filled < 4 && view_line(&rest, &line); n++) {
        line = view_trim(line);
        filled += line.len > 0;
        if (is_opening(line, view_of(words_get(words, "salutation.openings")))) {
            problem_add(k->problems, true, d->file, d->body_line + n, "salutation-twice", NULL, NULL, NULL);
            return;
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
    const struct compose_recipient somebody = {.address = VIEW("somebody@town.example"), .token = VIEW("x")};
    if (compose_part(c, &somebody, true, &html) == 0 && html.len > HTML_CLIP_BYTES)
        problem_add(k->problems, true, k->drafts[i].file, 0, "html-clipped", NULL, NULL, NULL);
}

static int compile_one(struct checking *k, size_t list, size_t i) {
    struct intake_result *r = k->result;
    struct compiled *c = NULL;
    struct words *words = NULL;
    struct why why = {0};
    size_t errors = k->problems->errors;
    const struct conf *conf = k->options->conf;
    const struct compile_options options = {.list = r->lists[list]->name,
                                            .problems = list ? NULL : k->problems,
                                            .attachment_limit_bytes = conf->attachment_limit_bytes,
                                            .faults_only = errors > 0};
    int error = words_load(conf->templates_local, conf->templates, r->head.languages[i], &why, &words);
    if (error == 0)
        error = compile(&r->bundle, r->head.languages[i], &options, &why, &c);
    if (error == 0 && list == 0)
        check_salutation(k, i, words);
    if (error == 0 && list == 0 && c)
        check_size(k, i, c);
    /* Whatever fails here and is not the machine's trouble lies in the announcement or the templates. */
    if (error < 0 && !why_is_trouble(error) && k->problems->errors == errors)
        problem_add(k->problems, false, k->drafts[i].file, 0, why.key ? why.key : "cannot-compile", why.what, NULL,
                    NULL);
    (void)compiled_free(c);
    (void)words_free(words);
    return why_is_trouble(error) ? error : 0;
}

/* The proof of the pudding: each language is compiled as it will be sent. Where there are errors already, faults of the
 * texts are found all the same. What the other lists bring of their own they show in one language. */
static int compile_each(struct checking *k) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < k->result->head.language_count; i++)
        r = compile_one(k, 0, i);
    for (size_t l = 1; r == 0 && l < k->result->list_count && k->problems->errors == 0; l++)
        r = compile_one(k, l, 0);
    return r;
}

static int check_steps(struct checking *k) {
    int r = read_first(k);
    if (r < 0 && r != -EINVAL)
        return r;
    check_lists(k);
    r = read_translations(k);
    if (r < 0)
        return r;
    for (size_t i = 0; i < k->draft_count; i++)
        if (k->drafts[i].body.ptr && view_trim(k->drafts[i].body).len == 0)
            problem_add(k->problems, false, k->drafts[i].file, k->drafts[i].body_line, "body-empty", NULL, NULL, NULL);
    r = intake_check_values(k);
    if (r < 0 || !k->result->list_count)
        return r;
    if (arena_failed(&k->result->bundle.arena))
        return -ENOMEM;
    r = intake_make_bundle(k);
    return r == 0 ? compile_each(k) : r == -EINVAL ? 0 : r;
}

int intake_check(const struct source *source, const struct intake_options *options, struct problems *problems,
                 struct intake_result *ret) {
    *ret = (struct intake_result){.only = ""};
    bundle_init(&ret->bundle);
    struct checking *k = calloc(1, sizeof *k);
    if (!k)
        return -ENOMEM;
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
    r->filter = filter_free(r->filter);
    *r = (struct intake_result){0};
}

void intake_filter_problem(const struct intake_result *r, struct problems *problems, bool warning, unsigned column,
                           const char *problem, const char *a1, const char *near) {
    problem_add_at(problems, warning, r->only_file, r->only_line, column ? r->only_column + column - 1 : 0, problem, a1,
                   NULL, near);
}

enum { SHOWN_DATES = 3 };

static void say_moment(const struct words *words, int64_t usec, const char *zone, struct buf *to) {
    struct when w;
    if (when_from_usec(usec, zone, &w) == 0)
        when_say(words, &w, to);
}

static void say_at_reader(const struct words *words, const struct fields_event *event, const char *zone,
                          struct buf *to) {
    struct reader_times times;
    reader_times_init(&times, words, event, zone);
    struct view said;
    (void)reader_times_get(&times, view_of(zone), &said); /* a preview of it for people */
    if (said.len)
        buf_puts(to, "; ");
    buf_add_view(to, said);
    reader_times_done(&times);
}

/* How it recurs: when the coordinators are asked, and the dates behind the one that is shown. */
static void say_dates(const struct intake_result *r, const struct words *words, const char *zone, struct buf *to) {
    AUTOBUF struct buf text = BUF_INIT(1024);
    struct occurrence next[SHOWN_DATES];
    words_format(words, "notice.fact-repeats", r->repeat, NULL, NULL, to);
    buf_putc(to, '\n');
    size_t n = occurrence_list(r->rule, &r->occurrence.start, next, SHOWN_DATES);
    for (size_t i = 0; i < n; i++) {
        when_say_range(words, &next[i].start, &next[i].end, &text);
        words_format(words, "notice.fact-date", buf_str(&text), NULL, NULL, to);
        buf_putc(to, '\n');
        buf_clear(&text);
    }
    say_moment(words, r->occurrence.held_at_usec, zone, &text);
    words_format(words, "notice.fact-held-at", buf_str(&text), NULL, NULL, to);
    buf_putc(to, '\n');
}

/* What is not given counts from the release, which nobody knows yet. */
static int64_t known_deadline(const struct intake_result *r, const struct conf *conf) {
    if (r->send_until_usec)
        return r->send_until_usec;
    int64_t until = r->send_at_usec ? r->send_at_usec + conf->retry_give_up_usec : 0;
    return r->event_end_usec && (until == 0 || r->event_end_usec < until) ? r->event_end_usec : until;
}

void intake_say(const struct intake_result *r, const struct conf *conf, const struct words *words, struct buf *to) {
    const char *zone = r->lists[0]->timezone[0] ? r->lists[0]->timezone : conf->timezone;
    AUTOBUF struct buf moment = BUF_INIT(4096);
    int64_t until = known_deadline(r, conf);
    words_format(words, "notice.fact-subject", r->subject, NULL, NULL, to);
    buf_putc(to, '\n');
    if (r->list_count > 1) {
        for (size_t i = 0; i < r->list_count; i++)
            buf_printf(&moment, "%s%s", i ? ", " : "", r->lists[i]->name);
        words_format(words, "notice.fact-lists", buf_str(&moment), NULL, NULL, to);
        buf_putc(to, '\n');
        buf_clear(&moment);
    }
    if (r->has_event) {
        when_say_range(words, &r->event_start, &r->event_end, &moment);
        if (r->event_start.has_time && strcmp(r->event_zone, zone) != 0) {
            const struct fields_event event = {.start = r->event_start, .end = r->event_end, .zone = r->event_zone};
            buf_printf(&moment, " (%s)", r->event_zone);
            say_at_reader(words, &event, zone, &moment);
        }
        words_format(words, "notice.fact-event", buf_str(&moment), NULL, NULL, to);
        buf_putc(to, '\n');
        buf_clear(&moment);
    }
    if (r->is_series)
        say_dates(r, words, zone, to);
    if (r->send_at_usec) {
        say_moment(words, r->send_at_usec, zone, &moment);
        words_format(words, "notice.fact-send-at", buf_str(&moment), NULL, NULL, to);
    } else
        buf_puts(to, words_get(words, "notice.fact-send-now"));
    buf_putc(to, '\n');
    buf_clear(&moment);
    if (until) {
        say_moment(words, until, zone, &moment);
        words_format(words, "notice.fact-send-until", buf_str(&moment), NULL, NULL, to);
        buf_putc(to, '\n');
    }
    if (r->only[0]) {
        words_format(words, "notice.fact-only", r->only, NULL, NULL, to);
        buf_putc(to, '\n');
    }
}
