/* rundbrief-mail: the mail door. Takes mails that come to our return path, and hands requests to the daemon over
 * spool/requests/mail. Needs the configuration, the public keys and rundbrief-mime: no store, no secret.
 *
 *   rundbrief-mail --config FILE [--recipient ADDRESS]   one mail on standard input, from a mail system's pipe
 *   rundbrief-mail --config FILE --lmtp                  LMTP on the sockets that systemd hands over, until SIGTERM; where
 *                                                        there is none on standard input and output, one connection
 *
 * Exit status: 0 when the mail is taken, durably; 75 for whatever else, so that the mail system keeps it and tries again:
 * a mail that comes back is never sent back. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/log.h"

#include "conf/conf.h"
#include "door/committer.h"
#include "door/lmtp.h"
#include "door/lmtp_server.h"
#include "door/mail.h"
#include "inbound/reader.h"
#include "net/loop.h"

#include "base/banned.h"

static void usage(FILE *to) {
    (void)fprintf(to, "usage: rundbrief-mail --config FILE [--recipient ADDRESS | --lmtp]\n"); /* nowhere to say more */
}

static void on_conf_error(void *user, const struct why *why) {
    (void)user;
    log_why(LOG_ERR, "not-started", why);
}

static struct conf *load(void *user) {
    struct conf *conf;
    return conf_load_for_door(user, on_conf_error, NULL, &conf) < 0 ? NULL : conf;
}

static int take_one(struct mail_door *door, const char *recipient, struct why *why) {
    AUTOBUF struct buf mail = BUF_INIT(READER_MAIL_MAX_BYTES);
    const struct view address = view_of(recipient ? recipient : "");
    struct mail_taken taken;
    uint64_t bytes;
    int r = reader_gather(STDIN_FILENO, &mail, &bytes);
    if (r < 0)
        return why_set(why, r, "the mail cannot be read: %s", strerror(-r));
    r = mail_door_take(door, buf_view(&mail), &address, recipient ? 1 : 0, why, &taken);
    if (r == 0)
        log_info("mail-taken", LOG_TEXT("as", taken.as), LOG_TEXT("reason", taken.reason));
    return r;
}

/* What standard input brings: one mail, or one connection. */
static int serve_standard(const struct conf *conf, const char *folder, bool lmtp, const char *recipient) {
    struct committer *committer = NULL;
    struct reader *reader = NULL;
    struct mail_door *door = NULL;
    struct why why;
    int r = reader_new(&reader);
    if (r == 0)
        r = committer_new(folder, &committer);
    if (r < 0)
        (void)why_set(&why, r, "out of memory");
    else
        r = mail_door_new(conf, reader, committer, &why, &door);
    if (r == 0 && lmtp) {
        r = lmtp_serve(door, STDIN_FILENO, STDOUT_FILENO);
    } else {
        if (r == 0)
            r = take_one(door, recipient, &why);
        if (r < 0)
            log_why(LOG_ERR, "mail-not-taken", &why);
    }
    (void)mail_door_free(door);
    (void)committer_free(committer);
    (void)reader_free(reader);
    return r;
}

static int serve_sockets(char *config, const char *folder, int first, int count) {
    struct lmtp_server *server = NULL;
    struct why why;
    int r = lmtp_server_new(folder, load, config, &why, &server);
    if (r == 0) {
        loop_notify("READY=1");
        log_info("started");
        r = lmtp_server_run(server, first, count, &why);
    }
    if (r < 0)
        log_why(LOG_ERR, "not-started", &why);
    else
        log_info("stopped");
    (void)lmtp_server_free(server);
    return r;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"recipient", required_argument, NULL, 'r'},
                                            {"lmtp", no_argument, NULL, 'l'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    char *config = NULL;
    const char *recipient = NULL;
    bool lmtp = false;
    files_guard_standard();
    (void)signal(SIGPIPE, SIG_IGN); /* cannot fail for a signal that exists */
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'c')
            config = optarg;
        else if (c == 'r')
            recipient = optarg;
        else if (c == 'l')
            lmtp = true;
        else {
            usage(c == 'h' ? stdout : stderr);
            return c == 'h' ? EX_OK : EX_TEMPFAIL;
        }
    }
    if (!config || optind != argc || (lmtp && recipient)) {
        usage(stderr);
        return EX_TEMPFAIL;
    }
    int first, handed = lmtp ? loop_listen_fds(&first) : 0;
    struct conf *conf = load(config);
    char folder[PATH_MAX];
    if (!conf)
        return EX_TEMPFAIL;
    int r =
        snprintf(folder, sizeof folder, "%s/requests/mail", conf->spool_dir) < (int)sizeof folder ? 0 : -ENAMETOOLONG;
    if (r == 0)
        r = handed > 0 ? serve_sockets(config, folder, first, handed) : serve_standard(conf, folder, lmtp, recipient);
    (void)conf_unref(conf);
    return r < 0 ? EX_TEMPFAIL : EX_OK;
}
