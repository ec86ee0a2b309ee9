/* new, check, preview: what coordinators do before anything is queued. They need the configuration and the templates,
 * no daemon; where there is one, they ask it for what it alone knows. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "announce/compile.h"
#include "announce/intake.h"
#include "announce/upload.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/number.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/draft_files.h"
#include "cli/verb.h"
#include "conf/conf.h"
#include "mail/address.h"
#include "mail/attributes.h"
#include "mail/words.h"

enum { UPLOAD_MAX_BYTES = BUNDLE_MAX_BYTES + (1 << 20) };

static const char skeleton_head[] =
    "; An announcement: settings up to the line ---, then the text in Markdown.\n"
    "; Translations lie beside it: NAME.fr.md, NAME.pl.md … and hold only what differs.\n"
    "[announcement]\n"
    "subject = \n"
    "; list    = (where the folder or --list does not say it; several: parted by commas)\n"
    "; send-at = %s 09:00 (left out: at once after release)\n"
    "; only    = country = FR or tag has \"funding\" (left out: to everybody on the list)\n"
    "; attach  = programme.pdf, map.png (files beside this one)\n"
    "\n";
static const char skeleton_event[] = "[event]\n"
                                     "title    = \n"
                                     "start    = %s 10:00\n"
                                     "end      = %s 15:30\n"
                                     "location = \n"
                                     "; url      = https://\n"
                                     "; timezone = Europe/Berlin   (where it is not the list's)\n"
                                     "\n";
static const char skeleton_tail[] = "[contact]\n"
                                    "name  = \n"
                                    "; phone = \n"
                                    "mail  = \n"
                                    "---\n"
                                    "{{salutation}},\n"
                                    "\n"
                                    "\n";

/* "2.9.2025": so many days from today. */
static void print_day(int days, char ret[32]) {
    int year, month, day;
    clock_civil_from_days(clock_now_usec() / USEC_PER_DAY + days, &year, &month, &day);
    (void)snprintf(ret, 32, "%d.%d.%d", day, month, year); /* always fits */
}

/* Steals the document. */
static int print_document(struct cli *cli, json_t *document) {
    int code = document ? client_print(cli, document)
                        : cli_refuse(cli, EX_DATAERR, "this is not text in UTF-8, or memory ran out", NULL);
    json_decref(document);
    return code;
}

int verb_new(struct cli *cli, int argc, char **argv) {
    struct cli_option options[] = {{.name = "--event"}};
    int count = cli_options(cli, argc, argv, options, 1);
    if (count < 0 || count > 1)
        return count < 0 ? EX_USAGE : cli_refuse(cli, EX_USAGE, "one file at a time", "rundbrief new [--event] [FILE]");
    AUTOBUF struct buf text = BUF_INIT(8192);
    char sent[32], held[32];
    print_day(14, sent);
    print_day(42, held);
    buf_printf(&text, skeleton_head, sent);
    if (options[0].value)
        buf_printf(&text, skeleton_event, held, held);
    buf_puts(&text, skeleton_tail);
    if (count == 0 && cli->json)
        return print_document(cli, json_pack("{s:s}", "text", buf_str(&text)));
    if (count == 0)
        return fputs(buf_str(&text), cli->out) < 0 ? EX_IOERR : EX_OK;
    int r = files_write_new(AT_FDCWD, argv[0], buf_view(&text), 0644);
    if (r < 0) {
        struct why why;
        (void)why_set(&why, r, r == -EEXIST ? "this file is there already" : "cannot write the file: %s", strerror(-r));
        why_where(&why, "%s", argv[0]);
        if (r == -EEXIST)
            why_todo(&why, "Choose another name");
        return cli_fail(cli, EX_CANTCREAT, &why);
    }
    if (cli->json)
        return print_document(cli, json_pack("{s:s}", "file", argv[0]));
    (void)fprintf(cli->out, "%s: fill it in, then look at it with: rundbrief check %s\n", argv[0], argv[0]);
    return EX_OK;
}

const struct conf_list *draft_files_first_list(const struct conf *conf, const char *lists) {
    struct view rest = view_of(lists ? lists : ""), first;
    return view_split(&rest, ',', &first) ? conf_find_list(conf, view_trim(first)) : NULL;
}

