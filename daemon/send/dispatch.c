#include "send/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "send/destination.h"
#include "send/pace.h"
#include "send/relays.h"
#include "send/retry.h"
#include "send/sending.h"
#include "store/relay_usage.h"
#include "store/store.h"
#include "trust/code.h"
#include "trust/keys.h"
#include "trust/token.h"

enum { LIVE_MAX = 1024, NOTICES_WAITING_MAX = 4, MAIL_MAX_BYTES = 96 << 20, LOOK_AHEAD = 32 };
static const int64_t in_doubt_resend_usec = 10 * USEC_PER_SEC;
static const int64_t trouble_usec = 10 * USEC_PER_SEC; /* when the store failed: asked again */
static const int64_t reconnect_usec = 30 * USEC_PER_SEC;

struct dispatch {
    struct loop *loop;
    struct store *store;
    struct conf *conf;
    const struct keyring *keys;
    struct spool *spool;
    const struct dispatch_handlers *handlers;
    void *user;
    struct relays *relays;
    struct destinations *destinations;
    struct loop_source *post, *timer;

    struct sending *sendings; /* taken in turn: the first that got something goes to the end */
    struct items notices;
    unsigned notices_on_wire;
    bool notices_claiming, notices_exhausted;
    struct items withheld; /* refusals that may yet turn out to speak of us */
    struct session *withheld_of;

    bool surveying, survey_again;
    int64_t next_due_wall_usec; /* from the survey, 0 for nothing */
    unsigned jobs;              /* given to the store, not yet done */
    struct buf mail;

    bool stopping;
    struct loop_source *stop_timer;
    void (*on_stopped)(void *user);
    void *on_stopped_user;
};

static void wake(struct dispatch *d) {
    loop_post(d->post);
}

static uint32_t chance(void) {
    uint32_t n = 0;
    (void)!getrandom(&n, sizeof n, 0); /* four bytes always come at once */
    return n;
}

/* A job of dispatch: counted, so that a stop knows when the last one is done. */
struct work {
    struct store_job job; /* first */
    struct dispatch *d;
    struct item *item;
    struct sending *sending;
    int64_t id;
    void (*finish)(struct work *w, int result);
    /* claims */
    unsigned max;
    bool resend;
    struct claims claims;
    int found;
    /* outcomes */
    struct outcome outcome;
    int64_t now_usec, retry_usec;
    char relay[64];
    bool unclaim, on_wire;
    uint8_t key_id, signature[TOKEN_SIGNATURE_BYTES];
    /* gathering */
    bool begun; /* before a restart cut it off */
    const char *languages[BUNDLE_LANGUAGES_MAX];
    size_t language_count;
    struct arena arena;
    uint32_t list;
    int phase;
    bool finished;
};

static void on_work_done(struct store_job *job, int result) {
    struct work *w = (struct work *)job;
    struct dispatch *d = w->d;
    d->jobs--;
    if (result < 0)
        log_error("job-failed", LOG_NUM("announcement", w->id), LOG_TEXT("what", job->why.what),
                  LOG_TEXT("reason", strerror(-result)));
    w->finish(w, result);
    claims_done(&w->claims);
    arena_done(&w->arena);
    free(w);
    wake(d);
}

static struct work *work_new(struct dispatch *d, enum store_lane lane, int (*step)(struct store_job *, struct db *),
                             void (*finish)(struct work *, int)) {
    struct work *w = calloc(1, sizeof *w);
    if (!w) {
        log_error("out-of-memory");
        return NULL;
    }
    w->job = (struct store_job){.lane = lane, .step = step, .done = on_work_done};
    w->d = d;
    w->finish = finish;
    w->now_usec = clock_now_usec();
    return w;
}

static void submit(struct work *w) {
    w->d->jobs++;
    store_submit(w->d->store, &w->job);
}

/* ---- gathering and settling ---------------------------------------------------------------------------------- */

static void survey(struct dispatch *d);

static void finish_and_survey(struct work *w, int result) {
    (void)result;
    survey(w->d);
}

static int step_pause(struct store_job *job, struct db *db) {
    struct work *w = (struct work *)job;
    struct why why;
    int r = announcement_pause(db, w->id, w->outcome.text, &why);
    return r == -ESTALE ? 0 : r; /* paused or over by now */
}

/* The fault is the announcement's own: it waits for a person. */
static void hold(struct dispatch *d, int64_t id, const char *reason) {
    char number[24];
    struct work *w = work_new(d, STORE_NORMAL, step_pause, finish_and_survey);
    if (!w)
        return;
    w->id = id;
    outcome_set(&w->outcome, OUTCOME_DEFERRED, OUTCOME_OF_MESSAGE, reason);
    submit(w);
    (void)snprintf(number, sizeof number, "%lld", (long long)id);
    log_warning("announcement-paused", LOG_NUM("announcement", id), LOG_TEXT("reason", reason));
    d->handlers->on_alert(d->user, "alert-announcement-held", number, reason);
}

