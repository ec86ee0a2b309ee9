/* Routes about what a person may ask for: everything that is held on them, erasure, and not to be written to at all.
 * What concerns an address as such is for whoever may do everything; a person all of whose lists are the caller's may
 * be erased by them. */
#include <errno.h>
#include <string.h>

#include "api/call.h"
#include "api/json_of.h"
#include "api/people_documents.h"
#include "api/route.h"
#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "mail/address.h"
#include "people/privacy.h"
#include "store/dossier.h"
#include "store/opt_out.h"
#include "store/returned.h"
#include "store/suppression.h"
#include "trust/code.h"

enum { EXPORT_FORMAT = 1 };

/* --- Everything that is held on a person --------------------------------------------------------------------- */

struct exporting {
    struct call *call;
    struct db *db;
    int64_t subscriber; /* whose deliveries */
    json_t *to;         /* an array */
};

static int add_delivery(void *user, const struct dossier_delivery *d) {
    const struct exporting *e = user;
    const char *list = people_list(e->call, d->list);
    if (!list)
        return 0;
    json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:s, s:s, s:s}", "announcement",
                          (json_int_t)d->announcement, "name", d->name, "subject", d->subject, "list", list, "language",
                          d->language, "state", d->state, "attempts", (int)d->attempts, "code", (int)d->code, "status",
                          d->status, "text", d->text, "relay", d->relay);
    if (!o)
        return -ENOMEM;
    json_set_moment(o, "date", d->claimed_usec);
    json_set_moment(o, "at", d->at_usec);
    struct returned back;
    int r = returned_get(e->db, d->announcement, e->subscriber, &e->call->arena, &back);
    if (r == 1)
        r = json_object_set_new(o, "returned", json_of_returned(&back)) < 0 ? -ENOMEM : 0;
    if (json_array_append_new(e->to, o) < 0)
        return -ENOMEM;
    return r;
}

static int add_import(void *user, const struct dossier_import *i) {
    const struct exporting *e = user;
    const char *list = people_list(e->call, i->list);
    if (!list)
        return 0;
    json_t *o = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s}", "id", (json_int_t)i->id, "list", list, "by", i->by, "file",
                          i->file, "basis", i->basis, "evidence", i->evidence);
    if (!o)
        return -ENOMEM;
    json_set_moment(o, "at", i->at_usec);
    return json_array_append_new(e->to, o) < 0 ? -ENOMEM : 0;
}

static int add_notice(void *user, const struct dossier_notice *n) {
    const struct exporting *e = user;
    json_t *o =
        json_pack("{s:s, s:I, s:s, s:i, s:s, s:s, s:s}", "kind", n->kind, "announcement", (json_int_t)n->announcement,
                  "state", n->state, "code", (int)n->code, "status", n->status, "text", n->text, "relay", n->relay);
    if (!o)
        return -ENOMEM;
    json_set_moment(o, "created", n->created_usec);
    json_set_moment(o, "at", n->at_usec);
    return json_array_append_new(e->to, o) < 0 ? -ENOMEM : 0;
}

/* Who left before the store knew them. */
static int add_opt_outs(struct call *c, struct db *db, const char *key) {
    uint8_t hash[OPT_OUT_HASH_BYTES];
    struct opt_out o = {0};
    json_t *opt_outs = json_array();
    int r;
    (void)json_object_set_new(c->result, "opt_outs", opt_outs);
    code_address_hash(c->parts.keys, view_of(key), hash);
    for (uint32_t from = 0; (r = opt_out_next(db, hash, from, &o)) == 1; from = o.list + 1) {
        json_t *one = json_pack("{s:s, s:s}", "list", o.list ? people_list(c, o.list) : "", "how", o.how);
        json_set_moment(one, "at", o.at_usec);
        if (json_array_append_new(opt_outs, one) < 0)
            return -ENOMEM;
        if (o.list == UINT32_MAX)
            return 0;
    }
    return r;
}

/* What hangs at the address alone: for whoever may do everything. */
static int add_address(struct call *c, struct db *db, const char *key) {
    struct suppression s;
    struct erasure erasure;
    json_t *suppression = json_null(), *erased = json_null();
    struct exporting e = {.call = c, .db = db, .to = json_array()};
    (void)json_object_set_new(c->result, "notices", e.to);
    int r = dossier_notices(db, key, add_notice, &e);
    if (r == 0 && (r = suppression_read(db, key, &c->arena, &s)) == 1) {
        suppression = json_pack("{s:s, s:s}", "reason", s.reason, "detail", s.detail);
        json_set_moment(suppression, "since", s.since_usec);
    }
    if (r >= 0 && (r = privacy_erased(db, c->parts.keys, key, &c->arena, &erasure)) == 1) {
        erased = json_pack("{s:s, s:s}", "by", erasure.by, "reason", erasure.reason);
        json_set_moment(erased, "at", erasure.at_usec);
    }
    (void)json_object_set_new(c->result, "suppression", suppression);
    (void)json_object_set_new(c->result, "erased", erased);
    return r < 0 ? r : add_opt_outs(c, db, key);
}

static bool holds_anything(const json_t *document) {
    return json_array_size(json_object_get(document, "notices")) ||
           json_array_size(json_object_get(document, "sign_ups")) ||
           json_array_size(json_object_get(document, "opt_outs")) ||
           json_is_object(json_object_get(document, "suppression")) ||
           json_is_object(json_object_get(document, "erased"));
}

