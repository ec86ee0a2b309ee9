/* bounce FILE: what a mail that came back says. Needs neither daemon nor configuration; says nothing of whether the
 * report proves whom it speaks of, which only the daemon can see. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sysexits.h>

#include "base/cleanup.h"
#include "cli/verb.h"
#include "inbound/reader.h"
#include "mail/bounce.h"
#include "net/json.h"

#include "base/banned.h"

static int print_lines(struct cli *cli, const struct bounce *b) {
    for (size_t i = 0; i < b->count; i++) {
        const struct bounce_report *r = &b->reports[i];
        if (fprintf(cli->out, "%s\t%s\t%s\t%s\t%s\n", bounce_class_name(r->class), r->status, r->recipient,
                    bounce_reason_name(r->reason), bounce_action_name(r->action)) < 0)
            return EX_IOERR;
    }
    return EX_OK;
}

static int print_json(struct cli *cli, const struct bounce *b) {
    json_t *reports = json_array(), *document = json_pack("{s:o}", "reports", reports);
    int failed = document ? 0 : -1;
    for (size_t i = 0; failed == 0 && i < b->count; i++) {
        const struct bounce_report *r = &b->reports[i];
        failed = json_array_append_new(
            reports, json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s}", "class", bounce_class_name(r->class), "status",
                               r->status, "recipient", r->recipient, "reason", bounce_reason_name(r->reason), "action",
                               bounce_action_name(r->action), "delayed", r->delayed, "text", r->text));
    }
    if (failed == 0 && (json_dumpf(document, cli->out, JSON_COMPACT) < 0 || fputc('\n', cli->out) == EOF))
        failed = -1;
    json_decref(document);
    return failed ? EX_IOERR : EX_OK;
}

int verb_bounce(struct cli *cli, int argc, char **argv) {
    argc = cli_options(cli, argc, argv, NULL, 0);
    if (argc != 1)
        return argc < 0 ? EX_USAGE
                        : cli_refuse(cli, EX_USAGE, "say which mail",
                                     "rundbrief bounce FILE, with - for what comes on standard input");
    AUTOBUF struct buf mail = BUF_INIT(READER_MAIL_MAX_BYTES), text = BUF_INIT(RECORD_MAX_BYTES);
    bool standard = strcmp(argv[0], "-") == 0;
    AUTOCLOSE int opened = standard ? -1 : open(argv[0], O_RDONLY | O_CLOEXEC);
    struct why why;
    uint64_t bytes = 0;
    int r = standard || opened >= 0 ? reader_gather(standard ? STDIN_FILENO : opened, &mail, &bytes) : -errno;
    if (r < 0) {
        (void)why_set(&why, r, "cannot be read: %s", strerror(-r));
        why_where(&why, "%s", argv[0]);
        return cli_fail(cli, EX_NOINPUT, &why);
    }
    struct record record;
    struct reader *reader = NULL;
    r = reader_new(&reader);
    r = r < 0 ? why_set(&why, r, "out of memory") : reader_read(reader, buf_view(&mail), &text, &record, &why);
    (void)reader_free(reader);
    if (r < 0) {
        why_where(&why, "%s", argv[0]);
        return cli_fail(cli, r == -EBADMSG ? EX_DATAERR : EX_UNAVAILABLE, &why);
    }
    struct bounce bounce;
    bounce_read(&record, &bounce);
    return cli->json ? print_json(cli, &bounce) : print_lines(cli, &bounce);
}