int draft_files_read(struct cli *cli, const struct conf *conf, const char *path, struct source *ret) {
    char **codes = NULL;
    struct languages languages = {0};
    struct why why;
    int r = intake_languages(conf, &codes, &languages.count);
    languages.codes = codes;
    if (r < 0)
        (void)why_set(&why, r, "cannot read the templates: %s", strerror(-r));
    else
        r = source_read(AT_FDCWD, path, &languages, ret, &why);
    files_free_names(codes, languages.count);
    if (r == 0)
        return EX_OK;
    struct words *words = NULL;
    struct why ignored;
    int code = r == -ENOENT ? EX_NOINPUT : EX_DATAERR;
    if (!why.key ||
        words_load(conf->templates_local, conf->templates, cli_language(conf, conf->language), &ignored, &words) < 0)
        return cli_fail(cli, code, &why);
    AUTOBUF struct buf text = BUF_INIT(4096);
    problem_print_why(&why, words, &text);
    (void)words_free(words);
    (void)fputs(buf_str(&text), cli->err);
    return code;
}

/* A draft checked here, without a daemon. */
struct checked {
    struct conf *conf;
    struct source source;
    struct problems *problems;
    struct intake_result result;
    struct words *words;
    int error;
};

static void checked_done(struct checked *k) {
    if (k->error == 0)
        intake_result_done(&k->result);
    if (k->problems)
        problems_done(k->problems);
    free(k->problems);
    source_done(&k->source);
    (void)words_free(k->words);
    (void)conf_unref(k->conf);
}

/* Exit code; the problems are printed. */
static int check(struct cli *cli, const char *path, const char *lists, bool allow_past, struct checked *k) {
    struct why why;
    k->error = -EINVAL;
    k->conf = cli_conf(cli);
    if (!k->conf)
        return EX_CONFIG;
    /* Where there is one list only, there is nothing to ask. */
    if (!lists && k->conf->list_count == 1)
        lists = k->conf->lists[0].name;
    int code = draft_files_read(cli, k->conf, path, &k->source);
    if (code)
        return code;
    const struct conf_list *known = draft_files_first_list(k->conf, lists);
    const char *language = cli_language(k->conf, known ? known->languages.items[0] : k->conf->language);
    if (words_load(k->conf->templates_local, k->conf->templates, language, &why, &k->words) < 0)
        return cli_fail(cli, EX_CONFIG, &why);
    k->problems = calloc(1, sizeof *k->problems);
    if (!k->problems)
        return cli_refuse(cli, EX_OSERR, "out of memory", NULL);
    const struct intake_options options = {
        .conf = k->conf,
        .lists = lists,
        .now_usec = clock_now_usec(),
        .allow_past = allow_past,
    };
    k->error = intake_check(&k->source, &options, k->problems, &k->result);
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    problems_print(k->problems, k->words, &text);
    (void)fputs(buf_str(&text), cli->err);
    if (k->error == 0)
        return EX_OK;
    if (k->error == -EINVAL)
        return EX_DATAERR;
    (void)why_set(&why, k->error, "the announcement could not be checked: %s", strerror(-k->error));
    return cli_fail(cli, EX_OSERR, &why);
}

/* What the daemon answers, owned; NULL without a daemon, or where it refuses: then *ret_error (which may be NULL) has
 * what it says. */
static json_t *ask_quietly(struct cli *cli, const struct checked *k, const struct http_client_request *request,
                           json_t **ret_error) {
    AUTOFCLOSE FILE *nowhere = fopen("/dev/null", "we");
    struct cli quiet = *cli;
    json_t *answer = NULL, *error = NULL;
    if (!nowhere)
        return NULL;
    quiet.err = nowhere;
    quiet.socket_path = cli->socket_path ? cli->socket_path : k->conf->socket;
    int code = client_call(&quiet, request, &answer, &error);
    if (ret_error)
        *ret_error = error;
    else
        json_decref(error);
    if (code == EX_OK)
        return answer;
    json_decref(answer);
    return NULL;
}

