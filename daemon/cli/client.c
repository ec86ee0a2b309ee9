#include "cli/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "cli/verb.h"
#include "conf/conf.h"

const char *client_socket(struct cli *cli) {
    if (!cli->socket_path) {
        struct conf *conf = cli_conf(cli);
        if (!conf)
            return NULL;
        cli->socket_path = strdup(conf->socket); /* lives as long as the program */
        (void)conf_unref(conf);
    }
    return cli->socket_path;
}

void client_query(struct buf *path, const char *key, const char *value) {
    if (!value)
        return;
    buf_putc(path, memchr(buf_str(path), '?', path->len) ? '&' : '?');
    buf_printf(path, "%s=", key);
    http_client_escape(view_of(value), path);
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

int client_call(struct cli *cli, struct http_client_request *request, json_t **ret, json_t **ret_error) {
    AUTOBUF struct buf answer = BUF_INIT(HTTP_CLIENT_ANSWER_MAX);
    struct why why;
    unsigned status = 0;
    request->socket_path = client_socket(cli);
    if (!request->socket_path)
        return EX_CONFIG;
    int r = http_client_run(request, &status, &answer, &why);
    if (r < 0)
        return cli_fail(cli, r == -ECONNREFUSED ? EX_UNAVAILABLE : r == -EACCES ? EX_NOPERM : EX_IOERR, &why);
    if (status == 200 && request->on_piece)
        return EX_OK;
    json_t *document = json_read(buf_view(&answer));
    if (!document) {
        (void)why_set(&why, 0, "the daemon's answer (status %u) is not JSON", status);
        return cli_fail(cli, EX_PROTOCOL, &why);
    }
    if (status == 200) {
        *ret = document;
        return EX_OK;
    }
    if (ret_error)
        *ret_error = document;
    else {
        if (cli->json)
            (void)client_print(cli, document);
        print_error(cli, document);
        json_decref(document);
    }
    return code_of(status);
}

int client_print(struct cli *cli, const json_t *document) {
    return json_dumpf(document, cli->out, JSON_INDENT(2)) < 0 || fputc('\n', cli->out) == EOF ? EX_IOERR : EX_OK;
}
