/* report: who got an announcement when and with which reply, who did not and why. Rows come and go one at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/text.h"
#include "cli/client.h"
#include "cli/verb.h"

enum form { FORM_TABLE, FORM_CSV, FORM_JSON };

struct printing {
    struct cli *cli;
    bool begun;
    enum form form;
    struct buf line;
    uint64_t rows;
};

static const char *const columns[] = {"address", "name", "language", "state",    "at",      "code",
                                      "status",  "text", "relay",    "attempts", "returned"};

static void column(const json_t *row, const char *key, struct buf *to) {
    const json_t *value = json_object_get(row, key);
    if (json_is_integer(value))
        buf_printf(to, "%lld", (long long)json_integer_value(value));
    else if (json_is_object(value)) /* what came back */
        buf_printf(to, "%s %s %s: %s", json_text(value, "class"), json_text(value, "status"),
                   json_text(value, "reason"), json_text(value, "text"));
    else if (json_is_string(value))
        buf_puts(to, json_string_value(value));
}

/* RFC 4180; a cell that a spreadsheet would take for a formula gets an apostrophe. */
static void csv_cell(FILE *out, const char *text, bool first) {
    bool formula = text[0] && strchr("=+-@\t\r", text[0]);
    if (!first)
        (void)fputc(',', out);
    (void)fputc('"', out);
    if (formula)
        (void)fputc('\'', out);
    for (; *text; text++) {
        if (*text == '"')
            (void)fputc('"', out);
        (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

/* Not before there is an answer: a refusal has no rows. */
static void print_head(struct printing *p) {
    FILE *out = p->cli->out;
    if (p->begun)
        return;
    p->begun = true;
    if (p->form == FORM_CSV) {
        for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++)
            csv_cell(out, columns[i], i == 0);
        (void)fputs("\r\n", out);
    } else if (p->form == FORM_JSON)
        (void)fputs("[\n", out);
    else
        (void)fprintf(out, "%-42s %-10s %-20s %s\n", "address", "state", "when (UTC)", "reply or reason");
}

static void print_padded(FILE *out, const char *text, size_t width) {
    AUTOBUF struct buf safe = BUF_INIT(64 * 1024);
    text_add_safe(&safe, view_of(text));
    size_t have = text_width(buf_view(&safe));
    (void)fputs(buf_str(&safe), out);
    for (; have < width; have++)
        (void)fputc(' ', out);
    (void)fputc(' ', out);
}

static void print_row(struct printing *p, const json_t *row) {
    FILE *out = p->cli->out;
    AUTOBUF struct buf cell = BUF_INIT(64 * 1024);
    if (p->form == FORM_TABLE) {
        print_padded(out, json_text(row, "address"), 42);
        print_padded(out, json_text(row, "state"), 10);
        print_padded(out, json_text(row, "at"), 20);
        if (json_number(row, "code", 0))
            buf_printf(&cell, "%lld %s ", (long long)json_number(row, "code", 0), json_text(row, "status"));
        buf_puts(&cell, json_text(row, "text"));
        if (json_object_get(row, "returned")) {
            buf_puts(&cell, " <- ");
            column(row, "returned", &cell);
        }
        print_padded(out, buf_str(&cell), 0);
        (void)fputc('\n', out);
        return;
    }
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        buf_clear(&cell);
        column(row, columns[i], &cell);
        csv_cell(out, buf_str(&cell), i == 0);
    }
    (void)fputs("\r\n", out);
}

static int on_piece(void *user, struct view piece) {
    struct printing *p = user;
    print_head(p);
    while (piece.len) {
        size_t end = view_find(piece, '\n');
        buf_add_view(&p->line, view_slice(piece, 0, end));
        if (end == piece.len)
            return buf_error(&p->line);
        piece = view_slice(piece, end + 1, piece.len);
        if (p->form == FORM_JSON) {
            if (fprintf(p->cli->out, "%s%s", p->rows ? ",\n" : "", buf_str(&p->line)) < 0)
                return -EIO;
        } else {
            json_t *row = json_read(buf_view(&p->line));
            if (!row)
                return cli_refuse(p->cli, -EPROTO, "a row of the daemon's answer is not JSON", NULL);
            print_row(p, row);
            json_decref(row);
        }
        p->rows++;
        buf_clear(&p->line);
    }
    return ferror(p->cli->out) ? -EIO : 0;
}

/* Of which announcement, and whom of its list it was for. What is wrong, the report itself will say. */
static void print_title(struct cli *cli, const char *id) {
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    struct cli quiet = *cli;
    json_t *answer = NULL;
    buf_puts(&path, "/v1/announcements/");
    http_client_encode(&path, view_of(id));
    struct http_client_request request = {.method = "GET", .path = buf_str(&path)};
    AUTOFCLOSE FILE *nowhere = fopen("/dev/null", "we");
    if (!nowhere)
        return;
    quiet.err = nowhere;
    if (client_call(&quiet, &request, &answer, NULL) == EX_OK) {
        (void)fprintf(cli->out, "%s: ", id);
        cli_print(cli->out, json_text(answer, "subject"));
        (void)fputs(" (", cli->out);
        cli_print(cli->out, json_text(answer, "list"));
        if (json_text(answer, "only")[0]) {
            (void)fputs(", only: ", cli->out);
            cli_print(cli->out, json_text(answer, "only"));
        }
        (void)fputs(")\n\n", cli->out);
    }
    cli->socket_kept = quiet.socket_kept;
    cli->socket_path = quiet.socket_path;
    json_decref(answer);
}

int verb_report(struct cli *cli, int argc, char **argv) {
    struct cli_option o[] = {{.name = "--not-delivered"}, {.name = "--csv"}};
    int count = cli_options(cli, argc, argv, o, 2);
    if (count < 0)
        return EX_USAGE;
    if (count != 1)
        return cli_refuse(cli, EX_USAGE, "which announcement?", "rundbrief report ID [--not-delivered] [--csv]");
    struct printing p = {.cli = cli,
                         .form = o[1].value  ? FORM_CSV
                                 : cli->json ? FORM_JSON
                                             : FORM_TABLE,
                         .line = BUF_INIT(1 << 20)};
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    if (p.form == FORM_TABLE)
        print_title(cli, argv[0]);
    buf_puts(&path, "/v1/announcements/");
    http_client_encode(&path, view_of(argv[0]));
    buf_puts(&path, "/report");
    client_query(&path, "not_delivered", o[0].value ? "1" : NULL);
    struct http_client_request request = {.method = "GET", .path = buf_str(&path), .on_data = on_piece, .user = &p};
    json_t *answer = NULL;
    int code = client_call(cli, &request, &answer, NULL);
    if (code == EX_OK)
        print_head(&p);
    if (code == EX_OK && p.form == FORM_JSON)
        (void)fputs("\n]\n", cli->out); /* what was cut off stays open, and is no document */
    else if (code == EX_OK && p.form == FORM_TABLE && p.rows == 0)
        (void)fputs(o[0].value ? "Everybody got it.\n" : "Nobody has been written to yet.\n", cli->out);
    json_decref(answer);
    buf_done(&p.line);
    return code;
}
