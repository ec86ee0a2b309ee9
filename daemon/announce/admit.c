#include "announce/admit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announce/compile.h"
#include "announce/inform.h"
#include "announce/series.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/number.h"
#include "base/text.h"
#include "conf/conf.h"
#include "mail/filter.h"
#include "spool/several.h"
#include "spool/spool.h"
#include "store/announcement.h"
#include "store/list_pin.h"

enum { PHASE_CHECK, PHASE_COUNT, PHASE_KEEP, PHASE_PUBLISH, PHASE_UNDO, PHASE_UNDONE, PHASE_END };

static const int64_t same_within_usec = 7 * USEC_PER_DAY, under_way_usec = 20 * USEC_PER_SEC;

static int find_event(void *user, const struct conf_list *list, const char *name, struct arena *arena,
                      const char **ret_uid, unsigned *ret_sequence) {
    return announcement_find_event(user, list->id, name, clock_now_usec(), arena, ret_uid, ret_sequence);
}

static int find_series(void *user, const struct conf_list *list, const char *name, struct arena *arena,
                       struct intake_series *ret) {
    return series_find(user, list->id, name, arena, ret);
}

static int count_uid(void *user, const char *uid, unsigned *ret) {
    return announcement_count_uid(user, uid, ret);
}

static int allows(const struct admit *a, const struct conf_list *list) {
    return !a->allows_list ? 1 : a->allows_list(a->user, list);
}

/* Each of them must be the caller's. */
static int check_rights(struct admit *a) {
    for (size_t i = 0; i < a->result.list_count; i++) {
        const char *name = a->result.lists[i]->name;
        int r = allows(a, a->result.lists[i]);
        if (r < 0)
            return r;
        if (r == 0) {
            problem_add(&a->problems, false, "", 0, "list-not-allowed", name, NULL, NULL);
            return why_set(&a->job.why, -EACCES, "you may not do this on the list %s", name);
        }
    }
    return 0;
}

static int check(struct admit *a, struct db *db) {
    const struct intake_options options = {
        .conf = a->conf,
        .lists = a->lists,
        .lists_are_folder = a->lists_are_folder,
        .now_usec = clock_now_usec(),
        .send_at_usec = a->send_at_usec,
        .find_event = find_event,
        .find_series = find_series,
        .count_uid = count_uid,
        .occurrence = a->occurrence,
        .series_uid = a->series_uid,
        .user = db,
    };
    int r = intake_check(&a->source, &options, &a->problems, &a->result);
    if (r == -EINVAL)
        (void)why_set(&a->job.why, r, "the announcement has errors");
    for (size_t i = 0; r == 0 && i < a->result.list_count && a->hold_by_lists; i++)
        a->hold |= a->result.lists[i]->release == CONF_RELEASE_HOLD;
    return r == 0 ? check_rights(a) : r;
}

/* The remains of an admission that failed half-way while the daemon ran on; or one that runs just now. */
static int undo_cut_off(struct admit *a, struct db *db, const struct announcement_row *row) {
    int64_t age = clock_now_usec() - row->created_usec;
    if (age < 0 || age >= under_way_usec)
        return admit_undo(a->spool, db, row->id);
    (void)why_set(&a->job.why, -EAGAIN, "this announcement is being taken in just now");
    why_todo(&a->job.why, "Try again in half a minute");
    return -EAGAIN;
}

/* Of a date of a series, which is made by one at a time: what is there of it failed. */
static int undo_date(struct admit *a, struct db *db, const char *date) {
    int64_t id;
    int r = a->series ? announcement_find_cut_off(db, a->series->announcement, date, &id) : 0;
    return r == 1 ? admit_undo(a->spool, db, id) : r;
}

static int find_same(struct admit *a, struct db *db, int64_t *ret_id) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < a->result.list_count; i++)
        r = announcement_find_same(db, a->result.lists[i]->id, a->result.head.identity,
                                   clock_now_usec() - same_within_usec, ret_id);
    return r;
}