/* "workshops, donors" */
static void print_lists(const struct checked *k, struct buf *to) {
    for (size_t i = 0; i < k->result.list_count; i++)
        buf_printf(to, "%s%s", i ? ", " : "", k->result.lists[i]->name);
}

/* Whom it reaches, which the daemon alone knows: its document, owned, or NULL where it cannot be asked. */
static json_t *ask_reach(struct cli *cli, const struct checked *k) {
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES), body = BUF_INIT(UPLOAD_MAX_BYTES);
    AUTOBUF struct buf lists = BUF_INIT(4096);
    json_t *error = NULL;
    upload_print(&k->source, &body);
    if (buf_error(&body))
        return NULL;
    print_lists(k, &lists);
    buf_puts(&path, "/v1/announcements");
    client_query(&path, "list", buf_str(&lists));
    client_query(&path, "check", "1");
    client_query(&path, "speak", words_language(k->words));
    const struct http_client_request request = {
        .method = "POST", .path = buf_str(&path), .content_type = "application/octet-stream", .body = buf_view(&body)};
    json_t *answer = ask_quietly(cli, k, &request, &error);
    if (!answer && json_number(error, "errors", 0))
        return error;
    json_decref(error);
    return answer;
}

/* The daemon's problems that were not said before. */
static void print_new_problems(struct cli *cli, const struct checked *k, const json_t *reach) {
    AUTOBUF struct buf said = BUF_INIT(1 << 20);
    problems_print(k->problems, k->words, &said);
    struct view rest = view_of(json_text(reach, "problems")), line;
    while (view_line(&rest, &line)) {
        AUTOFREE char *copy = view_dup(line);
        if (copy && !strstr(buf_str(&said), copy))
            (void)fprintf(cli->err, "%s\n", copy);
    }
}

static json_t *check_document(const struct checked *k) {
    AUTOBUF struct buf problems = BUF_INIT(1 << 20), facts = BUF_INIT(1 << 20), names = BUF_INIT(4096);
    problems_print(k->problems, k->words, &problems);
    json_t *o = json_pack("{s:s, s:I}", "problems", buf_str(&problems), "errors", (json_int_t)k->problems->errors);
    if (!o || k->error != 0)
        return o;
    intake_say(&k->result, k->conf, k->words, &facts);
    json_t *texts = json_object();
    for (size_t i = 0; i < k->result.head.language_count; i++)
        (void)json_object_set_new(texts, k->result.head.languages[i], json_string(k->result.head.texts[i]));
    json_t *lists = json_array();
    for (size_t i = 0; i < k->result.list_count; i++)
        (void)json_array_append_new(lists, json_string(k->result.lists[i]->name));
    print_lists(k, &names);
    (void)json_object_set_new(o, "facts",
                              json_pack("{s:s, s:s, s:o, s:s, s:s, s:o}", "name", k->result.head.name, "list",
                                        buf_str(&names), "lists", lists, "subject", k->result.subject, "text",
                                        buf_str(&facts), "texts", texts));
    return o;
}

/* One document of both: the daemon knows more. */
static json_t *joined_document(const struct checked *k, const json_t *reach) {
    json_t *o = check_document(k);
    if (!o || !reach)
        return o;
    (void)json_object_set(o, "problems", json_object_get(reach, "problems"));
    (void)json_object_set(o, "errors", json_object_get(reach, "errors"));
    json_t *facts = json_object_get(reach, "facts");
    if (facts)
        (void)json_object_update(json_object_get(o, "facts"), facts);
    else
        (void)json_object_del(o, "facts");
    return o;
}

static void print_facts(struct cli *cli, const struct checked *k, const json_t *reach) {
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    if (reach)
        buf_puts(&text, json_text(json_object_get(reach, "facts"), "text"));
    else
        intake_say(&k->result, k->conf, k->words, &text);
    for (size_t i = 0; i < k->result.head.language_count; i++)
        buf_printf(&text, "  %-4s %s\n", k->result.head.languages[i], k->result.head.texts[i]);
    (void)fputs(buf_str(&text), cli->out);
    (void)fputs(reach ? "All is well. Nothing was queued.\n"
                      : "All is well. How many people it reaches, only the daemon knows, which does not answer here; "
                        "`rundbrief queue` says it and asks before anything happens.\n",
                cli->err);
}