static int step_gather(struct store_job *job, struct db *db) {
    struct work *w = (struct work *)job;
    int r = 0;
    if (w->phase == 0) {
        r = sending_languages(w->d->spool, w->id, &w->arena, w->languages, &w->language_count, &job->why);
        if (r == 0 && !w->begun)
            r = announcement_begin_gathering(db, w->id, w->now_usec, w->retry_usec);
        w->phase = 1;
        return r < 0 ? r : STORE_MORE;
    }
    r = delivery_gather(db, w->id, w->list, w->languages, w->language_count);
    return r == STORE_DONE ? announcement_begin_sending(db, w->id) : r;
}

static void finish_gather(struct work *w, int result) {
    if (result < 0)
        w->sending->loading = false; /* paused, stopped or at fault: it may be gathered anew */
    if (result < 0 && result != -ESTALE)
        hold(w->d, w->id, w->job.why.what[0] ? w->job.why.what : strerror(-result));
    survey(w->d);
}

static bool is_gathering(const struct dispatch *d, int64_t id);

static void gather(struct dispatch *d, const struct announcement_row *row) {
    if (is_gathering(d, row->id))
        return;
    struct work *w = work_new(d, STORE_BULK, step_gather, finish_gather);
    struct sending *s = sending_new(row);
    if (!w || !s) {
        free(w);
        (void)sending_free(s);
        return;
    }
    /* Stands for the announcement until it sends, so that it is gathered once. */
    s->loading = true;
    s->next = d->sendings;
    d->sendings = s;
    w->id = row->id;
    w->list = row->list;
    w->begun = row->state == ANNOUNCEMENT_GATHERING;
    w->retry_usec = d->conf->retry_give_up_usec;
    w->sending = s;
    submit(w);
}

static struct sending *find(const struct dispatch *d, int64_t id) {
    struct sending *s = d->sendings;
    while (s && s->id != id)
        s = s->next;
    return s;
}

static bool is_gathering(const struct dispatch *d, int64_t id) {
    return find(d, id) != NULL;
}

static void forget(struct dispatch *d, struct sending *s) {
    for (struct sending **at = &d->sendings; *at; at = &(*at)->next)
        if (*at == s) {
            *at = s->next;
            break;
        }
    (void)sending_free(s);
}

static int step_settle(struct store_job *job, struct db *db) {
    struct work *w = (struct work *)job;
    int r = delivery_settle(db, w->id, clock_now_usec(), w->resend, &w->finished);
    return r == STORE_DONE && w->finished ? announcement_finish(db, w->id, clock_now_usec()) : r;
}

static void finish_settle(struct work *w, int result) {
    struct dispatch *d = w->d;
    w->sending->settling = false;
    w->sending->settled = true;
    if (result == 0 && w->finished) {
        log_info("announcement-finished", LOG_NUM("announcement", w->id));
        forget(d, w->sending);
        d->handlers->on_finished(d->user, w->id);
    }
    survey(d);
}

static void settle(struct dispatch *d, struct sending *s) {
    struct work *w = work_new(d, STORE_NORMAL, step_settle, finish_settle);
    if (!w)
        return;
    s->settling = true;
    w->id = s->id;
    w->sending = s;
    w->resend = d->conf->in_doubt == CONF_IN_DOUBT_RESEND;
    submit(w);
}

static int step_load(struct store_job *job, struct db *db) {
    (void)db;
    struct work *w = (struct work *)job;
    return sending_load(w->sending, w->d->spool, &job->why);
}

static void finish_load(struct work *w, int result) {
    struct sending *s = w->sending;
    s->loading = false;
    s->loaded = result == 0;
    s->failed = result < 0;
    if (result < 0)
        hold(w->d, s->id, w->job.why.what[0] ? w->job.why.what : strerror(-result));
}

static void load(struct dispatch *d, struct sending *s) {
    struct work *w = work_new(d, STORE_NORMAL, step_load, finish_load);
    if (!w)
        return;
    s->loading = true;
    w->id = s->id;
    w->sending = s;
    submit(w);
}

/* ---- the survey: what is there to do ------------------------------------------------------------------------- */

struct survey {
    struct store_job job; /* first */
    struct dispatch *d;
    struct announcement_row rows[LIVE_MAX];
    size_t count;
    struct arena arena;
    int64_t next_usec, due_usec;
};

static int on_live(void *user, const struct announcement_row *row) {
    struct survey *v = user;
    if (v->count < LIVE_MAX) {
        v->rows[v->count] = *row; /* the strings are not looked at */
        v->count++;
    }
    return 0;
}

