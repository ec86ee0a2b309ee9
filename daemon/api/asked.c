#include "api/asked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "mail/filter.h"
#include "net/json.h"
#include "net/question.h"
#include "send/sending.h"
#include "store/announcement.h"
#include "store/person.h"
#include "store/reach.h"
#include "store/store.h"
#include "store/subscription.h"
#include "trust/token.h"

#include "base/banned.h"

struct asked {
    struct api_parts parts;
    struct conf *conf;
    struct question_server *server;
};

/* One question while the store works on it. */
struct asked_job {
    struct store_job job; /* first */
    struct question *question;
    struct spool *spool;
    struct conf *conf; /* the one in force when it was asked; a reference */
    struct token token;
    json_t *answer;
    struct arena arena;
    struct announcement_row row; /* of a release */
    bool counting;
    struct filter *only;
    struct reach reach;
};

static struct asked_job *job_of(struct store_job *job) {
    return (struct asked_job *)job;
}

static int answer_gone(struct asked_job *j) {
    j->answer = json_pack("{s:s}", "purpose", "gone");
    return j->answer ? STORE_DONE : -ENOMEM;
}

/* ---- a recipient's ---- */

/* Of every list of the sender. */
static int add_list(struct asked_job *j, struct db *db, const struct conf_list *list, json_t *lists) {
    struct subscription s;
    int r = subscription_get(db, list->id, (int64_t)j->token.subscriber, &s);
    if (r <= 0)
        return r;
    json_t *one = json_pack("{s:I,s:s}", "list", (json_int_t)list->id, "state", subscription_state_name(s.state));
    return json_array_append_new(lists, one) < 0 ? -ENOMEM : 0;
}

static int step_recipient(struct store_job *job, struct db *db) {
    struct asked_job *j = job_of(job);
    struct person person;
    const struct conf_list *own = conf_find_list_id(j->conf, j->token.list);
    int r = own ? person_get(db, (int64_t)j->token.subscriber, &j->arena, &person) : 0;
    if (r <= 0)
        return r < 0 ? r : answer_gone(j);
    json_t *lists = json_array();
    r = lists ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < j->conf->list_count; i++)
        if (j->conf->lists[i].sender == own->sender)
            r = add_list(j, db, &j->conf->lists[i], lists);
    if (r < 0) {
        json_decref(lists);
        return r;
    }
    j->answer = json_pack("{s:s,s:s,s:o}", "purpose", "recipient", "language", person.language, "lists", lists);
    return j->answer ? STORE_DONE : -ENOMEM;
}

/* ---- a release ---- */

static json_t *counts_of(const struct subscription_census *census) {
    json_t *languages = json_array();
    for (size_t i = 0; languages && i < census->language_count; i++)
        if (json_array_append_new(languages, json_pack("{s:s,s:I}", "language", census->languages[i].code, "people",
                                                       (json_int_t)census->languages[i].count)) < 0) {
            json_decref(languages);
            return NULL;
        }
    return languages;
}

static int answer_release(struct asked_job *j) {
    const struct conf_list *list = conf_find_list_id(j->conf, j->row.lists.ids[0]);
    j->answer = json_pack("{s:s,s:I,s:I,s:s,s:s,s:I,s:s}", "purpose", "release", "announcement", (json_int_t)j->row.id,
                          "list", (json_int_t)j->row.lists.ids[0], "state", announcement_state_name(j->row.state),
                          "subject", j->row.subject, "send_at", (json_int_t)(j->row.send_at_usec / USEC_PER_SEC),
                          "timezone", list && list->timezone[0] ? list->timezone : j->conf->timezone);
    json_t *counts = j->answer && j->counting ? counts_of(&j->reach.census) : NULL;
    if (!j->answer || (j->counting && !counts))
        return -ENOMEM;
    if (j->counting && (json_object_set_new(j->answer, "languages", counts) < 0 || /* takes counts, also in vain */
                        json_object_set_new(j->answer, "total", json_integer((json_int_t)j->reach.census.active)) < 0))
        return -ENOMEM;
    return STORE_DONE;
}

