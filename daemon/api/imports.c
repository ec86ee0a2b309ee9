/* Imports: a CSV file streamed from the command line into people/import.h, as fast as the store takes it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "api/languages.h"
#include "api/route.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/number.h"
#include "conf/conf.h"
#include "people/import.h"
#include "people/presign.h"
#include "spool/spool.h"

/* An upload takes the time it takes, but others wait for its end: not one that sends nothing. */
static const int64_t silence_usec = 10 * USEC_PER_MIN;

struct importing {
    struct call *call; /* NULL once it is gone */
    struct import *import;
    struct api_languages languages; /* the import's words */
    bool over;                      /* on_done has come */
};

static void on_gone(void *user) {
    struct importing *m = user;
    api_languages_done(&m->languages);
    free(m);
}

static void importing_free(void *state) {
    struct importing *m = state;
    m->call = NULL;
    if (m->import && !m->over) {
        import_abort(m->import); /* a piece may be being read just now: on_gone() comes when it no longer is */
        return;
    }
    (void)import_free(m->import);
    on_gone(m);
}

static json_t *problem_documents(const struct import_result *r) {
    json_t *problems = json_array();
    for (size_t i = 0; i < r->problem_count; i++)
        (void)json_array_append_new(problems, json_pack("{s:i, s:b, s:s}", "line", (int)r->problems[i].line, "bad",
                                                        (int)r->problems[i].bad, "text", r->problems[i].text));
    return problems;
}

static json_t *result_document(const struct import_result *r) {
    json_t *o = json_pack("{s:o, s:I, s:s, s:b}", "problems_listed", problem_documents(r), "problems_unlisted",
                          (json_int_t)r->problems_unlisted, "charset", r->charset ? r->charset : "", "charset_guessed",
                          (int)r->charset_guessed);
    if (!o)
        return NULL;
    const struct {
        const char *key;
        uint64_t n;
    } counts[] = {{"rows", r->rows},
                  {"added", r->added},
                  {"known", r->known},
                  {"changed", r->changed},
                  {"couples", r->couples},
                  {"repeated", r->repeated},
                  {"left_out", r->left_out},
                  {"no_address", r->no_address},
                  {"suppressed", r->suppressed},
                  {"left", r->left},
                  {"crowd", r->crowd},
                  {"no_consent", r->no_consent},
                  {"erased", r->erased},
                  {"bad", r->bad}};
    for (size_t i = 0; i < COUNT_OF(counts); i++)
        (void)json_object_set_new(o, counts[i].key, json_integer((json_int_t)counts[i].n));
    json_t *samples = json_array(), *languages = json_object(), *attributes = json_array();
    for (size_t i = 0; i < IMPORT_SAMPLES && r->samples[i]; i++)
        (void)json_array_append_new(samples, json_string(r->samples[i]));
    for (size_t i = 0; i < r->language_count; i++)
        (void)json_object_set_new(languages, r->languages[i].code, json_integer((json_int_t)r->languages[i].count));
    for (size_t i = 0; i < r->attribute_count; i++)
        (void)json_array_append_new(attributes, json_string(r->attributes[i]));
    (void)json_object_set_new(o, "samples", samples);
    (void)json_object_set_new(o, "languages", languages);
    (void)json_object_set_new(o, "attributes", attributes);
    return o;
}

static void on_more(void *user) {
    struct importing *m = user;
    http_set_deadline(m->call->http, silence_usec);
    http_resume_body(m->call->http);
}

static void on_done(void *user, int result, const struct import_result *r) {
    struct importing *m = user;
    struct call *c = m->call;
    m->over = true;
    json_t *document = result_document(r);
    unsigned status = result == 0 ? 200 : call_status_of(result);
    if (result < 0 && document) {
        const char *what = r->why.what[0]      ? r->why.what
                           : result == -EINVAL ? "nothing was imported: some rows are bad"
                                               : strerror(-result);
        const char *todo = r->why.what[0] ? r->why.todo : "Mend them, or leave them out with --skip-bad";
        (void)json_object_set_new(document, "error",
                                  json_pack("{s:s, s:s, s:s}", "what", what, "where", r->why.where, "todo", todo));
    }
    log_info("import", LOG_TEXT("list", c->argument), LOG_TEXT("by", c->rights.name), LOG_NUM("added", r->added),
             LOG_NUM("changed", r->changed), LOG_NUM("left-out", r->left_out), LOG_NUM("bad", r->bad),
             LOG_NUM("status", status));
    const struct conf_list *list = conf_find_list(c->conf, view_of(c->argument));
    if (result == 0 && r->added && list && !call_flag(c, "dry_run"))
        presign_list(c->parts.store, c->parts.keys, list->id);
    http_resume_body(c->http); /* what is still being sent is read and dropped */
    call_answer(c, status, document);
}

static void on_piece(struct call *c, struct view piece) {
    struct importing *m = c->state;
    if (c->answered || m->over)
        return;
    http_pause_body(c->http);
    http_set_deadline(c->http, 0); /* the store takes the time it takes */
    int r = import_feed(m->import, piece);
    if (r < 0)
        call_refuse(c, call_status_of(r), strerror(-r), NULL);
}

void route_import(struct call *c) {
    static const struct import_handlers handlers = {on_more, on_done, on_gone};
    const struct conf_list *list = call_list(c, c->argument);
    struct why why;
    if (!list)
        return;
    struct importing *m = calloc(1, sizeof *m);
    int r = m ? api_languages_load(c->conf, &m->languages, &why) : why_set(&why, -ENOMEM, "out of memory");
    if (r < 0) {
        free(m);
        call_fail(c, why_is_trouble(r) ? 503 : 500, &why);
        return;
    }
    m->call = c;
    c->state = m;
    c->free_state = importing_free;
    c->on_body = on_piece;
    const struct import_options options = {
        .list = list->id,
        .by = c->rights.name,
        .file = call_keep(c, http_query(c->http, "file")),
        .basis = call_keep(c, http_query(c->http, "basis")),
        .evidence = call_keep(c, http_query(c->http, "evidence")),
        .charset = http_query(c->http, "charset"),
        .folder = arena_printf(&c->arena, "%s/tmp", c->parts.spool->path),
        .timezone = list->timezone[0] ? list->timezone : c->conf->timezone,
        .dry_run = call_flag(c, "dry_run"),
        .skip_bad = call_flag(c, "skip_bad"),
        .words = (const struct words *const *)m->languages.items,
        .words_count = m->languages.count,
        .keys = c->parts.keys,
    };
    http_pause_body(c->http);
    r = memory_was_short() ? -ENOMEM : http_end_with_client(c->http);
    if (r < 0) {
        call_refuse(c, call_status_of(r), strerror(-r), NULL);
        return;
    }
    r = import_new(c->parts.store, &options, &handlers, m, &why, &m->import);
    if (r < 0)
        call_fail(c, call_status_of(r), &why);
}

void route_import_end(struct call *c) {
    struct importing *m = c->state;
    if (m && m->import && !m->over && !c->answered)
        import_finish(m->import);
}