static void sooner(int64_t *when, int64_t other) {
    if (other > 0 && (*when == 0 || other < *when))
        *when = other;
}

static int step_survey(struct store_job *job, struct db *db) {
    struct survey *v = (struct survey *)job;
    int64_t start = 0, notice = 0;
    v->count = 0;
    v->next_usec = v->due_usec = 0;
    int r = announcement_each(db, true, LIVE_MAX, on_live, v);
    if (r == 0)
        r = delivery_next_due(db, &v->due_usec);
    if (r == 0)
        r = announcement_next_start(db, &start);
    if (r == 0)
        r = notice_next_due(db, &notice);
    sooner(&v->next_usec, v->due_usec);
    sooner(&v->next_usec, start);
    sooner(&v->next_usec, notice);
    return r;
}

static void unclaim_waiting(struct dispatch *d, struct sending *s);

static char *relay_names(const struct dispatch *d, uint32_t list) {
    const struct conf_list *l = conf_find_list_id(d->conf, list);
    struct buf names = BUF_INIT(8192);
    for (size_t i = 0; l && i < l->relays.count; i++)
        buf_printf(&names, "%s%s", i ? "," : "", l->relays.items[i]);
    char *text = buf_steal(&names);
    buf_done(&names);
    return text;
}

static void take_row(struct dispatch *d, const struct announcement_row *row, bool any_due, int64_t now) {
    struct sending *s = find(d, row->id);
    switch (row->state) {
    case ANNOUNCEMENT_SCHEDULED:
        if (row->send_at_usec <= now && !d->stopping)
            gather(d, row);
        break;
    case ANNOUNCEMENT_GATHERING: /* cut off by a restart */
        if (!s && !d->stopping)
            gather(d, row);
        break;
    case ANNOUNCEMENT_SENDING:
        if (!s && !d->stopping) {
            s = sending_new(row);
            if (!s)
                return;
            s->next = d->sendings;
            d->sendings = s;
        }
        if (!s)
            return;
        if (!s->active && s->mail_count == 0) {
            s->loading = false; /* what stood for its gathering */
            s->send_until_usec = row->send_until_usec;
        }
        s->active = true;
        if (any_due || row->pending > s->waiting.count + s->on_wire + s->recording)
            sending_reopen(s);
        free(s->relays);
        s->relays = relay_names(d, s->list);
        if (!s->loaded && !s->loading && !s->failed && !d->stopping)
            load(d, s);
        break;
    case ANNOUNCEMENT_INTAKE:
    case ANNOUNCEMENT_HELD:
    case ANNOUNCEMENT_PAUSED:
    case ANNOUNCEMENT_DONE:
    case ANNOUNCEMENT_STOPPED: break;
    }
}

static bool is_in(const struct survey *v, int64_t id) {
    for (size_t i = 0; i < v->count; i++)
        if (v->rows[i].id == id &&
            (v->rows[i].state == ANNOUNCEMENT_SENDING || v->rows[i].state == ANNOUNCEMENT_GATHERING ||
             v->rows[i].state == ANNOUNCEMENT_SCHEDULED))
            return true;
    return false;
}

static void on_survey_done(struct store_job *job, int result) {
    struct survey *v = (struct survey *)job;
    struct dispatch *d = v->d;
    int64_t now = clock_now_usec();
    d->jobs--;
    d->surveying = false;
    if (result == 0) {
        for (size_t i = 0; i < v->count; i++)
            take_row(d, &v->rows[i], v->due_usec && v->due_usec <= now, now);
        for (struct sending *s = d->sendings, *next; s; s = next) {
            next = s->next;
            if (is_in(v, s->id))
                continue;
            s->active = false;
            unclaim_waiting(d, s);
            if (sending_is_quiet(s) && !s->settling && !s->loading)
                forget(d, s);
        }
        d->notices_exhausted = false;
        d->next_due_wall_usec = v->next_usec;
    } else
        sooner(&d->next_due_wall_usec, now + trouble_usec);
    free(v);
    if (d->survey_again) {
        d->survey_again = false;
        survey(d);
    }
    wake(d);
}

static void survey(struct dispatch *d) {
    if (d->surveying) {
        d->survey_again = true;
        return;
    }
    struct survey *v = calloc(1, sizeof *v);
    if (!v) {
        log_error("out-of-memory");
        return;
    }
    v->job = (struct store_job){.lane = STORE_URGENT, .step = step_survey, .done = on_survey_done};
    v->d = d;
    d->surveying = true;
    d->jobs++;
    store_submit(d->store, &v->job);
}

/* ---- claims and outcomes ------------------------------------------------------------------------------------- */

static int step_claim(struct store_job *job, struct db *db) {
    struct work *w = (struct work *)job;
    claims_done(&w->claims);
    w->claims = (struct claims){0};
    w->found = delivery_claim(db, w->id, w->now_usec, w->max, w->resend, &w->claims);
    return w->found < 0 ? w->found : STORE_DONE;
}

