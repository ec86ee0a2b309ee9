/* Sending again to those who did not get an announcement: shown first, then done. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/json_of.h"
#include "api/people_documents.h"
#include "api/route.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "mail/address.h"
#include "mail/when.h"
#include "send/dispatch.h"
#include "store/announcement.h"
#include "store/person.h"
#include "store/resend.h"

enum { NAMED_MAX = 1000, ROWS_MAX = 1000 };

struct sending_again {
    int64_t id, until_usec;
    struct resend resend;
    json_t *body, *rows;
    int64_t named[NAMED_MAX];
    bool begun;
};

static void again_free(void *state) {
    struct sending_again *s = state;
    json_decref(s->body);
    json_decref(s->rows);
    free(s);
}

static int on_row(void *user, const struct resend_row *row) {
    struct sending_again *s = user;
    if (json_array_size(s->rows) >= ROWS_MAX)
        return 0;
    json_t *o =
        json_pack("{s:s, s:s, s:i, s:s, s:s}", "address", row->address, "reason", resend_reason_name(row->reason),
                  "code", (int)row->code, "status", row->status, "text", row->text);
    return o && json_array_append_new(s->rows, o) == 0 ? 0 : -ENOMEM;
}

/* Those whom the caller names. */
static int find_named(struct sending_again *s, struct db *db, struct call *c) {
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(s->body, "addresses"), i, one) {
        const char *text = json_is_string(one) ? json_string_value(one) : "";
        struct address a;
        if (s->resend.named_count == NAMED_MAX)
            return why_set(&c->job.why, -E2BIG, "these are more than %d addresses", (int)NAMED_MAX);
        enum address_fault fault = address_parse_mailbox(view_of(text), &a, NULL);
        if (fault != ADDRESS_OK)
            return why_set(&c->job.why, -EINVAL, "%s: %s", text, address_fault_text(fault));
        struct member_record m;
        struct why unknown;
        int r = member_show(db, view_of(text), &c->arena, &m, &unknown);
        if (r < 0 && r != -ENOENT)
            return r;
        if (r < 0 || !people_may_see(c, &m)) /* whoever is on no list of the caller's is as unknown */
            return why_set(&c->job.why, -ENOENT, "nobody has the address %s", text);
        s->named[s->resend.named_count++] = m.person.id;
    }
    s->resend.named = s->named;
    return 0;
}

/* By the clock of the announcement's send-at: that of its first list. */
static int read_until(struct sending_again *s, struct call *c, const struct announcement_row *row) {
    const char *text = json_text(s->body, "send_until");
    const struct conf_list *list = conf_find_list_id(c->conf, row->lists.ids[0]);
    struct when w;
    if (!text[0] || (when_parse(view_of(text), &w) == WHEN_OK &&
                     when_to_usec(&w, list ? list->timezone : c->conf->timezone, &s->until_usec) == WHEN_OK))
        return 0;
    (void)why_set(&c->job.why, -EINVAL, "until when is not a moment");
    why_todo(&c->job.why, "Write it as 2025-09-02 10:00 or 2.9.2025 10:00");
    return -EINVAL;
}

static int begin(struct sending_again *s, struct db *db, struct call *c) {
    struct announcement_row row;
    int r = announcement_get(db, s->id, &c->arena, &row);
    if (r < 0)
        return r;
    if (r == 0 || !rights_on_any(&c->rights, c->conf, &row.lists)) {
        (void)why_set(&c->job.why, -ENOENT, "there is no announcement %lld", (long long)s->id);
        why_todo(&c->job.why, "`rundbrief status` shows them with their numbers");
        return -ENOENT;
    }
    if (!rights_on_all(&c->rights, c->conf, &row.lists)) {
        (void)why_set(&c->job.why, -EACCES, "announcement %lld is for lists of others, too", (long long)s->id);
        why_todo(&c->job.why, "Ask somebody who is in the groups of all its lists");
        return -EACCES;
    }
    r = read_until(s, c, &row);
    if (r == 0)
        r = resend_begin(db, s->id, s->until_usec, true, clock_now_usec(), &c->job.why);
    if (r == 0)
        r = find_named(s, db, c);
    s->until_usec = s->until_usec ? s->until_usec : row.send_until_usec;
    s->begun = r == 0;
    return r;
}

