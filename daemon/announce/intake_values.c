/* What the values of an announcement mean, and whether they may be so. */
#include "announce/checking.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "base/text.h"
#include "conf/conf.h"
#include "mail/address.h"
#include "mail/filter.h"
#include "mail/words.h"

/* Types that the big receivers refuse to take in, whatever stands in them. */
static const char *const blocked_endings[] = {
    ".exe", ".bat", ".cmd", ".com", ".scr", ".pif", ".js",  ".jse", ".vbs", ".vbe", ".wsf", ".wsh",
    ".hta", ".jar", ".msi", ".lnk", ".ps1", ".reg", ".cpl", ".dll", ".iso", ".img", ".apk",
};

enum { SUBJECT_MAX_BYTES = 400 };

static void check_subject(struct checking *k) {
    for (size_t i = 0; i < k->draft_count; i++) {
        const struct draft *d = &k->drafts[i];
        if (!draft_has(d, DRAFT_SUBJECT))
            draft_problem(d, DRAFT_SUBJECT, k->problems, "subject-missing", NULL, NULL, NULL);
        else if (strlen(draft_text(d, DRAFT_SUBJECT)) > SUBJECT_MAX_BYTES)
            draft_problem(d, DRAFT_SUBJECT, k->problems, "subject-too-long", NULL, NULL, NULL);
    }
    k->result->subject = checking_own(k, draft_text(checking_first(k), DRAFT_SUBJECT));
}

bool checking_when(const struct checking *k, enum draft_key key, struct when *ret) {
    const char *text = draft_text(checking_first(k), key);
    switch (when_parse(view_of(text), ret)) {
    case WHEN_OK: return true;
    case WHEN_NOT_A_DATE: checking_complain(k, key, "not-a-date", text, NULL, NULL); break;
    case WHEN_NO_SUCH_DAY: checking_complain(k, key, "no-such-day", text, NULL, NULL); break;
    case WHEN_NO_SUCH_TIME: checking_complain(k, key, "no-such-time", text, NULL, NULL); break;
    case WHEN_BAD_ZONE: checking_complain(k, key, "bad-zone", text, NULL, NULL); break;
    }
    return false;
}

bool checking_usec(const struct checking *k, enum draft_key key, const struct when *w, const char *zone, int64_t *ret) {
    const char *text = draft_text(checking_first(k), key);
    switch (when_to_usec(w, zone, ret)) {
    case WHEN_OK: return true;
    case WHEN_NO_SUCH_TIME: checking_complain(k, key, "clock-change", text, zone, NULL); break;
    case WHEN_NOT_A_DATE:
    case WHEN_NO_SUCH_DAY: checking_complain(k, key, "no-such-day", text, NULL, NULL); break;
    case WHEN_BAD_ZONE: checking_complain(k, key, "bad-zone", zone, NULL, NULL); break;
    }
    return false;
}

bool checking_allows_past(const struct checking *k) {
    bool late = false;
    return k->options->allow_past ||
           (number_parse_bool(view_of(draft_text(checking_first(k), DRAFT_LATE)), &late) == 0 && late);
}