static void finish_claim(struct work *w, int result) {
    struct sending *s = w->sending;
    s->claiming = false;
    if (result < 0) {
        s->exhausted = true;
        sooner(&w->d->next_due_wall_usec, clock_now_usec() + trouble_usec);
        return;
    }
    s->exhausted = w->found == 0;
    for (size_t i = 0; i < w->claims.count; i++) {
        struct item *item = item_of_claim(s, &w->claims.items[i]);
        if (item)
            items_push(&s->waiting, item);
        else
            log_error("out-of-memory", LOG_NUM("announcement", s->id)); /* stays claimed: in doubt at the next start */
    }
    if (!s->active || w->d->stopping)
        unclaim_waiting(w->d, s);
}

static void claim(struct dispatch *d, struct sending *s, unsigned max) {
    struct work *w = work_new(d, STORE_URGENT, step_claim, finish_claim);
    if (!w)
        return;
    s->claiming = true;
    w->id = s->id;
    w->sending = s;
    w->max = max;
    w->resend = d->conf->in_doubt == CONF_IN_DOUBT_RESEND;
    submit(w);
}

static int step_claim_notice(struct store_job *job, struct db *db) {
    struct work *w = (struct work *)job;
    struct notice notice = {0};
    if (w->item)
        w->item = item_free(w->item);
    w->found = notice_claim(db, w->now_usec, &notice);
    if (w->found == 1) {
        w->item = item_of_notice(&notice);
        notice_done(&notice);
        return w->item ? 0 : -ENOMEM;
    }
    return w->found;
}

static void finish_claim_notice(struct work *w, int result) {
    struct dispatch *d = w->d;
    d->notices_claiming = false;
    d->notices_exhausted = result < 0 || w->found == 0;
    if (w->item && result == 0)
        items_push(&d->notices, w->item);
    else
        (void)item_free(w->item);
}

static void claim_notice(struct dispatch *d) {
    struct work *w = work_new(d, STORE_URGENT, step_claim_notice, finish_claim_notice);
    if (!w)
        return;
    d->notices_claiming = true;
    submit(w);
}

static int step_record(struct store_job *job, struct db *db) {
    struct work *w = (struct work *)job;
    const struct claim *c = &w->item->claim;
    int r;
    if (!w->item->sending)
        r = w->unclaim ? notice_unclaim(db, w->item->notice.id, w->retry_usec ? w->retry_usec : w->now_usec)
                       : notice_record(db, w->item->notice.id, &w->outcome, w->now_usec, w->retry_usec, w->relay);
    else if (w->unclaim)
        r = delivery_unclaim(db, c->announcement, c->subscriber, c->from);
    else
        r = delivery_record(db, c->announcement, c->subscriber, &w->outcome, w->now_usec, w->retry_usec, w->relay,
                            c->list, w->key_id, w->signature);
    if (r == 0 && w->on_wire && w->outcome.class != OUTCOME_DEFERRED)
        r = relay_usage_add(db, w->relay, w->now_usec, 1);
    return r;
}

static void finish_record(struct work *w, int result) {
    (void)result; /* an urgent job fails only for a reason that on_work_done() has logged */
    struct sending *s = w->item->sending;
    bool again = w->retry_usec != 0 || w->unclaim;
    if (s)
        s->recording--;
    else
        w->d->notices_on_wire--;
    (void)item_free(w->item);
    if (again)
        survey(w->d);
}

/* The last step of an item: its outcome goes to the store (or it is given back), and it is freed. */
static void record(struct dispatch *d, struct item *item, const struct outcome *outcome, int64_t retry_usec,
                   const char *relay, bool on_wire) {
    struct work *w = work_new(d, STORE_URGENT, step_record, finish_record);
    if (!w)
        return; /* stays claimed: in doubt at the next start */
    w->item = item;
    w->sending = item->sending;
    w->id = item->claim.announcement;
    w->retry_usec = retry_usec;
    w->on_wire = on_wire;
    w->unclaim = outcome == NULL;
    if (outcome)
        w->outcome = *outcome;
    (void)snprintf(w->relay, sizeof w->relay, "%s", relay);
    w->key_id = item->claim.key_id;
    memcpy(w->signature, item->claim.signature, sizeof w->signature);
    if (item->sending)
        item->sending->recording++;
    submit(w);
}

static void give_back(struct dispatch *d, struct item *item, int64_t notice_due_usec) {
    struct sending *s = item->sending;
    if (s)
        sending_reopen(s);
    record(d, item, NULL, notice_due_usec, "", false);
}

static void unclaim_waiting(struct dispatch *d, struct sending *s) {
    for (struct item *i; (i = items_pop(&s->waiting));)
        give_back(d, i, 0);
}

