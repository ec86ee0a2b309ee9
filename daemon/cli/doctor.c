/* doctor: what is wrong with the installation, why it matters, what to do. The daemon looks at what only it can see; we
 * look at templates and clock, and at the rest where no daemon answers. Exit codes are for monitors, see verb_doctor(). */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/timex.h>
#include <sysexits.h>

#include "announce/checkup.h"
#include "base/clock.h"
#include "base/number.h"
#include "cli/client.h"
#include "cli/verb.h"
#include "conf/conf.h"

enum { EXIT_WARNINGS = 1, EXIT_WRONG = 2 };

static const int64_t clock_apart_usec = 60 * USEC_PER_SEC, silence_usec = 10 * USEC_PER_MIN;

struct doctor {
    struct cli *cli;
    struct checkup checkup;
    json_t *rows, *left_out;
};

static void on_finding(void *user, const struct finding *f) {
    struct doctor *d = user;
    (void)json_array_append_new(d->rows, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "level",
                                                   checkup_level_name(f->level), "area", f->area, "about", f->about,
                                                   "what", f->what, "matters", f->matters, "todo", f->todo));
}

static void leave_out(struct doctor *d, const char *what) {
    (void)json_array_append_new(d->left_out, json_string(what));
}

static void pass_over(void *user, const struct why *why) {
    (void)user;
    (void)why;
}

/* ---- with a daemon ---- */

/* Its document, or NULL with what it, or our own attempt, says. */
static json_t *ask(struct doctor *d, const char *socket_path, bool quick, int *ret_code, json_t **ret_error) {
    AUTOFCLOSE FILE *nowhere = fopen("/dev/null", "we");
    struct cli quiet = *d->cli;
    json_t *answer = NULL;
    *ret_code = EX_OSERR;
    if (!nowhere)
        return NULL;
    quiet.err = nowhere;
    quiet.socket_path = socket_path;
    const struct http_client_request request = {.method = "GET",
                                                .path = quick ? "/v1/doctor?quick=1" : "/v1/doctor",
                                                .silence_max_usec = quick ? silence_usec / 10 : silence_usec};
    *ret_code = client_call(&quiet, &request, &answer, ret_error);
    return answer;
}

static void take_document(struct doctor *d, const json_t *answer) {
    int64_t theirs, now = clock_now_usec();
    (void)json_array_extend(d->rows, json_object_get(answer, "rows"));
    if (clock_parse_utc(view_of(json_text(answer, "now")), &theirs) < 0)
        return;
    int64_t apart = theirs > now ? theirs - now : now - theirs;
    if (apart > clock_apart_usec)
        checkup_say(&d->checkup, CHECKUP_WARNING, "clock", json_text(answer, "now"),
                    "Announcements start, and dates are said, by the daemon's clock",
                    "Start the daemon without --clock", "the daemon's clock stands %lld minutes from this machine's",
                    (long long)(apart / USEC_PER_MIN));
}

static bool is_refused(struct cli *cli, int code, const json_t *error) {
    const json_t *why = json_object_get(error, "error");
    if (code != EX_NOPERM || !why)
        return false;
    (void)cli_refuse(cli, EX_NOPERM, json_text(why, "what"), json_text(why, "todo"));
    return true;
}

/* EX_OK, or EX_NOPERM where it is none of the caller's business. */
static int ask_daemon(struct doctor *d, const char *socket_path, bool quick, bool *ret_asked) {
    int code;
    json_t *error = NULL, *answer = ask(d, socket_path, quick, &code, &error);
    bool refused = !answer && is_refused(d->cli, code, error);
    *ret_asked = answer != NULL;
    if (answer) {
        checkup_say(&d->checkup, CHECKUP_OK, "daemon", socket_path, "", "", "answers");
        take_document(d, answer);
    } else if (!refused)
        checkup_say(&d->checkup, CHECKUP_WRONG, "daemon", socket_path,
                    "While it does not run, nothing is sent, and opt-outs wait at the doors",
                    "Run systemctl start rundbriefd, and if it does not stay: journalctl -u rundbriefd",
                    code == EX_UNAVAILABLE && !error ? "the daemon does not run"
                                                     : "the daemon does not answer as it should");
    json_decref(error);
    json_decref(answer);
    return refused ? EX_NOPERM : EX_OK;
}

/* ---- what we see ourselves ---- */

static void look_at_clock(struct doctor *d) {
    struct timex t = {0};
    AUTOBUF struct buf now = BUF_INIT(64);
    clock_print_utc(&now, clock_now_usec());
    int state = adjtimex(&t);
    if (state < 0)
        leave_out(d, "the clock: this machine does not say whether something keeps it right");
    else if (state == TIME_ERROR || t.status & STA_UNSYNC)
        checkup_say(&d->checkup, CHECKUP_WARNING, "clock", buf_str(&now),
                    "A clock that drifts sends at the wrong hour, and mails with a wrong date are taken for spam",
                    "Run timedatectl set-ntp true; in a virtual machine let the host keep the clock",
                    "nothing keeps this machine's clock right");
    else
        checkup_say(&d->checkup, CHECKUP_OK, "clock", buf_str(&now), "", "", "is kept right");
}

