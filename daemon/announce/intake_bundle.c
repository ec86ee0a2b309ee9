/* The bundle of an announcement that was checked. */
#include "announce/checking.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>

#include "announce/compile.h"
#include "base/encode.h"
#include "base/files.h"
#include "conf/conf.h"
#include "mail/address.h"
#include "mail/filter.h"
#include "mail/template_file.h"
#include "mail/words.h"
#include "trust/code.h"

enum { WORDS_MAX_BYTES = 1 << 20 };

static int add_words(struct checking *k, const char *language) {
    const struct conf *conf = k->options->conf;
    AUTOBUF struct buf text = BUF_INIT(WORDS_MAX_BYTES), path = BUF_INIT(256);
    struct words *words = NULL;
    struct why why;
    int r = words_load(conf->templates_local, conf->templates, language, &why, &words);
    if (r < 0) {
        problem_add(k->problems, false, "", 0, "no-words", language, why.what, NULL);
        return r == -ENOMEM ? r : -EINVAL;
    }
    buf_printf(&path, "templates/%s/words.ini", language);
    words_print(words, &text);
    (void)words_free(words);
    if (buf_error(&text) || buf_error(&path))
        return buf_error(&text) ? buf_error(&text) : buf_error(&path);
    return bundle_add(&k->result->bundle, buf_str(&path), buf_view(&text));
}

static int add_template(struct checking *k, const char *language, const char *ending) {
    const struct conf *conf = k->options->conf;
    AUTOBUF struct buf name = BUF_INIT(2048), text = BUF_INIT(2 * TEMPLATE_FILE_MAX_BYTES), path = BUF_INIT(256);
    buf_printf(&name, "%s.%s", k->result->head.template, ending);
    buf_printf(&path, "templates/%s/mail.%s", language, ending);
    if (buf_error(&name) || buf_error(&path))
        return buf_error(&name) ? buf_error(&name) : buf_error(&path);
    int r = template_file_read(conf->templates_local, conf->templates, language, buf_str(&name), &text);
    if (r == 0)
        return bundle_add(&k->result->bundle, buf_str(&path), buf_view(&text));
    if (r != -ENOMEM)
        checking_complain(k, DRAFT_TEMPLATE, "no-template", buf_str(&name), language, NULL);
    return r == -ENOMEM ? r : -EINVAL;
}

/* Of each language the words and templates in force. */
static int add_templates(struct checking *k, const char *language) {
    int r = add_words(k, language);
    if (r == 0)
        r = add_template(k, language, "html");
    return r == 0 ? add_template(k, language, "txt") : r;
}