static int64_t retry_of(const struct dispatch *d, const struct item *item, const struct outcome *o) {
    int64_t now = clock_now_usec();
    const struct sending *s = item->sending;
    unsigned attempts = (s ? item->claim.attempts : item->notice.attempts) + 1;
    int64_t until = s ? s->send_until_usec : 0;
    if (o->class == OUTCOME_IN_DOUBT)
        return d->conf->in_doubt == CONF_IN_DOUBT_RESEND ? now + in_doubt_resend_usec : 0;
    if (o->class != OUTCOME_DEFERRED)
        return 0;
    /* A lost connection says nothing of the recipient: soon again, but not in a circle. */
    if (o->subject == OUTCOME_OF_CONNECTION && attempts <= 10)
        return until == 0 || now + reconnect_usec * attempts < until ? now + reconnect_usec * attempts : 0;
    return retry_next(d->conf, attempts, now, s ? item->claim.first_claim_usec : now, until, chance());
}

static void flush_withheld(struct dispatch *d, bool of_us) {
    for (struct item *i; (i = items_pop(&d->withheld));)
        if (of_us)
            give_back(d, i, clock_now_usec() + reconnect_usec);
        else
            record(d, i, &i->outcome, 0, i->domain, true); /* where on_outcome() left the relay's name */
}

static void on_outcome(void *user, struct session *session, uint64_t cookie, const struct outcome *outcome) {
    struct dispatch *d = user;
    struct item *item = (struct item *)(uintptr_t)cookie;
    int64_t now = clock_mono_usec();
    unsigned run;
    const char *relay = session_relay(session)->id;
    if (item->sending)
        item->sending->on_wire--;
    enum destination_verdict verdict = outcome->class == OUTCOME_DELIVERED          ? DESTINATION_DELIVERED
                                       : outcome->subject == OUTCOME_OF_DESTINATION ? DESTINATION_SLOW_DOWN
                                                                                    : DESTINATION_OTHER;
    if (destination_done(d->destinations, view_of(item->domain), verdict, now)) {
        log_info("destination-slows-down", LOG_TEXT("domain", item->domain));
        if (outcome->code >= 500) /* a policy: it wants a person to look */
            d->handlers->on_alert(d->user, "alert-destination-paused", item->domain, outcome->text);
    }
    bool of_us = relays_judge(d->relays, session, outcome, now, &run);
    if (of_us) {
        flush_withheld(d, true);
        give_back(d, item, clock_now_usec() + reconnect_usec);
    } else if (outcome->subject == OUTCOME_OF_MESSAGE && outcome->code >= 500 && item->sending) {
        int64_t id = item->sending->id;
        give_back(d, item, 0);
        hold(d, id, outcome->text);
    } else if (run > 0) {
        item->outcome = *outcome;
        items_push(&d->withheld, item);
        (void)snprintf(item->domain, sizeof item->domain, "%s", relay); /* the domain is not asked for any more */
    } else {
        flush_withheld(d, false);
        record(d, item, outcome, retry_of(d, item, outcome), relay, true);
    }
    wake(d);
}

static void on_unsent(void *user, uint64_t cookie) {
    struct dispatch *d = user;
    struct item *item = (struct item *)(uintptr_t)cookie;
    if (item->sending)
        item->sending->on_wire--;
    (void)destination_done(d->destinations, view_of(item->domain), DESTINATION_OTHER, clock_mono_usec());
    give_back(d, item, clock_now_usec());
    wake(d);
}

/* ---- composing and sending ----------------------------------------------------------------------------------- */

static int make_token(struct dispatch *d, struct claim *c, struct buf *to) {
    if (c->key_id == 0) {
        int r = token_sign_recipient(d->keys, c->list, (uint64_t)c->subscriber, &c->key_id, c->signature);
        if (r < 0)
            return r;
    }
    token_print_recipient(c->key_id, c->list, (uint64_t)c->subscriber, c->signature, to);
    return buf_error(to);
}

static void print_return_path(const struct dispatch *d, const struct claim *c, const char *plain, struct buf *to) {
    const char *base = d->conf->return_path, *at = strrchr(base, '@');
    if (!at) {
        buf_puts(to, plain);
        return;
    }
    buf_add(to, base, (size_t)(at - base));
    buf_putc(to, '+');
    code_make(d->keys, CODE_BOUNCE, (uint64_t)c->announcement, (uint64_t)c->subscriber, to);
    buf_puts(to, at);
}

