/* test, queue, release, pause, resume, stop: what coordinators tell the daemon about an announcement. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "announce/upload.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/draft_files.h"
#include "cli/verb.h"
#include "conf/conf.h"
#include "mail/when.h"
#include "mail/words.h"

enum { UPLOAD_MAX_BYTES = BUNDLE_MAX_BYTES + (1 << 20) };

/* The upload of one announcement and the query that goes with it. */
struct upload {
    struct conf *conf;
    const char *lists; /* --list, or the only one there is; NULL: the file says it */
    struct buf body;
    char at[32]; /* --at as the API wants it, or "" */
};

static void upload_done(struct upload *u) {
    (void)conf_unref(u->conf);
    buf_done(&u->body);
}

static int read_upload(struct cli *cli, const char *path, const char *lists, const char *at, struct upload *u) {
    struct source source;
    buf_init(&u->body, UPLOAD_MAX_BYTES);
    u->conf = cli_conf(cli);
    if (!u->conf)
        return EX_CONFIG;
    u->lists = lists ? lists : u->conf->list_count == 1 ? u->conf->lists[0].name : NULL;
    if (at) {
        struct when w;
        int64_t usec;
        const struct conf_list *l = draft_files_first_list(u->conf, u->lists);
        const char *zone = l && l->timezone[0] ? l->timezone : u->conf->timezone;
        if (when_parse(view_of(at), &w) != WHEN_OK || when_to_usec(&w, zone, &usec) != WHEN_OK)
            return cli_refuse(cli, EX_USAGE, "--at is not a moment",
                              "Write it like \"5.8.2025 09:00\" or \"2025-08-05 09:00\"");
        AUTOBUF struct buf text = BUF_INIT(sizeof u->at - 1);
        clock_print_utc(&text, usec);
        (void)snprintf(u->at, sizeof u->at, "%s", buf_str(&text)); /* always fits */
    }
    int code = draft_files_read(cli, u->conf, path, &source);
    if (code)
        return code;
    upload_print(&source, &u->body);
    source_done(&source);
    return buf_error(&u->body) ? cli_refuse(cli, EX_DATAERR, "the files are too large together", NULL) : EX_OK;
}

static int send_upload(struct cli *cli, const struct upload *u, struct view path, json_t **ret) {
    AUTOFREE char *copy = view_dup(path);
    struct http_client_request request = {
        .method = "POST", .path = copy, .content_type = "application/octet-stream", .body = buf_view(&u->body)};
    json_t *error = NULL;
    int code = client_call(cli, &request, ret, &error);
    if (error) {
        if (cli->json)
            (void)client_print(cli, error);
        (void)fputs(json_text(error, "problems"), cli->err);
        const json_t *why = json_object_get(error, "error");
        /* The problems say it better than the sentence above them, where there are any. */
        if (json_number(error, "errors", 0) == 0)
            (void)cli_refuse(cli, code, json_text(why, "what"), json_text(why, "todo"));
        json_decref(error);
    }
    return code;
}

static void begin_path(struct buf *path, const struct upload *u) {
    buf_clear(path);
    buf_puts(path, "/v1/announcements");
    client_query(path, "list", u->lists);
    client_query(path, "at", u->at[0] ? u->at : NULL);
    client_query(path, "speak", cli_language(u->conf, NULL));
}

int verb_test(struct cli *cli, int argc, char **argv) {
    struct cli_option o[] = {{.name = "--to", .takes_value = true},
                             {.name = "--list", .takes_value = true},
                             {.name = "--lang", .takes_value = true}};
    int count = cli_options(cli, argc, argv, o, 3);
    if (count < 0)
        return EX_USAGE;
    if (count != 1 || !o[0].value)
        return cli_refuse(cli, EX_USAGE, "which file, and to whom?",
                          "rundbrief test FILE --to ADDRESS [--list LIST,…] [--lang LANGUAGE]");
    struct upload u = {0};
    json_t *answer = NULL;
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    int code = read_upload(cli, argv[0], o[1].value, NULL, &u);
    if (code == EX_OK) {
        begin_path(&path, &u);
        client_query(&path, "test", o[0].value);
        client_query(&path, "language", o[2].value);
        code = send_upload(cli, &u, buf_view(&path), &answer);
    }
    if (code == EX_OK && cli->json)
        code = client_print(cli, answer);
    else if (code == EX_OK)
        (void)fprintf(cli->out, "The test is on its way to %s.\n", o[0].value);
    json_decref(answer);
    upload_done(&u);
    return code;
}

static void show_facts(struct cli *cli, const json_t *answer) {
    (void)fputs(json_text(answer, "problems"), cli->err);
    if (!cli->json)
        (void)fputs(json_text(json_object_get(answer, "facts"), "text"), cli->out);
}