/* A logo that cannot be had is the admin's trouble: the mail goes without it. */
static int add_logo(struct checking *k) {
    const char *path = checking_list(k)->sender->logo;
    AUTOBUF struct buf picture = BUF_INIT(INTAKE_LOGO_MAX_BYTES);
    if (path[0] != '/')
        return 0;
    int r = files_read(AT_FDCWD, path, &picture);
    if (r == -ENOMEM)
        return r;
    if (r < 0 || !compile_picture_type(buf_view(&picture))) {
        problem_add(k->problems, true, "", 0, "logo-unusable", path, NULL, NULL);
        return 0;
    }
    return bundle_add(&k->result->bundle, "logo", buf_view(&picture));
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

static const char *new_uid(struct checking *k) {
    uint8_t random[16];
    AUTOBUF struct buf uid = BUF_INIT(256);
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return NULL;
    encode_hex(&uid, random, sizeof random);
    const char *at = strrchr(checking_list(k)->sender->address, '@');
    AUTOBUF struct buf domain = BUF_INIT(1024);
    int r = at ? address_domain_ascii(view_of(at + 1), &domain) : -EINVAL;
    if (r == -ENOMEM)
        return NULL;
    buf_printf(&uid, "@%s", r == 0 ? buf_str(&domain) : "localhost");
    return buf_error(&uid) ? NULL : checking_own(k, buf_str(&uid));
}

/* Each date is an event of its own: "<series>-20261101T1000@domain". One UID with RECURRENCE-ID would want a calendar
 * that holds the whole series; of a date alone calendars make a stray, or replace the last one by it. */
static const char *uid_of_date(struct checking *k) {
    const struct when *w = &k->result->event_start;
    struct view series = view_of(k->options->series_uid);
    size_t at = view_find(series, '@');
    AUTOBUF struct buf uid = BUF_INIT(512);
    buf_printf(&uid, "%.*s-%04d%02d%02d", (int)at, series.ptr, w->year, w->month, w->day);
    if (w->has_time)
        buf_printf(&uid, "T%02d%02d", w->hour, w->minute);
    buf_add_view(&uid, view_slice(series, at, series.len));
    return buf_error(&uid) ? NULL : checking_own(k, buf_str(&uid));
}

static int choose_event_identity(struct checking *k) {
    struct bundle_head *head = &k->result->head;
    const struct intake_options *o = k->options;
    head->uid = head->occurrence = "";
    if (!k->result->has_event)
        return 0;
    int r = 0;
    if (k->result->rule) {
        AUTOBUF struct buf date = BUF_INIT(64);
        occurrence_print(&k->result->event_start, &date);
        head->occurrence = checking_own(k, buf_str(&date));
        head->uid = o->occurrence ? uid_of_date(k) : k->series_uid ? k->series_uid : new_uid(k);
        if (head->uid && o->occurrence && o->count_uid)
            r = o->count_uid(o->user, head->uid, &head->sequence);
        return r < 0 ? r : head->uid && head->occurrence ? 0 : -ENOMEM;
    }
    if (o->find_event) {
        r = o->find_event(o->user, checking_list(k), head->name, &k->result->bundle.arena, &head->uid, &head->sequence);
        if (r < 0)
            return r;
        if (r == 1) {
            head->sequence++;
            return 0;
        }
    }
    head->uid = new_uid(k);
    head->sequence = 0;
    return head->uid ? 0 : -ENOMEM;
}

static int add_head_and_settings(struct checking *k) {
    struct intake_result *r = k->result;
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    bundle_head_print(&r->head, &text);
    int error = buf_error(&text) ? buf_error(&text) : bundle_add(&r->bundle, "bundle.ini", buf_view(&text));
    if (error < 0)
        return error;
    buf_clear(&text);
    conf_dump_lists(k->options->conf, r->lists, r->list_count, &text);
    return buf_error(&text) ? buf_error(&text) : bundle_add(&r->bundle, "settings.ini", buf_view(&text));
}

/* As it was understood, so that a later change of words changes nobody's mail. */
static int add_filter(struct checking *k) {
    AUTOBUF struct buf text = BUF_INIT(FILTER_FROZEN_MAX_BYTES);
    if (!k->result->filter)
        return 0;
    filter_freeze(k->result->filter, &text);
    return buf_error(&text) ? buf_error(&text) : bundle_add(&k->result->bundle, "filter", buf_view(&text));
}

static int add_files(struct checking *k) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < k->source->files.count; i++) {
        AUTOBUF struct buf path = BUF_INIT(1024);
        buf_printf(&path, "files/%s", k->source->files.files[i].path);
        r = buf_error(&path);
        if (r == 0)
            r = bundle_add(&k->result->bundle, buf_str(&path), k->source->files.files[i].content);
    }
    return r;
}

int intake_make_bundle(struct checking *k) {
    struct intake_result *r = k->result;
    r->head.name = checking_own(k, k->source->stem);
    r->head.first = checking_own(k, k->source->first);
    r->head.template = draft_has(checking_first(k), DRAFT_TEMPLATE)
                           ? checking_own(k, draft_text(checking_first(k), DRAFT_TEMPLATE))
                       : draft_has_event(checking_first(k)) ? "workshop"
                                                            : "announcement";
    r->head.created_usec = k->options->now_usec;
    int error = digest_files(k);
    if (error == 0)
        error = choose_event_identity(k);
    if (error == 0)
        error = add_head_and_settings(k);
    if (error == 0)
        error = add_filter(k);
    if (error == 0)
        error = add_files(k);
    if (error == 0)
        error = add_logo(k);
    for (size_t i = 0; error == 0 && i < r->head.language_count; i++)
        error = add_templates(k, r->head.languages[i]);
    if (error != -E2BIG && error != -EMSGSIZE)
        return error;
    problem_add(k->problems, false, k->source->first, 0, "files-too-big", NULL, NULL, NULL);
    return -EINVAL;
}