int verb_check(struct cli *cli, int argc, char **argv) {
    struct cli_option options[] = {{.name = "--list", .takes_value = true}};
    int count = cli_options(cli, argc, argv, options, 1);
    if (count != 1)
        return count < 0 ? EX_USAGE : cli_refuse(cli, EX_USAGE, "which file?", "rundbrief check FILE [--list LIST,…]");
    struct checked k = {0};
    int code = check(cli, argv[0], options[0].value, false, &k);
    json_t *reach = code == EX_OK ? ask_reach(cli, &k) : NULL;
    if (reach) {
        print_new_problems(cli, &k, reach);
        if (json_number(reach, "errors", 0))
            code = EX_DATAERR;
    }
    if (cli->json && k.problems) {
        int printed = print_document(cli, joined_document(&k, reach));
        code = code == EX_OK ? printed : code;
    } else if (code == EX_OK)
        print_facts(cli, &k, reach);
    json_decref(reach);
    checked_done(&k);
    return code;
}

/* A test token of the daemon, so that the links of a preview can be tried; without a daemon a word that no door takes. */
static bool ask_test_token(struct cli *cli, const struct checked *k, const char *list, struct buf *to) {
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    buf_puts(&path, "/v1/test-token");
    client_query(&path, "list", list);
    const struct http_client_request request = {.path = buf_str(&path)};
    json_t *answer = ask_quietly(cli, k, &request, NULL);
    bool got = json_text(answer, "token")[0];
    buf_puts(to, got ? json_text(answer, "token") : "PREVIEW");
    json_decref(answer);
    return got;
}

/* Whom a preview is for: the subscriber with this address where the daemon knows one, else somebody made up. */
struct reader {
    const char *address;
    json_t *person; /* NULL: made up */
    struct contact contact;
    struct buf attributes;
};

static void reader_done(struct reader *r) {
    json_decref(r->person);
    buf_done(&r->attributes);
}

static void read_attributes(const json_t *person, struct buf *to) {
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(person, "attributes"), name, value) {
        AUTOBUF struct buf more = BUF_INIT(ATTRIBUTES_MAX_BYTES);
        if (attributes_set(buf_view(to), view_of(name), view_of(json_string_value(value)), &more) < 0)
            continue; /* cannot be: the store has no others */
        buf_clear(to);
        buf_add_view(to, buf_view(&more));
    }
}

static void reader_find(struct cli *cli, const struct checked *k, const char *address, struct reader *r) {
    *r = (struct reader){.address = address ? address : "vera.muster@subscribers.example",
                         .contact = {.given_name = VIEW("Vera"), .family_name = VIEW("Muster")},
                         .attributes = BUF_INIT(ATTRIBUTES_MAX_BYTES)};
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    buf_puts(&path, "/v1/subscribers/");
    http_client_encode(&path, view_of(r->address));
    const struct http_client_request request = {.path = buf_str(&path)};
    r->person = address ? ask_quietly(cli, k, &request, NULL) : NULL;
    if (!r->person)
        return;
    r->address = json_text(r->person, "address");
    r->contact = (struct contact){.own_salutation = view_of(json_text(r->person, "salutation")),
                                  .form = view_of(json_text(r->person, "form")),
                                  .title = view_of(json_text(r->person, "title")),
                                  .given_name = view_of(json_text(r->person, "given_name")),
                                  .family_name = view_of(json_text(r->person, "family_name")),
                                  .organisation = view_of(json_text(r->person, "organisation"))};
    read_attributes(r->person, &r->attributes);
}

/* The language that the reader gets where none was asked for. */
static const char *reader_language(const struct reader *r, const struct checked *k) {
    for (size_t i = 0; r->person && i < k->result.head.language_count; i++)
        if (strcmp(k->result.head.languages[i], json_text(r->person, "language")) == 0)
            return k->result.head.languages[i];
    return k->result.head.languages[0];
}

static bool is_active_on(const json_t *person, const char *list) {
    size_t i;
    json_t *s;
    json_array_foreach(json_object_get(person, "subscriptions"), i, s) {
        if (strcmp(json_text(s, "list"), list) == 0)
            return strcmp(json_text(s, "state"), "active") == 0;
    }
    return false;
}

