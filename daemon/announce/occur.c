#include "announce/occur.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announce/inform.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "mail/words.h"
#include "spool/spool.h"
#include "store/announcement.h"

enum phase { EXPIRE, LOOK, ADMIT, PUT_OFF };
enum { TEXT_MAX_BYTES = 64 * 1024, SAID_MAX = 20 };
static const int64_t again_usec = USEC_PER_DAY;

/* Its lists, as far as the configuration still has them; the first of them speaks for all. */
static size_t lists_of(const struct occurring *o, const struct announcement_row *row,
                       const struct conf_list *ret[ANNOUNCEMENT_LISTS_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < row->lists.count; i++)
        if ((ret[count] = conf_find_list_id(o->admit.conf, row->lists.ids[i])))
            count++;
    return count;
}

static const struct conf_list *list_of(const struct occurring *o, const struct announcement_row *row) {
    const struct conf_list *lists[ANNOUNCEMENT_LISTS_MAX];
    return lists_of(o, row, lists) ? lists[0] : NULL;
}

static struct words *words_of(const struct occurring *o, const struct conf_list *list) {
    struct words *words = NULL;
    struct why why;
    int r =
        words_load(o->admit.conf->templates_local, o->admit.conf->templates, list->languages.items[0], &why, &words);
    return r < 0 ? NULL : words;
}

/* {1} subject, {2} more, {3} number of the series. Whoever has no list any more is nobody to tell. */
static int tell(struct occurring *o, struct db *db, const struct announcement_row *row, const char *key,
                const char *more) {
    const struct conf_list *lists[ANNOUNCEMENT_LISTS_MAX];
    size_t count = lists_of(o, row, lists);
    const struct inform i = {o->admit.conf, o->admit.keys, db, clock_now_usec()};
    char number[24];
    (void)snprintf(number, sizeof number, "%lld", (long long)(row->series ? row->series : row->id)); /* fits */
    o->told |= count > 0;
    return count ? inform_coordinators(&i, lists, count, row->id, key, row->subject, more, number) : 0;
}

static void say_date(const struct occurring *o, const struct conf_list *list, const struct when *date, struct buf *to) {
    struct words *words = list ? words_of(o, list) : NULL;
    buf_puts(to, "    ");
    if (words)
        when_say(words, date, to);
    else
        occurrence_print(date, to);
    buf_putc(to, '\n');
    (void)words_free(words);
}

/* ---- what nobody released ------------------------------------------------------------------------------------- */

static int step_expire(struct occurring *o, struct db *db) {
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf dates = BUF_INIT(TEXT_MAX_BYTES);
    struct announcement_row row;
    struct when date;
    int64_t id, now_usec = clock_now_usec();
    int r = series_next_expired(db, now_usec, &id);
    if (r == 0)
        o->phase = LOOK;
    if (r <= 0)
        return r < 0 ? r : STORE_MORE;
    if ((r = announcement_get(db, id, &arena, &row)) < 0 ||
        (r = announcement_stop(db, id, "not released in time", now_usec, &o->admit.job.why)) < 0)
        return r;
    log_info("occurrence-not-released", LOG_NUM("announcement", id), LOG_NUM("series", row.series));
    if (when_parse(view_of(row.occurrence), &date) == WHEN_OK)
        say_date(o, list_of(o, &row), &date, &dates);
    r = tell(o, db, &row, "not-released", buf_str(&dates));
    return r < 0 ? r : STORE_MORE;
}

/* ---- what is due ---------------------------------------------------------------------------------------------- */

/* All dates of the series that are too late, to the first that is not. */
static int leave_out(struct occurring *o, struct db *db, const struct announcement_row *row) {
    AUTOBUF struct buf dates = BUF_INIT(TEXT_MAX_BYTES), next = BUF_INIT(64);
    const struct conf_list *list = list_of(o, row);
    int64_t now_usec = clock_now_usec();
    struct occurrence date = o->date;
    uint64_t count = 0;
    bool any = true;
    while (any && date.too_late_usec <= now_usec) {
        struct when done = date.start;
        if (++count <= SAID_MAX)
            say_date(o, list, &done, &dates);
        /* Of what has piled up in years the coordinators want no list. */
        any = count < SAID_MAX ? occurrence_list(&o->rule, &done, &date, 1) == 1
                               : occurrence_next(&o->rule, &done, now_usec, true, &date);
    }
    if (count >= SAID_MAX)
        buf_puts(&dates, "    …\n");
    if (any)
        occurrence_print(&date.start, &next);
    log_warning("occurrences-left-out", LOG_NUM("series", row->id), LOG_NUM("dates", count));
    int r = series_move_on(db, row->id, buf_str(&next), any ? date.held_at_usec : 0, now_usec);
    if (r == 0)
        r = tell(o, db, row, "missed", buf_str(&dates));
    return r < 0 ? r : STORE_MORE;
}