static json_t *document(const struct sending_again *s) {
    json_t *counts = json_object();
    uint64_t total = 0;
    for (size_t i = 0; i < RESEND_REASONS; i++) {
        (void)json_object_set_new(counts, resend_reason_name((enum resend_reason)i),
                                  json_integer((json_int_t)s->resend.counts[i])); /* what is missing is asked below */
        total += i < RESEND_NOT_REFUSED ? s->resend.counts[i] : 0;
    }
    json_t *o = json_pack("{s:I, s:b, s:I, s:o, s:O}", "id", (json_int_t)s->id, "done", s->resend.change, "total",
                          (json_int_t)total, "counts", counts, "rows", s->rows);
    if (o)
        json_set_moment(o, "send_until", s->until_usec);
    return o;
}

static int step(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct sending_again *s = c->state;
    int64_t now = clock_now_usec();
    int r = s->begun ? 0 : begin(s, db, c);
    if (r == 0)
        r = resend_step(db, &s->resend, now, &job->why);
    if (r != 0)
        return r;
    uint64_t total = 0;
    for (size_t i = 0; i < RESEND_NOT_REFUSED; i++)
        total += s->resend.counts[i];
    if (s->resend.change && total == 0) {
        (void)why_set(&job->why, -ESTALE, "there is nobody to whom it would be sent again");
        why_todo(&job->why, "`rundbrief resend %lld` says why", (long long)s->id);
        return -ESTALE;
    }
    if (s->resend.change)
        r = resend_begin(db, s->id, s->until_usec, false, now, &job->why);
    if (r == 0 && !(c->result = document(s)))
        r = -ENOMEM;
    return r;
}

static void on_done(struct store_job *job, int result) {
    struct call *c = (struct call *)job;
    const struct sending_again *s = c->state;
    if (result == 0 && s->resend.change) {
        log_info("announcement-moved", LOG_NUM("announcement", s->id), LOG_TEXT("by", c->rights.name));
        dispatch_announcement(c->parts.dispatch, s->id);
    }
    call_finish(c, result);
}

static bool take_only(struct call *c, struct sending_again *s) {
    json_t *one;
    size_t i;
    json_array_foreach(json_object_get(s->body, "only"), i, one) {
        const char *name = json_is_string(one) ? json_string_value(one) : "";
        bool deferred = strcmp(name, "deferred") == 0, refused = strcmp(name, "refused") == 0,
             in_doubt = strcmp(name, "in-doubt") == 0 || strcmp(name, "in_doubt") == 0;
        if (!deferred && !refused && !in_doubt) {
            call_refuse(c, 400, "it can be sent again to those deferred, in-doubt or refused",
                        "Give --only deferred,in-doubt,refused or some of these");
            return false;
        }
        s->resend.only_given = true;
        s->resend.deferred |= deferred;
        s->resend.refused |= refused;
        s->resend.in_doubt |= in_doubt;
    }
    return true;
}

void route_resend(struct call *c) {
    struct sending_again *s = calloc(1, sizeof *s);
    if (!s) {
        call_refuse(c, 503, "out of memory", NULL);
        return;
    }
    c->state = s;
    c->free_state = again_free;
    s->rows = json_array();
    s->body = json_read(http_body(c->http));
    if (number_parse_i64(view_of(c->argument), &s->id) < 0 || s->id <= 0) {
        call_refuse(c, 404, "there is no such announcement", "`rundbrief status` shows them with their numbers");
        return;
    }
    if (!s->body && http_body(c->http).len) {
        call_refuse(c, 400, "the body is no JSON document", NULL);
        return;
    }
    s->resend = (struct resend){.announcement = s->id, .change = json_flag(s->body, "do"), .on_row = on_row, .user = s};
    if (take_only(c, s))
        call_run_with(c, STORE_BULK, step, on_done);
}