static int refuse_same(struct admit *a, struct db *db) {
    struct arena arena AUTOARENA = {0};
    struct announcement_row row;
    int64_t id;
    if (a->again || a->series)
        return 0;
    int r = find_same(a, db, &id);
    if (r <= 0)
        return r;
    r = announcement_get(db, id, &arena, &row);
    if (r < 0)
        return r;
    if (r == 1 && row.state == ANNOUNCEMENT_INTAKE)
        return undo_cut_off(a, db, &row);
    a->id = id;
    bool source_left = row.resume_state != 0 && row.state != ANNOUNCEMENT_PAUSED;
    if (source_left && strcmp(row.by, ADMIT_BY_DROP) == 0 && a->by && strcmp(a->by, ADMIT_BY_DROP) == 0)
        return why_set(&a->job.why, -EALREADY, "this announcement was taken in already");
    (void)why_set(&a->job.why, -EEXIST, "this announcement is there already, as number %lld (%s)", (long long)id,
                  announcement_state_name(row.state));
    why_todo(&a->job.why, "Use --again to send it once more");
    return -EEXIST;
}

/* The earlier one that this one replaces: 1 and its id. -EACCES where it is for others' lists, too. */
static int find_earlier(struct admit *a, struct db *db, int64_t *ret_id) {
    struct announcement_lists lists;
    int r = announcement_find_replaceable(db, a->result.lists[0]->id, a->result.head.name, ret_id);
    if (r == 1)
        r = announcement_get_lists(db, *ret_id, &lists);
    for (size_t i = 0; r == 1 && i < lists.count; i++) {
        const struct conf_list *list = conf_find_list_id(a->conf, lists.ids[i]);
        int allowed = list ? allows(a, list) : 1;
        if (allowed <= 0)
            return allowed < 0 ? allowed : -EACCES;
    }
    return r;
}

static int refuse_others(struct admit *a, struct db *db) {
    int64_t id = 0;
    int r = a->series ? 0 : find_earlier(a, db, &id);
    if (r != -EACCES)
        return r < 0 ? r : 0;
    problem_add(&a->problems, false, a->result.head.first, 0, "name-taken", a->result.head.name, NULL, NULL);
    return why_set(&a->job.why, -EINVAL, "the announcement has errors");
}

/* In the transaction that makes the new one count: whichever way it ends, one of the two goes out. */
static int replace_earlier(struct admit *a, struct db *db) {
    const struct intake_result *result = &a->result;
    int64_t earlier = 0, now_usec = clock_now_usec(), recurring = 0;
    int r = find_earlier(a, db, &earlier);
    if (r == -EACCES) /* it came meanwhile */
        r = earlier = 0;
    if (r == 1 && result->is_series)
        r = announcement_find_recurring(db, result->lists[0]->id, result->head.name, &recurring);
    if (r >= 0 && result->is_series)
        r = series_take_in(db, a->id, result, recurring, now_usec);
    if (r < 0 || !earlier)
        return r;
    do
        r = announcement_stop(db, earlier, "replaced", now_usec, &a->job.why);
    while (r == STORE_MORE); /* those that can be replaced have no deliveries yet: once is enough */
    if (r == 0)
        a->replaced = earlier;
    return r;
}

static enum announcement_state state_of(const struct admit *a) {
    return a->result.is_series ? ANNOUNCEMENT_RECURRING : a->hold ? ANNOUNCEMENT_HELD : ANNOUNCEMENT_SCHEDULED;
}

static int pin_lists(struct admit *a, struct db *db) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < a->result.list_count; i++) {
        const struct conf_list *list = a->result.lists[i];
        AUTOBUF struct buf id = BUF_INIT(512);
        r = compile_list_id(list, &id);
        if (r == 0)
            r = list_pin(db, list->id, list->name, buf_str(&id), &a->job.why);
    }
    return r;
}

