/* list, import, subscriber: who gets what. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/client.h"
#include "cli/interrupt.h"
#include "cli/privacy.h"
#include "cli/verb.h"

/* "                     follows /srv/office/partners.csv, taken over at 2025-07-01T08:00:00Z" */
static void print_source(FILE *out, const json_t *s) {
    if (!s)
        return;
    (void)fprintf(out, "%21s%s ", "", json_text(s, "state"));
    cli_print(out, json_text(s, "file"));
    if (json_text(s, "taken")[0])
        (void)fprintf(out, ", taken over at %s", json_text(s, "taken"));
    if (strcmp(json_text(s, "state"), "waits") == 0)
        (void)fprintf(out, ": it would remove %lld of %lld people (rundbrief import --accept)",
                      (long long)json_number(s, "would_remove", 0), (long long)json_number(s, "of", 0));
    if (json_text(s, "why")[0]) {
        (void)fputs(": ", out);
        cli_print(out, json_text(s, "why"));
    }
    (void)fputc('\n', out);
}

int verb_list(struct cli *cli, int argc, char **argv) {
    int count = cli_options(cli, argc, argv, NULL, 0);
    if (count < 0)
        return EX_USAGE;
    if (count > 0)
        return cli_refuse(cli, EX_USAGE, "this verb takes nothing", "rundbrief list");
    const struct http_client_request request = {.path = "/v1/lists"};
    json_t *answer = NULL, *list, *language;
    size_t i, k;
    int code = client_call(cli, &request, &answer, NULL);
    if (code == EX_OK && cli->json)
        code = client_print(cli, answer);
    else if (code == EX_OK) {
        if (json_array_size(json_object_get(answer, "lists")) == 0)
            (void)fputs("There is no list that you may use.\n", cli->out);
        json_array_foreach(json_object_get(answer, "lists"), i, list) {
            (void)fprintf(cli->out, "%-20s %7lld people  ", json_text(list, "name"),
                          (long long)json_number(list, "active", 0));
            json_array_foreach(json_object_get(list, "languages"), k, language) {
                (void)fputs(k ? " " : "", cli->out);
                cli_print(cli->out, json_string_value(language));
            }
            (void)fputs("  ", cli->out);
            cli_print(cli->out, json_text(list, "title"));
            (void)fputc('\n', cli->out);
            print_source(cli->out, json_object_get(list, "source"));
        }
    }
    json_decref(answer);
    return code;
}

/* ---- import ---------------------------------------------------------------------------------------------------- */

struct progress {
    FILE *to;
    unsigned shown; /* parts in a thousand */
};

static int on_progress(void *user, uint64_t sent, uint64_t total) {
    struct progress *p = user;
    unsigned now = total ? (unsigned)(sent * 1000 / total) : 0;
    if (now == p->shown)
        return 0;
    p->shown = now;
    (void)fprintf(p->to, INTERRUPT_WIPE "%3u %%  %.1f of %.1f MB", now / 10, (double)sent / 1048576.0,
                  (double)total / 1048576.0);
    (void)fflush(p->to);
    return 0;
}

static void print_import_problems(struct cli *cli, const json_t *answer, const char *file) {
    size_t i;
    json_t *p;
    json_array_foreach(json_object_get(answer, "problems_listed"), i, p) {
        cli_print(cli->err, file);
        (void)fprintf(cli->err, ", line %lld: %s", (long long)json_number(p, "line", 0),
                      json_flag(p, "bad") ? "" : "(note) ");
        cli_print(cli->err, json_text(p, "text"));
        (void)fputc('\n', cli->err);
    }
    if (json_number(answer, "problems_unlisted", 0))
        (void)fprintf(cli->err, "and %lld more\n", (long long)json_number(answer, "problems_unlisted", 0));
    if (json_flag(answer, "charset_guessed")) {
        (void)fputs("The file says no charset and is not UTF-8; it was read as windows-1252. Are these names right?",
                    cli->err);
        json_array_foreach(json_object_get(answer, "samples"), i, p) {
            (void)fputs(i ? ", " : " ", cli->err);
            cli_print(cli->err, json_string_value(p));
        }
        (void)fputs("\nIf not, say which it is with --charset.\n", cli->err);
    }
}