static int read_files(struct occurring *o, struct why *why) {
    char path[64];
    struct bundle bundle, files;
    struct bundle_head head;
    (void)snprintf(path, sizeof path, "announcements/%lld", (long long)o->row.announcement); /* always fits */
    AUTOCLOSE int fd = files_open_dir(o->admit.spool->dirfd, path);
    bundle_init(&bundle);
    bundle_init(&files);
    int r = fd < 0 ? why_set(why, fd, "cannot read the bundle: %s", strerror(-fd)) : bundle_read(&bundle, fd, why);
    if (r == 0)
        r = bundle_head_read(&bundle, &head, why);
    for (size_t i = 0; r == 0 && i < bundle.count; i++)
        if (view_starts(view_of(bundle.files[i].path), "files/"))
            r = bundle_add(&files, bundle.files[i].path + sizeof "files/" - 1, bundle.files[i].content);
    if (r == 0)
        r = source_from(&files, head.first, &o->admit.source, why);
    bundle_done(&files);
    bundle_done(&bundle);
    return r;
}

static int put_off(struct occurring *o, struct db *db, const struct announcement_row *row, const char *reason) {
    log_warning("occurrence-put-off", LOG_NUM("series", row->id), LOG_TEXT("reason", reason));
    int r = strcmp(o->row.told, o->row.next) == 0 ? 0 : tell(o, db, row, "put-off", reason);
    if (r == 0)
        r = series_postpone(db, row->id, clock_now_usec() + again_usec, o->row.next);
    o->again = true;
    return r < 0 ? r : STORE_DONE;
}

static int begin(struct occurring *o, const struct announcement_row *row) {
    o->list = strdup(row->list_names);
    o->uid = strdup(row->event_uid);
    if (asprintf(&o->by, "announcement %lld", (long long)row->id) < 0)
        o->by = NULL;
    if (!o->list || !o->uid || !o->by)
        return -ENOMEM;
    o->admit.lists = o->list;
    o->admit.by = o->by;
    o->admit.hold_by_lists = true;
    o->admit.series = &o->row;
    o->admit.rule = &o->rule;
    o->next = o->date.start;
    o->admit.occurrence = &o->next;
    o->admit.series_uid = o->uid;
    o->phase = ADMIT;
    return STORE_MORE;
}

static int get_series(struct occurring *o, struct db *db, struct announcement_row *ret) {
    int r = announcement_get(db, o->row.announcement, &o->arena, ret);
    return r == 0 ? -EILSEQ : r;
}

static int step_look(struct occurring *o, struct db *db) {
    struct announcement_row row;
    struct why why = {0};
    arena_clear(&o->arena);
    int r = series_due(db, clock_now_usec(), &o->arena, &o->row);
    if (r <= 0)
        return r;
    if ((r = get_series(o, db, &row)) < 0)
        return r;
    r = series_rule(&o->row, &o->rule, &why);
    if (r == 0 && !series_next(&o->rule, &o->row, &o->date)) { /* the zone has changed its mind about that day */
        struct when next;
        if (when_parse(view_of(o->row.next), &next) == WHEN_OK)
            return series_step(db, &o->row, &o->rule, &next, clock_now_usec()) < 0 ? -EIO : STORE_MORE;
        r = why_set(&why, -EINVAL, "the dates of a recurring announcement are damaged");
    }
    if (r == 0 && o->date.too_late_usec <= clock_now_usec())
        return leave_out(o, db, &row);
    if (r == 0 && !list_of(o, &row))
        r = why_set(&why, -EINVAL, "the list %s is not in the configuration", row.list_names);
    if (r == 0)
        r = read_files(o, &why);
    if (r == 0)
        return begin(o, &row);
    return why_is_trouble(r) ? r : put_off(o, db, &row, why.what);
}

static int step_admit(struct occurring *o, struct db *db) {
    int r = o->admit_step(&o->admit.job, db);
    if (r == STORE_DONE) {
        o->made = o->again = true;
        o->told = o->admit.hold;
    } else if (r == -EINVAL || r == -EACCES || r == -E2BIG) {
        o->phase = PUT_OFF;
        return STORE_MORE;
    } else if (r == -ESTALE)
        o->again = true;
    return r == -ESTALE ? STORE_DONE : r;
}

static int step_put_off(struct occurring *o, struct db *db) {
    AUTOBUF struct buf reason = BUF_INIT(TEXT_MAX_BYTES);
    struct announcement_row row;
    int r = get_series(o, db, &row);
    if (r < 0)
        return r;
    const struct conf_list *list = list_of(o, &row);
    struct words *words = list ? words_of(o, list) : NULL;
    if (words && o->admit.problems.errors)
        problems_print(&o->admit.problems, words, &reason);
    else
        buf_puts(&reason, o->admit.job.why.what);
    (void)words_free(words);
    return put_off(o, db, &row, buf_str(&reason));
}

static int step(struct store_job *job, struct db *db) {
    struct occurring *o = (struct occurring *)job;
    switch ((enum phase)o->phase) {
    case EXPIRE: return step_expire(o, db);
    case LOOK: return step_look(o, db);
    case ADMIT: return step_admit(o, db);
    case PUT_OFF: return step_put_off(o, db);
    }
    return -EINVAL;
}

struct occurring *occurring_new(struct conf *conf, struct spool *spool, const struct keyring *keys) {
    struct occurring *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->admit.conf = conf_ref(conf);
    o->admit.spool = spool;
    o->admit.keys = keys;
    arena_init(&o->arena);
    admit_init(&o->admit);
    o->admit_step = o->admit.job.step;
    o->admit.job.step = step;
    return o;
}

struct occurring *occurring_free(struct occurring *o) {
    if (o) {
        admit_done(&o->admit);
        arena_done(&o->arena);
        free(o->list);
        free(o->by);
        free(o->uid);
        free(o);
    }
    return NULL;
}