static int compose_item(struct dispatch *d, struct item *item, struct buf *return_path) {
    struct claim *c = &item->claim;
    struct compiled *mail = sending_mail(item->sending, c->language);
    AUTOBUF struct buf token = BUF_INIT(TOKEN_TEXT_MAX * 2), message_id = BUF_INIT(128);
    int r = mail ? make_token(d, c, &token) : -ENOENT;
    if (r < 0)
        return r;
    code_message_id(d->keys, (uint64_t)c->announcement, (uint64_t)c->subscriber, &message_id);
    const struct compose_recipient recipient = {
        .announcement = c->announcement,
        .subscriber = c->subscriber,
        .address = c->address,
        .contact = {.own_salutation = c->salutation,
                    .form = c->form,
                    .title = c->title,
                    .given_name = c->given_name,
                    .family_name = c->family_name,
                    .organisation = c->organisation},
        .attributes = c->attributes,
        .token = buf_view(&token),
        .message_id = buf_view(&message_id),
        .date_usec = c->first_claim_usec,
    };
    print_return_path(d, c, compiled_sender_address(mail), return_path);
    r = compose(mail, &recipient, &d->mail);
    return r < 0 ? r : buf_error(return_path);
}

static const char *sender_address(const struct dispatch *d, const char *sender) {
    const struct conf_sender *s = conf_find_sender(d->conf, view_of(sender));
    return s ? s->address : d->conf->sender_count ? d->conf->senders[0].address : "";
}

static void send_item(struct dispatch *d, struct item *item, struct session *session) {
    AUTOBUF struct buf return_path = BUF_INIT(512);
    struct view recipient, message;
    int r = 0;
    buf_clear(&d->mail);
    if (item->sending) {
        r = compose_item(d, item, &return_path);
        recipient = item->claim.address;
        message = buf_view(&d->mail);
    } else {
        buf_puts(&return_path, sender_address(d, item->notice.sender));
        recipient = view_of(item->notice.recipient);
        message = item->notice.message;
    }
    const struct envelope envelope = {buf_view(&return_path), recipient, !text_is_ascii(recipient)};
    if (r == 0)
        r = session_send(session, &envelope, message, (uint64_t)(uintptr_t)item);
    if (r < 0) {
        struct outcome o;
        outcome_set(&o, OUTCOME_REFUSED, OUTCOME_OF_RECIPIENT,
                    r == -EINVAL ? "a field of this person cannot stand in a mail" : strerror(-r));
        (void)destination_done(d->destinations, view_of(item->domain), DESTINATION_OTHER, clock_mono_usec());
        if (!item->sending)
            d->notices_on_wire++;
        record(d, item, &o, 0, "", false);
        return;
    }
    if (item->sending)
        item->sending->on_wire++;
    else
        d->notices_on_wire++;
    relays_sent(d->relays, session, clock_mono_usec());
}

/* The first item of the queue whose destination may be written to now. Those that must wait longer are put off:
 * deferred in the store, so that a slow destination piles nothing up here. */
static struct item *take_item(struct dispatch *d, struct items *queue, int64_t now, int64_t *when) {
    struct items passed;
    struct item *found = NULL;
    items_init(&passed);
    for (unsigned looked = 0; looked < LOOK_AHEAD && !found; looked++) {
        struct item *i = items_pop(queue);
        int64_t later = 0;
        if (!i)
            break;
        switch (destination_take(d->destinations, view_of(i->domain), now, &later)) {
        case DESTINATION_GO: found = i; break;
        case DESTINATION_BUSY: items_push(&passed, i); break;
        case DESTINATION_LATER:
            if (later - now < 2 * USEC_PER_SEC) {
                items_push(&passed, i);
                sooner(when, later);
            } else {
                struct outcome o;
                int64_t turn = destination_turn(d->destinations, view_of(i->domain), now);
                outcome_set(&o, OUTCOME_DEFERRED, OUTCOME_OF_DESTINATION, "waits for its turn at this destination");
                if (!i->sending)
                    d->notices_on_wire++;
                record(d, i, &o, clock_now_usec() + (turn - now), "", false);
            }
            break;
        }
    }
    while (passed.first) { /* back to the front, in their order */
        struct item *last = NULL, *i = passed.first;
        while (i->next)
            last = i, i = i->next;
        if (last)
            last->next = NULL;
        else
            passed.first = NULL;
        items_push_front(queue, i);
    }
    return found;
}

/* Sends what this queue has as far as sessions take it; true where something was sent. */
static bool feed(struct dispatch *d, struct items *queue, const char *names, int64_t now, int64_t *when) {
    if (queue->count == 0)
        return false;
    struct session *session = relays_pick(d->relays, names, now, when);
    if (!session) {
        relays_connect(d->relays, names, queue->count, now);
        return false;
    }
    struct item *item = take_item(d, queue, now, when);
    if (!item)
        return false;
    send_item(d, item, session);
    return true;
}

static void rotate(struct dispatch *d) {
    struct sending *s = d->sendings;
    if (!s || !s->next)
        return;
    d->sendings = s->next;
    s->next = NULL;
    struct sending **at = &d->sendings;
    while (*at)
        at = &(*at)->next;
    *at = s;
}

