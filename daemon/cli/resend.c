/* resend: who did not get an announcement and would get it now, and why; then, when somebody agrees, they do. */
#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "base/number.h"
#include "cli/client.h"
#include "cli/verb.h"

#include "base/banned.h"

enum { SHOWN_MAX = 20 };
static const char usage[] =
    "rundbrief resend ID [ADDRESS …] [--only deferred,in-doubt,refused] [--send-until TIME] [--yes]";

static const struct {
    const char *key, *says;
} reasons[] = {
    {"deferred", "not taken till the end"},
    {"in_doubt", "in doubt: nobody knows whether they got it, and they may get it twice"},
    {"late", "its time was over before it was their turn"},
    {"corrected", "refused, and the address was changed since"},
    {"unsuppressed", "suppressed then, and no more"},
    {"named", "refused for good, and named by you"},
};

static json_t *wish(char **addresses, int count, const char *only, const char *until) {
    json_t *o = json_object(), *list = json_array(), *some = json_array();
    for (int i = 0; i < count; i++)
        (void)json_array_append_new(list, json_string(addresses[i])); /* what is missing is refused by the daemon */
    struct view rest = view_of(only ? only : ""), one;
    while (rest.len && view_split(&rest, ',', &one)) {
        one = view_trim(one);
        (void)json_array_append_new(some, json_stringn(one.ptr, one.len));
    }
    (void)json_object_set_new(o, "addresses", list);
    (void)json_object_set_new(o, "only", some);
    if (until)
        (void)json_object_set_new(o, "send_until", json_string(until));
    return o;
}

static int ask_daemon(struct cli *cli, const char *id, json_t *body, json_t **ret) {
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    buf_puts(&path, "/v1/announcements/");
    http_client_encode(&path, view_of(id));
    buf_puts(&path, "/resend");
    return client_post(cli, buf_str(&path), json_incref(body), ret);
}

static void show(struct cli *cli, const char *id, const json_t *answer) {
    const json_t *counts = json_object_get(answer, "counts"), *rows = json_object_get(answer, "rows"), *row;
    long long total = (long long)json_number(answer, "total", 0);
    size_t i, shown = 0;
    if (total)
        (void)fprintf(cli->out, "Announcement %s goes again to %lld, until %s:\n", id, total,
                      json_text(answer, "send_until"));
    for (i = 0; i < COUNT_OF(reasons); i++)
        if (json_number(counts, reasons[i].key, 0))
            (void)fprintf(cli->out, "%8lld  %s\n", (long long)json_number(counts, reasons[i].key, 0), reasons[i].says);
    json_array_foreach(rows, i, row) {
        const char *reason = json_text(row, "reason");
        if (strncmp(reason, "not_", 4) == 0 || shown++ >= SHOWN_MAX)
            continue;
        (void)fputs("          ", cli->out);
        cli_print(cli->out, json_text(row, "address"));
        (void)fprintf(cli->out, "  (%s", reason);
        if (json_text(row, "text")[0]) {
            (void)fputs(": ", cli->out);
            cli_print(cli->out, json_text(row, "text"));
        }
        (void)fputs(")\n", cli->out);
    }
    if (total > SHOWN_MAX)
        (void)fprintf(cli->out, "          … with --json up to 1000; all: rundbrief report %s --not-delivered\n", id);
    if (json_number(counts, "not_refused", 0))
        (void)fprintf(cli->out,
                      "%8lld  were refused for good, and do not get it: change the address, or name it here\n",
                      (long long)json_number(counts, "not_refused", 0));
    if (json_number(counts, "not_gone", 0))
        (void)fprintf(cli->out, "%8lld  are gone or suppressed, and do not get it\n",
                      (long long)json_number(counts, "not_gone", 0));
}

static int confirm(struct cli *cli, bool yes, const json_t *answer) {
    if (json_number(answer, "total", 0) == 0)
        return cli_refuse(cli, EX_UNAVAILABLE, "nothing was sent: there is nobody who would get it again", NULL);
    if (yes || cli_ask(cli, "Send it again?"))
        return EX_OK;
    return cli_refuse(cli, cli->terminal ? EX_TEMPFAIL : EX_USAGE, "nothing was sent",
                      cli->terminal ? NULL : "There is nobody to ask: add --yes");
}

int verb_resend(struct cli *cli, int argc, char **argv) {
    struct cli_option o[] = {
        {.name = "--only", .takes_value = true}, {.name = "--send-until", .takes_value = true}, {.name = "--yes"}};
    int count = cli_options(cli, argc, argv, o, COUNT_OF(o));
    if (count < 0)
        return EX_USAGE;
    if (count == 0)
        return cli_refuse(cli, EX_USAGE, "which announcement?", usage);
    json_t *body = wish(argv + 1, count - 1, o[0].value, o[1].value), *answer = NULL;
    int code = ask_daemon(cli, argv[0], body, &answer);
    bool preview = cli->json && !o[2].value;
    if (code == EX_OK && !cli->json)
        show(cli, argv[0], answer);
    if (code == EX_OK && !preview) {
        code = confirm(cli, o[2].value != NULL, answer);
        if (code == EX_OK) {
            json_decref(answer);
            answer = NULL;
            (void)json_object_set_new(body, "do", json_true());
            code = ask_daemon(cli, argv[0], body, &answer);
        }
        if (code == EX_OK && !cli->json)
            (void)fprintf(cli->out, "It is being sent to %lld. Watch it: rundbrief status %s --watch\n",
                          (long long)json_number(answer, "total", 0), argv[0]);
    }
    if (code == EX_OK && cli->json)
        code = client_print(cli, answer);
    json_decref(body);
    json_decref(answer);
    return code;
}