static void check_event(struct checking *k) {
    const struct draft *d = checking_first(k);
    struct intake_result *r = k->result;
    if (!draft_has_event(d))
        return;
    /* Where the title is the subject, it must be the same for all. */
    for (size_t i = 0; i < k->draft_count; i++)
        if (!draft_has(&k->drafts[i], DRAFT_TITLE) && !draft_is_literal(&k->drafts[i], DRAFT_SUBJECT) &&
            strstr(draft_text(&k->drafts[i], DRAFT_SUBJECT), "{{"))
            draft_problem(&k->drafts[i], DRAFT_TITLE, k->problems, "title-missing", NULL, NULL, NULL);
    if (!draft_has(d, DRAFT_START)) {
        checking_complain(k, DRAFT_START, "start-missing", NULL, NULL, NULL);
        return;
    }
    r->event_zone = checking_own(k, draft_has(d, DRAFT_TIMEZONE) ? draft_text(d, DRAFT_TIMEZONE) : checking_zone(k));
    if (!r->event_zone)
        return; /* no memory: intake_check_values() says so */
    if (!when_zone_exists(r->event_zone)) {
        if (errno == ENOMEM) {
            arena_fail(&r->bundle.arena);
            return;
        }
        checking_complain(k, DRAFT_TIMEZONE, "bad-zone", r->event_zone, NULL, NULL);
        return;
    }
    if (!checking_when(k, DRAFT_START, &r->event_start))
        return;
    r->event_end = r->event_start;
    if (draft_has(d, DRAFT_END)) {
        const char *text = draft_text(d, DRAFT_END);
        struct when time;
        if (r->event_start.has_time && when_parse_time(view_of(text), &time) == WHEN_OK) {
            checking_complain(k, DRAFT_END, "end-without-date", text, NULL, NULL);
            return;
        }
        if (!checking_when(k, DRAFT_END, &r->event_end))
            return;
    }
    int64_t start, end;
    if (r->event_end.has_time != r->event_start.has_time) {
        checking_complain(k, DRAFT_END, "end-of-other-kind", NULL, NULL, NULL);
        return;
    }
    if (!checking_usec(k, DRAFT_START, &r->event_start, r->event_zone, &start))
        return;
    struct when last = r->event_end;
    if (!last.has_time)
        when_add_days(&last, 1);
    if (!checking_usec(k, DRAFT_END, &last, r->event_zone, &end))
        return;
    if (end < start) {
        checking_complain(k, DRAFT_END, "end-before-start", NULL, NULL, NULL);
        return;
    }
    r->has_event = true;
    if (end <= k->options->now_usec && !checking_allows_past(k) && !draft_has(d, DRAFT_REPEAT))
        checking_complain(k, DRAFT_START, "event-past", draft_text(d, DRAFT_START), NULL, NULL);
    r->event_end_usec = end > k->options->now_usec ? end : 0;
}