static unsigned claimed(const struct dispatch *d) {
    unsigned n = 0;
    for (const struct sending *s = d->sendings; s; s = s->next)
        n += s->waiting.count + s->on_wire;
    return n;
}

static const char *names_of(const struct sending *s) {
    return s->relays ? s->relays : "";
}

/* Nothing is claimed for relays that all rest, and what waited for them is given back. */
static void claim_for(struct dispatch *d, struct sending *s, unsigned share, unsigned *have, int64_t now,
                      int64_t *when) {
    unsigned window = relays_window(d->relays);
    if (!relays_alive(d->relays, names_of(s), now, when))
        unclaim_waiting(d, s);
    else if (!s->exhausted && !s->claiming && s->waiting.count < share && *have + share <= window + share) {
        claim(d, s, share);
        *have += share;
    }
}

static void claim_more(struct dispatch *d, int64_t now, int64_t *when) {
    if (d->stopping || store_trouble(d->store))
        return;
    if (!d->notices_claiming && !d->notices_exhausted && d->notices.count < NOTICES_WAITING_MAX &&
        relays_alive(d->relays, "", now, when))
        claim_notice(d);
    unsigned active = 0, have = claimed(d);
    for (struct sending *s = d->sendings; s; s = s->next)
        active += s->active && s->loaded && !s->exhausted;
    unsigned share = active ? relays_window(d->relays) / 2 / active : 0;
    for (struct sending *s = d->sendings; s; s = s->next)
        if (s->active && s->loaded && (!s->exhausted || s->waiting.count))
            claim_for(d, s, share ? share : 1, &have, now, when);
}

static void check_stopped(struct dispatch *d) {
    if (!d->stopping || !d->on_stopped || d->jobs || relays_in_flight(d->relays))
        return;
    void (*on_stopped)(void *) = d->on_stopped;
    d->on_stopped = NULL;
    on_stopped(d->on_stopped_user);
}

static void settle_quiet(struct dispatch *d) {
    for (struct sending *s = d->sendings; s; s = s->next)
        if (s->active && s->loaded && s->exhausted && !s->settling && !s->settled && sending_is_quiet(s))
            settle(d, s);
}

static void set_timer(struct dispatch *d, int64_t when_mono) {
    if (d->next_due_wall_usec) {
        int64_t wait = d->next_due_wall_usec - clock_now_usec();
        sooner(&when_mono, clock_mono_usec() + (wait > 0 ? wait : 0));
    }
    if (when_mono)
        loop_set_timer(d->timer, when_mono);
    else
        loop_unset_timer(d->timer);
}

static void pump(void *user) {
    struct dispatch *d = user;
    int64_t now = clock_mono_usec(), when = 0;
    bool any = true;
    while (any && !d->stopping) {
        any = feed(d, &d->notices, d->notices.first ? d->notices.first->notice.relays : "", now, &when);
        for (struct sending *s = d->sendings; s; s = s->next)
            any |= feed(d, &s->waiting, names_of(s), now, &when);
        rotate(d);
    }
    if (relays_in_flight(d->relays) == 0)
        flush_withheld(d, false);
    claim_more(d, now, &when);
    settle_quiet(d);
    sooner(&when, relays_close_idle(d->relays, now));
    set_timer(d, when);
    check_stopped(d);
}

static void on_timer(void *user) {
    struct dispatch *d = user;
    if (d->next_due_wall_usec && d->next_due_wall_usec <= clock_now_usec()) {
        d->next_due_wall_usec = 0;
        survey(d);
    }
    pump(d);
}

static void on_relays_ready(void *user) {
    wake(user);
}

static void on_relays_alert(void *user, const char *key, const char *relay, const char *text) {
    struct dispatch *d = user;
    d->handlers->on_alert(d->user, key, relay, text);
}

static const struct relays_handlers relays_handlers = {on_relays_ready, on_outcome, on_unsent, on_relays_alert};

int dispatch_new(struct loop *loop, struct store *store, struct conf *conf, const struct keyring *keys,
                 struct spool *spool, const struct dispatch_handlers *handlers, void *user, struct why *why,
                 struct dispatch **ret) {
    struct dispatch *d = calloc(1, sizeof *d);
    if (!d)
        return why_set(why, -ENOMEM, "out of memory");
    d->loop = loop;
    d->store = store;
    d->conf = conf_ref(conf);
    d->keys = keys;
    d->spool = spool;
    d->handlers = handlers;
    d->user = user;
    items_init(&d->notices);
    items_init(&d->withheld);
    buf_init(&d->mail, MAIL_MAX_BYTES);
    int r = relays_new(loop, conf, &relays_handlers, d, why, &d->relays);
    if (r == 0 && (r = destinations_new(&d->destinations)) < 0)
        (void)why_set(why, r, "out of memory");
    if (r == 0) {
        destinations_configure(d->destinations, conf, clock_mono_usec());
        r = loop_add_post(loop, pump, d, &d->post);
        if (r == 0)
            r = loop_add_timer(loop, on_timer, d, &d->timer);
        if (r < 0)
            (void)why_set(why, r, "cannot prepare the loop: %s", strerror(-r));
    }
    if (r < 0) {
        (void)dispatch_free(d);
        return r;
    }
    *ret = d;
    return 0;
}

