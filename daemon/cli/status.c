/* status: everything at a glance, or one announcement, once or until it is over. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/client.h"
#include "cli/interrupt.h"
#include "cli/verb.h"

static const struct {
    const char *key, *say;
} counts[] = {{"delivered", "delivered"}, {"pending", "pending"},   {"deferred", "deferred"},
              {"refused", "refused"},     {"in_doubt", "in doubt"}, {"left_out", "left out"}};

static int get(struct cli *cli, const char *id, json_t **ret) {
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    buf_puts(&path, id ? "/v1/announcements/" : "/v1/status");
    if (id)
        http_client_encode(&path, view_of(id));
    struct http_client_request request = {.method = "GET", .path = buf_str(&path)};
    return client_call(cli, &request, ret, NULL);
}

static void say_counts(const json_t *a, struct buf *to) {
    buf_printf(to, "%lld of %lld delivered", (long long)json_number(a, "delivered", 0),
               (long long)json_number(a, "total", 0));
    for (size_t i = 1; i < sizeof counts / sizeof counts[0]; i++) {
        long long n = (long long)json_number(a, counts[i].key, 0);
        if (n)
            buf_printf(to, ", %lld %s", n, counts[i].say);
    }
}

static void print_one(FILE *out, const json_t *a) {
    (void)fprintf(out, "%5lld  %-9s  ", (long long)json_number(a, "id", 0), json_text(a, "state"));
    cli_print(out, json_text(a, "list"));
    (void)fputs("  ", out);
    cli_print(out, json_text(a, "subject"));
    (void)fputs("\n       ", out);
    AUTOBUF struct buf said = BUF_INIT(1024);
    say_counts(a, &said);
    if (json_number(a, "total", 0))
        (void)fputs(buf_str(&said), out);
    else if (json_text(a, "send_at")[0] && strcmp(json_text(a, "state"), "scheduled") == 0)
        (void)fprintf(out, "goes out at %s", json_text(a, "send_at"));
    else
        (void)fputs("nobody written to yet", out);
    if (json_text(a, "why")[0]) {
        (void)fputs(" (", out);
        cli_print(out, json_text(a, "why"));
        (void)fputc(')', out);
    }
    if (json_text(a, "only")[0]) {
        (void)fputs("\n       only: ", out);
        cli_print(out, json_text(a, "only"));
    }
    (void)fputc('\n', out);
}

/* "2026-11-01: laid before the coordinators at 2026-10-25T08:00:00Z, goes out at 2026-11-01T08:00:00Z" */
static void print_dates(FILE *out, const json_t *a) {
    size_t i;
    json_t *date;
    json_array_foreach(json_object_get(a, "next"), i, date)(void)
        fprintf(out, "       %s %s: laid before the coordinators at %s, goes out at %s\n", i ? "then" : "next",
                json_text(date, "date"), json_text(date, "held_at"), json_text(date, "send_at"));
}

static void print_series(FILE *out, const json_t *a) {
    (void)fprintf(out, "%5lld  %s  ", (long long)json_number(a, "id", 0), json_text(a, "state"));
    cli_print(out, json_text(a, "list"));
    (void)fputs("  ", out);
    cli_print(out, json_text(a, "subject"));
    (void)fputs(" (", out);
    cli_print(out, json_text(a, "repeat"));
    (void)fputs(")\n", out);
    print_dates(out, a);
}

static void print_any(FILE *out, const json_t *a) {
    if (json_object_get(a, "next"))
        print_series(out, a);
    else
        print_one(out, a);
}

static void print_source(FILE *out, const json_t *s) {
    const char *state = json_text(s, "state");
    if (strcmp(state, "follows") == 0)
        return;
    (void)fputs("list ", out);
    cli_print(out, json_text(s, "list"));
    if (strcmp(state, "waits") == 0)
        (void)fprintf(
            out, ": its file would remove %lld of %lld people. If that is meant: rundbrief import --accept %s\n",
            (long long)json_number(s, "would_remove", 0), (long long)json_number(s, "of", 0), json_text(s, "list"));
    else if (json_text(s, "why")[0]) {
        (void)fputs(": its file is not taken over: ", out);
        cli_print(out, json_text(s, "why"));
        (void)fputc('\n', out);
    } else
        (void)fputs(": its file was not read yet\n", out);
}

static void print_relay(FILE *out, const json_t *r) {
    (void)fprintf(out, "relay ");
    cli_print(out, json_text(r, "name"));
    (void)fprintf(out, ": %s, %lld connections, %lld on the wire", json_text(r, "state"),
                  (long long)json_number(r, "sessions", 0), (long long)json_number(r, "in_flight", 0));
    if (json_text(r, "failure")[0]) {
        (void)fputs("; last failure: ", out);
        cli_print(out, json_text(r, "failure"));
    }
    (void)fputc('\n', out);
}