static void print_import(struct cli *cli, const json_t *answer, bool dry_run) {
    static const struct {
        const char *key, *say;
    } rows[] = {{"added", "new on the list"},
                {"changed", "known, with changes"},
                {"known", "known already"},
                {"couples", "second names at one address: both are greeted"},
                {"repeated", "said twice in the file"},
                {"no_address", "without an address: left out"},
                {"left", "left the list before: left out"},
                {"suppressed", "suppressed: left out"},
                {"no_consent", "without consent: left out"},
                {"erased", "erased: left out"},
                {"crowd", "third names at one address: left out"},
                {"bad", "bad rows: left out"}};
    (void)fprintf(cli->out, "%lld rows%s\n", (long long)json_number(answer, "rows", 0),
                  dry_run ? " looked at; nothing was written" : "");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (json_number(answer, rows[i].key, 0) || i == 0)
            (void)fprintf(cli->out, "%8lld %s\n", (long long)json_number(answer, rows[i].key, 0), rows[i].say);
    const char *code;
    json_t *count;
    (void)fputs("languages:", cli->out);
    json_object_foreach(json_object_get(answer, "languages"), code, count)(void)
        fprintf(cli->out, " %s %lld", code[0] ? code : "(not said)", (long long)json_integer_value(count));
    (void)fputc('\n', cli->out);
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(answer, "attributes"), i, name) {
        (void)fputs(i ? ", " : "fields of their own: ", cli->out);
        (void)fprintf(cli->out, "attr.");
        cli_print(cli->out, json_string_value(name));
    }
    if (i)
        (void)fputc('\n', cli->out);
}

/* What waits on a list that follows a file, because it would remove many. */
static int accept_source(struct cli *cli, const char *list) {
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    json_t *answer = NULL;
    buf_puts(&path, "/v1/lists/");
    http_client_encode(&path, view_of(list));
    buf_puts(&path, "/accept");
    const struct http_client_request request = {.method = "POST", .path = buf_str(&path)};
    int code = client_call(cli, &request, &answer, NULL);
    if (code == EX_OK && cli->json)
        code = client_print(cli, answer);
    else if (code == EX_OK)
        (void)fprintf(cli->out, "Accepted: %lld of %lld people are being removed from the list %s.\n",
                      (long long)json_number(answer, "would_remove", 0), (long long)json_number(answer, "of", 0),
                      json_text(answer, "list"));
    json_decref(answer);
    return code;
}

int verb_import(struct cli *cli, int argc, char **argv) {
    struct cli_option o[] = {{.name = "--basis", .takes_value = true},
                             {.name = "--evidence", .takes_value = true},
                             {.name = "--charset", .takes_value = true},
                             {.name = "--dry-run"},
                             {.name = "--skip-bad"},
                             {.name = "--accept", .takes_value = true}};
    int count = cli_options(cli, argc, argv, o, 6);
    if (count < 0)
        return EX_USAGE;
    if (o[5].value && count == 0)
        return accept_source(cli, o[5].value);
    if (count != 2 || !o[0].value || !o[1].value)
        return cli_refuse(cli, EX_USAGE, "which list, which file, on what basis, and what shows it?",
                          "rundbrief import LIST FILE --basis consent|membership|public-task|other --evidence TEXT");
    AUTOFCLOSE FILE *file = fopen(argv[1], "rbe");
    struct stat st;
    struct why why;
    if (!file || fstat(fileno(file), &st) < 0 || S_ISDIR(st.st_mode)) {
        (void)why_set(&why, 0, "cannot read the file: %s", file ? strerror(EISDIR) : strerror(errno));
        why_where(&why, "%s", argv[1]);
        return cli_fail(cli, EX_NOINPUT, &why);
    }
    const char *slash = strrchr(argv[1], '/');
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    buf_puts(&path, "/v1/lists/");
    http_client_encode(&path, view_of(argv[0]));
    buf_puts(&path, "/import");
    client_query(&path, "file", slash ? slash + 1 : argv[1]);
    client_query(&path, "basis", o[0].value);
    client_query(&path, "evidence", o[1].value);
    client_query(&path, "charset", o[2].value);
    client_query(&path, "dry_run", o[3].value ? "1" : NULL);
    client_query(&path, "skip_bad", o[4].value ? "1" : NULL);
    struct progress progress = {.to = cli->err};
    bool shows = isatty(fileno(cli->err)) && st.st_size > 1 << 20;
    const struct http_client_request request = {.method = "POST",
                                                .path = buf_str(&path),
                                                .content_type = "text/csv",
                                                .file = file,
                                                .on_progress = shows ? on_progress : NULL,
                                                .user = &progress};
    json_t *answer = NULL, *error = NULL;
    if (shows)
        interrupt_wipes(true);
    int code = client_call(cli, &request, &answer, &error);
    if (shows) {
        interrupt_wipes(false);
        (void)fputs(INTERRUPT_WIPE, cli->err);
    }
    const json_t *document = answer ? answer : error;
    if (document)
        print_import_problems(cli, document, argv[1]);
    if (document && cli->json)
        (void)client_print(cli, document);
    if (error)
        (void)cli_refuse(cli, code, json_text(json_object_get(error, "error"), "what"),
                         json_text(json_object_get(error, "error"), "todo"));
    else if (answer && !cli->json)
        print_import(cli, answer, o[3].value != NULL);
    json_decref(answer);
    json_decref(error);
    return code;
}

