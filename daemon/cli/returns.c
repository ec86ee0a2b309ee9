/* returns: what came back by mail, and what the circuit breaker holds; with a domain, letting go of it. */
#include <sysexits.h>

#include "cli/client.h"
#include "cli/verb.h"

static int show(struct cli *cli) {
    struct http_client_request request = {.method = "GET", .path = "/v1/returns"};
    json_t *answer = NULL;
    int code = client_call(cli, &request, &answer, NULL);
    if (code != EX_OK)
        return code;
    if (cli->json) {
        code = client_print(cli, answer);
    } else {
        const char *kind;
        json_t *count, *row;
        size_t i;
        json_object_foreach(json_object_get(answer, "counts"), kind, count)(void)
            fprintf(cli->out, "%-12s %lld\n", kind, (long long)json_integer_value(count));
        json_array_foreach(json_object_get(answer, "held"), i, row) {
            (void)fprintf(cli->out, "held: %lld at ", (long long)json_number(row, "hard", 0));
            cli_print(cli->out, json_text(row, "domain"));
            (void)fprintf(cli->out, ", announcement %lld, since %s\n", (long long)json_number(row, "announcement", 0),
                          json_text(row, "since"));
        }
        if (json_object_size(json_object_get(answer, "counts")) == 0)
            (void)fputs("Nothing came back yet.\n", cli->out);
    }
    json_decref(answer);
    return code;
}

int verb_returns(struct cli *cli, int argc, char **argv) {
    enum { SUPPRESS, FORGET, OPTIONS };
    struct cli_option o[OPTIONS] = {[SUPPRESS] = {.name = "--suppress"}, [FORGET] = {.name = "--forget"}};
    argc = cli_options(cli, argc, argv, o, OPTIONS);
    if (argc < 0)
        return EX_USAGE;
    if (argc == 0 && !o[SUPPRESS].value && !o[FORGET].value)
        return show(cli);
    if (argc != 1 || !o[SUPPRESS].value == !o[FORGET].value)
        return cli_refuse(
            cli, EX_USAGE, "say of which domain, and what to do",
            "rundbrief returns DOMAIN --suppress where the addresses are gone, --forget where they are not");
    json_t *answer = NULL;
    int code =
        client_post(cli, "/v1/returns",
                    json_pack("{s:s, s:s}", "domain", argv[0], "do", o[FORGET].value ? "forget" : "suppress"), &answer);
    if (code == EX_OK && cli->json)
        code = client_print(cli, answer);
    else if (code == EX_OK)
        (void)fprintf(cli->out, "%s: %lld\n", o[FORGET].value ? "forgotten" : "suppressed",
                      (long long)json_number(answer, "people", 0));
    json_decref(answer);
    return code;
}