static int overview(struct cli *cli) {
    json_t *status = NULL;
    int code = get(cli, NULL, &status);
    if (code == EX_OK && cli->json)
        code = client_print(cli, status);
    else if (code == EX_OK) {
        size_t i;
        json_t *item;
        if (json_array_size(json_object_get(status, "announcements")) == 0 &&
            json_array_size(json_object_get(status, "recurring")) == 0)
            (void)fputs("No announcements yet. `rundbrief new --event workshop.md` writes one to begin with.\n",
                        cli->out);
        json_array_foreach(json_object_get(status, "announcements"), i, item) print_one(cli->out, item);
        json_array_foreach(json_object_get(status, "recurring"), i, item) print_series(cli->out, item);
        json_array_foreach(json_object_get(status, "sources"), i, item) print_source(cli->out, item);
        json_array_foreach(json_object_get(status, "relays"), i, item) print_relay(cli->out, item);
        if (strcmp(json_text(status, "store"), "ok") != 0)
            (void)fprintf(cli->out, "THE STORE CANNOT BE WRITTEN: %s. Sending waits.\n", json_text(status, "store"));
        (void)fprintf(cli->out, "Claimed and not yet recorded: %lld (at most %lld).\n",
                      (long long)json_number(status, "claimed", 0), (long long)json_number(status, "window", 0));
    }
    json_decref(status);
    return code;
}

/* Or nothing that could be watched for the months between its dates. */
static bool is_over(const json_t *a) {
    const char *state = json_text(a, "state");
    return strcmp(state, "done") == 0 || strcmp(state, "stopped") == 0 || strcmp(state, "recurring") == 0;
}

/* One line that never wraps: the next one is drawn over it. */
static void draw_bar(struct cli *cli, const json_t *a) {
    struct winsize size;
    unsigned columns = ioctl(fileno(cli->out), TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
    unsigned width = columns > 90 ? 40 : columns / 3;
    int64_t total = json_number(a, "total", 0), open = json_number(a, "pending", 0) + json_number(a, "deferred", 0);
    unsigned full = total > 0 ? (unsigned)((total - open) * width / total) : 0;
    AUTOBUF struct buf line = BUF_INIT(8192), cut = BUF_INIT(8192);
    for (unsigned i = 0; i < width; i++)
        buf_puts(&line, i < full ? "█" : "░");
    buf_printf(&line, " %s ", json_text(a, "state"));
    if (json_text(a, "why")[0]) {
        buf_puts(&line, "(");
        text_add_safe(&line, view_of(json_text(a, "why")));
        buf_puts(&line, ") ");
    }
    say_counts(a, &line);
    for (struct view rest = buf_view(&line); rest.len;) {
        size_t len;
        (void)text_decode(rest, &len);
        struct view more = view_make(buf_str(&line), (size_t)(rest.ptr + len - buf_str(&line)));
        if (text_width(more) >= columns)
            break;
        buf_clear(&cut);
        buf_add_view(&cut, more);
        rest = view_slice(rest, len, rest.len);
    }
    (void)fprintf(cli->out, "\r\033[K%s", buf_str(&cut));
    (void)fflush(cli->out);
}

static void print_end(struct cli *cli, const json_t *a, int *code) {
    if (cli->terminal && !cli->json)
        (void)fputc('\n', cli->out);
    if (cli->json)
        *code = client_print(cli, a);
    else
        print_any(cli->out, a);
}

static int watch(struct cli *cli, const char *id) {
    bool draws = cli->terminal && !cli->json, drawn = false;
    for (;;) {
        json_t *a = NULL;
        int code = get(cli, id, &a);
        if (code != EX_OK) {
            if (drawn)
                (void)fputc('\n', cli->out);
            return code;
        }
        bool over = is_over(a), quick = strcmp(json_text(a, "state"), "sending") == 0;
        struct interrupt held;
        interrupt_hold(&held, false);
        if (draws)
            draw_bar(cli, a);
        drawn = draws;
        if (over)
            print_end(cli, a, &code);
        json_decref(a);
        if (!over && interrupt_wait(&held, -1, quick ? 250 : 1000) && drawn) {
            (void)fputc('\n', cli->out); /* the last of it stays */
            (void)fflush(cli->out);
        }
        interrupt_let_go(&held);
        if (over)
            return code;
    }
}

int verb_status(struct cli *cli, int argc, char **argv) {
    struct cli_option o[] = {{.name = "--watch"}};
    int count = cli_options(cli, argc, argv, o, 1);
    if (count < 0)
        return EX_USAGE;
    if (count > 1 || (o[0].value && count == 0))
        return cli_refuse(cli, EX_USAGE, "one announcement's number, please", "rundbrief status [ID [--watch]]");
    if (count == 0)
        return overview(cli);
    if (o[0].value)
        return watch(cli, argv[0]);
    json_t *a = NULL;
    int code = get(cli, argv[0], &a);
    if (code == EX_OK && cli->json)
        code = client_print(cli, a);
    else if (code == EX_OK)
        print_any(cli->out, a);
    json_decref(a);
    return code;
}