static int write_bundle(struct admit *a) {
    int r = spool_make_tmp(a->spool, &a->tmp_path);
    if (r < 0)
        return r;
    AUTOCLOSE int fd = files_open_dir(a->spool->dirfd, a->tmp_path);
    return fd < 0 ? fd : bundle_write(&a->result.bundle, fd);
}

static int keep(struct admit *a, struct db *db) {
    AUTOBUF struct buf names = BUF_INIT(4096);
    int r = refuse_same(a, db);
    if (r == 0)
        r = refuse_others(a, db);
    if (r == 0)
        r = pin_lists(a, db);
    if (r < 0)
        return r;
    AUTOBUF struct buf date = BUF_INIT(64);
    if (a->series)
        occurrence_print(a->occurrence, &date);
    r = undo_date(a, db, buf_str(&date));
    if (r < 0)
        return r;
    for (size_t i = 0; i < a->result.list_count; i++)
        buf_printf(&names, "%s%s", i ? ", " : "", a->result.lists[i]->name);
    struct announcement_row row = {
        .name = a->result.head.name,
        .list_names = buf_str(&names),
        .subject = a->result.subject,
        .only = a->result.only,
        .why = "",
        .by = a->by ? a->by : "",
        .event_uid = a->result.head.uid,
        .event_sequence = a->result.head.sequence,
        .event_end_usec = a->result.event_end_usec,
        .created_usec = a->result.head.created_usec,
        .send_at_usec = a->result.send_at_usec,
        .send_until_usec = a->result.send_until_usec,
        .state = ANNOUNCEMENT_INTAKE,
        .resume_state = state_of(a),
        .series = a->series ? a->series->announcement : 0,
        .occurrence = buf_str(&date),
    };
    for (size_t i = 0; i < a->result.list_count; i++)
        row.lists.ids[row.lists.count++] = a->result.lists[i]->id;
    memcpy(row.identity, a->result.head.identity, sizeof row.identity);
    r = announcement_insert(db, &row);
    if (r < 0)
        return r;
    a->id = row.id;
    r = write_bundle(a);
    return r < 0 ? why_set(&a->job.why, r, "cannot write the bundle into the spool: %s", strerror(-r)) : 0;
}

/* Somebody may have stopped it, or queued another one in its place, since its date was due. */
static int is_over(const struct admit *a, struct db *db) {
    AUTOARENA struct arena arena = {0};
    struct series_row row;
    int r = a->series ? series_get(db, a->series->announcement, &arena, &row) : 1;
    return r < 0 ? r : r == 0 || (a->series && strcmp(row.next, a->series->next) != 0);
}

static int tell(struct admit *a, struct db *db) {
    const struct inform i = {a->conf, a->keys, db, clock_now_usec()};
    if (a->result.is_series)
        return a->by && strcmp(a->by, ADMIT_BY_DROP) == 0 ? inform_recurring(&i, a->id, &a->result, &a->reach) : 0;
    return a->hold ? inform_proof(&i, a->id, &a->result, &a->reach) : 0;
}

/* For the pages behind its links. */
static int publish_lists(struct admit *a) {
    uint32_t ids[BUNDLE_LISTS_MAX];
    for (size_t i = 0; i < a->result.list_count; i++)
        ids[i] = a->result.lists[i]->id;
    int r = several_publish(a->spool, a->id, ids, a->result.list_count);
    return r < 0 ? why_set(&a->job.why, r, "cannot publish the lists into the spool: %s", strerror(-r)) : 0;
}

static int publish(struct admit *a, struct db *db) {
    char path[64];
    int over = is_over(a, db);
    if (over != 0) {
        a->failure = over < 0 ? over : -ESTALE;
        a->phase = PHASE_UNDO;
        return STORE_MORE;
    }
    (void)snprintf(path, sizeof path, "announcements/%lld", (long long)a->id); /* always fits */
    int r = spool_publish_tree(a->spool, a->tmp_path, path);
    if (r < 0) {
        a->failure = why_set(&a->job.why, r, "cannot move the bundle into the spool: %s", strerror(-r));
        a->phase = PHASE_UNDO;
        return STORE_MORE;
    }
    r = a->result.list_count > 1 ? publish_lists(a) : 0;
    if (r == 0)
        r = a->series ? series_step(db, a->series, a->rule, a->occurrence, clock_now_usec()) : replace_earlier(a, db);
    if (r == 0)
        r = announcement_taken_in(db, a->id, state_of(a));
    return r == 0 ? tell(a, db) : r;
}

