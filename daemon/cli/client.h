/* The daemon as verbs see it: one call, one document; what it refuses is said on err. */
#pragma once
#include "net/http_client.h"
#include "net/json.h"

struct cli;

/* For paths with their queries: more than the arguments of a program can hold. What is too long for HTTP is refused when
 * it is asked. */
enum { CLIENT_PATH_MAX_BYTES = 8 << 20 };

/* The socket to use: --socket, or the configuration's. NULL after saying why. */
const char *client_socket(struct cli *cli);
/* Runs a request. An exit code; on EX_OK the answer in *ret (owned; NULL where it was
 * streamed). Errors print problems and reason; ret_error (may be NULL) keeps the error's document, and then nothing is
 * printed. */
int client_call(struct cli *cli, const struct http_client_request *request, json_t **ret, json_t **ret_error);
/* The same for a document that is posted, which is released: NULL, where one could not be made, is refused as what it was
 * to be made of was no text. */
int client_post(struct cli *cli, const char *path, json_t *body, json_t **ret);
/* "/v1/x?key=value&…": adds one query parameter, escaped; a NULL value adds nothing. */
void client_query(struct buf *path, const char *key, const char *value);
/* The document itself on out, indented: what --json prints. */
int client_print(struct cli *cli, const json_t *document);