/* The list through which it would reach them; the first for others. */
static const char *reader_list(const struct reader *r, const struct checked *k) {
    for (size_t i = 0; i < k->result.list_count; i++)
        if (is_active_on(r->person, k->result.lists[i]->name))
            return k->result.lists[i]->name;
    return k->result.lists[0]->name;
}

enum form { FORM_TEXT, FORM_HTML, FORM_EML };

static int print_preview(struct cli *cli, struct checked *k, const char *language, const struct reader *reader,
                         enum form form) {
    const struct compile_options options = {.list = reader_list(reader, k), .preview = true};
    struct compiled *c = NULL;
    struct why why;
    int r = compile(&k->result.bundle, language, &options, &why, &c);
    if (r < 0)
        return cli_fail(cli, EX_DATAERR, &why);
    AUTOBUF struct buf token = BUF_INIT(1024);
    bool is_signed = ask_test_token(cli, k, options.list, &token);
    const struct compose_recipient recipient = {
        .address = view_of(reader->address),
        .contact = reader->contact,
        .attributes = buf_view(&reader->attributes),
        .timezone = view_of(json_text(reader->person, "timezone")),
        .token = buf_view(&token),
        .message_id = VIEW("preview"),
        .date_usec = clock_now_usec(),
    };
    AUTOBUF struct buf text = BUF_INIT(96 << 20);
    switch (form) {
    case FORM_TEXT: r = compose_part(c, &recipient, false, &text); break;
    case FORM_HTML: r = compose_page(c, &recipient, &text); break;
    case FORM_EML: r = compose(c, &recipient, &text); break;
    }
    (void)compiled_free(c);
    if (r < 0) {
        (void)why_set(&why, r, "the preview could not be made: %s", strerror(-r));
        return cli_fail(cli, EX_DATAERR, &why);
    }
    if (cli->json)
        return print_document(
            cli, json_pack("{s:s, s:s, s:s}", "language", language, "to", reader->address, "content", buf_str(&text)));
    if (fwrite(buf_str(&text), 1, text.len, cli->out) != text.len)
        return EX_IOERR;
    if (cli->terminal)
        (void)fprintf(cli->err, "\n(A preview: %sits links %s. `rundbrief test FILE --to ADDRESS` sends it.)\n",
                      reader->person ? "" : "the person is made up, and ",
                      is_signed ? "change nothing" : "lead nowhere, for want of a daemon that signs them");
    return EX_OK;
}

int verb_preview(struct cli *cli, int argc, char **argv) {
    struct cli_option o[] = {{.name = "--lang", .takes_value = true},
                             {.name = "--to", .takes_value = true},
                             {.name = "--list", .takes_value = true},
                             {.name = "--eml"},
                             {.name = "--html"},
                             {.name = "--text"}};
    int count = cli_options(cli, argc, argv, o, 6);
    if (count != 1)
        return count < 0 ? EX_USAGE
                         : cli_refuse(cli, EX_USAGE, "which file?",
                                      "rundbrief preview FILE [--lang L] [--to ADDRESS] [--eml|--html|--text]");
    if (!!o[3].value + !!o[4].value + !!o[5].value > 1)
        return cli_refuse(cli, EX_USAGE, "one of --eml, --html and --text", NULL);
    struct address address;
    if (o[1].value && address_parse(view_of(o[1].value), &address) != ADDRESS_OK)
        return cli_refuse(cli, EX_USAGE, "--to is not a mail address", NULL);
    struct checked k = {0};
    int code = check(cli, argv[0], o[2].value, true, &k);
    if (code == EX_OK) {
        struct reader reader;
        reader_find(cli, &k, o[1].value ? address.spelled : NULL, &reader);
        code = print_preview(cli, &k, o[0].value ? o[0].value : reader_language(&reader, &k), &reader,
                             o[3].value   ? FORM_EML
                             : o[4].value ? FORM_HTML
                                          : FORM_TEXT);
        reader_done(&reader);
    }
    checked_done(&k);
    return code;
}
