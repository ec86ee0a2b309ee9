/* subscriber export and erase, suppress, unsuppress: what a person may ask for. */
#include "cli/privacy.h"

#include <sysexits.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/verb.h"

int cli_export_person(struct cli *cli, const char *address) {
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    buf_puts(&path, "/v1/export/");
    http_client_encode(&path, view_of(address));
    const struct http_client_request request = {.path = buf_str(&path)};
    json_t *answer = NULL;
    int code = client_call(cli, &request, &answer, NULL);
    if (code == EX_OK)
        code = client_print(cli, answer);
    json_decref(answer);
    return code;
}

static int post(struct cli *cli, const char *what, const char *address, const char *reason, const char *done) {
    json_t *answer = NULL;
    int code = client_post(cli, "/v1/privacy",
                           json_pack("{s:s, s:s, s:s}", "do", what, "address", address, "reason", reason), &answer);
    if (code == EX_OK && cli->json)
        code = client_print(cli, answer);
    else if (code == EX_OK)
        (void)fprintf(cli->out, "%s\n", done);
    json_decref(answer);
    return code;
}

static int no_reason(struct cli *cli) {
    return cli_refuse(cli, EX_USAGE, "for what reason?", "Give --reason TEXT; it is kept, so name nobody in it");
}

int cli_erase_person(struct cli *cli, const char *address, const char *reason, bool yes) {
    if (!reason)
        return no_reason(cli);
    if (!yes && (cli->json || !cli->terminal || !isatty(STDIN_FILENO)))
        return cli_refuse(cli, EX_USAGE, "nothing was erased: there is nobody to ask", "Add --yes");
    if (!yes && !cli_ask(cli, "Erase everything that is held on this person? It cannot be taken back."))
        return cli_refuse(cli, EX_USAGE, "nothing was erased", NULL);
    return post(cli, "erase", address, reason,
                "Erased. Imports leave this address out; backups that were made before still hold it.");
}

static int change(struct cli *cli, int argc, char **argv, const char *what, const char *done) {
    struct cli_option o[] = {{.name = "--reason", .takes_value = true}};
    int count = cli_options(cli, argc, argv, o, 1);
    if (count < 0)
        return EX_USAGE;
    if (count != 1)
        return cli_refuse(cli, EX_USAGE, "which address?", "It takes ADDRESS --reason TEXT");
    return o[0].value ? post(cli, what, argv[0], o[0].value, done) : no_reason(cli);
}

int verb_suppress(struct cli *cli, int argc, char **argv) {
    return change(cli, argc, argv, "suppress", "Nothing is sent to this address any more.");
}

int verb_unsuppress(struct cli *cli, int argc, char **argv) {
    return change(cli, argc, argv, "unsuppress", "This address is written to again, where it is on a list.");
}