static void check_sending(struct checking *k) {
    const struct draft *d = checking_first(k);
    struct intake_result *r = k->result;
    int64_t now = k->options->now_usec;
    bool late;
    if (draft_has(d, DRAFT_LATE) && number_parse_bool(view_of(draft_text(d, DRAFT_LATE)), &late) < 0)
        checking_complain(k, DRAFT_LATE, "not-yes-or-no", draft_text(d, DRAFT_LATE), NULL, NULL);
    if (draft_has(d, DRAFT_SEND_BEFORE) || draft_has(d, DRAFT_REPEAT))
        intake_check_send_before(k);
    if (draft_has(d, DRAFT_REPEAT))
        return;
    if (k->options->send_at_usec)
        r->send_at_usec = k->options->send_at_usec;
    else if (draft_has(d, DRAFT_SEND_AT)) {
        struct when at;
        if (!checking_when(k, DRAFT_SEND_AT, &at))
            return;
        if (!at.has_time) {
            at.has_time = true;
            at.hour = 9;
        }
        if (!checking_usec(k, DRAFT_SEND_AT, &at, checking_zone(k), &r->send_at_usec))
            return;
        if (r->send_at_usec < now - USEC_PER_MIN && !checking_allows_past(k))
            checking_complain(k, DRAFT_SEND_AT, "send-at-past", draft_text(d, DRAFT_SEND_AT), NULL, NULL);
    }
    int64_t start = r->send_at_usec > now ? r->send_at_usec : now;
    if (draft_has(d, DRAFT_SEND_UNTIL)) {
        struct when w;
        int64_t until;
        if (!checking_when(k, DRAFT_SEND_UNTIL, &w))
            return;
        if (!w.has_time)
            when_add_days(&w, 1);
        if (!checking_usec(k, DRAFT_SEND_UNTIL, &w, checking_zone(k), &until))
            return;
        if (until <= start)
            checking_complain(k, DRAFT_SEND_UNTIL, "send-until-early", NULL, NULL, NULL);
        r->send_until_usec = r->event_end_usec && until > r->event_end_usec ? r->event_end_usec : until;
    }
    if (r->event_end_usec && r->event_end_usec <= start)
        checking_complain(k, DRAFT_SEND_AT, "send-after-event", NULL, NULL, NULL);
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

/* What stands in front matter holds for all lists: each must allow it. */
static void check_from(struct checking *k, const struct draft *d, const struct conf_list *l) {
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

static void check_people(struct checking *k) {
    for (size_t i = 0; i < k->draft_count; i++) {
        const struct draft *d = &k->drafts[i];
        struct address address;
        enum address_fault fault = draft_has(d, DRAFT_CONTACT_MAIL)
                                       ? address_parse(view_of(draft_text(d, DRAFT_CONTACT_MAIL)), &address)
                                       : ADDRESS_EMPTY;
        if (fault == ADDRESS_NO_MEMORY)
            arena_fail(&k->result->bundle.arena); /* intake_check_values() says so */
        else if (draft_has(d, DRAFT_CONTACT_MAIL) && (fault != ADDRESS_OK || address.needs_smtputf8))
            draft_problem(d, DRAFT_CONTACT_MAIL, k->problems, "bad-address", draft_text(d, DRAFT_CONTACT_MAIL), NULL,
                          NULL);
        if (draft_has(d, DRAFT_URL) && !is_web_url(view_of(draft_text(d, DRAFT_URL))))
            draft_problem(d, DRAFT_URL, k->problems, "bad-url", draft_text(d, DRAFT_URL), NULL, NULL);
        for (size_t l = 0; l < k->result->list_count; l++)
            check_from(k, d, k->result->lists[l]);
    }
}

static void check_attachments_of(struct checking *k, const struct draft *d) {
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
        for (size_t i = 0; i < COUNT_OF(blocked_endings); i++) {
            size_t len = strlen(blocked_endings[i]);
            if (item.len > len && view_eq_nocase(view_slice(item, item.len - len, len), blocked_endings[i]))
                draft_problem(d, DRAFT_ATTACH, k->problems, "attachment-blocked", name, NULL, NULL);
        }
    }
}

static void check_attachments(struct checking *k) {
    for (size_t i = 0; i < k->draft_count; i++)
        if (k->drafts[i].values[DRAFT_ATTACH].file == k->drafts[i].file) /* not what is the first file's */
            check_attachments_of(k, &k->drafts[i]);
}

enum { LANGUAGES_MAX = 64 };

/* The filter, understood in every language that templates/ has. */
static int read_filter(struct checking *k) {
    const struct conf *conf = k->options->conf;
    struct intake_result *r = k->result;
    struct words *all[LANGUAGES_MAX];
    struct why why;
    struct filter_fault fault;
    size_t count = 0;
    int e = 0;
    for (size_t i = 0; i < k->languages.count && count < LANGUAGES_MAX && !why_is_trouble(e); i++) {
        e = words_load(conf->templates_local, conf->templates, k->languages.codes[i], &why, &all[count]);
        count += e == 0; /* else there are words for one language less */
    }
    const struct filter_language language = {.words = (const struct words *const *)all,
                                             .words_count = count,
                                             .templates_local = conf->templates_local,
                                             .templates = conf->templates,
                                             .zone = checking_zone(k)};
    if (!why_is_trouble(e))
        e = filter_read(view_of(r->only), &language, &r->filter, &fault);
    while (count)
        (void)words_free(all[--count]);
    if (e == -EINVAL)
        intake_filter_problem(r, k->problems, false, fault.column, fault.key, fault.text,
                              fault.near[0] ? fault.near : NULL);
    return e == -EINVAL ? 0 : e;
}

static int check_only(struct checking *k) {
    const struct draft_value *v = &checking_first(k)->values[DRAFT_ONLY];
    struct intake_result *r = k->result;
    if (!v->text)
        return 0;
    r->only = checking_own(k, v->text);
    r->only_file = checking_own(k, v->file);
    r->only_line = v->line;
    r->only_column = v->column;
    return r->only && r->only_file ? read_filter(k) : -ENOMEM;
}

int intake_check_values(struct checking *k) {
    check_subject(k);
    check_event(k);
    int r = draft_has(checking_first(k), DRAFT_REPEAT) ? intake_check_repeat(k) : 0;
    if (r < 0)
        return r;
    check_sending(k);
    check_people(k);
    check_attachments(k);
    return arena_failed(&k->result->bundle.arena) ? -ENOMEM : check_only(k);
}