struct dispatch *dispatch_free(struct dispatch *d) {
    if (!d)
        return NULL;
    (void)relays_free(d->relays);
    while (d->sendings)
        forget(d, d->sendings);
    for (struct item *i; (i = items_pop(&d->notices)) || (i = items_pop(&d->withheld));)
        (void)item_free(i);
    (void)destinations_free(d->destinations);
    (void)loop_remove(d->post);
    (void)loop_remove(d->timer);
    (void)loop_remove(d->stop_timer);
    (void)conf_unref(d->conf);
    buf_done(&d->mail);
    free(d);
    return NULL;
}

struct usage {
    struct store_job job; /* first */
    struct dispatch *d;
    struct conf *conf;
    uint64_t *messages;
};

static int step_usage(struct store_job *job, struct db *db) {
    struct usage *u = (struct usage *)job;
    int r = 0;
    for (size_t i = 0; r == 0 && i < u->conf->relay_count; i++)
        r = relay_usage_day(db, u->conf->relays[i].id, clock_now_usec(), &u->messages[i]);
    return r;
}

static void on_usage(struct store_job *job, int result) {
    struct usage *u = (struct usage *)job;
    struct dispatch *d = u->d;
    int64_t now = clock_now_usec();
    d->jobs--;
    for (size_t i = 0; result == 0 && i < u->conf->relay_count; i++)
        relays_load_usage(d->relays, u->conf->relays[i].id, now / USEC_PER_HOUR, (uint32_t)u->messages[i], now);
    (void)conf_unref(u->conf);
    free(u->messages);
    free(u);
    survey(d);
}

void dispatch_start(struct dispatch *d) {
    struct usage *u = calloc(1, sizeof *u);
    uint64_t *messages = calloc(d->conf->relay_count + 1, sizeof *messages);
    if (!u || !messages) {
        free(u);
        free(messages);
        survey(d);
        return;
    }
    *u = (struct usage){.job = {.lane = STORE_URGENT, .step = step_usage, .done = on_usage},
                        .d = d,
                        .conf = conf_ref(d->conf),
                        .messages = messages};
    d->jobs++;
    store_submit(d->store, &u->job);
}

void dispatch_announcement(struct dispatch *d, int64_t announcement) {
    struct sending *s = find(d, announcement);
    if (s && s->failed) { /* resumed after a correction: read it again */
        s->failed = false;
        s->loaded = false;
    }
    survey(d);
}

void dispatch_notices(struct dispatch *d) {
    survey(d);
}

void dispatch_set_conf(struct dispatch *d, struct conf *conf) {
    struct conf *before = d->conf;
    d->conf = conf_ref(conf);
    if (relays_set_conf(d->relays, d->conf) < 0)
        log_error("out-of-memory");
    destinations_configure(d->destinations, d->conf, clock_mono_usec());
    (void)conf_unref(before);
    survey(d);
}

/* What has no reply by now is in doubt. */
static void on_stop_deadline(void *user) {
    struct dispatch *d = user;
    log_warning("stopped-with-messages-on-the-wire", LOG_NUM("messages", relays_in_flight(d->relays)));
    relays_abort(d->relays);
    wake(d);
}

void dispatch_stop(struct dispatch *d, int64_t deadline_mono_usec, void (*on_stopped)(void *user), void *user) {
    d->stopping = true;
    d->on_stopped = on_stopped;
    d->on_stopped_user = user;
    for (struct sending *s = d->sendings; s; s = s->next)
        unclaim_waiting(d, s);
    for (struct item *i; (i = items_pop(&d->notices));) {
        d->notices_on_wire++;
        give_back(d, i, clock_now_usec());
    }
    relays_quit(d->relays);
    if (loop_add_timer(d->loop, on_stop_deadline, d, &d->stop_timer) == 0)
        loop_set_timer(d->stop_timer, deadline_mono_usec);
    wake(d);
}

void dispatch_stats(const struct dispatch *d, struct dispatch_stats *ret) {
    *ret = (struct dispatch_stats){0};
    relays_stats(d->relays, ret);
    for (const struct sending *s = d->sendings; s; s = s->next)
        ret->claimed += s->waiting.count + s->on_wire + s->recording;
}