/* It is the address's, whichever list it was written to through. */
static int add_score(struct call *c, struct db *db, int64_t subscriber) {
    struct returned_scored s;
    json_t *score = json_null();
    int r = returned_scored(db, subscriber, &s);
    if (r == 1) {
        score = json_pack("{s:I}", "count", (json_int_t)s.count);
        json_set_moment(score, "last", s.counted_usec);
        json_set_moment(score, "unknown_since", s.first_unknown_usec);
    }
    (void)json_object_set_new(c->result, "score", score);
    return r < 0 ? r : 0;
}

static int add_person(struct call *c, struct db *db, const struct member_record *m) {
    struct exporting imports = {c, db, m->person.id, json_array()};
    struct exporting deliveries = {c, db, m->person.id, json_array()};
    (void)json_object_set_new(c->result, "person", people_record(c, m));
    (void)json_object_set_new(c->result, "imports", imports.to);
    (void)json_object_set_new(c->result, "deliveries", deliveries.to);
    int r = dossier_imports(db, m->person.id, add_import, &imports);
    if (r == 0)
        r = dossier_deliveries(db, m->person.id, add_delivery, &deliveries);
    return r < 0 || !c->rights.all ? r : add_score(c, db, m->person.id);
}

static int nobody(struct why *why) {
    return why_set(why, -ENOENT, "nothing is held on this address");
}

static int step_export(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    struct member_record m;
    struct address a;
    int r = member_show(db, view_of(c->argument), &c->arena, &m, &job->why);
    bool found = r == 0;
    if (r < 0 && r != -ENOENT)
        return r;
    c->result = json_pack("{s:i, s:n}", "format", EXPORT_FORMAT, "person");
    if (!c->result || address_parse_mailbox(view_of(c->argument), &a, NULL) != ADDRESS_OK)
        return -ENOMEM; /* it was read once already */
    json_set_moment(c->result, "made", clock_now_usec());
    found = found && people_may_see(c, &m);
    json_t *sign_ups = people_sign_ups(c, db, a.key, found ? m.person.id : 0);
    if (!sign_ups)
        return -EIO;
    (void)json_object_set_new(c->result, "sign_ups", sign_ups);
    r = found ? add_person(c, db, &m) : 0;
    if (r == 0 && c->rights.all)
        r = add_address(c, db, a.key);
    return r < 0 ? r : found || holds_anything(c->result) ? 0 : nobody(&job->why);
}

void route_export(struct call *c) {
    call_run(c, STORE_NORMAL, step_export);
}

/* --- Erasure and suppression --------------------------------------------------------------------------------- */

static void body_free(void *state) {
    json_decref(state);
}

/* All of the person's lists, left ones too, must be the caller's. */
static int check_all_lists(struct call *c, struct db *db, struct view address) {
    struct member_record m;
    struct why *why = &c->job.why;
    if (c->rights.all)
        return 0;
    int r = member_show(db, address, &c->arena, &m, why);
    if (r < 0 && r != -ENOENT)
        return r;
    if (r < 0 || !people_may_see(c, &m))
        return nobody(why);
    for (size_t i = 0; i < m.subscription_count; i++)
        if (!people_list(c, m.subscriptions[i].list)) {
            (void)why_set(why, -EACCES, "more is held on this person than you may erase");
            why_todo(why, "Ask the admin");
            return -EACCES;
        }
    return 0;
}

static int step_privacy(struct store_job *job, struct db *db) {
    struct call *c = (struct call *)job;
    const json_t *body = c->state;
    const char *what = json_text(body, "do");
    struct view address = view_of(json_text(body, "address"));
    const struct member_act act = {.by = c->rights.name,
                                   .evidence = json_text(body, "reason"),
                                   .now_usec = clock_now_usec(),
                                   .spool = c->parts.spool,
                                   .keys = c->parts.keys};
    int r;
    if (strcmp(what, "erase") == 0)
        r = (r = check_all_lists(c, db, address)) < 0 ? r : privacy_erase(db, address, &act, &job->why);
    else if (strcmp(what, "suppress") == 0)
        r = privacy_suppress(db, address, &act, &job->why);
    else
        r = privacy_unsuppress(db, address, &act, &job->why);
    return r;
}

static void on_privacy(struct store_job *job, int result) {
    struct call *c = (struct call *)job;
    const json_t *body = c->state;
    if (result == 0) {
        c->result = json_pack("{s:s}", "done", json_text(body, "do"));
        if (strcmp(json_text(body, "do"), "erase") == 0)
            c->parts.on_erased(c->parts.user);
        log_info("privacy", LOG_TEXT("did", json_text(body, "do")), LOG_TEXT("by", c->rights.name));
    }
    call_finish(c, result);
}

void route_privacy(struct call *c) {
    json_t *body = json_read(http_body(c->http));
    const char *what = body ? json_text(body, "do") : "";
    c->state = body;
    c->free_state = body_free;
    if (strcmp(what, "erase") != 0 && strcmp(what, "suppress") != 0 && strcmp(what, "unsuppress") != 0)
        call_refuse(c, 400, "the body does not say what to do", NULL);
    else if (!c->rights.all && strcmp(what, "erase") != 0)
        call_refuse(c, 403, "whether an address is written to at all is for the admin to say",
                    "Take the person off your lists with `rundbrief subscriber leave` or `remove`");
    else
        call_run_with(c, STORE_NORMAL, step_privacy, on_privacy);
}