/* Everything but what the daemon alone knows. */
static void look_ourselves(struct doctor *d, const struct conf *conf) {
    struct conf *loaded;
    checkup_configuration(&d->checkup, d->cli->config_path, &loaded);
    (void)conf_unref(loaded);
    leave_out(d, "the store, the relays and waiting requests: only a running daemon can look at them");
    if (!conf)
        return;
    checkup_rights(&d->checkup, conf);
    checkup_space(&d->checkup, conf);
    checkup_keys(&d->checkup, conf);
    leave_out(d, "the rights of the daemon's user: this looked with the rights of whoever asks");
}

/* ---- saying it ---- */

static void print_row(FILE *out, const json_t *row) {
    const char *level = json_text(row, "level"), *about = json_text(row, "about");
    bool bad = strcmp(level, "ok") != 0;
    (void)fprintf(out, "%-8s %s: ", strcmp(level, "wrong") == 0 ? "WRONG" : level, json_text(row, "area"));
    cli_print(out, about);
    (void)fputs(about[0] ? ": " : "", out);
    cli_print(out, json_text(row, "what"));
    (void)fputc('\n', out);
    if (bad && json_text(row, "matters")[0])
        (void)fprintf(out, "         Why it matters: %s.\n", json_text(row, "matters"));
    if (bad && json_text(row, "todo")[0]) {
        (void)fputs("         What to do: ", out);
        cli_print(out, json_text(row, "todo"));
        (void)fputs(".\n", out);
    }
}

static size_t count_of(const json_t *rows, const char *level) {
    size_t i, count = 0;
    json_t *row;
    json_array_foreach(rows, i, row) count += strcmp(json_text(row, "level"), level) == 0;
    return count;
}

static int report(struct doctor *d) {
    FILE *out = d->cli->out;
    size_t i, wrong = count_of(d->rows, "wrong"), warnings = count_of(d->rows, "warning");
    int code = wrong ? EXIT_WRONG : warnings ? EXIT_WARNINGS : EX_OK;
    json_t *item;
    if (d->cli->json) {
        json_t *document = json_pack("{s:s, s:O, s:O}", "level",
                                     wrong      ? "wrong"
                                     : warnings ? "warning"
                                                : "ok",
                                     "rows", d->rows, "left_out", d->left_out);
        int printed = document ? client_print(d->cli, document) : EX_IOERR;
        json_decref(document);
        return printed == EX_OK ? code : printed;
    }
    json_array_foreach(d->rows, i, item) print_row(out, item);
    json_array_foreach(d->left_out, i, item)(void) fprintf(out, "left out %s.\n", json_string_value(item));
    if (wrong || warnings)
        (void)fprintf(out, "Wrong: %zu. Warnings: %zu.\n", wrong, warnings);
    else
        (void)fputs("All is well.\n", out);
    return code;
}

static int examine(struct doctor *d, bool quick) {
    struct conf *conf = NULL;
    bool asked = false;
    int code = EX_OK;
    (void)conf_load(d->cli->config_path, pass_over, NULL, &conf); /* checkup_configuration() says what is wrong */
    const char *socket_path = d->cli->socket_path ? d->cli->socket_path : conf ? conf->socket : NULL;
    if (socket_path)
        code = ask_daemon(d, socket_path, quick, &asked);
    else
        leave_out(d, "the daemon: without a configuration that can be read, --socket must say where it is");
    if (code == EX_OK && !asked)
        look_ourselves(d, conf);
    if (code == EX_OK && conf)
        checkup_templates(&d->checkup, conf);
    else if (code == EX_OK)
        leave_out(d, "the templates: the configuration says where they are");
    (void)conf_unref(conf);
    if (code != EX_OK)
        return code;
    look_at_clock(d);
    return report(d);
}

/* 0 all is well, 1 there are warnings, 2 something is wrong; 64 and above as always, of doctor itself. */
int verb_doctor(struct cli *cli, int argc, char **argv) {
    struct cli_option o[] = {{.name = "--quick"}};
    int count = cli_options(cli, argc, argv, o, 1);
    if (count != 0)
        return count < 0 ? EX_USAGE
                         : cli_refuse(cli, EX_USAGE, "doctor looks at everything", "rundbrief doctor [--quick]");
    struct doctor d = {.cli = cli, .rows = json_array(), .left_out = json_array()};
    d.checkup = (struct checkup){.on_finding = on_finding, .user = &d};
    int code =
        d.rows && d.left_out ? examine(&d, o[0].value != NULL) : cli_refuse(cli, EX_OSERR, "out of memory", NULL);
    json_decref(d.rows);
    json_decref(d.left_out);
    return code;
}