/* ---- subscriber ------------------------------------------------------------------------------------------------ */

static void print_person(FILE *out, const json_t *p) {
    cli_print(out, json_text(p, "address"));
    (void)fputs("  ", out);
    cli_print(out, json_text(p, "given_name"));
    (void)fputc(' ', out);
    cli_print(out, json_text(p, "family_name"));
    (void)fputs("  ", out);
    cli_print(out, json_text(p, "organisation"));
    (void)fputs("  ", out);
    cli_print(out, json_text(p, "language"));
    (void)fputc('\n', out);
}

static void print_tags(FILE *out, const json_t *tags) {
    size_t i;
    json_t *tag;
    json_array_foreach(tags, i, tag) {
        (void)fputs(i ? ", " : "    tags: ", out);
        cli_print(out, json_string_value(tag));
    }
    if (json_array_size(tags))
        (void)fputc('\n', out);
}

static void print_record(FILE *out, const json_t *p) {
    size_t i;
    json_t *row, *value;
    const char *key;
    print_person(out, p);
    static const char *const rest[] = {"form", "title", "salutation",
                                       "timezone"}; /* by the names that `change` takes */
    for (size_t k = 0; k < sizeof rest / sizeof rest[0]; k++)
        if (json_text(p, rest[k])[0]) {
            (void)fprintf(out, "  %s = ", rest[k]);
            cli_print(out, json_text(p, rest[k]));
            (void)fputc('\n', out);
        }
    json_object_foreach(json_object_get(p, "attributes"), key, value) {
        (void)fputs("  attr.", out);
        cli_print(out, key);
        (void)fputs(" = ", out);
        cli_print(out, json_string_value(value));
        (void)fputc('\n', out);
    }
    if (json_is_string(json_object_get(p, "suppressed"))) {
        (void)fputs("  SUPPRESSED: ", out);
        cli_print(out, json_text(p, "suppressed"));
        (void)fputc('\n', out);
    }
    json_array_foreach(json_object_get(p, "subscriptions"), i, row) {
        (void)fprintf(out, "  %-20s %-8s since %s\n", json_text(row, "list"), json_text(row, "state"),
                      json_text(row, "since"));
        print_tags(out, json_object_get(row, "tags"));
    }
    json_array_foreach(json_object_get(p, "sign_ups"), i, row) {
        const char *list = json_text(row, "list");
        (void)fprintf(out, "  %-20s waits    since %s, until it is confirmed\n", list[0] ? list : "(a new address)",
                      json_text(row, "at"));
    }
    (void)fputs("  record:\n", out);
    json_array_foreach(json_object_get(p, "record"), i, row) {
        (void)fprintf(out, "    %s  %s %s by %s", json_text(row, "at"), json_text(row, "list"), json_text(row, "what"),
                      json_text(row, "how"));
        const char *const more[] = {"origin", "basis", "evidence"};
        for (size_t k = 0; k < sizeof more / sizeof more[0]; k++)
            if (json_text(row, more[k])[0]) {
                (void)fputs(", ", out);
                cli_print(out, json_text(row, more[k]));
            }
        (void)fputc('\n', out);
    }
}

static int find(struct cli *cli, const char *text) {
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    buf_puts(&path, "/v1/subscribers");
    client_query(&path, "find", text);
    const struct http_client_request request = {.path = buf_str(&path)};
    json_t *answer = NULL, *p;
    size_t i;
    int code = client_call(cli, &request, &answer, NULL);
    if (code == EX_OK && cli->json)
        code = client_print(cli, answer);
    else if (code == EX_OK) {
        json_array_foreach(json_object_get(answer, "subscribers"), i, p) print_person(cli->out, p);
        if (json_array_size(json_object_get(answer, "subscribers")) == 0)
            (void)fputs("Nobody.\n", cli->out);
        if (json_flag(answer, "more"))
            (void)fputs("… and more; say more of the name or address.\n", cli->out);
    }
    json_decref(answer);
    return code;
}

/* Takes the answer. */
static int show_answer(struct cli *cli, int code, json_t *answer) {
    if (code == EX_OK && cli->json)
        code = client_print(cli, answer);
    else if (code == EX_OK)
        print_record(cli->out, answer);
    json_decref(answer);
    return code;
}

static int show(struct cli *cli, const char *address) {
    AUTOBUF struct buf path = BUF_INIT(CLIENT_PATH_MAX_BYTES);
    buf_puts(&path, "/v1/subscribers/");
    http_client_encode(&path, view_of(address));
    const struct http_client_request request = {.path = buf_str(&path)};
    json_t *answer = NULL;
    int code = client_call(cli, &request, &answer, NULL);
    return show_answer(cli, code, answer);
}