/* Whom it would reach now, as it will be asked when it begins. */
static int begin_counting(struct asked_job *j) {
    const char *languages[BUNDLE_LANGUAGES_MAX];
    size_t count;
    j->counting = true;
    return sending_audience(j->spool, j->row.id, &j->arena, languages, &count, &j->only, &j->job.why);
}

static int step_release(struct store_job *job, struct db *db) {
    struct asked_job *j = job_of(job);
    int r = 0;
    if (!j->counting) {
        r = announcement_get(db, (int64_t)j->token.announcement, &j->arena, &j->row);
        if (r <= 0)
            return r < 0 ? r : answer_gone(j);
        if (j->row.state != ANNOUNCEMENT_HELD)
            return answer_release(j);
        r = begin_counting(j);
    }
    if (r == 0)
        r = reach_count(db, j->row.lists.ids, j->row.lists.count, j->only, &j->reach);
    return r == STORE_DONE ? answer_release(j) : r;
}

/* ---- questions ---- */

static void on_done(struct store_job *job, int result) {
    struct asked_job *j = job_of(job);
    AUTOBUF struct buf text = BUF_INIT(QUESTION_ANSWER_MAX_BYTES);
    if (result == 0)
        result = json_print(j->answer, &text);
    if (result < 0) {
        log_warning("question-not-answered", LOG_TEXT("reason", store_reason(result)));
        buf_clear(&text);
    }
    question_answer(j->question, buf_view(&text));
    json_decref(j->answer);
    (void)filter_free(j->only);
    reach_done(&j->reach);
    arena_done(&j->arena);
    (void)conf_unref(j->conf);
    free(j);
}

static void on_ask(void *user, struct question *q, struct view text) {
    struct asked *a = user;
    struct token token;
    bool valid = token_verify(a->parts.keys, text, &token) == 0 &&
                 (token.purpose == TOKEN_RECIPIENT || token.purpose == TOKEN_RELEASE);
    struct asked_job *j = valid ? calloc(1, sizeof *j) : NULL;
    if (!j) {
        question_answer(q, VIEW(""));
        return;
    }
    if (token.purpose == TOKEN_RELEASE && token.expires_usec <= clock_now_usec()) {
        free(j);
        question_answer(q, VIEW("{\"purpose\":\"gone\"}"));
        return;
    }
    *j = (struct asked_job){.question = q, .spool = a->parts.spool, .conf = conf_ref(a->conf), .token = token};
    arena_init(&j->arena);
    j->job.lane = STORE_NORMAL;
    j->job.step = token.purpose == TOKEN_RELEASE ? step_release : step_recipient;
    j->job.done = on_done;
    store_submit(a->parts.store, &j->job);
}

int asked_new(const struct api_parts *parts, struct why *why, struct asked **ret) {
    struct asked *a = calloc(1, sizeof *a);
    AUTOBUF struct buf path = BUF_INIT(4096);
    if (!a)
        return why_set(why, -ENOMEM, "out of memory");
    a->parts = *parts;
    a->conf = conf_ref(parts->conf);
    conf_door_socket(parts->conf, &path);
    int r = buf_error(&path);
    if (r < 0)
        (void)why_set(why, r, "out of memory");
    else
        r = question_server_new(parts->loop, buf_str(&path), on_ask, a, why, &a->server);
    if (r < 0)
        a = asked_free(a);
    else
        *ret = a;
    return r;
}

struct asked *asked_free(struct asked *a) {
    if (!a)
        return NULL;
    (void)question_server_free(a->server);
    (void)conf_unref(a->conf);
    free(a);
    return NULL;
}

void asked_set_conf(struct asked *a, struct conf *conf) {
    struct conf *before = a->conf;
    a->conf = conf_ref(conf);
    (void)conf_unref(before);
}