static int end_check(struct admit *a, struct db *db) {
    if (!a->test_recipient)
        return 0;
    const struct inform i = {a->conf, a->keys, db, clock_now_usec()};
    return inform_test(&i, &a->result, a->test_language, a->test_recipient, &a->job.why);
}

/* A field that nobody has is misspelt: it would reach nobody, or with “not” everybody. A tag may be given later. */
static int check_reach(struct admit *a) {
    const struct intake_result *r = &a->result;
    struct filter_unseen unseen;
    if (!r->filter || a->reach.members == 0)
        return 0;
    for (size_t at = 0; filter_next_unseen(r->filter, &at, &unseen);) {
        struct view name = view_of(unseen.name);
        const char *near = text_nearest(name, a->reach.fields, a->reach.field_count);
        if (unseen.is_tag)
            intake_filter_problem(r, &a->problems, true, unseen.column, "filter-no-tag", unseen.name,
                                  text_nearest(name, a->reach.tags, a->reach.tag_count));
        else
            intake_filter_problem(r, &a->problems, false, unseen.column, "filter-no-field", unseen.name,
                                  near ? near : unseen.near);
    }
    char members[32];
    (void)snprintf(members, sizeof members, "%llu", (unsigned long long)a->reach.members); /* fits: a number */
    if (a->reach.census.active == 0)
        intake_filter_problem(r, &a->problems, true, 0, "filter-nobody", members, NULL);
    return a->problems.errors ? why_set(&a->job.why, -EINVAL, "the announcement has errors") : 0;
}

static int count(struct admit *a, struct db *db) {
    uint32_t lists[BUNDLE_LISTS_MAX];
    for (size_t i = 0; i < a->result.list_count; i++)
        lists[i] = a->result.lists[i]->id;
    return reach_count(db, lists, a->result.list_count, a->result.filter, &a->reach);
}

/* One phase a step: what stands in a transaction is durable before the next phase builds on it. */
static int step(struct store_job *job, struct db *db) {
    struct admit *a = (struct admit *)job;
    int r = 0;
    switch (a->phase) {
    case PHASE_CHECK:
        r = check(a, db);
        a->phase = PHASE_COUNT;
        break;
    case PHASE_COUNT:
        r = count(a, db);
        if (r == STORE_DONE)
            r = check_reach(a);
        if (r == STORE_DONE)
            a->phase = a->check_only ? PHASE_END : PHASE_KEEP;
        if (r == STORE_DONE && a->check_only)
            return end_check(a, db);
        break;
    case PHASE_KEEP:
        r = keep(a, db);
        a->phase = PHASE_PUBLISH;
        break;
    case PHASE_PUBLISH: a->phase = PHASE_END; return publish(a, db);
    case PHASE_UNDO:
        r = admit_undo(a->spool, db, a->id);
        a->phase = PHASE_UNDONE;
        break;
    case PHASE_UNDONE: return a->failure;
    }
    return r < 0 ? r : STORE_MORE;
}

void admit_init(struct admit *a) {
    a->job.lane = STORE_NORMAL;
    a->job.step = step;
    problems_init(&a->problems);
}

void admit_done(struct admit *a) {
    if (a->tmp_path)
        (void)files_remove_tree(a->spool->dirfd,
                                a->tmp_path); /* gone when it was published; else swept at the next start */
    free(a->tmp_path);
    problems_done(&a->problems);
    reach_done(&a->reach);
    intake_result_done(&a->result);
    source_done(&a->source);
    a->conf = conf_unref(a->conf);
}