/* NAME=VALUE arguments into the document's fields. */
static int take_fields(struct cli *cli, int argc, char **argv, json_t *body) {
    json_t *fields = json_object();
    for (int i = 0; i < argc; i++) {
        struct view v = view_of(argv[i]);
        size_t equals = view_find(v, '=');
        AUTOFREE char *name = view_dup(view_slice(v, 0, equals));
        if (equals == v.len || equals == 0 || !name ||
            json_object_set_new(fields, name, json_string(argv[i] + equals + 1)) < 0) {
            json_decref(fields);
            return cli_refuse(cli, EX_USAGE, "fields are written NAME=VALUE",
                              "For example family_name=Müller attr.city=Celle");
        }
    }
    (void)json_object_set_new(body, "fields", fields);
    return EX_OK;
}

static int post(struct cli *cli, json_t *body) {
    json_t *answer = NULL;
    int code = client_post(cli, "/v1/subscribers", body, &answer);
    return show_answer(cli, code, answer);
}

enum { TAGS_TEXT_MAX_BYTES = 64 * 1024 };

/* Fields and tags into the document, which is posted. */
static int post_changes(struct cli *cli, int argc, char **argv, const struct buf *tags, json_t *body) {
    json_t *list = json_array();
    struct view rest = buf_view(tags), tag;
    bool good = true;
    while (view_line(&rest, &tag))
        good = json_array_append_new(list, json_stringn(tag.ptr, tag.len)) == 0 && good;
    if (tags->len)
        (void)json_object_set(body, "tags", list);
    json_decref(list);
    int code =
        good ? take_fields(cli, argc, argv, body) : cli_refuse(cli, EX_DATAERR, "this is not text in UTF-8", NULL);
    if (code == EX_OK)
        return post(cli, body);
    json_decref(body);
    return code;
}

static int change(struct cli *cli, int count, char **argv, const char *list, const struct buf *tags) {
    if (count == 3 && strchr(argv[2], '=') == NULL && tags->len == 0)
        return post(cli,
                    json_pack("{s:s, s:s, s:s}", "do", "change-address", "address", argv[1], "new_address", argv[2]));
    return post_changes(cli, count - 2, argv + 2, tags,
                        json_pack("{s:s, s:s, s:s}", "do", "change", "address", argv[1], "list", list ? list : ""));
}

static int add(struct cli *cli, int count, char **argv, const struct cli_option *o, const struct buf *tags) {
    return post_changes(cli, count - 3, argv + 3, tags,
                        json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "do", "add", "list", argv[1], "address", argv[2],
                                  "basis", o[0].value ? o[0].value : "", "evidence", o[1].value ? o[1].value : "",
                                  "again", o[2].value != NULL));
}

int verb_subscriber(struct cli *cli, int argc, char **argv) {
    AUTOBUF struct buf tags = BUF_INIT(TAGS_TEXT_MAX_BYTES);
    struct cli_option o[] = {{.name = "--basis", .takes_value = true},
                             {.name = "--evidence", .takes_value = true},
                             {.name = "--again"},
                             {.name = "--by", .takes_value = true},
                             {.name = "--list", .takes_value = true},
                             {.name = "--tag", .takes_value = true, .values = &tags},
                             {.name = "--reason", .takes_value = true},
                             {.name = "--yes"}};
    int count = cli_options(cli, argc, argv, o, 8);
    if (count < 0)
        return EX_USAGE;
    if (buf_error(&tags))
        return cli_refuse(cli, EX_USAGE, "these are too many tags", NULL);
    const char *what = count ? argv[0] : "";
    if (strcmp(what, "show") == 0 && count == 2)
        return show(cli, argv[1]);
    if (strcmp(what, "find") == 0 && count == 2)
        return find(cli, argv[1]);
    if (strcmp(what, "add") == 0 && count >= 3)
        return add(cli, count, argv, o, &tags);
    if (strcmp(what, "change") == 0 && (count >= 3 || (count == 2 && tags.len)))
        return change(cli, count, argv, o[4].value, &tags);
    if (strcmp(what, "leave") == 0 && count == 2 && o[3].value)
        return post(cli, json_pack("{s:s, s:s, s:s, s:s}", "do", "leave", "address", argv[1], "how", o[3].value, "list",
                                   o[4].value ? o[4].value : ""));
    if ((strcmp(what, "remove") == 0 || strcmp(what, "restore") == 0) && count == 3)
        return post(cli, json_pack("{s:s, s:s, s:s}", "do", what, "list", argv[1], "address", argv[2]));
    if (strcmp(what, "export") == 0 && count == 2)
        return cli_export_person(cli, argv[1]);
    if (strcmp(what, "erase") == 0 && count == 2)
        return cli_erase_person(cli, argv[1], o[6].value, o[7].value != NULL);
    return cli_refuse(cli, EX_USAGE, "what about which subscriber?",
                      "`rundbrief subscriber --help` shows what can be done");
}
