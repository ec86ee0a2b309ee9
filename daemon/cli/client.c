#include "cli/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "cli/verb.h"
#include "conf/conf.h"

enum { BODY_MAX_BYTES = 1 << 20 };

static const char too_long[] = "this is too long", say_less[] = "Say it in fewer words";

const char *client_socket(struct cli *cli) {
    if (!cli->socket_path) {
        struct conf *conf = cli_conf(cli);
        if (!conf)
            return NULL;
        cli->socket_path = cli->socket_kept = strdup(conf->socket);
        (void)conf_unref(conf);
    }
    return cli->socket_path;
}

void client_query(struct buf *path, const char *key, const char *value) {
    if (!value)
        return;
    buf_putc(path, memchr(buf_str(path), '?', path->len) ? '&' : '?');
    buf_printf(path, "%s=", key);
    http_client_encode(path, view_of(value));
}

static int code_of(unsigned status) {
    switch (status) {
    case 400: return EX_DATAERR;
    case 403: return EX_NOPERM;
    case 404: return EX_NOINPUT;
    case 409: return EX_UNAVAILABLE;
    case 503: return EX_TEMPFAIL;
    default: return EX_SOFTWARE;
    }
}

static void print_error(struct cli *cli, const json_t *document) {
    const json_t *error = json_object_get(document, "error");
    const char *problems = json_text(document, "problems");
    struct why why;
    (void)fputs(problems, cli->err);
    (void)why_set(&why, 0, "%s", error ? json_text(error, "what") : "the daemon's answer says nothing");
    if (json_text(error, "where")[0])
        why_where(&why, "%s", json_text(error, "where"));
    if (json_text(error, "todo")[0])
        why_todo(&why, "%s", json_text(error, "todo"));
    (void)cli_fail(cli, 0, &why);
}

/* What never reached a route: the request itself is too long, or the like. */
static int take_refusal(struct cli *cli, const struct http_client_answer *answer) {
    struct why why;
    bool is_words = view_starts(view_of(answer->content_type), "text/plain");
    if (answer->status == 413 || answer->status == 414 || answer->status == 431) {
        (void)why_set(&why, 0, "%s", too_long);
        why_todo(&why, "%s", say_less);
        return cli_fail(cli, EX_DATAERR, &why);
    }
    (void)why_set(
        &why, 0, is_words ? "the daemon refuses this (status %u): %s" : "the daemon's answer (status %u) is not JSON%s",
        answer->status, is_words ? buf_str(&answer->body) : "");
    return cli_fail(cli, EX_PROTOCOL, &why);
}

static int take_answer(struct cli *cli, const struct http_client_request *request,
                       const struct http_client_answer *answer, json_t **ret, json_t **ret_error) {
    bool good = answer->status == 200;
    if (good && request->on_data)
        return EX_OK;
    json_t *document = json_read(buf_view(&answer->body));
    if (!document)
        return take_refusal(cli, answer);
    if (good)
        *ret = document;
    else if (ret_error)
        *ret_error = document;
    else {
        if (cli->json)
            (void)client_print(cli, document);
        print_error(cli, document);
        json_decref(document);
    }
    return good ? EX_OK : code_of(answer->status);
}

int client_call(struct cli *cli, const struct http_client_request *request, json_t **ret, json_t **ret_error) {
    const char *socket_path = client_socket(cli);
    struct http_client_answer answer = {.body = BUF_INIT(HTTP_CLIENT_ANSWER_MAX_BYTES)};
    struct http_client *client = NULL;
    struct why why;
    if (!socket_path)
        return EX_CONFIG;
    int r = http_client_new(socket_path, &client);
    if (r < 0)
        (void)why_set(&why, r, "cannot make a connection: %s", strerror(-r));
    else
        r = http_client_call(client, request, &answer, &why);
    (void)http_client_free(client);
    int code = r == -ECANCELED ? EX_IOERR /* whoever ended it knows why */
               : r < 0         ? cli_fail(cli,
                                  r == -EACCES                         ? EX_NOPERM
                                          : r == -EMSGSIZE                     ? EX_DATAERR
                                          : r == -ENOENT || r == -ECONNREFUSED ? EX_UNAVAILABLE
                                                                               : EX_IOERR,
                                          &why)
                               : take_answer(cli, request, &answer, ret, ret_error);
    buf_done(&answer.body);
    return code;
}

int client_post(struct cli *cli, const char *path, json_t *body, json_t **ret) {
    AUTOBUF struct buf text = BUF_INIT(BODY_MAX_BYTES);
    int r = json_print(body, &text);
    json_decref(body);
    if (r == -EINVAL)
        return cli_refuse(cli, EX_DATAERR, "this is not text in UTF-8", NULL);
    if (r == -EMSGSIZE)
        return cli_refuse(cli, EX_DATAERR, too_long, say_less);
    if (r < 0)
        return cli_refuse(cli, EX_OSERR, "out of memory", NULL);
    const struct http_client_request request = {
        .method = "POST", .path = path, .content_type = "application/json", .body = buf_view(&text)};
    return client_call(cli, &request, ret, NULL);
}

int client_print(struct cli *cli, const json_t *document) {
    return json_dumpf(document, cli->out, JSON_INDENT(2)) < 0 || fputc('\n', cli->out) == EOF ? EX_IOERR : EX_OK;
}