/* Shows the facts, and asks where somebody can answer. */
static int confirm(struct cli *cli, const struct upload *u) {
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    json_t *answer = NULL;
    begin_path(&path, u);
    client_query(&path, "check", "1");
    int code = send_upload(cli, u, buf_view(&path), &answer);
    if (code != EX_OK)
        return code;
    const json_t *facts = json_object_get(answer, "facts");
    AUTOBUF struct buf question = BUF_INIT(1024);
    show_facts(cli, answer);
    buf_puts(&question, json_text(facts, "ask")[0] ? json_text(facts, "ask") : "Send it?");
    json_decref(answer);
    if (cli->json || !cli->terminal || !isatty(STDIN_FILENO))
        return cli_refuse(cli, EX_USAGE, "nothing was queued: there is nobody to ask", "Add --yes");
    return cli_ask(cli, buf_str(&question)) ? EX_OK : cli_refuse(cli, EX_USAGE, "nothing was queued", NULL);
}

int verb_queue(struct cli *cli, int argc, char **argv) {
    struct cli_option o[] = {{.name = "--list", .takes_value = true},
                             {.name = "--at", .takes_value = true},
                             {.name = "--yes"},
                             {.name = "--again"},
                             {.name = "--hold"}};
    int count = cli_options(cli, argc, argv, o, 5);
    if (count < 0)
        return EX_USAGE;
    if (count != 1)
        return cli_refuse(cli, EX_USAGE, "which file?",
                          "rundbrief queue FILE [--list LIST,…] [--at TIME] [--yes] [--again] [--hold]");
    struct upload u = {0};
    json_t *answer = NULL;
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    int code = read_upload(cli, argv[0], o[0].value, o[1].value, &u);
    bool yes = o[2].value != NULL;
    if (code == EX_OK && !yes)
        code = confirm(cli, &u);
    if (code == EX_OK) {
        begin_path(&path, &u);
        client_query(&path, "again", o[3].value ? "1" : NULL);
        client_query(&path, "hold", o[4].value ? "1" : NULL);
        code = send_upload(cli, &u, buf_view(&path), &answer);
    }
    if (code == EX_OK && yes)
        show_facts(cli, answer);
    if (code == EX_OK && cli->json)
        code = client_print(cli, answer);
    else if (code == EX_OK) {
        long long id = (long long)json_number(answer, "id", 0);
        (void)fprintf(cli->out, "Announcement %lld is %s.", id, json_text(answer, "state"));
        if (json_number(answer, "replaced", 0))
            (void)fprintf(cli->out, " It replaces number %lld.", (long long)json_number(answer, "replaced", 0));
        (void)fprintf(cli->out, " Watch it: rundbrief status %lld --watch\n", id);
    }
    json_decref(answer);
    upload_done(&u);
    return code;
}

static void say_moved(struct cli *cli, const char *id, const json_t *answer) {
    long long stopped = (long long)json_number(answer, "dates_stopped", 0);
    const json_t *date;
    size_t i;
    (void)fprintf(cli->out, "Announcement %s is %s now", id, json_text(answer, "state"));
    if (stopped)
        (void)fprintf(cli->out, ", and with it %lld of its dates that had not begun", stopped);
    (void)fprintf(cli->out, ".\n");
    json_array_foreach(json_object_get(answer, "dates_going_on"), i, date)(void)
        fprintf(cli->out, "Number %lld, one of its dates, had begun and is not stopped: rundbrief stop %lld\n",
                (long long)json_integer_value(date), (long long)json_integer_value(date));
}

static int move_one(struct cli *cli, const char *id, const char *verb, json_t *documents) {
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    json_t *answer = NULL;
    buf_puts(&path, "/v1/announcements/");
    http_client_encode(&path, view_of(id));
    buf_printf(&path, "/%s", verb);
    struct http_client_request request = {.method = "POST", .path = buf_str(&path)};
    int code = client_call(cli, &request, &answer, NULL);
    if (code == EX_OK && documents)
        (void)json_array_append(documents, answer); /* without memory it is missing */
    else if (code == EX_OK && cli->json)
        code = client_print(cli, answer);
    else if (code == EX_OK)
        say_moved(cli, id, answer);
    json_decref(answer);
    return code;
}

/* The last failure's code. With --json one document: of one announcement, or an array of those that moved. */
static int move(struct cli *cli, int argc, char **argv, const char *verb) {
    int count = cli_options(cli, argc, argv, NULL, 0), code = EX_OK;
    if (count < 0)
        return EX_USAGE;
    if (count == 0)
        return cli_refuse(cli, EX_USAGE, "which announcement?", "`rundbrief status` shows them with their numbers");
    json_t *documents = cli->json && count > 1 ? json_array() : NULL;
    struct cli quiet = *cli;
    quiet.json = cli->json && !documents;
    for (int i = 0; i < count; i++) {
        int one = move_one(&quiet, argv[i], verb, documents);
        code = one != EX_OK ? one : code;
    }
    cli->socket_kept = quiet.socket_kept;
    if (documents && client_print(cli, documents) != EX_OK)
        code = EX_IOERR;
    json_decref(documents);
    return code;
}

int verb_release(struct cli *cli, int argc, char **argv) {
    return move(cli, argc, argv, "release");
}
int verb_pause(struct cli *cli, int argc, char **argv) {
    return move(cli, argc, argv, "pause");
}
int verb_resume(struct cli *cli, int argc, char **argv) {
    return move(cli, argc, argv, "resume");
}
int verb_stop(struct cli *cli, int argc, char **argv) {
    return move(cli, argc, argv, "stop");
}
